"""The reduction that makes the cell in work: the terms that it adds up, or compares, and how many are taken.

Several lines of one loop may add to the same sum; then each of them takes a term in turn.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from msgspec import Struct

from cnnviz.scene.moment import Moment
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache


class Reduction(Struct, frozen=True):
    """What a cell's inner loops do: they add terms up, or compare them.

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
    begun : int
        The line that the sum begins with; 0 if it begins with what a cell holds.
    """

    lines: tuple[int, ...]
    loops: tuple[Loop, ...]
    count: int
    done: int
    current: bool
    begun: int

    @property
    def inner(self) -> int:
        """How many terms the innermost loop takes."""
        return self.loops[-1].count * len(self.lines)

    def is_to_come(self, line: int) -> bool:
        """Return whether a line is one that stands before what the sum begins with."""
        return not self.done and line < (self.begun or self.loops[0].number)

    def line_of(self, k: int) -> int:
        """Return the line that takes the k-th term."""
        return self.lines[k % len(self.lines)]

    def variables_of(self, k: int) -> dict[str, int]:
        """Return the loop variables of the k-th term of the cell in work."""
        k, found = k // len(self.lines), dict[str, int]()
        for loop in reversed(self.loops):
            k, found[loop.variable] = divmod(k, loop.count)
        return found


def terms_of(operation: Operation, line: int) -> tuple[tuple[int, ...], int, int] | None:
    """Return the lines that take the terms of the sum around a line; how many: in all, in the inner loop."""
    found = _sum_of(operation, line)
    if found is None:
        return None
    lines = tuple(line.number for line in found.lines)
    return lines, prod(loop.count for loop in found.loops) * len(lines), found.loops[-1].count * len(lines)


def reduction(moment: Moment) -> Reduction | None:
    """Return the reduction of the cell in work, or None where the listing has no inner loop for one."""
    operation, offset, line_now = moment.operation, moment.step.offset, moment.state.line
    found = _sum_of(operation, line_now)
    if found is None:
        return None
    count = prod(loop.count for loop in found.loops) * len(found.lines)
    before = operation.cell_at(offset)
    for loop in found.around:  # a cell may have one sum after the other
        before = before * loop.count + moment.variable(loop.variable)
    runs = sum(operation.runs_until(line, offset) for line in found.lines)
    done = runs - before * count if found.in_block else 0
    numbers = tuple(line.number for line in found.lines)
    return Reduction(numbers, found.loops, count, max(0, min(done, count)), line_now in numbers, found.begun)


class _Sum(NamedTuple):
    """The lines that take the terms of a sum.

    Attributes
    ----------
    lines : tuple[Line, ...]
        Those lines.
    around : tuple[Loop, ...]
        The loops inside the cell for each of whose values there is a sum of its own.
    loops : tuple[Loop, ...]
        The loops inside those, which take the terms.
    begun : int
        The line that it begins with; 0 if it begins with what a cell holds.
    in_block : bool
        Whether the line asked for is in the cell's block.
    """

    lines: tuple[Line, ...]
    around: tuple[Loop, ...]
    loops: tuple[Loop, ...]
    begun: int
    in_block: bool


@lasting_cache(1024)
def _sum_of(operation: Operation, line: int) -> _Sum | None:
    """Return the sum around a line of a listing.

    It is looked for in the statement that holds the line, then before it, then after it.
    """
    cells = operation.cells_of(line)
    nest, block = cells.nest, cells.block
    here = next((k for k, s in enumerate(block.statements) if any(n.number == line for n in _nodes(s))), None)
    start = here or 0
    for k in (start, *range(start - 1, -1, -1), *range(start + 1, len(block.statements))):
        statement = block.statements[k]
        if not isinstance(statement, Loop):
            continue
        found = _sums_in(operation, statement)
        if found:
            lines = min(found, key=lambda lines: not _is_of(operation, lines, line))
            around, begun = operation.path_to(lines[0].number)[0], _begins(operation, lines[0])
            depth = max(len(nest), len(operation.path_to(begun)[0]) if begun else 0)
            outer = around[len(nest) : depth]
            if k == here and not all(loop in operation.path_to(line)[0] for loop in outer):
                return None  # a header around several sums, of which the next has not begun
            return _Sum(lines, outer, around[depth:], begun, here is not None or not nest)
        if k == here:
            return None
    return None


def _sums_in(operation: Operation, statement: Loop) -> list[tuple[Line, ...]]:
    """Return the lines in a loop that take terms, those together that take the terms of one sum."""
    found: dict[object, list[Line]] = {}
    for node in _nodes(statement):
        if isinstance(node, Line) and node.is_term and (node.accumulates or not node.index):
            alike = (node.target, node.index, operation.path_to(node.number)[0])
            found.setdefault(alike, []).append(node)
    return [tuple(lines) for lines in found.values()]


def _is_of(operation: Operation, lines: tuple[Line, ...], line: int) -> bool:
    """Return whether a line takes terms of a sum, begins it, or is the loop that takes them."""
    headers = [loop.number for loop in operation.path_to(lines[0].number)[0][-1:]]
    return line in (*(taking.number for taking in lines), *headers, _begins(operation, lines[0]))


def _begins(operation: Operation, taking: Line) -> int:
    """Return the line that begins the sum of a line that takes terms; 0 if there is none."""
    around = operation.path_to(taking.number)[0]
    begun = [
        node.number
        for node in walk(operation.body)
        if isinstance(node, Line)
        and (node.target, node.index) == (taking.target, ())
        and not (node.accumulates or node.is_term or taking.index)
        and node.number < taking.number
        and operation.path_to(node.number)[0] == around[: len(operation.path_to(node.number)[0])]
    ]
    return max(begun, default=0)


def _nodes(statement: Line | Loop) -> list[Line | Loop]:
    return [node for node in walk(statement) if isinstance(node, Line | Loop)]
