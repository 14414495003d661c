"""Dropout: in training, numbers chosen by lot become 0, and those that are kept are made larger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Array, Call, Layer, Shape, Value, require_known, sizes
from cnnviz.engine.sequences import and_sequences

# The listings, set as they are shown.
# fmt: off

def dropout(x, mask, y, p, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j] * mask[c, i, j] / (1 - p)


def dropout_dx(mask, dy, dx, p, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[c, i, j] * mask[c, i, j] / (1 - p)


def dropout_column(x, mask, y, p, N):
    for n in range(N):
        y[n] = x[n] * mask[n] / (1 - p)


def dropout_column_dx(mask, dy, dx, p, N):
    for n in range(N):
        dx[n] = dy[n] * mask[n] / (1 - p)


def dropout_off(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, i, j] = x[c, i, j]


def dropout_off_column(x, y, N):
    for n in range(N):
        y[n] = x[n]

# fmt: on


class Dropout(Layer):
    """Multiplies by a mask of zeros and ones, and divides by 1 − p; outside training it changes nothing.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014), in
    PyTorch's form.

    Parameters
    ----------
    p : float
        How likely each number becomes 0.
    seed : int
        What the masks are drawn from: with each iteration, and for each layer, another one.
    channels : bool
        Whether whole channels are dropped, as PyTorch's Dropout2d does, in place of single numbers.
    """

    kind = "dropout"
    drawn_names = ("mask",)

    def __init__(self, p: float = 0.5, seed: int = 0, channels: bool = False) -> None:
        super().__init__()
        self.p, self.seed, self.channels = p, seed, channels

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_known(self.name, shape)

    def drawn(self, shape: Shape, iteration: int) -> dict[str, Array]:
        """Return the mask of an iteration: 1 for what is kept, of a batch of inputs of a shape."""
        rng = np.random.default_rng([self.seed, crc32(self.name.encode()), iteration])
        drawn = (*shape[:2], *(1 for _ in shape[2:])) if self.channels else shape
        return {"mask": np.array(np.broadcast_to(rng.random(drawn) >= self.p, shape), float)}

    def forward(self, x: Array, mask: Array | None = None) -> Array:
        """Let through what a mask keeps; without one, everything."""
        return x if mask is None else np.asarray(x * mask / (1 - self.p), x.dtype)

    def backward(self, dy: Array, *_: Array, mask: Array | None = None, **__: Any) -> dict[str, Array]:
        """Return ∂E/∂x, which the same mask lets through."""
        return {"dx": dy if mask is None else np.asarray(dy * mask / (1 - self.p), dy.dtype)}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing for maps or for a column; without a mask that which copies."""
        x, is_maps = arrays["x"], arrays["x"].ndim == 3
        if "mask" not in arrays:
            listing = dropout_off if is_maps else dropout_off_column
            off = self.call("y", listing, {"x": x, **sizes(x)}, {"y": arrays["y"]})
            return replace(off, kind=f"{self.kind}.off")
        given: dict[str, Value] = {"x": x, "mask": arrays["mask"], "p": self.p, **sizes(x)}
        return self.call("y", dropout if is_maps else dropout_column, given, {"y": arrays["y"]})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing for maps or for a column."""
        dy = arrays["dy"]
        given: dict[str, Value] = {"mask": arrays["mask"], "dy": dy, "p": self.p, **sizes(dy)}
        listing = dropout_dx if dy.ndim == 3 else dropout_column_dx
        return [self.call("dx", listing, given, {"dx": arrays["dx"]})]
