"""Gradient descent in one parameter: it walks down the curve of a loss that was typed as an expression.

The listing is written from the expression, its derivative and the listing of an optimiser's update; it is
what is run, shown and stepped through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy
from functools import cached_property

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import address_of, gradient_name
from cnnviz.engine.derivative import as_line
from cnnviz.engine.expression import Graph, read_expression
from cnnviz.engine.generated import compiled, source_of
from cnnviz.engine.layer import Array, Call, Value
from cnnviz.engine.optim import SGD, Optimiser
from cnnviz.engine.port import Port, Role
from cnnviz.text import tr

PARAMETER = "w"
"""The one name that the loss may have."""

MOST_STEPS, MOST_STARTS, LONGEST_LINE = 100, 8, 86

LARGEST = 1_000_000
"""How far from 0 a window may reach; its least width is as small."""

PHASE = "descent"

_COUNTED = {"t": "(t + 1)", "k": "t"}
"""What an update calls the number of its step, from 1 and from 0, and what that is in a walk."""


class Descent(Struct, frozen=True, dict=True):
    """A parameter that walks down the curve of a loss, from one start after the other.

    Attributes
    ----------
    name : str
        What its operation is called.
    loss : str
        The expression of the loss in `PARAMETER`.
    lr : float
        The learning rate.
    starts : tuple[float, ...]
        Where walks begin.
    steps : int
        How many steps each takes.
    window : tuple[float, float]
        From which value of the parameter to which one the curve is looked at.
    optimiser : Optimiser or None
        The rule of its steps, whose own learning rate is of no account; plain gradient descent where there is
        none.
    """

    name: str
    loss: str
    lr: float
    starts: tuple[float, ...]
    steps: int
    window: tuple[float, float]
    optimiser: Optimiser | None = None

    @cached_property
    def rule(self) -> Optimiser:
        """The rule of its steps, with its learning rate."""
        rule = copy(self.optimiser) if self.optimiser else SGD(self.lr)
        rule.lr = self.lr
        return rule

    @property
    def states(self) -> tuple[str, ...]:
        """What the rule remembers from step to step."""
        return tuple(self.rule.start(np.zeros(1)))

    @property
    def graph(self) -> Graph:
        """The expression of the loss."""
        return read_expression(self.loss)

    @property
    def formula(self) -> str:
        """The loss as Python writes it, with its blanks."""
        return as_line(self.loss, PARAMETER, PARAMETER)[0]

    @property
    def lines(self) -> tuple[str, str]:
        """The loss and its derivative at ``w[s, t]``, as the listing has them."""
        return as_line(self.loss, PARAMETER, f"{PARAMETER}[s, t]")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with it: the attribute each time, and why."""
        if len(self.loss) > 2 * LONGEST_LINE:  # before its derivative is made, which is longer still
            yield "loss", tr("must have at most {most} characters", most=2 * LONGEST_LINE)
        elif self.graph.inputs != (PARAMETER,):
            names = ", ".join(self.graph.inputs)
            yield "loss", tr("must have {name} as its only name, has {names}", name=PARAMETER, names=names)
        elif max(map(len, self.lines)) > LONGEST_LINE:
            yield "loss", tr("makes too long a line of its derivative; write a shorter expression")
        low, high = self.window
        if not low < high:
            yield "window", tr("must go from a smaller number to a larger one")
        elif max(-low, high) > LARGEST or high - low < 1 / LARGEST:
            words = tr("must be between −{most:,} and {most:,}, and at least {least:.6f} wide")
            yield "window", words.format(most=LARGEST, least=1 / LARGEST)
        if len(self.starts) > MOST_STARTS:
            yield (
                "starts",
                tr("must be at most {most}, are {count}", most=MOST_STARTS, count=len(self.starts)),
            )

    @property
    def source(self) -> str:
        """The listing."""
        loss, slope = self.lines
        begun = "".join(f"        {state}[s, 0] = 0.0\n" for state in self.states)
        steps = "".join(f"            {line}\n" for line in step_lines(self.rule))
        names = ", ".join(("start", "w", "E", "dw", *self.states, *self._constants, "S", "T"))
        return (
            f"def descent({names}):\n"
            "    for s in range(S):\n"
            "        w[s, 0] = start[s]\n"
            f"{begun}"
            "        for t in range(T):\n"
            f"            E[s, t] = {loss}\n"
            f"            dw[s, t] = {slope}\n"
            f"{steps}"
        )

    @property
    def _constants(self) -> dict[str, Value]:
        """What the rule takes; the numbers of the steps it has from the loop."""
        return {name: value for name, value in self.rule.constants(1).items() if name not in _COUNTED}

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """What the listing writes: w and the rule's state (starts, steps + 1), E and dw (starts, steps).

        Numbers that grow without bound become infinite, and then NaN.
        """
        walks, steps = len(self.starts), self.steps
        names = ("w", "E", "dw", *self.states)
        made: dict[str, Array] = {
            name: np.zeros((walks, steps + (name not in ("E", "dw")))) for name in names
        }
        with np.errstate(all="ignore"):
            compiled(self.loss, self.source)(**self._given, **made)
        return made

    @property
    def _given(self) -> dict[str, Value]:
        sizes: dict[str, Value] = {"S": len(self.starts), "T": self.steps}
        return {"start": np.array(self.starts, float), **self._constants, **sizes}

    def call(self) -> Call:
        """Return the listing with its arguments."""
        return Call(
            name=self.name,
            layer=self.name,
            phase=PHASE,
            listing=compiled(self.loss, self.source),
            given=self._given,
            writes=self.arrays,
            expression=self.loss,
            window=self.window,
            ports={name: self._port(name) for name in self.arrays},
            kind="descent" if self.rule.rule == "sgd" else f"descent.{self.rule.rule}",
        )

    def _port(self, name: str) -> Port:
        """Return what an array stands for: all but the loss are written, and read by the step after that."""
        roles: dict[str, Role] = {PARAMETER: "parameter", "E": "result"}
        of = PARAMETER if name == gradient_name(PARAMETER) else ""
        own = address_of(self.name, name)
        return Port(own, roles.get(name, "source"), of or name, of and address_of(self.name, of))


def step_lines(rule: Optimiser) -> list[str]:
    """Return what an optimiser's update says of step t of walk s: its listing, with other places.

    What a line writes is what the next step finds, at t + 1; so is what a line reads that one before it has
    written.
    """
    lines = source_of(rule.listing)
    tree = ast.parse("\n".join(lines)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    loop = tree.body[-1]
    assert isinstance(loop, ast.For)
    statements = [*tree.body[:-1], *loop.body]
    written: set[str] = set()
    found = []
    for statement in statements:
        assert isinstance(statement, ast.Assign)
        edits = [edit for node in ast.walk(statement.value) for edit in _edits(node, written)]
        edits += [edit for node in ast.walk(statement.targets[0]) for edit in _edits(node, None)]
        text = lines[statement.lineno - 1]
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        found.append(text.strip())
        if isinstance(target := statement.targets[0], ast.Subscript) and isinstance(target.value, ast.Name):
            written.add(target.value.id)
    return found


def _edits(node: ast.AST, written: set[str] | None) -> Iterator[tuple[int, int, str]]:
    """Yield what stands where instead: of a cell that is written, or of one that was, the place t + 1."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        later = written is None or node.value.id in written
        place = node.slice
        yield place.col_offset, place.end_col_offset or 0, "s, t + 1" if later else "s, t"
    elif isinstance(node, ast.Name) and node.id in _COUNTED:
        yield node.col_offset, node.end_col_offset or 0, _COUNTED[node.id]


def curve(loss: str, w: Array) -> Array:
    """Return an expression's value at many values of its one name, (n,) to (n,)."""
    graph = read_expression(loss)
    values: dict[str, Array] = {graph.inputs[0]: w}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            a, *b = (values[o] if isinstance(o, str) else np.float64(o) for o in node.operands)
            made = node.rule.value(a, b[0] if b else np.float64(0))  # type: ignore[arg-type]
            values[node.name] = np.broadcast_to(made, w.shape)
    return np.asarray(values[graph.nodes[-1].name], float)
