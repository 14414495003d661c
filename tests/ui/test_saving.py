"""A lesson of one's own: its stops, its file, and what is there again though nobody saved it."""

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QMessageBox

from cnnviz.export.order import order_of
from cnnviz.lesson.changes import Cell
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.view import View
from cnnviz.text import short
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.stops import Level
from cnnviz.ui.changes_list import told
from cnnviz.ui.loading import load
from cnnviz.ui.palette import commands
from cnnviz.ui.settings import Settings
from cnnviz.ui.stops_dialog import StopsDialog
from cnnviz.ui.window import Window

DATA = Path(__file__).parents[1] / "formats" / "data"
WEIGHT = Cell("conv1.w", (0, 0, 0, 0), 0.5)


@pytest.fixture
def elsewhere(application, tmp_path):
    """Open a file in the window of another machine, or of the same one as it was left."""
    made = []

    def open_there(path, settings="another.ini"):
        made.append(Window(load(str(path)), Settings(tmp_path / settings)))
        return made[-1]

    yield open_there
    for window in made:
        window.close()
        window.deleteLater()


def said_for(monkeypatch, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))


def make_stop(window, caption, notes=""):
    window.actions_by_name["stop_here"].trigger()
    dialog = window.findChild(StopsDialog)
    dialog.caption.setPlainText(caption)
    dialog.notes.setPlainText(notes)
    dialog.buttons.buttons()[0].click()
    dialog.deleteLater()
    dialog.setParent(None)


def test_a_saved_lesson_opens_elsewhere_as_it_was(window, monkeypatch, tmp_path, elsewhere):
    file = tmp_path / "mine.cnnviz"
    said_for(monkeypatch, file)
    window.player.go_to(5000)
    make_stop(window, "At the edge.", "Ask them.")
    window.desk.change(WEIGHT, said="weight")
    window.player.set_level(Level.MAP)
    window.player.toggle_line(9)
    window.desk.toggle_bookmark()
    window.player.add_watch("fc.y.max()")
    window.player.set_breakpoint(Breakpoint("", 0, kind=Kind.CONDITION, what="acc < 0"))
    window.desk.choose(7)
    window.player.go_to(5005)
    assert window.isWindowModified()
    window.actions_by_name["save_lesson"].trigger()
    assert not window.isWindowModified() and window.desk.source == str(file)
    first = file.read_bytes()
    window.actions_by_name["save_lesson"].trigger()
    assert file.read_bytes() == first
    there = elsewhere(file)
    one, other = window.player, there.player
    assert (other.cursor.index, other.cursor.level) == (5005, Level.MAP)
    assert there.desk.lesson.image == 7 and there.desk.lesson.changes == (WEIGHT,)
    assert other.bookmarks == one.bookmarks != () and other.breakpoints == one.breakpoints != ()
    assert other.watches == one.watches == ("fc.y.max()",)
    assert [stop.caption for stop in there.desk.lesson.sequence if stop.notes == "Ask them."] == []
    make_stop(there, "Of a changed weight.")
    assert "Of a changed weight." in [stop.caption for stop in there.desk.lesson.stops]
    there.player.edits.undo()
    there.desk.take_back_changes()
    assert there.isWindowModified()
    assert "At the edge." in [stop.caption for stop in there.desk.lesson.sequence]
    there.player.edits.undo()
    assert not there.isWindowModified()


def test_who_saves_goes_on_undoing(window, tmp_path, elsewhere):
    """Under a new name and in the same file; the title says what is not as it was saved last."""
    file, undo, redo = tmp_path / "mine.cnnviz", window.player.edits.undo, window.player.edits.redo
    desk, bias = window.desk, Cell("conv1.b", (0,), 3.0)
    desk.change(WEIGHT, said="weight")
    make_stop(window, "Mine.")
    desk.change(bias, said="bias")
    assert window.saving.write(str(file)) and not window.isWindowModified()
    for name in ("mine.cnnviz", "other.cnnviz"):
        for _ in range(2):
            undo()
        assert desk.lesson.changes == (WEIGHT,) and window.isWindowModified()
        undo()
        assert not desk.lesson.changes and desk.source == str(file)
        for _ in range(3):
            redo()
        assert set(desk.lesson.changes) == {WEIGHT, bias} and not window.isWindowModified()
        undo()
        file = tmp_path / name
        assert window.saving.write(str(file)) and desk.source == str(file) and not window.isWindowModified()
        there = elsewhere(file).desk.lesson
        assert there.changes == (WEIGHT,)
        assert "Mine." in [stop.part.caption for stop in there.description.stops]
        redo()
        assert window.isWindowModified()
        assert window.saving.write(str(file))
    assert not elsewhere(file, "settings.ini").isWindowModified()


def test_a_picture_that_was_taken_back_is_there_again_after_saving(window, tmp_path):
    """It lay in the file alone, which was written without it."""
    picture, file = tmp_path / "p.png", tmp_path / "m.cnnviz"
    QImage(30, 30, QImage.Format.Format_Grayscale8).save(str(picture))
    file.write_bytes(load_lesson("lenet", changes=[f"picture.file={picture}"]).packed())
    picture.unlink()
    window.desk.open(str(file))
    before = np.array(window.desk.lesson.tape["input.y"])
    window.desk.take_back_changes()
    assert window.saving.write(str(file)) and not window.isWindowModified()
    window.player.edits.undo()
    assert window.desk.lesson.changes and np.array_equal(window.desk.lesson.tape["input.y"], before)
    assert window.saving.write(str(file)) and not window.isWindowModified()
    assert load_lesson(file).changes


def test_what_is_kept_for_undoing_goes_when_nothing_names_it_and_nobody_runs(window, tmp_path):
    """A picture that a lesson is remembered with stays; what only undoing named goes with the next start."""
    image, folder = QImage(30, 30, QImage.Format.Format_Grayscale8), window.settings.beside
    image.fill(9)
    window.desk.open("lenet")
    window.opening.take_drawing(image)
    (drawn,) = folder.iterdir()
    file = tmp_path / "m.cnnviz"
    file.write_bytes(window.desk.lesson.packed())
    window.desk.open(str(file))
    window.desk.take_back_changes()
    assert window.saving.write(str(file))
    (saved,) = set(folder.iterdir()) - {drawn}
    window.desk.open("lenet")
    window.desk.take_back_changes()
    window.desk.open("digits")
    image.fill(8)
    window.opening.take_drawing(image)
    window._remember()
    (remembered,) = set(folder.iterdir()) - {drawn, saved}

    def start():
        """Begin as another process would, and end."""
        code = "import sys; from pathlib import Path; from cnnviz.ui.settings import Settings; "
        code += "from cnnviz.ui.kept import Kept; s = Settings(Path(sys.argv[1])); Kept(s.beside, s.names)"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "settings.ini")], check=True, timeout=60)
        return set(folder.iterdir())

    assert start() == {drawn, saved, remembered}, "the window can still undo"
    window.close()
    del window.desk.kept
    gc.collect()
    assert start() == {remembered}
    (tmp_path / "settings.ini").write_text("damaged")
    assert start() == {remembered}


def test_what_is_not_saved_is_there_again_and_saved_elsewhere_it_is_not(window, tmp_path, elsewhere):
    file = tmp_path / "mine.cnnviz"
    assert window.saving.write(str(file))
    window.desk.change(WEIGHT, said="weight")
    make_stop(window, "Mine.")
    window._remember()  # as every second; then the process is killed
    again = elsewhere(file, "settings.ini")
    assert again.isWindowModified() and again.desk.lesson.changes == (WEIGHT,)
    assert "Mine." in [stop.part.caption for stop in again.desk.lesson.description.stops]
    assert not elsewhere(file).isWindowModified()
    time.sleep(0.01)
    file.write_bytes(load_lesson("digits", changes=["label=4"]).packed())  # somebody else's, of the same name
    assert "label" in str(elsewhere(file, "settings.ini").desk.lesson.changes[0])
    builtin = elsewhere("digits", "settings.ini")
    assert not builtin.isWindowModified(), "what was saved elsewhere is not there, too"


KILLED = """
import sys
from cnnviz.lesson.changes import Cell
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.loading import load
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
application = application_of_cnnviz()
window = Window(load(sys.argv[1]), Settings())
window.show()
window.desk.change(Cell("conv1.w", (0, 0, 0, 0), 0.5), said="weight")
application.exec()
"""


def test_a_process_that_is_killed_loses_seconds_at_most(tmp_path, elsewhere):
    file, settings = tmp_path / "mine.cnnviz", tmp_path / "killed.json"
    file.write_bytes(load_lesson("digits").packed())
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "CNNVIZ_SETTINGS": str(settings)}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], env=environment)
    try:
        end = time.monotonic() + 60
        while not (settings.exists() and b"conv1.w[0,0,0,0]" in settings.read_bytes()):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert elsewhere(file, "killed.json").desk.lesson.changes == (WEIGHT,)


def test_files_that_the_program_named_are_called_what_they_are(window, tmp_path):
    """In messages, the list of changes, tooltips and what can be undone; from a saved file as well."""
    image = QImage(40, 30, QImage.Format.Format_Grayscale8)
    image.fill(9)
    seen = []

    def look():
        lesson = window.desk.lesson
        seen.extend([*lesson.notes, window.bar.title.toolTip(), *map(partial(told, lesson), lesson.changes)])
        seen.extend([window.message.sentence.text(), window.player.edits.undoText()])
        return lesson.notes[0], told(lesson, lesson.changes[0])

    window.desk.open("lenet")
    window.opening.take_drawing(image)
    note, change = look()
    assert note == "The middle of your drawing (30 × 40) is brought to 28 × 28."
    assert change.startswith("picture.file=your drawing   in the lesson")
    assert window.saving.write(str(tmp_path / "mine.cnnviz"))
    window.desk.open("lenet")
    window.desk.open(str(tmp_path / "mine.cnnviz"))
    assert not window.isWindowModified()
    assert look()[0] == "The middle of the picture in mine.cnnviz (30 × 40) is brought to 28 × 28."
    QApplication.clipboard().setImage(image)
    window.opening.paste()
    assert look()[1].startswith("picture.file=the pasted picture")
    image.save(str(tmp_path / "cat.png"))
    window.opening.open(str(tmp_path / "cat.png"))
    assert look()[0].startswith("The middle of cat.png (30 × 40)")
    assert not [words for words in seen if re.search(r"drawn-|pasted-|saved-|changed-|\.json|/tmp", words)]


KILLED_WHILE_SAVING = """
import os, sys
import cnnviz.files
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.loading import load
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
application = application_of_cnnviz()
window = Window(load("digits"), Settings())
take_place = cnnviz.files._take_place
cnnviz.files._take_place = lambda part, path: (
    os.kill(os.getpid(), 9) if path.suffix == ".cnnviz" else take_place(part, path)
)
window.saving.write(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_process_that_is_killed_while_it_saves_leaves_nothing_for_long(window, tmp_path, elsewhere):
    """The next start clears up, wherever that was; or who opens the file. What somebody writes stays."""
    folder, settings = tmp_path / "far away", tmp_path / "killed.json"
    folder.mkdir()
    file = folder / "mine.cnnviz"
    file.write_bytes(before := load_lesson("digits").packed())
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "CNNVIZ_SETTINGS": str(settings)}
    code = subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, str(file)], env=environment, timeout=60)
    assert code.returncode == -9 and len(os.listdir(folder)) == 2
    elsewhere("digits", "killed.json")
    assert os.listdir(folder) == ["mine.cnnviz"] and file.read_bytes() == before
    left = folder / ".mine.cnnviz.0123abcd.part"
    with left.open("wb") as held:
        fcntl = pytest.importorskip("fcntl")
        fcntl.flock(held, fcntl.LOCK_EX)
        window.desk.open(str(file))
        assert left.exists()
    window.desk.open("digits")
    window.desk.open(str(file))
    assert not left.exists()


def test_a_lesson_file_can_be_written_too_with_what_lies_beside_it(window, tmp_path):
    window.desk.change(WEIGHT, said="weight")
    make_stop(window, "Mine.")
    assert window.saving.write(str(tmp_path / "own.toml"))
    assert {"own.toml", "own-weights.npz", "own-images.npz"} <= set(os.listdir(tmp_path))
    assert window.desk.source == str(tmp_path / "own.toml") and not window.isWindowModified()
    assert (
        not window.desk.lesson.changes and window.desk.lesson.network.parameters["conv1.w"][0, 0, 0, 0] == 0.5
    )
    assert "Mine." in (tmp_path / "own.toml").read_text("utf-8")


def test_who_saves_a_lesson_file_goes_on_undoing(window, tmp_path):
    """What is undone is there to the last bit, with all that was said of it, in the file that was saved."""
    desk, edits, file = window.desk, window.player.edits, tmp_path / "own.toml"

    def state():
        lesson = desk.lesson
        arrays = {key: np.array(lesson.tape[key]) for key in lesson.tape}
        return arrays, [(stop.caption, stop.index) for stop in lesson.sequence]

    states = [state()]
    window.player.go_to(desk.lesson.program.start("conv1") + 9)
    changes = (
        lambda: desk.change(WEIGHT, said="weight"),
        lambda: make_stop(window, "Mine."),
        lambda: desk.take_changes("optimiser.lr=0.2 fc.w[0,0]=1 label=5"),
        lambda: desk.change(Cell("conv1.b", (0,), 3.0), said="bias"),
    )
    for number, change in enumerate(changes):
        change()
        states.append(state())
        if number % 2:  # saved anew over itself, too
            assert window.saving.write(str(file)) and not window.isWindowModified()
            assert not desk.lesson.changes
    for run in (range(3, -1, -1), range(1, 5), range(3, -1, -1)):
        for k in run:
            (edits.redo if run.step > 0 else edits.undo)()
            assert desk.source == str(file)
            arrays, said = state()
            assert arrays.keys() == states[k][0].keys()
            assert all(np.array_equal(arrays[key], states[k][0][key]) for key in arrays), k
            assert said == states[k][1], k
            assert window.isWindowModified() == (k < 4)
            exported = order_of(desk.lesson, Path("x"), Level.LAYER, 0, 9, View(1280, 720)).lesson()
            assert [stop.caption for stop in exported.sequence] == [caption for caption, _ in said]
            assert all(np.array_equal(exported.tape[key], arrays[key]) for key in arrays)
    assert window.saving.write(str(file)) and not window.isWindowModified()
    for key, array in states[0][0].items():
        assert np.array_equal(load_lesson(file).tape[key], array)
    edits.redo()
    assert window.isWindowModified() and state()[1] == states[1][1]


def test_a_picture_in_a_lesson_file_stays_and_what_came_after_it_is_undone(window, tmp_path):
    desk, edits, file = window.desk, window.player.edits, str(tmp_path / "own.toml")
    image = QImage(9, 9, QImage.Format.Format_Grayscale8)
    image.fill(9)
    window.opening.take_drawing(image)
    assert window.saving.write(file)
    before = np.array(desk.lesson.tape["softmax.y"])
    desk.change(WEIGHT, said="weight")
    assert window.saving.write(file)
    edits.undo()
    assert desk.source == file and np.array_equal(desk.lesson.tape["softmax.y"], before)
    edits.redo()
    image.fill(99)
    window.opening.take_drawing(image)
    assert window.saving.write(file)
    after = np.array(desk.lesson.tape["softmax.y"])
    edits.undo()
    assert np.array_equal(desk.lesson.tape["softmax.y"], after)
    assert window.message.sentence.text().startswith("This cannot be undone since the lesson was saved")


def test_who_closes_a_file_that_is_not_saved_is_asked(window, monkeypatch, tmp_path, elsewhere):
    file = tmp_path / "mine.cnnviz"
    asked = []
    answer = QMessageBox.StandardButton.Cancel
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or answer)
    window.desk.change(WEIGHT, said="weight")
    assert window.saving.may_leave() and not asked, "a lesson of the course is remembered"
    assert window.saving.write(str(file)) and window.saving.may_leave() and not asked
    window.desk.change(Cell("conv1.b", (0,), 3.0), said="bias")
    window.actions_by_name["quit"].trigger()
    assert window.isVisible() and asked == ["mine.cnnviz is not saved. Save it?"]
    answer = QMessageBox.StandardButton.Save
    assert window.saving.may_leave() and not window.isWindowModified()
    assert window.saving.write(str(tmp_path / "mine.toml"))
    window.desk.change(Cell("conv1.b", (0,), 4.0), said="bias")
    assert window.saving.may_leave() and asked[-1] == "mine.toml is not saved. Save it?"
    assert load_lesson(tmp_path / "mine.toml").network.parameters["conv1.b"][0] == 4
    window.desk.open(str(file))
    window.desk.take_back_changes()
    answer = QMessageBox.StandardButton.Discard
    before = file.read_bytes()
    window.actions_by_name["quit"].trigger()
    assert not window.isVisible() and file.read_bytes() == before
    assert len(elsewhere(file, "settings.ini").desk.lesson.changes) == 2


def test_files_of_ones_own_are_in_the_menu_the_panel_of_lessons_and_the_palette(window, tmp_path, elsewhere):
    recent = window.recent
    assert [action.isEnabled() for action in recent.actions() if action.text()] == [False]
    for name in ("mine.cnnviz", "a & b.cnnviz"):
        assert window.saving.write(str(tmp_path / name))
    network = shutil.copy(DATA / "lenet.pt2", tmp_path)
    for source in ("relu", network, f"{network}?label=3", "relu"):
        window.desk.open(source)
    assert window.desk.recent[0].source == f"{network}?label=3"
    (tmp_path / "a & b.cnnviz").unlink()
    recent.aboutToShow.emit()
    net, gone, mine = recent.actions()[:3]
    assert net.text().startswith("&1  ") and net.text().endswith("lenet.pt2")
    assert "a && b.cnnviz · not there" in gone.text() and not gone.isEnabled()
    assert mine.text().startswith("&3  Handwritten digits\t") and mine.text().endswith("mine.cnnviz")
    chooser = window.dialogs.lessons
    chooser.fill(window.desk.progress, window.desk.recent)
    titles = [chooser.list.item(k).text() for k in range(chooser.list.count())]
    at = titles.index("Lessons of your own")
    assert titles[at + 1 : at + 3] == ["Handwritten digits · not there", "Handwritten digits"]
    (own,) = (one for one in commands(window.actions_by_name, window.tour) if one.detail.endswith(".cnnviz"))
    own.do()
    assert window.desk.source == str(tmp_path / "mine.cnnviz")
    window.desk.open("relu")
    mine.trigger()
    assert window.desk.source == str(tmp_path / "mine.cnnviz")
    recent.aboutToShow.emit()
    recent.actions()[-1].trigger()
    window._remember()
    other = elsewhere("relu", "settings.ini")
    assert not window.desk.recent and not other.desk.recent
    for one, name in ((window, "one.cnnviz"), (other, "two.cnnviz"), (window, "three.cnnviz")):
        assert one.saving.write(str(tmp_path / name))
        one._remember()
    names = ["three.cnnviz", "two.cnnviz", "one.cnnviz"]
    for one in (window, other):
        assert [Path(file.path).name for file in one.desk.recent] == names


def test_a_network_that_was_saved_takes_labels_and_arrays_in_the_window(
    window, monkeypatch, tmp_path, elsewhere
):
    file, x = tmp_path / "net.cnnviz", tmp_path / "x.npy"
    file.write_bytes(load_lesson(DATA / "lenet.pt2").packed())
    np.save(x, np.full((1, 12, 12), 0.5))
    window.desk.open(str(file))
    make_stop(window, "Mine.")
    label = window.actions_by_name["label"]
    assert label.isEnabled()
    monkeypatch.setattr(QInputDialog, "getInt", lambda *_: (3, True))
    label.trigger()
    window.opening.open(str(x))
    lesson = window.desk.lesson
    assert "loss" in [operation.name for operation in lesson.program.operations]
    assert np.all(np.asarray(lesson.tape["input.y"]) == 0.5)
    assert [stop.part.caption for stop in lesson.description.stops] == ["Mine."]
    assert window.isWindowModified()
    window._remember()
    again = elsewhere(lesson.description.source, "settings.ini")  # as after a crash
    assert [stop.part.caption for stop in again.desk.lesson.description.stops] == ["Mine."]
    window.player.edits.undo()
    window.player.edits.undo()
    assert window.desk.source == str(file) and window.desk.lesson.description.label == 0
    window.player.edits.redo()
    window.player.edits.redo()
    window.actions_by_name["save_lesson"].trigger()
    assert window.desk.source == str(file) and not window.isWindowModified()
    there = elsewhere(file).desk.lesson
    assert there.description.label == 3 and np.all(np.asarray(there.tape["input.y"]) == 0.5)
    assert [stop.part.caption for stop in there.description.stops] == ["Mine."]


def test_what_cannot_be_written_is_said_and_stays_modified(window, tmp_path):
    file = tmp_path / "mine.cnnviz"
    assert window.saving.write(str(file))
    window.desk.change(WEIGHT, said="weight")
    file.unlink()
    file.mkdir()
    assert not window.saving.write(str(file)) and window.isWindowModified()
    assert window.message.is_fault


def test_stops_are_made_moved_reworded_and_deleted_and_undone(window):
    desk, before = window.desk, window.desk.lesson.sequence
    window.player.go_to(5000)
    make_stop(window, "A.")
    step = desk.lesson.program.start("relu1") + 3
    window.player.go_to(step)
    window.dialogs.show_stops()
    dialog = window.findChild(StopsDialog)
    assert not dialog.list.item(1).text().endswith("…")
    dialog.list.setCurrentRow(1)
    dialog.move_here.click()
    dialog.caption.setPlainText("")
    assert not dialog.buttons.buttons()[0].isEnabled() and "caption" in dialog.said.text()
    dialog.caption.setPlainText("B,\nin two lines.")
    dialog.list.setCurrentRow(0)
    dialog.delete.click()
    dialog.buttons.buttons()[0].click()
    made = desk.lesson.sequence
    assert [stop.index for stop in made if stop.caption == "B, in two lines."] == [step]
    assert len(made) == len(before) and made[0].caption != before[0].caption
    order = order_of(desk.lesson, Path("x"), Level.STOP, 0, 9, View(1280, 720))
    assert [stop.caption for stop in order.lesson().sequence] == [stop.caption for stop in made]
    window.player.edits.undo()
    window.player.edits.undo()
    assert desk.lesson.sequence == before and not window.isWindowModified()
    window.player.edits.redo()
    assert "A." in [stop.caption for stop in desk.lesson.sequence]


def test_two_stops_at_one_step_have_an_order_and_are_told_one_after_the_other(window, tmp_path):
    """By N, in the presenter's order, on the page for browsers and in frames of all stops; undone, too."""
    desk, tour = window.desk, window.tour
    at = desk.lesson.sequence[1].index
    window.player.go_to(at)
    make_stop(window, "The answer.")
    make_stop(window, "The question.")

    def captions():
        return [stop.caption for stop in desk.lesson.sequence if stop.index == at]

    own = captions()[0]
    assert captions() == [own, "The answer.", "The question."]
    window.dialogs.show_stops()
    dialog = window.findChild(StopsDialog)
    dialog.list.setCurrentRow(3)
    assert dialog.up.isEnabled() and not dialog.down.isEnabled()
    dialog.up.click()
    dialog.up.click()
    assert dialog.list.currentRow() == 1 and not dialog.up.isEnabled()
    dialog.list.setCurrentRow(0)
    assert not dialog.up.isEnabled() and not dialog.down.isEnabled(), "its order is that of the steps"
    QTest.keyClick(dialog.caption, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not dialog.isVisible() and captions() == ["The question.", own, "The answer."]
    dialog.setParent(None)
    window.actions_by_name["start"].trigger()
    seen = []
    for backwards in (False,) * 4 + (True,) * 4:
        tour.go_to_next_stop(backwards)
        seen.append((window.player.moment.stop.caption, tour.number))
    every = [stop.caption for stop in desk.lesson.sequence[:5]]
    assert seen == [(every[k], k + 1) for k in (1, 2, 3, 4, 3, 2, 1, 0)]
    window.player.set_level(Level.STOP)
    for k in (1, 2, 3):
        window.player.step()
        assert (window.player.moment.stop.caption, window.player.cursor.index) == (every[k], at)
    window.player.set_level(Level.CELL)
    window.player.step()
    window.player.step(backwards=True)
    assert window.player.moment.stop.caption == "The question.", "who comes by steps begins with the first"
    order = order_of(desk.lesson, Path("x"), Level.STOP, 0, 9, View(1280, 720), tour=True)
    shown, lesson = order.shown(), order.lesson()
    assert [moment(*shown.scene(k)).stop.caption for k in order.steps(lesson)[:5]] == every
    places = order.walk(lesson)
    told = [k for k, place in enumerate(places.places) if place.stop]
    assert [moment(*places.scene(k)).stop.caption for k in told[:5]] == every
    window.player.edits.undo()
    assert captions() == [own, "The answer.", "The question."]


def test_a_stop_asks_for_things_to_be_shown_as_they_are(window):
    desk, player = window.desk, window.player
    player.go_to(5000)
    for name in ("letters", "scale_layer", "term"):
        window.actions_by_name[name].trigger()
    window.actions_by_name["stop_here"].trigger()
    dialog = window.findChild(StopsDialog)
    dialog.caption.setPlainText("In letters.")
    assert not dialog.asks.isChecked()
    assert dialog.asks.text() == (
        "From there on: letters, the colour scale of the whole layer, steps by term"
    )
    dialog.asks.click()
    dialog.buttons.buttons()[0].click()
    dialog.setParent(None)
    for name in ("letters", "scale_array", "cell"):
        window.actions_by_name[name].trigger()
    player.go_to(0)
    (stop,) = (stop for stop in desk.lesson.sequence if stop.caption == "In letters.")
    window.tour.go_to_stop(stop.number)
    assert (player.display.letters, player.display.scale, player.cursor.level) == (True, "layer", Level.TERM)
    window.dialogs.show_stops()
    dialog = window.findChild(StopsDialog)
    assert dialog.asks.isChecked()
    dialog.asks.click()
    dialog.buttons.buttons()[0].click()
    assert not player.display.letters
    player.edits.undo()
    assert player.display.letters


def test_title_and_sentence_are_edited_saved_restored_and_undone(window, tmp_path, elsewhere):
    desk, file = window.desk, tmp_path / "mine.cnnviz"
    assert window.saving.write(str(file))
    window.actions_by_name["edit_stops"].trigger()
    dialog = window.findChild(StopsDialog)
    dialog.title.clear()
    assert not dialog.buttons.buttons()[0].isEnabled() and "title" in dialog.said.text()
    dialog.title.setText(" My first lecture ")
    dialog.sentence.setText("What a network sees.")
    QTest.keyClick(dialog.title, Qt.Key.Key_Enter, Qt.KeyboardModifier.ControlModifier)
    assert (desk.lesson.title, desk.lesson.sentence) == ("My first lecture", "What a network sees.")
    assert "My first lecture" in window.windowTitle() and window.isWindowModified()
    window._remember()
    assert elsewhere(file, "settings.ini").desk.lesson.title == "My first lecture", "as after a crash"
    assert window.saving.write(str(file)) and not window.isWindowModified()
    assert elsewhere(file).desk.lesson.sentence == "What a network sees."
    assert desk.recent[0].title == "My first lecture"
    window.player.edits.undo()
    assert desk.lesson.title == "Handwritten digits" and window.isWindowModified()
    window.player.edits.redo()
    assert window.saving.write(str(tmp_path / "own.toml"))
    assert load_lesson(tmp_path / "own.toml").title == "My first lecture"


def test_stops_are_numbered_alike_everywhere_when_the_lesson_is_changed(window):
    """Those that speak of what is changed have no number; those made then come where their step is."""
    desk = window.desk
    desk.change(WEIGHT, said="weight")
    window.player.go_to(desk.lesson.program.start("pool1") + 3)
    make_stop(window, "Later.")
    window.player.go_to(5)
    make_stop(window, "Sooner.")
    assert [stop.caption for stop in desk.lesson.sequence][:1] == ["Sooner."]
    assert [stop.index for stop in desk.lesson.sequence] == sorted(
        stop.index for stop in desk.lesson.sequence
    )
    window.dialogs.show_stops()
    dialog = window.findChild(StopsDialog)
    rows = [dialog.list.item(k).text() for k in range(dialog.list.count())]
    numbered = {row.split("  ")[0]: row.split("  ")[1] for row in rows if not row.startswith("−")}
    assert numbered == {str(stop.number): short(stop.caption, 60) for stop in desk.lesson.sequence}
    assert any(row.startswith("−") for row in rows)


def test_stops_in_other_kinds_of_lessons(window):
    for source in ("chain-rule", "gradient-descent", "image", "training", "backward-conv"):
        window.desk.open(source)
        if source == "backward-conv":
            window.desk.switch_input_gradient()
        step = len(window.player.cursor.program) // 3
        window.player.go_to(step)
        make_stop(window, "Here.")
        (stop,) = (stop for stop in window.desk.lesson.stops if stop.caption == "Here.")
        assert 0 <= window.player.cursor.index - stop.index <= 2, source


def test_a_click_on_the_cross_asks_and_a_signal_does_not(window, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(type(window.saving), "may_leave", lambda _: asked.append(1) or False)
    event = QCloseEvent()
    monkeypatch.setattr(type(event), "spontaneous", lambda _: True)
    window.closeEvent(event)
    assert asked and not event.isAccepted()
    monkeypatch.undo()
    window.close()
    assert not window.isVisible() and os.listdir(tmp_path)
