"""The runs of a line, or of a loop's header, one after the other: the step of each, and its loop variables.

All of it is arithmetic on whole arrays of runs, so that a million of them take milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from msgspec import Struct
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
    """

    operation: Operation
    node: Line | Loop
    loops: tuple[Loop, ...]
    iterations: tuple[Whole, ...]
    offsets: Whole
    span: tuple[int, int]

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, chosen: slice) -> Runs:
        """Return some of the runs."""
        iterations = tuple(iteration[chosen] for iteration in self.iterations)
        return Runs(self.operation, self.node, self.loops, iterations, self.offsets[chosen], self.span)

    def variables(self) -> dict[str, tuple[Whole, NDArray[np.bool_]]]:
        """Return the loop variables just after each run, and whether there is one yet; left-over ones too."""
        found: dict[str, tuple[Whole, NDArray[np.bool_]]] = {}
        every = np.ones(len(self), bool)

        def put(values: Mapping[str, int], where: NDArray[np.bool_]) -> None:
            for name, value in values.items():
                old, known = found.get(name, (np.zeros(len(self), np.intp), ~every))
                found[name] = np.where(where, value, old), known | where

        own = (self.node,) if isinstance(self.node, Loop) else ()
        block = self.operation.body
        for loop, iteration in zip((*self.loops, *own), self.iterations, strict=True):
            put(block.left_before[block.statements.index(loop)], every)
            put(loop.left, iteration > 0)
            if loop.count:
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
    loops, counts, periods, start = _periods(operation, node)
    first, end = (number_from(counts, periods, start, step) for step in (low, high))
    rest, offsets = np.arange(first, end), np.full(end - first, start)
    iterations: list[Whole] = []
    for count, period in zip(reversed(counts), reversed(periods), strict=True):
        rest, iteration = np.divmod(rest, max(count, 1))
        offsets += iteration * period
        iterations.append(iteration)
    return Runs(operation, node, loops, tuple(reversed(iterations)), offsets, (low, high))


def number_from(counts: Sequence[int], periods: Sequence[int], start: int, step: int) -> int:
    """Return which run is the first from a step on, of what runs in loops of these counts and periods."""

    def offset(number: int) -> int:
        found = start
        for count, period in zip(reversed(counts), reversed(periods), strict=True):
            number, iteration = divmod(number, count)
            found += iteration * period
        return found

    return bisect_left(range(prod(counts)), step, key=offset)


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
