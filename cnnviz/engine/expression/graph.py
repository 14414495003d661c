"""A graph of operations, with a forward and a backward listing written from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import address_of, gradient_name, gradient_of
from cnnviz.engine.expression.rules import RULES, Rule, as_text, exponential, power
from cnnviz.engine.generated import compiled
from cnnviz.engine.layer import Call, Shape
from cnnviz.engine.port import Port
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

RESULT = "f"
"""What the result is called of an expression that gives it no name."""

Values = Mapping[str, float]


class Node(Struct, frozen=True):
    """One operation of a graph.

    Attributes
    ----------
    name : str
        What its value is called: as it was typed, or q, r, s …
    sign : str
        ``+ - * / neg **`` or a function's name.
    operands : tuple[str or float, ...]
        Names of inputs or of earlier nodes, and plain numbers.
    """

    name: str
    sign: str
    operands: tuple[str | float, ...]

    @property
    def rule(self) -> Rule:
        """What it computes."""
        base, exponent = self.operands[0], self.operands[-1]
        if self.sign == "**" and not isinstance(exponent, str):
            return power(exponent)
        return exponential(base) if self.sign == "**" and not isinstance(base, str) else RULES[self.sign]

    @property
    def exponent(self) -> int | None:
        """The whole number that it is raised to, which is a part of its sign; None of anything else."""
        found = self.operands[-1] if self.sign == "**" else ""
        return None if isinstance(found, str) or found != int(found) else int(found)

    @property
    def shown(self) -> tuple[str | float, ...]:
        """The operands that have a place of their own in a picture."""
        return self.operands[:1] if self.exponent is not None else self.operands

    def arguments(self, values: Values) -> tuple[np.float64, np.float64]:
        """Return the numbers of its operands; NumPy's own, which divide by zero without a fuss."""
        a, *b = (np.float64(values[o] if isinstance(o, str) else o) for o in self.operands)
        return a, b[0] if b else np.float64(0)

    def fill(self, text: str) -> str:
        """Put its own names into a text of its rule."""
        a, b = (*(as_text(operand) for operand in self.operands), "")[:2]
        return text.format(a=a, b=b, y=self.name, d=gradient_name(self.name))


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


class Statement(Struct, frozen=True):
    """One of the statements that a graph was typed in.

    Attributes
    ----------
    name : str
        The node that it computes last.
    text : str
        Its right-hand side, with the names that the graph has.
    """

    name: str
    text: str


class Graph(Struct, frozen=True):
    """A computational graph.

    Attributes
    ----------
    text : str
        What it was made of: an expression, or statements with semicolons between.
    result : str
        The name of the last node.
    inputs : tuple[str, ...]
        The names that need values, in the order of the text.
    nodes : tuple[Node, ...]
        The operations in the order they compute.
    edges : tuple[Edge, ...]
        The ways back, in the order of the backward listing.
    statements : tuple[Statement, ...]
        What was typed, in parts: the one that a node belongs to is the first that ends with it or after it.
    """

    text: str
    result: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    statements: tuple[Statement, ...]

    @property
    def input_shape(self) -> Shape:
        """How many numbers go in."""
        return (len(self.inputs),)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of inputs and operations, in the order they get their values."""
        return (*self.inputs, *(node.name for node in self.nodes))

    def statement(self, name: str) -> Statement:
        """Return the statement that an operation belongs to."""
        order = {node.name: k for k, node in enumerate(self.nodes)}
        return next(part for part in self.statements if order[part.name] >= order[name])

    def part(self, nodes: Sequence[Node]) -> Graph:
        """Return the graph of some of its nodes, what they read of others being inputs."""
        own = {node.name for node in nodes}
        read = {name for node in nodes for name in node.operands if isinstance(name, str)} - own
        return Graph(
            text=self.text,
            result=self.result,
            inputs=tuple(name for name in self.names if name in read),
            nodes=tuple(nodes),
            edges=tuple(edge for edge in self.edges if edge.node in own),
            statements=self.statements,
        )

    @property
    def size(self) -> int:
        """How many places its inputs, operations and plain numbers take in a picture."""
        numbers = sum(not isinstance(operand, str) for node in self.nodes for operand in node.shown)
        return len(self.inputs) + len(self.nodes) + numbers

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
        """Return what goes back over an edge; through what is shut nothing, not 0 times something."""
        local = self.local(edge, values)
        return 0.0 if local == 0 and " if " in edge.local else np.float64(gradient) * local

    @property
    def forward_source(self) -> str:
        """The forward listing."""
        lines = [f"{node.name} = {node.fill(node.rule.forward)}" for node in self.nodes]
        return _source("forward", self.inputs, lines)

    @property
    def backward_source(self) -> str:
        """The backward listing; it is given what it reads of the values that went forward."""
        lines = [f"{gradient_name(self.result)} = 1.0"]
        for edge in self.edges:
            node = self.node(edge.node)
            assert node is not None
            sign = "+=" if edge.adds else "="
            target = gradient_name(edge.operand)
            lines.append(f"{target} {sign} {node.fill(node.rule.backward[edge.slot])}")
        return _source("backward", self.saved, lines)

    @property
    def saved(self) -> tuple[str, ...]:
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
            Of a result f, the values ``f.x``, ``f.q``, ``f.f`` and the gradients ``f.dx``, …; NaN and
            infinity stand for themselves.

        Raises
        ------
        CnnvizError
            If a value is missing, is for nothing, or is not a finite number.
        """
        faults = list(self.faults(values))
        if faults:
            raise CnnvizError("; ".join(fault for _, fault in faults) + ".")
        forward = {name: np.float64(values[name]) for name in self.inputs}
        gradients = {self.result: np.float64(1.0)}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                forward[node.name] = np.float64(node.rule.value(*node.arguments(forward)))
            for edge in self.edges:
                part = np.float64(self.back(edge, forward, gradients[edge.node]))
                gradients[edge.operand] = gradients[edge.operand] + part if edge.adds else part
        arrays = {name: forward[name] for name in self.names}
        arrays |= {gradient_name(name): gradients[name] for name in reversed(self.names) if name in gradients}
        return Tape({address_of(self.result, name): np.asarray(value) for name, value in arrays.items()})

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
        own = {name: address_of(self.result, name) for name in self.names}
        forward = {
            node.name: Port(own[node.name], "result" if node.name == self.result else "auxiliary", node.name)
            for node in self.nodes
        }
        backward = {
            gradient_name(name): Port(gradient_of(own[name]), "result", name, own[name])
            for name in (self.result, *(edge.operand for edge in self.edges))
        }
        passes = [
            (self.result, "forward", self.forward_source, self.inputs, forward),
            (address_of(self.result, "backward"), "backward", self.backward_source, self.saved, backward),
        ]
        return [
            Call(
                name=name,
                layer=self.result,
                phase=phase,
                listing=compiled(self.text, source),
                ports=ports,
                given={key: np.float64(tape[own[key]]) for key in reads},
                writes={key: tape[port.address] for key, port in ports.items()},
                expression=self.text,
                kind=f"expression.{phase}",
            )
            for name, phase, source, reads, ports in passes
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


def _source(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    return f"def {name}({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in lines)
