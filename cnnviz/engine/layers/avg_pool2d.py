"""Average-pooling: the mean of each window goes on, and the gradient is shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.generated import is_variant, variant
from cnnviz.engine.layer import Array, Call, Listing, Shape, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d, named


class AvgPool2d(Pool2d):
    """Takes the mean of each window: y[c, i, j] = Σ x[c, i·S_h + u, j·S_w + v] / (K_h · K_w).

    Parameters
    ----------
    count_include_pad : bool
        Whether padding counts among the numbers that a sum is divided by. What lies behind it, in a window
        that ceil_mode lets through, never does.
    """

    kind = "avg_pool2d"

    def __init__(
        self,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | tuple[int, int, int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        maps = self._placement(x.shape[1:]).place(x)
        cells = self._all_cells(maps)
        y = cells[0].copy()
        for cell in cells[1:]:
            y += cell
        y /= self._counts(x.shape[1:], x.dtype)
        return y

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient divided among the cells of its window."""
        placement = self._placement(x.shape[1:])
        dx = np.zeros((*x.shape[:2], *placement.shape), dy.dtype)
        _share(dy, self._counts(x.shape[1:], dy.dtype), self._all_cells(dx))
        return {"dx": dx[..., *placement.extent]}

    def _counted(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return from which row to which one of the padded maps cells count, and columns likewise."""
        (height, width), (above, below, left, right) = shape[-2:], self.padding
        if self.count_include_pad:
            return (0, above + height + below), (0, left + width + right)
        return (above, above + height), (left, left + width)

    def _counts(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Return how many cells of each window count, (H_out, W_out)."""
        rows, columns = (
            np.minimum(starts + size, last) - np.maximum(starts, first)
            for starts, size, (first, last) in zip(
                (
                    step * np.arange(n)
                    for step, n in zip(self.stride, self.output_shape(shape)[1:], strict=True)
                ),
                self.kernel,
                self._counted(shape),
                strict=True,
            )
        )
        return np.asarray(rows[:, None] * columns, dtype)

    def _listing(self, listing: Listing, shape: Shape) -> tuple[Listing, dict[str, Value]]:
        """Return a listing that counts the cells of each window, where they are not all the same."""
        if (self._counts(shape, np.dtype(float)) == self.kernel[0] * self.kernel[1]).all():
            return listing, {}
        (first_h, last_h), (first_w, last_w) = self._counted(shape)
        begins = ("max(i*S_h, P_h)", "max(j*S_w, P_w)") if first_h or first_w else ("i*S_h", "j*S_w")
        high, wide = (
            f"(min({at}+{k}, {end})-{begin})"
            for at, k, end, begin in zip(
                ("i*S_h", "j*S_w"), ("K_h", "K_w"), ("E_h", "E_w"), begins, strict=True
            )
        )
        space = " " * 16
        counted = f"{space}count = {high if self.axes == 1 else f'{high} * {wide}'}\n"
        changes = {"(K_h * K_w)": "count", f"{space}for u": f"{counted}{space}for u"}
        sizes = {"P_h": first_h, "P_w": first_w, "E_h": last_h, "E_w": last_w}
        made = variant(listing, changes, *sizes)
        return made, named(made, sizes)

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x, y = arrays["x"], arrays["y"]
        placement, (listing, sizes) = self._placement(x.shape), self._listing(avg_pool2d, x.shape)
        placed = {"x": placement} if placement.surrounds else {}
        given: dict[str, Value] = {"x": placement.place(x), **self._sizes(y), **sizes}
        return self._told(self.call("y", listing, given, {"y": y}, placements=placed))

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that shares each gradient out over its window."""
        dy, shape = arrays["dy"], arrays["x"].shape
        counts, (listing, sizes) = self._counts(shape, dy.dtype), self._listing(avg_pool2d_dx, shape)

        def share(given: Mapping[str, Any], cells: list[Array]) -> None:
            _share(given["dy"][None], counts, cells)

        def on_the_way(cells: list[Array]) -> dict[str, tuple[float, float]]:
            return {"dx": extremes_of_sums((cell, dy / counts) for cell in reversed(cells))}

        given: dict[str, Value] = {"dy": dy, **self._sizes(dy), **sizes}
        return [self._told(self._scattered(listing, arrays, given, share, on_the_way))]

    def _told(self, call: Call) -> Call:
        """Return a call as one of a kind of its own, where the cells of each window are counted."""
        return replace(call, kind=f"{call.kind}.counted") if is_variant(call.listing) else call


def _share(dy: Array, counts: Array, cells: list[Array]) -> None:
    """Add an equal part of each gradient to every cell of its window.

    The windows that a place lies in come one after the other as it is less and less far into them: so what
    is added to each place is added in the order of the listing.
    """
    share = dy / counts
    for cell in reversed(cells):
        cell += share


# The listings, set as they are shown.
# fmt: off

def avg_pool2d(x, y, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                acc = 0.0
                for u in range(K_h):
                    for v in range(K_w):
                        acc += x[c, i*S_h+u, j*S_w+v]
                y[c, i, j] = acc / (K_h * K_w)


def avg_pool2d_dx(dy, dx, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                for u in range(K_h):
                    for v in range(K_w):
                        dx[c, i*S_h+u, j*S_w+v] += dy[c, i, j] / (K_h * K_w)
