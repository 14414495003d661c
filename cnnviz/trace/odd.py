"""Where in a program the first number arises that is none: NaN or infinite."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from msgspec import Struct

from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program


class Odd(Struct, frozen=True):
    """A cell that is no number from some step on.

    Attributes
    ----------
    step : int
        The step that makes it so.
    operation : str
        The operation's name.
    array : str
        The array's name in its listing.
    index : tuple[int, ...]
        The cell.
    value : float
        NaN, ∞ or −∞.
    """

    step: int
    operation: str
    array: str
    index: tuple[int, ...]
    value: float


def first_odd(program: Program) -> Odd | None:
    """Return where the first number arises that is none, or None if all are numbers.

    What follows from such a number is none either, so whether there is one yet can be halved for.
    """
    for operation in program.operations:
        if all(np.isfinite(values).all() for values in operation.call.writes.values()):
            continue
        start = program.start(operation.name)
        steps = range(start, start + len(operation))
        with np.errstate(all="ignore"):  # what is looked for is no fault of ours
            first = bisect_left(steps, True, key=lambda step: _odd_at(program, operation, step) is not None)
            return _odd_at(program, operation, steps[first])
    return None


def _odd_at(program: Program, operation: Operation, step: int) -> Odd | None:
    """Return a cell that an operation has written by a step and that is no number, or None."""
    state = program.state(step)
    for array in operation.call.writes:
        values = state.value(array)
        places = np.argwhere(~np.isfinite(values) & state.written(array))
        if len(places):
            index = tuple(places[0].tolist())
            return Odd(step, operation.name, array, index, float(values[index]))
    return None
