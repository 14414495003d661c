"""The chain rule at work: the factors that a gradient is the product of, from the loss back to it.

In this order a gradient of a column is a row, and weights are turned over: (1 × 2) · (2 × 4) = 1 × 4. So the
factors have the shapes that NumPy multiplies from left to right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Shape
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.marks import Palette
from cnnviz.scene.moment import are_pixels
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program


class Factor(Struct, frozen=True, eq=False):
    """One factor of a gradient, or their product.

    Attributes
    ----------
    sign : str
        What stands before it: ``+`` for what is added up, ``·`` for numbers that are multiplied cell by cell
        or as matrices, ``⊗`` for a row and a column that make a table, ``∗`` for sliding over each other,
        ``→`` where numbers change places, or go where a window says.
    name : str
        ``∂E/∂O`` or ``∂O/∂Z₂``.
    values : Array
        The numbers of a local derivative that can be told so: the slopes of an activation, the weights that
        an input is multiplied by, the input that a weight is multiplied by, where a maximum came from. Empty
        where nothing is multiplied, or nothing is known of the layer.
    shape : Shape
        Its shape.
    note : str
        What these numbers are: ``W``, or ``O (1 − O)``.
    palette : Palette
        Gradients of the loss have colours of their own.
    operation : str
        The operation that takes it into the product.
    array : str
        Which of that operation's arrays its numbers are; empty where they are computed from them.
    """

    sign: str
    name: str
    values: Array
    shape: Shape
    note: str
    palette: Palette
    operation: str
    array: str = ""


# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024

# The numbers of a local derivative, what stands before them, and what they are.
Local = tuple[str, Array, str]


def has_chain(operation: Operation) -> bool:
    """Return whether an operation is one of a network's gradients: those of an expression have a graph."""
    return operation.phase == "backward" and bool(operation.tree.arrays)


def chain(program: Program, operation: Operation) -> tuple[Factor, ...]:
    """Return the factors of the gradient that an operation computes, from the loss on; its own is the last.

    The first operation going backward has none: it computes the first factor itself, where that is not given.
    Where gradients are added up, they are the parts of a sum; what is behind that begins with the sum.
    """
    way = _way_from_loss(program, operation)
    first, array = way[0]
    if _adds_gradients(*way[-1]):
        return _parts(program, operation)
    if operation is first and array in first.call.writes:
        return ()
    port, values = first.call.port(array), as_row(_array(first, array))
    name = f"∂E/∂{_output(program, port.gradient_of)}"
    factors = [Factor("", name, values, values.shape, "", "gradient", first.name, array)]
    for taken, array in way[1:]:
        forward, port = _forward_of(program, taken), taken.call.port(array)
        sign, values, note = _local(program, forward, taken, array)
        above = _output(program, f"{forward.layer}.y")
        name = f"∂{above}/∂{_output(program, port.gradient_of)}" if values.size or sign != "→" else ""
        own = _multiplied(forward, taken, array)
        pixels = bool(own) and taken.call.port(own).node == INPUT and are_pixels(values)
        shape = values.shape if values.size else taken.call.own_shape(array) if sign == "→" else (0,)
        palette: Palette = "pixel" if pixels else "value"
        factors.append(Factor(sign, name, values, shape, note, palette, taken.name, own))
    return tuple(factors)


def _parts(program: Program, operation: Operation) -> tuple[Factor, ...]:
    """Return the gradients that an operation adds up."""
    found: list[Factor] = []
    for array in (name for name in operation.tree.parameters if _is_gradient(operation, name)):
        port, values = operation.call.port(array), as_row(_array(operation, array))
        name, note = f"∂E/∂{_output(program, port.gradient_of)}", tr("from {layer}", layer=port.node)
        sign = "+" if found else ""
        found.append(Factor(sign, name, values, values.shape, note, "gradient", operation.name, array))
    return tuple(found)


def as_row(values: NDArray[Any]) -> NDArray[Any]:
    """Return one column of a network as the row that its gradient is in a product; maps as they are."""
    return values[None] if values.ndim == 1 else values


def result(program: Program, operation: Operation) -> tuple[str, str]:
    """Return the name of the gradient that an operation computes, ``∂E/∂f``, and its array."""
    array = next(iter(operation.call.writes))
    return f"∂E/∂{_output(program, operation.call.port(array).gradient_of)}", array


def _way_from_loss(program: Program, operation: Operation) -> list[tuple[Operation, str]]:
    """Return the operations that take a gradient from the loss to one of them, with the array they make.

    The first is the one that makes a gradient without reading any, the one that adds up several, or, with the
    array that it reads, the one that is given its first.
    """
    way = [(operation, next(iter(operation.call.writes)))]
    while not _adds_gradients(*way[-1]):
        taken = way[-1][0]
        read = next((name for name in taken.tree.parameters if _is_gradient(taken, name)), None)
        if read is None:
            break
        made = program.producer(taken.call.port(read).address)
        if made is None:
            way.append((taken, read))
            break
        way.append(made)
    return way[::-1]


def _multiplied(forward: Operation, gradient: Operation, array: str) -> str:
    """Return which array a gradient is multiplied by, if it is one that is given; else nothing."""
    call, arrays = gradient.call, gradient.tree.arrays
    of_parameter = forward.call.port(call.port(array).symbol).role == "parameter"
    wanted = "source" if of_parameter else "parameter"
    names = [name for name in call.given if name in arrays and not _is_gradient(gradient, name)]
    return next((name for name in names if call.port(name).role == wanted), "")


def _is_gradient(operation: Operation, name: str) -> bool:
    call = operation.call
    return name in operation.tree.arrays and name in call.given and bool(call.port(name).gradient_of)


def _adds_gradients(operation: Operation, array: str) -> bool:
    """Return whether all that an operation does is to add up gradients of one output."""
    ports = operation.call.ports
    of = {port.gradient_of for name, port in ports.items() if name in operation.tree.arrays}
    return array in operation.call.writes and len(of) == 1 and len(ports) > 1


def _forward_of(program: Program, gradient: Operation) -> Operation:
    """Return the operation that a layer goes forward with."""
    return next(
        other for other in program.operations if other.layer == gradient.layer and other.phase == "forward"
    )


def _output(program: Program, address: str) -> str:
    """Return what an array is called: what the lesson says, else the layer or its parameter."""
    node, _, own = address.partition(".")
    named = tr("input") if node == INPUT else node if own == "y" else own
    return program.symbol(address) or named


def _local(program: Program, forward: Operation, gradient: Operation, array: str) -> Local:
    """Return the local derivative of a layer with respect to its input or one of its parameters."""
    kind = forward.tree.name.removesuffix("_column")
    if (kind, array) in _LOCALS:
        return _LOCALS[kind, array](program, forward, gradient)
    if kind in _OF_EVERY_INPUT:
        return _OF_EVERY_INPUT[kind](program, forward, gradient)
    return "·", np.zeros(0), ""  # of a kind that is not known here: only its name and the sign


def _array(operation: Operation, name: str) -> Array:
    call = operation.call
    return np.asarray(call.writes[name] if name in call.writes else call.given[name])


def _symbols(program: Program, forward: Operation) -> tuple[str, str, str]:
    """Return what a layer's input, weights and output are called in a note."""
    call = forward.call
    return (
        program.symbol(call.port(next(iter(call.given))).address) or "x",
        program.symbol(f"{forward.layer}.w") or "w",
        program.symbol(f"{forward.layer}.y") or "y",
    )


def _sigmoid(program: Program, forward: Operation, _: Operation) -> Local:
    y, name = _array(forward, "y"), _symbols(program, forward)[2]
    return "·", as_row(y * (1 - y)), f"{name} (1 − {name})"


def _tanh(program: Program, forward: Operation, _: Operation) -> Local:
    y, name = _array(forward, "y"), _symbols(program, forward)[2]
    return "·", as_row(1 - y * y), f"1 − {name}²"


def _relu(_: Program, forward: Operation, __: Operation) -> Local:
    return "·", as_row((_array(forward, "x") > 0).astype(float)), tr("1 or 0")


def _leaky_relu(_: Program, forward: Operation, __: Operation) -> Local:
    slopes = np.where(_array(forward, "x") > 0, 1.0, _array(forward, "alpha"))
    return "·", as_row(slopes), tr("1 or α")


def _softmax(program: Program, forward: Operation, _: Operation) -> Local:
    y = _array(forward, "y")
    if y.size > _LARGEST_MATRIX:
        return "·", np.zeros(0), tr("matrix {size} × {size}", size=y.size)
    return "·", np.diag(y) - np.outer(y, y), tr("matrix")


def _weights(program: Program, forward: Operation, _: Operation) -> Local:
    return "·", _array(forward, "w").T, f"{_symbols(program, forward)[1]}ᵀ"


def _column(program: Program, forward: Operation, _: Operation) -> Local:
    return "⊗", _array(forward, "x")[:, None], _symbols(program, forward)[0]


def _ones(_: Program, forward: Operation, __: Operation) -> Local:
    return "·", as_row(np.ones_like(_array(forward, "y"))), "1"


def _ones_added_up(_: Program, forward: Operation, __: Operation) -> Local:
    return "·", np.ones_like(_array(forward, "y")), tr("1, added up")


def _kernels(program: Program, forward: Operation, gradient: Operation) -> Local:
    w, name = _array(forward, "w"), _symbols(program, forward)[1]
    if gradient.call.view == "scattered":
        return "∗", w, tr("{name}, scattered", name=name)
    return "∗", w[:, :, ::-1, ::-1], tr("{name}, turned", name=name)


def _maps(program: Program, forward: Operation, _: Operation) -> Local:
    return "∗", _array(forward, "x"), _symbols(program, forward)[0]


def _windows(forward: Operation, share: Callable[[int], Array | float]) -> Array:
    """Return an array of the input's shape into which each window has put its share of each of its cells."""
    x, y, sizes = _array(forward, "x"), _array(forward, "y"), forward.sizes
    down, right = (int(_array(forward, name)) for name in ("S_h", "S_w"))
    made = np.zeros(x.shape)
    for u in range(sizes["K_h"]):
        for v in range(sizes["K_w"]):
            cells = made[:, u : u + down * y.shape[1] : down, v : v + right * y.shape[2] : right]
            np.maximum(cells, share(u * sizes["K_w"] + v), out=cells)
    return made


def _max_pool2d(_: Program, forward: Operation, __: Operation) -> Local:
    switch = _array(forward, "switch")
    return "→", _windows(forward, lambda k: (switch == k).astype(float)), tr("1 at the winners")


def _avg_pool2d(_: Program, forward: Operation, __: Operation) -> Local:
    count = forward.sizes["K_h"] * forward.sizes["K_w"]
    return "→", _windows(forward, lambda _: 1 / count), f"1 / {count}"


def _flatten(_: Program, __: Operation, ___: Operation) -> Local:
    return "→", np.zeros(0), tr("as maps")


def _own_maps(_: Program, __: Operation, ___: Operation) -> Local:
    return "→", np.zeros(0), tr("its own maps")


# Of layers that treat all their inputs alike.
_OF_EVERY_INPUT: Mapping[str, Callable[[Program, Operation, Operation], Local]] = {
    "add": _ones,
    "concat": _own_maps,
}

_LOCALS: Mapping[tuple[str, str], Callable[[Program, Operation, Operation], Local]] = {
    ("sigmoid", "dx"): _sigmoid,
    ("tanh", "dx"): _tanh,
    ("relu", "dx"): _relu,
    ("leaky_relu", "dx"): _leaky_relu,
    ("softmax", "dx"): _softmax,
    ("linear", "dx"): _weights,
    ("linear", "dw"): _column,
    ("linear", "db"): _ones,
    ("conv2d", "dx"): _kernels,
    ("conv2d", "dw"): _maps,
    ("conv2d", "db"): _ones_added_up,
    ("max_pool2d", "dx"): _max_pool2d,
    ("avg_pool2d", "dx"): _avg_pool2d,
    ("flatten", "dx"): _flatten,
}
