"""Steps are Python's own line events, and every way to find one finds the right one."""

import numpy as np
import pytest

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.errors import CnnvizError
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from tests.cases import ALL_CALLS, CORNERS, LayerCase, each_call, each_of
from tests.trace.listings import ODD_CALLS
from tests.trace.python import events

each_of_both = each_of("call", [*ALL_CALLS, *((call.name, call) for call in ODD_CALLS)])
CONV = LayerCase("conv", CORNERS["conv2d-strided-padded-oblong"]).calls()[0]


@each_of_both
def test_steps_are_the_line_events_of_python(call):
    operation = Operation(call)
    assert [operation.line_at(k) for k in range(len(operation))] == [event.line for event in events(call)]


@each_of_both
def test_loop_variables_are_those_of_python(call):
    operation = Operation(call)
    loops = set(operation.tree.variables)
    for offset, event in enumerate(events(call)):
        expected = {name: value for name, value in event.variables.items() if name in loops}
        found = operation.variables_at(offset)
        assert found == expected, offset
        assert list(found) == [name for name in operation.tree.variables if name in found], offset


@each_of_both
def test_runs_of_a_line_are_counted(call):
    operation = Operation(call)
    for line in (node for node in walk(operation.body) if isinstance(node, Line)):
        runs = 0
        for offset, event in enumerate(events(call)):
            runs += event.line == line.number
            assert operation.runs_until(line, offset) == runs


@each_of_both
def test_writing_lines_write_where_python_does_in_its_order(call):
    operation, happened = Operation(call), events(call)
    for name, array in call.writes.items():
        for line in operation.writers(name):
            places = [
                place for event in happened if event.line == line.number for _, place in event.touched.writes
            ]
            flat = [int(np.ravel_multi_index(place, array.shape)) for place in places]
            assert operation.write_order(line).tolist() == flat


@each_of_both
def test_step_writing_a_cell_is_the_last_that_python_writes_it_at(call):
    operation = Operation(call)
    last = {place: k for k, event in enumerate(events(call)) for place in event.touched.writes}
    for name, array in call.writes.items():
        for index in np.ndindex(array.shape):
            assert operation.step_writing(name, index) == last.get((name, index))


@pytest.mark.parametrize(
    "place", [("y", (9, 0, 0)), ("y", (-1, 0, 0)), ("y", (0, 0)), ("x", (0, 0, 0)), ("q", ())]
)
def test_step_writing_what_is_never_written_is_none(place):
    assert Operation(CONV).step_writing(*place) is None


@each_call
def test_find_leads_to_each_line_at_all_values_of_its_loops(call):
    operation = Operation(call)
    for offset in range(0, len(operation), max(1, len(operation) // 60)):
        line, loops = operation.line_at(offset), operation.loops_at(offset)
        values = operation.variables_at(offset)
        if operation.header_at(offset) and offset == operation.find(line, **own(loops[:-1], values)) + ended(
            loops[-1]
        ):
            continue  # the run of a header that finds no value left: no value leads there
        assert operation.find(line, **own(loops, values)) == offset


def own(loops, values):
    return {loop.variable: values[loop.variable] for loop in loops}


def ended(loop):
    return loop.count * loop.period


def test_find_without_a_line_is_where_the_last_variable_gets_its_value():
    operation = Operation(CONV)
    offset = operation.find(i=1, j=1)
    assert operation.line_at(offset) == 4
    assert operation.variables_at(offset)["i"] == 1
    assert operation.variables_at(offset)["j"] == 1
    assert operation.variables_at(offset)["o"] == 0
    assert operation.variables_at(offset - 1)["j"] == 0
    assert operation.find() == 0


@pytest.mark.parametrize(
    ("line", "variables", "sentence"),
    [
        (None, {"z": 0}, r"^conv2d: its listing has no loop over z; its loops run over o, i, j, c, u, v"),
        (None, {"o": 3}, r"^conv2d: o = 3 is out of range; it runs from 0 to 2"),
        (None, {"o": -1}, r"^conv2d: o = -1 is out of range"),
        (10, {"u": 0}, r"^conv2d: no loop over u there; there is o, i, j"),
        (1, {}, r"^conv2d: line 1 does nothing; its listing has lines 2 to 10"),
        (11, {}, r"^conv2d: line 11 does nothing"),
    ],
)
def test_find_says_what_there_is(line, variables, sentence):
    with pytest.raises(CnnvizError, match=sentence):
        Operation(CONV).find(line, **variables)


@each_call
def test_path_to_a_line_has_the_loops_that_its_steps_are_in(call):
    operation = Operation(call)
    for offset in range(0, len(operation), max(1, len(operation) // 30)):
        loops, node = operation.path_to(operation.line_at(offset))
        assert operation.loops_at(offset) == ((*loops, node) if isinstance(node, Loop) else loops)


def test_sizes_are_those_of_the_call():
    assert Operation(CONV).sizes == {"C_out": 3, "H_out": 3, "W_out": 3, "C_in": 2, "K_h": 3, "K_w": 2}


def test_arguments_are_fresh_each_time():
    operation = Operation(CONV)
    first = operation.arguments()
    first["x"][:] = first["y"][:] = 7
    second = operation.arguments()
    assert not (second["x"] == 7).all()
    assert not second["y"].any()
    assert list(second) == list(operation.tree.parameters)


def test_sizes_of_numpy_count_like_pythons_own():
    given = {name: np.int8(v) if isinstance(v, int) else v for name, v in CONV.given.items()}
    operation = Operation(Call("conv", "conv", "forward", conv2d, given, CONV.writes))
    assert len(operation) == len(Operation(CONV)) > 127


@pytest.mark.parametrize("size", [{}, {"K_h": 2.0}, {"K_h": -1}])
def test_size_that_is_missing_is_named(size):
    given = {name: value for name, value in CONV.given.items() if name != "K_h"}
    with pytest.raises(CnnvizError, match=r"^conv1: its listing conv2d was not given K_h\."):
        Operation(Call("conv1", "conv1", "forward", conv2d, given | size, CONV.writes))
