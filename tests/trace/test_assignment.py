"""What a line's text names is what Python reads when it runs the line."""

import numpy as np
import pytest

from cnnviz.trace.assignment import assignment, window
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operation import Operation
from tests.cases import ALL_CALLS, CORNERS, LayerCase, each_of
from tests.trace.listings import ODD_CALLS, fibonacci
from tests.trace.python import events

each_of_both = each_of("call", [*ALL_CALLS, *((call.name, call) for call in ODD_CALLS)])
CONV = LayerCase("conv", CORNERS["conv2d-strided-padded-oblong"]).calls()[0]


def lines_of(operation):
    return [node for node in walk(operation.body) if isinstance(node, Line)]


@each_of_both
def test_operands_stand_where_the_text_has_them(call):
    operation = Operation(call)
    for line in lines_of(operation):
        parts = assignment(operation.tree, line.number)
        assert parts.text == operation.tree.source[line.number - 1].strip()
        for operand in (parts.target, *parts.operands):
            written = f"{operand.name}[{','.join(operand.subscripts)}]" if operand.index else operand.name
            assert parts.text[operand.start : operand.end].replace(" ", "") == written.replace(" ", "")
        assert parts.target.name == line.target
        assert (
            parts.target.end <= parts.right <= min((o.start for o in parts.operands), default=len(parts.text))
        )


@each_of_both
def test_cells_named_are_the_cells_read_and_written(call):
    operation, happened = Operation(call), events(call)
    for offset in range(1, len(operation), max(1, len(operation) // 80)):
        parts = assignment(operation.tree, operation.line_at(offset))
        if parts is None:
            continue
        before, event = happened[offset - 1], happened[offset]
        scope = {**call.given, **before.arrays, **before.variables}
        named = [operand for operand in parts.operands if operand.is_read(scope)]
        cells = {(operand.name, operand.place(scope)) for operand in named if operand.index}
        target = [(parts.target.name, parts.target.place(scope))] if parts.target.index else []
        adds = "+=" in parts.text or "-=" in parts.text
        assert set(event.touched.reads) == cells | set(target if adds else [])
        assert event.touched.writes == target


@each_of_both
def test_window_is_all_that_a_line_reads_while_outer_loops_stand_still(call):
    operation, happened = Operation(call), events(call)
    for line in lines_of(operation):
        if assignment(operation.tree, line.number).choice or (line.accumulates and line.index):
            continue
        loops, _ = operation.path_to(line.number)
        runs = [event for event in happened if event.line == line.number]
        for fixed in range(len(loops) + 1):
            held = {loop.variable: loop.count - 1 for loop in loops[:fixed]}
            reads = [
                place
                for event in runs
                if held.items() <= event.variables.items()
                for place in dict.fromkeys(event.touched.reads)
            ]
            for name, cells in window(operation, line.number, held).items():
                expected = [index for array, index in reads if array == name]
                assert sorted(map(tuple, cells.tolist())) == sorted(expected)


def test_window_of_a_cell_is_its_receptive_field_in_the_order_of_the_listing():
    cells = window(Operation(CONV), 9, {"o": 0, "i": 1, "j": 1})
    corner = np.array([0, 2, 2])  # stride 2
    inside = [(c, u, v) for c in range(2) for u in range(3) for v in range(2)]
    assert cells["x"].tolist() == [(corner + place).tolist() for place in inside]
    assert cells["w"].tolist() == [[0, *place] for place in inside]


def test_window_has_all_cells_of_an_array_that_is_named_twice():
    call = next(call for call in ODD_CALLS if call.listing is fibonacci)
    cells = window(Operation(call), 5, {"n": 2})
    assert sorted(cells["y"].tolist()) == [[2], [3]]


@pytest.mark.parametrize("line", [1, 2, 7])
def test_other_lines_are_no_assignments(line):
    assert assignment(Operation(CONV).tree, line) is None
    if line > 1:
        assert window(Operation(CONV), line, {}) == {}
