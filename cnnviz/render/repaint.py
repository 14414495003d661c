"""What of a picture is painted again when another one takes its place: the areas in which the two differ.

Marks are compared by what they are, grids cell by cell. Outside these areas lies nothing that differs, so
that what is left of the earlier picture and what is painted again are the later one, to the pixel. Slanted
lines are painted whole or not at all: Qt rounds where it cuts one, so that a part of it would be a shade off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil, floor
from typing import Any

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from cnnviz.render.painter import paint
from cnnviz.scene.marks import (
    Box,
    Cells,
    Dot,
    Formula,
    Frame,
    Group,
    Hotspot,
    Label,
    Mark,
    Path,
    Rect,
    Strokes,
)
from cnnviz.scene.theme import Theme

# Smoothed edges, and what of a letter or of a rule reaches out of its box.
_RIM = 3.0
# More than this of a picture is painted at once: many areas take as long.
_MOST = 0.7
# Areas are one where that paints at most so many times as much, and so many pixels.
_WIDER, _MORE = 1.25, 4000
# Grids of more cells differ as a whole: a frame passes over no more numbers than can be read.
_MOST_COMPARED = 4096
# So many cells are areas of their own; of more, all between them is one.
_MOST_SINGLE = 6


def changed(before: Frame, after: Frame) -> list[QRect] | None:
    """Return the areas in which two pictures differ; None where most of it does."""
    if (before.width, before.height) != (after.width, after.height):
        return None
    areas: list[_Area] = []
    for left, top, right, bottom in dict.fromkeys(_boxes(before.marks, after.marks)):
        _add(areas, floor(left), floor(top), ceil(right), ceil(bottom))
    _cut_none(areas, [reach(mark) for mark in after.marks if _is_slanted(mark)])
    if sum(area[4] for area in areas) > _MOST * after.width * after.height:
        return None
    return [QRect(left, top, right - left, bottom - top) for left, top, right, bottom, _ in areas]


def paint_areas(painter: QPainter, frame: Frame, theme: Theme, areas: Iterable[QRect]) -> None:
    """Paint some areas of a picture."""
    reaches = [(mark, reach(mark)) for mark in frame.marks if type(mark) is not Hotspot]
    for area in areas:
        box = Box(area.x(), area.y(), area.width(), area.height())
        within = tuple(
            mark
            for mark, (x, y, to_x, to_y) in reaches
            if x <= box.right and box.x <= to_x and y <= box.bottom and box.y <= to_y
        )
        paint(painter, Frame(frame.width, frame.height, within), theme, box)


def _boxes(before: Sequence[Mark], after: Sequence[Mark]) -> Iterator[_Edges]:
    """Yield where marks differ, each compared with the one that has its place in the order.

    Both are gone through from the front as long as they hold marks of one kind in turn, then from the back.
    """
    front, most = 0, min(len(before), len(after))
    while front < most and type(before[front]) is type(after[front]):
        yield from _difference(before[front], after[front])
        front += 1
    back = 0
    while back < most - front and type(before[-1 - back]) is type(after[-1 - back]):
        yield from _difference(before[-1 - back], after[-1 - back])
        back += 1
    for marks in (before, after):
        for mark in marks[front : len(marks) - back]:
            if type(mark) is not Hotspot:
                yield reach(mark)


def _difference(one: Mark, other: Mark) -> Iterator[_Edges]:
    """Yield where two marks of one kind differ."""
    if one is other or type(one) is Hotspot:
        return
    if type(one) is Cells and type(other) is Cells:
        if _alike(one, other):
            yield from _cells(one, other)
            return
    elif type(one) is not Group and astuple(one) == astuple(other):
        return
    yield reach(one)
    yield reach(other)


_Edges = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def reach(mark: Mark) -> _Edges:
    """Return the edges of what a mark paints on."""
    return _REACH[type(mark)](mark)


def _of_box(mark: Cells | Formula | Group) -> _Edges:
    x, y, w, h = mark.box
    return x - _RIM, y - _RIM, x + w + _RIM, y + h + _RIM


def _of_label(mark: Label) -> _Edges:
    x, y, w, h = mark.box
    over = max(0.0, 0.8 * mark.size - h / 2) + _RIM
    return x - _RIM, y - over, x + w + _RIM, y + h + over


def _of_rect(mark: Rect) -> _Edges:
    (x, y, w, h), rim = mark.box, mark.width + _RIM
    return x - rim, y - rim, x + w + rim, y + h + rim


def _of_dot(mark: Dot) -> _Edges:
    (x, y), rim = mark.center, mark.radius + _RIM
    return x - rim, y - rim, x + rim, y + rim


def _of_path(mark: Path) -> _Edges:
    return _around(mark.points, (3 if mark.arrow else 1) * mark.width + _RIM)


def _of_strokes(mark: Strokes) -> _Edges:
    return _around([end for line in mark.lines for end in (line[:2], line[2:])], mark.width + _RIM)


def _around(points: Iterable[Sequence[float]], rim: float) -> _Edges:
    xs, ys = tuple(zip(*points, strict=True)) or ((0.0,), (0.0,))
    return min(xs) - rim, min(ys) - rim, max(xs) + rim, max(ys) + rim


_REACH: dict[type, Callable[[Any], _Edges]] = {
    Label: _of_label,
    Rect: _of_rect,
    Cells: _of_box,
    Group: _of_box,
    Formula: _of_box,
    Dot: _of_dot,
    Path: _of_path,
    Strokes: _of_strokes,
}


def _is_slanted(mark: Mark) -> bool:
    """Return whether a mark has lines that are neither level nor upright."""
    if type(mark) is Path and mark.width > 1:
        return any(x != to_x and y != to_y for (x, y), (to_x, to_y) in pairwise(mark.points))
    return type(mark) is Strokes


# ---------------------------------------------------------------------------------------------------- grids


def _alike(one: Cells, other: Cells) -> bool:
    """Return whether two grids differ in single cells, if at all."""
    looks = ((grid.box, grid.palette, grid.limit, grid.size, grid.lines, grid.gap) for grid in (one, other))
    return (
        not (one.cached or other.cached)
        and one.values.shape == other.values.shape
        and one.values.size <= _MOST_COMPARED
        and bool(one.texts) == bool(other.texts)
        and next(looks) == next(looks)
    )


def _cells(one: Cells, other: Cells) -> Iterator[_Edges]:
    """Yield the cells in which two grids differ."""
    differ = (one.values != other.values) & ~(np.isnan(one.values) & np.isnan(other.values))
    differ |= _mask(one.faint, differ) != _mask(other.faint, differ)
    if one.missing is not None or other.missing is not None:
        missing = [_mask(grid.missing, differ) for grid in (one, other)]
        differ |= missing[0] != missing[1]
        rows = [np.flatnonzero(mask.any(axis=1)) for mask in missing]
        ends = {(int(each[0]), int(each[-1])) if len(each) else None for each in rows}
        if len(ends) > 1:  # the hatch begins elsewhere, and so all of its lines do
            hatched = np.concatenate(rows)
            differ[hatched.min() : hatched.max() + 1] = True
    if one.texts != other.texts:
        differ |= np.array(one.texts, object) != np.array(other.texts, object)
    places, size = np.argwhere(differ), (1, 1)
    if len(places) > _MOST_SINGLE:
        (top, left), (bottom, right) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
        places, size = np.array([[top, left]]), (bottom - top + 1, right - left + 1)
    for row, column in places.tolist():
        x, y, w, h = other.box_of(row, column, *size)
        yield x - _RIM, y - _RIM, x + w + _RIM, y + h + _RIM


def _mask(mask: NDArray[np.bool_] | None, like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.zeros_like(like) if mask is None else mask


# ---------------------------------------------------------------------------------------------------- areas


_Area = tuple[int, int, int, int, int]
"""Left, top, right, bottom, and how many pixels that is."""


def _add(areas: list[_Area], left: int, top: int, right: int, bottom: int) -> None:
    """Add an area to others; it becomes one with those that lie so that little more is painted then."""
    k, size = 0, (right - left) * (bottom - top)
    while k < len(areas):
        x, y, to_x, to_y, pixels = areas[k]
        x, y = (x if x < left else left), (y if y < top else top)
        to_x, to_y = (to_x if to_x > right else right), (to_y if to_y > bottom else bottom)
        both = (to_x - x) * (to_y - y)
        if both <= _WIDER * (size + pixels) + _MORE:
            del areas[k]
            left, top, right, bottom, size, k = x, y, to_x, to_y, both, 0
        else:
            k += 1
    areas.append((left, top, right, bottom, size))


def _cut_none(areas: list[_Area], whole: Sequence[_Edges]) -> None:
    """Make areas larger where they would cut something that is painted whole or not at all."""
    k = 0
    while k < len(areas):
        left, top, right, bottom, size = areas[k]
        for x, y, to_x, to_y in whole:
            if x < right and left < to_x and y < bottom and top < to_y:
                left, top, right, bottom = (
                    min(left, floor(x)),
                    min(top, floor(y)),
                    max(right, ceil(to_x)),
                    max(bottom, ceil(to_y)),
                )
        if (right - left) * (bottom - top) == size:
            k += 1
        else:
            del areas[k]
            _add(areas, left, top, right, bottom)
            k = 0
