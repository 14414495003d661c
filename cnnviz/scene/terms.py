"""The terms that the cell in work adds up, or compares, and how many of them have been taken by a step."""

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
    line : int
        The line that does it.
    loops : tuple[Loop, ...]
        The loops inside the cell around that line.
    count : int
        How many terms there are.
    done : int
        How many of them have been taken.
    current : bool
        Whether the step is the line itself, so that term `done − 1` is in hand.
    """

    line: int
    loops: tuple[Loop, ...]
    count: int
    done: int
    current: bool


def terms(moment: Moment) -> Terms | None:
    """Return the terms of the cell in work, or None where the listing has no inner loop for them."""
    operation, offset, line_now = moment.operation, moment.step.offset, moment.state.line
    found = _term_line(operation, line_now)
    if found is None:
        return None
    line, loops, in_block = found
    count = prod(loop.count for loop in loops)
    cell, _ = operation.cells.at(offset)
    done = operation.runs_until(line, offset) - cell * count if in_block else 0
    return Terms(line.number, loops, count, max(0, min(done, count)), line_now == line.number)


@remembered(1024)
def _term_line(operation: Operation, line: int) -> tuple[Line, tuple[Loop, ...], bool] | None:
    """Return the line that takes the terms around a line of a listing.

    Returns
    -------
    (Line, tuple[Loop, ...], bool) or None
        The line; the loops inside the cell around it; whether the line asked for is in the cell's block.
        Looked for in the statement that holds the line, then before it, then after it.
    """
    nest, block = operation.cells.nest, operation.cells.block
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
            loops = operation.path_to(taking[0].number)[0][len(nest) :]
            return taking[0], loops, here is not None or not nest
        if k == here:
            return None
    return None


def _nodes(statement: Line | Loop) -> list[Line | Loop]:
    return [node for node in walk(statement) if isinstance(node, Line | Loop)]


def term_variables(moment: Moment, found: Terms, k: int) -> dict[str, int]:
    """Return the loop variables of the k-th term of the cell in work."""
    values = np.unravel_index(k, [loop.count for loop in found.loops])
    return {loop.variable: int(value) for loop, value in zip(found.loops, values, strict=True)}
