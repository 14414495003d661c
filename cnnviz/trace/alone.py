"""One of several samples that go through together, as if it went alone: a step of theirs is a step of its.

What is computed of a sample is the same, only that the listing for all of them has a loop more around it, or
around a sum. So whatever is said or drawn of one sample does for several: it is shown the sample in hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.batch import SIZE, VARIABLE
from cnnviz.engine.layer import Array, Batch
from cnnviz.engine.placement import Index
from cnnviz.trace.looptree import Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program, Step
from cnnviz.trace.state import ArrayCell, State


def is_shared(operation: Operation) -> bool:
    """Return whether an operation computes something of several samples that one alone has too."""
    return operation.call.batch is not None and bool(operation.call.batch.calls)


def is_summed(operation: Operation, array: str) -> bool:
    """Return whether what an operation writes is one for all samples: the sum of what each adds to it."""
    batch = operation.call.batch
    return batch is not None and array in operation.call.writes and array not in batch.arrays


def sample_at(operation: Operation, offset: int) -> int:
    """Return which sample a step is about: where its loop is over or not begun, the last or the first."""
    number = operation.variables_at(offset).get(VARIABLE, 0) if operation.call.batch else 0
    return max(0, number)


def program_of(program: Program, number: int) -> Program:
    """Return what is computed of one of the samples, as a program of its own.

    What is computed of all of them alone is not in it, as the mean of their losses.
    """
    kept = program.operations[0].cache
    if ("alone", number) not in kept:
        calls = [operation.call for operation in program.operations]
        kept["alone", number] = Program(
            [
                call.batch.calls[number] if call.batch else call
                for call in calls
                if not call.batch or call.batch.calls
            ],
            program.symbols,
            program.names,
            program.iteration,
        )
    found: Program = kept["alone", number]
    return found


def step_of(step: Step, program: Program) -> Step:
    """Return the step of a program of one sample that a step of all of them is.

    A line that the listing of one sample does not have is taken for the one before it.

    Parameters
    ----------
    step : Step
        Of an operation that one alone has, too.
    """
    operation = step.operation
    alone = program.operation(operation.name)
    batch = operation.call.batch
    offset = step.offset if batch is None else _offset_of(operation, step.offset, alone, batch)
    return Step(program.start(operation.name) + offset, alone, offset, program)


def _offset_of(operation: Operation, offset: int, alone: Operation, batch: Batch) -> int:
    around = operation.iterations_at(offset)
    over = next((loop for loop in around if loop.variable == VARIABLE and loop.size == SIZE), None)
    if over is not None and around[over] >= over.count and len(around) == 1:
        return len(alone) - 1  # all samples are through
    iterations = {batch.lines[loop.number]: iteration for loop, iteration in around.items()}
    line = operation.line_at(offset)
    while line > 1 and not batch.lines[line]:
        line -= 1
    if line == 1:
        return 0
    loops, node = alone.path_to(batch.lines[line])
    header = iterations.get(node.number, 0) if isinstance(node, Loop) else 0
    return alone.offset_of(loops, node, [iterations[loop.number] for loop in loops], header)


def state_of(state: State, step: Step, number: int) -> State:
    """Return the state of one sample at its step, from that of all of them."""
    batch = state.operation.call.batch
    if batch is None:
        return state
    called = batch.called
    names = (*step.operation.tree.variables, *step.operation.scalars)
    variables = {
        name: state.variables[called.get(name, name)]
        for name in names
        if called.get(name, name) in state.variables
    }
    return State(
        operation=step.operation,
        offset=step.offset,
        arrays=_OfSample(state, step.operation, batch, number),
        variables=variables,
        reads=tuple(_cells_of(state.reads, state.operation, number)),
        writes=tuple(_cells_of(state.writes, state.operation, number)),
    )


class _OfSample(Mapping[str, Array]):
    """The arrays of one sample among those of several."""

    def __init__(self, state: State, alone: Operation, batch: Batch, number: int) -> None:
        self._state, self._alone, self._batch, self._number = state, alone, batch, number

    def __getitem__(self, name: str) -> Array:
        if name not in self._alone.tree.arrays:
            raise KeyError(name)
        values = self._state.arrays[name]
        if name not in self._batch.arrays:
            return values
        return np.asarray(values[self._number]).reshape(np.shape(self._alone.call.value(name)))

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._alone.tree.parameters if name in self._alone.tree.arrays)

    def __len__(self) -> int:
        return len(self._alone.tree.arrays)


def in_sample(operation: Operation, offset: int, number: int) -> int | None:
    """Return the same step of another sample; None where a step is about none, or that one is not there."""
    loops = operation.loops_at(offset)
    over = next((loop for loop in loops if loop.variable == VARIABLE), None) if operation.call.batch else None
    if over is None or not 0 <= number < over.count:
        return None
    return offset + (number - operation.iterations_at(offset)[over]) * over.period


def cell_in(operation: Operation, array: str, index: Index, number: int) -> Index:
    """Return where a cell of one sample's array lies in that of all of them."""
    batch = operation.call.batch
    if batch is None or not batch.calls or array not in batch.arrays:
        return index
    return (number, *index)[: np.ndim(operation.call.value(array))]


def cells_of(operation: Operation, array: str, cells: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """Return which cells of one sample's array are among those of all of them, (cells, axes)."""
    batch = operation.call.batch
    if batch is None or not batch.calls or array not in batch.arrays:
        return cells
    own = cells[cells[:, 0] == number, 1:]
    axes = np.ndim(batch.calls[number].value(array))
    return own if own.shape[1] == axes else np.zeros((len(own), axes), np.intp)


def _cells_of(cells: tuple[ArrayCell, ...], operation: Operation, number: int) -> Iterator[ArrayCell]:
    for name, index in cells:
        for own in cells_of(operation, name, np.array([index], np.intp), number):
            yield name, tuple(int(k) for k in own)
