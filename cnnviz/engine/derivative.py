"""The derivative of an expression in one name, as Python would write it by hand.

By the chain rule, d node = Σ ∂node/∂operand · d operand, with the local derivatives that each operation's
rule says; then what can be reckoned or left out is: 1 · x, 0 + x, 2 · 3, x + x.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache

from cnnviz.engine.expression import Graph, read_expression

Trees = Mapping[str, ast.expr]

_SHORT = 5
"""Of a quotient of plain numbers, the characters that it may have to be written as one: 0.1, but 1 / 3."""


@lru_cache(maxsize=64)
def as_line(expression: str, name: str, place: str) -> tuple[str, str]:
    """Return an expression and its derivative as the right-hand sides of two lines of a listing.

    Parameters
    ----------
    expression : str
        As `read_expression` takes it.
    name : str
        What it is derived by, its only name.
    place : str
        What to write in place of the name: ``w[s, t]``.
    """
    graph = read_expression(expression)
    trees: dict[str, ast.expr] = {name: _parsed(place)}
    slopes: dict[str, ast.expr] = {name: _number(1)}
    for node in graph.nodes:
        trees[node.name] = _put_in(node.fill(node.rule.forward), trees)
        slopes[node.name] = simplified(_slope(graph, node.name, trees, slopes))
    return _written(trees[graph.nodes[-1].name]), _written(slopes[graph.nodes[-1].name])


def _slope(graph: Graph, name: str, trees: Trees, slopes: Trees) -> ast.expr:
    """Return the sum over a node's operands of local derivative times the operand's own."""
    whole: ast.expr | None = None
    for edge in graph.edges:
        if edge.node == name:
            part = ast.BinOp(_put_in(edge.local, trees), ast.Mult(), slopes[edge.operand])
            whole = part if whole is None else ast.BinOp(whole, ast.Add(), part)
    assert whole is not None  # an operation on plain numbers alone is no node
    return whole


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _put_in(text: str, trees: Trees) -> ast.expr:
    """Read a text, and put the trees of nodes in place of their names."""

    class PutIn(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return trees.get(node.id, node)

        def visit_Call(self, node: ast.Call) -> ast.Call:
            return ast.Call(node.func, [self.visit(part) for part in node.args], [])

    made = PutIn().visit(_parsed(text))
    assert isinstance(made, ast.expr)
    return made


def _written(tree: ast.expr) -> str:
    return re.sub(r"\*\* -(\d+)", r"** (-\1)", ast.unparse(tree))


# ---------------------------------------------------------------------------------------- made simpler


def simplified(tree: ast.expr) -> ast.expr:
    """Return a tree with plain numbers reckoned and what changes nothing left out."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return _times(_number(-1), simplified(tree.operand))
    if not isinstance(tree, ast.BinOp):
        return tree
    left, right = simplified(tree.left), simplified(tree.right)
    if isinstance(tree.op, ast.Add):
        return _plus(left, right)
    if isinstance(tree.op, ast.Sub):
        return _plus(left, _times(_number(-1), right), right)
    if isinstance(tree.op, ast.Mult):
        return _times(left, right)
    if isinstance(tree.op, ast.Div):
        return _over(left, right)
    return left if _value(right) == 1 else ast.BinOp(left, tree.op, right)


def _plus(left: ast.expr, right: ast.expr, taken_off: ast.expr | None = None) -> ast.expr:
    """Return a sum; of a difference, `right` is minus what is taken off."""
    a, b = _value(left), _value(right)
    if a is not None and b is not None:
        return _number(a + b)
    if a == 0 or b == 0:
        return right if a == 0 else left
    (c, one), (d, other) = _factored(left), _factored(right)
    if ast.dump(one) == ast.dump(other):
        return _times(_number(c + d), one)
    if d < 0 or (b is not None and b < 0):
        return ast.BinOp(left, ast.Sub(), taken_off or _times(_number(-1), right))
    return ast.BinOp(left, ast.Add(), right)


def _times(left: ast.expr, right: ast.expr) -> ast.expr:
    """Return a product with its plain number in front, and with one fraction line if there are any."""
    (c, one), (d, other) = _factored(left), _factored(right)
    if c * d == 0:
        return _number(0)
    for part, factor in ((one, other), (other, one)):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
            return _over(_times(_scaled(c * d, factor), part.left), part.right)
    both = [part for part in (one, other) if _value(part) is None]
    if not both:
        return _number(c * d)
    return _scaled(c * d, both[0] if len(both) == 1 else ast.BinOp(both[0], ast.Mult(), both[1]))


def _over(left: ast.expr, right: ast.expr) -> ast.expr:
    """Return a quotient with its plain numbers reckoned, as far as that makes them no longer."""
    (c, one), divisor = _factored(left), _value(right)
    if c == 0:
        return _number(0)
    if divisor:
        if (c / divisor).is_integer() or (_value(one) and len(repr(c / divisor)) <= _SHORT):
            return _scaled(c / divisor, one)
        if (divisor / c).is_integer():
            left, right = one, _number(divisor / c)
    return ast.BinOp(left, ast.Div(), right)


def _scaled(number: float, tree: ast.expr) -> ast.expr:
    """Return a number times a tree: into a sign or in front of the first factor."""
    if _value(tree) is not None:
        return _number(number * float(_value(tree) or 0))
    if number == 1:
        return tree
    if isinstance(tree, ast.BinOp) and isinstance(
        tree.op, ast.Mult | ast.Div
    ):  # (2 * a) * b needs no brackets
        return ast.BinOp(_scaled(number, tree.left), tree.op, tree.right)
    if number == -1:
        return ast.UnaryOp(ast.USub(), tree)
    return ast.BinOp(_number(number), ast.Mult(), tree)


def _factored(tree: ast.expr) -> tuple[float, ast.expr]:
    """Return the plain number in front of a product, and the rest of it; of a number, itself and 1."""
    value = _value(tree)
    if value is not None:
        return value, _number(1)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        number, rest = _factored(tree.operand)
        return -number, rest
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
        number, rest = _factored(tree.left)
        return number, tree.right if _value(rest) == 1 else ast.BinOp(rest, ast.Mult(), tree.right)
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
        number, rest = _factored(tree.left)
        return number, ast.BinOp(rest, ast.Div(), tree.right)
    return 1.0, tree


def _value(tree: ast.expr) -> float | None:
    """Return the number that a tree is, if it is one."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        inner = _value(tree.operand)
        return None if inner is None else -inner
    return float(tree.value) if isinstance(tree, ast.Constant) else None  # type: ignore[arg-type]


def _number(value: float) -> ast.expr:
    """Return a number as a tree: 0.3, where 0.1 * 3 is a little more; a negative one with its sign."""
    if value < 0:
        return ast.UnaryOp(ast.USub(), _number(-value))
    rounded = float(f"{value:.15g}")
    return ast.Constant(int(rounded) if rounded.is_integer() and rounded < 1e15 else rounded)
