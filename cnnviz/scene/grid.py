"""Draws arrays as grids of numbers: sized to fit, with what the step reads and writes outlined."""

from __future__ import annotations

from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.look import Look, final
from cnnviz.scene.marks import FROM_ZERO, Box, Cells, Label, Mark, Rect, Role, Run
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import number
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

# Cells smaller than this (at 1080 lines) cannot hold a readable number.
_SMALLEST_CELL = 33.0
# Text is never made smaller than this many pixels, at any size of the picture; its figures are this wide
# then, and a cell around it this high.
SMALLEST_TEXT = 8.0
_SMALLEST_FIGURE = 5.2
_LOWEST_CELL = 17
_LARGEST_CELL = 130.0
# Where numbers would be smaller than the first (at 1080 lines), cells get wider, until they are the second.
_SMALL, _USUAL = 17.0, 20.0
# Arrays up to this many rows and columns are never paged: of a kernel, a part says nothing.
_LITTLE = 7


class Slice(NamedTuple):
    """Which part of an array is shown, and how.

    Attributes
    ----------
    operation : Operation
        Whose array it is.
    name : str
        The array in the listing.
    prefix : tuple[int, ...]
        The indices before the two shown; for a 4-D kernel the map and the channel.
    axes : str
        As in `Cells`.
    flipped : bool
        Whether it is shown turned by 180°.
    look : Look
        How its numbers are written and coloured.
    """

    operation: Operation
    name: str
    prefix: tuple[int, ...]
    axes: str
    flipped: bool
    look: Look

    def shaped(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the slice of an array (or of a mask of it) as rows and columns."""
        part = array[self.prefix]
        if self.axes == "cr":
            return np.asarray(part.T)
        return np.asarray(part.reshape({"r": (-1, 1), "c": (1, -1), "": (1, 1)}.get(self.axes, part.shape)))


def cell_focus(index: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the focus on one cell, from the last two of its indices."""
    row, column = index[-2:] if len(index) > 1 else (index[0] if index else 0, 0)
    return row, column, 1, 1


class Plane(Struct, frozen=True):
    """A slice of an array at one step.

    Attributes
    ----------
    of : Slice
        What is shown.
    values : Array
        (rows, columns), as far as they are computed.
    fill : {"full", "empty", "partly"}
        Whether it holds all of its final values by now, none, or some. Full and empty ones look the same
        at every step, so that their pictures are kept.
    missing : NDArray[np.bool_] or None
        Which cells hold no value yet, if it is partly filled.
    focus : (int, int, int, int)
        Row, column, rows and columns that must be seen with their numbers in a large map.
    """

    of: Slice
    values: Array
    fill: str
    missing: NDArray[np.bool_] | None = None
    focus: tuple[int, int, int, int] = (0, 0, 1, 1)


def plane(
    moment: Moment,
    name: str,
    prefix: tuple[int, ...] = (),
    focus: tuple[int, int, int, int] = (0, 0, 1, 1),
    *,
    axes: str | None = None,
    flipped: bool = False,
) -> Plane:
    """Return a slice of an array of the state: the last two axes, or a vector as a column."""
    array = np.asarray(moment.state.arrays[name])
    axes = {0: "", 1: "r"}.get(array.ndim - len(prefix), "rc") if axes is None else axes
    of = Slice(moment.operation, name, prefix, axes, flipped, moment.look(name))
    call = moment.operation.call
    if name not in call.writes:
        return Plane(of, of.shaped(array), "full", None, focus)
    values = of.shaped(array)
    if name in call.before or call.linear is not None:
        return Plane(of, values, "partly", np.zeros(values.shape, bool), focus)
    missing = ~of.shaped(moment.state.written(name))
    fill = "empty" if missing.all() else "partly" if missing.any() else "full"
    return Plane(of, values, fill, missing, focus)


def row_plane(moment: Moment, name: str, focus: int = 0) -> Plane:
    """Return a vector as a row, or a matrix transposed."""
    axes = "cr" if np.ndim(moment.state.arrays[name]) == 2 else "c"
    return plane(moment, name, (), (0, focus, 1, 1), axes=axes)


def fitted_cell(box: Box, rows: int, columns: int, unit: float) -> float:
    """Return the side of the square cells with which a grid fits a box."""
    return min(box.w / columns, box.h / rows, _LARGEST_CELL * unit)


def heading(of: Slice, box: Box, unit: float, text: str, depth: int = 1) -> Label:
    """Return the line over a grid: the array's name in its colour, index, power of ten, and what it is."""
    name = symbol(of.operation, of.name)
    if of.prefix:
        name += f"[{', '.join(str(k) for k in of.prefix)}]"
    name += of.look.factor
    if depth > 1:
        text = tr("{text}, {depth} channels", text=text, depth=depth)
    return Label(box, (Run(name, role(of.operation, of.name), True), Run("  " + text, "muted")), 17 * unit)


def readable(shown: Plane, box: Box, unit: float, align: str = "left") -> Box | None:
    """Return where a slice stands in a box with its numbers; None where they could not be read."""
    rows, columns = shown.values.shape
    side = fitted_cell(box, rows, columns, unit)
    if side < least_cell(shown.of.look, unit) and rows * columns > 4:
        return None
    return _placed(box, rows, columns, side, align, _widened(shown.of, side, box.w / columns, unit))


def _widened(of: Slice, high: float, most: float, unit: float) -> float:
    """Return how wide cells of a height are made: square, or wider where their numbers would be small.

    Pictures keep their form, and columns theirs.
    """
    if of.axes in ("r", "") or of.look.palette in FROM_ZERO:
        return high
    # As for a signed number, so that what comes and what goes have cells of one size.
    look = of.look._replace(width=max(of.look.width, 5 if of.look.places else 3))
    if text_size(high, high, look, unit) >= _SMALL * unit:
        return high
    wanted = min(0.46 * high, _USUAL * unit) * 0.62 * look.width / 0.9
    return max(high, min(most, wanted))


def little(shown: Plane) -> bool:
    """Return whether a slice is shown whole however little room there is: a kernel is, a vector never."""
    return max(shown.values.shape) <= _LITTLE and shown.of.axes != "r"


def tight(shown: Plane, box: Box, unit: float) -> tuple[Box, bool]:
    """Return where a little slice stands whole in a box too small for it, and whether with its numbers.

    Low cells are as wide as their numbers want; without numbers they are square.
    """
    rows, columns = shown.values.shape
    side = max(1.0, min(box.h / rows, box.w / columns))
    high = floor(side) if side > 8 else side
    wanted = max(_widened(shown.of, high, box.w / columns, unit), narrowest_cell(shown.of.look))
    wide = max(high, min(floor(box.w / columns), ceil(wanted)))
    numbers = legible(wide, high, shown.of.look)
    return Box(round(box.x), round(box.y), (wide if numbers else high) * columns, high * rows), numbers


def narrowest_cell(look: Look) -> float:
    """Return the width of a cell that holds the numbers of an array in the smallest text."""
    figures = max(look.width, 3) - (0.5 if look.places else 0.0)  # a point is half as wide
    return _SMALLEST_FIGURE * figures


def legible(wide: float, high: float, look: Look) -> bool:
    """Return whether numbers can just be read in cells of this size."""
    return wide >= narrowest_cell(look) and high >= _LOWEST_CELL


def least_cell(look: Look, unit: float) -> float:
    """Return the side of the smallest cell in which the numbers of an array can be read."""
    return max(_SMALLEST_CELL * unit, narrowest_cell(look))


def cells(
    shown: Plane,
    box: Box,
    unit: float,
    *,
    window: tuple[int, int, int, int] | None = None,
    numbers: bool = True,
) -> Cells:
    """Return the grid of a slice, or of a window (row, column, rows, columns) of it."""
    window = window or (0, 0, *shown.values.shape)
    if shown.fill == "partly":
        return _cells(shown, box, unit, window, numbers)
    return unchanging(shown.of, shown.fill, box, unit, window, numbers)


@remembered(2048)
def unchanging(
    of: Slice,
    fill: str,
    box: Box,
    unit: float,
    window: tuple[int, int, int, int] | None = None,
    numbers: bool = True,
) -> Cells:
    """Return the grid of a slice that is full or empty: one object for all steps at which it is."""
    values = of.shaped(final(of.operation, of.name))
    shown = Plane(of, values, fill, np.full(values.shape, fill == "empty"))
    return replace(_cells(shown, box, unit, window or (0, 0, *values.shape), numbers), kept=True)


def _cells(shown: Plane, box: Box, unit: float, window: tuple[int, int, int, int], numbers: bool) -> Cells:
    of = shown.of
    r, c, rows, columns = window
    part = np.s_[r : r + rows, c : c + columns]
    values = shown.values[part]
    missing = np.zeros(values.shape, bool) if shown.missing is None else shown.missing[part]
    placement = of.operation.call.placement(of.name)
    inserted = placement.zeros[part] if placement is not None and placement.zeros.any() else None
    put_in = None if of.name in of.operation.call.writes else inserted
    if of.flipped:
        values, missing = values[::-1, ::-1], missing[::-1, ::-1]
    return Cells(
        box=box,
        values=values,
        array=of.name,
        prefix=of.prefix,
        origin=(r, c),
        axes=of.axes,
        palette=of.look.palette,
        limit=of.look.limit,
        texts=_with_plain_zeros(texts(values, of.look, missing), put_in) if numbers else (),
        size=text_size(box.w / columns, box.h / rows, of.look, unit),
        missing=missing if missing.any() else None,
        faint=inserted,
        lines=numbers,
        flipped=of.flipped,
    )


def texts(values: Array, look: Look, missing: NDArray[np.bool_] | None = None) -> tuple[tuple[str, ...], ...]:
    """Write the numbers of a grid; nothing where there is none yet."""
    places = look.places
    if look.power:
        values = values * 10.0**-look.power
    if missing is None or not missing.any():
        return tuple(tuple(number(value, places) for value in row) for row in values.tolist())
    return tuple(
        tuple("" if gone else number(value, places) for value, gone in zip(row, out, strict=True))
        for row, out in zip(values.tolist(), missing.tolist(), strict=True)
    )


def _with_plain_zeros(
    written: tuple[tuple[str, ...], ...], put_in: NDArray[np.bool_] | None
) -> tuple[tuple[str, ...], ...]:
    """Write zeros that were put in as a bare 0, so that nobody takes them for numbers that were computed."""
    if put_in is None or not written:
        return written
    return tuple(
        tuple("0" if zero else text for text, zero in zip(row, zeros, strict=True))
        for row, zeros in zip(written, put_in.tolist(), strict=True)
    )


def text_size(width: float, height: float, look: Look, unit: float) -> float:
    """Return the text size at which the widest number of an array fits its cell."""
    return min(width * 0.9 / (0.62 * max(look.width, 3)), height * 0.46, max(26 * unit, height * 0.3))


def column(moment: Moment, name: str, page: range, place: Box, unit: float) -> Cells:
    """Return a piece of a vector as a column."""
    look = moment.look(name)
    values = np.asarray(moment.state.arrays[name])[page.start : page.stop, None]
    missing = ~moment.state.written(name)[page.start : page.stop, None]
    return Cells(
        place,
        values,
        name,
        (),
        (page.start, 0),
        "r",
        look.palette,
        look.limit,
        texts(values, look, missing),
        text_size(place.w, place.h / len(page), look, unit),
        missing if missing.any() else None,
    )


def outlines(moment: Moment, grid: Cells, unit: float) -> list[Mark]:
    """Outline the cells of a grid that the step's line read or wrote."""
    marks: list[Mark] = []
    state = moment.state
    for places, width in ((state.reads, 3.0), (state.writes, 3.5)):
        for name, index in places:
            at = grid.cell_of(index) if name == grid.array else None
            if at is None:
                continue
            colour = "written_line" if places is state.writes else f"{role(moment.operation, name)}_line"
            marks.append(outline(grid.box_of(*at), colour, width * unit))
    return marks


def outline(box: Box, colour: Role, width: float) -> Rect:
    """Outline cells on top of everything."""
    return Rect(box, stroke=colour, width=max(2, round(width)))


def window_outline(grid: Cells, window: tuple[int, int, int, int], colour: Role, unit: float) -> Rect:
    """Outline a window of an array, cut to what a grid shows of it."""
    rows, columns = grid.values.shape
    top, left = max(0, window[0] - grid.origin[0]), max(0, window[1] - grid.origin[1])
    bottom = min(rows, window[0] + window[2] - grid.origin[0])
    right = min(columns, window[1] + window[3] - grid.origin[1])
    return outline(grid.box_of(top, left, max(0, bottom - top), max(0, right - left)), colour, 4 * unit)


def _placed(box: Box, rows: int, columns: int, high: float, align: str, wide: float) -> Box:
    """Return where a grid of such cells stands in its box: at the top, left, centred or right."""
    high, wide = (floor(side) if side > 8 else side for side in (high, wide))
    width, height = wide * columns, high * rows
    left = {"left": 0.0, "center": (box.w - width) / 2, "right": box.w - width}[align]
    return Box(round(box.x + left), round(box.y), width, height)
