"""What a number of the forward pass is made of, and what it reaches: through all layers at once.

Back goes the chain rule, by the layers' own maths, from the number in place of a loss. What a cell
contributes is its value times the gradient of the number to it. Where all between is piecewise linear, the
contributions of the inputs and of the biases together are the number, but for rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import gradient_name
from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise
from cnnviz.engine.network import Network, Node
from cnnviz.engine.placement import Index
from cnnviz.engine.tape import Tape

_NUDGE = 1e-5
"""How far the cells that move most are moved, in parts of their size, to see what moves with them."""

_ROUNDING = 4 * np.finfo(np.float64).eps
"""By so large a part of itself a sum may differ because it is added up in other portions."""


class Back(Struct, frozen=True, eq=False):
    """What a number is made of.

    Attributes
    ----------
    gradients : Mapping[str, Array]
        Its gradient to each array before it, by address, shaped as on the tape; itself is the first.
    added : Mapping[str, float]
        What each parameter contributes that is added and not multiplied with what goes in: the biases.
    """

    gradients: Mapping[str, Array]
    added: Mapping[str, float]

    @np.errstate(all="ignore")
    def contributions(self, tape: Tape, address: str) -> Array:
        """Return what each cell of an array contributes to the number."""
        made: Array = self.gradients[address] * tape[address]
        return made


@np.errstate(all="ignore")
def trace_back(network: Network, tape: Tape, address: str, place: Index) -> Back:
    """Return the gradient of a cell of a layer's output, or of an input, to all that comes before it."""
    seed = np.zeros(tape[address].shape)
    seed[place] = 1.0
    return trace_gradient(network, tape, address, seed)


@np.errstate(all="ignore")
def trace_gradient(network: Network, tape: Tape, address: str, gradient: Array) -> Back:
    """Return the gradient of a number to all that comes before an array, from its gradient to that array."""
    found = {address: _batched(tape, gradient)}
    added: dict[str, float] = {}
    for node in reversed(network.nodes):
        if node.output not in found:
            continue
        made = _gradients(network, tape, node, found[node.output])
        for name, source in zip(node.layer.input_names, node.inputs, strict=True):
            came = made[gradient_name(name)]
            found[source] = found[source] + came if source in found else came
        for name, key in node.parameters:
            if name in _ADDED and gradient_name(name) in made:
                added[key] = float(np.sum(made[gradient_name(name)] * network.parameters[key]))
    return Back({one: _own(tape, values) for one, values in found.items()}, added)


@np.errstate(all="ignore")
def trace_forward(network: Network, tape: Tape, address: str, place: Index) -> dict[str, Array]:
    """Return by how much each later cell changes for each 1 that a cell does, by address.

    The cell is one of a layer's output, of an input or of a parameter.
    """
    change = np.zeros(tape[address].shape)
    change[place] = 1.0
    found = {} if address in network.parameters else {address: _batched(tape, change)}
    for node in network.nodes:
        moves = {name: change for name, key in node.parameters if key == address}
        if moves or any(one in found for one in node.inputs):
            came = _gone_on(network, tape, node, [found.get(one) for one in node.inputs], moves)
            if came.any():
                found[node.output] = found[node.output] + came if node.output in found else came
    return {one: _own(tape, values) for one, values in found.items()} | {address: change}


def _gone_on(
    network: Network, tape: Tape, node: Node, came: Sequence[Array | None], moves: Mapping[str, Array]
) -> Array:
    """Return by how much a layer's output changes with its inputs, None of those that stay, and parameters.

    Where each cell of it is made of one alone, the layer says it going back, too. Any other is computed with
    all that changes moved a little up, and down; where several are largest, what has won goes on winning.
    """
    if isinstance(node.layer, Elementwise) and came[0] is not None:
        return _gradients(network, tape, node, came[0])[gradient_name(node.layer.input_names[0])]
    xs, own = [_of(tape, one) for one in node.inputs], _given(network, tape, node, forward=True)
    directions = [np.zeros(x.shape) if by is None else by for x, by in zip(xs, came, strict=True)]
    moving = [*zip(xs, directions, strict=True), *((own[name], by) for name, by in moves.items())]
    largest = max(float(np.abs(by).max(initial=0.0)) for _, by in moving)
    size = max(float(np.abs(x[by != 0]).max(initial=1e-3)) for x, by in moving)
    if not largest:
        return np.zeros(_of(tape, node.output).shape)
    part = _NUDGE * size / largest
    if "switch" in node.layer.auxiliary_names:  # which have won; what has lost is put a little lower
        won = _gradients(network, tape, node, np.ones(_of(tape, node.output).shape))
        xs = [np.where(won[gradient_name("x")] == 0, xs[0] - 4 * part * largest, xs[0])]

    def moved(by: float) -> Array:
        inputs = [x + by * direction for x, direction in zip(xs, directions, strict=True)]
        return node.layer.forward(
            *inputs, **{**own, **{name: own[name] + by * to for name, to in moves.items()}}
        )

    up, down = moved(part), moved(-part)
    made: Array = np.where(np.abs(up - down) > _ROUNDING * np.abs(up), (up - down) / (2 * part), 0.0)
    return made


def _gradients(network: Network, tape: Tape, node: Node, dy: Array) -> dict[str, Array]:
    """Return what comes back through a layer."""
    xs = [_of(tape, one) for one in node.inputs]
    return node.layer.backward(dy, *xs, y=_of(tape, node.output), **_given(network, tape, node))


_ADDED = ("b", "beta")
"""What layers call the parameters that they add."""


def _given(network: Network, tape: Tape, node: Node, forward: bool = False) -> dict[str, Array]:
    """Return the parameters of a layer, and what it has made or drawn besides its output."""
    given = {name: network.parameters[key].astype(np.float64) for name, key in node.parameters}
    names = node.layer.drawn_names if forward else tuple(name for name, _ in node.auxiliary)
    return given | {
        name: _of(tape, address, address in network.shared)
        for name, address in node.auxiliary
        if name in names and address in tape
    }


def _of(tape: Tape, address: str, shared: bool = False) -> Array:
    return tape[address] if shared else _batched(tape, tape[address])


def _batched(tape: Tape, values: NDArray[Any]) -> NDArray[Any]:
    """Return an array with its first axis counting samples, as layers take it."""
    return values if tape.samples else values[None]


def _own(tape: Tape, values: NDArray[Any]) -> NDArray[Any]:
    """Return an array as the tape has it."""
    return values if tape.samples else values[0]
