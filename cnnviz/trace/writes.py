"""Which steps write a cell, and what each adds to one that is added to again and again, ``dx[…] += …``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state


class Addition(Struct, frozen=True):
    """One run of a line that adds to a cell.

    Attributes
    ----------
    offset : int
        The step, counted from the operation's first.
    line : int
        The line in the listing.
    variables : Mapping[str, int]
        The loop variables.
    value : float
        What is added.
    """

    offset: int
    line: int
    variables: Mapping[str, int]
    value: float


def accumulates(operation: Operation, array: str) -> bool:
    """Return whether an operation adds to an array's cells, instead of writing each of them once."""
    return bool(operation.call.linear) and any(line.accumulates for line in operation.writers(array))


def offsets_writing(operation: Operation, array: str, index: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the steps at which a cell of an array is written, in order.

    Each subscript is looked at by itself, for the values of its own variables only: so it is quick
    however many steps there are.
    """
    found = [np.zeros(0, np.intp)]
    for line in operation.writers(array):
        loops, _ = operation.path_to(line.number)
        found.append(operation.offsets_of(line, runs_touching(operation, loops, line.index, index)))
    return np.sort(np.concatenate(found))


def additions(operation: Operation, array: str, offsets: Sequence[int]) -> list[Addition]:
    """Return what is added to cells of an array at some steps that do so."""
    made: list[Addition] = []
    for offset in offsets:
        _, line = operation.locate(offset)
        assert isinstance(line, Line)
        variables = operation.variables_at(offset)
        taken = _Taken()
        named = state(operation, offset).variables if operation.scalars else variables
        scope = {**operation.call.given, **named, array: taken}
        with np.errstate(all="ignore"):
            exec(line.code, operation.function.__globals__, scope)
        made.append(Addition(offset, line.number, variables, taken.value))
    return made


class _Taken:
    """Stands for an array of zeros while one line adds to a cell of it, and keeps what was added."""

    value = 0.0

    def __getitem__(self, index: Any) -> float:
        return 0.0

    def __setitem__(self, index: Any, value: Any) -> None:
        self.value = float(value)


def runs_touching(
    operation: Operation, loops: Sequence[Loop], codes: Sequence[CodeType], index: tuple[int, ...]
) -> NDArray[np.intp]:
    """Return the iterations of the loops around a line, (runs, loops), at which subscripts name a cell."""
    counts = {loop.variable: loop.count for loop in loops}
    runs = np.zeros((1, 0), np.intp)
    order: list[str] = []
    for variables, subscripts in _groups(codes, list(counts)):
        shape = tuple(counts[name] for name in variables)
        grids = dict(zip(variables, np.indices(shape, sparse=True) if shape else (), strict=True))
        scope = {**operation.call.given, **grids}
        hit = np.ones(shape, bool)
        for axis in subscripts:
            hit &= eval(codes[axis], {"__builtins__": {}}, scope) == index[axis]
        here = np.argwhere(hit)
        runs = np.hstack([np.repeat(runs, len(here), axis=0), np.tile(here, (len(runs), 1))])
        order += variables
    return runs[:, [order.index(name) for name in counts]]


def _groups(codes: Sequence[CodeType], variables: list[str]) -> list[tuple[list[str], list[int]]]:
    """Return the loop variables in groups that no subscript joins, each with the subscripts it is in."""
    groups: list[tuple[set[str], list[int]]] = [({name}, []) for name in variables]
    for axis, code in enumerate(codes):
        named = {name for name in code.co_names if name in variables}
        touched = [group for group in groups if group[0] & named]
        groups = [group for group in groups if group not in touched]
        joined = set[str]().union(*(group[0] for group in touched))
        groups.append((joined, [*(k for group in touched for k in group[1]), axis]))
    return [([name for name in variables if name in group], axes) for group, axes in groups]
