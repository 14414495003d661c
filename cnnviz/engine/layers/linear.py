"""The fully connected layer: every neuron weighs every input."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, Literal

import numpy as np

from cnnviz.engine.layer import STATEMENT, Array, Call, Cost, Layer, Shape, Value, positive, require_column
from cnnviz.engine.product import added, product
from cnnviz.errors import ShapeError
from cnnviz.text import tr


class Linear(Layer):
    """Computes Z = Wᵀ X + b, with W of shape (inputs, neurons): column n of W belongs to neuron n.

    Parameters
    ----------
    in_features, neurons : int
        The lengths of X and of Z.
    init : str
        How large the weights are drawn: ``he`` (PyTorch's ``kaiming_normal_``), ``glorot`` (its
        ``xavier_normal_``), or ``small``, with a spread of 0.01.
    """

    kind = "linear"

    def __init__(self, in_features: int, neurons: int, init: Literal["he", "glorot", "small"] = "he") -> None:
        super().__init__()
        positive(self.name, "in_features", in_features)
        positive(self.name, "neurons", neurons)
        self.in_features, self.neurons, self.init = in_features, neurons, init

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """W and b."""
        return {"w": (self.in_features, self.neurons), "b": (self.neurons,)}

    def cost(self, shape: Shape) -> Cost:
        """Return one multiply-add for each weight, and as many for each of two gradients."""
        both = self.in_features + self.neurons
        return Cost(3 * both, 3 * self.in_features * self.neurons + both * STATEMENT)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the weights, as He et al. (2015) propose, or Glorot and Bengio (2010); the biases are 0."""
        shapes = self.parameter_shapes
        spread = {
            "he": sqrt(2 / self.in_features),
            "glorot": sqrt(2 / (self.in_features + self.neurons)),
            "small": 0.01,
        }[self.init]
        return {"w": rng.normal(0, spread, shapes["w"]), "b": np.zeros(shapes["b"])}

    def output_shape(self, shape: Shape) -> Shape:
        """Return (neurons,)."""
        found = require_column(self.name, shape)
        if found != self.in_features:
            raise ShapeError(
                tr(
                    "{layer}: its weights have shape {inputs} × {neurons} and take {inputs} inputs, "
                    "but {found} come in; set its in_features to {found}.",
                    layer=self.name,
                    inputs=self.in_features,
                    neurons=self.neurons,
                    found=found,
                )
            )
        return (self.neurons,)

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        """Compute Z of a batch (N, inputs) to (N, neurons)."""
        return product(x, w, b)

    def backward(self, dy: Array, x: Array, *, w: Array, needs_dx: bool = True, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂b = ∂E/∂y, ∂E/∂W = x ⊗ ∂E/∂y and ∂E/∂x = W ∂E/∂y."""
        gradients = {"db": added(dy.T), "dw": product(x.T, dy)}
        return gradients | {"dx": product(dy, w.T)} if needs_dx else gradients

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        given: dict[str, Value] = {"x": arrays["x"], "w": arrays["w"], "b": arrays["b"], **self._sizes()}
        return self.call("y", linear, given, {"y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias, weights and input."""
        dy, sizes = arrays["dy"], self._sizes()
        return [
            self.call("db", linear_db, {"dy": dy, "N_out": self.neurons}, {"db": arrays["db"]}),
            self.call("dw", linear_dw, {"x": arrays["x"], "dy": dy, **sizes}, {"dw": arrays["dw"]}),
            self.call("dx", linear_dx, {"w": arrays["w"], "dy": dy, **sizes}, {"dx": arrays["dx"]}),
        ]

    def _sizes(self) -> dict[str, int]:
        return {"N_out": self.neurons, "N_in": self.in_features}


# The listings, set as they are shown.
# fmt: off

def linear(x, w, b, y, N_out, N_in):
    for n in range(N_out):
        acc = b[n]
        for m in range(N_in):
            acc += w[m, n] * x[m]
        y[n] = acc


def linear_db(dy, db, N_out):
    for n in range(N_out):
        db[n] = dy[n]


def linear_dw(x, dy, dw, N_in, N_out):
    for m in range(N_in):
        for n in range(N_out):
            dw[m, n] = x[m] * dy[n]


def linear_dx(w, dy, dx, N_in, N_out):
    for m in range(N_in):
        acc = 0.0
        for n in range(N_out):
            acc += w[m, n] * dy[n]
        dx[m] = acc
