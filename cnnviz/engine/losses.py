"""What a network is trained to make small, and the gradient it starts the way back with.

Each loss gives one number per sample. Cross-entropy is joined with the softmax or sigmoid before it:
their common gradient is simply output − target, and nothing is divided by a vanishing probability. Where a
probability has vanished, or that of the contrary, its logarithm is −∞ or has few right digits; there the loss
and its listing start from the scores.
Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy import exp, log
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Layer, Listing, Value
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.product import added


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
    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the loss of each sample, (N,).

        Parameters
        ----------
        y, t : Array
            Outputs and targets, (N, outputs).
        x : Array, optional
            What the last layer made the outputs of.
        """

    def gradient(self, y: Array, t: Array) -> Array:
        """Return ∂E/∂y, or ∂E/∂x of the layer named in `follows`: y − t for all of these."""
        return y - t

    def value_call(self, y: Array, t: Array, x: Array, value: Array) -> Call:
        """Return the listing of the loss of one sample, which writes one number, ``E[0]``."""
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


def cross_entropy_of_scores(x, t, E, N):
    m = x[0]
    for n in range(N):
        m = max(m, x[n])
    total = 0.0
    for n in range(N):
        total += exp(x[n] - m)
    loss = 0.0
    for n in range(N):
        loss += t[n] * (m + log(total) - x[n])
    E[0] = loss


def cross_entropy_dx(y, t, dx, N):
    for n in range(N):
        dx[n] = y[n] - t[n]


def binary_cross_entropy(y, t, E, N):
    total = 0.0
    for n in range(N):
        total -= t[n] * log(y[n]) if t[n] > 0 else 0.0
        total -= (1 - t[n]) * log(1 - y[n]) if t[n] < 1 else 0.0
    E[0] = total


def binary_cross_entropy_of_scores(x, t, E, N):
    total = 0.0
    for n in range(N):
        total += max(x[n], 0.0) - x[n] * t[n]
        total += log(1 + exp(-abs(x[n])))
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

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return half the sum of the squared differences."""
        return np.asarray(added((t - y) ** 2) / 2)


class Surprise(Loss):
    """A loss of probabilities: what they are surprised by, in nats.

    Attributes
    ----------
    scores_listing : Listing
        The same from the scores, for where probabilities have been rounded too much to take a logarithm of.
    """

    scores_listing: ClassVar[Listing]

    @abstractmethod
    def of_outputs(self, y: Array, t: Array) -> Array:
        """Return the loss of each sample from the probabilities."""

    @abstractmethod
    def of_scores(self, x: Array, t: Array) -> Array:
        """Return the loss of each sample from the scores that the probabilities were made of."""

    @abstractmethod
    def rounded(self, y: Array, t: Array) -> NDArray[np.bool_]:
        """Return which of the probabilities are so near 0 or 1 that their logarithm means nothing."""

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the surprise; from the scores where that is better and they are known."""
        with np.errstate(all="ignore"):
            value = self.of_outputs(y, t)
            if x is not None:
                better = self._better_of_scores(y, t, x)
                value[better] = self.of_scores(x[better], t[better])
        return value

    def value_call(self, y: Array, t: Array, x: Array, value: Array) -> Call:
        """Return the listing of the loss, from the scores where that is better."""
        if not self._better_of_scores(y[None], t[None], x[None])[0]:
            return super().value_call(y, t, x, value)
        given: dict[str, Value] = {"x": x, "t": t, "N": len(x)}
        return Call("loss", "loss", "loss", type(self).scores_listing, given, {"E": value.reshape(1)})

    def _better_of_scores(self, y: Array, t: Array, x: Array) -> NDArray[np.bool_]:
        """Return for each sample whether its loss is to be computed from the scores."""
        return np.asarray(self.rounded(y, t).any(axis=1) & np.isfinite(x).all(axis=1))


class CrossEntropy(Surprise):
    """E = −Σ t log y, for probabilities y from a softmax; from its scores, Σ t (m + log Σ eˣ⁻ᵐ − x)."""

    kind = "cross_entropy"
    follows = Softmax
    listing = cross_entropy
    scores_listing = cross_entropy_of_scores
    gradient_listing = cross_entropy_dx

    def of_outputs(self, y: Array, t: Array) -> Array:
        """Return −Σ t log y."""
        return -added(_times_log(t, y))

    def of_scores(self, x: Array, t: Array) -> Array:
        """Return Σ t (m + log Σ eˣ⁻ᵐ − x), in which m is the largest score."""
        m = x.max(axis=1, keepdims=True)
        return added(t * (m + np.log(added(np.exp(x - m)))[:, None] - x))

    def rounded(self, y: Array, t: Array) -> NDArray[np.bool_]:
        """Return which probabilities matter and have vanished."""
        return (t > 0) & (y < np.finfo(y.dtype).tiny)


class BinaryCrossEntropy(Surprise):
    """E = −Σ (t log y + (1 − t) log (1 − y)), for probabilities y from a sigmoid.

    From its scores, Σ (max(x, 0) − x t + log(1 + e⁻|ˣ|)).
    """

    kind = "binary_cross_entropy"
    follows = Sigmoid
    listing = binary_cross_entropy
    scores_listing = binary_cross_entropy_of_scores
    gradient_listing = binary_cross_entropy_dx

    def of_outputs(self, y: Array, t: Array) -> Array:
        """Return −Σ (t log y + (1 − t) log (1 − y)), each output being a yes or no of its own."""
        return -_added_in_turn(_times_log(t, y), _times_log(1 - t, 1 - y))

    def of_scores(self, x: Array, t: Array) -> Array:
        """Return Σ (max(x, 0) − x t + log(1 + e⁻|ˣ|))."""
        return _added_in_turn(np.maximum(x, 0) - x * t, np.log(1 + np.exp(-np.abs(x))))

    def rounded(self, y: Array, t: Array) -> NDArray[np.bool_]:
        """Return where y has vanished, or 1 − y has lost half of its digits, and matters."""
        kind = np.finfo(y.dtype)
        return np.asarray(((t > 0) & (y < kind.tiny)) | ((t < 1) & (1 - y < np.sqrt(kind.eps))))


def _times_log(weight: Array, y: Array) -> Array:
    """Return weight · log y, which is 0 where the weight is 0 even if y is."""
    return np.where(weight > 0, weight * np.log(y), 0.0)


def _added_in_turn(one: Array, other: Array) -> Array:
    """Return the sum of each row of both, a term of the one and a term of the other in turn."""
    return added(np.stack([one, other], axis=2).reshape(len(one), 2 * one.shape[1]))
