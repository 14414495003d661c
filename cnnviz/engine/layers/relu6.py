"""ReLU6: negative values become 0, and none becomes larger than 6."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise
from cnnviz.engine.product import masked

# The listings, set as they are shown.
# fmt: off

def relu6(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = min(max(x[c, i, j], 0.0), 6.0)


def relu6_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] if x[c, i, j] > 0 and x[c, i, j] < 6 else 0.0


def relu6_column(x, y, N):
    for n in range(N):
        y[n] = min(max(x[n], 0.0), 6.0)


def relu6_column_dx(x, dy, dx, N):
    for n in range(N):
        dx[n] = dy[n] if x[n] > 0 and x[n] < 6 else 0.0

# fmt: on


class ReLU6(Elementwise):
    """Clips at zero and at six: y = min(max(x, 0), 6); its gradient at both is 0, as PyTorch has it.

    Source of its use: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018).
    """

    kind = "relu6"
    listings = (relu6, relu6_dx)
    column_listings = (relu6_column, relu6_column_dx)

    def function(self, x: Array) -> Array:
        """Return min(max(x, 0), 6)."""
        return np.minimum(np.maximum(x, 0), 6)

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y where 0 < x < 6, else 0."""
        return masked((x > 0) & (x < 6), dy)
