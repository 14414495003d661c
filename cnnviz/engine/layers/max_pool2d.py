"""Max-pooling: the largest number of each window goes on, and the gradient comes back to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import inf
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d
from cnnviz.engine.product import where


class MaxPool2d(Pool2d):
    """Keeps the largest number of each window, and remembers in ``switch`` which one it was.

    y[c, i, j] = max over u, v of x[c, i·S_h + u, j·S_w + v]; switch[c, i, j] = u·K_w + v of the first
    maximum in row order, as PyTorch has it. NaN is larger than nothing and never wins, as in Python's max
    (in PyTorch it always does).
    """

    kind = "max_pool2d"

    def __init__(self, kernel: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> None:
        super().__init__(kernel, stride)
        self._x: Array = np.zeros(0)
        self._y: Array = np.zeros(0)

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        cells = self._all_cells(x, self.output_shape(x.shape[1:]))
        y = np.fmax(cells[0], x.dtype.type(-inf))
        for cell in cells[1:]:
            np.fmax(y, cell, out=y)
        self._x, self._y = x, y
        return y

    @property
    def extras(self) -> dict[str, NDArray[Any]]:
        """The number of each window's winner: how many cells come before the first that is the largest."""
        cells = self._all_cells(self._x, self._y.shape)
        switch = np.zeros(self._y.shape, np.int16 if len(cells) <= 2**15 else np.int64)
        before = self._y > -inf  # nothing is larger than that, and the first cell stays the winner
        for cell in cells[:-1]:
            before &= cell != self._y
            switch += before
        return {"switch": switch}

    def backward(self, dy: Array, needs_dx: bool = True) -> tuple[Array, ...]:
        """Return ∂E/∂x: each output's gradient at its window's winner, added where windows overlap."""
        dx = np.zeros(self._x.shape, dy.dtype)
        _route(dy, self.extras["switch"], self._all_cells(dx, dy.shape))
        return (dx,)

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the maxima and the switches."""
        y, switch = arrays["y"], arrays["switch"]
        return self.call("y", max_pool2d, {"x": arrays["x"], **self._sizes(y)}, {"y": y, "switch": switch})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that routes each gradient to its winner."""
        dy, switch, shape = arrays["dy"], arrays["switch"], arrays["x"].shape

        def route(given: Mapping[str, Any]) -> dict[str, Array]:
            dy, switch = given["dy"], given["switch"]
            dx = np.zeros((1, len(dy), *shape[1:]))
            _route(dy[None], switch[None], self._all_cells(dx, dy.shape))
            return {"dx": dx[0]}

        def on_the_way() -> dict[str, tuple[float, float]]:
            cells = self._all_cells(np.zeros((1, *shape)), dy.shape)
            last = len(cells) - 1
            return {
                "dx": extremes_of_sums(
                    (cell, np.where(switch == last - k, dy, 0.0)) for k, cell in enumerate(reversed(cells))
                )
            }

        given: dict[str, Value] = {"dy": dy, "switch": switch, **self._sizes(dy)}
        return [self.call("dx", max_pool2d_dx, given, {"dx": arrays["dx"]}, route, on_the_way)]


def _route(dy: Array, switch: NDArray[Any], cells: list[Array]) -> None:
    """Add each gradient to the cell that its switch names; in the order of the listing, as in an average."""
    with np.errstate(all="ignore"):
        for k, cell in reversed(list(enumerate(cells))):
            cell += where(switch == k, dy)


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
