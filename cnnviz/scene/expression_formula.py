"""An expression as formulas: itself as in a book, and for each step back the local derivative."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache

from cnnviz.engine.derivative import as_line
from cnnviz.engine.expression import RESULT, Edge, Graph, read_expression, syntax_of
from cnnviz.engine.layer import Call
from cnnviz.scene.outline import EM, typeset

# A sum that is wider than this, in text sizes, goes over two lines.
_WIDEST = 20

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi"
    "|chi|psi|omega"
)
_POWER_OF_TEN = r" \cdot 10^"
_SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot"}
# How tightly parts of a formula hold together: what is looser than its surroundings goes in brackets.
_SUM, _PRODUCT, _FRACTION, _POWER, _ATOM = range(5)


def expression_formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return the formulas at a line of an expression's listing, marked as `cnnviz.scene.typesetting` says.

    The parts are the names of nodes: a part of the expression is coloured as the node that computes it.
    """
    graph = read_expression(call.expression)
    whole = _whole(graph)
    if call.phase == "forward":
        return whole
    edge = next((edge for edge in graph.edges if edge.line == line), None)
    last = rf"\part{{d{RESULT}}}{{\frac{{\partial {RESULT}}}{{\partial {RESULT}}}}} = 1"
    return *whole, _step_back(edge) if edge else last


@lru_cache(maxsize=64)
def _whole(graph: Graph) -> tuple[str, ...]:
    """Return f = … on one line, or on two if it is a long sum."""
    body = syntax_of(graph.text)
    names = _names(graph, body)
    one = f"{RESULT} = {_written(body, names)}"
    if typeset(_marked(one)).width <= _WIDEST * EM:
        return (_marked(one),)
    sums = _sums(body)
    broken = (_broken(sums, k, names) for k in range(1, len(sums)))
    return min(broken, key=lambda lines: max(map(_length, lines)), default=(_marked(one),))


@lru_cache(maxsize=64)
def curve_formulas(loss: str) -> tuple[str, ...]:
    """Return a loss E in its one name w, and the derivative of it, as formulas."""
    lines = (_sign_first(syntax_of(line)) for line in as_line(loss, "w", "w"))
    loss_text, slope = (_written(tree, _own_names(tree)) for tree in lines)
    return rf"\part{{E}}{{E}} = {loss_text}", rf"\part{{dw}}{{\frac{{\partial E}}{{\partial w}}}} = {slope}"


def _sign_first(tree: ast.expr) -> ast.expr:
    """Return a product whose first number is negative as minus a product, which needs no brackets."""
    if not isinstance(tree, ast.BinOp):
        return tree
    left, right = _sign_first(tree.left), _sign_first(tree.right)
    if isinstance(tree.op, ast.Mult | ast.Div) and isinstance(left, ast.UnaryOp):
        return ast.UnaryOp(left.op, ast.BinOp(left.operand, tree.op, right))
    return ast.BinOp(left, tree.op, right)


def _own_names(tree: ast.expr) -> dict[ast.expr, str]:
    return {node: node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _length(formula: str) -> int:
    """Return about how long a formula is; typesetting all that it could be would take too long."""
    return len(re.sub(r"\\part\{\w+\}|\\\w+|[{} ]", "", formula))


def _marked(formula: str) -> str:
    """Mark the result itself, too."""
    return formula.replace(f"{RESULT} =", f"{_part(RESULT, RESULT)} =", 1)


def _sums(node: ast.expr) -> list[ast.expr]:
    """Return the sums that begin a sum, the shortest first: of a + b + c, those of a; a + b; a + b + c."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return [*_sums(node.left), node]
    return [node]


def _broken(sums: list[ast.expr], at: int, names: Mapping[ast.expr, str]) -> tuple[str, ...]:
    """Return a sum on two lines, the second of which begins with the sign of one of its terms."""
    first, second = _written(sums[at - 1], names), ""
    for node in sums[at:]:
        assert isinstance(node, ast.BinOp)
        first = _part(names.get(node), first)
        second = _part(
            names.get(node), f"{second} {_SIGNS[type(node.op)]} {_in(node.right, names, _PRODUCT)}"
        )
    return _marked(f"{RESULT} = {first}"), second


def _step_back(edge: Edge) -> str:
    """Return the chain rule at one edge: ∂f/∂x = ∂f/∂q · ∂q/∂x = ∂f/∂q · z."""
    node, operand = _letters(edge.node), _letters(edge.operand)
    local_text = syntax_of(edge.local)
    local = _in(local_text, _own_names(local_text), _PRODUCT)
    back = _part(f"d{edge.operand}", rf"\frac{{\partial {RESULT}}}{{\partial {operand}}}")
    sign = r"\add" if edge.adds else "="
    if edge.node == RESULT:
        return f"{back} {sign} {local}"
    come = _part(f"d{edge.node}", rf"\frac{{\partial {RESULT}}}{{\partial {node}}}")
    return (
        rf"{back} {sign} {come} \cdot \frac{{\partial {node}}}{{\partial {operand}}} = {come} \cdot {local}"
    )


def _names(graph: Graph, body: ast.expr) -> dict[ast.expr, str]:
    """Return which node of the graph each part of the expression is."""
    found: dict[ast.expr, str] = {}

    def walk(part: ast.expr, name: str | float) -> None:
        if not isinstance(name, str):
            return  # plain numbers are no nodes
        found[part] = name
        node = graph.node(name)
        if node is not None:
            for inner, operand in zip(_operands(part), node.operands, strict=True):
                walk(inner, operand)

    walk(body, RESULT)
    return found


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left] if isinstance(node.op, ast.Pow) else [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    return node.args if isinstance(node, ast.Call) else []


def _part(name: str | None, text: str) -> str:
    return rf"\part{{{name}}}{{{text}}}" if name else text


def _in(node: ast.expr, names: Mapping[ast.expr, str], least: int) -> str:
    """Write a part, in brackets if it does not hold together as tightly as it must; they belong to it."""
    if _tightness(node) >= least:
        return _written(node, names)
    return _part(names.get(node), _bracketed(_bare(node, names)))


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)" if r"\frac" in text else f"({text})"


def _tightness(node: ast.expr) -> int:
    if isinstance(node, ast.UnaryOp):
        return _SUM
    if isinstance(node, ast.BinOp):
        kinds = {ast.Add: _SUM, ast.Sub: _SUM, ast.Mult: _PRODUCT, ast.Div: _FRACTION, ast.Pow: _POWER}
        return kinds[type(node.op)]
    if isinstance(node, ast.Constant) and _POWER_OF_TEN in _number(node.value):
        return _PRODUCT
    return _POWER if isinstance(node, ast.Call) else _ATOM


def _written(node: ast.expr, names: Mapping[ast.expr, str]) -> str:
    """Write a part of an expression in LaTeX, marked by the node that it is."""
    return _part(names.get(node), _bare(node, names))


def _bare(node: ast.expr, names: Mapping[ast.expr, str]) -> str:
    if isinstance(node, ast.Name):
        return _letters(node.id)
    if isinstance(node, ast.UnaryOp):
        return f"-{_in(node.operand, names, _PRODUCT)}"
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _called(node.func.id, _written(node.args[0], names))
    if isinstance(node, ast.IfExp):  # the slope of ReLU
        assert isinstance(node.test, ast.Compare)
        then, other, of = (_written(part, names) for part in (node.body, node.orelse, node.test.left))
        return rf"\begin{{cases}} {then} & {of} > 0 \\ {other} & {of} \le 0 \end{{cases}}"
    if isinstance(node, ast.BinOp):
        return _operation(node, names)
    assert isinstance(node, ast.Constant)
    return _number(node.value)


def _operation(node: ast.BinOp, names: Mapping[ast.expr, str]) -> str:
    if isinstance(node.op, ast.Div):
        return rf"\frac{{{_written(node.left, names)}}}{{{_written(node.right, names)}}}"
    if isinstance(node.op, ast.Pow):
        return f"{_in(node.left, names, _ATOM)}^{{{_written(node.right, names)}}}"
    own = _tightness(node)
    # A sum on the right side keeps its brackets, which say what is computed first.
    left, right = _in(node.left, names, own), _in(node.right, names, own + 1)
    return f"{left} {_SIGNS[type(node.op)]} {right}"


def _called(name: str, operand: str) -> str:
    if name == "exp":
        return f"e^{{{operand}}}"
    written = {"sigmoid": r"\sigma", "relu": r"\mathrm{ReLU}"}.get(name, rf"\mathrm{{{name}}}")
    return written + _bracketed(operand)


def _letters(name: str) -> str:
    """Write a name: w1 with a subscript, alpha as the Greek letter, longer ones upright."""
    found = re.fullmatch(r"([^\W\d_]+)_?(\d*)", name)
    if found is None:
        return rf"\mathrm{{{name.replace('_', ' ')}}}"
    word, number = found.groups()
    letter = f"\\{word}" if re.fullmatch(_GREEK, word) else word if len(word) == 1 else rf"\mathrm{{{word}}}"
    return f"{letter}_{{{number}}}" if number else letter


def _number(value: object) -> str:
    assert isinstance(value, int | float)
    text = str(value) if isinstance(value, int) else f"{value:.6g}"
    mantissa, _, power = text.partition("e")
    return f"{mantissa}{_POWER_OF_TEN}{{{int(power)}}}" if power else mantissa
