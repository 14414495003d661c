"""Softmax: scores become probabilities that sum to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import exp
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Layer, Shape, require_column
from cnnviz.engine.product import added


class Softmax(Layer):
    """Computes y[n] = eˣⁿ / Σ eˣ, with the largest score taken off first so that nothing overflows.

    The gradient is dx[n] = y[n] (dy[n] − Σ dy · y). Source: Goodfellow, Bengio and Courville,
    "Deep Learning" (2016), sections 4.1 and 6.2.
    """

    kind = "softmax"
    auxiliary_names = ("e",)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own length."""
        return (require_column(self.name, shape),)

    def forward(self, x: Array) -> Array:
        """Turn a batch of scores (N, classes) into probabilities."""
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

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the exponentials and the probabilities."""
        x = arrays["x"]
        return self.call("y", softmax, {"x": x, "N": len(x)}, {"e": arrays["e"], "y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing."""
        y, dy = arrays["y"], arrays["dy"]
        return [self.call("dx", softmax_dx, {"y": y, "dy": dy, "N": len(y)}, {"dx": arrays["dx"]})]


def _exponentials(x: Array) -> Array:
    """Return eˣ of each row, with its largest number taken off first."""
    return np.asarray(np.exp(x - _largest(x)[:, None]))


def _largest(x: Array) -> Array:
    """Return the largest number of each row as Python's max finds it: past NaN, unless that is the first."""
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
