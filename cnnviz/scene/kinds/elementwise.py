"""Activations: what goes in, what comes out, and the function's graph with the point in hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.kinds.layout import lowered, side_by_side, titled
from cnnviz.scene.letters import name_width, size_of
from cnnviz.scene.marks import Box, Cells, Dot, Label, Mark, Path, Rect, Run, Strokes, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import MINUS, number
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

# A straight line from (x, y) to (x, y).
Stroke = tuple[float, float, float, float]

# At so many points the graph of a function is computed.
_POINTS = 81


def forward(
    moment: Moment,
    box: Box,
    unit: float,
    clips: bool = False,
    bounds: tuple[float, float] | None = None,
) -> list[Mark]:
    """Draw input and output maps and the graph of the function.

    Parameters
    ----------
    clips : bool
        Whether what lies outside the bounds is clipped, without any what is negative: it is struck through.
    bounds : (float, float), optional
        Between which values the function stays; without them its graph reaches as far as the inputs.
    """
    prefix, focus = _place(moment, "x")
    shown = grid.plane(moment, "x", prefix, focus)
    left, right, side = side_by_side(box, *_widths(shown), 5, unit=unit)
    graph = min(side.w, 330 * unit) + 68 * unit
    left, right, side = lowered(box, shown, [left, right, side], unit, graph)
    depth = _depth(moment, "x")
    marks, on_x = titled(moment, shown, left, unit, moment.came_from(), depth)
    out, _ = titled(moment, grid.plane(moment, "y", prefix, focus), right, unit, tr("output"), depth)
    if clips:
        low, high = bounds or (0.0, np.inf)
        struck = (on_x.values < low) | (on_x.values > high)
        marks += _strikes(moment, on_x, struck & _window(moment.state.written("y")[prefix], on_x), unit)
    return [*marks, *out, *_graph(moment, bounds, "x", "y", side, unit)]


def backward(
    moment: Moment, box: Box, unit: float, clips: bool = False, bounds: tuple[float, float] | None = None
) -> list[Mark]:
    """Draw the gate (the forward input or output), the gradient that comes, and the one that leaves."""
    gate = "x" if "x" in moment.operation.call.given else "y"
    prefix, focus = _place(moment, gate)
    shown = grid.plane(moment, gate, prefix, focus)
    width = _widths(shown)[0]
    one, two, three = lowered(box, shown, side_by_side(box, width, width, width, unit=unit), unit)
    depth = _depth(moment, gate)
    said = tr("input, forward") if gate == "x" else tr("output, forward")
    marks, on_gate = titled(moment, shown, one, unit, said, depth)
    come = moment.gradient_from()
    two_marks, on_dy = titled(moment, grid.plane(moment, "dy", prefix, focus), two, unit, come, depth)
    three_marks, _ = titled(
        moment, grid.plane(moment, "dx", prefix, focus), three, unit, tr("input gradient"), depth
    )
    if clips:
        x = on_gate.values
        done = _window(moment.state.written("dx")[prefix], on_dy)
        low, high = bounds or (0.0, np.inf)
        clipped = ((x <= low) | (x >= high)) & done if x.shape == on_dy.values.shape else np.zeros_like(done)
        two_marks += _strikes(moment, on_dy, clipped, unit)
    return [*marks, *two_marks, *three_marks]


def _place(moment: Moment, name: str) -> tuple[tuple[int, ...], tuple[int, int, int, int]]:
    """Return which map is in work and which of its cells; a column is one map."""
    v = moment.variable
    if np.ndim(moment.operation.call.given[name]) == 3:
        return (v("c"),), (v("i"), v("j"), 1, 1)
    return (), (v("n"), 0, 1, 1)


def _widths(shown: grid.Plane) -> tuple[int, int]:
    columns = shown.values.shape[1]
    return (columns, columns) if columns > 1 else (3, 3)


def _depth(moment: Moment, name: str) -> int:
    values = np.asarray(moment.operation.call.given[name])
    return len(values) if values.ndim == 3 else 1


def _window(mask: NDArray[np.bool_], on: Cells) -> NDArray[np.bool_]:
    rows, columns = on.values.shape
    r, c = on.origin
    return mask.reshape(len(mask), -1)[r : r + rows, c : c + columns]


def _strikes(moment: Moment, on: Cells, which: NDArray[np.bool_], unit: float) -> list[Mark]:
    """Strike cells through and hatch them, around their numbers or names: those are still to be read."""
    if not on.texts or not which.any():
        return []
    through: list[Stroke] = []
    hatch: list[Stroke] = []
    apart, size, high = max(9 * unit, on.cell[1] / 5), max(grid.SMALLEST_TEXT, on.size), 1.0
    name = moment.names.longest(on.array) if moment.letters else ""
    if name:  # it will stand in the number's place, in a size of its own and with its index under the line
        size, high = size_of(on, ((name,),), unit), 1.25
    for r, c in np.argwhere(which).tolist():
        cell = on.box_of(r, c).inset(2 * unit)
        hole = name_width(name or on.texts[r][c]) * size + 6 * unit, high * size + 2 * unit
        through += _rising(cell, hole, 0.0)
        hatch += _beside(cell, hole, apart)
    # With a rim, so that they are seen on the palest and on the darkest cells.
    return [
        Strokes(tuple(hatch), "ground", 2 * unit),
        Strokes(tuple(hatch), "muted", unit),
        Strokes(tuple(through), "ground", 4 * unit),
        Strokes(tuple(through), "ink", 1.8 * unit),
    ]


@lru_cache(maxsize=2048)  # the same at each step
def _beside(cell: Box, hole: tuple[float, float], apart: float) -> tuple[Stroke, ...]:
    """Return the lines on both sides of the one through a cell's middle."""
    count = int((cell.w + cell.h) / 2 / apart)
    shifts = (sign * k * apart for k in range(1, count + 1) for sign in (1, -1))
    return tuple(line for shift in shifts for line in _rising(cell, hole, shift))


def _rising(cell: Box, hole: tuple[float, float], shift: float) -> list[Stroke]:
    """Return a line that rises to the right through a cell, so far below its middle, around a hole there."""
    (x, y), (wide, high) = cell.center, hole
    left, right = max(-cell.w / 2, shift - cell.h / 2), min(cell.w / 2, shift + cell.h / 2)
    begin, end = max(-wide / 2, shift - high / 2), min(wide / 2, shift + high / 2)
    parts = [(left, min(right, begin)), (max(left, end), right)] if begin < end else [(left, right)]
    return [
        (x + one, y + shift - one, x + other, y + shift - other) for one, other in parts if other - one > 1
    ]


def _axes(
    moment: Moment,
    bounds: tuple[float, float] | None,
    source: str,
    target: str,
    place: Box,
    at: Callable[[float, float], tuple[float, float]],
    reach: float,
    unit: float,
) -> list[Mark]:
    """Name both axes, write where the horizontal one ends, and mark the values that are never reached."""
    size, high, gap = 17 * unit, 24 * unit, 6 * unit
    (zero, level), look = at(0.0, 0.0), moment.look(source)
    above = not bounds or bounds[0] < 0  # where the curve leaves room at the left
    left = Box(place.x + gap, level - high if above else level + 2 * unit, place.w / 2 - 2 * gap, high)
    right = Box(zero + gap, level + 2 * unit, place.right - zero - 2 * gap, high)
    marks: list[Mark] = []
    if not bounds or at(0.0, bounds[1])[1] - place.y >= high:  # else the dashed line would cross the name
        name = Box(zero - 40 * unit - gap, place.y, 40 * unit, high)
        marks.append(label(name, target, size, align="right"))
    if moment.letters:
        return [*marks, label(right, source, size, align="right")]
    end = look.text(reach)
    marks += [
        label(left, MINUS + end, size, "muted"),
        Label(right, (Run(source, "ink"), Run("   " + end, "muted")), size, "right"),
    ]
    for bound in (bound for bound in reversed(bounds or ()) if bound):
        y = at(0.0, bound)[1]
        marks.append(Path(((place.x, y), (place.right, y)), "grid", 1.2, dashed=True))
        # On the side of the vertical axis where the curve is far away.
        text = Box(zero - 40 * unit - gap, y + 2 * unit, 40 * unit, high)
        if bound < 0:
            text = Box(zero + gap, y - high - 2 * unit, 40 * unit, high)
        marks.append(label(text, number(bound, 0), size, "muted", align="right" if bound > 0 else "left"))
    return marks


@remembered(64)
def _curve(operation: Operation, source: str, target: str, reach: float) -> tuple[Array, Array]:
    """Return points of a function: what the listing makes of evenly spaced numbers."""
    axes = np.ndim(operation.call.given[source])
    xs = np.linspace(-reach, reach, _POINTS)
    ys = np.zeros(_POINTS)
    lengths = dict(zip(("N",) if axes == 1 else ("C", "H", "W"), (_POINTS, 1, 1), strict=False))
    shape = tuple(lengths.values())
    own = {source: xs.reshape(shape), target: ys.reshape(shape), **lengths}
    with np.errstate(all="ignore"):
        operation.function(**{**operation.call.given, **own})
    return xs, ys


def _graph(
    moment: Moment, bounds: tuple[float, float] | None, source: str, target: str, box: Box, unit: float
) -> list[Mark]:
    """Draw the function with the point (x, y) in hand."""
    reach = max(4.0 if bounds else 1.0, moment.look(source).reach)
    xs, ys = _curve(moment.operation, source, target, reach)
    low, high = min(-0.35 * reach, 1.1 * float(ys.min())), reach
    if bounds:
        low, high = bounds[0] - 0.25, bounds[1] + 0.25
    marks: list[Mark] = [
        label(
            box.top(28 * unit), tr("{kind}, the function", kind=moment.operation.layer), 17 * unit, bold=True
        )
    ]
    side = min(box.w, box.h - 70 * unit, 330 * unit)
    place = Box(box.x, box.y + 36 * unit, side, side)

    def at(x: float, y: float) -> tuple[float, float]:
        return place.x + (x + reach) / (2 * reach) * place.w, place.bottom - (y - low) / (
            high - low
        ) * place.h

    marks.append(Rect(place, "panel", "panel_line"))
    marks.append(Path((at(-reach, 0), at(reach, 0)), "line", 1.2))
    marks.append(Path((at(0, low), at(0, high)), "line", 1.2))
    marks += _axes(moment, bounds, source, target, place, at, reach, unit)
    marks.append(Path(tuple(at(float(x), float(y)) for x, y in zip(xs, ys, strict=True)), "accent", 3 * unit))
    if moment.state.writes:
        index = moment.state.writes[0][1]
        x, y = float(moment.state.arrays[source][index]), float(moment.state.arrays[target][index])
        px, py = at(min(max(x, -reach), reach), min(max(y, low), high))
        zero = at(0, 0)
        marks.append(Path(((px, zero[1]), (px, py), (zero[0], py)), "written_line", 1.5 * unit, dashed=True))
        marks.append(Dot((px, py), 7 * unit, "written_line"))
        text = f"({moment.cell_text(source, index)}, {moment.cell_text(target, index)})"
        marks.append(
            Label(
                Box(place.x, place.bottom + 6 * unit, place.w, 26 * unit),
                (Run(text, "written", True),),
                18 * unit,
            )
        )
    return marks
