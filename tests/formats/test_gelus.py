"""GELUs that exporters have taken apart are one layer, in whatever order it was done."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.formats.graph import Graph, Node
from cnnviz.formats.rewrite import rewrite
from cnnviz.lesson.opened import Known

ROOT, TANH = np.sqrt(2), np.sqrt(2 / np.pi)
CONSTANTS = {
    "root": ROOT,
    "over": 1 / ROOT,
    "one": 1.0,
    "half": 0.5,
    "two": 2.0,
    "three": 3.0,
    "k": 0.044715,
    "t": TANH,
}

# What is made, of which kind, of which inputs; y comes out.
FORMS = {
    "the legacy exporter's": ("a=Div x root", "b=Erf a", "c=Add b one", "d=Mul x c", "y=Mul d half"),
    "the half at the front": ("h=Mul half x", "a=Mul x over", "b=Erf a", "c=Add one b", "y=Mul h c"),
    "a division at the end": ("a=Div x root", "b=Erf a", "c=Add b one", "d=Mul c x", "y=Div d two"),
    "tanh": (
        *("p=Pow x three", "q=Mul p k", "r=Add x q", "s=Mul r t", "u=Tanh s"),
        *("c=Add u one", "h=Mul x half", "y=Mul h c"),
    ),
}


def graph(lines, constants=CONSTANTS):
    """A graph of two activations around the nodes that are told."""
    nodes = [Node("Sigmoid", "before", ("input",), ("x",))]
    for line in lines:
        made, _, rest = line.partition("=")
        kind, *given = rest.split()
        nodes.append(Node(kind, f"node_{made}", tuple(given), (made,)))
    nodes.append(Node("Tanh", "after", ("y",), ("out",)))
    arrays = {name: np.asarray(value, np.float32) for name, value in constants.items()}
    return Graph(tuple(nodes), arrays, {"input": (1, 2, 3, 3)}, ("out",))


@pytest.mark.parametrize("form", FORMS)
def test_they_are_one_layer(form):
    found = rewrite(graph(FORMS[form]), Known())
    assert not found.faults and not found.notes
    assert [layer.kind for layer in found.layers] == ["sigmoid", "gelu", "tanh"]
    assert found.layers[1].arguments.get("approximate", "none") == ("tanh" if form == "tanh" else "none")
    assert found.layers[1].origin == "node_y"


@pytest.mark.parametrize("wrong", ["root", "one", "half"])
def test_what_only_looks_like_one_is_none(wrong):
    found = rewrite(graph(FORMS["the legacy exporter's"], CONSTANTS | {wrong: 1.25}), Known())
    assert "gelu" not in [layer.kind for layer in found.layers]
    assert any(fault.kind == "Erf" for fault in found.faults)


def test_what_others_read_of_it_stays():
    made = graph(FORMS["the legacy exporter's"])
    found = rewrite(Graph(made.nodes, made.arrays, made.inputs, ("out", "b")), Known())
    assert any(fault.kind == "Erf" for fault in found.faults), (
        "erf itself comes out, and there is no such layer"
    )
