"""Hard swish: each number times its own hard sigmoid."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def hard_swish(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] * min(max(x[c, i, j] + 3, 0.0), 6.0) / 6


def hard_swish_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = 0.0 if x[c, i, j] <= -3 else 1.0 if x[c, i, j] >= 3 else x[c, i, j] / 3 + 0.5
                dx[c, i, j] = dy[c, i, j] * s


def hard_swish_column(x, y, N):
    for n in range(N):
        y[n] = x[n] * min(max(x[n] + 3, 0.0), 6.0) / 6


def hard_swish_column_dx(x, dy, dx, N):
    for n in range(N):
        s = 0.0 if x[n] <= -3 else 1.0 if x[n] >= 3 else x[n] / 3 + 0.5
        dx[n] = dy[n] * s

# fmt: on


class HardSwish(Elementwise):
    """SiLU with straight lines in place of the sigmoid: y = x min(max(x + 3, 0), 6) / 6.

    Source: Howard et al., "Searching for MobileNetV3" (2019).
    """

    kind = "hard_swish"
    listings = (hard_swish, hard_swish_dx)
    column_listings = (hard_swish_column, hard_swish_column_dx)

    def function(self, x: Array) -> Array:
        """Return x min(max(x + 3, 0), 6) / 6."""
        return x * np.minimum(np.maximum(x + 3, 0), 6) / 6

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y times the slope: 0 up to −3, 1 from 3 on, x / 3 + 1/2 between them."""
        slope = np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5))
        return (dy * slope).astype(dy.dtype, copy=False)
