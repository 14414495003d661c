"""A graph that is too large for one picture, in pages: some of its nodes, with what they read of others.

Over the page stands the whole, a cell for each node in the order in which they are computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from cnnviz.engine.expression import Graph, Node
from cnnviz.scene.layout import STRONG, USUAL, Area
from cnnviz.scene.marks import Box, Hotspot, Mark, Rect, Role, label
from cnnviz.text import tr
from cnnviz.trace.program_cache import program_cache

SIZES = (16, 11, 7)
"""How many inputs, operations and plain numbers a page may have; fewer, where that is needed to read them."""

STRIP = Area("strip", (20.0, 2.9), (200.0, 2.9))
"""Where the whole stands over a page."""


def page_of(graph: Graph, name: str, most: int) -> Graph:
    """Return the page on which an operation is."""
    return next(page for page in pages(graph, most) if page.node(name))


@program_cache(64)
def pages(graph: Graph, most: int) -> tuple[Graph, ...]:
    """Return a graph's pages, of at most so many inputs, operations and plain numbers.

    A statement is on one page if it has room there.
    """
    made: list[Graph] = []
    held: list[Node] = []
    for statement in _by_statement(graph):
        if graph.part([*held, *statement]).size <= most:
            held += statement
            continue
        if held:
            made.append(graph.part(held))
        held = []
        for node in statement:
            if held and graph.part([*held, node]).size > most:
                made.append(graph.part(held))
                held = []
            held.append(node)
    return (*made, graph.part(held))


def _by_statement(graph: Graph) -> Iterator[list[Node]]:
    ends = {part.name for part in graph.statements}
    number = 0
    numbered = []
    for node in graph.nodes:
        numbered.append((number, node))
        number += node.name in ends
    for _, nodes in groupby(numbered, lambda pair: pair[0]):
        yield [node for _, node in nodes]


def strip(
    graph: Graph,
    page: Graph,
    values: Iterable[str],
    gradients: Iterable[str],
    work: str,
    box: Box,
    em: float,
) -> list[Mark]:
    """Draw the whole graph as a row of cells: which have their value, which their gradient, and the page."""
    there: Mapping[str, Role] = {
        **dict.fromkeys(values, "forward_fill"),
        **dict.fromkeys(gradients, "backward_fill"),
    }
    own = [k for k, name in enumerate(graph.names) if page.node(name)]
    shown = [graph.names[k] for k in (own[0], own[-1])]
    said = tr(
        "{first} to {last}: operations {begin} to {end} of {count}",
        first=shown[0],
        last=shown[1],
        begin=own[0] + 1 - len(graph.inputs),
        end=own[-1] + 1 - len(graph.inputs),
        count=len(graph.nodes),
    )
    row = Box(box.x, box.y + 1.5 * em, box.w, 1.3 * em)
    side = min(row.w / len(graph.names), 2 * row.h)
    marks: list[Mark] = [label(box.top(1.4 * em), said, em, "muted")]
    for k, name in enumerate(graph.names):
        cell = Box(row.x + k * side, row.y, side, row.h).inset(min(1.0, 0.1 * side), 0)
        marks.append(Rect(cell, there.get(name, "ground"), "line", 1.0))
        marks.append(Hotspot(cell, "value", name))
        if name == work:
            marks.append(Rect(cell.inset(-1, -1), None, "written_line", max(STRONG * em, 1.5)))
    around = Box(row.x + own[0] * side, row.y, (own[-1] + 1 - own[0]) * side, row.h).inset(-0.18 * em)
    return [*marks, Rect(around, None, "accent", max(USUAL * em, 1.5), 0.24 * em)]
