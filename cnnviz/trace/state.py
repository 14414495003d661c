"""What Python holds just after a step: computed for that step alone, never recorded.

A listing is a nest of loops around a block, its *cell*: for a convolution, all that happens for one
output value. The cells before the one in work are taken from the results of the vectorised maths; the
cell in work is run for real, up to the step asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Value
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.operation import Operation

Place = tuple[str, tuple[int, ...]]


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
    reads, writes : tuple[Place, ...]
        The cells that this step's line read and wrote: array name and index, in the order Python did.
    """

    operation: Operation
    offset: int
    arrays: Mapping[str, Array]
    variables: Mapping[str, int | float]
    reads: tuple[Place, ...]
    writes: tuple[Place, ...]

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
    cells = operation.cells
    cell, inside = cells.at(offset)
    # Scalars that the cell in work has not assigned yet are left over from the cell before it.
    first = cell - 1 if cell > 0 and inside < cells.settled else cell
    scope: dict[str, Any] = {**operation.call.given, **_arrays_before(operation, max(first, 0))}
    log = _Log()
    with np.errstate(all="ignore"):
        if first < cell:
            cells.enter(first, scope)
            _run(operation, cells.block, cells.block.steps, scope)
        if inside > 0:
            cells.enter(cell, scope)
            _run(operation, cells.block, inside, scope, None if operation.header_at(offset) else log)
    variables: dict[str, int | float] = {**operation.variables_at(offset)}
    for name, value in scope.items():
        if name not in operation.tree.parameters and name != "_stop":
            variables.setdefault(name, value)
    return State(
        operation=operation,
        offset=offset,
        arrays={name: scope[name] for name in operation.tree.parameters if name in operation.tree.arrays},
        variables=variables,
        reads=tuple(dict.fromkeys(log.reads)),
        writes=tuple(dict.fromkeys(log.writes)),
    )


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
        visited = np.zeros_like(source, order="C")
        visited.reshape(-1)[:cells] = source.reshape(-1)[:cells]
        return {name: arrays[name] + part for name, part in call.linear(visited).items()}
    if operation.cells.nest:
        for name, array in arrays.items():
            for line in operation.writers(name):
                done = operation.cells_written(line, cells)
                array.reshape(-1)[done] = call.writes[name].reshape(-1)[done]
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


def _run_recorded(operation: Operation, line: Line, scope: dict[str, Any], log: _Log) -> None:
    recorders = {name: _Recorder(scope[name], name, log) for name in operation.tree.arrays}
    watched = {**scope, **recorders}
    exec(line.code, operation.function.__globals__, watched)
    if line.target in watched and line.target not in recorders:
        scope[line.target] = watched[line.target]


class _Log:
    """The cells that a line read and wrote."""

    def __init__(self) -> None:
        self.reads: list[Place] = []
        self.writes: list[Place] = []


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
        if not self.scratch:
            self.array[index] = value


def _as_tuple(index: Any) -> tuple[int, ...]:
    return tuple(int(k) for k in index) if isinstance(index, tuple) else (int(index),)
