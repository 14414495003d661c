"""Where in a program the first NaN or infinity arises."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from msgspec import Struct

from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program


class NonFinite(Struct, frozen=True):
    """A cell that is NaN or infinite from some step on.

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


def first_nonfinite(program: Program, last: int | None = None) -> NonFinite | None:
    """Return where the first NaN or infinity arises, or None if all numbers are finite.

    What has been written stays, so whether there is one yet can be halved for.

    Parameters
    ----------
    last : int, optional
        The number of the last operation that is looked at: what comes later may not be computed yet.
    """
    for operation in program.operations[: None if last is None else last + 1]:
        if _is_finite(operation):
            continue
        start = program.start(operation.name)
        steps = range(start, start + len(operation))
        with np.errstate(all="ignore"):  # what is looked for is no fault of ours
            first = bisect_left(
                steps, True, key=lambda step: _nonfinite_at(program, operation, step) is not None
            )
            return _nonfinite_at(program, operation, steps[first])
    return None


def _is_finite(operation: Operation) -> bool:
    if _is_finite not in operation.cache:
        written = operation.call.writes.values()
        operation.cache[_is_finite] = all(np.isfinite(values).all() for values in written)
    found: bool = operation.cache[_is_finite]
    return found


def _nonfinite_at(program: Program, operation: Operation, step: int) -> NonFinite | None:
    """Return a cell that an operation has written by a step and that is not finite, or None."""
    state = program.state(step)
    for array in operation.call.writes:
        values = state.value(array)
        places = np.argwhere(~np.isfinite(values) & state.written(array))
        if len(places):
            index = tuple(places[0].tolist())
            return NonFinite(step, operation.name, array, index, float(values[index]))
    return None
