"""Flatten: maps, or sequences, become one column, channel after channel, row after row."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from cnnviz.engine.layer import Array, Call, Layer, Shape, require_maps, require_sequence, sizes
from cnnviz.engine.sequences import and_sequences


class Flatten(Layer):
    """Writes maps (C, H, W) as one column: y[(c·H + i)·W + j] = x[c, i, j].

    Of sequences (C, L) it is y[c·L + i] = x[c, i].
    """

    kind = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C · H · W,), or (C · L,)."""
        return (prod((require_sequence if len(shape) == 2 else require_maps)(self.name, shape)),)

    def forward(self, x: Array) -> Array:
        """Reshape a batch (N, C, H, W) to (N, C · H · W)."""
        return x.reshape(len(x), -1)

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Reshape ∂E/∂y back to maps."""
        return {"dx": dy.reshape(x.shape)}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x = arrays["x"]
        return self.call("y", flatten, {"x": x, **sizes(x)}, {"y": arrays["y"]})

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that puts each gradient back in its place."""
        return [self.call("dx", flatten_dx, {"dy": arrays["dy"], **sizes(arrays["x"])}, {"dx": arrays["dx"]})]


# The listings, set as they are shown.
# fmt: off

def flatten(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[(c*H + i)*W + j] = x[c, i, j]


def flatten_dx(dy, dx, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                dx[c, i, j] = dy[(c*H + i)*W + j]
