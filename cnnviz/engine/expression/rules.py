"""What a node of a graph can compute: its value and its derivatives, as maths and as Python writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from msgspec import Struct

# NumPy's own numbers divide by zero, and overflow, to what can be shown; Python's stop the program.
Number = np.float64


def relu(x: Number) -> Number:
    """Return x, or 0 where it is negative."""
    return np.float64(np.maximum(x, 0.0))


def sigmoid(x: Number) -> Number:
    """Return 1 / (1 + e⁻ˣ)."""
    return np.float64(1 / (1 + np.exp(-x)))


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
}

FUNCTIONS = ("sigmoid", "relu", "tanh", "exp", "log")


@lru_cache(maxsize=64)
def power(n: int) -> Rule:
    """Return the rule of ``a ** n``."""
    text = as_text(n)
    lower = {0: "0.0", 1: "1", 2: "2 * {a}"}.get(n, f"{text} * {{a}} ** {as_text(n - 1)}")
    return Rule(
        lambda a, b: a**n,
        (lambda a, b, y: n * a ** (n - 1) if n else 0.0,),
        f"{{a}} ** {text}",
        ("{d}" if n == 1 else f"{{d}} * {lower}",),
        (lower,),
    )


def as_text(operand: str | float) -> str:
    """Write an operand as Python does; a negative number in brackets."""
    if isinstance(operand, str):
        return operand
    text = str(int(operand)) if operand == int(operand) and abs(operand) < 1e15 else repr(float(operand))
    return f"({text})" if operand < 0 else text
