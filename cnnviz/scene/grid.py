"""Draws arrays as grids of numbers: sized to fit, with what the step reads and writes outlined."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene import measure
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.layout import STRONG, USUAL
from cnnviz.scene.look import Look, final
from cnnviz.scene.marks import FROM_ZERO, Box, Cells, Mark, Palette, Rect, Role, Span, nearest_pixel
from cnnviz.scene.moment import Moment
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache, program_cache

LITTLE = 7
"""Arrays up to this many rows and columns are never cut to a page: of a kernel, a part says nothing."""


_FEW_BYTES = 1 << 14
"""Numbers of so many bytes are compared with those of the program before, so as not to be drawn again."""

TINTS: tuple[Palette, ...] = ("red", "green", "blue")
"""The colours of the channels of a coloured picture."""


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

    @property
    def signature(self) -> tuple[object, ...] | None:
        """What it has in common with slices of other operations that look the same; None of large arrays."""
        content = _content(self.operation, self.name)
        return None if content is None else (self.operation.signature, *self[1:], content)

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
    of = tinted(Slice(moment.operation, name, prefix, axes, flipped, moment.look(name)))
    call = moment.operation.call
    if name not in call.writes:
        return Plane(of, of.shaped(array), "full", None, focus)
    values = of.shaped(array)
    if name in call.before or call.linear is not None:
        return Plane(of, values, "partly", np.zeros(values.shape, bool), focus)
    missing = ~of.shaped(moment.state.written(name))
    fill = "empty" if missing.all() else "partly" if missing.any() else "full"
    return Plane(of, values, fill, missing, focus)


def tinted(of: Slice) -> Slice:
    """Return a slice of a coloured picture in the colours of its channel."""
    shape = np.shape(of.operation.call.value(of.name))
    if of.look.palette not in FROM_ZERO or len(shape) != 3 or shape[0] != len(TINTS):
        return of
    return of._replace(look=of.look._replace(palette=TINTS[of.prefix[0]]))


def row_plane(moment: Moment, name: str, focus: int = 0) -> Plane:
    """Return a vector as a row, or a matrix transposed."""
    axes = "cr" if np.ndim(moment.state.arrays[name]) == 2 else "c"
    return plane(moment, name, (), (0, focus, 1, 1), axes=axes)


def heading(of: Slice, text: str) -> tuple[Span, Span]:
    """Return what stands over a grid: the array's name in its colour, index, power of ten; and what it is."""
    name = symbol(of.operation, of.name)
    if of.prefix:
        name += f"[{', '.join(str(k) for k in of.prefix)}]"
    return Span(name + of.look.factor, role(of.operation, of.name), True), Span(text, "muted")


def cells(shown: Plane, box: Box, size: float, window: tuple[int, int, int, int] | None = None) -> Cells:
    """Return the grid of a slice, or of a window (row, column, rows, columns) of it.

    Parameters
    ----------
    size : float
        Of its numbers, in pixels; 0 for a heatmap without them.
    """
    window = window or (0, 0, *shown.values.shape)
    if shown.fill == "partly":
        return _cells(shown, box, size, window)
    return unchanging(shown.of, shown.fill, box, size, window)


@program_cache(256)
def _content(operation: Operation, name: str) -> bytes | None:
    """Return what tells the numbers of an array from all others; None where they are many."""
    values = final(operation, name)
    return blake2b(values.tobytes(), digest_size=16).digest() if values.nbytes <= _FEW_BYTES else None


@lasting_cache(1024)
def unchanging(
    of: Slice, fill: str, box: Box, size: float, window: tuple[int, int, int, int] | None = None
) -> Cells:
    """Return the grid of a slice that is full or empty: one object for all steps at which it is.

    That of few numbers is the same for all programs that have just these, and holds them by itself.
    """
    values = of.shaped(final(of.operation, of.name))
    values = values.copy() if values.nbytes <= _FEW_BYTES else values
    shown = Plane(of, values, fill, np.full(values.shape, fill == "empty"))
    return replace(_cells(shown, box, size, window or (0, 0, *values.shape)), cached=True)


def _cells(shown: Plane, box: Box, size: float, window: tuple[int, int, int, int]) -> Cells:
    of = shown.of
    r, c, rows, columns = window
    part = np.s_[r : r + rows, c : c + columns]
    values = shown.values[part]
    missing = np.zeros(values.shape, bool) if shown.missing is None else shown.missing[part]
    placement = of.operation.call.placement(of.name)
    inserted = placement.zeros[part] if placement is not None and placement.zeros.any() else None
    is_zero = placement is not None and not placement.fill and of.name not in of.operation.call.writes
    put_in = inserted if is_zero else None
    if of.flipped:
        values, missing = values[::-1, ::-1], missing[::-1, ::-1]
    written = _with_plain_zeros(texts(values, of.look, box, size, missing), put_in) if size else ()
    if inserted is not None and placement is not None and placement.fill:
        values = np.where(inserted, 0.0, values)  # padding of −∞ is no number to be warned of
    return Cells(
        box=box,
        values=values,
        array=of.name,
        prefix=of.prefix,
        origin=(r, c),
        axes=of.axes,
        palette=of.look.palette,
        limit=of.look.limit,
        texts=written,
        size=size,
        missing=missing if missing.any() else None,
        faint=inserted,
        lines=bool(size),
        flipped=of.flipped,
    )


def texts(
    values: Array, look: Look, box: Box, size: float, missing: NDArray[np.bool_] | None = None
) -> tuple[tuple[str, ...], ...]:
    """Write the numbers of a grid of a size into its box; nothing where there is none yet."""
    written = look.in_cells(values, box.w / values.shape[1] / size)
    if missing is None or not missing.any():
        return tuple(map(tuple, written))
    return tuple(
        tuple("" if gone else text for text, gone in zip(row, out, strict=True))
        for row, out in zip(written, missing.tolist(), strict=True)
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


def figures(look: Look) -> float:
    """Return how wide the widest number of an array is, in parts of its size.

    As for a signed number, so that what comes and what goes have cells of one size; for names as for the
    numbers in whose places they stand.
    """
    signed = look.palette not in FROM_ZERO
    return measure.figures(max(look.width, (4 + signed) if look.places else 2), bool(look.places))


def outlines(moment: Moment, grid: Cells, em: float) -> list[Mark]:
    """Outline the cells of a grid that the step's line read or wrote."""
    marks: list[Mark] = []
    state = moment.state
    for places, width in ((state.reads, USUAL), (state.writes, STRONG)):
        for name, index in places:
            at = grid.cell_of(index) if name == grid.array else None
            if at is None:
                continue
            colour = "written_line" if places is state.writes else f"{role(moment.operation, name)}_line"
            marks.append(outline(grid.box_of(*at), colour, width * em))
    return marks


def outline(box: Box, colour: Role, width: float) -> Rect:
    """Outline cells on top of everything."""
    return Rect(box, stroke=colour, width=max(2, nearest_pixel(width)))


def window_box(grid: Cells, window: tuple[int, int, int, int]) -> Box:
    """Return where a window of an array is, cut to what a grid shows of it."""
    rows, columns = grid.values.shape
    top, left = max(0, window[0] - grid.origin[0]), max(0, window[1] - grid.origin[1])
    bottom = min(rows, window[0] + window[2] - grid.origin[0])
    right = min(columns, window[1] + window[3] - grid.origin[1])
    return grid.box_of(top, left, max(0, bottom - top), max(0, right - left))
