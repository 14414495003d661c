"""Formulas as outlines that any device can fill.

Those of the program are typeset beforehand, by `resources/typeset_formulas.py`, and kept in
`resources/formulas.json`; others are typeset when they are needed. How a formula is written is said in
`cnnviz.scene.typesetting`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from cnnviz.resources import resource

EM = 1000
"""All lengths of an outline are in thousandths of the text size."""


class Piece(NamedTuple):
    """A glyph or a rule of a formula.

    Attributes
    ----------
    parts : tuple[str, ...]
        The arrays that it is a part of, the innermost first.
    path : str
        Its outline as in SVG, of M L Q and Z alone; y goes down. To be filled with the winding rule.
    x, y : float
        Where the outline's origin is: to the right of the formula's left edge, below its base line.
    scale : float
        How large it is drawn.
    """

    parts: tuple[str, ...]
    path: str
    x: float
    y: float
    scale: float

    @property
    def reach(self) -> tuple[int, int, int, int]:
        """How far it reaches: left, top, right, bottom."""
        numbers = [float(word) for word in self.path.split() if not word.isalpha()]
        xs = [round(self.x + self.scale * x) for x in numbers[::2]]
        ys = [round(self.y + self.scale * y) for y in numbers[1::2]]
        return min(xs), min(ys), max(xs), max(ys)


class Outline(Struct, frozen=True, eq=False):
    """A formula typeset.

    Attributes
    ----------
    width : float
        Of the whole formula.
    ascent, descent : float
        How far it reaches above and below its base line.
    pieces : tuple[Piece, ...]
        What to fill.
    """

    width: float
    ascent: float
    descent: float
    pieces: tuple[Piece, ...]

    @property
    def height(self) -> float:
        """From the highest to the lowest point."""
        return self.ascent + self.descent

    @property
    def parts(self) -> set[str]:
        """The arrays that are marked in it."""
        return {part for piece in self.pieces for part in piece.parts}


@lru_cache(maxsize=512)
def typeset(formula: str) -> Outline:
    """Return a formula typeset: the kept one, or a new one."""
    kept = _kept()
    found = kept["formulas"].get(formula)
    if found is None:
        from cnnviz.scene.typesetting import typeset_anew  # takes long to import

        return typeset_anew(formula)
    pieces = (
        Piece(tuple(parts.split()), kept["paths"][path], x, y, scale / EM)
        for parts, path, x, y, scale in found["pieces"]
    )
    return Outline(found["width"], found["ascent"], found["descent"], tuple(pieces))


@cache
def _kept() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(resource("formulas.json").read_text(encoding="utf-8"))
    return found
