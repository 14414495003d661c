"""What is said of an operation without a record: by its listing, and by what its arrays stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.engine.address import node_of, output_of
from cnnviz.engine.layer import Call
from cnnviz.scene.kind import Kind
from cnnviz.scene.letters import letter
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.text import tr
from cnnviz.trace.assignment import assignment
from cnnviz.trace.looptree import LoopTree, read_listing

# What the axes of an array are, by how many it has.
_AXES = {1: ("number",), 2: ("row", "column"), 3: ("channel", "row", "column")}


def derived(call: Call) -> Kind:
    """Return what can be said of a call of a kind that is not known."""
    tree = read_listing(call.listing)
    return Kind(
        title=_title(call),
        sentence=_sentence(call, tree),
        formula=listing_formulas,
        variables=_variables(tree),
        compared=_compared(call),
    )


def _gradients(call: Call) -> list[str]:
    """Return the gradients that a call computes."""
    return [name for name in call.writes if call.port(name).gradient_of]


def _title(call: Call) -> str:
    found = _gradients(call)
    if not found or len(found) < len(call.writes):
        return ""
    if len(found) > 1:
        return tr("gradients of the inputs")
    port = call.port(found[0])
    if port.gradient_of == output_of(call.layer):
        return tr("gradient of the output")
    if node_of(port.gradient_of) == call.layer:
        return tr("gradient of {name}", name=letter(port.symbol))
    return tr("gradient of the input")


def _sentence(call: Call, tree: LoopTree) -> str:
    read = [name for name in tree.parameters if name in tree.arrays and name not in call.writes]
    results, sources = ([_named(call, name) for name in names] for names in (call.writes, read))
    if not sources:
        return tr("Each line below is run in turn.")
    if len(results) > 1 and _gradients(call):
        return tr(
            "{results} say how the loss changes; they are computed from {sources}.",
            results=_listed(results),
            sources=_listed(sources),
        )
    if _gradients(call):
        return tr(
            "{result} says how the loss changes with {name}; it is computed from {sources}.",
            result=results[0],
            name=results[0].removeprefix("∂E/∂"),
            sources=_listed(sources),
        )
    return tr(
        "{name} computes {results} from {sources}.",
        name=call.kind.partition(".")[0] or tree.name,
        results=_listed(results),
        sources=_listed(sources),
    )


def _named(call: Call, name: str) -> str:
    port = call.port(name)
    return f"∂E/∂{letter(port.symbol)}" if port.gradient_of else letter(name)


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return tr("{most} and {last}", most=", ".join(most), last=last) if most else last


def _variables(tree: LoopTree) -> dict[str, str]:
    """Return what loop variables count: rows, where the second of three axes is gone along with one."""
    found: dict[str, str] = {}
    lines = (assignment(tree, line) for line in range(2, len(tree.source) + 1))
    cells = [cell.subscripts for parts in lines if parts for cell in (parts.target, *parts.operands)]
    for index in sorted(cells, key=len, reverse=True):
        for variable, axis in zip(index, _AXES.get(len(index), ()), strict=False):
            if variable in tree.variables:
                found.setdefault(variable, axis)
    return found


def _compared(call: Call) -> tuple[str, ...]:
    """Return a target and what is measured by it."""
    targets = [name for name, port in call.ports.items() if port.role == "target"]
    return tuple(
        name
        for name, port in call.ports.items()
        if targets
        and port.role in ("source", "target")
        and np.shape(call.value(name)) == np.shape(call.value(targets[0]))
    )
