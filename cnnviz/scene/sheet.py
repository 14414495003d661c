"""A sheet: a picture's parts, drawn where the layout puts them.

A picture says which slices of arrays it shows and how they may be arranged; the sheet draws each under its
heading, with the channels behind it and the scale of its colours, and returns its grid, so that the picture
can outline cells of it. Of an array too large for its numbers, it draws the whole and a page of it. A page
stands still while one walks through it, and shows a cell more on each side than is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.layout import STRONG, THIN, USUAL, Grid, Layout, Part, Place, Room, page_said, solve
from cnnviz.scene.letters import plain, products
from cnnviz.scene.look import Look
from cnnviz.scene.marks import (
    FROM_ZERO,
    Box,
    Cells,
    Family,
    Group,
    Hotspot,
    Label,
    Mark,
    Path,
    Rect,
    Role,
    Span,
    label,
    nearest_pixel,
)
from cnnviz.scene.measure import LINE, width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief, number
from cnnviz.text import tr
from cnnviz.trace.program_cache import lasting_cache
from cnnviz.trace.state import ArrayCell as Cell

_BEHIND = 3  # so many channels are drawn behind the one in front, at most
_BETWEEN = "  "  # a name and what it says


class TooSmallError(Exception):
    """There is no room in which anything of a picture could be read."""


class Shown(Struct, frozen=True, eq=False):
    """A slice of an array, what its heading says, and the part that it is in a layout."""

    plane: grid.Plane
    text: str
    part: Grid
    depth: int = 1
    axis: int = 0


class Reckoned(Struct, frozen=True, eq=False):
    """Numbers that stand in no array, as products do.

    Attributes
    ----------
    missing : NDArray[np.bool_]
        Which are still to come.
    factors : Sequence
        What is multiplied in each cell, for its name in letters.
    """

    values: Array
    look: Look
    missing: NDArray[np.bool_]
    head: tuple[Span, ...]
    part: Grid
    factors: Sequence[Sequence[Sequence[Cell]]] = ()


def shown(
    moment: Moment,
    plane: grid.Plane,
    text: str,
    depth: int = 1,
    axis: int = 0,
    *,
    weight: float = 1.0,
    scaled: bool = True,
) -> Shown:
    """Return a slice to be shown.

    Parameters
    ----------
    depth : int
        How many channels the array has; the slice's index on `axis` is the one in front.
    axis : int
        Which of the array's axes counts the channels.
    weight : float
        Its importance, as in `Grid`.
    scaled : bool
        Whether the scale of its colours stands under it.
    """
    text = moment.titled(plane.of.name, text)
    of = plane.of
    if depth > 1:
        prefix = (
            *of.prefix[:axis],
            in_front(moment, of.name, of.prefix[axis], depth),
            *of.prefix[axis + 1 :],
        )
        if prefix != of.prefix:
            plane = grid.plane(moment, of.name, prefix, plane.focus, axes=of.axes, flipped=of.flipped)
        text = tr("{text}, {depth} channels", text=text, depth=depth)
    return Shown(plane, text, _part(moment, plane, text, depth, weight, scaled), depth, axis)


def in_front(moment: Moment, name: str, channel: int, depth: int) -> int:
    """Return which channel of an array stands in front: the step's, or one that is looked at instead."""
    array, after = moment.view.front
    return (channel + after) % depth if array == name else channel


def _part(moment: Moment, plane: grid.Plane, text: str, depth: int, weight: float, scaled: bool) -> Grid:
    of, (rows, columns) = plane.of, plane.values.shape
    look = of.look
    shape = np.shape(moment.state.arrays[of.name])
    widest = of._replace(prefix=tuple(size - 1 for size in shape[: len(of.prefix)]))
    vector = of.axes in ("r", "c")
    cut = {"r": "column", "c": "row"}.get(of.axes, "page" if max(rows, columns) > grid.LITTLE else "")
    if vector and rows + columns > 5:  # it may be cut
        part = part_said(range(rows + columns - 1), rows + columns - 1)
        text = max(text, part, key=width)
    return Grid(
        of.name,
        rows,
        columns,
        grid.figures(look),
        head_width(grid.heading(widest, text)),
        0.65 * len(str(rows - 1)) + 0.5 if of.axes == "r" and rows > 4 else 0.0,
        min(depth, _BEHIND + 1) - 1,
        _scale_width(look) if scaled and not (vector and columns > 1) else 0.0,
        weight,
        cut,
        plane.focus[2:],
        look.palette in FROM_ZERO,
        of.name in moment.operation.call.writes,
    )


def head_width(runs: Sequence[Span]) -> tuple[float, float]:
    """Return how wide a heading is, in parts of its size: in one line, and its longest run alone."""
    widths = [1.03 * width(run.text, run.bold) for run in runs if run.text]  # with a little air
    return sum(widths) + width(_BETWEEN) * (len(widths) - 1), max(widths, default=0.0)


def part_said(page: range, count: int) -> str:
    """Say which part of a long row or column is shown."""
    return tr("{first}…{last} of {count}", first=page.start, last=page.stop - 1, count=count)


def page_of(k: int, count: int, length: int) -> range:
    """Return the page of a long row that holds a place: pages stand still while one walks along them.

    The last one is as long as the others, and so holds the end of the one before it.
    """
    start = max(0, min(k // length * length, count - length))
    return range(start, min(start + length, count))


def _with_part(of: grid.Slice, text: str, part: str, place: Place, em: float) -> str:
    """Return what a heading says, with the part that is shown; that alone where both have no room."""
    both = ", ".join((text, part))
    room = place.head.right - place.box.x + em
    wide = head_width(grid.heading(of, both))[0] if place.lines == 1 else width(both)
    return both if wide * em <= room else part


class Sheet(Struct, eq=False, dict=True):
    """A picture while it is drawn: where its parts stand, and its marks by now."""

    moment: Moment
    layout: Layout
    marks: list[Mark]

    @cached_property
    def em(self) -> float:
        """The size of the text around the grids."""
        return self.layout.em

    def place(self, name: str) -> Place:
        """Return where a part stands."""
        return self.layout.places[name]

    # ------------------------------------------------------------------------------------------- grids

    def show(self, what: Shown) -> Cells:
        """Draw a slice and all that belongs to it; return its grid, or that of the page of it."""
        name, plane = what.part.name, what.plane
        place, whole = self.place(name), self.layout.places.get(f"{name}.whole")
        if whole is not None:
            return self._close_up(what, place, whole)
        rows, columns = plane.values.shape
        page: tuple[int, int, int, int] | None = None
        text = what.text
        if (place.rows, place.columns) != (rows, columns):
            column = page_of(max(plane.focus[:2]), max(rows, columns), max(place.rows, place.columns))
            page = (column.start, 0, len(column), 1) if columns == 1 else (0, column.start, 1, len(column))
            text = _with_part(plane.of, text, part_said(column, max(rows, columns)), place, self.em)
        drawn = grid.cells(plane, place.box, place.size, page)
        self.marks.append(self._setting(what, place, text, page is None))
        if plane.fill == "partly" or page is not None:
            self.marks.append(drawn)
        if what.part.aside:
            self.indices(drawn, place)
        self.marks += grid.outlines(self.moment, drawn, self.em)
        return drawn

    def _setting(self, what: Shown, place: Place, text: str, whole: bool) -> Group:
        of, behind = what.plane.of, self._behind(what)
        fill = what.plane.fill if whole else "partly"
        scaled = bool(what.part.scale)
        return _setting(of, fill, behind, place, self.em, text, what.depth, what.axis, scaled)

    def _behind(self, what: Shown) -> tuple[str, ...]:
        """Return how far the channels behind a slice are filled, the nearest first; none while some are."""
        of = what.plane.of
        fills = tuple(
            grid.plane(self.moment, of.name, _deeper(of.prefix, k, what.depth, what.axis)).fill
            for k in range(1, what.part.behind + 1)
        )
        return () if "partly" in fills else fills

    def indices(self, drawn: Cells, place: Place) -> None:
        """Write the indices of a column at its left."""
        for k in range(len(drawn.values)):
            cell = drawn.box_of(k, 0)
            beside = Box(place.head.x, cell.y, cell.x - place.head.x - 0.35 * self.em, cell.h)
            size = min(self.em, 0.75 * cell.h)
            self.marks.append(label(beside, str(drawn.origin[0] + k), size, "muted", align="right"))

    def _close_up(self, what: Shown, place: Place, at: Place) -> Cells:
        """Draw the whole of an array as a heatmap, and the page of it that holds what the step is about."""
        plane, em = what.plane, self.em
        whole = grid.cells(plane, at.box, 0.0)
        rows, columns = plane.values.shape
        seen = place.rows, place.columns
        top, left, high, wide = self._looked_at(plane, seen)
        window = (_start(top, high, seen[0], rows), _start(left, wide, seen[1], columns), *seen)
        close = grid.cells(plane, place.box, place.size, window)
        row, column = window[:2]
        if plane.of.flipped:
            row, column = rows - row - seen[0], columns - column - seen[1]
        around = whole.box_of(row, column, *seen)
        self.marks.append(self._setting(what, at, what.text, True))
        if what.part.page_first:
            self.marks += heading(grid.heading(plane.of, what.text), place, em)
        if plane.fill == "partly":
            self.marks.append(whole)
        self.marks += [
            Rect(whole.box, stroke="line", width=1.0),  # pale cells would not show where it ends
            Rect(around, stroke="ground", width=STRONG * em),  # seen on light and on dark cells
            Rect(around, stroke="ink", width=THIN * em),
            *grid.outlines(self.moment, whole, 0.6 * em),
            close,
            *grid.outlines(self.moment, close, em),
        ]
        under = not (place.box.y < at.box.bottom and at.box.y < place.box.bottom)
        self._say_page(window, whole.box, bool(what.part.scale), at, under)
        return close

    def _looked_at(self, plane: grid.Plane, seen: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return what must be seen with its numbers: the focus, or of one too large the cell in hand."""
        focus, of = plane.focus, plane.of
        if focus[2] <= seen[0] and focus[3] <= seen[1]:
            return focus
        for name, index in (*self.moment.state.reads, *self.moment.state.writes):
            if name == of.name and index[: len(of.prefix)] == of.prefix:
                return grid.cell_focus(index)
        return focus[0], focus[1], 1, 1

    def _say_page(
        self, window: tuple[int, int, int, int], over: Box, scaled: bool, at: Place, under: bool
    ) -> None:
        """Say which part is enlarged."""
        top, left, high, wide = window
        lines = page_said((top, top + high - 1), (left, left + wide - 1), under)
        y = over.bottom + (_SCALED if scaled else 0.5) * self.em
        for k, line in enumerate(lines):
            row = Box(over.x, y + k * 1.3 * self.em, max(at.head.w, over.w), 1.3 * self.em)
            self.marks.append(label(row, line, self.em, "muted"))

    def reckon(self, what: Reckoned, done: int = 0) -> Cells:
        """Draw numbers that stand in no array; return their grid."""
        place, rows = self.place(what.part.name), what.missing.shape[0]
        self.marks += heading(what.head, place, self.em)
        page = slice(0, place.columns) if rows == 1 else slice(None)
        look = what.look
        drawn = Cells(
            place.box,
            what.values[:, page],
            palette=look.palette,
            limit=look.limit,
            texts=grid.texts(what.values[:, page], look, place.box, place.size, what.missing[:, page])
            if place.size
            else (),
            size=place.size,
            missing=what.missing[:, page],
        )
        if self.moment.letters and drawn.texts and what.factors:
            drawn = products(self.moment.names, drawn, what.factors, self.em)
        self.marks.append(drawn)
        return drawn

    # ---------------------------------------------------------------------------------------- outlines

    def window(
        self, on: Cells, window: tuple[int, int, int, int], colour: Role, width: float = STRONG
    ) -> None:
        """Outline a window of an array, cut to what a grid shows of it."""
        self.marks.append(grid.outline(grid.window_box(on, window), colour, width * self.em))

    def whole(self, on: Cells, colour: Role) -> None:
        """Outline a grid."""
        self.marks.append(grid.outline(on.box, colour, USUAL * self.em))

    def cell(self, on: Cells, index: tuple[int, ...], colour: Role) -> Box | None:
        """Outline a cell of an array; return where it is, or None if the grid does not show it."""
        at = on.cell_of(index)
        if at is None:
            return None
        box = on.box_of(*at)
        self.marks.append(grid.outline(box, colour, STRONG * self.em))
        return box

    def way(self, start: Box, target: Box, on: Cells, colour: Role = "line") -> None:
        """Draw the way of a number into its cell: along the rule under it, so that no number is crossed.

        Only into what stands at the right, for between pictures under one another are headings.
        """
        em = self.em
        begin = (start.right + 0.4 * em, start.center[1])
        aside = on.box.x - 0.8 * em
        if aside < begin[0]:
            return
        level = target.bottom + 0.32 * em
        tip = (target.center[0], target.bottom + 2)
        points: tuple[tuple[float, float], ...]
        points = (begin, (aside, begin[1]), (aside, level), (tip[0], level), tip)
        if target.x <= on.box.x + 1:  # the first of its row can be reached from the left
            points = (begin, (aside, begin[1]), (aside, target.center[1]), (target.x - 3, target.center[1]))
        self.marks.append(Path(points, colour, THIN * em, arrow=True))

    def arrow(self, start: Box, target: Box, on: Cells, colour: Role = "line") -> None:
        """Draw an arrow to what stands at the right, only as far as its grid: no number is crossed."""
        begin = (start.right + 0.5 * self.em, start.center[1])
        tip = (on.box.x - 0.4 * self.em, min(max(target.center[1], on.box.y), on.box.bottom))
        if tip[0] > begin[0]:
            self.marks.append(Path((begin, tip), colour, 0.15 * self.em, arrow=True))


_SCALED = 2.3  # from a grid to what stands under its scale


def sheet(moment: Moment, room: Room, *arrangements: Part) -> Sheet:
    """Return a sheet with the signs between its parts, in the arrangement that is read best.

    Raises
    ------
    TooSmallError
        If nothing could be read.
    """
    layout = solve(arrangements, room)
    if layout is None:
        raise TooSmallError
    signs: list[Mark] = [_sign(place, layout.em) for place in layout.places.values() if place.text]
    return Sheet(moment, layout, signs)


def _sign(place: Place, em: float) -> Label:
    alone = len(place.text) == 1
    family: Family = "math" if alone else "sans"
    return label(place.box, place.text, (2 if alone else 1) * em, "muted", align="center", family=family)


def heading(runs: Sequence[Span], place: Place, em: float) -> list[Label]:
    """Write a heading over its grid: in one line, or the name and what it says under one another."""
    kept = tuple(run for run in runs if run.text)
    if not kept or not place.lines:
        return []
    gap = 0.35 * em
    line = LINE * em
    bottom = place.head.bottom - gap - place.shift_up
    room = max(place.head.right, place.box.right) - place.box.x + em
    # No wider than its words, for a sign may stand beside it.
    if place.lines == 1:
        between = [run for k, run in enumerate(kept) for run in ((Span(_BETWEEN), run) if k else (run,))]
        wide = min(room, (head_width(kept)[0] + 0.12) * em)
        return [Label(Box(place.box.x, bottom - line, wide, line), tuple(between), em)]
    wide = min(room, (head_width(kept)[1] + 0.12) * em)
    return [
        Label(Box(place.box.x, bottom - (len(kept) - k) * line, wide, line), (run,), em)
        for k, run in enumerate(kept)
    ]


def _deeper(prefix: tuple[int, ...], k: int, depth: int, axis: int) -> tuple[int, ...]:
    """Return the indices of the k-th channel behind the one in front; after the last comes the first."""
    return (*prefix[:axis], (prefix[axis] + k) % depth, *prefix[axis + 1 :])


def _start(at: int, size: int, seen: int, count: int) -> int:
    """Return where the page begins that holds a window: with a cell more on each side, if there is room."""
    margin = 1 if seen >= size + 3 else 0  # with less, the page would move with each step
    step = seen - size + 1 - 2 * margin
    return min(max(0, at // step * step - margin), count - seen)


@lasting_cache(1024)
def _setting(
    of: grid.Slice,
    fill: str,
    behind: tuple[str, ...],
    place: Place,
    em: float,
    text: str,
    depth: int,
    axis: int,
    scaled: bool,
) -> Group:
    """Return what stays the same around a grid, and the grid itself unless it is being filled."""
    at, step = place.box, place.shift
    marks: list[Mark] = [*heading(grid.heading(of, text), place, em)]
    for k in range(len(behind), 0, -1):
        other = grid.tinted(of._replace(prefix=_deeper(of.prefix, k, depth, axis)))
        back = Box(at.x + k * step, at.y - k * step, at.w, at.h)
        # Only for the eye: what is hovered is the channel in front.
        heatmap = _unpadded(replace(grid.unchanging(other, behind[k - 1], back, 0.0), array=""), of)
        heatmap = plain(heatmap) if of.look.letters else heatmap
        edges = Box(back.x, back.y, back.w, step), Box(back.right - step, back.y, step, back.h)
        marks += [Rect(back, "ground"), heatmap, Rect(back, stroke="line", width=1.0)]
        marks += [Hotspot(edge, "channel", of.name, line=k) for edge in edges]
    marks.append(Rect(at, "ground"))
    if fill != "partly":
        marks.append(grid.unchanging(of, fill, at, place.size))
    if scaled and not of.look.letters:
        marks += scale(of.name, of.look, Box(at.x, at.y, max(at.w, place.head.right - at.x), at.h), em)
    # One more pixel at the left and the right: a grid's outer rule straddles its edge. No more than that,
    # for the sign beside it would be painted over.
    left = min(place.head.x, at.x) - 1
    words = [mark.box.right for mark in marks if isinstance(mark, Label)]
    right = max(place.head.right, at.right + len(behind) * step, *words) + 1
    bottom = at.bottom + (_SCALED * em if scaled else 2)
    top = place.head.y - 1
    rim = Box(left, top, right - left, bottom - top).whole()
    return Group(rim, (Rect(rim, "ground"), *marks))


def _unpadded(heatmap: Cells, of: grid.Slice) -> Cells:
    """Return a heatmap of a channel behind without its padding: else nothing but that would be seen of it."""
    placement = of.operation.call.placement(of.name)
    if placement is None or not placement.surrounds or of.axes != "rc":
        return heatmap
    (top, left), (rows, columns) = placement.start, placement.own
    values = heatmap.values[top : top + rows, left : left + columns]
    if values.shape != (rows, columns) or not values.size:
        return heatmap
    missing = None if heatmap.missing is None else heatmap.missing[top : top + rows, left : left + columns]
    return replace(heatmap, values=values, missing=missing, faint=None)


# ------------------------------------------------------------------------------------------------- scales


def _ends(look: Look) -> tuple[str, str]:
    low = 0.0 if look.palette in FROM_ZERO else -look.limit
    return scale_end(look, low), scale_end(look, look.limit)


def scale_end(look: Look, value: float) -> str:
    """Write the value at an end of a scale: in the array's power of ten, or by itself if others share it."""
    if look.scale != "array" or not value:
        return brief(float(f"{value:.3g}")) if value else number(0, 0)
    return brief(float(f"{value * 10.0**-look.power:.3g}"))


def _scale_width(look: Look) -> float:
    """Return how wide a scale is without its bar, in parts of the text's size."""
    _, high = _ends(look)
    locked = f", {tr(look.scale)}" if look.scale != "array" else ""
    return width(f"0 … {high}{locked}") + 0.2


def scale(name: str, look: Look, over: Box, em: float) -> list[Label | Cells | Hotspot]:
    """Draw the scale of an array's colours under a grid, with the values at both ends.

    Where there is no room for a bar, they are written alone.
    """
    low, high = _ends(look)
    locked = f", {tr(look.scale)}" if look.scale != "array" else ""
    y, line = over.bottom + 0.75 * em, 1.25 * em
    left, right = (width(text) * em for text in (low, high + locked))
    bar = min(6.5 * em, over.w - left - right - 0.8 * em)
    if bar < 1.6 * em:
        told = f"±{high}{locked}" if look.palette not in FROM_ZERO else f"0 … {high}{locked}"
        return [label(Box(over.x, y, over.w, line), told, em, "muted")]
    start = 0.0 if look.palette in FROM_ZERO else -look.limit
    x = over.x + left + 0.4 * em
    # Whole pixels on screens of 125 % and 175 %, too.
    place = Box(*(4.0 * nearest_pixel(side / 4) for side in (x, y + 0.35 * em, bar, max(0.55 * em, 4.0))))
    colours = np.linspace(start, look.limit, 32)[None]
    return [
        label(Box(over.x, y, left + 0.1 * em, line), low, em, "muted"),
        Cells(place, colours, palette=look.palette, limit=look.limit, lines=False),
        Hotspot(place.inset(0, -0.35 * em), "scale", name, low=start, high=look.limit),
        label(Box(place.right + 0.4 * em, y, right + 0.4 * em, line), high + locked, em, "muted"),
    ]


def named(moment: Moment, name: str, text: str) -> tuple[Span, Span]:
    """Return a heading for an array drawn by other means: its symbol, power of ten, and what it is."""
    operation = moment.operation
    first = Span(symbol(operation, name) + moment.look(name).factor, role(operation, name), True)
    return first, Span(moment.titled(name, text), "muted")
