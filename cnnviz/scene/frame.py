"""Composes the whole picture of a step from its panes, all of them data."""

from __future__ import annotations

import re
from textwrap import wrap

import numpy as np

from cnnviz.scene import arithmetic, panels
from cnnviz.scene.arrays import symbol
from cnnviz.scene.chain import has_chain
from cnnviz.scene.kinds.generic import picture_of, subtitle
from cnnviz.scene.marks import Box, Frame, Label, Mark, Rect, Run, Spot, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count, number
from cnnviz.scene.panels.chain_strip import STRIP, chain_strip
from cnnviz.scene.registry import kind_of
from cnnviz.scene.symbolic import in_letters
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.trace.program import Program

# How high a picture is at least, at 1080 lines: one of a stage that is lower is drawn smaller as a whole.
_LEAST = 335
# How high the network and the debugger are made to be, at 1080 lines.
_HEIGHTS = (600, 680)
# With less room than this, the strip of the chain's factors goes.
_LEAST_BESIDE_CHAIN = 200
# With less height than this, at 1080 lines, the words and the arithmetic would leave the picture nothing.
_LEAST_STAGE = 500
# In fewer pixels than this, across or down, nothing can be read.
_LEAST_SEEN = 48


def moment(program: Program, index: int, view: View = View()) -> Moment:  # noqa: B008 (it is frozen)
    """Return a step with its state."""
    return Moment(program, program[index], program.state(index), view)


def compose(program: Program, index: int, view: View) -> Frame:
    """Return the whole picture of a step: title, network, stage, listing, timeline."""
    at = moment(program, index, view)
    unit = view.unit
    whole = Box(0, 0, view.width, view.height)
    # Whole pixels: panes keep pictures of what does not change in them.
    head, low = round(56 * unit), round(146 * unit)
    middle = Box(0, head, whole.w, whole.h - head - low)
    left, right = round(330 * unit), round(450 * unit)
    stage_box = Box(left, middle.y, whole.w - left - right, middle.h)
    marks: list[Mark] = [*_head(whole.top(head), view, unit), Rect(stage_box, fill="ground")]
    # Where zoom makes a pane higher than its place, it is drawn smaller as a whole, as in a window.
    room = middle.h / _HEIGHTS[0], middle.h / _HEIGHTS[1]
    marks += panels.network(at, Box(0, middle.y, left, middle.h), min(unit, room[0]))
    marks += stage(at, stage_box, unit)
    marks += panels.debugger(at, Box(whole.w - right, middle.y, right, middle.h), min(unit, room[1]))
    low_box = Box(0, middle.bottom, whole.w, low)
    marks += panels.timeline(at, low_box, unit)
    return Frame(view.width, view.height, tuple(marks))


def sketch(program: Program, index: int, classes: tuple[str, ...] = ()) -> Frame:
    """Return the picture of a step alone, without words around it: what a thumbnail shows."""
    at, area, rim = moment(program, index, View(classes=classes)), Box(0, 0, 1072, 548), 24.0
    with np.errstate(all="ignore"):
        marks = picture_of(at)(at, Box(rim, rim, area.w, area.h), 1.0)
    whole = Box(0, 0, area.w + 2 * rim, area.h + 2 * rim)
    return Frame(whole.w, whole.h, (Rect(whole, fill="ground"), *marks))


def _head(box: Box, view: View, unit: float) -> list[Mark]:
    return [
        Rect(box, fill="panel"),
        Rect(Box(box.x, box.bottom - 1, box.w, 1), fill="panel_line"),
        label(box.inset(24 * unit, 0), view.title, 21 * unit, bold=True),
    ]


def stage(at: Moment, box: Box, unit: float, with_formula: bool = False) -> list[Mark]:
    """Draw the operation in hand: its name, a sentence, its picture, the arithmetic.

    Parameters
    ----------
    with_formula : bool
        Whether its formula stands beside name and sentence, for want of the pane that shows it.
    """
    if min(box.w, box.h) < _LEAST_SEEN:
        return []
    unit = min(unit, box.h / _LEAST_STAGE)
    inner = box.inset(round(34 * unit), round(14 * unit))
    words_box, formula_box = inner, None
    if with_formula:
        words_box, formula_box = inner.top(102 * unit).columns([0.7, 0.3], gap=30 * unit)
    said = kind_of(at.operation.call)
    detail = subtitle(at)
    text = ": ".join(part for part in (tr(said.title) if said.title else "", detail) if part)
    head = (Run(at.operation.layer, "ink", True), Run("   " + text, "muted"))
    panel_height = round(176 * unit)
    top = 108 * unit
    strip: list[Mark] = []
    if has_chain(at.operation):
        strip = chain_strip(at, Box(inner.x, inner.y + top, inner.w, round(STRIP * unit)), unit)
        high = round(STRIP * unit) + 12 * unit
        if inner.h - top - high - panel_height - 18 * unit < _LEAST_BESIDE_CHAIN * unit:
            strip = []  # zoomed far in: the picture comes first
        top += high if strip else 0.0
    area = Box(inner.x, inner.y + top, inner.w, inner.h - top - panel_height - 18 * unit)
    title, badge = words_box.top(44 * unit), _nonfinite_badge(at, words_box.top(44 * unit), unit)
    if badge:
        title = title._replace(w=badge[-1].box.x - title.x - 12 * unit)
    marks: list[Mark] = [
        Label(title, head, 29 * unit),
        *badge,
        *_said(at, Box(inner.x, inner.y + 46 * unit, words_box.w, 58 * unit), tr(said.sentence), unit),
        *strip,
    ]
    if formula_box:
        marks += panels.headline(at, formula_box, unit)
    with np.errstate(all="ignore"):  # a network's numbers may overflow, and so may their products
        fit = min(unit, max(1.0, area.h) / _LEAST)  # zoomed far in: headings give way to what is under them
        picture = picture_of(at)(at, area, fit)
        marks += in_letters(at, picture, fit) if at.letters else picture
        marks += arithmetic.draw(at, Box(inner.x, inner.bottom - panel_height, inner.w, panel_height), unit)
    return marks


_first_nonfinite = remembered(8)(first_nonfinite)


def _nonfinite_badge(at: Moment, box: Box, unit: float) -> list[Rect | Label | Spot]:
    """Say where the first NaN or infinity arose, once there is one; a click goes there.

    Letters tell no values, and so not this one.
    """
    found = _first_nonfinite(at.program)
    if found is None or found.step > at.step.index or at.letters:
        return []
    cell = f"[{', '.join(map(str, found.index))}]" if found.index else ""
    text = tr(
        "first {value}: {operation}, {cell}, step {step}",
        value=number(found.value, 0),
        operation=found.operation,
        cell=symbol(at.program.operation(found.operation), found.array) + cell,
        step=count(found.step),
    )
    size = 17 * unit
    width = min(box.w, 0.6 * size * len(text) + 24 * unit)
    place = Box(box.right - width, box.y + 4 * unit, width, box.h - 8 * unit)
    return [
        Rect(place, fill="nonfinite_cell", radius=5 * unit),
        label(place.inset(10 * unit, 0), text, size, "nonfinite", bold=True, align="center"),
        Spot(place, "step", line=found.step),
    ]


def _said(at: Moment, box: Box, sentence: str, unit: float) -> list[Mark]:
    """Say what happens: the lesson's own words at one of its stops, else the operation's sentence."""
    size = 20 * unit
    if at.stop is None:
        return [label(Box(box.x, box.y + 4 * unit, box.w, 32 * unit), sentence, size)]
    stop = at.stop
    count = f"{stop.number} / {stop.count}" if stop.count else ""
    bar = Box(box.x, box.y + 2 * unit, 5 * unit, box.h - 6 * unit)
    text = Box(box.x + 20 * unit, box.y, box.w - 110 * unit, box.h)
    lines = _two_lines(stop.caption, int(text.w / (0.5 * size)))
    height = text.h / max(len(lines), 1)
    return [
        Rect(bar, fill="accent"),
        label(
            Box(box.right - 80 * unit, box.y, 80 * unit, 28 * unit), count, 17 * unit, "accent", align="right"
        ),
        *(
            label(Box(text.x, text.y + k * height, text.w, height), line, size)
            for k, line in enumerate(lines)
        ),
    ]


_SIGN = re.compile(r" ([=+−·×/∗←]) ")


def _two_lines(caption: str, characters: int) -> list[str]:
    """Break a caption into at most two lines; where they grow too long, the painter makes them smaller.

    No line ends within a term or a word or before a sign, as long as there is room elsewhere.
    """
    characters = max(20, characters)
    glued = _SIGN.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", caption)
    while len(lines := wrap(glued, characters, break_on_hyphens=False)) > 2:
        characters += 5
    while len(lines) == 2 and 3 * len(lines[1]) < len(lines[0]):  # a word alone on its line looks forgotten
        characters -= 5
        narrower = wrap(glued, characters, break_on_hyphens=False)
        if len(narrower) > 2:
            break
        lines = narrower
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
