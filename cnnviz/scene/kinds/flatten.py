"""Flatten: one map on the left, the column that it is written into on the right, and the way between them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds.layout import titled, with_part
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.scene.look import Look
from cnnviz.scene.marks import Box, Cells, Group, Label, Mark, Path, Rect, Run, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

# At 1080 lines: of the column's pieces, how wide an index and a gap are, and how small a cell may be.
_INDEX, _GAP, _NARROWEST, _LOWEST = 44, 22, 76, 37


def forward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the map in work and the column filling up."""
    return _picture(moment, box, unit, "x", "y", moment.came_from(), tr("output"))


def backward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the gradient's column and the map it is put back into."""
    return _picture(moment, box, unit, "dx", "dy", tr("input gradient"), moment.gradient_from())


def _picture(
    moment: Moment, box: Box, unit: float, maps: str, line: str, maps_text: str, line_text: str
) -> list[Mark]:
    c, i, j = place = tuple(moment.variable(name) for name in "cij")
    depth, height, width = moment.state.arrays[maps].shape
    left, right = box.columns([4.0, 6.0], gap=56 * unit)
    words = Box(left.x, left.bottom - 104 * unit, left.w, 104 * unit)
    upper = left._replace(h=left.h - words.h - 8 * unit)
    shown = grid.plane(moment, maps, (c,), (i, j, 1, 1))
    marks, on_maps = titled(moment, shown, upper, unit, maps_text, depth)
    k = (c * height + i) * width + j
    pieces, others = _in_pieces(moment, right, unit, line, line_text, k, (height * width, width))
    marks += others
    done = bool(moment.state.writes)
    marks += _index(words, unit, place, (depth, height, width), k if done else None)
    at = on_maps.cell_of((c, i, j))
    if done and at is not None:
        piece, row = next((on, found[0]) for on in pieces if (found := on.cell_of((k,))))
        way = _way(on_maps.box_of(*at), piece.box_of(row, 0), piece is pieces[0], right.x, len(str(k)), unit)
        back = line not in moment.operation.call.writes
        marks.append(Path(way[::-1] if back else way, "written_line", 2 * unit, arrow=True))
    return marks


def _in_pieces(
    moment: Moment, box: Box, unit: float, name: str, text: str, k: int, wholes: tuple[int, int]
) -> tuple[list[Cells], list[Mark]]:
    """Draw a column in pieces side by side, as in a newspaper, or the page of it that holds its k-th cell.

    Parameters
    ----------
    wholes : (int, int)
        How many cells a map has, and a row of it: pieces hold so many, or several times as many.
    """
    box = box.whole()  # what stays the same in it is kept painted
    values, look = np.asarray(moment.state.arrays[name]), moment.look(name)
    body = box.below(34 * unit)
    most = max(1, int((body.w + _GAP * unit) / ((_INDEX + _GAP) * unit + _narrowest(look, unit))))
    rows = _rows(len(values), max(1, int(body.h / (_LOWEST * unit))), most, wholes)
    start = k // (rows * most) * rows * most
    page = range(start, min(start + rows * most, len(values)))
    count = -(-len(page) // rows) if len(page) == len(values) else most
    wide = min(170 * unit, (body.w + _GAP * unit) / count) - (_INDEX + _GAP) * unit
    high = min(body.h / rows, 100 * unit)
    called = symbol(moment.operation, name) + look.factor
    head = Box(box.x, box.y, box.w, 28 * unit)
    said = with_part(called, moment.titled(name, text), page, len(values), head, unit)
    runs = (Run(called, role(moment.operation, name), True), Run("  " + said, "muted"))
    pieces: list[Cells] = []
    marks: list[Mark] = [_setting(moment.operation, box, runs, page, rows, (wide, high), unit)]
    for n, first in enumerate(range(page.start, page.stop, rows)):
        part = range(first, min(first + rows, page.stop))
        x = body.x + n * (wide + (_INDEX + _GAP) * unit)
        place = Box(x + _INDEX * unit, body.y, wide, high * len(part))
        drawn = grid.column(moment, name, part, place, unit)
        pieces.append(drawn)
        marks += [drawn, *grid.outlines(moment, drawn, unit)]
    return pieces, marks


@remembered(256)
def _setting(
    operation: Operation,
    box: Box,
    runs: tuple[Run, ...],
    page: range,
    rows: int,
    cell: tuple[float, float],
    unit: float,
) -> Group:
    """Return what stays the same around a column in pieces: the heading and the indices."""
    wide, high = cell
    marks: list[Mark] = [Rect(box, "ground"), Label(box.top(28 * unit), runs, 17 * unit)]
    for k, index in enumerate(page):
        piece, row = divmod(k, rows)
        x, y = box.x + piece * (wide + (_INDEX + _GAP) * unit), box.y + 34 * unit + row * high
        beside = Box(x, y, (_INDEX - 8) * unit, high)
        marks.append(label(beside, str(index), min(17 * unit, 0.7 * high), "muted", align="right"))
    return Group(box, tuple(marks))


def _narrowest(look: Look, unit: float) -> float:
    return max(_NARROWEST * unit, grid.narrowest_cell(look))


def _rows(count: int, most_rows: int, most: int, wholes: tuple[int, int]) -> int:
    """Return how long the pieces of a column are: as short as may be, of whole maps or rows if possible."""
    whole = next((size for size in wholes if size <= most_rows), 1)
    longest = most_rows // whole * whole
    return next((rows for rows in range(whole, longest + 1, whole) if rows * most >= count), longest)


def _index(
    box: Box, unit: float, place: tuple[int, ...], shape: tuple[int, int, int], k: int | None
) -> list[Mark]:
    """Write the index in the column as it follows from that in the maps: in letters, numbers and words."""
    c, i, j = place
    _, height, width = shape
    row = box.h / 3
    lines = [Box(box.x, box.y + n * row, box.w, row) for n in range(3)]

    def formula(*letters: str) -> tuple[Run, ...]:
        channel, tall, line, wide, column = letters
        return (
            Run("(", "muted"),
            Run(channel, "written", True),
            Run(f" · {tall} + ", "muted"),
            Run(line, "written", True),
            Run(f") · {wide} + ", "muted"),
            Run(column, "written", True),
        )

    marks: list[Mark] = [
        Label(lines[0], (Run(tr("index") + " = ", "muted"), *formula("c", "H", "i", "W", "j")), 20 * unit)
    ]
    if k is None:
        return marks
    numbers = formula(*map(str, (c, height, i, width, j)))
    result = (Run(tr("index") + " = ", "muted"), *numbers, Run(" = ", "muted"), Run(str(k), "written", True))
    before = tr(
        "before it: {c} · {cells} in maps, {i} · {width} in rows, {j} in its row",
        c=c,
        cells=height * width,
        i=i,
        width=width,
        j=j,
    )
    marks.append(Label(lines[1], result, 22 * unit))
    if len(before) * 0.5 * max(8.0, 0.75 * 17 * unit) <= box.w:  # smaller it would be hard to read
        marks.append(label(lines[2], before, 17 * unit, "muted"))
    return marks


def _way(
    cell: Box, target: Box, is_first: bool, left: float, digits: int, unit: float
) -> tuple[tuple[float, float], ...]:
    """Return the way from a cell of a map to its place in the column: on rules, between rows of numbers."""
    aside, y = left - 24 * unit, target.center[1]
    tip = target.x - (14 + 10.5 * digits) * unit, y
    begin = (cell.right, cell.bottom), (aside, cell.bottom)
    if is_first:
        return (*begin, (aside, y), tip)
    before = target.x - (_INDEX + _GAP / 2) * unit
    return (*begin, (aside, target.y), (before, target.y), (before, y), tip)


def _as_maps(_: Back) -> Local:
    return Local("→", NONE, tr("as maps"))


KINDS: Mapping[str, Kind] = {
    "flatten": Kind(
        sentence="The maps are written as one column: channel after channel, row after row.",
        formula=(r"\y{(cH+i)W+j} = \x{c,i,j}",),
        variables=CELL,
        ahead="Each cell of `x` will be copied into the column `y`, in the order in which it is read.",
        picture=forward,
    ),
    "flatten.dx": Kind(
        title="gradient of the input",
        sentence="Each gradient goes back to the place that its number came from.",
        formula=(r"\dx{c,i,j} = \dy{(cH+i)W+j}",),
        variables=CELL,
        ahead="Each `dx` will be copied from the place in the column `dy` that its number went to.",
        picture=backward,
        local=_as_maps,
    ),
}
