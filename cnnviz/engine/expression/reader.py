"""What is typed, read into a graph: checked against a short list of what there may be, and never run.

It is one expression, or statements one after the other, as in ``q = x + y; f = q * z``; statements that
give a name a plain number give values to what goes in. A name that is assigned again is a new one from there.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from keyword import iskeyword
from typing import NoReturn

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import differentiated, gradient_name
from cnnviz.engine.expression.graph import RESULT, Graph, Node, Statement, edges_of
from cnnviz.engine.expression.rules import OPERANDS
from cnnviz.engine.functions import FUNCTIONS
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

LONGEST = 4000
DEEPEST = 60
MOST_NODES = 200
LONGEST_NAME = 8

# What keyboards and books have for Python's signs; one character each, so that places stay right.
TYPED = str.maketrans("−·×∗÷", "-***/")

Refuse = Callable[[int, str], NoReturn]
"""Refuses a text: at which character, and why."""

_OPERATORS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_BY_SIGN: Mapping[str, type[ast.operator]] = {
    **{sign: kind for kind, sign in _OPERATORS.items()},
    "**": ast.Pow,
}

# The names of nodes, in order. Without those that are taken for numbers, constants or counters.
_LETTERS = "qrstuvpmnghkabcwxyz"

# Where a statement begins: behind a separator or a blank, a name with what assigns to it.
_TARGET = re.compile(r"(?<![^\s,;])([^\W\d]\w*)\s*(\*\*|[-+*/]|)=(?!=)")

Operands = tuple[str | float, ...]


def syntax_of(text: str) -> ast.expr:
    """Return the syntax tree of an expression that was read before, or of one of a graph's own texts."""
    return ast.parse(text.translate(TYPED).strip(), mode="eval").body


def is_expression(text: str) -> bool:
    """Return whether a text is meant as an expression and not as a file: ``f = …``."""
    return re.match(r"\s*[^\W\d]\w*\s*=(?!=)", text) is not None and not text.rstrip().endswith(".toml")


def read_expression(text: str) -> Graph:
    """Read an expression such as ``(x + y) * z`` into a graph.

    Raises
    ------
    CnnvizError
        If there is anything in it but numbers, names, ``+ - * / **``, brackets and the functions of
        `FUNCTIONS`; the sentence says at which character, and what is allowed.
    """
    return _read(text)[0]


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
    graph, values = _read(text)
    return graph, dict(values)


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[Graph, Mapping[str, float]]:
    reader = _Reader(text)
    return reader.read(), reader.values


class _Part(Struct, frozen=True):
    """A statement as it was typed.

    Attributes
    ----------
    target : str
        The name it assigns to.
    at : int
        Where it begins in the text.
    sign : str
        Of ``c += …``, the ``+``; else empty.
    start : int
        Where its right-hand side begins in the text.
    body : str
        Its right-hand side.
    tree : ast.expr
        The same as a syntax tree.
    """

    target: str
    at: int
    sign: str
    start: int
    body: str
    tree: ast.expr


class _Reader:
    """Turns one text into a graph, or refuses it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.start = 0  # of the part in hand
        self.values: dict[str, float] = {}
        self.inputs: list[str] = []
        # What each name stands for by now: an input's own name, or a node's key.
        self.known: dict[str, str] = {}
        self.operations: dict[str, tuple[str, Operands]] = {}
        self.keys: dict[tuple[str, Operands], str] = {}
        self.owners: dict[str, str] = {}  # what a node was called by who typed it, by its key
        self.made: list[tuple[_Part, str, str]] = []

    def read(self) -> Graph:
        self._check_letters()
        parts = list(self._parts())
        self._check_names(parts)
        for part in parts:
            self._take(part)
        if not self.made:
            raise CnnvizError(
                tr("There are only values, and nothing is computed; type an expression such as x * y, too.")
            )
        last, result, _ = self.made[-1]
        self.start = last.start
        if result in self.inputs:
            self._refuse(last.tree, tr("there must be an operation on at least one name"))
        self._check_all_is_used(result)
        return self._graph(result)

    # ---------------------------------------------------------------------------------------- into parts

    def _check_letters(self) -> None:
        if not self.text.strip():
            raise CnnvizError(tr("The expression is empty; type one such as (x + y) * z."))
        if len(self.text) > LONGEST:
            self._refuse_at(LONGEST, tr("an expression has at most {most} characters", most=LONGEST))
        opened: list[int] = []
        for k, letter in enumerate(self.text):
            if (not letter.isprintable() and letter not in "\n\r\t") or letter in "#\\\"'":
                self._refuse_at(k, tr("{letter} has no meaning here", letter=repr(letter)))
            if letter == "(":
                opened.append(k)
            elif letter == ")" and not opened:
                self._refuse_at(k, tr("this bracket was never opened"))
            elif letter == ")":
                opened.pop()
        if opened:
            self._refuse_at(opened[-1], tr("this bracket is never closed"))

    def _parts(self) -> Iterator[_Part]:
        """Yield the statements: each ends at a semicolon, at a line's end, or where the next one begins."""
        text = self.text.translate(TYPED)
        depths, depth = [], 0
        for letter in text:
            depth += (letter == "(") - (letter == ")")
            depths.append(depth)
        targets = {found.start(): found for found in _TARGET.finditer(text) if not depths[found.start()]}
        ends = {k for k, letter in enumerate(text) if letter in ";\n\r" and not depths[k]}
        starts = sorted({0, *targets, *(k + 1 for k in ends)})
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            end -= end - 1 in ends
            found = targets.get(start)
            begin = found.end() if found else start
            body = self.text[begin:end].rstrip(" ,\t\r\n")
            if not found and not body.strip():
                continue
            begin += len(body) - len(body.lstrip())
            self.start = begin
            target, sign = (found[1], found[2]) if found else (RESULT, "")
            yield _Part(
                target, start if found else begin, sign, begin, body.strip(), self._parse(body.strip())
            )

    def _parse(self, body: str) -> ast.expr:
        start, names = self.start, tr("; give parts names, as in q = x + y")
        return parsed(body, lambda at, reason: self._refuse_at(start + at, reason), names)

    # ------------------------------------------------------------------------------------------ its names

    def _check_names(self, parts: Sequence[_Part]) -> None:
        """Refuse names that would be mistaken for others."""
        named = [(part.target, part.at) for part in parts]
        for part in parts:
            self.start = part.start
            named += [(node.id, self._at(node)) for node in _names(part.tree)]
        known = {name for name, _ in named}
        for name, at in sorted(named, key=lambda each: each[1]):
            if name in FUNCTIONS:
                self._refuse_at(at, tr("{name} is a function: write {name}(…)", name=name))
            if name.lower() in ("nan", "inf", "infinity"):
                self._refuse_at(at, tr("{name} is not a finite number", name=name))
            if len(name) > LONGEST_NAME:
                self._refuse_at(at, tr("a name has at most {most} letters", most=LONGEST_NAME))
            if name.startswith("_"):
                self._refuse_at(at, tr("a name begins with a letter"))
            if (of := differentiated(name)) in known:
                words = tr("{name} is what the gradient of {of} is called", name=name, of=of)
                self._refuse_at(at, words)
            if iskeyword(gradient_name(name)):
                words = tr(
                    "{name} cannot be a name: its gradient would be called d{name}, a word of Python",
                    name=name,
                )
                self._refuse_at(at, words)

    def _take(self, part: _Part) -> None:
        """Go on by one statement."""
        self.start = part.start
        names = list(_names(part.tree))
        named = part.at != part.start and not part.sign
        if named and not names:
            self._take_value(part)
            return
        if not names and not part.sign:
            self._operand(part.tree)
            self._refuse(part.tree, tr("there must be an operation on at least one name"))
        if named and isinstance(part.tree, ast.Name) and part.tree.id not in self.known:
            if part.target in self.values:
                self._refuse_second(part)
            said = quoted(self.text[part.at : self._at(part.tree, end=True)])
            raise CnnvizError(tr("{part} is not understood; write values as in x=-2 y=5.", part=said))
        read = [part.target] * bool(part.sign) + [node.id for node in names]
        for name in dict.fromkeys(read):
            if name not in self.known:
                self.inputs.append(name)
                self.known[name] = name
        before, tree = self.known.get(part.target, part.target), part.tree
        if part.sign:
            own = ast.copy_location(ast.Name(part.target), tree)
            operator = _BY_SIGN[part.sign]()
            tree = ast.copy_location(ast.BinOp(own, operator, tree), tree)
        number = len(self.operations)
        found = self._operand(tree)
        assert isinstance(found, str)  # there is a name in it
        if not isinstance(tree, ast.Name):
            if int(found[1:]) < number:  # written twice, it has two names
                found = self._add(tree, *self.operations[found])
            self.owners[found] = part.target
            if self.keys.get(self.operations[found]) == found:
                del self.keys[self.operations[found]]
        self.made.append((part, found, before))
        self.known[part.target] = found

    def _take_value(self, part: _Part) -> None:
        signed = isinstance(part.tree, ast.UnaryOp) and isinstance(part.tree.op, ast.UAdd)
        value = self._operand(part.tree.operand if signed else part.tree)  # type: ignore[attr-defined]
        assert isinstance(value, float)
        if part.target in self.values:
            self._refuse_second(part)
        if part.target in self.known and part.target not in self.inputs:
            words = tr("{name} is computed, and needs no value", name=part.target)
            self._refuse_alone(part.at, words)
        self.values[part.target] = value

    # -------------------------------------------------------------------------------------- its operations

    def _operand(self, node: ast.expr) -> str | float:
        """Return the key of the node that computes a part of the expression, or the part's number."""
        if isinstance(node, ast.Name):
            return self.known[node.id]
        if isinstance(node, ast.Constant):
            return self._number(node)
        sign, parts = self._operation(node)
        operands = tuple(self._operand(part) for part in parts)
        if not any(isinstance(operand, str) for operand in operands):
            return self._folded(node, sign, operands)
        found = self.keys.get((sign, operands))
        return found or self._add(node, sign, operands)

    def _add(self, node: ast.expr, sign: str, operands: Operands) -> str:
        key = f"#{len(self.operations)}"
        self.operations[key] = (sign, operands)
        self.keys.setdefault((sign, operands), key)
        numbers = sum(not isinstance(o, str) for _, operands in self.operations.values() for o in operands)
        if len(self.inputs) + len(self.operations) + numbers > MOST_NODES:
            self._refuse(node, tr("a graph has at most {most} nodes", most=MOST_NODES))
        return key

    def _number(self, node: ast.Constant) -> float:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._refuse(node, tr("{part} is not a real number", part=quoted(self._source_of(node))))
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self._refuse(node, tr("this number is too large"))
        return value

    def _operation(self, node: ast.expr) -> tuple[str, list[ast.expr]]:
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Pow):
                return "**", [node.left, node.right]
            if type(node.op) in _OPERATORS:
                return _OPERATORS[type(node.op)], [node.left, node.right]
            self._refuse_operator(node.left)
        if isinstance(node, ast.Attribute | ast.Subscript):
            self._refuse_operator(node.value)
        if isinstance(node, ast.Compare):
            self._refuse_operator(node.left)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return "neg", [node.operand]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id, self._arguments(node, node.func)
        if isinstance(node, ast.Tuple) and node.elts:
            self._refuse_comma(node.elts[0])
        return self._refuse(node, tr("{part} is not allowed", part=quoted(self._source_of(node))))

    def _arguments(self, node: ast.Call, function: ast.Name) -> list[ast.expr]:
        name = function.id
        if name not in FUNCTIONS:
            self._refuse(function, tr("there is no function {name}", name=name))
        count = OPERANDS[name]
        plain = not node.keywords and not any(isinstance(part, ast.Starred) for part in node.args)
        if plain and len(node.args) > count and any(map(_is_digits, node.args[1:])):
            self._refuse_comma(node.args[0])
        if len(node.args) != count or not plain:
            words = tr("{name} takes one operand") if count == 1 else tr("{name} takes two operands")
            self._refuse(node, words.format(name=name))
        return node.args

    def _folded(self, node: ast.expr, sign: str, operands: Operands) -> float:
        """Return the number that an operation on plain numbers makes."""
        with np.errstate(all="ignore"):
            made = Node("", sign, operands)
            value = float(made.rule.value(*made.arguments({})))
        if not math.isfinite(value):
            self._refuse(node, tr("{part} is not a finite number", part=quoted(self._source_of(node))))
        return value

    # ------------------------------------------------------------------------------------------- the graph

    def _check_all_is_used(self, result: str) -> None:
        """Refuse what is computed and does not go into the result."""
        used, waiting = set(), [result]
        while waiting:
            key = waiting.pop()
            if key in self.operations and key not in used:
                used.add(key)
                waiting += [operand for operand in self.operations[key][1] if isinstance(operand, str)]
        for part, found, _ in self.made:
            if found in self.operations and found not in used:
                words = tr("this {name} is not used for {result}; use it or leave it out")
                self._refuse_alone(part.at, words.format(name=part.target, result=self.made[-1][0].target))

    def _graph(self, result: str) -> Graph:
        """Name the nodes, and find the ways back."""
        names = self._named(result)
        nodes = tuple(
            Node(names[key], sign, tuple(names.get(o, o) if isinstance(o, str) else o for o in operands))
            for key, (sign, operands) in self.operations.items()
        )
        texts = [f"{part.target} {part.sign}= {part.body}" for part, _, _ in self.made]
        alone = len(self.made) == 1 and self.made[0][0].target == RESULT and not self.made[0][0].sign
        return Graph(
            text=self.made[0][0].body if alone else "; ".join(texts),
            result=names[result],
            inputs=tuple(self.inputs),
            nodes=nodes,
            edges=tuple(edges_of(nodes)),
            statements=tuple(self._statements(names)),
        )

    def _named(self, result: str) -> dict[str, str]:
        """Return the names of all nodes by their keys: those that were typed, and letters for the others.

        Of a name that is assigned again, the last has the name itself, unless an input has it.
        """
        self.owners[result] = self.made[-1][0].target
        versions: dict[str, list[str]] = {}
        for key in self.operations:
            if key in self.owners:
                versions.setdefault(self.owners[key], []).append(key)
        plain = {*self.inputs, *versions}
        taken = {*plain, *FUNCTIONS, "d", "sign", "range"}
        taken |= {gradient_name(name) for name in plain} | {differentiated(name) for name in plain}
        names: dict[str, str] = {}
        for name, keys in versions.items():
            numbered = keys if name in self.inputs else keys[:-1]
            free = (made for k in range(1, 999) if (made := f"{name}{k}") not in taken)
            names |= dict(zip(numbered, free, strict=False))
            taken |= {names[key] for key in numbered}
            if name not in self.inputs:
                names[keys[-1]] = name
        letters = (
            name
            for round in range(99)
            for letter in _LETTERS
            if (name := letter + str(round or "")) not in taken
        )
        for key in self.operations:
            if key not in names:
                names[key] = next(letters)
        return names

    def _statements(self, names: Mapping[str, str]) -> Iterator[Statement]:
        """Yield the statements with the names that the graph has."""
        known: dict[str, str] = {}
        for part, found, before in self.made:
            body, at, self.start = "", 0, part.start
            for node in _names(part.tree):
                begin, end = self._at(node) - part.start, self._at(node, end=True) - part.start
                body += part.body[at:begin] + known.get(node.id, node.id)
                at = end
            body = re.sub(r"\s+", " ", body + part.body[at:])
            if part.sign:
                simple = isinstance(part.tree, ast.Name | ast.Constant | ast.Call)
                old = names.get(before, before)
                body = f"{old} {part.sign} {body}" if simple else f"{old} {part.sign} ({body})"
            known[part.target] = names.get(found, found)
            if part.sign or not isinstance(part.tree, ast.Name):
                yield Statement(names[found], body)

    # --------------------------------------------------------------------------------------- refusing

    def _at(self, node: ast.expr, end: bool = False) -> int:
        """Return at which character a part begins, or has ended; Python counts bytes."""
        return self.start + character_of(self.text[self.start :], node, end)

    def _source_of(self, node: ast.expr) -> str:
        return self.text[self._at(node) : self._at(node, end=True)]

    def _refuse_operator(self, left: ast.expr) -> NoReturn:
        """Refuse what stands behind a part."""
        at = self._at(left, end=True)
        at += len(self.text[at:]) - len(self.text[at:].lstrip(" )"))
        sign = re.match(r"\w+|\W*", self.text[at:])
        assert sign is not None
        self._refuse_at(at, tr("{part} is not allowed", part=quoted(sign[0].strip(" ("))))

    def _refuse_comma(self, before: ast.expr) -> NoReturn:
        """Refuse a comma, which in many countries stands in numbers."""
        at = self._at(before, end=True)
        words = tr(
            "a comma stands only between values and between operands of a function; decimals have a point, "
            "as in 0.5"
        )
        self._refuse_alone(at, words)

    def _refuse(self, node: ast.expr, reason: str) -> NoReturn:
        self._refuse_at(self._at(node), reason)

    def _refuse_second(self, part: _Part) -> NoReturn:
        raise CnnvizError(tr("{name} has two values; write one of them only.", name=part.target))

    def _refuse_alone(self, at: int, reason: str) -> NoReturn:
        """Refuse what is allowed elsewhere."""
        raise CnnvizError(tr("Character {place}: {reason}.", place=at + 1, reason=reason))

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


def parsed(text: str, refuse: Refuse, way_out: str = "") -> ast.expr:
    """Return the syntax tree of what was typed, which has not been looked at yet.

    Parameters
    ----------
    refuse : Refuse
        Is told what Python does not understand, or what is nested too deep.
    way_out : str
        What may be done where something is nested too deep.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # With the line ended, Python says that it is the end that came too soon.
            flat = re.sub(r"\s", " ", text.translate(TYPED))
            tree = ast.parse(flat + "\n", mode="eval").body
    except SyntaxError as error:
        place = max((error.offset or 1) - 1, 0)
        if place >= len(text):
            refuse(len(text), tr("something is missing at the end"))
        refuse(place, tr("{part} is not understood here", part=quoted(text[place:])))
    except (ValueError, RecursionError, MemoryError, OverflowError):
        refuse(0, tr("this cannot be read"))
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST and isinstance(node, ast.expr):
            words = tr("operations are nested at most {most} deep", most=DEEPEST)
            refuse(character_of(text, node), words + way_out)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return tree


def character_of(text: str, node: ast.expr, end: bool = False) -> int:
    """Return at which character of a text a part begins, or has ended; Python counts bytes."""
    count = (node.end_col_offset or 0) if end else node.col_offset
    return len(text.translate(TYPED).encode(errors="replace")[:count].decode())


def _names(node: ast.AST) -> Iterator[ast.Name]:
    """Yield the names that stand for values, from left to right."""
    if isinstance(node, ast.Name):
        yield node
    children = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    for child in children:
        yield from _names(child)


def _is_digits(node: ast.expr) -> bool:
    """Return whether a part begins like the decimals behind a comma."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.Constant)


def quoted(text: str) -> str:
    """Return what a sentence shows of a part of what was typed."""
    text = re.sub(r"\s+", " ", text).strip()
    return f"“{text}”" if len(text) <= 16 else f"“{text[:15]}…”"
