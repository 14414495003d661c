"""What a picture is made of: frozen marks in pixels, each knowing which numbers it stands for.

Colours are named by role (``source``, ``written`` …); a theme turns roles into colours when painting.
A mark that holds text says the box it must fit; the painter fits it.

Boxes and runs of text are named tuples: hundreds are made and looked up for each picture,
and tuples are made and hashed several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import ceil, floor, log10
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene import measure
from cnnviz.scene.outline import EM, Outline

Role = str
Align = Literal["left", "center", "right"]
Family = Literal["sans", "mono", "math"]
Palette = Literal["value", "gradient", "pixel", "red", "green", "blue", "plain", "rgb"]

FROM_ZERO: tuple[Palette, ...] = ("pixel", "red", "green", "blue")
"""The palettes that begin at zero; the others are centred at it, but for those without a scale."""


_SLIGHTLY = 1e-6  # pixels


def nearest_pixel(length: float) -> int:
    """Return the nearest whole number of pixels; sums that differ in their last bits give the same.

    From Python 3.12 on, `sum` of floats rounds otherwise than before.
    """
    return floor(length + 0.5 + _SLIGHTLY)


def whole_pixels(length: float) -> int:
    """Return the whole pixels that fit in a length; last bits do not matter."""
    return floor(length + _SLIGHTLY)


class Box(NamedTuple):
    """A rectangle: its left, top, width and height in pixels."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.h

    @property
    def center(self) -> tuple[float, float]:
        """The middle."""
        return self.x + self.w / 2, self.y + self.h / 2

    def inset(self, dx: float, dy: float | None = None) -> Box:
        """Return the box with this much taken off each side."""
        dy = dx if dy is None else dy
        return Box(self.x + dx, self.y + dy, max(0.0, self.w - 2 * dx), max(0.0, self.h - 2 * dy))

    def top(self, height: float) -> Box:
        """Return the uppermost strip."""
        return Box(self.x, self.y, self.w, height)

    def below(self, height: float) -> Box:
        """Return what is left under the uppermost strip."""
        return Box(self.x, self.y + height, self.w, max(0.0, self.h - height))

    def columns(self, weights: list[float], gap: float = 0.0) -> list[Box]:
        """Cut into columns whose widths are as these weights."""
        share = max(0.0, self.w - gap * (len(weights) - 1)) / sum(weights)
        x, boxes = self.x, []
        for weight in weights:
            boxes.append(Box(x, self.y, share * weight, self.h))
            x += share * weight + gap
        return boxes

    def whole(self) -> Box:
        """Return the smallest box of whole pixels around this one."""
        x, y = floor(self.x), floor(self.y)
        return Box(x, y, ceil(self.right) - x, ceil(self.bottom) - y)

    def on_pixels(self) -> Box:
        """Return the box with its edges at the nearest whole pixels."""
        x, y = nearest_pixel(self.x), nearest_pixel(self.y)
        return Box(x, y, nearest_pixel(self.right) - x, nearest_pixel(self.bottom) - y)

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point lies inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom


Number = tuple[str, tuple[int, ...]]
"""A number that a listing knows: an array and the index of a cell; a variable has no index."""


class Span(NamedTuple):
    """A piece of text in one style.

    Attributes
    ----------
    number : Number or None
        The cell or the variable that it is.
    """

    text: str
    role: Role = "ink"
    bold: bool = False
    number: Number | None = None


class Label(Struct, frozen=True, eq=False):
    """Text on one line in a box, made smaller and at last elided where it does not fit.

    Attributes
    ----------
    once : bool
        Whether hardly ever the same text comes again, so that it does not pay to keep it laid out.
    """

    box: Box
    runs: tuple[Span, ...]
    size: float
    align: Align = "left"
    family: Family = "sans"
    once: bool = False

    def spots(self) -> list[Hotspot]:
        """Return where the numbers are that are known to the listing."""
        if not any(run.number for run in self.runs):
            return []
        widths = [self.size * measure.width(run.text, run.bold, self.family) for run in self.runs]
        total = sum(widths)
        shrunk = min(1.0, self.box.w / total)
        x = self.box.x + {"left": 0.0, "center": 0.5, "right": 1.0}[self.align] * (
            self.box.w - shrunk * total
        )
        y, h = self.box.center[1] - 0.7 * self.size, 1.4 * self.size
        found: list[Hotspot] = []
        for run, width in zip(self.runs, widths, strict=True):
            if run.number:
                name, index = run.number
                box = Box(x, y, shrunk * width, h)
                found.append(Hotspot(box, "cell" if index else "value", name, index=index))
            x += shrunk * width
        return found


class Formula(Struct, frozen=True, eq=False):
    """A typeset formula in the middle of a box, made smaller where it does not fit.

    Attributes
    ----------
    size : float
        Text size in pixels.
    roles : tuple[tuple[str, Role], ...]
        The colours of its parts by name; what lies in none of them is ink.
    """

    box: Box
    outline: Outline
    size: float
    roles: tuple[tuple[str, Role], ...] = ()

    @property
    def scale(self) -> float:
        """Pixels for one unit of the outline."""
        return min(self.size / EM, self.box.w / self.outline.width, self.box.h / self.outline.height)

    @property
    def origin(self) -> tuple[float, float]:
        """Where the outline's left edge and its base line are."""
        (x, y), whole, scale = self.box.center, self.outline, self.scale
        return x - scale * whole.width / 2, y + scale * (whole.ascent - whole.height / 2)

    def parts(self) -> list[Box]:
        """Return where its parts are that stand for something."""
        left, base = self.origin
        reaches = (piece.reach for piece in self.outline.pieces if piece.parts)
        return [
            Box(
                left + self.scale * x0, base + self.scale * y0, self.scale * (x1 - x0), self.scale * (y1 - y0)
            )
            for x0, y0, x1, y1 in reaches
        ]

    def part_at(self, x: float, y: float) -> str:
        """Return the innermost part at a point, or close to it; empty where there is none."""
        left, base = self.origin
        right, down, close = (x - left) / self.scale, (y - base) / self.scale, EM // 8
        for piece in self.outline.pieces:
            x0, y0, x1, y1 = piece.reach
            if piece.parts and x0 - close <= right < x1 + close and y0 - close <= down < y1 + close:
                return piece.parts[0]
        return ""


class Rect(Struct, frozen=True, eq=False):
    """A rectangle, filled or outlined or both."""

    box: Box
    fill: Role | None = None
    stroke: Role | None = None
    width: float = 1.0
    radius: float = 0.0
    hatched: bool = False
    dashed: bool = False


class Path(Struct, frozen=True, eq=False):
    """A line through points, with an arrow head at its end or its inside filled if wanted."""

    points: tuple[tuple[float, float], ...]
    role: Role = "line"
    width: float = 1.5
    arrow: bool = False
    dashed: bool = False
    filled: bool = False


class Strokes(Struct, frozen=True, eq=False):
    """Many straight lines (x, y, x, y) in one colour, as in a hatch: painted at once."""

    lines: tuple[tuple[float, float, float, float], ...]
    role: Role = "line"
    width: float = 1.5


class Dot(Struct, frozen=True, eq=False):
    """A filled circle."""

    center: tuple[float, float]
    radius: float
    role: Role


class Cells(Struct, frozen=True, eq=False):
    """A grid of cells coloured by their values, with the numbers written in if they are given.

    Attributes
    ----------
    box : Box
        The whole grid; cells are of equal size.
    values : Array
        (rows, columns).
    array, prefix, origin, axes : str, tuple, (int, int), str
        What the cells are: cell (r, c) is ``array[(*prefix, r + origin[0], c + origin[1])]``; `axes`
        says which of row and column are part of the index: ``rc``, ``cr`` (transposed), ``r``, ``c`` or none.
    palette : Palette
        ``value`` and ``gradient`` are centred at zero and symmetric; those in `FROM_ZERO` go from 0 to the
        limit; ``plain`` is one colour, for cells that hold names; of ``rgb`` the values are the colours
        themselves, red · 65536 + green · 256 + blue.
    limit : float
        The value at the palette's end.
    texts : tuple[tuple[str, ...], ...]
        The numbers or names as written, row by row; empty for a heatmap. One may have several lines.
    size : float
        Text size in pixels.
    missing : NDArray[np.bool_] or None
        Cells that hold no value yet: hatched.
    faint : NDArray[np.bool_] or None
        Cells drawn lighter: padding, and what an update has yet to replace.
    lines : bool
        Whether the cells are ruled.
    flipped : bool
        Whether the slice is shown turned by 180°: the last cell first.
    gap : Role or None
        What NaN is painted with where it stands for no cell at all, between maps side by side.
    cached : bool
        Whether this very object is shown again at other steps, so that it pays to keep it painted.
    """

    box: Box
    values: Array
    array: str = ""
    prefix: tuple[int, ...] = ()
    origin: tuple[int, int] = (0, 0)
    axes: str = "rc"
    palette: Palette = "value"
    limit: float = 1.0
    texts: tuple[tuple[str, ...], ...] = ()
    size: float = 12.0
    missing: NDArray[np.bool_] | None = None
    faint: NDArray[np.bool_] | None = None
    lines: bool = True
    flipped: bool = False
    gap: Role | None = None
    cached: bool = False

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of one cell."""
        rows, columns = self.values.shape
        return self.box.w / columns, self.box.h / rows

    def box_of(self, row: int, column: int, rows: int = 1, columns: int = 1) -> Box:
        """Return the box of a cell, or of a window of cells."""
        width, height = self.cell
        return Box(self.box.x + column * width, self.box.y + row * height, columns * width, rows * height)

    def index_of(self, row: int, column: int) -> tuple[int, ...]:
        """Return the array's index that a cell shows."""
        r, c = self._turned(row, column)
        r, c = r + self.origin[0], c + self.origin[1]
        parts = {"rc": (r, c), "cr": (c, r), "r": (r,), "c": (c,), "": ()}[self.axes]
        return (*self.prefix, *parts)

    def cell_of(self, index: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the row and column that show an index, or None if this grid does not show it."""
        count = len(self.axes)
        if len(index) != len(self.prefix) + count or index[: len(self.prefix)] != self.prefix:
            return None
        tail = index[len(self.prefix) :]
        origin = self.origin
        if count == 2:
            r, c = tail if self.axes == "rc" else (tail[1], tail[0])
        elif count == 1:
            r, c = (tail[0], origin[1]) if self.axes == "r" else (origin[0], tail[0])
        else:
            r, c = origin
        row, column = r - self.origin[0], c - self.origin[1]
        rows, columns = self.values.shape
        return self._turned(row, column) if 0 <= row < rows and 0 <= column < columns else None

    def _turned(self, row: int, column: int) -> tuple[int, int]:
        rows, columns = self.values.shape
        return (rows - 1 - row, columns - 1 - column) if self.flipped else (row, column)


class Hotspot(Struct, frozen=True):
    """A place that leads somewhere when it is clicked; nothing is drawn.

    Attributes
    ----------
    box : Box
        Where it is.
    kind : {"layer", "gradient", "fold", "scroll", "gutter", "line", "operation", "value", "start", "step", …}
        A layer's row in the network, its gradient there, a block that is folded or unfolded, rows that are
        out of sight; a line's number in the listing, its text; what an operation computes; a variable's
        number; a ``cell``; some ``terms`` of the sum in work; the ``scale`` of an array's colours; the axes
        in which a descent's start can be chosen; a step; a ``stop`` of the lesson; a ``channel`` behind the
        one in front; a ``path`` of the chain rule, before or after the one that is followed, and the
        ``lane`` in the network of one that is not.
    name : str
        The layer's name, the block's, the operation's, or the variable's in the listing; of a lane, the
        address of the gradient that comes back on it.
    line : int
        The line in the listing; of a start, a step or a stop, its number; of terms, the first; how many
        rows are scrolled, or how far behind a channel is.
    low, high : float
        The values that the left and the right edge stand for.
    index : tuple[int, ...]
        Of a cell, where it is in the array.
    count : int
        How many terms.
    """

    box: Box
    kind: Literal[
        "layer",
        "gradient",
        "fold",
        "scroll",
        "gutter",
        "line",
        "operation",
        "lane",
        "value",
        "cell",
        "terms",
        "scale",
        "start",
        "step",
        "stop",
        "path",
        "channel",
    ]
    name: str = ""
    line: int = 0
    low: float = 0.0
    high: float = 0.0
    index: tuple[int, ...] = ()
    count: int = 1

    def value_at(self, x: float) -> float:
        """Return the value that a place stands for, rounded to what a hand can aim at."""
        value = self.low + (x - self.box.x) / self.box.w * (self.high - self.low)
        places = max(0, ceil(-log10((self.high - self.low) / 100)))
        return round(min(max(value, self.low), self.high), places)


class Group(Struct, frozen=True, eq=False):
    """Marks that are the same from step to step, painted once and kept.

    The first one fills the box, and the box's edges are whole pixels; so a kept picture of it is as good
    as painting it anew.

    Attributes
    ----------
    box : Box
        What it fills.
    marks : tuple[Mark, ...]
        What is in it.
    lasting : bool
        Whether no number of a program is in it, so that it is the same in others.
    """

    box: Box
    marks: tuple[Mark, ...]
    lasting: bool = False


Mark = Label | Formula | Rect | Path | Strokes | Dot | Cells | Hotspot | Group


class Frame(Struct, frozen=True, eq=False):
    """A whole picture.

    Attributes
    ----------
    width, height : float
        In pixels.
    marks : tuple[Mark, ...]
        What is in it, each over those before.
    transparent : bool
        Whether what it is laid on shows where there is no mark.
    """

    width: float
    height: float
    marks: tuple[Mark, ...] = field(default=())
    transparent: bool = False

    def without_grounds(self) -> Frame:
        """Return it without what is filled behind its marks, to be laid on something else."""
        return Frame(self.width, self.height, _bare(self.marks), transparent=True)

    def at(self, x: float, y: float) -> tuple[Cells, tuple[int, ...]] | None:
        """Return the topmost grid at a point, and the index of the cell there."""
        for mark in flat(reversed(self.marks)):
            if isinstance(mark, Cells) and mark.array and mark.box.contains(x, y):
                (width, height), (rows, columns) = mark.cell, mark.values.shape
                row, column = int((y - mark.box.y) / height), int((x - mark.box.x) / width)
                return mark, mark.index_of(min(row, rows - 1), min(column, columns - 1))
        return None

    def part_at(self, x: float, y: float) -> str:
        """Return the part of a formula at a point; empty where there is none."""
        formulas = (mark for mark in flat(reversed(self.marks)) if isinstance(mark, Formula))
        return next((part for mark in formulas if (part := mark.part_at(x, y))), "")

    def spot_at(self, x: float, y: float) -> Hotspot | None:
        """Return the topmost spot at a point."""
        return next((spot for spot in spots(reversed(self.marks)) if spot.box.contains(x, y)), None)


_GROUNDS = ("ground", "panel")


def _bare(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Leave out areas that are filled with a ground alone, in groups as well."""
    return tuple(
        _bare_group(mark) if isinstance(mark, Group) else mark for mark in marks if not _is_ground(mark)
    )


@lru_cache(maxsize=512)  # a group that comes again stays the same object, and so its picture is kept
def _bare_group(group: Group) -> Group:
    return Group(group.box, _bare(group.marks), group.lasting)


def _is_ground(mark: Mark) -> bool:
    return isinstance(mark, Rect) and mark.fill in _GROUNDS and not mark.stroke and not mark.radius


def flat(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield marks, and in place of a group those in it, from the topmost down."""
    for mark in marks:
        if isinstance(mark, Group):
            yield from reversed(mark.marks)
        else:
            yield mark


def spots(marks: Iterable[Mark]) -> Iterator[Hotspot]:
    """Yield the spots among marks, and those of the numbers in their text."""
    for mark in flat(marks):
        if isinstance(mark, Hotspot):
            yield mark
        elif isinstance(mark, Label):
            yield from mark.spots()


def label(
    box: Box,
    text: str,
    size: float,
    role: Role = "ink",
    *,
    bold: bool = False,
    align: Align = "left",
    family: Family = "sans",
    once: bool = False,
) -> Label:
    """Return text in one style."""
    return Label(box, (Span(text, role, bold),), size, align, family, once)
