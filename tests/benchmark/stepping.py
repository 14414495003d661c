"""How long it takes to find a step anywhere in a program, and what Python holds there."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.engine.optim import Adam
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from tests.benchmark.network import digits
from tests.benchmark.timing import duration

MOST = 15e-6  # seconds to enter a program of 10¹⁰ steps
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
        start = perf_counter()
        for index in indices:
            act(program, index)
        times.append((perf_counter() - start) / STEPS)
    return median(times)


def main() -> None:
    """Print the table."""
    print(f"\n{'program':26}{'steps':>16}   {'at a random step':34}{'time':>9}")
    huge, small = of_ten_billion_steps(), of_digits()
    acts: list[tuple[str, Program, Callable[[Program, int], object]]] = [
        ("line and loop variables", huge, enter),
        ("next cell", huge, next_cell),
        ("previous cell", huge, previous_cell),
        ("line and loop variables", small, enter),
        ("next cell", small, next_cell),
        ("all that Python holds", small, Program.state),
    ]
    times = [each(program, act) for _, program, act in acts]
    for (what, program, _), taken in zip(acts, times, strict=True):
        name = "one large convolution" if program is huge else "digits, one iteration"
        print(f"{name:26}{len(program):16,}   {what:34}{duration(taken):>9}")
    verdict = "as meant" if times[0] <= MOST else "TOO SLOW"
    print(f"Entering the large one takes {duration(times[0])}; at most {duration(MOST)} is meant: {verdict}.")
