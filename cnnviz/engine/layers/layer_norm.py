"""Layer norm: all numbers of a sample moved to the mean 0 and scaled to the variance 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy import sqrt
from numpy.typing import NDArray

from cnnviz.engine.layer import (
    Array,
    Call,
    Layer,
    Listing,
    Shape,
    Value,
    require_known,
    shape_text,
    sizes,
)
from cnnviz.engine.layers.normalising import input_gradient, normalised, statistics
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences
from cnnviz.errors import ShapeError
from cnnviz.text import tr

# The listings, set as they are shown.
# fmt: off

def layer_norm(x, gamma, beta, mean, var, y, eps, C, H, W):
    total = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                total += x[c, i, j]
    mean[0] = total / (C * H * W)
    squares = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                squares += (x[c, i, j] - mean[0]) ** 2
    var[0] = squares / (C * H * W)
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = (x[c, i, j] - mean[0]) / sqrt(var[0] + eps)
                y[c, i, j] = gamma[c, i, j] * s + beta[c, i, j]


def layer_norm_dbeta(dy, dbeta, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dbeta[c, i, j] = dy[c, i, j]


def layer_norm_dgamma(x, mean, var, dy, dgamma, eps, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dgamma[c, i, j] = dy[c, i, j] * (x[c, i, j] - mean[0]) / sqrt(var[0] + eps)


def layer_norm_dx(x, gamma, mean, var, dy, dx, eps, C, H, W):
    a = 0.0
    b = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                a += dy[c, i, j] * gamma[c, i, j]
                b += dy[c, i, j] * gamma[c, i, j] * (x[c, i, j] - mean[0])
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = (x[c, i, j] - mean[0]) / (var[0] + eps)
                g = dy[c, i, j] * gamma[c, i, j] - (a + s * b) / (C * H * W)
                dx[c, i, j] = g / sqrt(var[0] + eps)


def layer_norm_column(x, gamma, beta, mean, var, y, eps, N):
    total = 0.0
    for n in range(N):
        total += x[n]
    mean[0] = total / N
    squares = 0.0
    for n in range(N):
        squares += (x[n] - mean[0]) ** 2
    var[0] = squares / N
    for n in range(N):
        s = (x[n] - mean[0]) / sqrt(var[0] + eps)
        y[n] = gamma[n] * s + beta[n]


def layer_norm_column_dbeta(dy, dbeta, N):
    for n in range(N):
        dbeta[n] = dy[n]


def layer_norm_column_dgamma(x, mean, var, dy, dgamma, eps, N):
    for n in range(N):
        dgamma[n] = dy[n] * (x[n] - mean[0]) / sqrt(var[0] + eps)


def layer_norm_column_dx(x, gamma, mean, var, dy, dx, eps, N):
    a = 0.0
    b = 0.0
    for n in range(N):
        a += dy[n] * gamma[n]
        b += dy[n] * gamma[n] * (x[n] - mean[0])
    for n in range(N):
        s = (x[n] - mean[0]) / (var[0] + eps)
        g = dy[n] * gamma[n] - (a + s * b) / N
        dx[n] = g / sqrt(var[0] + eps)

# fmt: on


class LayerNorm(Layer):
    """Layer norm: y = γ (x − mean) / √(var + ε) + β, over all numbers of a sample, each with its own γ and β.

    Source: Ba, Kiros and Hinton, "Layer Normalization" (2016).

    Parameters
    ----------
    normalized_shape : tuple[int, ...]
        The shape of a sample: (channels, height, width), or (numbers,).
    eps : float
        ε, which keeps the root away from 0.
    """

    kind = "layer_norm"
    auxiliary_names = ("mean", "var")

    def __init__(self, normalized_shape: tuple[int, ...], eps: float = 1e-5) -> None:
        super().__init__()
        self.normalized_shape, self.eps = tuple(normalized_shape), eps

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A γ and a β for each number."""
        return dict.fromkeys(("gamma", "beta"), self.normalized_shape)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return what changes nothing: γ 1 and β 0."""
        return {"gamma": np.ones(self.normalized_shape), "beta": np.zeros(self.normalized_shape)}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        found = require_known(self.name, shape)
        if found != self.normalized_shape:
            raise ShapeError(
                tr(
                    "{layer}: it normalises {own}, but {found} comes in; set its normalized_shape to that.",
                    layer=self.name,
                    own=shape_text(self.normalized_shape),
                    found=shape_text(found),
                )
            )
        return found

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        """Normalise each sample of a batch."""
        mean, var = statistics(x, 1)
        return np.asarray(gamma * normalised(x, mean, var, self.eps) + beta)

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return mean and variance of each sample."""
        return dict(zip(self.auxiliary_names, statistics(x, 1), strict=True))

    def backward(
        self, dy: Array, x: Array, *, gamma: Array, mean: Array, var: Array, **_: Any
    ) -> dict[str, Array]:
        """Return ∂E/∂x, ∂E/∂γ and ∂E/∂β; every number moves mean and variance."""
        own = self.normalized_shape
        each = len(x), *(1,) * len(own)
        pushed = dy * (x - mean.reshape(each)) / np.sqrt(var.reshape(each) + self.eps)
        return {
            "dbeta": added(dy.reshape(len(dy), -1).T).reshape(own),
            "dgamma": added(pushed.reshape(len(dy), -1).T).reshape(own),
            "dx": input_gradient(dy * gamma, x, mean, var, self.eps),
        }

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing for maps or for a column."""
        return self._call("y", arrays, "x", "gamma", "beta")

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of β, γ and the input."""
        return [
            self._call("dbeta", arrays, "dy"),
            self._call("dgamma", arrays, "x", "mean", "var", "dy"),
            self._call("dx", arrays, "x", "gamma", "mean", "var", "dy"),
        ]

    def _call(self, result: str, arrays: Mapping[str, Array], *reads: str) -> Call:
        given: dict[str, Value] = {name: arrays[name] for name in reads}
        given |= {} if result == "dbeta" else {"eps": self.eps}
        written = (*self.auxiliary_names, "y") if result == "y" else (result,)
        x = arrays["x"]
        listing = self.listings[x.ndim][result]
        return self.call(result, listing, given | sizes(x), {name: arrays[name] for name in written})

    listings: ClassVar[Mapping[int, Mapping[str, Listing]]] = {
        3: {
            "y": layer_norm,
            "dbeta": layer_norm_dbeta,
            "dgamma": layer_norm_dgamma,
            "dx": layer_norm_dx,
        },
        1: {
            "y": layer_norm_column,
            "dbeta": layer_norm_column_dbeta,
            "dgamma": layer_norm_column_dgamma,
            "dx": layer_norm_column_dx,
        },
    }
