"""The whole iteration as one long list of steps, any of which is found by division and remainder."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import gradient_of, layer_of
from cnnviz.engine.layer import Call
from cnnviz.engine.placement import Index
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.flow import offsets_reading
from cnnviz.trace.operation import Operation, Signature, signature_of
from cnnviz.trace.state import State, state

if TYPE_CHECKING:
    from PIL.Image import Image

_NAMED = 12
"""How many operations a sentence names that are there."""


def notebook() -> Any:
    """Return the module that shows things in notebooks; by its name, since it leans on this one."""
    return import_module("cnnviz.export.notebook")


class Step(Struct, frozen=True):
    """One run of one line.

    Attributes
    ----------
    index : int
        Its number in the program, from 0.
    operation : Operation
        What is being computed.
    offset : int
        Its number in the operation, from 0.
    program : Program
        Whose step it is.
    """

    index: int
    operation: Operation
    offset: int
    program: Program

    def __repr__(self) -> str:
        return f"Step(index={self.index}, operation={self.operation!r}, offset={self.offset})"

    def image(self, size: tuple[int, int] = (1280, 720)) -> Image:
        """Return its picture; `save` writes it, and a notebook shows it.

        Parameters
        ----------
        size : tuple[int, int]
            Width and height in pixels.

        Raises
        ------
        CnnvizError
            If no picture can be made so large, or so small.
        """
        made: Image = notebook().image(self, size)
        return made

    def _repr_html_(self) -> str:
        return str(notebook().html_of_step(self))

    @property
    def line(self) -> int:
        """The line in the listing, from 1: the ``def`` line is 1."""
        return self.operation.line_at(self.offset)

    @property
    def variables(self) -> dict[str, int]:
        """The loop variables that Python holds just after this step."""
        return self.operation.variables_at(self.offset)


class Made(Struct, frozen=True):
    """A cell as the operation knows it that computes it.

    Attributes
    ----------
    operation : Operation
        The operation.
    array : str
        What its listing calls the array.
    index : tuple[int, ...]
        Where the cell lies in it.
    """

    operation: Operation
    array: str
    index: Index


class Reading(Struct, frozen=True, eq=False):
    """An operation that reads a cell.

    Attributes
    ----------
    operation : Operation
        The operation.
    array : str
        What its listing calls the array.
    index : tuple[int, ...]
        Where the cell lies in it.
    offsets : NDArray
        The operation's steps that read it, in order.
    """

    operation: Operation
    array: str
    index: Index
    offsets: NDArray[np.intp]


class Program(Sequence[Step]):
    """All steps of one iteration: forward, loss, backward, update.

    Parameters
    ----------
    calls : Sequence[Call]
        What is computed, in order; `Network.calls` makes them.
    symbols : Mapping[str, str], optional
        What a lesson calls arrays: the network's ``input``, the output of a layer by the layer's name, a
        parameter as in ``conv1.w``.
    iteration : int, optional
        Which iteration of a training it is, from 0.
    names : Mapping[str, tuple[str, ...]], optional
        What the cells of arrays are called, row by row, keyed as in a tape: ``conv.x``; a lesson may say it.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        symbols: Mapping[str, str] | None = None,
        names: Mapping[str, tuple[str, ...]] | None = None,
        iteration: int | None = None,
    ) -> None:
        self.symbols: Mapping[str, str] = symbols or {}
        self.names: Mapping[str, tuple[str, ...]] = names or {}
        self.iteration = iteration
        self.operations: tuple[Operation, ...] = tuple(Operation(call) for call in calls)
        if not self.operations:
            raise CnnvizError(tr("There is nothing to step: no operation was given."))
        self.starts: tuple[int, ...] = (0, *accumulate(len(operation) for operation in self.operations))
        self._number = {operation.name: k for k, operation in reversed(list(enumerate(self.operations)))}

    def _repr_html_(self) -> str:
        return str(notebook().html_of_program(self))

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: SupportsIndex) -> Step:  # type: ignore[override]
        i, count = index.__index__(), self.starts[-1]
        if i < 0:
            i += count
        if not 0 <= i < count:
            raise IndexError(
                tr("step {index} is out of range; the program has {count} steps", index=i, count=count)
            )
        k = self.number_at(i)
        return Step(i, self.operations[k], i - self.starts[k], self)

    def __iter__(self) -> Iterator[Step]:
        for start, operation in zip(self.starts, self.operations, strict=False):
            for offset in range(len(operation)):
                yield Step(start + offset, operation, offset, self)

    @cached_property
    def signature(self) -> Signature:
        """What it has in common with all programs that compute the same of other numbers."""
        own = (operation.signature for operation in self.operations)
        return signature_of(*own, *self.symbols.items(), *self.names.items())

    @cached_property
    def layers(self) -> list[str]:
        """The names of the layers in the order they compute."""
        forward = (operation.layer for operation in self.operations if operation.phase == "forward")
        return list(dict.fromkeys(forward))

    @cached_property
    def pass_ends(self) -> frozenset[str]:
        """The operations that the passes end with: forward, loss, backward, update."""
        passes = groupby(self.operations, key=lambda operation: operation.phase)
        return frozenset([*own][-1].name for _, own in passes)

    @cached_property
    def samples(self) -> int:
        """How many samples go through together; 0 where it is one alone."""
        batches = (operation.call.batch for operation in self.operations if operation.call.batch)
        return max((len(batch.calls) for batch in batches), default=0)

    def symbol(self, address: str) -> str:
        """Return what the lesson calls an array; empty if it does not say."""
        return self.symbols.get(layer_of(address) or address, "")

    @property
    def form(self) -> str:
        """In which form convolutions compute the input's gradient; empty if none does."""
        return next((operation.call.form for operation in self.operations if operation.call.form), "")

    def number_at(self, index: int) -> int:
        """Return which operation a step belongs to."""
        return bisect_right(self.starts, index) - 1

    def number(self, name: str) -> int:
        """Return which operation has this name.

        Raises
        ------
        CnnvizError
            If none has; the sentence has the nearest name, or the first ones where none is near.
        """
        if name not in self._number:
            near = get_close_matches(name, self._number, n=1)
            if near:
                raise CnnvizError(
                    tr("There is no operation {name}; did you mean {near}?", name=name, near=near[0])
                )
            known = ", ".join(operation.name for operation in self.operations[:_NAMED])
            if len(self.operations) > _NAMED:
                known += ", …"
            raise CnnvizError(tr("There is no operation {name}; there are {known}.", name=name, known=known))
        return self._number[name]

    def operation(self, name: str) -> Operation:
        """Return the operation of this name."""
        return self.operations[self.number(name)]

    def start(self, name: str) -> int:
        """Return the first step of an operation."""
        return self.starts[self.number(name)]

    def find(self, name: str, /, line: int | None = None, **variables: int) -> int:
        """Return the first step of an operation at which its loop variables have given values.

        ``find("conv1", i=2, j=3)`` is the step at which `j` becomes 3 in row 2 of the first map.
        """
        return self.start(name) + self.operation(name).find(line, **variables)

    def state(self, index: int) -> State:
        """Return what Python holds just after a step."""
        step = self[index]
        return state(step.operation, step.offset)

    def is_input(self, node: str) -> bool:
        """Return whether a name is that of something which goes into the network: ``input``, if it is one."""
        return node in self._inputs

    def is_output(self, address: str) -> bool:
        """Return whether an array is an output of the network: a layer makes it, and none reads it."""
        made = self.producer(address)
        readers = (operation for operation, _ in self.readers(address))
        return (
            made is not None
            and made[0].phase == "forward"
            and not any(one.phase == "forward" for one in readers)
        )

    @cached_property
    def _inputs(self) -> frozenset[str]:
        """Whatever is read like a layer's output, and made of none: given, or read from a picture."""
        ports = (operation.call.port(name) for operation in self.operations for name in operation.call.ports)
        outputs = {port.address for port in ports if port.role == "source" and not port.gradient_of}
        given = (address for address in outputs if not self._is_made_of_outputs(address))
        return frozenset(node for address in given if (node := layer_of(address)))

    def _is_made_of_outputs(self, address: str) -> bool:
        made = self.producer(address)
        ports = [made[0].call.port(name) for name in made[0].call.given] if made else []
        return any(port.role == "source" and layer_of(port.address) for port in ports)

    def producer(self, address: str) -> tuple[Operation, str] | None:
        """Return which operation makes an array, and what its listing calls it; None of what is given."""
        return self._producers.get(address)

    def readers(self, address: str) -> tuple[tuple[Operation, str], ...]:
        """Return the operations that read an array, in order, and what their listings call it."""
        return self._readers.get(address, ())

    def gradient(self, address: str) -> tuple[Operation, str] | None:
        """Return which operation makes the whole gradient of an array, and what its listing calls it."""
        return self.producer(gradient_of(address)) or self._gradients.get(address)

    def where_from(self, operation: Operation, array: str, index: Index) -> Made | None:
        """Return which operation computed a cell that another one is given, under which name and index.

        None for what comes from outside: the input, parameters, the target, zeros that were put in.
        """
        port, place = operation.call.port(array), operation.call.own_place(array, index)
        made = self.producer(port.before or port.address)
        if made is None or place is None or made[0] is operation:
            return None
        found = _moved(operation, array, place, *made)
        return None if found is None else Made(*made, found)

    def where_to(self, operation: Operation, array: str, index: Index) -> list[Reading]:
        """Return all operations that read a cell of an array that an operation is given or writes.

        Of what an update writes over, the old value is meant; the update itself reads it, and in some rules
        also the new one. What made the array may read it, too, as a norm reads its mean.
        """
        call, place = operation.call, operation.call.own_place(array, index)
        port = call.port(array)
        found = _reading(operation, array, index) if call.has(array) else []
        made = self.producer(port.before or port.address)
        for reader, name in (*([made] if made else []), *self.readers(port.before or port.address)):
            if (reader, name) != (operation, array) and place is not None:
                there = _moved(operation, array, place, reader, name)
                found += [] if there is None else _reading(reader, name, there)
        return sorted(found, key=lambda reading: self.number(reading.operation.name))

    @cached_property
    def _gradients(self) -> dict[str, tuple[Operation, str]]:
        """The first gradient that comes back to each array; where several do, there is also their sum."""
        return {
            operation.call.port(name).gradient_of: (operation, name)
            for operation in reversed(self.operations)
            for name in operation.call.writes
            if operation.call.port(name).gradient_of and not operation.call.port(name).loss
        }

    @cached_property
    def _producers(self) -> dict[str, tuple[Operation, str]]:
        return {
            operation.call.port(name).address: (operation, name)
            for operation in self.operations
            for name in operation.call.writes
        }

    @cached_property
    def _readers(self) -> dict[str, tuple[tuple[Operation, str], ...]]:
        found: dict[str, tuple[tuple[Operation, str], ...]] = {}
        for operation in self.operations:
            call = operation.call
            for name in operation.tree.parameters:
                if name in operation.tree.arrays and (name in call.given or name in call.before):
                    port = call.port(name)
                    address = port.before or port.address
                    found[address] = (*found.get(address, ()), (operation, name))
        return found


def _reading(reader: Operation, array: str, index: Index) -> list[Reading]:
    offsets = offsets_reading(reader, array, index)
    return [Reading(reader, array, index, offsets)] if len(offsets) else []


def _moved(one: Operation, array: str, place: Index, other: Operation, name: str) -> Index | None:
    """Return where a cell lies that two operations know, given its place without any zeros put in.

    An update sees parameters of any shape as one row.
    """
    shape, there = one.call.own_shape(array), other.call.own_shape(name)
    if shape != there:
        place = tuple(int(k) for k in np.unravel_index(np.ravel_multi_index(place, shape), there))
    placement = other.call.placement(name)
    return place if placement is None else placement.target(place)
