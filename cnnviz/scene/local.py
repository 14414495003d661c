"""Local derivatives: how a layer's output changes with one of its inputs, or with a parameter."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.address import output_of
from cnnviz.engine.layer import Array
from cnnviz.scene.letters import letter
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache


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


class Back(NamedTuple):
    """One way back through a layer: from its output's gradient to that of an input or a parameter.

    Attributes
    ----------
    program : Program
        The whole iteration.
    forward : Operation
        The layer going forward.
    gradient : Operation
        What computes the gradient.
    array : str
        The gradient in its listing.
    """

    program: Program
    forward: Operation
    gradient: Operation
    array: str

    def value(self, name: str) -> Array:
        """Return an array of the layer as it is when it has gone forward, or a number it is given."""
        return np.asarray(self.forward.call.value(name))

    def called(self, name: str) -> str:
        """Return what an array of the layer is called: what the lesson says, else its letter."""
        port = self.forward.call.port(name)
        return self.program.symbol(port.address) or letter(port.symbol)


NONE: Array = np.zeros(0)

_MOST_STEPS = 20_000
"""So many steps of Python are run to find slopes: a hundredth of a second or two, once."""


def as_row(values: NDArray[Any]) -> NDArray[Any]:
    """Return one column of a network as the row that its gradient is in a product; maps as they are."""
    return values[None] if values.ndim == 1 else values


def ones(back: Back) -> Local:
    """Return that of what is added: 1 everywhere."""
    return Local("·", as_row(np.ones_like(back.value("y"))), "1")


def unknown(back: Back) -> Local:
    """Return that of a layer of which nothing is known but its listing; its numbers, if that tells them."""
    x, layer = letter(back.gradient.call.port(back.array).symbol), back.forward.call.kind
    note = tr("∂y/∂{x} of {layer}", x=x, layer=layer or back.forward.layer)
    return Local("·", as_row(_slopes(back.gradient, back.array)), note)


@program_cache(64)
def _slopes(gradient: Operation, array: str) -> Array:
    """Return what the gradient of an output is multiplied by, cell by cell, to make that of an input.

    The listing is run with other gradients: with ones it makes the slopes. Empty where its result is no such
    product, and where running it would take too long.
    """
    call = gradient.call
    coming = [
        name
        for name, value in call.given.items()
        if np.ndim(value) and call.port(name).gradient_of == output_of(call.layer)
    ]
    shape = call.writes[array].shape
    if len(coming) != 1 or np.shape(call.given[coming[0]]) != shape or len(gradient) > _MOST_STEPS:
        return NONE

    def run(dy: Array) -> Array:
        made = {name: call.initial(name) for name in call.writes}
        with np.errstate(all="ignore"):
            gradient.function(**{**call.given, **made, coming[0]: dy})
        return made[array]

    slopes, other = run(np.ones(shape)), np.random.default_rng(0).uniform(1, 2, shape)
    with np.errstate(all="ignore"):
        is_product = np.allclose(slopes * other, run(other), rtol=1e-9, atol=0, equal_nan=True)
    return slopes if is_product else NONE
