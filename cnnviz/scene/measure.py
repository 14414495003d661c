"""How wide text is, as data: the widths of the shipped fonts' characters, so that the scene can lay out text.

Widths are in parts of the text's size; a test compares them with what the painter measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

LINE = 1.4
"""The height of a line of text, with the air between it and the next."""


def _table(widths: Mapping[float, str]) -> Mapping[str, float]:
    return {letter: width for width, letters in widths.items() for letter in letters}


# Inter, figures of equal width; what stands in none of the lists is as wide as a figure.
_USUAL, _USUAL_BOLD = 0.65, 0.67
_REGULAR = _table(
    {
        0.23: "'′ijl⁽⁾",
        0.28: " !,.:;·I",
        0.34: "|₁¹",
        0.36: "()/[]ft{}\\r\u00a0",
        0.4: 'ᵀ₇⁷₅⁵"',
        0.43: "₂₆₉²⁶⁹₃₈³⁸₀₄⁰⁴⁻₊₋_-^",
        0.51: "*`–?s",
        0.55: "γJkxzδεθLacvy",
        0.6: "euFhnηβλEogpq",
        0.63: "Zbdμ#P∂Σ√σπ$&RSTXα",
        0.69: "∇AV",
        0.74: "DCGHUN",
        0.78: "OQ%w",
        0.84: "…∗m",
        0.95: "M∞½@W←→—",
    }
)
_BOLD = _table(
    {
        0.24: "' ijl′\u00a0",
        0.28: "I⁽⁾,.:;·",
        0.32: "!₁¹",
        0.38: '|/\\ft()[]{}"r₇⁷',
        0.44: "₂²ᵀ₅⁵₃₆₈₉³⁶⁸⁹₄⁴⁻₊₋₀⁰-_^",
        0.52: "`–*?γs",
        0.57: "JxzεLakcvy",
        0.61: "FeβλEhnouηpqδθ",
        0.64: "bdg#P$RSZμα",
        0.66: "&BT∂Σ√σ",
        0.7: "KXY∇πADVU",
        0.75: "CHNG",
        0.79: "OQ…",
        0.86: "%w∗mM",
        0.98: "½←→∞@—W",
    }
)
_MONO = 0.6


@lru_cache(maxsize=16384)
def width(text: str, bold: bool = False, family: str = "sans") -> float:
    """Return how wide a text is, in parts of its size."""
    if family == "mono":
        return _MONO * len(text)
    table = _BOLD if bold else _REGULAR
    usual = _USUAL_BOLD if bold else _USUAL
    return sum(table.get(letter, usual) for letter in text)


def longest_that_fits(texts: Sequence[str], room: float, bold: bool = False) -> str:
    """Return the first of some texts, from long to short, that is no wider than a room; else the last."""
    return next((text for text in texts if width(text, bold) <= room), texts[-1])


def figures(count: int, point: bool) -> float:
    """Return how wide a number is of so many characters, its minus and its point among them."""
    return _USUAL * count - (0.37 if point else 0.0)
