"""The list of breakpoints: set, switched off, taken away, gone to; and L and J stop at them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui import waiting
from cnnviz.ui.breakpoint_list import BreakpointList

K = Qt.Key


@pytest.fixture(autouse=True)
def no_dialog(monkeypatch):
    """On a busy machine one says how far it is; offscreen, no window is active after that: keys are lost."""
    monkeypatch.setattr(waiting, "SHOWN_AFTER", 30)


def opened(window):
    QTest.keyClick(window.stage, K.Key_F9, Qt.KeyboardModifier.ControlModifier)
    return next(each for each in window.findChildren(BreakpointList) if each.isVisible())


def press(window, key):
    """Press a key that may be pressed again: of two clicks at one time, the window takes it for held."""
    QTest.keyClick(window.stage, key)
    QTest.keyRelease(window.stage, K.Key_Shift)


def choose(dialog, kind, what="", where=0):
    dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
    dialog.where.setCurrentIndex(where)
    dialog.field.setText(what)
    dialog.add_button.click()


def test_stop_where_the_first_relu_clips(window):
    dialog = opened(window)
    assert dialog.list.accessibleDescription().startswith("Nothing stops a run yet.")
    choose(dialog, Kind.CLIPS)
    assert dialog.said.text() == "It is set: L runs to where it stops next, J back."
    dialog.reject()
    press(window, K.Key_L)
    state = window.player.moment.state
    ((_, place),) = state.writes
    assert window.player.cursor.step.operation.name == "relu1"
    assert window.message.sentence.text() == "Stopped: a ReLU clips."
    x = state.arrays["x"]
    assert x[place] < 0 and state.arrays["y"][place] == 0
    assert not (
        x.ravel()[: int(sum(k * s for k, s in zip(place, (x[0].size, x[0, 0].size, 1), strict=True)))] < 0
    ).any()
    press(window, K.Key_L)
    further = window.player.cursor.index
    press(window, K.Key_J)
    assert window.player.cursor.index < further and window.player.moment.state.writes == (("y", place),)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # of popups, offscreen
def test_a_choice_is_taken_by_enter_from_its_opened_list(window, qtbot):
    dialog = opened(window)
    dialog.kind.showPopup()
    choices = dialog.kind.view()
    choices.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is choices)
    while choices.currentIndex().row() < dialog.kind.findData(Kind.CLIPS):
        QTest.keyClick(choices, K.Key_Down)
    QTest.keyClick(choices, K.Key_Return)
    qtbot.waitUntil(lambda: not choices.isVisible())
    assert dialog.kind.currentData() == Kind.CLIPS and not window.player.breakpoints
    QTest.keyClick(dialog.kind, K.Key_Return)
    assert [point.kind for point in window.player.breakpoints] == [Kind.CLIPS]


def test_a_condition_is_set_switched_off_and_taken_away_and_all_is_undone(window):
    dialog, player = opened(window), window.player
    choose(dialog, Kind.CONDITION, "acc < 0 and i == j", 1)
    (point,) = player.breakpoints
    assert point == Breakpoint("conv1", 0, kind=Kind.CONDITION, what="acc < 0 and i == j")
    assert dialog.list.item(0).text() == "conv1: it holds that acc < 0 and i == j"
    dialog.list.setCurrentRow(0)
    dialog.go_button.click()
    held = player.moment.state.variables
    assert held["acc"] < 0 and held["i"] == held["j"]
    here = player.cursor.index
    dialog = opened(window)
    dialog.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert not player.breakpoints[0].on
    dialog.reject()
    press(window, K.Key_J)
    assert player.cursor.index == 0, "one that is off stops nothing"
    dialog = opened(window)
    dialog.remove_button.click()
    assert player.breakpoints == ()
    dialog.reject()
    player.edits.undo()
    player.edits.undo()
    assert player.breakpoints == (point,)
    press(window, K.Key_L)
    assert 0 < player.cursor.index <= here


def test_what_cannot_be_is_said_in_the_list(window):
    dialog = opened(window)
    for what, words in (
        ("zzz > 1", "no listing has zzz"),
        ("", "Nothing is asked"),
        ("acc <", "missing at the end"),
    ):
        choose(dialog, Kind.CONDITION, what)
        assert words in dialog.said.text()
    choose(dialog, Kind.WRITTEN, "conv1.y[99,0,0]")
    assert "There is no cell" in dialog.said.text()
    assert window.player.breakpoints == ()
    dialog.reject()


def test_all_kinds_are_there_at_the_next_start_and_one_is_waited_for_once(window, make_window):
    points = (
        Breakpoint("", 0, kind=Kind.WRITTEN, what="conv1.y[0,0,0]"),
        Breakpoint("conv1", 7, kind=Kind.CONDITION, what="acc < 0"),
        Breakpoint("", 0, kind=Kind.NONFINITE),
        Breakpoint("fc", 0, kind=Kind.OPERATION),
    )
    for point in (*points, points[0]):
        window.player.set_breakpoint(point)
    window.player.switch_breakpoint(points[2], False)
    kept = window.player.breakpoints
    assert len(kept) == 4 and not kept[2].on
    window.close()
    again = make_window()
    assert again.player.breakpoints == kept
    again.player.put_breakpoints(again.player.all_breakpoints)
    again.desk.open("relu")  # which has no conv1
    assert again.player.breakpoints == ()


def test_the_prediction_is_another_than_an_iteration_before(window):
    desk, player = window.desk, window.player
    desk.open("training")
    desk.go_to_iteration(40)
    desk.go_to_iteration(3)
    image = desk.lesson.image

    def predicted(iteration):
        program = desk.lesson.at_iteration(iteration, image).program
        last = [one for one in program.operations if one.phase == "forward"][-1]
        return int(last.call.writes["y"].argmax())

    classes = [predicted(t) for t in range(41)]
    changes = [t for t in range(1, 41) if classes[t] != classes[t - 1]]
    ahead, behind = [t for t in changes if t > 3], [t for t in changes if t <= 3]
    assert ahead
    player.set_breakpoint(Breakpoint("", 0, kind=Kind.PREDICTION))
    for wanted in ahead[:3]:
        press(window, K.Key_L)
        assert (desk.lesson.iteration, desk.lesson.image) == (wanted, image)
        assert player.moment.state.writes and player.cursor.step.operation.phase == "forward"
        assert window.message.sentence.text().startswith("Stopped: the prediction is another")
    for wanted in [*ahead[:2][::-1], *behind[::-1][:1]]:
        press(window, K.Key_J)
        assert desk.lesson.iteration == wanted


def test_conditions_run_on_into_the_iterations_that_have_been_trained(window):
    desk, player = window.desk, window.player
    desk.open("training")
    desk.go_to_iteration(12)
    desk.go_to_iteration(0)
    calls = [
        {one.name: one.call for one in desk.lesson.at_iteration(t).program.operations} for t in range(13)
    ]
    largest = [abs(each["fc.dw"].writes["dw"]).max() for each in calls]
    most = sorted(largest)[9]
    player.set_breakpoint(Breakpoint("", 0, kind=Kind.CONDITION, what=f"abs(fc.dw).max() > {most}"))
    seen = [t for t in range(13) if largest[t] > most]
    for t in seen:
        press(window, K.Key_L)
        assert desk.lesson.iteration == t and player.cursor.step.operation.name == "fc.dw"
        assert window.message.sentence.text().startswith("Stopped: it holds that abs(fc.dw).max()")
    press(window, K.Key_L)
    assert player.cursor.index == len(player.cursor.program) - 1 and desk.lesson.iteration == seen[-1]
    assert "no breakpoint stops" in window.message.sentence.text()
    for t in reversed(seen):
        press(window, K.Key_J)
        assert desk.lesson.iteration == t and player.cursor.step.operation.name == "fc.dw"
    player.clear_breakpoints()
    # What holds at the end of an iteration does not become true at the start of the next.
    desk.go_to_iteration(0)
    player.go_to(1)
    begun, shape = calls[0]["fc.w"].before["w"], calls[0]["fc"].given["w"].shape
    k = int((calls[-1]["fc.w"].writes["w"] - begun).argmax())
    weights = [float(begun[k]), *(float(each["fc.w"].writes["w"][k]) for each in calls)]
    middle = (weights[0] + weights[-1]) / 2
    rising = [t for t in range(13) if weights[t] <= middle < weights[t + 1]]
    cell = ",".join(str(n) for n in np.unravel_index(k, shape))
    player.set_breakpoint(Breakpoint("", 0, kind=Kind.CONDITION, what=f"fc.w[{cell}] > {middle}"))
    for t in rising:
        press(window, K.Key_L)
        assert desk.lesson.iteration == t and player.cursor.step.operation.name == "fc.w"
    press(window, K.Key_L)
    assert "no breakpoint stops" in window.message.sentence.text()
