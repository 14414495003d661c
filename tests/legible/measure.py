"""Measures frames: how large their smallest text is painted, and the smallest of the numbers in grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.render.text import SMALLEST, fitted_size
from cnnviz.scene.frame import compose, moment, stage
from cnnviz.scene.lecture import lecture_unit, progress
from cnnviz.scene.marks import Box, Cells, Frame, Label, Mark, Rect
from cnnviz.trace.cursor import Stop
from cnnviz.ui.stage_pane import STAGE
from cnnviz.ui.timeline_pane import STRIP
from tests.scene.looking import all_marks

SIZES = ((800, 600), (1280, 720), (1920, 1080), (3840, 2160), (1024, 768), (1080, 1920))
KINDS = ("window", "lecture")


class Measured(NamedTuple):
    """What was measured of a frame, in pixels; infinite where there is none."""

    text: float
    value: float
    smallest: str
    elided: tuple[str, ...]


def lecture_frame(lesson: Lesson, step: int, width: float, height: float) -> Frame:
    """The lecture view as the window composes it: the stage alone over the bar of the progress."""
    least = lecture_unit(width, height)
    low = round(least * STRIP)
    unit = max(min(width / STAGE[0], (height - low) / STAGE[1]), least)
    at = moment(lesson.program, step, lesson.view.at(lesson.program[step]))
    box, under = Box(0, 0, width, height - low), Box(0, height - low, width, low)
    return Frame(
        width,
        height,
        (Rect(box, fill="ground"), *stage(at, box, unit, True), *progress(at, under, low / STRIP)),
    )


def window_frame(lesson: Lesson, step: int, width: float, height: float) -> Frame:
    """All panes around the stage."""
    view = replace(lesson.view, width=width, height=height)
    return compose(lesson.program, step, view.at(lesson.program[step]))


def frame(kind: str, lesson: Lesson, step: int, width: float, height: float) -> Frame:
    """A frame of a lesson in the window or in the lecture view."""
    return (lecture_frame if kind == "lecture" else window_frame)(lesson, step, width, height)


def measured(marks: Sequence[Mark]) -> Measured:
    """Measure marks; a QGuiApplication must exist."""
    found: list[tuple[float, str]] = []
    values: list[float] = []
    elided: list[str] = []
    for mark in all_marks(marks):
        if isinstance(mark, Label) and (said := "".join(run.text for run in mark.runs)).strip():
            size, whole = fitted_size(mark)
            found.append((size, said))
            if not whole:
                elided.append(said)
        elif isinstance(mark, Cells) and any(text for row in mark.texts for text in row):
            size = max(SMALLEST, float(round(mark.size)))
            values.append(size)
            found.append((size, f"the numbers of {mark.array or 'a grid'}"))
    smallest = min(found, default=(float("inf"), ""))
    return Measured(smallest[0], min(values, default=float("inf")), smallest[1], tuple(elided))


def stops(name: str) -> Iterator[tuple[Stop, Lesson]]:
    """Yield the stops of a lesson, each with the lesson as it shows it; without training."""
    lesson = load_lesson(name)
    for stop in lesson.sequence:
        if not lesson.missing_iterations(stop):
            yield stop, lesson.at_stop(stop)
