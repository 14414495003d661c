"""Layers that the program does not have, written as ARCHITECTURE.md says: maths and listings, nothing else.

Swish, y = x / (1 + e^(−γx)), with one γ for all (Ramachandran, Zoph and Le, "Searching for Activation
Functions", 2017), and what stands behind a normalisation: y = γ x + β, with a γ and a β for each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import exp

from cnnviz.engine.layer import Array, Call, Layer, Shape, require_maps

# fmt: off

def swish(x, gamma, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] / (1 + exp(-gamma[0] * x[c, i, j]))


def swish_dgamma(x, gamma, dy, dgamma, C, H, W):
    acc = 0.0
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = 1 / (1 + exp(-gamma[0] * x[c, i, j]))
                acc += dy[c, i, j] * x[c, i, j] ** 2 * s * (1 - s)
    dgamma[0] = acc


def swish_dx(x, gamma, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                s = 1 / (1 + exp(-gamma[0] * x[c, i, j]))
                dx[c, i, j] = dy[c, i, j] * (s + gamma[0] * x[c, i, j] * s * (1 - s))


def affine(x, gamma, beta, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = gamma[c] * x[c, i, j] + beta[c]


def affine_dgamma(x, dy, dgamma, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += dy[c, i, j] * x[c, i, j]
        dgamma[c] = acc


def affine_dbeta(dy, dbeta, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += dy[c, i, j]
        dbeta[c] = acc


def affine_dx(gamma, dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = gamma[c] * dy[c, i, j]

# fmt: on


class Swish(Layer):
    """y = x / (1 + e^(−γx))."""

    kind = "swish"

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        return {"gamma": (1,)}

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        return {"gamma": rng.uniform(0.5, 1.5, 1)}

    def output_shape(self, shape: Shape) -> Shape:
        return require_maps(self.name, shape)

    def forward(self, x: Array, gamma: Array) -> Array:
        return np.asarray(x / (1 + np.exp(-gamma[0] * x)))

    def backward(self, dy: Array, x: Array, *, gamma: Array, **_: Any) -> dict[str, Array]:
        s = 1 / (1 + np.exp(-gamma[0] * x))
        return {
            "dgamma": np.array([(dy * x**2 * s * (1 - s)).sum()]),
            "dx": dy * (s + gamma[0] * x * s * (1 - s)),
        }

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        given = {"x": arrays["x"], "gamma": arrays["gamma"], **_sizes(arrays["x"])}
        return self.call("y", swish, given, {"y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        given = {name: arrays[name] for name in ("x", "gamma", "dy")} | _sizes(arrays["x"])
        return [
            self.call("dgamma", swish_dgamma, given, {"dgamma": arrays["dgamma"]}),
            self.call("dx", swish_dx, given, {"dx": arrays["dx"]}),
        ]


class Affine(Layer):
    """y = γ x + β, with a γ and a β for each channel."""

    kind = "affine"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        return {"gamma": (self.channels,), "beta": (self.channels,)}

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        return {"gamma": rng.uniform(0.5, 1.5, self.channels), "beta": rng.normal(size=self.channels)}

    def output_shape(self, shape: Shape) -> Shape:
        return require_maps(self.name, shape)

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        return np.asarray(gamma[:, None, None] * x + beta[:, None, None])

    def backward(self, dy: Array, x: Array, *, gamma: Array, **_: Any) -> dict[str, Array]:
        sums = {"dgamma": (dy * x).sum((0, 2, 3)), "dbeta": dy.sum((0, 2, 3))}
        return sums | {"dx": dy * gamma[:, None, None]}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        given = {name: arrays[name] for name in ("x", "gamma", "beta")} | _sizes(arrays["x"])
        return self.call("y", affine, given, {"y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        x, dy, sizes = arrays["x"], arrays["dy"], _sizes(arrays["x"])
        return [
            self.call("dbeta", affine_dbeta, {"dy": dy, **sizes}, {"dbeta": arrays["dbeta"]}),
            self.call("dgamma", affine_dgamma, {"x": x, "dy": dy, **sizes}, {"dgamma": arrays["dgamma"]}),
            self.call("dx", affine_dx, {"gamma": arrays["gamma"], "dy": dy, **sizes}, {"dx": arrays["dx"]}),
        ]


def _sizes(x: Array) -> dict[str, int]:
    return dict(zip(("C", "H", "W"), x.shape, strict=True))
