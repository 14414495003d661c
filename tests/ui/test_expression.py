"""Typing an expression: the field, what is said of faults, and the lesson that comes of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtTest import QTest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.subjects.expressions import Expressions
from cnnviz.scene.marks import Hotspot, Rect
from cnnviz.ui.desk import Desk
from cnnviz.ui.network_pane import computed_at
from cnnviz.ui.settings import Settings


def type_in(window, text):
    window.actions_by_name["expression"].trigger()
    field = window.expression_strip.field
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_an_expression_takes_the_networks_place(make_window):
    window = make_window()
    type_in(window, "(x + y) * z   x=-2 y=5 z=-4")
    assert isinstance(window.desk.lesson.subject, Expressions)
    assert window.desk.lesson.tape["f.f"] == -12
    assert window.expression_strip.isHidden()
    assert window.stage.hasFocus()
    assert window.player.cursor.index == 0
    assert window.windowTitle().startswith("f = (x + y) · z")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("(x + y) * z.real   x=1 y=2 z=3", "Character 12: “.” is not allowed"),
        ("x * y   x=1", "y has no value; write y=1, for instance."),
        ("x * x   x=one", "“x=one” is not understood"),
        ("x * x   x=1e999", "Character 11: this number is too large"),
        ("x=1 y=2", "There are only values, and nothing is computed"),
        ("x * y   x=0,5 y=2", "Character 12: a comma stands only between values"),
        ("", "The expression is empty"),
        ("x + " * 1100 + "x", "Character 4001: an expression has at most 4000 characters"),
    ],
)
def test_faults_are_said_beside_the_field_and_the_lesson_stays(make_window, text, sentence):
    window = make_window()
    before, place = window.desk.lesson, window.player.cursor
    type_in(window, text)
    assert window.expression_strip.sentence.text().startswith(sentence)
    assert window.expression_strip.isVisible()
    assert window.expression_strip.field.hasFocus()
    assert window.desk.lesson is before
    assert window.player.cursor == place
    assert window.message.isHidden()


@pytest.mark.parametrize("text", ["log(x)   x=-1", "1 / x   x=0", "exp(x)   x=1e6"])
def test_numbers_without_end_are_shown(make_window, application, text):
    window = make_window()
    type_in(window, text)
    for index in range(len(window.player.cursor.program)):
        window.player.go_to(index)
        application.processEvents()
        assert not window.grab().isNull()


def test_the_field_has_what_is_shown_and_keeps_values_that_are_not_typed(make_window):
    window = make_window()
    window.desk.open("chain-rule")
    window.actions_by_name["expression"].trigger()
    assert window.expression_strip.field.text() == "(x + y) * z   x=-2 y=5 z=-4"
    type_in(window, "x * y + w   w=1")
    assert window.desk.lesson.subject.examples[0].values == {"x": -2, "y": 5, "w": 1}


def test_escape_closes_the_field_and_letters_are_typed_into_it(make_window):
    window = make_window()
    window.actions_by_name["expression"].trigger()
    field = window.expression_strip.field
    field.clear()
    QTest.keyClicks(field, "tanh(b+w)-n/k f=1")
    assert field.text() == "tanh(b+w)-n/k f=1"
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert window.expression_strip.isHidden()
    assert window.stage.hasFocus()


def test_only_one_of_the_two_fields_is_open(make_window):
    window = make_window()
    window.actions_by_name["go"].trigger()
    window.actions_by_name["expression"].trigger()
    assert (window.go_strip.isHidden(), window.expression_strip.isHidden()) == (True, False)
    window.actions_by_name["go"].trigger()
    assert (window.go_strip.isHidden(), window.expression_strip.isHidden()) == (False, True)


def test_the_button_is_there_in_lessons_of_expressions(make_window):
    window = make_window(1600, 900)
    assert window.bar.expression.isHidden()
    window.desk.open("chain-rule")
    assert window.bar.expression.isVisible()
    assert window.bar.image.text() == "(x + y) * z"
    assert window.actions_by_name["image"].text() == "Choose expression…"
    QTest.mouseClick(window.bar.expression, Qt.MouseButton.LeftButton)
    assert window.expression_strip.isVisible()
    window.desk.open("digits")
    assert window.bar.expression.isHidden()
    assert window.actions_by_name["image"].text() == "Choose image…"


def test_expressions_of_a_lesson_are_chosen_from_a_list(make_window, monkeypatch):
    window = make_window()
    monkeypatch.setattr(window.dialogs.images, "open_at", lambda *_: None)  # without a screen, none
    window.desk.open("chain-rule")
    window.actions_by_name["image"].trigger()
    grid = window.dialogs.images.grid
    assert [grid.item(k).text() for k in range(grid.count())][:2] == ["(x + y) * z", "x * x + x"]
    window.dialogs.images.chosen.emit(1)
    assert window.desk.lesson.tape["f.dx"] == 7
    assert window.player.stops == window.desk.lesson.stops


def test_what_was_typed_comes_back_in_the_next_window(application, settings_file):
    settings = Settings(settings_file)
    desk = Desk(load_lesson("digits"), settings)
    desk.take_expression("x / y   x=.5 y=4")
    desk.player.go_to(2)
    desk.remember()
    source = settings.text("window/lesson")
    assert source == "f = x / y   x=0.5 y=4"
    again = Desk(load_lesson(source), settings)
    assert (again.lesson.tape["f.f"], again.player.cursor.index) == (0.125, 2)


def test_a_click_on_a_row_leads_to_where_it_is_computed():
    program = load_lesson("chain-rule").program
    assert [computed_at(program, name, False) for name in ("x", "q", "f")] == [0, 0, 1]
    assert [computed_at(program, name, True) for name in ("f", "q", "z", "x", "y")] == [2, 3, 4, 5, 6]


def test_a_click_in_the_pane_does_it(make_window):
    window = make_window()
    window.desk.open("chain-rule")
    spot = next(
        mark
        for mark in window.network.frame.marks
        if getattr(mark, "kind", "") == "gradient" and mark.name == "z"
    )
    at = QPoint(*(round(part) for part in spot.box.center))
    QTest.mouseClick(window.network, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    assert window.player.cursor.index == 4


def test_hovering_a_number_of_the_graph_says_where_it_comes_from(make_window, qtbot):
    window = make_window()
    type_in(window, "(x + y) * z   x=-2 y=5 z=-4")
    player, stage = window.player, window.stage
    player.go_to(player.cursor.program.start("f.backward") + 1)
    QCoreApplication.processEvents()  # the strip has left its place to the stage
    boxes = {mark.name: mark.box for mark in stage.frame.marks if isinstance(mark, Hotspot)}
    assert boxes.keys() == {"x", "y", "z", "q", "f", "df", "dq"}, "what is computed so far"
    told = {name: stage.origin_at(*box.center) for name, box in boxes.items()}
    assert told["x"].said == "given" and told["x"].step is None
    assert (told["q"].name, told["q"].value, told["q"].step) == ("q", "3", 0)
    assert (told["dq"].name, told["dq"].value) == ("∂f/∂q", "−4")
    assert "f.backward" in told["dq"].said
    qtbot.mouseMove(stage, QPoint(*map(round, boxes["q"].center)))
    QCoreApplication.processEvents()
    dashed = [mark.box for mark in stage.over(stage.frame) if isinstance(mark, Rect) and mark.dashed]
    assert sorted(dashed) == sorted([boxes["x"], boxes["y"]])
    assert stage.cursor().shape() == Qt.CursorShape.PointingHandCursor
    qtbot.mouseClick(stage, Qt.MouseButton.LeftButton, pos=QPoint(*map(round, boxes["q"].center)))
    assert player.cursor.index == 0


GRAPH = (
    "c = a + b; d = a * b + b**3; c += c + 1; c += 1 + c - a; d += d * 2 + relu(b + a); "
    "d += 3 * d + relu(b - a); e = c - d; f = e**2; g = f / 2; g += 10 / f   a=-4 b=2"
)


def test_statements_are_typed_and_stepped_through_both_ways(make_window, application):
    window = make_window()
    type_in(window, GRAPH)
    assert window.expression_strip.isHidden()
    tape = window.desk.lesson.tape
    found = [float(tape[name]) for name in ("g.g", "g.da", "g.db")]
    assert found == pytest.approx([24.704081633, 138.833819242, 645.577259475], abs=1e-9)
    program = window.player.cursor.program
    for index in [*range(len(program)), *range(len(program) - 1, -1, -7)]:
        window.player.go_to(index)
        application.processEvents()
        assert window.message.isHidden()
    assert not window.grab().isNull()


def test_the_field_has_the_statements_again_and_takes_them_as_they_are(make_window):
    window = make_window()
    type_in(window, "q = x + y; L = max(q, z)   x=1 y=2 z=3")
    window.actions_by_name["expression"].trigger()
    assert window.expression_strip.field.text() == "q = x + y; L = max(q, z)   x=1 y=2 z=3"
    QTest.keyClick(window.expression_strip.field, Qt.Key.Key_Return)
    assert [float(window.desk.lesson.tape[f"L.d{name}"]) for name in "xz"] == [0.5, 0.5]
    assert window.windowTitle().startswith("q = x + y; L = max(q, z)")


def test_what_is_typed_after_a_slip_goes_on_where_the_text_ends(window):
    """As the sentence asks: “z has no value; write z=1”."""
    type_in(window, "f = (x + y) * z x=-2 y=5")
    QTest.keyClicks(window.expression_strip.field, " z=-4")
    assert window.expression_strip.field.text() == "f = (x + y) * z x=-2 y=5 z=-4"
