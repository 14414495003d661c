"""Batch norm: each channel moved and scaled, by the statistics of the mini-batch or by fixed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec.structs import replace
from numpy import sqrt
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, Value, sizes
from cnnviz.engine.layers.normalising import channels_of, over_channels, require_channels
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences

# The listings, set as they are shown.
# fmt: off

def batch_norm(x, gamma, beta, mean, var, y, eps, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = (x[c, i, j] - mean[c]) / sqrt(var[c] + eps)
                y[c, i, j] = gamma[c] * s + beta[c]


def batch_norm_dbeta(dy, dbeta, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += dy[c, i, j]
        dbeta[c] = acc


def batch_norm_dgamma(x, mean, var, dy, dgamma, eps, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += dy[c, i, j] * (x[c, i, j] - mean[c]) / sqrt(var[c] + eps)
        dgamma[c] = acc


def batch_norm_dx(gamma, var, dy, dx, eps, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] * gamma[c] / sqrt(var[c] + eps)


def batch_norm_mean(x, mean, M, C, H, W):
    for c in range(C):
        total = 0.0
        for i in range(H):
            for j in range(W):
                total += x[c, i, j]
        mean[c] = total / M


def batch_norm_var(x, mean, var, M, C, H, W):
    for c in range(C):
        total = 0.0
        for i in range(H):
            for j in range(W):
                total += (x[c, i, j] - mean[c]) ** 2
        var[c] = total / M


def batch_norm_training_dx(x, gamma, mean, var, dy, dgamma, dbeta, dx, M, eps, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = (x[c, i, j] - mean[c]) / sqrt(var[c] + eps)
                g = dy[c, i, j] - (dbeta[c] + s * dgamma[c]) / M
                dx[c, i, j] = g * gamma[c] / sqrt(var[c] + eps)


def batch_norm_column_mean(x, mean, M, N):
    for n in range(N):
        total = 0.0
        total += x[n]
        mean[n] = total / M


def batch_norm_column_var(x, mean, var, M, N):
    for n in range(N):
        total = 0.0
        total += (x[n] - mean[n]) ** 2
        var[n] = total / M


def batch_norm_column_training_dx(x, gamma, mean, var, dy, dgamma, dbeta, dx, M, eps, N):
    for n in range(N):
        s = (x[n] - mean[n]) / sqrt(var[n] + eps)
        g = dy[n] - (dbeta[n] + s * dgamma[n]) / M
        dx[n] = g * gamma[n] / sqrt(var[n] + eps)


def batch_norm_column(x, gamma, beta, mean, var, y, eps, N):
    for n in range(N):
        s = (x[n] - mean[n]) / sqrt(var[n] + eps)
        y[n] = gamma[n] * s + beta[n]


def batch_norm_column_dbeta(dy, dbeta, N):
    for n in range(N):
        dbeta[n] = dy[n]


def batch_norm_column_dgamma(x, mean, var, dy, dgamma, eps, N):
    for n in range(N):
        dgamma[n] = dy[n] * (x[n] - mean[n]) / sqrt(var[n] + eps)


def batch_norm_column_dx(gamma, var, dy, dx, eps, N):
    for n in range(N):
        dx[n] = dy[n] * gamma[n] / sqrt(var[n] + eps)

# fmt: on


class BatchNorm(Layer):
    """Batch norm: y = γ (x − mean) / √(var + ε) + β, for each channel.

    Mean and variance are what training has left of many mini-batches: PyTorch's ``running_mean`` and
    ``running_var``, in ``eval`` mode. No gradient goes to them, and no update moves them. In training they
    are those of the mini-batch at hand, over all its samples and places, and the gradient goes through both.
    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift" (2015).

    Parameters
    ----------
    num_features : int
        How many channels the maps have, or how many numbers the column.
    eps : float
        ε, which keeps the root away from 0.
    training : bool
        Whether mean and variance are those of the mini-batch.
    """

    kind = "batch_norm"

    def __init__(self, num_features: int, eps: float = 1e-5, training: bool = False) -> None:
        super().__init__()
        self.num_features, self.eps, self.training = num_features, eps, training
        if training:
            self.auxiliary_names = self.shared_names = ("mean", "var", "count")
        else:
            self.buffer_names = ("mean", "var")

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A number for each channel."""
        return dict.fromkeys(("gamma", "beta", *self.buffer_names), (self.num_features,))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return what changes nothing: γ and the variance 1, β and the mean 0."""
        one, zero = np.ones(self.num_features), np.zeros(self.num_features)
        fixed = {"mean": zero.copy(), "var": one.copy()}
        made: dict[str, Array] = {"gamma": one, "beta": zero}
        return made | {name: fixed[name] for name in self.buffer_names}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_channels(self.name, shape, "num_features", self.num_features)

    def forward(self, x: Array, gamma: Array, beta: Array, **fixed: Array) -> Array:
        """Move and scale each channel of a batch."""
        mean, var = (fixed["mean"], fixed["var"]) if fixed else _statistics(x)
        s = (x - over_channels(mean, x)) / self._spread(var, x)
        return np.asarray(over_channels(gamma, x) * s + over_channels(beta, x))

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return mean and variance of the mini-batch, and of how many numbers of each channel they are."""
        if not self.training:
            return {}
        mean, var = _statistics(x)
        return {"mean": mean, "var": var, "count": np.asarray(channels_of(x).shape[1])}

    def backward(
        self, dy: Array, x: Array, *, gamma: Array, mean: Array, var: Array, **_: Any
    ) -> dict[str, Array]:
        """Return ∂E/∂x, ∂E/∂γ and ∂E/∂β; in training, what moves mean and variance is taken off ∂E/∂x."""
        spread, moved = self._spread(var, x), x - over_channels(mean, x)
        dbeta, dgamma = added(channels_of(dy)), added(channels_of(dy * moved / spread))
        g = dy
        if self.training:
            common = over_channels(dbeta, x) + moved / spread * over_channels(dgamma, x)
            g = dy - common / channels_of(x).shape[1]
        return {
            "dbeta": dbeta,
            "dgamma": dgamma,
            "dx": np.asarray(g * over_channels(gamma, x) / spread),
        }

    def _spread(self, var: Array, x: Array) -> Array:
        return np.asarray(np.sqrt(over_channels(var, x) + self.eps))

    @and_sequences
    def forward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listings of mean and variance, where they are the mini-batch's, and the forward one."""
        if not self.training:
            return [self.forward_call(arrays)]
        statistics = [self._call("mean", arrays, "x"), self._call("var", arrays, "x", "mean")]
        return [*statistics, self.forward_call(arrays)]

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing for maps or for a column."""
        return self._call("y", arrays, "x", "gamma", "beta", "mean", "var")

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of β, γ and the input."""
        return [
            self._call("dbeta", arrays, "dy"),
            self._call("dgamma", arrays, "x", "mean", "var", "dy"),
            self._call("training_dx", arrays, "x", "gamma", "mean", "var", "dy", "dgamma", "dbeta")
            if self.training
            else self._call("dx", arrays, "gamma", "var", "dy"),
        ]

    def _call(self, result: str, arrays: Mapping[str, Array], *reads: str) -> Call:
        given: dict[str, Value] = {name: arrays[name] for name in reads}
        given |= {} if result in ("dbeta", "mean", "var") else {"eps": self.eps}
        given |= {"M": int(arrays["count"])} if result in ("mean", "var", "training_dx") else {}
        x, written = arrays["x"], result.removeprefix("training_")
        listing = self.listings[x.ndim][result]
        call = self.call(written, listing, given | sizes(x), {written: arrays[written]})
        return replace(call, kind=f"{self.kind}.{result}") if written != result else call

    listings: ClassVar[Mapping[int, Mapping[str, Listing]]] = {
        3: {
            "y": batch_norm,
            "dbeta": batch_norm_dbeta,
            "dgamma": batch_norm_dgamma,
            "dx": batch_norm_dx,
            "mean": batch_norm_mean,
            "var": batch_norm_var,
            "training_dx": batch_norm_training_dx,
        },
        1: {
            "y": batch_norm_column,
            "dbeta": batch_norm_column_dbeta,
            "dgamma": batch_norm_column_dgamma,
            "dx": batch_norm_column_dx,
            "mean": batch_norm_column_mean,
            "var": batch_norm_column_var,
            "training_dx": batch_norm_column_training_dx,
        },
    }


def _statistics(x: Array) -> tuple[Array, Array]:
    """Return mean and variance of each channel of a batch, over its samples and places."""
    rows = channels_of(x)
    mean = np.asarray(added(rows) / rows.shape[1])
    return mean, np.asarray(added((rows - mean[:, None]) ** 2) / rows.shape[1])
