"""Max-pooling: the largest number of each window goes on, and the gradient comes back to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import inf
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d
from cnnviz.engine.product import masked


class MaxPool2d(Pool2d):
    """Keeps the largest number of each window, and remembers in ``switch`` which one it was.

    y[c, i, j] = max over u, v of x[c, i·S_h + u, j·S_w + v]; switch[c, i, j] = u·K_w + v of the first
    maximum in row order, as PyTorch has it. NaN is larger than nothing and never wins, as in Python's max
    (in PyTorch it always does).
    """

    kind = "max_pool2d"
    auxiliary_names = ("switch",)

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        cells = self._all_cells(x, self.output_shape(x.shape[1:]))
        y = np.fmax(cells[0], x.dtype.type(-inf))
        for cell in cells[1:]:
            np.fmax(y, cell, out=y)
        return y

    def auxiliary(self, x: Array, *, y: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return the number of each window's winner: how many cells come before the first that is largest."""
        cells = self._all_cells(x, y.shape)
        switch = np.zeros(y.shape, np.int16 if len(cells) <= 2**15 else np.int64)
        before = y > -inf  # nothing is larger than that, and the first cell stays the winner
        for cell in cells[:-1]:
            before &= cell != y
            switch += before
        return {"switch": switch}

    def backward(self, dy: Array, x: Array, *, switch: NDArray[Any], **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient at its window's winner, added where windows overlap."""
        dx = np.zeros(x.shape, dy.dtype)
        _route(dy, switch, self._all_cells(dx, dy.shape))
        return {"dx": dx}

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
