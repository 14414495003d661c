"""Gradient descent in one parameter: it walks down the curve of a loss that was typed as an expression.

The listing is written from the expression and its derivative; it is what is run, shown and stepped through.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from msgspec import Struct

from cnnviz.engine.derivative import as_line
from cnnviz.engine.expression import Graph, read_expression
from cnnviz.engine.generated import compiled
from cnnviz.engine.layer import Array, Call, Value
from cnnviz.text import tr

PARAMETER = "w"
"""The one name that the loss may have."""

MOST_STEPS, MOST_STARTS, LONGEST_LINE = 100, 8, 86

LARGEST = 1_000_000
"""How far from 0 a window may reach; its least width is as small."""

PHASE = "descent"


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
    """

    name: str
    loss: str
    lr: float
    starts: tuple[float, ...]
    steps: int
    window: tuple[float, float]

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
        return (
            "def descent(start, w, E, dw, lr, S, T):\n"
            "    for s in range(S):\n"
            "        w[s, 0] = start[s]\n"
            "        for t in range(T):\n"
            f"            E[s, t] = {loss}\n"
            f"            dw[s, t] = {slope}\n"
            "            w[s, t + 1] = w[s, t] - lr * dw[s, t]\n"
        )

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """What the listing writes: w (starts, steps + 1), E and dw (starts, steps).

        Numbers that grow without bound become infinite, and then NaN.
        """
        walks, steps = len(self.starts), self.steps
        made: dict[str, Array] = {name: np.zeros((walks, steps + (name == "w"))) for name in ("w", "E", "dw")}
        with np.errstate(all="ignore"):
            compiled(self.loss, self.source)(**self._given, **made)
        return made

    @property
    def _given(self) -> dict[str, Value]:
        return {"start": np.array(self.starts, float), "lr": self.lr, "S": len(self.starts), "T": self.steps}

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
            kind="descent",
        )


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
