"""What cells that are added to, ``dx[…] += …``, come to at any step: summed in Python's own order."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.accumulate import FOR_ARRAYS, for_arrays
from cnnviz.trace.looptree import Line
from cnnviz.trace.operation import Operation
from cnnviz.trace.runs import runs_between
from cnnviz.trace.writes import accumulates, runs_touching

_MOST = 2**24
"""Of more additions than these, what each comes to is not kept."""

_FEW = 8
"""At so few steps only the additions to their own cells are looked at."""


class Added(Struct, frozen=True, eq=False):
    """All additions to an array, one cell after the other.

    Attributes
    ----------
    keys : NDArray
        The flat index of the cell times the number of steps, and the step: in order.
    sums : NDArray
        What the cell comes to there.
    """

    keys: NDArray[np.intp]
    sums: NDArray[np.float64]


def is_followed(operation: Operation, name: str) -> bool:
    """Return whether it is one line that adds to an array, of what is given and loop variables alone."""
    key = is_followed, name
    if key not in operation.cache:
        operation.cache[key] = _is_followed(operation, name)
    found: bool = operation.cache[key]
    return found


def _is_followed(operation: Operation, name: str) -> bool:
    if operation.writes_once or not accumulates(operation, name) or name in operation.call.before:
        return False
    lines = list(operation.writers(name))
    if len(lines) != 1 or operation.path_to(lines[0].number)[1] is not lines[0]:
        return False
    (line,) = lines
    loops, _ = operation.path_to(line.number)
    known = {*operation.call.given, *(loop.variable for loop in loops)} - set(operation.call.writes)
    value, subscripts = _parts(operation, line)
    named = {part.id for one in (value, *subscripts) for part in ast.walk(one) if isinstance(part, ast.Name)}
    return named <= known and len(runs_between(operation, line, 0, len(operation))) <= _MOST


def _parts(operation: Operation, line: Line) -> tuple[ast.expr, list[ast.expr]]:
    """Return what a line adds, and the subscripts of the cell."""
    (statement,) = ast.parse(operation.tree.source[line.number - 1].strip()).body
    assert isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Subscript)
    place = statement.target.slice
    subscripts = place.elts if isinstance(place, ast.Tuple) else [place]
    return statement.value, list(subscripts)


def sums_at(
    operation: Operation, name: str, cells: NDArray[np.intp], offsets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return what cells have come to just after steps, each by its flat index; of what `is_followed`."""
    if len(offsets) <= _FEW:
        each = zip(cells.tolist(), offsets.tolist(), strict=True)
        return np.array([_sum_of(operation, name, cell, offset) for cell, offset in each], float)
    key = sums_at, name
    if key not in operation.cache:
        operation.cache[key] = _added(operation, name)
    added: Added = operation.cache[key]
    steps = len(operation)
    at = np.searchsorted(added.keys, cells * steps + offsets, "right") - 1
    there = (at >= 0) & (added.keys[np.maximum(at, 0)] // steps == cells)
    return np.where(there, added.sums[np.maximum(at, 0)], 0.0)


def _sum_of(operation: Operation, name: str, cell: int, offset: int) -> float:
    """Return what one cell has come to."""
    (line,) = operation.writers(name)
    loops, _ = operation.path_to(line.number)
    index = tuple(int(k) for k in np.unravel_index(cell, operation.call.writes[name].shape))
    runs = runs_touching(operation, loops, line.index, index)
    offsets = operation.offsets_of(line, runs)
    runs = runs[np.argsort(offsets)][: int((offsets <= offset).sum())]
    terms = _terms(operation, line, dict(zip((loop.variable for loop in loops), runs.T, strict=True)))
    return float(np.add.accumulate(np.append(0.0, np.broadcast_to(terms, len(runs))))[-1])


def _terms(operation: Operation, line: Line, variables: Mapping[str, NDArray[np.intp]]) -> Any:
    """Return what a line adds at each of some runs."""
    scope = {**vars(builtins), **operation.function.__globals__, **operation.call.given, **FOR_ARRAYS}
    with np.errstate(all="ignore"):
        value = for_arrays(_parts(operation, line)[0])
        return eval(value, {"__builtins__": {}}, {**scope, **variables})


def _added(operation: Operation, name: str) -> Added:
    (line,) = operation.writers(name)
    runs = runs_between(operation, line, 0, len(operation))
    variables = {loop.variable: k for loop, k in zip(runs.loops, runs.iterations, strict=True)}
    terms = np.broadcast_to(_terms(operation, line, variables), len(runs))
    keys = operation.write_order(line) * len(operation) + runs.offsets
    order = np.argsort(keys, kind="stable")
    keys, sums = keys[order], terms[order].astype(float) + 0.0
    cells = keys // len(operation)
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    counts = np.diff(np.append(starts, len(cells)))
    with np.errstate(all="ignore"):
        if len(starts) < counts.max(initial=0):
            for start, count in zip(starts, counts, strict=True):
                np.add.accumulate(sums[start : start + count], out=sums[start : start + count])
        else:  # of many cells the second addition at once, then the third, and so on
            longest = np.argsort(-counts, kind="stable")
            starts, counts = starts[longest], counts[longest]
            for k in range(1, int(counts.max(initial=0))):
                here = starts[: np.searchsorted(-counts, -k)] + k
                sums[here] += sums[here - 1]
    return Added(keys, sums)
