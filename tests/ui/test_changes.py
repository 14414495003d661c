"""Changing the lesson on the desk: the place stays, all is undone and done again, and it is remembered."""

from __future__ import annotations

import gc
import random
from types import MethodType

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from cnnviz.lesson.changes import read_change, text_of
from cnnviz.lesson.lesson import load_lesson
from cnnviz.resources import resource
from cnnviz.scene.marks import Label, flat
from cnnviz.scene.numbers import full
from cnnviz.ui.changes_list import ChangesList
from cnnviz.ui.desk import Desk
from cnnviz.ui.settings import Settings
from tests.changing import some_changes

KINDS = {
    "digits": "label.182=4 conv1.w[0,0,1,1]=0.5",
    "training": "optimiser.lr=0.25 fc.w[0,0]=1.5",
    "chain-rule": "x.1=5",
    "gradient-descent": "walk.lr=0.2 walk.starts=4.0,-1.0",
    "image": "rgb.image[0,0,0]=7",
}


@pytest.fixture
def make_desk(application, settings_file):
    def make(source, *changes):
        return Desk(load_lesson(source, changes=changes), Settings(settings_file))

    return make


def change(desk, *words):
    desk.change(*map(read_change, words), said=" ".join(words))


def numbers(lesson):
    return {key: array.tobytes() for key, array in lesson.tape.items()}


# ---------------------------------------------------------------------------------------- undoing


@pytest.mark.parametrize(
    "source", ["fully-connected", "backward-conv", "digits", "chain-rule", "gradient-descent", "image"]
)
def test_after_a_thousand_edits_and_undos_it_is_as_if_freshly_loaded(make_desk, source):
    desk, rng = make_desk(source), random.Random(source)
    edits, done, undone = desk.player.edits, [], []
    for turn in range(1000 if source == "fully-connected" else 100):
        what = rng.random()
        if what < 0.55:
            before = desk.lesson.changes
            desk.change(*some_changes(desk.lesson.subject, rng, 1), said="an edit")
            if desk.lesson.changes != before:
                done, undone = [*done, before], []
        elif what < 0.8 and done:
            undone.append(desk.lesson.changes)
            edits.undo()
            assert desk.lesson.changes == done.pop()
        elif undone:
            done.append(desk.lesson.changes)
            edits.redo()
            assert desk.lesson.changes == undone.pop()
        assert (edits.canUndo(), edits.canRedo()) == (bool(done), bool(undone))
        if turn % 50 == 49:
            fresh = load_lesson(source, desk.lesson.image, changes=text_of(desk.lesson.changes).split())
            assert numbers(desk.lesson) == numbers(fresh)
            assert desk.player.cursor.program is desk.lesson.program
    while edits.canUndo():
        edits.undo()
    assert desk.lesson.changes == ()
    assert numbers(desk.lesson) == numbers(load_lesson(source))
    assert desk.player.stops == load_lesson(source).stops


def test_there_is_no_end_to_undoing(make_desk):
    desk = make_desk("relu")
    for k in range(700):
        change(desk, f"input[0,0,0]={k + 10}")
    for _ in range(700):
        desk.player.edits.undo()
    assert desk.lesson.changes == () and not desk.player.edits.canUndo()


def test_one_gesture_is_undone_at_once_and_leads_to_where_one_was(make_desk):
    desk = make_desk("digits")
    desk.choose(7)
    for value in (0.1, 0.2, 0.3):
        desk.change(read_change(f"input[0,0,0]={value}"), said=f"pixel {value}", gesture=5)
    desk.choose(8)
    assert desk.player.edits.undoText() == "pixel 0.3"
    desk.player.edits.undo()
    assert (desk.lesson.changes, desk.lesson.image) == ((), 7)
    desk.player.edits.redo()
    assert (text_of(desk.lesson.changes), desk.lesson.image) == ("input.7[0,0,0]=0.3", 7)


def test_a_gesture_leaves_no_more_behind_than_its_first_change(make_desk):
    """A kernel is painted with the mouse: thousands of changes, each of which would keep a whole lesson."""
    desk = make_desk("relu")
    for value in range(8):
        desk.change(read_change(f"input[0,0,0]={value}"), said=f"pixel {value}", gesture=5)
    gc.collect()
    held = [one for one in gc.get_referrers(desk) if isinstance(one, MethodType)]
    assert len([method for method in held if method.__name__ == "_put_draft"]) == 1


# ------------------------------------------------------------------------------- where one is then


def test_the_place_stays_and_what_is_undone_elsewhere_is_gone_to(make_desk):
    desk = make_desk("digits")
    player = desk.player
    player.go_to(player.cursor.program.find("conv2", line=9, o=3, i=1, j=2))
    place = player.cursor.index
    player.toggle_here()
    marks = player.breakpoints
    change(desk, "conv1.b[0]=1")
    assert (player.cursor.index, player.breakpoints) == (place, marks)
    change(desk, "fc.b[0]=1")
    assert player.cursor.index == place, "what one changes oneself leads nowhere"
    player.edits.undo()
    assert player.cursor.step.operation.name == "fc", "what is undone is to be seen"
    assert player.cursor.step.offset == 0


def test_a_shorter_program_keeps_the_operation(make_desk):
    desk = make_desk("convolution")
    desk.player.go_to(len(desk.lesson.program) - 2)
    change(desk, "conv.stride=2")
    step = desk.player.cursor.step
    assert (step.operation.name, step.index) == ("conv", len(desk.lesson.program) - 1)


def test_what_does_not_fit_is_said_and_all_stays(make_desk, qtbot):
    desk = make_desk("digits")
    before = desk.lesson
    with qtbot.waitSignal(desk.failed) as told:
        change(desk, "conv1.stride=2")
    assert told.args == ["conv1.stride=2: fc: w has shape 32 × 10, but the layer needs 8 × 10."]
    assert desk.lesson is before and not desk.player.edits.canUndo()


def test_a_changed_training_begins_anew_and_the_one_before_comes_back_as_far_as_it_was(make_desk):
    desk = make_desk("training")
    desk.go_to_iteration(3)
    trained = numbers(desk.lesson)
    change(desk, "optimiser.lr=0.25")
    assert (desk.lesson.iteration, desk.lesson.run.done) == (0, 0)
    desk.player.edits.undo()
    assert (desk.lesson.iteration, desk.lesson.run.done) == (3, 3)
    assert numbers(desk.lesson) == trained


# ---------------------------------------------------------------------------------- remembered


@pytest.mark.parametrize(("source", "changes"), KINDS.items(), ids=KINDS)
def test_changes_come_back_at_the_next_start(make_desk, source, changes):
    desk = make_desk(source)
    change(desk, *changes.split())
    assert text_of(desk.lesson.changes) == changes
    desk.player.go_to(5)
    desk.remember()
    desk.settings.save()
    again = make_desk(source)
    assert (text_of(again.lesson.changes), again.player.cursor.index) == (changes, 5)
    assert numbers(again.lesson) == numbers(desk.lesson)
    again.open("relu")
    again.open(source)
    assert text_of(again.lesson.changes) == changes


def test_what_is_asked_for_comes_before_what_is_remembered(make_desk):
    desk = make_desk("digits", "label=4")
    desk.remember()
    desk.settings.save()
    assert text_of(make_desk("digits", "label=5").lesson.changes) == "label.182=5"


@pytest.mark.parametrize(
    "damaged", ["label", "label=99", "conv9.stride=1", "\x00", "conv1.w[9,9,9,9]=1", "x=1 x=2"]
)
def test_damaged_changes_are_as_good_as_none(make_desk, damaged):
    desk = make_desk("digits")
    desk.player.go_to(17)
    desk.remember()
    key = next(key for key in desk.settings._values if key.endswith("/changes"))
    desk.settings.put(key, damaged)
    desk.settings.save()
    again = make_desk("digits")
    assert (again.lesson.changes, again.player.cursor.index) == ((), 17)


def test_an_expression_typed_anew_has_the_values_that_are_typed(make_desk):
    desk = make_desk("relu")
    desk.take_expression("x * y   x=2 y=3")
    change(desk, "x=7")
    assert desk.lesson.tape["f.f"] == 21
    desk.take_expression("x * y   x=2 y=3")
    assert desk.lesson.tape["f.f"] == 6
    desk.player.edits.undo()
    assert desk.lesson.tape["f.f"] == 21
    for _ in range(2):
        desk.player.edits.undo()
    assert desk.lesson.name == "relu"


# -------------------------------------------------------------------------------------- in the window


def test_a_changed_lesson_says_so_and_is_taken_back_by_a_command(window):
    action = window.actions_by_name["take_back"]
    assert not action.isEnabled()
    change(window.desk, "conv1.w[0,0,1,1]=0.5", "label=4")
    assert window.windowTitle() == "Handwritten digits, changed[*] — cnnviz"
    assert window.bar.image.text() == "4"
    action.trigger()
    assert window.desk.lesson.changes == ()
    assert window.windowTitle() == "Handwritten digits[*] — cnnviz"
    assert not action.isEnabled()
    QTest.keyClick(window.stage, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert text_of(window.desk.lesson.changes) == "label.182=4 conv1.w[0,0,1,1]=0.5"
    assert window.actions_by_name["redo"].text() == "Redo: all changes taken back"


def test_the_bar_says_how_much_is_changed_and_lists_it(window):
    """The title of a window is hidden in full screen, and no place that anybody looks at."""
    button = window.bar.changed
    assert button.isHidden()
    change(window.desk, "conv1.w[0,0,1,1]=0.5")
    assert button.isVisible() and button.text() == "1 change"
    assert "conv1.w[0,0,1,1]=0.5" in window.bar.title.toolTip()
    window.resize(640, 480)
    assert button.isVisible() or "changes" in [
        name for name, action in window.actions_by_name.items() if action in folded(window.bar)
    ]
    window.resize(1280, 720)
    change(window.desk, "label=4", "conv1.padding=2", "conv1.dilation=2")
    assert button.text() == "4 changes"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    (opened,) = window.findChildren(ChangesList)
    rows = [opened.list.item(k).text() for k in range(opened.list.count())]
    assert rows[:3] == [
        "conv1.dilation=2   in the lesson 1",
        "conv1.padding=2   in the lesson 1",
        "label.182=4   in the lesson 3",
    ]
    weight = np.load(resource("lessons/digits-weights.npz"))["conv1.w"][0, 0, 1, 1]
    assert rows[3] == f"conv1.w[0,0,1,1]=0.5   in the lesson {full(weight)}"
    opened.list.setCurrentRow(2)
    QTest.keyClick(opened.list, Qt.Key.Key_Delete)
    assert "label" not in text_of(window.desk.lesson.changes)
    assert opened.list.count() == 3
    opened.list.setCurrentRow(0)
    QTest.mouseClick(opened.one, Qt.MouseButton.LeftButton)
    assert text_of(window.desk.lesson.changes) == "conv1.padding=2 conv1.w[0,0,1,1]=0.5"
    QTest.mouseClick(opened.all, Qt.MouseButton.LeftButton)
    assert window.desk.lesson.changes == () and button.isHidden()
    opened.close()
    window.actions_by_name["undo"].trigger()
    assert button.text() == "2 changes"


def folded(bar):
    bar.menu.aboutToShow.emit()
    return bar.menu.actions()


def test_what_is_shown_is_the_changed_number(window):
    player = window.player
    window.desk.open("convolution")
    player.go_to(player.cursor.program.find("conv", line=9, i=1, u=1, v=0))
    change(window.desk, "conv.w[0,0,1,0]=0.625")
    assert float(player.moment.state.arrays["w"][0, 0, 1, 0]) == 0.625
    window.stage.grab()
    shown = {text for mark in flat(window.stage.frame.marks) for text in _texts(mark)}
    assert {"0.625", "5.625"} <= shown, "the weight, and its product with 9"


def _texts(mark):
    return map(str, np.ravel(getattr(mark, "texts", ())))


def test_it_is_compared_with_what_it_was_by_a_key(window):
    window.player.go_to(window.player.cursor.program.start("relu1") + 40)
    QTest.keyClick(window.stage, Qt.Key.Key_Q)
    change(window.desk, "conv1.w[0,0,1,1]=0.5")
    assert {"before", "after", "difference"} <= _words(window)
    change(window.desk, "conv1.w[0,0,1,1]=0.75")
    before = window.player.view.before
    assert before is not None and before.operation("conv1").call.given["w"][0, 0, 1, 1] != 0.75
    window.actions_by_name["take_back"].trigger()
    assert "difference" not in _words(window)
    QTest.keyClick(window.stage, Qt.Key.Key_Q)
    change(window.desk, "conv1.w[0,0,1,1]=0.5")
    assert "difference" not in _words(window)


def _words(window):
    window.stage.grab()
    labels = (mark for mark in flat(window.stage.frame.marks) if isinstance(mark, Label))
    return {word for mark in labels for run in mark.runs for word in run.text.replace(",", " ").split()}


def test_what_is_always_said_stays_where_a_change_has_taken_other_places(make_desk, tmp_path):
    stops = '[[stops]]\nat = "conv[0,0,0]"\ncaption = "Always."\nalways = true\n\n[[stops]]'
    file = tmp_path / "own.toml"
    file.write_text(resource("lessons", "convolution.toml").read_text("utf-8").replace("[[stops]]", stops, 1))
    desk = make_desk(str(file))
    change(desk, "conv.stride=2", "conv.w[0,0,0,0]=7")
    assert text_of(desk.lesson.changes) == "conv.stride=2 conv.w[0,0,0,0]=7"
    assert [stop.caption for stop in desk.lesson.stops] == ["Always."]
