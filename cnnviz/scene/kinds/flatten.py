"""Flatten: one map on the left, the column that it is written into on the right, and the way between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from cnnviz.engine.layer import SIZES
from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.layout import THIN, Area, Grid, Room, Row, column, row
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.scene.marks import Box, Cells, Label, Mark, Path, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, head_width, heading, named, page_of, part_said, sheet, shown
from cnnviz.text import tr

# In so many pieces a column may stand, side by side, as in a newspaper.
_PIECES, _LONGEST = 6, 12
_WORDS = Area("words", (20.0, 4.4), (40.0, 4.4))


def forward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the map in work and the column filling up."""
    return as_column(moment, room, "x", "y", moment.came_from(), tr("output"))


def backward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the gradient's column and the map it is put back into."""
    return as_column(moment, room, "dx", "dy", tr("input gradient"), moment.gradient_from())


def as_column(moment: Moment, room: Room, maps: str, line: str, maps_text: str, line_text: str) -> list[Mark]:
    """Draw maps and the column of their numbers, and the way from the cell in hand to its place there."""
    shape = moment.state.arrays[maps].shape
    if "k" in moment.operation.tree.variables:  # it goes through the column
        place = tuple(int(part) for part in np.unravel_index(moment.variable("k"), shape))
    else:
        place = tuple(moment.variable(name) for name, _ in zip("cij", shape, strict=False))
    depth = shape[0] if len(shape) == 3 else 1
    source = shown(moment, grid.plane(moment, maps, place[:-2], grid.cell_focus(place)), maps_text, depth)
    head = named(moment, line, line_text)
    wholes = prod(shape[1:]), shape[-1]
    at = sheet(moment, room, *_arrangements(moment, source.part, line, head, wholes))
    on_maps = at.show(source)
    k = int(np.ravel_multi_index(place, shape))
    pieces = _pieces(at, line, head, k)
    done = bool(moment.state.writes)
    _index(at, place, shape, k if done else None)
    cell = on_maps.cell_of(place)
    if done and cell is not None:
        piece, row_ = next((on, found[0]) for on in pieces if (found := on.cell_of((k,))))
        way = _way(
            at, on_maps.box_of(*cell), piece.box_of(row_, 0), piece is pieces[0], pieces[0], len(str(k))
        )
        back = line not in moment.operation.call.writes
        at.marks.append(Path(way[::-1] if back else way, "written_line", THIN * at.em, arrow=True))
    return at.marks


def _arrangements(
    moment: Moment, maps: Grid, line: str, head: tuple[Span, Span], wholes: tuple[int, int]
) -> list[Row]:
    """Return a map over its words beside the column: in pieces of whole maps, or of whole rows, or a page."""
    count, look = len(moment.state.arrays[line]), moment.look(line)
    figures = grid.figures(look)
    aside = 0.65 * len(str(count - 1)) + 0.5
    longest = (*head, Span(part_said(range(count - 1), count), "muted"))
    whole = next((size for size in wholes if size <= _LONGEST), 1)
    lengths = [n for n in range(whole, _LONGEST + 1, whole) if -(-count // n) <= _PIECES]
    found = []
    for rows, most in ((lengths[0] if lengths else _LONGEST, _PIECES), (8, 5), (5, 3), (4, 1)):
        pieces = min(-(-count // rows), most)
        first = Grid("piece 0", rows, 1, figures, (0.0, 0.0), aside)
        others = (first._replace(name=f"piece {k}") for k in range(1, pieces))
        wide = head_width(longest)
        column_ = column(
            Area("head", (min(wide[0], 16.0), 1.4), (200.0, 1.4)),
            row(first, *others, gap=0.9, alike=True),
            gap=0.2,
        )
        found.append(row(column(maps, _WORDS), column_, gap=2.6))
    return found


def _pieces(at: Sheet, name: str, head: tuple[Span, Span], k: int) -> list[Cells]:
    """Draw a column in pieces, or the page of it that holds its k-th cell."""
    moment, em = at.moment, at.em
    places = [at.place(key) for key in at.layout.places if key.startswith("piece ")]
    count, rows = len(moment.state.arrays[name]), places[0].rows
    page = page_of(k, count, min(count, rows * len(places)))
    if len(page) < count:
        head = head[0], Span(f"{head[1].text}, {part_said(page, count)}", "muted")
    over = at.place("head")
    at.marks += heading(head, over._replace(head=over.box._replace(h=over.box.h + 0.35 * em), lines=1), em)
    plane, drawn = grid.plane(moment, name, (), (k, 0, 1, 1)), list[Cells]()
    for place, start in zip(places, range(page.start, page.stop, rows), strict=False):
        length = min(rows, page.stop - start)
        high = place.box.h / rows
        drawn.append(
            grid.cells(plane, place.box._replace(h=high * length), place.size, (start, 0, length, 1))
        )
        at.marks += [drawn[-1], *grid.outlines(moment, drawn[-1], em)]
        at.indices(drawn[-1], place)
    return drawn


def _index(at: Sheet, place: tuple[int, ...], shape: tuple[int, ...], k: int | None) -> None:
    """Write the index in the column as it follows from that in the maps: in letters, numbers and words."""
    box = at.place("words").box
    lines = [Box(box.x, box.y + n * box.h / 3, box.w, box.h / 3) for n in range(3)]

    def formula(indices: Sequence[object], sizes: Sequence[object]) -> tuple[Span, ...]:
        said = [Span(tr("index") + " = " + "(" * (len(sizes) - 1), "muted")]
        for number, (index, size) in enumerate(zip(indices, sizes, strict=False)):
            said.append(Span(str(index), "written", True))
            said.append(Span(f"{')' * bool(number)} · {size} + ", "muted"))
        return (*said, Span(str(indices[-1]), "written", True))

    at.marks.append(Label(lines[0], formula("cij"[: len(place)], SIZES[len(place)][1:]), at.em))
    if k is None:
        return
    numbers = formula(place, shape[1:])
    at.marks.append(
        Label(lines[1], (*numbers, Span(" = ", "muted"), Span(str(k), "written", True)), 1.15 * at.em)
    )
    if len(place) == 2:
        before = tr(
            "before it: {c} · {length} in channels, {i} in its own", c=place[0], length=shape[1], i=place[1]
        )
    else:
        before = tr(
            "before it: {c} · {cells} in maps, {i} · {width} in rows, {j} in its row",
            c=place[0],
            cells=prod(shape[1:]),
            i=place[1],
            width=shape[2],
            j=place[2],
        )
    if width(before) * at.em <= box.w:
        at.marks.append(label(lines[2], before, at.em, "muted"))


def _way(
    at: Sheet, cell: Box, target: Box, is_first: bool, first: Cells, digits: int
) -> tuple[tuple[float, float], ...]:
    """Return the way from a cell of a map to its place in the column: on rules, between rows of numbers."""
    em, y = at.em, target.center[1]
    margin = at.place("piece 0").box.x - at.place("piece 0").head.x
    aside, tip = first.box.x - margin - 1.2 * em, (target.x - (0.65 * digits + 0.8) * em, y)
    begin = (cell.right, cell.bottom), (aside, cell.bottom)
    if is_first:
        return (*begin, (aside, y), tip)
    before = target.x - margin - 0.5 * em
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
