"""Permute: the axes of maps in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnviz.engine.generated import compiled
from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, require_maps, sizes
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

_LOOPS = {"c": "C", "i": "H", "j": "W"}


class Permute(Layer):
    """Puts the axes of maps in another order: y[i, j, c] = x[c, i, j] for dims (0, 2, 3, 1).

    PyTorch's ``permute``.

    Parameters
    ----------
    dims : (int, int, int, int)
        Which axis of the input each axis of the output is. As in PyTorch, the first axis, 0, is that of the
        samples, and stays in its place.
    """

    kind = "permute"

    def __init__(self, dims: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.dims = dims

    def output_shape(self, shape: Shape) -> Shape:
        """Return the sizes in their new order."""
        require_maps(self.name, shape)
        if self.dims[0] != 0 or sorted(self.dims) != [0, 1, 2, 3]:
            raise CnnvizError(
                tr(
                    "{layer}: dims are {dims}; give 0, which is the axis of samples, and then 1, 2 and 3 in "
                    "any order.",
                    layer=self.name,
                    dims=list(self.dims),
                )
            )
        first, second, third = (shape[axis - 1] for axis in self.dims[1:])
        return first, second, third

    def forward(self, x: Array) -> Array:
        """Permute the axes of a batch."""
        return x.transpose(self.dims)

    def backward(self, dy: Array, *_: Array, **__: Any) -> dict[str, Array]:
        """Put the axes of ∂E/∂y back."""
        return {"dx": dy.transpose(np.argsort(self.dims))}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x = arrays["x"]
        listing = _written("permute", self._letters, f"y[{self._place}] = x[c, i, j]", "x, y")
        return self.call("y", listing, {"x": x, **sizes(x)}, {"y": arrays["y"]})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that puts each gradient back in its place."""
        dx, dy = arrays["dx"], arrays["dy"]
        listing = _written("permute_dx", "cij", f"dx[c, i, j] = dy[{self._place}]", "dy, dx")
        return [self.call("dx", listing, {"dy": dy, **sizes(dx)}, {"dx": dx})]

    @property
    def _letters(self) -> str:
        return "".join("cij"[axis - 1] for axis in self.dims[1:])

    @property
    def _place(self) -> str:
        return ", ".join(self._letters)


def _written(name: str, loops: str, line: str, arrays: str) -> Listing:
    """Return a listing that goes through cells in an order of its loops."""
    source = [f"def {name}({arrays}, C, H, W):"]
    source += ["    " * depth + f"for {k} in range({_LOOPS[k]}):" for depth, k in enumerate(loops, 1)]
    return compiled(loops, "\n".join((*source, "    " * 4 + line)) + "\n")
