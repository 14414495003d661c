"""Softmax: scores become probabilities that sum to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import exp
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Layer, Shape, require_known, sizes
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences


class Softmax(Layer):
    """Computes y[n] = eˣⁿ / Σ eˣ, with the largest score taken off first so that nothing overflows.

    Of maps, it is computed over the channels, at each place by itself. The gradient is
    dx[n] = y[n] (dy[n] − Σ dy · y). Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016),
    sections 4.1 and 6.2.
    """

    kind = "softmax"
    auxiliary_names = ("e",)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_known(self.name, shape)

    def forward(self, x: Array) -> Array:
        """Turn a batch of scores (N, classes) or (N, classes, height, width) into probabilities."""
        with np.errstate(all="ignore"):
            e = _exponentials(x)
            return e / added(e)[:, None]

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return the exponentials, not yet divided by their sum."""
        with np.errstate(all="ignore"):
            return {"e": _exponentials(x)}

    def backward(self, dy: Array, *_: Array, y: Array, **__: Any) -> dict[str, Array]:
        """Return ∂E/∂x; every score moves every probability."""
        with np.errstate(all="ignore"):
            return {"dx": np.asarray(y * (dy - added(dy * y)[:, None]))}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the exponentials and the probabilities."""
        x = arrays["x"]
        listing = softmax_maps if x.ndim == 3 else softmax
        return self.call("y", listing, {"x": x, **sizes(x)}, {"e": arrays["e"], "y": arrays["y"]})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing."""
        y, dy = arrays["y"], arrays["dy"]
        listing = softmax_maps_dx if y.ndim == 3 else softmax_dx
        return [self.call("dx", listing, {"y": y, "dy": dy, **sizes(y)}, {"dx": arrays["dx"]})]


def _exponentials(x: Array) -> Array:
    """Return eˣ of each sample, with its largest number, at each place, taken off first."""
    return np.asarray(np.exp(x - largest(x)[:, None]))


def largest(x: Array) -> Array:
    """Return the largest number of each sample, at each place, as Python's max finds it.

    That goes past NaN, unless it is the first.
    """
    return np.where(np.isnan(x[:, 0]), x[:, 0], np.fmax.reduce(x, axis=1))


# The listings, set as they are shown.
# fmt: off

def softmax(x, e, y, N):
    m = x[0]
    for n in range(N):
        m = max(m, x[n])
    total = 0.0
    for n in range(N):
        e[n] = exp(x[n] - m)
        total += e[n]
    for n in range(N):
        y[n] = e[n] / total


def softmax_dx(y, dy, dx, N):
    dot = 0.0
    for n in range(N):
        dot += dy[n] * y[n]
    for n in range(N):
        dx[n] = y[n] * (dy[n] - dot)


def softmax_maps(x, e, y, C, H, W):
    for i in range(H):
        for j in range(W):
            m = x[0, i, j]
            for c in range(C):
                m = max(m, x[c, i, j])
            total = 0.0
            for c in range(C):
                e[c, i, j] = exp(x[c, i, j] - m)
                total += e[c, i, j]
            for c in range(C):
                y[c, i, j] = e[c, i, j] / total


def softmax_maps_dx(y, dy, dx, C, H, W):
    for i in range(H):
        for j in range(W):
            dot = 0.0
            for c in range(C):
                dot += dy[c, i, j] * y[c, i, j]
            for c in range(C):
                dx[c, i, j] = y[c, i, j] * (dy[c, i, j] - dot)
