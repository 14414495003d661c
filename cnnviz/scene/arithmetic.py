"""The arithmetic of a step with its numbers put in, read off the listing: the same for every operation.

The cells and scalars that a line names are replaced by their values; a sum is written out term by term,
with the one in hand marked and the sum so far.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnnviz.scene.marks import Box, Label, Mark, Rect, Run, label
from cnnviz.scene.moment import Moment, role, symbol
from cnnviz.scene.numbers import decimals, number
from cnnviz.text import tr
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operands import Anatomy, Operand, anatomy
from cnnviz.trace.operation import Operation

_SHOWN_TERMS = 10


@dataclass(frozen=True)
class Terms:
    """The terms that a cell's inner loops add up, or compare.

    Attributes
    ----------
    line : int
        The line that does it.
    loops : tuple[Loop, ...]
        The loops inside the cell around that line.
    count : int
        How many terms there are.
    done : int
        How many of them have been taken.
    current : bool
        Whether the step is the line itself, so that term `done − 1` is in hand.
    """

    line: int
    loops: tuple[Loop, ...]
    count: int
    done: int
    current: bool


def terms(moment: Moment) -> Terms | None:
    """Return the terms of the cell in work, or None where the listing has no inner loop for them."""
    operation, state = moment.operation, moment.state
    nest, block = operation.cells.nest, operation.cells.block
    number_of_line = state.line
    around = [
        k
        for k, statement in enumerate(block.statements)
        if any(isinstance(node, Line | Loop) and node.number == number_of_line for node in walk(statement))
    ]
    here = around[0] if around else 0
    order = [here, *range(here - 1, -1, -1), *range(here + 1, len(block.statements))]
    for k in order:
        statement = block.statements[k]
        if not isinstance(statement, Loop):
            continue
        line = next(
            (n for n in walk(statement) if isinstance(n, Line) and n.is_term and (n.accumulates or not n.index)), None
        )
        if line is None:
            if k == here:
                return None
            continue
        loops = operation.path_to(line.number)[0][len(nest) :]
        count = prod(loop.count for loop in loops)
        cell, _ = operation.cells.at(moment.step.offset)
        done = operation.runs_until(line, moment.step.offset) - cell * count
        if not moment.terms_begun and nest:
            done = 0 if not around else done
        return Terms(line.number, loops, count, max(0, min(done, count)), number_of_line == line.number)
    return None


def scope_of(moment: Moment) -> dict[str, Any]:
    """Return everything that the listing's names stand for at this step."""
    return {**moment.operation.call.given, **moment.state.arrays, **moment.state.variables}


def term_variables(moment: Moment, found: Terms, k: int) -> dict[str, int]:
    """Return the loop variables of the k-th term of the cell in work."""
    values = np.unravel_index(k, [loop.count for loop in found.loops])
    return {loop.variable: int(value) for loop, value in zip(found.loops, values, strict=True)}


def with_numbers(moment: Moment, parts: Anatomy, scope: dict[str, Any], *, skip: str = "") -> tuple[Run, ...]:
    """Return a line's right-hand side with the values put in place of the names, each in its colour.

    Parameters
    ----------
    skip : str
        A scalar to leave as it is.
    """
    runs: list[Run] = []
    at = parts.right
    for operand in parts.operands:
        runs.append(Run(_signs(parts.text[at : operand.start])))
        runs.append(_value(moment, operand, scope) if operand.name != skip else Run(operand.name))
        at = operand.end
    runs.append(Run(_signs(parts.text[at:])))
    return tuple(run for run in runs if run.text)


def with_places(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> tuple[Run, ...]:
    """Return a line with the loop variables put into its subscripts: ``y[1, 2, 3] = acc``."""
    runs: list[Run] = []
    at = 0
    for operand in (parts.target, *parts.operands):
        runs.append(Run(_signs(parts.text[at : operand.start])))
        runs.append(Run(name_of(moment.operation, operand, scope), _role(moment.operation, operand.name)))
        at = operand.end
    runs.append(Run(_signs(parts.text[at:])))
    return tuple(run for run in runs if run.text)


def name_of(operation: Operation, operand: Operand, scope: dict[str, Any]) -> str:
    """Return an operand's name as readers know it, with its index."""
    if not operand.index:
        return operand.name
    return f"{symbol(operand.name)}[{', '.join(str(k) for k in operand.place(scope))}]"


def _role(operation: Operation, name: str) -> str:
    return role(operation, name) if name in operation.tree.arrays else "ink"


def _value(moment: Moment, operand: Operand, scope: dict[str, Any]) -> Run:
    operation = moment.operation
    if operand.index:
        value = scope[operand.name][operand.place(scope)]
        return Run(_bracketed(number(value, moment.look(operand.name).places)), role(operation, operand.name))
    if operand.name not in scope:
        return Run(operand.name)
    value = scope[operand.name]
    if isinstance(value, int | np.integer):
        return Run(number(int(value), 0))
    return Run(_bracketed(number(value, scalar_places(moment, operand.name))))


def scalar_places(moment: Moment, name: str) -> int:
    """Return how many decimals to write a scalar with: as many as the array that it goes into, or one more."""
    if name in moment.operation.call.given:
        return max(decimals(np.asarray(moment.operation.call.given[name])), 2)
    places = [moment.look(array).places for array in moment.operation.call.writes]
    floats = [p for p in places if p > 0]
    return max(floats, default=2)


def _bracketed(text: str) -> str:
    return text


_SIGNS = ((re.compile(r"\s*\*\*\s*2"), "²"), (re.compile(r"\*\*"), "^"), (re.compile(r"\s*\*\s*"), " · "), (re.compile("-"), "−"))


def _signs(text: str) -> str:
    """Write Python's operators as in a formula."""
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return text


def draw(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the arithmetic of a step into its panel."""
    marks: list[Mark] = [Rect(box, fill="panel", stroke="panel_line", radius=8 * unit)]
    inner = box.inset(22 * unit, 12 * unit)
    row = inner.h / 3
    scope = scope_of(moment)
    first, second, third = (Box(inner.x, inner.y + k * row, inner.w, row) for k in range(3))
    found = terms(moment)
    parts = anatomy(moment.operation.tree, moment.state.line)
    marks.append(Label(first, _headline(moment, parts, scope), 22 * unit, family="mono"))
    if found is not None and found.count > 1 and (moment.terms_begun or found.done):
        marks += _sum(moment, found, second, third, unit, scope)
    elif parts is not None:
        marks += _single(moment, parts, second, third, unit, scope)
    return marks


def _headline(moment: Moment, parts: Anatomy | None, scope: dict[str, Any]) -> tuple[Run, ...]:
    if parts is not None:
        return with_places(moment, parts, scope)
    node = moment.node
    assert isinstance(node, Loop)
    variable = node.variable
    if _exhausted(moment, node):
        return (Run(tr("for {name}: all {count} done", name=variable, count=node.count), "muted"),)
    value = moment.state.variables[variable]
    return (Run(tr("for {name}: now {name} = {value}, of 0 to {last}", name=variable, value=value, last=node.count - 1), "muted"),)


def _exhausted(moment: Moment, loop: Loop) -> bool:
    """Return whether the step at hand found that a loop has no value left."""
    offset, block = moment.step.offset, moment.operation.body
    for outer in moment.state.loops:
        offset -= block.starts[block.statements.index(outer)]
        iteration, inner = divmod(offset, outer.period)
        if outer is loop:
            return iteration == outer.count
        offset, block = inner - 1, outer.body
    return False


def _single(moment: Moment, parts: Anatomy, second: Box, third: Box, unit: float, scope: dict[str, Any]) -> list[Mark]:
    """One assignment: its numbers, then its result."""
    before = _scope_before(moment, parts, scope)
    runs = (Run("= ", "muted"), *with_numbers(moment, parts, before))
    return [
        Label(second, runs, 24 * unit, family="mono"),
        Label(third, (Run("= ", "muted"), Run(_result(moment, parts, scope), "written", True)), 32 * unit),
    ]


def _scope_before(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> dict[str, Any]:
    """Return what the line found: a line that changes what it reads shows what was there before it."""
    offset = moment.step.offset
    changed = {operand.name for operand in parts.operands} & {parts.target.name}
    if not changed or offset == 0:
        return scope
    from cnnviz.trace.state import state

    before = state(moment.operation, offset - 1)
    return {**scope, **before.arrays, **{n: v for n, v in before.variables.items() if n == parts.target.name}}


def _result(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> str:
    target = parts.target
    if target.index:
        return number(scope[target.name][target.place(scope)], moment.look(target.name).places)
    value = scope[target.name]
    if isinstance(value, int | np.integer):
        return number(int(value), 0)
    return number(value, scalar_places(moment, target.name))


def _sum(moment: Moment, found: Terms, second: Box, third: Box, unit: float, scope: dict[str, Any]) -> list[Mark]:
    """The terms of the cell in work with the current one marked, and the sum so far."""
    parts = anatomy(moment.operation.tree, found.line)
    assert parts is not None
    page = _page(found)
    # A fixed width for each term, so that nothing moves from one term to the next.
    slots = min(_SHOWN_TERMS, found.count)
    gap = 8 * unit
    width = min((second.w - 60 * unit) / slots, 230 * unit)
    marks: list[Mark] = []
    x = second.x
    if page.start > 0:
        marks.append(label(Box(x, second.y, 40 * unit, second.h), "…", 22 * unit, "muted"))
        x += 40 * unit
    for k in page:
        box = Box(x, second.y, width - gap, second.h)
        in_hand = found.current and k == found.done - 1
        if in_hand:
            marks.append(Rect(box.inset(-3 * unit, 1 * unit), "source_fill", "source_line", 1.5 * unit, 5 * unit))
        local = {**scope, **term_variables(moment, found, k)}
        runs = with_numbers(moment, parts, local, skip=parts.target.name)
        if k >= found.done:
            runs = tuple(Run(run.text, "muted") for run in runs)
        marks.append(Label(box, runs, 19 * unit, "center", "mono"))
        if k + 1 < found.count:
            sign = "+" if "+=" in parts.text else "−" if "-=" in parts.text else ","
            marks.append(label(Box(box.right - gap * 0.25, second.y, gap * 1.5, second.h), sign, 18 * unit, "muted", align="center"))
        x += width
    if page.stop < found.count:
        marks.append(label(Box(x, second.y, 40 * unit, second.h), "…", 22 * unit, "muted"))
    return marks + _sum_so_far(moment, found, parts, third, unit, scope)


def _page(found: Terms) -> range:
    """Return which terms are written out: pages of a fixed length, so that they stand still."""
    in_hand = max(0, found.done - 1) if found.current or found.done == found.count else min(found.done, found.count - 1)
    inner = found.loops[-1].count
    length = max(inner, _SHOWN_TERMS // inner * inner) if inner <= _SHOWN_TERMS else _SHOWN_TERMS
    start = in_hand // length * length
    return range(start, min(start + length, found.count))


def _sum_so_far(moment: Moment, found: Terms, parts: Anatomy, box: Box, unit: float, scope: dict[str, Any]) -> list[Mark]:
    name = parts.target.name
    marks: list[Mark] = []
    if parts.target.index:  # the terms are added into cells, each to its own
        target = anatomy(moment.operation.tree, moment.state.line)
        if target is not None:
            text = _result(moment, target, scope)
            place = name_of(moment.operation, target.target, scope)
            marks.append(Label(box, (Run(f"{place} = ", "muted"), Run(text, "written", True)), 30 * unit))
    elif name in scope:
        text = _result(moment, parts, scope)
        runs = (Run(f"{name} = ", "muted"), Run(text, "written" if found.done == found.count else "ink", True))
        marks.append(Label(box, runs, 30 * unit))
    progress = tr("after {done} of {count} terms", done=found.done, count=found.count)
    marks.append(label(box, progress, 18 * unit, "muted", align="right"))
    return marks
