"""Finds local response norms that PyTorch's exporters have taken apart, down to powers and means of squares.

They write x / (k + α mean(x²))^β, where the mean is that of a pool over channels, which stand as rows for it:
around it lie views, squeezes and a padding. One node stands for all of these again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.formats.bounds import Budget
from cnnviz.formats.folding import folded
from cnnviz.formats.graph import Graph, Node, single_numbers, still_read

_AROUND = ("Reshape", "Squeeze", "Unsqueeze", "If", "Equal", "Gather", "Shape")
"""What only turns rows into channels and back; the older exporter asks by an If whether to squeeze."""
_MOST = 8


def with_local_norms(graph: Graph) -> Graph:
    """Return a graph in which one node stands in place of those that are a local response norm together."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    ends = [node for node in graph.nodes if node.kind == "Div" and _made(makers, node, 1, "Pow")]
    if not ends:
        return graph
    arrays, numbers = _constants(graph), single_numbers(graph)
    found = {node.outputs[0]: made for node in ends if (made := _norm(node, makers, arrays, numbers))}
    if not found:
        return graph
    nodes = [found.get(node.outputs[0], node) if node.outputs else node for node in graph.nodes]
    return replace(graph, nodes=still_read(nodes, graph.outputs))


def _constants(graph: Graph) -> dict[str, NDArray[Any]]:
    """Return the arrays of a graph, with what its nodes make of them alone."""
    found, budget = dict(graph.arrays), Budget()
    for node in graph.nodes:
        if all(not name or name in found for name in node.inputs):
            try:
                made = folded(node, [found.get(name) for name in node.inputs], budget)
            except Exception:
                continue
            if made is not None and node.outputs:
                found[node.outputs[0]] = made
    return found


def _made(makers: Mapping[str, Node], node: Node, place: int, kind: str) -> Node | None:
    """Return what makes an input of a node, if it is of a kind."""
    made = makers.get(node.inputs[place]) if place < len(node.inputs) else None
    return made if made is not None and made.kind == kind else None


def _norm(
    end: Node,
    makers: Mapping[str, Node],
    arrays: Mapping[str, NDArray[Any]],
    numbers: Mapping[str, float],
) -> Node | None:
    """Return the node that a division ends; None if it is another."""
    told: dict[str, float] = {}
    node = end
    for place, kind, name in ((1, "Pow", "beta"), (0, "Add", "bias"), (0, "Mul", "alpha")):
        made = _made(makers, node, place, kind)
        if made is None or len(made.inputs) != 2 or made.inputs[1] not in numbers:
            return None
        node, told[name] = made, numbers[made.inputs[1]]
    pool = _behind(node, makers)
    padding = _behind(pool, makers)
    square = _behind(padding, makers)
    if pool is None or padding is None or square is None:
        return None
    kernel = pool.attributes.get("kernel_shape")
    if (pool.kind, padding.kind, square.kind) != ("AveragePool", "Pad", "Mul") or not kernel:
        return None
    size, *others = (int(length) for length in kernel)  # type: ignore[union-attr]
    pads = padding.attributes.get("pads", arrays.get((*padding.inputs, "")[1]))
    moves = [pool.attributes.get(name, ()) for name in ("pads", "strides")]
    if (
        any(length != 1 for length in others)
        or any(length not in (0, 1) for move in moves for length in move)  # type: ignore[union-attr]
        or any(moves[0])  # type: ignore[arg-type]
        or pads is None
        or not _keeps_size(np.asarray(pads).ravel(), size, 1 + len(others))
        or square.inputs != (end.inputs[0],) * 2
    ):
        return None
    attributes = {"size": size, **told}
    return replace(end, kind="TorchLRN", inputs=(end.inputs[0],), attributes=attributes)


def _behind(node: Node | None, makers: Mapping[str, Node]) -> Node | None:
    """Return the node before one, over those that change the shape alone."""
    for _ in range(_MOST):
        name = node.inputs[0] if node is not None and node.inputs else ""
        node = makers.get(name)
        if node is None or node.kind not in _AROUND:
            return node
    return None


def _keeps_size(pads: NDArray[Any], size: int, axis: int) -> bool:
    """Return whether a padding puts half of a window around the channels, and nothing elsewhere."""
    if len(pads) % 2 or len(pads) < 2 * axis:
        return False
    before, after = np.split(pads, 2)
    wanted = np.zeros((2, len(before)))
    wanted[:, -axis] = size // 2, (size - 1) // 2
    return bool(np.array_equal([before, after], wanted))
