"""Hyperbolic tangent: any number becomes one between −1 and 1."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def tanh(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = np.tanh(x[c, i, j])


def tanh_dx(y, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] * (1 - y[c, i, j] ** 2)


def tanh_column(x, y, N):
    for n in range(N):
        y[n] = np.tanh(x[n])


def tanh_column_dx(y, dy, dx, N):
    for n in range(N):
        dx[n] = dy[n] * (1 - y[n] ** 2)

# fmt: on


class Tanh(Elementwise):
    """Squashes to (−1, 1): y = tanh x, with the slope 1 − y²."""

    kind = "tanh"
    listings = (tanh, tanh_dx)
    column_listings = (tanh_column, tanh_column_dx)
    backward_reads = "y"

    def function(self, x: Array) -> Array:
        """Return tanh x."""
        return np.asarray(np.tanh(x))

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y · (1 − y²)."""
        return np.asarray(dy * (1 - y**2))
