"""The debugger: the listing with the executing line, the variables, the formula."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.expansion import expansion_in_letters
from cnnviz.scene.layout import Area, Room, column, fitting
from cnnviz.scene.letters import name_width
from cnnviz.scene.marks import (
    Box,
    Dot,
    Group,
    Hotspot,
    Label,
    Mark,
    Path,
    Rect,
    Role,
    Span,
    label,
    whole_pixels,
)
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full
from cnnviz.scene.panels.formula import formula_section, formula_sizes
from cnnviz.scene.panels.watches import parted, rows, watch_said, watches
from cnnviz.scene.reduction import reduction
from cnnviz.scene.registry import kind_of
from cnnviz.scene.substitution import NEW, OLD, scalar_text
from cnnviz.text import tr
from cnnviz.trace.assignment import assignment
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache
from cnnviz.trace.state import state

# JetBrains Mono's characters are all this wide, in parts of the text size.
_MONO = 0.6
# How long a sum in letters may be beside its variable's name, in parts of the text size.
_MOST_OF_A_SUM = 10.5
# At 1080 lines: the size of text, how high a row is, and how low one of a variable may be.
_TEXT, _ROW, _LOW_ROW = 14.5, 27, 19
# How many of the three parts are shown, how many rows of a listing at least, and how many of variables: what
# is liked first.
_IN_ORDER = ((3, 18, 12), (2, 18, 12), (3, 18, 6), (2, 18, 6), (2, 8, 6), (1, 1, 0))
# Room for line numbers and breakpoints left of the listing, at 1080 lines.
_GUTTER = 42


def debugger(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the listing with its executing line and breakpoints, variables, formula, what is watched."""
    operation = moment.operation
    box, below = parted(moment, box, unit)
    start = _start(operation, box, unit, moment.state.line)
    marks: list[Mark] = [_base(operation, box, unit, start), *_variable_names(moment, box, unit)]
    rows = _rows(operation, box, unit, start)
    for row in rows:
        if row.line == moment.state.line:
            marks += _executing(operation, row, unit)
    marks += _spots(operation, box, unit, start)
    points = (point for point in moment.view.breakpoints if point.operation == operation.name)
    stops = {point.line: point for point in sorted(points, key=lambda point: point.on)}
    for row in rows:
        if row.first and row.line in stops:
            center = (row.box.x + 3 * unit, row.box.center[1])
            point = stops[row.line]
            size = 6 if point.offset is None else 4
            marks.append(Dot(center, size * unit, "stop" if point.on else "muted"))
    formula = formula_section(moment, box, _formula_room(operation, box, unit), unit)
    marks += [*_variable_values(moment, box, unit), *([formula] if formula else [])]
    return marks + watches(moment, below, unit)


@lasting_cache(256)
def _places(operation: Operation, box: Box, unit: float) -> Mapping[str, Box]:
    """Return where listing, variables and formula go, the same at all steps of an operation.

    What is less important goes where there is no room: the formula first, then the variables.
    """
    inner, em = box.inset(18 * unit, 10 * unit), _text_size(unit)
    rows, count = len(_lines(operation, box, unit)), len(_names(operation)) + _most_cells(operation)
    least, most = (formula_sizes(operation, inner.w, room, unit).height / unit for room in (0.0, inf))

    def parts(lines: int, variables: int) -> tuple[Area, ...]:
        return (
            _area("listing", 58 + _ROW * min(rows, lines), 58 + _ROW * rows),
            _area("variables", 40 + _LOW_ROW * min(count, variables), 40 + _ROW * count),
            _area("formula", least, most),
        )

    fewer = (column(*parts(*fewest)[:shown], gap=0) for shown, *fewest in _IN_ORDER)
    layout = next(fitting(fewer, Room(inner, em, em)), None)
    if layout is None:
        return {"listing": inner}
    boxes = {name: place.box for name, place in layout.places.items()}
    up = boxes["listing"].y - inner.y  # what room is left over stays under the variables
    return {name: place._replace(y=place.y - up) for name, place in boxes.items()}


def _area(name: str, least: float, most: float) -> Area:
    return Area(name, (5, least / _TEXT), (100, most / _TEXT))


class _Row(Struct, frozen=True):
    """One row of the listing as shown; a long line takes several."""

    line: int
    first: bool
    indent: int
    text: str
    box: Box


def _text_size(unit: float) -> float:
    return _TEXT * unit


@lasting_cache(256)
def _lines(operation: Operation, box: Box, unit: float) -> list[tuple[int, int, str]]:
    return listing_lines(operation, box.inset(18 * unit, 10 * unit).w - _GUTTER * unit, _text_size(unit))


def _most_rows(operation: Operation, box: Box, unit: float) -> int:
    """Return how many rows of a listing are shown at once."""
    return max(1, whole_pixels((_places(operation, box, unit)["listing"].h - 58 * unit) / (_ROW * unit)))


def _start(operation: Operation, box: Box, unit: float, line: int) -> int:
    """Return the first row that is shown: of a long listing, of the page that a line is on."""
    here = next(k for k, (number, _, _) in enumerate(_lines(operation, box, unit)) if number == line)
    return max(start for start in _pages(operation, box, unit) if start <= here)


@lasting_cache(256)
def _pages(operation: Operation, box: Box, unit: float) -> tuple[int, ...]:
    """Return the first row of each page of a listing; a line is on one page with all its rows."""
    lines, most = _lines(operation, box, unit), _most_rows(operation, box, unit)
    begins = [k for k in range(len(lines)) if k == 0 or lines[k - 1][0] != lines[k][0]]
    pages, last = [0], next((k for k in begins if k >= len(lines) - most), begins[-1])
    for k, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        if end - pages[-1] > most and k > pages[-1]:
            pages.append(min(k, last))  # the last page is as long as the others
    return tuple(pages)


@lasting_cache(256)
def _rows(operation: Operation, box: Box, unit: float, start: int = 0) -> tuple[_Row, ...]:
    inner = box.inset(18 * unit, 10 * unit)
    most, lines = _most_rows(operation, box, unit), _lines(operation, box, unit)[start:]
    ends = [
        k for k in range(1, min(most, len(lines)) + 1) if k == len(lines) or lines[k][0] != lines[k - 1][0]
    ]
    lines = lines[: max(ends, default=most)]
    top, step = inner.y + 32 * unit, 27 * unit
    return tuple(
        _Row(
            line, k == 0 or lines[k - 1][0] != line, indent, text, Box(inner.x, top + k * step, inner.w, step)
        )
        for k, (line, indent, text) in enumerate(lines)
    )


@lasting_cache(256)
def _base(operation: Operation, box: Box, unit: float, start: int) -> Group:
    """Return what the pane shows at every step of an operation: the listing, or a page of it."""
    inner = box.inset(18 * unit, 10 * unit)
    head, name = inner.top(24 * unit), f"{operation.tree.name}()"
    marks: list[Mark] = [
        Rect(box, fill="panel"),
        label(head, tr("Listing"), 15 * unit, "muted", bold=True),
        label(head, name, 13 * unit, "muted", align="right", family="mono"),
    ]
    for row in _rows(operation, box, unit, start):
        marks += _listing_row(operation, row, unit)
    end = _variables_top(operation, box, unit) - 13 * unit
    marks.append(Rect(Box(inner.x, end, inner.w, 1), fill="panel_line"))
    return Group(box, tuple(marks), lasting=True)


def _formula_room(operation: Operation, box: Box, unit: float) -> float:
    """Return how high the formulas may be; 0 where they have no room."""
    place = _places(operation, box, unit).get("formula")
    return 0.0 if place is None else place.h


def _variables_top(operation: Operation, box: Box, unit: float) -> float:
    return _places(operation, box, unit)["listing"].bottom


def _listing_row(operation: Operation, row: _Row, unit: float) -> list[Mark]:
    size, shift = _text_size(unit), (_GUTTER * unit) + row.indent * _MONO * _text_size(unit)
    place = Box(row.box.x + shift, row.box.y, row.box.w - shift + 10 * unit, row.box.h)
    marks: list[Mark] = [Label(place, _coloured(operation, row.text), size, family="mono")]
    if row.first:
        gutter = Box(row.box.x, row.box.y, (_GUTTER - 16) * unit, row.box.h)
        marks.append(label(gutter, str(row.line), 13 * unit, "muted", align="right", family="mono"))
    return marks


def _executing(operation: Operation, row: _Row, unit: float) -> list[Mark]:
    """Mark a row of the line that was just run."""
    x, y = row.box.x, row.box.center[1]
    marks: list[Mark] = [
        Rect(Box(x - 8 * unit, row.box.y, row.box.w + 16 * unit, row.box.h), fill="source_fill")
    ]
    if row.first:
        x -= 5 * unit * (row.line >= 100)  # whose number takes more room
        tip = ((x - 4 * unit, y - 6 * unit), (x + 5 * unit, y), (x - 4 * unit, y + 6 * unit))
        marks.append(Path(tip, "source_line", 1.5 * unit, filled=True))
    return marks + _listing_row(operation, row, unit)


@lasting_cache(256)
def _spots(operation: Operation, box: Box, unit: float, start: int) -> tuple[Hotspot, ...]:
    """Where a click sets a breakpoint (the gutter) and where it runs to a line (the text)."""
    spots: list[Hotspot] = []
    gutter = _GUTTER * unit
    for row in _rows(operation, box, unit, start):
        left, width = row.box.x - 8 * unit, row.box.w + 16 * unit
        spots.append(Hotspot(Box(left, row.box.y, gutter, row.box.h), "gutter", line=row.line))
        spots.append(Hotspot(Box(left + gutter, row.box.y, width - gutter, row.box.h), "line", line=row.line))
    return tuple(spots)


def listing_lines(operation: Operation, width: float, size: float) -> list[tuple[int, int, str]]:
    """Return a listing as shown: (line number, indentation in characters, text); long lines are continued.

    Indentation is two characters a level. A line's continuation has the same number.
    """
    room = int(width / (_MONO * size))
    shown: list[tuple[int, int, str]] = []
    for k, source in enumerate(operation.tree.source, 1):
        text = source.strip()
        indent = (len(source) - len(source.lstrip())) // 2
        if k == 1:
            text = _short_signature(operation, room)
        while len(text) + indent > room:
            cut, in_index = _break_in(text[: room - indent + 1])
            if in_index and shown[-1:] and shown[-1][0] == k and indent > 0:
                indent -= 1  # rather stands what goes on less far in
                continue
            if cut == 0:
                break
            shown.append((k, indent, text[:cut]))
            text, indent = text[cut + 1 :], (len(source) - len(source.lstrip())) // 2 + 2
        shown.append((k, indent, text))
    return shown


# Where a line is broken, what is liked first: before a product or a sum, a difference, behind the sign =;
# then the same inside round brackets, and between arguments. Never inside an index, while there is another.
_BREAKS = (
    re.compile(r" (?:[*+/] |if |else |and |or )"),
    re.compile(r" (?:-|[<>]=?|==) "),
    re.compile(r"(?<=[=]) "),
)


def _break_in(text: str) -> tuple[int, bool]:
    """Return at which blank to break a line, 0 where there is none, and whether that is inside an index."""
    round_ones, square_ones = 0, 0
    found: list[tuple[int, int]] = []
    for k, sign in enumerate(text):
        # What is closed here may have been opened in the row before.
        round_ones = max(0, round_ones + (sign == "(") - (sign == ")"))
        square_ones = max(0, square_ones + (sign == "[") - (sign == "]"))
        if sign != " " or k < 3:
            continue
        rank = next((rank for rank, way in enumerate(_BREAKS) if way.match(text, k)), len(_BREAKS))
        if rank < len(_BREAKS) or text[k - 1] == ",":
            found.append((-rank - 4 * bool(round_ones) - 8 * bool(square_ones), k))
    rank, k = max(found, default=(0, 0))
    return k, rank <= -8


def _short_signature(operation: Operation, room: int) -> str:
    """Return the ``def`` line with its arrays named and its sizes left out where it is too long."""
    whole = operation.tree.source[0].strip()
    if len(whole) <= room:
        return whole
    shown = [name for name in operation.tree.parameters if name in operation.tree.arrays]
    if not shown:
        shown = list(operation.tree.parameters[: (room - len(operation.tree.name) - 10) // 4])
    return f"def {operation.tree.name}({', '.join(shown)}, …):"


@lasting_cache(1024)
def _coloured(operation: Operation, text: str) -> tuple[Span, ...]:
    """Colour the arrays in a line by what they are: read, parameter or written; without any, variables."""
    coloured = operation.tree.arrays or {*operation.call.given, *operation.call.writes}
    runs: list[Span] = []
    for part in re.split(r"(\b[^\W\d]\w*\b(?=\[))" if operation.tree.arrays else r"(\b[^\W\d]\w*\b)", text):
        runs.append(Span(part, role(operation, part) if part in coloured else "ink"))
    return tuple(run for run in runs if run.text)


@lasting_cache(256)
def _names(operation: Operation) -> tuple[str, ...]:
    """Return every local name: loop variables first, then scalars in the order they are assigned."""
    tree = operation.tree
    lines = [node for node in walk(operation.body) if isinstance(node, Line)]
    scalars = [line.target for line in lines if not line.index and line.target not in tree.parameters]
    return tuple(dict.fromkeys((*tree.variables, *scalars)))


@lasting_cache(256)
def _most_cells(operation: Operation) -> int:
    """Return how many cells, and numbers that are given, a line of a listing reads and writes at most."""
    lines = range(2, len(operation.tree.source) + 1)
    parts = [(k, part) for k in lines if (part := assignment(operation.tree, k))]
    return max(
        sum(bool(o.index) for o in (part.target, *part.operands)) + len(_given(operation, k))
        for k, part in parts
    )


@lasting_cache(1024)
def _given(operation: Operation, line: int) -> tuple[str, ...]:
    """Return the numbers that a line reads and its listing is called with, without sizes: a learning rate."""
    part, given = assignment(operation.tree, line), operation.call.given
    names = dict.fromkeys(operand.name for operand in part.operands) if part else {}
    return tuple(name for name in names if isinstance(given.get(name), float) and np.ndim(given[name]) == 0)


@lasting_cache(256)
def _variable_boxes(operation: Operation, box: Box, unit: float) -> tuple[Box, ...]:
    """Return the rows of the variables: as many at every step, so that none of them moves.

    Of more than can be read, some are shown.
    """
    places = _places(operation, box, unit)
    if "variables" not in places:
        return ()
    place, count = places["variables"].below(30 * unit), len(_names(operation)) + _most_cells(operation)
    room = place.h - 10 * unit
    count = min(count, max(1, whole_pixels(room / (_LOW_ROW * unit))))
    step = min(_ROW * unit, room / count)
    return tuple(Box(place.x, place.y + k * step, place.w, step) for k in range(count))


def _names_shown(operation: Operation, box: Box, unit: float, line: int) -> tuple[str, ...]:
    """Return the names of the variables that have room; of many, those with the one that a line assigns."""
    names, rows = _names(operation), len(_variable_boxes(operation, box, unit))
    most = max(min(rows, 1), rows - _most_cells(operation))
    if len(names) <= most:
        return names
    parts = assignment(operation.tree, line)
    here = names.index(parts.target.name) if parts and parts.target.name in names else 0
    start = min(here // max(most, 1) * most, len(names) - most)
    return names[start : start + most]


def _variable_names(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the names of the variables and what they count."""
    operation = moment.operation
    return list(_named(operation, _names_shown(operation, box, unit, moment.state.line), box, unit).marks)


@lasting_cache(256)
def _named(operation: Operation, names: tuple[str, ...], box: Box, unit: float) -> Group:
    rows = _variable_boxes(operation, box, unit)
    if not rows:
        return Group(box, ())
    head = Box(rows[0].x, rows[0].y - 30 * unit, rows[0].w, 24 * unit)
    marks: list[Mark] = [label(head, tr("Variables"), 15 * unit, "muted", bold=True)]
    said = kind_of(operation.call).variables
    outer = {
        loop.variable for line in operation.writing_lines for loop in operation.cells_of(line.number).nest
    }
    for row in rows[: len(names) : 2]:
        marks.append(Rect(row, fill="ground"))
    for name, row in zip(names, rows, strict=False):
        colour = "ink"
        if name in operation.tree.variables:
            colour = "written" if name in outer else "source"
        runs = [Span(name, colour, True)]
        if name in said:
            runs.append(Span("  " + tr(said[name]), "muted"))
        marks.append(Label(_halves(row, unit)[0], tuple(runs), _row_size(row, unit), family="mono"))
    return Group(box, tuple(marks))


def _variable_values(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the values that the variables have, and the cells that the line read and wrote."""
    operation, state = moment.operation, moment.state
    rows = _variable_boxes(operation, box, unit)
    running = {loop.variable: loop.count for loop in state.loops}
    marks: list[Mark] = []
    names = _names_shown(operation, box, unit, state.line)
    for name, row in zip(names, rows, strict=False):
        if name in state.variables:
            value = state.variables[name]
            text = str(value) if isinstance(value, int | np.integer) else _float_text(moment, name)
            if name in running:
                text = tr("{value} of {last}", value=text, last=running[name] - 1)
            # A loop that has ended leaves its variable behind: Python still holds it.
            left_over = name in operation.tree.variables and name not in running
            runs = (*_replaced(moment, name, text), Span(text, "muted" if left_over else "ink"))
            marks.append(Label(_halves(row, unit)[1], runs, _row_size(row, unit), "right"))
    for cell, row in zip(_cells(moment), rows[len(names) :], strict=False):
        left, right = _halves(row, unit)
        size = _row_size(row, unit)
        marks.append(label(left, cell.name, size, cell.role, bold=True, family="mono"))
        marks.append(label(right, cell.text, size, align="right", once=True))
    return marks


def _replaced(moment: Moment, name: str, now: str) -> tuple[Span, ...]:
    """Return the number that the step's line has replaced in a variable, where it is another as written."""
    operation, offset = moment.operation, moment.step.offset
    parts = assignment(operation.tree, moment.state.line)
    if moment.letters or not offset or parts is None or parts.target.name != name or parts.target.index:
        return ()
    before = state(operation, offset - 1).variables.get(name)
    if before is None:
        return ()
    text = str(before) if isinstance(before, int | np.integer) else scalar_text(moment, before, name)
    return (Span(f"{text} → ", "muted"),) if text != now else ()


class _Cell(NamedTuple):
    """A cell that the line read or wrote: what it is called, its colour, its value as written and in full.

    And which it is: its array, and its index there.
    """

    name: str
    role: Role
    text: str
    value: float
    array: str
    place: tuple[int, ...]


def _cells(moment: Moment) -> list[_Cell]:
    """Return the cells that the line read and wrote; of one that it replaced, the old number and the new."""
    state, before = moment.state, moment.operation.call.before
    found: list[_Cell] = []
    for name, index in dict.fromkeys((*state.reads, *state.writes)):
        place = f"{symbol(moment.operation, name)}[{', '.join(str(k) for k in index)}]"
        own = role(moment.operation, name)
        text, value = moment.cell_text(name, index), float(state.arrays[name][index])
        if name not in before:
            found.append(_Cell(place, own, text, value, name, index))
            continue
        if (name, index) in state.writes and (name, index) in state.reads:
            old = float(before[name][index])
            was = text if moment.letters else moment.text(name, old)
            found.append(_Cell(f"{tr(OLD)} {place}", "parameter", was, old, name, index))
        new = text + "′" * moment.letters
        found.append(_Cell(f"{tr(NEW)} {place}", own, new, value, name, index))
    for name in _given(moment.operation, state.line):
        value = float(moment.operation.call.given[name])
        text = name if moment.letters else full(value)
        found.append(_Cell(name, "parameter", text, value, name, ()))
    return sorted(found, key=lambda cell: cell.role == "written")  # what is written comes last


def variable_said(moment: Moment, box: Box, unit: float, x: float, y: float) -> str:
    """Return all digits of the variable, or cell, whose row is at a point, or what a watch comes to there."""
    _, below = parted(moment, box, unit)
    asked = next((text for text, row in rows(moment, below, unit) if row.contains(x, y)), "")
    if asked:
        return "" if moment.letters else watch_said(moment, asked)
    found = None if moment.letters else variable_at(moment, box, unit, x, y)
    if isinstance(found, _Cell):
        return f"{found.name} = {full(found.value)}"
    variables = moment.state.variables
    return f"{found} = {full(variables[found])}" if found and found in variables else ""


def variable_at(moment: Moment, box: Box, unit: float, x: float, y: float) -> str | _Cell | None:
    """Return the variable, or the cell that the line read or wrote, whose row is at a point."""
    box, _ = parted(moment, box, unit)
    rows = _variable_boxes(moment.operation, box, unit)
    row = next((k for k, row in enumerate(rows) if row.contains(x, y)), len(rows))
    shown: tuple[str | _Cell, ...] = (
        *_names_shown(moment.operation, box, unit, moment.state.line),
        *_cells(moment),
    )
    return shown[row] if row < min(len(rows), len(shown)) else None


def variable_row(moment: Moment, box: Box, unit: float, x: float, y: float) -> Box | None:
    """Return where the value of the variable, or cell, whose row is at a point is written."""
    if variable_at(moment, box, unit, x, y) is None:
        return None
    box, _ = parted(moment, box, unit)
    boxes = _variable_boxes(moment.operation, box, unit)
    return next(_halves(row, unit)[1] for row in boxes if row.contains(x, y))


def _float_text(moment: Moment, name: str) -> str:
    """Write a variable that is no whole number; in letters the sum that it is so far, or its own name."""
    if not moment.letters:
        return scalar_text(moment, moment.state.variables[name], name)
    found = reduction(moment)
    parts = assignment(moment.operation.tree, found.lines[0]) if found and moment.terms_begun else None
    if found is None or parts is None or parts.target.name != name:
        return name
    whole = expansion_in_letters(moment, found)
    if name_width(whole) <= _MOST_OF_A_SUM:
        return whole
    sign = " + " if " + " in whole else " − "
    return f"…{sign}{whole.rpartition(sign)[2]}"


def _halves(row: Box, unit: float) -> tuple[Box, Box]:
    left, right = row.inset(8 * unit, 0).columns([0.64, 0.36])
    return left, right


def _row_size(row: Box, unit: float) -> float:
    return min(15 * unit, row.h * 0.75)
