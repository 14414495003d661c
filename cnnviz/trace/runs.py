"""The runs of a line, or of a loop's header, one after the other: the step of each, and its loop variables.

All of it is arithmetic on whole arrays of runs, so that a million of them take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from math import prod

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Operation

Whole = NDArray[np.intp]


class Runs(Struct, frozen=True, eq=False):
    """Some runs of one line, or of one loop's header.

    Attributes
    ----------
    operation : Operation
        In which they are.
    node : Line or Loop
        What runs; a loop stands for its header.
    loops : tuple[Loop, ...]
        The loops around it, outermost first.
    iterations : tuple[NDArray, ...]
        At which iteration each of these is, run by run; for a loop, last, which run of its header it is.
    offsets : NDArray
        The steps, counted from the operation's first, in order.
    span : (int, int)
        The steps among which they were looked for: the first, and the one after the last.
    chosen : bool
        Whether they are only some of those among these steps.
    """

    operation: Operation
    node: Line | Loop
    loops: tuple[Loop, ...]
    iterations: tuple[Whole, ...]
    offsets: Whole
    span: tuple[int, int]
    chosen: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, chosen: slice) -> Runs:
        """Return some of the runs."""
        iterations = tuple(iteration[chosen] for iteration in self.iterations)
        return replace(self, iterations=iterations, offsets=self.offsets[chosen])

    def variables(self, names: Set[str]) -> dict[str, tuple[Whole, NDArray[np.bool_]]]:
        """Return loop variables just after each run, and whether there is one yet; left-over ones too."""
        found: dict[str, tuple[Whole, NDArray[np.bool_]]] = {}
        every = np.ones(len(self), bool)

        def put(values: Mapping[str, int], where: NDArray[np.bool_]) -> None:
            for name in names & values.keys():
                value = values[name]
                old, known = found.get(name, (np.zeros(len(self), np.intp), ~every))
                found[name] = np.where(where, value, old), known | where

        own = (self.node,) if isinstance(self.node, Loop) else ()
        block = self.operation.body
        for loop, iteration in zip((*self.loops, *own), self.iterations, strict=True):
            put(block.left_before[block.statements.index(loop)], every)
            put(loop.left, iteration > 0)
            if loop.count and loop.variable in names:
                found[loop.variable] = np.minimum(iteration, loop.count - 1), every
            block = loop.body
        if not own:
            put(block.left_before[block.statements.index(self.node)], every)
        return found


def _periods(operation: Operation, node: Line | Loop) -> tuple[tuple[Loop, ...], list[int], list[int], int]:
    """Return the loops around a node, how often each part runs, after how many steps, and the first step."""
    loops, _ = operation.path_to(node.number)
    counts, periods = [loop.count for loop in loops], [loop.period for loop in loops]
    if isinstance(node, Loop):
        counts, periods = [*counts, node.count + 1], [*periods, node.period]
    return loops, counts, periods, operation.offset_of(loops, node, [0] * len(loops))


def runs_between(operation: Operation, node: Line | Loop, low: int, high: int) -> Runs:
    """Return the runs of a node among the steps from ``low`` up to ``high``."""
    first, end = _numbers(operation, node, low, high)
    return _numbered(operation, node, np.arange(first, end), (low, high))


def runs_where(
    operation: Operation,
    node: Line | Loop,
    low: int,
    high: int,
    names: Set[str],
    holds: Callable[[Runs], NDArray[np.bool_]],
) -> Runs:
    """Return the runs of a node among some steps at which something holds, which loops around it decide.

    Parameters
    ----------
    names : Set[str]
        The loop variables that decide it; inside the innermost of their loops nothing is looked at.
    holds : Callable[[Runs], NDArray]
        Whether it does, at some runs.
    """
    loops, counts, _, _ = _periods(operation, node)
    around = [*loops, node] if isinstance(node, Loop) else loops
    depth = max(k + 1 for k, loop in enumerate(around) if loop.variable in names)
    inside = prod(counts[depth:])
    first, end = _numbers(operation, node, low, high)
    if first >= end:
        return runs_between(operation, node, low, high)
    begun = np.arange(first // inside, (end - 1) // inside + 1)
    begun = begun[holds(_numbered(operation, node, begun * inside, (low, high)))]
    numbers = (begun[:, None] * inside + np.arange(inside)).ravel()
    numbers = numbers[(numbers >= first) & (numbers < end)]
    return replace(_numbered(operation, node, numbers, (low, high)), chosen=True)


def run_numbers(operation: Operation, node: Line | Loop, steps: Whole) -> Whole:
    """Return how many runs of a node are before each step."""
    _, counts, periods, start = _periods(operation, node)
    return number_from(counts, periods, start, steps)


def _numbers(operation: Operation, node: Line | Loop, low: int, high: int) -> list[int]:
    found: list[int] = run_numbers(operation, node, np.array([low, high])).tolist()
    return found


def _numbered(operation: Operation, node: Line | Loop, numbers: Whole, span: tuple[int, int]) -> Runs:
    loops, counts, periods, start = _periods(operation, node)
    rest, offsets = numbers, np.full(len(numbers), start)
    iterations: list[Whole] = []
    for count, period in zip(reversed(counts), reversed(periods), strict=True):
        rest, iteration = np.divmod(rest, max(count, 1))
        offsets += iteration * period
        iterations.append(iteration)
    return Runs(operation, node, loops, tuple(reversed(iterations)), offsets, span)


def number_from(counts: Sequence[int], periods: Sequence[int], start: int, steps: Whole) -> Whole:
    """Return which run is the first from each step on, of what runs in loops of these counts and periods."""
    number, rest = np.zeros(len(steps), np.intp), steps - start
    if 0 in counts:
        return number
    for count, period in zip(counts, periods, strict=True):
        iteration = np.clip(rest // period, 0, count - 1)
        number, rest = number * count + iteration, rest - iteration * period
    return number + (rest > 0)


def run_at(operation: Operation, offset: int) -> Runs:
    """Return the one run at a step."""
    way, node = operation.locate(offset)
    visits = [(block.statements[k], iteration) for block, k, iteration in way]
    around = [(part, iteration) for part, iteration in visits if isinstance(part, Loop)]
    iterations = tuple(np.array([iteration]) for _, iteration in around)
    loops = tuple(loop for loop, _ in around if loop is not node)
    return Runs(operation, node, loops, iterations, np.array([offset]), (offset, offset + 1))


def last_written(operation: Operation, name: str) -> Whole:
    """Return the step that writes each cell of an array last, flat; where none does, more than there are."""
    key = last_written, name
    if key not in operation.cache:
        written = np.full(operation.call.writes[name].size, np.iinfo(np.intp).max)
        latest = np.full(len(written), -1)
        for line in operation.writers(name):
            offsets = runs_between(operation, line, 0, len(operation)).offsets
            np.maximum.at(latest, operation.write_order(line), offsets)
        np.copyto(written, latest, where=latest >= 0)
        operation.cache[key] = written
    found: Whole = operation.cache[key]
    return found
