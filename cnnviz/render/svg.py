"""Writes a Frame as SVG: vectors alone, that look the same in every viewer.

Text is drawn as outlines of the program's own fonts, each sign once, so that no viewer needs them; over it
lies the same text unseen, which can be selected, searched and read aloud.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import numpy as np
from PySide6.QtGui import QFont, QFontMetricsF, QPainterPath

from cnnviz.render.cells import NUMBER_ROLES, number_roles, pixels_of
from cnnviz.render.text import SMALLEST, lay_out, pieces_of
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
from cnnviz.scene.theme import THEMES, Theme, plates

_EM = 1000  # of outlines
_CRISP = ' shape-rendering="crispEdges"'


def to_svg(frame: Frame, theme: str = "light", title: str = "", said: str = "") -> str:
    """Return a frame as an SVG document.

    Parameters
    ----------
    theme : str
        Of `THEMES`.
    title, said : str
        What it is called, and what is said of it, for who does not see it.
    """
    return _Writer(THEMES[theme]).document(frame, title, said)


class _Writer:
    """Writes marks, and keeps what several of them share."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._glyphs: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._paths: dict[str, str] = {}

    def document(self, frame: Frame, title: str, said: str) -> str:
        body = [part for mark in frame.marks for part in self.mark(mark)]
        kept = [f'<path id="{name}" d="{path}"/>' for name, path in self._glyphs.values()]
        kept += [f'<path id="{name}" d="{path}"/>' for path, name in self._paths.items()]
        size = f"{frame.width:g} {frame.height:g}"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{frame.width:g}" '
            f'height="{frame.height:g}" role="img" aria-labelledby="title said">\n'
            f'<title id="title">{_plain(title)}</title>\n<desc id="said">{_plain(said)}</desc>\n'
            f"<defs>{self._hatch()}{''.join(kept)}</defs>\n"
            f'<rect width="100%" height="100%" fill="{self._colour("panel")}"/>\n'
            + "\n".join(body)
            + "\n</svg>\n"
        )

    def mark(self, mark: Mark) -> Iterator[str]:
        yield from _WRITE[type(mark)](self, mark)

    def _colour(self, role: str) -> str:
        return self._theme.color(role)

    def _hatch(self) -> str:
        ground, line = self._colour("ground"), self._colour("hatch")
        return (
            '<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{ground}"/>'
            f'<path d="M-1 9L9 -1M7 9L9 7M-1 1L1 -1" stroke="{line}" stroke-width="0.8"/></pattern>'
        )

    def group(self, mark: Group) -> Iterator[str]:
        for inner in mark.marks:
            yield from self.mark(inner)

    def nothing(self, mark: Hotspot) -> Iterator[str]:
        return iter(())

    # -------------------------------------------------------------------------------------------- shapes

    def rect(self, mark: Rect) -> Iterator[str]:
        place = _place(mark.box) + (f' rx="{_n(mark.radius)}"' if mark.radius else "")
        if mark.hatched:
            yield f'<rect {place} fill="url(#hatch)"/>'
        if mark.stroke or (mark.fill and not mark.hatched):
            fill = self._colour(mark.fill) if mark.fill and not mark.hatched else "none"
            stroke = self._stroke(mark.stroke, mark.width, mark.dashed) if mark.stroke else ""
            yield f'<rect {place} fill="{fill}"{stroke}{"" if mark.radius else _CRISP}/>'

    def _stroke(self, role: str, width: float, dashed: bool = False) -> str:
        dashes = f' stroke-dasharray="{_n(4 * width)} {_n(2 * width)}"' if dashed else ""
        return f' stroke="{self._colour(role)}" stroke-width="{_n(width)}"{dashes}'

    def path(self, mark: Path) -> Iterator[str]:
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in mark.points)
        stroke = self._stroke(mark.role, mark.width, mark.dashed)
        if mark.filled:
            yield f'<polygon points="{points}" fill="{self._colour(mark.role)}"{stroke}/>'
            return
        yield f'<polyline points="{points}" fill="none"{stroke}/>'
        if mark.arrow and len(mark.points) > 1:
            tail, tip = np.array(mark.points[-2]), np.array(mark.points[-1])
            length = float(np.hypot(*(tip - tail)))
            if length:
                along = (tip - tail) / length * mark.width * 5
                across = np.array([-along[1], along[0]]) * 0.5
                corners = (tip, tip - along + across, tip - along - across)
                head = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
                yield f'<polygon points="{head}" fill="{self._colour(mark.role)}"/>'

    def strokes(self, mark: Strokes) -> Iterator[str]:
        lines = "".join(f"M{_n(a)} {_n(b)}L{_n(c)} {_n(d)}" for a, b, c, d in mark.lines)
        yield f'<path d="{lines}"{self._stroke(mark.role, mark.width)}/>'

    def dot(self, mark: Dot) -> Iterator[str]:
        (x, y), colour = mark.center, self._colour(mark.role)
        yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(mark.radius)}" fill="{colour}"/>'

    def formula(self, mark: Formula) -> Iterator[str]:
        roles, (x, y) = dict(mark.roles), mark.origin
        yield f'<g transform="translate({_n(x)} {_n(y)}) scale({mark.scale:.6g})">'
        for piece in mark.outline.pieces:
            name = self._paths.setdefault(piece.path, f"p{len(self._paths)}")
            role = next((roles[part] for part in piece.parts if part in roles), "ink")
            place = f"translate({_n(piece.x)} {_n(piece.y)}) scale({piece.scale:.6g})"
            yield f'<use href="#{name}" transform="{place}" fill="{self._colour(role)}"/>'
        yield "</g>"

    # ---------------------------------------------------------------------------------------------- grids

    def cells(self, mark: Cells) -> Iterator[str]:
        pixels, (width, height) = pixels_of(mark, self._theme), mark.cell
        if mark.missing is not None and mark.missing.any():
            rows = np.flatnonzero(mark.missing.any(axis=1))
            first, last = int(rows[0]), int(rows[-1])
            box = mark.box_of(first, 0, last - first + 1, pixels.shape[1])
            yield f'<rect {_place(box)} fill="url(#hatch)"/>'
        yield f"<g{_CRISP}>"
        for r, row in enumerate(pixels.tolist()):
            for begin, end, packed in _runs(row):
                if packed:
                    box = mark.box_of(r, begin, 1, end - begin)
                    yield f'<rect {_place(box)} fill="#{packed & 0xFFFFFF:06x}"/>'
        yield "</g>"
        if mark.lines:
            box, (rows_, columns) = mark.box, pixels.shape
            lines = "".join(f"M{_n(box.x)} {_n(box.y + k * height)}h{_n(box.w)}" for k in range(rows_ + 1))
            lines += "".join(f"M{_n(box.x + k * width)} {_n(box.y)}v{_n(box.h)}" for k in range(columns + 1))
            for role, thick in (("ground", 3),) * self._theme.rimmed + (("grid", 1),):
                yield f'<path d="{lines}"{self._stroke(role, thick)}{_CRISP}/>'
        if mark.texts:
            yield from self._numbers(mark)

    def _numbers(self, mark: Cells) -> Iterator[str]:
        size = max(SMALLEST, float(round(mark.size)))
        roles, under = number_roles(mark, self._theme)
        own = plates(self._theme, mark.palette) if mark.palette in self._theme.tables else {}
        line = lay_out("0", "sans", size).height
        for r, row in enumerate(mark.texts):
            for c, text in enumerate(row):
                if not text:
                    continue
                box, lines = mark.box_of(r, c), text.split("\n")
                x, middle = box.center
                wide = max(lay_out(each, "sans", size).width for each in lines)
                if (colour := int(under[r, c])) in own:
                    high, (red, green, blue) = 0.8 * line * len(lines), own[colour]
                    plate = Box(x - wide / 2 - 0.1 * size, middle - high / 2, wide + 0.2 * size, high)
                    yield f'<rect {_place(plate)} fill="#{red:02x}{green:02x}{blue:02x}"/>'
                for k, each in enumerate(lines):
                    laid = lay_out(each, "sans", size)
                    top = middle - line * len(lines) / 2 + k * line
                    yield self._text(each, laid.font, x - laid.width / 2, top, NUMBER_ROLES[int(roles[r, c])])

    # ----------------------------------------------------------------------------------------------- text

    def label(self, mark: Label) -> Iterator[str]:
        x, y, w, h = mark.box
        pieces, total = pieces_of(mark)
        if mark.align != "left":
            x += (w - total) * (0.5 if mark.align == "center" else 1.0)
        for role, (font, text, width, height) in pieces:
            if text.text().strip():
                yield self._text(text.text(), font, x, y + (h - height) / 2, role)
            x += width

    def _text(self, text: str, font: QFont, x: float, top: float, role: str) -> str:
        """Write text as outlines, and once more unseen."""
        metrics = QFontMetricsF(font)
        base, size = top + metrics.ascent(), font.pixelSize()
        places = [metrics.horizontalAdvance(text[:k]) * _EM / size for k in range(len(text))]
        uses = "".join(
            f'<use href="#{self._glyph(sign, font)}" x="{place:.0f}"/>'
            for sign, place in zip(text, places, strict=True)
            if not sign.isspace()
        )
        scale = f"translate({_n(x)} {_n(base)}) scale({size / _EM:g})"
        length = _n(metrics.horizontalAdvance(text))
        unseen = (
            f'<text x="{_n(x)}" y="{_n(base)}" font-size="{size}" textLength="{length}" '
            f'lengthAdjust="spacingAndGlyphs" fill-opacity="0" xml:space="preserve">{_plain(text)}</text>'
        )
        return f'<g transform="{scale}" fill="{self._colour(role)}" aria-hidden="true">{uses}</g>{unseen}'

    def _glyph(self, sign: str, font: QFont) -> str:
        key = sign, font.family(), int(font.weight())
        if key not in self._glyphs:
            large = QFont(font)
            large.setPixelSize(_EM)
            drawn = QPainterPath()
            drawn.addText(0, 0, large, sign)
            self._glyphs[key] = f"g{len(self._glyphs)}", _outline(drawn)
        return self._glyphs[key][0]


_WRITE: dict[type, Callable[[_Writer, Any], Iterator[str]]] = {
    Group: _Writer.group,
    Cells: _Writer.cells,
    Rect: _Writer.rect,
    Path: _Writer.path,
    Strokes: _Writer.strokes,
    Dot: _Writer.dot,
    Label: _Writer.label,
    Formula: _Writer.formula,
    Hotspot: _Writer.nothing,
}


def _outline(path: QPainterPath) -> str:
    """Return a path as SVG writes it."""
    parts: list[str] = []
    left = 0  # points that belong to the curve before
    for k in range(path.elementCount()):
        element = path.elementAt(k)
        x, y = f"{element.x:.0f}", f"{element.y:.0f}"
        if left:
            parts.append(f" {x} {y}")
            left -= 1
        elif element.isMoveTo():
            parts.append(f"{'Z' if parts else ''}M{x} {y}")
        elif element.isLineTo():
            parts.append(f"L{x} {y}")
        else:
            parts.append(f"C{x} {y}")
            left = 2
    return "".join(parts) + ("Z" if parts else "")


def _runs(row: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of one colour begins and ends."""
    begin = 0
    for k in range(1, len(row) + 1):
        if k == len(row) or row[k] != row[begin]:
            yield begin, k, row[begin]
            begin = k


def _place(box: Box) -> str:
    return f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.w)}" height="{_n(box.h)}"'


def _n(length: float) -> str:
    return f"{float(length):.2f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    """Return text as XML takes it, which has no control characters."""
    return escape("".join(sign if sign.isprintable() else " " for sign in text))
