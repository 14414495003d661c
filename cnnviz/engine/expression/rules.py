"""What a node of a graph can compute: its value and its derivatives, as maths and as Python writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from msgspec import Struct

from cnnviz.engine.functions import FUNCTIONS, Number, relu, sigmoid


class Rule(Struct, frozen=True):
    """What a node computes from its operands a and b, and its partial derivatives: as maths and as text.

    Attributes
    ----------
    value : Callable
        The value of (a, b); b is 0 where there is one operand.
    partials : tuple[Callable, ...]
        The derivative by each operand, of (a, b, value).
    forward : str
        The right-hand side of the forward listing; ``{a}`` and ``{b}`` stand for the operands.
    backward : tuple[str, ...]
        The right-hand sides of the backward listing, by operand; ``{d}`` stands for the gradient that
        comes back to the node, ``{y}`` for its value.
    local : tuple[str, ...]
        The derivatives alone, as text.
    """

    value: Callable[[Number, Number], Number]
    partials: tuple[Callable[[Number, Number, Number], float], ...]
    forward: str
    backward: tuple[str, ...]
    local: tuple[str, ...]


RULES: Mapping[str, Rule] = {
    "+": Rule(
        lambda a, b: a + b,
        (lambda a, b, y: 1.0, lambda a, b, y: 1.0),
        "{a} + {b}",
        ("{d}", "{d}"),
        ("1", "1"),
    ),
    "-": Rule(
        lambda a, b: a - b,
        (lambda a, b, y: 1.0, lambda a, b, y: -1.0),
        "{a} - {b}",
        ("{d}", "-{d}"),
        ("1", "-1"),
    ),
    "*": Rule(
        lambda a, b: a * b,
        (lambda a, b, y: b, lambda a, b, y: a),
        "{a} * {b}",
        ("{d} * {b}", "{d} * {a}"),
        ("{b}", "{a}"),
    ),
    "/": Rule(
        lambda a, b: a / b,
        (lambda a, b, y: 1 / b, lambda a, b, y: -a / b**2),
        "{a} / {b}",
        ("{d} / {b}", "-{d} * {a} / {b} ** 2"),
        ("1 / {b}", "-{a} / {b} ** 2"),
    ),
    "neg": Rule(lambda a, b: -a, (lambda a, b, y: -1.0,), "-{a}", ("-{d}",), ("-1",)),
    "sigmoid": Rule(
        lambda a, b: sigmoid(a),
        (lambda a, b, y: y * (1 - y),),
        "sigmoid({a})",
        ("{d} * {y} * (1 - {y})",),
        ("{y} * (1 - {y})",),
    ),
    "relu": Rule(
        lambda a, b: relu(a),
        (lambda a, b, y: 1.0 if a > 0 else 0.0,),
        "relu({a})",
        ("{d} if {a} > 0 else 0.0",),
        ("1 if {a} > 0 else 0",),
    ),
    "tanh": Rule(
        lambda a, b: np.tanh(a),
        (lambda a, b, y: 1 - y**2,),
        "tanh({a})",
        ("{d} * (1 - {y} ** 2)",),
        ("1 - {y} ** 2",),
    ),
    "exp": Rule(lambda a, b: np.exp(a), (lambda a, b, y: y,), "exp({a})", ("{d} * {y}",), ("{y}",)),
    "log": Rule(lambda a, b: np.log(a), (lambda a, b, y: 1 / a,), "log({a})", ("{d} / {a}",), ("1 / {a}",)),
    "sin": Rule(
        lambda a, b: np.sin(a),
        (lambda a, b, y: np.cos(a),),
        "sin({a})",
        ("{d} * cos({a})",),
        ("cos({a})",),
    ),
    "cos": Rule(
        lambda a, b: np.cos(a),
        (lambda a, b, y: -np.sin(a),),
        "cos({a})",
        ("-{d} * sin({a})",),
        ("-sin({a})",),
    ),
    # Half over the root, which is infinite at 0, as in PyTorch.
    "sqrt": Rule(
        lambda a, b: np.sqrt(a),
        (lambda a, b, y: 1 / (2 * y),),
        "sqrt({a})",
        ("{d} / (2 * {y})",),
        ("1 / (2 * {y})",),
    ),
    # The kink has the slope 0, as in PyTorch.
    "abs": Rule(
        lambda a, b: np.abs(a),
        (lambda a, b, y: np.sign(a),),
        "abs({a})",
        ("{d} * sign({a})",),
        ("sign({a})",),
    ),
    # Who wins gets the gradient; where both are equal, each gets half of it, as in PyTorch.
    "max": Rule(
        lambda a, b: np.maximum(a, b),
        (lambda a, b, y: _won(a, b, b > a), lambda a, b, y: _won(b, a, a > b)),
        "max({a}, {b})",
        (
            "{d} / 2 if {a} == {b} else 0.0 if {a} < {b} else {d}",
            "{d} / 2 if {a} == {b} else 0.0 if {b} < {a} else {d}",
        ),
        ("1 / 2 if {a} == {b} else 0 if {a} < {b} else 1", "1 / 2 if {a} == {b} else 0 if {b} < {a} else 1"),
    ),
    "min": Rule(
        lambda a, b: np.minimum(a, b),
        (lambda a, b, y: _won(a, b, b < a), lambda a, b, y: _won(b, a, a < b)),
        "min({a}, {b})",
        (
            "{d} / 2 if {a} == {b} else 0.0 if {a} > {b} else {d}",
            "{d} / 2 if {a} == {b} else 0.0 if {b} > {a} else {d}",
        ),
        ("1 / 2 if {a} == {b} else 0 if {a} > {b} else 1", "1 / 2 if {a} == {b} else 0 if {b} > {a} else 1"),
    ),
    # Of an exponent that is no plain number. 0 to the power of 0 is 1 whatever either does a little later:
    # as in PyTorch, both slopes are 0 there.
    "**": Rule(
        lambda a, b: a**b,
        (
            lambda a, b, y: 0.0 if b == 0 else b * a ** (b - 1),
            lambda a, b, y: 0.0 if a == 0 and b >= 0 else y * np.log(a),
        ),
        "{a} ** {b}",
        (
            "0.0 if {b} == 0 else {d} * {b} * {a} ** ({b} - 1)",
            "0.0 if {a} == 0 and {b} >= 0 else {d} * {y} * log({a})",
        ),
        ("0 if {b} == 0 else {b} * {a} ** ({b} - 1)", "0 if {a} == 0 and {b} >= 0 else {y} * log({a})"),
    ),
}

OPERANDS: Mapping[str, int] = {name: 2 if name in ("max", "min") else 1 for name in FUNCTIONS}
"""How many operands each takes."""


@lru_cache(maxsize=256)
def power(exponent: float) -> Rule:
    """Return the rule of ``a ** n`` for a plain number n."""
    n: float = int(exponent) if exponent == int(exponent) else exponent
    text = as_text(n)
    special: Mapping[float, str] = {0: "0.0", 1: "1", 2: "2 * {a}"}
    lower = special.get(n, f"{text} * {{a}} ** {as_text(n - 1)}")
    return Rule(
        lambda a, b: a**n,
        (lambda a, b, y: n * a ** (n - 1) if n else 0.0,),
        f"{{a}} ** {text}",
        ("{d}" if n == 1 else f"{{d}} * {lower}",),
        (lower,),
    )


@lru_cache(maxsize=256)
def exponential(base: float) -> Rule:
    """Return the rule of ``a ** b`` for a plain number a that is not 0."""
    return (
        RULES["**"]
        if base == 0
        else Rule(
            lambda a, b: a**b,
            (lambda a, b, y: 0.0, lambda a, b, y: y * np.log(a)),
            "{a} ** {b}",
            ("", "{d} * {y} * log({a})"),
            ("", "{y} * log({a})"),
        )
    )


def as_text(operand: str | float) -> str:
    """Write an operand as Python does; a negative number in brackets."""
    if isinstance(operand, str):
        return operand
    text = str(int(operand)) if operand == int(operand) and abs(operand) < 1e15 else repr(float(operand))
    return f"({text})" if operand < 0 else text


def _won(mine: Number, other: Number, lost: bool | np.bool_) -> float:
    return 0.5 if mine == other else 0.0 if lost else 1.0
