"""How numbers flow within an operation: which cells a cell is computed from, and which steps read it.

Between cells stand scalars, ``acc`` or ``total``: what they were made of counts as read for the cell that
they end in. All of it follows from the listings' text and sizes, without running them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnnviz.trace.assignment import assignment, scope_at, window
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.stops import next_run, previous_run
from cnnviz.trace.writes import runs_touching

Index = tuple[int, ...]
Found = dict[str, list[NDArray[np.intp]]]


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


def last_set(operation: Operation, variable: str, offset: int) -> int | None:
    """Return the step that gave a variable of a listing the value that it has after some step."""
    loops = (node for node in walk(operation.body) if isinstance(node, Loop))
    setting = [loop.number for loop in loops if loop.variable == variable]
    setting += [line.number for line in _lines(operation) if line.target == variable]
    runs = (previous_run(operation, offset + 1, line) for line in setting)
    return max((run for run in runs if run is not None), default=None)


def next_use(operation: Operation, variable: str, offset: int) -> int | None:
    """Return the first step after some step that reads a variable of a listing."""
    lines = [line.number for line in _lines(operation) if variable in line.uses]
    runs = (next_run(operation, offset, line) for line in lines)
    return min((run for run in runs if run is not None), default=None)


def names_read(operation: Operation, line: Line) -> list[str]:
    """Return the names of a line that it really reads, of a listing without loops."""
    parts = assignment(operation.tree, line.number)
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
        parts = assignment(operation.tree, line.number)
        assert parts is not None
        loops, _ = operation.path_to(line.number)
        for operand in parts.operands:
            if operand.name != array or len(operand.index) != len(index):
                continue
            runs = runs_touching(operation, loops, operand.index, index)
            variables = dict(zip((loop.variable for loop in loops), runs.T, strict=True))
            scope = scope_at(operation, variables)
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
