"""A step on paper, to be worked out by hand: its picture with the results left out, and with them.

A worksheet is the picture of the step whose result cells are blank, but for those that are done by then: they
are the example. Its solution is the same picture with all of them, and the arithmetic of the first. Where the
picture does not show all numbers that are needed, as it shows one sample of several, tables do.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from itertools import islice
from textwrap import wrap

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.descent import PHASE
from cnnviz.errors import CnnvizError
from cnnviz.scene import arithmetic, grid, panels
from cnnviz.scene.kinds.generic import drawn_in, grid_title
from cnnviz.scene.marks import Box, Cells, Frame, Group, Label, Mark, Path, Rect, Span, flat, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief
from cnnviz.scene.numbers import count as written
from cnnviz.scene.registry import kind_of
from cnnviz.scene.sheet import head_width
from cnnviz.text import tr
from cnnviz.trace.alone import is_shared
from cnnviz.trace.program import Program
from cnnviz.trace.state import State

PAPERS = {"a4": (793.7, 1122.5), "letter": (816.0, 1056.0)}
"""Width and height in pixels, of which 96 make an inch."""

_MARGIN, _EM = 57.0, 13.0
_TOLD = 22.0
_SHORT, _TALL = 10, 12  # a vector of so many stands as a row; a column has so many numbers
_RULED = 30.0  # between the lines for working: room for handwriting
_MOST_SUMS = 12

MOST_NUMBERS = 230
"""Of a step that is worked out by hand: what is read and what is written."""


class Heading(Struct, frozen=True):
    """What stands at the top of a worksheet.

    Attributes
    ----------
    title : str
        The lesson's.
    variant : str
        Which of several, if there are some.
    """

    title: str
    variant: str = ""


class _Through(State, frozen=True, eq=False, dict=True):
    """The state of a step with all cells written."""

    def _written_by_now(self, name: str) -> NDArray[np.bool_]:
        array = self.arrays[name] if name in self.arrays else self.operation.call.writes[name]
        return np.ones(array.shape, bool)


def worksheet(at: Moment, paper: str, heading: Heading, solved: bool) -> Frame:
    """Return a page with a step's picture.

    Parameters
    ----------
    at : Moment
        The step. What is written by then is given; where that is all, nothing is.
    paper : str
        Of `PAPERS`.
    solved : bool
        Whether the results are in it.

    Raises
    ------
    CnnvizError
        If there is too much of it for a page.
    """
    call = at.operation.call
    count = sum(np.size(value) for value in (*call.given.values(), *call.writes.values()))
    if at.operation.tree.arrays and count > MOST_NUMBERS:
        raise _too_large(at, count)
    wide, high = PAPERS[paper]
    page = Box(0, 0, wide, high)
    inner = page.inset(_MARGIN)
    marks: list[Mark] = [Rect(page, fill="ground"), *_head(inner, heading, solved)]
    said, top = _said(at, Box(inner.x, inner.y + 70, inner.w, 130))
    marks += said
    room = Box(inner.x, top, inner.w, 0.44 * high)
    marks += picture_to_fill(at, room, solved) or _to_fill(at, room, solved, _tables)
    below = Box(inner.x, room.bottom + 18, inner.w, inner.bottom - room.bottom - 18)
    marks += _sums(at, below) if solved else _working(below)
    return Frame(wide, high, tuple(marks))


def picture_to_fill(at: Moment, box: Box, solved: bool) -> list[Mark]:
    """Return the step's picture, results blank or not; nothing if it lacks numbers that are read."""
    if is_shared(at.operation):
        return []
    upper = Box(box.x, box.y, box.w, box.h - _TOLD)
    values = {name: at.operation.call.value(name) for name in _unshown(at, _picture(_finished(at), upper))}
    if any(np.ndim(value) > 1 or np.size(value) > _SHORT for value in values.values()):
        return []
    # A bias may stand beside its picture.
    told = "   ".join(f"{name} = {'  '.join(map(brief, np.ravel(value)))}" for name, value in values.items())
    line = [label(Box(box.x, upper.bottom, box.w, _TOLD), told, _EM, family="mono")] if told else []
    return [*_to_fill(at, upper if told else box, solved, _picture), *line]


def _to_fill(at: Moment, box: Box, solved: bool, draw: Callable[[Moment, Box], list[Mark]]) -> list[Mark]:
    finished = draw(_finished(at), box)
    return finished if solved else _blank(at, draw(_begun(at), box), finished)


def _too_large(at: Moment, count: int) -> CnnvizError:
    return CnnvizError(
        tr(
            "{operation} reads and writes {count} numbers, which do not fit on a page; name a step of "
            "another operation, or take a smaller lesson.",
            operation=at.operation.name,
            count=written(count),
        )
    )


def given_cells(at: Moment) -> dict[str, NDArray[np.bool_]]:
    """Return which cells of its results a worksheet gives: what is done by the step, unless that is all."""
    names = at.operation.call.writes
    done = {name: np.asarray(at.state.written(name)) for name in names}
    partly = at.operation.call.linear is None and not at.operation.call.before
    if partly and not all(mask.all() for mask in done.values()):
        return done
    return {name: np.zeros(mask.shape, bool) for name, mask in done.items()}


def asked_of(at: Moment) -> list[str]:
    """Return the arrays whose cells are to be found; what is written beside a result is not asked for."""
    call = at.operation.call
    return [name for name in call.writes if call.port(name).role != "auxiliary"]


def results(program: Program, at: Moment) -> Iterator[Moment]:
    """Yield the steps at which the cells of a step's operation are written, in order."""
    operation, start, offsets = at.operation, program.start(at.operation.name), set[int]()
    for name, array in operation.call.writes.items():
        if name in operation.tree.arrays:
            first = islice(np.ndindex(np.shape(array)), _MOST_SUMS)
            found = (operation.step_writing(name, index) for index in first)
            offsets |= {offset for offset in found if offset is not None}
    for offset in sorted(offsets):
        there = start + offset
        yield Moment(program, program[there], program.state(there), at.view)


# ------------------------------------------------------------------------------------------------ the picture


def _finished(at: Moment) -> Moment:
    """Return the step with all that its operation writes."""
    last = at.program.start(at.operation.name) + len(at.operation) - 1
    end, now = at.program.state(last), at.state
    if not at.operation.tree.arrays:
        return Moment(at.program, at.program[last], end, at.view, at.whole)
    variables = {**end.variables, **now.variables}
    state = _Through(now.operation, now.offset, end.arrays, variables, now.reads, now.writes)
    return Moment(at.program, at.step, state, at.view, at.whole)


def _begun(at: Moment) -> Moment:
    """Return a step at which some of its operation is still to do: the first one, where all is done."""
    if not any(mask.any() for mask in given_cells(at).values()):
        start = at.program.start(at.operation.name)
        at = Moment(at.program, at.program[start], at.program.state(start), at.view)
    if not at.operation.tree.arrays:
        return at  # its variables are its results
    now = at.state
    loops = {name: value for name, value in now.variables.items() if name in at.operation.tree.variables}
    # A sum so far is nobody's result.
    state = State(now.operation, now.offset, now.arrays, loops, now.reads, now.writes)
    return Moment(at.program, at.step, state, at.view, at.whole)


def _picture(at: Moment, box: Box) -> list[Mark]:
    # The table of a descent pages where its text is larger.
    parts = (0.85, 0.7) if at.operation.phase == PHASE else (1, 0.85, 0.7)
    return drawn_in(at, box, [part * _EM for part in parts])


def _unshown(at: Moment, marks: Iterable[Mark]) -> list[str]:
    """Return the arrays that are read and of which a picture does not have all numbers."""
    call, shown = at.operation.call, dict[str, set[tuple[int, ...]]]()
    for mark in flat(marks):
        if isinstance(mark, Cells) and mark.texts:
            places = np.ndindex(mark.values.shape)
            shown.setdefault(mark.array, set()).update(mark.index_of(r, c) for r, c in places)
    if at.operation.phase == PHASE:  # the walk from one of several starts is enough
        return [name for name, walks in call.writes.items() if len(shown.get(name, ())) < walks.shape[1]]
    return [
        name
        for name in at.operation.tree.parameters
        if name in at.operation.tree.arrays
        and name not in call.writes
        and len(shown.get(name, ())) < np.size(call.value(name))
    ]


def _tables(at: Moment, box: Box) -> list[Mark]:
    """Draw each map of each array, one beside the other, as many as a line takes; of an update, none."""
    call = at.operation.call
    for part in () if call.before else (1.8, 1.5, 1.25, 1.0, 0.85):
        marks = _lines_of_tables(at, box, part * _EM)
        if marks is not None:
            return marks
    raise _too_large(at, sum(np.size(call.value(name)) for name in at.operation.tree.arrays))


def _lines_of_tables(at: Moment, box: Box, em: float) -> list[Mark] | None:
    marks: list[Mark] = []
    arrays = at.operation.tree.arrays
    x, y, high = box.x, box.y, 0.0
    for name in (name for name in at.operation.tree.parameters if name in arrays):
        shape = np.shape(at.state.arrays[name])
        short = len(shape) == 1 and shape[0] <= _SHORT
        tall = shape[0] if len(shape) == 1 and not short else 1
        # A long vector stands in several columns.
        for *prefix, first in np.ndindex(*shape[:-2], -(-tall // _TALL)):
            plane = grid.plane(at, name, tuple(prefix), axes="c" if short else None)
            rows, columns = plane.values.shape
            rows = rows if tall == 1 else min(_TALL, tall - first * _TALL)
            told = f"  {grid_title(at, name)}" if not any(prefix) and tall <= _TALL else ""
            head = grid.heading(plane.of, f"  {first * _TALL}…" if tall > _TALL else told)
            inside = Box(0, 0, columns * (grid.figures(plane.of.look) + 1.2) * em, 2 * rows * em)
            wide = max(inside.w, (head_width(head)[0] + 0.5) * em)
            if x > box.x and x + wide > box.right:
                x, y, high = box.x, y + high, 0.0
            at_top = Box(x, y, wide, 1.6 * em)
            place = Box(x, at_top.bottom, inside.w, inside.h)
            if place.right > box.right or place.bottom > box.bottom:
                return None
            marks += [
                Label(at_top, head, em),
                grid.cells(plane, place, em, (first * _TALL, 0, rows, columns)),
            ]
            x, high = x + wide + 1.5 * em, max(high, inside.h + 2.6 * em)
    return marks


def _blank(at: Moment, begun: Iterable[Mark], finished: Iterable[Mark]) -> list[Mark]:
    """Return the picture of a step with white cells in place of all that it does not hold by then.

    Grids of which it holds nothing are not drawn there; the finished picture has their places.
    """
    begun, names = list(begun), at.operation.call.writes
    seen = {mark.box for mark in flat(begun) if isinstance(mark, Cells)}
    white = [
        mark
        for mark in flat(finished)
        if isinstance(mark, Cells) and mark.box not in seen and mark.array in names
    ]
    # An update writes over what it reads, which is given.
    blank = {name for name, mask in given_cells(at).items() if not mask.any()} - set(at.operation.call.before)
    made = _with_white(begun, blank)
    return made + [part for grid in white for part in _without(grid, np.zeros(grid.values.shape, bool))]


def _with_white(marks: Iterable[Mark], blank: Container[str]) -> list[Mark]:
    made: list[Mark] = []
    for mark in marks:
        if isinstance(mark, Group):
            made.append(replace(mark, marks=tuple(_with_white(mark.marks, blank))))
        elif isinstance(mark, Cells) and mark.array in blank:
            made += _without(mark, np.zeros(mark.values.shape, bool))
        elif isinstance(mark, Cells) and mark.missing is not None:
            made += _without(replace(mark, missing=None), ~mark.missing)
        else:
            made.append(mark)
    return made


def _without(grid: Cells, kept: NDArray[np.bool_]) -> list[Mark]:
    """Return a grid with white cells for what is to be found."""
    rows, columns = grid.values.shape
    texts = (
        tuple(
            tuple(text if stays else "" for text, stays in zip(row, keeps, strict=True))
            for row, keeps in zip(grid.texts, kept.tolist(), strict=True)
        )
        if grid.texts
        else ()
    )
    white = [
        Rect(grid.box_of(r, c), fill="ground", stroke="line", width=1.0)
        for r, c in np.ndindex(rows, columns)
        if not kept[r, c]
    ]
    return [replace(grid, texts=texts, cached=False), *white]


# ---------------------------------------------------------------------------------------------- around it


def _head(box: Box, heading: Heading, solved: bool) -> list[Mark]:
    right = " · ".join(part for part in (heading.variant, tr("solution") if solved else "") if part)
    marks: list[Mark] = [
        label(box.top(26), heading.title, 1.5 * _EM, bold=True),
        label(box.top(26), right, _EM, "muted", align="right"),
    ]
    if not solved:
        row = box.below(34).top(20)
        name, date = tr("Name"), tr("Date")
        middle = box.x + 0.66 * box.w
        for text, x, end in ((name, box.x, middle - 16), (date, middle, box.right)):
            begin = x + 1.15 * width(text) * _EM + 6
            marks.append(label(Box(x, row.y, end - x, row.h), text, _EM, "muted"))
            marks.append(Path(((begin, row.bottom), (end, row.bottom)), "muted", 0.8))
    return marks


def _said(at: Moment, box: Box) -> tuple[list[Mark], float]:
    """Write the operation's name, its sentence and its formula; return them with where they end."""
    said = kind_of(at.operation.call)
    title = (
        Span(at.operation.layer, "ink", True),
        Span("   " + tr(said.title) if said.title else "", "muted"),
    )
    marks: list[Mark] = [Label(box.top(22), title, 1.3 * _EM)]
    y = box.y + 26
    for line in wrap(tr(said.sentence), int(box.w / (0.5 * _EM))):
        marks.append(label(Box(box.x, y, box.w, 18), line, _EM))
        y += 18
    formula = panels.headline(next(results(at.program, at), at), Box(box.x, y + 4, box.w, 62), 0.8)
    if formula:
        marks += formula
        y += 70
    kinds = (int, float) if is_shared(at.operation) else float  # pictures have their own sizes
    told = [
        f"{name} = {value:g}" for name, value in at.operation.call.given.items() if isinstance(value, kinds)
    ]
    if told and at.operation.tree.arrays:
        marks.append(label(Box(box.x, y - 42, 0.5 * box.w, 18), ", ".join(told), _EM, family="mono"))
    return marks, y + 10


def _working(box: Box) -> list[Mark]:
    marks: list[Mark] = [label(box.top(18), tr("Working"), _EM, "muted")]
    y = box.y + 18 + _RULED
    while y <= box.bottom:
        marks.append(Path(((box.x, y), (box.right, y)), "panel_line", 0.8))
        y += _RULED
    return marks


def _sums(at: Moment, box: Box) -> list[Mark]:
    """Write the arithmetic of the first results, as many as there is room for."""
    marks: list[Mark] = []
    y, em = box.y, 0.85 * _EM
    for one in results(at.program, at):
        high = arithmetic.height(one, box.w, em)
        if y + high > box.bottom:
            break
        marks += arithmetic.draw(one, Box(box.x, y, box.w, high), em)
        y += high + 6
    return marks
