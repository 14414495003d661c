"""Group norm: groups of channels, each moved to the mean 0 and scaled to the variance 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import sqrt
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Call, Layer, Shape, Value, require_maps, require_sequence
from cnnviz.engine.layers.normalising import (
    channels_of,
    input_gradient,
    normalised,
    over_channels,
    require_channels,
    statistics,
)
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

# The listings, set as they are shown.
# fmt: off

def group_norm(x, gamma, beta, mean, var, y, eps, G, D, H, W):
    for g in range(G):
        total = 0.0
        for d in range(D):
            for i in range(H):
                for j in range(W):
                    total += x[g*D+d, i, j]
        mean[g] = total / (D * H * W)
        squares = 0.0
        for d in range(D):
            for i in range(H):
                for j in range(W):
                    squares += (x[g*D+d, i, j] - mean[g]) ** 2
        var[g] = squares / (D * H * W)
        for d in range(D):
            for i in range(H):
                for j in range(W):
                    s = (x[g*D+d, i, j] - mean[g]) / sqrt(var[g] + eps)
                    y[g*D+d, i, j] = gamma[g*D+d] * s + beta[g*D+d]


def group_norm_dbeta(dy, dbeta, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += dy[c, i, j]
        dbeta[c] = acc


def group_norm_dgamma(x, mean, var, dy, dgamma, eps, G, D, H, W):
    for g in range(G):
        for d in range(D):
            acc = 0.0
            for i in range(H):
                for j in range(W):
                    acc += dy[g*D+d, i, j] * (x[g*D+d, i, j] - mean[g]) / sqrt(var[g] + eps)
            dgamma[g*D+d] = acc


def group_norm_dx(x, gamma, mean, var, dy, dx, eps, G, D, H, W):
    for g in range(G):
        a = 0.0
        b = 0.0
        for d in range(D):
            for i in range(H):
                for j in range(W):
                    a += dy[g*D+d, i, j] * gamma[g*D+d]
                    b += dy[g*D+d, i, j] * gamma[g*D+d] * (x[g*D+d, i, j] - mean[g])
        for d in range(D):
            for i in range(H):
                for j in range(W):
                    s = (x[g*D+d, i, j] - mean[g]) / (var[g] + eps)
                    p = dy[g*D+d, i, j] * gamma[g*D+d] - (a + s * b) / (D * H * W)
                    dx[g*D+d, i, j] = p / sqrt(var[g] + eps)

# fmt: on


class GroupNorm(Layer):
    """Group norm: y = γ (x − mean) / √(var + ε) + β, over each group of channels.

    Each channel has a γ and a β of its own. With one group it is over all channels; with as many groups as
    channels, instance norm.
    Source: Wu and He, "Group Normalization" (2018).

    Parameters
    ----------
    num_groups : int
        How many groups of equal size.
    num_channels : int
        How many channels the maps have.
    eps : float
        ε, which keeps the root away from 0.
    """

    kind = "group_norm"
    auxiliary_names = ("mean", "var")

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A γ and a β for each channel."""
        return dict.fromkeys(("gamma", "beta"), (self.num_channels,))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return what changes nothing: γ 1 and β 0."""
        return {"gamma": np.ones(self.num_channels), "beta": np.zeros(self.num_channels)}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        (require_sequence if len(shape) == 2 else require_maps)(self.name, shape)
        found = require_channels(self.name, shape, "num_channels", self.num_channels)
        if self.num_channels % self.num_groups:
            raise CnnvizError(
                tr(
                    "{layer}: {channels} channels do not make {groups} groups of equal size; "
                    "set num_groups to a number that divides {channels}.",
                    layer=self.name,
                    channels=self.num_channels,
                    groups=self.num_groups,
                )
            )
        return found

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        """Normalise each group of each sample of a batch."""
        mean, var = statistics(x, self.num_groups)
        scaled = over_channels(gamma, x) * normalised(x, mean, var, self.eps)
        return np.asarray(scaled + over_channels(beta, x))

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return mean and variance of each group."""
        return dict(zip(self.auxiliary_names, statistics(x, self.num_groups), strict=True))

    def backward(
        self, dy: Array, x: Array, *, gamma: Array, mean: Array, var: Array, **_: Any
    ) -> dict[str, Array]:
        """Return ∂E/∂x, ∂E/∂γ and ∂E/∂β; every number moves mean and variance of its group."""
        centre, spread = (
            np.repeat(part, self._size, axis=1).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
            for part in (mean, var)
        )
        pushed = dy * (x - centre) / np.sqrt(spread + self.eps)
        return {
            "dbeta": added(channels_of(dy)),
            "dgamma": added(channels_of(pushed)),
            "dx": input_gradient(dy * over_channels(gamma, x), x, mean, var, self.eps),
        }

    @property
    def _size(self) -> int:
        return self.num_channels // self.num_groups

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        given = {**_some(arrays, "x", "gamma", "beta"), "eps": self.eps, **self._sizes(arrays)}
        return self.call("y", group_norm, given, {name: arrays[name] for name in ("mean", "var", "y")})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of β, γ and the input."""
        sizes = self._sizes(arrays)
        places = {"C": self.num_channels, "H": sizes["H"], "W": sizes["W"]}
        dgamma = {**_some(arrays, "x", "mean", "var", "dy"), "eps": self.eps, **sizes}
        dx = {**_some(arrays, "x", "gamma", "mean", "var", "dy"), "eps": self.eps, **sizes}
        return [
            self.call("dbeta", group_norm_dbeta, {"dy": arrays["dy"], **places}, {"dbeta": arrays["dbeta"]}),
            self.call("dgamma", group_norm_dgamma, dgamma, {"dgamma": arrays["dgamma"]}),
            self.call("dx", group_norm_dx, dx, {"dx": arrays["dx"]}),
        ]

    def _sizes(self, arrays: Mapping[str, Array]) -> dict[str, int]:
        _, height, width = arrays["x"].shape
        return {"G": self.num_groups, "D": self._size, "H": height, "W": width}


def _some(arrays: Mapping[str, Array], *names: str) -> dict[str, Value]:
    return {name: arrays[name] for name in names}
