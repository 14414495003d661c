"""A curve in its axes: what stands where in pixels, and the part of it that is the same at every step."""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import groupby
from math import ceil, floor, hypot, isfinite, log10

import numpy as np
from msgspec import Struct

from cnnviz.engine.derivative import as_line
from cnnviz.engine.descent import curve
from cnnviz.engine.layer import Array
from cnnviz.scene.marks import Box, Group, Label, Mark, Path, Rect, label
from cnnviz.scene.measure import longest_that_fits
from cnnviz.scene.numbers import as_formula, brief, number
from cnnviz.text import tr

Point = tuple[float, float]

_SAMPLES = 241
# In lines of text: room at the left, at the right, under and over the area, for the axes' numbers and names
# and what is read off; in the area over the axis of w, a lane for the arrow of a step.
_LEFT, _RIGHT, _BELOW, _ABOVE, _LANE = 5.9, 1.4, 3.5, 4.3, 3.3


class Curve(Struct, frozen=True, eq=False, dict=True):
    """The curve of a loss E over its parameter w, set in a box.

    Attributes
    ----------
    loss : str
        The expression of the loss.
    window : tuple[float, float]
        From which w to which one.
    """

    loss: str
    window: tuple[float, float]
    box: Box
    em: float

    @cached_property
    def area(self) -> Box:
        """Where the curve itself is, inside its axes."""
        em, box = self.em, self.box
        return Box(
            round(box.x + _LEFT * em),
            round(box.y + _ABOVE * em),
            max(20.0, round(box.w - (_LEFT + _RIGHT) * em)),
            max(20.0, round(box.h - (_ABOVE + _BELOW) * em)),
        )

    @property
    def readings(self) -> Box:
        """The row over the area, for what is read off the curve."""
        width = self.area.right - self.box.x
        return Box(self.box.x, self.box.y + 2 * self.em, width, 1.9 * self.em)

    @cached_property
    def numbers(self) -> tuple[Label, ...]:
        """The numbers at both axes."""
        em = size = self.em
        labels: list[Label] = []
        for w in ticks(*self.window):
            text = tick_text(w, *self.window)
            width = (0.62 * len(text) + 0.4) * size
            box = Box(self.x(w) - width / 2, self.area.bottom + 0.29 * em, width, 1.4 * em)
            labels.append(label(box, text, size, "muted", align="center"))
        for e in ticks(*self.range):
            box = Box(self.box.x, self.y(e) - 0.71 * em, self.area.x - self.box.x - 0.47 * em, 1.4 * em)
            labels.append(label(box, tick_text(e, *self.range), size, "muted", align="right"))
        return tuple(labels)

    def numbers_beside(self, tags: list[Box]) -> list[Mark]:
        """Return the numbers at the axes but for those that tags would cover, if only in part."""
        return [mark for mark in self.numbers if not any(_touch(mark.box, tag) for tag in tags)]

    @cached_property
    def samples(self) -> tuple[tuple[float, float], ...]:
        """The curve as pairs (w, E), from left to right."""
        w = np.linspace(*self.window, _SAMPLES)
        return tuple(zip(w.tolist(), curve(self.loss, w).tolist(), strict=True))

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The least and the largest E of the curve."""
        found = [e for _, e in self.samples if abs(e) < 1e300] or [0.0]
        return min(found), max(found)

    @cached_property
    def range(self) -> tuple[float, float]:
        """From which E to which one the area reaches: the whole curve, and a lane for the arrow under it."""
        low, high = self.ends
        size = max(abs(low), abs(high))
        span = high - low if high - low > 1e-9 * size else size or 1.0
        lane = _LANE * self.em / self.area.h
        return low - span * lane / (1 - lane - 0.05), high + span * 0.05 / (1 - lane - 0.05)

    def x(self, w: float) -> float:
        """Return where a value of the parameter is; at the nearer edge if it is outside."""
        low, high = self.window
        return self.area.x + (min(max(w, low), high) - low) / (high - low) * self.area.w

    def y(self, e: float) -> float:
        """Return where a value of the loss is; at the nearer edge if it is outside."""
        low, high = self.range
        return self.area.bottom - (min(max(e, low), high) - low) / (high - low) * self.area.h

    def on(self, w: float) -> Point:
        """Return the point of the curve over a value of the parameter, or over the edge nearest to it."""
        return self.points(np.array([w]))[0]

    def points(self, w: Array) -> list[Point]:
        """Return the points of the curve over many values, (n,)."""
        inside = np.clip(w, *self.window)
        losses = np.clip(np.nan_to_num(curve(self.loss, inside), nan=self.ends[1]), *self.ends)
        return [(self.x(at), self.y(e)) for at, e in zip(inside.tolist(), losses.tolist(), strict=True)]

    def side(self, w: float) -> int:
        """Return −1 or 1 for a value left or right of the window; 0 for one inside, and for NaN."""
        return (w > self.window[1]) - (w < self.window[0])

    def shows(self, w: float) -> bool:
        """Return whether a value of the parameter lies in the window."""
        return self.window[0] <= w <= self.window[1]

    def tangent(self, w: float, slope: float) -> tuple[Point, Point] | None:
        """Return the ends of the tangent at a point, cut to the area; None where there is none."""
        (x, y), area, (low, high) = self.on(w), self.area, self.range
        across = area.w / (self.window[1] - self.window[0])
        down = -slope * area.h / (high - low)
        length = hypot(across, down)
        if not isfinite(length):
            return None
        dx, dy = across / length, down / length
        reach = 10 * self.em
        ends = [
            min(reach, (area.right - x) / dx if way > 0 else (x - area.x) / dx, _to_edge(y, way * dy, area))
            for way in (-1, 1)
        ]
        return (x - ends[0] * dx, y - ends[0] * dy), (x + ends[1] * dx, y + ends[1] * dy)


def _touch(one: Box, other: Box) -> bool:
    across = min(one.right, other.right) - max(one.x, other.x)
    return across > 0 and min(one.bottom, other.bottom) - max(one.y, other.y) > 0


def _to_edge(y: float, dy: float, area: Box) -> float:
    """Return how far a line goes from y before it leaves the area at the top or the bottom."""
    if dy == 0:
        return float("inf")
    return max(0.0, ((area.bottom - y) if dy > 0 else (area.y - y)) / dy)


@lru_cache(maxsize=32)
def set_curve(loss: str, window: tuple[float, float], box: Box, em: float) -> Curve:
    """Return a curve set in a box: one object for all steps."""
    return Curve(loss, window, box, em)


@lru_cache(maxsize=32)
def axes(at: Curve, lr: str) -> Group:
    """Return what is the same at every step: axes with their names, and the curve."""
    area, em, box = at.area, at.em, at.box.whole()
    marks: list[Mark] = [Rect(box, "ground"), Rect(area, "panel")]
    for x in (at.x(w) for w in ticks(*at.window)):
        marks.append(Path(((x, area.y), (x, area.bottom)), "grid", 1.0))
    for y in (at.y(e) for e in ticks(*at.range)):
        marks.append(Path(((area.x, y), (area.right, y)), "grid", 1.0))
    marks.append(Path(((area.x, area.y), (area.x, area.bottom), (area.right, area.bottom)), "line", 1.5))
    for inside, part in groupby(at.samples, lambda pair: isfinite(pair[1])):
        points = tuple((at.x(w), at.y(e)) for w, e in part)
        if inside and len(points) > 1:
            marks.append(Path(points, "accent", 0.21 * em))
    return Group(box, (*marks, *_names(at, lr)))


def _names(at: Curve, lr: str) -> list[Mark]:
    area, em = at.area, at.em
    head = Box(at.box.x, at.box.y, area.right - at.box.x, 1.6 * em)
    foot = Box(area.x, area.bottom + 1.9 * em, area.w, 1.5 * em)
    rates = (tr("learning rate lr = {lr}", lr=lr), f"lr = {lr}") if lr else (tr("learning rate lr"),)
    rate = longest_that_fits(rates, 0.4 * head.w / em, bold=True)
    loss = f"E = {as_formula(as_line(at.loss, 'w', 'w')[0])}"
    return [
        label(head._replace(w=head.w * 0.58), tr("loss {loss}", loss=loss), 1.1 * em, "accent", bold=True),
        label(
            Box(head.x + head.w * 0.6, head.y, head.w * 0.4, head.h),
            rate,
            1.1 * em,
            "ink",
            bold=True,
            align="right",
        ),
        label(foot, tr("parameter w"), 1.1 * em, "parameter", bold=True, align="center"),
    ]


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two others, about seven of them."""
    step = _tick_step(low, high)
    first = ceil(low / step - 1e-9)
    return [k * step for k in range(first, floor(high / step + 1e-9) + 1)]


def tick_text(value: float, low: float, high: float) -> str:
    """Write a number at an axis, with as many decimals as its neighbours need."""
    step = _tick_step(low, high)
    return number(value, max(0, ceil(-log10(step) - 1e-9))) if 1e-5 <= step < 1e6 else brief(value)


def _tick_step(low: float, high: float) -> float:
    least = (high - low) / 7
    power = 10.0 ** floor(log10(least))
    return next(power * part for part in (1, 2, 5, 10) if power * part >= least * 0.999)
