"""The timeline: the whole program as one bar, and where on it we are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from math import inf

import numpy as np

from cnnviz.scene.marks import Align, Box, Dot, Group, Hotspot, Label, Mark, Path, Rect, Role, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count
from cnnviz.scene.panels.network_strip import network_outline
from cnnviz.scene.registry import kind_of
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import lasting_cache

_BETWEEN = " · "


def timeline(
    moment: Moment,
    box: Box,
    unit: float,
    span: tuple[float, float] = (0.0, 1.0),
) -> list[Mark]:
    """Draw the whole program as a bar of operations, the playhead, what is marked, and where we are in words.

    Parameters
    ----------
    span : (float, float)
        The part of the bar that is seen, from 0 to 1: less than all where it is zoomed.
    """
    bar, program, view = timeline_bar(box, unit), moment.program, moment.view
    marks: list[Mark] = [_base(program, box, unit, span)]
    k = program.number(moment.operation.name)
    names = _names_of_runs(program, box, unit, span)
    here = _segment(program, k, bar, span, unit, here=True)
    plates = [mark for mark in names if isinstance(mark, Rect)]
    written = [mark for mark in names if isinstance(mark, Label)]
    marks += [*plates, *here, *written]
    for stop in view.stops:
        x = _on_bar(bar, timeline_at(program, stop.index), span)
        if bar.x - 1 <= x <= bar.right + 1 and stop.shown_in(program):
            marks.append(Dot((x, bar.bottom - 6 * unit), 3.5 * unit, "accent"))
            marks.append(Hotspot(_around(bar, x, unit), "stop", line=stop.number))
    for point in (point for point in view.breakpoints if point.operation):
        x = _on_bar(bar, _breakpoint_at(program, point), span)
        if bar.x - 1 <= x <= bar.right + 1:
            colour: Role = "stop" if point.on else "muted"
            marks.append(Dot((x, bar.bottom + 9 * unit), 5.5 * unit, colour))
    for index in (bookmark.index_in(program) for bookmark in view.bookmarks):
        if index is not None:
            marks += _ribbon(bar, _on_bar(bar, timeline_at(program, index), span), unit, index)
    head = _on_bar(bar, timeline_at(program, moment.step.index), span)
    if bar.x - 1 <= head <= bar.right + 1:
        written += [mark for mark in here if isinstance(mark, Label)]
        marks += _playhead(bar, head, unit, any(_crosses(head, name, unit) for name in written))
    else:
        marks.append(_aside(bar, head < bar.x, unit))
    below = Box(bar.x, bar.bottom + 16 * unit, bar.w, box.bottom - bar.bottom - 22 * unit)
    return marks + _where(moment, below, unit, len(view.breakpoints))


def _crosses(x: float, name: Label, unit: float) -> bool:
    """Return whether a line would go through the letters of a name."""
    return abs(x - name.box.center[0]) < (7 * width(name.runs[0].text, True) + 4) * unit


def _ribbon(bar: Box, x: float, unit: float, index: int) -> list[Mark]:
    """Draw a bookmark: a ribbon that hangs into the bar, long enough to be seen under the playhead."""
    if not bar.x - 1 <= x <= bar.right + 1:
        return []
    box = Box(x - 5.5 * unit, bar.y - 14 * unit, 11 * unit, 22 * unit)
    corners = ((box.x, box.y), (box.right, box.y), (box.right, box.bottom), (x, box.bottom - 5 * unit))
    ribbon = Path((*corners, (box.x, box.bottom)), "accent", 1.0, filled=True)
    return [ribbon, Hotspot(box.inset(-2 * unit, 0), "step", line=index)]


def _around(bar: Box, x: float, unit: float) -> Box:
    """Return where a dot can be clicked: the lower half of the bar; the upper one leads to every step."""
    return Box(x - 8 * unit, bar.center[1], 16 * unit, bar.h / 2 + 7 * unit)


def _playhead(bar: Box, x: float, unit: float, at_letters: bool) -> list[Mark]:
    """Draw where the step is: a line across the bar, which leaves the letters of a name to be read."""
    ends: tuple[float, ...] = (bar.y - 6 * unit, bar.bottom + 7 * unit)
    if at_letters:
        middle, room = bar.center[1], 9 * unit
        ends = (ends[0], middle - room, middle + room, ends[1])
    pieces = zip(ends[::2], ends[1::2], strict=True)
    line: list[Mark] = [Path(((x, top), (x, bottom)), "ink", 3 * unit) for top, bottom in pieces]
    return [*line, Dot((x, bar.y - 8 * unit), 7 * unit, "ink")]


@lasting_cache(32)
def _base(program: Program, box: Box, unit: float, span: tuple[float, float]) -> Group:
    """Return what the timeline shows at every step: the operations and the names of the passes."""
    bar = timeline_bar(box, unit)
    marks: list[Mark] = [Rect(box, fill="panel"), Rect(box.top(1), fill="panel_line")]
    edges = [_on_bar(bar, at, span) for at in timeline_edges(program)]
    marks += _phase_names(program, bar, edges, unit)
    for k in range(len(program.operations)):
        marks += _segment(program, k, bar, span, unit)
    return Group(box, tuple(marks), lasting=True)


def _segment(
    program: Program, k: int, bar: Box, span: tuple[float, float], unit: float, here: bool = False
) -> list[Mark]:
    """Draw one operation on the bar, outlined if it is the one in work."""
    edges, operation = timeline_edges(program), program.operations[k]
    left, right = max(_on_bar(bar, edges[k], span), bar.x), min(_on_bar(bar, edges[k + 1], span), bar.right)
    if right - left < 0.5:
        return []
    box = Box(left + 1, bar.y, max(1.0, right - left - 2), bar.h)
    stroke = operation.phase if here else None
    marks: list[Mark] = [Rect(box, f"{operation.phase}_fill", stroke, 1.5 * unit, 3 * unit)]
    if _has_room(operation.name, box.w, unit):
        marks.append(label(box.inset(3 * unit, 0), operation.name, 14 * unit, align="center", bold=here))
    return marks


def _has_room(name: str, wide: float, unit: float) -> bool:
    return wide > (8.5 * len(name) + 8) * unit


@lasting_cache(32)
def _names_of_runs(program: Program, box: Box, unit: float, span: tuple[float, float]) -> tuple[Mark, ...]:
    """Write what operations have in common over those that are too thin for their names: layer, or block."""
    bar = timeline_bar(box, unit)
    edges = [min(max(_on_bar(bar, at, span), bar.x), bar.right) for at in timeline_edges(program)]
    thin = [
        right - left < 0.5 or not _has_room(operation.name, right - left - 2, unit)
        for operation, left, right in zip(program.operations, edges, edges[1:], strict=False)
    ]
    written: dict[int, tuple[str, range]] = {}  # by operation, what is written over it
    for name, run in _runs(program):
        parts_are_named = all(k in written for k in run)
        room = edges[run.stop] - edges[run.start]
        if all(thin[k] for k in run) and not parts_are_named and _has_room(name, room, unit):
            written |= dict.fromkeys(run, (name, run))
    marks: list[Mark] = []
    for name, run in dict.fromkeys(written.values()):
        over = Box(edges[run.start], bar.y, edges[run.stop] - edges[run.start], bar.h)
        plate = over.inset((over.w - 14 * unit * width(name)) / 2 - 3 * unit, 0)
        marks.append(Rect(plate, f"{program.operations[run.start].phase}_fill"))
        marks.append(label(over, name, 14 * unit, align="center"))
    return tuple(marks)


@lasting_cache(8)
def _runs(program: Program) -> tuple[tuple[str, range], ...]:
    """Return operations that follow one another in a layer, or in a block of layers, the smaller first."""
    operations, whole = program.operations, network_outline(program)
    of_row: dict[int, list[int]] = {}
    for k, operation in enumerate(operations):
        of_row.setdefault(whole.number.get(operation.layer, -1), []).append(k)
    layers = ((name, range(row, row + 1)) for name, row in whole.number.items())
    blocks = ((block.name, range(block.first, block.last + 1)) for block in reversed(whole.blocks))
    found = []
    for name, rows in chain(layers, blocks):
        numbers = sorted(k for row in rows for k in of_row.get(row, ()))
        for _, together in groupby(enumerate(numbers), lambda at: (operations[at[1]].phase, at[1] - at[0])):
            run = [k for _, k in together]
            if len(run) > 1:
                found.append((name, range(run[0], run[-1] + 1)))
    return tuple(found)


def _phase_names(program: Program, bar: Box, edges: Sequence[float], unit: float) -> list[Label]:
    """Write each phase's name over those of its operations that are seen, none over another.

    A name stands where the seen part begins; where that is too narrow for it, it ends with the phase, or
    begins at the bar's own edge if the phase is cut there.
    """
    names: list[Label] = []
    narrow, free = 90 * unit, bar.x
    for phase in dict.fromkeys(operation.phase for operation in program.operations):
        own = [k for k, operation in enumerate(program.operations) if operation.phase == phase]
        begin, end = edges[own[0]], edges[own[-1] + 1]
        left, right = max(begin, bar.x), min(end, bar.right)
        if right - left < 1:
            continue
        written = (9 * len(tr(phase)) + 4) * unit
        ends = right - left < narrow and begin >= bar.x
        at = max(right - written - 5 * unit if ends else left + 2 * unit, free)
        if at + written > bar.right + 2 * unit:
            continue
        room = Box(at, bar.y - 37 * unit, written, 22 * unit)  # clear of the playhead's head
        align: Align = "right" if ends and at > free else "left"
        names.append(label(room, tr(phase), 14 * unit, phase, bold=True, align=align))
        free = at + written
    return names


def _aside(bar: Box, before: bool, unit: float) -> Path:
    """Return an arrow at the edge beyond which the playhead is."""
    edge, way = (bar.x, -1) if before else (bar.right, 1)
    x, y = edge + 8 * way * unit, bar.center[1]
    corners = ((x, y - 9 * unit), (x + 12 * way * unit, y), (x, y + 9 * unit))
    return Path(corners, "ink", 1.5 * unit, filled=True)


def timeline_bar(box: Box, unit: float) -> Box:
    """Return where in the timeline's box the bar itself is."""
    return Box(box.x + 36 * unit, box.y + 46 * unit, box.w - 72 * unit, 34 * unit)


@lasting_cache(64)
def timeline_edges(program: Program) -> tuple[float, ...]:
    """Return where the operations begin on the bar, 0 to 1: the longer the wider, but none too thin to see.

    Widths grow as the square root of the steps: a convolution of a million steps leaves room for a ReLU.
    """
    weights = [len(operation) ** 0.5 for operation in program.operations]
    smallest = sum(weights) / 120
    weights = [max(weight, smallest) for weight in weights]
    total, edges = sum(weights), [0.0]
    for weight in weights:
        edges.append(edges[-1] + weight / total)
    return tuple(edges)


def timeline_at(program: Program, index: int) -> float:
    """Return where on the bar a step is, 0 to 1."""
    edges = timeline_edges(program)
    step = program[index]
    k = program.number(step.operation.name)
    return edges[k] + (edges[k + 1] - edges[k]) * (step.offset + 0.5) / len(step.operation)


def timeline_step(program: Program, at: float) -> int:
    """Return the step at a place on the bar, 0 to 1: the inverse of `timeline_at`."""
    edges = timeline_edges(program)
    at = min(max(at, 0.0), 1.0)
    k = min(max(int(np.searchsorted(edges, at, "right")) - 1, 0), len(program.operations) - 1)
    inside = (at - edges[k]) / (edges[k + 1] - edges[k])
    length = len(program.operations[k])
    return program.starts[k] + min(length - 1, max(0, int(inside * length)))


def _on_bar(bar: Box, at: float, span: tuple[float, float]) -> float:
    low, high = span
    return bar.x + (at - low) / (high - low) * bar.w


def _breakpoint_at(program: Program, point: Breakpoint) -> float:
    if point.offset is not None:
        return timeline_at(program, program.start(point.operation) + point.offset)
    return timeline_at(program, program.start(point.operation))


def _where(moment: Moment, box: Box, unit: float, breakpoints: int) -> list[Mark]:
    step = tr("step {index} of {count}", index=count(moment.step.index), count=count(len(moment.program) - 1))
    left = min(330 * unit, 0.3 * box.w)
    said_at = Box(box.x + left, box.y, box.w - left - (230 * unit if breakpoints else 0), 26 * unit)
    marks: list[Mark] = [
        label(Box(box.x, box.y, left, 26 * unit), step, 16 * unit, "muted", once=True),
        label(said_at, where(moment, said_at.w / (16 * unit)), 16 * unit, once=True),
    ]
    if breakpoints:
        text = tr("breakpoints: {count}", count=breakpoints)
        marks.append(
            label(
                Box(box.right - 220 * unit, box.y, 220 * unit, 26 * unit),
                text,
                16 * unit,
                "muted",
                align="right",
            )
        )
    return marks


def where(moment: Moment, room: float = inf) -> str:
    """Say in words where we are: ``forward · conv1 · output map 1 · row 2 · column 3``.

    Parameters
    ----------
    room : float
        How wide that may be, in parts of the text's size; what is seen elsewhere, too, goes first.
    """
    operation = moment.operation
    said = kind_of(operation.call)
    loops = {loop.variable for loop in moment.state.loops}
    parts = [tr(operation.phase)]
    if operation.layer != operation.phase:  # the loss is both
        parts.append(operation.layer)
    if moment.program.iteration is not None:
        parts.insert(0, tr("iteration {t}", t=count(moment.program.iteration)))
    if said.title:
        parts.append(tr(said.title))
    for variable, value in moment.step.variables.items():
        if variable in loops:
            parts.append(f"{tr(said.variables.get(variable, variable))} {value}")
    while len(parts) > 1 and width(_BETWEEN.join(parts)) > room:
        del parts[0]
    return _BETWEEN.join(parts)
