"""How long it takes to find a step anywhere in a program, and what Python holds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import process_time

import numpy as np

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.engine.optim import Adam
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from tests.benchmark.network import digits
from tests.benchmark.table import Row

ROUNDS, STEPS = 15, 1000


def of_digits() -> Program:
    """One iteration of the network that opens first."""
    network = digits()
    network.optimiser = Adam()
    network.initialise(0)
    rng = np.random.default_rng(0)
    return Program(network.calls(network.run(rng.random((1, 8, 8)), np.eye(10)[3])))


def of_ten_billion_steps() -> Program:
    """A convolution of VGG-16: 128 kernels over 128 maps of 112 × 112, eight pictures high."""
    sizes = {"C_out": 128, "H_out": 8 * 112, "W_out": 112, "C_in": 128, "K_h": 3, "K_w": 3, "S": 1}
    given = {"x": _of_shape(128, 8 * 112 + 2, 114), "w": _of_shape(128, 128, 3, 3), "b": _of_shape(128)}
    y = _of_shape(128, 8 * 112, 112)
    return Program([Call("conv", "conv", "forward", conv2d, given | sizes, {"y": y})])


def _of_shape(*shape: int) -> np.ndarray:
    """Return an array of zeros that takes no memory."""
    return np.broadcast_to(np.zeros(()), shape)


def enter(program: Program, index: int) -> None:
    step = program[index]
    step.line  # noqa: B018
    step.variables  # noqa: B018


def next_cell(program: Program, index: int) -> None:
    Cursor(program, index, Level.CELL).next()


def previous_cell(program: Program, index: int) -> None:
    Cursor(program, index, Level.CELL).previous()


def each(program: Program, act: Callable[[Program, int], object]) -> float:
    """Return the median over some rounds of the mean time at random steps, in seconds."""
    rng, times = np.random.default_rng(1), []
    for _ in range(ROUNDS):
        indices = rng.integers(len(program), size=STEPS).tolist()
        start = process_time()
        for index in indices:
            act(program, index)
        times.append((process_time() - start) / STEPS)
    return median(times)


def rows() -> Iterator[Row]:
    """Yield how long it takes to be at a random step."""
    huge, small = of_ten_billion_steps(), of_digits()
    acts: list[tuple[str, Program, Callable[[Program, int], object], float]] = [
        ("line and loop variables", huge, enter, 15),
        ("next cell", huge, next_cell, 100),
        ("previous cell", huge, previous_cell, 100),
        ("line and loop variables", small, enter, 15),
        ("all that Python holds", small, Program.state, 200),
    ]
    for what, program, act, wanted in acts:
        name = "a convolution of 4 · 10¹⁰ steps" if program is huge else "digits"
        yield Row(f"{name}, {what}", each(program, act) * 1e6, wanted, "µs")
