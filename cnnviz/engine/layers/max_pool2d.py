"""Max-pooling: the largest number of each window goes on, and the gradient comes back to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import inf
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Shape, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d, changed
from cnnviz.engine.product import masked


class MaxPool2d(Pool2d):
    """Keeps the largest number of each window, and remembers in ``switch`` which one it was.

    y[c, i, j] = max over u, v of x[c, i·S_h + u, j·S_w + v]; switch[c, i, j] = u·K_w + v of the first
    maximum in row order, as PyTorch has it. NaN is larger than nothing and never wins, as in Python's max
    (in PyTorch it always does). Padding is −∞ and never wins: of a window without a larger number, the first
    cell that is no padding does.
    """

    kind = "max_pool2d"
    fill = -inf
    auxiliary_names = ("switch",)

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        maps = self._placement(x.shape[1:]).place(x)
        cells = self._all_cells(maps)
        y = np.fmax(cells[0], x.dtype.type(-inf))
        for cell in cells[1:]:
            np.fmax(y, cell, out=y)
        return y

    def auxiliary(self, x: Array, *, y: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return the number of each window's winner: how many cells come before the first that is largest."""
        maps = self._placement(x.shape[1:]).place(x)
        cells = self._all_cells(maps)
        switch = np.zeros(y.shape, np.int16 if len(cells) <= 2**15 else np.int64)
        before = y > -inf  # nothing is larger than that, and the first cell stays the winner
        for cell in cells[:-1]:
            before &= cell != y
            switch += before
        if any(self.padding):
            switch = np.where(y > -inf, switch, self._first(y.shape)).astype(switch.dtype)
        return {"switch": switch}

    def _first(self, out: Shape) -> NDArray[np.integer]:
        """Return which cell of each window is the first that is no padding."""
        (rows, columns) = (
            np.maximum(before - step * np.arange(count), 0)
            for before, step, count in zip(self.padding[::2], self.stride, out[-2:], strict=True)
        )
        return rows[:, None] * self.kernel[1] + columns

    def backward(self, dy: Array, x: Array, *, switch: NDArray[Any], **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient at its window's winner, added where windows overlap."""
        placement = self._placement(x.shape[1:])
        dx = np.zeros((*x.shape[:2], *placement.shape), dy.dtype)
        _route(dy, switch, self._all_cells(dx))
        return {"dx": dx[..., *placement.extent]}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the maxima and the switches."""
        y, switch, placement = arrays["y"], arrays["switch"], self._placement(arrays["x"].shape)
        given: dict[str, Value] = {"x": placement.place(arrays["x"]), **self._sizes(y)}
        begins = {"k = 0": "k = K_w*max(P_h-i*S_h, 0) + max(P_w-j*S_w, 0)"} if any(self.padding) else {}
        above, _, left, _ = self.padding
        listing, sizes = changed(max_pool2d, begins, {"P_h": above, "P_w": left})
        placed = {"x": placement} if placement.surrounds else {}
        return self.call("y", listing, given | sizes, {"y": y, "switch": switch}, placements=placed)

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that routes each gradient to its winner."""
        dy, switch = arrays["dy"], arrays["switch"]

        def route(given: Mapping[str, Any], cells: list[Array]) -> None:
            _route(given["dy"][None], given["switch"][None], cells)

        def on_the_way(cells: list[Array]) -> dict[str, tuple[float, float]]:
            last = len(cells) - 1
            return {
                "dx": extremes_of_sums(
                    (cell, np.where(switch == last - k, dy, 0.0)) for k, cell in enumerate(reversed(cells))
                )
            }

        given: dict[str, Value] = {"dy": dy, "switch": switch, **self._sizes(dy)}
        return [self._scattered(max_pool2d_dx, arrays, given, route, on_the_way)]


def _route(dy: Array, switch: NDArray[Any], cells: list[Array]) -> None:
    """Add each gradient to the cell that its switch names; in the order of the listing, as in an average."""
    with np.errstate(all="ignore"):
        for k, cell in reversed(list(enumerate(cells))):
            cell += masked(switch == k, dy)


# The listings, set as they are shown.
# fmt: off

def max_pool2d(x, y, switch, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                best = -inf
                k = 0
                for u in range(K_h):
                    for v in range(K_w):
                        k = u*K_w+v if x[c, i*S_h+u, j*S_w+v] > best else k
                        best = max(best, x[c, i*S_h+u, j*S_w+v])
                y[c, i, j] = best
                switch[c, i, j] = k


def max_pool2d_dx(dy, switch, dx, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                for u in range(K_h):
                    for v in range(K_w):
                        dx[c, i*S_h+u, j*S_w+v] += dy[c, i, j] if switch[c, i, j] == u*K_w+v else 0.0
