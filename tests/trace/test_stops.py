"""Stops found by arithmetic are those found by looking at every step."""

from itertools import pairwise

import pytest

from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.stops import Level, next_run, next_stop, previous_run, previous_stop
from tests.cases import ALL_CALLS
from tests.trace.listings import ODD_CALLS

BOTH = [*(call for _, call in ALL_CALLS), *ODD_CALLS]
each_of_both = pytest.mark.parametrize(
    "call", BOTH, ids=[*(label for label, _ in ALL_CALLS), *(call.name for call in ODD_CALLS)]
)


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


@each_of_both
@pytest.mark.parametrize("level", OF_LISTINGS)
def test_nearest_stop_is_found_both_ways_from_every_step(call, level):
    operation = Operation(call)
    step = max(1, len(operation) // 400)
    expected = stops(operation, level)
    assert expected
    for offset in [-1, *range(0, len(operation) + 1, step)]:
        assert next_stop(operation, offset, level) == next((k for k in expected if k > offset), None)
        if offset >= 0:
            before = next((k for k in reversed(expected) if k < offset), None)
            assert previous_stop(operation, offset, level) == before


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
        for offset in [-1, *range(0, len(operation) + 1, max(1, len(operation) // 100))]:
            assert next_run(operation, offset, number) == next((k for k in expected if k > offset), None)
            if offset >= 0:
                before = next((k for k in reversed(expected) if k < offset), None)
                assert previous_run(operation, offset, number) == before


def test_stops_of_a_convolution_are_its_products_outputs_and_maps():
    call = next(call for _, call in ALL_CALLS if call.listing.__name__ == "conv2d")
    operation, y = Operation(call), call.writes["y"]
    count = {level: len(stops(operation, level)) for level in OF_LISTINGS}
    products = y.size * call.given["w"][0].size
    assert count[Level.TERM] == products + y.size
    assert count[Level.CELL] == y.size
    assert count[Level.MAP] == len(y)
    assert count[Level.LAYER] == 1
