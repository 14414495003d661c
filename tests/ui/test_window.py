"""The window as a whole: sizes, lessons, errors, pictures, what is remembered, memory."""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
import weakref
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QLibraryInfo,
    QMimeData,
    QPointF,
    Qt,
    QUrl,
    QVersionNumber,
)
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QEnterEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QApplication, QLineEdit

from cnnviz.render import cache
from cnnviz.render.image import to_image
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Formula, Label, flat
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from cnnviz.ui import launch
from cnnviz.ui.settings import Settings, lesson_key
from cnnviz.ui.window import Window
from tests.limits import no_file_beyond
from tests.scene.looking import all_marks

LEFT = Qt.MouseButton.LeftButton


def in_window(window, widget):
    return widget.rect().translated(widget.mapTo(window, widget.rect().topLeft()))


# ---------------------------------------------------------------------------------------------- sizes


def test_at_1280_by_720_every_control_is_there(window):
    for widget in (
        *window.bar.transport.values(),
        *window.bar.levels.values(),
        window.bar.save,
        window.bar.speed,
    ):
        assert widget.isVisible()
    assert not window.bar.title.text().endswith("…")


def test_in_a_narrow_bar_a_short_control_stays_where_a_long_title_does_not(make_window):
    bar = make_window(1040, 720).bar
    assert not bar.title.isVisible()
    assert bar.save.isVisible() and bar.more.isVisible()
    assert bar.layout().minimumSize().width() <= bar.width()


@pytest.mark.parametrize("name", ["network", "debugger", "timeline"])
def test_panes_can_be_hidden_and_come_back(window, name):
    pane, action = getattr(window, name), window.actions_by_name[name]
    size = pane.size()
    action.trigger()
    assert not pane.isVisible()
    action.trigger()
    QCoreApplication.processEvents()
    assert pane.isVisible()
    assert abs(pane.width() - size.width()) <= 3


def test_the_lecture_view_is_the_stage_and_a_strip(window):
    window.lecture.show(True)
    QCoreApplication.processEvents()
    assert [w.isVisible() for w in (window.bar, window.menuBar(), window.network, window.debugger)] == [
        False
    ] * 4
    assert window.stage.width() == window.width()
    assert window.stage.height() > window.height() * 0.9


def test_bigger_and_smaller_in_the_lecture_view_leave_the_panes_their_widths(window):
    widths = window.splitter.sizes()
    window.lecture.show(True)
    QCoreApplication.processEvents()
    window.player.show(replace(window.player.display, zoom=120))
    window.player.show(replace(window.player.display, zoom=100))
    window.lecture.show(False)
    QCoreApplication.processEvents()
    assert window.splitter.sizes() == pytest.approx(widths, abs=4)


def test_a_hidden_pane_has_grown_with_the_others_when_it_comes_back(window):
    width = window.debugger.width()
    window.actions_by_name["debugger"].trigger()
    window.player.show(replace(window.player.display, zoom=120))
    window.actions_by_name["debugger"].trigger()
    QCoreApplication.processEvents()
    assert window.debugger.width() == pytest.approx(1.2 * width, abs=20)


def test_the_first_window_leaves_room_for_its_title_bar(application, lesson, settings_file, qtbot):
    window = Window(lesson, Settings(settings_file))
    qtbot.addWidget(window)
    assert window.height() + 30 <= application.primaryScreen().availableSize().height()


def test_the_formula_is_on_the_stage_in_the_lecture_view_alone(window):
    def formulas_on_stage() -> int:
        QCoreApplication.processEvents()
        window.stage.grab()
        return sum(isinstance(mark, Formula) for mark in all_marks(window.stage.frame.marks))

    assert formulas_on_stage() == 0
    window.lecture.show(True)
    assert formulas_on_stage() == 1
    window.lecture.show(False)
    assert formulas_on_stage() == 0


# ------------------------------------------------------------------------------------------- controls


def test_every_control_has_a_name_a_tooltip_and_a_place_in_the_tab_order(window):
    controls = window.findChildren(QAbstractButton) + window.findChildren(QAbstractSlider)
    controls = [c for c in controls + window.findChildren(QLineEdit) if c.isVisible()]
    assert len(controls) >= 17
    for control in controls:
        if type(control).__name__ != "QScrollBar":
            assert control.accessibleName(), control
            assert control.toolTip(), control
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control


def test_tab_reaches_every_control_and_comes_round(window, qtbot):
    window.stage.setFocus()
    seen = []
    for _ in range(60):
        qtbot.keyClick(QGuiApplication.focusObject(), Qt.Key.Key_Tab)
        seen.append(QGuiApplication.focusObject())
        if seen[-1] is window.stage:
            break
    assert seen[-1] is window.stage
    wanted = [
        *window.bar.transport.values(),
        *window.panes,
        window.bar.speed,
        window.bar.image,
        window.bar.save,
    ]
    assert all(widget in seen for widget in wanted)


def test_the_buttons_do_what_they_say_and_leave_the_focus(window, qtbot):
    player, transport = window.player, window.bar.transport
    start = player.cursor
    for name, expected in (
        ("next", lambda c: c.next()),
        ("next_layer", lambda c: c.next(Level.LAYER)),
        ("back", lambda c: c.previous()),
        ("end", lambda c: c.to(10**9)),
        ("back_layer", lambda c: c.previous(Level.LAYER)),
        ("start", lambda c: c.to(0)),
    ):
        wanted = expected(player.cursor)
        qtbot.mouseClick(transport[name], LEFT)
        assert player.cursor == wanted
        assert window.stage.hasFocus()
    assert player.cursor == start
    qtbot.mouseClick(transport["play"], LEFT)
    assert player.playing
    qtbot.mouseClick(transport["play"], LEFT)
    assert not player.playing


def test_the_levels_are_chosen_by_a_click(window, qtbot):
    for level, button in window.bar.levels.items():
        qtbot.mouseClick(button, LEFT)
        assert window.player.cursor.level is level
        assert [other for other, b in window.bar.levels.items() if b.isChecked()] == [level]


# -------------------------------------------------------------------------------------------- lessons


def test_it_opens_on_the_first_step_with_the_stage_in_focus(window):
    assert window.player.cursor.index == 0
    assert window.stage.hasFocus()
    assert window.desk.lesson.title in window.windowTitle()
    assert QGuiApplication.modalWindow() is None


# The offscreen platform has nothing to raise and no keyboard to grab for a popup.
popup = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@popup
def test_another_image_opens_at_its_first_step(window, qtbot):
    window.player.go_to(4321)
    window.player.set_level(Level.TERM)
    window.actions_by_name["image"].trigger()
    assert window.dialogs.images.isVisible()
    grid = window.dialogs.images.grid
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert not window.dialogs.images.isVisible()
    assert window.desk.lesson.image == 1
    assert (window.player.cursor.index, window.player.cursor.level) == (0, Level.TERM)
    assert window.player.cursor.program is window.desk.lesson.program


@popup
def test_escape_leaves_the_chooser_as_it_was(window, qtbot):
    shown = window.desk.lesson.image
    window.actions_by_name["image"].trigger()
    qtbot.keyClick(window.dialogs.images, Qt.Key.Key_Escape)
    assert not window.dialogs.images.isVisible()
    assert window.desk.lesson.image == shown


def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.toml"
    path.write_text("title = 3\n")
    return path


def drop(window, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, move = Qt.DropAction.CopyAction, Qt.DropAction.MoveAction
    none = Qt.KeyboardModifier.NoModifier
    at = QPointF(50, 50)
    entered = at if QLibraryInfo.version() >= QVersionNumber(6, 12) else at.toPoint()
    for kind, place in ((QDragEnterEvent, entered), (QDropEvent, at)):
        event = kind(place, copy | move, data, LEFT, none)
        event.setDropAction(move)
        QCoreApplication.sendEvent(window, event)
        assert event.dropAction() == copy, "who is told that a file was moved may delete it"


def test_a_broken_file_is_told_in_the_bar_and_all_stays(window, tmp_path, qtbot):
    window.player.go_to(77)
    drop(window, broken(tmp_path))
    assert window.message.isVisible()
    assert "broken.toml" in window.message.sentence.text()
    assert window.player.cursor.index == 77
    qtbot.mouseClick(window.message.close_button, LEFT)
    assert not window.message.isVisible()
    assert window.stage.hasFocus()


def test_a_fault_goes_with_the_next_lesson_that_opens(window, tmp_path):
    window.desk.open(str(broken(tmp_path)))
    assert window.message.isVisible()
    window.desk.open("digits")
    assert not window.message.isVisible()


def test_in_the_lecture_view_no_word_on_the_stage_is_under_a_fiftieth_of_the_height(make_window):
    window = make_window(1920, 1080)
    window.lecture.show(True)
    QApplication.processEvents()
    program = window.player.cursor.program
    for operation in program.operations:
        window.player.go_to(program.start(operation.name) + len(operation) // 2)
        sizes = {mark.size for mark in flat(window.stage.frame.marks) if isinstance(mark, Label)}
        assert min(sizes) >= 22, operation.name


def test_in_the_lecture_view_a_message_is_read_from_the_last_row_too(make_window):
    window = make_window(1920, 1080)
    window.message.say("A fault.")
    usual = window.message.sentence.fontInfo().pixelSize()
    window.lecture.show(True)
    assert window.message.sentence.fontInfo().pixelSize() >= 22
    window.lecture.show(False)
    assert window.message.sentence.fontInfo().pixelSize() == usual


def test_escape_closes_a_fault_and_does_not_yet_leave_the_lecture_view(window, tmp_path, qtbot):
    window.lecture.show(True)
    window.desk.open(str(broken(tmp_path)))
    for visible, lecture in ((False, True), (False, True), (False, False)):
        qtbot.keyClick(window.stage, Qt.Key.Key_Escape)
        assert (window.message.isVisible(), not window.bar.isVisible()) == (visible, lecture)


def test_notes_go_by_themselves_and_faults_only_in_the_lecture_view(window, qtbot, monkeypatch):
    for name in ("_NOTE_STAYS", "_FAULT_STAYS"):
        monkeypatch.setattr(f"cnnviz.ui.strips.{name}", 30)
    window.message.say("A note.", error=False)
    qtbot.waitUntil(lambda: not window.message.isVisible())
    window.message.say("A note.", error=False)
    window.message.say("A fault.")
    qtbot.wait(80)
    assert window.message.isVisible()
    window.lecture.show(True)
    qtbot.waitUntil(lambda: not window.message.isVisible())
    assert window.stage.hasFocus()


def test_a_message_stays_while_the_pointer_rests_on_it(window, qtbot, monkeypatch):
    monkeypatch.setattr("cnnviz.ui.strips._NOTE_STAYS", 30)
    window.message.say("A note.", error=False)
    place = QPointF(5, 5)
    QCoreApplication.sendEvent(window.message, QEnterEvent(place, place, place))
    qtbot.wait(80)
    assert window.message.isVisible()
    QCoreApplication.sendEvent(window.message, QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(lambda: not window.message.isVisible())


LONG = (
    "The middle of cat.png is brought to 28 × 28. What should come out is still 3, the label of another. " * 2
)


@pytest.mark.parametrize("lecture", [False, True])
@pytest.mark.parametrize("sentence", ["A note.", LONG, "A long one, of all that is wrong in a file. " * 12])
@pytest.mark.parametrize("size", [(1280, 720), (1280, 800), (1920, 1080)])
def test_a_message_moves_nothing_and_lies_below_what_is_explained(make_window, lecture, sentence, size):
    """However long it is, all of it can be read; one of two lines lay on the end of the arithmetic."""
    window = make_window(*size)
    window.lecture.show(lecture)
    QCoreApplication.processEvents()
    before = [in_window(window, pane) for pane in window.panes]
    window.message.say(sentence)
    QCoreApplication.processEvents()
    assert [in_window(window, pane) for pane in window.panes] == before
    place, stage = in_window(window, window.message), in_window(window, window.stage)
    assert window.rect().contains(place)
    assert (place.bottom(), place.right()) == (window.rect().bottom(), window.rect().right())
    if len(sentence) <= 20 or (len(sentence) <= len(LONG) and not lecture):
        assert not place.intersects(stage)
    shown = window.message.sentence
    assert shown.height() >= shown.heightForWidth(shown.width())
    assert place.height() < 0.4 * stage.height()
    assert len(sentence) > 20 or place.width() < 0.3 * stage.width()


def test_what_nobody_foresaw_is_told_in_the_bar_and_on_stderr(window, qtbot, monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    launch.report_to(window)
    monkeypatch.setattr("cnnviz.ui.stage_pane.stage", lambda *_: 1 / 0)
    qtbot.keyClick(window.stage, Qt.Key.Key_PageDown)
    qtbot.waitUntil(window.message.isVisible)
    monkeypatch.undo()
    assert "wrong in cnnviz.ui.stage_pane.compose; the lesson goes on" in window.message.sentence.text()
    assert "ZeroDivisionError" in capsys.readouterr().err
    here = window.player.cursor
    qtbot.keyClick(window.stage, Qt.Key.Key_PageDown)
    QCoreApplication.processEvents()
    assert window.player.cursor == here.next()


@pytest.mark.parametrize("name", ["picture.png", "folder", "nothing.toml"])
def test_other_things_dropped_are_told_too(window, tmp_path, name):
    drop(window, tmp_path / name)
    assert name in window.message.sentence.text()


def test_a_file_dropped_is_opened(window, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    drop(window, path)
    assert not window.message.isVisible(), window.message.sentence.text()
    assert window.desk.lesson.title == "Small"
    assert not window.bar.image.isVisible()  # one sample: nothing to choose
    QCoreApplication.processEvents()
    window.actions_by_name["end"].trigger()
    QCoreApplication.processEvents()


SMALL = """
title = "Small"
sentence = "Two neurons."
seed = 1

[input]
shape = [3]
values = [1.0, 2.0, 3.0]

[[layers]]
name = "fc"
kind = "linear"
neurons = 2
"""

# ------------------------------------------------------------------------------------------- pictures


def test_the_saved_picture_is_the_composed_frame(window, tmp_path):
    window.player.go_to(2558)
    window.player.toggle_here()
    window.pictures.save(tmp_path / "frame")
    lesson = window.desk.lesson
    shown = {"breakpoints": window.player.breakpoints, "stops": lesson.stops}
    view = View(1920, 1080, lesson.title, lesson.subject.classes, **shown)
    expected = to_image(compose(lesson.program, 2558, view), "light")
    assert QImage(str(tmp_path / "frame.png")).convertToFormat(expected.format()) == expected
    assert "frame.png" in window.message.sentence.text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_picture_that_cannot_be_written_is_told_and_the_old_one_stays(window, tmp_path, monkeypatch):
    path = tmp_path / "frame.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("cnnviz.files.os.fsync", full_disk)
    window.pictures.save(path)
    assert "could not be written" in window.message.sentence.text()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob(".frame*")) == []
    window.pictures.save(tmp_path / "no" / "such" / "folder.png")
    assert "folder.png could not be written" in window.message.sentence.text()


@pytest.mark.parametrize("size", [0, 10_000])
def test_a_disk_that_fills_up_while_a_picture_is_saved(window, tmp_path, size):
    path = tmp_path / "frame.png"
    path.write_bytes(b"old")
    with no_file_beyond(size):
        window.pictures.save(path)
    assert "frame.png could not be written (File too large); name another" in window.message.sentence.text()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["frame.png"]


@pytest.mark.skipif(os.name != "posix", reason="such pipes are POSIX's")
def test_a_picture_does_not_take_the_place_of_what_is_no_file(window, tmp_path):
    os.mkfifo(tmp_path / "frame.png")
    window.pictures.save(tmp_path / "frame.png")
    assert (tmp_path / "frame.png").is_fifo()
    assert "frame.png is not a file" in window.message.sentence.text()


def test_what_a_sentence_hides_is_written_out_in_the_bar(window):
    window.message.say("a\x1b[1m\nb\u202e.png")
    assert window.message.sentence.text() == r"a\x1b[1m\nb\u202e.png"


def full_disk(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_copying_puts_the_frame_on_the_clipboard(window):
    window.actions_by_name["copy"].trigger()
    image = QGuiApplication.clipboard().image()
    assert (image.width(), image.height()) == (1920, 1080)
    assert window.message.isVisible()
    assert window.message.sentence.text() == "Frame copied (1920 × 1080)."


def test_titles_are_joined_as_qt_joins_them(window):
    """Qt puts " — cnnviz" after every dialog's title, and after none that ends in cnnviz already."""
    assert window.windowTitle() == f"{window.desk.lesson.title}[*] — cnnviz"


# ----------------------------------------------------------------------------------------- remembering


def test_place_looks_and_sizes_come_back(make_window):
    window = make_window(1500, 800)
    window.desk.choose(7)
    window.player.go_to(4242)
    window.player.set_level(Level.MAP)
    window.player.set_speed(24)
    window.actions_by_name["letters"].trigger()
    window.actions_by_name["scale_network"].trigger()
    window.actions_by_name["theme"].trigger()
    window.player.show(replace(window.player.display, zoom=120))
    sizes = window.splitter.sizes()
    window.actions_by_name["debugger"].trigger()
    QCoreApplication.processEvents()
    window.close()
    again = make_window(1500, 800)
    assert again.desk.lesson.image == 7
    assert (again.player.cursor.index, again.player.cursor.level) == (4242, Level.MAP)
    assert (again.player.speed, again.theme.name, again.zoom) == (24, "dark", 120)
    assert again.player.display == Display(letters=True, scale="network", theme="dark", zoom=120)
    assert again.actions_by_name["letters"].isChecked() and again.actions_by_name["scale_network"].isChecked()
    again.actions_by_name["letters"].trigger()
    assert not again.player.display.letters
    assert not again.debugger.isVisible()
    again.actions_by_name["debugger"].trigger()
    QCoreApplication.processEvents()
    assert again.splitter.sizes() == pytest.approx(sizes, abs=2)


def test_each_lesson_has_its_own_place(window, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    window.player.go_to(999)
    window.desk.open(str(path))
    assert window.player.cursor.index == 0
    window.player.go_to(5)
    window.desk.open("digits")
    assert window.player.cursor.index == 999
    window.desk.open(str(path))
    assert window.player.cursor.index == 5


def test_without_a_name_the_last_lesson_is_opened_and_a_lost_one_is_told(
    window, tmp_path, settings_file, qtbot
):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    window.desk.open(str(path))
    window.close()
    for title, message in (("Small", ""), ("Handwritten digits", "small.toml")):
        again: Window = launch._where_it_was_left(Settings(settings_file))
        qtbot.addWidget(again)
        assert again.desk.lesson.title == title
        assert message in again.message.sentence.text()
        path.unlink(missing_ok=True)


def test_a_shorter_lesson_than_remembered_opens_at_its_end(make_window, settings_file):
    window = make_window()
    window.close()
    settings = Settings(settings_file)
    settings.put(f"{lesson_key('digits')}/step", 99_999_999)
    settings.save()
    again = make_window()
    assert again.player.cursor.index == len(again.player.cursor.program) - 1


# --------------------------------------------------------------------------------------------- memory


def test_a_thousand_steps_leave_memory_flat(window):
    """Over places that have been painted before: so that only what is kept by mistake grows."""
    program = window.player.cursor.program
    places = range(0, len(program), len(program) // 40)

    def steps(count: int) -> None:
        for k in range(count):
            window.player.go_to(places[k % len(places)])
            if k % 7 == 0:  # 7 and the number of places have no common factor: all are painted in 7 rounds
                QCoreApplication.processEvents()
        gc.collect()

    steps(7 * len(places))
    tracemalloc.start()
    try:
        steps(7 * len(places))  # what is made anew by each painting counts before, too
        before, _ = tracemalloc.get_traced_memory()
        steps(3 * 7 * len(places))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


def test_of_the_images_chosen_before_nothing_stays_in_memory(window, application):
    programs, maps = [], []
    for image in (1, 2, 3, 4):
        window.desk.choose(image)
        programs.append(weakref.ref(window.player.cursor.program))
        values = window.desk.lesson.tape["conv1.y"]
        maps.append(weakref.ref(values if values.base is None else values.base))
        del values
        for step in (70, 20_000):
            window.player.go_to(step)
            application.processEvents()
            window.grab()
    gc.collect()
    assert [program() is None for program in programs] == [True, True, True, False]
    assert [values() is None for values in maps] == [True, True, True, False]


def test_a_window_that_is_closed_leaves_no_pictures_behind(window):
    window.player.go_to(40_000)
    QCoreApplication.processEvents()
    assert cache.size() > 0
    window.close()
    assert cache.size() == 0
