r"""Writes marks as a TikZ picture, for papers: shapes as they are drawn, text in the paper's own fonts.

A unit is a pixel of 0.75 pt, and y goes down. Text stands in LaTeX's sans-serif and typewriter families, by
its middle where it was centred, so that other widths do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtGui import QFont, QFontMetricsF

from cnnviz.render.cells import NUMBER_ROLES, number_roles
from cnnviz.render.text import SMALLEST, lay_out, pieces_of
from cnnviz.render.vectors import Pen, Point, Vectors, cubic, hatch_lines
from cnnviz.scene.latex import escaped
from cnnviz.scene.marks import Box, Cells, Label, Mark
from cnnviz.scene.theme import THEMES, Theme, plates

_POINTS = 0.75
_ANCHORS = {"left": "base west", "center": "base", "right": "base east"}
_BASE = 0.36  # how far the base line lies under the middle of figures, in sizes


def to_tikz(marks: Iterable[Mark], theme: str = "light") -> str:
    """Return marks as a ``tikzpicture``; it needs the package tikz alone.

    Parameters
    ----------
    theme : str
        Of `THEMES`.
    """
    writer = _Writer(THEMES[theme])
    for mark in marks:
        writer.draw(mark)
    return writer.picture()


class _Writer(Vectors):
    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._body: list[str] = []
        self._names: dict[str, str] = {}

    def picture(self) -> str:
        begin = (
            f"\\begin{{tikzpicture}}[x={_POINTS}pt,y=-{_POINTS}pt,"
            "every node/.style={inner sep=0pt,outer sep=0pt}]"
        )
        colours = (f"\\definecolor{{{name}}}{{HTML}}{{{code}}}" for code, name in self._names.items())
        return "\n".join([begin, *colours, *self._body, "\\end{tikzpicture}"])

    def draw(self, mark: Mark) -> None:
        if isinstance(mark, Label):
            self._write_label(mark)
        else:
            super().draw(mark)

    def rectangle(self, box: Box, fill: str | None, pen: Pen | None = None, radius: float = 0.0) -> None:
        corners = [f"rounded corners={_n(radius * _POINTS)}pt"] if radius else []
        at = f"{_at(box.x, box.y)} rectangle {_at(box.right, box.bottom)}"
        self._add(at, fill, pen, *corners)

    def hatch(self, box: Box) -> None:
        self.rectangle(box, self._colour("ground"))
        self.lines(hatch_lines(box), (self._colour("hatch"), 0.8, False))

    def polygon(self, points: Sequence[Point], fill: str | None, pen: Pen | None = None) -> None:
        self._add(" -- ".join(_at(*point) for point in points) + (" -- cycle" if fill else ""), fill, pen)

    def lines(self, lines: Sequence[tuple[float, float, float, float]], pen: Pen) -> None:
        self._add(" ".join(f"{_at(a, b)} -- {_at(c, d)}" for a, b, c, d in lines), None, pen)

    def circle(self, center: Point, radius: float, fill: str) -> None:
        self._add(f"{_at(*center)} circle[radius={_n(radius * _POINTS)}pt]", fill, None)

    def outline(self, path: str, place: tuple[float, float, float], fill: str) -> None:
        x, y, scale = place
        parts = []
        for kind, sides in cubic(path):
            points = [_at(x + scale * a, y + scale * b) for a, b in zip(sides[::2], sides[1::2], strict=True)]
            if kind == "C":
                parts.append(f".. controls {points[0]} and {points[1]} .. {points[2]}")
            elif kind == "Z":
                parts.append("-- cycle")
            else:
                parts.append(points[0] if kind == "M" else f"-- {points[0]}")
        self._add(" ".join(parts), fill, None)

    def text(self, text: str, font: QFont, x: float, base: float, fill: str) -> None:
        self._node(_span(text, font, self._name(fill)), font, "left", x, base)

    def _write_label(self, mark: Label) -> None:
        x, y, w, h = mark.box
        x += w * {"left": 0.0, "center": 0.5, "right": 1.0}[mark.align]
        pieces = [(self._colour(role), laid) for role, laid in pieces_of(mark)[0] if laid.text.text()]
        if any(laid.text.text().strip() for _, laid in pieces):
            font = pieces[0][1].font
            words = "".join(_span(laid.text.text(), laid.font, self._name(role)) for role, laid in pieces)
            middle = y + h / 2 - pieces[0][1].height / 2
            self._node(words, font, mark.align, x, middle + QFontMetricsF(font).ascent())

    def _numbers(self, mark: Cells) -> None:
        size = max(SMALLEST, float(round(mark.size)))
        font = lay_out("0", "sans", size).font
        roles, under = number_roles(mark, self._theme)
        own = plates(self._theme, mark.palette)
        for r, row in enumerate(mark.texts):
            for c, text in enumerate(row):
                if not text:
                    continue
                (x, y), lines = mark.box_of(r, c).center, text.split("\n")
                if (colour := int(under[r, c])) in own:
                    wide, high = 0.6 * size * max(map(len, lines)), size * len(lines)
                    plate = Box(x - wide / 2, y - high / 2, wide, high)
                    self.rectangle(plate, "#{:02x}{:02x}{:02x}".format(*own[colour]))
                role = self._name(self._colour(NUMBER_ROLES[int(roles[r, c])]))
                for k, line in enumerate(lines):
                    base = y + (k + 0.5 - len(lines) / 2) * 1.2 * size + _BASE * size
                    self._node(_span(line, font, role), font, "center", x, base)

    def _node(self, words: str, font: QFont, align: str, x: float, base: float) -> None:
        size = _n(font.pixelSize() * _POINTS)
        set_ = f"anchor={_ANCHORS[align]},font=\\fontsize{{{size}pt}}{{{size}pt}}\\selectfont"
        self._body.append(f"\\node[{set_}] at {_at(x, base)} {{{words}}};")

    def _add(self, path: str, fill: str | None, pen: Pen | None, *options: str) -> None:
        told = list(options)
        if fill:
            told.append(f"fill={self._name(fill)}")
        if pen:
            colour, width, dashed = pen
            told += [f"draw={self._name(colour)}", f"line width={_n(width * _POINTS)}pt"]
            told += ["dashed"] if dashed else []
        self._body.append(f"\\path[{','.join(told)}] {path};")

    def _name(self, colour: str) -> str:
        """Return what a colour is called in the picture."""
        return self._names.setdefault(colour[1:].upper(), f"cnnviz{len(self._names)}")


def _span(text: str, font: QFont, colour: str) -> str:
    family = "ttfamily" if "mono" in font.family().lower() else "sffamily"
    weight = "\\bfseries" if font.weight() > QFont.Weight.Medium else ""
    spaces = escaped(text).replace("  ", "\\ \\ ")
    return f"{{\\{family}{weight}\\color{{{colour}}}{spaces}}}"


def _at(x: float, y: float) -> str:
    return f"({_n(x)},{_n(y)})"


def _n(length: float) -> str:
    return f"{float(length):.2f}".rstrip("0").rstrip(".")
