"""Moves: there and back, in and out, and to breakpoints."""

from itertools import pairwise

import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.errors import CnnvizError
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from tests.cases import CORNERS, LayerCase, sample, small_network


@pytest.fixture(scope="module")
def program():
    network = small_network()
    return Program(network.calls(network.run(*sample(network))))


def walk(program, level):
    cursor, found = Cursor(program, 0, level), [0]
    while cursor.index < len(program) - 1:
        cursor = cursor.next()
        assert cursor.index > found[-1]
        found.append(cursor.index)
    return found


def walk_back(program, level):
    cursor = Cursor(program, len(program) - 1, level)
    found = [cursor.index]
    while cursor.index > 0:
        cursor = cursor.previous()
        assert cursor.index < found[-1]
        found.append(cursor.index)
    return found[::-1]


@pytest.mark.parametrize("level", Level)
def test_way_back_has_the_stops_of_the_way_there(program, level):
    assert walk(program, level) == walk_back(program, level)


def test_levels_are_nested(program):
    walks = [set(walk(program, level)) for level in Level if level is not Level.STOP]
    assert all(coarse < fine for fine, coarse in pairwise(walks))


def test_lines_are_all_steps(program):
    assert walk(program, Level.LINE) == list(range(len(program)))


def names(program, level):
    """The operations of all stops but the first and last step."""
    return [program[index].operation.name for index in walk(program, level)[1:-1]]


def test_layers_stop_once_in_every_operation(program):
    assert names(program, Level.LAYER) == [operation.name for operation in program.operations]


def test_passes_stop_at_their_ends(program):
    assert names(program, Level.PASS) == ["softmax", "loss", "conv1.dx", "fc.b"]


def test_maps_stop_once_for_each_channel(program):
    assert names(program, Level.MAP).count("conv1") == 2
    assert names(program, Level.MAP).count("conv1.dx") == 1


def test_cells_stop_where_outputs_are_written(program):
    for index in walk(program, Level.CELL)[1:-1]:
        assert program.state(index).writes


def test_beyond_the_ends_there_is_nothing(program):
    end = Cursor(program, len(program) - 1)
    assert all(Cursor(program).previous(level).index == 0 for level in Level)
    assert all(end.next(level).index == end.index for level in Level)
    assert Cursor(program).to(-5).index == 0
    assert Cursor(program).to(10**9).index == end.index


def test_into_goes_on_finer_and_out_coarser(program):
    start = Cursor(program, program.find("conv1", o=0, i=1, j=1), Level.CELL)
    term = start.into()
    assert term.level is Level.TERM
    assert term.step.variables == {"o": 0, "i": 1, "j": 1, "c": 0, "u": 0, "v": 0}
    cell = term.at(term.coarser).next()
    assert cell.level is Level.CELL
    assert cell == start.next()
    assert program.state(cell.index).writes == (("y", (0, 1, 1)),)


def test_there_is_nothing_finer_than_a_line_nor_coarser_than_a_stop(program):
    assert Cursor(program, 0, Level.LINE).into() == Cursor(program, 1, Level.LINE)
    assert Cursor(program, 0, Level.STOP).coarser is Level.STOP


def test_moving_by_another_level_once_keeps_the_own_one(program):
    assert Cursor(program, 0, Level.CELL).next(Level.LINE) == Cursor(program, 1, Level.CELL)
    assert Cursor(program, 1, Level.CELL).previous(Level.LINE) == Cursor(program, 0, Level.CELL)


def test_moves_leave_the_cursor_alone(program):
    cursor = Cursor(program, 5)
    cursor.next()
    assert cursor.index == 5
    with pytest.raises(AttributeError):
        cursor.index = 6


def test_two_operations_of_one_name_are_walked_through_both():
    case = LayerCase("conv", CORNERS["conv2d-strided-padded-oblong"])
    calls = case.calls()
    assert isinstance(case.layer(), Conv2d)
    assert calls[-2].name == calls[-1].name  # gathered and scattered
    program = Program(calls[-2:])
    for level in Level:
        assert walk(program, level) == walk_back(program, level)
    assert len(walk(program, Level.LAYER)) == 4


# ------------------------------------------------------------------------------------------ breakpoints


def hits(program, points):
    """Every step that one of some breakpoints stops at, found by looking at all."""
    return [
        step.index
        for step in program
        for point in points
        if step.operation.name == point.operation
        and step.line == point.line
        and point.offset in (None, step.offset)
    ]


@pytest.mark.parametrize(
    "points",
    [
        (Breakpoint("conv1", 10),),
        (Breakpoint("fc.dw", 2), Breakpoint("relu1", 5)),
        (Breakpoint("conv1", 9, 7), Breakpoint("conv1", 10, 19)),
        (Breakpoint("loss", 5), Breakpoint("conv1.w", 3), Breakpoint("conv1.w", 4)),
    ],
)
def test_runs_stop_at_every_hit_both_ways(program, points):
    expected = hits(program, points)
    assert expected
    cursor, found = Cursor(program), []
    while (cursor := cursor.run_to(points)).index < len(program) - 1:
        found.append(cursor.index)
    assert found == expected
    found = []
    while (cursor := cursor.run_to(points, backwards=True)).index > 0:
        found.append(cursor.index)
    assert found == expected[::-1]


@pytest.mark.parametrize(
    "points", [(), (Breakpoint("conv1", 1),), (Breakpoint("conv1", 99),), (Breakpoint("loss", 3, 40),)]
)
def test_without_a_hit_a_run_goes_to_the_end_or_start(program, points):
    middle = Cursor(program, len(program) // 2)
    assert middle.run_to(points).index == len(program) - 1
    assert middle.run_to(points, backwards=True).index == 0


def test_breakpoint_at_the_cursors_own_step_is_left(program):
    index = program.find("conv1", line=10)
    assert Cursor(program, index).run_to((Breakpoint("conv1", 10),)).index > index


def test_breakpoint_in_no_operation_is_refused(program):
    with pytest.raises(CnnvizError, match=r"^There is no operation conv9"):
        Cursor(program).run_to((Breakpoint("conv9", 2),))


def test_stops_of_a_lesson_are_gone_to_both_ways(program):
    stops = (Stop(3, "a"), Stop(10, "b"), Stop(40, "c"))
    start = Cursor(program)

    visited = []
    cursor = start
    while (number := cursor.stop_number(stops)) is not None:
        cursor = cursor.to(stops[number].index)
        visited.append(cursor.index)
    assert visited == [3, 10, 40]
    assert stops[start.to(25).stop_number(stops, backwards=True)].index == 10
    assert start.to(3).stop_number(stops, backwards=True) is None


def test_stop_is_a_level_that_ends_with_the_program(program):
    stops = (Stop(3, "a"), Stop(10, "b"), Stop(40, "c"))
    start = Cursor(program, level=Level.STOP, stops=stops)
    last = len(program) - 1
    visited = [start]
    while visited[-1].index < last:
        visited.append(visited[-1].next())
    assert [cursor.index for cursor in visited] == [0, 3, 10, 40, last]
    back = [visited[-1]]
    while back[-1].index:
        back.append(back[-1].previous())
    assert back == visited[::-1]
    assert start.at(start.at(Level.PASS).coarser).next() == visited[1], "out of a pass goes on by stops"
    assert visited[1].into() == visited[1].at(Level.PASS).next()
