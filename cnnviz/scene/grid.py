"""Draws arrays as grids of numbers: sized to fit, with what the step reads and writes outlined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene.marks import Box, Cells, Label, Mark, Rect, Role, Run
from cnnviz.scene.moment import Look, Moment, role, symbol
from cnnviz.scene.numbers import number
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

# Cells smaller than this (at 1080 lines) cannot hold a readable number.
_SMALLEST_CELL = 33.0
_LARGEST_CELL = 72.0


@dataclass(frozen=True)
class Plane:
    """A two-dimensional slice of an array, as it is to be shown.

    Attributes
    ----------
    name : str
        The array in the listing.
    prefix : tuple[int, ...]
        The indices before the two shown; for a 4-D kernel the map and the channel.
    values : Array
        (rows, columns).
    axes : str
        As in `Cells`.
    focus : (int, int, int, int)
        Row, column, rows and columns that must be seen with their numbers in a large map.
    flipped : bool
        Whether it is shown turned by 180°.
    """

    name: str
    prefix: tuple[int, ...]
    values: Array
    axes: str = "rc"
    focus: tuple[int, int, int, int] = (0, 0, 1, 1)
    flipped: bool = False


def plane(moment: Moment, name: str, prefix: tuple[int, ...] = (), focus: tuple[int, int, int, int] = (0, 0, 1, 1)) -> Plane:
    """Return a slice of an array of the state: the last two axes, or a vector as a column."""
    values = np.asarray(moment.state.arrays[name])[prefix]
    if values.ndim == 1:
        return Plane(name, prefix, values[:, None], "r", focus)
    if values.ndim == 0:
        return Plane(name, prefix, values.reshape(1, 1), "", focus)
    return Plane(name, prefix, values, "rc", focus)


def row_plane(moment: Moment, name: str, focus: int = 0) -> Plane:
    """Return a vector as a row, or a matrix transposed."""
    values = np.asarray(moment.state.arrays[name])
    if values.ndim == 2:
        return Plane(name, (), values.T, "cr", (0, focus, 1, 1))
    return Plane(name, (), values[None, :], "c", (0, focus, 1, 1))


def fitted_cell(box: Box, rows: int, columns: int, unit: float) -> float:
    """Return the side of the square cells with which a grid fits a box."""
    return min(box.w / columns, box.h / rows, _LARGEST_CELL * unit)


def heading(moment: Moment, shown: Plane, box: Box, unit: float, text: str, depth: int = 0) -> Label:
    """Return the line over a grid: the array's name in its colour, its index, and what it is."""
    index = "".join(f"[{', '.join(str(k) for k in shown.prefix)}]" if shown.prefix else "")
    name = symbol(shown.name) + index
    if depth > 1:
        text = tr("{text}, {depth} channels", text=text, depth=depth)
    runs = (Run(name, role(moment.operation, shown.name), True), Run("  " + text, "muted"))
    return Label(box, runs, 17 * unit)


def draw(moment: Moment, shown: Plane, box: Box, unit: float, *, align: str = "left", cell: float | None = None) -> tuple[list[Mark], Cells]:
    """Draw a slice into a box: with its numbers if they can be read, else as a heatmap with a close-up.

    Returns
    -------
    list[Mark]
        Grid, outlines and, for a large map, the close-up.
    Cells
        The grid that shows the focus with its numbers.
    """
    rows, columns = shown.values.shape
    side = fitted_cell(box, rows, columns, unit) if cell is None else cell
    if side >= _SMALLEST_CELL * unit or (rows * columns <= 4):
        grid = cells(moment, shown, _placed(box, rows, columns, side, align), unit)
        return [grid, *outlines(moment, grid, unit)], grid
    return _with_close_up(moment, shown, box, unit)


def cells(
    moment: Moment,
    shown: Plane,
    box: Box,
    unit: float,
    *,
    window: tuple[int, int, int, int] | None = None,
    numbers: bool = True,
) -> Cells:
    """Return the grid of a slice, or of a window (row, column, rows, columns) of it."""
    window = window or (0, 0, *shown.values.shape)
    if shown.name not in moment.operation.call.writes:
        outside = (shown.name, shown.prefix, shown.axes, shown.flipped)
        return _unchanging(moment.operation, moment.look(shown.name), outside, box, unit, window, numbers)
    missing = _shaped(~moment.state.written(shown.name)[shown.prefix], shown)
    return _cells(shown, moment.look(shown.name), missing, None, box, unit, window, numbers)


@lru_cache(maxsize=1024)
def _unchanging(
    operation: Operation,
    look: Look,
    slice_of: tuple[str, tuple[int, ...], str, bool],
    box: Box,
    unit: float,
    window: tuple[int, int, int, int],
    numbers: bool,
) -> Cells:
    """Return the grid of an array that the operation only reads: one object for all its steps."""
    name, prefix, axes, flipped = slice_of
    values = np.asarray(operation.call.given[name])[prefix]
    values = values.T if axes == "cr" else values
    shape = {"r": (-1, 1), "c": (1, -1), "": (1, 1)}.get(axes, values.shape)
    shown = Plane(name, prefix, values.reshape(shape), axes, flipped=flipped)
    filler = operation.call.filler.get(name)
    nothing = np.zeros(shown.values.shape, bool)
    made = _cells(shown, look, nothing, filler, box, unit, window, numbers)
    return replace(made, kept=True)


def _cells(
    shown: Plane,
    look: Look,
    missing: NDArray[np.bool_],
    filler: NDArray[np.bool_] | None,
    box: Box,
    unit: float,
    window: tuple[int, int, int, int],
    numbers: bool,
) -> Cells:
    r, c, rows, columns = window
    part = np.s_[r : r + rows, c : c + columns]
    values, missing = shown.values[part], missing[part]
    if shown.flipped:
        values, missing = values[::-1, ::-1], missing[::-1, ::-1]
    return Cells(
        box=box,
        values=values,
        array=shown.name,
        prefix=shown.prefix,
        origin=(r, c),
        axes=shown.axes,
        palette=look.palette,
        limit=look.limit,
        texts=texts(values, look, missing) if numbers else (),
        size=text_size(box.w / columns, box.h / rows, look, unit),
        missing=missing if missing.any() else None,
        faint=filler[part] if filler is not None and filler.any() else None,
        lines=numbers,
        flipped=shown.flipped,
    )


def texts(values: Array, look: Look, missing: NDArray[np.bool_] | None = None) -> tuple[tuple[str, ...], ...]:
    """Write the numbers of a grid; nothing where there is none yet."""
    places = look.places
    if missing is None or not missing.any():
        return tuple(tuple(number(value, places) for value in row) for row in values.tolist())
    return tuple(
        tuple("" if gone else number(value, places) for value, gone in zip(row, out, strict=True))
        for row, out in zip(values.tolist(), missing.tolist(), strict=True)
    )


def text_size(width: float, height: float, look: Look, unit: float) -> float:
    """Return the text size at which the widest number of an array fits its cell."""
    return min(width * 0.9 / (0.62 * max(look.width, 3)), height * 0.46, 26 * unit)


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


def _placed(box: Box, rows: int, columns: int, side: float, align: str) -> Box:
    """Return where a grid of square cells stands in its box: at the top, left, centred or right."""
    side = floor(side) if side > 8 else side
    width, height = side * columns, side * rows
    left = {"left": 0.0, "center": (box.w - width) / 2, "right": box.w - width}[align]
    return Box(round(box.x + left), round(box.y), width, height)


def _with_close_up(moment: Moment, shown: Plane, box: Box, unit: float) -> tuple[list[Mark], Cells]:
    """Draw the whole map small, and beside or under it the neighbourhood of the focus with numbers."""
    rows, columns = shown.values.shape
    look = moment.look(shown.name)
    side = floor(max(_SMALLEST_CELL, 7.6 * look.width + 6) * unit)
    stacked = box.h > box.w * 1.2
    share = 0.42
    small = box.top(box.h * share) if stacked else Box(box.x, box.y, box.w * share, box.h)
    gap = 14 * unit
    large = box.below(box.h * share + gap) if stacked else Box(small.right + gap, box.y, box.w - small.w - gap, box.h)
    seen = (min(rows, max(1, int(large.h / side))), min(columns, max(1, int(large.w / side))))
    r, c, high, wide = shown.focus
    top = min(max(0, r + high // 2 - seen[0] // 2), rows - seen[0])
    left = min(max(0, c + wide // 2 - seen[1] // 2), columns - seen[1])
    fit = min(small.w / columns, small.h / rows)
    overview = cells(moment, shown, _placed(small, rows, columns, fit, "left"), unit, numbers=False)
    close = cells(moment, shown, Box(round(large.x), round(large.y), side * seen[1], side * seen[0]), unit, window=(top, left, *seen))
    frame = Rect(overview.box_of(top, left, *seen), stroke="line", width=1.5)
    return [overview, frame, *outlines(moment, overview, unit * 0.6), close, *outlines(moment, close, unit)], close


def _shaped(mask: NDArray[np.bool_], shown: Plane) -> NDArray[np.bool_]:
    """Bring a mask of an array's slice into the shape in which the slice is shown."""
    return mask.T if shown.axes == "cr" else mask.reshape(shown.values.shape)
