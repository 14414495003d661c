"""Sequences (channels, length): maps that are one column wide, and their listings without the columns.

Nothing is written a second time: what a layer does to maps it does to sequences, too. Their listing is that
of maps without the loops over columns, ``x[c, i, j]`` becomes ``x[c, i]``, and H is called L.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, TypeVar, overload

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.generated import rewritten, source_of
from cnnviz.engine.layer import Array, Call, Cost, Layer, Listing, Shape, Value, require_sequence
from cnnviz.engine.placement import Placement
from cnnviz.engine.port import Port

Made = TypeVar("Made", Call, list[Call])
Own = TypeVar("Own", bound=Layer)

_OVER_COLUMNS = re.compile(r"for [jqv] in range\(\w+\):")

_END = re.compile(r"(?:_maps)?((?:_training)?_(?:d[a-z]+[0-9]?|mean|var)|_of_scores)?$")

# What maps of one column make of a line, in this order: places that are counted row by row, how many there
# are, and cells.
_CHANGES = (
    (r"u\*K_w\+v", "u"),
    (r"\((c\*H \+ i)\)\*W \+ j", r"\1"),
    (r"count = \((.*)\)$", r"count = \1"),
    (r"\((K_h|H) \* (?:K_w|W)\)", r"\1"),
    (r"(?<=H) \* W\b", ""),
    (r", [^,\[\]]*\b[jqv]\b[^,\[\]]*\]", "]"),
    (r"\b([A-Z])_h\b", r"\1"),
    (r"\bH(_out)?\b", r"L\1"),
)


def is_of_sequences(call: Call) -> bool:
    """Return whether a call is one of sequences."""
    return "L" in call.given or "L_out" in call.given


def sequence_listing(listing: Listing) -> Listing:
    """Return the listing for sequences that a listing for maps becomes."""
    head, *body = source_of(listing)
    lines: list[str] = []
    left_out: list[int] = []  # the depths of the loops around a line that are left out
    for line in body:
        depth = len(line) - len(line.lstrip())
        left_out = [one for one in left_out if one < depth]
        if _OVER_COLUMNS.match(line.strip()):
            left_out.append(depth)
        else:
            lines.append(_changed(line[4 * len(left_out) :]))
    name, _, parameters = head.removeprefix("def ").partition("(")
    named = name.replace("2d", "1d") if "2d" in name else _END.sub(r"_sequence\1", name, count=1)
    return rewritten(listing, named, re.findall(r"\w+", _changed(parameters)), "\n".join(lines) + "\n")


def _changed(line: str) -> str:
    for old, new in _CHANGES:
        line = re.sub(old, new, line)
    return line


def sequence_call(call: Call) -> Call:
    """Return the call for sequences that a call for maps of one column becomes."""
    listing = sequence_listing(call.listing)
    parameters = listing.__code__.co_varnames[: listing.__code__.co_argcount]
    given = {_changed(name): _column(value) for name, value in call.given.items()}

    def linear(given: Mapping[str, Value]) -> dict[str, Array]:
        assert call.linear is not None
        arrays = {name: _widened(given[name], call.given[name]) for name in call.given if name in given}
        return {name: _column(values) for name, values in call.linear({**call.given, **arrays}).items()}

    return replace(
        call,
        listing=listing,
        given={name: value for name, value in given.items() if name in parameters},
        writes={name: _column(values) for name, values in call.writes.items()},
        before={name: _column(values) for name, values in call.before.items()},
        linear=linear if call.linear else None,
        ports={name: _port(port, call.value(name)) for name, port in call.ports.items()},
    )


@overload
def of_sequences(made: Call) -> Call: ...
@overload
def of_sequences(made: list[Call]) -> list[Call]: ...
def of_sequences(made: Call | list[Call]) -> Call | list[Call]:
    """Return the call, or the calls, for sequences that those for maps of one column become."""
    return [sequence_call(call) for call in made] if isinstance(made, list) else sequence_call(made)


def _column(value: Any) -> Any:
    """Return maps of one column, or kernels, as sequences; a number, or one for each channel, as it is."""
    return value[..., 0] if np.ndim(value) > 2 else value


def _widened(value: Any, like: Value) -> Any:
    return value[..., None] if np.ndim(like) > 2 else value


def _port(port: Port, value: Value) -> Port:
    """Return how an array lies in that of a listing: along its last axis; all channels are there."""
    if port.placement is None:
        return port
    old, channels = port.placement, np.shape(value)[-3]
    placement = Placement(
        (channels, old.own[0]), (channels, old.shape[0]), (0, old.start[0]), (1, old.step[0]), old.fill
    )
    return replace(port, placement=placement)


class AsMaps(Mapping[str, Array]):
    """Arrays of sequences, and kernels, as those of maps of one column, each when it is asked for."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> Array:
        values = self._arrays[name]
        return values[..., None] if np.ndim(values) > 1 else values

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def and_sequences(
    method: Callable[[Own, Mapping[str, Array]], Made],
) -> Callable[[Own, Mapping[str, Array]], Made]:
    """Have a method of a layer that returns calls for maps or a column return those for sequences, too."""

    @wraps(method)
    def of_any(layer: Own, arrays: Mapping[str, Array]) -> Made:
        if np.ndim(arrays[layer.input_names[0]]) != 2:
            return method(layer, arrays)
        return of_sequences(method(layer, AsMaps(arrays)))

    return of_any


class OfSequences(Layer):
    """A layer of sequences alone, which does what a layer of maps does to maps of one column."""

    def __init__(self, maps: Layer) -> None:
        super().__init__()
        self._maps = maps
        self.auxiliary_names = maps.auxiliary_names

    @property
    def over_maps(self) -> Layer:
        """The layer of maps, called as this one is."""
        self._maps.name, self._maps.addresses = self.name, self.addresses
        return self._maps

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the layer of maps, without columns."""
        shapes = self._maps.parameter_shapes
        return {name: shape[:-1] if len(shape) > 1 else shape for name, shape in shapes.items()}

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw what the layer of maps draws."""
        return {name: _column(values) for name, values in self._maps.initial_parameters(rng).items()}

    def cost(self, shape: Shape) -> Cost:
        """Return what the layer of maps takes."""
        return self._maps.cost((*shape, 1))

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, L_out)."""
        return self.over_maps.output_shape((*require_sequence(self.name, shape), 1))[:-1]

    def forward(self, x: Array, **parameters: Array) -> Array:
        """Compute the outputs of a batch (N, C, L)."""
        return np.asarray(self._maps.forward(x[..., None], **AsMaps(parameters))[..., 0])

    def auxiliary(self, x: Array, **arrays: Array) -> dict[str, NDArray[Any]]:
        """Return what else the forward listing writes."""
        made = self._maps.auxiliary(x[..., None], **AsMaps(arrays))
        return {name: _column(values) for name, values in made.items()}

    def backward(self, dy: Array, x: Array, *, needs_dx: bool = True, **arrays: Array) -> dict[str, Array]:
        """Return the gradients of inputs and parameters."""
        made = self._maps.backward(dy[..., None], x[..., None], needs_dx=needs_dx, **AsMaps(arrays))
        return {name: _column(values) for name, values in made.items()}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        return of_sequences(self.over_maps.forward_call(AsMaps(arrays)))

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listings of the gradients."""
        return of_sequences(self.over_maps.backward_calls(AsMaps(arrays)))

    def scattered_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the same with the input gradient scattered, where there are both forms of it."""
        return of_sequences(self.over_maps.scattered_calls(AsMaps(arrays)))
