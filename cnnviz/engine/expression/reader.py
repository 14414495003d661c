"""What is typed, read into a graph: checked against a short list of what there may be, and never run."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NoReturn

import numpy as np

from cnnviz.engine.expression.graph import RESULT, Graph, Node, edges_of
from cnnviz.engine.expression.rules import FUNCTIONS
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

LONGEST = 200
DEEPEST = 12
MOST_NODES = 20
LARGEST_POWER = 20
LONGEST_NAME = 8


def syntax_of(text: str) -> ast.expr:
    """Return the syntax tree of an expression that was read before, or of one of a graph's own texts."""
    return ast.parse(text.translate(_TYPED).strip(), mode="eval").body


@lru_cache(maxsize=256)
def read_expression(text: str) -> Graph:
    """Read an expression such as ``(x + y) * z`` into a graph.

    Raises
    ------
    CnnvizError
        If there is anything in it but numbers, names, ``+ - * / **``, brackets and the functions of
        `FUNCTIONS`; the sentence says at which character, and what is allowed.
    """
    return _Reader(text).read()


# What keyboards and books have for Python's signs; one character each, so that places stay right.
_TYPED = str.maketrans("−·×∗÷", "-***/")

_OPERATORS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

# The names of nodes, in order. Without those that are taken for numbers, constants or counters.
_LETTERS = "qrstuvpmnghkabcwxyz"


class _Reader:
    """Turns one text into a graph, or refuses it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.blanks = len(text) - len(text.lstrip())
        self.inputs: list[str] = []
        self.operations: dict[tuple[str, tuple[str | float, ...], int], str] = {}

    def read(self) -> Graph:
        self._check_letters()
        body = self._parse()
        names = list(_names(body))
        self.inputs = list(dict.fromkeys(node.id for node in names))
        for node in names:
            self._check_name(node)
        last = self._operand(body, 1)
        if not self.operations or not isinstance(last, str):
            self._refuse(body, tr("there must be an operation on at least one name"))
        return self._graph()

    def _check_letters(self) -> None:
        if not self.text.strip():
            raise CnnvizError(tr("The expression is empty; type one such as (x + y) * z."))
        if len(self.text) > LONGEST:
            self._refuse_at(LONGEST, tr("an expression has at most {most} characters", most=LONGEST))
        opened: list[int] = []
        for k, letter in enumerate(self.text):
            if not letter.isprintable() or letter in "#\\\"'":
                self._refuse_at(k, tr("{letter} has no meaning here", letter=repr(letter)))
            if letter == "(":
                opened.append(k)
            elif letter == ")" and not opened:
                self._refuse_at(k, tr("this bracket closes none"))
            elif letter == ")":
                opened.pop()
        if opened:
            self._refuse_at(opened[-1], tr("this bracket is never closed"))

    def _parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # With the line ended, Python says that it is the end that came too soon.
                return ast.parse(self.text.translate(_TYPED).strip() + "\n", mode="eval").body
        except SyntaxError as error:
            at, end = self.blanks + max((error.offset or 1) - 1, 0), len(self.text.rstrip())
            if at >= end:
                self._refuse_at(end, tr("something is missing at the end"))
            self._refuse_at(at, tr("{part} is not understood here", part=_quoted(self.text[at:])))
        except (ValueError, RecursionError, MemoryError, OverflowError):
            self._refuse_at(0, tr("this cannot be read"))

    def _operand(self, node: ast.expr, depth: int) -> str | float:
        """Return the name of the node that computes a part of the expression, or the part's number."""
        if depth > DEEPEST:
            self._refuse(node, tr("operations are nested at most {most} deep", most=DEEPEST))
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Constant):
            return self._number(node)
        sign, parts, exponent = self._operation(node)
        operands = tuple(self._operand(part, depth + 1) for part in parts)
        if not any(isinstance(operand, str) for operand in operands):
            return self._folded(node, sign, operands, exponent)
        name = self.operations.setdefault((sign, operands, exponent), f"#{len(self.operations)}")
        numbers = sum(not isinstance(o, str) for _, operands, _ in self.operations for o in operands)
        if len(self.inputs) + len(self.operations) + numbers > MOST_NODES:
            self._refuse(node, tr("a graph has at most {most} nodes", most=MOST_NODES))
        return name

    def _number(self, node: ast.Constant) -> float:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._refuse(node, tr("{part} is not a real number", part=_quoted(self._source_of(node))))
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self._refuse(node, tr("this number is too large"))
        return value

    def _operation(self, node: ast.expr) -> tuple[str, list[ast.expr], int]:
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Pow):
                return "**", [node.left], self._exponent(node.right)
            if type(node.op) in _OPERATORS:
                return _OPERATORS[type(node.op)], [node.left, node.right], 0
            self._refuse_operator(node.left)
        if isinstance(node, ast.Attribute | ast.Subscript):
            self._refuse_operator(node.value)
        if isinstance(node, ast.Compare):
            self._refuse_operator(node.left)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return "neg", [node.operand], 0
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in FUNCTIONS:
                self._refuse(node.func, tr("there is no function {name}", name=node.func.id))
            if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
                self._refuse(node, tr("{name} takes one operand", name=node.func.id))
            return node.func.id, node.args, 0
        return self._refuse(node, tr("{part} is not allowed", part=_quoted(self._source_of(node))))

    def _exponent(self, node: ast.expr) -> int:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        value = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, int) or value > LARGEST_POWER:
            self._refuse(node, tr("an exponent is a whole number from −{most} to {most}", most=LARGEST_POWER))
        return -value if negative else value

    def _folded(self, node: ast.expr, sign: str, operands: Sequence[str | float], exponent: int) -> float:
        """Return the number that an operation on plain numbers makes."""
        with np.errstate(all="ignore"):
            made = Node("", sign, tuple(operands), exponent)
            value = float(made.rule.value(*made.arguments({})))
        if not math.isfinite(value):
            self._refuse(node, tr("{part} is no finite number", part=_quoted(self._source_of(node))))
        return value

    def _graph(self) -> Graph:
        """Name the nodes, and find the ways back."""
        taken = {*self.inputs, *FUNCTIONS, RESULT, "d", *(f"d{name}" for name in self.inputs)}
        taken |= {name[1:] for name in self.inputs if name.startswith("d")}
        free = (
            name
            for round in range(99)
            for letter in _LETTERS
            if (name := letter + str(round or "")) not in taken
        )
        names = dict(zip(self.operations.values(), free, strict=False))
        names[list(names)[-1]] = RESULT
        nodes = tuple(
            Node(
                names[key],
                sign,
                tuple(names.get(o, o) if isinstance(o, str) else o for o in operands),
                exponent,
            )
            for (sign, operands, exponent), key in self.operations.items()
        )
        return Graph(self.text.strip(), tuple(self.inputs), nodes, tuple(edges_of(nodes)))

    # --------------------------------------------------------------------------------------- refusing

    def _check_name(self, node: ast.Name) -> None:
        name = node.id
        if name == RESULT:
            self._refuse(node, tr("{name} is what the result is called", name=name))
        if name in FUNCTIONS:
            self._refuse(node, tr("{name} is a function: write {name}(…)", name=name))
        if len(name) > LONGEST_NAME:
            self._refuse(node, tr("a name has at most {most} letters", most=LONGEST_NAME))
        if name.startswith("_"):
            self._refuse(node, tr("a name begins with a letter"))
        if name.startswith("d") and name[1:] in (*self.inputs, RESULT):
            self._refuse(node, tr("{name} is what the gradient of {of} is called", name=name, of=name[1:]))

    def _at(self, node: ast.expr, end: bool = False) -> int:
        """Return at which character a part begins, or has ended; Python counts bytes."""
        count = (node.end_col_offset or 0) if end else node.col_offset
        return self.blanks + len(self.text.translate(_TYPED).strip().encode()[:count].decode())

    def _source_of(self, node: ast.expr) -> str:
        return self.text[self._at(node) : self._at(node, end=True)]

    def _refuse_operator(self, left: ast.expr) -> NoReturn:
        """Refuse what stands behind a part."""
        at = self._at(left, end=True)
        at += len(self.text[at:]) - len(self.text[at:].lstrip(" )"))
        sign = re.match(r"\w+|\W*", self.text[at:])
        assert sign is not None
        self._refuse_at(at, tr("{part} is not allowed", part=_quoted(sign[0].strip(" ("))))

    def _refuse(self, node: ast.expr, reason: str) -> NoReturn:
        self._refuse_at(self._at(node), reason)

    def _refuse_at(self, at: int, reason: str) -> NoReturn:
        raise CnnvizError(
            tr(
                "Character {place}: {reason}; an expression has numbers, names, + − * / ** and brackets, "
                "and {functions}.",
                place=at + 1,
                reason=reason,
                functions=", ".join(FUNCTIONS),
            )
        )


def _names(node: ast.AST) -> Iterator[ast.Name]:
    """Yield the names that stand for values, from left to right."""
    if isinstance(node, ast.Name):
        yield node
    children = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    for child in children:
        yield from _names(child)


def _quoted(text: str) -> str:
    text = text.strip()
    return f"“{text}”" if len(text) <= 16 else f"“{text[:15]}…”"


# ------------------------------------------------------------------------------------- with its values

_VALUES = re.compile(r"(?:^|[\s,;])([^\W\d]\w*)\s*=(?!=)")


def is_expression(text: str) -> bool:
    """Return whether a text is meant as an expression: ``f = …``."""
    return re.match(rf"\s*{RESULT}\s*=(?!=)", text) is not None


def read_typed(text: str) -> tuple[Graph, dict[str, float]]:
    """Read an expression with values behind it: ``(x + y) * z   x=-2 y=5 z=-4``.

    Returns
    -------
    (Graph, dict[str, float])
        The values are those that were typed; whether they are the ones needed, `Graph.faults` says.

    Raises
    ------
    CnnvizError
        If either is not understood, or a name has two values.
    """
    begin = re.match(rf"\s*{RESULT}\s*=(?!=)", text)
    start = begin.end() if begin else 0
    found = _VALUES.search(text, start)
    expression = text[start : found.start(1) if found else len(text)].rstrip(" ,;\t")
    # Blanks in place of what was taken off, so that places stay right.
    graph = read_expression(" " * start + expression if expression.strip() else "")
    values: dict[str, float] = {}
    rest = text[found.start(1) :] if found else ""
    for part in re.split(r"[\s,;]+", re.sub(r"\s*=\s*", "=", rest).strip(" ,;\t")) if rest else ():
        name, _, number = part.partition("=")
        if name in values:
            raise CnnvizError(tr("{name} has two values; write one of them only.", name=name))
        try:
            values[name] = float(number.translate(_TYPED))
        except ValueError as error:
            raise CnnvizError(
                tr("{part} is not understood; write values as in x=-2 y=5.", part=_quoted(part))
            ) from error
    return graph, values
