"""The formula under the listing: typeset, with the arrays that the step touches in their colours."""

from __future__ import annotations

import re
from functools import lru_cache
from math import floor
from typing import NamedTuple

from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.formulas import typeset
from cnnviz.scene.look import final
from cnnviz.scene.marks import Box, Formula, Group, Mark, Rect, Role, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief
from cnnviz.scene.outline import EM, Outline
from cnnviz.scene.registry import formulas
from cnnviz.text import tr
from cnnviz.trace.assignment import assignment
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache

# At 1080 lines: the size of letters in the lecture view.
_HEADLINE = 34
# And in the pane: the size of the letters, between two lines, above them with the heading, and below.
_LARGEST, _SMALLEST, _GAP, _HEAD, _FOOT = 27, 15, 11, 38, 16


class Sizes(NamedTuple):
    """How large the formulas of an operation are set: the same at all its steps.

    Attributes
    ----------
    size : float
        Of the letters, in pixels.
    rows : tuple[float, ...]
        How high each line is.
    height : float
        Of the whole section.
    """

    size: float
    rows: tuple[float, ...]
    height: float


@lasting_cache(256)
def formula_sizes(operation: Operation, width: float, room: float, unit: float) -> Sizes:
    """Return how the formulas of an operation are set.

    Parameters
    ----------
    width : float
        Of the pane without its margins; formulas are made small enough for it.
    room : float
        How high the section should be at most; letters are made smaller for it, up to a point.
    """
    # Those of the first line: typesetting what an expression says at each of its lines would take too long.
    # One that is larger is made smaller when it is painted.
    outlines = _outlines(operation, 1)
    if not outlines:
        return Sizes(0.0, (), 0.0)
    rows = [outline.height / EM for outline in outlines]
    around = (_HEAD + _FOOT + _GAP * (len(rows) - 1)) * unit
    fits = width * EM / max(outline.width for outline in outlines)
    size = min(_LARGEST * unit, fits, max(_SMALLEST * unit, (room - around) / sum(rows)))
    heights = tuple(row * size for row in rows)
    return Sizes(size, heights, around + sum(heights))


def formula_section(moment: Moment, box: Box, room: float, unit: float) -> Group | None:
    """Draw the formulas at the foot of the pane; None if nothing is known of the operation."""
    operation = moment.operation
    outlines = _outlines(operation, moment.state.line)
    if not outlines or not room:
        return None
    sizes = formula_sizes(operation, box.inset(18 * unit, 0).w, room, unit)
    roles = tuple(sorted(touched(moment).items()))
    return _section(tr("Formula"), outlines, roles, sizes, box, unit)


def headline(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw one formula large at the right end of a box: of several, that of what the line goes to make."""
    outlines = _outlines(moment.operation, moment.state.line)
    if not outlines:
        return []
    outline = outlines[_made(moment.operation, moment.state.line)]
    return [_large(outline, tuple(sorted(touched(moment).items())), box, unit)]


_HEAD_ENDS = re.compile(r"=|\\leftarrow|\\add")


@lasting_cache(1024)
def _made(operation: Operation, line: int) -> int:
    """Return which formula says what is assigned from a line on; of an expression it is the whole."""
    if not operation.tree.arrays:
        return 0
    heads = [_HEAD_ENDS.split(formula)[0] for formula in formulas(operation.call, line)]
    for number in range(line, len(operation.tree.source) + 1):
        parts = assignment(operation.tree, number)
        if parts is not None:
            name = parts.target.name
            own = re.compile(rf"\\{name}\{{|\\part\{{{name}\}}|\\mathrm\{{{name}\}}|^{name}(?:_|\s|$)")
            found = next((k for k, head in enumerate(heads) if own.search(head)), None)
            if found is not None:
                return found
    return 0


def touched(moment: Moment) -> dict[str, Role]:
    """Return the arrays that the step reads and writes, and what they are to it; of scalars, the same."""
    operation, state = moment.operation, moment.state
    if operation.tree.arrays:
        return {name: role(operation, name) for name, _ in (*state.reads, *state.writes)}
    parts = assignment(operation.tree, state.line)
    if parts is None:
        return {}
    # What an expression has computed by now is a source of what comes next.
    read = {operand.name: role(operation, operand.name) for operand in parts.operands}
    read = {name: "source" if found == "written" else found for name, found in read.items()}
    return {**read, parts.target.name: "written"}


def part_said(moment: Moment, name: str) -> str:
    """Say what a part of the formula stands for: an array with its shape, or a number with its value."""
    values = final(moment.operation, name)
    if not moment.operation.tree.arrays:
        held = {**moment.operation.call.given, **moment.state.variables}
        return f"{name} = {brief(float(held[name]))}" if name in held else name
    shape = " × ".join(str(size) for size in values.shape)
    return tr("{name}: an array of shape {shape}", name=symbol(moment.operation, name), shape=shape)


@lasting_cache(1024)
def _outlines(operation: Operation, line: int) -> tuple[Outline, ...]:
    return tuple(typeset(formula) for formula in formulas(operation.call, line))


@lru_cache(maxsize=256)
def _large(outline: Outline, roles: tuple[tuple[str, Role], ...], box: Box, unit: float) -> Group:
    size = min(_HEADLINE * unit, box.w * EM / outline.width, box.h * EM / outline.height)
    width = outline.width * size / EM
    ground = Box(box.right - width, box.y, width, box.h).whole()
    return Group(ground, (Rect(ground, fill="ground"), Formula(ground, outline, size, roles)), lasting=True)


@lru_cache(maxsize=256)
def _section(
    heading: str,
    outlines: tuple[Outline, ...],
    roles: tuple[tuple[str, Role], ...],
    sizes: Sizes,
    box: Box,
    unit: float,
) -> Group:
    top = floor(box.bottom - sizes.height)
    whole = Box(box.x, top, box.w, box.bottom - top)
    inner = whole.inset(18 * unit, 0)
    head = Box(inner.x, top + 8 * unit, inner.w, 24 * unit)
    marks: list[Mark] = [
        Rect(whole, fill="panel"),
        Rect(inner.top(1), fill="panel_line"),
        label(head, heading, 15 * unit, "muted", bold=True),
    ]
    y = top + _HEAD * unit
    for outline, height in zip(outlines, sizes.rows, strict=False):
        marks.append(Formula(Box(inner.x, y, inner.w, height), outline, sizes.size, roles))
        y += height + _GAP * unit
    return Group(whole, tuple(marks), lasting=True)
