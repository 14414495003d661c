"""What a file of another program holds: a graph of nodes, and named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

Attribute = int | float | str | tuple[Any, ...] | NDArray[Any] | None

CLASSES = ("names", "classes", "labels")
"""Under what files have the names of classes; there is no standard."""


class Node(Struct, frozen=True, eq=False):
    """One operation, called as ONNX calls it, whatever the file's format.

    Attributes
    ----------
    kind : str
        ``Conv``, ``Relu``, ``Gemm`` and so on; another name where ONNX has no such operation.
    name : str
        What the file calls it.
    inputs, outputs : tuple[str, ...]
        The values that it reads and makes, or arrays of the file; an input left out is empty.
    attributes : Mapping[str, Attribute]
        What else it is told: ``strides``, ``pads`` and so on.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class Graph(Struct, frozen=True, eq=False):
    """What a file holds; without nodes, weights alone.

    Attributes
    ----------
    nodes : tuple[Node, ...]
        In the order they compute.
    arrays : Mapping[str, NDArray]
        The numbers of the file by their names in it, read-only.
    inputs : Mapping[str, tuple[int | None, ...]]
        What goes in, with its shape, whose first axis is that of the samples; None where a size is free.
    outputs : tuple[str, ...]
        The values that come out.
    metadata : Mapping[str, str]
        ``format``, ``producer``; ``layout`` of arrays, ``pytorch`` or ``keras``, where it is known;
        ``classes``, what the file says of their names; and ``code``, why there are no nodes, where that
        can be said.
    """

    nodes: tuple[Node, ...] = ()
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    inputs: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def single_numbers(graph: Graph) -> dict[str, float]:
    """Return the constants of the graph that are one number each."""
    found = {name: array for name, array in graph.arrays.items() if array.size == 1}
    for node in graph.nodes:
        value = node.attributes.get("value", node.attributes.get("value_float"))
        if node.kind == "Constant" and value is not None and np.asarray(value).size == 1:
            found[node.outputs[0]] = np.asarray(value)
    return {name: float(array.reshape(())) for name, array in found.items() if array.dtype.kind in "fiu"}


def still_read(nodes: list[Node], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    """Return the nodes that something reads; all others only where the graph does not say what comes out."""
    if not outputs:
        return tuple(nodes)
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))
