"""SiLU: each number times its own sigmoid."""

from __future__ import annotations

import numpy as np
from numpy import exp

from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def silu(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] / (1 + exp(-x[c, i, j]))


def silu_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = 1 / (1 + exp(-x[c, i, j]))
                dx[c, i, j] = dy[c, i, j] * s * (1 + x[c, i, j] * (1 - s))


def silu_column(x, y, N):
    for n in range(N):
        y[n] = x[n] / (1 + exp(-x[n]))


def silu_column_dx(x, dy, dx, N):
    for n in range(N):
        s = 1 / (1 + exp(-x[n]))
        dx[n] = dy[n] * s * (1 + x[n] * (1 - s))

# fmt: on


class SiLU(Elementwise):
    """Lets each number through as far as its own sigmoid opens: y = x σ(x), also called swish.

    Source: Ramachandran, Zoph and Le, "Searching for Activation Functions" (2017).
    """

    kind = "silu"
    listings = (silu, silu_dx)
    column_listings = (silu_column, silu_column_dx)

    def function(self, x: Array) -> Array:
        """Return x σ(x)."""
        return np.asarray(x / (1 + np.exp(-x)))

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y · σ(x) (1 + x (1 − σ(x)))."""
        s = 1 / (1 + np.exp(-x))
        return np.asarray(dy * s * (1 + x * (1 - s)))
