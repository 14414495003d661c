"""Sigmoid: any number becomes one between 0 and 1."""

from __future__ import annotations

import numpy as np
from numpy import exp

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def sigmoid(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = 1 / (1 + exp(-x[c, i, j]))


def sigmoid_dx(y, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] * y[c, i, j] * (1 - y[c, i, j])


def sigmoid_column(x, y, N):
    for n in range(N):
        y[n] = 1 / (1 + exp(-x[n]))


def sigmoid_column_dx(y, dy, dx, N):
    for n in range(N):
        dx[n] = dy[n] * y[n] * (1 - y[n])

# fmt: on


class Sigmoid(Elementwise):
    """Squashes to (0, 1): y = 1 / (1 + e⁻ˣ), with the slope y (1 − y)."""

    kind = "sigmoid"
    listings = (sigmoid, sigmoid_dx)
    column_listings = (sigmoid_column, sigmoid_column_dx)
    backward_reads = "y"

    def function(self, x: Array) -> Array:
        """Return 1 / (1 + e⁻ˣ)."""
        return np.asarray(1 / (1 + np.exp(-x)))

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y · y (1 − y)."""
        return np.asarray(dy * y * (1 - y))
