"""A picture with names in place of numbers: every grid of an array tells what its cells are called.

A cell that is written as a sum of few products shows the sum itself, ``aw + bx + ey + fz``, where all of
such a map can be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from msgspec.structs import replace

from cnnviz.scene.letters import ZERO, Names, Texts, in_cells, product, size_of, where_written
from cnnviz.scene.marks import Cells, Group, Mark
from cnnviz.scene.moment import Moment
from cnnviz.trace.assignment import Assignment, assignment
from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache, program_cache

_MOST_TERMS = 9
# A sum in a cell is read as a line of text, so it may not be as small as a name.
# The first is in lines of text, the second in pixels.
_SMALLEST_SUM, _FEWEST_PIXELS = 0.88, 11.0


def in_letters(moment: Moment, marks: Iterable[Mark], em: float) -> list[Mark]:
    """Return the marks of a picture with names in the cells of its arrays; nothing else is changed."""
    return [_in_letters(mark, moment.names, em) for mark in marks]


def without_numbers(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks with all grids as heatmaps."""
    return [_bare(mark) for mark in marks]


def _in_letters(mark: Mark, of: Names, em: float) -> Mark:
    """Return a mark with names; of one that is kept painted, the same object each time."""
    if isinstance(mark, Group):
        return _group(mark, of, em)
    if not isinstance(mark, Cells) or not mark.array or not mark.texts:
        return mark
    return _kept(mark, of, em) if mark.cached else _named(mark, of, em)


@program_cache(1024)
def _group(group: Group, of: Names, em: float) -> Group:
    return replace(group, marks=tuple(_in_letters(mark, of, em) for mark in group.marks))


@program_cache(1024)
def _kept(grid: Cells, of: Names, em: float) -> Cells:
    return _named(grid, of, em)


def _named(grid: Cells, of: Names, em: float) -> Cells:
    rows, columns = grid.values.shape
    places = [[grid.index_of(r, c) for c in range(columns)] for r in range(rows)]
    names = tuple(tuple(of.cell(grid.array, index) for index in row) for row in places)
    if grid.array in of.operation.call.before:
        old = np.zeros((rows, columns), bool) if grid.faint is None else grid.faint
        names = tuple(
            tuple(name + "′" * (not is_old) for name, is_old in zip(*row, strict=True))
            for row in zip(names, old.tolist(), strict=True)
        )
    sums = _sums(grid, of, em)
    if sums is not None:
        names = sums
    made = in_cells(grid, names, em)
    return replace(made, texts=where_written(made.texts, grid))


@program_cache(64)
def _bare_group(group: Group) -> Group:
    return replace(group, marks=tuple(_bare(mark) for mark in group.marks))


def _bare(mark: Mark) -> Mark:
    if isinstance(mark, Group):
        return _bare_group(mark)
    return replace(mark, texts=()) if isinstance(mark, Cells) and mark.texts else mark


# ---------------------------------------------------------------------------------------------------- sums


def _sums(grid: Cells, of: Names, em: float) -> Texts | None:
    """Return what the cells of a grid are sums of; None if that is not all there is to them, or too long."""
    rows, columns = grid.values.shape
    found = _summed(of.operation)
    if found is None or found[0] != grid.array or rows * columns > 100:
        return None
    least = max(_SMALLEST_SUM * em, _FEWEST_PIXELS)
    middle = sum_of(of, grid.index_of(rows // 2, columns // 2))
    if size_of(grid, ((middle,),), em) < least:
        return None
    texts = tuple(tuple(sum_of(of, grid.index_of(r, c)) for c in range(columns)) for r in range(rows))
    return texts if size_of(grid, texts, em) >= least else None


@lasting_cache(256)
def _summed(operation: Operation) -> tuple[str, Assignment, Assignment, tuple[Loop, ...]] | None:
    """Return how an operation makes each cell as a sum of products, if it does.

    Returns
    -------
    (str, Assignment, Assignment, tuple[Loop, ...]) or None
        The array that is written, the line that begins the sum, the line that adds a product, its loops.
    """
    (writer, *_) = operation.writing_lines
    cells = operation.cells_of(writer.number)
    statements = cells.block.statements
    if len(statements) != 3 or not cells.nest:
        return None
    first, loop, last = statements
    if not (isinstance(first, Line) and isinstance(loop, Loop) and isinstance(last, Line)):
        return None
    loops = [loop]
    while isinstance(loops[-1].body.statements[0], Loop):
        loops.append(loops[-1].body.statements[0])
    lines = (first, loops[-1].body.statements[0], last)
    begun, added, written = (assignment(operation.tree, line.number) for line in lines)
    if begun is None or added is None or written is None or prod(loop.count for loop in loops) > _MOST_TERMS:
        return None
    adds_a_product = (
        "+=" in added.text and added.text[added.right :].count(" * ") == len(added.operands) - 1 == 1
    )
    if not adds_a_product or written.text[written.right :] != added.target.name:
        return None
    return last.target, begun, added, tuple(loops)


@program_cache(4096)
def sum_of(of: Names, index: tuple[int, ...]) -> str:
    """Write a cell as the sum that it is, a line for each row of the kernel: ``aw + bx +``, ``ey + fz``."""
    operation = of.operation
    found = _summed(operation)
    assert found is not None
    array, begun, added, loops = found
    offset = operation.step_writing(array, index)
    assert offset is not None
    variables = operation.variables_at(offset)
    counts = [loop.count for loop in loops]
    lines: list[list[str]] = [[] for _ in range(prod(counts[:-1]))]
    starts = [
        of.cell(part.name, part.place({**operation.call.given, **variables})) for part in begun.operands
    ]
    for k in range(prod(counts)):
        own = zip(loops, np.unravel_index(k, counts), strict=True)
        scope = {**operation.call.given, **variables, **{loop.variable: int(n) for loop, n in own}}
        factors = [of.cell(part.name, part.place(scope)) for part in added.operands]
        if ZERO not in factors:
            lines[k // counts[-1]].append(product(*factors))
    if starts and starts[0] != ZERO:
        lines[0].insert(0, starts[0])
    return " +\n".join(" + ".join(line) for line in lines if line) or ZERO
