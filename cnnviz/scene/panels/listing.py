"""The debugger: the listing with the executing line, the variables, the formula."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cnnviz.scene.marks import Box, Dot, Group, Label, Mark, Path, Rect, Role, Run, Spot, label
from cnnviz.scene.moment import Moment, role, symbol
from cnnviz.scene.numbers import full, number
from cnnviz.scene.words import words
from cnnviz.text import tr
from cnnviz.trace.cursor import Breakpoint
from cnnviz.trace.operation import Operation

# JetBrains Mono's characters are all this wide, in parts of the text size.
_MONO = 0.6
# Room for line numbers and breakpoints left of the listing, at 1080 lines.
_GUTTER = 42


def debugger(moment: Moment, box: Box, unit: float, breakpoints: Sequence[Breakpoint] = ()) -> list[Mark]:
    """Draw the listing with the executing line and its breakpoints, the variables, and the formula."""
    operation = moment.operation
    marks: list[Mark] = [_base(operation, box, unit)]
    rows = _rows(operation, box, unit)
    for row in rows:
        if row.line == moment.state.line:
            marks += _executing(operation, row, unit)
    marks += _spots(operation, box, unit)
    stops = {point.line: point.offset is None for point in breakpoints if point.operation == operation.name}
    for row in rows:
        if row.first and row.line in stops:
            center = (row.box.x + 3 * unit, row.box.center[1])
            marks.append(Dot(center, (6 if stops[row.line] else 4) * unit, "stop"))
    top = rows[-1].box.bottom + 26 * unit
    bottom = box.bottom - _formula_height(operation, unit)
    inner = box.inset(18 * unit, 10 * unit)
    return marks + _variables(moment, Box(inner.x, top, inner.w, bottom - top - 10 * unit), unit)


@dataclass(frozen=True)
class _Row:
    """One row of the listing as shown; a long line takes several."""

    line: int
    first: bool
    indent: int
    text: str
    box: Box


def _text_size(unit: float) -> float:
    return 14.5 * unit


@lru_cache(maxsize=256)
def _rows(operation: Operation, box: Box, unit: float) -> tuple[_Row, ...]:
    inner = box.inset(18 * unit, 10 * unit)
    lines = listing_lines(operation, inner.w - _GUTTER * unit, _text_size(unit))
    top, step = inner.y + 32 * unit, 27 * unit
    return tuple(
        _Row(
            line, k == 0 or lines[k - 1][0] != line, indent, text, Box(inner.x, top + k * step, inner.w, step)
        )
        for k, (line, indent, text) in enumerate(lines)
    )


@lru_cache(maxsize=256)
def _base(operation: Operation, box: Box, unit: float) -> Group:
    """Return what the pane shows at every step of an operation: the listing and the formula."""
    inner = box.inset(18 * unit, 10 * unit)
    head, name = inner.top(24 * unit), f"{operation.tree.name}()"
    marks: list[Mark] = [
        Rect(box, fill="panel"),
        label(head, tr("Listing"), 15 * unit, "muted", bold=True),
        label(head, name, 13 * unit, "muted", align="right", family="mono"),
    ]
    rows = _rows(operation, box, unit)
    for row in rows:
        marks += _listing_row(operation, row, unit)
    marks.append(Rect(Box(inner.x, rows[-1].box.bottom + 13 * unit, inner.w, 1), fill="panel_line"))
    formula = words(operation.tree.name).formula
    below = Box(inner.x, box.bottom - _formula_height(operation, unit), inner.w, 0)
    marks.append(Rect(Box(inner.x, below.y, inner.w, 1), fill="panel_line"))
    marks.append(
        label(
            Box(inner.x, below.y + 8 * unit, inner.w, 24 * unit), tr("Formula"), 15 * unit, "muted", bold=True
        )
    )
    for k, text in enumerate(formula):
        line = Box(below.x, below.y + (34 + 32 * k) * unit, below.w, 30 * unit)
        marks.append(label(line, text, 20 * unit, "ink", align="center", family="math"))
    return Group(box, tuple(marks))


def _formula_height(operation: Operation, unit: float) -> float:
    return (52 + 32 * len(words(operation.tree.name).formula)) * unit


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
        tip = ((x - 4 * unit, y - 6 * unit), (x + 5 * unit, y), (x - 4 * unit, y + 6 * unit))
        marks.append(Path(tip, "source_line", 1.5 * unit, filled=True))
    return marks + _listing_row(operation, row, unit)


@lru_cache(maxsize=256)
def _spots(operation: Operation, box: Box, unit: float) -> tuple[Spot, ...]:
    """Where a click sets a breakpoint (the gutter) and where it runs to a line (the text)."""
    spots: list[Spot] = []
    gutter = _GUTTER * unit
    for row in _rows(operation, box, unit):
        left, width = row.box.x - 8 * unit, row.box.w + 16 * unit
        spots.append(Spot(Box(left, row.box.y, gutter, row.box.h), "gutter", line=row.line))
        spots.append(Spot(Box(left + gutter, row.box.y, width - gutter, row.box.h), "line", line=row.line))
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
            cut = _break_in(text[: room - indent + 1])
            if cut == 0:
                break
            shown.append((k, indent, text[:cut]))
            text, indent = text[cut + 1 :], (len(source) - len(source.lstrip())) // 2 + 2
        shown.append((k, indent, text))
    return shown


def _break_in(text: str) -> int:
    """Return at which blank to break a line: before an operator outside brackets, else after a comma."""
    depth, best, comma = 0, 0, 0
    for k, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if sign != " " or k < 3:
            continue
        if depth == 0 and (text[k - 1] == "=" or re.match(r" (?:[*+] |if |else )", text[k : k + 6])):
            best = k
        elif text[k - 1] == ",":
            comma = k
    return best or comma


def _short_signature(operation: Operation, room: int) -> str:
    """Return the ``def`` line with its arrays named and its sizes left out where it is too long."""
    whole = operation.tree.source[0].strip()
    if len(whole) <= room:
        return whole
    arrays = [name for name in operation.tree.parameters if name in operation.tree.arrays]
    return f"def {operation.tree.name}({', '.join(arrays)}, …):"


@lru_cache(maxsize=1024)
def _coloured(operation: Operation, text: str) -> tuple[Run, ...]:
    """Colour the arrays in a line by what they are: read, parameter or written."""
    runs: list[Run] = []
    for part in re.split(r"(\b[A-Za-z_]\w*\b(?=\[))", text):
        runs.append(Run(part, role(operation, part) if part in operation.tree.arrays else "ink"))
    return tuple(run for run in runs if run.text)


def _variables(moment: Moment, box: Box, unit: float) -> list[Mark]:
    marks: list[Mark] = [label(box.top(24 * unit), tr("Variables"), 15 * unit, "muted", bold=True)]
    rows = _variable_rows(moment)
    step = min(27 * unit, (box.h - 30 * unit) / max(len(rows), 1))
    size = min(15 * unit, step * 0.75)
    for k, (name, said, value, colour) in enumerate(rows):
        row = Box(box.x, box.y + 30 * unit + k * step, box.w, step)
        if k % 2 == 0:
            marks.append(Rect(row, fill="ground"))
        left, right = row.inset(8 * unit, 0).columns([0.64, 0.36])
        runs = (Run(name, colour, True), Run("  " + said, "muted")) if said else (Run(name, colour, True),)
        marks.append(Label(left, runs, size, family="mono"))
        marks.append(label(right, value, size, align="right"))
    return marks


def _variable_rows(moment: Moment) -> list[tuple[str, str, str, Role]]:
    """Return (name, what it is, value, colour): loop variables, scalars, then the cells read and written."""
    operation, state = moment.operation, moment.state
    said = words(operation.tree.name).variables
    loops = {loop.variable: loop.count for loop in state.loops}
    outer = {loop.variable for loop in operation.cells.nest}
    rows: list[tuple[str, str, str, Role]] = []
    for name, value in state.variables.items():
        if name in operation.tree.variables:
            last = f"{value} {tr('of')} {loops[name] - 1}" if name in loops else str(value)
            colour = "muted" if name not in loops else "written" if name in outer else "source"
            rows.append((name, tr(said.get(name, "")), last, colour))
        elif isinstance(value, int | np.integer):
            rows.append((name, "", str(value), "ink"))
        else:
            rows.append((name, "", _exact(value), "ink"))
    for name, index in dict.fromkeys((*state.reads, *state.writes)):
        place = f"{symbol(name)}[{', '.join(str(k) for k in index)}]"
        value = float(state.arrays[name][index])
        rows.append((place, "", _exact(value), role(operation, name)))
    return rows


def _exact(value: float) -> str:
    """Write a number with four decimals, or with seven digits where four decimals say too little."""
    if abs(value) < 1e-12 or 0.01 <= abs(value) < 1e5:
        return number(value, 4)
    return full(value)
