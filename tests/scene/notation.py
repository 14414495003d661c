"""Reads formulas as a student does, and evaluates them: colours mean nothing, only what is seen counts.

What is understood is the notation of `cnnviz.scene.kind` and of typed expressions, and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

_TOKEN = re.compile(
    r"\\(?P<cell>d?[a-zA-Z]\d?)\{(?P<index>[^{}]*)\}|(?P<command>\\[a-zA-Z]+|\\\\)|(?P<number>\d+\.?\d*)"
    r"|(?P<letter>[a-zA-Z])|(?P<sign>[-+/,=<>|&^_(){}])|\\[,;! ]|\s"
)
_GREEK = r"\\(alpha|beta|gamma|delta|eta|theta|lambda|mu|nu|xi|rho|tau|phi|chi|psi|omega|varepsilon|epsilon)$"
_CLOSING = {
    ")",
    "}",
    ",",
    "&",
    "=",
    "<",
    ">",
    r"\\",
    r"\le",
    r"\ge",
    r"\ne",
    r"\right",
    r"\rfloor",
    r"\bigr",
    r"\end",
    "",
}

Value = Any
Node = Callable[["Scope"], Value]


class NotUnderstoodError(Exception):
    """A formula is not written in the notation."""


@dataclass
class Scope:
    """What names stand for: arrays, numbers, how far each loop runs, and what other formulas define."""

    arrays: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Value] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    defined: dict[str, Callable[..., Value]] = field(default_factory=dict)

    def bound(self, **values: int) -> Scope:
        return Scope(self.arrays, {**self.numbers, **values}, self.counts, self.defined)


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "max": max,
    "min": min,
    "tanh": math.tanh,
    "erf": math.erf,
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "ReLU": lambda x: max(x, 0.0),
    "log": lambda x: math.log(x) if x else -math.inf,
    "log1p": math.log1p,
    "sign": np.sign,
    "sin": math.sin,
    "floor": math.floor,
    "cos": math.cos,
}


def cell(scope: Scope, name: str, index: Sequence[int]) -> Value:
    """A cell of an array; no index counts from the end."""
    if name in scope.defined:
        return scope.defined[name](*index)
    if min(index, default=0) < 0:
        raise IndexError(index)
    return scope.arrays[name][tuple(index)]


def whole(values: Any) -> Value:
    """An array as in linear algebra: one row of numbers is a column."""
    values = np.asarray(values, float)
    return float(values.reshape(())) if values.size == 1 else values.reshape(len(values), -1)


def times(a: Value, b: Value) -> Value:
    """A product; 0 · log 0 is 0, as everybody takes it."""
    if np.ndim(a) == 2 and np.ndim(b) == 2:
        return a @ b
    return a if np.ndim(a) == np.ndim(b) == 0 and a == 0 else a * b


def seen(formula: str) -> tuple[str, dict[str, str]]:
    """A formula without its marks of colour, and which arrays its capital letters stand for."""
    called: dict[str, str] = {}
    while (begin := formula.find(r"\part{")) >= 0:
        name, after = braces(formula, begin + len(r"\part"))
        inner, end = braces(formula, after)
        if greek := re.match(r"\\frac\{\\partial E\}\{\\partial \\?\w+?_\{(.*)\}\}\\!$", inner):
            inner = rf"\mathrm{{{name}}}_{{{greek[1]}}}"
        if re.match(r"[A-Za-z](?![a-zA-Z(])", inner) and inner[0] != name and len(name) == 1:
            called[inner[0]] = name
        formula = f"{formula[:begin]}{inner}{formula[end:]}"
    return formula.replace("{-}", "-"), called


def braces(text: str, begin: int) -> tuple[str, int]:
    """What stands in the braces that open at a place, and where they have closed."""
    depth = 0
    for k in range(begin, len(text)):
        depth += (text[k] == "{") - (text[k] == "}")
        if depth == 0:
            return text[begin + 1 : k], k + 1
    raise NotUnderstoodError(text)


def relation(formula: str) -> tuple[list[str], str]:
    """The sides of a formula, and what stands between them: ``=``, or a sign of assignment."""
    kind = next((sign for sign in (r"\leftarrow", r"\add") if sign in formula), "=")
    formula = formula.replace(kind, "=")
    depth, sides, last = 0, [], 0
    for k, letter in enumerate(formula):
        depth += (letter in "{(") - (letter in "})")
        if letter == "=" and depth == 0 and r"\begin" not in formula[:k]:
            sides.append(formula[last:k])
            last = k + 1
    return [*sides, formula[last:]], kind


def read(text: str, called: Mapping[str, str] | None = None) -> Node:
    """Return what evaluates a formula's side, its marks of colour taken off."""
    reader = _Reader(text, called or {})
    node = reader.sum()
    if reader.token:
        raise NotUnderstoodError(f"{text}: {reader.token}")
    return node


def indices(text: str) -> list[Node]:
    return [read(part) for part in split(text)]


def split(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "({") - (letter in ")}")
        if letter == "," and depth == 0 and not parts[-1].endswith("\\"):
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip("\\, ")]


class _Reader:
    def __init__(self, text: str, called: Mapping[str, str]) -> None:
        self.text, self.called, self.at, self.bars = text, called, 0, 0
        self.kind = self.token = self.index = ""
        self.next()

    def next(self) -> str:
        taken = self.token
        self.kind = self.token = ""
        while self.at < len(self.text):
            found = _TOKEN.match(self.text, self.at)
            if found is None:
                raise NotUnderstoodError(self.text[self.at :])
            self.begun, self.at = self.at, found.end()
            if found.lastgroup:
                self.kind = "cell" if found["cell"] else found.lastgroup
                self.token, self.index = found[self.kind], found["index"] or ""
                break
        return taken

    def expect(self, token: str) -> None:
        if self.token != token:
            raise NotUnderstoodError(f"{self.text}: {self.token} instead of {token}")
        self.next()

    def group(self) -> str:
        """The text in braces that begin here, or the one letter or number that stands without."""
        if self.token != "{":
            text = self.text[self.begun : self.at]
            self.next()
            return text
        text, self.at = braces(self.text, self.begun)
        self.next()
        return text

    def sum(self) -> Node:
        terms = [(1, self.signed())]
        while self.token in ("+", "-"):
            terms.append((1 if self.next() == "+" else -1, self.product()))
        first = terms[0][1]
        return first if len(terms) == 1 else lambda s: _added([sign * term(s) for sign, term in terms])

    def signed(self) -> Node:
        if self.token != "-":
            return self.product()
        self.next()
        term = self.product()
        return lambda s: -term(s)

    def product(self) -> Node:
        node = self.power()
        if self.token == r"\bmod":
            self.next()
            return (lambda a, b: lambda s: a(s) % b(s))(node, self.power())
        while (
            self.token not in _CLOSING
            and self.token not in ("+", "-")
            and not (self.token == "|" and self.bars)
        ):
            if self.token == "/":
                self.next()
                node = (lambda a, b: lambda s: a(s) / b(s))(node, self.power())
                continue
            if self.token == r"\cdot":
                self.next()
            node = (lambda a, b: lambda s: times(a(s), b(s)))(node, self.power())
        return node

    def power(self) -> Node:
        node = self.atom()
        if self.token == "^":
            self.next()
            raised = self.group()
            if r"\mathrm T" in raised:
                return lambda s: np.transpose(node(s))
            exponent = read(raised, self.called)
            return lambda s: node(s) ** exponent(s)
        return node

    def atom(self) -> Node:
        if self.kind == "cell":
            name, index = self.token, self.index
            self.next()
            return self._cell(name, index)
        if self.kind == "number":
            value = float(self.next())
            return lambda s: int(value) if value.is_integer() else value
        if self.token == "|":
            return self._absolute()
        if self.token in ("(", r"\lfloor", r"\left", r"\bigl"):
            return self._brackets()
        if self.token == "e" and self.text[self.at :].lstrip().startswith("^"):
            self.next()
            self.next()
            exponent = read(self.group(), self.called)
            return lambda s: _exp(exponent(s))
        if self.kind == "letter" or re.match(_GREEK, self.token):
            return self._name(self.next().removeprefix("\\"))
        return self._command(self.next())

    def _cell(self, name: str, index: str) -> Node:
        if not index:
            return lambda s: whole(s.arrays[name])
        nodes = indices(index)
        return lambda s: cell(s, name, [node(s) for node in nodes])

    def _absolute(self) -> Node:
        self.next()
        self.bars += 1
        inner = self.sum()
        self.bars -= 1
        self.expect("|")
        return lambda s: abs(inner(s))

    def _brackets(self) -> Node:
        opening = self.next() if self.token in (r"\left", r"\bigl") else ""
        kind = self.next()
        bars, self.bars = self.bars, int(kind == "|")
        inner = self.sum()
        self.bars = bars
        if opening:
            self.expect(opening.replace("left", "right").replace("bigl", "bigr"))
        self.expect({"(": ")", "|": "|", r"\lfloor": r"\rfloor"}[kind])
        return {"|": lambda s: abs(inner(s)), r"\lfloor": lambda s: math.floor(inner(s))}.get(kind, inner)

    def _name(self, name: str) -> Node:
        under = ""
        if self.token == "^" and self.text[self.at :].startswith(r"\circlearrowleft"):
            self.next()
            self.next()
            name += "↺"
        if self.token == "_":
            self.next()
            under = self.group()
        word = re.sub(r"\\mathrm\{(\w+)\}", r"\1", under)
        known = [f"{name}_{word}", f"{name}{word}"]
        array = self.called.get(name, name)
        nodes = indices(under) if under and not re.fullmatch(r"\\mathrm\{\w+\}", under) else []

        def value(s: Scope) -> Value:
            for each in known if under else [name]:
                if each in s.numbers:
                    return s.numbers[each]
            if under:
                return cell(s, array, [node(s) for node in nodes])
            return s.defined[name](s) if name in s.defined else whole(s.arrays[array])

        return value

    def _command(self, command: str) -> Node:
        if command in (r"\frac", r"\tfrac"):
            over, under = self.group(), self.group()
            if over.startswith(r"\partial"):
                name = plain(under)
                top = plain(over)
                return lambda s: _gradient(s, top, name)
            a, b = read(over, self.called), read(under, self.called)
            return lambda s: a(s) / b(s)
        if command == r"\sqrt":
            inner = read(self.group(), self.called)
            return lambda s: math.sqrt(inner(s))
        if command in (r"\sum", r"\max", r"\min", r"\arg"):
            return self._over(command)
        if command in (r"\log", r"\tanh"):
            inner = self.power()
            return lambda s: FUNCTIONS[command[1:]](inner(s))
        if command == r"\sigma":
            return self._called("sigmoid") if self._opens() else self._name("sigma")
        if command == r"\mathrm":
            word = self.group()
            return self._called(word) if self._opens() else self._name(re.sub(r"\\? ", "_", word))
        if command == r"\pi":
            return lambda s: math.pi
        if command == r"\begin":
            return self._cases()
        raise NotUnderstoodError(f"{self.text}: {command}")

    def _opens(self) -> bool:
        return self.token == "(" or (self.token == r"\left" and self.text[self.at :].lstrip().startswith("("))

    def _called(self, name: str) -> Node:
        if self.next() == r"\left":
            self.next()
        values = [self.sum()]
        while self.token == ",":
            self.next()
            values.append(self.sum())
        if self.token == r"\right":
            self.next()
        self.expect(")")
        return lambda s: FUNCTIONS[name](*(value(s) for value in values))

    def _over(self, command: str) -> Node:
        """A sum, or a maximum, over all values of variables."""
        if command == r"\arg":
            self.expect(r"\max")
        if command in (r"\max", r"\min") and self._opens():
            return self._called(command[1:])
        self.expect("_")
        under = self.group()
        named = re.fullmatch(r"[a-z](,[a-z])*", under)
        names = under.split(",") if named else ["k" if "+k" in under else "c" if "c,i,j" in under else "n"]
        test = _Reader(under, self.called).condition() if under.split(",") != names else None
        # What no loop counts stands for another output, or in maps for another channel, row or column.
        cell = re.search(r"\{([a-z],)*k(,[a-z])*\}", self.text[self.begun :])
        size = "CHW"[cell[0].split("k")[0].count(",") if cell else 0]
        body = self.product()

        def value(s: Scope) -> Value:
            numbers = s.numbers.get("N", s.numbers.get(size, s.numbers.get("L", 0)))
            ranges = [range(s.counts.get(name, numbers)) for name in names]
            bound = [s.bound(**dict(zip(names, at, strict=True))) for at in product(*ranges)]
            found = [body(here) for here in bound if test is None or test(here)]
            if command == r"\sum":
                return _added(found)
            return found.index(max(found)) if command == r"\arg" else FUNCTIONS[command[1:]](*found, *found)

        return value

    def _cases(self) -> Node:
        self.group()
        rows: list[tuple[Node, Node]] = []
        while True:
            result = self.sum()
            self.expect("&")
            rows.append((result, self.condition()))
            if self.next() == r"\end":
                self.group()
                break

        def value(s: Scope) -> Value:
            true = [result for result, test in rows if test(s) is True]
            true = true or [result for result, test in rows if test(s) is None]
            if len(true) != 1:
                raise NotUnderstoodError(f"{len(true)} cases hold: {self.text}")
            return true[0](s)

        return value

    def condition(self) -> Node:
        """What must hold, or where it is for whatever is left: None."""
        if self.token == r"\mathrm":
            self.next()
            assert self.group() == "otherwise"
            return lambda s: None
        tests = [self._comparison()]
        while self.token == ",":
            self.next()
            tests.append(self._comparison())
        return lambda s: all(test(s) for test in tests)

    def _comparison(self) -> Node:
        left = self.sum()
        sign = self.next()
        right = self.sum()
        holds: dict[str, Callable[[Value, Value], bool]] = {
            ">": lambda a, b: a > b,
            "<": lambda a, b: a < b,
            "=": lambda a, b: a == b,
            r"\le": lambda a, b: a <= b,
            r"\ge": lambda a, b: a >= b,
            r"\ne": lambda a, b: a != b,
        }
        return lambda s: bool(holds[sign](left(s), right(s)))


def _added(values: Sequence[Value]) -> Value:
    if not values:
        return 0
    if len({np.ndim(value) for value in values if np.size(value) > 1}) > 1:
        raise NotUnderstoodError("a number and a matrix are added")
    return sum(values[1:], values[0])


def plain(text: str) -> str:
    """The name of a variable as Python writes it, with or without the sign of a derivative."""
    text = re.sub(r"\\partial\s*|\\!|\\,", "", text)
    text = re.sub(r"\\mathrm\{([^{}]*)\}", lambda found: found[1].replace(" ", "_"), text)
    return re.sub(r"[\\{}\s]|_(?=\{)", "", text)


def _gradient(s: Scope, top: str, name: str) -> Value:
    """∂E/∂x: the array dx, or the number."""
    if top != s.numbers.get("result", "E"):
        raise LookupError(f"∂{top}/∂{name}")
    for known in (f"d{name}", f"d{re.sub(r'(?<=[a-z])(?=[0-9])', '_', name)}"):
        if known in s.numbers:
            return s.numbers[known]
    return whole(s.arrays[f"d{name}"])
