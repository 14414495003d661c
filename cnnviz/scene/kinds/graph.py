"""An expression as a graph: values go forward under its nodes, gradients come back above them.

On each edge stands the local derivative, once the way back has used it. What is not computed yet is not
shown; the node in work is outlined in the colour of what is written, what it reads in that of sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct
from msgspec.structs import astuple

from cnnviz.engine.address import gradient_name
from cnnviz.engine.expression import Edge, Graph, Node, read_expression
from cnnviz.scene.conditions import taken
from cnnviz.scene.expression_formula import expression_formulas
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.graph_pages import SIZES, STRIP, page_of, strip
from cnnviz.scene.kinds.graph_setting import NAME, PARTS, GraphDrawing, InputValues, drawing, placed
from cnnviz.scene.layout import Area, Room, column
from cnnviz.scene.marks import Box, Family, Hotspot, Label, Mark, Path, Rect, Role, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import as_formula, brief, in_line
from cnnviz.scene.sheet import Sheet, TooSmallError, sheet
from cnnviz.text import tr
from cnnviz.trace.assignment import assignment

# More than can be read in one picture is not laid out in one.
_MOST_AT_ONCE = 40
# How large numbers should be at least, of the text around the graph: what stands on edges is smaller.
_LARGE_ENOUGH = 0.95
# Of more parts than this, a sum is not written out.
_MOST_PARTS = 4
_RULE = Area("rule", (20.0, 2.4), (200.0, 2.4))
"""Where the chain rule is written, under the graph."""


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw the graph as far as it is computed, and under it the step as the chain rule has it."""
    graph = read_expression(moment.operation.call.expression)
    known = _Known(moment, graph)
    on, at = _set(known, room)
    marks = on.marks
    if STRIP.name in on.layout.places:
        whole = on.place(STRIP.name).box
        marks += strip(graph, at.graph, known.values, known.gradients, known.at_work, whole, on.em)
    drawing = _Drawing(known, at)
    for node in at.graph.nodes:
        for slot in range(len(node.shown)):
            marks.append(drawing.edge(node, slot))
    for name in drawing.at.layout.spots:
        marks += drawing.node(name)
    for edge in known.used:
        if edge.line in at.labels:
            marks += drawing.local(edge)
    return marks + _chain_rule(known, on.place(_RULE.name).box, 1.45 * on.em)


def _set(known: _Known, room: Room) -> tuple[Sheet, GraphDrawing]:
    """Set the graph in a room, or, where it would be hard to read, the page of it that the step is on.

    All inputs stand at the left, or each right before what it goes into: as it is larger.
    """
    best: tuple[Sheet, GraphDrawing] | None = None
    for page in _pages(known):
        ways = {side: drawing(page, known.graph, known.final, side == "left") for side in ("left", "before")}
        over = () if page is known.graph else (STRIP,)
        arranged = (column(*over, way.figure(side), _RULE, gap=0.3) for side, way in ways.items())
        try:
            on = sheet(known.moment, room, *arranged)
        except TooSmallError:
            continue
        side = next(side for side in ways if side in on.layout.places)
        place = on.place(side)
        if best is None or place.size > best[1].size:
            best = on, placed(ways[side], place.box, place.size)
        if place.size >= max(room.least, _LARGE_ENOUGH * room.em):
            break
    if best is None:
        raise TooSmallError
    return best


def _pages(known: _Known) -> Iterator[Graph]:
    """Yield the whole graph, and the smaller and smaller pages of it that the step is on."""
    if known.graph.size <= _MOST_AT_ONCE:
        yield known.graph
    for most in SIZES:
        if known.graph.size > most:
            yield page_of(known.graph, known.at_work, most)


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
        layer, found = self.moment.operation.layer, dict[str, float]()
        for operation in self.moment.program.operations:
            if operation.layer == layer:
                values = {**operation.call.given, **operation.call.writes}
                found |= {name: float(value) for name, value in values.items()}
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
        return {
            name: float(held[gradient_name(name)]) for name in self.graph.names if gradient_name(name) in held
        }

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
        known, size = self.known, self.at.size
        points = self.at.curves[node.name, slot]
        passed = next((edge for edge in known.used if (edge.node, edge.slot) == (node.name, slot)), None)
        if passed is not None:
            bold = 0.2 if passed is known.in_hand else 0.11
            return Path(points[::-1], "backward", max(bold * size, 1.4), arrow=True)
        if node.name == known.written:
            return Path(points, "forward", max(0.17 * size, 1.4), arrow=True)
        if node.name in known.values:
            return Path(points, "line", max(0.08 * size, 1.0), arrow=True)
        return Path(points, "line", max(0.06 * size, 1.0), dashed=True)

    def local(self, edge: Edge) -> list[Mark]:
        """Write the local derivative on an edge."""
        box, lines, size = astuple(self.at.labels[edge.line])
        if (
            self.known.moment.letters
        ):  # the symbol, where there is room for more than a number behind its name
            symbol = as_formula(taken(edge.local, self.known.values)[0])
            name = f"∂{edge.node}/∂{edge.operand} = "
            lines = ((symbol,),) if lines == (lines[-1][-1:],) else ((name, symbol),)
        outline = "backward" if edge is self.known.in_hand else None
        marks: list[Mark] = [Rect(box, "ground", outline, 0.05 * size, 0.17 * size)]
        for k, line in enumerate(lines):
            row = Box(box.x + 2, box.y + k * box.h / len(lines), box.w - 4, box.h / len(lines))
            *before, last = line
            number = Span(last, "ink", k == len(lines) - 1 or bool(before))
            marks.append(Label(row, (*(Span(text, "ink") for text in before), number), size, "center"))
        return marks

    def node(self, name: str) -> list[Mark]:
        """Draw a node, its value under it and its gradient over it."""
        known, size, box = self.known, self.at.size, self.at.node_box(name)
        number, operation = "#" in name, self.at.graph.node(name) is not None
        there = number or name in known.values
        radius = box.h / 2 if operation else 0.34 * size
        fill = "backward_fill" if name in known.gradients else "forward_fill" if there else "ground"
        rim = (0.08 if there else 0.05) * size
        marks: list[Mark] = [
            Rect(box, "panel" if number else fill, "line", rim, radius, dashed=not there),
            *self._outline(name, box, radius),
            self._sign(name, box),
        ]
        return marks if number else [*marks, *self._value(name), *self._gradient(name)]

    def _sign(self, name: str, box: Box) -> Label:
        sign, number = self.at.sign(name), "#" in name
        alone = self.at.graph.node(name) is not None and len(sign) == 1
        part = 0.85 if number else 1.25 if alone else 1.0 if len(sign) <= 2 else 0.8
        bold = not number and self.at.graph.node(name) is None
        family: Family = "math" if alone else "sans"
        return Label(box.inset(2), (Span(sign, "ink", bold),), NAME * part * self.at.size, "center", family)

    def _outline(self, name: str, box: Box, radius: float) -> list[Mark]:
        known, size = self.known, self.at.size
        colour: Role = "source_line"
        if known.written == (gradient_name(name) if known.back else name):
            colour = "written_line"
        elif not known.read & {name, gradient_name(name)}:
            return []
        around = box.inset(-0.12 * size)
        return [Rect(around, None, colour, max(0.17 * size, 1.5), radius + 0.12 * size)]

    def _value(self, name: str) -> list[Mark]:
        """Write a node's value under it; its name alone before it has one."""
        box, known = self.at.value_box(name), self.known
        if name not in known.values:
            return [Label(box, (Span(name, "muted"),), self.at.size, "center")]
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
        marks = self._number(self.at.gradient_box(name), gradient_name(name), runs)
        if 1 < len(edges) <= _MOST_PARTS and not known.moment.letters:
            said = " + ".join(parts if whole else [*parts, "…"])
            box, size = self.at.parts_box(name, said), PARTS * self.at.size
            marks.append(Label(box, (Span(said, "backward", not whole),), size, "center"))
        return marks

    def _number(self, box: Box, name: str, runs: list[Span]) -> list[Mark]:
        """Write a number, framed if it is the one that is written, or one of those that are read."""
        known, size = self.known, self.at.size
        marks: list[Mark] = [
            Label(box, tuple(runs), self.at.size, "center"),
            Hotspot(box, "value", name),
        ]
        if name == known.written:
            marks.insert(0, Rect(box, "ground", "written_line", 0.09 * size, 0.21 * size))
        elif name in known.read:
            marks.insert(0, Rect(box, "source_fill", "source_line", 0.09 * size, 0.21 * size))
        return marks


def _chain_rule(known: _Known, box: Box, size: float) -> list[Mark]:
    """Write a step back as the chain rule, with its numbers."""
    edge, f = known.in_hand, known.graph.result
    if not known.back:
        return []
    if edge is None:
        why = Span(tr(", for {result} changes just as {result} does", result=f), "muted")
        return [Label(box, (Span(f"∂{f}/∂{f} = ", "backward"), Span("1", "backward", True), why), size)]
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
        return [Label(box, (*runs, come, Span(" · ", "muted"), local), size)]
    runs += (
        Span(brief(known.gradients[edge.node]), "backward"),
        Span(" · ", "muted"),
        Span(in_line(brief(known.graph.local(edge, known.values)), "*")),
        Span("  =  ", "muted"),
        Span(brief(known.part(edge)), "backward", True),
    )
    return [Label(box, runs, size)]


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
