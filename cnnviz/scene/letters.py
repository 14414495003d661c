"""What the cells of arrays are called where names stand in place of numbers: ``a``, or ``x₁₀₂``.

A lesson may name the cells of a layer's arrays itself; all others are called by their array's letter with
their index. Source of the mode: Goodfellow, Bengio and Courville, "Deep Learning" (2016), figure 9.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from cnnviz.engine.address import name_of, node_of
from cnnviz.engine.layer import Shape
from cnnviz.scene.marks import Cells, Span
from cnnviz.scene.numbers import MINUS
from cnnviz.trace.alone import is_shared, program_of
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache
from cnnviz.trace.state import ArrayCell

ZERO = "0"
"""What padding is called, and what a lesson calls a cell that forward sums leave out."""

GREEK: Mapping[str, str] = dict(
    re.findall(
        r"(\w+) (\w)",
        "alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν "
        "xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω",
    )
)
"""Greek letters by their names, which Python has in their place."""

# Letters of arrays whose names are words.
_SHORT = {"image": "p"}

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

# How wide letters are, in parts of their size; others are like digits.
_WIDTHS = {**dict.fromkeys("₀₁₂₃₄₅₆₇₈₉", 0.42), **dict.fromkeys(" ·,′", 0.3), **dict.fromkeys("wm", 0.82)}


class Names(Struct, frozen=True, eq=False, dict=True):
    """What the cells of one operation's arrays are called.

    Attributes
    ----------
    operation : Operation
        Whose arrays.
    given : Mapping[str, tuple[str, ...]]
        The names that the lesson gives, row by row, by the array's name in its layer: x, w, b or y.
    shapes : Mapping[str, Shape]
        The shapes that the layer's arrays have going forward, for an update sees them as one row.
    alone : Names or None
        Of several samples that go through together, what the cells of one are called.
    """

    operation: Operation
    given: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, Shape]
    alone: Names | None = None
    _known: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)

    def cell(self, array: str, index: tuple[int, ...]) -> str:
        """Return the name of a cell: ``∂w₀₁`` for ``dw[0, 1]``; padding is ``0``."""
        key = array, index
        if key not in self._known:
            self._known[key] = self._cell(array, index)
        return self._known[key]

    def longest(self, array: str) -> str:
        """Return a name as long as any that a cell of an array has."""
        batch = self.operation.call.batch
        if batch is not None and array in batch.arrays:
            number = str(np.shape(self.operation.call.value(array))[0] - 1).translate(_SUPERSCRIPTS)
            return (self.alone.longest(array) if self.alone else letter(array)) + f"⁽{number}⁾"
        sign, own = self._letter(array)
        if own in self.given:
            return sign + max(self.given[own], key=name_width)
        shape = self._shape(array)
        return sign + letter(own) + _subscript(tuple(size - 1 for size in shape), shape, self._between)

    def _cell(self, array: str, index: tuple[int, ...]) -> str:
        batch = self.operation.call.batch
        if batch is not None and array in batch.arrays:  # x⁽²⁾₀₁ is that of sample 2
            name = self.alone.cell(array, index[1:] or (0,)) if self.alone else letter(array)
            return name if name == ZERO else name + f"⁽{str(index[0]).translate(_SUPERSCRIPTS)}⁾"
        place = self.operation.call.own_place(array, index)
        if place is None:  # what is written there is the gradient of padding, which nobody asks for
            if self.operation.call.placed(array).fill:
                return MINUS + "∞"
            return "∂" + ZERO if array in self.operation.call.writes else ZERO
        sign, own = self._letter(array)
        shape = self._shape(array)
        if len(place) != len(shape):
            place = tuple(int(k) for k in np.unravel_index(place[0], shape))
        given = self.given.get(own)
        if given is not None:
            name = given[int(np.ravel_multi_index(place, shape))]
            if name != ZERO or self.operation.phase == "forward":
                return sign + name
        return sign + letter(own) + _subscript(place, shape, self._between)

    def _letter(self, array: str) -> tuple[str, str]:
        """Return the sign and the letter of an array: ∂ and w of ``dw``; of an update, its parameter's."""
        port = self.operation.call.port(array)
        own = port.symbol
        if port.loss and port.gradient_of:
            return "", "g"
        if self.operation.phase == "update" and self._parameter in (port.before, port.gradient_of):
            own = name_of(self._parameter)
        return ("∂" if port.gradient_of else "", _SHORT.get(own, own))

    @property
    def _parameter(self) -> str:
        """The address of the parameter that an update moves."""
        return self.operation.call.moved

    @cached_property
    def _between(self) -> str:
        """What stands between indices: a comma if one has two digits, for beside w₁,₁₀, E₁₀ might be E₁,₀."""
        call = self.operation.call
        arrays = [name for name in (*call.given, *call.writes) if np.ndim(call.value(name))]
        return "," if any(size > 10 for name in arrays for size in self._shape(name)) else ""

    def _shape(self, array: str) -> Shape:
        if self.operation.phase == "update":
            return self.shapes[name_of(self._parameter)]
        return self.operation.call.own_shape(array)


@program_cache(256)
def names(program: Program, operation: Operation) -> Names:
    """Return what the cells of an operation's arrays are called."""
    given = {name_of(key): row for key, row in program.names.items() if node_of(key) == operation.layer}
    own_calls = [other.call for other in program.operations if other.layer == operation.layer]
    arrays = {name: call.value(name) for call in reversed(own_calls) for name in (*call.given, *call.writes)}
    alone = program_of(program, 0) if is_shared(operation) else None
    return Names(
        operation,
        given,
        {name: np.shape(values) for name, values in arrays.items()},
        None if alone is None else names(alone, alone.operation(operation.name)),
    )


def letter(name: str) -> str:
    """Write an array's name as a lecturer does: gamma as γ, one of several inputs, x1, as x⁽¹⁾.

    An index would be lowered, and x¹ a power.
    """
    word = name.rstrip("0123456789")
    number = name[len(word) :].translate(_SUPERSCRIPTS)
    return GREEK.get(word, word) + (f"⁽{number}⁾" if number else "")


def _subscript(place: tuple[int, ...], shape: Shape, between: str) -> str:
    """Write an index small and lowered, axes of one cell left out."""
    kept = (k for k, size in zip(place, shape, strict=True) if size > 1)
    return between.join(str(k).translate(_SUBSCRIPTS) for k in kept)


def as_product(runs: tuple[Span, ...]) -> tuple[Span, ...]:
    """Write two single letters that are multiplied side by side, in the order of the alphabet: ``aw``."""
    done = list(runs)
    for k in range(len(done) - 2, 0, -1):
        first, sign, second = done[k - 1 : k + 2]
        if (
            sign.text == "·"
            and len(first.text) == len(second.text) == 1
            and (first.text + second.text).isalpha()
        ):
            done[k - 1 : k + 2] = sorted((first, second), key=lambda run: run.text)
    return tuple(done)


def product(*factors: str) -> str:
    """Write names that are multiplied: ``aw``, or ``w₀₁·x₀₁``."""
    runs = [run for factor in factors for run in (Span("·"), Span(factor))][1:]
    return "".join(run.text for run in as_product(tuple(runs)))


# ------------------------------------------------------------------------------------------ names in grids

# The size of the smallest names that can be read, with their indices.
_SMALLEST = 10.0

Texts = tuple[tuple[str, ...], ...]


def in_cells(grid: Cells, texts: Texts, em: float) -> Cells:
    """Return a grid with names in its cells, and no colours of values; as a heatmap if none could be read."""
    size = size_of(grid, texts, em)
    if size < _SMALLEST:
        return replace(grid, texts=())
    return replace(plain(grid), texts=texts, size=size)


def plain(grid: Cells) -> Cells:
    """Return a grid without the colours of its values."""
    return replace(grid, values=np.zeros(grid.values.shape), palette="plain", limit=1.0)


def products(of: Names, grid: Cells, factors: Sequence[Sequence[Sequence[ArrayCell]]], em: float) -> Cells:
    """Return a grid of products with names in its cells, but for those that are missing."""
    texts = tuple(tuple(product(*(of.cell(*place) for place in cell)) for cell in row) for row in factors)
    broken = (
        tuple(tuple(text.replace("·", sign) for text in row) for row in texts) for sign in ("·\n", "\n·")
    )
    largest = max(texts, *broken, key=lambda each: size_of(grid, each, em))
    drawn = in_cells(grid, largest, em)
    return replace(drawn, texts=where_written(drawn.texts, grid))


def where_written(texts: Texts, grid: Cells) -> Texts:
    """Return names, but none for cells in which a grid has no number."""
    if not texts:
        return ()
    return tuple(
        tuple(name if number else "" for name, number in zip(*rows, strict=True))
        for rows in zip(texts, grid.texts, strict=True)
    )


def size_of(grid: Cells, texts: Texts, em: float) -> float:
    """Return the size at which the longest of names fits its cell; a name may have several lines."""
    lines = {tuple(text.split("\n")) for row in texts for text in row if text}
    wide = max((name_width(line) for text in lines for line in text), default=1.0)
    high = max((len(text) for text in lines), default=1)
    cell_width, cell_height = grid.cell
    share = 0.74 if high == 1 else 0.92  # several lines fill the cell's height
    return min(cell_width * 0.9 / max(wide, 1.2), cell_height * share / (1.25 * high), 1.5 * em)


@lru_cache(maxsize=16384)
def name_width(name: str) -> float:
    """Return about how wide a name is, in parts of its size."""
    return sum(_WIDTHS.get(letter, 0.6) for letter in name)
