"""Log-softmax: scores become logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import exp, log

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.layers.softmax import OverAxis, largest
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


class LogSoftmax(OverAxis):
    """Computes y[n] = x[n] − log Σ eˣ, with the largest score taken off first so that nothing overflows.

    Of maps, it is computed over the channels, at each place by itself, or over another axis. Source:
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.3.
    """

    kind = "log_softmax"

    def forward(self, x: Array) -> Array:
        """Turn a batch of scores, (N, classes) or maps, into logarithms of probabilities."""
        (x,) = self.in_front(x)
        m = largest(x)[:, None]
        return self.back(x - m - np.log(added(np.exp(x - m)))[:, None])

    def backward(self, dy: Array, *_: Array, y: Array, **__: Any) -> dict[str, Array]:
        """Return ∂E/∂x; every score moves every output."""
        dy, y = self.in_front(dy, y)
        return {"dx": self.back(dy - np.exp(y) * added(dy)[:, None])}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        return self.axis_call("y", (log_softmax, log_softmax_maps), {"x": arrays["x"]}, {"y": arrays["y"]})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing."""
        given = {name: arrays[name] for name in ("y", "dy")}
        return [self.axis_call("dx", (log_softmax_dx, log_softmax_maps_dx), given, {"dx": arrays["dx"]})]
