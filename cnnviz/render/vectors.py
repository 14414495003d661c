"""Takes a Frame apart into what every vector format has: shapes, outlines and text.

Text is drawn as outlines of the program's own fonts, each sign once, so that no viewer needs them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PySide6.QtGui import QFont, QFontMetricsF, QPainterPath

from cnnviz.render.cells import NUMBER_ROLES, number_roles, pixels_of
from cnnviz.render.text import SMALLEST, lay_out, pieces_of
from cnnviz.scene.marks import Box, Cells, Dot, Formula, Group, Hotspot, Label, Mark, Path, Rect, Strokes
from cnnviz.scene.theme import Theme, plates

EM = 1000
"""Of the outlines of signs."""

Point = tuple[float, float]

Pen = tuple[str, float, bool]
"""A line's colour, its width, and whether it is dashed."""


class Vectors(ABC):
    """Draws marks by the few things that a format has for them."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._glyphs: dict[tuple[str, str, int], int] = {}

    def draw(self, mark: Mark) -> None:
        """Draw a mark."""
        _DRAW[type(mark)](self, mark)

    # --------------------------------------------------------------------------- what a format has to do

    @abstractmethod
    def rectangle(self, box: Box, fill: str | None, pen: Pen | None = None, radius: float = 0.0) -> None:
        """Draw a rectangle, filled with a colour or outlined."""

    @abstractmethod
    def hatch(self, box: Box) -> None:
        """Fill what is not computed yet."""

    @abstractmethod
    def polygon(self, points: Sequence[Point], fill: str | None, pen: Pen | None = None) -> None:
        """Draw an area, closed where it is filled."""

    @abstractmethod
    def lines(self, lines: Sequence[tuple[float, float, float, float]], pen: Pen) -> None:
        """Draw straight lines (x, y, x, y)."""

    @abstractmethod
    def circle(self, center: Point, radius: float, fill: str) -> None:
        """Fill a circle."""

    @abstractmethod
    def outline(self, path: str, place: tuple[float, float, float], fill: str) -> None:
        """Fill an outline of M L Q Z at a place: x, y, and how large it is."""

    @abstractmethod
    def text(self, text: str, font: QFont, x: float, base: float, fill: str) -> None:
        """Write text on a base line."""

    # -------------------------------------------------------------------------------------------- shapes

    def _colour(self, role: str) -> str:
        return self._theme.color(role)

    def _group(self, mark: Group) -> None:
        for inner in mark.marks:
            self.draw(inner)

    def _rect(self, mark: Rect) -> None:
        if mark.hatched:
            self.hatch(mark.box)
        fill = self._colour(mark.fill) if mark.fill and not mark.hatched else None
        pen = (self._colour(mark.stroke), mark.width, mark.dashed) if mark.stroke else None
        if fill or pen:
            self.rectangle(mark.box, fill, pen, mark.radius)

    def _path(self, mark: Path) -> None:
        colour = self._colour(mark.role)
        self.polygon(mark.points, colour if mark.filled else None, (colour, mark.width, mark.dashed))
        if mark.arrow and not mark.filled and len(mark.points) > 1:
            tail, tip = np.array(mark.points[-2]), np.array(mark.points[-1])
            length = float(np.hypot(*(tip - tail)))
            if length:
                along = (tip - tail) / length * mark.width * 5
                across = np.array([-along[1], along[0]]) * 0.5
                corners = (tip, tip - along + across, tip - along - across)
                self.polygon([(float(x), float(y)) for x, y in corners], colour)

    def _strokes(self, mark: Strokes) -> None:
        self.lines(mark.lines, (self._colour(mark.role), mark.width, False))

    def _dot(self, mark: Dot) -> None:
        self.circle(mark.center, mark.radius, self._colour(mark.role))

    def _formula(self, mark: Formula) -> None:
        roles, (x, y), scale = dict(mark.roles), mark.origin, mark.scale
        for piece in mark.outline.pieces:
            role = next((roles[part] for part in piece.parts if part in roles), "ink")
            place = x + scale * piece.x, y + scale * piece.y, scale * piece.scale
            self.outline(piece.path, place, self._colour(role))

    # ---------------------------------------------------------------------------------------------- grids

    def _cells(self, mark: Cells) -> None:
        pixels, (width, height) = pixels_of(mark, self._theme), mark.cell
        if mark.missing is not None and mark.missing.any():
            rows = np.flatnonzero(mark.missing.any(axis=1))
            first, last = int(rows[0]), int(rows[-1])
            self.hatch(mark.box_of(first, 0, last - first + 1, pixels.shape[1]))
        for r, row in enumerate(pixels.tolist()):
            for begin, end, packed in _runs(row):
                if packed:
                    self.rectangle(mark.box_of(r, begin, 1, end - begin), f"#{packed & 0xFFFFFF:06x}")
        if mark.lines:
            box, (down, across) = mark.box, pixels.shape
            ys = (box.y + k * height for k in range(down + 1))
            xs = (box.x + k * width for k in range(across + 1))
            rules = [(box.x, y, box.right, y) for y in ys] + [(x, box.y, x, box.bottom) for x in xs]
            if self._theme.rimmed:
                self.lines(rules, (self._colour("ground"), 3.0, False))
            self.lines(rules, (self._colour("grid"), 1.0, False))
        if mark.texts:
            self._numbers(mark)

    def _numbers(self, mark: Cells) -> None:
        size = max(SMALLEST, float(round(mark.size)))
        roles, under = number_roles(mark, self._theme)
        own, line = plates(self._theme, mark.palette), lay_out("0", "sans", size).height
        for r, row in enumerate(mark.texts):
            for c, text in enumerate(row):
                if not text:
                    continue
                x, middle = mark.box_of(r, c).center
                laid = [lay_out(each, "sans", size) for each in text.split("\n")]
                if (colour := int(under[r, c])) in own:
                    wide, high = max(each.width for each in laid), 0.8 * line * len(laid)
                    plate = Box(x - wide / 2 - 0.1 * size, middle - high / 2, wide + 0.2 * size, high)
                    self.rectangle(plate, "#{:02x}{:02x}{:02x}".format(*own[colour]))
                role = self._colour(NUMBER_ROLES[int(roles[r, c])])
                for k, each in enumerate(laid):
                    top = middle - line * len(laid) / 2 + k * line
                    base = top + QFontMetricsF(each.font).ascent()
                    self.text(each.text.text(), each.font, x - each.width / 2, base, role)

    # ----------------------------------------------------------------------------------------------- text

    def _label(self, mark: Label) -> None:
        x, y, w, h = mark.box
        pieces, total = pieces_of(mark)
        if mark.align != "left":
            x += (w - total) * (0.5 if mark.align == "center" else 1.0)
        for role, (font, text, width, height) in pieces:
            if text.text().strip():
                base = y + (h - height) / 2 + QFontMetricsF(font).ascent()
                self.text(text.text(), font, x, base, self._colour(role))
            x += width

    def glyph(self, sign: str, font: QFont) -> int:
        """Return the number of a sign in a font."""
        return self._glyphs.setdefault((sign, font.family(), int(font.weight())), len(self._glyphs))


def glyph_of(sign: str, font: QFont) -> QPainterPath:
    """Return the outline of a sign, `EM` large; y goes down."""
    large, drawn = QFont(font), QPainterPath()
    large.setPixelSize(EM)
    drawn.addText(0, 0, large, sign)
    return drawn


def places_of(text: str, font: QFont) -> list[float]:
    """Return where each sign of a text begins, and the text ends, in parts of its size."""
    metrics = QFontMetricsF(font)
    return [metrics.horizontalAdvance(text[:k]) / font.pixelSize() for k in range(len(text) + 1)]


def elements(path: QPainterPath) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield the moves M, lines L and curves C of a path, each with its coordinates."""
    k, count = 0, path.elementCount()
    while k < count:
        element = path.elementAt(k)
        if element.isMoveTo() or element.isLineTo():
            yield "M" if element.isMoveTo() else "L", (element.x, element.y)
            k += 1
        else:
            three = [path.elementAt(j) for j in range(k, k + 3)]
            yield "C", tuple(side for point in three for side in (point.x, point.y))
            k += 3


def hatch_lines(box: Box) -> list[tuple[float, float, float, float]]:
    """Return the lines of a hatch, cut off at its box, through the pixels that the painter fills."""
    x, y, w, h = box
    lines, k = [], 1.0
    while k < w + h:
        begin = (x + k, y) if k <= w else (x + w, y + k - w)
        end = (x, y + k) if k <= h else (x + k - h, y + h)
        lines.append((*begin, *end))
        k += 8
    return lines


def cubic(path: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield the parts of an outline of M L Q Z with their coordinates; curves as C, which has two handles."""
    words, now = iter(path.split()), (0.0, 0.0)
    for command in words:
        sides = [float(next(words)) for _ in range({"Z": 0, "Q": 4}.get(command, 2))]
        if command == "Q":
            handle, end = sides[:2], sides[2:]
            one = [a + 2 / 3 * (b - a) for a, b in zip(now, handle, strict=True)]
            two = [a + 2 / 3 * (b - a) for a, b in zip(end, handle, strict=True)]
            yield "C", (*one, *two, *end)
        else:
            yield command, tuple(sides)
        if sides:
            now = sides[-2], sides[-1]


def _runs(row: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of one colour begins and ends."""
    begin = 0
    for k in range(1, len(row) + 1):
        if k == len(row) or row[k] != row[begin]:
            yield begin, k, row[begin]
            begin = k


_DRAW: dict[type, Callable[[Vectors, Any], None]] = {
    Group: Vectors._group,
    Cells: Vectors._cells,
    Rect: Vectors._rect,
    Path: Vectors._path,
    Strokes: Vectors._strokes,
    Dot: Vectors._dot,
    Label: Vectors._label,
    Formula: Vectors._formula,
    Hotspot: lambda *_: None,  # is only there to be clicked
}
