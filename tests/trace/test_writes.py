"""What is added to a cell, against a listing that is run and watched."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from cnnviz.trace.writes import accumulates, additions, offsets_writing
from tests.cases import ALL_CALLS, each_call, each_of

each_adding = each_of("call", [(label, call) for label, call in ALL_CALLS if call.linear is not None])


@each_call
def test_the_steps_that_write_a_cell_are_those_of_the_write_order(call):
    operation = Operation(call)
    for name, array in call.writes.items():
        if name not in operation.tree.arrays:
            continue
        for flat in {0, array.size // 2, array.size - 1}:
            index = tuple(int(k) for k in np.unravel_index(flat, array.shape))
            wanted = []
            for line in operation.writers(name):
                loops, _ = operation.path_to(line.number)
                runs = np.flatnonzero(operation.write_order(line) == flat)
                counts = [loop.count for loop in loops]
                wanted += [
                    operation.offset_of(
                        loops, line, [int(k) for k in np.unravel_index(run, counts)] if loops else []
                    )
                    for run in runs
                ]
            assert offsets_writing(operation, name, index).tolist() == sorted(wanted)


@each_adding
def test_what_is_added_to_a_cell_makes_its_value_at_every_step(call):
    operation = Operation(call)
    (name,) = call.writes
    array = call.writes[name]
    for flat in range(0, array.size, max(1, array.size // 5)):
        index = tuple(int(k) for k in np.unravel_index(flat, array.shape))
        offsets = offsets_writing(operation, name, index)
        made = additions(operation, name, offsets.tolist())
        assert sum(addition.value for addition in made) == pytest.approx(array[index], abs=1e-12)
        for offset in np.linspace(0, len(operation) - 1, 6).astype(int).tolist():
            so_far = sum(addition.value for addition in made if addition.offset <= offset)
            assert state(operation, offset).arrays[name][index] == pytest.approx(so_far, abs=1e-12)


def test_only_listings_that_add_to_their_cells_accumulate():
    adding = {
        call.listing.__name__
        for _, call in ALL_CALLS
        if accumulates(Operation(call), next(iter(call.writes)))
    }
    assert adding == {
        "conv1d_dx_scatter",
        "conv2d_dx_scatter",
        "max_pool1d_dx",
        "max_pool2d_dx",
        "avg_pool1d_dx",
        "avg_pool2d_dx",
        "adaptive_avg_pool2d_dx",
        "upsample_nearest_size_dx",
    }


def test_a_cell_among_many_steps_is_found_without_going_through_them():
    def of_shape(*shape):
        return np.broadcast_to(np.zeros(()), shape)

    given = {"x": of_shape(512, 226, 226), "w": of_shape(512, 512, 3, 3), "b": of_shape(512)}
    sizes = {"C_out": 512, "H_out": 224, "W_out": 224, "C_in": 512, "K_h": 3, "K_w": 3, "S": 1}
    huge = Operation(Call("conv", "conv", "forward", conv2d, given | sizes, {"y": of_shape(512, 224, 224)}))
    (offset,) = offsets_writing(huge, "y", (500, 3, 200)).tolist()
    assert huge.variables_at(offset) == {"o": 500, "i": 3, "j": 200, "c": 511, "u": 2, "v": 2}
    assert huge.line_at(offset) == 10
