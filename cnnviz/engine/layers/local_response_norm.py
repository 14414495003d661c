"""Local response norm: each number divided by how strong its neighbours among the channels are."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import (
    STATEMENT,
    Array,
    Call,
    Cost,
    Layer,
    Shape,
    Value,
    positive,
    require_maps,
    require_sequence,
    sizes,
)
from cnnviz.engine.sequences import and_sequences

# The listings, set as they are shown.
# fmt: off

def local_response_norm(x, s, y, alpha, beta, k, size, P, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                acc = 0.0
                for u in range(size):
                    acc += x[c+u-P, i, j] ** 2 if c+u >= P and c+u < C+P else 0.0
                s[c, i, j] = k + alpha * acc / size
                y[c, i, j] = x[c, i, j] / s[c, i, j] ** beta


def local_response_norm_dx(x, s, y, dy, dx, alpha, beta, size, P, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                r = 2 * alpha * beta * x[c, i, j] / size
                a = 0.0
                for u in range(size):
                    a += dy[c+u-P, i, j] * y[c+u-P, i, j] / s[c+u-P, i, j] if c+u >= P and c+u < C+P else 0.0
                dx[c, i, j] = dy[c, i, j] / s[c, i, j] ** beta - r * a

# fmt: on


class LocalResponseNorm(Layer):
    """Local response norm: y = x / sᵝ with s = k + α / size · Σ x², over the channels nearby; PyTorch's.

    The window of a channel begins ⌊size / 2⌋ channels before it; those that do not exist count as 0.
    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks" (2012), section 3.3, where α is not divided by the size.

    Parameters
    ----------
    size : int
        How many channels a window has.
    alpha, beta, k : float
        α, β and k.
    """

    kind = "local_response_norm"
    auxiliary_names = ("s",)

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        positive(self.name, "size", size)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return (require_sequence if len(shape) == 2 else require_maps)(self.name, shape)

    def cost(self, shape: Shape) -> Cost:
        """Return a pass over all numbers for each channel of a window, forward and back, and two powers."""
        count = prod(shape)
        return Cost(5 * count, self.size * (4 * count + 4 * STATEMENT) + 30 * count)

    def forward(self, x: Array) -> Array:
        """Normalise a batch, (N, C, H, W) or (N, C, L)."""
        return np.asarray(x / self._scale(x) ** self.beta)

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return what each number is divided by, before it is raised to β."""
        return {"s": self._scale(x)}

    def backward(self, dy: Array, x: Array, *, y: Array, s: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: its own, less what each number did to those whose windows it lies in."""
        pushed = self._summed(dy * y / s, self._behind)
        share = 2 * self.alpha * self.beta * x / self.size
        return {"dx": np.asarray(dy / s**self.beta - share * pushed)}

    @property
    def _before(self) -> int:
        """How many channels of a window lie before its own."""
        return self.size // 2

    @property
    def _behind(self) -> int:
        """How many lie behind it: so many lie before a channel whose windows reach it."""
        return self.size - 1 - self.size // 2

    def _scale(self, x: Array) -> Array:
        return np.asarray(self.k + self.alpha * self._summed(x**2, self._before) / self.size)

    def _summed(self, values: Array, before: int) -> Array:
        """Return the sums over each channel's window, of which some lie before it, added up in order."""
        total, count = np.zeros_like(values), values.shape[1]
        for shift in range(max(-before, -count), min(self.size - before, count)):
            first, last = max(0, -shift), min(count, count - shift)
            total[:, first:last] += values[:, first + shift : last + shift]
        return total

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes what is divided by, too."""
        given = {"x": arrays["x"], **self._numbers("alpha", "beta", "k", "size")}
        given |= {"P": self._before, **sizes(arrays["x"])}
        return self.call("y", local_response_norm, given, {name: arrays[name] for name in ("s", "y")})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradient of the input."""
        given: dict[str, Value] = {name: arrays[name] for name in ("x", "s", "y", "dy")}
        given |= {**self._numbers("alpha", "beta", "size"), "P": self._behind, **sizes(arrays["x"])}
        return [self.call("dx", local_response_norm_dx, given, {"dx": arrays["dx"]})]

    def _numbers(self, *names: str) -> dict[str, Value]:
        return {name: getattr(self, name) for name in names}
