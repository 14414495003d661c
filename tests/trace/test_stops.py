"""Stops found by arithmetic are those found by looking at every step."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.stops import Level, next_run, next_stop, previous_run, previous_stop
from tests.cases import ALL_CALLS, each_of
from tests.trace.listings import ODD_CALLS

each_of_both = each_of("call", [*ALL_CALLS, *((call.name, call) for call in ODD_CALLS)])


def stops(operation, level):
    """All stops of a level, found by looking at every step."""
    every = range(len(operation))
    lines = {node.number: node for node in walk(operation.body) if isinstance(node, Line)}
    at = [lines.get(operation.line_at(offset)) for offset in every]
    if level is Level.LINE:
        return list(every)
    if level is Level.TERM:
        return [offset for offset in every if at[offset] and at[offset].is_term]
    cells = [offset for offset in every if at[offset] and at[offset].is_cell]
    if level is Level.CELL:
        return cells
    if level is Level.MAP:
        # The last cell of each run of an outermost statement: a loop's variable has one value in it.
        # Of several samples, the outermost loop goes over these, and each of them has maps.
        ways = {offset: [part[1:] for part in operation.locate(offset)[0]] for offset in cells}
        over = operation.body.statements[0]
        deep = 2 if operation.call.batch and isinstance(over, Loop) and over.variable == "n" else 1
        return list({tuple(ways[offset][:deep]): offset for offset in cells}.values())
    return cells[-1:]


OF_LISTINGS = [level for level in Level if level is not Level.STOP]


def asked(operation):
    """Where it is asked for the nearest: everywhere, or, of many steps, at some of every place in a loop."""
    return [-1, *range(0, len(operation) + 1, len(operation) // 100 | 1)]


def nearest(expected, offset):
    """What comes before and after an offset."""
    after = bisect_right(expected, offset)
    before = bisect_left(expected, offset)
    return expected[before - 1] if before else None, expected[after] if after < len(expected) else None


@each_of_both
def test_nearest_stop_is_found_both_ways_from_every_step(call):
    operation = Operation(call)
    for level in OF_LISTINGS:
        expected = stops(operation, level)
        assert expected
        for offset in asked(operation):
            before, after = nearest(expected, offset)
            assert next_stop(operation, offset, level) == after
            assert offset < 0 or previous_stop(operation, offset, level) == before


@each_of_both
def test_stops_of_a_level_are_among_those_of_the_finer_one(call):
    operation = Operation(call)
    levels = [set(stops(operation, level)) for level in OF_LISTINGS]
    assert all(coarse <= fine for fine, coarse in pairwise(levels))


@each_of_both
def test_nearest_run_of_each_line_is_found_both_ways(call):
    operation = Operation(call)
    lines = [operation.line_at(offset) for offset in range(len(operation))]
    for number in range(1, len(operation.tree.source) + 1):
        expected = [offset for offset, line in enumerate(lines) if line == number]
        for offset in asked(operation):
            before, after = nearest(expected, offset)
            assert next_run(operation, offset, number) == after
            assert offset < 0 or previous_run(operation, offset, number) == before


def test_stops_of_a_convolution_are_its_products_outputs_and_maps():
    call = next(call for _, call in ALL_CALLS if call.listing.__name__ == "conv2d")
    operation, y = Operation(call), call.writes["y"]
    count = {level: len(stops(operation, level)) for level in OF_LISTINGS}
    products = y.size * call.given["w"][0].size
    assert count[Level.TERM] == products + y.size
    assert count[Level.CELL] == y.size
    assert count[Level.MAP] == len(y)
    assert count[Level.LAYER] == 1
