"""Global average-pooling: each map becomes one number, its mean.

Source of its use: Lin, Chen and Yan, "Network In Network" (2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.engine.layer import Array, Call, Layer, Shape, Value, require_maps, sizes


class GlobalAvgPool2d(Layer):
    """Takes the mean of each map: y[c, 0, 0] = Σ x[c, i, j] / (H · W); PyTorch's AdaptiveAvgPool2d(1)."""

    kind = "global_avg_pool2d"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, 1, 1)."""
        return require_maps(self.name, shape)[0], 1, 1

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, 1, 1)."""
        flat = x.reshape(*x.shape[:2], -1)
        # In the listing's order, so that it overflows where that does.
        total = np.add.accumulate(flat, axis=2)[:, :, -1]
        return np.asarray(total / flat.shape[2])[:, :, None, None]

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: an equal share of each map's gradient in each of its cells."""
        count = x.shape[2] * x.shape[3]
        return {"dx": np.broadcast_to(dy / dy.dtype.type(count), x.shape).copy()}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        given: dict[str, Value] = {"x": arrays["x"], **sizes(arrays["x"])}
        return self.call("y", global_avg_pool2d, given, {"y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that shares each gradient out over its map."""
        given: dict[str, Value] = {"dy": arrays["dy"], **sizes(arrays["x"])}
        return [self.call("dx", global_avg_pool2d_dx, given, {"dx": arrays["dx"]})]


# The listings, set as they are shown.
# fmt: off

def global_avg_pool2d(x, y, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += x[c, i, j]
        y[c, 0, 0] = acc / (H * W)


def global_avg_pool2d_dx(dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, 0, 0] / (H * W)
