"""What a scalar is at each of many steps: the cells of a listing run side by side, one to a lane of an array.

Cells take nothing from each other, so that each line of a cell is one operation of NumPy for all of them; and
each lane adds and multiplies in Python's own order, so that it is the same to the last bit.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.accumulate import FOR_ARRAYS, for_arrays
from cnnviz.trace.looptree import Block, Line, Loop, walk
from cnnviz.trace.operation import Cells, Operation
from cnnviz.trace.runs import number_from


class Events(Struct, frozen=True, eq=False):
    """All that is assigned to a scalar in a span of steps.

    Attributes
    ----------
    offsets : NDArray
        The steps, in order.
    values : NDArray
        What each of them assigns.
    """

    offsets: NDArray[np.intp]
    values: NDArray[Any]


def assigned(
    operation: Operation, name: str, low: int, high: int, at: NDArray[np.intp] | None = None
) -> Events | None:
    """Return what is assigned to a scalar from ``low`` up to ``high``, and since the cells there began.

    None where cells take something from each other, or read what the listing itself writes.

    Parameters
    ----------
    at : NDArray, optional
        The only steps at which it is asked for: cells that have no part in them are left out.
    """
    lines = [node for node in walk(operation.body) if isinstance(node, Line)]
    parts = {id(part): part for part in (operation.cells_of(k.number) for k in lines if k.target == name)}
    offsets, values = [np.zeros(0, np.intp)], [np.zeros(0)]
    for part in parts.values():
        events = _of_part(operation, part, low, high, at)
        if events is None:
            return None
        if name in events and len(events[name].offsets):
            offsets.append(events[name].offsets)
            values.append(events[name].values)
    steps, numbers = np.concatenate(offsets), np.concatenate(values)
    if not len(steps):
        return None
    order = np.argsort(steps, kind="stable") if len(parts) > 1 else slice(None)
    return Events(steps[order], numbers[order])


def _of_part(
    operation: Operation, part: Cells, low: int, high: int, at: NDArray[np.intp] | None
) -> Mapping[str, Events] | None:
    """Return the events of all scalars of a part; those that were asked for last are kept."""
    cells, key = _asked(operation, part, low, high, at), (_of_part, id(part))
    kept = operation.cache.get(key)
    if kept is not None and np.array_equal(kept[0], cells):
        found: Mapping[str, Events] | None = kept[1]
        return found
    code_key = _codes, id(part)
    if code_key not in operation.cache:
        operation.cache[code_key] = _codes(operation, part)
    codes: Mapping[int, CodeType] | None = operation.cache[code_key]
    events = None if codes is None else _Lanes(operation, part, codes).events(cells)
    operation.cache[key] = cells, events
    return events


def _asked(
    operation: Operation, part: Cells, low: int, high: int, at: NDArray[np.intp] | None
) -> NDArray[np.intp]:
    """Return the cells of a span, or those of some steps of it, and before each of these the one before."""
    counts, periods = [loop.count for loop in part.nest], [loop.period for loop in part.nest]
    start = operation.offset_of(part.nest, part.block.statements[0], [0] * len(part.nest))
    if at is not None:
        now = number_from(counts, periods, start, at + 1) - 1
        return np.unique(np.maximum([now, now - 1], 0))
    first, end = number_from(counts, periods, start, np.array([low + 1, high])).tolist()
    first = max(0, first - 1)
    return np.arange(first, max(first, end))


class _Lanes:
    """The cells of one part of a listing."""

    def __init__(self, operation: Operation, part: Cells, codes: Mapping[int, CodeType]) -> None:
        self.operation, self.part, self.codes = operation, part, codes
        self.scope: dict[str, Any] = {}
        self.inner: dict[str, list[int]] = {}
        self.made: dict[str, list[NDArray[Any]]] = {}

    def events(self, cells: NDArray[np.intp]) -> Mapping[str, Events] | None:
        """Run some cells."""
        nest, block, operation = self.part.nest, self.part.block, self.operation
        counts = [loop.count for loop in nest]
        start = operation.offset_of(nest, block.statements[0], [0] * len(nest))
        lanes = np.unravel_index(cells, counts) if nest else ()
        self.lanes = len(cells)
        starts = np.full(self.lanes, start)
        call = operation.call
        self.scope = {**vars(builtins), **operation.function.__globals__, **call.given, **FOR_ARRAYS}
        for loop, iteration in zip(nest, lanes, strict=True):
            starts += iteration * loop.period
            self.scope[loop.variable] = iteration
        try:
            with np.errstate(all="ignore"):
                self._run(block, 0)
        except (IndexError, ValueError, TypeError):  # a branch that is not taken reads beyond an array, say
            return None
        return {
            name: Events(
                (starts[:, None] + np.array(self.inner[name])).ravel(), np.stack(made, axis=1).ravel()
            )
            for name, made in self.made.items()
        }

    def _run(self, block: Block, base: int) -> None:
        for start, statement in zip(block.starts, block.statements, strict=True):
            if isinstance(statement, Line):
                if statement.number in self.codes:
                    self._assign(statement, base + start)
                continue
            for k in range(statement.count):
                self.scope[statement.variable] = k
                self._run(statement.body, base + start + k * statement.period + 1)

    def _assign(self, line: Line, offset: int) -> None:
        value = eval(self.codes[line.number], {"__builtins__": {}}, self.scope)
        self.scope[line.target] = value
        self.inner.setdefault(line.target, []).append(offset)
        every = value if np.shape(value) == (self.lanes,) else np.broadcast_to(value, self.lanes)
        self.made.setdefault(line.target, []).append(every)


def _codes(operation: Operation, part: Cells) -> Mapping[int, CodeType] | None:
    """Return the lines of a part that assign scalars, for arrays; None if lanes cannot run them."""
    call, tree = operation.call, operation.tree
    known = {*call.given, *(loop.variable for loop in part.nest)} - set(call.writes)
    codes: dict[int, CodeType] = {}
    for node in (node for statement in part.block.statements for node in walk(statement)):
        if isinstance(node, Loop):
            known.add(node.variable)
        if not isinstance(node, Line) or node.index:
            continue
        (statement,) = ast.parse(tree.source[node.number - 1].strip()).body
        assert isinstance(statement, ast.Assign | ast.AugAssign)
        value: ast.expr = statement.value
        if isinstance(statement, ast.AugAssign):
            value = ast.BinOp(ast.Name(node.target, ast.Load()), statement.op, value)
        if any(isinstance(part, ast.Attribute) for part in ast.walk(value)):
            return None
        names = [part for part in ast.walk(value) if isinstance(part, ast.Name)]
        if not all(_is_there(operation, name.id, known) for name in names):
            return None
        codes[node.number] = for_arrays(value)
        known.add(node.target)
    return codes


def _is_there(operation: Operation, name: str, known: set[str]) -> bool:
    """Return whether a name has a value by then in every lane, or is a function that takes arrays."""
    if name in known:
        return True
    if name in operation.tree.parameters or name in operation.scalars or name in operation.tree.variables:
        return False
    found = operation.function.__globals__.get(name, getattr(builtins, name, None))
    return isinstance(found, np.ufunc | int | float) or found is np or found in (max, min, abs)
