"""Finds GELUs that exporters have taken apart into divisions, erf or tanh, sums and products.

They write x (1 + erf(x / √2)) / 2 in many orders. Which order it is does not matter: what the nodes around an
erf make of a few numbers is computed, and where that is what GELU makes of them, one node stands for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import erf, pi
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.formats.graph import Graph, Node, single_numbers, still_read


def _erf(x: NDArray[Any]) -> NDArray[Any]:
    return np.array([erf(number) for number in x])


_MOST = 12
"""Of how many nodes one GELU is made at most."""
_NUMBERS = np.array([-2.5, -1.0, -0.25, 0.0, 0.5, 1.25, 3.0])
_TANH = np.sqrt(2 / pi) * (_NUMBERS + 0.044715 * _NUMBERS**3)
_FORMS = {
    "none": _NUMBERS * (1 + _erf(_NUMBERS / np.sqrt(2))) / 2,
    "tanh": _NUMBERS * (1 + np.tanh(_TANH)) / 2,
}
_FUNCTIONS: Mapping[str, Callable[..., NDArray[Any]]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Tanh": np.tanh,
    "Erf": _erf,
}


def with_gelus(graph: Graph) -> Graph:
    """Return a graph in which one node stands in place of those that are a GELU together."""
    starts = [node for node in graph.nodes if node.kind in ("Erf", "Tanh")]
    if not starts:
        return graph
    constants = single_numbers(graph)
    makers = {output: node for node in graph.nodes for output in node.outputs}
    readers: defaultdict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            readers[name].append(node)
    found: dict[str, Node] = {}
    for start in starts:
        for source in _sources(start, makers, constants):
            made = _gelu(source, readers, constants)
            if made is not None:
                found[made.outputs[0]] = made
                break
    if not found:
        return graph
    nodes = [found.get(node.outputs[0], node) for node in graph.nodes]
    return replace(graph, nodes=still_read(nodes, graph.outputs))


def _sources(start: Node, makers: Mapping[str, Node], constants: Mapping[str, float]) -> list[str]:
    """Return the values that what goes into a node may have been made of, the nearest first."""
    found: list[str] = []
    todo = list(start.inputs)
    while todo and len(found) < _MOST:
        name = todo.pop(0)
        if not name or name in constants or name in found:
            continue
        found.append(name)
        if name in makers and makers[name].kind in _FUNCTIONS:
            todo += makers[name].inputs
    return found


def _gelu(source: str, readers: Mapping[str, list[Node]], constants: Mapping[str, float]) -> Node | None:
    """Return the node that the GELU of a value may become; None if there is none."""
    known: dict[str, Any] = {source: _NUMBERS}
    todo = list(readers.get(source, ()))
    while todo and len(known) <= _MOST:
        node = todo.pop(0)
        given = [known.get(name, constants.get(name)) for name in node.inputs]
        if node.kind not in _FUNCTIONS or node.outputs[0] in known or any(part is None for part in given):
            continue
        with np.errstate(all="ignore"):
            known[node.outputs[0]] = made = _FUNCTIONS[node.kind](*given)
        for form, wanted in _FORMS.items():
            if np.allclose(made, wanted, rtol=1e-6, atol=1e-6):
                return replace(node, kind="Gelu", inputs=(source,), attributes={"approximate": form})
        todo += readers.get(node.outputs[0], ())
    return None
