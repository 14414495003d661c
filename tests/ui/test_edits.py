"""Undoing and redoing, by real keys: breakpoints, the learning rate and starts of a descent, expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cnnviz.ui.keymap import Keymap
from cnnviz.ui.keys_page import KeysPage

K = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def undo(window):
    QTest.keyClick(window.stage, K.Key_Z, CONTROL)


def redo(window):
    QTest.keyClick(window.stage, K.Key_Z, CONTROL | SHIFT)


def offered(window):
    """What the menu says can be undone and redone; None for what cannot."""
    actions = (window.actions_by_name[name] for name in ("undo", "redo"))
    return tuple(action.text() if action.isEnabled() else None for action in actions)


def type_in(window, text):
    window.actions_by_name["expression"].trigger()
    field = window.expression_strip.field
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, K.Key_Return)


# --------------------------------------------------------------------------------------- breakpoints


def test_at_first_there_is_nothing_to_undo(window):
    assert offered(window) == (None, None)
    undo(window)
    redo(window)
    assert window.player.breakpoints == ()


def test_a_breakpoint_goes_and_comes_back(window):
    player = window.player
    player.go_to(100)
    QTest.keyClick(window.stage, K.Key_F9)
    (point,) = player.breakpoints
    player.go_to(9000)
    assert offered(window) == (f"Undo: breakpoint set at conv1, line {point.line}", None)
    undo(window)
    assert player.breakpoints == ()
    assert offered(window) == (None, f"Redo: breakpoint set at conv1, line {point.line}")
    redo(window)
    assert player.breakpoints == (point,)
    assert player.cursor.index == 9000, "undoing is no step"


def test_breakpoints_cleared_come_back_all_at_once(window):
    player = window.player
    for step in (100, 9000, 50_000):
        player.toggle_at(step)
    points = player.breakpoints
    player.clear_breakpoints()
    assert offered(window)[0] == "Undo: all breakpoints cleared"
    undo(window)
    assert player.breakpoints == points
    undo(window)
    assert player.breakpoints == points[:2]


def test_what_is_done_after_undoing_takes_the_place_of_what_was_undone(window):
    window.player.toggle_at(100)
    undo(window)
    window.player.toggle_at(9000)
    assert offered(window)[1] is None


def test_a_breakpoint_of_one_view_is_undone_and_redone_in_the_other(window):
    player = window.player
    player.toggle_at(player.cursor.program.start("conv2.dx") + 7)
    points = player.breakpoints
    QTest.keyClick(window.stage, K.Key_V)
    undo(window)
    redo(window)
    assert player.breakpoints == (), "there is no such step in this view"
    QTest.keyClick(window.stage, K.Key_V)
    assert player.breakpoints == points
    undo(window)
    QTest.keyClick(window.stage, K.Key_V)
    assert player.breakpoints == ()


def test_another_image_keeps_what_can_be_undone_and_another_lesson_ends_it(window):
    window.player.toggle_at(100)
    window.desk.choose(7)
    assert offered(window)[0] is not None
    window.desk.open("relu")
    assert offered(window) == (None, None)


def test_another_expression_of_a_lesson_ends_it(window):
    window.desk.open("chain-rule")
    window.player.toggle_at(3)
    window.desk.choose(1)
    assert offered(window) == (None, None)


def test_a_lesson_that_cannot_be_opened_ends_nothing(window):
    window.player.toggle_at(100)
    window.desk.open("no such lesson")
    assert offered(window)[0] is not None


# ----------------------------------------------------------------------------------------- descents


@pytest.fixture
def descents(make_window):
    window = make_window(1600, 900)
    window.desk.open("gradient-descent")
    window.player.go_to(window.player.cursor.program.find("walk", line=6, s=1, t=2))
    return window


def test_a_learning_rate_comes_back_and_the_place_stays(descents):
    desk, place = descents.desk, descents.player.cursor.index
    first = desk.descent.lr
    for _ in range(2):
        QTest.keyClick(descents.stage, K.Key_BracketRight)
    assert (first, desk.descent.lr) == (0.1, 0.3)
    assert offered(descents)[0] == "Undo: learning rate 0.3 of walk"
    undo(descents)
    assert desk.descent.lr == 0.2
    assert descents.bar.rate.value.text() == "0.2"
    undo(descents)
    assert desk.descent.lr == 0.1
    redo(descents)
    assert (desk.descent.lr, descents.player.cursor.index) == (0.2, place)
    assert descents.bar.rate.value.text() == "0.2"


def test_at_the_largest_rate_a_larger_one_is_no_edit(descents):
    descents.desk.set_rate(10.0)
    QTest.keyClick(descents.stage, K.Key_BracketRight)
    undo(descents)
    assert descents.desk.descent.lr == 0.1


def test_one_drag_of_the_slider_is_undone_at_once_and_two_are_not(descents):
    slider, left = descents.bar.rate.slider, Qt.MouseButton.LeftButton

    def drag(pixels):
        gear = slider.value()
        width = slider.width() - 16
        at = QPoint(8 + round(gear / slider.maximum() * width), slider.height() // 2)
        QTest.mousePress(slider, left, pos=at)
        for moved in range(0, pixels, 4 if pixels > 0 else -4):
            QTest.mouseMove(slider, at + QPoint(moved, 0))
        QTest.mouseRelease(slider, left, pos=at)
        return descents.desk.descent.lr

    rates = [0.1, drag(28), drag(-16)]
    assert len(set(rates)) == 3
    for rate in rates[-2::-1]:
        undo(descents)
        assert descents.desk.descent.lr == rate
    assert offered(descents)[0] is None
    redo(descents)
    redo(descents)
    assert descents.desk.descent.lr == rates[-1]


def test_a_start_and_what_reset_took_away_come_back(descents):
    desk = descents.desk
    starts = desk.descent.starts
    desk.set_start("walk", 1, 6.5)
    assert offered(descents)[0] == "Undo: start 6.5 of walk"
    QTest.mouseClick(descents.bar.rate.reset, Qt.MouseButton.LeftButton)
    assert desk.descent.starts == starts
    undo(descents)
    assert desk.descent.starts == (starts[0], 6.5)
    undo(descents)
    assert desk.descent.starts == starts


def test_what_is_undone_in_another_descent_is_gone_to(descents):
    player, desk = descents.player, descents.desk
    QTest.keyClick(descents.stage, K.Key_BracketRight)
    player.go_to(player.cursor.program.start("slow") + 5)
    undo(descents)
    assert (desk.descent.name, desk.descent.lr) == ("walk", 0.1)


# --------------------------------------------------------------------------------------- expressions


def test_an_expression_gives_way_to_the_one_before_with_its_breakpoints(window):
    player, desk = window.player, window.desk
    type_in(window, "x * y   x=2 y=3")
    player.go_to(2)
    QTest.keyClick(window.stage, K.Key_F9)
    points = player.breakpoints
    type_in(window, "x + y")
    assert (desk.lesson.typed, player.breakpoints) == ("x + y   x=2 y=3", ())
    assert offered(window)[0] == "Undo: expression x + y   x=2 y=3"
    undo(window)
    assert (desk.lesson.typed, player.cursor.index) == ("x * y   x=2 y=3", 2)
    assert player.breakpoints == points
    undo(window)
    assert (desk.lesson.typed, player.breakpoints) == ("x * y   x=2 y=3", ())
    undo(window)
    assert (desk.lesson.name, offered(window)[0]) == ("digits", None)
    for _ in range(3):
        redo(window)
    assert (desk.lesson.typed, player.breakpoints) == ("x + y   x=2 y=3", ())
    assert desk.lesson.tape["f.f"] == 5


def test_the_lesson_before_has_its_place_image_and_breakpoints_again(window):
    window.desk.choose(7)
    window.player.go_to(4242)
    window.player.toggle_here()
    points = window.player.breakpoints
    type_in(window, "x * y   x=2 y=3")
    undo(window)
    assert (window.desk.lesson.name, window.desk.lesson.image) == ("digits", 7)
    assert (window.player.cursor.index, window.player.breakpoints) == (4242, points)


def test_breakpoints_that_a_changed_file_has_no_steps_for_are_dropped(window, tmp_path: Path):
    path = tmp_path / "mine.toml"

    def write(text):
        path.write_text(
            f'title = "Mine"\nsentence = "x"\n[[expressions]]\ntext = "{text}"\nvalues = {{ a = 1, b = 2 }}\n'
        )

    write("(a + b) * (a - b) * a + b")
    window.desk.open(str(path))
    for step in (0, 3):
        window.player.toggle_at(step)
    first, _ = window.player.breakpoints
    type_in(window, "x * y   x=2 y=3")
    write("a * b")
    window.desk.open(str(path))
    assert window.player.breakpoints == (first,)
    QTest.keyClick(window.stage, K.Key_L)
    assert window.player.cursor.index == len(window.player.cursor.program) - 1, "none is ahead"


def test_the_lesson_before_comes_back_even_if_its_file_is_gone(window, tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "Mine"\nsentence = "x"\n[[expressions]]\ntext = "a * b"\nvalues = {a = 1, b = 2}\n'
    )
    window.desk.open(str(path))
    type_in(window, "x * y   x=2 y=3")
    path.unlink()
    undo(window)
    assert window.desk.lesson.typed == "a * b   a=1 b=2"
    redo(window)
    assert window.desk.lesson.typed == "x * y   x=2 y=3"


def test_in_a_field_the_key_undoes_what_was_typed_there(window):
    window.player.toggle_at(100)
    window.actions_by_name["go"].trigger()
    field = window.go_strip.field
    QTest.keyClicks(field, "12")
    QTest.keyClick(field, K.Key_Z, CONTROL)
    assert field.text() == ""
    assert len(window.player.breakpoints) == 1


def test_undo_and_redo_are_on_the_page_of_keys(window):
    items = KeysPage(window, Keymap(), print).items.values()
    keys = {item.text(0): item.text(1) for item in items}
    assert keys["Undo"] == "Ctrl+Z"
    assert keys["Redo"] == "Ctrl+Shift+Z, Ctrl+Y"
