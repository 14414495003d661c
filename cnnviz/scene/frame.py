"""Composes the whole picture of a step from its panes, all of them data."""

from __future__ import annotations

import re
from textwrap import wrap

import numpy as np

from cnnviz.scene import arithmetic, panels
from cnnviz.scene.arrays import symbol
from cnnviz.scene.chain import has_chain
from cnnviz.scene.kinds.generic import picture_of, subtitle
from cnnviz.scene.layout import Room
from cnnviz.scene.marks import Box, Frame, Hotspot, Label, Mark, Rect, Span, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count, number
from cnnviz.scene.panels.chain_strip import STRIP, chain_strip
from cnnviz.scene.program_cache import program_cache
from cnnviz.scene.registry import kind_of
from cnnviz.scene.sheet import TooSmallError
from cnnviz.scene.symbolic import in_letters
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.trace.program import Program

# The size of the text around grids, at 1080 lines.
_TEXT = 17
# That of the smallest numbers that are liked, in parts of it: in the window, and for the last row.
_READABLE, _FROM_AFAR = 0.7, 1.22
# In lines of text: how high the stage's name and sentence are, and at which width they need all of it.
_WORDS, _NARROW = 6.0, 60.0
# With less room than this, the strip of the chain's factors goes.
_LEAST_BESIDE_CHAIN = 12
# With less height than this, the words and the arithmetic would leave the picture nothing.
_LEAST_STAGE = 29
# How high the network and the debugger are made to be, at 1080 lines.
_HEIGHTS = (600, 680)
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
        marks = picture_of(at)(at, Room(Box(rim, rim, area.w, area.h), _TEXT, _TEXT))
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
    em = min(_TEXT * unit, box.h / _LEAST_STAGE)
    inner = box.inset(round(2 * em), round(0.8 * em))
    words_box, formula_box = inner, None
    if with_formula:
        words_box, formula_box = inner.top(_WORDS * em).columns([0.7, 0.3], gap=1.8 * em)
        if inner.w < _NARROW * em:  # beside the name alone, so that the sentence has the whole width
            formula_box, words_box = formula_box.top(2.4 * em), inner.top(_WORDS * em)
    said = kind_of(at.operation.call)
    detail = subtitle(at)
    text = ": ".join(part for part in (tr(said.title) if said.title else "", detail) if part)
    head = (Span(at.operation.layer, "ink", True), Span("   " + text, "muted"))
    panel_height = min(arithmetic.height(at, inner.w, em), 0.4 * inner.h)
    top = (_WORDS + 0.3) * em
    strip: list[Mark] = []
    if has_chain(at.operation):
        high = round(STRIP * em / _TEXT)
        strip = chain_strip(at, Box(inner.x, inner.y + top, inner.w, high), em / _TEXT)
        if inner.h - top - high - panel_height - em < _LEAST_BESIDE_CHAIN * em:
            strip = []  # zoomed far in: the picture comes first
        top += high + 0.7 * em if strip else 0.0
    area = Box(inner.x, inner.y + top, inner.w, inner.h - top - panel_height - 0.8 * em)
    title = words_box.top(2.4 * em)
    if formula_box:
        title = title._replace(w=min(title.w, formula_box.x - title.x))
    badge = _nonfinite_badge(at, title, em)
    if badge:
        title = title._replace(w=badge[-1].box.x - title.x - 0.7 * em)
    marks: list[Mark] = [
        Label(title, head, 1.7 * em),
        *badge,
        *_said(at, Box(inner.x, inner.y + 2.5 * em, words_box.w, (_WORDS - 2.5) * em), tr(said.sentence), em),
        *strip,
    ]
    if formula_box:
        marks += panels.headline(at, formula_box, em / _TEXT)
    with np.errstate(all="ignore"):  # a network's numbers may overflow, and so may their products
        try:
            drawn = picture_of(at)(at, Room(area, em, (_FROM_AFAR if with_formula else _READABLE) * em))
        except TooSmallError:
            drawn = []
        marks += in_letters(at, drawn, em) if at.letters else drawn
        marks += arithmetic.draw(at, Box(inner.x, inner.bottom - panel_height, inner.w, panel_height), em)
    return marks


_first_nonfinite = program_cache(8)(first_nonfinite)


def _nonfinite_badge(at: Moment, box: Box, em: float) -> list[Rect | Label | Hotspot]:
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
    size = 1 * em
    width = min(box.w, 0.6 * size * len(text) + 1.4 * em)
    place = Box(box.right - width, box.y + 0.24 * em, width, box.h - 0.47 * em)
    return [
        Rect(place, fill="nonfinite_cell", radius=0.29 * em),
        label(place.inset(0.59 * em, 0), text, size, "nonfinite", bold=True, align="center"),
        Hotspot(place, "step", line=found.step),
    ]


def _said(at: Moment, box: Box, sentence: str, em: float) -> list[Mark]:
    """Say what happens: the lesson's own words at one of its stops, else the operation's sentence."""
    size = 1.2 * em
    if at.stop is None:
        return [label(Box(box.x, box.y + 0.24 * em, box.w, 1.9 * em), sentence, size)]
    stop = at.stop
    count = f"{stop.number} / {stop.count}" if stop.count else ""
    bar = Box(box.x, box.y + 0.12 * em, 0.29 * em, box.h - 0.35 * em)
    text = Box(box.x + 1.2 * em, box.y, box.w - 6.5 * em, box.h)
    lines = _two_lines(stop.caption, int(text.w / (0.5 * size)))
    height = text.h / max(len(lines), 1)
    return [
        Rect(bar, fill="accent"),
        label(Box(box.right - 4.7 * em, box.y, 4.7 * em, 1.6 * em), count, 1 * em, "accent", align="right"),
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
