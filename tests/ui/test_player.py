"""The player by itself: no widget is needed."""

from __future__ import annotations

import threading

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QProgressDialog

from cnnviz.trace import hits
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.stops import Level
from cnnviz.ui import waiting
from cnnviz.ui.player import Player
from cnnviz.working import tell


def moves(player: Player) -> list[int]:
    seen: list[int] = []
    player.moved.connect(lambda cursor: seen.append(cursor.index))
    return seen


def test_one_signal_for_a_move_and_none_for_staying(player):
    seen = moves(player)
    player.go_to(10)
    player.go_to(10)
    assert seen == [10]


def test_the_moment_is_computed_once_and_is_that_of_the_cursor(player):
    player.go_to(500)
    assert player.moment is player.moment
    assert player.moment.step.index == 500
    player.go_to(501)
    assert player.moment.step.index == 501


def test_a_place_beyond_the_end_is_the_end(player):
    player.go_to(10**12)
    assert player.cursor.index == len(player.cursor.program) - 1


def test_playing_presses_next_at_its_level(player, qtbot):
    player.moved.connect(player.set_shown)
    player.set_level(Level.TERM)
    seen = moves(player)
    player.set_speed(60)
    player.play()
    qtbot.waitUntil(lambda: len(seen) >= 4, timeout=3000)
    player.pause()
    first = player.cursor.to(0)
    expected = []
    for _ in seen:
        first = first.next()
        expected.append(first.index)
    assert seen == expected


def test_playing_waits_for_the_picture(player, qtbot):
    seen = moves(player)
    player.set_speed(60)
    player.play()
    qtbot.wait(150)
    assert len(seen) == 1  # nobody has said that the first step was shown


def test_playing_stops_at_a_breakpoint_inside_a_step(player, qtbot):
    player.moved.connect(player.set_shown)
    player.set_level(Level.MAP)
    point = Breakpoint("conv1", 9, player.cursor.to(40).step.offset)
    player.view = replace(player.view, breakpoints=(point,))
    player.set_speed(60)
    player.play()
    qtbot.waitUntil(lambda: not player.playing, timeout=3000)
    assert player.cursor.index == 40


def test_a_condition_over_a_large_layer_does_not_hold_the_window_while_playing(player, qtbot, monkeypatch):
    """It is looked for as a run looks for it: the window is painted, and the search can be cancelled."""
    on = threading.Event()
    player.moved.connect(player.set_shown)
    monkeypatch.setattr(waiting, "SHOWN_AFTER", 0.05)
    monkeypatch.setattr(hits, "tell", lambda *told: (tell(*told), on.wait(20)))
    player.set_breakpoint(Breakpoint("", 0, kind=Kind.CONDITION, what="acc < -1e9"))
    player.set_level(Level.LAYER)
    player.set_speed(60)
    shown = []

    def cancel():  # some ticks after it is there, in which the player's timer went on
        here = [one for one in QApplication.topLevelWidgets() if isinstance(one, QProgressDialog)]
        shown.extend(here)
        if len(shown) > 4:
            ticks.stop()
            qtbot.keyClick(here[0], Qt.Key.Key_Escape)

    ticks = QTimer(player)
    ticks.timeout.connect(cancel)
    ticks.start(60)
    player.play()
    qtbot.waitUntil(lambda: not player.playing, timeout=15_000)
    assert len(set(shown)) == 1, "it is looked for once"
    assert player.cursor.index == 0
    on.set()
    player.play()
    qtbot.waitUntil(lambda: player.cursor.step.operation.name != "conv1", timeout=15_000)
    player.pause()


def test_playing_stops_at_the_end_and_starts_again_from_the_start(player, qtbot):
    player.moved.connect(player.set_shown)
    last = len(player.cursor.program) - 1
    player.go_to(last - 2)
    player.set_level(Level.LINE)
    player.set_speed(60)
    player.play()
    qtbot.waitUntil(lambda: not player.playing, timeout=3000)
    assert player.cursor.index == last
    player.play()
    assert player.cursor.index == 0
    player.pause()


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (7, 7), (1000, 60)])
def test_speed_is_kept_in_its_range(player, asked, given):
    player.set_speed(asked)
    assert player.speed == given


def test_gears_go_up_and_down(player):
    player.set_speed(4)
    player.shift(1)
    assert player.speed == 6
    player.shift(-2)
    assert player.speed == 3
    player.shift(-99)
    assert player.speed == 1


def test_a_breakpoint_is_set_and_taken_away(player):
    player.go_to(77)
    player.toggle_here()
    assert [point.offset for point in player.breakpoints] == [77]
    player.toggle_here()
    assert player.breakpoints == ()


def test_where_a_lines_breakpoint_holds_it_is_taken_away(player):
    other = Breakpoint("conv1", 4)
    player.view = replace(player.view, breakpoints=(other,))
    player.toggle_line(3)
    player.run_to_line(3)
    assert player.cursor.step.line == 3
    player.toggle_here()
    assert player.breakpoints == (other,)
    player.toggle_here()
    player.toggle_line(3)
    assert len(player.breakpoints) == 3
    player.toggle_here()
    assert player.breakpoints == (other,), "a run stops here no more"
    player.edits.undo()
    assert len(player.breakpoints) == 3


def test_running_goes_from_breakpoint_to_breakpoint_at_once(player):
    player.toggle_at(100)
    player.toggle_at(30_000)
    seen = moves(player)
    player.run()
    player.run()
    player.run(backwards=True)
    assert seen == [100, 30_000, 100]


def test_running_to_a_line_goes_on_to_its_next_run_and_back_if_there_is_none(player):
    program = player.cursor.program
    player.run_to_line(10)
    first = player.cursor.index
    assert player.cursor.step.line == 10
    player.run_to_line(10)
    assert player.cursor.index > first
    player.go_to(program.start("relu1") - 1)
    player.run_to_line(10)
    assert player.cursor.step.line == 10
    assert player.cursor.step.operation.name == "conv1"


def test_running_to_a_line_that_never_runs_stays(player):
    player.go_to(9)
    player.run_to_line(1)
    assert player.cursor.index == 9


def test_another_program_keeps_the_place_and_drops_breakpoints_it_cannot_have(player, lesson):
    player.go_to(1000)
    player.set_level(Level.TERM)
    player.view = replace(player.view, breakpoints=(Breakpoint("conv1", 9), Breakpoint("gone", 3)))
    player.load(lesson.choose(5).program, player.cursor.index)
    assert (player.cursor.index, player.cursor.level) == (1000, Level.TERM)
    assert [point.operation for point in player.breakpoints] == ["conv1"]


def test_breakpoints_in_what_another_view_computes_otherwise_come_back_with_it(player, lesson):
    other = lesson.in_form("scattered")
    of_dx, elsewhere = Breakpoint("conv2.dx", 9), Breakpoint("conv1", 9)
    player.view = replace(player.view, breakpoints=(of_dx, elsewhere))
    player.switch(other.program, 5, other.view)
    assert player.breakpoints == (elsewhere,)
    player.toggle_at(other.program.find("conv1.dx", line=8))
    player.switch(lesson.program, 5, lesson.view)
    assert player.breakpoints == (elsewhere, of_dx)
    player.switch(other.program, 5, other.view)
    assert [point.operation for point in player.breakpoints] == ["conv1", "conv1.dx"]
    player.clear_breakpoints()
    player.switch(lesson.program, 5, lesson.view)
    assert player.breakpoints == ()
