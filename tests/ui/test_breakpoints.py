"""Breakpoints are there again at the next start, with the lesson or the expression that they were set in."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.ui.breakpoints import Breakpoints
from cnnviz.ui.settings import lesson_key

K = Qt.Key


def set_some(window):
    """One at a step, one at a line; returns both."""
    window.player.go_to(4242)
    QTest.keyClick(window.stage, K.Key_F9)
    window.player.toggle_line(3)
    one, other = window.player.breakpoints
    assert (one.offset, other.offset) == (4242 - window.player.cursor.program.start(one.operation), None)
    return one, other


def test_they_are_there_at_the_next_start_and_stop_a_run(window, make_window):
    points = set_some(window)
    window.player.go_to(4241)
    window.close()
    again = make_window()
    assert again.player.breakpoints == points
    QTest.keyClick(again.stage, K.Key_L)
    assert again.player.cursor.index == 4242
    assert again.actions_by_name["undo"].text() == "Undo", "coming back is no edit"


def test_a_run_that_nothing_stops_says_so(window):
    window.player.go_to(4242)
    for name, where, at in (
        ("run", "the end", len(window.player.cursor.program) - 1),
        ("run_back", "the start", 0),
    ):
        window.actions_by_name[name].trigger()
        assert window.player.cursor.index == at
        assert window.message.sentence.text() == f"There is no breakpoint to stop at: this is {where}."
    window.player.toggle_at(4242)
    window.player.go_to(5000)
    window.actions_by_name["run"].trigger()
    assert window.message.sentence.text() == "No breakpoint stopped on the way: this is the end."


def test_those_taken_away_stay_away(window, make_window):
    set_some(window)
    window.close()
    again = make_window()
    again.player.clear_breakpoints()
    again.close()
    assert make_window().player.breakpoints == ()


def test_each_lesson_has_its_own_and_another_image_has_the_same(window):
    points = set_some(window)
    window.desk.choose(7)
    assert window.player.breakpoints == points
    window.desk.open("relu")
    assert window.player.breakpoints == ()
    window.player.toggle_line(3)
    of_relu = window.player.breakpoints
    window.desk.open("digits")
    assert window.player.breakpoints == points
    window.desk.open("relu")
    assert window.player.breakpoints == of_relu


def test_each_expression_of_a_lesson_has_its_own(window):
    window.desk.open("chain-rule")
    window.player.toggle_at(3)
    points = window.player.breakpoints
    window.desk.choose(1)
    assert window.player.breakpoints == ()
    window.desk.choose(0)
    assert window.player.breakpoints == points


def test_one_in_the_other_form_waits_for_it_at_the_next_start_too(window, make_window):
    window.player.toggle_at(window.player.cursor.program.start("conv2.dx") + 7)
    points = window.player.breakpoints
    QTest.keyClick(window.stage, K.Key_V)
    window.close()
    again = make_window()
    assert (again.player.cursor.program.form, again.player.breakpoints) == ("scattered", ())
    QTest.keyClick(again.stage, K.Key_V)
    assert again.player.breakpoints == points


def one_at(operation, line, offset="null"):
    return f'{{"here":[{{"operation":"{operation}","line":{line},"offset":{offset}}}]}}'


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "7",
        "[]",
        '{"here":7}',
        '{"here":[{"operation":"conv1"}]}',
        '{"here":[{"operation":7,"line":3}]}',
        '{"here":[],"waiting":[3]}',
        one_at("conv9", 3),
        one_at("conv1", 0),
        one_at("conv1", 99),
        one_at("conv1", 3, -1),
        one_at("conv1", 3, 10**30),
        one_at("conv1", 3, 5),
        "\ufffd" * 40,
    ],
)
def test_what_is_damaged_is_as_good_as_none(window, make_window, damage):
    window.player.toggle_line(3)
    key = window.desk._marks_key("breakpoints")
    window.close()
    window.settings.put(key, damage)
    window.settings.save()
    again = make_window()
    assert again.player.breakpoints == ()
    QTest.keyClick(again.stage, K.Key_V)
    assert again.player.breakpoints == ()


def test_what_is_whole_is_not_taken_for_damaged(window, make_window):
    """Or the damages above would say nothing."""
    step = window.player.cursor.program.operation("conv1")
    key = window.desk._marks_key("breakpoints")
    window.close()
    for line, offset in ((3, None), (step.line_at(5), 5)):
        window.settings.put(key, one_at("conv1", line, "null" if offset is None else offset))
        window.settings.save()
        again = make_window()
        assert again.player.breakpoints == (Breakpoint("conv1", line, offset),)
        again.close()


def test_there_are_only_so_many_and_that_is_said(window, make_window):
    """Also of those in the other form, which wait for it; and a file may hold more than could be set."""
    player, program = window.player, window.player.cursor.program
    start = program.start("conv2.dx")
    for k in range(50):
        player.toggle_at(start + k)
    window.desk.switch_input_gradient()
    for k in range(150):
        player.toggle_at(k)
    assert len(player.breakpoints) == 150 and not window.message.isVisible()
    player.toggle_at(150)
    assert len(player.breakpoints) == 150
    assert window.message.sentence.text().startswith("There are 200 breakpoints, the most there can be;")
    player.toggle_at(149)
    player.toggle_at(150)
    assert {point.offset for point in player.breakpoints} == {*range(149), 150}
    window.desk.switch_input_gradient()
    assert len(player.breakpoints) == 200
    window.close()
    key = f"{lesson_key('digits')}/breakpoints"
    settings = make_window().settings
    held = settings.record(key, Breakpoints, Breakpoints())
    more = tuple(Breakpoint("conv1", 9, k) for k in range(100_000))
    settings.put_record(key, Breakpoints(more, held.waiting, held.form))
    settings.save()
    again = make_window()
    assert len(again.player.breakpoints) == 200
    again.close()
    assert len(make_window().settings.text(key)) < 20_000
