"""Log-softmax: scores become logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import exp, log

from cnnviz.engine.layer import Array, Call, Layer, Shape, Value, require_known, sizes
from cnnviz.engine.layers.softmax import largest
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences

# The listings, set as they are shown.
# fmt: off

def log_softmax(x, y, N):
    m = x[0]
    for n in range(N):
        m = max(m, x[n])
    total = 0.0
    for n in range(N):
        total += exp(x[n] - m)
    for n in range(N):
        y[n] = x[n] - m - log(total)


def log_softmax_dx(y, dy, dx, N):
    total = 0.0
    for n in range(N):
        total += dy[n]
    for n in range(N):
        dx[n] = dy[n] - exp(y[n]) * total


def log_softmax_maps(x, y, C, H, W):
    for i in range(H):
        for j in range(W):
            m = x[0, i, j]
            for c in range(C):
                m = max(m, x[c, i, j])
            total = 0.0
            for c in range(C):
                total += exp(x[c, i, j] - m)
            for c in range(C):
                y[c, i, j] = x[c, i, j] - m - log(total)


def log_softmax_maps_dx(y, dy, dx, C, H, W):
    for i in range(H):
        for j in range(W):
            total = 0.0
            for c in range(C):
                total += dy[c, i, j]
            for c in range(C):
                dx[c, i, j] = dy[c, i, j] - exp(y[c, i, j]) * total

# fmt: on


class LogSoftmax(Layer):
    """Computes y[n] = x[n] − log Σ eˣ, with the largest score taken off first so that nothing overflows.

    Of maps, it is computed over the channels, at each place by itself. Source: Goodfellow, Bengio and
    Courville, "Deep Learning" (2016), section 6.2.2.3.
    """

    kind = "log_softmax"

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_known(self.name, shape)

    def forward(self, x: Array) -> Array:
        """Turn a batch of scores, (N, classes) or maps, into logarithms of probabilities."""
        with np.errstate(all="ignore"):
            m = largest(x)[:, None]
            return np.asarray(x - m - np.log(added(np.exp(x - m)))[:, None])

    def backward(self, dy: Array, *_: Array, y: Array, **__: Any) -> dict[str, Array]:
        """Return ∂E/∂x; every score moves every output."""
        with np.errstate(all="ignore"):
            return {"dx": np.asarray(dy - np.exp(y) * added(dy)[:, None])}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x = arrays["x"]
        listing = log_softmax_maps if x.ndim == 3 else log_softmax
        return self.call("y", listing, {"x": x, **sizes(x)}, {"y": arrays["y"]})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing."""
        y, dy = arrays["y"], arrays["dy"]
        listing = log_softmax_maps_dx if y.ndim == 3 else log_softmax_dx
        given: dict[str, Value] = {"y": y, "dy": dy, **sizes(y)}
        return [self.call("dx", listing, given, {"dx": arrays["dx"]})]
