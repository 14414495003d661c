"""Batch norm with fixed statistics: each channel moved and scaled, as a trained network is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec.structs import replace
from numpy import sqrt

from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, Value, sizes
from cnnviz.engine.layers.normalising import channels_of, over_channels, require_channels
from cnnviz.engine.product import added

# The listings, set as they are shown.
# fmt: off

def batch_norm(x, gamma, beta, mean, var, y, eps, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = gamma[c] * (x[c, i, j] - mean[c]) / sqrt(var[c] + eps) + beta[c]


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


def batch_norm_column(x, gamma, beta, mean, var, y, eps, N):
    for n in range(N):
        y[n] = gamma[n] * (x[n] - mean[n]) / sqrt(var[n] + eps) + beta[n]


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
    """Batch norm with fixed statistics: y = γ (x − mean) / √(var + ε) + β, for each channel.

    Mean and variance are what training has left of many mini-batches: PyTorch's ``running_mean`` and
    ``running_var``, in ``eval`` mode. No gradient goes to them, and no update moves them.
    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift" (2015).

    Parameters
    ----------
    num_features : int
        How many channels the maps have, or how many numbers the column.
    eps : float
        ε, which keeps the root away from 0.
    """

    kind = "batch_norm"
    buffer_names = ("mean", "var")

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A number for each channel."""
        return dict.fromkeys(("gamma", "beta", "mean", "var"), (self.num_features,))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return what changes nothing: γ and the variance 1, β and the mean 0."""
        one, zero = np.ones(self.num_features), np.zeros(self.num_features)
        return {"gamma": one, "beta": zero, "mean": zero.copy(), "var": one.copy()}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_channels(self.name, shape, "num_features", self.num_features)

    def forward(self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Array:
        """Move and scale each channel of a batch."""
        with np.errstate(all="ignore"):
            moved = over_channels(gamma, x) * (x - over_channels(mean, x))
            return np.asarray(moved / self._spread(var, x) + over_channels(beta, x))

    def backward(
        self, dy: Array, x: Array, *, gamma: Array, mean: Array, var: Array, **_: Any
    ) -> dict[str, Array]:
        """Return ∂E/∂x, ∂E/∂γ and ∂E/∂β."""
        with np.errstate(all="ignore"):
            spread = self._spread(var, x)
            return {
                "dbeta": added(channels_of(dy)),
                "dgamma": added(channels_of(dy * (x - over_channels(mean, x)) / spread)),
                "dx": np.asarray(dy * over_channels(gamma, x) / spread),
            }

    def _spread(self, var: Array, x: Array) -> Array:
        return np.asarray(np.sqrt(over_channels(var, x) + self.eps))

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing for maps or for a column."""
        return self._call("y", arrays, "x", "gamma", "beta", "mean", "var")

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of β, γ and the input."""
        return [
            self._call("dbeta", arrays, "dy"),
            self._call("dgamma", arrays, "x", "mean", "var", "dy"),
            self._call("dx", arrays, "gamma", "var", "dy"),
        ]

    def _call(self, result: str, arrays: Mapping[str, Array], *reads: str) -> Call:
        given: dict[str, Value] = {name: arrays[name] for name in reads}
        given |= {} if result == "dbeta" else {"eps": self.eps}
        x = arrays["x"]
        listing = self.listings[x.ndim][result]
        call = self.call(result, listing, given | sizes(x), {result: arrays[result]})
        return replace(call, kind=f"{call.kind}.maps") if x.ndim == 3 else call

    listings: ClassVar[Mapping[int, Mapping[str, Listing]]] = {
        3: {
            "y": batch_norm,
            "dbeta": batch_norm_dbeta,
            "dgamma": batch_norm_dgamma,
            "dx": batch_norm_dx,
        },
        1: {
            "y": batch_norm_column,
            "dbeta": batch_norm_column_dbeta,
            "dgamma": batch_norm_column_dgamma,
            "dx": batch_norm_column_dx,
        },
    }
