"""What is known of a graph while its nodes are gone through, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.formats.bounds import Budget
from cnnviz.formats.graph import Node
from cnnviz.formats.layers import Catalogue, FoundLayer, Names, Shape
from cnnviz.text import tr

Sides = tuple[int, int, int, int]
"""Top, left, bottom, right."""

NO_PADS: Sides = (0, 0, 0, 0)


class Unsteppable(Exception):  # noqa: N818 - it is told as a fault of the node, with those of all others
    """Why a node cannot be stepped."""


class Value(Struct, frozen=True, eq=False):
    """What a value of the file is: what a layer puts out.

    Attributes
    ----------
    source : str
        The layer, or ``input``.
    shape : Shape
        Of one sample as the layer has it: (channels, height, width), or (numbers,).
    axes : tuple[int, ...]
        Which of these each axis of the file is, that of the samples left out; −1 of one of size 1 that the
        layer does not have. Those of the layer that are not named have size 1.
    order : NDArray or None
        Of a column: where each of the file's numbers stands in the layer's, if not in its own place.
    pads : Sides
        Zeros around maps that the file has put there, and that the next layer must put there itself.
    """

    source: str
    shape: Shape
    axes: tuple[int, ...]
    order: NDArray[np.integer] | None = None
    pads: Sides = NO_PADS

    @property
    def sizes(self) -> Shape:
        """The shape as the file has it, without the samples."""
        pads = dict(zip((-2, -1), (self.pads[0] + self.pads[2], self.pads[1] + self.pads[3]), strict=True))
        return tuple(
            1 if axis < 0 else self.shape[axis] + pads.get(axis - len(self.shape), 0) for axis in self.axes
        )


class Rewriter:
    """What is known while a graph is gone through.

    Attributes
    ----------
    values, constants : dict
        What the names in the file stand for: values of layers, and numbers.
    lost : set[str]
        Values that are made by what cannot be stepped.
    layers : list[FoundLayer]
        Those found so far.
    troubles : list[str]
        Why the layer of the node in hand cannot be stepped, though it is known what comes out of it.
    """

    def __init__(self, catalogue: Catalogue, names: Names, batch: int, readers: Counter[str]) -> None:
        self.catalogue, self.names, self.batch, self.readers = catalogue, names, batch, readers
        self.values: dict[str, Value] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.lost: set[str] = set()
        self.layers: list[FoundLayer] = []
        self.notes: list[str] = []
        self.troubles: list[str] = []
        self.budget = Budget()
        self.input_scale: NDArray[Any] = np.ones(1)
        self.input_shift: NDArray[Any] = np.zeros(1)
        self._sole: dict[str, str] = {}

    def value(self, node: Node, place: int = 0) -> Value:
        """Return an input of a node that is no constant."""
        if node.inputs[place] in self.constants:
            raise Unsteppable(
                tr("what goes through it is a constant of the file, and nothing that the network computes")
            )
        return self.values[node.inputs[place]]

    def constant(self, node: Node, place: int, what: str = "") -> NDArray[Any]:
        """Return an input of a node that must be a constant."""
        name = node.inputs[place]
        if name not in self.constants:
            raise Unsteppable(
                tr(
                    "its {what} are computed by the network; layers here have those of the file",
                    what=what or tr("numbers"),
                )
            )
        return self.constants[name]

    def optional(self, node: Node, place: int) -> NDArray[Any] | None:
        """Return a constant that may be left out."""
        return self.constant(node, place) if len(node.inputs) > place and node.inputs[place] else None

    def put(self, node: Node, value: Value) -> None:
        """Note what a node makes."""
        self.values[node.outputs[0]] = value

    def layer(
        self,
        node: Node,
        kind: str,
        inputs: Sequence[Value],
        shape: Shape,
        arguments: Mapping[str, Any] | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
        origin: str = "",
    ) -> Value:
        """Add a layer, and return its output; the file's axes lie in it as they do in the first input."""
        origin = origin or node.name
        name = self.names.free(origin, kind)
        sources = tuple(value.source for value in inputs)
        self.layers.append(FoundLayer(name, kind, sources, arguments or {}, arrays or {}, origin))
        if self.readers[node.outputs[0]] == 1:
            self._sole[name] = node.outputs[0]
        first = inputs[0]
        if len(shape) != len(first.shape):
            return Value(name, shape, tuple(range(len(shape))))
        return replace(first, source=name, shape=shape, pads=NO_PADS)

    def argument(self, kind: str, name: str, default: Any, *forms: Any) -> dict[str, Any]:
        """Return an argument in the first form that a kind takes; nothing where it is the default."""
        if default in forms:
            return {}
        for form in forms:
            if self.catalogue.takes(kind, name, form):
                return {name: form}
        if self.catalogue.has(kind):
            self.troubles.append(_refusal(kind, name, forms[-1]))
        return {}

    def maps(self, node: Node, place: int = 0, axes: Sequence[int] = (2,)) -> Value:
        """Return an input that is maps, its axes in the layer's order.

        Parameters
        ----------
        axes : Sequence[int]
            How many axes there may be besides that of the channels: 2 of maps, 1 of sequences.
        """
        value = self.value(node, place)
        if len(value.axes) - 1 not in axes:
            raise Unsteppable(tr("it reads no maps of (channels, height, width)"))
        return self.as_told(node, value)

    def as_told(self, node: Node, value: Value) -> Value:
        """Return a value that lies in its layer as it does in the file."""
        if value.axes == tuple(range(len(value.shape))) and value.order is None:
            return value
        return self.rearranged(node, self.unpadded(node, value), value.sizes)

    def rearranged(self, node: Node, value: Value, shape: Shape) -> Value:
        """Return the numbers of a value, in the order in which the file has them, in a layer of a shape."""
        if value.order is not None:
            raise Unsteppable(
                tr("it gives a column a shape, whose numbers stand in another order here, channels first")
            )
        named = [axis for axis, size in zip(value.axes, value.sizes, strict=True) if size != 1]
        if named != sorted(named):
            if len(value.shape) != 3:
                raise Unsteppable(tr("it reads sequences that have their channels behind; put them first"))
            axes = value.axes
            if sorted(axes) != [0, 1, 2]:  # those of size 1 stand anywhere
                axes = (*named, *(axis for axis in range(3) if axis not in named))
            turned = tuple(value.shape[axis] for axis in axes)
            dims = {"dims": (0, *(axis + 1 for axis in axes))}
            value = self.layer(node, "permute", [value], turned, dims, origin=self._origin(node, "permute"))
        if value.shape != shape:
            kind = "flatten" if len(value.shape) > 1 and len(shape) == 1 else "reshape"
            arguments = {"shape": shape} if kind == "reshape" else {}
            origin = self._origin(node, kind)
            value = self.layer(node, kind, [value], shape, arguments, origin=origin)
        return Value(value.source, shape, tuple(range(len(shape))))

    def _origin(self, node: Node, kind: str) -> str:
        """Return what a layer is called that moves numbers: like its node, if that is what the node does."""
        return node.name if node.kind in ("Reshape", "Flatten", "Transpose") else kind

    def unpadded(self, node: Node, value: Value) -> Value:
        """Return a value whose zeros around it are there by a layer of their own."""
        if value.pads == NO_PADS:
            return value
        raise Unsteppable(tr("zeros are put around what it reads, and only convolutions can do that"))

    def column(self, node: Node, place: int = 0, is_bare: bool = True) -> Value:
        """Return an input that is a column; maps of one cell each are flattened.

        Parameters
        ----------
        is_bare : bool
            Whether the file must have it as a column, too, and not with more axes of size 1.
        """
        value = self.unpadded(node, self.value(node, place))
        if is_bare and len(value.axes) != 1:
            raise Unsteppable(tr("it reads arrays of {count} axes, not columns", count=len(value.axes)))
        if len(value.shape) == 1:
            return value
        made = self.layer(node, "flatten", [value], (prod(value.shape),), origin="flatten")
        if is_bare:
            self.values[node.inputs[place]] = made
        return made

    def scaled(
        self, node: Node, value: Value, scale: NDArray[Any] | float, shift: NDArray[Any] | float
    ) -> None:
        """Let the layer before multiply by a scale and add a shift: each channel, or neuron, its own."""
        if value.source == "input" and self.readers[node.inputs[0]] == 1 and not self._is_begun():
            self.input_scale = self.input_scale * scale
            self.input_shift = self.input_shift * scale + shift
            self.notes.append(tr("{node} is done to the input before all else.", node=node.name))
            self.put(node, value)
            return
        layer = next((part for part in self.layers if part.name == value.source), None)
        if (
            layer is None
            or layer.kind not in _SCALING
            or layer.name not in self._sole
            or value.pads != NO_PADS
        ):
            self.troubles.append(
                tr(
                    "it scales or shifts numbers, and right before it is no convolution, no fully connected "
                    "layer and no batch norm that could do that"
                )
            )
            self.put(node, self.layer(node, "scale", [value], value.shape))
            return
        weight, bias = _SCALING[layer.kind]
        w = np.asarray(layer.arrays[weight], np.float64)
        b = np.asarray(layer.arrays.get(bias, np.zeros(layer.arguments.get("out_channels", 0))), np.float64)
        self.budget.take(16 * w.size)
        is_each = layer.kind != "linear" and np.ndim(scale)
        turned = np.reshape(scale, (-1, *(1,) * (w.ndim - 1))) if is_each else scale
        arrays = {**layer.arrays, weight: w * turned, bias: b * scale + shift}
        arguments = {name: value for name, value in layer.arguments.items() if name != "bias"}
        self.layers[self.layers.index(layer)] = replace(layer, arguments=arguments, arrays=arrays)
        self._sole.pop(layer.name)
        if self.readers[node.outputs[0]] == 1:
            self._sole[layer.name] = node.outputs[0]
        self.put(node, value)

    def _is_begun(self) -> bool:
        """Return whether any layer reads the input as it is."""
        return any("input" in layer.inputs for layer in self.layers)


_SCALING = {
    **dict.fromkeys(("conv1d", "conv2d", "linear"), ("w", "b")),
    "batch_norm": ("gamma", "beta"),
}
"""The layers that can also multiply and add what comes behind them, and by which parameters."""

_REFUSALS = {
    "stride": "it moves on by {value}, and {kind} here moves equally far down and across",
    "padding": "it pads what it reads by {value} on all sides, and {kind} here does not pad",
    "dilation": "it reads cells that lie {value} apart (dilation), and {kind} here reads neighbours",
    "groups": "it takes the channels in {value} groups, and {kind} here reads all of them together",
    "output_padding": "it adds {value} to the size of what comes out, and {kind} here adds nothing",
    "ceil_mode": "its last windows reach over the edge (ceil_mode), and {kind} here leaves such windows out",
    "count_include_pad": "its means leave out the zeros around, and {kind} here counts them in",
}
"""What a layer of a file does that those of the catalogue cannot do, by the argument that says it."""


def _refusal(kind: str, argument: str, value: Any) -> str:
    """Say what a layer does that those of its kind here cannot do."""
    if argument == "padding" and isinstance(value, tuple) and len(set(value)) > 1:
        top, left, bottom, right = value if len(value) == 4 else (*value, *value)
        return tr(
            "it pads what it reads by {top} above, {bottom} below, {left} at the left and {right} at the "
            "right, and {kind} here pads all sides alike",
            kind=kind,
            top=top,
            bottom=bottom,
            left=left,
            right=right,
        )
    sizes = value if isinstance(value, tuple) else (value,)
    said = " × ".join(map(str, sizes if len(set(sizes)) > 1 else sizes[:1]))
    return tr(_REFUSALS.get(argument, "its {argument} is {value}, and {kind} here has no such thing")).format(
        argument=argument, kind=kind, value=said
    )
