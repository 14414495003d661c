"""An expression as a graph: values go forward under its nodes, gradients come back above them.

On each edge stands the local derivative, once the way back has used it. What is not computed yet is not
shown; the node in work is outlined in the colour of what is written, what it reads in that of sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from cnnviz.engine.expression import Edge, Graph, Node, read_expression
from cnnviz.scene.conditions import taken
from cnnviz.scene.expression_formula import expression_formulas
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.graph_pages import SIZES, STRIP, page_of, strip
from cnnviz.scene.kinds.graph_setting import NAME, NUMBER, PARTS, GraphDrawing, InputValues, setting
from cnnviz.scene.layout import Room
from cnnviz.scene.marks import Box, Family, Hotspot, Label, Mark, Path, Rect, Role, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import as_formula, brief, in_line
from cnnviz.text import tr
from cnnviz.trace.assignment import assignment

# More than can be read in one picture is not laid out in one.
_MOST_AT_ONCE = 40
# How large numbers are at least on a page, of the usual size.
_PAGE = 0.6
# Of more parts than this, a sum is not written out.
_MOST_PARTS = 4
_RULE = 46
"""The height of the chain rule's line under the graph, at 1080 lines."""


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw the graph as far as it is computed, and under it the step as the chain rule has it."""
    box, unit = room.box, room.em / 17
    graph = read_expression(moment.operation.call.expression)
    area = Box(box.x, box.y, box.w, box.h - _RULE * unit)
    known = _Known(moment, graph)
    at, marks = _set(known, area, unit), list[Mark]()
    if at.graph is not graph:
        row = area.top(STRIP * unit)
        marks += strip(graph, at.graph, known.values, known.gradients, known.at_work, row, unit)
    drawing = _Drawing(known, at)
    for node in at.graph.nodes:
        for slot in range(len(node.shown)):
            marks.append(drawing.edge(node, slot))
    for name in drawing.at.layout.spots:
        marks += drawing.node(name)
    for edge in known.used:
        if edge.line in at.labels:
            marks += drawing.local(edge)
    return marks + _chain_rule(known, Box(box.x, area.bottom, box.w, _RULE * unit), unit)


def _set(known: _Known, box: Box, unit: float) -> GraphDrawing:
    """Set the graph in a box, or, where it would be too small, the page of it that the step is on."""
    if known.graph.size <= _MOST_AT_ONCE:
        whole = setting(known.graph, known.final, box, unit)
        if whole.has_room():
            return whole
    under = Box(box.x, box.y + STRIP * unit, box.w, box.h - STRIP * unit)
    for most in SIZES:
        page = setting(page_of(known.graph, known.at_work, most), known.final, under, unit)
        if page.has_room(_PAGE):
            break
    return page


class _Known(Struct, frozen=True, eq=False, dict=True):
    """What is known at a moment, and what its step does."""

    moment: Moment
    graph: Graph

    @property
    def back(self) -> bool:
        """Whether gradients are coming back."""
        return self.moment.operation.phase == "backward"

    @cached_property
    def final(self) -> InputValues:
        """Every value and gradient as it will be."""
        first, layer = self.moment.program.operations[0], self.moment.operation.layer
        found = {name: float(value) for name, value in first.call.given.items()}
        for operation in self.moment.program.operations:
            if operation.layer == layer:
                found |= {name: float(value) for name, value in operation.call.writes.items()}
        return tuple(found.items())

    @cached_property
    def values(self) -> Mapping[str, float]:
        """The values that have gone forward so far."""
        held = {**self.moment.operation.call.given, **self.moment.state.variables}
        known = dict(self.final) if self.back else held
        return {name: float(known[name]) for name in self.graph.names if name in known}

    @cached_property
    def gradients(self) -> Mapping[str, float]:
        """The gradients that have come back so far, in part or whole."""
        held = self.moment.state.variables if self.back else {}
        return {name: float(held[f"d{name}"]) for name in self.graph.names if f"d{name}" in held}

    @cached_property
    def used(self) -> tuple[Edge, ...]:
        """The edges that gradients have come back over."""
        line = self.moment.state.line if self.back else 0
        return tuple(edge for edge in self.graph.edges if edge.line <= line)

    @cached_property
    def in_hand(self) -> Edge | None:
        """The edge that the step comes back over."""
        return self.used[-1] if self.used else None

    @cached_property
    def written(self) -> str:
        """What the step computes, as the listing calls it."""
        parts = assignment(self.moment.operation.tree, self.moment.state.line)
        assert parts is not None
        return parts.target.name

    @property
    def at_work(self) -> str:
        """The operation whose value, or whose local derivative, the step computes."""
        if self.back:
            return self.in_hand.node if self.in_hand else self.graph.result
        return self.written

    @cached_property
    def read(self) -> frozenset[str]:
        """What the step reads, as the listing calls it."""
        parts = assignment(self.moment.operation.tree, self.moment.state.line)
        assert parts is not None
        return frozenset(operand.name for operand in parts.operands)

    def part(self, edge: Edge) -> float:
        """Return what came back over an edge."""
        return float(self.graph.back(edge, self.values, self.gradients[edge.node]))


class _Drawing(Struct, frozen=True, eq=False):
    """Draws what is known where it is set."""

    known: _Known
    at: GraphDrawing

    def edge(self, node: Node, slot: int) -> Path:
        """Draw the way from an operand to a node: an arrow forward, and back once a gradient took it."""
        known, scale = self.known, self.at.scale
        points = self.at.curves[node.name, slot]
        passed = next((edge for edge in known.used if (edge.node, edge.slot) == (node.name, slot)), None)
        if passed is not None:
            bold = 6.0 if passed is known.in_hand else 3.2
            return Path(points[::-1], "backward", max(bold * scale, 1.4), arrow=True)
        if node.name == known.written:
            return Path(points, "forward", max(5.0 * scale, 1.4), arrow=True)
        if node.name in known.values:
            return Path(points, "line", max(2.4 * scale, 1.0), arrow=True)
        return Path(points, "line", max(1.6 * scale, 1.0), dashed=True)

    def local(self, edge: Edge) -> list[Mark]:
        """Write the local derivative on an edge."""
        place, scale = self.at.labels[edge.line], self.at.scale
        box, lines, size = place.box, place.lines, place.size
        if (
            self.known.moment.letters
        ):  # the symbol, where there is room for more than a number behind its name
            symbol = as_formula(taken(edge.local, self.known.values)[0])
            name = f"∂{edge.node}/∂{edge.operand} = "
            lines = ((symbol,),) if lines == (lines[-1][-1:],) else ((name, symbol),)
        outline = "backward" if edge is self.known.in_hand else None
        marks: list[Mark] = [Rect(box, "ground", outline, 1.5 * scale, 5 * scale)]
        for k, line in enumerate(lines):
            row = Box(box.x + 2, box.y + k * box.h / len(lines), box.w - 4, box.h / len(lines))
            *before, last = line
            number = Span(last, "ink", k == len(lines) - 1 or bool(before))
            marks.append(Label(row, (*(Span(text, "ink") for text in before), number), size, "center"))
        return marks

    def node(self, name: str) -> list[Mark]:
        """Draw a node, its value under it and its gradient over it."""
        known, scale, box = self.known, self.at.scale, self.at.node_box(name)
        number, operation = "#" in name, self.at.graph.node(name) is not None
        there = number or name in known.values
        radius = box.h / 2 if operation else 10 * scale
        fill = "backward_fill" if name in known.gradients else "forward_fill" if there else "ground"
        rim = (2.2 if there else 1.4) * scale
        marks: list[Mark] = [
            Rect(box, "panel" if number else fill, "line", rim, radius, dashed=not there),
            *self._outline(name, box, radius),
            self._sign(name, box),
        ]
        return marks if number else [*marks, *self._value(name), *self._gradient(name)]

    def _sign(self, name: str, box: Box) -> Label:
        sign, number = self.at.sign(name), "#" in name
        alone = self.at.graph.node(name) is not None and len(sign) == 1
        part = 0.72 if number else 1.25 if alone else 1.0 if len(sign) <= 2 else 0.8
        bold = not number and self.at.graph.node(name) is None
        family: Family = "math" if alone else "sans"
        return Label(box.inset(2), (Span(sign, "ink", bold),), NAME * part * self.at.scale, "center", family)

    def _outline(self, name: str, box: Box, radius: float) -> list[Mark]:
        known, scale = self.known, self.at.scale
        colour: Role = "source_line"
        if known.written == (f"d{name}" if known.back else name):
            colour = "written_line"
        elif not known.read & {name, f"d{name}"}:
            return []
        around = box.inset(-3.5 * scale)
        return [Rect(around, None, colour, max(5 * scale, 1.5), radius + 3.5 * scale)]

    def _value(self, name: str) -> list[Mark]:
        """Write a node's value under it; its name alone before it has one."""
        box, known = self.at.value_box(name), self.known
        if name not in known.values:
            return [Label(box, (Span(name, "muted"),), NUMBER * self.at.text, "center")]
        runs = [Span(name if known.moment.letters else brief(known.values[name]), "forward", True)]
        if self.at.graph.node(name) is not None and not known.moment.letters:
            runs.insert(0, Span(f"{name} = ", "forward"))
        return self._number(box, name, runs)

    def _gradient(self, name: str) -> list[Mark]:
        """Write ∂f/∂… over a node; of a sum, its parts, and the whole when there is no more to come."""
        known = self.known
        if name not in known.gradients:
            return []
        edges = [edge for edge in known.graph.edges if edge.operand == name]
        parts = [brief(known.part(edge)) for edge in edges if edge in known.used]
        parts = [part if k == 0 else in_line(part, "+") for k, part in enumerate(parts)]
        whole = len(parts) == len(edges)
        text = brief(known.gradients[name]) if whole else "…"
        head = f"∂{known.graph.result}/∂{name}"
        runs = [Span(f"{head} = ", "backward"), Span(text, "backward", True)]
        if known.moment.letters:
            runs = [Span(head if whole else f"{head} = …", "backward", True)]
        marks = self._number(self.at.gradient_box(name), f"d{name}", runs)
        if 1 < len(edges) <= _MOST_PARTS and not known.moment.letters:
            said = " + ".join(parts if whole else [*parts, "…"])
            box, size = self.at.parts_box(name, said), PARTS * self.at.text
            marks.append(Label(box, (Span(said, "backward", not whole),), size, "center"))
        return marks

    def _number(self, box: Box, name: str, runs: list[Span]) -> list[Mark]:
        """Write a number, framed if it is the one that is written, or one of those that are read."""
        known, scale = self.known, self.at.scale
        marks: list[Mark] = [
            Label(box, tuple(runs), NUMBER * self.at.text, "center"),
            Hotspot(box, "value", name),
        ]
        if name == known.written:
            marks.insert(0, Rect(box, "ground", "written_line", 2.5 * scale, 6 * scale))
        elif name in known.read:
            marks.insert(0, Rect(box, "source_fill", "source_line", 2.5 * scale, 6 * scale))
        return marks


def _chain_rule(known: _Known, box: Box, unit: float) -> list[Mark]:
    """Write a step back as the chain rule, with its numbers."""
    edge, f = known.in_hand, known.graph.result
    if not known.back:
        return []
    if edge is None:
        why = Span(tr(", for {result} changes just as {result} does", result=f), "muted")
        return [Label(box, (Span(f"∂{f}/∂{f} = ", "backward"), Span("1", "backward", True), why), 25 * unit)]
    alone = sum(other.operand == edge.operand for other in known.graph.edges) == 1
    head = Span(f"∂{f}/∂{edge.operand} = ", "backward")
    if not alone:
        head = Span(tr("to {gradient} goes", gradient=f"∂{f}/∂{edge.operand}") + "  ", "muted")
    come = Span(f"∂{f}/∂{edge.node}", "backward")
    runs: tuple[Span, ...] = (
        head,
        come,
        Span(" · ", "muted"),
        Span(f"∂{edge.node}/∂{edge.operand}"),
        Span("  =  ", "muted"),
    )
    if known.moment.letters:
        symbol = as_formula(taken(edge.local, known.values)[0])
        local = Span(f"({symbol})" if " " in symbol else in_line(symbol, "*"))
        return [Label(box, (*runs, come, Span(" · ", "muted"), local), 25 * unit)]
    runs += (
        Span(brief(known.gradients[edge.node]), "backward"),
        Span(" · ", "muted"),
        Span(in_line(brief(known.graph.local(edge, known.values)), "*")),
        Span("  =  ", "muted"),
        Span(brief(known.part(edge)), "backward", True),
    )
    return [Label(box, runs, 25 * unit)]


# Their formulas are those of the expression.
KINDS: Mapping[str, Kind] = {
    "expression.forward": Kind(
        title="values go forward",
        sentence="Each node takes the values that come in from its left, and hands its own on to the right.",
        picture=picture,
        formula=expression_formulas,
    ),
    "expression.backward": Kind(
        title="gradients come back",
        sentence="The chain rule: the gradient that comes back to a node, times its local derivative, goes "
        "on back.",
        picture=picture,
        formula=expression_formulas,
    ),
}
