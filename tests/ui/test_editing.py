"""What if, by real keys and the mouse: numbers are typed, dragged and painted where they are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from cnnviz.lesson.changes import Cell, text_of
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Cells, flat
from cnnviz.ui.gradient_dialog import GradientDialog

TINY_VGG = Path(__file__).parents[1] / "lesson" / "files" / "tiny-vgg.toml"
K, LEFT, SHIFT = Qt.Key, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier


def at(window, array, index):
    """Where a cell of an array is on the stage."""
    for mark in flat(window.stage.frame.marks):
        place = mark.cell_of(index) if isinstance(mark, Cells) and mark.array == array else None
        if place:
            return QPoint(*map(round, mark.box_of(*place).center))
    raise AssertionError((array, index))


def drag(window, start, *points, modifiers=Qt.KeyboardModifier.NoModifier):
    stage = window.stage
    QTest.mousePress(stage, LEFT, modifiers, start)
    for point in points:
        QTest.mouseMove(stage, point)
    QTest.mouseRelease(stage, LEFT, modifiers, points[-1])


def changes(window):
    return text_of(window.desk.lesson.changes)


@pytest.fixture
def convolution(window):
    window.player.go_to(window.player.cursor.program.find("conv1", o=0, i=2, j=3, u=1, v=1))
    return window


def test_a_weight_is_typed_over_by_mouse_and_the_place_stays(convolution):
    window, step = convolution, convolution.player.cursor.index
    QTest.mouseDClick(window.stage, LEFT, pos=at(window, "w", (0, 0, 1, 1)))
    field = window.editing.field
    assert field.hasFocus()
    assert field.accessibleName() == "New value of conv1.w[0,0,1,1]"
    assert float(field.text()) == window.desk.lesson.tape["conv1.w"][0, 0, 1, 1]
    QTest.keyClicks(field, "half")
    QTest.keyClick(field, K.Key_Return)
    assert "half is no number" in window.message.sentence.text()
    assert (field.isVisible(), changes(window)) == (True, ""), "nothing is lost"
    field.setText("−0,5")  # as numbers are shown
    QTest.keyClick(field, K.Key_Return)
    assert not field.isVisible()
    assert window.stage.hasFocus()
    assert (changes(window), window.player.cursor.index) == ("conv1.w[0,0,1,1]=-0.5", step)
    fresh = load_lesson("digits", changes=["conv1.w[0,0,1,1]=-0.5"])
    assert all(np.array_equal(fresh.tape[key], values) for key, values in window.desk.lesson.tape.items())
    QTest.keyClick(window.stage, K.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert changes(window) == ""


def test_by_keyboard_f2_twice_and_esc_leaves_it_as_it_was(convolution):
    window = convolution
    window.stage.choose(None)
    QTest.keyClick(window.stage, K.Key_F2)
    place = at(window, "w", (0, 0, 1, 1))
    box = next(box for box in window.stage.places(window.stage.frame) if box.contains(place.x(), place.y()))
    window.stage.choose(box)
    for typed, key, said in (("2", K.Key_Escape, ""), ("2", K.Key_Return, "conv1.w[0,0,1,1]=2")):
        QTest.keyClick(window.stage, K.Key_F2)
        QTest.keyClicks(window.editing.field, typed)
        QTest.keyClick(window.editing.field, key)
        assert changes(window) == said
        assert window.stage.chosen == box, "it is looked at further"


def test_dragging_up_makes_it_larger_and_is_undone_at_once(convolution):
    window = convolution
    place = at(window, "w", (0, 0, 1, 1))
    before = window.desk.lesson.tape["conv1.w"][0, 0, 1, 1]
    drag(window, place, *(place - QPoint(0, k) for k in range(2, 42, 2)))
    after = window.desk.lesson.tape["conv1.w"][0, 0, 1, 1]
    assert after > before
    assert window.player.edits.count() == 1
    window.player.edits.undo()
    assert window.desk.lesson.tape["conv1.w"][0, 0, 1, 1] == before


def test_a_click_alone_changes_nothing(convolution):
    window = convolution
    for array, index in (("w", (0, 0, 0, 0)), ("x", (0, 3, 3))):
        place = at(window, array, index)
        drag(window, place, place + QPoint(1, 1))
    assert changes(window) == ""


def test_pixels_are_painted_without_gaps_and_a_bright_one_paints_dark(convolution):
    window = convolution
    tape = window.desk.lesson.tape
    column = int(tape["input.y"][0, 2].argmax())
    first, last = (at(window, "x", (0, 3, k + 1)) for k in (0, 7))  # with a rim of zeros
    drag(window, first, last)
    assert set(window.desk.lesson.tape["input.y"][0, 2].tolist()) == {1.0}
    drag(window, at(window, "x", (0, 3, column + 1)), at(window, "x", (0, 4, column + 1)))
    assert window.desk.lesson.tape["input.y"][0, 2:4, column].tolist() == [0, 0]
    assert {change.array for change in window.desk.lesson.changes} == {"input"}
    assert window.player.edits.count() == 2
    drag(window, at(window, "w", (0, 0, 0, 0)), at(window, "w", (0, 0, 0, 2)), modifiers=SHIFT)
    row = window.desk.lesson.tape["conv1.w"][0, 0, 0]
    assert row.tolist() == [tape["conv1.w"][0, 0, 0, 0]] * 3


def test_what_is_computed_is_not_changed_and_it_is_said_why(convolution):
    window = convolution
    place = at(window, "y", (0, 2, 3))
    window.editing.edit_at(place.x(), place.y())
    assert window.message.sentence.text() == "y[0, 2, 3] is computed by conv1; change what it is made of."
    corner = at(window, "x", (0, 0, 0))
    window.editing.edit_at(corner.x(), corner.y())
    assert "is a zero that conv1 puts in" in window.message.sentence.text()
    assert not window.editing.field.isVisible()


def test_a_known_kernel_is_taken_whole_and_undone_at_once(convolution, monkeypatch):
    window = convolution
    monkeypatch.setattr(QMenu, "popup", lambda *_: None)
    place = at(window, "w", (0, 0, 1, 1))
    window.stage.pointer = place.x(), place.y()
    window.actions_by_name["kernel"].trigger()
    (menu,) = [one for one in window.stage.children() if one.metaObject().className() == "QMenu"]
    sobel = next(action for action in menu.actions() if action.text() == "Sobel, across")
    sobel.trigger()
    w = window.desk.lesson.tape["conv1.w"][0, 0]
    assert w.tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    window.player.edits.undo()
    assert changes(window) == ""


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # of popups, offscreen
def test_the_menu_of_kernels_goes_with_its_lesson(convolution):
    window = convolution
    place = at(window, "w", (0, 0, 1, 1))
    window.stage.pointer = place.x(), place.y()
    window.actions_by_name["kernel"].trigger()
    menu = QApplication.activePopupWidget()
    assert menu.accessibleName() == "Kernels for conv1.w[0,0]"
    window.desk.open("gradient-descent")  # which has no kernels at all
    assert QApplication.activePopupWidget() is None


def test_arguments_are_changed_by_their_names_and_what_does_not_fit_is_said_there(convolution):
    window = convolution
    window.actions_by_name["arguments"].trigger()
    field, said = window.change_strip.field, window.change_strip.sentence
    assert "conv1.padding=1" in field.text()
    field.setText(field.text().replace("conv1.padding=1", "conv1.padding=-1"))
    QTest.keyClick(field, K.Key_Return)
    assert "padding" in said.text()
    assert (field.isVisible(), changes(window)) == (True, "")
    field.setText(field.text().replace("padding=-1", "padding=2").replace("dilation=1", "dilation=2"))
    QTest.keyClick(field, K.Key_Return)
    assert (field.isVisible(), changes(window)) == (False, "conv1.dilation=2 conv1.padding=2")


def test_values_of_an_expression_and_a_learnt_number(window):
    window.desk.open("chain-rule")
    spot = next(
        mark
        for mark in flat(window.stage.frame.marks)
        if getattr(mark, "kind", "") == "value" and mark.name == "x"
    )
    QTest.mouseDClick(window.stage, LEFT, pos=QPoint(*map(round, spot.box.center)))
    QTest.keyClicks(window.editing.field, "7")
    QTest.keyClick(window.editing.field, K.Key_Return)
    assert changes(window).startswith("x")
    window.desk.open("training")
    window.desk.go_to_iteration(2)
    window.player.go_to(window.player.cursor.program.find("conv1", o=0, i=2, j=3, u=1, v=1))
    place = at(window, "w", (0, 0, 1, 1))
    window.editing.edit_at(place.x(), place.y())
    assert "go to iteration 0" in window.message.sentence.text()


def test_a_gradient_is_checked_with_all_its_numbers_and_then_all_of_its_layer(window, qtbot):
    program = window.player.cursor.program
    window.player.go_to(program.find("conv1.dw", o=0, c=0, u=1, v=1) + 20)
    place = at(window, "dw", (0, 0, 1, 1))
    window.stage.pointer = place.x(), place.y()
    window.actions_by_name["check"].trigger()
    (dialog,) = window.findChildren(GradientDialog)
    shown = {key: float(label.text().replace("−", "-")) for key, label in dialog.values.items()}
    tape = window.desk.lesson.tape
    assert shown["w"] == pytest.approx(tape["conv1.w"][0, 0, 1, 1], rel=1e-11)
    assert shown["gradient"] == pytest.approx(tape["conv1.dw"][0, 0, 1, 1], rel=1e-11)
    changed = float(tape["conv1.w"][0, 0, 1, 1]) + 1e-5
    above = load_lesson("digits", changes=[f"conv1.w[0,0,1,1]={changed!r}"])
    assert shown["above"] == pytest.approx(above.tape.loss, rel=1e-11)
    quotient = (shown["above"] - shown["below"]) / 2e-5
    assert shown["quotient"] == pytest.approx(quotient, rel=1e-4)
    assert "agree" in dialog.verdict.text()
    assert dialog.all.text() == "Check all 40 of conv1"
    QTest.mouseClick(dialog.all, LEFT)
    qtbot.waitUntil(lambda: dialog.all_said.isVisible(), timeout=20_000)
    assert dialog.all_said.text().startswith("40 of 40 were checked; ")
    dialog.epsilon.setCurrentIndex(0)
    assert "relu1" in dialog.verdict.text() or "ε" in dialog.verdict.text()
    QTest.mouseClick(dialog.all, LEFT)
    QTest.mouseClick(dialog.all, LEFT)
    assert " of 40 were checked" in dialog.all_said.text(), "cancelled, it says how far it was"
    dialog.close()
    window.stage.pointer = None
    window.player.go_to(0)
    window.actions_by_name["check"].trigger()
    assert "Point at a number" in window.message.sentence.text()
    place = at(window, "x", (0, 3, 4))
    window.stage.pointer = place.x(), place.y()
    window.actions_by_name["kernel"].trigger()
    assert "Kernel" in (said := window.message.sentence.text()) and " is nothing for x[0, 3, 4] = " in said
    window.actions_by_name["check"].trigger()
    dialog = window.findChildren(GradientDialog)[-1]
    assert dialog.windowTitle() == "Check the gradient of input.y[0, 2, 3]", "of any number, where it stands"
    assert "agree" in dialog.verdict.text()
    dialog.close()
    window.desk.open("convolution")
    place = at(window, "x", (0, 1, 1))
    window.stage.pointer = place.x(), place.y()
    window.actions_by_name["check"].trigger()
    assert window.message.sentence.text() == "input.y has no gradient that can be tried out."


def test_gradients_are_computed_when_they_are_looked_at_and_are_those_of_a_fresh_load(window, application):
    window.desk.open(str(TINY_VGG))
    for k in range(2):  # opened, and edited
        application.processEvents()
        assert window.desk.lesson.tape.unmade, k
        window.desk.change(Cell("input", (0, 3, 4 + k), 0.25), said="painted")
    window.player.go_to(window.player.cursor.program.start("conv1_1.dw") + 5)
    application.processEvents()
    found, fresh = window.desk.lesson.tape, load_lesson(str(TINY_VGG), changes=changes(window).split()).tape
    assert not found.unmade
    assert {name: found[name].tobytes() for name in found} == {name: fresh[name].tobytes() for name in fresh}


def row_of(window, said):
    """Where a variable, or a cell that the line reads, is among the variables."""
    pane = window.debugger
    for box in pane.places(pane.frame):
        target = pane.target_at(*box.center)
        if pane.row_at(*box.center) is not None and target is not None and target.said.startswith(said):
            return box
    raise AssertionError(said)


@pytest.mark.parametrize("way", ["double click", "F2", "F4", "menu"])
def test_among_the_variables_what_is_given_is_changed_where_it_is_shown(window, way):
    """A bias, γ and β, a learning rate, a target, a pixel; each there, in the place of its row."""
    window.resize(1920, 1080)
    places = (  # the line, and which run of it
        ("digits", "conv1", 5, 128, "b[2]", "conv1.b[2]"),
        ("digits", "conv1", 9, 175, "x[", "input"),
        ("digits", "loss", 4, 7, "t[7]", "target.182[7]"),
        ("digits", "conv1.w", 3, 4, "lr", "optimiser.lr"),
        ("batch-norm", "bn", 5, 1, "γ[0]", "bn.gamma[0]"),
        ("batch-norm", "bn", 5, 1, "β[0]", "bn.beta[0]"),
        ("batch-norm", "bn", 4, 2, "eps", "bn.eps"),
    )
    for lesson, operation, line, run, said, wanted in places:
        window.desk.open(lesson)
        window.desk.take_back_changes()
        player, pane, field = window.player, window.debugger, window.editing.field
        program = player.cursor.program
        own = program.operation(operation)
        runs = [k for k in range(len(own)) if own.line_at(k) == line]
        player.go_to(program.start(operation) + runs[run])
        box, step = row_of(window, said), player.cursor.index
        point = QPoint(*map(round, box.center))
        if way == "double click":
            QTest.mouseDClick(pane, LEFT, pos=point)
        elif way == "F2":
            pane.setFocus()
            pane.choose(box)
            QTest.keyClick(pane, K.Key_F2)
        elif way == "F4":
            QTest.mouseMove(pane, point)
            QTest.keyClick(window.stage, K.Key_F4)
        else:
            window.editing.ask("edit", pane.target_at(*box.center))
        assert field.isVisible() and field.parent() is (window.stage if way == "menu" else pane), wanted
        assert field.accessibleName().startswith(f"New value of {wanted}")
        if way != "menu":
            assert pane.row_at(*box.center).contains(*map(float, field.geometry().center().toTuple()))
        number = "1" if said == "t[7]" else "0.25"
        field.setText(number)
        QTest.keyClick(field, K.Key_Return)
        assert window.desk.lesson.changes, (wanted, window.message.sentence.text())
        (change,) = window.desk.lesson.changes
        if said == "t[7]":  # of one class in ten, that it is another
            assert str(change) == "label.182=7"
        else:
            assert str(change).startswith(wanted) and str(change).endswith("=0.25")
        assert player.cursor.index == step and row_of(window, said), "the place stays"
        assert (window.stage if way == "menu" else pane).hasFocus() or way == "F4"
        window.player.edits.undo()
        assert changes(window) == ""


def test_a_learning_rate_is_changed_in_the_arithmetic_and_on_the_stage_gamma_is(window):
    for lesson, operation, offset, wanted in (
        ("digits", "conv1.w", 7, "optimiser.lr=0.5"),
        ("batch-norm", "bn", 5, "bn.gamma[0]=0.5"),
    ):
        window.desk.open(lesson)
        window.player.go_to(window.player.cursor.program.start(operation) + offset)
        stage, asked = window.stage, set()
        for box in stage.places(stage.frame):
            QTest.mouseDClick(stage, LEFT, pos=QPoint(*map(round, box.center)))
            if window.editing.field.isVisible():
                asked.add(window.editing.field.accessibleName())
                if window.editing.field.accessibleName().endswith(wanted.partition("=")[0]):
                    window.editing.field.setText("0.5")
                    QTest.keyClick(window.editing.field, K.Key_Return)
                    break
                QTest.keyClick(window.editing.field, K.Key_Escape)
        assert changes(window) == wanted, asked


def test_among_the_variables_what_is_computed_says_so(convolution):
    window = convolution
    for said, words in (("acc", "acc is computed"), ("i", "i is computed")):
        window.editing.edit_variable_at(*row_of(window, said).center)
        assert words in window.message.sentence.text()
        assert not window.editing.field.isVisible()


def test_what_cannot_be_dragged_says_why_and_a_click_says_nothing(window, tmp_path):
    """The pixels of a picture file are not the lesson's numbers."""
    path, editing = tmp_path / "grey.png", window.editing
    image = QImage(QSize(8, 8), QImage.Format.Format_RGB32)
    image.fill(0)
    image.save(str(path))
    window.desk.take_picture(str(path))
    window.player.go_to(5)
    window.message.shut()
    x, y = (at(window, "image", (0, 0, 0)) + QPoint()).toTuple()
    for near, far in ((2, False), (40, True)):
        editing.press(x, y, False)
        editing.move(x + near, y)
        editing.release()
        editing.move(x + 40, y)
        assert window.message.isVisible() is far
    assert "image" in window.message.sentence.text()


def test_captions_about_gradients_need_none_where_what_went_forward_tells_that_they_are_no_longer_true(
    convolution,
):
    window = convolution
    window.desk.change(Cell("conv1.w", (0, 0, 1, 1), 0.5), said="edited")
    window.player.edits.undo()
    window.player.edits.redo()
    assert window.desk.lesson.tape.unmade
    told = {stop.caption for stop in window.desk.lesson.stops}
    assert told == {stop.caption for stop in load_lesson("digits", changes=changes(window).split()).stops}
    assert window.desk.lesson.tape["conv1.dw"].any()
