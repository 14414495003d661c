"""A computational graph in a room: what stands where, and how large, the same at every step.

Sizes and places follow from the numbers as they will be when all is computed, so that nothing moves.
All lengths are in parts of the size of the graph's numbers; the layout says how large that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise, product
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import gradient_name
from cnnviz.engine.expression import Edge, Graph, Node
from cnnviz.scene.conditions import taken
from cnnviz.scene.kinds.graph_layout import Layout, lay_out, number_name
from cnnviz.scene.layout import SMALLEST, Figure
from cnnviz.scene.marks import Box
from cnnviz.scene.measure import width
from cnnviz.scene.numbers import as_formula, brief, superscript
from cnnviz.trace.program_cache import program_cache

Point = tuple[float, float]
Lines = tuple[tuple[str, ...], ...]
InputValues = tuple[tuple[str, float], ...]

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "neg": "−", "sigmoid": "σ", "relu": "ReLU"}
_SIGNS |= {"sqrt": "√", "abs": "|x|", "**": "xʸ"}

# A node's half height; the sizes of its name, of the parts of a sum, of what stands on an edge.
RADIUS, NAME, PARTS, LOCAL = 1.25, 1.1, 0.85, 0.85
LINE = 1.24
_GAP = 0.3
# From one column to the next, and from one row to the next: at least, and at most.
_LEAST_PITCH, _MOST_PITCH, _MOST_ROW = 6.6, 16.5, 8.6

# Where on an edge its derivative may stand, the best first, and how far aside, in its heights.
_ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8)
_ASIDE = (0.0, -0.62, 0.62, -1.1, 1.1)
# How much smaller it may get where there is little room; never smaller than can be read.
_SIZES = (1.0, 0.85, 0.7)
# How little each wording is liked: in one line, in two, the number alone.
_WORDY = (0.0, 0.1, 0.55)
# So much of an edge may be hidden behind what stands on it: its arrow must be seen to come from somewhere.
_MOST_HIDDEN, _HIDING = 0.7, 0.5
# How little it is liked that something is covered: all of a label, or another edge.
_COVERING, _CROSSING = 40.0, 0.04
# What may be covered of a label, at most; where there is no better place, nothing is written.
_MOST_COVERED = 0.06


class EdgeLabel(Struct, frozen=True):
    """Where a local derivative stands, what it says line by line, and the size of its text."""

    box: Box
    lines: Lines
    size: float


class GraphDrawing(Struct, frozen=True, eq=False, dict=True):
    """A graph, and where it is drawn.

    Attributes
    ----------
    whole : Graph
        That of which it may be a page.
    numbers : Mapping[str, float]
        Every value and gradient when all is computed, by its name in the listings.
    size : float
        Of its numbers, in pixels.
    """

    graph: Graph
    whole: Graph
    numbers: Mapping[str, float]
    layout: Layout
    box: Box = Box(0, 0, 0, 0)
    size: float = 1.0

    # ------------------------------------------------------------------------------------------- sizes

    def figure(self, name: str) -> Figure:
        """Return the graph as a part of a layout."""
        return Figure(name, self._pitch * self.layout.columns, self._row * self.layout.rows)

    @cached_property
    def _pitch(self) -> float:
        return max(_LEAST_PITCH, *(width(self.gradient_text(name), True) + 0.5 for name in self.graph.names))

    @cached_property
    def _row(self) -> float:
        return 2 * RADIUS + 2 * (_GAP + LINE) + (1.3 * PARTS if self._sums else 0.0) + 0.15

    @cached_property
    def _sums(self) -> bool:
        return any(self.uses(name) > 1 for name in self.graph.names)

    @cached_property
    def pitch(self) -> float:
        """From one column to the next, in pixels."""
        room = (self.box.w - self._pitch * self.size) / max(1, self.layout.columns - 1)
        return min(room, _MOST_PITCH * self.size)

    def uses(self, name: str) -> int:
        """Return over how many edges gradients come back to a node."""
        return sum(edge.operand == name for edge in self.whole.edges)

    # ------------------------------------------------------------------------------------------- nodes

    @cached_property
    def centers(self) -> Mapping[str, Point]:
        """The middle of every node, and of every plain number."""
        return {name: self._at(*spot) for name, spot in self.layout.spots.items()}

    def _at(self, column: int, row: float) -> Point:
        left = self.box.x + (self.box.w - self.pitch * (self.layout.columns - 1)) / 2
        step = min(self.box.h / self.layout.rows, _MOST_ROW * self.size)
        # Over a node there may be more to write than under it.
        top = self.box.center[1] - step * (self.layout.rows - 1) / 2 + 0.6 * PARTS * self.size * self._sums
        return left + column * self.pitch, top + row * step

    def sign(self, name: str) -> str:
        """Return what stands in a node: the name of an input, the sign of an operation, a number."""
        if "#" in name:
            owner, _, slot = name.partition("#")
            operand = self.operation(owner).operands[int(slot)]
            assert not isinstance(operand, str)
            return brief(operand)
        node = self.graph.node(name)
        if node is None:
            return name
        if node.exponent is not None:
            return "( )" + superscript(str(node.exponent))
        return _SIGNS.get(node.sign, node.sign)

    def operation(self, name: str) -> Node:
        """Return the operation of a name that is one."""
        node = self.graph.node(name)
        assert node is not None
        return node

    def node_box(self, name: str) -> Box:
        """Return where a node is: as wide as what stands in it."""
        high = RADIUS * self.size * (0.6 if "#" in name else 1)
        wide = max(high, (0.45 * width(self.sign(name)) * NAME + 0.3) * self.size)
        x, y = self.centers[name]
        return Box(x - wide, y - high, 2 * wide, 2 * high)

    def value_text(self, name: str) -> str:
        """Return a node's value when it is computed."""
        text = brief(self.numbers[name])
        return text if self.graph.node(name) is None else f"{name} = {text}"

    def gradient_text(self, name: str) -> str:
        """Return a node's gradient when it is computed."""
        number = brief(self.numbers[gradient_name(name)]) if gradient_name(name) in self.numbers else ""
        return f"∂{self.graph.result}/∂{name} = {number}"

    def value_box(self, name: str) -> Box:
        """Return where a node's value stands."""
        node = self.node_box(name)
        return self._written(node.center[0], node.bottom + _GAP * self.size, self.value_text(name), 1.0)

    def gradient_box(self, name: str) -> Box:
        """Return where a node's gradient stands."""
        node = self.node_box(name)
        y = node.y - (_GAP + LINE) * self.size
        return self._written(node.center[0], y, self.gradient_text(name), 1.0)

    def parts_box(self, name: str, text: str) -> Box:
        """Return where the parts of a gradient stand that is a sum."""
        under = self.gradient_box(name)
        return self._written(under.center[0], under.y - LINE * PARTS * self.size, text, PARTS)

    def _written(self, x: float, y: float, text: str, part: float) -> Box:
        size = part * self.size
        wide = min((width(text, True) + 0.5) * size, self.pitch - 0.15 * self.size)
        return Box(x - wide / 2, y, wide, LINE * size)

    # ------------------------------------------------------------------------------------------- edges

    @cached_property
    def curves(self) -> Mapping[tuple[str, int], tuple[Point, ...]]:
        """The points of every edge, from the rim of the operand to the rim of the operation."""
        return {
            (node.name, slot): self._curve(node, slot)
            for node in self.graph.nodes
            for slot in range(len(node.shown))
        }

    def _curve(self, node: Node, slot: int) -> tuple[Point, ...]:
        operand = node.operands[slot]
        start = self.node_box(operand if isinstance(operand, str) else number_name(node.name, slot))
        end, port, bow = self.node_box(node.name), self._port(node, slot), self._bow(node, slot)
        places = [self._at(*spot) for spot in self.layout.ways[node.name, slot]]
        radius = max(end.h / 2, 0.1)
        round_off = radius * (1 - sqrt(max(0.0, 1 - (port / radius) ** 2)))
        places[0] = (start.right + 0.07 * self.size, start.center[1] + self._start(node, slot))
        places[-1] = (end.x + round_off - 0.1 * self.size, end.center[1] + port)
        points: list[Point] = []
        for (ax, ay), (bx, by) in pairwise(places):
            reach = (bx - ax) * 0.45
            corners = ((ax, ay), (ax + reach, ay + bow), (bx - reach, by + bow), (bx, by))
            points += [_bezier(corners, k / 20) for k in range(20)]
        return (*points, places[-1])

    def _port(self, node: Node, slot: int) -> float:
        """Return how far over or under its middle an edge comes to a node, so that two do not meet."""
        if len(node.shown) < 2:
            return 0.0
        rows = [self.layout.ways[node.name, k][-2][1] for k in range(2)]
        above = (rows[slot], slot) < (rows[1 - slot], 1 - slot)
        return (-0.5 if above else 0.5) * RADIUS * self.size

    def _start(self, node: Node, slot: int) -> float:
        """Return how far over or under its middle an edge leaves a node, in the order of where they go."""
        ways = self.layout.ways
        here = ways[node.name, slot][0]
        beside = [key for key, way in ways.items() if way[0] == here]
        beside.sort(key=lambda key: (ways[key][1][1], key[1]))
        step = min(0.6, 1.1 / len(beside)) * RADIUS * self.size
        return (beside.index((node.name, slot)) - (len(beside) - 1) / 2) * step

    def _bow(self, node: Node, slot: int) -> float:
        """Return how far an edge bends aside: only where two go the same way."""
        if len(node.shown) < 2 or node.operands[0] != node.operands[1]:
            return 0.0
        return (-1.25 if slot == 0 else 1.25) * self.size

    # ------------------------------------------------------------------------------- local derivatives

    @cached_property
    def labels(self) -> Mapping[int, EdgeLabel]:
        """Where the local derivatives stand, by line of the backward listing.

        One after the other, and then once more, each takes the place where it covers the least of nodes,
        numbers, other edges and others. What has no place is left out; the chain rule's line says it.
        """
        stand = [self.node_box(name).inset(-0.45 * self.size, 0) for name in self.layout.spots]  # and arrows
        for name in self.graph.names:
            around = -0.15 * self.size  # an outline, and a little air
            stand += [self.value_box(name).inset(around), self.gradient_box(name).inset(around)]
            if self.uses(name) > 1:
                stand.append(self.parts_box(name, " + ".join(["0.000"] * self.uses(name))))
        choices = {edge.line: self._choices(edge) for edge in self.graph.edges}
        disliked = {
            edge.line: self._disliked(choices[edge.line], stand, (edge.node, edge.slot))
            for edge in self.graph.edges
        }
        found: dict[int, EdgeLabel] = {}
        for line in 2 * tuple(choices):
            labels = [place for _, place in choices[line]]
            others = [place.box for other, place in found.items() if other != line]
            cost = disliked[line] + _COVERING * _covered(labels, others)
            found[line] = labels[int(np.argmin(cost))]
        kept: dict[int, EdgeLabel] = {}
        for line, place in found.items():
            boxes = [*stand, *(other.box for other in kept.values())]
            if _covered([place], boxes)[0] <= _MOST_COVERED:
                kept[line] = place
        return kept

    def _disliked(
        self, choices: list[tuple[float, EdgeLabel]], stand: list[Box], own: tuple[str, int]
    ) -> NDArray[np.float64]:
        """Return how little each choice is liked for itself, and for what stands still."""
        labels = [place for _, place in choices]
        points = [point for way, curve in self.curves.items() if way != own for point in curve[::2]]
        x, y = np.reshape(points, (-1, 2)).T
        left, top, right, bottom = (side[:, None] for side in _sides([label.box for label in labels]))
        crossed = ((left < x) & (x < right) & (top < y) & (y < bottom)).sum(1)
        liked = np.array([dislike for dislike, _ in choices])
        return np.asarray(liked + _COVERING * _covered(labels, stand) + _CROSSING * crossed)

    def _choices(self, edge: Edge) -> list[tuple[float, EdgeLabel]]:
        """Return where an edge's derivative may stand, what it then says, and how little that is liked."""
        points = self.curves[edge.node, edge.slot][-21:]
        room = points[-1][0] - points[0][0]
        wordings = _wordings(edge, self.graph.local(edge, self.numbers), self.numbers)
        sizes = dict.fromkeys(max(SMALLEST, LOCAL * self.size * part) for part in _SIZES)
        choices: list[tuple[float, EdgeLabel]] = []
        for (wordy, lines), (small, size) in product(enumerate(wordings), enumerate(sizes)):
            wide, high = (
                (max(width("".join(line), True) for line in lines) + 0.6) * size,
                LINE * size * len(lines),
            )
            if wide > room and wordy < len(wordings) - 1:
                continue
            for (far, t), aside in product(enumerate(_ALONG), _ASIDE):
                x, y = points[round(20 * t)]
                box = Box(x - wide / 2, y + aside * high - high / 2, wide, high)
                dislike = 0.04 * far + _WORDY[wordy] + 0.3 * small + 0.2 * abs(aside)
                if not aside and wide > _MOST_HIDDEN * room:
                    dislike += _HIDING
                choices.append((dislike, EdgeLabel(box, lines, size)))
        return choices


@program_cache(64)
def drawing(graph: Graph, whole: Graph, numbers: InputValues, inputs_left: bool) -> GraphDrawing:
    """Return a graph, or a page of one, that has no place yet.

    Parameters
    ----------
    inputs_left : bool
        Whether all inputs stand at the left, as `lay_out` has it.
    """
    return GraphDrawing(graph, whole, dict(numbers), lay_out(graph, inputs_left))


@program_cache(64)
def placed(of: GraphDrawing, box: Box, size: float) -> GraphDrawing:
    """Return a graph in its place."""
    return GraphDrawing(of.graph, of.whole, of.numbers, of.layout, box, size)


def _bezier(corners: tuple[Point, ...], t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * corner[k] for w, corner in zip(weights, corners, strict=True)) for k in range(2))
    return x, y


def _sides(boxes: list[Box]) -> tuple[NDArray[np.float64], ...]:
    x, y, w, h = np.reshape(np.array(boxes, float), (-1, 4)).T
    return x, y, x + w, y + h


def _covered(labels: list[EdgeLabel], boxes: list[Box]) -> NDArray[np.float64]:
    """Return how much of each label is covered by boxes, or covers them, in parts of it."""
    left, top, right, bottom = (side[:, None] for side in _sides([label.box for label in labels]))
    x, y, end, foot = _sides(boxes)
    wide = np.minimum(right, end) - np.maximum(left, x)
    high = np.minimum(bottom, foot) - np.maximum(top, y)
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    return np.asarray(common.sum(1) / ((right - left) * (bottom - top))[:, 0])


def _wordings(edge: Edge, local: float, numbers: Mapping[str, float]) -> list[Lines]:
    """Return what may be written on an edge: ∂f/∂q = z = −4, in one line or in two, or the number alone."""
    head, number = f"∂{edge.node}/∂{edge.operand}", brief(local)
    symbol, why = taken(edge.local, numbers)
    if why:  # of a ReLU, say
        return [((f"{head} = {number}  ({why})",),), ((f"{head} = ", number), (f"{why}",)), ((number,),)]
    symbol = as_formula(symbol)
    if symbol == number:
        return [((f"{head} = ", number),), ((f"{head} =",), (number,)), ((number,),)]
    return [((f"{head} = {symbol} = ", number),), ((f"{head} = {symbol}",), ("= ", number)), ((number,),)]
