"""A line of a listing with numbers in place of its names; in letters, with what its cells are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.letters import as_product, letter
from cnnviz.scene.marks import Number, Role, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import (
    brief,
    decimals,
    full,
    in_line,
    is_zero,
    last_digit,
    number,
    read,
    scaled,
    superscript,
    telling,
)
from cnnviz.text import tr
from cnnviz.trace.alone import cells_of
from cnnviz.trace.assignment import Assignment, Operand
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache, program_cache
from cnnviz.trace.state import state

_SIGNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\s*\*\*\s*(\(-\d+\)|\d+)(?![\d.])"), lambda found: superscript(found[1].strip("()"))),
    (re.compile(r"\s*\*\*\s*"), "^"),
    (re.compile(r"\s*\*\s*"), "·"),
    (re.compile("-"), "−"),
)


# A minus that belongs to the number behind it, at the end of what stands before the number.
_OWN_MINUS = re.compile(r"(^|[-+*/(,<>=]|\bif|\belse)\s*-\s*$")

# What an update replaces has one name for two numbers.
OLD, NEW = "old", "new"


def scope_of(moment: Moment) -> dict[str, Any]:
    """Return everything that the listing's names stand for at this step."""
    return {**moment.operation.call.given, **moment.state.arrays, **moment.state.variables}


def with_numbers(
    moment: Moment,
    parts: Assignment,
    scope: dict[str, Any],
    span: tuple[int, int] | None = None,
    skip: str = "",
    bare: bool = False,
) -> tuple[Span, ...]:
    """Return a line's right-hand side with the values put in place of the names, each in its colour.

    They are written as their arrays are; where the line would not come to its result so, with more digits.

    Parameters
    ----------
    span : (int, int), optional
        Write only this piece of the line's text.
    skip : str
        A scalar to leave as it is.
    bare : bool
        Leave off the arrays' powers of ten; they are said once, beside the sum.
    """
    runs: list[Span] = []
    whole = not (span or skip or bare or moment.letters)
    write = _digits(moment, parts, scope) if whole else None
    pieces, rest = _pieces(parts, *(span or (parts.right, len(parts.text))))
    for piece in pieces:
        operand = piece.operand
        run = put_in(moment, parts, operand, scope, bare) if operand.name != skip else Span(operand.name)
        if write is not None and isinstance(_held(operand, scope), float):
            run = run._replace(text=write(_held(operand, scope)))
        text = in_line(run.text, piece.sign, piece.raised)
        runs.append(Span(piece.unsigned if is_zero(run.text) else piece.before))  # minus zero is zero
        runs.append(run if text == run.text else run._replace(text=text))
    runs.append(Span(rest))
    shown = tuple(run for run in runs if run.text)
    return as_product(shown) if moment.letters else shown


class _Piece(NamedTuple):
    """What a line names, and what stands around it.

    Attributes
    ----------
    operand : Operand
        The cell or scalar.
    before, unsigned : str
        What stands between it and what is named before it, with and without a minus that is its own.
    sign : str
        The operator before it, if it has one there.
    raised : bool
        Whether a power stands behind it.
    """

    operand: Operand
    before: str
    unsigned: str
    sign: str
    raised: bool


@program_cache(1024)
def _pieces(parts: Assignment, begun: int, end: int) -> tuple[tuple[_Piece, ...], str]:
    """Cut a piece of a line's text at what it names; return also what is left after the last."""
    text, at = parts.text, begun
    pieces: list[_Piece] = []
    for operand in parts.operands:
        if operand.start < at or operand.end > end:
            continue
        between, left = text[at : operand.start], text[begun : operand.start]
        own = between.rstrip().removesuffix("-") if _OWN_MINUS.search(left) else between
        sign = left.rstrip()[-1:]
        raised = text[operand.end : end].lstrip().startswith("**")
        sign = sign if sign in "+-*/" else ""
        pieces.append(_Piece(operand, signs(between), signs(own), sign, raised))
        at = operand.end
    return tuple(pieces), signs(text[at:end])


def _digits(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> Callable[[float], str] | None:
    """Return how a line's numbers are written so that it comes to its result; None: as everywhere."""
    values = [_held(operand, scope) for operand in parts.operands]
    if not all(isinstance(value, int | float) for value in values):  # one is yet to be computed
        return None
    namespace, code = moment.operation.function.__globals__, _computes(parts)

    def result(numbers: list[Any]) -> float:
        named = {f"_{k}": np.float64(n) if isinstance(n, float) else n for k, n in enumerate(numbers)}
        return float(eval(code, namespace, named))

    with np.errstate(all="ignore"):
        try:
            exact, target = result(values), parts.target.name
        except (ArithmeticError, ValueError):  # a whole number is divided by 0
            return None
        shown = moment.text(target, exact) if parts.target.index else scalar_text(moment, exact, target)
        usual = [put_in(moment, parts, operand, scope).text for operand in parts.operands]
        ways: list[Callable[[float], str] | None] = [None, _more_digits, full]
        if values == [exact]:  # it is copied
            ways.insert(1, lambda _: shown)
        for write in ways:
            texts = usual if write is None else map(write, values)
            rounded = [
                read(text) if isinstance(value, float) else value
                for text, value in zip(texts, values, strict=True)
            ]
            try:
                if not abs(result(rounded) - read(shown)) > 1.01 * last_digit(shown):
                    return write
            except (ArithmeticError, ValueError):  # as rounded, a divisor may be 0
                continue
    return None  # two that are nearly alike: no digits would do


def _more_digits(value: float) -> str:
    """Write four digits; of a large number, which they would make a whole one, all."""
    return brief(value) if abs(value) < 1000 else full(value)


def _held(operand: Operand, scope: dict[str, Any]) -> Any:
    """Return the number that a cell or a scalar is, as Python's own; None where there is none."""
    value = scope.get(operand.name)
    if value is not None and operand.index:
        value = value[operand.place(scope)]
    return value.item() if isinstance(value, np.generic) else value


@program_cache(1024)
def _computes(parts: Assignment) -> CodeType:
    """Return a line's right-hand side, ready to be evaluated, with _0, _1 … in place of what it names."""
    ends = [parts.right, *(end for operand in parts.operands for end in (operand.start, operand.end))]
    between = [parts.text[start:end] for start, end in list(pairwise(ends))[::2]]
    whole = "".join(f"{text}_{k}" for k, text in enumerate(between))
    return compile(whole + parts.text[ends[-1] :], "<line>", "eval")


def put_in(
    moment: Moment, parts: Assignment, operand: Operand, scope: dict[str, Any], bare: bool = False
) -> Span:
    """Return what stands in place of a cell or a scalar: its number, or in letters its name."""
    value, known = scope.get(operand.name), number_of(moment, operand, scope)
    if not moment.letters or (not operand.index and isinstance(value, int | np.integer)):
        return _value(moment, parts, operand, scope, bare)._replace(number=known)
    if not operand.index:
        return Span(operand.name, role_of(moment.operation, operand.name), number=known)
    name, age = moment.names.cell(operand.name, operand.place(scope)), age_of(moment, parts, operand)
    return Span(name + "′" * (age == NEW), _role_in(moment, parts, operand), number=known)


def number_of(moment: Moment, operand: Operand, scope: dict[str, Any]) -> Number | None:
    """Return which cell, as the picture has it, or which variable something is that a line names.

    None where the step holds another number there by now, as in what an update has replaced.
    """
    name, held = operand.name, moment.state
    if not operand.index:
        value = held.variables.get(name)
        if isinstance(moment.operation.call.given.get(name), float):  # as a learning rate is
            return name, ()
        return None if value is None or name not in scope or not _same(scope[name], value) else (name, ())
    place = operand.place(scope)
    if not _same(scope[name][place], held.arrays[name][place]):
        return None
    if moment.operation.call.batch is None:
        return name, place
    own = cells_of(moment.operation, name, np.array([place], np.intp), moment.sample)
    return (name, tuple(own[0].tolist())) if len(own) else None


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))


def age_of(moment: Moment, parts: Assignment, operand: Operand) -> str:
    """Return whether what a line names is from before an update or made by it; empty where none is."""
    if operand.name not in moment.operation.call.before:
        return ""
    return OLD if operand.name == parts.target.name and operand is not parts.target else NEW


def _role_in(moment: Moment, parts: Assignment, operand: Operand) -> Role:
    """Return a name's colour in a line: what an update found there is no result of it."""
    return "parameter" if age_of(moment, parts, operand) == OLD else role_of(moment.operation, operand.name)


def sign_of(parts: Assignment) -> str:
    """Return the sign with which a line adds to what is there, or takes off it; empty for any other line."""
    return "+" if "+=" in parts.text else "−" if "-=" in parts.text else ""


def before(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> dict[str, Any]:
    """Return what a line found: what it changes is there as it was before, if the line reads it."""
    offset, changed = moment.step.offset, parts.target.name
    reads = changed in {operand.name for operand in parts.operands} or sign_of(parts)
    if not reads or offset == 0:
        return scope
    there = state(moment.operation, offset - 1)
    return {
        **scope,
        **{name: value for name, value in {**there.arrays, **there.variables}.items() if name == changed},
    }


def term(moment: Moment, parts: Assignment, scope: dict[str, Any], bare: bool) -> tuple[Span, ...]:
    """Return one term with its numbers: of a choice what is chosen, of a maximum what is compared.

    In letters no cell is known by which to choose; the first is what such a choice is about.
    """
    if parts.choice is not None and moment.letters and not parts.choice.counts_alone(scope):
        return with_numbers(moment, parts, scope, parts.choice.then)
    if parts.choice is not None:
        return with_numbers(moment, parts, scope, parts.choice.taken(scope), bare=bare)
    if parts.rival is not None:
        return with_numbers(moment, parts, scope, parts.rival, bare=bare)
    return with_numbers(moment, parts, scope, skip=parts.target.name, bare=bare)


def with_places(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> tuple[Span, ...]:
    """Return a line with the loop variables put into its subscripts: ``y[1, 2, 3] = acc``."""
    runs: list[Span] = []
    at = 0
    for operand in (parts.target, *parts.operands):
        runs.append(Span(signs(parts.text[at : operand.start])))
        age = age_of(moment, parts, operand)
        name = name_of(moment.operation, operand, scope)
        runs.append(Span(f"{tr(age)} {name}" if age else name, _role_in(moment, parts, operand)))
        at = operand.end
    runs.append(Span(signs(parts.text[at:])))
    return tuple(run for run in runs if run.text)


def name_of(operation: Operation, operand: Operand, scope: dict[str, Any]) -> str:
    """Return an operand's name as readers know it, with its index."""
    if not operand.index:
        return operand.name
    return f"{symbol(operation, operand.name)}[{', '.join(str(k) for k in operand.place(scope))}]"


def role_of(operation: Operation, name: str) -> str:
    """Return the colour of a name in a listing; ink, if it is no array."""
    arrays = operation.tree.arrays or {*operation.call.given, *operation.call.writes}
    return role(operation, name) if name in arrays else "ink"


def _value(moment: Moment, parts: Assignment, operand: Operand, scope: dict[str, Any], bare: bool) -> Span:
    operation = moment.operation
    if operand.index:
        place = operand.place(scope)
        if operand.name in operation.call.writes and not moment.state.written(operand.name)[place]:
            return Span(name_of(operation, operand, scope), role(operation, operand.name))
        value = scope[operand.name][place]
        if bare:
            return Span(moment.look(operand.name).bare(value), _role_in(moment, parts, operand))
        return Span(moment.text(operand.name, value), _role_in(moment, parts, operand))
    if operand.name not in scope:  # a scalar that is yet to be computed, or π
        return Span(letter(operand.name))
    value = scope[operand.name]
    if isinstance(value, int | np.integer):
        return Span(number(int(value), 0))
    if not operation.tree.arrays:
        return Span(brief(value), role_of(operation, operand.name))
    if operand.name in moment.operation.call.given:
        return Span(full(value))
    return Span(scalar_text(moment, value, operand.name))


def scalar_text(moment: Moment, value: float, name: str = "") -> str:
    """Write a scalar of the listing: with the decimals of the array that it goes into.

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
        return telling(value, 0 if float(value).is_integer() else 2)
    finest = max(exact, key=lambda look: look.places - look.power)
    if finest.power and not abs(value) * 10.0**-finest.power < 100:  # it is of another size than the array
        places, power = decimals(np.array([value]))
        return scaled(value, places + 1, power)
    rounding = finest.rounding if name and name in _handed_on(moment.operation) else 0.0
    return scaled(value, finest.places, finest.power, rounding)


@lasting_cache(1024)
def _handed_on(operation: Operation) -> frozenset[str]:
    """Return the variables that become a cell of an array as they are, and are rounded as its numbers are."""
    lines = (node for node in walk(operation.body) if isinstance(node, Line) and node.index)
    return frozenset(operation.tree.source[node.number - 1].partition("=")[2].strip() for node in lines)


@lasting_cache(1024)
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


def result_of(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> str:
    """Write what a line has assigned."""
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


def result_in(moment: Moment, parts: Assignment, scope: dict[str, Any]) -> Span:
    """Return what a line has assigned, as it stands at its end."""
    known = number_of(moment, parts.target, scope)
    return Span(result_of(moment, parts, scope), "written", True, known)


@lru_cache(maxsize=1024)
def signs(text: str) -> str:
    """Write Python's operators as in a formula."""
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return text
