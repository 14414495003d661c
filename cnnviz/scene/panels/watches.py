"""What is watched, under the variables: each with its value, and the one that it had before the step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.scene.marks import Box, Label, Mark, Rect, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief
from cnnviz.text import tr
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache
from cnnviz.trace.watch import read_watch, value_at

Answer = NDArray[Any] | float | None

# At 1080 lines: how high the heading is, and a row.
_HEAD, _ROW = 40, 25
# How much of the pane they take at most.
_MOST = 0.3


def parted(moment: Moment, box: Box, unit: float) -> tuple[Box, Box]:
    """Return the room of the listing with all that belongs to it, and that of what is watched below it."""
    count = len(moment.view.watches)
    if not count:
        return box, Box(box.x, box.bottom, box.w, 0)
    rows = max(1, min(count, int((_MOST * box.h / unit - _HEAD) / _ROW)))
    high = min((_HEAD + rows * _ROW + 10) * unit, box.h / 2)
    return Box(box.x, box.y, box.w, box.h - high), Box(box.x, box.bottom - high, box.w, high)


def watches(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw what is watched; of more than there is room for, the first."""
    if not moment.view.watches:
        return []
    inner = box.inset(18 * unit, 0)
    head = Box(inner.x, box.y + 8 * unit, inner.w, 24 * unit)
    marks: list[Mark] = [
        Rect(box, fill="panel"),
        Rect(Box(inner.x, box.y, inner.w, 1), fill="panel_line"),
        label(head, tr("Watches"), 15 * unit, "muted", bold=True),
    ]
    for text, row in rows(moment, box, unit):
        now, old = watched(moment, text), watched(moment, text, ago=1)
        runs = [Span(f"{old} → ", "muted")] if old != now else []
        size = min(13.5 * unit, 0.62 * row.h)
        right = Label(row, (*runs, Span("" if moment.letters else now, "ink")), size, "right")
        taken = 0.0 if moment.letters else sum(width(run.text) for run in right.runs) * size
        marks.append(label(row, _cut(text, (row.w - taken) / size), size, "ink", family="mono"))
        if not moment.letters:
            marks.append(right)
    return marks


def rows(moment: Moment, box: Box, unit: float) -> list[tuple[str, Box]]:
    """Return what is watched and has room, each with its row."""
    inner, top = box.inset(18 * unit, 0), box.y + _HEAD * unit
    count = min(len(moment.view.watches), max(1, int((box.bottom - top) / (_ROW * unit))))
    boxes = (Box(inner.x, top + k * _ROW * unit, inner.w, _ROW * unit) for k in range(count))
    return list(zip(moment.view.watches, boxes, strict=False))


def watched(moment: Moment, text: str, ago: int = 0) -> str:
    """Return what is asked at a step, or so many before it, as a person reads it."""
    return answer_said(_answer(moment.program, text, max(0, moment.step.index - ago)))


def watch_said(moment: Moment, text: str) -> str:
    """Return what is asked in words: what it comes to, and what it was a step before if that is another."""
    now, old = watched(moment, text), watched(moment, text, ago=1)
    if now == old:
        return tr("{name} is {value}", name=text, value=now)
    return tr("{name} is {value}, it was {old}", name=text, value=now, old=old)


def watched_in(moment: Moment, room: float) -> str:
    """Return what is watched with its values, in one line; of more than there is room for, the first.

    Parameters
    ----------
    room : float
        How wide that may be, in parts of the text's size.
    """
    said = ""
    for text in () if moment.letters else moment.view.watches:
        now, old = watched(moment, text), watched(moment, text, ago=1)
        one = f"{text} = {now}" if now == old else f"{text} = {old} → {now}"
        if width(longer := f"{said}    {one}".lstrip()) > room:
            break
        said = longer
    return said


def answer_said(answer: Answer) -> str:
    """Write an answer: a number, yes or no, or of many numbers the least and the greatest."""
    if answer is None:
        return tr("unknown")
    if isinstance(answer, np.ndarray):
        known = answer[~np.isnan(answer)] if answer.dtype.kind == "f" else answer
        if answer.size == 1 and known.size:
            return answer_said(answer.reshape(-1)[0].item())
        if not known.size:
            return tr("NaN")
        return tr("{least} … {greatest}", least=brief(known.min().item()), greatest=brief(known.max().item()))
    if isinstance(answer, bool):
        return tr("yes") if answer else tr("no")
    return brief(answer)


@program_cache(512)
def _answer(program: Program, text: str, index: int) -> Answer:
    try:
        return value_at(program, read_watch(text), index)
    except CnnvizError:  # it is about another network
        return None


def _cut(text: str, room: float) -> str:
    """Return as much of a text as there is room for, in parts of its size."""
    most = max(4, int(room / 0.6) - 1)
    return text if len(text) <= most else text[: most - 1] + "…"
