"""GELU: each number times the part of a normal distribution that lies below it."""

from __future__ import annotations

from math import pi
from typing import Literal

import numpy as np
from numpy import exp, sqrt, tanh

from cnnviz.engine.functions import erf
from cnnviz.engine.layer import Array
from cnnviz.engine.layers.elementwise import Elementwise

# The listings, set as they are shown.
# fmt: off

def gelu(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] * (1 + erf(x[c, i, j] / sqrt(2))) / 2


def gelu_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                p = (1 + erf(x[c, i, j] / sqrt(2))) / 2
                q = exp(-x[c, i, j] ** 2 / 2) / sqrt(2 * pi)
                dx[c, i, j] = dy[c, i, j] * (p + x[c, i, j] * q)


def gelu_column(x, y, N):
    for n in range(N):
        y[n] = x[n] * (1 + erf(x[n] / sqrt(2))) / 2


def gelu_column_dx(x, dy, dx, N):
    for n in range(N):
        p = (1 + erf(x[n] / sqrt(2))) / 2
        q = exp(-x[n] ** 2 / 2) / sqrt(2 * pi)
        dx[n] = dy[n] * (p + x[n] * q)


def gelu_tanh(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                t = tanh(sqrt(2 / pi) * (x[c, i, j] + 0.044715 * x[c, i, j] ** 3))
                y[c, i, j] = x[c, i, j] * (1 + t) / 2


def gelu_tanh_dx(x, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                t = tanh(sqrt(2 / pi) * (x[c, i, j] + 0.044715 * x[c, i, j] ** 3))
                q = (1 - t ** 2) / sqrt(2 * pi) * (1 + 3 * 0.044715 * x[c, i, j] ** 2)
                dx[c, i, j] = dy[c, i, j] * ((1 + t) / 2 + x[c, i, j] * q)


def gelu_tanh_column(x, y, N):
    for n in range(N):
        t = tanh(sqrt(2 / pi) * (x[n] + 0.044715 * x[n] ** 3))
        y[n] = x[n] * (1 + t) / 2


def gelu_tanh_column_dx(x, dy, dx, N):
    for n in range(N):
        t = tanh(sqrt(2 / pi) * (x[n] + 0.044715 * x[n] ** 3))
        q = (1 - t ** 2) / sqrt(2 * pi) * (1 + 3 * 0.044715 * x[n] ** 2)
        dx[n] = dy[n] * ((1 + t) / 2 + x[n] * q)

# fmt: on


class GELU(Elementwise):
    """Multiplies each number by the part Φ of a normal distribution that lies below it: y = x Φ(x).

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)" (2016).

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Whether Φ is computed by its integral, erf, or by a tanh that comes near to it.
    """

    kind = "gelu"
    listings = (gelu, gelu_dx)
    column_listings = (gelu_column, gelu_column_dx)

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        self.approximate = approximate
        if approximate == "tanh":
            self.variant = "tanh"
            self.listings = (gelu_tanh, gelu_tanh_dx)
            self.column_listings = (gelu_tanh_column, gelu_tanh_column_dx)

    def function(self, x: Array) -> Array:
        """Return x Φ(x)."""
        if self.variant:
            return np.asarray(x * (1 + np.tanh(_inner(x))) / 2, x.dtype)
        return np.asarray(x * (1 + _erf(x / sqrt(2))) / 2, x.dtype)

    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂y · (Φ(x) + x φ(x)), in which φ is the density of the distribution."""
        if self.variant:
            t = np.tanh(_inner(x))
            p, q = (1 + t) / 2, (1 - t**2) / sqrt(2 * pi) * (1 + 3 * 0.044715 * x**2)
        else:
            p, q = (1 + _erf(x / sqrt(2))) / 2, np.exp(-(x**2) / 2) / sqrt(2 * pi)
        return np.asarray(dy * (p + x * q), dy.dtype)


def _inner(x: Array) -> Array:
    """Return that whose tanh comes near to erf."""
    return np.asarray(sqrt(2 / pi) * (x + 0.044715 * x**3))


def _erf(x: Array) -> Array:
    return np.asarray(erf(x), x.dtype)
