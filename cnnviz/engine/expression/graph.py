"""A graph of operations, with a forward and a backward listing written from it."""

from __future__ import annotations

import linecache
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import CodeType, FunctionType

import numpy as np
from msgspec import Struct

from cnnviz.engine.expression.rules import RULES, Rule, as_text, power, relu, sigmoid
from cnnviz.engine.layer import Call, Listing, Shape
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

RESULT = "f"
"""The name of the last node."""

Values = Mapping[str, float]


class Node(Struct, frozen=True):
    """One operation of a graph.

    Attributes
    ----------
    name : str
        What its value is called: q, r, s …, the last one f.
    sign : str
        ``+ - * / neg **`` or a function's name.
    operands : tuple[str or float, ...]
        Names of inputs or of earlier nodes, and plain numbers.
    exponent : int
        Of a power.
    """

    name: str
    sign: str
    operands: tuple[str | float, ...]
    exponent: int = 0

    @property
    def rule(self) -> Rule:
        """What it computes."""
        return power(self.exponent) if self.sign == "**" else RULES[self.sign]

    def arguments(self, values: Values) -> tuple[np.float64, np.float64]:
        """Return the numbers of its operands; NumPy's own, which divide by zero without a fuss."""
        a, *b = (np.float64(values[o] if isinstance(o, str) else o) for o in self.operands)
        return a, b[0] if b else np.float64(0)

    def fill(self, text: str) -> str:
        """Put its own names into a text of its rule."""
        a, b = (*(as_text(operand) for operand in self.operands), "")[:2]
        return text.format(a=a, b=b, y=self.name, d=f"d{self.name}")


class Edge(Struct, frozen=True):
    """The way of a gradient back from a node to one of its operands: one line of the backward listing.

    Attributes
    ----------
    node, operand : str
        From which node, and back to which one.
    slot : int
        Which of the node's operands it is.
    line : int
        The line of the backward listing.
    adds : bool
        Whether the operand has a gradient already, to which this one is added.
    local : str
        ∂node/∂operand, as Python writes it.
    """

    node: str
    operand: str
    slot: int
    line: int
    adds: bool
    local: str


class Graph(Struct, frozen=True):
    """A computational graph.

    Attributes
    ----------
    text : str
        The expression it was made of.
    inputs : tuple[str, ...]
        The names that need values, in the order of the text.
    nodes : tuple[Node, ...]
        The operations in the order they compute; the last one is `RESULT`.
    edges : tuple[Edge, ...]
        The ways back, in the order of the backward listing.
    """

    text: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def input_shape(self) -> Shape:
        """How many numbers go in."""
        return (len(self.inputs),)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of inputs and operations, in the order they get their values."""
        return (*self.inputs, *(node.name for node in self.nodes))

    def node(self, name: str) -> Node | None:
        """Return the operation of this name; None for an input."""
        return next((node for node in self.nodes if node.name == name), None)

    def local(self, edge: Edge, values: Values) -> float:
        """Return the number of an edge's local derivative."""
        node = self.node(edge.node)
        assert node is not None
        a, b = node.arguments(values)
        with np.errstate(all="ignore"):
            return float(node.rule.partials[edge.slot](a, b, np.float64(values[node.name])))

    def back(self, edge: Edge, values: Values, gradient: float) -> float:
        """Return what goes back over an edge; at a ReLU that is shut nothing, not 0 times something."""
        local = self.local(edge, values)
        node = self.node(edge.node)
        if node is not None and node.sign == "relu":
            return gradient if local else 0.0
        return np.float64(gradient) * local

    @property
    def forward_source(self) -> str:
        """The forward listing."""
        lines = [f"{node.name} = {node.fill(node.rule.forward)}" for node in self.nodes]
        return _source("forward", self.inputs, lines)

    @property
    def backward_source(self) -> str:
        """The backward listing; it is given what it reads of the values that went forward."""
        lines = [f"d{RESULT} = 1.0"]
        for edge in self.edges:
            node = self.node(edge.node)
            assert node is not None
            sign = "+=" if edge.adds else "="
            lines.append(f"d{edge.operand} {sign} {node.fill(node.rule.backward[edge.slot])}")
        return _source("backward", self.kept, lines)

    @property
    def kept(self) -> tuple[str, ...]:
        """The names whose values the backward listing reads."""
        read: set[str] = set()
        for edge in self.edges:
            node = self.node(edge.node)
            assert node is not None
            read |= set(re.findall(r"\w+", node.fill(node.rule.backward[edge.slot])))
        return tuple(name for name in self.names if name in read)

    def run(self, values: Values) -> Tape:
        """Go forward and back once.

        Parameters
        ----------
        values : Mapping[str, float]
            The inputs by name.

        Returns
        -------
        Tape
            The values ``f.x``, ``f.q``, ``f.f`` and the gradients ``f.dx``, …; NaN and infinity stand
            for themselves.

        Raises
        ------
        CnnvizError
            If a value is missing, is for nothing, or is no finite number.
        """
        faults = list(self.faults(values))
        if faults:
            raise CnnvizError("; ".join(fault for _, fault in faults) + ".")
        forward = {name: np.float64(values[name]) for name in self.inputs}
        gradients = {RESULT: np.float64(1.0)}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                forward[node.name] = np.float64(node.rule.value(*node.arguments(forward)))
            for edge in self.edges:
                part = np.float64(self.back(edge, forward, gradients[edge.node]))
                gradients[edge.operand] = gradients[edge.operand] + part if edge.adds else part
        arrays = {name: forward[name] for name in self.names}
        arrays |= {f"d{name}": gradients[name] for name in reversed(self.names) if name in gradients}
        return Tape({f"{RESULT}.{name}": np.asarray(value) for name, value in arrays.items()})

    def faults(self, values: Values) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with values: the name each time, and a sentence without its full stop."""
        for name in self.inputs:
            if name not in values:
                yield name, tr("{name} has no value; write {name}=1, for instance", name=name)
        for name, value in values.items():
            if name not in self.inputs:
                known = ", ".join(self.inputs)
                yield name, tr("{name} is not in the expression, which has {known}", name=name, known=known)
            elif not math.isfinite(value):
                yield name, tr("{name} must be a finite number", name=name)

    def calls(self, tape: Tape) -> list[Call]:
        """Return both listings with their arguments."""
        given = {name: np.float64(tape[f"{RESULT}.{name}"]) for name in self.names}
        passes: list[tuple[str, str, Listing, Sequence[str], list[str]]] = [
            (
                RESULT,
                "forward",
                compiled(self.text, self.forward_source),
                self.inputs,
                [node.name for node in self.nodes],
            ),
            (
                f"{RESULT}.backward",
                "backward",
                compiled(self.text, self.backward_source),
                self.kept,
                list(dict.fromkeys([f"d{RESULT}", *(f"d{edge.operand}" for edge in self.edges)])),
            ),
        ]
        return [
            Call(
                name=name,
                layer=RESULT,
                phase=phase,
                listing=listing,
                given={key: given[key] for key in reads},
                writes={key: tape[f"{RESULT}.{key}"] for key in writes},
                expression=self.text,
            )
            for name, phase, listing, reads, writes in passes
        ]


def edges_of(nodes: Sequence[Node]) -> Iterator[Edge]:
    """Yield the ways back from the last node to the inputs: every node after all that use it."""
    reached: set[str] = set()
    line = 3
    for node in reversed(nodes):
        for slot, operand in enumerate(node.operands):
            if isinstance(operand, str):
                local = node.fill(node.rule.local[slot])
                yield Edge(node.name, operand, slot, line, operand in reached, local)
                reached.add(operand)
                line += 1


# ----------------------------------------------------------------------------------------- the listings

_NAMESPACE: dict[str, object] = {
    "__name__": __name__,
    "__builtins__": {},
    "range": range,
    "sigmoid": sigmoid,
    "relu": relu,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
}


def _source(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    return f"def {name}({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in lines)


@cache
def compiled(text: str, source: str) -> Listing:
    """Compile a listing written from an expression; its source can be found again like any other's."""
    code = compile(source, f"<{source.partition('(')[0].removeprefix('def ')} of {text}>", "exec")
    linecache.cache[code.co_filename] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        code.co_filename,
    )
    body = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    return FunctionType(body, _NAMESPACE)
