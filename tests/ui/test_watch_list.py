"""Watches: at each step below the variables, and all that they come to as a table and a curve."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from cnnviz.scene.marks import Label, flat
from cnnviz.scene.numbers import brief
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui.watch_list import WatchList

K = Qt.Key

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def opened(window):
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window.stage, K.Key_F9, modifiers)
    return next(each for each in window.findChildren(WatchList) if each.isVisible())


def add(dialog, text):
    dialog.field.setText(text)
    dialog.add_button.click()


def written(window, pane=None):
    """All that a pane says, the debugger's if none is named."""
    pane = pane or window.debugger
    pane.refresh()
    marks = flat(pane.frame.marks)
    return ["".join(run.text for run in mark.runs) for mark in marks if isinstance(mark, Label)]


def test_the_old_and_the_new_value_stand_in_the_pane(window):
    player = window.player
    player.add_watch("y[0, 0, 0]")
    player.add_watch("fc.w[0, 0] > 100")
    y = player.cursor.program.operation("conv1").call.writes["y"]
    player.step()
    said = written(window)
    assert "y[0, 0, 0]" in said and f"unknown → {y[0, 0, 0]:.6f}"[:16] in " ".join(said)
    assert "no" in said
    player.go_to(player.cursor.index + 1)
    assert not any(text.startswith("unknown →") for text in written(window))


def test_there_is_one_list_however_often_it_is_asked_for(window):
    assert opened(window) is opened(window)
    assert len(window.findChildren(WatchList)) == 1


def test_a_row_of_the_table_goes_where_it_became_so(window):
    dialog, program = opened(window), window.player.cursor.program
    add(dialog, "y[o].max()")
    y = program.operation("conv1").call.writes["y"]
    expected = []
    for kernel in y:  # what it is after each cell of a map, where it has become another
        highest = np.maximum.accumulate(kernel.ravel())
        expected += [v for k, v in enumerate(highest) if k == 0 or v != highest[k - 1]]
    np.testing.assert_array_equal(dialog.rows.history.values, expected)
    row = len(expected) - 1
    dialog.table.setCurrentIndex(dialog.rows.index(row, 0))
    dialog._go(row)
    state = window.player.moment.state
    assert state.arrays["y"][state.writes[0][1]] == y[3].max()
    assert dialog.isVisible(), "one goes from row to row"
    x = dialog.curve.width() - 1
    window.player.go_to(0)
    QTest.mouseClick(dialog.curve, Qt.MouseButton.LeftButton, pos=dialog.curve.rect().center())
    assert window.player.cursor.index in dialog.rows.history.places and x > 0
    add(dialog, "y[o]")
    assert "is many numbers" in dialog.said.text()
    add(dialog, "lambda: 1")
    assert "is not allowed" in dialog.said.text()
    dialog.close()


def test_over_all_iterations_of_a_training(window):
    window.desk.open("training")
    window.desk.go_to_iteration(4)
    program = window.player.cursor.program
    window.player.go_to(len(program) - 1)
    dialog = opened(window)
    add(dialog, "abs(fc.dw).mean()")
    dialog.over.setCurrentIndex(1)
    lesson = window.desk.lesson
    expected = [
        np.abs(lesson.at_iteration(t).program.operation("fc.dw").call.writes["dw"]).mean() for t in range(5)
    ]
    np.testing.assert_array_equal(dialog.rows.history.values, expected)
    dialog._go(2)
    assert window.desk.lesson.iteration == 2 and dialog.isVisible()
    dialog.close()


def test_they_are_there_at_the_next_start_and_are_undone(window, make_window):
    window.player.add_watch("acc")
    window.player.add_watch("conv1.w[0,0,1,1]")
    window.player.remove_watch("acc")
    window.player.edits.undo()
    window.close()
    again = make_window()
    assert again.player.watches == ("acc", "conv1.w[0,0,1,1]")
    again.desk.open("relu")
    assert again.player.watches == ()
    again.player.put_watches(("acc <", "x"))  # as a damaged file may have it
    assert again.player.watches == ("x",)


def test_the_menu_of_a_number_has_them(window):
    program = window.player.cursor.program
    window.player.go_to(program.find("relu1", c=0, i=0, j=3) + 1)
    target = window.context.looked_at()
    menu = window.context.show_menu(target, window.mapToGlobal(window.rect().center()))
    entries = {action.text().split("\t")[0]: action for action in menu.actions()}
    entries["Watch it"].trigger()
    assert window.player.watches == ("relu1.y[0,0,3]",)
    entries["Breakpoint when it is written"].trigger()
    entries["Breakpoint when it is read"].trigger()
    assert window.player.breakpoints == (
        Breakpoint("", 0, kind=Kind.WRITTEN, what="relu1.y[0,0,3]"),
        Breakpoint("", 0, kind=Kind.READ, what="relu1.y[0,0,3]"),
    )
    menu.close()
    here = window.player.cursor.index
    QTest.keyClick(window.stage, K.Key_L)
    assert window.player.cursor.step.operation.name == "pool1"
    assert ("x", (0, 0, 3)) in window.player.moment.state.reads
    QTest.keyClick(window.stage, K.Key_J)
    assert window.player.cursor.index == here


def test_a_watch_is_edited_and_removed_by_keyboard_and_read_aloud(window):
    player = window.player
    for text in ("acc", "y[0, 0, 0]"):
        player.add_watch(text)
    dialog = opened(window)
    dialog.list.setFocus()
    QTest.keyClick(dialog.list, K.Key_Return)
    field = dialog.list.findChild(QLineEdit)
    field.setText("acc * 2")
    QTest.keyClick(field, K.Key_Return)
    QTest.qWait(20)  # Qt takes what was typed a moment later
    assert player.watches == ("acc * 2", "y[0, 0, 0]") and dialog.isVisible()
    QTest.keyClick(dialog.list, K.Key_Return)
    field = dialog.list.findChild(QLineEdit)
    field.setText("acc <")
    QTest.keyClick(field, K.Key_Return)
    QTest.qWait(20)  # Qt takes what was typed a moment later
    assert player.watches[0] == "acc * 2" == dialog.list.item(0).text()
    assert "missing at the end" in dialog.said.text()
    dialog.list.setCurrentRow(0)
    QTest.keyClick(dialog.list, K.Key_Delete)
    assert player.watches == ("y[0, 0, 0]",)
    dialog.close()
    player.edits.undo()
    assert player.watches == ("acc * 2", "y[0, 0, 0]")
    player.step()
    pane = window.debugger
    pane.refresh()
    value = player.cursor.program.operation("conv1").call.writes["y"][0, 0, 0]
    said = [pane.said_at(*box.center) for box in pane.places(pane.frame)]
    (row,) = [text for text in said if "it was unknown" in text and str(abs(value))[:5] in text]
    assert row in pane.described()


def test_the_class_sees_what_is_watched_in_the_lecture_view(window):
    player = window.player
    at = player.cursor.program.operation("conv1").step_writing("y", (0, 0, 3))
    player.go_to(player.cursor.program.start("conv1") + at)
    tape = window.desk.lesson.tape
    window.resize(1280, 720)
    window.actions_by_name["lecture"].trigger()

    def strip():
        return " ".join(written(window, window.timeline))

    before = strip()
    assert " = " not in before
    player.add_watch("conv1.y[0, 0, 3]")
    for k in range(9):
        player.add_watch(f"fc.w[0, {k}]")
    shown = strip()
    assert f"conv1.y[0, 0, 3] = unknown → {brief(tape['conv1.y'][0, 0, 3])}" in shown
    assert f"fc.w[0, 0] = {brief(tape['fc.w'][0, 0])}" in shown and "fc.w[0, 8]" not in shown, (
        "as many as fit"
    )
    assert "conv1" in shown and before.split()[-1] == shown.split()[-1], "where we are stays"
    window.actions_by_name["letters"].trigger()
    assert " = " not in strip()
