"""What the rows of the network pane stand for: values and gradients, who makes them, and how far that is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from cnnviz.engine.address import address_of, layer_of, output_gradient_of, output_of
from cnnviz.engine.layer import Array, Shape
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.looptree import Line
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import lasting_cache, program_cache


class Source(NamedTuple):
    """An array that is shown of a row; it may not be computed yet.

    Attributes
    ----------
    operation : Operation or None
        The operation that writes it; none of what is given.
    holder : Operation
        One that has it: that one, or one that reads it.
    name : str
        What that calls it.
    """

    operation: Operation | None
    holder: Operation
    name: str

    @property
    def values(self) -> Array:
        """Its numbers."""
        call = self.holder.call
        return call.unpadded(self.name, np.asarray(call.value(self.name)))

    @property
    def shape(self) -> Shape:
        """Its shape, which is known before it is computed."""
        return self.holder.call.own_shape(self.name)


Known = Literal["done", "now", "later"]
"""Whether an array is there, is being computed, or is not yet begun."""


class Arrays(NamedTuple):
    """What a row stands for.

    Attributes
    ----------
    values, gradient : Source or None
        Its numbers, and the whole gradient of them.
    parts : tuple[Source, ...]
        The gradients of which that is the sum, where several come back.
    """

    values: Source | None
    gradient: Source | None
    parts: tuple[Source, ...] = ()


@program_cache(8)
def _expression(program: Program) -> Operation | None:
    """Return what computes a typed expression, which has variables and no arrays; None of all else."""
    return next((one for one in program.operations if one.call.expression and not one.tree.arrays), None)


@lasting_cache(8)
def variables(program: Program) -> tuple[str, ...]:
    """Return what goes into and comes out of a program that has no arrays; nothing for a network."""
    expression = _expression(program)
    return () if expression is None else (*expression.call.given, *expression.call.writes)


@lasting_cache(8)
def descends(program: Program) -> bool:
    """Return whether a program walks down curves; its rows are the descents."""
    return any(operation.phase == "descent" for operation in program.operations)


@lasting_cache(8)
def reads_pictures(program: Program) -> bool:
    """Return whether a program does nothing but read pictures, into which nothing goes."""
    return all(operation.call.kind == "read_pixels" for operation in program.operations)


@lasting_cache(8)
def names_of(program: Program) -> tuple[str, ...]:
    """Return the names of the rows, top to bottom: layers, or the variables of an expression."""
    if variables(program):
        return variables(program)
    if descends(program):
        return tuple(operation.name for operation in program.operations)
    given: dict[str, list[str]] = {}  # to all listings of a layer, the first of which may read nothing
    for operation in program.operations:
        if operation.phase in ("forward", "loss"):
            given.setdefault(operation.layer, []).extend(_given_to(program, operation))
    return tuple(dict.fromkeys(name for layer, names in given.items() for name in (*names, layer)))


def _given_to(program: Program, operation: Operation) -> list[str]:
    """Return what goes into the network and is read by an operation."""
    if operation.phase != "forward" or reads_pictures(program):
        return []
    call = operation.call
    ports = (call.port(name) for name in operation.tree.parameters if name in call.given)
    return [
        port.node
        for port in ports
        if port.role == "source" and layer_of(port.address) and program.producer(port.address) is None
    ]


def row_at_work(moment: Moment) -> str:
    """Return the row of what is computed: a layer's, or a variable's whose value or gradient it is."""
    rows, node = variables(moment.program), moment.node
    if not rows or not isinstance(node, Line):
        return moment.operation.layer
    port = moment.operation.call.ports.get(node.target)
    return node.target if port is None else port.symbol


@program_cache(4096)
def arrays_of(program: Program, name: str) -> Arrays:
    """Return what a row stands for and the gradient of it; a variable is an array of shape ()."""
    expression = _expression(program)
    if expression is not None:
        own = Source(None if name in expression.call.given else expression, expression, name)
        return Arrays(own, _gradient_of(program, address_of(expression.layer, name)))
    if descends(program):
        operation = program.operation(name)
        return Arrays(_written(operation, "w"), _written(operation, "dw"))
    made = _result_of(program, name)
    if made and made[0].phase == "loss":
        return Arrays(_written(*made), None)
    values = _written(*made) if made else _given(program, output_of(name))
    gradient = _gradient_of(program, output_of(name)) or _given(program, output_gradient_of(name))
    return Arrays(values, gradient, _parts(program, gradient))


def is_loss(program: Program, name: str) -> bool:
    """Return whether a row is a loss: one number."""
    made = _result_of(program, name)
    return made is not None and made[0].phase == "loss"


def _result_of(program: Program, name: str) -> tuple[Operation, str] | None:
    """Return the operation that a layer goes forward with, or that computes a loss, and its result."""
    return program.producer(output_of(name)) or _results(program).get(name)


@program_cache(8)
def _results(program: Program) -> Mapping[str, tuple[Operation, str]]:
    return {
        operation.layer: (operation, own)
        for operation in program.operations
        if operation.phase in ("forward", "loss")
        for own in operation.call.writes
        if operation.call.port(own).role == "result"
    }


def _written(operation: Operation, name: str) -> Source:
    return Source(operation, operation, name)


def _gradient_of(program: Program, address: str) -> Source | None:
    """Return the whole gradient of an array: where several come back, their sum."""
    made = program.gradient(address)
    return _written(*made) if made else None


def _given(program: Program, address: str) -> Source | None:
    """Return an array that no operation makes."""
    read = next(iter(program.readers(address)), None)
    return None if read is None else Source(None, *read)


def _parts(program: Program, gradient: Source | None) -> tuple[Source, ...]:
    """Return the gradients that are added up to one."""
    if gradient is None or gradient.operation is None:
        return ()
    call = gradient.operation.call
    of = call.port(gradient.name).gradient_of
    ports = [call.port(own) for own in gradient.operation.tree.parameters if own in call.given]
    added = [port.address for port in ports if port.gradient_of == of and of]
    made = [program.producer(address) for address in added]
    return tuple(_written(*one) for one in made if one) if len(added) > 1 else ()


def known(program: Program, source: Source, now: int) -> Known:
    """Return how far an array is computed while the operation with a number is at work."""
    if source.operation is None:
        return "done"
    number = program.number(source.operation.name)
    return "done" if number < now else "now" if number == now else "later"


class Progress(NamedTuple):
    """How many operations of some rows are done, of how many, forwards and backwards."""

    forward: int
    of_forward: int
    backward: int
    of_backward: int


def progress(program: Program, names: tuple[str, ...], now: int) -> Progress:
    """Return how far the operations of some layers are done before that of a number begins."""
    forward, backward = _numbers(program, names)
    return Progress(bisect_left(forward, now), len(forward), bisect_left(backward, now), len(backward))


@lasting_cache(1024)
def _numbers(program: Program, names: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Return the numbers of the operations of some layers, those forward and those back."""
    of = _by_layer(program)
    found = sorted(k for name in names for k in of.get(name, ()))
    operations = program.operations
    return (
        [k for k in found if operations[k].phase == "forward"],
        [k for k in found if operations[k].phase == "backward"],
    )


@lasting_cache(8)
def _by_layer(program: Program) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for k, operation in enumerate(program.operations):
        found.setdefault(operation.layer, []).append(k)
    return found


def assigned(values: Source) -> str:
    """Return what a listing assigns to a variable: the right-hand side of its line."""
    operation = values.operation
    if operation is None:
        return tr("input")
    line = operation.writers(values.name)[0].number
    return operation.tree.source[line - 1].partition(" = ")[2]


def said(name: str) -> str:
    """Return what a row is called."""
    return tr(name) if name in (INPUT, "loss") else name
