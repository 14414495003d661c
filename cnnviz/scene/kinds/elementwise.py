"""Activations: what goes in, what comes out, and the function's graph with the point in hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import SIZES, Array
from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.layout import SMALLEST, STRONG, THIN, USUAL, Area, Room, column, row
from cnnviz.scene.letters import name_width, size_of
from cnnviz.scene.marks import Box, Cells, Dot, Group, Label, Mark, Path, Rect, Span, Strokes, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import MINUS, brief, number, rounded_up
from cnnviz.scene.sheet import Sheet, TooSmallError, heading, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache

# A straight line from (x, y) to (x, y).
Stroke = tuple[float, float, float, float]

# At so many points the graph of a function is computed.
_POINTS = 81

_GRAPH = Area("graph", (11.0, 9.0), (22.0, 20.0), (10.0, 10.0))
"""Where the function's graph stands, with what is read off it under it."""


def forward(
    moment: Moment, room: Room, clips: bool = False, bounds: tuple[float, float] | None = None
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
    depth = _depth(moment, "x")
    source = shown(moment, grid.plane(moment, "x", prefix, focus), moment.came_from(), depth)
    result = shown(moment, grid.plane(moment, "y", prefix, focus), tr("output"), depth)
    parts = source.part, result.part
    maps = row(*parts, alike=True)
    try:
        at = sheet(moment, room, row(maps, _GRAPH), column(maps, _GRAPH), column(*parts, _GRAPH))
    except TooSmallError:
        at = sheet(moment, room, maps)
    on_x = at.show(source)
    at.show(result)
    if clips:
        low, high = bounds or (0.0, np.inf)
        struck = (on_x.values < low) | (on_x.values > high)
        struck &= _window(moment.state.written("y")[prefix], on_x)
        at.marks += _strikes(moment, on_x, struck, at.em)
    if "graph" in at.layout.places:
        _graph(at, bounds, "x", "y")
    return at.marks


def backward(
    moment: Moment, room: Room, clips: bool = False, bounds: tuple[float, float] | None = None
) -> list[Mark]:
    """Draw the gate (the forward input or output), the gradient that comes, and the one that leaves."""
    gate = "x" if "x" in moment.operation.call.given else "y"
    prefix, focus = _place(moment, gate)
    depth = _depth(moment, gate)
    texts = {
        gate: tr("input, forward") if gate == "x" else tr("output, forward"),
        "dy": moment.gradient_from(),
        "dx": tr("input gradient"),
    }
    planes = [
        shown(moment, grid.plane(moment, name, prefix, focus), text, depth) for name, text in texts.items()
    ]
    parts = [each.part for each in planes]
    at = sheet(
        moment, room, row(*parts, alike=True), column(row(*parts[:2], alike=True), parts[2]), column(*parts)
    )
    on_gate, on_dy, _ = (at.show(each) for each in planes)
    if clips:
        x = on_gate.values
        done = _window(moment.state.written("dx")[prefix], on_dy)
        low, high = bounds or (0.0, np.inf)
        clipped = ((x <= low) | (x >= high)) & done if x.shape == on_dy.values.shape else np.zeros_like(done)
        at.marks += _strikes(moment, on_dy, clipped, at.em)
    return at.marks


def _place(moment: Moment, name: str) -> tuple[tuple[int, ...], tuple[int, int, int, int]]:
    """Return which map is in work and which of its cells; sequences and a column are one map."""
    v, axes = moment.variable, np.ndim(moment.operation.call.given[name])
    if axes == 3:
        return (v("c"),), (v("i"), v("j"), 1, 1)
    return (), (v("c"), v("i"), 1, 1) if axes == 2 else (v("n"), 0, 1, 1)


def _depth(moment: Moment, name: str) -> int:
    values = np.asarray(moment.operation.call.given[name])
    return len(values) if values.ndim == 3 else 1


def _window(mask: NDArray[np.bool_], on: Cells) -> NDArray[np.bool_]:
    rows, columns = on.values.shape
    r, c = on.origin
    return mask.reshape(len(mask), -1)[r : r + rows, c : c + columns]


def _strikes(moment: Moment, on: Cells, which: NDArray[np.bool_], em: float) -> list[Mark]:
    """Strike cells through and hatch them, around their numbers or names: those are still to be read."""
    if not on.texts or not which.any():
        return []
    through: list[Stroke] = []
    hatch: list[Stroke] = []
    apart, size, high = max(0.53 * em, on.cell[1] / 5), max(SMALLEST, on.size), 1.0
    name = moment.names.longest(on.array) if moment.letters else ""
    if name:  # it will stand in the number's place, in a size of its own and with its index under the line
        size, high = size_of(on, ((name,),), em), 1.25
    for r, c in np.argwhere(which).tolist():
        cell = on.box_of(r, c).inset(0.12 * em)
        hole = name_width(name or on.texts[r][c]) * size + 0.35 * em, high * size + 0.12 * em
        through += _rising(cell, hole, 0.0)
        hatch += _beside(cell, hole, apart)
    # With a rim, so that they are seen on the palest and on the darkest cells.
    strokes = (
        (hatch, "ground", THIN),
        (hatch, "muted", 0.06),
        (through, "ground", STRONG),
        (through, "ink", 0.11),
    )
    return [Strokes(tuple(lines), colour, width * em) for lines, colour, width in strokes if lines]


@lru_cache(maxsize=256)  # the same at each step
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
    em: float,
    bounds: tuple[float, float] | None,
    names: tuple[str, str],
    letters: bool,
    place: Box,
    on: Callable[[float, float], tuple[float, float]],
    reach: float,
) -> list[Mark]:
    """Name both axes, write where the horizontal one ends, and mark the values that are never reached."""
    source, target = names
    size, gap, wide = em, 0.35 * em, 2.4 * em
    high = 1.4 * size
    zero, level = on(0.0, 0.0)
    above = not bounds or bounds[0] < 0  # where the curve leaves room at the left
    left = Box(place.x + gap, level - high if above else level, place.w / 2 - 2 * gap, high)
    right = Box(zero + gap, level, place.right - zero - 2 * gap, high)
    marks: list[Mark] = []
    if not bounds or on(0.0, bounds[1])[1] - place.y >= high:  # else the dashed line would cross the name
        marks.append(label(Box(zero - wide - gap, place.y, wide, high), target, size, align="right"))
    if letters:
        return [*marks, label(right, source, size, align="right")]
    end = brief(float(f"{reach:.3g}"))
    marks += [
        label(left, MINUS + end, size, "muted"),
        Label(right, (Span(source, "ink"), Span("   " + end, "muted")), size, "right"),
    ]
    for bound in (bound for bound in reversed(bounds or ()) if bound):
        y = on(0.0, bound)[1]
        marks.append(Path(((place.x, y), (place.right, y)), "grid", 0.07 * size, dashed=True))
        # On the side of the vertical axis where the curve is far away.
        text = Box(zero - wide - gap, y, wide, high)
        if bound < 0:
            text = Box(zero + gap, y - high, wide, high)
        marks.append(label(text, number(bound, 0), size, "muted", align="right" if bound > 0 else "left"))
    return marks


@program_cache(64)
def _curve(operation: Operation, source: str, target: str, reach: float) -> tuple[Array, Array]:
    """Return points of a function: what the listing makes of evenly spaced numbers."""
    axes = np.ndim(operation.call.given[source])
    xs = np.linspace(-reach, reach, _POINTS)
    ys = np.zeros(_POINTS)
    lengths = dict(zip(SIZES[axes], (_POINTS, 1, 1), strict=False))
    shape = tuple(lengths.values())
    own = {source: xs.reshape(shape), target: ys.reshape(shape), **lengths}
    with np.errstate(all="ignore"):
        operation.function(**{**operation.call.given, **own})
    return xs, ys


def _ends(
    operation: Operation, source: str, target: str, reach: float, bounds: tuple[float, float] | None
) -> tuple[float, float]:
    """Return between which values a function is drawn."""
    if bounds:
        return bounds[0] - 0.25, bounds[1] + 0.25
    return min(-0.35 * reach, 1.1 * float(_curve(operation, source, target, reach)[1].min())), reach


def _point(place: Box, reach: float, low: float, high: float, x: float, y: float) -> tuple[float, float]:
    """Return where in its place a point of a function is drawn."""
    across, up = (x + reach) / (2 * reach), (y - low) / (high - low)
    return place.x + across * place.w, place.bottom - up * place.h


@program_cache(64)
def _drawn(
    operation: Operation,
    source: str,
    target: str,
    reach: float,
    bounds: tuple[float, float] | None,
    place: Box,
    em: float,
    letters: bool,
) -> Group:
    """Draw a function with its axes: the same at each step."""
    low, high = _ends(operation, source, target, reach, bounds)
    on = partial(_point, place, reach, low, high)
    xs, ys = _curve(operation, source, target, reach)
    around = place.inset(-0.4 * em).whole()  # lines reach out of it by half of their width
    marks = (
        Rect(around, "ground"),
        Rect(place, "panel", "panel_line"),
        Path((on(-reach, 0), on(reach, 0)), "line", 0.07 * em),
        Path((on(0, low), on(0, high)), "line", 0.07 * em),
        *_axes(em, bounds, (source, target), letters, place, on, reach),
        Path(tuple(on(float(x), float(y)) for x, y in zip(xs, ys, strict=True)), "accent", USUAL * em),
    )
    return Group(around, marks)


def _graph(at: Sheet, bounds: tuple[float, float] | None, source: str, target: str) -> None:
    """Draw the function with the point (x, y) in hand."""
    moment, em, box = at.moment, at.em, at.place("graph").box
    reach = max(4.0 if bounds else 1.0, rounded_up(moment.look(source).reach))
    title = (Span(tr("{kind}, the function", kind=moment.operation.layer), "ink", True),)
    side = min(box.w, box.h - 1.6 * em)
    place = Box(box.x, box.y, side, side)
    low, high = _ends(moment.operation, source, target, reach, bounds)
    on = partial(_point, place, reach, low, high)
    at.marks.append(_drawn(moment.operation, source, target, reach, bounds, place, em, moment.letters))
    at.marks += heading(title, at.place("graph"), em)
    if moment.state.writes:
        index = moment.state.writes[0][1]
        x, y = float(moment.state.arrays[source][index]), float(moment.state.arrays[target][index])
        px, py = on(min(max(x, -reach), reach), min(max(y, low), high))
        zero = on(0, 0)
        text = f"({moment.cell_text(source, index)}, {moment.cell_text(target, index)})"
        at.marks += [
            Path(((px, zero[1]), (px, py), (zero[0], py)), "written_line", 0.09 * em, dashed=True),
            Dot((px, py), 0.4 * em, "written_line"),
            label(Box(place.x, place.bottom + 0.2 * em, box.w, 1.4 * em), text, em, "written", bold=True),
        ]


value = partial(Kind, variables=CELL, picture=forward)
"""What is known of a function of one number."""

gradient = partial(Kind, title="gradient of the input", variables=CELL, picture=backward)
"""What is known of the gradient of its input."""
