"""The chain rule at work: the factors that a gradient is the product of, from the loss back to it.

In this order a gradient of a column is a row, and weights are turned over: (1 × 2) · (2 × 4) = 1 × 4. So the
factors have the shapes that NumPy multiplies from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import layer_of, output_of, split
from cnnviz.engine.layer import Array, Shape
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.arrays import gradient_to, over
from cnnviz.scene.letters import letter
from cnnviz.scene.local import Back, as_row
from cnnviz.scene.look import are_pixels
from cnnviz.scene.marks import Palette
from cnnviz.scene.numbers import brief
from cnnviz.scene.paths import Link, adds_gradients, is_gradient, own_link, way
from cnnviz.scene.registry import kind_of
from cnnviz.scene.view import Chosen
from cnnviz.text import tr
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.state import State


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


def has_chain(operation: Operation) -> bool:
    """Return whether an operation is one of a network's gradients: those of an expression have a graph."""
    is_gradient = any(operation.call.port(name).gradient_of for name in operation.call.writes)
    return operation.phase == "backward" and bool(operation.tree.arrays) and is_gradient


def chain(program: Program, operation: Operation, chosen: Chosen = (), array: str = "") -> tuple[Factor, ...]:
    """Return the factors of a gradient that an operation computes, from the loss on; its own is the last.

    The first operation going backward has none: it computes the first factor itself, where that is not given.
    Where gradients are added up, they are the parts of the sum; behind that, the factors are those on one of
    the paths.

    Parameters
    ----------
    chosen : Chosen, optional
        Of gradients that are added up, those that are followed.
    array : str
        Which of its gradients, where it computes several; if not said, the first.
    """
    if adds_gradients(operation):
        return _parts(program, operation)
    links = links_to(program, operation, chosen, array)
    return tuple(factor(program, links, k) for k in range(factor_count(links)))


def links_to(program: Program, operation: Operation, chosen: Chosen, array: str) -> tuple[Link, ...]:
    """Return the gradients on the path that is followed to one that an operation computes."""
    links = way(program, operation, chosen).links
    return (*links[:-1], Link(operation, array)) if array else links


def factor_count(links: Sequence[Link]) -> int:
    """Return how many factors there are on a path: none where its one gradient is what is computed."""
    return 0 if len(links) == 1 and not links[0].is_given else len(links)


def factor(program: Program, links: Sequence[Link], k: int) -> Factor:
    """Return one factor on a path: the loss's gradient, or what it is multiplied by on its way back."""
    taken, array = links[k]
    port = taken.call.port(array)
    if k == 0:
        values = as_row(_array(taken, array))
        name = over(port) + _output(program, port.gradient_of)
        return Factor("", name, values, values.shape, "", "gradient", taken.name, array)
    loss = next((other.loss for other in taken.call.ports.values() if other.loss), "")
    if loss:
        weight = float(taken.call.value("weight"))
        values, note = (
            np.full_like(as_row(_array(taken, array)), weight),
            tr("weight {weight}", weight=brief(weight)),
        )
        return Factor("·", f"∂E/∂{letter(loss)}", values, values.shape, note, "value", taken.name)
    forward = _forward_of(program, taken)
    sign, values, note = kind_of(taken.call).local(Back(program, forward, taken, array))
    above = _output(program, output_of(forward.layer))
    name = f"∂{above}/∂{_output(program, port.gradient_of)}" if values.size or sign != "→" else ""
    own = _multiplied(forward, taken, array)
    pixels = bool(own) and program.is_input(taken.call.port(own).node) and are_pixels(values)
    shape = values.shape if values.size else taken.call.own_shape(array) if sign == "→" else (0,)
    palette: Palette = "pixel" if pixels else "value"
    return Factor(sign, name, values, shape, note, palette, taken.name, own)


def _parts(program: Program, operation: Operation) -> tuple[Factor, ...]:
    """Return the gradients that an operation adds up, each as the operation that makes it has it."""
    found: list[Factor] = []
    for array in (name for name in operation.tree.parameters if is_gradient(operation, name)):
        port, values = operation.call.port(array), as_row(_array(operation, array))
        name, note = f"∂E/∂{_output(program, port.gradient_of)}", tr("from {layer}", layer=port.node)
        made, own = program.producer(port.address) or (operation, array)
        sign = "+" if found else ""
        found.append(Factor(sign, name, values, values.shape, note, "gradient", made.name, own))
    return tuple(found)


def result(program: Program, operation: Operation, array: str = "") -> Factor:
    """Return a gradient that an operation computes as the product of the factors of `chain`."""
    array = array or own_link(operation).array
    port = operation.call.port(array)
    name = over(port) + _output(program, port.gradient_of)
    values = as_row(operation.call.unpadded(array, operation.call.writes[array]))
    note = gradient_to(operation, array)
    return Factor("=", name, values, values.shape, note, "gradient", operation.name, array)


def in_hand(state: State) -> str:
    """Return the gradient that a step is about: what its line writes, or the first line in its loop."""
    operation = state.operation
    inside = walk(operation.path_to(state.line)[1])
    written = (node.target for node in inside if isinstance(node, Line) and node.index)
    found = next((name for name in written if name in operation.call.writes), None)
    return found or own_link(operation).array


def _multiplied(forward: Operation, gradient: Operation, array: str) -> str:
    """Return which array a gradient is multiplied by, if it is one that is given; else nothing."""
    call, arrays = gradient.call, gradient.tree.arrays
    of_parameter = forward.call.port(call.port(array).symbol).role == "parameter"
    wanted = "source" if of_parameter else "parameter"
    names = [name for name in call.given if name in arrays and not is_gradient(gradient, name)]
    return next((name for name in names if call.port(name).role == wanted), "")


def _forward_of(program: Program, gradient: Operation) -> Operation:
    """Return the operation that a layer goes forward with."""
    made = program.producer(output_of(gradient.layer))
    assert made is not None
    return made[0]


def _output(program: Program, address: str) -> str:
    """Return what an array is called: what the lesson says, else the layer or its parameter."""
    node, own = split(address)
    named = tr("input") if node == INPUT else layer_of(address) or letter(own)
    return program.symbol(address) or named


def _array(operation: Operation, name: str) -> Array:
    return np.asarray(operation.call.value(name))
