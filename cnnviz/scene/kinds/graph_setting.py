"""A computational graph in pixels: what stands where, and how large, the same at every step.

Sizes and places follow from the numbers as they will be when all is computed, so that nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import pairwise, product
from math import inf, sqrt
from operator import itemgetter

from msgspec import Struct

from cnnviz.engine.expression import Edge, Graph, Node
from cnnviz.scene.conditions import taken
from cnnviz.scene.kinds.graph_layout import Layout, lay_out, number_name
from cnnviz.scene.marks import Box
from cnnviz.scene.numbers import as_formula, brief, superscript

Point = tuple[float, float]
Lines = tuple[tuple[str, ...], ...]
InputValues = tuple[tuple[str, float], ...]

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "neg": "−", "sigmoid": "σ", "relu": "ReLU"}
_SIGNS |= {"sqrt": "√", "abs": "|x|", "**": "xʸ"}

# At 1080 lines, for a graph of few nodes: a node's half height; the sizes of its name, of its numbers, of
# the parts of a sum, of what stands on an edge.
RADIUS, NAME, NUMBER, PARTS, LOCAL = 38, 34, 29, 22, 23
LINE = 1.24
_SMALLEST = 0.45
_GAP = 10
# How wide letters are, in parts of their size; others are like digits.
_NARROW = {**dict.fromkeys(" .,·", 0.29), **dict.fromkeys("/()−-", 0.42), "f": 0.36, "r": 0.38, "t": 0.36}

# Where on an edge its derivative may stand, the best first.
_ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8)
# And how much smaller it may get where there is little room.
_SIZES = (1.0, 0.85, 0.7)
# How little each wording is liked: in one line, in two, the number alone.
_WORDY = (0.0, 0.1, 0.55)
# So much of an edge may be hidden behind what stands on it: its arrow must be seen to come from somewhere.
_MOST_HIDDEN = 0.7
_HIDING = 0.5
# What a frame around a text takes of its box at least, in pixels.
_EDGES = 7


class EdgeLabel(Struct, frozen=True):
    """Where a local derivative stands, what it says line by line, and the size of its text."""

    box: Box
    lines: Lines
    size: float


class GraphDrawing(Struct, frozen=True, eq=False, dict=True):
    """A graph set in a box.

    Attributes
    ----------
    numbers : Mapping[str, float]
        Every value and gradient when all is computed, by its name in the listings.
    """

    graph: Graph
    numbers: Mapping[str, float]
    layout: Layout
    box: Box
    unit: float

    # ------------------------------------------------------------------------------------------- sizes

    @cached_property
    def pitch(self) -> float:
        """From one column to the next."""
        gaps, aside = self.layout.columns - 1, 125 * self.unit
        return min(max(self.box.w / (gaps + 0.9), (self.box.w - 2 * aside) / gaps), 480 * self.unit)

    @cached_property
    def scale(self) -> float:
        """How large nodes are, in pixels per pixel of the largest."""
        return min(1.2 * self.unit, self.pitch / 215, self._rows_scale)

    @cached_property
    def text(self) -> float:
        """How large numbers are, in the same way."""
        return max(min(1.15 * self.unit, self._fitting), _SMALLEST * self.unit)

    def has_room(self, part: float = _SMALLEST) -> bool:
        """Return whether numbers have the room that they need to be so large, of a part of the usual size."""
        return self._fitting >= part * self.unit

    @cached_property
    def _fitting(self) -> float:
        longest = max(width((self.gradient_text(name),)) for name in self.graph.names)
        return min((self.pitch - 6 * self.unit) / (longest * NUMBER), self._rows_scale)

    @property
    def _rows_scale(self) -> float:
        sums = any(self.uses(name) > 1 for name in self.graph.names)
        row = 2 * RADIUS + 2 * (_GAP + LINE * NUMBER) + (1.3 * PARTS if sums else 0) + 4
        return self.box.h / (self.layout.rows * row)

    def uses(self, name: str) -> int:
        """Return over how many edges gradients come back to a node."""
        return sum(edge.operand == name for edge in self.graph.edges)

    # ------------------------------------------------------------------------------------------- nodes

    @cached_property
    def centers(self) -> Mapping[str, Point]:
        """The middle of every node, and of every plain number."""
        return {name: self._at(*spot) for name, spot in self.layout.spots.items()}

    def _at(self, column: int, row: float) -> Point:
        left = self.box.x + (self.box.w - self.pitch * (self.layout.columns - 1)) / 2
        most = (2 * RADIUS + 6 * NUMBER) * self.scale
        step = min(self.box.h / self.layout.rows, most)
        # Over a node there may be more to write than under it.
        top = self.box.center[1] - step * (self.layout.rows - 1) / 2
        sums = any(self.uses(name) > 1 for name in self.graph.names)
        return left + column * self.pitch, top + row * step + (0.6 * PARTS * self.text if sums else 0)

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
        high = RADIUS * self.scale * (0.6 if "#" in name else 1)
        wide = max(high, (0.3 * len(self.sign(name)) * NAME * 0.8 + 9) * self.scale)
        x, y = self.centers[name]
        return Box(x - wide, y - high, 2 * wide, 2 * high)

    def value_text(self, name: str) -> str:
        """Return a node's value when it is computed."""
        text = brief(self.numbers[name])
        return text if self.graph.node(name) is None else f"{name} = {text}"

    def gradient_text(self, name: str) -> str:
        """Return a node's gradient when it is computed."""
        number = brief(self.numbers[f"d{name}"]) if f"d{name}" in self.numbers else ""
        return f"∂{self.graph.result}/∂{name} = {number}"

    def value_box(self, name: str) -> Box:
        """Return where a node's value stands."""
        node, height = self.node_box(name), LINE * NUMBER * self.text
        return self._centred(node.center[0], node.bottom + _GAP * self.scale, self.value_text(name), height)

    def gradient_box(self, name: str) -> Box:
        """Return where a node's gradient stands."""
        node, height = self.node_box(name), LINE * NUMBER * self.text
        return self._centred(
            node.center[0], node.y - _GAP * self.scale - height, self.gradient_text(name), height
        )

    def parts_box(self, name: str, text: str) -> Box:
        """Return where the parts of a gradient stand that is a sum."""
        under, height = self.gradient_box(name), LINE * PARTS * self.text
        wide = min(width((text,)) * PARTS * self.text + 8 * self.scale, self.pitch)
        return Box(under.center[0] - wide / 2, under.y - height, wide, height)

    def _centred(self, x: float, y: float, text: str, height: float) -> Box:
        wide = min((width((text,)) + 0.7) * NUMBER * self.text, self.pitch - 4 * self.scale)
        return Box(x - wide / 2, y, wide, height)

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
        places[0] = (start.right + 2 * self.scale, start.center[1] + self._start(node, slot))
        places[-1] = (end.x + round_off - 3 * self.scale, end.center[1] + port)
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
        return (-0.5 if above else 0.5) * RADIUS * self.scale

    def _start(self, node: Node, slot: int) -> float:
        """Return how far over or under its middle an edge leaves a node, in the order of where they go."""
        ways = self.layout.ways
        here = ways[node.name, slot][0]
        beside = [key for key, way in ways.items() if way[0] == here]
        beside.sort(key=lambda key: (ways[key][1][1], key[1]))
        step = min(0.6, 1.1 / len(beside)) * RADIUS * self.scale
        return (beside.index((node.name, slot)) - (len(beside) - 1) / 2) * step

    def _bow(self, node: Node, slot: int) -> float:
        """Return how far an edge bends aside: only where two go the same way."""
        if len(node.shown) < 2 or node.operands[0] != node.operands[1]:
            return 0.0
        return (-36 if slot == 0 else 36) * self.scale

    # ------------------------------------------------------------------------------- local derivatives

    @cached_property
    def labels(self) -> Mapping[int, EdgeLabel]:
        """Where the local derivatives stand, by line of the backward listing.

        One after the other each takes the place where it covers the least of nodes, numbers and others.
        """
        taken = [self.node_box(name).inset(-14 * self.scale, 0) for name in self.layout.spots]  # and arrows
        for name in self.graph.names:
            around = -4 * self.scale  # an outline, and a little air
            taken += [self.value_box(name).inset(around), self.gradient_box(name).inset(around)]
            if self.uses(name) > 1:
                taken.append(self.parts_box(name, " + ".join(["0.000"] * self.uses(name))))
        found: dict[int, EdgeLabel] = {}
        for edge in self.graph.edges:
            found[edge.line] = _best(self._choices(edge), taken)
            taken.append(found[edge.line].box)
        return found

    def _choices(self, edge: Edge) -> list[tuple[float, EdgeLabel]]:
        """Return where an edge's derivative may stand, what it then says, and how little that is liked."""
        points = self.curves[edge.node, edge.slot][-21:]
        room = points[-1][0] - points[0][0]
        wordings = _wordings(edge, self.graph.local(edge, self.numbers), self.numbers)
        choices: list[tuple[float, EdgeLabel]] = []
        for (wordy, lines), (small, part) in product(enumerate(wordings), enumerate(_SIZES)):
            size = LOCAL * self.text * part
            wide, height = max(map(width, lines)) * size + max(0.5 * size, _EDGES), LINE * size * len(lines)
            if wide > room and not (lines is wordings[-1] and part == _SIZES[-1]):
                continue
            wide = min(wide, room)
            for (far, t), aside in product(enumerate(_ALONG), (0.0, -0.62, 0.62)):
                x, y = points[round(20 * t)]
                box = Box(x - wide / 2, y + aside * height - height / 2, wide, height)
                dislike = 0.04 * far + _WORDY[wordy] + 0.3 * small + 0.2 * abs(aside)
                if not aside and wide > _MOST_HIDDEN * room:
                    dislike += _HIDING
                choices.append((dislike, EdgeLabel(box, lines, size)))
        return sorted(choices, key=itemgetter(0))


@lru_cache(maxsize=64)
def setting(graph: Graph, numbers: InputValues, box: Box, unit: float) -> GraphDrawing:
    """Set a graph in a box: with all inputs at the left, unless it would be much smaller so."""
    left, spread = (
        GraphDrawing(graph, dict(numbers), lay_out(graph, inputs_left), box, unit)
        for inputs_left in (True, False)
    )
    return left if left.text >= 0.8 * spread.text and left.scale >= 0.8 * spread.scale else spread


def width(texts: tuple[str, ...]) -> float:
    """Return about how wide texts are, in parts of their size."""
    return sum(_NARROW.get(letter, 0.6) for text in texts for letter in text)


def _bezier(corners: tuple[Point, ...], t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * corner[k] for w, corner in zip(weights, corners, strict=True)) for k in range(2))
    return x, y


def _best(choices: list[tuple[float, EdgeLabel]], taken: list[Box]) -> EdgeLabel:
    """Return the place, of those in the order of liking, that covers none of others, or the least."""
    best, least = choices[0][1], inf
    for dislike, place in choices:
        box = place.box
        covered = sum(_common(box, other) for other in taken)
        cost = 40 * covered / (box.w * box.h or 1.0) + dislike
        if cost < least:
            best, least = place, cost
        if covered == 0:
            break
    return best


def _common(one: Box, other: Box) -> float:
    wide = min(one.right, other.right) - max(one.x, other.x)
    high = min(one.bottom, other.bottom) - max(one.y, other.y)
    return wide * high if wide > 0 and high > 0 else 0.0


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
