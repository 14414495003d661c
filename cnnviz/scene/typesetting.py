r"""Typesets formulas: from how they are written here, through LaTeX, to outlines.

A formula is LaTeX in which arrays are marked, so that a picture can colour them:

    \part{x}{…}     what is inside stands for the array x of the listing; parts may lie in parts
    \x{c,i,j}       the cell x[c, i, j] as a part: short for \part{x}{x_{c,i,j}}, for any one letter
    \dx{c,i,j}      the same of ∂E/∂x: \part{dx}{\frac{\partial E}{\partial x_{c,i,j}}}
    \add            the sign +=

Imported only for formulas that are not kept: ziamath, which does the work, takes long to import.
"""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from cnnviz.scene.outline import EM, Outline, Piece

# ziamath gives every glyph in this size, whatever the formula's.
_POINTS = 12


def to_keep(formulas: Iterable[str]) -> dict[str, Any]:
    """Return what is kept of formulas: each outline of a glyph once, and by formula where it goes."""
    paths: dict[str, int] = {}
    kept = {}
    for formula in dict.fromkeys(formulas):
        outline = typeset_anew(formula)
        kept[formula] = {
            "width": outline.width,
            "ascent": outline.ascent,
            "descent": outline.descent,
            "pieces": [
                [
                    " ".join(piece.parts),
                    paths.setdefault(piece.path, len(paths)),
                    piece.x,
                    piece.y,
                    round(piece.scale * EM),
                ]
                for piece in outline.pieces
            ],
        }
    return {"ziamath": _ziamath().__version__, "paths": list(paths), "formulas": kept}


def typeset_anew(formula: str) -> Outline:
    """Typeset a formula with ziamath, in its font, STIX Two Math."""
    latex, parts = to_latex(formula)
    drawing = ElementTree.fromstring(_ziamath().Latex(latex, size=EM).svg())
    for element in drawing.iter():
        element.tag = element.tag.rpartition("}")[2]
    _, top, _, height = _numbers(drawing.attrib["viewBox"])
    pieces = list(_pieces(drawing, parts))
    # Without the room that ziamath leaves on both sides, a formula stands exactly in the middle.
    left = min((piece.reach[0] for piece in pieces), default=0)
    right = max((piece.reach[2] for piece in pieces), default=0)
    moved = tuple(piece._replace(x=piece.x - left) for piece in pieces)
    return Outline(right - left, round(-top), round(top + height), moved)


@cache
def _ziamath() -> ModuleType:
    """Import ziamath; that takes long, and nothing of the program's own formulas needs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the way it finds its font, in Python 3.11
        import ziamath
        from ziamath.nodes.mrow import Mrow

    ziamath.config.svg2 = True  # glyphs apart from where they go
    ziamath.config.precision = 3

    class Row(Mrow, tag="mrow"):
        """A row that is measured once: by itself, rows in rows are measured 2, 4, 8 … times."""

        def _get_height_nostretch(
            self, line: list[ElementTree.Element], **kwargs: Any
        ) -> tuple[float, float]:
            # How high a bracket in it should be does not matter while only the row around it is measured.
            return (0.0, 0.0) if kwargs.get("nostretch") else super()._get_height_nostretch(line, **kwargs)

    return ziamath


def to_latex(formula: str) -> tuple[str, list[tuple[str, ...]]]:
    """Return a formula as LaTeX, each part in a colour of its own.

    Returns
    -------
    (str, list[tuple[str, ...]])
        Colour number k, from 1, is that of what lies in parts [k − 1], the innermost first.
    """
    text = re.sub(r"\\add(?![a-zA-Z])", r"\\;{+}{=}\\;", formula)
    text = re.sub(r"\\(d?)([a-zA-Z]\d?)\{([^{}]*)\}", _cell, text)
    parts: list[tuple[str, ...]] = []
    return _coloured(text, (), parts), parts


def _cell(found: re.Match[str]) -> str:
    gradient, letter, index = found.groups()
    letter_of = f"{letter[0]}^{{({letter[1]})}}" if letter[1:] else letter
    cell = f"{letter_of}_{{{index}}}" if index else letter_of
    return f"\\part{{{gradient}{letter}}}{{{_gradient(cell) if gradient else cell}}}"


def _gradient(cell: str) -> str:
    return rf"\frac{{\partial E}}{{\partial {cell}}}\!"  # ziamath leaves too much room behind


def _coloured(text: str, around: tuple[str, ...], parts: list[tuple[str, ...]]) -> str:
    """Put the parts of a text into their colours, and note for each colour the parts that it is in."""
    begin = text.find(r"\part{")
    if begin < 0:
        return text
    name, after = _group(text, begin + len(r"\part"))
    inner, end = _group(text, after)
    chain = (name, *around)
    if chain not in parts:
        parts.append(chain)
    color = f"#{parts.index(chain) + 1:06x}"
    inside = _coloured(inner, chain, parts)
    return f"{text[:begin]}\\textcolor{{{color}}}{{{inside}}}{_coloured(text[end:], around, parts)}"


def _group(text: str, begin: int) -> tuple[str, int]:
    """Return what stands in the braces that open at a place, and where they have closed."""
    depth = 0
    for k in range(begin, len(text)):
        depth += (text[k] == "{") - (text[k] == "}")
        if depth == 0:
            return text[begin + 1 : k], k + 1
    raise ValueError(f"a brace is never closed: {text}")


def _pieces(drawing: ElementTree.Element, parts: list[tuple[str, ...]]) -> Iterator[Piece]:
    glyphs: dict[str, tuple[str, list[float]]] = {}
    for element in drawing:
        known = element.attrib
        if element.tag == "symbol":
            outline = " ".join(path.attrib["d"] for path in element.iter("path"))
            glyphs["#" + known["id"]] = outline, _numbers(known["viewBox"])
            continue
        color = known.get("fill", "")
        chain = parts[int(color[1:], 16) - 1] if color.startswith("#") else ()
        x, y = float(known["x"]), float(known["y"])
        if element.tag == "rect":
            w, h = round(float(known["width"])), round(float(known["height"]))
            yield Piece(chain, f"M 0 0 L {w} 0 L {w} {h} L 0 {h} Z", round(x), round(y), 1.0)
            continue
        path_data, (glyph_left, glyph_top, _, glyph_height) = glyphs[known["href"]]
        ratio = float(known["height"]) / glyph_height  # to thousandths of an em
        if path_data:
            yield Piece(
                chain,
                _scaled(path_data),
                round(x - glyph_left * ratio),
                round(y - glyph_top * ratio),
                round(ratio * _POINTS) / EM,
            )


@cache
def _scaled(path: str) -> str:
    """Return an outline in thousandths of an em, which are the font's own units."""
    words = [word if word.isalpha() else str(round(float(word) * EM / _POINTS)) for word in path.split()]
    return " ".join(words)


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]
