"""One step with all that a picture may ask about it: looks of arrays, roles of names, neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import ceil, isfinite, log10
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Array
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.display import Display, Scale
from cnnviz.scene.letters import Names, names
from cnnviz.scene.marks import Palette, Role
from cnnviz.scene.memory import remembered
from cnnviz.scene.numbers import decimals, number, power_of_ten, scaled, telling
from cnnviz.scene.registry import compared, kind_of
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop, stop_at
from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Cells, Operation
from cnnviz.trace.program import Program, Step
from cnnviz.trace.state import State


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
    reach : float
        How large its own numbers are; the limit is larger where other arrays share the scale.
    letters : bool
        Whether names stand in place of its numbers.
    scale : Scale
        What shares the scale of its colours.
    """

    palette: Palette
    limit: float
    places: int
    power: int
    width: int
    reach: float
    letters: bool = False
    scale: Scale = "array"

    def bare(self, value: float) -> str:
        """Write a number where a heading says the power of ten."""
        return telling(value * 10.0**-self.power, self.places)

    def reaching(self, size: float) -> Look:
        """Return the same for numbers up to a size, of either sign: products may be larger than their sum."""
        if not isfinite(size):
            return self
        widest = number(-size * 10.0**-self.power, self.places)
        return self._replace(limit=max(self.limit, size), width=max(self.width, len(widest)))

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
    view : View
        How it is to be shown.
    """

    program: Program
    step: Step
    state: State
    view: View = View()

    @cached_property
    def stop(self) -> Stop | None:
        """The lesson's stop at this step; None if there is none."""
        return stop_at(self.view.stops, self.step)

    @property
    def letters(self) -> bool:
        """Whether names stand in place of numbers."""
        return self.view.display.letters

    @property
    def classes(self) -> tuple[str, ...]:
        """What the network's outputs are called; empty where they have no names."""
        return self.view.classes

    @property
    def operation(self) -> Operation:
        """What is being computed."""
        return self.step.operation

    @cached_property
    def node(self) -> Line | Loop:
        """The line that was run; a loop stands for its header."""
        return self.operation.path_to(self.state.line)[1]

    @property
    def cells(self) -> Cells:
        """How the steps around the line are cut into cells."""
        return self.operation.cells_of(self.state.line)

    @cached_property
    def cell(self) -> dict[str, int]:
        """The variables of the cell in work: those of the loops around it that are bound and running."""
        nest = self.cells.nest or self.state.loops
        inside = {loop.number for loop in self.state.loops}
        return {loop.variable: self.step.variables[loop.variable] for loop in nest if loop.number in inside}

    @cached_property
    def terms_begun(self) -> bool:
        """Whether the step is inside the cell's block, not at a header of the loops around it."""
        nest = self.cells.nest
        return not nest or (len(self.state.loops) >= len(nest) and self.node not in nest)

    def variable(self, name: str, default: int = 0) -> int:
        """Return a loop variable, or a default while Python does not hold it."""
        return int(self.state.variables.get(name, default))

    def look(self, name: str) -> Look:
        """Return how an array of this operation is drawn."""
        if name not in self._looks:
            drawn = look(self.program, self.operation, name, self.view.display)
            self._looks[name] = drawn._replace(letters=True) if self.letters else drawn
        return self._looks[name]

    @cached_property
    def _looks(self) -> dict[str, Look]:
        return {}

    def came_from(self, name: str = "x") -> str:
        """Say where an array that a layer is given comes from."""
        source = self.operation.call.port(name).node
        if source == INPUT:
            return tr("the network's input")
        if self.program.is_input(source):
            return tr("the network's input {name}", name=source)
        return tr("input from {layer}", layer=source)

    def gradient_from(self, name: str = "dy") -> str:
        """Say where the gradient comes from that a layer is given."""
        return tr("from {layer}", layer=self.gradient_source(name))

    def gradient_source(self, name: str = "dy") -> str:
        """Return the layer whose gradient a layer is given, or all whose gradients were added up for it."""
        made = self.program.producer(self.operation.call.port(name).address)
        if made is None or made[0] is self.operation:
            return tr("outside")
        call = made[0].call
        if call.port(made[1]).gradient_of != f"{call.layer}.y":
            return call.layer
        parts = [call.ports[name] for name in call.given if name in call.ports]
        return " + ".join(port.node for port in parts)

    def called(self, name: str) -> str:
        """Return what the lesson calls an array: ``∂E/∂f`` for ``dw``; empty if it does not say."""
        port = self.operation.call.port(name)
        said = self.program.symbol(port.gradient_of or port.before or port.address)
        return f"∂E/∂{said}" if said and port.gradient_of else said

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


def are_pixels(values: Array) -> bool:
    """Return whether an array looks like a picture: maps of values from 0 to 1."""
    return values.ndim == 3 and bool(values.min() >= 0) and bool(values.max() <= 1)


def role(operation: Operation, name: str) -> Role:
    """Return what an array is to an operation: ``written``, ``parameter`` or ``source``."""
    if operation.phase == "descent":  # it writes them all, and reads them again
        return {"w": "parameter", "E": "written"}.get(name, "source")
    port = operation.call.port(name)
    if port.role == "source" and port.gradient_of and _weighs_another(operation, name):
        return "parameter"
    return _ROLES[port.role]


def _weighs_another(operation: Operation, name: str) -> bool:
    """Return whether a gradient stands beside what the layer was given, which has the sources' colour."""
    ports = [operation.call.port(other) for other in operation.tree.arrays if other != name]
    return any(
        port.role == "source" and not port.gradient_of and port.node != operation.layer for port in ports
    )


_ROLES: Mapping[str, Role] = {
    "source": "source",
    "parameter": "parameter",
    "target": "parameter",
    "result": "written",
    "auxiliary": "written",
}


def gradient_to(operation: Operation, name: str) -> str:
    """Say whose gradient an array is, of several that an operation computes; empty of the only one."""
    call = operation.call
    nodes = [call.port(other).gradient_of.partition(".")[0] for other in call.writes]
    if len(nodes) < 2 or not all(nodes):
        return ""
    node = call.port(name).gradient_of.partition(".")[0]
    return tr("to {layer}", layer=tr("the input") if node == INPUT else node)


def look(program: Program, operation: Operation, name: str, display: Display) -> Look:
    """Return how an array of an operation is drawn: from its final values, so the same at every step.

    Where arrays share a scale of colours, values and gradients have one each, and pictures keep their own.
    """
    own, scale = _look(operation, name, _is_pixels(program, operation, name)), display.scale
    if scale == "array" or own.palette == "pixel":
        return own
    limit = _shared_limit(program, operation.layer if scale == "layer" else None, own.palette)
    return own._replace(limit=limit, scale=scale)


@remembered(2048)
def _look(operation: Operation, name: str, pixels: bool) -> Look:
    """Return how an array is drawn on a scale of its own, or of those that it is compared with."""
    alike = _alike(operation, name)
    written_alike = alike if kind_of(operation.call).added else (name,)
    spans = [_span(operation, other) for other in written_alike]
    low, high, whole = min(s[0] for s in spans), max(s[1] for s in spans), all(s[2] for s in spans)
    limit, reach = max(-low, high) or 1.0, max(_reach(operation, other) for other in written_alike)
    values = np.concatenate([_shown(operation, other).reshape(-1) for other in written_alike])
    places, power = decimals(np.clip(values, -reach, reach) if reach < limit else values)
    if operation.phase in ("update", "descent") and places and not power:
        places = max(places, 3, _places_of_change(operation, name))
    ends = (-limit, limit) if low < 0 or not whole else (limit,)
    width = max(len(number(value * 10.0**-power, places)) for value in ends)
    if not whole:
        width = max(width, 4)  # as wide as NaN is written
    end = max(_reach(operation, other) for other in alike)
    limit = max(end, 1.0) if pixels else end or 1.0
    own = _reach(operation, name)
    return Look(_palette(operation, name, pixels), limit, places, power, width, own or 1.0)


def _places_of_change(operation: Operation, name: str) -> int:
    """Return how many decimals it takes to see that an update changes an array; 6 at most."""
    if name not in operation.call.before:
        return 0
    with np.errstate(invalid="ignore"):
        change = np.abs(final(operation, name) - operation.call.before[name])
    largest = float(change[np.isfinite(change)].max(initial=0.0))
    return min(6, ceil(-log10(largest))) if largest > 0 else 0


@remembered(256)
def _is_pixels(program: Program, operation: Operation, name: str) -> bool:
    """Return whether an array is a picture: one that is read, or the one that goes into the network."""
    if "image" in operation.call.given:
        return True
    return program.is_input(operation.call.port(name).node) and are_pixels(final(operation, name))


def _palette(operation: Operation, name: str, pixels: bool) -> Palette:
    return "pixel" if pixels else "gradient" if operation.call.port(name).gradient_of else "value"


def _alike(operation: Operation, name: str) -> tuple[str, ...]:
    """Return the arrays of an operation with whose numbers those of an array are compared, and itself."""
    alike = compared(operation.call)
    return alike if name in alike else (name,)


@remembered(64)
def _shared_limit(program: Program, layer: str | None, palette: Palette) -> float:
    """Return how large the numbers of all arrays of a palette are, in a layer or in all of them."""
    return (
        max(
            (
                _reach(operation, name)
                for operation in program.operations
                if layer in (None, operation.layer)
                for name in _measured(operation)
                if _palette(operation, name, _is_pixels(program, operation, name)) == palette
            ),
            default=0.0,
        )
        or 1.0
    )


def _measured(operation: Operation) -> list[str]:
    """Return the arrays of an operation, but those that only count; where there are none, its variables."""
    names = [*operation.call.given, *operation.call.writes]
    if not operation.tree.arrays:
        return names
    arrays = [name for name in names if name in operation.tree.arrays]
    return [name for name in arrays if np.issubdtype(final(operation, name).dtype, np.floating)]


def _reach(operation: Operation, name: str) -> float:
    """Return how large the finite numbers of an array are; a walk that runs away is not followed."""
    low, high, _ = _span(operation, name)
    if operation.phase == "descent":  # else it would take decimals and colours from where it began
        return min(max(-low, high), max(100.0, 10 * _first_size(_shown(operation, name))))
    return max(-low, high)


@remembered(2048)
def _span(operation: Operation, name: str) -> tuple[float, float, bool]:
    """Return the least and the greatest finite number of an array, and whether there are no others."""
    values = _shown(operation, name)
    low, high = float(values.min()), float(values.max())
    if isfinite(low) and isfinite(high):
        return low, high, True
    finite = values[np.isfinite(values)]
    return float(finite.min(initial=0.0)), float(finite.max(initial=0.0)), False


def _first_size(values: Array) -> float:
    """Return how large the finite numbers are with which walks, (starts, steps), begin."""
    first = np.abs(values).reshape(-1, values.shape[-1])[:, 0]
    return float(first[np.isfinite(first)].max(initial=0.0))


def _shown(operation: Operation, name: str) -> Array:
    """Return the final numbers of an array, with those that it shows before.

    That is what it was if this stands beside it, and the ends that it reaches while it is added to.
    """
    values = final(operation, name)
    before, on_the_way = operation.call.before, operation.call.extremes()
    if name in on_the_way:
        return np.concatenate([values.reshape(-1), on_the_way[name]])
    return np.concatenate([before[name].reshape(-1), values.reshape(-1)]) if name in before else values


def largest(values: Array, axes: int | tuple[int, ...]) -> Array:
    """Return the size of the largest finite numbers along some axes."""
    return np.asarray(np.where(np.isfinite(values), np.abs(values), 0.0).max(axes))


def final(operation: Operation, name: str) -> Array:
    """Return an array of an operation as it is when the operation is through."""
    return np.asarray(operation.call.value(name))
