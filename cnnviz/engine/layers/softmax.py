"""Softmax: scores become probabilities that sum to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy import exp
from numpy.typing import NDArray

from cnnviz.engine.generated import variant
from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, require_known, shape_text, sizes
from cnnviz.engine.product import added
from cnnviz.engine.sequences import and_sequences
from cnnviz.errors import ShapeError
from cnnviz.text import tr


class OverAxis(Layer):
    """What is computed over one axis, at each place of the others by itself.

    Parameters
    ----------
    dim : int
        The axis, as PyTorch counts them: 1 is that of channels, or of a column's numbers, 2 and 3 those of
        rows and columns; 0 would be that of the samples.
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        found = require_known(self.name, shape)
        if not 1 <= self.dim <= len(found):
            raise ShapeError(
                tr(
                    "{layer}: dim is {dim}, but its input of shape {shape} has the axes 1 to {last}; 0 is "
                    "that of the samples.",
                    layer=self.name,
                    dim=self.dim,
                    shape=shape_text(found),
                    last=len(found),
                )
            )
        return found

    def in_front(self, *batches: Array) -> list[Array]:
        """Return batches with that axis behind that of the samples."""
        return [batch if self.dim == 1 else np.moveaxis(batch, self.dim, 1) for batch in batches]

    def back(self, batch: Array) -> Array:
        """Return a batch with that axis where it was."""
        return batch if self.dim == 1 else np.ascontiguousarray(np.moveaxis(batch, 1, self.dim))

    def axis_call(
        self,
        result: str,
        listings: tuple[Listing, Listing],
        given: Mapping[str, Array],
        writes: Mapping[str, Array],
    ) -> Call:
        """Return a call of a listing for a column, or of that for maps, over the channels or another axis."""
        listing = _over(listings[writes[result].ndim == 3], self.dim)
        call = self.call(result, listing, {**given, **sizes(writes[result])}, writes)
        return call if self.dim == 1 else replace(call, kind=f"{call.kind}.dim{self.dim}")


def _over(listing: Listing, axis: int) -> Listing:
    """Return a listing that goes over the channels of maps as one that goes over their rows or columns."""
    if axis == 1:
        return listing
    over, size, first = (("i", "H", "c, 0, j"), ("j", "W", "c, i, 0"))[axis - 2]
    outer = {"i": "for j in range(W)", "j": "for i in range(H)"}[over]
    loops = "    for i in range(H):\n        for j in range(W):"
    return variant(
        listing,
        {
            "            for c in range(C)": f"            for {over} in range({size})",
            f"{loops}\n": f"    for c in range(C):\n        {outer}:\n",
            "0, i, j": first,
        },
    )


class Softmax(OverAxis):
    """Computes y[n] = eˣⁿ / Σ eˣ, with the largest score taken off first so that nothing overflows.

    Of maps, it is computed over the channels, at each place by itself, or over another axis. The gradient is
    dx[n] = y[n] (dy[n] − Σ dy · y). Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016),
    sections 4.1 and 6.2.
    """

    kind = "softmax"
    auxiliary_names = ("e",)

    def forward(self, x: Array) -> Array:
        """Turn a batch of scores (N, classes) or (N, classes, height, width) into probabilities."""
        (x,) = self.in_front(x)
        e = _exponentials(x)
        return self.back(e / added(e)[:, None])

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return the exponentials, not yet divided by their sum."""
        (x,) = self.in_front(x)
        return {"e": self.back(_exponentials(x))}

    def backward(self, dy: Array, *_: Array, y: Array, **__: Any) -> dict[str, Array]:
        """Return ∂E/∂x; every score moves every probability."""
        dy, y = self.in_front(dy, y)
        return {"dx": self.back(y * (dy - added(dy * y)[:, None]))}

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the exponentials and the probabilities."""
        writes = {name: arrays[name] for name in ("e", "y")}
        return self.axis_call("y", (softmax, softmax_maps), {"x": arrays["x"]}, writes)

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing."""
        given = {name: arrays[name] for name in ("y", "dy")}
        return [self.axis_call("dx", (softmax_dx, softmax_maps_dx), given, {"dx": arrays["dx"]})]


def _exponentials(x: Array) -> Array:
    """Return eˣ of each sample, with its largest number, at each place, taken off first."""
    return np.asarray(np.exp(x - largest(x)[:, None]))


def largest(x: Array) -> Array:
    """Return the largest number of each sample, at each place, as Python's max finds it.

    That goes past NaN, unless it is the first.
    """
    return np.where(np.isnan(x[:, 0]), x[:, 0], np.fmax.reduce(x, axis=1))


# The listings, set as they are shown.
# fmt: off

def softmax(x, e, y, N):
    m = x[0]
    for n in range(N):
        m = max(m, x[n])
    total = 0.0
    for n in range(N):
        e[n] = exp(x[n] - m)
        total += e[n]
    for n in range(N):
        y[n] = e[n] / total


def softmax_dx(y, dy, dx, N):
    dot = 0.0
    for n in range(N):
        dot += dy[n] * y[n]
    for n in range(N):
        dx[n] = y[n] * (dy[n] - dot)


def softmax_maps(x, e, y, C, H, W):
    for i in range(H):
        for j in range(W):
            m = x[0, i, j]
            for c in range(C):
                m = max(m, x[c, i, j])
            total = 0.0
            for c in range(C):
                e[c, i, j] = exp(x[c, i, j] - m)
                total += e[c, i, j]
            for c in range(C):
                y[c, i, j] = e[c, i, j] / total


def softmax_maps_dx(y, dy, dx, C, H, W):
    for i in range(H):
        for j in range(W):
            dot = 0.0
            for c in range(C):
                dot += dy[c, i, j] * y[c, i, j]
            for c in range(C):
                dx[c, i, j] = y[c, i, j] * (dy[c, i, j] - dot)
