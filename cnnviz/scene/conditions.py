"""The values of a conditional expression, each with the condition under which it counts."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import numpy as np

_SIGNS: Mapping[type[ast.cmpop], str] = {
    ast.Gt: ">",
    ast.Lt: "<",
    ast.Eq: "=",
    ast.GtE: "≥",
    ast.LtE: "≤",
    ast.NotEq: "≠",
}
# What a comparison holds for: where the left side is less, equal, more.
_HOLDS: Mapping[type[ast.cmpop], frozenset[int]] = {
    ast.Gt: frozenset({1}),
    ast.Lt: frozenset({-1}),
    ast.Eq: frozenset({0}),
    ast.GtE: frozenset({0, 1}),
    ast.LtE: frozenset({-1, 0}),
    ast.NotEq: frozenset({-1, 1}),
}


def cases(tree: ast.expr) -> list[tuple[ast.expr, ast.expr | None]]:
    """Return the values of a conditional expression, each with its condition; of the last, what is left.

    The last has none where one comparison cannot say what is left; a tree without conditions is one value.
    """
    found: list[tuple[ast.expr, ast.expr | None]] = []
    tests: list[ast.expr] = []
    while isinstance(tree, ast.IfExp):
        found.append((tree.body, tree.test))
        tests.append(tree.test)
        tree = tree.orelse
    return [*found, (tree, _left_by(tests))]


def taken(text: str, values: Mapping[str, float]) -> tuple[str, str]:
    """Return the value that a conditional expression has, as text, and why; without a condition no reason."""
    for value, test in cases(ast.parse(text, mode="eval").body):
        if test is None or _holds(test, values):
            return ast.unparse(value), written(test)
    return ast.unparse(value), ""  # what is no number compares with nothing


def written(test: ast.expr | None) -> str:
    """Write a condition as in a book: ``x ≤ 0``."""
    if isinstance(test, ast.BoolOp):
        return ", ".join(written(part) for part in test.values)
    if not isinstance(test, ast.Compare):
        return ""
    return f"{ast.unparse(test.left)} {_SIGNS[type(test.ops[0])]} {ast.unparse(test.comparators[0])}"


def sign(test: ast.Compare) -> str:
    """Return the sign of a comparison."""
    return _SIGNS[type(test.ops[0])]


def _left_by(tests: list[ast.expr]) -> ast.expr | None:
    """Return the comparison that holds where none of some of the same two things does."""
    first = tests[0] if tests else None
    if not isinstance(first, ast.Compare):
        return None
    left, right = first.left, first.comparators[0]
    rest = {-1, 0, 1}
    for test in tests:
        if not isinstance(test, ast.Compare):
            return None
        sides = [ast.dump(test.left), ast.dump(test.comparators[0])]
        if sorted(sides) != sorted([ast.dump(left), ast.dump(right)]):
            return None
        turn = 1 if sides[0] == ast.dump(left) else -1
        rest -= {turn * side for side in _HOLDS[type(test.ops[0])]}
    kind = next((kind for kind, holds in _HOLDS.items() if holds == rest), None)
    return None if kind is None else ast.Compare(left, [kind()], [right])


def _holds(test: ast.expr, values: Mapping[str, float]) -> bool:
    if isinstance(test, ast.BoolOp):
        return all(_holds(part, values) for part in test.values)
    assert isinstance(test, ast.Compare)
    a, b = (_number(part, values) for part in (test.left, test.comparators[0]))
    with np.errstate(invalid="ignore"):
        return next(
            (k in _HOLDS[type(test.ops[0])] for k, so in ((-1, a < b), (0, a == b), (1, a > b)) if so), False
        )


def _number(part: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(part, ast.UnaryOp):
        return -_number(part.operand, values)
    return float(values[part.id] if isinstance(part, ast.Name) else part.value)  # type: ignore[attr-defined]
