"""Adaptive average-pooling: means of as many windows as are wanted, whatever the size of the maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.generated import variant
from cnnviz.engine.layer import (
    STATEMENT,
    Array,
    Call,
    Cost,
    Layer,
    Listing,
    Shape,
    Value,
    extremes_of_sums,
    pair,
    positive,
    require_maps,
)
from cnnviz.engine.layers.pooling import named
from cnnviz.engine.placement import Placement

# The listings, set as they are shown.
# fmt: off

def adaptive_avg_pool2d(x, y, C, H_out, W_out, K_h, K_w, H, W):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                r = ((i+1)*H + H_out-1)//H_out - i*H//H_out
                s = ((j+1)*W + W_out-1)//W_out - j*W//W_out
                acc = 0.0
                for u in range(K_h):
                    for v in range(K_w):
                        acc += x[c, i*H//H_out+u, j*W//W_out+v] if u < r and v < s else 0.0
                y[c, i, j] = acc / (r * s)


def adaptive_avg_pool2d_dx(dy, dx, C, H_out, W_out, K_h, K_w, H, W):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                r = ((i+1)*H + H_out-1)//H_out - i*H//H_out
                s = ((j+1)*W + W_out-1)//W_out - j*W//W_out
                for u in range(K_h):
                    for v in range(K_w):
                        dx[c, i*H//H_out+u, j*W//W_out+v] += dy[c, i, j] / (r * s) if u < r and v < s else 0.0

# fmt: on

_OF_ONE_SIZE = {
    **{"                r = ((i+1)*H + H_out-1)//H_out - i*H//H_out\n": ""},
    **{"                s = ((j+1)*W + W_out-1)//W_out - j*W//W_out\n": ""},
    **{" if u < r and v < s else 0.0": "", "(r * s)": "(K_h * K_w)"},
    **{"i*H//H_out+u": "i*K_h+u", "j*W//W_out+v": "j*K_w+v"},
}


class AdaptiveAvgPool2d(Layer):
    """Takes means of as many windows as are wanted, whatever the size of the maps; PyTorch's.

    Window i begins at row ⌊i·H / H_out⌋ and ends before row ⌈(i + 1)·H / H_out⌉; columns likewise. Where
    H_out does not divide H, windows overlap or are of two sizes.

    Parameters
    ----------
    output_size : int or (int, int)
        H_out and W_out.
    """

    kind = "adaptive_avg_pool2d"

    def __init__(self, output_size: int | tuple[int, int]) -> None:
        super().__init__()
        self.output_size = pair(output_size)
        positive(self.name, "output_size", *self.output_size)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, H_out, W_out)."""
        return require_maps(self.name, shape)[0], *self.output_size

    def cost(self, shape: Shape) -> Cost:
        """Return a few passes over all outputs for each cell of a window, and one over each window back."""
        out, kernel = self.output_shape(shape), self._kernel(shape)
        padded = shape[0] * prod(self._placement(shape).shape)
        statements = prod(kernel) + prod(self.output_size)
        return Cost(3 * (padded + prod(out)), prod(kernel) * 8 * prod(out) + 5 * STATEMENT * statements)

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        maps, shape = self._placement(x.shape[1:]).place(x), x.shape[1:]
        y = np.zeros((*x.shape[:2], *self.output_size), x.dtype)
        for rows, columns, inside in self._cells(shape):
            y += np.where(inside, maps[..., rows, columns], 0)
        return np.asarray(y / self._counts(shape), x.dtype)

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient divided among the cells of its window."""
        shape = x.shape[1:]
        return {"dx": self._shared_out(dy, shape)[..., *self._placement(shape).extent]}

    def _shared_out(self, dy: Array, shape: Shape) -> Array:
        """Return ∂E/∂x of padded maps."""
        dx = np.zeros((*dy.shape[:-2], *self._placement(shape).shape), dy.dtype)
        for cells, share in self._additions(dy, dx, shape):
            cells += share
        return dx

    def _additions(self, dy: Array, dx: Array, shape: Shape) -> Iterator[tuple[Array, Array]]:
        """Yield the cells of each window in ∂E/∂x of padded maps, and what is added to each of them."""
        (tops, rows), (lefts, columns) = self._windows(shape)
        shares = dy / np.asarray(self._counts(shape), dy.dtype)
        for i, j in np.ndindex(*self.output_size):
            cells = dx[..., tops[i] : tops[i] + rows[i], lefts[j] : lefts[j] + columns[j]]
            yield cells, shares[..., i, j, None, None]

    def _kernel(self, shape: Shape) -> tuple[int, int]:
        """Return the rows and columns of the largest window."""
        high, wide = (int(sizes.max()) for _, sizes in self._windows(shape))
        return high, wide

    def _windows(self, shape: Shape) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
        """Yield where windows begin, and how long they are, along rows and along columns."""
        for size, count in zip(shape[-2:], self.output_size, strict=True):
            k = np.arange(count)
            yield k * size // count, -(-(k + 1) * size // count) - k * size // count

    def _counts(self, shape: Shape) -> NDArray[np.integer]:
        """Return how many cells each window has."""
        (_, rows), (_, columns) = self._windows(shape)
        return np.asarray(rows[:, None] * columns)

    def _cells(
        self, shape: Shape
    ) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.bool_]]]:
        """Yield for each cell of a window its row and column in every window, and whether it is inside."""
        (tops, rows), (lefts, columns) = self._windows(shape)
        for u in range(rows.max()):
            for v in range(columns.max()):
                yield (tops + u)[:, None], lefts + v, np.logical_and.outer(u < rows, v < columns)

    def _placement(self, shape: Shape) -> Placement:
        """Return how the maps lie in those that all windows lie within, were they as long as the largest."""
        high, wide = (
            max(size, int((starts + sizes.max()).max()))
            for size, (starts, sizes) in zip(shape[-2:], self._windows(shape), strict=True)
        )
        return Placement((shape[-2], shape[-1]), (high, wide))

    def _listing(self, listing: Listing, shape: Shape) -> Listing:
        """Return a listing that says no more than there is, where all windows lie side by side."""
        divides = all(size % count == 0 for size, count in zip(shape[-2:], self.output_size, strict=True))
        return variant(listing, _OF_ONE_SIZE) if divides else listing

    def _sizes(self, listing: Listing, shape: Shape) -> dict[str, Value]:
        (high, wide), (rows, columns) = self.output_size, self._kernel(shape)
        sizes = {"C": shape[0], "H_out": high, "W_out": wide, "K_h": rows, "K_w": columns}
        return named(listing, {**sizes, "H": shape[1], "W": shape[2]})

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x, placement = arrays["x"], self._placement(arrays["x"].shape)
        listing = self._listing(adaptive_avg_pool2d, x.shape)
        given: dict[str, Value] = {"x": placement.place(x), **self._sizes(listing, x.shape)}
        placed = {"x": placement} if placement.surrounds else {}
        return self.call("y", listing, given, {"y": arrays["y"]}, placements=placed)

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that shares each gradient out over its window."""
        dy, shape, placement = arrays["dy"], arrays["x"].shape, self._placement(arrays["x"].shape)
        listing = self._listing(adaptive_avg_pool2d_dx, shape)

        @np.errstate(all="ignore")
        def linear(given: Mapping[str, Any]) -> dict[str, Array]:
            return {"dx": self._shared_out(given["dy"], shape)}

        def extremes() -> dict[str, tuple[float, float]]:
            dx = np.zeros((len(dy), *placement.shape))
            return {"dx": extremes_of_sums(self._additions(dy, dx, shape))}

        given: dict[str, Value] = {"dy": dy, **self._sizes(listing, shape)}
        placed = {"dx": placement} if placement.surrounds else {}
        return [self.call("dx", listing, given, linear(given), linear, extremes, placed)]
