"""What a layer takes, as products of sizes: its parameters, and the multiply-adds of its listings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from cnnviz.engine.layer import Shape
from cnnviz.trace.looptree import Line, LoopTree, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program


def multiply_adds(operation: Operation) -> list[Shape]:
    """Return how often an operation multiplies and adds: for each place in its listing, the sizes around it.

    What is counted is a product that is added to something, as in ``acc += w[m, n] * x[m]``.
    """
    found: list[Shape] = []
    for line in (node for node in walk(operation.body) if isinstance(node, Line)):
        loops, _ = operation.path_to(line.number)
        found += [tuple(loop.count for loop in loops)] * _products_added(operation.tree, line)
    return found


def _products_added(tree: LoopTree, line: Line) -> int:
    (statement,) = ast.parse(tree.source[line.number - 1].strip()).body
    assert isinstance(statement, ast.Assign | ast.AugAssign)
    adds = isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add | ast.Sub)
    return sum(_added(statement.value, adds))


def _added(node: ast.expr, adds: bool) -> Iterator[int]:
    """Yield 1 for each product of cells that is added to something; no cell's place is a part of it."""
    if isinstance(node, ast.Subscript | ast.IfExp | ast.Compare):
        return
    if isinstance(node, ast.BinOp):
        if adds and isinstance(node.op, ast.Mult) and _has_cells(node.left) and _has_cells(node.right):
            yield 1
            adds = False
        adds = adds or isinstance(node.op, ast.Add | ast.Sub)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from _added(child, adds)


def _has_cells(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Subscript) for part in ast.walk(node))


def of_layer(program: Program, layer: str, phase: str) -> list[Shape]:
    """Return the multiply-adds of a layer in one phase, ``forward`` or ``backward``."""
    own = (one for one in program.operations if (one.layer, one.phase) == (layer, phase))
    return [sizes for operation in own for sizes in multiply_adds(operation)]


def parameters_of(program: Program, layer: str) -> dict[str, Shape]:
    """Return the shapes of a layer's parameters, by their names."""
    found: dict[str, Shape] = {}
    for operation in program.operations:
        call = operation.call
        if (operation.layer, operation.phase) != (layer, "forward"):
            continue
        for name, port in call.ports.items():
            if port.role == "parameter":
                found[name] = np.shape(call.value(name))
    return found


def written_out(products: Sequence[Shape]) -> str:
    """Write a sum of products of sizes: ``2 · 1 · 3 · 3 + 2 = 20``."""
    total = f"{sum(map(prod, products)):,}"  # as a term by itself it has no comma
    terms = [" · ".join(map(str, sizes)) or "1" for sizes in products]
    whole = " + ".join(terms)
    return total if whole in (total.replace(",", ""), "") else f"{whole} = {total}"
