"""An assignment of a listing taken apart: the cells and scalars that it names, found in its text."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from types import CodeType
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.looptree import Line, LoopTree, walk
from cnnviz.trace.operation import Operation

Guards = tuple[tuple[CodeType, bool], ...]

_NO_BUILTINS: dict[str, Any] = {"__builtins__": {}}
_NO_INDEX = compile("()", "<scalar>", "eval")


class Operand(Struct, frozen=True):
    """A name in a line of a listing, with the subscripts behind it if it is an array.

    Attributes
    ----------
    name : str
        The array's or the scalar's name.
    index : tuple[CodeType, ...]
        Its subscripts, ready to be evaluated; empty for a scalar.
    subscripts : tuple[str, ...]
        The same as text.
    start, end : int
        Where it stands in the line's text, its indentation left off.
    guards : Guards
        The conditions that it stands behind, and what they must come to for it to be read.
    whole_index : CodeType
        All of its subscripts as one tuple.
    """

    name: str
    index: tuple[CodeType, ...]
    subscripts: tuple[str, ...]
    start: int
    end: int
    guards: Guards = ()
    whole_index: CodeType = _NO_INDEX

    def place(self, scope: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the index it stands for, given the variables and arrays."""
        return tuple(map(int, eval(self.whole_index, _NO_BUILTINS, scope)))

    def places(self, scope: Mapping[str, Any], read: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the indices, (n, ndim), that it has where it is read, given variables that broadcast so."""
        values = (eval(code, _NO_BUILTINS, scope) for code in self.index)
        index = [np.broadcast_to(value, read.shape)[read] for value in values]
        return np.stack(index, axis=1)

    def is_read(self, scope: Mapping[str, Any], counts: tuple[int, ...] = ()) -> NDArray[np.bool_]:
        """Return where the conditions before it let it be read; what names what is unknown lets all pass."""
        read = np.ones(counts, bool)
        for test, wanted in self.guards:
            if set(test.co_names) <= scope.keys():
                read &= np.asarray(eval(test, _NO_BUILTINS, scope), bool) == wanted
        return read


class Choice(Struct, frozen=True):
    """A conditional expression: which of several pieces of text counts.

    Attributes
    ----------
    cases : tuple[(CodeType, (int, int)), ...]
        Conditions, ready to be evaluated one after the other, and where their values stand in the line's
        text.
    otherwise : (int, int)
        Where the value stands that counts if none of them holds.
    """

    cases: tuple[tuple[CodeType, tuple[int, int]], ...]
    otherwise: tuple[int, int]

    @property
    def then(self) -> tuple[int, int]:
        """Where the first value stands."""
        return self.cases[0][1]

    def counts_alone(self, scope: Mapping[str, Any]) -> bool:
        """Return whether all conditions are about whole numbers, as indices are, which have no letters."""
        return all(isinstance(scope.get(name), int) for test, _ in self.cases for name in test.co_names)

    def taken(self, scope: Mapping[str, Any]) -> tuple[int, int]:
        """Return where the value stands that the conditions pick; what is yet to come lets them hold."""
        for test, span in self.cases:
            if not set(test.co_names) <= scope.keys() or eval(test, _NO_BUILTINS, scope):
                return span
        return self.otherwise


class Assignment(Struct, frozen=True, eq=False):
    """One assignment, taken apart.

    Attributes
    ----------
    text : str
        The line without its indentation.
    target : Operand
        What it assigns to.
    operands : tuple[Operand, ...]
        What its right-hand side names, from left to right; a cell's subscripts are part of the cell.
    right : int
        Where the right-hand side begins in the text.
    choice : Choice or None
        What it is if the right-hand side is a conditional expression.
    scales : bool
        Whether the right-hand side is a product of its cells: written with each of them in a power of ten
        left off, it is itself but for those powers.
    rival : (int, int) or None
        Where in the text stands what is compared with the largest so far; None if nothing is.
    """

    text: str
    target: Operand
    operands: tuple[Operand, ...]
    right: int
    choice: Choice | None = None
    scales: bool = False
    rival: tuple[int, int] | None = None


def assignment(tree: LoopTree, line: int) -> Assignment | None:
    """Take a line of a listing apart; None if it is no assignment. It is kept as long as the tree is."""
    known = _KNOWN.setdefault(tree, {})
    if line not in known:
        known[line] = _taken_apart(tree, line)
    return known[line]


_KNOWN: WeakKeyDictionary[LoopTree, dict[int, Assignment | None]] = WeakKeyDictionary()


def _taken_apart(tree: LoopTree, line: int) -> Assignment | None:
    text = tree.source[line - 1].strip()
    if not any(isinstance(node, Line) and node.number == line for node in walk(tree.body)):
        return None
    statement = ast.parse(text).body[0]
    assert isinstance(statement, ast.Assign | ast.AugAssign)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    found = [_operand(node, text, guards) for node, guards in _outermost(statement.value)]
    name = ast.unparse(target)
    return Assignment(
        text,
        _operand(target, text),
        tuple(found),
        statement.value.col_offset,
        _choice(statement.value),
        _scales(statement.value, name),
        _span(statement.value.args[1]) if _is_largest(statement.value, name) else None,
    )


def window(operation: Operation, line: int, variables: Mapping[str, int]) -> dict[str, NDArray[np.intp]]:
    """Return the cells of each array that a line really reads, for all values of the loops not given.

    Returns
    -------
    dict[str, NDArray]
        By array name: indices (n, ndim), in the order the listing reads them; where the line names
        several cells of one array, first all of the first.
    """
    parts = assignment(operation.tree, line)
    loops, _ = operation.path_to(line)
    free = [loop for loop in loops if loop.variable not in variables]
    if parts is None:
        return {}
    counts = tuple(loop.count for loop in free)
    grids = dict(
        zip((loop.variable for loop in free), np.indices(counts, sparse=True) if counts else (), strict=True)
    )
    scope = scope_at(operation, {**variables, **grids})
    cells: dict[str, list[NDArray[np.intp]]] = {}
    read: dict[tuple[str, tuple[str, ...]], NDArray[np.bool_]] = {}
    named = {(operand.name, operand.subscripts): operand for operand in parts.operands if operand.index}
    for operand in parts.operands:  # named in several places, it is read if one of them is come to
        key = operand.name, operand.subscripts
        read[key] = read.get(key, False) | operand.is_read(scope, counts)
    for key, operand in named.items():
        cells.setdefault(operand.name, []).append(operand.places(scope, read[key]))
    return {name: np.concatenate(indices) for name, indices in cells.items()}


def scope_at(operation: Operation, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line's names stand for at some loop variables, one value of each or many.

    Scalars are among them that conditions name, if they follow from what stands in one line above.
    """
    scope = {**operation.call.given, **operation.call.writes, **variables}
    for line in _decisive(operation):
        if set(line.code.co_names) - {line.target} <= scope.keys():
            exec(line.code, _NO_BUILTINS, scope)
    return scope


def _decisive(operation: Operation) -> list[Line]:
    """Return the lines that assign a scalar that some condition names, and that no other line assigns."""
    if _decisive not in operation.cache:
        lines = [node for node in walk(operation.body) if isinstance(node, Line)]
        parts = (assignment(operation.tree, line.number) for line in lines)
        guards = (guard for part in parts if part for operand in part.operands for guard in operand.guards)
        named = {name for test, _ in guards for name in test.co_names}
        assigned = [line.target for line in lines]
        operation.cache[_decisive] = [
            line
            for line in lines
            if line.target in named and not line.index and assigned.count(line.target) == 1
        ]
    found: list[Line] = operation.cache[_decisive]
    return found


def _choice(node: ast.expr) -> Choice | None:
    if not isinstance(node, ast.IfExp):
        return None
    cases = []
    while isinstance(node, ast.IfExp):
        cases.append((_condition(node.test), _span(node.body)))
        node = node.orelse
    return Choice(tuple(cases), _span(node))


def _span(node: ast.expr) -> tuple[int, int]:
    return node.col_offset, node.end_col_offset or 0


class _Vectorised(ast.NodeTransformer):
    """Writes ``and`` and ``or`` as the signs that arrays have for them."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        sign: ast.operator = ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr()
        made: ast.expr = self.visit(node.values[0])
        for part in node.values[1:]:
            made = ast.BinOp(made, sign, self.visit(part))
        return made


def _condition(test: ast.expr) -> CodeType:
    """Return a condition, ready to be evaluated for one place or for many."""
    whole = ast.Expression(_Vectorised().visit(copy.deepcopy(test)))
    return compile(ast.fix_missing_locations(whole), "<condition>", "eval")


def _scales(node: ast.AST, so_far: str) -> bool:
    """Return whether an expression is a product of cells, or the larger of what is `so_far` and a product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _scales(node.left, so_far) and _scales(node.right, so_far)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        cells = any(isinstance(part, ast.Subscript) for part in ast.walk(node.right))
        return _scales(node.left, so_far) and not cells
    if isinstance(node, ast.IfExp):
        return _scales(node.body, so_far) and isinstance(node.orelse, ast.Constant)
    if isinstance(node, ast.Call):
        return _is_largest(node, so_far)
    return isinstance(node, ast.Subscript | ast.Name | ast.Constant)


def _is_largest(node: ast.AST, so_far: str) -> TypeGuard[ast.Call]:
    """Return whether an expression is the larger of what is `so_far` and something else."""
    return (
        isinstance(node, ast.Call)
        and len(node.args) == 2
        and ast.unparse(node.func) == "max"
        and ast.unparse(node.args[0]) == so_far
    )


def _outermost(node: ast.AST, guards: Guards = ()) -> list[tuple[ast.Subscript | ast.Name, Guards]]:
    """Return the cells and names in an expression, without what stands in subscripts, or is called.

    Each with the conditions that it stands behind.
    """
    if isinstance(node, ast.Subscript | ast.Name):
        return [(node, guards)]
    if isinstance(node, ast.IfExp):
        test = _condition(node.test)
        return [
            *_outermost(node.body, (*guards, (test, True))),
            *_outermost(node.test, guards),
            *_outermost(node.orelse, (*guards, (test, False))),
        ]
    if isinstance(node, ast.BoolOp):  # what comes later is looked at only where the earlier does not decide
        is_and, found = isinstance(node.op, ast.And), _outermost(node.values[0], guards)
        for part, before in zip(node.values[1:], node.values, strict=False):
            guards = (*guards, (_condition(before), is_and))
            found += _outermost(part, guards)
        return found
    children = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return [found for child in children for found in _outermost(child, guards)]


def _operand(node: ast.AST, text: str, guards: Guards = ()) -> Operand:
    assert isinstance(node, ast.Subscript | ast.Name)
    assert node.end_col_offset is not None
    if isinstance(node, ast.Name):
        return Operand(node.id, (), (), node.col_offset, node.end_col_offset, guards)
    assert isinstance(node.value, ast.Name)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    whole = ast.Tuple(parts, ast.Load())
    codes = tuple(_code(part, text) for part in parts)
    return Operand(
        node.value.id,
        codes,
        tuple(ast.unparse(part) for part in parts),
        node.col_offset,
        node.end_col_offset,
        guards,
        _code(whole, text),
    )


def _code(node: ast.expr, text: str) -> CodeType:
    """Return an expression of a line, ready to be evaluated."""
    return compile(ast.fix_missing_locations(ast.Expression(node)), f"<{text}>", "eval")
