"""Arrays too large for their numbers: the whole as a heatmap, and what the step is about enlarged beside it.

What is enlarged is a page of the array. A page stands still while one walks through it, and shows a cell
more on each side than is looked at, so that neighbours are seen.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple

from cnnviz.scene import grid
from cnnviz.scene.look import Look
from cnnviz.scene.marks import Box, Cells, Mark, Rect, label
from cnnviz.scene.moment import Moment
from cnnviz.text import tr

# How much of the room the whole array gets, and how much lies between it and its page, at 1080 lines:
# the scale of the colours stands there.
_SHARE = 0.43
_GAP = 38
# More cells than these are not taken in at a glance; and what is enlarged should be large.
_MOST = 9
_WIDEST, _LOWEST = 66, 36


class Places(NamedTuple):
    """Where a large array stands.

    Attributes
    ----------
    whole : Box
        All of it, as a heatmap.
    page : Box
        The room for what is enlarged.
    said : Box
        Where it is said which part that is.
    """

    whole: Box
    page: Box
    said: Box


def places(shown: grid.Plane, box: Box, unit: float) -> Places:
    """Return where a large array stands in a box: its page under it or beside it."""
    return _places(*shown.values.shape, shown.focus[2:], shown.of.look, box, unit)


@lru_cache(maxsize=256)
def _places(rows: int, columns: int, focus: tuple[int, ...], look: Look, box: Box, unit: float) -> Places:
    """Return the places at which most of the focus and its neighbours is seen."""

    def share(at: Places) -> float:
        place, seen = _cells_in(at.page, rows, columns, look, focus, unit)
        share = min(1.0, seen[0] / (focus[0] + 2)) * min(1.0, seen[1] / (focus[1] + 2))
        return share if grid.legible(place.w / seen[1], place.h / seen[0], look) else share / 100

    both = [_under(rows, columns, box, unit), _beside(rows, columns, box, unit)]
    return max(both if box.w < 1.6 * box.h else both[::-1], key=share)


def _under(rows: int, columns: int, box: Box, unit: float) -> Places:
    gap = _GAP * unit
    whole = _fitted(box.top((box.h - gap) * _SHARE), rows, columns)
    beside = whole.right + 34 * unit  # of the maps behind it
    said = Box(beside, whole.y, box.right - beside, 66 * unit)
    return Places(whole, box.below(whole.h + gap), said)


def _beside(rows: int, columns: int, box: Box, unit: float) -> Places:
    whole = _fitted(Box(box.x, box.y, box.w * _SHARE, box.h - 100 * unit), rows, columns)
    left = whole.right + 30 * unit
    said = Box(box.x, whole.bottom + 34 * unit, whole.w, 66 * unit)
    return Places(whole, Box(left, box.y, box.right - left, box.h), said)


def _fitted(box: Box, rows: int, columns: int) -> Box:
    side = min(box.w / columns, box.h / rows)
    return Box(round(box.x), round(box.y), side * columns, side * rows)


def enlarged(
    moment: Moment, shown: grid.Plane, whole: Cells, at: Places, unit: float
) -> tuple[list[Mark], Cells]:
    """Draw the page of an array that holds what the step is about, and where on the whole it is."""
    rows, columns = shown.values.shape
    place, seen = _cells_in(at.page, rows, columns, shown.of.look, shown.focus[2:], unit)
    top, left, high, wide = _looked_at(moment, shown, seen)
    window = (_start(top, high, seen[0], rows), _start(left, wide, seen[1], columns), *seen)
    numbers = grid.legible(place.w / seen[1], place.h / seen[0], shown.of.look)
    close = grid.cells(shown, place, unit, window=window, numbers=numbers)
    row, column = window[:2]
    if shown.of.flipped:
        row, column = rows - row - seen[0], columns - column - seen[1]
    part = whole.box_of(row, column, *seen)
    marks: list[Mark] = [
        Rect(whole.box, stroke="line", width=1.0),  # pale cells would not show where it ends
        Rect(part, stroke="ground", width=4 * unit),  # seen on light and on dark cells
        Rect(part, stroke="ink", width=2 * unit),
        *grid.outlines(moment, whole, unit * 0.6),
        close,
        *grid.outlines(moment, close, unit),
    ]
    if at.said.w > 120 * unit:
        marks += _said(window, at.said, unit)
    return marks, close


def _cells_in(
    room: Box, rows: int, columns: int, look: Look, focus: tuple[int, ...], unit: float
) -> tuple[Box, tuple[int, int]]:
    """Return where the page's cells stand, and how many rows and columns they are.

    Cells are wider than high where their numbers are long. A focus that is not too large is whole on it,
    however small its cells must be for that.
    """
    least = ceil(grid.least_cell(look, unit))
    # As for a signed number, so that what comes and what goes have pages of one size.
    figures = max(look.width, 5 if look.places and look.palette != "pixel" else 3)
    wide = max(least, floor(11.6 * figures * unit))
    high = max(floor(_LOWEST * unit), round(0.72 * wide))
    if room.h < (focus[0] + 2) * high:  # rather the neighbours than square cells
        high = max(floor(_LOWEST * 0.92 * unit), min(high, floor(room.h / (focus[0] + 2))))
    # Where a row or a column of the focus would be off the page, cells are as small as it takes.
    least_seen = [size if size <= _MOST else 1 for size in focus]
    if room.h < least_seen[0] * high:
        high = max(1, floor(room.h / least_seen[0]))
    if room.w < least_seen[1] * wide:
        wide = max(1, floor(room.w / least_seen[1]))
    seen = (
        min(rows, _MOST, max(least_seen[0], int(room.h / high))),
        min(columns, _MOST, max(least_seen[1], int(room.w / wide))),
    )
    wide = max(wide, floor(min(room.w / seen[1], _WIDEST * unit)))
    high = max(high, floor(min(room.h / seen[0], wide)))
    return Box(round(room.x), round(room.y), wide * seen[1], high * seen[0]), seen


def _looked_at(moment: Moment, shown: grid.Plane, seen: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return what must be seen with its numbers: the focus, or of one too large the cell in hand."""
    focus, of = shown.focus, shown.of
    if focus[2] <= seen[0] and focus[3] <= seen[1]:
        return focus
    for name, index in (*moment.state.reads, *moment.state.writes):
        if name == of.name and index[: len(of.prefix)] == of.prefix:
            return grid.cell_focus(index)
    return focus[0], focus[1], 1, 1


def _start(at: int, size: int, seen: int, count: int) -> int:
    """Return where the page begins that holds a window: with a cell more on each side, if there is room."""
    margin = 1 if seen >= size + 2 else 0
    step = seen - size + 1 - 2 * margin
    return min(max(0, at // step * step - margin), count - seen)


def _said(window: tuple[int, int, int, int], box: Box, unit: float) -> list[Mark]:
    """Say which part is enlarged."""
    top, left, high, wide = window
    lines = (
        tr("enlarged:"),
        tr("rows {first}…{last}", first=top, last=top + high - 1),
        tr("columns {first}…{last}", first=left, last=left + wide - 1),
    )
    step = 22 * unit
    return [
        label(Box(box.x, box.y + k * step, box.w, step), line, 17 * unit, "muted")
        for k, line in enumerate(lines)
    ]


def column_page(moment: Moment, shown: grid.Plane, box: Box, unit: float) -> tuple[list[Mark], Cells]:
    """Draw the page of a long column that the focus is on, with its indices: all of it would be a thread."""
    rows, side, margin = len(shown.values), floor(37 * unit), 50 * unit
    length = min(rows, max(4, int(box.h / side)))
    first = min(shown.focus[0] // length * length, rows - length)  # the last page is as long as the others
    place = Box(round(box.x + margin), round(box.y), min(120 * unit, box.w - margin), side * length)
    close = grid.cells(shown, place, unit, window=(first, 0, length, 1))
    marks: list[Mark] = [close, *grid.outlines(moment, close, unit)]
    for k in range(length):
        beside = Box(box.x, place.y + k * side, margin - 8 * unit, side)
        marks.append(label(beside, str(first + k), 17 * unit, "muted", align="right"))
    return marks, close
