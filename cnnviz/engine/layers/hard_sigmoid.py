"""Hard sigmoid: straight lines in place of the sigmoid's curve."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def hard_sigmoid(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = min(max(x[c, i, j] + 3, 0.0), 6.0) / 6


def hard_sigmoid_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] / 6 if x[c, i, j] > -3 and x[c, i, j] < 3 else 0.0


def hard_sigmoid_column(x, y, N):
    for n in range(N):
        y[n] = min(max(x[n] + 3, 0.0), 6.0) / 6


def hard_sigmoid_column_dx(x, dy, dx, N):
    for n in range(N):
        dx[n] = dy[n] / 6 if x[n] > -3 and x[n] < 3 else 0.0

# fmt: on


class HardSigmoid(Elementwise):
    """Rises from 0 at −3 to 1 at 3 in a straight line: y = min(max(x + 3, 0), 6) / 6, PyTorch's form.

    Source of its use: Howard et al., "Searching for MobileNetV3" (2019).
    """

    kind = "hard_sigmoid"
    listings = (hard_sigmoid, hard_sigmoid_dx)
    column_listings = (hard_sigmoid_column, hard_sigmoid_column_dx)

    def function(self, x: Array) -> Array:
        """Return min(max(x + 3, 0), 6) / 6."""
        return np.minimum(np.maximum(x + 3, 0), 6) / 6

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return a sixth of ∂E/∂y where −3 < x < 3, else 0."""
        return np.where((x > -3) & (x < 3), dy / 6, 0).astype(dy.dtype, copy=False)
