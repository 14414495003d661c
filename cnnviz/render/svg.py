"""Writes a Frame as SVG, that looks the same in every viewer.

Over text, which is drawn as outlines, lies the same text unseen: it can be selected, searched and read aloud.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtGui import QFont

from cnnviz.render.vectors import EM, Pen, Point, Vectors, elements, glyph_of, places_of
from cnnviz.scene.marks import Box, Frame
from cnnviz.scene.theme import THEMES, Theme

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
    writer = _Writer(THEMES[theme])
    for mark in frame.marks:
        writer.draw(mark)
    return writer.document(frame, title, said)


class _Writer(Vectors):
    """Writes shapes, and keeps the outlines that several of them share."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._body: list[str] = []
        self._kept: list[str] = []
        self._paths: dict[str, int] = {}

    def document(self, frame: Frame, title: str, said: str) -> str:
        ground, line = self._colour("ground"), self._colour("hatch")
        hatch = (
            '<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{ground}"/>'
            f'<path d="M-1 9L9 -1M7 9L9 7M-1 1L1 -1" stroke="{line}" stroke-width="0.8"/></pattern>'
        )
        kept = [*self._kept, *(f'<path id="p{k}" d="{path}"/>' for path, k in self._paths.items())]
        width, height = f"{frame.width:g}", f"{frame.height:g}"
        behind = f'<rect width="100%" height="100%" fill="{self._colour("panel")}"/>\n'
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title said">\n'
            f'<title id="title">{_plain(title)}</title>\n<desc id="said">{_plain(said)}</desc>\n'
            f"<defs>{hatch}{''.join(kept)}</defs>\n"
            + ("" if frame.transparent else behind)
            + "\n".join(self._body)
            + "\n</svg>\n"
        )

    def rectangle(self, box: Box, fill: str | None, pen: Pen | None = None, radius: float = 0.0) -> None:
        rounded = f' rx="{_n(radius)}"' if radius else _CRISP
        self._body.append(f'<rect {_place(box)} fill="{fill or "none"}"{_stroke(pen)}{rounded}/>')

    def hatch(self, box: Box) -> None:
        self._body.append(f'<rect {_place(box)} fill="url(#hatch)"/>')

    def polygon(self, points: Sequence[Point], fill: str | None, pen: Pen | None = None) -> None:
        shape, places = "polygon" if fill else "polyline", " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._body.append(f'<{shape} points="{places}" fill="{fill or "none"}"{_stroke(pen)}/>')

    def lines(self, lines: Sequence[tuple[float, float, float, float]], pen: Pen) -> None:
        path = "".join(f"M{_n(a)} {_n(b)}L{_n(c)} {_n(d)}" for a, b, c, d in lines)
        straight = all(a == c or b == d for a, b, c, d in lines)
        self._body.append(f'<path d="{path}"{_stroke(pen)}{_CRISP if straight else ""}/>')

    def circle(self, center: Point, radius: float, fill: str) -> None:
        (x, y), r = center, _n(radius)
        self._body.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{r}" fill="{fill}"/>')

    def outline(self, path: str, place: tuple[float, float, float], fill: str) -> None:
        k, (x, y, scale) = self._paths.setdefault(path, len(self._paths)), place
        at = f"translate({_n(x)} {_n(y)}) scale({scale:.6g})"
        self._body.append(f'<use href="#p{k}" transform="{at}" fill="{fill}"/>')

    def text(self, text: str, font: QFont, x: float, base: float, fill: str) -> None:
        size, places = font.pixelSize(), places_of(text, font)
        uses = "".join(
            f'<use href="#{self._sign(sign, font)}" x="{EM * place:.0f}"/>'
            for sign, place in zip(text, places, strict=False)
            if not sign.isspace()
        )
        at = f"translate({_n(x)} {_n(base)}) scale({size / EM:g})"
        self._body.append(f'<g transform="{at}" fill="{fill}" aria-hidden="true">{uses}</g>')
        self._body.append(
            f'<text x="{_n(x)}" y="{_n(base)}" font-size="{size}" textLength="{_n(size * places[-1])}" '
            f'lengthAdjust="spacingAndGlyphs" fill-opacity="0" xml:space="preserve">{_plain(text)}</text>'
        )

    def _sign(self, sign: str, font: QFont) -> str:
        name = f"g{self.glyph(sign, font)}"
        if len(self._glyphs) > len(self._kept):
            moves = elements(glyph_of(sign, font))
            path = "".join(f"{kind}{' '.join(f'{side:.0f}' for side in at)}" for kind, at in moves)
            self._kept.append(f'<path id="{name}" d="{path}"/>')
        return name


def _stroke(pen: Pen | None) -> str:
    if pen is None:
        return ""
    colour, width, dashed = pen
    dashes = f' stroke-dasharray="{_n(4 * width)} {_n(2 * width)}"' if dashed else ""
    return f' stroke="{colour}" stroke-width="{_n(width)}"{dashes}'


def _place(box: Box) -> str:
    return f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.w)}" height="{_n(box.h)}"'


def _n(length: float) -> str:
    return f"{float(length):.2f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    """Return text as XML takes it, which has no control characters."""
    return escape("".join(sign if sign.isprintable() else " " for sign in text))
