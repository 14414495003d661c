"""A typed expression as a computational graph, with a forward and a backward listing made from it.

What is typed is parsed and checked against a short list of what there may be; it is never run. The
listings are written anew from the graph, and only they are compiled.
"""

from __future__ import annotations

import ast
import linecache
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import CodeType, FunctionType
from typing import NoReturn

import numpy as np
from msgspec import Struct

from cnnviz.engine.layer import Call, Listing, Shape
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

RESULT = "f"
"""The name of the last node."""

LONGEST = 200
DEEPEST = 12
MOST_NODES = 20
LARGEST_POWER = 20
LONGEST_NAME = 8

# NumPy's own numbers divide by zero, and overflow, to what can be shown; Python's stop the program.
Number = np.float64
Values = Mapping[str, float]


def _relu(x: Number) -> Number:
    return np.float64(np.maximum(x, 0.0))


def _sigmoid(x: Number) -> Number:
    return np.float64(1 / (1 + np.exp(-x)))


# --------------------------------------------------------------------------------- what nodes can compute


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
        lambda a, b: _sigmoid(a),
        (lambda a, b, y: y * (1 - y),),
        "sigmoid({a})",
        ("{d} * {y} * (1 - {y})",),
        ("{y} * (1 - {y})",),
    ),
    "relu": Rule(
        lambda a, b: _relu(a),
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

_NAMESPACE: dict[str, object] = {
    "__name__": __name__,
    "__builtins__": {},
    "range": range,
    "sigmoid": _sigmoid,
    "relu": _relu,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
}


@lru_cache(maxsize=64)
def _power(n: int) -> Rule:
    """Return the rule of ``a ** n``."""
    text = _text(n)
    lower = {0: "0.0", 1: "1", 2: "2 * {a}"}.get(n, f"{text} * {{a}} ** {_text(n - 1)}")
    return Rule(
        lambda a, b: a**n,
        (lambda a, b, y: n * a ** (n - 1) if n else 0.0,),
        f"{{a}} ** {text}",
        ("{d}" if n == 1 else f"{{d}} * {lower}",),
        (lower,),
    )


# ------------------------------------------------------------------------------------------- the graph


class Node(Struct, frozen=True):
    """One operation of a graph.

    Attributes
    ----------
    name : str
        What its value is called: q, r, s …, the last one f.
    sign : str
        ``+ - * / neg **`` or a function's name.
    operands : tuple[str or float, ...]
        Names of inputs or of earlier nodes, and plain numbers.
    exponent : int
        Of a power.
    """

    name: str
    sign: str
    operands: tuple[str | float, ...]
    exponent: int = 0

    @property
    def rule(self) -> Rule:
        """What it computes."""
        return _power(self.exponent) if self.sign == "**" else RULES[self.sign]

    def fill(self, text: str) -> str:
        """Put its own names into a text of its rule."""
        a, b = (*(_text(operand) for operand in self.operands), "")[:2]
        return text.format(a=a, b=b, y=self.name, d=f"d{self.name}")


class Edge(Struct, frozen=True):
    """The way of a gradient back from a node to one of its operands: one line of the backward listing.

    Attributes
    ----------
    node, operand : str
        From which node, and back to which one.
    slot : int
        Which of the node's operands it is.
    line : int
        The line of the backward listing.
    adds : bool
        Whether the operand has a gradient already, to which this one is added.
    local : str
        ∂node/∂operand, as Python writes it.
    """

    node: str
    operand: str
    slot: int
    line: int
    adds: bool
    local: str


class Graph(Struct, frozen=True):
    """A computational graph.

    Attributes
    ----------
    text : str
        The expression it was made of.
    inputs : tuple[str, ...]
        The names that need values, in the order of the text.
    nodes : tuple[Node, ...]
        The operations in the order they compute; the last one is `RESULT`.
    edges : tuple[Edge, ...]
        The ways back, in the order of the backward listing.
    """

    text: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def input_shape(self) -> Shape:
        """How many numbers go in."""
        return (len(self.inputs),)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of inputs and operations, in the order they get their values."""
        return (*self.inputs, *(node.name for node in self.nodes))

    def node(self, name: str) -> Node | None:
        """Return the operation of this name; None for an input."""
        return next((node for node in self.nodes if node.name == name), None)

    def local(self, edge: Edge, values: Values) -> float:
        """Return the number of an edge's local derivative."""
        node = self.node(edge.node)
        assert node is not None
        a, b = _arguments(node, values)
        with np.errstate(all="ignore"):
            return float(node.rule.partials[edge.slot](a, b, np.float64(values[node.name])))

    def back(self, edge: Edge, values: Values, gradient: float) -> float:
        """Return what goes back over an edge; at a ReLU that is shut nothing, not 0 times something."""
        local = self.local(edge, values)
        node = self.node(edge.node)
        if node is not None and node.sign == "relu":
            return gradient if local else 0.0
        return np.float64(gradient) * local

    @property
    def forward_source(self) -> str:
        """The forward listing."""
        lines = [f"{node.name} = {node.fill(node.rule.forward)}" for node in self.nodes]
        return _source("forward", self.inputs, lines)

    @property
    def backward_source(self) -> str:
        """The backward listing; it is given what it reads of the values that went forward."""
        lines = [f"d{RESULT} = 1.0"]
        for edge in self.edges:
            node = self.node(edge.node)
            assert node is not None
            sign = "+=" if edge.adds else "="
            lines.append(f"d{edge.operand} {sign} {node.fill(node.rule.backward[edge.slot])}")
        return _source("backward", self.kept, lines)

    @property
    def kept(self) -> tuple[str, ...]:
        """The names whose values the backward listing reads."""
        read: set[str] = set()
        for edge in self.edges:
            node = self.node(edge.node)
            assert node is not None
            read |= set(re.findall(r"\w+", node.fill(node.rule.backward[edge.slot])))
        return tuple(name for name in self.names if name in read)

    def run(self, values: Values) -> Tape:
        """Go forward and back once.

        Parameters
        ----------
        values : Mapping[str, float]
            The inputs by name.

        Returns
        -------
        Tape
            The values ``f.x``, ``f.q``, ``f.f`` and the gradients ``f.dx``, …; NaN and infinity stand
            for themselves.

        Raises
        ------
        CnnvizError
            If a value is missing, is for nothing, or is no finite number.
        """
        faults = list(self.faults(values))
        if faults:
            raise CnnvizError("; ".join(fault for _, fault in faults) + ".")
        forward = {name: np.float64(values[name]) for name in self.inputs}
        gradients = {RESULT: np.float64(1.0)}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                forward[node.name] = np.float64(node.rule.value(*_arguments(node, forward)))
            for edge in self.edges:
                part = np.float64(self.back(edge, forward, gradients[edge.node]))
                gradients[edge.operand] = gradients[edge.operand] + part if edge.adds else part
        arrays = {name: forward[name] for name in self.names}
        arrays |= {f"d{name}": gradients[name] for name in reversed(self.names) if name in gradients}
        return Tape({f"{RESULT}.{name}": np.asarray(value) for name, value in arrays.items()})

    def faults(self, values: Values) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with values: the name each time, and a sentence without its full stop."""
        for name in self.inputs:
            if name not in values:
                yield name, tr("{name} has no value; write {name}=1, for instance", name=name)
        for name, value in values.items():
            if name not in self.inputs:
                known = ", ".join(self.inputs)
                yield name, tr("{name} is not in the expression, which has {known}", name=name, known=known)
            elif not math.isfinite(value):
                yield name, tr("{name} must be a finite number", name=name)

    def calls(self, tape: Tape) -> list[Call]:
        """Return both listings with their arguments."""
        given = {name: np.float64(tape[f"{RESULT}.{name}"]) for name in self.names}
        passes: list[tuple[str, str, Listing, Sequence[str], list[str]]] = [
            (
                RESULT,
                "forward",
                compiled(self.text, self.forward_source),
                self.inputs,
                [node.name for node in self.nodes],
            ),
            (
                f"{RESULT}.backward",
                "backward",
                compiled(self.text, self.backward_source),
                self.kept,
                list(dict.fromkeys([f"d{RESULT}", *(f"d{edge.operand}" for edge in self.edges)])),
            ),
        ]
        return [
            Call(
                name=name,
                layer=RESULT,
                phase=phase,
                listing=listing,
                given={key: given[key] for key in reads},
                writes={key: tape[f"{RESULT}.{key}"] for key in writes},
                expression=self.text,
            )
            for name, phase, listing, reads, writes in passes
        ]


def _arguments(node: Node, values: Values) -> tuple[np.float64, np.float64]:
    """Return the numbers of a node's operands; NumPy's own, which divide by zero without a fuss."""
    a, *b = (np.float64(values[o] if isinstance(o, str) else o) for o in node.operands)
    return a, b[0] if b else np.float64(0)


def _text(operand: str | float) -> str:
    """Write an operand as Python does; a negative number in brackets."""
    if isinstance(operand, str):
        return operand
    text = str(int(operand)) if operand == int(operand) and abs(operand) < 1e15 else repr(float(operand))
    return f"({text})" if operand < 0 else text


def _source(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    return f"def {name}({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in lines)


@cache
def compiled(text: str, source: str) -> Listing:
    """Compile a listing written from an expression; its source can be found again like any other's."""
    code = compile(source, f"<{source.partition('(')[0].removeprefix('def ')} of {text}>", "exec")
    linecache.cache[code.co_filename] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        code.co_filename,
    )
    body = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    return FunctionType(body, _NAMESPACE)


# ------------------------------------------------------------------------------------------- reading it


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
            value = float(made.rule.value(*_arguments(made, {})))
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
        return Graph(self.text.strip(), tuple(self.inputs), nodes, tuple(_edges(nodes)))

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


def _edges(nodes: Sequence[Node]) -> Iterator[Edge]:
    """Yield the ways back from the last node to the inputs: every node after all that use it."""
    reached: set[str] = set()
    line = 3
    for node in reversed(nodes):
        for slot, operand in enumerate(node.operands):
            if isinstance(operand, str):
                local = node.fill(node.rule.local[slot])
                yield Edge(node.name, operand, slot, line, operand in reached, local)
                reached.add(operand)
                line += 1


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
        If either is not understood.
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
        try:
            values[name] = float(number.translate(_TYPED))
        except ValueError as error:
            raise CnnvizError(
                tr("{part} is not understood; write values as in x=-2 y=5.", part=_quoted(part))
            ) from error
    return graph, values
