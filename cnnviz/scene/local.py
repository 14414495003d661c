"""Local derivatives: how a layer's output changes with one of its inputs, or with a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program


class Local(NamedTuple):
    """What a gradient is multiplied by on its way back through a layer.

    Attributes
    ----------
    sign : str
        What stands before it, as in `cnnviz.scene.chain.Factor`.
    values : Array
        Its numbers, in the shape in which they are multiplied from the left; empty where nothing is
        multiplied, or they are too many.
    note : str
        What these numbers are: ``W``, or ``O (1 − O)``.
    """

    sign: str
    values: Array
    note: str


FindLocal = Callable[[Program, Operation, Operation], Local]
"""What finds it: for the program, the layer's operation going forward, and that of the gradient."""

NONE: Array = np.zeros(0)


def array(operation: Operation, name: str) -> Array:
    """Return an array of an operation as it is when the operation is through, or a number it is given."""
    return np.asarray(operation.call.value(name))


def as_row(values: NDArray[Any]) -> NDArray[Any]:
    """Return one column of a network as the row that its gradient is in a product; maps as they are."""
    return values[None] if values.ndim == 1 else values


def letters_of(program: Program, forward: Operation) -> tuple[str, str, str]:
    """Return what a layer's input, weights and output are called in a note."""
    call = forward.call
    return (
        program.symbol(call.port(next(iter(call.given))).address) or "x",
        program.symbol(f"{forward.layer}.w") or "w",
        program.symbol(f"{forward.layer}.y") or "y",
    )


def ones(_: Program, forward: Operation, __: Operation) -> Local:
    """Return that of what is added: 1 everywhere."""
    return Local("·", as_row(np.ones_like(array(forward, "y"))), "1")
