"""Average-pooling: the mean of each window goes on, and the gradient is shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.layers.pooling import Pool2d


class AvgPool2d(Pool2d):
    """Takes the mean of each window: y[c, i, j] = Σ x[c, i·S + u, j·S + v] / (K_h · K_w)."""

    kind = "avg_pool2d"

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        self._in_shape = x.shape[1:]
        out = self.output_shape(x.shape[1:])
        y = self._cells(x, 0, 0, out).copy()
        for k in range(1, self.kernel[0] * self.kernel[1]):
            y += self._cells(x, *divmod(k, self.kernel[1]), out)
        y /= self.kernel[0] * self.kernel[1]
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        """Return ∂E/∂x: each output's gradient divided among the cells of its window."""
        dx = self._zeros_like_input(dy)
        self._share(dy, dx)
        return dx

    def _share(self, dy: Array, dx: Array) -> None:
        share = dy / (self.kernel[0] * self.kernel[1])
        for k in range(self.kernel[0] * self.kernel[1]):
            cell = self._cells(dx, *divmod(k, self.kernel[1]), dy.shape)
            cell += share

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        y = arrays["y"]
        return self.call("y", avg_pool2d, {"x": arrays["x"], **self._sizes(y)}, {"y": y})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that shares each gradient out over its window."""
        dy, shape = arrays["dy"], arrays["x"].shape

        def share(masked: Array) -> dict[str, Array]:
            dx = np.zeros((1, *shape))
            self._share(masked[None], dx)
            return {"dx": dx[0]}

        return [self.call("dx", avg_pool2d_dx, {"dy": dy, **self._sizes(dy)}, {"dx": arrays["dx"]}, share)]


# The listings, set as they are shown.
# fmt: off

def avg_pool2d(x, y, C, H_out, W_out, K_h, K_w, S):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                acc = 0.0
                for u in range(K_h):
                    for v in range(K_w):
                        acc += x[c, i*S+u, j*S+v]
                y[c, i, j] = acc / (K_h * K_w)


def avg_pool2d_dx(dy, dx, C, H_out, W_out, K_h, K_w, S):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                for u in range(K_h):
                    for v in range(K_w):
                        dx[c, i*S+u, j*S+v] += dy[c, i, j] / (K_h * K_w)
