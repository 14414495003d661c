"""Reshape: the same numbers in the same order, in another shape."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from cnnviz.engine.generated import compiled
from cnnviz.engine.layer import SIZES, Array, Call, Layer, Shape, require_known, shape_text
from cnnviz.errors import ShapeError
from cnnviz.text import tr


class Reshape(Layer):
    """Gives each sample another shape; its numbers keep their order, the last axis being the quickest.

    PyTorch's ``reshape`` behind the axis of samples, and its ``nn.Unflatten(1, shape)`` of a column.

    Parameters
    ----------
    shape : tuple of int
        Of one sample: (channels, height, width), (channels, length), or (numbers,). One of them may be −1;
        it is what is left.
    """

    kind = "reshape"

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape, with the size that was left open."""
        count = prod(require_known(self.name, shape))
        known = prod(size for size in self.shape if size != -1)
        made = tuple(count // max(known, 1) if size == -1 else size for size in self.shape)
        if len(made) not in SIZES or min(self.shape) < -1 or self.shape.count(-1) > 1 or prod(made) != count:
            raise ShapeError(
                tr(
                    "{layer}: {shape} holds {count} numbers, which do not make {wanted}; give one column, "
                    "(channels, length) or (channels, height, width) of as many numbers.",
                    layer=self.name,
                    shape=shape_text(shape),
                    count=count,
                    wanted=shape_text(self.shape),
                )
            )
        return made

    def forward(self, x: Array) -> Array:
        """Reshape a batch."""
        return x.reshape(len(x), *self.output_shape(x.shape[1:]))

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Reshape ∂E/∂y back."""
        return {"dx": dy.reshape(x.shape)}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        return self._call(
            "y", "x", f"y[{_place(arrays['y'], 'P', 'Q')}] = x[{_place(arrays['x'], 'H', 'W')}]", arrays
        )

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that gives each gradient its place in the input's shape."""
        line = f"dx[{_place(arrays['dx'], 'H', 'W')}] = dy[{_place(arrays['dy'], 'P', 'Q')}]"
        return [self._call("dx", "dy", line, arrays)]

    def _call(self, result: str, source: str, line: str, arrays: Mapping[str, Array]) -> Call:
        x, y = arrays["x"].shape, arrays["y"].shape
        sizes = {"K": prod(x), **_named(x, "HW"), **_named(y, "PQ")}
        name = "reshape" if result == "y" else f"reshape_{result}"
        head = f"def {name}({', '.join((source, result, *sizes))}):"
        listing = compiled("two shapes", f"{head}\n    for k in range(K):\n        {line}\n")
        return self.call(result, listing, {source: arrays[source], **sizes}, {result: arrays[result]})


def _place(array: Array, high: str, wide: str) -> str:
    """Return where the k-th number of an array stands, given what its height and width are called."""
    if array.ndim == 2:
        return f"k // {wide}, k % {wide}"
    return f"k // {wide} // {high}, k // {wide} % {high}, k % {wide}" if array.ndim == 3 else "k"


def _named(shape: Shape, letters: str) -> dict[str, int]:
    """Return what height and width of maps are called, or the length of sequences: as a width."""
    return dict(zip(letters[3 - len(shape) :], shape[1:], strict=False))
