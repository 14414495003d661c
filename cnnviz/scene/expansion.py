"""A reduction written out term by term: a page of it, the term in hand marked, and the result so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from math import isfinite
from typing import Any

from cnnviz.scene.layout import SMALLEST
from cnnviz.scene.letters import ZERO, name_width
from cnnviz.scene.marks import Align, Box, Label, Mark, Rect, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import MINUS, in_line, power_of_ten
from cnnviz.scene.program_cache import program_cache
from cnnviz.scene.reduction import Reduction, terms_of
from cnnviz.scene.substitution import (
    before,
    name_of,
    result_of,
    scalar_text,
    scope_of,
    sign_of,
    signs,
    term,
    with_numbers,
)
from cnnviz.text import tr
from cnnviz.trace.assignment import Assignment, assignment
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from cnnviz.trace.writes import additions

# So many terms are written out where a sum is told in letters; of more, the first and the last.
_MOST_WRITTEN = 6
# So many zeros beside one another are drawn together.
_FEWEST_ZEROS = 3
# How long a term in letters is, in parts of its size, of which no two have room side by side.
_LONG_TERM = 15
# The size of the smallest terms in letters, in lines of text: an index is smaller than its name.
_SMALLEST_TERM = 1.06
# And of terms in numbers that stand in one row; where they would be smaller, they get two.
_SMALLEST_IN_ONE_ROW = 1.0


def draw_expansion(
    moment: Moment, found: Reduction, second: Box, third: Box, em: float, scope: dict[str, Any]
) -> list[Mark]:
    """Draw the terms of the cell in work with the current one marked, and the sum so far."""
    lines = _assignments(moment.operation, found.lines)
    start = _start(moment, found, lines, scope)
    page = _page(found, _most_in_letters(moment, lines, bool(start), second.w, em))
    bare = _power(moment, lines) is not None
    written = [_term(moment, found, lines, scope, k, bare) for k in page]
    start = start if page.start == 0 else _carried(moment, found, lines, scope, page.start)
    # One width and one size for all, so that nothing moves from one term to the next.
    longest = max(max(_length(moment, runs) for runs in written), _usual_length(moment, lines))
    gap, dots = 1.3 * em, (0.0 if len(page) == found.count else 1.5 * em)
    listed = _sign(found, lines, 0) == ","
    largest = listed and lines[0].rival is not None and not _apart(found.loops, lines[0])
    if largest:  # of all that is listed
        around, second = second, Box(second.x + 2.7 * em, second.y, second.w - 3.4 * em, second.h)
    # Before the first term of a page stands no sign that goes without saying.
    leading = not start and _sign(found, lines, page.start) == "−"
    wide = 3.7 if sum(len(run.text) for run in start) <= 7 else 6.1
    lead = wide * em + gap if start else (dots if page.start else 0.0) + gap if leading else dots
    # What is only listed stands close together; so a comma follows its number.
    widest = 0.76 * em * longest + gap if listed else max(14 * em, 0.68 * em * longest + gap)
    # After the last term no sign stands; before dots there does.
    room = second.w - lead - dots + (gap if page.stop == found.count else 0.0)
    widths = [min(room / len(page), widest)] * len(page)
    size = min(1.2 * em, (widths[0] - gap) / (0.56 * longest))
    in_row = len(page)
    if size < _SMALLEST_IN_ONE_ROW * em and lines[0].choice is None and not moment.letters:
        in_row = _in_two_rows(len(page), found.inner)
        widths = [min((room - gap) / in_row, widest)] * len(page)  # a sign stands behind the first row, too
        size = min(1 * em, (widths[0] - gap) / (0.56 * longest))
    if size < SMALLEST and in_row > (half := -(-len(page) // 2)):  # then the rows are no whole ones
        in_row, widths = half, [min((room - gap) / half, widest)] * len(page)
        size = min(1 * em, (widths[0] - gap) / (0.56 * longest))
    if lines[0].choice is not None and not listed:  # most are 0: the others get the room
        lengths = [max(3.0, _length(moment, runs)) for runs in written]
        size = min(1.2 * em, (room / len(page) - gap) * len(page) / (0.56 * sum(lengths)))
        widths = [gap + 0.56 * size * length for length in lengths]
    rows = -(-len(page) // in_row)
    high = second.h / rows
    marks: list[Mark] = []
    if start:
        marks.append(Label(Box(second.x, second.y, lead - gap, high), start, size))
    elif page.start > 0:
        marks.append(label(Box(second.x, second.y, dots, high), "…", 1.3 * em, "muted"))
    if start or leading:
        first = Box(second.x + lead - gap, second.y, gap, high)
        marks.append(_between(first, _sign(found, lines, page.start), em))
    zeros = _zeros(moment, found, lines, scope, page, in_row)
    for k, runs in zip(page, written, strict=True):
        n = k - page.start
        row, together = n // in_row, zeros.get(k, 1)
        if not together:
            continue
        left, n = second.x + lead + sum(widths[row * in_row : n]), n + together - 1
        box = Box(left, second.y + row * high, sum(widths[n - together + 1 : n + 1]) - gap, high)
        if together > 1:
            k, runs = k + together - 1, (Span(tr("{count} terms are 0", count=together)),)
        if found.current and k == found.done - 1:
            mark = box.inset(-0.12 * em, 0.06 * (3 - rows) * em)
            marks.append(Rect(mark, "source_fill", "source_line", 0.088 * em, 0.29 * em))
        if k >= found.done:
            runs = tuple(Span(run.text, "muted") for run in runs)
        marks.append(Label(box, runs, size, "center"))
        if k + 1 < found.count:
            after = box._replace(x=box.right, w=gap)
            sign = _sign(found, lines, k + 1)
            marks.append(_between(after, sign, em, "left" if listed else "center"))
    if page.stop < found.count:
        after = box._replace(x=box.right + gap, w=dots)
        marks.append(label(after, "…", 1.3 * em, "muted"))
    if largest:
        end = box.right + (gap + dots if page.stop < found.count else 0.0)
        marks.append(label(around._replace(w=2.7 * em), "max(", 1.2 * em, "muted"))
        marks.append(label(box._replace(x=end, w=0.7 * em), ")", 1.2 * em, "muted"))
    return marks + _sum_so_far(moment, found, lines, third, em, scope)


def in_two_rows(moment: Moment, width: float, em: float) -> bool:
    """Return whether the terms of an operation's sums may take two rows, at any of its steps."""
    found = terms_of(moment.operation, moment.state.line)
    if found is None:
        return False
    numbers, count, inner = found
    lines = _assignments(moment.operation, numbers)
    count = min(count, inner * max(1, 9 // inner) if inner <= 10 else 8)
    length = max(_longest_product(moment, lines), 6)
    return count * ((0.56 * length + 0.6) * _SMALLEST_IN_ONE_ROW + 1.3) * em > width - 6.1 * em


def _assignments(operation: Operation, lines: tuple[int, ...]) -> tuple[Assignment, ...]:
    """Return the lines that take the terms, taken apart."""
    parts = (assignment(operation.tree, line) for line in lines)
    return tuple(part for part in parts if part is not None)


def _sign(found: Reduction, lines: tuple[Assignment, ...], k: int) -> str:
    """Return what stands before the k-th term: its sign, or a comma between terms that are only listed."""
    sign = sign_of(lines[k % len(lines)])
    return sign if sign and not _apart(found.loops, lines[0]) else ","


def _term(
    moment: Moment, found: Reduction, lines: tuple[Assignment, ...], scope: dict[str, Any], k: int, bare: bool
) -> tuple[Span, ...]:
    """Return the k-th term; one that is taken off is in brackets where it begins with a minus of its own."""
    own = term(moment, lines[k % len(lines)], _scope_of(moment, found, scope, k), bare)
    if _sign(found, lines, k) == "−" and own[0].text.startswith(MINUS):
        return (Span("("), *own, Span(")"))
    return own


def _scope_of(moment: Moment, found: Reduction, scope: dict[str, Any], k: int) -> dict[str, Any]:
    """Return what names stand for in the k-th term: its own scalars, too, once it is taken."""
    operation, scope = moment.operation, {**scope, **found.variables_of(k)}
    own = _own(operation, found.loops[0].number, found.line_of(k))
    if not own:
        return scope
    if k < found.done:
        there = state(operation, _offset(operation, found.line_of(k), scope))
        return scope | {name: there.variables[name] for name in own}
    return {name: value for name, value in scope.items() if name not in own}


@program_cache(256)
def _own(operation: Operation, header: int, number: int) -> frozenset[str]:
    """Return the scalars that a line reads and that are assigned anew for each of its terms."""
    loop, line = operation.path_to(header)[1], operation.path_to(number)[1]
    assert isinstance(line, Line)
    assigned = {node.target for node in walk(loop) if isinstance(node, Line) and not node.index}
    return frozenset(assigned & line.uses - {line.target})


def term_in_hand(moment: Moment, found: Reduction) -> str:
    """Return the term that the step takes, with its numbers."""
    lines, scope = _assignments(moment.operation, found.lines), scope_of(moment)
    bare = _power(moment, lines) is not None
    return "".join(run.text for run in _term(moment, found, lines, scope, found.done - 1, bare))


def _in_two_rows(count: int, inner: int) -> int:
    """Return how many terms the first of two rows holds: whole rows of the window, if it has several."""
    whole = inner if inner < count else 1
    return -(-(count // whole) // 2) * whole


def _zeros(
    moment: Moment,
    found: Reduction,
    lines: tuple[Assignment, ...],
    scope: dict[str, Any],
    page: range,
    in_row: int,
) -> dict[int, int]:
    """Return how many terms stand in the place of one: of zeros beside one another all, and then none.

    Only of those that have been taken; what else is on the page stays where it is.
    """
    if moment.letters or not _sign(found, lines, page.start).strip(","):
        return {}
    taken = range(page.start, min(page.stop, found.done - found.current))
    together: dict[int, int] = {}
    for _, terms in groupby(taken, lambda k: (k - page.start) // in_row):
        for zero, some in groupby(terms, lambda k: _is_zero(moment, found, lines, scope, k)):
            first, *others = some
            if zero and len(others) + 1 >= _FEWEST_ZEROS:
                together |= {first: len(others) + 1, **dict.fromkeys(others, 0)}
    return together


def _is_zero(
    moment: Moment, found: Reduction, lines: tuple[Assignment, ...], scope: dict[str, Any], k: int
) -> bool:
    """Return whether a term is exactly 0: a product with such a factor, or what is chosen where none is."""
    parts, own = lines[k % len(lines)], _scope_of(moment, found, scope, k)
    begun, end = parts.choice.taken(own) if parts.choice else (parts.right, len(parts.text))
    cells = [cell for cell in parts.operands if cell.index and begun <= cell.start < end]
    values = [float(own[cell.name][cell.place(own)]) for cell in cells]
    if not values:
        return parts.choice is not None and parts.text[begun:end].strip("() ") in ("0", "0.0")
    return parts.scales and 0.0 in values and all(map(isfinite, values))


@lru_cache(256)
def _apart(loops: tuple[Loop, ...], taking: Assignment) -> bool:
    """Return whether the terms do not make one sum, because each is added to a cell of its own."""
    taken = {loop.variable for loop in loops}
    return any(name in taken for code in taking.target.index for name in code.co_names)


def _between(box: Box, sign: str, em: float, align: Align = "center") -> Label:
    return label(box, sign, 1.1 * em, "muted", align=align)


def _start(
    moment: Moment, found: Reduction, lines: tuple[Assignment, ...], scope: dict[str, Any]
) -> tuple[Span, ...]:
    """Return what a sum starts with, if that is more than a number in the listing: a bias."""
    begun = assignment(moment.operation.tree, found.begun) if found.begun else None
    if begun is None or not any(operand.index for operand in begun.operands):
        return ()
    listed = not sign_of(lines[0])  # with its terms, in whose power of ten it is, too
    alike = listed and _power_of(moment, begun) == _power(moment, lines) is not None
    start = with_numbers(moment, begun, scope, bare=alike)
    return start if start[0].text != ZERO or not moment.letters else ()


def _carried(
    moment: Moment, found: Reduction, lines: tuple[Assignment, ...], scope: dict[str, Any], count: int
) -> tuple[Span, ...]:
    """Return the sum of the terms on the pages before; empty where they are no sum, or stand in letters."""
    target = lines[0].target
    if moment.letters or target.index or _sign(found, lines, count) == ",":
        return ()
    number = found.line_of(count - 1)
    there = state(moment.operation, _offset(moment.operation, number, scope | found.variables_of(count - 1)))
    return (Span(scalar_text(moment, there.variables[target.name], target.name)),)


def _offset(operation: Operation, number: int, scope: dict[str, Any]) -> int:
    """Return the step within an operation at which a line is run with these variables."""
    loops, line = operation.path_to(number)
    assert isinstance(line, Line)
    return operation.offset_of(loops, line, [int(scope[loop.variable]) for loop in loops])


def _power(moment: Moment, lines: tuple[Assignment, ...]) -> int | None:
    """Return the power of ten that is said once for all terms; None where each number says its own."""
    powers = {_power_of(moment, parts) for parts in lines}
    return powers.pop() if len(powers) == 1 else None


def _power_of(moment: Moment, parts: Assignment) -> int | None:
    """Return the power of ten of a line's product, if its factors are written without theirs."""
    if moment.letters or not parts.scales:
        return None
    begun, end = parts.choice.then if parts.choice else (parts.right, len(parts.text))
    cells = (operand for operand in parts.operands if operand.index and begun <= operand.start < end)
    return sum(moment.look(cell.name).power for cell in cells)


def _length(moment: Moment, runs: tuple[Span, ...]) -> float:
    """Return how many characters a term takes; of names, about how many as wide as a digit."""
    return sum(name_width(run.text) / 0.6 if moment.letters else width(run.text) / 0.56 for run in runs)


def _usual_length(moment: Moment, lines: tuple[Assignment, ...]) -> int:
    """Return how many characters a product's term can take, whatever its numbers; of names, that is known."""
    return 1 if moment.letters else _longest_product(moment, lines)


def _longest_product(moment: Moment, lines: tuple[Assignment, ...]) -> int:
    cells = [operand for operand in lines[0].operands if operand.index]
    if lines[0].choice is not None or len(cells) != 2:
        return 1
    return sum(moment.look(operand.name).width for operand in cells) + 1


def _most_in_letters(
    moment: Moment, lines: tuple[Assignment, ...], starts: bool, width: float, em: float
) -> int | None:
    """Return how many of the longest terms in letters can be read side by side; None for numbers."""
    if not moment.letters:
        return None
    longest = max(_length_in_letters(moment, parts) for parts in lines)
    gap = 1.3 * em
    room = width - (6.1 if starts else 1.5) * em - 1.5 * em
    return max(1, int(room / (_SMALLEST_TERM * em * longest + gap)))


def _length_in_letters(moment: Moment, parts: Assignment) -> float:
    """Return how wide the longest term of a line is in letters, in parts of its size."""
    begun, end = parts.rival or (parts.choice.then if parts.choice else (parts.right, len(parts.text)))
    longest, at = 0.0, begun
    for operand in parts.operands:
        if begun <= operand.start and operand.end <= end:
            name = moment.names.longest(operand.name) if operand.index else operand.name
            longest += name_width(signs(parts.text[at : operand.start]) + name)
            at = operand.end
    return longest + name_width(signs(parts.text[at:end]))


def _page(found: Reduction, most: int | None) -> range:
    """Return which terms are written out: pages of a fixed length, so that they stand still.

    Parameters
    ----------
    most : int or None
        No more than these have room, if it is known.
    """
    in_hand = (
        max(0, found.done - 1)
        if found.current or found.done == found.count
        else min(found.done, found.count - 1)
    )
    inner = found.inner
    length = inner * max(1, 9 // inner) if inner <= 10 else 8
    if most is not None and length > most:
        length = most // inner * inner or most
    start = in_hand // length * length
    return range(start, min(start + length, found.count))


def _what_was_there(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> tuple[Span, ...]:
    """Return what a line that adds to a cell found there, and what it adds: ``0.51 + 0.20 = ``."""
    array = parts.target.name
    (added,) = additions(moment.operation, array, (moment.step.offset,))
    there = before(moment, parts, scope)[array][parts.target.place(scope)]
    more = in_line(moment.text(array, added.value), "+")
    texts = ((moment.text(array, there), "ink"), (" + ", "muted"), (more, "ink"), (" = ", "muted"))
    return tuple(Span(text, role) for text, role in texts)


def _sum_so_far(
    moment: Moment,
    found: Reduction,
    lines: tuple[Assignment, ...],
    box: Box,
    em: float,
    scope: dict[str, Any],
) -> list[Mark]:
    target = lines[0].target
    name = target.name
    marks: list[Mark] = []
    left = box._replace(w=box.w - 12 * em) if moment.letters else box  # beside what is said at the right
    now = assignment(moment.operation.tree, moment.state.line)
    if now is not None and now.target.index:  # a cell is written: what was summed, or something made of it
        place = name_of(moment.operation, now.target, scope)
        runs: tuple[Span, ...] = (Span(f"{place} = ", "muted"),)
        result, made = result_of(moment, now, scope), with_numbers(moment, now, scope)
        plain = now.text[now.right :] == name
        if _apart(found.loops, lines[0]):
            runs += () if moment.letters else _what_was_there(moment, now, scope)
        elif not target.index and not plain and [run.text for run in made] != [result]:
            runs += (*made, Span(" = ", "muted"))
        if moment.letters and plain:
            result = expansion_in_letters(moment, found)
        elif moment.letters and _apart(found.loops, lines[0]):
            result += " + " + "".join(run.text for run in made)
        marks.append(Label(left, (*runs, Span(result, "written", True)), 1.8 * em, once=True))
    elif not target.index and name in scope:
        text = expansion_in_letters(moment, found) if moment.letters else result_of(moment, lines[0], scope)
        runs = (
            Span(f"{name} = ", "muted"),
            Span(text, "written" if found.done == found.count else "ink", True),
        )
        marks.append(Label(left, runs, 1.8 * em, once=True))
    progress = tr("after {done} of {count} terms", done=found.done, count=found.count)
    if found.count == 1:
        progress = tr("after {done} of 1 term", done=found.done)
    power = _power(moment, lines)
    if power:
        progress = tr("each · {power}, {progress}", power=power_of_ten(power), progress=progress)
    marks.append(label(box, progress, 1.1 * em, "muted", align="right"))
    return marks


@program_cache(4)  # two panes show it
def expansion_in_letters(moment: Moment, found: Reduction) -> str:
    """Write the terms taken so far with names, the middle of many left out: ``aw + bx``, ``max(a, b)``."""
    lines, scope = _assignments(moment.operation, found.lines), scope_of(moment)
    taken: Sequence[int] = range(found.done) if found.done <= _MOST_WRITTEN else (0, found.done - 1)
    if max(_length_in_letters(moment, parts) for parts in lines) > _LONG_TERM:
        taken = taken[-1:]
    texts = ["".join(run.text for run in _term(moment, found, lines, scope, k, bare=False)) for k in taken]
    if not sign_of(lines[0]):
        texts[1:1] = ["…"] if len(taken) < found.done else []
        return f"max({', '.join(texts)})" if texts and "max(" in lines[0].text else lines[0].target.name
    start = "".join(run.text for run in _start(moment, found, lines, scope))
    signed = [(sign_of(lines[k % len(lines)]), text) for k, text in zip(taken, texts, strict=True)]
    if len(taken) < found.done:
        signed.insert(len(taken) - 1, (sign_of(lines[1 % len(lines)]), "…"))
    whole = start + "".join(f" {sign} {text}" for sign, text in signed)
    if whole.startswith(" − "):
        return MINUS + whole[3:]
    return whole.removeprefix(" + ") or ZERO
