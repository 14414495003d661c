"""Gradient descent: the curve of the loss with the walk so far, the tangent, the step; its numbers beside it.

Each start has a shape and a number of its own, so that walks are told apart without their colours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from math import cos, hypot, isfinite, pi, sin

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.expression_formula import curve_formulas
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import update
from cnnviz.scene.kinds.curve import Curve, Point, axes, set_curve
from cnnviz.scene.layout import Area, Grid, Room, column, row
from cnnviz.scene.marks import Box, Cells, Dot, Hotspot, Mark, Path, Rect, Role, label
from cnnviz.scene.measure import longest_that_fits, width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full
from cnnviz.scene.sheet import Sheet, head_width, heading, named, sheet
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache

_CURVE = Area("curve", (22.0, 14.0), (200.0, 60.0))
_BEGUN = Area("begun", (12.0, 1.7), (40.0, 1.7))

_LETTER = 0.6
"""How wide a letter is at most, on average, in parts of its size."""


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw the curve with the walks on it, and the table of the walk in work."""
    call, (sheet_, at) = moment.operation.call, placed(moment, room)
    walk = _Walk(moment, at)
    low, high = at.window
    sheet_.marks += [
        axes(at, "" if moment.letters else full(float(call.given["lr"]))),
        Hotspot(at.area, "start", moment.operation.name, line=walk.s, low=low, high=high),
    ]
    for s in range(walk.s):
        sheet_.marks += _ended(moment.operation, at, s)
    sheet_.marks += _trail(at, walk.w[: walk.t + 1], walk.s, "parameter_line", "parameter")
    in_hand = _in_hand(walk)
    tags = [mark.box for mark in in_hand if isinstance(mark, Rect) and mark.fill == "ground"]
    sheet_.marks += [*([] if moment.letters else at.numbers_beside(tags)), *in_hand]
    _begun(sheet_, walk.s)
    _table(sheet_, walk)
    return sheet_.marks


def placed(moment: Moment, room: Room) -> tuple[Sheet, Curve]:
    """Return the sheet, with the curve beside the table or over it, and the curve where it stands."""
    call = moment.operation.call
    table = column(_BEGUN, row(*(_column_part(moment, name) for name in call.writes), gap=0.5, alike=True))
    at = sheet(moment, room, row(_CURVE, table), column(_CURVE, table))
    return at, set_curve(call.expression, call.window, at.place("curve").box, at.em)


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


@program_cache(64)
def _ended(operation: Operation, at: Curve, s: int) -> tuple[Mark, ...]:
    """Return the trail of a walk that is over: the same at every step to come."""
    return tuple(_trail(at, operation.call.writes["w"][s], s, "line", "muted"))


def _trail(at: Curve, walk: Array, s: int, line: Role, mark: Role) -> list[Mark]:
    """Draw the points of a walk that lie in the window, joined in their order; the first has its number."""
    em = at.em
    walk = walk[np.isfinite(walk)]
    points = at.points(walk)
    marks: list[Mark] = [
        Path((one, other), line, 0.094 * em)
        for one, other in pairwise(points)
        if hypot(other[0] - one[0], other[1] - one[1]) > 0.5
    ]
    shown = [k for k, w in enumerate(walk.tolist()) if at.shows(w)]
    for k, point in ((k, points[k]) for k in reversed(shown)):
        marks += _numbered(point, s, em, mark) if k == 0 else [_shape(point, s, 0.32 * em, mark)]
    return marks


def _numbered(point: Point, s: int, em: float, mark: Role) -> list[Mark]:
    """Draw the point that a walk began at, with the walk's number in it."""
    box = Box(point[0] - 0.53 * em, point[1] - 0.65 * em, 1.1 * em, 1.3 * em)
    number = label(box, str(s), 1 * em, "ground", bold=True, align="center")
    return [_shape(point, s, 0.71 * em, mark), number]


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
    at, em, w = walk.at, walk.at.em, float(walk.w[walk.t])
    loss, slope, following = walk.found("E"), walk.found("dw"), walk.following
    marks: list[Mark] = []
    on_top: list[Mark] = []
    if at.shows(w):
        x, y = at.on(w)
        marks.append(Path(((x, at.area.bottom), (x, y)), "parameter_line", 0.11 * em, dashed=True))
        if loss is not None and isfinite(loss):
            marks.append(Path(((x, y), (at.area.x, y)), "written_line", 0.11 * em, dashed=True))
            on_top += _loss_tag(walk, y)
        ends = None if slope is None else at.tangent(w, slope)
        if ends is not None:
            marks.append(Path(ends, "source_line", 0.24 * em))
        ring = Box(x - 0.88 * em, y - 0.88 * em, 1.8 * em, 1.8 * em)
        on_top.append(Rect(ring, None, "parameter_line", 0.18 * em, 0.88 * em))
        point = _numbered((x, y), walk.s, em, "parameter")
        on_top += point if walk.t == 0 else [_shape((x, y), walk.s, 0.41 * em, "parameter")]
    if following is not None:
        marks += _step(at, w, following)
    return [*marks, *on_top, *_parameter_tags(walk, w, following), *_readings(walk, w, slope, following)]


def _step(at: Curve, w: float, following: float) -> list[Mark]:
    """Draw the step as an arrow along the axis of w, and the place on the curve that it leads to."""
    em, marks = at.em, list[Mark]()
    if at.shows(following):
        x, top = at.on(following)
        ring = Box(x - 0.59 * em, top - 0.59 * em, 1.2 * em, 1.2 * em)
        marks.append(Path(((x, at.area.bottom), (x, top)), "written_line", 0.11 * em, dashed=True))
        marks.append(Rect(ring, "ground", "written_line", 0.18 * em, 0.59 * em))
    if isfinite(w) and isfinite(following):
        start, end, y = at.x(w), at.x(following), at.area.bottom - 0.94 * em
        if abs(end - start) >= 1:
            width = min(0.35 * em, abs(end - start) / 6)
            marks.append(Path(((start, y), (end, y)), "written_line", width, arrow=True))
    return marks


def _readings(walk: _Walk, w: float, slope: float | None, following: float | None) -> list[Mark]:
    """Write the slope, what its sign says, and the step, over the curve: always at the same place."""
    at, em = walk.at, walk.at.em
    left, right = at.readings.columns([1.0, 1.0])
    marks: list[Mark] = []
    if slope is not None:
        says = tr("> 0: go left") if slope > 0 else tr("< 0: go right") if slope < 0 else ""
        told = "∂E/∂w" if walk.moment.letters else walk.moment.text("dw", slope)
        texts = tr("slope {slope} {says}", slope=told, says=says), tr("slope {slope}", slope=told)
        said = longest_that_fits(texts, left.w / em, bold=True)
        marks.append(label(left, said, 1.3 * em, "source", bold=True))
    if following is not None:
        step, sign = following - w, "+" if following > w else ""
        is_plain = walk.moment.operation.call.kind == "descent"
        said = tr("step −lr · ∂E/∂w") if is_plain else tr("step")
        if not walk.moment.letters:
            told = sign + walk.moment.text("w", step)
            whole = (tr("step −lr · ∂E/∂w = {step}", step=told),) if is_plain else ()
            texts = *whole, tr("step {step}", step=told)
            said = longest_that_fits(texts, right.w / em, bold=True)
        marks.append(label(right, said, 1.3 * em, "written", bold=True, align="right"))
    return marks


def _loss_tag(walk: _Walk, y: float) -> list[Mark]:
    """Write the loss at its axis, over the axis's own numbers."""
    at, em = walk.at, walk.at.em
    box = Box(at.box.x + 1, y - 0.82 * em, at.area.x - at.box.x - 1 * em, 1.6 * em)
    return _tag(box, walk.moment.cell_text("E", (walk.s, walk.t)), "written", em)


def _parameter_tags(walk: _Walk, w: float, following: float | None) -> list[Mark]:
    """Write w under its axis, and the new one beside it; of one outside the window, on which side it is."""
    at, em = walk.at, walk.at.em
    found: list[tuple[float, Role]] = [(w, "parameter")]
    if following is not None:
        found.append((following, "written"))
    texts = [_parameter_text(walk, walk.t + k, value) for k, (value, _) in enumerate(found)]
    size, y = 1.1 * em, at.area.bottom + 0.18 * em
    if sum(map(len, texts)) * _LETTER * size + 3 * em > at.box.w:  # their arrows say that they are outside
        texts = [walk.moment.cell_text("w", (walk.s, walk.t + k)) for k in range(len(found))]
    boxes: list[Box] = []
    for (value, _), text in zip(found, texts, strict=True):
        width = (len(text) * _LETTER + 0.6) * size
        x = (at.x(value) if value == value else at.area.center[0]) - width / 2
        boxes.append(Box(min(max(x, at.box.x + 1), at.box.right - width - 1), y, width, 1.6 * em))
    if len(boxes) == 2:
        boxes = _apart(boxes[0], boxes[1], following is not None and following < w, at, 0.18 * em)
    marks: list[Mark] = []
    for (value, colour), text, box in zip(found, texts, boxes, strict=True):
        marks += _tag(box, text, colour, em)
        side = at.side(value)
        if side:
            edge, middle = (at.area.right if side > 0 else at.area.x), at.area.bottom - 0.94 * em
            back = edge - 1.06 * side * em
            tip = ((edge, middle), (back, middle - 0.71 * em), (back, middle + 0.71 * em))
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


def _tag(box: Box, text: str, colour: Role, em: float) -> list[Mark]:
    return [
        Rect(box, "ground", f"{colour}_line", 0.12 * em, 0.24 * em),
        label(box.inset(0.18 * em, 0), text, 1.1 * em, colour, bold=True, align="center"),
    ]


# -------------------------------------------------------------------------------------------- the table


def _column_part(moment: Moment, name: str) -> Grid:
    look, count = moment.look(name), moment.state.arrays["w"].shape[1]
    figures = grid.figures(look)
    aside = 0.65 * len(str(count - 1)) + 0.9 if name == "w" else 0.0
    return Grid(name, count, 1, figures, head_width(named(moment, name, "")), aside, cut="column")


def _table(at: Sheet, walk: _Walk) -> None:
    """Draw w, E and ∂E/∂w of the walk in work, a row for each step."""
    moment, s, em = at.moment, walk.s, at.em
    count, length = moment.state.arrays["w"].shape[1], at.place("w").rows
    # The step after the one in hand is on the page, too.
    first = max(0, min(walk.t // max(1, length - 1) * (length - 1), count - length))
    for name in moment.operation.call.writes:
        place, plane = at.place(name), grid.plane(moment, name, (s,))
        rows = min(length, len(plane.values) - first)
        box = place.box._replace(h=place.box.h / length * rows)
        drawn = grid.cells(plane, box, place.size, (first, 0, rows, 1))
        at.marks += [*heading(named(moment, name, ""), place, em), drawn, *grid.outlines(moment, drawn, em)]
    place = at.place("w")
    high = place.box.h / length
    over = Box(place.head.x, place.box.y - 1.75 * em, place.box.x - place.head.x - 0.6 * em, 1.4 * em)
    at.marks.append(label(over, "t", em, "muted", align="right"))
    for k in range(length):
        beside, now = over._replace(y=place.box.y + k * high, h=high), first + k == walk.t
        colour = "ink" if now else "muted"
        size = min(em, 0.75 * high)
        at.marks.append(label(beside, str(first + k), size, colour, bold=now, align="right"))


def _begun(at: Sheet, s: int) -> None:
    """Write which start the walk has, and where that is."""
    moment, em, box = at.moment, at.em, at.place("begun").box
    look = moment.look("start")
    values = np.asarray(moment.operation.call.given["start"])[s : s + 1, None]
    said = tr("start {s}", s=s) + look.factor
    name = Box(box.x + 2.2 * em, box.y, width(said, True) * em + 0.5 * em, box.h)
    cell = Box(name.right, box.y, (grid.figures(look) + 0.8) * 1.25 * em, box.h)
    texts = grid.texts(values, look, cell, 1.25 * em)
    shown = Cells(cell, values, "start", (), (s, 0), "r", look.palette, look.limit, texts, 1.25 * em)
    at.marks += [
        _shape((box.x + 0.9 * em, box.center[1]), s, 0.53 * em, "parameter"),
        label(name, said, em, bold=True),
        shown,
        *grid.outlines(moment, shown, em),
    ]


# The loss and its derivative come before it.
_UPDATE = r"\w{s,t+1} = \w{s,t} - \mathrm{lr} \cdot \dw{s,t}"


def _of_rule(rule: str) -> Kind:
    """Return the record of a walk by an optimiser's rule: what the update says, step by step."""
    record = update.KINDS[rule]
    written = [_in_a_walk(each) for each in record.formula]  # type: ignore[union-attr]
    base = max((name for name in update.CALLED if rule.startswith(name)), key=len)
    return Kind(
        title=update.CALLED[base],
        sentence=record.sentence,
        formula=lambda call, _: (*curve_formulas(call.expression), *written),
        variables={"s": "start", "t": "step"},
        ahead="From each start `w` will go step by step: `E` and its slope `dw` are found, and by the rule, "
        "what the next `w` is.",
        picture=picture,
        compared=("start", "w"),
    )


def _in_a_walk(formula: str) -> str:
    """Write a formula of an update as that of step t: what it leaves is found at t + 1."""
    left, arrow, right = formula.rpartition(r" \leftarrow ")
    own = left.removesuffix("{n}")

    def place(found: re.Match[str]) -> str:
        later = arrow and found[1] not in (own, r"\w", r"\dw")
        return f"{found[1]}{{s,t{'+1' if later else ''}}}"

    right = re.sub(r"(\\(?:w|dw|v|m))\{n\}", place, right).replace("g_n", "g").replace("^t", "^{t+1}")
    right = re.sub(r"(?<![a-zA-Z\\])k(?![a-zA-Z])", "t", right)
    return f"{own}{{s,t+1}} = {right}" if arrow else right


KINDS: Mapping[str, Kind] = {
    **{f"descent.{rule}": _of_rule(rule) for rule in update.KINDS if rule != "sgd"},
    "descent": Kind(
        title="gradient descent",
        sentence="Take a step against the slope of the loss: left where the slope is positive, right where "
        "it is negative.",
        formula=lambda call, _: (*curve_formulas(call.expression), _UPDATE),
        variables={"s": "start", "t": "step"},
        ahead="From each start `w` will go step by step: `E` and its slope `dw` are found, and lr · `dw` "
        "taken off `w`.",
        picture=picture,
        compared=("start", "w"),
    ),
}
