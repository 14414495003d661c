"""Composes the whole picture of a step from its panes, all of them data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from textwrap import wrap

import numpy as np

from cnnviz.scene import arithmetic, panels
from cnnviz.scene.arrays import symbol
from cnnviz.scene.chain import has_chain
from cnnviz.scene.comparison import comparison, comparison_said
from cnnviz.scene.kinds.generic import picture_of, subtitle
from cnnviz.scene.layout import Area, Part, Room, column, fitting, row, solve
from cnnviz.scene.marks import Box, Frame, Hotspot, Label, Mark, Rect, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count, number
from cnnviz.scene.panels.chain_strip import LOW_STRIP, STRIP, chain_strip
from cnnviz.scene.registry import kind_of
from cnnviz.scene.sheet import TooSmallError
from cnnviz.scene.symbolic import in_letters
from cnnviz.scene.view import View
from cnnviz.text import plain, tr
from cnnviz.trace.nonfinite import NonFinite, first_nonfinite
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache

# The size of the text around grids, at 1080 lines.
_TEXT = 17
_ALL = 1e4  # more lines of text than any frame has
# That of the smallest numbers that are liked, in parts of it: in the window, and for the last row.
_READABLE, _FROM_AFAR = 0.7, 1.22
# The size of an operation's name, in parts of it: in the window, and 1/25 of the height for the last row.
_TITLE, _HEADING = 1.7, 1.96
# Nor should they be smaller than so many pixels, in a small window as in a large one.
_LEGIBLE = 9.8
LEAST_UNIT = 9 / 13
"""Panes are not drawn smaller than this: their smallest text has 13 pixels at 1080 lines, and here 9."""

# Nor is the text of the stage made smaller than this; what is less important goes.
_LEAST_TEXT = 9.5
# The parts of a frame, in lines of text. Panes have whole pixels: they keep pictures of what stays.
_HEAD = Area("head", (10, 56 / _TEXT), (_ALL, 56 / _TEXT))
_NETWORK = Area("network", (330 / _TEXT, 10), (330 / _TEXT, _ALL))
_STAGE = Area("stage", (36, 26), (_ALL, _ALL))
# And those of the stage: a name and a sentence, the name alone; the picture beside the chain's factors.
_WORDS = Area("words", (10, 5.5), (_ALL, 5.5))
_NAME = Area("words", (10, 1.9), (_ALL, 1.9))
_PICTURE = Area("picture", (10, 8), (_ALL, _ALL))
# How many lines a picture must have left beside factors that are large, and beside low ones.
_BESIDE_FACTORS = 24, 12
_LEAST_FACTOR = 64
"""The height of a factor's heatmap, in pixels; in larger pictures, and at 1080 lines."""
# At less width than this, the sentence needs all of it.
_NARROW = 60.0
# With less height than this, text is made smaller as far as it may be.
_LEAST_STAGE = 29
# How high the network and the debugger are made to be, at 1080 lines.
_HEIGHTS = (600, 680)
# In fewer pixels than this, across or down, nothing can be read.
_LEAST_SEEN = 48


@lru_cache(maxsize=8)
def _panes(larger: float) -> tuple[Part, ...]:
    """Return which panes a frame has, for want of room fewer, with text so many times as large."""
    debugger = Area("debugger", (450 * larger / _TEXT, 10), (450 * larger / _TEXT, _ALL))
    timeline = Area("timeline", (30, 146 * larger / _TEXT), (_ALL, 146 * larger / _TEXT))
    return (
        column(_HEAD, row(_NETWORK, _STAGE, debugger, gap=0), timeline, gap=0),
        column(_HEAD, row(_STAGE, debugger, gap=0), timeline, gap=0),
        column(_HEAD, _STAGE, timeline, gap=0),
        column(_HEAD, _STAGE, gap=0),
        _STAGE._replace(least=(1, 1)),
    )


def moment(program: Program, index: int, view: View = View()) -> Moment:  # noqa: B008 (it is frozen)
    """Return a step with its state."""
    return Moment(program, program[index], program.state(index), view)


def compose(program: Program, index: int, view: View) -> Frame:
    """Return the whole picture of a step: title, network, stage, listing, timeline."""
    at, unit = moment(program, index, view), max(view.unit, LEAST_UNIT)
    em = unit * _TEXT
    larger = view.display.text / 100
    layout = solve(_panes(larger), Room(Box(0, 0, view.width, view.height), em, em))
    assert layout is not None
    panes = {name: place.box.on_pixels() for name, place in layout.places.items()}
    marks: list[Mark] = [
        *(_head(panes["head"], view, unit) if "head" in panes else ()),
        Rect(panes["stage"], fill="ground"),
    ]
    # Where zoom makes a pane higher than its place, it is drawn smaller as a whole, as in a window; where
    # text is larger, there is less in it.
    if "network" in panes:
        box = panes["network"]
        marks += panels.network(at.alone, box, larger * min(unit, max(box.h / _HEIGHTS[0], LEAST_UNIT)))
    marks += stage(at, panes["stage"], view.unit * larger)
    if "debugger" in panes:
        box = panes["debugger"]
        marks += panels.debugger(at, box, min(unit * larger, max(larger * box.h / _HEIGHTS[1], LEAST_UNIT)))
    if "timeline" in panes:
        marks += panels.timeline(at, panes["timeline"], unit * larger)
    frame = Frame(view.width, view.height, tuple(marks))
    return frame.without_grounds() if view.display.transparent else frame


def sketch(program: Program, index: int, classes: tuple[str, ...] = ()) -> Frame:
    """Return the picture of a step alone, without words around it: what a thumbnail shows."""
    at, area, rim = moment(program, index, View(classes=classes)), Box(0, 0, 1072, 548), 24.0
    with np.errstate(all="ignore"):
        marks = picture_of(at.pictured)(at.pictured, Room(Box(rim, rim, area.w, area.h), _TEXT, _TEXT))
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
    em = max(_LEAST_TEXT, min(_TEXT * unit, box.h / _LEAST_STAGE))
    if at.view.traced is not None:
        return panels.trace(at.view.traced, box, em)
    inner = box.inset(round(2 * em), round(0.8 * em))
    least, shown = _FROM_AFAR * em if with_formula else max(_READABLE * em, _LEGIBLE), at.pictured
    high = min(arithmetic.height(at, inner.w, em) / em, 0.4 * inner.h / em)
    compared = comparison(shown)
    with np.errstate(all="ignore"):  # a network's numbers may overflow, and so may their products
        parts = _parts(Area("arithmetic", (10, high), (_ALL, high)), has_chain(at.operation), em)
        for layout in fitting(parts, Room(inner, em, em)):
            try:
                places = {name: place.box for name, place in layout.places.items()}
                marks = (
                    chain_strip(shown, places["chain"].on_pixels(), em / _TEXT) if "chain" in places else []
                )
                area = Box(*(round(side, 3) for side in places["picture"]))  # last bits make no difference
                drawn = (compared or picture_of(shown))(shown, Room(area, em, least))
                break
            except TooSmallError:
                continue
        else:
            marks, drawn, places = [], [], {"arithmetic": inner}
        marks += _words(at, places["words"], em, with_formula) if "words" in places else []
        marks += in_letters(shown, drawn, em) if at.letters else drawn
        if "arithmetic" in places:
            marks += arithmetic.draw(at, places["arithmetic"].on_pixels(), em)
    return marks


def _parts(sums: Area, chained: bool, em: float) -> Iterator[Part]:
    """Yield the parts of a stage under one another; then, for want of room, without the least important."""
    if chained:
        large = STRIP + _LEAST_FACTOR * max(1.0, _TEXT / em)
        for strip, beside in zip((large, LOW_STRIP), _BESIDE_FACTORS, strict=True):
            high = strip / _TEXT - 0.1
            chain, left = Area("chain", (10, high), (_ALL, high)), _PICTURE._replace(least=(10, beside))
            yield column(_WORDS, chain, left, sums)
    yield column(_WORDS, _PICTURE, sums)
    yield column(_NAME, _PICTURE, sums)
    yield column(_PICTURE, sums)
    yield column(_NAME, _PICTURE)
    yield _PICTURE


def _words(at: Moment, box: Box, em: float, with_formula: bool) -> list[Mark]:
    """Write the operation's name, where there is room a sentence, and where it is wanted the formula."""
    alone = box.h < 3 * em
    words_box, formula_box = box, None
    if with_formula:
        whole = box.top(6 * em)
        words_box, formula_box = whole.columns([0.7, 0.3], gap=1.8 * em)
        if box.w < _NARROW * em or alone:  # beside the name alone, so that the sentence has the whole width
            formula_box, words_box = formula_box.top(2.4 * em), whole
    said = kind_of(at.operation.call)
    text = ": ".join(part for part in (tr(said.title) if said.title else "", subtitle(at)) if part)
    head: tuple[Span, ...] = (Span(at.operation.layer, "ink", True), Span("   " + text, "muted"))
    title = words_box.top(2.4 * em)
    if formula_box:
        title = title._replace(w=min(title.w, formula_box.x - title.x))
    badge = _nonfinite_badge(at, title, em)
    if badge:
        title = title._replace(w=badge[-1].box.x - title.x - 0.7 * em)
    size = _HEADING if with_formula else _TITLE
    if origin := at.view.origin(at.operation.layer):
        longer = (head[0], Span(f"   ({plain(origin)})", "muted"), head[1])
        if sum(width(span.text, span.bold) for span in longer) * size * em < title.w:
            head = longer
    marks: list[Mark] = [Label(title, head, size * em), *badge]
    if not alone:
        under = Box(box.x, box.y + 2.5 * em, words_box.w, 3.5 * em)
        marks += _said(at, under, comparison_said(at) or tr(said.sentence), em)
    return marks + (panels.headline(at, formula_box, em / _TEXT) if formula_box else [])


@program_cache(64)
def _first_nonfinite(program: Program, operation: str) -> NonFinite | None:
    """Return where the first NaN or infinity arises until an operation is through."""
    return first_nonfinite(program, program.number(operation))


def nonfinite_said(at: Moment) -> str:
    """Say where the first NaN or infinity arose, once it has; letters tell no values, and so not this one."""
    found = _first_nonfinite(at.program, at.operation.name)
    if found is None or found.step > at.step.index or at.letters:
        return ""
    cell = f"[{', '.join(map(str, found.index))}]" if found.index else ""
    return tr(
        "first {value}: {operation}, {cell}, step {step}",
        value=number(found.value, 0),
        operation=found.operation,
        cell=symbol(at.program.operation(found.operation), found.array) + cell,
        step=count(found.step),
    )


def _nonfinite_badge(at: Moment, box: Box, em: float) -> list[Rect | Label | Hotspot]:
    """Say where the first NaN or infinity arose, once there is one; a click goes there."""
    found, text = _first_nonfinite(at.program, at.operation.name), nonfinite_said(at)
    if found is None or not text:
        return []
    size = 1 * em
    wide = min(box.w, 0.6 * size * len(text) + 1.4 * em)
    place = Box(box.right - wide, box.y + 0.24 * em, wide, box.h - 0.47 * em)
    return [
        Rect(place, fill="nonfinite_cell", radius=0.29 * em),
        label(place.inset(0.59 * em, 0), text, size, "nonfinite", bold=True, align="center"),
        Hotspot(place, "step", line=found.step),
    ]


def _said(at: Moment, box: Box, sentence: str, em: float) -> list[Mark]:
    """Say what happens: the lesson's own words at one of its stops, else the operation's sentence."""
    size = 1.2 * em
    if at.stop is None:
        lines = _broken(sentence, int(box.w / (0.5 * size)), 1 if width(sentence) * em <= box.w else 2)
        size = min(size, max(em, box.w / max(map(width, lines))))
        return [
            label(Box(box.x, box.y + (0.24 + 1.5 * k) * em, box.w, 1.9 * em), line, size)
            for k, line in enumerate(lines)
        ]
    stop = at.stop
    count = f"{stop.number} / {stop.count}" if stop.count else ""
    bar = Box(box.x, box.y + 0.12 * em, 0.29 * em, box.h - 0.35 * em)
    text = Box(box.x + 1.2 * em, box.y, box.w - 6.5 * em, box.h)
    lines = _broken(stop.caption, int(text.w / (0.5 * size)), 2)
    if max(map(width, lines)) * size > text.w:  # in smaller lines, of which three have room
        size = em
        lines = _broken(stop.caption, int(text.w / (0.53 * size)), 3)
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


@lru_cache(maxsize=64)
def _broken(caption: str, characters: int, most: int) -> list[str]:
    """Break a caption into at most so many lines; where they grow too long, the painter makes them smaller.

    No line ends within a term or a word or before a sign, as long as there is room elsewhere.
    """
    characters = max(20, characters)
    glued = _SIGN.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", caption)
    while len(lines := wrap(glued, characters, break_on_hyphens=False)) > most:
        characters += 5
    while len(lines) > 1 and 3 * len(lines[-1]) < len(lines[0]):  # a word alone on its line looks forgotten
        characters -= 5
        narrower = wrap(glued, characters, break_on_hyphens=False)
        if len(narrower) > most:
            break
        lines = narrower
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
