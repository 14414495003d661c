"""What Python holds just after a step: computed for that step alone, never recorded.

A listing is a nest of loops around a block, its *cell*: for a convolution, all that happens for one
output value. The cells before the one in work are taken from the results of the vectorised maths; the
cell in work is run for real, up to the step asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Value
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.scalars import replayed

ArrayCell = tuple[str, tuple[int, ...]]


class State(Struct, frozen=True, eq=False, dict=True):
    """What Python holds just after one step of an operation.

    Attributes
    ----------
    operation : Operation
        What is being computed.
    offset : int
        The step, counted from the operation's first.
    arrays : Mapping[str, Array]
        Every array by its name in the listing; a padded one with its padding.
    variables : Mapping[str, int | float]
        Every other local name that the listing has assigned by now: loop variables first, then scalars.
    reads, writes : tuple[ArrayCell, ...]
        The cells that this step's line read and wrote: array name and index, in the order Python did.
    """

    operation: Operation
    offset: int
    arrays: Mapping[str, Array]
    variables: Mapping[str, int | float]
    reads: tuple[ArrayCell, ...]
    writes: tuple[ArrayCell, ...]

    @property
    def line(self) -> int:
        """The line in the listing, from 1."""
        return self.operation.line_at(self.offset)

    def value(self, name: str) -> Array:
        """Return an array, or a variable as an array of shape (); NaN while Python does not hold it."""
        if name in self.arrays:
            return self.arrays[name]
        return np.asarray(self.variables.get(name, np.nan), float)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops that this step is in or at the header of, outermost first."""
        return self.operation.loops_at(self.offset)

    def written(self, name: str) -> NDArray[np.bool_]:
        """Return which cells of an array hold a value by now; all, unless the listing is still filling it.

        Of a variable that is a result, whether it has been assigned. Not to be changed: it is kept.
        """
        if name not in self._written:
            self._written[name] = self._written_by_now(name)
            self._written[name].flags.writeable = False
        return self._written[name]

    @cached_property
    def _written(self) -> dict[str, NDArray[np.bool_]]:
        return {}

    def _written_by_now(self, name: str) -> NDArray[np.bool_]:
        operation, call = self.operation, self.operation.call
        array = self.arrays[name] if name in self.arrays else call.writes[name]
        if name not in call.writes or name in call.before or call.linear is not None:
            return np.ones(array.shape, bool)
        done = np.zeros(array.shape, bool)
        for line in operation.writers(name):
            runs = operation.runs_until(line, self.offset)
            done.reshape(-1)[operation.cells_written(line, runs)] = True
        return done


def state(operation: Operation, offset: int) -> State:
    """Return what Python holds just after a step of an operation."""
    log = _Log()
    with np.errstate(all="ignore"):
        if operation.can_be_replayed:
            scope = replayed(operation, offset)
            arrays: Mapping[str, Array] = _Arrays(operation, offset, log)
            _, node = operation.locate(offset)
            if isinstance(node, Line):
                _run_recorded(operation, node, scope, log, scratch=True)
        else:
            scope = _run_for_real(operation, offset, log)
            arrays = {
                name: scope[name] for name in operation.tree.parameters if name in operation.tree.arrays
            }
    variables: dict[str, int | float] = {**operation.variables_at(offset)}
    for name in operation.scalars:
        if name in scope:
            variables[name] = scope[name]
    return State(
        operation=operation,
        offset=offset,
        arrays=arrays,
        variables=variables,
        reads=tuple(dict.fromkeys(log.reads)),
        writes=tuple(dict.fromkeys(log.writes)),
    )


class _Arrays(Mapping[str, Array]):
    """The arrays of a listing just after a step; those that it writes are put together when asked for.

    What the step itself has written is Python's to the last bit: the sum that it stands beside.
    """

    def __init__(self, operation: Operation, offset: int, log: _Log) -> None:
        self.operation, self.offset, self._log = operation, offset, log
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        call = self.operation.call
        if name not in self.operation.tree.arrays:
            raise KeyError(name)
        if name not in call.writes:
            return np.asarray(call.given[name])
        if name not in self._made:
            self._made[name] = self._put_together(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.operation.tree.parameters if name in self.operation.tree.arrays)

    def __len__(self) -> int:
        return len(self.operation.tree.arrays)

    def _put_together(self, name: str) -> Array:
        if not self.operation.writes_once:
            with np.errstate(all="ignore"):
                scope = _run_for_real(self.operation, self.offset, _Log())
            self._made = {name: scope[name] for name in self.operation.call.writes}
            return self._made[name]
        operation, results = self.operation, self.operation.call.writes[name]
        array = operation.call.initial(name)
        for line in operation.writers(name):
            done = operation.cells_written(line, operation.runs_until(line, self.offset))
            array.reshape(-1)[done] = results.reshape(-1)[done]
        for (of, index), value in zip(self._log.writes, self._log.written, strict=True):
            if of == name:
                array[index] = value
        return array


def _run_for_real(operation: Operation, offset: int, log: _Log) -> dict[str, Any]:
    """Return all names of an operation that writes cells more than once, by running it.

    Where its result is linear in an array, that is run which is done for one cell of this.
    """
    nest = operation.cells_of(operation.line_at(offset)).nest if operation.call.linear else ()
    cell, steps, block = 0, offset + 1, operation.body
    values: dict[str, int] = {}
    for depth, loop in enumerate(nest):
        values[loop.variable], steps = divmod(steps - 1, loop.period)
        cell, block = cell * loop.count + values[loop.variable], loop.body
        if steps == 0:  # at a header, the cells before it are through and nothing else has run
            cell *= prod(inner.count for inner in nest[depth + 1 :])
            break
    scope: dict[str, Any] = {**operation.call.given, **_arrays_before(operation, cell), **values}
    if nest and cell:
        scope |= _scalars_after(operation, nest, cell - 1)
    _run(operation, block, steps, scope, None if operation.header_at(offset) else log)
    return scope


def _scalars_after(operation: Operation, nest: Sequence[Loop], cell: int) -> dict[str, Any]:
    """Return the scalars that a cell has left behind; they are computed of the loops' variables alone."""
    lines = [part for part in nest[-1].body.statements if isinstance(part, Line) and not part.index]
    if not lines:
        return {}
    place = np.unravel_index(cell, tuple(loop.count for loop in nest))
    scope: dict[str, Any] = {**operation.call.given}
    scope |= {loop.variable: int(k) for loop, k in zip(nest, place, strict=True)}
    for line in lines:
        exec(line.code, operation.function.__globals__, scope)
    return {line.target: scope[line.target] for line in lines}


def _along_first_axes(operation: Operation) -> frozenset[str]:
    """Return the arrays along whose first axis the outermost loop goes; none, if not of what it writes."""
    if "along_first_axes" not in operation.cache:
        firsts: dict[str, set[str]] = {}
        for node in ast.walk(ast.parse("\n".join(operation.tree.source))):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
                firsts.setdefault(node.value.id, set()).add(ast.unparse(first))
        outermost, call = operation.body.statements[0], operation.call
        variable = outermost.variable if isinstance(outermost, Loop) else ""
        found = frozenset(name for name, own in firsts.items() if own == {variable})
        operation.cache["along_first_axes"] = (
            found if found >= {call.linear_in, *call.writes} else frozenset()
        )
    along: frozenset[str] = operation.cache["along_first_axes"]
    return along


def places(operation: Operation, line: int, variables: Mapping[str, int], scope: Mapping[str, Any]) -> _Log:
    """Return the cells that a line reads and writes at given loop variables, by running it on the side.

    Parameters
    ----------
    scope : Mapping[str, Any]
        The arrays and scalars to run it with; nothing in them is changed.
    """
    _, node = operation.path_to(line)
    log = _Log()
    if isinstance(node, Line):
        arrays = {name: _Recorder(scope[name], name, log, scratch=True) for name in operation.tree.arrays}
        with np.errstate(all="ignore"):
            exec(node.code, operation.function.__globals__, {**scope, **variables, **arrays})
    return log


def _arrays_before(operation: Operation, cells: int) -> dict[str, Array]:
    """Return the written arrays as they are when a number of cells are done."""
    call = operation.call
    arrays = {name: call.initial(name) for name in call.writes if name in operation.tree.arrays}
    if call.linear is not None:
        # The result is linear in this array: what is done so far is the result for the part visited so far.
        source = np.asarray(call.given[call.linear_in])
        size = prod(source.shape[1:])
        along = _along_first_axes(operation)
        first, last = (min(cells // size, len(source) - 1), cells // size + 1) if along else (0, len(source))
        here = slice(first, last)
        visited = np.zeros_like(source[here], order="C")
        visited.reshape(-1)[: cells - first * size] = source.reshape(-1)[first * size : cells]
        given = dict(call.given)
        given |= {name: np.asarray(given[name])[here] for name in along if name in given}
        for name, made in call.linear({**given, call.linear_in: visited}).items():
            arrays[name][:first] = call.writes[name][:first]
            arrays[name][first : first + len(made)] += made
    return arrays


def _run(
    operation: Operation, block: Block, steps: int, scope: dict[str, Any], log: _Log | None = None
) -> None:
    """Run the first steps of a block for real; what the last of them reads and writes goes into the log."""
    namespace = operation.function.__globals__
    for start, statement in zip(block.starts, block.statements, strict=True):
        left = steps - start
        if left <= 0:
            return
        if isinstance(statement, Line):
            if left == 1 and log is not None:
                _run_recorded(operation, statement, scope, log)
            else:
                exec(statement.code, namespace, scope)
        else:
            iteration, inner = divmod(left - 1, statement.period)
            scope["_stop"] = min(iteration, statement.count)
            exec(statement.code, namespace, scope)
            if iteration < statement.count:
                scope[statement.variable] = iteration
                _run(operation, statement.body, inner, scope, log)


def _run_recorded(
    operation: Operation, line: Line, scope: dict[str, Any], log: _Log, scratch: bool = False
) -> None:
    recorders = {name: _Recorder(scope[name], name, log, scratch) for name in operation.tree.arrays}
    watched = {**scope, **recorders}
    exec(line.code, operation.function.__globals__, watched)
    if line.target in watched and line.target not in recorders:
        scope[line.target] = watched[line.target]


class _Log:
    """The cells that a line read and wrote, and what it wrote."""

    def __init__(self) -> None:
        self.reads: list[ArrayCell] = []
        self.writes: list[ArrayCell] = []
        self.written: list[Value] = []


class _Recorder:
    """Stands for an array while one line runs, and notes which cells are read and written."""

    def __init__(self, array: Array, name: str, log: _Log, scratch: bool = False) -> None:
        self.array, self.name, self.log, self.scratch = array, name, log, scratch

    def __getitem__(self, index: Any) -> Value:
        self.log.reads.append((self.name, _as_tuple(index)))
        value: Value = self.array[index]
        return value

    def __setitem__(self, index: Any, value: Value) -> None:
        self.log.writes.append((self.name, _as_tuple(index)))
        self.log.written.append(value)
        if not self.scratch:
            self.array[index] = value


def _as_tuple(index: Any) -> tuple[int, ...]:
    return tuple(int(k) for k in index) if isinstance(index, tuple) else (int(index),)
