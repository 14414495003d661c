"""Gradient descent: the curve of the loss with the walk so far, the tangent, the step; its numbers beside it.

Each start has a shape and a number of its own, so that walks are told apart without their colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from math import cos, hypot, isfinite, pi, sin

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.expression_formula import curve_formulas
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.curve import Curve, Point, axes, set_curve
from cnnviz.scene.marks import Box, Cells, Dot, Mark, Path, Rect, Role, Spot, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

_ROW, _LARGEST_ROW = 40, 48
"""The least and the largest height of a row of the table, at 1080 lines."""

_LETTER = 0.6
"""How wide a letter is at most, on average, in parts of its size."""


def picture(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the curve with the walks on it, and the table of the walk in work."""
    call = moment.operation.call
    table_width = min(420 * unit, box.w * 0.42)
    left = Box(box.x, box.y, round(box.w - table_width - 26 * unit), box.h)
    at = set_curve(call.expression, call.window, left, unit)
    walk = _Walk(moment, at)
    low, high = at.window
    marks: list[Mark] = [
        axes(at, "" if moment.letters else full(float(call.given["lr"]))),
        Spot(at.area, "start", moment.operation.name, line=walk.s, low=low, high=high),
    ]
    for s in range(walk.s):
        marks += _ended(moment.operation, at, s)
    marks += _trail(at, walk.w[: walk.t + 1], walk.s, "parameter_line", "parameter")
    in_hand = _in_hand(walk)
    tags = [mark.box for mark in in_hand if isinstance(mark, Rect) and mark.fill == "ground"]
    marks += [*([] if moment.letters else at.numbers_beside(tags)), *in_hand]
    return marks + _table(walk, Box(left.right + 26 * unit, box.y, table_width, box.h), unit)


class _Walk(Struct, frozen=True, eq=False, dict=True):
    """The walk in work: where it is, and what its step has found by now."""

    moment: Moment
    at: Curve

    @cached_property
    def s(self) -> int:
        """From which start it began."""
        return self.moment.variable("s")

    @cached_property
    def w(self) -> Array:
        """Where it has been, (steps so far + 1,); nothing before it began."""
        there = self.moment.state.written("w")[self.s]
        return np.asarray(self.moment.state.arrays["w"][self.s][there])

    @cached_property
    def t(self) -> int:
        """Which of the points the step is at: the one it starts from, until the next step begins."""
        reads, writes = (
            {name for name, _ in cells} for cells in (self.moment.state.reads, self.moment.state.writes)
        )
        just_led_on = "w" in reads & writes  # the line that takes the step from one w to the next
        return max(0, len(self.w) - (2 if just_led_on else 1))

    def found(self, name: str) -> float | None:
        """Return E or ∂E/∂w at the point in hand, once it is computed."""
        there = self.moment.state.written(name)[self.s]
        known = len(self.w) and self.t < len(there) and there[self.t]
        return float(self.moment.state.arrays[name][self.s, self.t]) if known else None

    @property
    def following(self) -> float | None:
        """The point that the step leads to, once it is computed."""
        return float(self.w[self.t + 1]) if self.t + 1 < len(self.w) else None


# -------------------------------------------------------------------------------------------- the curve


@remembered(64)
def _ended(operation: Operation, at: Curve, s: int) -> tuple[Mark, ...]:
    """Return the trail of a walk that is over: the same at every step to come."""
    return tuple(_trail(at, operation.call.writes["w"][s], s, "line", "muted"))


def _trail(at: Curve, walk: Array, s: int, line: Role, mark: Role) -> list[Mark]:
    """Draw the points of a walk that lie in the window, joined in their order; the first has its number."""
    unit = at.unit
    walk = walk[np.isfinite(walk)]
    points = at.points(walk)
    marks: list[Mark] = [
        Path((one, other), line, 1.6 * unit)
        for one, other in pairwise(points)
        if hypot(other[0] - one[0], other[1] - one[1]) > 0.5
    ]
    shown = [k for k, w in enumerate(walk.tolist()) if at.shows(w)]
    for k, point in ((k, points[k]) for k in reversed(shown)):
        marks += _numbered(point, s, unit, mark) if k == 0 else [_shape(point, s, 5.5 * unit, mark)]
    return marks


def _numbered(point: Point, s: int, unit: float, mark: Role) -> list[Mark]:
    """Draw the point that a walk began at, with the walk's number in it."""
    box = Box(point[0] - 9 * unit, point[1] - 11 * unit, 18 * unit, 22 * unit)
    number = label(box, str(s), 17 * unit, "ground", bold=True, align="center")
    return [_shape(point, s, 12 * unit, mark), number]


def _shape(center: Point, s: int, radius: float, colour: Role) -> Mark:
    """Draw a point of a walk: a circle, a square, a triangle, a diamond, by its start."""
    if s % 4 == 0:
        return Dot(center, radius, colour)
    corners, turned, larger = ((4, 45, 1.2), (3, -90, 1.3), (4, 0, 1.25))[s % 4 - 1]
    angles = [(turned + 360 * k / corners) * pi / 180 for k in range(corners)]
    r = radius * larger
    return Path(
        tuple((center[0] + r * cos(a), center[1] + r * sin(a)) for a in angles), colour, 1.0, filled=True
    )


def _in_hand(walk: _Walk) -> list[Mark]:
    """Draw the point that the step is at, what is known there, and where it leads."""
    if not len(walk.w):
        return []
    at, unit, w = walk.at, walk.at.unit, float(walk.w[walk.t])
    loss, slope, following = walk.found("E"), walk.found("dw"), walk.following
    marks: list[Mark] = []
    on_top: list[Mark] = []
    if at.shows(w):
        x, y = at.on(w)
        marks.append(Path(((x, at.area.bottom), (x, y)), "parameter_line", 1.8 * unit, dashed=True))
        if loss is not None and isfinite(loss):
            marks.append(Path(((x, y), (at.area.x, y)), "written_line", 1.8 * unit, dashed=True))
            on_top += _loss_tag(walk, y)
        ends = None if slope is None else at.tangent(w, slope)
        if ends is not None:
            marks.append(Path(ends, "source_line", 4 * unit))
        ring = Box(x - 15 * unit, y - 15 * unit, 30 * unit, 30 * unit)
        on_top.append(Rect(ring, None, "parameter_line", 3 * unit, 15 * unit))
        point = _numbered((x, y), walk.s, unit, "parameter")
        on_top += point if walk.t == 0 else [_shape((x, y), walk.s, 7 * unit, "parameter")]
    if following is not None:
        marks += _step(at, w, following)
    return [*marks, *on_top, *_parameter_tags(walk, w, following), *_readings(walk, w, slope, following)]


def _step(at: Curve, w: float, following: float) -> list[Mark]:
    """Draw the step as an arrow along the axis of w, and the place on the curve that it leads to."""
    unit, marks = at.unit, list[Mark]()
    if at.shows(following):
        x, top = at.on(following)
        ring = Box(x - 10 * unit, top - 10 * unit, 20 * unit, 20 * unit)
        marks.append(Path(((x, at.area.bottom), (x, top)), "written_line", 1.8 * unit, dashed=True))
        marks.append(Rect(ring, "ground", "written_line", 3 * unit, 10 * unit))
    if isfinite(w) and isfinite(following):
        start, end, y = at.x(w), at.x(following), at.area.bottom - 16 * unit
        if abs(end - start) >= 1:
            width = min(6 * unit, abs(end - start) / 6)
            marks.append(Path(((start, y), (end, y)), "written_line", width, arrow=True))
    return marks


def _readings(walk: _Walk, w: float, slope: float | None, following: float | None) -> list[Mark]:
    """Write the slope, what its sign says, and the step, over the curve: always at the same place."""
    at, unit = walk.at, walk.at.unit
    left, right = at.readings.columns([1.0, 1.0])
    marks: list[Mark] = []
    if slope is not None:
        says = tr("> 0: go left") if slope > 0 else tr("< 0: go right") if slope < 0 else ""
        told = "∂E/∂w" if walk.moment.letters else walk.moment.text("dw", slope)
        said = tr("slope {slope} {says}", slope=told, says=says)
        marks.append(label(left, said, 22 * unit, "source", bold=True))
    if following is not None:
        step, sign = following - w, "+" if following > w else ""
        said = tr("step −lr · ∂E/∂w")
        if not walk.moment.letters:
            said = tr("step −lr · ∂E/∂w = {step}", step=sign + walk.moment.text("w", step))
        marks.append(label(right, said, 22 * unit, "written", bold=True, align="right"))
    return marks


def _loss_tag(walk: _Walk, y: float) -> list[Mark]:
    """Write the loss at its axis, over the axis's own numbers."""
    at, unit = walk.at, walk.at.unit
    box = Box(at.box.x + 1, y - 14 * unit, at.area.x - at.box.x - 17 * unit, 28 * unit)
    return _tag(box, walk.moment.cell_text("E", (walk.s, walk.t)), "written", unit)


def _parameter_tags(walk: _Walk, w: float, following: float | None) -> list[Mark]:
    """Write w under its axis, and the new one beside it; of one outside the window, on which side it is."""
    at, unit = walk.at, walk.at.unit
    found: list[tuple[float, Role]] = [(w, "parameter")]
    if following is not None:
        found.append((following, "written"))
    texts = [_parameter_text(walk, walk.t + k, value) for k, (value, _) in enumerate(found)]
    size, y = 19 * unit, at.area.bottom + 3 * unit
    boxes: list[Box] = []
    for (value, _), text in zip(found, texts, strict=True):
        width = (len(text) * _LETTER + 0.6) * size
        x = (at.x(value) if value == value else at.area.center[0]) - width / 2
        boxes.append(Box(min(max(x, at.box.x + 1), at.box.right - width - 1), y, width, 28 * unit))
    if len(boxes) == 2:
        boxes = _apart(boxes[0], boxes[1], following is not None and following < w, at, 3 * unit)
    marks: list[Mark] = []
    for (value, colour), text, box in zip(found, texts, boxes, strict=True):
        marks += _tag(box, text, colour, unit)
        side = at.side(value)
        if side:
            edge, middle = (at.area.right if side > 0 else at.area.x), at.area.bottom - 16 * unit
            back = edge - 18 * side * unit
            tip = ((edge, middle), (back, middle - 12 * unit), (back, middle + 12 * unit))
            marks.append(Path(tip, f"{colour}_line", 1.0, filled=True))
    return marks


def _parameter_text(walk: _Walk, t: int, w: float) -> str:
    text = walk.moment.cell_text("w", (walk.s, t))
    return text if walk.at.shows(w) else tr("outside: w = {w}", w=text) if w == w else f"w = {text}"


def _apart(old: Box, new: Box, left: bool, at: Curve, gap: float) -> list[Box]:
    """Push two tags apart where one would lie on the other, the new one to its side."""
    if new.x > old.right + gap or new.right < old.x - gap:
        return [old, new]
    new = new._replace(x=old.x - gap - new.w if left else old.right + gap)
    over = max(0.0, new.right - at.box.right + 1) or min(0.0, new.x - at.box.x - 1)
    return [old._replace(x=old.x - over), new._replace(x=new.x - over)]


def _tag(box: Box, text: str, colour: Role, unit: float) -> list[Mark]:
    return [
        Rect(box, "ground", f"{colour}_line", 2 * unit, 4 * unit),
        label(box.inset(3 * unit, 0), text, 19 * unit, colour, bold=True, align="center"),
    ]


# -------------------------------------------------------------------------------------------- the table


def _table(walk: _Walk, box: Box, unit: float) -> list[Mark]:
    """Draw w, E and ∂E/∂w of the walk in work, a row for each step."""
    moment, s = walk.moment, walk.s
    count = moment.state.arrays["w"].shape[1]
    body = box.below(66 * unit)
    length = min(count, max(3, int(body.h / (_ROW * unit))))
    height = min(body.h / length, _LARGEST_ROW * unit)
    first = min(walk.t // (length - 1) * (length - 1), count - length)  # t + 1 is on the page, too
    side = 44 * unit
    begun = Box(box.x + 38 * unit, box.y, box.w - 38 * unit, 28 * unit)
    over_t = Box(box.x, box.y + 36 * unit, side - 12 * unit, 28 * unit)
    marks: list[Mark] = [
        _shape((box.x + 15 * unit, begun.center[1]), s, 9 * unit, "parameter"),
        label(over_t, "t", 18 * unit, "muted", align="right"),
    ]
    marks += _begun(moment, s, begun, unit)
    for k in range(length):
        row = Box(box.x, body.y + k * height, side - 12 * unit, height)
        now = first + k == walk.t
        marks.append(
            label(row, str(first + k), 18 * unit, "ink" if now else "muted", bold=now, align="right")
        )
    columns = Box(box.x + side, body.y, box.w - side, body.h).columns([1.0, 1.0, 1.0], gap=8 * unit)
    for name, column in zip(("w", "E", "dw"), columns, strict=True):
        style = moment.look(name)
        head = Box(column.x, box.y + 36 * unit, column.w, 28 * unit)
        named, colour = symbol(moment.operation, name) + style.factor, role(moment.operation, name)
        marks.append(label(head, named, 18 * unit, colour, bold=True, align="center"))
        values = moment.state.arrays[name][s, first : first + length, None]
        missing = ~moment.state.written(name)[s, first : first + length, None]
        place = Box(column.x, column.y, column.w, height * len(values))
        drawn = Cells(
            place,
            values,
            name,
            (s,),
            (first, 0),
            "r",
            style.palette,
            style.limit,
            grid.texts(values, style, missing),
            grid.text_size(column.w, height, style, unit),
            missing if missing.any() else None,
        )
        marks += [drawn, *grid.outlines(moment, drawn, unit)]
    return marks


def _begun(moment: Moment, s: int, box: Box, unit: float) -> list[Mark]:
    """Write which start the walk has, and where that is."""
    style = moment.look("start")
    values = np.asarray(moment.operation.call.given["start"])[s : s + 1, None]
    name, cell = box.columns([1.9, 1.0], gap=8 * unit)
    size = grid.text_size(cell.w, cell.h * 1.4, style, unit)
    texts = grid.texts(values, style)
    shown = Cells(cell, values, "start", (), (s, 0), "r", style.palette, style.limit, texts, size)
    said = label(name, tr("start {s}", s=s) + style.factor, 19 * unit, bold=True)
    return [said, shown, *grid.outlines(moment, shown, unit)]


# The loss and its derivative come before it.
_UPDATE = r"\w{s,t+1} = \w{s,t} - \mathrm{lr} \cdot \dw{s,t}"

KINDS: Mapping[str, Kind] = {
    "descent": Kind(
        title="gradient descent",
        sentence="Take a step against the slope of the loss: left where the slope is positive, right where "
        "it is negative.",
        formula=lambda call, _: (*curve_formulas(call.expression), _UPDATE),
        variables={"s": "start", "t": "step"},
        ahead="From each start `w` will go step by step: `E` and its slope `dw` are found, then lr · `dw` "
        "is taken off `w`.",
        picture=picture,
        compared=("start", "w"),
    ),
}
