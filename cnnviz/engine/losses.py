"""What a network is trained to make small, and the gradient it starts the way back with.

Each loss gives one number per sample. Cross-entropy is joined with the softmax or sigmoid before it:
their common gradient is simply output − target, and nothing is divided by a vanishing probability.
Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy import log

from cnnviz.engine.layer import Array, Call, Layer, Listing, Value
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax


class Loss(ABC):
    """A number that says how wrong an output is.

    Attributes
    ----------
    follows : type[Layer] or None
        The layer that must come last for this loss; its gradient then skips that layer.
    """

    kind: ClassVar[str]
    follows: ClassVar[type[Layer] | None] = None
    listing: ClassVar[Listing]
    gradient_listing: ClassVar[Listing]

    @abstractmethod
    def value(self, y: Array, t: Array) -> Array:
        """Return the loss of each sample, (N,), for outputs and targets (N, outputs)."""

    def gradient(self, y: Array, t: Array) -> Array:
        """Return ∂E/∂y, or ∂E/∂x of the layer named in `follows`: y − t for all of these."""
        return y - t

    def value_call(self, y: Array, t: Array, value: Array) -> Call:
        """Return the listing of the loss, which writes one number, ``E[0]``."""
        given: dict[str, Value] = {"y": y, "t": t, "N": len(y)}
        return Call("loss", "loss", "loss", type(self).listing, given, {"E": value.reshape(1)})

    def gradient_call(self, y: Array, t: Array, gradient: Array, last_layer: str) -> Call:
        """Return the listing of the gradient: the last layer's, where the loss is joined with it."""
        layer, result = (last_layer, "dx") if self.follows else ("loss", "dy")
        given: dict[str, Value] = {"y": y, "t": t, "N": len(y)}
        return Call(
            f"{layer}.{result}", layer, "backward", type(self).gradient_listing, given, {result: gradient}
        )


# The listings, set as they are shown.
# fmt: off

def half_squared_error(y, t, E, N):
    total = 0.0
    for n in range(N):
        total += (t[n] - y[n]) ** 2
    E[0] = total / 2


def half_squared_error_dy(y, t, dy, N):
    for n in range(N):
        dy[n] = -(t[n] - y[n])


def cross_entropy(y, t, E, N):
    total = 0.0
    for n in range(N):
        total -= t[n] * log(y[n]) if t[n] > 0 else 0.0
    E[0] = total


def cross_entropy_dx(y, t, dx, N):
    for n in range(N):
        dx[n] = y[n] - t[n]


def binary_cross_entropy(y, t, E, N):
    total = 0.0
    for n in range(N):
        total -= t[n] * log(y[n]) if t[n] > 0 else 0.0
        total -= (1 - t[n]) * log(1 - y[n]) if t[n] < 1 else 0.0
    E[0] = total


def binary_cross_entropy_dx(y, t, dx, N):
    for n in range(N):
        dx[n] = y[n] - t[n]

# fmt: on


class HalfSquaredError(Loss):
    """E = Σ (t − y)² / 2."""

    kind = "half_squared_error"
    listing = half_squared_error
    gradient_listing = half_squared_error_dy

    def value(self, y: Array, t: Array) -> Array:
        """Return half the sum of the squared differences."""
        return np.asarray(((t - y) ** 2).sum(axis=1) / 2)


class CrossEntropy(Loss):
    """E = −Σ t log y, for probabilities y from a softmax."""

    kind = "cross_entropy"
    follows = Softmax
    listing = cross_entropy
    gradient_listing = cross_entropy_dx

    def value(self, y: Array, t: Array) -> Array:
        """Return the surprise at the targets, in nats."""
        return np.asarray(-_times_log(t, y).sum(axis=1))


class BinaryCrossEntropy(Loss):
    """E = −Σ (t log y + (1 − t) log (1 − y)), for probabilities y from a sigmoid."""

    kind = "binary_cross_entropy"
    follows = Sigmoid
    listing = binary_cross_entropy
    gradient_listing = binary_cross_entropy_dx

    def value(self, y: Array, t: Array) -> Array:
        """Return the surprise at the targets, in nats, each output being a yes or no of its own."""
        return np.asarray(-(_times_log(t, y) + _times_log(1 - t, 1 - y)).sum(axis=1))


def _times_log(weight: Array, y: Array) -> Array:
    """Return weight · log y, which is 0 where the weight is 0 even if y is."""
    with np.errstate(all="ignore"):
        return np.where(weight > 0, weight * np.log(y), 0.0)
