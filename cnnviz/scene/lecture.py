"""The strip under the stage in the lecture view, in letters for the last row: where we are, and watches."""

from __future__ import annotations

from cnnviz.scene.marks import Box, Mark, Rect, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count
from cnnviz.scene.panels import timeline_at, watched_in, where
from cnnviz.scene.panels.timeline_bar import timeline_edges

_GAP = 1.5
"""Between two things in the strip, in parts of the text's size."""

_MOST_WATCHED = 0.6
"""How much of the strip what is watched takes at most."""


def lecture_unit(width: float, height: float) -> float:
    """Return how large one pixel of a picture of 1920 × 1080 is drawn: a line of text is 1/50 of the height.

    Of a screen that stands upright, the width counts.
    """
    return min(width, height) / 1080 * 1.3


def progress_bar(box: Box, unit: float) -> Box:
    """Return where in the strip's box the bar itself is."""
    return Box(box.x + 34 * unit, box.y + 8 * unit, box.w - 68 * unit, 9 * unit)


def progress(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the program as a thin bar, its phases in their colours, filled as far as it has run."""
    bar = progress_bar(box, unit)
    program = moment.program
    edges = timeline_edges(program)
    head = timeline_at(program, moment.step.index)
    marks: list[Mark] = [Rect(box, fill="ground")]
    for k, operation in enumerate(program.operations):
        left, right = bar.x + edges[k] * bar.w, bar.x + edges[k + 1] * bar.w
        marks.append(Rect(Box(left, bar.y, right - left - 1, bar.h), f"{operation.phase}_fill"))
        done = bar.x + min(head, edges[k + 1]) * bar.w
        if done > left:
            marks.append(Rect(Box(left, bar.y, done - left - (done >= right), bar.h), operation.phase))
    line = Box(bar.x, bar.bottom + 6 * unit, bar.w, box.bottom - bar.bottom - 10 * unit)
    step = f"{count(moment.step.index)} / {count(len(program) - 1)}"
    size = 18 * unit
    left = line.w - (width(step) + _GAP) * size  # of what is watched and of where we are
    told = watched_in(moment, _MOST_WATCHED * left / size)
    beside = Box(line.x, line.y, left, line.h)
    left = min(left - (width(told) + _GAP) * size if told else left, line.w * 0.8)
    marks.append(label(Box(line.x, line.y, left, line.h), where(moment, left / size), size, "muted"))
    if told:
        marks.append(label(beside, told, size, align="right"))
    marks.append(label(line, step, size, "muted", align="right"))
    return marks
