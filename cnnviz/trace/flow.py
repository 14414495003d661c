"""How numbers flow: which cells a cell is computed from, which steps read it, and which operation made it.

Between cells stand scalars, ``acc`` or ``total``: what they were made of counts as read for the cell that
they end in. All of it follows from the listings' text and sizes, without running them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.additions import runs_touching
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operands import anatomy, window
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

Index = tuple[int, ...]
Found = dict[str, list[NDArray[np.intp]]]


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


# -------------------------------------------------------------------------------------- in one operation


def sources(operation: Operation, offset: int) -> dict[str, NDArray[np.intp]]:
    """Return the cells that are read for the cell written at a step: by array, indices (n, ndim)."""
    line = operation.locate(offset)[1]
    assert isinstance(line, Line)
    found: Found = {}
    at = {loop.variable: k for loop, k in operation.iterations_at(offset).items()}
    _read_for(operation, line, at, found, set())
    return _each_once(operation, found)


def _read_for(
    operation: Operation,
    line: Line,
    at: Mapping[str, int],
    found: Found,
    seen: set[tuple[Line, tuple[int, ...]]],
) -> None:
    """Find what a line reads at some iterations of the loops around it, and what its scalars were made of."""
    key = line, tuple(at.values())
    if key in seen:
        return
    seen.add(key)
    for name, cells in window(operation, line.number, at).items():
        found.setdefault(name, []).append(cells)
    around = [loop.variable for loop in operation.path_to(line.number)[0]]
    for other in _lines(operation):
        if other.index or other.target not in line.uses:
            continue
        shared = _shared(operation, line, other)
        _read_for(operation, other, {name: at[name] for name in around[:shared] if name in at}, found, seen)


def offsets_reading(operation: Operation, array: str, index: Index) -> NDArray[np.intp]:
    """Return the steps of an operation that read a cell of one of its arrays, or a variable, in order.

    What a line adds to, ``dx[…] += …``, it does not count as reading.
    """
    offsets = [operation.offsets_of(line, runs) for line, runs in _runs_reading(operation, array, index)]
    return np.unique(np.concatenate([np.zeros(0, np.intp), *offsets]))


def names_read(operation: Operation, line: Line) -> list[str]:
    """Return the names of a line that it really reads, of a listing without loops."""
    parts = anatomy(operation.tree, line.number)
    assert parts is not None
    scope = {**operation.call.given, **operation.call.writes}
    return [operand.name for operand in parts.operands if operand.is_read(scope).all()]


def targets(operation: Operation, array: str, index: Index) -> dict[str, NDArray[np.intp]]:
    """Return the cells that an operation computes from a cell: by array, indices (n, ndim)."""
    found: Found = {}
    for line, runs in _runs_reading(operation, array, index):
        _written_from(operation, line, runs, found, set())
    return _each_once(operation, found)


def _runs_reading(operation: Operation, array: str, index: Index) -> Iterator[tuple[Line, NDArray[np.intp]]]:
    """Yield each line that reads a cell, with the iterations of its loops, (runs, loops), at which."""
    for line in _lines(operation):
        parts = anatomy(operation.tree, line.number)
        assert parts is not None
        loops, _ = operation.path_to(line.number)
        for operand in parts.operands:
            if operand.name != array or len(operand.index) != len(index):
                continue
            runs = runs_touching(operation, loops, operand.index, index)
            variables = dict(zip((loop.variable for loop in loops), runs.T, strict=True))
            scope = {**operation.call.given, **operation.call.writes, **variables}
            runs = runs[operand.is_read(scope, (len(runs),))]
            if len(runs):
                yield line, runs


def _written_from(
    operation: Operation, line: Line, runs: NDArray[np.intp], found: Found, seen: set[tuple[Line, bytes]]
) -> None:
    """Find the cells that some runs of a line write, or that are computed from the scalar it assigns."""
    key = line, runs.tobytes()
    if key in seen:
        return
    seen.add(key)
    loops, _ = operation.path_to(line.number)
    if line.index:
        scope = {**operation.call.given, **{loop.variable: runs[:, k] for k, loop in enumerate(loops)}}
        index = [np.broadcast_to(eval(code, {"__builtins__": {}}, scope), len(runs)) for code in line.index]
        found.setdefault(line.target, []).append(np.stack(index, axis=1))
        return
    for other in _lines(operation):
        if line.target not in other.uses:
            continue
        shared = _shared(operation, line, other)
        kept = np.unique(runs[:, :shared], axis=0)
        counts = [loop.count for loop in operation.path_to(other.number)[0][shared:]]
        free = np.indices(counts).reshape(len(counts), prod(counts)).T
        every = np.hstack([np.repeat(kept, len(free), axis=0), np.tile(free, (len(kept), 1))])
        _written_from(operation, other, every, found, seen)


def _lines(operation: Operation) -> list[Line]:
    return [node for node in walk(operation.body) if isinstance(node, Line)]


def _shared(operation: Operation, line: Line, other: Line) -> int:
    """Return how many loops two lines stand in together."""
    together = 0
    for one, two in zip(operation.path_to(line.number)[0], operation.path_to(other.number)[0], strict=False):
        if one is not two:
            break
        together += 1
    return together


def _each_once(operation: Operation, found: Found) -> dict[str, NDArray[np.intp]]:
    """Return cells by array, each once and in order, and no array of which there are none."""
    made: dict[str, NDArray[np.intp]] = {}
    for name, pieces in found.items():
        cells, shape = np.concatenate(pieces), np.shape(operation.call.value(name))
        if len(cells):
            flat = np.unique(np.ravel_multi_index(tuple(cells.T), shape))
            made[name] = np.stack(np.unravel_index(flat, shape), axis=1)
    return made


# ---------------------------------------------------------------------------------- from one to another


def producer(
    program: Program, operation: Operation, array: str, index: Index
) -> tuple[Operation, str, Index] | None:
    """Return which operation computed a cell that another one is given, under which name and index.

    None for what comes from outside: the input, parameters, the target, zeros that were put in.
    """
    port, place = operation.call.port(array), operation.call.own_place(array, index)
    made = program.producer(port.before or port.address)
    if made is None or place is None or made[0] is operation:
        return None
    maker, name = made
    found = _moved(operation, array, place, maker, name)
    return None if found is None else (maker, name, found)


def readers(program: Program, operation: Operation, array: str, index: Index) -> list[Reading]:
    """Return all operations that read a cell of an array that an operation is given or writes.

    Of what an update writes over, the old value is meant.
    """
    call, place = operation.call, operation.call.own_place(array, index)
    port = call.port(array)
    found = _reading(operation, array, index) if call.has(array) else []
    for reader, name in program.readers(port.before or port.address):
        if (reader, name) != (operation, array) and place is not None:
            there = _moved(operation, array, place, reader, name)
            found += [] if there is None else _reading(reader, name, there)
    return sorted(found, key=lambda reading: program.number(reading.operation.name))


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
