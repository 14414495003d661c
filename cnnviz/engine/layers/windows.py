"""What layers share that slide windows over maps: zeros around, how many windows there are, and where."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Array, Shape, shape_text
from cnnviz.engine.placement import Placement
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr

# Small enough for the second-level cache, and for the short cut of BLAS for small matrices.
_BLOCK_BYTES = 1 << 18

Sides = tuple[int, int, int, int]
"""How many rows or columns of padding stand above, below, left and right."""


def sides(layer: str, padding: int | tuple[int, ...]) -> Sides:
    """Return the padding of the four sides, given as one number, as (rows, columns) or as all four.

    Raises
    ------
    CnnvizError
        If one of them is below 0.
    """
    given = (padding,) * 4 if isinstance(padding, int) else padding
    if len(given) == 2:
        given = (given[0], given[0], given[1], given[1])
    for value in given:
        if value < 0:
            raise CnnvizError(
                tr("{layer}: padding is {value}; it must be 0 or more.", layer=layer, value=value)
            )
    above, below, left, right = given
    return above, below, left, right


# Placements are the same for all passes of a shape; what is worked out about one is kept with it.
@lru_cache(maxsize=256)
def padded_by(height: int, width: int, padding: Sides) -> Placement:
    """Return how maps lie in those with padding around them."""
    above, below, left, right = padding
    return Placement((height, width), (height + above + below, width + left + right), (above, left))


def spanned(kernel: tuple[int, int], rates: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows and columns lie from the first cell of a window to its last."""
    return (kernel[0] - 1) * rates[0] + 1, (kernel[1] - 1) * rates[1] + 1


def slid(
    layer: str,
    size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: Sides,
    axes: int = 2,
) -> tuple[int, int]:
    """Return how many windows there are along rows and columns.

    Parameters
    ----------
    axes : int
        Along how many axes they are slid, where that does not go without saying: along one of sequences.

    Raises
    ------
    ShapeError
        If not even one fits.
    """
    above, below, left, right = padding
    most = size[0] + above + below, size[1] + left + right
    if window[0] > most[0] or window[1] > most[1]:
        raise ShapeError(
            tr(
                "{layer}: a kernel of {kernel} does not fit an input of {size} with padding {padding}; "
                "use a kernel of at most {most}, or more padding.",
                layer=layer,
                kernel=shape_text(window[:axes]),
                size=shape_text(size[:axes]),
                padding=sides_text(padding[: 2 * axes]),
                most=shape_text(most[:axes]),
            )
        )
    return (most[0] - window[0]) // stride[0] + 1, (most[1] - window[1]) // stride[1] + 1


def sides_text(padding: tuple[int, ...]) -> str:
    """Write the padding of all sides as shortly as it can be: ``1``, ``1 × 2``, ``0, 1, 0, 1``."""
    if len(set(padding)) == 1:
        return str(padding[0])
    alike = padding[::2] == padding[1::2]
    return shape_text(padding[::2]) if alike else ", ".join(map(str, padding))


class Windows(Struct, frozen=True):
    """Where the windows lie in maps of a shape: all that can be known before there are numbers.

    Attributes
    ----------
    shape, strides : tuple[int, ...]
        Of the windows as a view of the maps of a group, (C, K_h, K_w, N, H_out, W_out).
    map_bytes : int
        How far the maps of a sample lie apart.
    depth : int
        How many numbers a window holds.
    blocks : tuple[tuple[slice, slice], ...]
        Samples and rows of windows that are laid out at once.
    most : int
        How many numbers that are at most.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    map_bytes: int
    depth: int
    blocks: tuple[tuple[slice, slice], ...]
    most: int

    def blocks_of(self, maps: Array, seen: slice) -> Iterator[tuple[slice, slice, Array]]:
        """Yield samples and output rows, block by block, with the windows that they look through.

        Each window is one column of a matrix (C · K_h · K_w, windows), so that one matrix product does the
        sums of all. A block's matrix stays in the cache while it is used, and the next one overwrites it.

        Parameters
        ----------
        seen : slice
            The channels that are looked at.
        """
        maps = np.ascontiguousarray(maps)
        # As as_strided, which takes as long as the product of a small layer.
        windows = np.ndarray(self.shape, maps.dtype, maps, self.map_bytes * seen.start, self.strides)
        room = np.empty(self.most, maps.dtype)
        for samples, rows in self.blocks:
            block = windows[:, :, :, samples, rows]
            columns = room[: block.size].reshape(block.shape)
            np.copyto(columns, block)
            yield samples, rows, columns.reshape(self.depth, -1)


# As placements are.
@lru_cache(maxsize=256)
def laid(
    shape: Shape,
    itemsize: int,
    groups: int,
    kernel: tuple[int, int],
    rates: tuple[int, int],
    stride: tuple[int, int],
) -> Windows:
    """Return where windows lie in a batch of maps of a shape, in one piece, padding and all."""
    count, channels, high, wide = shape
    height, width = (
        (size - (extent - 1) * rate - 1) // step + 1
        for size, extent, rate, step in zip((high, wide), kernel, rates, stride, strict=True)
    )
    row, one_map, sample = wide * itemsize, high * wide * itemsize, channels * high * wide * itemsize
    depth = channels // groups * kernel[0] * kernel[1]
    most = _rows_of(depth, width, itemsize)
    samples, rows = max(1, min(most // height, count)), _even(height, most)
    return Windows(
        (channels // groups, *kernel, count, height, width),
        (one_map, row * rates[0], itemsize * rates[1], sample, row * stride[0], itemsize * stride[1]),
        one_map,
        depth,
        tuple(
            (slice(k, k + samples), slice(i, i + rows))
            for k in range(0, count, samples)
            for i in range(0, height, rows)
        ),
        depth * samples * rows * width,
    )


@lru_cache(maxsize=256)
def grouped(groups: int, *counts: int) -> list[tuple[slice, ...]]:
    """Return for each group its part of several axes that are cut into groups."""
    sizes = [count // groups for count in counts]
    return [tuple(slice(k * size, (k + 1) * size) for size in sizes) for k in range(groups)]


def blocks_in(depth: int, height: int, width: int) -> int:
    """Return in how many parts windows of a depth are laid out."""
    return -(-height // _rows_of(depth, width))


def _rows_of(depth: int, width: int, itemsize: int = 8) -> int:
    """Return how many rows of windows are laid out at once."""
    return max(1, _BLOCK_BYTES // (depth * width * itemsize))


def _even(total: int, most: int) -> int:
    """Return the size of parts, at most `most`, that a total is cut into as evenly as can be."""
    return -(-total // -(-total // most))
