"""The arithmetic of a step in its panel, read off the listing: the same for every operation.

What the line reads, with the numbers put in; or a sum; or at a loop's header, what is to come.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cnnviz.scene.arrays import symbol
from cnnviz.scene.expansion import draw_expansion, in_two_rows
from cnnviz.scene.marks import Box, Group, Label, Mark, Rect, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import MINUS
from cnnviz.scene.reduction import reduction
from cnnviz.scene.registry import kind_of
from cnnviz.scene.substitution import (
    before,
    put_in,
    result_in,
    role_of,
    scope_of,
    sign_of,
    with_numbers,
    with_places,
)
from cnnviz.text import tr
from cnnviz.trace.assignment import Assignment, assignment
from cnnviz.trace.looptree import Loop

_MARGIN = 1.3, 0.45
"""Left and right, over and under the lines, in lines of text."""


def draw(moment: Moment, box: Box, em: float) -> list[Mark]:
    """Draw the arithmetic of a step into its panel."""
    marks: list[Mark] = [_panel(box, em)]
    inner = box.inset(_MARGIN[0] * em, _MARGIN[1] * em)
    scope, found = scope_of(moment), reduction(moment)
    rows = _rows(moment, inner.w, em)
    share = inner.h / sum(rows)
    first = inner.top(rows[0] * share)
    second, third = inner.below(first.h).top(rows[1] * share), inner.below((rows[0] + rows[1]) * share)
    parts = assignment(moment.operation.tree, moment.state.line)
    marks.append(Label(first, headline(moment, parts, scope), 1.3 * em, family="mono"))
    if found is not None and (moment.terms_begun or found.done) and not found.is_to_come(moment.state.line):
        marks += draw_expansion(moment, found, second, third, em, scope)
    elif parts is not None:
        marks += _single(moment, parts, second, third, em, scope)
    else:
        marks += _coming(moment, second, third, em, scope)
    return marks


def height(moment: Moment, width: float, em: float) -> float:
    """Return how high the panel must be, the same at every step of an operation."""
    return round((sum(_rows(moment, width - 2 * _MARGIN[0] * em, em)) + 2 * _MARGIN[1]) * em)


def _rows(moment: Moment, width: float, em: float) -> tuple[float, float, float]:
    """Return how high the three lines are, in lines of text: the one with the terms may have two rows."""
    return 1.9, (3.1 if in_two_rows(moment, width, em) else 2.1), 2.4


@lru_cache(maxsize=16)
def _panel(box: Box, em: float) -> Group:
    ground, panel = Rect(box, "ground"), Rect(box.inset(0.5), "panel", "panel_line", radius=0.47 * em)
    return Group(box, (ground, panel), lasting=True)


def headline(moment: Moment, parts: Assignment | None, scope: dict[str, Any]) -> tuple[Span, ...]:
    """Return the line with its places, or at a loop's header the value that its variable has."""
    if parts is not None:
        return with_places(moment, parts, scope)
    node = moment.node
    assert isinstance(node, Loop)
    variable = node.variable
    if exhausted(moment, node):
        if node.count == 1:
            return (Span(tr("for {name}: its only value is done", name=variable), "muted"),)
        return (Span(tr("for {name}: all {count} done", name=variable, count=node.count), "muted"),)
    value = moment.state.variables[variable]
    if node.count == 1:
        return (
            Span(tr("for {name}: now {name} = {value}, its only value", name=variable, value=value), "muted"),
        )
    return (
        Span(
            tr(
                "for {name}: now {name} = {value}, of 0 to {last}",
                name=variable,
                value=value,
                last=node.count - 1,
            ),
            "muted",
        ),
    )


def exhausted(moment: Moment, loop: Loop) -> bool:
    """Return whether the step at hand found that a loop has no value left."""
    offset, block = moment.step.offset, moment.operation.body
    for outer in moment.state.loops:
        offset -= block.starts[block.statements.index(outer)]
        iteration, inner = divmod(offset, outer.period)
        if outer is loop:
            return iteration == outer.count
        offset, block = inner - 1, outer.body
    return False


def _coming(moment: Moment, second: Box, third: Box, em: float, scope: dict[str, Any]) -> list[Mark]:
    """At a loop's header, say what is to come; nothing of its result is shown before its step."""
    node = moment.node
    assert isinstance(node, Loop)
    if exhausted(moment, node):
        return []
    marks: list[Mark] = []
    coming = ahead(moment)
    if coming:
        marks.append(Label(second, coming, 1.2 * em))
        second = third
    following = node.body.statements[0]
    if isinstance(following, Loop):
        return marks
    parts = assignment(moment.operation.tree, following.number)
    assert parts is not None
    runs = (
        Span(tr("next:") + "  ", "muted"),
        *(Span(run.text, "muted") for run in with_places(moment, parts, scope)),
    )
    return [*marks, Label(second, runs, 1.2 * em, family="mono")]


def ahead(moment: Moment) -> tuple[Span, ...]:
    """Return in words what each cell is going to be, with the arrays as the formula calls them.

    It is said at the headers around the cells; inside a cell there is arithmetic to be seen.
    """
    operation, said = moment.operation, kind_of(moment.operation.call)
    if not said.ahead or (moment.terms_begun and moment.step.offset):
        return ()
    found = reduction(moment)
    many = found.count if found else 1
    sentence = said.ahead_of_one if many == 1 and said.ahead_of_one else said.ahead
    texts = tr(sentence, terms=many).split("`")
    return tuple(
        Span(symbol(operation, text), role_of(operation, text), True) if k % 2 else Span(text)
        for k, text in enumerate(texts)
        if text
    )


def _single(
    moment: Moment, parts: Assignment, second: Box, third: Box, em: float, scope: dict[str, Any]
) -> list[Mark]:
    """One assignment: its numbers, then its result."""
    found = before(moment, parts, scope)
    runs = (Span("= ", "muted"), *_added_to(moment, parts, found))
    return [
        Label(second, runs, 1.4 * em),
        Label(third, (Span("= ", "muted"), result_in(moment, parts, scope)), 1.9 * em),
    ]


def _added_to(moment: Moment, parts: Assignment, found: dict[str, Any]) -> tuple[Span, ...]:
    """Return a line's right-hand side with its numbers, behind what it adds it to or takes it off."""
    made = with_numbers(moment, parts, found)
    sign = sign_of(parts)
    if not sign:
        return made
    if made[0].text.startswith(MINUS) or not parts.scales:
        made = (Span("("), *made, Span(")"))
    return put_in(moment, parts, parts.target, found), Span(f" {sign} ", "muted"), *made
