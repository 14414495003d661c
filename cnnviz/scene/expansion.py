"""A reduction written out term by term: a page of it, the term in hand marked, and the result so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from math import isfinite
from typing import Any

from cnnviz.scene.layout import SMALLEST
from cnnviz.scene.letters import ZERO, name_width
from cnnviz.scene.marks import Align, Box, Label, Mark, Rect, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import MINUS, in_line, power_of_ten
from cnnviz.scene.reduction import Reduction, terms_of
from cnnviz.scene.substitution import (
    before,
    name_of,
    number_of,
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
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache, program_cache
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
# And the largest, where there is room.
_LARGEST_TERM = 1.5
# And of terms in numbers that stand in one row; where they would be smaller, they get two.
_SMALLEST_IN_ONE_ROW = 1.0


def draw_expansion(
    moment: Moment, found: Reduction, second: Box, third: Box, em: float, scope: dict[str, Any]
) -> list[Mark]:
    """Draw the terms of the cell in work with the current one marked, and the sum so far."""
    terms = _Terms(moment, found, scope)
    lines, start = terms.lines, terms.start
    page = _page(found, _most_in_letters(moment, lines, bool(start), second.w, em))
    written = [terms.written(k) for k in page]
    start = start if page.start == 0 else terms.carried(page.start)
    # One width and one size for all, so that nothing moves from one term to the next.
    longest = max(max(_length(moment, runs) for runs in written), _usual_length(moment, lines))
    gap, dots = 1.3 * em, (0.0 if len(page) == found.count else 1.5 * em)
    listed = terms.sign(0) == ","
    largest = listed and lines[0].rival is not None and not terms.apart
    if largest:  # of all that is listed
        around, second = second, Box(second.x + 2.7 * em, second.y, second.w - 3.4 * em, second.h)
    # Before the first term of a page stands no sign that goes without saying.
    leading = not start and terms.sign(page.start) == "−"
    wide = 3.7 if sum(len(run.text) for run in start) <= 7 else 6.1
    lead = wide * em + gap if start else (dots if page.start else 0.0) + gap if leading else dots
    # What is only listed stands close together; so a comma follows its number.
    widest = 0.76 * em * longest + gap if listed else max(14 * em, 0.68 * em * longest + gap)
    # After the last term no sign stands; before dots there does.
    room = second.w - lead - dots + (gap if page.stop == found.count else 0.0)
    widths = [min(room / len(page), widest)] * len(page)
    largest_size = (_LARGEST_TERM if moment.letters else 1.2) * em
    size = min(largest_size, (widths[0] - gap) / (0.56 * longest))
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
        size = min(largest_size, (room / len(page) - gap) * len(page) / (0.56 * sum(lengths)))
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
        marks.append(_between(first, terms.sign(page.start), em))
    zeros = terms.zeros(page, in_row)
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
            runs = tuple(run._replace(role="muted", bold=False) for run in runs)
        marks.append(Label(box, runs, size, "center"))
        if k + 1 < found.count:
            after = box._replace(x=box.right, w=gap)
            marks.append(_between(after, terms.sign(k + 1), em, "left" if listed else "center"))
    if page.stop < found.count:
        after = box._replace(x=box.right + gap, w=dots)
        marks.append(label(after, "…", 1.3 * em, "muted"))
    if largest:
        end = box.right + (gap + dots if page.stop < found.count else 0.0)
        marks.append(label(around._replace(w=2.7 * em), "max(", 1.2 * em, "muted"))
        marks.append(label(box._replace(x=end, w=0.7 * em), ")", 1.2 * em, "muted"))
    return marks + _sum_so_far(terms, third, em)


def in_two_rows(moment: Moment, width: float, em: float) -> bool:
    """Return whether the terms of an operation's sums may take two rows, at any of its steps."""
    found = terms_of(moment.operation, moment.state.line)
    if found is None:
        return False
    numbers, count, inner = found
    lines = _assignments(moment.operation, numbers)
    count = min(count, inner * max(1, 9 // inner) if inner <= 10 else 8)
    length = max(_longest_product(moment, lines), 6)
    if not moment.letters and lines[0].choice is None:  # in brackets, with a power behind them
        looks = [moment.look(operand.name) for operand in lines[0].operands if operand.index]
        length = max([length, *(look.longest + 3 for look in looks if look.longest > look.width)])
    return count * ((0.56 * length + 0.6) * _SMALLEST_IN_ONE_ROW + 1.3) * em > width - 6.1 * em


def _assignments(operation: Operation, lines: tuple[int, ...]) -> tuple[Assignment, ...]:
    """Return the lines that take the terms, taken apart."""
    parts = (assignment(operation.tree, line) for line in lines)
    return tuple(part for part in parts if part is not None)


class _Terms:
    """The terms of the cell in work, each as it is written at a step.

    Attributes
    ----------
    scope : dict[str, Any]
        What the listing's names stand for at the step.
    lines : tuple[Assignment, ...]
        The lines that take the terms, taken apart.
    """

    def __init__(self, moment: Moment, found: Reduction, scope: dict[str, Any]) -> None:
        self.moment, self.found, self.scope = moment, found, scope
        self.lines = _assignments(moment.operation, found.lines)
        self._scopes: dict[int, dict[str, Any]] = {}

    @cached_property
    def apart(self) -> bool:
        """Whether they do not make one sum, because each is added to a cell of its own."""
        taken = {loop.variable for loop in self.found.loops}
        return any(name in taken for code in self.lines[0].target.index for name in code.co_names)

    @cached_property
    def power(self) -> int | None:
        """The power of ten that is said once for all of them; None where each number says its own."""
        powers = {_power_of(self.moment, parts) for parts in self.lines}
        return powers.pop() if len(powers) == 1 else None

    @cached_property
    def start(self) -> tuple[Span, ...]:
        """What the sum starts with, if that is more than a number in the listing: a bias."""
        moment, found = self.moment, self.found
        begun = assignment(moment.operation.tree, found.begun) if found.begun else None
        if begun is None or not any(operand.index for operand in begun.operands):
            return ()
        listed = not sign_of(self.lines[0])  # with its terms, in whose power of ten it is, too
        alike = listed and _power_of(moment, begun) == self.power is not None
        start = with_numbers(moment, begun, self.scope, bare=alike)
        return start if start[0].text != ZERO or not moment.letters else ()

    def line(self, k: int) -> Assignment:
        """Return the line that takes the k-th."""
        return self.lines[k % len(self.lines)]

    def sign(self, k: int) -> str:
        """Return what stands before the k-th: its sign, or a comma where they are only listed."""
        sign = sign_of(self.line(k))
        return sign if sign and not self.apart else ","

    def written(self, k: int) -> tuple[Span, ...]:
        """Return the k-th; if it is taken off, in brackets where it begins with a minus of its own."""
        own = term(self.moment, self.line(k), self.scope_of(k), bare=self.power is not None)
        if self.sign(k) == "−" and own[0].text.startswith(MINUS):
            return (Span("("), *own, Span(")"))
        return own

    def text(self, k: int) -> str:
        """Return the k-th as text."""
        return "".join(run.text for run in self.written(k))

    def scope_of(self, k: int) -> dict[str, Any]:
        """Return what names stand for in the k-th: its own scalars, too, once it is taken."""
        if k not in self._scopes:
            self._scopes[k] = self._scope_of(k)
        return self._scopes[k]

    def _scope_of(self, k: int) -> dict[str, Any]:
        operation, found = self.moment.operation, self.found
        scope = {**self.scope, **found.variables_of(k)}
        own = _own(operation, found.loops[0].number, found.line_of(k))
        if not own:
            return scope
        if k < found.done:
            there = state(operation, offset_at(operation, found.line_of(k), scope))
            return scope | {name: there.variables[name] for name in own}
        return {name: value for name, value in scope.items() if name not in own}

    def carried(self, count: int) -> tuple[Span, ...]:
        """Return the sum of the first terms; empty where they are no sum, or stand in letters."""
        target, operation = self.lines[0].target, self.moment.operation
        if self.moment.letters or target.index or self.sign(count) == ",":
            return ()
        scope = self.scope | self.found.variables_of(count - 1)
        there = state(operation, offset_at(operation, self.found.line_of(count - 1), scope))
        return (Span(scalar_text(self.moment, there.variables[target.name], target.name)),)

    def zeros(self, page: range, in_row: int) -> dict[int, int]:
        """Return how many terms stand in the place of one: of zeros beside one another all, and then none.

        Only of those that have been taken; what else is on the page stays where it is.
        """
        if self.moment.letters or self.sign(page.start) == ",":
            return {}
        taken = range(page.start, min(page.stop, self.found.done - self.found.current))
        together: dict[int, int] = {}
        for _, terms in groupby(taken, lambda k: (k - page.start) // in_row):
            for zero, some in groupby(terms, self._is_zero):
                first, *others = some
                if zero and len(others) + 1 >= _FEWEST_ZEROS:
                    together |= {first: len(others) + 1, **dict.fromkeys(others, 0)}
        return together

    def _is_zero(self, k: int) -> bool:
        """Return whether a term is exactly 0: a product with such a factor, or the 0 of a choice."""
        parts, own = self.line(k), self.scope_of(k)
        begun, end = parts.choice.taken(own) if parts.choice else (parts.right, len(parts.text))
        cells = [cell for cell in parts.operands if cell.index and begun <= cell.start < end]
        values = [float(own[cell.name][cell.place(own)]) for cell in cells]
        if not values:
            return parts.choice is not None and parts.text[begun:end].strip("() ") in ("0", "0.0")
        return parts.scales and 0.0 in values and all(map(isfinite, values))


def term_in_hand(moment: Moment, found: Reduction) -> str:
    """Return the term that the step takes, with its numbers."""
    return _Terms(moment, found, scope_of(moment)).text(found.done - 1)


@lasting_cache(256)
def _own(operation: Operation, header: int, number: int) -> frozenset[str]:
    """Return the scalars that a line reads and that are assigned anew for each of its terms."""
    loop, line = operation.path_to(header)[1], operation.path_to(number)[1]
    assert isinstance(line, Line)
    assigned = {node.target for node in walk(loop) if isinstance(node, Line) and not node.index}
    return frozenset(assigned & line.uses - {line.target})


def _in_two_rows(count: int, inner: int) -> int:
    """Return how many terms the first of two rows holds: whole rows of the window, if it has several."""
    whole = inner if inner < count else 1
    return -(-(count // whole) // 2) * whole


def _between(box: Box, sign: str, em: float, align: Align = "center") -> Label:
    return label(box, sign, 1.1 * em, "muted", align=align)


def offset_at(operation: Operation, number: int, scope: dict[str, Any]) -> int:
    """Return the step within an operation at which a line is run with these variables."""
    loops, line = operation.path_to(number)
    assert isinstance(line, Line)
    return operation.offset_of(loops, line, [int(scope[loop.variable]) for loop in loops])


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


def _sum_so_far(terms: _Terms, box: Box, em: float) -> list[Mark]:
    moment, found, scope, lines = terms.moment, terms.found, terms.scope, terms.lines
    target = lines[0].target
    name = target.name
    marks: list[Mark] = []
    said, most = (_progress(terms, done) for done in (found.done, found.count))
    left = box._replace(w=box.w - 1.1 * em * width(most) - em)  # beside what is said at the right
    now = assignment(moment.operation.tree, moment.state.line)
    if now is not None and now.target.index:  # a cell is written: what was summed, or something made of it
        place = name_of(moment.operation, now.target, scope)
        runs: tuple[Span, ...] = (Span(f"{place} = ", "muted"),)
        result, made = result_of(moment, now, scope), with_numbers(moment, now, scope)
        plain = now.text[now.right :] == name
        if terms.apart:
            runs += () if moment.letters else _what_was_there(moment, now, scope)
        elif not target.index and not plain and [run.text for run in made] != [result]:
            runs += (*made, Span(" = ", "muted"))
        if moment.letters and plain:
            result = expansion_in_letters(moment, found)
        elif moment.letters and terms.apart:
            result += " + " + "".join(run.text for run in made)
        whole = Span(result, "written", True, number_of(moment, now.target, scope))
        marks.append(Label(left, (*runs, whole), 1.8 * em, once=True))
    elif not target.index and name in scope:
        text = expansion_in_letters(moment, found) if moment.letters else result_of(moment, lines[0], scope)
        runs = (
            Span(f"{name} = ", "muted"),
            Span(
                text,
                "written" if found.done == found.count else "ink",
                True,
                number_of(moment, target, scope),
            ),
        )
        marks.append(Label(left, runs, 1.8 * em, once=True))
    marks.append(label(box, said, 1.1 * em, "muted", align="right"))
    return marks


def _progress(terms: _Terms, done: int) -> str:
    """Say how many terms have been taken, and the power of ten of each if it is said once for all."""
    if terms.found.count == 1:
        progress = tr("after {done} of 1 term", done=done)
    else:
        progress = tr("after {done} of {count} terms", done=done, count=terms.found.count)
    if power := terms.power:
        return tr("each · {power}, {progress}", power=power_of_ten(power), progress=progress)
    return progress


@program_cache(4)  # two panes show it
def expansion_in_letters(moment: Moment, found: Reduction) -> str:
    """Write the terms taken so far with names, the middle of many left out: ``aw + bx``, ``max(a, b)``."""
    terms = _Terms(moment, found, scope_of(moment))
    lines = terms.lines
    taken: Sequence[int] = range(found.done) if found.done <= _MOST_WRITTEN else (0, found.done - 1)
    if max(_length_in_letters(moment, parts) for parts in lines) > _LONG_TERM:
        taken = taken[-1:]
    texts = [terms.text(k) for k in taken]
    if not sign_of(lines[0]):
        texts[1:1] = ["…"] if len(taken) < found.done else []
        return f"max({', '.join(texts)})" if texts and "max(" in lines[0].text else lines[0].target.name
    start = "".join(run.text for run in terms.start)
    signed = [(sign_of(terms.line(k)), text) for k, text in zip(taken, texts, strict=True)]
    if len(taken) < found.done:
        signed.insert(len(taken) - 1, (sign_of(terms.line(1)), "…"))
    whole = start + "".join(f" {sign} {text}" for sign, text in signed)
    if whole.startswith(" − "):
        return MINUS + whole[3:]
    return whole.removeprefix(" + ") or ZERO
