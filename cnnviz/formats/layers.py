"""What a graph is rewritten to: layers, and what of it cannot be one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

Shape = tuple[int, ...]


class Catalogue(Protocol):
    """What layers there are."""

    def has(self, kind: str) -> bool:
        """Return whether there are layers of a kind."""

    def takes(self, kind: str, argument: str, value: Any) -> bool:
        """Return whether layers of a kind can be given an argument of this value."""


class FoundLayer(Struct, frozen=True, eq=False):
    """A layer, told by the words of the catalogue.

    Attributes
    ----------
    name, kind : str
        Its name, an identifier, and its kind in the catalogue.
    inputs : tuple[str, ...]
        The layers it reads; ``input`` is what goes in.
    arguments : Mapping[str, Any]
        Those of the kind's constructor.
    arrays : Mapping[str, NDArray]
        Its parameters, ``w`` and ``b``.
    origin : str
        What the file calls it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    arguments: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    origin: str


class Fault(Struct, frozen=True):
    """A node that cannot be stepped.

    Attributes
    ----------
    node, kind : str
        What the file calls it, and its operation.
    reason : str
        Why, and what would help.
    """

    node: str
    kind: str
    reason: str


class FoundInput(Struct, frozen=True, eq=False):
    """One of several inputs.

    Attributes
    ----------
    shape, axes : Shape, tuple[int, ...]
        As `Found` has them of one.
    origin : str
        What the file calls it.
    """

    shape: Shape
    axes: tuple[int, ...]
    origin: str


class Found(Struct, frozen=True, eq=False):
    """What a graph was rewritten to.

    Attributes
    ----------
    input_shape : Shape
        Of one sample: (channels, height, width), or (inputs,).
    input_axes : tuple[int, ...]
        Where the axes of an input as the file has it lie in that: (1, 2, 0) where channels come last.
    layers : tuple[FoundLayer, ...]
        In order; the last one puts out what the network does.
    outputs : tuple[str, ...]
        Layers besides it that put out something, too.
    faults : tuple[Fault, ...]
        What cannot be stepped; then the layers lead up to there.
    notes : tuple[str, ...]
        What is not as it stands in the file: what is done to the input before all else.
    nodes : int
        How many nodes there were.
    input_scale, input_shift : NDArray
        What an input is multiplied by, and what is added then, before the first layer: a number for each
        channel, or one for all.
    inputs : Mapping[str, FoundInput]
        Of several inputs, each by its name here; nothing is done to them before all else.
    """

    input_shape: Shape
    input_axes: tuple[int, ...]
    layers: tuple[FoundLayer, ...]
    outputs: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    nodes: int = 0
    input_scale: NDArray[Any] = field(default_factory=lambda: np.ones(1))
    input_shift: NDArray[Any] = field(default_factory=lambda: np.zeros(1))
    inputs: Mapping[str, FoundInput] = field(default_factory=dict)

    def prepared(self, array: NDArray[Any], name: str = "") -> NDArray[np.float64]:
        """Return an input as the network takes it: its axes in order, scaled and shifted.

        Parameters
        ----------
        array : NDArray
            One sample as the file has it.
        name : str
            Which of several inputs it is.
        """
        own = self.inputs.get(name, FoundInput(self.input_shape, self.input_axes, name))
        places = [own.axes.index(axis) for axis in range(len(own.shape)) if axis in own.axes]
        ordered = np.transpose(np.asarray(array, np.float64), places).reshape(own.shape)
        each = (-1,) + (1,) * (len(own.shape) - 1)
        made: NDArray[np.float64] = ordered * self.input_scale.reshape(each) + self.input_shift.reshape(each)
        return made


class Names(Struct, frozen=True):
    """Names of layers: identifiers, each once."""

    taken: set[str] = field(default_factory=lambda: {"at", "input", "loss", "weights"})

    def free(self, origin: str, kind: str) -> str:
        """Return a name for what a file calls so; conv1, conv2 and so on where that tells nothing."""
        name = _identifier(origin, kind in _JOINING)
        own, count = (name, 1) if name else (_SHORT.get(kind, kind), 0)
        free = name
        while not free or free in self.taken:
            count += 1
            free = f"{own}_{count}" if name else f"{own}{count}"
        self.taken.add(free)
        return free


_LONGEST = 32
_SHORT = {
    **{"conv1d": "conv", "max_pool1d": "pool", "avg_pool1d": "pool"},
    **{"conv2d": "conv", "max_pool2d": "pool", "avg_pool2d": "pool", "linear": "fc", "leaky_relu": "relu"},
    **{
        "conv_transpose1d": "up",
        "conv_transpose2d": "up",
        "upsample": "up",
        "batch_norm": "bn",
        "relu6": "relu",
    },
    "global_avg_pool2d": "pool",
}
_JOINING = ("add", "multiply", "concat")
_WORDS = "|".join(
    [
        *(
            "relu",
            "maxpool",
            "max_pool2d",
            "averagepool",
            "avg_pool2d",
            "globalaveragepool",
            "reducemean",
            "mean",
        ),
        *(
            "reshape",
            "view",
            "flatten",
            "tanh",
            "sigmoid",
            "softmax",
            "conv",
            "conv2d",
            "convolution",
            "linear",
        ),
        *("gemm", "matmul", "add", "mul", "concat", "cat", "clip", "hardtanh", "leaky_relu", "leakyrelu"),
        *("convtranspose", "node", "n", "getitem", "val", "layer", "input", "at", "loss", "picture"),
    ]
)
_NOTHING = re.compile(rf"(({_WORDS})?_?\d*(_\d+)*)")


def _identifier(origin: str, whole: bool) -> str:
    """Return an identifier like what a file calls something: ``/layer1/conv1/Conv`` is layer1_conv1.

    What joins two arrays is seldom a module, so that what comes before its operation is another's name.
    """
    parts = [part for part in re.split(r"[/:]", origin) if part and part != "model"]
    if len(parts) > 1 and not whole and re.fullmatch(r"[A-Z]\w*", parts[-1]):
        parts.pop()  # the operation
    if len(parts) > 1 and parts[-1].startswith(f"{parts[-2]}."):
        parts = parts[-1:]  # /net/net.0/net.0.2 says the way to it thrice
    name = re.sub(r"\W+", "_", "_".join(parts), flags=re.ASCII).strip("_")
    name = name.removeprefix("node_").lower()
    name = name if len(name) <= _LONGEST else name[-_LONGEST:]
    name = name.lstrip("_0123456789")
    return "" if _NOTHING.fullmatch(name) else name
