"""One step with all that a picture may ask about it: looks of arrays, roles of names, neighbours."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Array
from cnnviz.scene.letters import Names, names
from cnnviz.scene.marks import Palette, Role
from cnnviz.scene.memory import remembered
from cnnviz.scene.numbers import decimals, number, power_of_ten, scaled, telling
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program, Step
from cnnviz.trace.state import State

# Variables that Python writes as letters, and the symbols a lecturer writes for gradients.
SYMBOLS = {"dx": "∂E/∂x", "dy": "∂E/∂y", "dw": "∂E/∂w", "db": "∂E/∂b"}


class Look(NamedTuple):
    """How an array is drawn, fixed for all steps of an operation so that nothing jumps.

    Attributes
    ----------
    palette : Palette
        Its colour map.
    limit : float
        The value at the colour map's end.
    places : int
        Decimals.
    power : int
        The power of ten that its numbers are written in; 0 for plain numbers.
    width : int
        The most characters that one of its numbers takes.
    letters : bool
        Whether names stand in place of its numbers.
    """

    palette: Palette
    limit: float
    places: int
    power: int
    width: int
    letters: bool = False

    def bare(self, value: float) -> str:
        """Write a number where a heading says the power of ten."""
        return telling(value * 10.0**-self.power, self.places)

    @property
    def factor(self) -> str:
        """What a heading says of the power of ten: ``· 10⁻⁵``; empty for plain numbers."""
        return f" · {power_of_ten(self.power)}" if self.power and not self.letters else ""

    def text(self, value: float) -> str:
        """Write a number as it stands alone."""
        return scaled(value, self.places, self.power)


class Moment(Struct, frozen=True, eq=False, dict=True):
    """A step of a program and its state.

    Attributes
    ----------
    program : Program
        The whole iteration.
    step : Step
        The step that was last run.
    state : State
        What Python holds just after it.
    classes : tuple[str, ...]
        What the network's outputs are called; empty where they have no names.
    stops : tuple[Stop, ...]
        Where the lesson has something to say.
    letters : bool
        Whether names stand in place of numbers.
    """

    program: Program
    step: Step
    state: State
    classes: tuple[str, ...] = ()
    stops: tuple[Stop, ...] = ()
    letters: bool = False

    @cached_property
    def stop(self) -> tuple[int, Stop] | None:
        """The lesson's stop at this step, with its number from 1; None if there is none."""
        for k, stop in enumerate(self.stops, 1):
            if stop.index == self.step.index and stop.view == self.operation.call.view:
                return k, stop
        return None

    @property
    def operation(self) -> Operation:
        """What is being computed."""
        return self.step.operation

    @cached_property
    def node(self) -> Line | Loop:
        """The line that was run; a loop stands for its header."""
        return self.operation.path_to(self.state.line)[1]

    @cached_property
    def cell(self) -> dict[str, int]:
        """The variables of the cell in work: those of the loops around it that are bound and running."""
        nest = self.operation.cells.nest or self.state.loops
        inside = {loop.number for loop in self.state.loops}
        return {loop.variable: self.step.variables[loop.variable] for loop in nest if loop.number in inside}

    @cached_property
    def terms_begun(self) -> bool:
        """Whether the step is inside the cell's block, not at a header of the loops around it."""
        nest = self.operation.cells.nest
        return not nest or (len(self.state.loops) >= len(nest) and self.node not in nest)

    def variable(self, name: str, default: int = 0) -> int:
        """Return a loop variable, or a default while Python does not hold it."""
        return int(self.state.variables.get(name, default))

    def look(self, name: str) -> Look:
        """Return how an array of this operation is drawn."""
        if name not in self._looks:
            drawn = look(self.operation, name, self.is_pixels(name))
            self._looks[name] = drawn._replace(letters=True) if self.letters else drawn
        return self._looks[name]

    @cached_property
    def _looks(self) -> dict[str, Look]:
        return {}

    def is_pixels(self, name: str) -> bool:
        """Return whether an array is the picture that goes into the network."""
        first = self.program.operations[0]
        return name == "x" and self.operation.layer == first.layer and are_pixels(self.state.arrays[name])

    def came_from(self) -> str:
        """Say where a layer's input comes from."""
        layer = self.previous_layer()
        return tr("the network's input") if layer == "input" else tr("input from {layer}", layer=layer)

    def called(self, name: str) -> str:
        """Return what the lesson calls an array: ``∂E/∂f`` for ``dw``; empty if it does not say."""
        own = name.removeprefix("d") if name in SYMBOLS else name
        if own == "x":
            key = self.previous_layer()
        elif own == "y":
            key = self.operation.layer if self.operation.layer in self.layers else self.layers[-1]
        else:
            key = f"{self.operation.layer}.{own}"
        said = self.program.symbols.get(key, "")
        return f"∂E/∂{said}" if said and own != name else said

    def titled(self, name: str, text: str) -> str:
        """Return what stands over an array: the lesson's own name for it, if it has one, and what it is."""
        return ", ".join(part for part in (self.called(name), text) if part)

    def text(self, name: str, value: float) -> str:
        """Write a number of an array with the array's decimals."""
        return self.look(name).text(value)

    @property
    def names(self) -> Names:
        """What the cells of the operation's arrays are called."""
        return names(self.program, self.operation)

    def cell_text(self, name: str, index: tuple[int, ...]) -> str:
        """Write a cell of an array: its number, or in letters its name."""
        if self.letters:
            return self.names.cell(name, index)
        return self.text(name, float(self.state.arrays[name][index]))

    def previous_layer(self) -> str:
        """Return the name of the layer that feeds this one, ``input`` for the first."""
        layers = self.layers
        k = layers.index(self.operation.layer) if self.operation.layer in layers else len(layers)
        return layers[k - 1] if k > 0 else "input"

    def next_layer(self) -> str:
        """Return the name of the layer that this one feeds, ``loss`` for the last."""
        layers = self.layers
        k = layers.index(self.operation.layer) if self.operation.layer in layers else len(layers)
        return layers[k + 1] if k + 1 < len(layers) else "loss"

    @cached_property
    def layers(self) -> list[str]:
        """The names of the layers in the order they compute."""
        return [operation.layer for operation in self.program.operations if operation.phase == "forward"]


def are_pixels(values: Array) -> bool:
    """Return whether an array looks like a picture: maps of values from 0 to 1."""
    return values.ndim == 3 and bool(values.min() >= 0) and bool(values.max() <= 1)


def role(operation: Operation, name: str) -> Role:
    """Return what an array is to an operation: ``written``, ``parameter`` or ``source``."""
    if operation.phase == "descent":  # it writes them all, and reads them again
        return {"w": "parameter", "E": "written"}.get(name, "source")
    if name in operation.call.writes:
        return "written"
    if name in ("w", "b", "t") or (name == "dy" and "x" in operation.call.given):
        return "parameter"
    return "source"


def symbol(name: str) -> str:
    """Return how an array's name is written for readers: ∂E/∂w for ``dw``."""
    return SYMBOLS.get(name, name)


@remembered(2048)
def look(operation: Operation, name: str, pixels: bool = False) -> Look:
    """Return how an array of an operation is drawn: from its final values, so the same at every step."""
    values = final(operation, name)
    pixels = pixels or "image" in operation.call.given
    if name in operation.call.before:  # what it was is shown beside what it becomes
        values = np.concatenate([operation.call.before[name].reshape(-1), values.reshape(-1)])
    finite = np.abs(values[np.isfinite(values)])
    limit = float(finite.max()) if finite.size else 1.0
    # A walk that runs away must not take decimals and colours from where it began.
    bound = max(100.0, 10 * _first_size(values)) if operation.phase == "descent" else limit
    places, power = decimals(np.clip(values, -bound, bound) if bound < limit else values)
    if operation.phase in ("update", "descent") and places and not power:
        places = max(places, 3)  # a step of the update is small beside the weight
    ends = (-limit, limit) if finite.size != values.size or values.min() < 0 else (limit,)
    width = max(len(number(value * 10.0**-power, places)) for value in ends)
    if finite.size != values.size:
        width = max(width, 4)  # as wide as NaN is written
    palette: Palette = "pixel" if pixels else "gradient" if name.startswith("d") else "value"
    return Look(palette, max(limit, 1.0) if pixels else min(limit, bound) or 1.0, places, power, width)


def _first_size(values: Array) -> float:
    """Return how large the finite numbers are with which walks, (starts, steps), begin."""
    first = np.abs(values).reshape(-1, values.shape[-1])[:, 0]
    return float(first[np.isfinite(first)].max(initial=0.0))


def final(operation: Operation, name: str) -> Array:
    """Return an array of an operation as it is when the operation is through."""
    call = operation.call
    return np.asarray(call.writes[name] if name in call.writes else call.given[name])
