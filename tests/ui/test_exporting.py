"""Exporting frames from the window: the button's menu, the dialog, and the process in the background."""

from __future__ import annotations

import re
import signal
import time
from multiprocessing import Pipe
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QImage

from cnnviz.app import main
from cnnviz.export import writing as exporting
from cnnviz.export.folder import MANIFEST
from cnnviz.export.frames import about_frames, frame_name, stops
from cnnviz.export.order import Order, order_of
from cnnviz.lesson.changes import read_change
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.numbers import count
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from cnnviz.ui.export_dialog import FORMS, ExportDialog
from cnnviz.ui.exporting import write_frames

LEFT = Qt.MouseButton.LeftButton
SOON = 60_000  # milliseconds; two interpreters start


@pytest.fixture
def order(lesson, tmp_path) -> Order:
    start = lesson.program.start("fc")
    look = View(640, 360, display=Display(theme="dark"))
    return order_of(lesson, tmp_path / "frames", Level.LINE, start, start + 4, look)


@pytest.fixture
def own_signals():
    """Give signals back to the tests after what is usually a process of its own."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def dialog_of(window) -> ExportDialog:
    window.actions_by_name["export"].trigger()
    return window.findChildren(ExportDialog)[-1]


def test_the_button_offers_what_its_menu_says(window):
    texts = [action.text() for action in window.bar.save.menu().actions()]
    assert texts == ["Save frame as picture…", "Export frames…", "Hand sheets and questions…"]
    assert window.bar.save.text() == "Export…"


def test_a_page_is_asked_for_a_file_and_written(qtbot, window, tmp_path):
    dialog = dialog_of(window)
    folder = dialog.folder.text()
    dialog.form_choice.setCurrentIndex([form for form, _ in FORMS].index("html"))
    assert dialog.folder.text() == f"{folder}.html" and dialog.folder.accessibleName() == "File"
    assert dialog.order().every is Level.CELL
    dialog.every.setCurrentText("layer")  # of all cells it takes half a minute
    dialog.folder.setText(str(tmp_path / "page.html"))
    dialog.span.setCurrentText("conv1 only")
    ended = []
    window.pictures.exporter.ended.connect(lambda *told: ended.append(told))
    dialog.start_button.click()
    qtbot.waitUntil(lambda: bool(ended), timeout=SOON)
    (sentence, error) = ended[0]
    assert not error and "page.html" in sentence
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_a_key_that_is_held_opens_one_dialog(window):
    dialogs = {dialog_of(window) for _ in range(5)}
    assert len(dialogs) == len(window.findChildren(ExportDialog)) == 1
    dialogs.pop().reject()
    assert dialog_of(window).isVisible()


def test_the_dialog_offers_the_colours_and_cells_as_they_are_shown(window):
    window.player.show(Display(letters=True, scale="layer", zoom=120))
    dialog = dialog_of(window)
    assert dialog.order().view.display == window.player.display
    dialog.choices["scale"].setCurrentIndex(2)
    assert dialog.order().view.display == replace(window.player.display, scale="network")
    dialog.reject()


def test_the_dialog_asks_for_the_whole_program_or_the_operation_in_hand(window):
    program = window.player.cursor.program
    start = program.start("conv2")
    window.player.go_to(start + 99)
    dialog = dialog_of(window)
    assert dialog.span.currentText() == "all stops of the lesson" and dialog.order().tour
    dialog.span.setCurrentText("the whole program")
    order = dialog.order()
    assert (order.first, order.last, order.every) == (0, len(program) - 1, Level.MAP)
    assert (order.source, order.choice.image) == ("digits", window.desk.lesson.image)
    assert order.view == View(1920, 1080)
    dialog.span.setCurrentText("conv2 only")
    order = dialog.order()
    assert (order.first, order.last) == (start, start + len(program.operation("conv2")) - 1)
    dialog.reject()


def test_the_dialog_says_about_only_where_it_has_not_counted(window):
    program = window.player.cursor.program
    dialog = dialog_of(window)
    said = {}
    for row, level in enumerate(Level):
        dialog.every.setCurrentIndex(row)
        said[level] = dialog.said.text()
    assert said[Level.LINE] == "70,797 frames."
    assert said[Level.STOP] == "11 frames.", "ten stops, the first of them the first step; and the last step"
    assert said[Level.MAP] == f"{len(stops(program, Level.MAP))} frames."
    assert (
        said[Level.TERM]
        == f"About {count(about_frames(program, Level.TERM, 0, len(program) - 1)[0])} frames."
    )
    dialog.first.setText("12")
    dialog.last.setText("12")
    assert dialog.said.text() == "1 frame."
    dialog.reject()


def test_all_stops_of_a_lesson_are_ordered_as_on_the_command_line(make_window, tmp_path):
    window = make_window()
    window.desk.open("chain-rule")
    window.desk.choose(1)
    dialog = dialog_of(window)
    dialog.span.setCurrentText("all stops of the lesson")
    assert dialog.every.currentText() == "stop" and not dialog.first.isEnabled()
    dialog.folder.setText(str(tmp_path / "frames"))
    dialog.size_choice.setCurrentIndex(0)
    order = dialog.order()
    assert order.tour and dialog.said.text() == f"{len(window.desk.lesson.sequence)} frames."
    dialog.every.setCurrentText("map")
    assert not dialog.order().tour and dialog.first.isEnabled()
    dialog.reject()
    window.close()
    command = "export chain-rule --every stop --size 1280x720 -o"
    assert main([*command.split(), str(order.folder)]) == 0
    there = order.lesson()
    steps = order.steps(there)
    frames = exporting.export(order.shown, order.folder, steps, order.settings(there))
    assert next(frames) == len(steps) > 3, "the same frames: all are there already"
    frames.close()


def test_before_it_starts_it_is_said_how_large_it_will_be_and_how_long_it_takes(window, qtbot):
    dialog = dialog_of(window)
    qtbot.waitUntil(lambda: "about" in dialog.said.text(), timeout=SOON)
    assert re.fullmatch(r"10 frames, about [\d.]+ MB and [\d.]+ s\.", dialog.said.text())
    dialog.span.setCurrentText("the whole program")
    assert dialog.said.text().endswith(" frames."), "what is not reckoned yet is not said"
    dialog.form_choice.setCurrentIndex([form for form, _ in FORMS].index("pdf"))
    qtbot.waitUntil(lambda: "about" in dialog.said.text(), timeout=SOON)
    assert dialog.start_button.isEnabled()
    dialog.reject()


def test_gradients_of_a_large_network_are_not_computed_to_say_that(window, qtbot, monkeypatch):
    window.desk.change(read_change("conv1.w[0,0,1,1]=2"), said="another")
    assert window.desk.lesson.tape.unmade
    monkeypatch.setattr("cnnviz.ui.export_dialog._MOST_MADE", 10)
    dialog = dialog_of(window)
    qtbot.wait(600)
    assert dialog.said.text() == "888 frames." and dialog.start_button.isEnabled()
    assert window.desk.lesson.tape.unmade
    dialog.reject()


def test_any_size_is_typed_and_a_ground_is_left_out(window):
    dialog = dialog_of(window)
    dialog.size_choice.setEditText("1000x600")
    dialog.choices["transparent"].setCurrentText("transparent")
    order = dialog.order()
    assert (order.view.width, order.view.height, order.view.display.transparent) == (1000, 600, True)
    for words, said in (("wide", "must be a width and a height"), ("9 × 9", "cannot be made")):
        dialog.size_choice.setEditText(words)
        assert said in dialog.said.text() and not dialog.start_button.isEnabled()
    dialog.size_choice.setEditText("1000 × 600")
    assert dialog.start_button.isEnabled()
    dialog.form_choice.setCurrentIndex([form for form, _ in FORMS].index("mp4"))
    assert "has no transparent background" in dialog.said.text() and not dialog.start_button.isEnabled()
    dialog.reject()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [("nothere", "9", "There is no operation nothere"), ("9", "3", "before the first"), ("0", "", "no step")],
)
def test_what_is_wrong_in_a_field_is_said_there(window, first, last, said):
    dialog = dialog_of(window)
    dialog.span.setCurrentText("from … to …")
    dialog.first.setText(first)
    dialog.last.setText(last)
    assert said in dialog.said.text()
    assert not dialog.start_button.isEnabled()
    dialog.reject()


def test_frames_are_written_in_the_background(window, qtbot, lesson, order):
    dialog = dialog_of(window)
    dialog.folder.setText(str(order.folder))
    dialog.every.setCurrentIndex(0)
    dialog.first.setText(str(order.first))
    dialog.last.setText(str(order.last))
    dialog.size_choice.setCurrentIndex(0)
    qtbot.mouseClick(dialog.start_button, LEFT)
    assert window.pictures.exporter.running and window.pictures.strip.isVisible()
    assert not window.actions_by_name["export"].isEnabled()
    qtbot.keyClick(window.stage, Qt.Key.Key_PageDown)  # the lesson goes on meanwhile
    assert window.player.cursor.index > 0
    qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    assert window.message.sentence.text() == f"{order.folder} holds 5 frames."
    names = {frame_name(lesson.program, order.first + k) for k in range(5)}
    assert {path.name for path in order.folder.iterdir()} == {*names, MANIFEST}
    assert all(QImage(str(order.folder / name)).width() == 1280 for name in names)
    assert not window.pictures.strip.isVisible()
    assert window.actions_by_name["export"].isEnabled()


def test_what_the_window_began_the_command_line_goes_on_with(window, qtbot, order, capsys):
    window.pictures.export(order)
    qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    next(order.folder.glob("*.png")).unlink()
    asked = f"--every line --from {order.first} --to {order.last} --size 640x360 --theme dark".split()
    assert main(["export", "digits", "-o", str(order.folder), *asked]) == 0
    assert capsys.readouterr().out == f"{order.folder} holds 5 frames, 4 of which were there already.\n"


def pictures(folder: Path) -> list[Path]:
    return list(folder.glob("*.png"))


def cancelled(window) -> float:
    """Cancel an export, and return how many seconds that took."""
    begun = time.perf_counter()
    window.pictures.strip.close_button.click()
    while window.pictures.exporter.running:
        QCoreApplication.processEvents()
    return time.perf_counter() - begun


def test_cancelling_keeps_what_is_done_and_is_over_at_once(window, qtbot, order):
    window.pictures.export(replace(order, last=order.first + 2000))
    longest, said = [0.0], []

    def some() -> bool:
        before = time.perf_counter()
        QCoreApplication.processEvents()
        longest[0] = max(longest[0], time.perf_counter() - before)
        said.append(window.pictures.strip.sentence.text())
        return len(pictures(order.folder)) >= 3

    qtbot.waitUntil(some, timeout=SOON)
    assert longest[0] < 0.5
    qtbot.waitUntil(lambda: "left" in window.pictures.strip.sentence.text(), timeout=SOON)
    times = []
    while not times or (min(times) > 0.2 and len(times) < 4):  # others may be at work on the machine
        window.pictures.export(replace(order, last=order.first + 2000))
        qtbot.wait(1500)
        times.append(cancelled(window))
        time.sleep(0.2)
        kept = pictures(order.folder)
        said = int(re.search(r"keeps (\d+) of 2,001 frames", window.message.sentence.text())[1])
        # What was too busy to hear is killed, and may have finished a frame while they were counted.
        assert said <= len(kept) <= said + 2
    assert min(times) < 0.2
    time.sleep(0.2)
    assert kept == pictures(order.folder) and 3 <= len(kept) < 2000
    assert not any(QImage(str(path)).isNull() for path in kept)
    assert not list(order.folder.glob(".*.part"))


def test_a_page_is_cancelled_at_once_whatever_is_at_work(window, qtbot, tmp_path):
    lesson = load_lesson("digits")
    order = order_of(lesson, tmp_path / "a.html", Level.CELL, 0, 3000, View(640, 360), form="html")
    order.folder.write_bytes(b"there before")
    strip = window.pictures.strip
    times = []
    for _ in range(3):
        window.pictures.export(order)
        qtbot.waitUntil(lambda: strip.progress.value() > 10, timeout=SOON)
        times.append(cancelled(window))
        assert "is as it was before" in window.message.sentence.text()
        assert not list(tmp_path.glob(".*.part"))
        assert order.folder.read_bytes() == b"there before"
    assert min(times) < 0.2  # others may be at work on the machine


def test_stops_of_all_expressions_that_are_there_are_counted_when_it_is_cancelled(window, qtbot, tmp_path):
    """They are numbers of stops, and no steps of the one expression that is shown."""
    lesson = load_lesson("chain-rule")
    order = order_of(lesson, tmp_path / "s", None, 0, 0, View(640, 360), tour=True, form="svg")
    window.pictures.export(order)
    qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    files = sorted(order.folder.glob("*.svg"))
    assert f"{len(files)} frames" in window.message.sentence.text() and len(files) == len(lesson.sequence)
    for file in files[2:]:
        file.unlink()
    window.pictures.export(order)
    window.pictures.exporter.progressed.connect(lambda *_: window.pictures.exporter.cancel())
    qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    left = len(list(order.folder.glob("*.svg")))
    assert 2 <= left < len(files)
    assert f"keeps {left} of {len(files)} frames" in window.message.sentence.text()


def test_closing_the_window_ends_the_export(window, qtbot, order):
    window.pictures.export(replace(order, last=order.first + 2000))
    process = window.pictures.exporter._process
    window.close()
    assert not process.is_alive()
    assert not list(order.folder.glob(".*.part"))


def test_a_folder_that_will_not_do_is_said_in_the_bar(window, qtbot, order):
    Path(order.folder).write_text("a file")
    window.pictures.export(order)
    qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    assert "is not a folder" in window.message.sentence.text()
    assert window.message.property("kind") == "error"
    assert order.folder.read_text() == "a file"


def test_an_export_that_cannot_begin_is_over(window, order, monkeypatch):
    def refuse(_):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    window.pictures.export(order)
    assert not window.pictures.exporter.running
    assert not window.pictures.strip.isVisible()
    assert window.actions_by_name["export"].isEnabled()
    assert "Resource temporarily unavailable" in window.message.sentence.text()
    assert window.close()


def test_so_is_one_whose_painting_processes_cannot_be_started(order, monkeypatch, own_signals):
    """In the process that writes the frames for the window; what it sends is said in the bar."""

    def refuse(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(exporting, "ProcessPoolExecutor", refuse)
    monkeypatch.setattr(exporting, "_cores", lambda: 2)
    ours, theirs = Pipe()
    with ours, theirs:
        write_frames(replace(order, last=order.first + 99), theirs)
        heard = [ours.recv(), ours.recv()]
        assert not ours.poll()
    assert heard[0] == (0, 100)
    said, fault = heard[1]
    assert fault
    assert said == (
        "Frames cannot be written, because no other process can be started ([Errno 24] Too many open files); "
        "close other programs, and try again."
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it ends amid anything
def test_a_fault_that_nobody_hears_any_more_is_no_traceback(order, own_signals):
    Path(order.folder).write_text("a file where the folder should be", "utf-8")
    ours, theirs = Pipe()
    ours.close()
    with theirs:
        write_frames(order, theirs)  # raises nothing
    assert Path(order.folder).is_file()


def test_what_cannot_be_heard_ends_the_export(window, qtbot, order, monkeypatch):
    monkeypatch.setattr(window.pictures.exporter, "_process", None)
    window.pictures.export(order)
    with qtbot.captureExceptions() as raised:
        monkeypatch.setattr("multiprocessing.connection.Connection.recv", lambda _: 1 / 0)
        qtbot.waitUntil(lambda: not window.pictures.exporter.running, timeout=SOON)
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]
    assert window.actions_by_name["export"].isEnabled()
