"""Formulas as outlines that any device can fill."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

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
