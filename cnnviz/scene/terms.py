"""The terms that the cell in work adds up, or compares, and how many of them have been taken by a step.

Several lines of one loop may add to the same sum; then each of them takes a term in turn.
"""

from __future__ import annotations

from math import prod

import numpy as np
from msgspec import Struct

from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation


class Terms(Struct, frozen=True):
    """The terms that a cell's inner loops add up, or compare.

    Attributes
    ----------
    lines : tuple[int, ...]
        The lines that do it, one after the other.
    loops : tuple[Loop, ...]
        The loops inside the cell around those lines.
    count : int
        How many terms there are.
    done : int
        How many of them have been taken.
    current : bool
        Whether the step is such a line, so that term `done − 1` is in hand.
    """

    lines: tuple[int, ...]
    loops: tuple[Loop, ...]
    count: int
    done: int
    current: bool

    @property
    def inner(self) -> int:
        """How many terms the innermost loop takes."""
        return self.loops[-1].count * len(self.lines)

    def line_of(self, k: int) -> int:
        """Return the line that takes the k-th term."""
        return self.lines[k % len(self.lines)]

    def variables_of(self, k: int) -> dict[str, int]:
        """Return the loop variables of the k-th term of the cell in work."""
        values = np.unravel_index(k // len(self.lines), [loop.count for loop in self.loops])
        return {loop.variable: int(value) for loop, value in zip(self.loops, values, strict=True)}


def terms(moment: Moment) -> Terms | None:
    """Return the terms of the cell in work, or None where the listing has no inner loop for them."""
    operation, offset, line_now = moment.operation, moment.step.offset, moment.state.line
    found = _term_lines(operation, line_now)
    if found is None:
        return None
    lines, loops, in_block = found
    count = prod(loop.count for loop in loops) * len(lines)
    cell = operation.cell_at(offset)
    done = sum(operation.runs_until(line, offset) for line in lines) - cell * count if in_block else 0
    numbers = tuple(line.number for line in lines)
    return Terms(numbers, loops, count, max(0, min(done, count)), line_now in numbers)


@remembered(1024)
def _term_lines(operation: Operation, line: int) -> tuple[tuple[Line, ...], tuple[Loop, ...], bool] | None:
    """Return the lines that take the terms around a line of a listing.

    Returns
    -------
    (tuple[Line, ...], tuple[Loop, ...], bool) or None
        The lines; the loops inside the cell around them; whether the line asked for is in the cell's block.
        Looked for in the statement that holds the line, then before it, then after it.
    """
    cells = operation.cells_of(line)
    nest, block = cells.nest, cells.block
    here = next((k for k, s in enumerate(block.statements) if any(n.number == line for n in _nodes(s))), None)
    start = here or 0
    for k in (start, *range(start - 1, -1, -1), *range(start + 1, len(block.statements))):
        statement = block.statements[k]
        if not isinstance(statement, Loop):
            continue
        taking = [
            n
            for n in _nodes(statement)
            if isinstance(n, Line) and n.is_term and (n.accumulates or not n.index)
        ]
        if taking:
            around = operation.path_to(taking[0].number)[0]
            alike = (taking[0].target, taking[0].index, around)
            lines = [n for n in taking if (n.target, n.index, operation.path_to(n.number)[0]) == alike]
            return tuple(lines), around[len(nest) :], here is not None or not nest
        if k == here:
            return None
    return None


def _nodes(statement: Line | Loop) -> list[Line | Loop]:
    return [node for node in walk(statement) if isinstance(node, Line | Loop)]
