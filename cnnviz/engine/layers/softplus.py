"""Softplus: a ReLU without its corner."""

from __future__ import annotations

import numpy as np
from numpy import exp, log1p

from cnnviz.engine.layer import Array, Value
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def softplus(x, y, beta, threshold, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = beta * x[c, i, j]
                y[c, i, j] = s / beta if s > threshold else log1p(exp(s)) / beta


def softplus_dx(x, dy, dx, beta, threshold, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = beta * x[c, i, j]
                dx[c, i, j] = dy[c, i, j] if s > threshold else dy[c, i, j] / (1 + exp(-s))


def softplus_column(x, y, beta, threshold, N):
    for n in range(N):
        s = beta * x[n]
        y[n] = s / beta if s > threshold else log1p(exp(s)) / beta


def softplus_column_dx(x, dy, dx, beta, threshold, N):
    for n in range(N):
        s = beta * x[n]
        dx[n] = dy[n] if s > threshold else dy[n] / (1 + exp(-s))

# fmt: on


class Softplus(Elementwise):
    """Bends where ReLU has its corner: y = log(1 + eᵝˣ) / β; where β x is above a threshold, y = x.

    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing" (2001).

    Parameters
    ----------
    beta : float
        β: the larger it is, the sharper the bend.
    threshold : float
        Above it, y is x: they differ by less than can be seen.
    """

    kind = "softplus"
    listings = (softplus, softplus_dx)
    column_listings = (softplus_column, softplus_column_dx)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def constants(self) -> dict[str, Value]:
        """Return β and the threshold."""
        return {"beta": self.beta, "threshold": self.threshold}

    def function(self, x: Array) -> Array:
        """Return log(1 + eᵝˣ) / β, or x above the threshold."""
        s = self.beta * x
        return np.where(s > self.threshold, s / self.beta, np.log1p(np.exp(s)) / self.beta).astype(
            x.dtype, copy=False
        )

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y times the slope, σ(β x); above the threshold ∂E/∂y."""
        bent = dy / (1 + np.exp(-self.beta * x))
        return np.where(self.beta * x > self.threshold, dy, bent).astype(dy.dtype, copy=False)
