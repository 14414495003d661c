"""How arrays are drawn: colours, decimals and powers of ten, the same at every step of an operation."""

from __future__ import annotations

from math import ceil, inf, isfinite, log10
from typing import NamedTuple

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene.display import Display, Scale
from cnnviz.scene.marks import Palette
from cnnviz.scene.measure import figures, width
from cnnviz.scene.numbers import (
    FEW,
    decimals_of,
    finer,
    in_cell,
    lost,
    number,
    power_of_ten,
    rounded_up,
    rounding,
    scaled,
    small_sizes,
    telling,
)
from cnnviz.scene.registry import compared, kind_of
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache

# The air that a number needs beside it in its cell, in parts of its size.
_RIM = 0.15


class Look(NamedTuple):
    """How an array is drawn, fixed for all steps of an operation so that nothing jumps.

    Attributes
    ----------
    palette : Palette
        Its colour map.
    limit : float
        The value at the colour map's end.
    places : int
        Decimals.
    power : int
        The power of ten that its numbers are written in; 0 for plain numbers.
    width : int
        The most characters that one of its numbers takes.
    reach : float
        How large its own numbers are; the limit is larger where other arrays share the scale.
    longest : int
        The most characters that one of its numbers takes where it stands in a line, with digits of its own.
    letters : bool
        Whether names stand in place of its numbers.
    scale : Scale
        What shares the scale of its colours.
    rounding : float
        The size up to which its numbers are rounding.
    """

    palette: Palette
    limit: float
    places: int
    power: int
    width: int
    reach: float
    longest: int
    letters: bool = False
    scale: Scale = "array"
    rounding: float = 0.0

    def in_cells(self, values: Array, room: float) -> list[list[str]]:
        """Write the numbers of a grid, under a heading that says the power of ten.

        Parameters
        ----------
        room : float
            How wide a cell is, in parts of the numbers' size.
        """
        tens, places = 10.0**-self.power, self.places
        values = values * tens if self.power else values
        written = [[number(value, places) for value in row] for row in values.tolist()]
        for r, c in np.argwhere(lost(values, places, self.rounding * tens)).tolist():
            written[r][c] = in_cell(values[r, c], room - _RIM)
        return written

    def bare(self, value: float) -> str:
        """Write a number where a heading says the power of ten."""
        return telling(value * 10.0**-self.power, self.places, self.rounding * 10.0**-self.power)

    def reaching(self, size: float) -> Look:
        """Return the same for numbers up to a size: products may be larger than their sum, or smaller."""
        if not isfinite(size):
            return self
        widest = number(-size * 10.0**-self.power, self.places)
        return self._replace(limit=rounded_up(max(self.limit, size)), width=len(widest))

    @property
    def factor(self) -> str:
        """What a heading says of the power of ten: ``· 10⁻⁵``; empty for plain numbers."""
        return f" · {power_of_ten(self.power)}" if self.power and not self.letters else ""

    def text(self, value: float) -> str:
        """Write a number as it stands alone."""
        return scaled(value, self.places, self.power, self.rounding)


def look(program: Program, operation: Operation, name: str, display: Display) -> Look:
    """Return how an array of an operation is drawn: from its final values, so the same at every step.

    Where arrays share a scale of colours, values and gradients have one each, and pictures keep their own.
    """
    own, scale = _look(operation, name, _is_pixels(program, operation, name)), display.scale
    if scale == "array" or own.palette == "pixel":
        return own
    limit = _shared_limit(program, operation.layer if scale == "layer" else None, own.palette)
    return own._replace(limit=limit, scale=scale)


@program_cache(2048)
def _look(operation: Operation, name: str, pixels: bool) -> Look:
    """Return how an array is drawn on a scale of its own, or of those that it is compared with."""
    alike = _alike(operation, name)
    written_alike = alike if kind_of(operation.call).added else (name,)
    spans = [_span(operation, other) for other in written_alike]
    low, high, whole = min(s[0] for s in spans), max(s[1] for s in spans), all(s[2] for s in spans)
    largest, reach = max(high, -low), max(_reach(operation, other) for other in written_alike)
    limit, finite = largest or 1.0, _finite(operation, *written_alike)
    if reach < largest:
        places, power = decimals_of(np.clip(finite, -reach, reach), reach)
    else:
        places, power = decimals_of(finite, largest)
    palette = _palette(operation, name, pixels)
    small = small_sizes(finite, largest, places, power)
    if palette == "gradient" and operation.phase == "backward" and not power:
        places, power = finer(small, finite, largest, places)
    if operation.phase in ("update", "descent") and places and not power:
        places = max(places, 3, _places_of_change(operation, name))
    ends = (-limit, limit) if low < 0 or not whole else (limit,)
    wide = max(len(number(value * 10.0**-power, places)) for value in ends)
    if not whole:
        wide = max(wide, 4)  # as wide as NaN is written
    noise, tens, own = rounding(small, largest), 10.0**-power, _size(operation, name)
    if len(written_alike) > 1:
        noise = rounding(small_sizes(_finite(operation, name), own, places, power), own)
    tiny = small[lost(small * tens, places, noise * tens)]
    long = ceil(width(in_cell(-tiny.min() * tens, inf)) / figures(1, point=False)) if tiny.size else 0
    longest = max(wide, long)
    if sum(_shown(operation, other).size for other in written_alike) <= FEW:
        # A few numbers have room for two digits and a power of ten.
        wide = longest
    end = max(_reach(operation, other) for other in alike)
    limit = rounded_up(max(end, 1.0) if pixels else end or 1.0)  # the exact one would give an answer away
    own = _reach(operation, name)
    return Look(palette, limit, places, power, wide, own or 1.0, longest, rounding=noise)


def _finite(operation: Operation, *names: str) -> Array:
    """Return those numbers of some arrays that are finite, in one row."""
    numbers = [_shown(operation, name).reshape(-1) for name in names]
    for k, name in enumerate(names):
        if not _span(operation, name)[2]:  # mostly all are, and millions are not chosen from
            numbers[k] = numbers[k][np.isfinite(numbers[k])]
    return np.concatenate(numbers) if len(numbers) > 1 else numbers[0]


def _places_of_change(operation: Operation, name: str) -> int:
    """Return how many decimals it takes to see that an update changes an array; 6 at most."""
    if name not in operation.call.before:
        return 0
    with np.errstate(invalid="ignore"):
        change = np.abs(final(operation, name) - operation.call.before[name])
    largest = float(change[np.isfinite(change)].max(initial=0.0))
    return min(6, ceil(-log10(largest))) if largest > 0 else 0


@program_cache(256)
def _is_pixels(program: Program, operation: Operation, name: str) -> bool:
    """Return whether an array is a picture: one that is read or comes of it, or what goes into a network."""
    if name == "image":
        return True
    port = operation.call.port(name)
    reads = "image" in operation.call.given and name == operation.call.result
    return (
        (reads or program.is_input(port.node)) and not port.gradient_of and are_pixels(final(operation, name))
    )


def _palette(operation: Operation, name: str, pixels: bool) -> Palette:
    return "pixel" if pixels else "gradient" if operation.call.port(name).gradient_of else "value"


def _alike(operation: Operation, name: str) -> tuple[str, ...]:
    """Return the arrays of an operation with whose numbers those of an array are compared, and itself."""
    alike = compared(operation.call)
    return alike if name in alike else (name,)


@program_cache(64)
def _shared_limit(program: Program, layer: str | None, palette: Palette) -> float:
    """Return how large the numbers of all arrays of a palette are, in a layer or in all of them."""
    return rounded_up(
        max(
            (
                _reach(operation, name)
                for operation in program.operations
                if layer in (None, operation.layer)
                for name in _measured(operation)
                if _palette(operation, name, _is_pixels(program, operation, name)) == palette
            ),
            default=0.0,
        )
        or 1.0
    )


def _measured(operation: Operation) -> list[str]:
    """Return the arrays of an operation, but those that only count; where there are none, its variables."""
    names = [*operation.call.given, *operation.call.writes]
    if not operation.tree.arrays:
        return names
    arrays = [name for name in names if name in operation.tree.arrays]
    return [name for name in arrays if np.issubdtype(final(operation, name).dtype, np.floating)]


def _reach(operation: Operation, name: str) -> float:
    """Return how large the finite numbers of an array are; a walk that runs away is not followed."""
    size = _size(operation, name)
    if operation.phase == "descent":  # else it would take decimals and colours from where it began
        return min(size, max(100.0, 10 * _first_size(_shown(operation, name))))
    return size


def _size(operation: Operation, name: str) -> float:
    """Return how large the finite numbers of an array are."""
    low, high, _ = _span(operation, name)
    return max(high, -low)


@program_cache(2048)
def _span(operation: Operation, name: str) -> tuple[float, float, bool]:
    """Return the least and the greatest finite number of an array, and whether there are no others."""
    values = _shown(operation, name)
    low, high = float(values.min()), float(values.max())
    if isfinite(low) and isfinite(high):
        return low, high, True
    finite = values[np.isfinite(values)]
    return float(finite.min(initial=0.0)), float(finite.max(initial=0.0)), False


def _first_size(values: Array) -> float:
    """Return how large the finite numbers are with which walks, (starts, steps), begin."""
    first = np.abs(values).reshape(-1, values.shape[-1])[:, 0]
    return float(first[np.isfinite(first)].max(initial=0.0))


def _shown(operation: Operation, name: str) -> Array:
    """Return the final numbers of an array, with those that it shows before.

    That is what it was if this stands beside it, and the ends that it reaches while it is added to.
    """
    values = final(operation, name)
    if values.dtype == np.uint8:  # a picture as its file has it: millions of pixels, 256 different numbers
        return np.unique(values).astype(np.float64)
    before, on_the_way = operation.call.before, operation.call.extremes()
    if name in on_the_way:
        return np.concatenate([values.reshape(-1), on_the_way[name]])
    return np.concatenate([before[name].reshape(-1), values.reshape(-1)]) if name in before else values


def largest(values: Array, axes: int | tuple[int, ...]) -> Array:
    """Return the size of the largest finite numbers along some axes."""
    sizes = np.maximum(values.max(axes), -values.min(axes))
    if not np.isfinite(sizes).all():
        sizes = np.where(np.isfinite(values), np.abs(values), 0.0).max(axes)
    return np.asarray(sizes)


def final(operation: Operation, name: str) -> Array:
    """Return an array of an operation as it is when the operation is through."""
    return np.asarray(operation.call.value(name))


def are_pixels(values: Array) -> bool:
    """Return whether an array looks like a picture: maps from 0 to 1, or a red, a green and a blue one."""
    return values.ndim == 3 and bool(values.min() >= 0) and (bool(values.max() <= 1) or len(values) == 3)
