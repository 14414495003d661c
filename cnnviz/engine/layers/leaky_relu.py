"""Leaky ReLU: negative values are made small instead of 0."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array, Value
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def leaky_relu(x, y, alpha, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] if x[c, i, j] > 0 else alpha * x[c, i, j]


def leaky_relu_dx(x, dy, dx, alpha, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] if x[c, i, j] > 0 else alpha * dy[c, i, j]


def leaky_relu_column(x, y, alpha, N):
    for n in range(N):
        y[n] = x[n] if x[n] > 0 else alpha * x[n]


def leaky_relu_column_dx(x, dy, dx, alpha, N):
    for n in range(N):
        dx[n] = dy[n] if x[n] > 0 else alpha * dy[n]

# fmt: on


class LeakyReLU(Elementwise):
    """Lets a little through below zero: y = x where x > 0, else α · x.

    Parameters
    ----------
    alpha : float
        α, the slope below zero.
    """

    kind = "leaky_relu"
    listings = (leaky_relu, leaky_relu_dx)
    column_listings = (leaky_relu_column, leaky_relu_column_dx)

    def __init__(self, alpha: float = 0.01) -> None:
        super().__init__()
        self.alpha = alpha

    def constants(self) -> dict[str, Value]:
        """Return α."""
        return {"alpha": self.alpha}

    def function(self, x: Array) -> Array:
        """Return x where it is positive, else α · x."""
        return np.where(x > 0, x, self.alpha * x).astype(x.dtype, copy=False)

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y where x > 0, else α of it."""
        return np.where(x > 0, dy, self.alpha * dy).astype(dy.dtype, copy=False)
