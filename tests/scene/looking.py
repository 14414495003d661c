"""What tests ask a frame: its marks with those in groups, its panes, where a mark reaches to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple

from cnnviz.scene.marks import Box, Cells, Dot, Frame, Group, Label, Mark, Path, Rect, Span, Strokes

PANES = ("head", "network", "stage", "debugger", "timeline")


def all_marks(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Marks and those in groups, in the order they are painted."""
    for mark in marks:
        if isinstance(mark, Group):
            yield from all_marks(mark.marks)
        else:
            yield mark


def reach(mark: Mark) -> Box:
    """The box that a mark stays in; a stroke lies half outside, a label is fitted into its box."""
    kind = type(mark)
    if kind is Label or kind is Cells:  # most are; it is asked for millions
        return mark.box
    if isinstance(mark, Path):
        xs, ys = ([point[axis] for point in mark.points] for axis in (0, 1))
        return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    if isinstance(mark, Strokes):
        xs, ys = ([part for line in mark.lines for part in line[axis::2]] for axis in (0, 1))
        return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    if isinstance(mark, Dot):
        (x, y), r = mark.center, mark.radius
        return Box(x - r, y - r, 2 * r, 2 * r)
    if isinstance(mark, Rect) and mark.stroke:
        return mark.box.inset(-mark.width / 2)
    return mark.box


def inside(inner: Box, outer: Box, slack: float = 0.0) -> bool:
    x, y, w, h = inner
    left, top, wide, high = outer
    return (
        x >= left - slack
        and y >= top - slack
        and x + w <= left + wide + slack
        and y + h <= top + high + slack
    )


def overlap(one: Box, other: Box) -> tuple[float, float]:
    """How far two boxes lie in one another, across and down; negative where they are apart."""
    return min(one.right, other.right) - max(one.x, other.x), min(one.bottom, other.bottom) - max(
        one.y, other.y
    )


def panes(frame: Frame) -> dict[str, Box]:
    """The boxes of the panes: each has a ground of its own."""
    marks = list(frame.marks)
    head = next(mark.box for mark in marks if isinstance(mark, Rect) and mark.fill == "panel")
    stage = next(mark.box for mark in marks if isinstance(mark, Rect) and mark.fill == "ground")
    grounds = [
        mark.box
        for mark in marks
        if isinstance(mark, Group) and isinstance(mark.marks[0], Rect) and mark.marks[0].fill == "panel"
    ]
    network, debugger, timeline = (
        box for k, box in enumerate(grounds) if not any(inside(box, other) for other in grounds[:k])
    )
    return dict(zip(PANES, (head, network, stage, debugger, timeline), strict=True))


def in_pane(frame: Frame, name: str) -> list[Mark]:
    """The marks of one pane, those in groups among them: what a group holds stays in it."""
    pane = panes(frame)[name]
    return list(all_marks(mark for mark in frame.marks if inside(reach(mark), pane, 1.0)))


def grids(frame: Frame) -> list[Cells]:
    """The grids whose numbers can be read and that stand for an array."""
    return [mark for mark in all_marks(frame.marks) if isinstance(mark, Cells) and mark.array and mark.texts]


def said(marks: Iterable[Mark]) -> list[str]:
    """The text of every label."""
    return ["".join(run.text for run in mark.runs) for mark in all_marks(marks) if isinstance(mark, Label)]


def described(value: Any) -> Any:
    """A frame or a mark as plain values, which compare; for marks are equal only to themselves."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is np.ndarray:
        return value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple([described(part) for part in value])
    if isinstance(value, Struct):
        return kind.__name__, *[described(part) for part in astuple(value)]
    return value


# Boxes and runs hold nothing but numbers and words.
PLAIN = frozenset((Box, Span, str, float, int, bool, type(None)))
