"""Average-pooling: the mean of each window goes on, and the gradient is shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.engine.layer import Array, Call, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d


class AvgPool2d(Pool2d):
    """Takes the mean of each window: y[c, i, j] = Σ x[c, i·S_h + u, j·S_w + v] / (K_h · K_w)."""

    kind = "avg_pool2d"

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        cells = self._all_cells(x, self.output_shape(x.shape[1:]))
        y = cells[0].copy()
        with np.errstate(all="ignore"):
            for cell in cells[1:]:
                y += cell
            y /= len(cells)
        return y

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient divided among the cells of its window."""
        dx = np.zeros(x.shape, dy.dtype)
        _share(dy, self._all_cells(dx, dy.shape))
        return {"dx": dx}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        y = arrays["y"]
        return self.call("y", avg_pool2d, {"x": arrays["x"], **self._sizes(y)}, {"y": y})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that shares each gradient out over its window."""
        dy, shape = arrays["dy"], arrays["x"].shape

        def share(given: Mapping[str, Any]) -> dict[str, Array]:
            dy = given["dy"]
            dx = np.zeros((1, len(dy), *shape[1:]))
            _share(dy[None], self._all_cells(dx, dy.shape))
            return {"dx": dx[0]}

        def on_the_way() -> dict[str, tuple[float, float]]:
            cells = self._all_cells(np.zeros((1, *shape)), dy.shape)
            return {"dx": extremes_of_sums((cell, dy / len(cells)) for cell in reversed(cells))}

        given: dict[str, Value] = {"dy": dy, **self._sizes(dy)}
        return [self.call("dx", avg_pool2d_dx, given, {"dx": arrays["dx"]}, share, on_the_way)]


def _share(dy: Array, cells: list[Array]) -> None:
    """Add an equal part of each gradient to every cell of its window.

    The windows that a place lies in come one after the other as it is less and less far into them: so what
    is added to each place is added in the order of the listing.
    """
    with np.errstate(all="ignore"):
        share = dy / len(cells)
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
