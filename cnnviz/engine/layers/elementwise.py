"""What the activations share: each number by itself, in maps or in one column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from cnnviz.engine.layer import Array, Call, Layer, Listing, Shape, Value, require_known, sizes
from cnnviz.engine.sequences import and_sequences


class Elementwise(Layer):
    """An activation y = f(x), one number at a time.

    A subclass says f, what comes back through it, and four listings: forward and backward, for maps
    (channels, height, width) and for a column. Both compute as the listings do, in the same order, so that
    what overflows there overflows here.

    Attributes
    ----------
    variant : str
        What the kind of its calls ends with, where its arguments choose other listings.
    """

    listings: tuple[Listing, Listing]
    column_listings: tuple[Listing, Listing]
    variant: str = ""
    backward_reads: ClassVar[str] = "x"

    @abstractmethod
    def function(self, x: Array) -> Array:
        """Return f(x)."""

    @abstractmethod
    def gradient(self, dy: Array, x: Array, y: Array) -> Array:
        """Return ∂E/∂x = ∂E/∂y · f′(x), given y = f(x)."""

    def constants(self) -> dict[str, Value]:
        """Return what the listings take besides arrays and sizes."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """Return the input's own shape."""
        return require_known(self.name, shape)

    def forward(self, x: Array) -> Array:
        """Apply f to every number of a batch."""
        return self.function(x)

    def backward(self, dy: Array, x: Array, *, y: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x of every number of a batch."""
        return {"dx": self.gradient(dy, x, y)}

    def _listings(self, x: Array) -> tuple[Listing, Listing]:
        return self.listings if x.ndim == 3 else self.column_listings

    @and_sequences
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing for maps or for a column."""
        x, y = arrays["x"], arrays["y"]
        call = self.call("y", self._listings(x)[0], {"x": x, **self.constants(), **sizes(x)}, {"y": y})
        return self._varied(call)

    @and_sequences
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the backward listing for maps or for a column."""
        x, dy, read = arrays["x"], arrays["dy"], self.backward_reads
        given = {read: arrays[read], "dy": dy, **self.constants(), **sizes(x)}
        return [self._varied(self.call("dx", self._listings(x)[1], given, {"dx": arrays["dx"]}))]

    def _varied(self, call: Call) -> Call:
        return replace(call, kind=f"{call.kind}.{self.variant}") if self.variant else call
