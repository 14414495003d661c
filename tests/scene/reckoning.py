"""A pocket calculator for the arithmetic that is shown: it knows nothing but the text, and how it is rounded.

Each number is an interval, as wide as its last digit says; so two sides of an equation agree when their
intervals meet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?)|(?P<word>∞|NaN|π|log1p|[a-z][a-z.]*)|(?P<power>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?P<sign>//|==|<=|>=|[-+−·/^(),<>]))"
)


class NotReckonableError(Exception):
    """The text has a name in it, or is no arithmetic."""


class Interval(NamedTuple):
    """All numbers that a rounded one may stand for."""

    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def meets(self, other: Interval, slack: float = 1e-9) -> bool:
        """Whether they have a number in common, but for the rounding of floats."""
        if {self.low, self.high} & {math.inf, -math.inf}:
            return self.low <= other.high and other.low <= self.high
        room = slack * max(abs(self.low), abs(self.high), abs(other.low), abs(other.high))
        return self.low <= other.high + room and other.low <= self.high + room


def of(values: Collection[float]) -> Interval:
    if any(value != value for value in values):
        return Interval(-math.inf, math.inf)
    return Interval(min(values), max(values))


def plus(a: Interval, b: Interval) -> Interval:
    return of([a.low + b.low, a.high + b.high])


def corners(function: Callable[[float, float], float], a: Interval, b: Interval) -> Interval:
    return of([function(x, y) for x in a for y in b])


def times(a: Interval, b: Interval) -> Interval:
    return corners(lambda x, y: x * y, a, b)


def over(a: Interval, b: Interval) -> Interval:
    if b.low <= 0 <= b.high:
        return Interval(-math.inf, math.inf)
    return corners(lambda x, y: x / y, a, b)


def raised(a: Interval, n: float) -> Interval:
    if n < 0:
        return over(Interval(1, 1), raised(a, -n))
    ends = [_power(end, n) for end in a]
    return of([*ends, 0.0] if a.low < 0 < a.high else ends)


def _power(x: float, n: float) -> float:
    try:
        return float(x ** int(n)) if n == int(n) else max(x, 0.0) ** n
    except OverflowError:
        return -math.inf if x < 0 and n % 2 else math.inf


def _rising(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    def apply(a: Interval) -> Interval:
        return of([function(end) for end in a])

    return apply


def _waving(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    """Of a function whose slope is at most 1."""

    def apply(a: Interval) -> Interval:
        middle = function((a.low + a.high) / 2)
        return Interval(middle - a.width, middle + a.width)

    return apply


def _sign(x: float) -> float:
    return (x > 0) - (x < 0)


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


FUNCTIONS: dict[str, Callable[[Interval], Interval]] = {
    "sin": _waving(math.sin),
    "cos": _waving(math.cos),
    "sign": lambda a: of([*map(_sign, a), *([0.0] if a.low < 0 < a.high else [])]),
    "exp": _rising(_exp),
    "log": _rising(lambda x: math.log(x) if x > 0 else -math.inf),
    "log1p": _rising(lambda x: math.log1p(x) if x > -1 else -math.inf),
    "sqrt": _rising(lambda x: math.sqrt(max(x, 0.0))),
    "tanh": _rising(math.tanh),
    "erf": _rising(math.erf),
    "np.tanh": _rising(math.tanh),
    "floor": _rising(math.floor),
    "relu": _rising(lambda x: max(x, 0.0)),
    "sigmoid": _rising(lambda x: 1 / (1 + _exp(-x))),
    "abs": lambda a: of([*map(abs, a), *([0.0] if a.low < 0 < a.high else [])]),
}


def reckon(text: str, exact: Collection[str] = (), digits: int = 0) -> Interval:
    """Evaluate what is written, with each operator as tight as every schoolbook has it.

    Parameters
    ----------
    text : str
        The text; ``63.`` is a whole number that was rounded, 63 is exactly that.
    exact : Collection[str]
        Numbers that are not rounded, whatever their digits say: a learning rate, for instance.
    digits : int
        How many digits count where a number's last zeros may have been left out; 0 where all are written,
        and −1 for numbers just as they are typed into a calculator.
    """
    reader = _Reader(text, exact, digits)
    value = reader.choice()
    if reader.kind:
        raise NotReckonableError(text)
    return value


def last_place(text: str) -> float:
    """What the last digit of a written number counts: 0.01 for 0.12, 10⁻⁷ for 3.80·10⁻⁵."""
    digits, _, power = text.partition("·10")
    return float(f"1e{int(power.translate(_DIGITS) or 0) - len(digits.partition('.')[2])}")


def equal_sides(text: str) -> list[str]:
    """The sides of a chain of equations; the test of a choice may hold a == of its own."""
    return re.split(r"(?<!=)=(?!=)", text)


class _Reader:
    def __init__(self, text: str, exact: Collection[str], digits: int) -> None:
        self.text, self.exact, self.digits, self.at = text.rstrip(), exact, digits, 0
        self.kind, self.token = "", ""
        self.next()

    def next(self) -> str:
        taken = self.token
        if self.at >= len(self.text):
            self.kind, self.token = "", ""
            return taken
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise NotReckonableError(self.text)
        assert found.lastgroup
        self.kind, self.token, self.at = found.lastgroup, found[found.lastgroup], found.end()
        return taken

    def expect(self, token: str) -> None:
        if self.token != token:
            raise NotReckonableError(self.text)
        self.next()

    def choice(self) -> Interval:
        """``a if b > c else d``; where rounding hides which, both count."""
        first = self.sum()
        if self.token != "if":
            return first
        yes, no = True, False
        while self.token in ("if", "and"):
            self.next()
            here = self.test()
            yes, no = yes and here[0], no or here[1]
        self.expect("else")
        other = self.choice()
        taken = [side for side, possible in ((first, yes), (other, no)) if possible]
        return of([end for side in taken for end in side])

    def test(self) -> tuple[bool, bool]:
        """Whether a comparison may hold, and whether it may not."""
        left = self.sum()
        sign = self.next()
        right = self.sum()
        certain = left == right and not left.width
        may = {
            "==": (left.meets(right), not certain),
            ">": (left.high > right.low, left.low <= right.high),
            "<": (left.low < right.high, left.high >= right.low),
            ">=": (left.high >= right.low, left.low < right.high),
            "<=": (left.low <= right.high, left.high > right.low),
        }
        if sign not in may:
            raise NotReckonableError(self.text)
        return may[sign]

    def sum(self) -> Interval:
        value = self.product()
        while self.token in ("+", "−"):
            sign, other = self.next(), self.product()
            value = plus(value, other if sign == "+" else Interval(-other.high, -other.low))
        return value

    def product(self) -> Interval:
        value = self.signed()
        while self.token in ("·", "/", "//"):
            sign, other = self.next(), self.signed()
            value = times(value, other) if sign == "·" else over(value, other)
            if sign == "//":
                value = Interval(*map(math.floor, value))
        return value

    def signed(self) -> Interval:
        if self.token == "−":
            self.next()
            inner = self.signed()
            return Interval(-inner.high, -inner.low)
        return self.power()

    def power(self) -> Interval:
        value = self.atom()
        if self.kind == "power":
            value = raised(value, float(self.next().translate(_DIGITS)))
        elif self.token == "^":
            self.next()
            exponent = self.signed()
            if not exponent.width:
                return raised(value, exponent.low)
            if value.low <= 0:
                raise NotReckonableError(self.text)
            value = of([base**power for base in value for power in exponent])
        return value

    def atom(self) -> Interval:
        if self.token == "(":
            self.next()
            value = self.choice()
            self.expect(")")
            return value
        if self.kind == "number":
            return self.number(self.next())
        if self.token == "π":
            self.next()
            return Interval(math.pi, math.pi)
        if self.token in ("∞", "inf"):
            self.next()
            return Interval(math.inf, math.inf)
        if self.token == "NaN":
            self.next()
            return Interval(-math.inf, math.inf)
        if self.kind == "word" and (self.token in FUNCTIONS or self.token in ("max", "min")):
            name = self.next()
            self.expect("(")
            values = [self.choice()]
            while self.token == ",":
                self.next()
                values.append(self.choice())
            self.expect(")")
            if name in ("max", "min"):
                pick = max if name == "max" else min
                return Interval(pick(v.low for v in values), pick(v.high for v in values))
            (value,) = values
            return FUNCTIONS[name](value)
        raise NotReckonableError(self.text)

    def number(self, text: str) -> Interval:
        value, places = float(text), len(text.partition(".")[2])
        power = re.match(r"10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", self.text[self.at :]) if self.token == "·" else None
        whole = f"{text}·{power[0]}" if power else text
        if whole in self.exact or "." not in text or self.digits < 0:
            return Interval(value, value)
        half = 0.5 * 10.0**-places
        if self.digits and not power:
            half = 0.5 * 10.0 ** (math.floor(math.log10(value)) - self.digits + 1) if value else 0.0
        return Interval(value - 1.001 * half, value + 1.001 * half)
