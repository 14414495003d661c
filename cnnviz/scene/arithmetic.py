"""The arithmetic of a step with its numbers put in, read off the listing: the same for every operation.

The cells and scalars that a line names are replaced by their values; a sum is written out term by term,
with the one in hand marked and the sum so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.scene.letters import ZERO, as_product, name_width
from cnnviz.scene.marks import Align, Box, Group, Label, Mark, Rect, Run, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment, role, symbol
from cnnviz.scene.numbers import MINUS, brief, decimals, full, number, power_of_ten, scaled, superscript
from cnnviz.scene.terms import Terms, term_variables, terms
from cnnviz.scene.words import words
from cnnviz.text import tr
from cnnviz.trace.additions import additions
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operands import Anatomy, Operand, anatomy
from cnnviz.trace.operation import Operation

# So many terms are written out where a sum is told in letters; of more, the first and the last.
_MOST_WRITTEN = 6
# The size of the smallest terms in letters, at 1080 lines: an index is smaller than its name.
_SMALLEST_TERM = 18


def scope_of(moment: Moment) -> dict[str, Any]:
    """Return everything that the listing's names stand for at this step."""
    return {**moment.operation.call.given, **moment.state.arrays, **moment.state.variables}


def with_numbers(
    moment: Moment,
    parts: Anatomy,
    scope: dict[str, Any],
    span: tuple[int, int] | None = None,
    skip: str = "",
    bare: bool = False,
) -> tuple[Run, ...]:
    """Return a line's right-hand side with the values put in place of the names, each in its colour.

    Parameters
    ----------
    span : (int, int), optional
        Write only this piece of the line's text.
    skip : str
        A scalar to leave as it is.
    bare : bool
        Leave off the arrays' powers of ten; they are said once, beside the sum.
    """
    begun, end = span or (parts.right, len(parts.text))
    at = begun
    runs: list[Run] = []
    for operand in parts.operands:
        if operand.start < at or operand.end > end:
            continue
        runs.append(Run(_signs(parts.text[at : operand.start])))
        runs.append(
            _put_in(moment, parts, operand, scope, bare) if operand.name != skip else Run(operand.name)
        )
        runs[-1] = _in_brackets(runs[-1], parts.text[begun : operand.start], parts.text[operand.end : end])
        at = operand.end
    runs.append(Run(_signs(parts.text[at:end])))
    shown = tuple(run for run in runs if run.text)
    return as_product(shown) if moment.letters else shown


def _put_in(moment: Moment, parts: Anatomy, operand: Operand, scope: dict[str, Any], bare: bool) -> Run:
    """Return what stands in place of a cell or a scalar: its number, or in letters its name."""
    value = scope.get(operand.name)
    if not moment.letters or (not operand.index and isinstance(value, int | np.integer)):
        return _value(moment, operand, scope, bare)
    if not operand.index:
        return Run(operand.name, _role(moment.operation, operand.name))
    name = moment.names.cell(operand.name, operand.place(scope))
    is_new = operand.name in moment.operation.call.before and operand.name != parts.target.name
    return Run(name + "′" * is_new, role(moment.operation, operand.name))


def _in_brackets(run: Run, before: str, after: str) -> Run:
    """Put a negative number into brackets behind a sign, and before a power."""
    signed = before.rstrip()[-1:] in tuple("+-*/") or after.lstrip().startswith("**")
    return run._replace(text=f"({run.text})") if signed and run.text.startswith(MINUS) else run


def _term(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> tuple[Run, ...]:
    """Return one term with its numbers: of a choice what is chosen, of a maximum what is compared.

    In letters nothing is known by which to choose; the first is what a choice is about.
    """
    if parts.choice is not None and moment.letters:
        return with_numbers(moment, parts, scope, parts.choice.then)
    if parts.choice is not None:
        return with_numbers(moment, parts, scope, parts.choice.taken(scope), bare=True)
    compared = _compared(parts)
    if compared:
        return with_numbers(moment, parts, scope, compared, bare=True)
    return with_numbers(moment, parts, scope, skip=parts.target.name, bare=True)


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
    arrays = operation.tree.arrays or {*operation.call.given, *operation.call.writes}
    return role(operation, name) if name in arrays else "ink"


def _value(moment: Moment, operand: Operand, scope: dict[str, Any], bare: bool) -> Run:
    operation = moment.operation
    if operand.index:
        place = operand.place(scope)
        if operand.name in operation.call.writes and not moment.state.written(operand.name)[place]:
            return Run(name_of(operation, operand, scope), role(operation, operand.name))
        value = scope[operand.name][place]
        if bare:
            return Run(moment.look(operand.name).bare(value), role(operation, operand.name))
        return Run(moment.text(operand.name, value), role(operation, operand.name))
    if operand.name not in scope:
        return Run(operand.name)
    value = scope[operand.name]
    if isinstance(value, int | np.integer):
        return Run(number(int(value), 0))
    if not operation.tree.arrays:
        return Run(brief(value), _role(operation, operand.name))
    if operand.name in moment.operation.call.given:
        return Run(full(value))
    return Run(scalar_text(moment, value, operand.name))


def scalar_text(moment: Moment, value: float, name: str = "") -> str:
    """Write a scalar of the listing: with one decimal more than the array that it goes into.

    Parameters
    ----------
    name : str
        The variable, if it is one; one that is only ever a cell of an array is written as that array is.
    """
    chosen = _chosen_from(moment.operation, name)
    if chosen is not None:
        return moment.text(chosen, value)
    looks = [moment.look(array) for array in moment.operation.call.writes if array in moment.state.arrays]
    if not looks:
        return brief(value)
    exact = [look for look in looks if look.places > 0]
    if not exact:
        return number(value, 0 if float(value).is_integer() else 2)
    finest = max(exact, key=lambda look: look.places - look.power)
    if finest.power and not abs(value) * 10.0**-finest.power < 100:  # it is of another size than the array
        places, power = decimals(np.array([value]))
        return scaled(value, places + 1, power)
    return scaled(value, finest.places + 1, finest.power)


@remembered(1024)
def _chosen_from(operation: Operation, name: str) -> str | None:
    """Return the array whose largest cell a variable is, or comes to be; None for any other variable."""
    arrays: set[str] = set()
    for node in walk(operation.body):
        if isinstance(node, Line) and node.target == name and not node.index:
            text = operation.tree.source[node.number - 1].partition("=")[2].strip()
            found = re.match(rf"(?:max\({name}, )?(\w+)\[[^][]*\]\)?$", text)
            if found is None and text != "-inf":
                return None
            if found is not None:
                arrays.add(found[1])
    return arrays.pop() if len(arrays) == 1 else None


_SIGNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\s*\*\*\s*(\(-\d+\)|\d+)"), lambda found: superscript(found[1].strip("()"))),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\s*\*\s*"), "·"),
    (re.compile("-"), "−"),
)


@lru_cache(maxsize=1024)
def _signs(text: str) -> str:
    """Write Python's operators as in a formula."""
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return text


def draw(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the arithmetic of a step into its panel."""
    marks: list[Mark] = [_panel(box, unit)]
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
    else:
        marks += _coming(moment, second, third, unit, scope)
    return marks


@lru_cache(maxsize=16)
def _panel(box: Box, unit: float) -> Group:
    return Group(box, (Rect(box, "ground"), Rect(box.inset(0.5), "panel", "panel_line", radius=8 * unit)))


def _headline(moment: Moment, parts: Anatomy | None, scope: dict[str, Any]) -> tuple[Run, ...]:
    if parts is not None:
        return with_places(moment, parts, scope)
    node = moment.node
    assert isinstance(node, Loop)
    variable = node.variable
    if _exhausted(moment, node):
        return (Run(tr("for {name}: all {count} done", name=variable, count=node.count), "muted"),)
    value = moment.state.variables[variable]
    if node.count == 1:
        return (
            Run(tr("for {name}: now {name} = {value}, its only value", name=variable, value=value), "muted"),
        )
    return (
        Run(
            tr(
                "for {name}: now {name} = {value}, of 0 to {last}",
                name=variable,
                value=value,
                last=node.count - 1,
            ),
            "muted",
        ),
    )


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


def _coming(moment: Moment, second: Box, third: Box, unit: float, scope: dict[str, Any]) -> list[Mark]:
    """At a loop's header, say what is to come; nothing of its result is shown before its step."""
    node = moment.node
    assert isinstance(node, Loop)
    if _exhausted(moment, node):
        return []
    marks: list[Mark] = []
    ahead = _ahead(moment)
    if ahead:
        marks.append(Label(second, ahead, 20 * unit))
        second = third
    following = node.body.statements[0]
    if isinstance(following, Loop):
        return marks
    parts = anatomy(moment.operation.tree, following.number)
    assert parts is not None
    runs = (
        Run(tr("next:") + "  ", "muted"),
        *(Run(run.text, "muted") for run in with_places(moment, parts, scope)),
    )
    return [*marks, Label(second, runs, 20 * unit, family="mono")]


def _ahead(moment: Moment) -> tuple[Run, ...]:
    """Return in words what each cell is going to be, with the arrays as the formula calls them.

    It is said at the headers around the cells; inside a cell there is arithmetic to be seen.
    """
    operation, sentence = moment.operation, words(moment.operation.tree.name).ahead
    if not sentence or (moment.terms_begun and moment.step.offset):
        return ()
    found = terms(moment)
    texts = tr(sentence, terms=found.count if found else 1).split("`")
    return tuple(
        Run(symbol(text), _role(operation, text), True) if k % 2 else Run(text)
        for k, text in enumerate(texts)
        if text
    )


def _single(
    moment: Moment, parts: Anatomy, second: Box, third: Box, unit: float, scope: dict[str, Any]
) -> list[Mark]:
    """One assignment: its numbers, then its result."""
    before = _scope_before(moment, parts, scope)
    runs = (Run("= ", "muted"), *_added_to(moment, parts, before), *with_numbers(moment, parts, before))
    return [
        Label(second, runs, 24 * unit),
        Label(third, (Run("= ", "muted"), Run(_result(moment, parts, scope), "written", True)), 32 * unit),
    ]


def _added_to(moment: Moment, parts: Anatomy, before: dict[str, Any]) -> tuple[Run, ...]:
    """Return what a line that adds to a variable adds to."""
    if not _adds(moment, parts):
        return ()
    name = parts.target.name
    text = name if moment.letters else brief(before[name])
    return Run(text, _role(moment.operation, name)), Run(" + ", "muted")


def _adds(moment: Moment, parts: Anatomy) -> bool:
    """Return whether a line of a listing without arrays adds to a variable."""
    return "+=" in parts.text and not moment.operation.tree.arrays


def _scope_before(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> dict[str, Any]:
    """Return what the line found: a line that changes what it reads shows what was there before it."""
    offset = moment.step.offset
    changed = parts.target.name in {operand.name for operand in parts.operands} or _adds(moment, parts)
    if not changed or offset == 0:
        return scope
    from cnnviz.trace.state import state

    before = state(moment.operation, offset - 1)
    return {**scope, **before.arrays, **{n: v for n, v in before.variables.items() if n == parts.target.name}}


def _result(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> str:
    target = parts.target
    if moment.letters and np.issubdtype(np.asarray(scope[target.name]).dtype, np.floating):
        if not target.index:
            return target.name
        prime = "′" if target.name in moment.operation.call.before else ""
        return moment.names.cell(target.name, target.place(scope)) + prime
    if target.index:
        return moment.text(target.name, scope[target.name][target.place(scope)])
    value = scope[target.name]
    if isinstance(value, int | np.integer):
        return number(int(value), 0)
    return scalar_text(moment, value, target.name)


def _sum(
    moment: Moment, found: Terms, second: Box, third: Box, unit: float, scope: dict[str, Any]
) -> list[Mark]:
    """Draw the terms of the cell in work with the current one marked, and the sum so far."""
    parts = anatomy(moment.operation.tree, found.line)
    assert parts is not None
    start = _start(moment, parts, scope)
    page = _page(found, _most_in_letters(moment, parts, bool(start), second.w, unit))
    written = [_term(moment, parts, {**scope, **term_variables(moment, found, k)}) for k in page]
    start = start if page.start == 0 else ()
    # One width and one size for all, so that nothing moves from one term to the next.
    longest = max(max(_length(moment, runs) for runs in written), _usual_length(moment, parts))
    gap, dots = 22 * unit, (0.0 if len(page) == found.count else 26 * unit)
    sign = "," if _apart(found, parts) else "+" if "+=" in parts.text else "−" if "-=" in parts.text else ","
    taken_off = sign == "−" and page.start == 0 and not start
    wide = 62 if sum(len(run.text) for run in start) <= 7 else 104
    lead = wide * unit + gap if start else gap if taken_off else dots
    # What is only listed stands close together; so a comma follows its number.
    widest = 230 * unit if sign != "," else 13 * unit * longest + gap
    room = second.w - lead - dots + gap
    widths = [min(room / len(page), widest)] * len(page)
    size = min(20 * unit, (widths[0] - gap) / (0.56 * longest))
    if parts.choice is not None and sign != ",":  # most are 0: the others get the room
        lengths = [max(3.0, _length(moment, runs)) for runs in written]
        size = min(20 * unit, (room / len(page) - gap) * len(page) / (0.56 * sum(lengths)))
        widths = [gap + 0.56 * size * length for length in lengths]
    starts = [lead, *(lead + sum(widths[: k + 1]) for k in range(len(page)))]
    marks: list[Mark] = []
    if start:
        marks.append(Label(Box(second.x, second.y, lead - gap, second.h), start, size))
        marks.append(_between(Box(second.x + lead - gap, second.y, gap, second.h), sign, unit))
    elif taken_off:
        marks.append(_between(Box(second.x, second.y, gap, second.h), sign, unit))
    elif page.start > 0:
        marks.append(label(Box(second.x, second.y, dots, second.h), "…", 22 * unit, "muted"))
    for k, runs in zip(page, written, strict=True):
        n = k - page.start
        box = Box(second.x + starts[n], second.y, widths[n] - gap, second.h)
        if found.current and k == found.done - 1:
            mark = box.inset(-2 * unit, 2 * unit)
            marks.append(Rect(mark, "source_fill", "source_line", 1.5 * unit, 5 * unit))
        if k >= found.done:
            runs = tuple(Run(run.text, "muted") for run in runs)
        marks.append(Label(box, runs, size, "center"))
        if k + 1 < found.count:
            after = Box(box.right, second.y, gap, second.h)
            marks.append(_between(after, sign, unit, "left" if sign == "," else "center"))
    if page.stop < found.count:
        after = Box(second.x + starts[-1], second.y, dots, second.h)
        marks.append(label(after, "…", 22 * unit, "muted"))
    return marks + _sum_so_far(moment, found, parts, third, unit, scope)


def _apart(found: Terms, parts: Anatomy) -> bool:
    """Return whether the terms do not make one sum, because each is added to a cell of its own."""
    taken = {loop.variable for loop in found.loops}
    return any(name in taken for code in parts.target.index for name in code.co_names)


def _between(box: Box, sign: str, unit: float, align: Align = "center") -> Label:
    return label(box, sign, 18 * unit, "muted", align=align)


def _start(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> tuple[Run, ...]:
    """Return what a sum starts with, if that is a cell of an array: a bias."""
    for statement in moment.operation.cells.block.statements:
        if isinstance(statement, Loop):
            break
        begun = anatomy(moment.operation.tree, statement.number)
        if begun and begun.target.name == parts.target.name and any(o.index for o in begun.operands):
            alike = _power(moment, begun) == _power(moment, parts)
            start = with_numbers(moment, begun, scope, bare=alike)
            return start if start[0].text != ZERO or not moment.letters else ()
    return ()


def _power(moment: Moment, parts: Anatomy) -> int:
    """Return the power of ten of a line's product, where its factors are written without theirs."""
    if moment.letters:
        return 0
    return sum(moment.look(operand.name).power for operand in parts.operands if operand.index)


def _length(moment: Moment, runs: tuple[Run, ...]) -> float:
    """Return how many characters a term takes; of names, about how many as wide as a digit."""
    return sum(name_width(run.text) / 0.6 if moment.letters else len(run.text) for run in runs)


def _usual_length(moment: Moment, parts: Anatomy) -> int:
    """Return how many characters a product's term can take, whatever its numbers."""
    cells = [operand for operand in parts.operands if operand.index]
    if parts.choice is not None or len(cells) != 2 or moment.letters:
        return 1
    return sum(moment.look(operand.name).width for operand in cells) + 1


def _most_in_letters(moment: Moment, parts: Anatomy, starts: bool, width: float, unit: float) -> int | None:
    """Return how many of the longest terms in letters can be read side by side; None for numbers."""
    if not moment.letters:
        return None
    begun, end = _compared(parts) or (parts.choice.then if parts.choice else (parts.right, len(parts.text)))
    longest, at = 0.0, begun
    for operand in parts.operands:
        if begun <= operand.start and operand.end <= end:
            name = moment.names.longest(operand.name) if operand.index else operand.name
            longest += name_width(_signs(parts.text[at : operand.start]) + name)
            at = operand.end
    longest += name_width(_signs(parts.text[at:end]))
    gap = 22 * unit
    room = width - (104 if starts else 26) * unit - 26 * unit
    return max(1, int(room / (_SMALLEST_TERM * unit * longest + gap)))


def _compared(parts: Anatomy) -> tuple[int, int] | None:
    """Return where in a line stands what is compared with the largest so far; None if nothing is."""
    found = re.match(rf"{parts.target.name} = max\({parts.target.name}, (.*)\)$", parts.text)
    return found.span(1) if found else None


def _page(found: Terms, most: int | None) -> range:
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
    inner = found.loops[-1].count
    length = inner * max(1, 9 // inner) if inner <= 10 else 8
    if most is not None and length > most:
        length = most // inner * inner or most
    start = in_hand // length * length
    return range(start, min(start + length, found.count))


def _what_was_there(moment: Moment, parts: Anatomy, scope: dict[str, Any]) -> tuple[Run, ...]:
    """Return what a line that adds to a cell found there, and what it adds: ``0.51 + 0.20 = ``."""
    array, place = parts.target.name, parts.target.place(scope)
    (added,) = additions(moment.operation, array, (moment.step.offset,))
    before = moment.text(array, float(scope[array][place]) - added.value)
    more = moment.text(array, added.value)
    more = f"({more})" if more.startswith(MINUS) else more
    return Run(before, "ink"), Run(" + ", "muted"), Run(more, "ink"), Run(" = ", "muted")


def _sum_so_far(
    moment: Moment, found: Terms, parts: Anatomy, box: Box, unit: float, scope: dict[str, Any]
) -> list[Mark]:
    name = parts.target.name
    marks: list[Mark] = []
    left = box._replace(w=box.w - 210 * unit) if moment.letters else box  # beside what is said at the right
    now = anatomy(moment.operation.tree, moment.state.line)
    if now is not None and now.target.index:  # a cell is written: what was summed, or something made of it
        place = name_of(moment.operation, now.target, scope)
        runs: tuple[Run, ...] = (Run(f"{place} = ", "muted"),)
        result, made = _result(moment, now, scope), with_numbers(moment, now, scope)
        plain = now.text[now.right :] == name
        if _apart(found, parts):
            runs += () if moment.letters else _what_was_there(moment, now, scope)
        elif not parts.target.index and not plain and [run.text for run in made] != [result]:
            runs += (*made, Run(" = ", "muted"))
        if moment.letters and plain:
            result = sum_in_letters(moment, found)
        elif moment.letters and _apart(found, parts):
            result += " + " + "".join(run.text for run in made)
        marks.append(Label(left, (*runs, Run(result, "written", True)), 30 * unit, once=True))
    elif not parts.target.index and name in scope:
        text = sum_in_letters(moment, found) if moment.letters else _result(moment, parts, scope)
        runs = (
            Run(f"{name} = ", "muted"),
            Run(text, "written" if found.done == found.count else "ink", True),
        )
        marks.append(Label(left, runs, 30 * unit, once=True))
    progress = tr("after {done} of {count} terms", done=found.done, count=found.count)
    power = _power(moment, parts)
    if power:
        progress = tr("each · {power}, {progress}", power=power_of_ten(power), progress=progress)
    marks.append(label(box, progress, 18 * unit, "muted", align="right"))
    return marks


@remembered(4)  # two panes show it
def sum_in_letters(moment: Moment, found: Terms) -> str:
    """Write the terms taken so far with names, the middle of many left out: ``aw + bx``, ``max(a, b)``."""
    parts, scope = anatomy(moment.operation.tree, found.line), scope_of(moment)
    assert parts is not None
    sign = " + " if "+=" in parts.text else " − " if "-=" in parts.text else ", "
    taken = range(found.done) if found.done <= _MOST_WRITTEN else (0, found.done - 1)
    texts = [
        "".join(run.text for run in _term(moment, parts, {**scope, **term_variables(moment, found, k)}))
        for k in taken
    ]
    if len(taken) < found.done:
        texts.insert(1, "…")
    if sign == ", ":
        return f"max({sign.join(texts)})" if texts and "max(" in parts.text else parts.target.name
    start = "".join(run.text for run in _start(moment, parts, scope))
    whole = sign.join([*filter(None, [start]), *texts]) or ZERO
    return MINUS + whole if sign == " − " and texts and not start else whole
