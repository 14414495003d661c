"""The state at a step is what Python holds there: locals, arrays, cells read and written."""

import gc
import re
import tracemalloc
from math import isclose

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.trace import accumulate, scalars
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.state import places, state
from tests.cases import ALL_CALLS, each_call, each_of, sample, small_network
from tests.trace import listings
from tests.trace.listings import (
    ODD_CALLS,
    attention_call,
    batch_norm_call,
    im2col_call,
    layer_norm_call,
)
from tests.trace.python import events

each_odd_call = each_of("call", [(call.name, call) for call in ODD_CALLS])


def carries(call):
    """Whether a line of a listing makes a variable from what it was."""
    lines = (re.match(r"(\w+) ([-+*/]=|= (.*))", line.strip()) for line in Operation(call).tree.source)
    return any(found and (not found[3] or found[1] in re.findall(r"\w+", found[3])) for found in lines)


def check_states(call):
    """Hold every state of an operation against Python's own; return how many there are.

    So is `written`, against the cells that Python has written; what starts with values always has them.
    """
    operation, full = Operation(call), set(call.before) if call.linear is None else set(call.writes)
    done = {name: np.full(array.shape, name in full) for name, array in call.writes.items()}
    scale = {name: np.abs(array).max(initial=0) for name, array in call.writes.items()}
    for offset, event in enumerate(events(call)):
        found = state(operation, offset)
        where = f"step {offset}, line {event.line}"
        assert found.line == event.line, where
        assert set(found.variables) == set(event.variables), where
        for name, value in event.variables.items():
            assert isclose(found.variables[name], value, rel_tol=1e-12, abs_tol=1e-12), (where, name)
        assert set(found.arrays) == set(event.arrays), where
        for name, array in event.arrays.items():
            other = found.arrays[name] != array  # padding of −∞ differs from itself by NaN
            error = np.abs(found.arrays[name][other] - array[other]).max(initial=0)
            assert error <= 1e-12 * scale.get(name, 0), (where, name)
        assert found.reads == tuple(dict.fromkeys(event.touched.reads)), where
        assert found.writes == tuple(dict.fromkeys(event.touched.writes)), where
        for name, index in event.touched.writes:
            done[name][index] = True
        for name, cells in done.items():
            assert np.array_equal(found.written(name), cells), (where, name)
    return len(operation)


@each_call
def test_state_is_what_python_holds_at_every_step(call):
    check_states(call)


@each_odd_call
def test_odd_listings_too(call):
    check_states(call)


# In these a loop carries a variable along: a sum, a product, the largest so far. Two calls of each listing.
CARRYING = [call for call in [*(call for _, call in ALL_CALLS), *ODD_CALLS] if carries(call)]
CARRYING = [
    call
    for k, call in enumerate(CARRYING)
    if sum(other.listing.__name__ == call.listing.__name__ for other in CARRYING[:k]) < 2
]


@each_of("call", [(call.listing.__name__, call) for call in CARRYING])
def test_what_is_carried_along_is_the_same_when_numpy_adds_it_up(call, monkeypatch):
    monkeypatch.setattr(scalars, "_FEW", 0)  # else sums as short as these are run for real
    monkeypatch.setattr(accumulate, "_AT_ONCE", 8)
    check_states(call)


@pytest.mark.parametrize(
    "call",
    [batch_norm_call(2, 9, 8), layer_norm_call(3, 70), im2col_call(2, 8, 3, 3), attention_call(3, 60, 3)],
    ids=lambda call: call.listing.__name__,
)
def test_long_sums_are_told_right_too(call):
    operation, happened = Operation(call), events(call)
    for offset in range(0, len(operation), 7):
        found = state(operation, offset).variables
        assert found == pytest.approx(happened[offset].variables, rel=1e-12, abs=1e-12), offset


def test_a_sum_on_the_way_is_pythons_to_the_last_bit():
    x = np.random.default_rng(0).normal(size=500) * 10.0 ** np.random.default_rng(1).integers(-9, 9, 500)
    call = listings.call(listings.running_sum, {"y": 500}, x=x, N=500)
    operation, total = Operation(call), 0.0
    for n in range(500):
        total += x[n]
        assert state(operation, operation.find(4, n=n)).variables["total"] == total


@each_of("call", ALL_CALLS[::3])
def test_arrays_may_lie_in_memory_in_any_order(call):
    turned = {name: np.asfortranarray(array) for name, array in call.writes.items()}
    given = {name: np.asfortranarray(v) if isinstance(v, np.ndarray) else v for name, v in call.given.items()}
    operation, same = Operation(call), Operation(replace(call, writes=turned, given=given))
    for offset in range(0, len(operation), max(1, len(operation) // 10)):
        for name, array in state(operation, offset).arrays.items():
            np.testing.assert_array_equal(state(same, offset).arrays[name], array)
            np.testing.assert_array_equal(
                state(same, offset).written(name), state(operation, offset).written(name)
            )


def test_arrays_that_are_only_read_are_all_written():
    operation = Operation(ALL_CALLS[0][1])
    assert state(operation, 0).written("x").all()


def test_state_through_the_program_is_that_of_its_operation():
    network = small_network()
    program = Program(network.calls(network.run(*sample(network))))
    index = program.find("conv1", o=1, i=2, j=1, u=1) + 4
    found = program.state(index)
    assert found.operation.name == "conv1"
    assert found.offset == index - program.start("conv1")
    # A cell's own subscripts, from the listing: w[o, c, u, v] * x[c, i + u, j + v].
    assert found.reads == (("w", (1, 0, 1, 1)), ("x", (0, 3, 2)))
    assert [loop.variable for loop in found.loops] == list("oijcuv")


def test_first_step_of_an_operation_holds_the_results_of_those_before_and_none_of_its_own():
    network = small_network()
    program = Program(network.calls(network.run(*sample(network))))
    found = program.state(program.start("pool1"))
    np.testing.assert_array_equal(found.arrays["x"], program.operation("relu1").call.writes["y"])
    assert not found.arrays["y"].any()
    assert not found.written("y").any()


def test_state_is_new_each_time_and_leaves_the_results_alone():
    operation = Operation(ALL_CALLS[0][1])
    before = {name: array.copy() for name, array in operation.call.writes.items()}
    first = state(operation, len(operation) - 1)
    first.arrays["y"][:] = 7
    second = state(operation, len(operation) - 1)
    assert not (second.arrays["y"] == 7).any()
    for name, array in operation.call.writes.items():
        np.testing.assert_array_equal(array, before[name])


def test_memory_stays_flat_over_many_steps():
    network = small_network()
    program = Program(network.calls(network.run(*sample(network))))
    for index in range(len(program)):
        program.state(index)  # whatever is made once is made now
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index in range(len(program)):
            program.state(index)
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()  # empties Python's own lists of objects to use again
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
    assert peak - before < 200_000


@each_call
def test_places_of_a_line_are_those_python_touches_and_nothing_is_changed(call):
    operation = Operation(call)
    for offset, event in list(enumerate(events(call)))[:: max(1, len(operation) // 50)]:
        if operation.header_at(offset):
            assert places(operation, event.line, {}, {}).writes == []
            continue
        scope = {**call.given, **event.arrays, **event.variables}
        before = {name: array.copy() for name, array in event.arrays.items()}
        log = places(operation, event.line, operation.variables_at(offset), scope)
        assert log.writes == event.touched.writes
        for name, array in event.arrays.items():
            np.testing.assert_array_equal(array, before[name])
