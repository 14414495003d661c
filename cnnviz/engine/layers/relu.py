"""ReLU: negative values become 0."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise
from cnnviz.engine.product import masked

# The listings, set as they are shown.
# fmt: off

def relu(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = max(x[c, i, j], 0.0)


def relu_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] if x[c, i, j] > 0 else 0.0


def relu_column(x, y, N):
    for n in range(N):
        y[n] = max(x[n], 0.0)


def relu_column_dx(x, dy, dx, N):
    for n in range(N):
        dx[n] = dy[n] if x[n] > 0 else 0.0

# fmt: on


class ReLU(Elementwise):
    """Clips at zero: y = max(x, 0); its gradient at exactly 0 is taken as 0, as PyTorch does."""

    kind = "relu"
    listings = (relu, relu_dx)
    column_listings = (relu_column, relu_column_dx)

    def function(self, x: Array) -> Array:
        """Return max(x, 0)."""
        return np.maximum(x, 0)

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y where x > 0, else 0: what is ∞ there, too."""
        return masked(x > 0, dy)
