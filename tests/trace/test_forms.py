"""Gathered and scattered: the same numbers, and a place in the one found again in the other."""

from __future__ import annotations

import inspect
import re
from functools import cache

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.forms import counterpart, stops_in
from cnnviz.trace.program import Program
from tests.cases import assert_same

Both = tuple[Program, Program]


def both(conv: Conv2d, shape: tuple[int, int, int]) -> Both:
    """One iteration of a small net, with the input gradient gathered and scattered."""
    network = Network(
        [("conv", conv), ("relu", ReLU()), ("flatten", Flatten())], shape, HalfSquaredError(), SGD(0.1)
    )
    network.initialise(1)
    rng = np.random.default_rng(2)
    tape = network.run(rng.normal(size=shape), rng.normal(size=network.output_shape))
    return Program(network.calls(tape)), Program(network.calls(tape, "scattered"))


def drawn(seed: int) -> Both:
    rng = np.random.default_rng(seed)
    kernel, padding = rng.integers(1, 4, 2), int(rng.integers(0, 3))
    size = np.maximum(kernel - 2 * padding, 1) + rng.integers(0, 4, 2)
    channels, kernels = (int(k) for k in rng.integers(1, 3, 2))
    conv = Conv2d(channels, kernels, (int(kernel[0]), int(kernel[1])), int(rng.integers(1, 4)), padding)
    return both(conv, (channels, int(size[0]), int(size[1])))


CASES = {
    "plain": lambda: both(Conv2d(1, 2, 2), (1, 3, 3)),
    "padded": lambda: both(Conv2d(2, 1, 3, padding=1), (2, 3, 3)),
    "strided-oblong": lambda: both(Conv2d(2, 2, (3, 2), stride=2, padding=1), (2, 4, 3)),
    "apart": lambda: both(Conv2d(1, 2, 1, stride=3, padding=1), (1, 4, 5)),
    "strides-and-sides-that-differ": lambda: both(Conv2d(1, 2, 2, (2, 1), (0, 1, 2, 0)), (1, 4, 3)),
    "dilated": lambda: both(Conv2d(2, 1, (2, 3), 1, 1, 2), (2, 3, 4)),
    "dilated-strided": lambda: both(Conv2d(1, 1, 3, 3, 2, 2), (1, 5, 6)),
    "groups": lambda: both(Conv2d(4, 6, 2, padding=1, groups=2, bias=False), (4, 2, 3)),
    "depthwise": lambda: both(Conv2d(3, 3, 2, 2, 1, groups=3), (3, 3, 3)),
    "left-over": lambda: both(Conv2d(1, 1, 2, stride=3), (1, 4, 6)),
    **{f"drawn-{seed}": lambda seed=seed: drawn(seed) for seed in range(6)},
}


@pytest.fixture(params=CASES)
def forms(request) -> Both:
    return CASES[request.param]()


def test_both_views_end_in_the_same_numbers(forms):
    ends = []
    for program in forms:
        operation = program.operation("conv.dx")
        last = program.state(program.start("conv.dx") + len(operation) - 1)
        ends.append(operation.call.unpadded("dx", last.arrays["dx"]))
    assert_same(ends[1], ends[0], 1e-12)
    gathered, scattered = (
        {
            operation.call.port(name).address: operation.call.unpadded(name, array)
            for operation in program.operations
            for name, array in operation.call.writes.items()
        }
        for program in forms
    )
    assert gathered.keys() == scattered.keys()
    for name, array in gathered.items():
        assert_same(scattered[name], array, 1e-12)


def test_everything_but_the_input_gradient_is_the_same_step_of_the_same_operation(forms):
    for here, there in (forms, forms[::-1]):
        for step in here:
            other = there[counterpart(here, step.index, there)]
            assert other.operation.name == step.operation.name
            if not step.operation.call.form:
                assert other.offset == step.offset


def test_at_every_step_of_the_input_gradient_the_cell_in_work_stays_the_same(forms):
    scattered = forms[1].operation("conv.dx")
    for here, there in (forms, forms[::-1]):
        start = here.start("conv.dx")
        length = len(here.operation("conv.dx"))
        for offset in range(1, length - 1):
            step = here[start + offset]
            cell, other = cell_of(step), there[counterpart(here, step.index, there)]
            if not is_read(scattered, cell):
                continue
            assert cell_of(other) == cell, offset
            back = here[counterpart(there, other.index, here)]
            assert cell_of(back) == cell
            assert counterpart(here, back.index, there) == other.index, "there and back again stays"


def cell_of(step) -> tuple[int, int, int]:
    """The cell of ∂E/∂x that a step is about, without the padding."""
    at, call = step.variables, step.operation.call
    if call.form == "gathered":
        return at.get("c", 0), at.get("p", 0), at.get("q", 0)
    shape, (rows, columns) = call.own_shape("dx"), call.ports["dx"].placement.extent
    channel, row, column = eval(
        place_in(call.listing), {}, {**call.given, **dict.fromkeys("oijcuv", 0), **at}
    )
    return (
        channel,
        min(max(row - rows.start, 0), shape[-2] - 1),
        min(max(column - columns.start, 0), shape[-1] - 1),
    )


@cache
def place_in(listing) -> str:
    """The cell that a listing adds to, as it says it itself."""
    step = next(line for line in inspect.getsource(listing).split("\n") if "+=" in line).strip()
    return re.match(r"dx\[(.*)\] \+=", step)[1]


def is_read(scattered, cell) -> bool:
    """Whether any window holds the cell: not so between windows that lie apart, or at the end."""
    inside = np.argwhere(~scattered.call.ports["dx"].placement.zeros)
    index = cell[0], *(inside[0] + cell[1:]).tolist()
    return scattered.step_writing("dx", index) is not None


def test_a_gathered_cell_goes_with_the_first_addition_to_it(forms):
    gathered, scattered = forms
    operation = scattered.operation("conv.dx")
    (line,) = operation.writers("dx")
    inside = np.argwhere(~operation.call.ports["dx"].placement.zeros)
    for c, p, q in np.ndindex(*gathered.operation("conv.dx").call.writes["dx"].shape):
        if not is_read(operation, (c, p, q)):
            continue
        here = gathered.find("conv.dx", line=10, c=c, p=p, q=q)
        if here == len(gathered) - 1:
            continue
        found = counterpart(gathered, here, scattered)
        index = np.ravel_multi_index((c, *(inside[0] + (p, q))), operation.call.writes["dx"].shape)
        first = np.flatnonzero(operation.write_order(line) == index)[0]
        assert operation.runs_until(line, found - scattered.start("conv.dx")) == first + 1
        assert scattered.state(found).writes == (("dx", (c, *(inside[0] + (p, q)).tolist())),)


def test_first_and_last_steps_go_with_first_and_last(forms):
    for here, there in (forms, forms[::-1]):
        for offset in (0, -1):
            ends = [p.start("conv.dx") + offset % len(p.operation("conv.dx")) for p in (here, there)]
            assert counterpart(here, ends[0], there) == ends[1]


# ---------------------------------------------------------------------------------------------- stops


def test_stops_of_both_views_are_gone_through_in_order_both_ways():
    gathered, scattered = CASES["plain"]()
    start, end = gathered.start("conv.dx"), gathered.start("conv.w")
    stops = (
        Stop(3, "a", "", 3),
        Stop(start + 7, "b", "gathered", 7),
        Stop(start + 40, "c", "gathered", 40),
        Stop(end - 1, "d", "scattered", 5),
        Stop(end - 1, "e", "scattered", 30),
        Stop(end + 2, "f", "", 2),
    )
    moved = stops_in(stops, gathered, scattered)
    begin, after = scattered.start("conv.dx"), scattered.start("conv.w")
    assert [stop.index for stop in moved] == [3, begin, begin, begin + 5, begin + 30, after + 2]
    assert stops_in(moved, scattered, gathered) == stops

    for order, backwards in (("abcdef", False), ("fedcba", True)):
        program, placed = gathered, stops
        cursor, said = Cursor(program, len(program) - 1 if backwards else 0), ""
        while (number := cursor.stop_number(placed, backwards)) is not None:
            if not placed[number].shown_in(program):
                program = scattered if program is gathered else gathered
                placed = moved if program is scattered else stops
            cursor = Cursor(program, placed[number].index)
            said += placed[number].caption
            assert placed[number].shown_in(program)
        assert said == order


def test_at_the_end_of_a_view_the_stops_of_the_other_are_still_to_come_and_not_behind():
    gathered, _ = CASES["plain"]()
    start, end = gathered.start("conv.dx"), gathered.start("conv.w")
    stops = (Stop(start + 7, "a", "gathered", 7), Stop(end - 1, "b", "scattered", 5))
    cursor = Cursor(gathered, end - 1)
    assert cursor.stop_number(stops) == 1
    assert cursor.stop_number(stops, backwards=True) == 0
