"""Losses that start from raw scores, whatever the last layer is: nothing is squashed, and nothing rounded.

They are PyTorch's ``CrossEntropyLoss`` and ``BCEWithLogitsLoss``. Behind
maps, they are taken at each place over its channels, and the loss is their mean over all places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from msgspec.structs import replace
from numpy import exp, log, log1p

from cnnviz.engine.generated import with_changes
from cnnviz.engine.layer import Array, Call, Listing, Shape, Value, sizes
from cnnviz.engine.losses import Loss
from cnnviz.engine.product import added
from cnnviz.text import tr

Weights = float | tuple[float, ...]

# The listings, set as they are shown.
# fmt: off

def cross_entropy_with_logits(y, t, E, N):
    m = y[0]
    for n in range(N):
        m = max(m, y[n])
    total = 0.0
    for n in range(N):
        total += exp(y[n] - m)
    loss = 0.0
    for n in range(N):
        loss += t[n] * (m + log(total) - y[n])
    E[0] = loss


def cross_entropy_with_logits_dy(y, t, dy, N):
    m = y[0]
    for n in range(N):
        m = max(m, y[n])
    total = 0.0
    for n in range(N):
        total += exp(y[n] - m)
    mass = 0.0
    for n in range(N):
        mass += t[n]
    for n in range(N):
        p = exp(y[n] - m) / total
        dy[n] = mass * p - t[n]


def cross_entropy_with_logits_maps(y, t, E, C, H, W):
    loss = 0.0
    for i in range(H):
        for j in range(W):
            m = y[0, i, j]
            for c in range(C):
                m = max(m, y[c, i, j])
            total = 0.0
            for c in range(C):
                total += exp(y[c, i, j] - m)
            for c in range(C):
                loss += t[c, i, j] * (m + log(total) - y[c, i, j])
    E[0] = loss / (H * W)


def cross_entropy_with_logits_maps_dy(y, t, dy, C, H, W):
    for i in range(H):
        for j in range(W):
            m = y[0, i, j]
            for c in range(C):
                m = max(m, y[c, i, j])
            total = 0.0
            for c in range(C):
                total += exp(y[c, i, j] - m)
            mass = 0.0
            for c in range(C):
                mass += t[c, i, j]
            for c in range(C):
                p = exp(y[c, i, j] - m) / total
                dy[c, i, j] = (mass * p - t[c, i, j]) / (H * W)


def mean_class_weight(t, class_weight, weight, N):
    acc = 0.0
    for n in range(N):
        acc += class_weight[n] * t[n]
    weight[0] = acc


def mean_class_weight_maps(t, class_weight, weight, C, H, W):
    acc = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                acc += class_weight[c] * t[c, i, j]
    weight[0] = acc


def binary_cross_entropy_with_logits(y, t, E, N):
    total = 0.0
    for n in range(N):
        s = log1p(exp(-abs(y[n])))
        total += t[n] * (max(-y[n], 0.0) + s)
        total += (1 - t[n]) * (max(y[n], 0.0) + s)
    E[0] = total / N


def binary_cross_entropy_with_logits_dy(y, t, dy, N):
    for n in range(N):
        p = 1 / (1 + exp(-y[n]))
        no = (1 - t[n]) * p
        yes = t[n] * (1 - p)
        dy[n] = (no - yes) / N


def binary_cross_entropy_with_logits_maps(y, t, E, C, H, W):
    total = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = log1p(exp(-abs(y[c, i, j])))
                total += t[c, i, j] * (max(-y[c, i, j], 0.0) + s)
                total += (1 - t[c, i, j]) * (max(y[c, i, j], 0.0) + s)
    E[0] = total / (C * H * W)


def binary_cross_entropy_with_logits_maps_dy(y, t, dy, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                p = 1 / (1 + exp(-y[c, i, j]))
                no = (1 - t[c, i, j]) * p
                yes = t[c, i, j] * (1 - p)
                dy[c, i, j] = (no - yes) / (C * H * W)

# fmt: on


class LossOfScores(Loss):
    """A loss whose outputs are scores, and in which classes may weigh differently.

    Parameters
    ----------
    weights : float or tuple[float, ...], optional
        What is true of each class counts so many times; one number is that of all. Once, if none is given.
    """

    in_nats = True
    weight_name: ClassVar[str]
    weight_changes: ClassVar[Mapping[str, str]]

    def __init__(self, weights: Weights | None) -> None:
        self.weights = weights

    def misfit(self, shape: Shape) -> str:
        """Return what is wrong, unless there is a weight for each class."""
        count = len(self.weights) if isinstance(self.weights, tuple) else shape[0]
        if count == shape[0]:
            return ""
        said = tr("{argument} must be {needed} numbers, one for each class, but there are {found}")
        return said.format(argument=self.weight_name, needed=shape[0], found=count)

    def weight_of(self, y: Array) -> Array:
        """Return the weight of each class of a batch, as its outputs are laid out."""
        weights = np.broadcast_to(np.asarray(1.0 if self.weights is None else self.weights), y.shape[1])
        return weights.reshape(-1, *(1,) * (y.ndim - 2))

    def _given(self, y: Array, t: Array) -> dict[str, Value]:
        return {**super()._given(y, t), **self._weights_given(y)}

    def _weights_given(self, y: Array) -> dict[str, Array]:
        return {} if self.weights is None else {self.weight_name: self.weight_of(y[None]).reshape(-1)}

    def _listings(self, y: Array) -> tuple[Listing, Listing]:
        value, gradient = super()._listings(y)
        if self.weights is None:
            return value, gradient
        names, cell = self.weight_name, ("c, i, j", "c") if y.ndim == 3 else ("n", "n")
        changes = {
            old.replace("@", cell[0]): new.replace("@@", cell[1]).replace("@", cell[0])
            for old, new in self.weight_changes.items()
        }
        return with_changes(value, changes, names), with_changes(gradient, changes, names)

    def value_call(self, y: Array, t: Array, x: Array, value: Array, from_scores: bool = False) -> Call:
        """Return the listing of the loss of one sample."""
        return self._named(super().value_call(y, t, x, value, from_scores))

    def gradient_call(self, y: Array, t: Array, gradient: Array, last_layer: str) -> Call:
        """Return the listing of its gradient."""
        return self._named(super().gradient_call(y, t, gradient, last_layer))

    def _named(self, call: Call) -> Call:
        return call if self.weights is None else replace(call, kind=f"{call.kind}.{self._more}")

    @property
    def _more(self) -> str:
        """What the record is called, besides the loss."""
        return "weighted"


class CrossEntropyWithLogits(LossOfScores):
    """E = Σ t (log Σ eʸ − y), for scores y: PyTorch's ``cross_entropy``.

    Parameters
    ----------
    class_weight : tuple[float, ...], optional
        How many times what is true of each class counts: PyTorch's ``weight``.
    weighted_mean : bool
        Whether the mean of places and samples is that by weight, their losses divided by the sum of all
        weights, as PyTorch has it where targets are labels. Where they are probabilities, it divides by the
        number of places and samples, whatever they weigh.
    """

    kind = "cross_entropy_with_logits"
    listing = cross_entropy_with_logits
    gradient_listing = cross_entropy_with_logits_dy
    map_listings = (cross_entropy_with_logits_maps, cross_entropy_with_logits_maps_dy)
    weight_name = "class_weight"
    weight_changes: ClassVar[Mapping[str, str]] = {"t[@]": "class_weight[@@] * t[@]"}

    def __init__(self, class_weight: tuple[float, ...] | None = None, weighted_mean: bool = False) -> None:
        super().__init__(class_weight)
        self.weighted_mean = weighted_mean and class_weight is not None

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return Σ t (m + log Σ eʸ⁻ᵐ − y), in which m is the largest score."""
        with np.errstate(all="ignore"):
            m = y.max(axis=1, keepdims=True)
            log_sum = m + np.log(added(np.exp(y - m)))[:, None]
            terms = self.weight_of(y) * t * (log_sum - y)
            return np.asarray(terms.reshape(len(y), -1).sum(axis=1) / self._divisor(t))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return the probability of each class, times all that is true, less what is true of it."""
        with np.errstate(all="ignore"):
            e = np.exp(y - y.max(axis=1, keepdims=True))
            true = self.weight_of(y) * t
            return np.asarray((added(true)[:, None] * e / added(e)[:, None] - true) / self._divisor(t))

    def shared(self, t: Array) -> dict[str, Array]:
        """Return the mean, over the samples, of what each weighs in all; of a mean by weight."""
        if not self.weighted_mean:
            return {}
        return {"weight": np.asarray((self.weight_of(t) * t).sum() / len(t)).reshape(1)}

    def _divisor(self, t: Array) -> Array | int:
        """Return what the sum of all terms of a sample is divided by."""
        return self.shared(t)["weight"] if self.weighted_mean else t[0, 0].size

    def shared_calls(self, t: Array, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing of what a sample weighs."""
        if not self.weighted_mean:
            return []
        listing = mean_class_weight_maps if t.ndim == 3 else mean_class_weight
        given: dict[str, Value] = {"t": t, **self._weights_given(t), **sizes(t)}
        return [Call("loss", "loss", "loss", listing, given, dict(arrays), kind="mean_weight")]

    def _listings(self, y: Array) -> tuple[Listing, Listing]:
        value, gradient = super()._listings(y)
        if not self.weighted_mean:
            return value, gradient
        changed = [with_changes(listing, _OF_MEAN_WEIGHT, "weight") for listing in (value, gradient)]
        return changed[0], changed[1]

    @property
    def _more(self) -> str:
        return "weighted_mean" if self.weighted_mean else super()._more


# In this order: the first turns what maps divide by into what the second divides.
_OF_MEAN_WEIGHT = {
    "E[0] = loss / (H * W)": "E[0] = loss",
    "E[0] = loss": "E[0] = loss / weight[0]",
    "/ (H * W)": "/ weight[0]",
    "mass * p - class_weight[n] * t[n]": "(mass * p - class_weight[n] * t[n]) / weight[0]",
}


class BCEWithLogits(LossOfScores):
    """E = −Σ (t log σ(y) + (1 − t) log (1 − σ(y))) / N, for scores y: PyTorch's ``BCEWithLogitsLoss``.

    Parameters
    ----------
    pos_weight : float or tuple[float, ...], optional
        How many times a yes counts, for all outputs or for each.
    """

    kind = "binary_cross_entropy_with_logits"
    listing = binary_cross_entropy_with_logits
    gradient_listing = binary_cross_entropy_with_logits_dy
    map_listings = (binary_cross_entropy_with_logits_maps, binary_cross_entropy_with_logits_maps_dy)
    weight_name = "pos_weight"
    weight_changes: ClassVar[Mapping[str, str]] = {
        "+= t[@] *": "+= pos_weight[@@] * t[@] *",
        "yes = t[@]": "yes = pos_weight[@@] * t[@]",
    }

    def __init__(self, pos_weight: Weights | None = None) -> None:
        super().__init__(pos_weight)

    def value(self, y: Array, t: Array, x: Array | None = None) -> Array:
        """Return the mean over all outputs."""
        with np.errstate(all="ignore"):
            s = np.log1p(np.exp(-np.abs(y)))
            yes = self.weight_of(y) * t * (np.maximum(-y, 0) + s)
            return np.asarray((yes + (1 - t) * (np.maximum(y, 0) + s)).reshape(len(y), -1).mean(axis=1))

    def gradient(self, y: Array, t: Array) -> Array:
        """Return (1 − t) σ(y) − t (1 − σ(y)), divided by how many outputs there are."""
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-y))
            return np.asarray(((1 - t) * p - self.weight_of(y) * t * (1 - p)) / y[0].size)
