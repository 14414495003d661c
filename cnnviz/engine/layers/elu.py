"""ELU: negative values bend towards −α instead of being clipped."""

from __future__ import annotations

import numpy as np
from numpy import exp

from cnnviz.engine.layer import Array, Value
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def elu(x, y, alpha, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] if x[c, i, j] > 0 else alpha * (exp(x[c, i, j]) - 1)


def elu_dx(x, dy, dx, alpha, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] if x[c, i, j] > 0 else dy[c, i, j] * alpha * exp(x[c, i, j])


def elu_column(x, y, alpha, N):
    for n in range(N):
        y[n] = x[n] if x[n] > 0 else alpha * (exp(x[n]) - 1)


def elu_column_dx(x, dy, dx, alpha, N):
    for n in range(N):
        dx[n] = dy[n] if x[n] > 0 else dy[n] * alpha * exp(x[n])

# fmt: on


class ELU(Elementwise):
    """Bends smoothly below zero: y = x where x > 0, else α (eˣ − 1).

    Source: Clevert, Unterthiner and Hochreiter, "Fast and Accurate Deep Network Learning by Exponential
    Linear Units (ELUs)" (2016).

    Parameters
    ----------
    alpha : float
        α: far below zero, y comes to −α.
    """

    kind = "elu"
    listings = (elu, elu_dx)
    column_listings = (elu_column, elu_column_dx)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def constants(self) -> dict[str, Value]:
        """Return α."""
        return {"alpha": self.alpha}

    def function(self, x: Array) -> Array:
        """Return x where it is positive, else α (eˣ − 1)."""
        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1)).astype(x.dtype, copy=False)

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y where x > 0, else α eˣ of it."""
        return np.where(x > 0, dy, dy * self.alpha * np.exp(x)).astype(dy.dtype, copy=False)
