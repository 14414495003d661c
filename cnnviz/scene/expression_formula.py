"""An expression as formulas: itself as in a book, and for each step back the local derivative."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache

from cnnviz.engine.address import gradient_name
from cnnviz.engine.derivative import as_line
from cnnviz.engine.expression import Edge, Graph, read_expression, syntax_of
from cnnviz.engine.layer import Call
from cnnviz.scene.conditions import cases, sign
from cnnviz.scene.formulas import typeset
from cnnviz.scene.letters import GREEK
from cnnviz.scene.outline import EM

# A line of more characters cannot be read.
_LONGEST = 64
# A sum that is wider than this, in text sizes, goes over two lines.
_WIDEST = 20

_POWER_OF_TEN = r" \cdot 10^"
_COMPARED = {">": ">", "<": "<", "=": "=", "≥": r"\ge", "≤": r"\le", "≠": r"\ne"}
_SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot"}
# How tightly parts of a formula hold together: what is looser than its surroundings goes in brackets.
_SUM, _PRODUCT, _FRACTION, _POWER, _ATOM = range(5)


def expression_formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return the formulas at a line of an expression's listing, marked as `cnnviz.scene.typesetting` says.

    The parts are the names of nodes: a part of the expression is coloured as the node that computes it.
    """
    graph = read_expression(call.expression)
    if call.phase == "forward":
        return _whole(graph, _node_at(graph, line))
    edge = next((edge for edge in graph.edges if edge.line == line), None)
    if edge is None:
        back = _back(graph.result, graph.result)
        return *_whole(graph, graph.result), rf"{back} = 1"
    return *_whole(graph, edge.node), _step_back(edge, graph.result)


def _node_at(graph: Graph, line: int) -> str:
    """Return the node that a line of the forward listing computes; of the first, the largest."""
    if line > 1:
        return graph.nodes[line - 2].name
    return max(graph.statements, key=lambda part: ("/" in part.text, len(part.text))).name


@lru_cache(maxsize=512)
def _whole(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the statement that a node belongs to on one line, or on two if it is a long sum.

    Of one that is longer than can be read, it is the node alone.
    """
    part = graph.statement(name)
    body = syntax_of(part.text)
    names = _names(graph, body, part.name)
    one = f"{latex_name(part.name)} = {_written(body, names)}"
    if _length(one) > 2 * _LONGEST:
        return _alone(graph, name)
    if typeset(_marked(one, part.name)).width <= _WIDEST * EM:
        return (_marked(one, part.name),)
    sums = _sums(body)
    broken = (_broken(sums, k, names, part.name) for k in range(1, len(sums)))
    lines = min(broken, key=lambda lines: max(map(_length, lines)), default=(_marked(one, part.name),))
    return lines if max(map(_length, lines)) <= _LONGEST else _alone(graph, name)


def _alone(graph: Graph, name: str) -> tuple[str, ...]:
    """Return what one node computes of the nodes before it."""
    node = graph.node(name)
    assert node is not None
    body = syntax_of(node.fill(node.rule.forward))
    return (_marked(f"{latex_name(name)} = {_written(body, _own_names(body))}", name),)


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


def _marked(formula: str, name: str) -> str:
    """Mark what is computed itself, too."""
    return formula.replace(f"{latex_name(name)} =", f"{_part(name, latex_name(name))} =", 1)


def _sums(node: ast.expr) -> list[ast.expr]:
    """Return the sums that begin a sum, the shortest first: of a + b + c, those of a; a + b; a + b + c."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return [*_sums(node.left), node]
    return [node]


def _broken(sums: list[ast.expr], at: int, names: Mapping[ast.expr, str], name: str) -> tuple[str, ...]:
    """Return a sum on two lines, the second of which begins with the sign of one of its terms."""
    first, second = _written(sums[at - 1], names), ""
    for node in sums[at:]:
        assert isinstance(node, ast.BinOp)
        first = _part(names.get(node), first)
        second = _part(
            names.get(node), f"{second} {_SIGNS[type(node.op)]} {_in(node.right, names, _PRODUCT)}"
        )
    return _marked(f"{latex_name(name)} = {first}", name), second


def _back(result: str, name: str) -> str:
    """Return the gradient of a result by a node."""
    return _part(
        gradient_name(name), rf"\frac{{\partial {latex_name(result)}}}{{\partial {latex_name(name)}}}"
    )


def _step_back(edge: Edge, result: str) -> str:
    """Return the chain rule at one edge: ∂f/∂x = ∂f/∂q · ∂q/∂x = ∂f/∂q · z."""
    node, operand = latex_name(edge.node), latex_name(edge.operand)
    local_text = syntax_of(edge.local)
    local = _in(local_text, _own_names(local_text), _PRODUCT)
    back, sign = _back(result, edge.operand), r"\add" if edge.adds else "="
    if edge.node == result:
        return f"{back} {sign} {local}"
    come = _back(result, edge.node)
    return (
        rf"{back} {sign} {come} \cdot \frac{{\partial {node}}}{{\partial {operand}}} = {come} \cdot {local}"
    )


def _names(graph: Graph, body: ast.expr, whole: str) -> dict[ast.expr, str]:
    """Return which node of the graph each part of a statement is."""
    found: dict[ast.expr, str] = {}

    def walk(part: ast.expr, name: str | float) -> None:
        if not isinstance(name, str):
            return  # plain numbers are no nodes
        found[part] = name
        node = graph.node(name)
        if node is not None and not isinstance(part, ast.Name):
            for inner, operand in zip(_operands(part), node.operands, strict=True):
                walk(inner, operand)

    walk(body, whole)
    return found


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
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
        kinds = {ast.Add: _SUM, ast.Sub: _SUM, ast.Mult: _PRODUCT, ast.Div: _FRACTION}
        kinds |= {ast.FloorDiv: _ATOM, ast.Pow: _POWER}
        return kinds[type(node.op)]
    if isinstance(node, ast.Constant) and _POWER_OF_TEN in _number(node.value):
        return _PRODUCT
    return _POWER if isinstance(node, ast.Call) else _ATOM


def _written(node: ast.expr, names: Mapping[ast.expr, str]) -> str:
    """Write a part of an expression in LaTeX, marked by the node that it is."""
    return _part(names.get(node), _bare(node, names))


def _bare(node: ast.expr, names: Mapping[ast.expr, str]) -> str:
    if isinstance(node, Written):
        return node.id
    if isinstance(node, ast.Name):
        return latex_name(node.id)
    if isinstance(node, ast.UnaryOp):
        return f"-{_in(node.operand, names, _PRODUCT)}"
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _called(node.func.id, [_written(part, names) for part in node.args])
    if isinstance(node, ast.IfExp):  # the slope of ReLU
        rows = [f"{_written(value, names)} & {_condition(test, names)}" for value, test in cases(node)]
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"
    if isinstance(node, ast.BinOp):
        return _operation(node, names)
    assert isinstance(node, ast.Constant)
    return _number(node.value)


def _operation(node: ast.BinOp, names: Mapping[ast.expr, str]) -> str:
    if isinstance(node.op, ast.Div):
        return rf"\frac{{{_written(node.left, names)}}}{{{_written(node.right, names)}}}"
    if isinstance(node.op, ast.FloorDiv):
        quotient = _operation(ast.BinOp(node.left, ast.Div(), node.right), names)
        return rf"\left\lfloor {quotient} \right\rfloor"
    if isinstance(node.op, ast.Pow):
        return f"{_in(node.left, names, _ATOM)}^{{{_written(node.right, names)}}}"
    own = _tightness(node)
    # A sum on the right side keeps its brackets, which say what is computed first.
    left, right = _in(node.left, names, own), _in(node.right, names, own + 1)
    return f"{left} {_SIGNS[type(node.op)]} {right}"


def _condition(test: ast.expr | None, names: Mapping[ast.expr, str]) -> str:
    if test is None:
        return r"\mathrm{otherwise}"
    if isinstance(test, ast.BoolOp):
        return ", ".join(_condition(part, names) for part in test.values)
    assert isinstance(test, ast.Compare)
    return f"{_written(test.left, names)} {_COMPARED[sign(test)]} {_written(test.comparators[0], names)}"


def _called(name: str, operands: list[str]) -> str:
    if name == "exp":
        return f"e^{{{operands[0]}}}"
    if name == "sqrt":
        return rf"\sqrt{{{operands[0]}}}"
    if name == "abs":
        return rf"\left|{operands[0]}\right|"
    written = {"sigmoid": r"\sigma", "relu": r"\mathrm{ReLU}"}.get(name, rf"\mathrm{{{name}}}")
    return written + _bracketed(", ".join(operands))


class Written(ast.Name):
    """A part of an expression that is LaTeX already."""


def as_latex(node: ast.expr, tight: bool = False) -> str:
    """Write an expression in LaTeX; if it must hold together tightly, a sum in brackets."""
    return _in(node, {}, _PRODUCT if tight else _SUM)


def latex_name(name: str) -> str:
    """Write a name: w1 with a subscript, alpha as the Greek letter, longer ones upright."""
    found = re.fullmatch(r"([^\W\d_]+)_?(\d*)", name)
    if found is None:
        return rf"\mathrm{{{name.replace('_', ' ')}}}"
    word, number = found.groups()
    letter = f"\\{word}" if word in GREEK else word if len(word) == 1 else rf"\mathrm{{{word}}}"
    return f"{letter}_{{{number}}}" if number else letter


def _number(value: object) -> str:
    assert isinstance(value, int | float)
    text = str(value) if isinstance(value, int) else f"{value:.6g}"
    mantissa, _, power = text.partition("e")
    return f"{mantissa}{_POWER_OF_TEN}{{{int(power)}}}" if power else mantissa
