"""What a network is trained to make small, and the gradient it starts the way back with.

Each loss gives one number per sample. Behind maps, and sequences, which are maps of one column,
cross-entropy, binary cross-entropy and hinge are taken at each place over its channels, as of a column, and
the loss is their mean over all places. Cross-entropy is joined with the softmax or sigmoid before it: their
common gradient is simply output − target, and nothing is divided by a vanishing probability. Where a
probability has vanished, or that of the contrary, its logarithm is −∞ or has few right digits; there the
loss and its listing start from the scores.
Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy import exp, log, sign
from numpy.typing import NDArray

from cnnviz.engine.address import address_of
from cnnviz.engine.generated import parameters_of
from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, Value, sizes
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.product import added


class Loss(ABC):
    """A number that says how wrong an output is.

    Attributes
    ----------
    follows : type[Layer] or None
        The layer that must come last for this loss; its gradient then skips that layer.
    in_nats : bool
        Whether it is a negative log-likelihood, which has a unit.
    listing, gradient_listing : Listing
        Of a column of outputs.
    map_listings : tuple[Listing, Listing]
        The same of maps.
    """

    kind: ClassVar[str]
    follows: ClassVar[type[Layer] | None] = None
    in_nats: ClassVar[bool] = False
    listing: ClassVar[Listing]
    gradient_listing: ClassVar[Listing]
    map_listings: ClassVar[tuple[Listing, Listing]]

    @abstractmethod
    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the loss of each sample, (N,).

        Parameters
        ----------
        y, t : Array
            Outputs and targets, (N, outputs), or (N, channels, height, width); (N, channels, length).
        x : Array, optional
            What the last layer made the outputs of.
        """

    def gradient(self, y: Array, t: Array) -> Array:
        """Return ∂E/∂y, or ∂E/∂x of the layer named in `follows`."""
        return y - t

    def constants(self) -> dict[str, Value]:
        """Return what the listings take besides arrays and sizes."""
        return {}

    def shared(self, t: Array) -> dict[str, Array]:
        """Return what its listings read that the targets of all samples make, by name; mostly nothing."""
        return {}

    def shared_calls(self, t: Array, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the calls that compute what is `shared`, each from the target of one sample."""
        return []

    def misfit(self, shape: Shape) -> str:
        """Return why it does not go with outputs of a shape; empty where it does."""
        return ""

    def _given(self, y: Array, t: Array) -> dict[str, Value]:
        return {"y": y, "t": t, **self.constants(), **sizes(y)}

    def _listings(self, y: Array) -> tuple[Listing, Listing]:
        own = type(self)
        return own.map_listings if y.ndim == 3 else (own.listing, own.gradient_listing)

    def from_scores(self, y: Array, t: Array, x: Array) -> bool:
        """Return whether the losses of a batch are to be computed from the scores, `x`; of all or of none."""
        return False

    def value_call(self, y: Array, t: Array, x: Array, value: Array, from_scores: bool = False) -> Call:
        """Return the listing of the loss of one sample, which writes one number, ``E[0]``."""
        return self._value_call(self.kind, self._listings(y)[0], self._given(y, t), value)

    def _value_call(self, kind: str, listing: Listing, given: dict[str, Value], value: Array) -> Call:
        return Call("loss", "loss", "loss", listing, given, {"E": value.reshape(1)}, kind=kind)

    def gradient_call(self, y: Array, t: Array, gradient: Array, last_layer: str) -> Call:
        """Return the listing of the gradient: the last layer's, where the loss is joined with it."""
        layer, result = (last_layer, "dx") if self.follows else ("loss", "dy")
        listing, given = self._listings(y)[1], self._given(y, t)
        if "y" not in parameters_of(listing):
            del given["y"]
        name, kind = address_of(layer, result), f"{self.kind}.{result}"
        return Call(name, layer, "backward", listing, given, {result: gradient}, kind=kind)


# The listings, set as they are shown.
# fmt: off

def mean_loss(E, mean, N):
    total = 0.0
    for n in range(N):
        total += E[n]
    mean[0] = total / N


def half_squared_error(y, t, E, N):
    total = 0.0
    for n in range(N):
        total += (t[n] - y[n]) ** 2
    E[0] = total / 2


def half_squared_error_dy(y, t, dy, N):
    for n in range(N):
        dy[n] = -(t[n] - y[n])


def half_squared_error_maps(y, t, E, C, H, W):
    total = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                total += (t[c, i, j] - y[c, i, j]) ** 2
    E[0] = total / 2


def half_squared_error_maps_dy(y, t, dy, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dy[c, i, j] = -(t[c, i, j] - y[c, i, j])


def mean_squared_error(y, t, E, N):
    total = 0.0
    for n in range(N):
        total += (t[n] - y[n]) ** 2
    E[0] = total / N


def mean_squared_error_dy(y, t, dy, N):
    for n in range(N):
        dy[n] = 2 * (y[n] - t[n]) / N


def mean_squared_error_maps(y, t, E, C, H, W):
    total = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                total += (t[c, i, j] - y[c, i, j]) ** 2
    E[0] = total / (C * H * W)


def mean_squared_error_maps_dy(y, t, dy, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dy[c, i, j] = 2 * (y[c, i, j] - t[c, i, j]) / (C * H * W)


def mean_absolute_error(y, t, E, N):
    total = 0.0
    for n in range(N):
        total += abs(y[n] - t[n])
    E[0] = total / N


def mean_absolute_error_dy(y, t, dy, N):
    for n in range(N):
        dy[n] = sign(y[n] - t[n]) / N


def mean_absolute_error_maps(y, t, E, C, H, W):
    total = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                total += abs(y[c, i, j] - t[c, i, j])
    E[0] = total / (C * H * W)


def mean_absolute_error_maps_dy(y, t, dy, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dy[c, i, j] = sign(y[c, i, j] - t[c, i, j]) / (C * H * W)


def nll(y, t, E, N):
    total = 0.0
    for n in range(N):
        total -= t[n] * y[n]
    E[0] = total


def nll_dy(t, dy, N):
    for n in range(N):
        dy[n] = -t[n]


def nll_maps(y, t, E, C, H, W):
    total = 0.0
    for i in range(H):
        for j in range(W):
            for c in range(C):
                total -= t[c, i, j] * y[c, i, j]
    E[0] = total / (H * W)


def nll_maps_dy(t, dy, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dy[c, i, j] = -t[c, i, j] / (H * W)


def hinge(y, t, E, margin, N):
    right = 0.0
    for n in range(N):
        right += y[n] if t[n] > 0 else 0.0
    total = 0.0
    for n in range(N):
        total += max(0.0, margin + y[n] - right) if t[n] == 0 else 0.0
    E[0] = total


def hinge_dy(y, t, dy, margin, N):
    right = 0.0
    for n in range(N):
        right += y[n] if t[n] > 0 else 0.0
    near = 0.0
    for n in range(N):
        near += 1.0 if t[n] == 0 and margin + y[n] - right > 0 else 0.0
    for n in range(N):
        dy[n] = -near if t[n] > 0 else 1.0 if margin + y[n] - right > 0 else 0.0


def hinge_maps(y, t, E, margin, C, H, W):
    total = 0.0
    for i in range(H):
        for j in range(W):
            right = 0.0
            for c in range(C):
                right += y[c, i, j] if t[c, i, j] > 0 else 0.0
            for c in range(C):
                total += max(0.0, margin + y[c, i, j] - right) if t[c, i, j] == 0 else 0.0
    E[0] = total / (H * W)


def hinge_maps_dy(y, t, dy, margin, C, H, W):
    for i in range(H):
        for j in range(W):
            right = 0.0
            for c in range(C):
                right += y[c, i, j] if t[c, i, j] > 0 else 0.0
            near = 0.0
            for c in range(C):
                near += 1.0 if t[c, i, j] == 0 and margin + y[c, i, j] - right > 0 else 0.0
            for c in range(C):
                pushed = -near if t[c, i, j] > 0 else 1.0 if margin + y[c, i, j] - right > 0 else 0.0
                dy[c, i, j] = pushed / (H * W)


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


def cross_entropy_maps(y, t, E, C, H, W):
    total = 0.0
    for i in range(H):
        for j in range(W):
            for c in range(C):
                total -= t[c, i, j] * log(y[c, i, j]) if t[c, i, j] > 0 else 0.0
    E[0] = total / (H * W)


def cross_entropy_maps_of_scores(x, t, E, C, H, W):
    loss = 0.0
    for i in range(H):
        for j in range(W):
            m = x[0, i, j]
            for c in range(C):
                m = max(m, x[c, i, j])
            total = 0.0
            for c in range(C):
                total += exp(x[c, i, j] - m)
            for c in range(C):
                loss += t[c, i, j] * (m + log(total) - x[c, i, j])
    E[0] = loss / (H * W)


def cross_entropy_maps_dx(y, t, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = (y[c, i, j] - t[c, i, j]) / (H * W)


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


def binary_cross_entropy_maps(y, t, E, C, H, W):
    total = 0.0
    for i in range(H):
        for j in range(W):
            for c in range(C):
                total -= t[c, i, j] * log(y[c, i, j]) if t[c, i, j] > 0 else 0.0
                total -= (1 - t[c, i, j]) * log(1 - y[c, i, j]) if t[c, i, j] < 1 else 0.0
    E[0] = total / (H * W)


def binary_cross_entropy_maps_of_scores(x, t, E, C, H, W):
    total = 0.0
    for i in range(H):
        for j in range(W):
            for c in range(C):
                total += max(x[c, i, j], 0.0) - x[c, i, j] * t[c, i, j]
                total += log(1 + exp(-abs(x[c, i, j])))
    E[0] = total / (H * W)


def binary_cross_entropy_maps_dx(y, t, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = (y[c, i, j] - t[c, i, j]) / (H * W)

# fmt: on


class HalfSquaredError(Loss):
    """E = Σ (t − y)² / 2."""

    kind = "half_squared_error"
    listing = half_squared_error
    gradient_listing = half_squared_error_dy
    map_listings = (half_squared_error_maps, half_squared_error_maps_dy)

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return half the sum of the squared differences."""
        return np.asarray(added(_in_rows((t - y) ** 2)) / 2)


class MeanSquaredError(Loss):
    """E = Σ (t − y)² / N, over all N outputs: PyTorch's ``mse_loss``."""

    kind = "mean_squared_error"
    listing = mean_squared_error
    gradient_listing = mean_squared_error_dy
    map_listings = (mean_squared_error_maps, mean_squared_error_maps_dy)

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the mean of the squared differences."""
        return np.asarray(added(_in_rows((t - y) ** 2)) / (y.size // len(y)))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return 2 (y − t) / N."""
        return 2 * (y - t) / (y.size // len(y))


class MeanAbsoluteError(Loss):
    """E = Σ |y − t| / N, over all N outputs: PyTorch's ``l1_loss``. At 0 its gradient is 0."""

    kind = "mean_absolute_error"
    listing = mean_absolute_error
    gradient_listing = mean_absolute_error_dy
    map_listings = (mean_absolute_error_maps, mean_absolute_error_maps_dy)

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the mean of the absolute differences."""
        return np.asarray(added(_in_rows(np.abs(y - t))) / (y.size // len(y)))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return the sign of y − t, divided by N."""
        return np.asarray(np.sign(y - t) / (y.size // len(y)))


class NLL(Loss):
    """E = −Σ t y, for logarithms of probabilities y from a log-softmax: PyTorch's ``nll_loss``.

    Behind maps, it is the mean over all places.
    """

    kind = "nll"
    listing = nll
    gradient_listing = nll_dy
    map_listings = (nll_maps, nll_maps_dy)

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return minus the sum of t y."""
        with np.errstate(all="ignore"):
            return np.asarray(0 - _mean_of_places(t * y))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return −t, of maps divided by how many places there are."""
        return np.asarray(-t / _places(y))


class Hinge(Loss):
    """E = Σ max(0, margin + y_n − y_c) over all n but the right class c: the multi-class support vector loss.

    PyTorch's ``MultiMarginLoss`` is the same divided by the number of classes. Behind maps, it is the mean
    over all places.
    Source: Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition" (1999).
    """

    kind = "hinge"
    listing = hinge
    gradient_listing = hinge_dy
    map_listings = (hinge_maps, hinge_maps_dy)

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def constants(self) -> dict[str, Value]:
        """Return the margin."""
        return {"margin": self.margin}

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return by how much the scores of the wrong classes come too near to that of the right one."""
        with np.errstate(all="ignore"):
            over = self._over(y, t)
            return _mean_of_places(np.where((t == 0) & (over > 0), over, 0.0))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return 1 for every class that comes too near, and minus their number for the right class.

        Of maps, this is divided by how many places there are.
        """
        with np.errstate(all="ignore"):
            near = self._over(y, t) > 0
        wrong = np.where((t == 0) & near, 1.0, 0.0)
        pushed = np.where(t > 0, -added(wrong)[:, None], np.where(near, 1.0, 0.0))
        return (pushed / _places(y)).astype(y.dtype)

    def _over(self, y: Array, t: Array) -> Array:
        right = added(np.where(t > 0, y, 0.0))[:, None]
        return np.asarray(self.margin + y - right)


class NegativeLogLikelihood(Loss):
    """Minus the logarithm of the probabilities of what is true, in nats.

    Attributes
    ----------
    scores_listings : tuple[Listing, Listing]
        The same from the scores, of a column and of maps, for where probabilities have been rounded too much
        to take a logarithm of.
    """

    in_nats = True
    scores_listings: ClassVar[tuple[Listing, Listing]]

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
        """Return the loss; from the scores where that is better and they are known."""
        with np.errstate(all="ignore"):
            if x is not None and self.from_scores(y, t, x):
                return self.of_scores(x, t)
            return self.of_outputs(y, t)

    def gradient(self, y: Array, t: Array) -> Array:
        """Return y − t, of maps divided by how many places there are."""
        return np.asarray((y - t) / _places(y))

    def value_call(self, y: Array, t: Array, x: Array, value: Array, from_scores: bool = False) -> Call:
        """Return the listing of the loss, from the scores where that is better."""
        if not from_scores:
            return super().value_call(y, t, x, value)
        given = {"x": x, **self._given(y, t)}
        del given["y"]
        listing = type(self).scores_listings[x.ndim == 3]
        return self._value_call(f"{self.kind}.of_scores", listing, given, value)

    def from_scores(self, y: Array, t: Array, x: Array) -> bool:
        """Return whether a probability has been rounded too much, and the scores can be computed with."""
        return bool(self.rounded(y, t).any() and np.isfinite(x).all())


class CrossEntropy(NegativeLogLikelihood):
    """E = −Σ t log y, for probabilities y from a softmax; from its scores, Σ t (m + log Σ eˣ⁻ᵐ − x)."""

    kind = "cross_entropy"
    follows = Softmax
    listing = cross_entropy
    scores_listings = (cross_entropy_of_scores, cross_entropy_maps_of_scores)
    gradient_listing = cross_entropy_dx
    map_listings = (cross_entropy_maps, cross_entropy_maps_dx)

    def of_outputs(self, y: Array, t: Array) -> Array:
        """Return −Σ t log y."""
        return 0 - _mean_of_places(_times_log(t, y))  # of a certain truth 0, and not −0

    def of_scores(self, x: Array, t: Array) -> Array:
        """Return Σ t (m + log Σ eˣ⁻ᵐ − x), in which m is the largest score."""
        m = x.max(axis=1, keepdims=True)
        return _mean_of_places(t * (m + np.log(added(np.exp(x - m)))[:, None] - x))

    def rounded(self, y: Array, t: Array) -> NDArray[np.bool_]:
        """Return which probabilities matter and have vanished."""
        return (t > 0) & (y < np.finfo(y.dtype).tiny)


class BinaryCrossEntropy(NegativeLogLikelihood):
    """E = −Σ (t log y + (1 − t) log (1 − y)), for probabilities y from a sigmoid.

    From its scores, Σ (max(x, 0) − x t + log(1 + e⁻|ˣ|)).
    """

    kind = "binary_cross_entropy"
    follows = Sigmoid
    listing = binary_cross_entropy
    scores_listings = (binary_cross_entropy_of_scores, binary_cross_entropy_maps_of_scores)
    gradient_listing = binary_cross_entropy_dx
    map_listings = (binary_cross_entropy_maps, binary_cross_entropy_maps_dx)

    def of_outputs(self, y: Array, t: Array) -> Array:
        """Return −Σ (t log y + (1 − t) log (1 − y)), each output being a yes or no of its own."""
        return 0 - _in_turn(_times_log(t, y), _times_log(1 - t, 1 - y))

    def of_scores(self, x: Array, t: Array) -> Array:
        """Return Σ (max(x, 0) − x t + log(1 + e⁻|ˣ|))."""
        return _in_turn(np.maximum(x, 0) - x * t, np.log(1 + np.exp(-np.abs(x))))

    def rounded(self, y: Array, t: Array) -> NDArray[np.bool_]:
        """Return where y has vanished, or 1 − y has lost half of its digits, and matters."""
        kind = np.finfo(y.dtype)
        return np.asarray(((t > 0) & (y < kind.tiny)) | ((t < 1) & (1 - y < np.sqrt(kind.eps))))


def _in_rows(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), prod(values.shape[1:]))


def _places(y: Array) -> int:
    """Return how many places a batch of maps has; a column is one."""
    return prod(y.shape[2:])


def _mean_of_places(terms: Array) -> Array:
    """Return the sum of all terms of each sample, place by place, divided by how many places there are."""
    if terms.ndim == 2:
        return added(terms)
    return np.asarray(added(_in_rows(np.moveaxis(terms, 1, -1))) / _places(terms))


def _times_log(weight: Array, y: Array) -> Array:
    """Return weight · log y, which is 0 where the weight is 0 even if y is."""
    return np.where(weight > 0, weight * np.log(y), 0.0)


def _in_turn(one: Array, other: Array) -> Array:
    """Return the mean over the places of the sum of both, a term of each in turn."""
    terms = np.stack([one, other], axis=2)
    return _mean_of_places(terms.reshape(len(one), 2 * one.shape[1], *one.shape[2:]))
