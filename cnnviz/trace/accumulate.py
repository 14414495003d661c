"""What a loop carries along, a sum or a largest number, computed for all its iterations at once.

NumPy's ``accumulate`` adds one term after the other, as Python does: so every sum on the way is the same to
the last bit. (``sum`` is not, which adds in pairs.)
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.trace.depends import Names, carried, slice_of
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache

Values = dict[str, Any]

# How many terms are computed at once.
_AT_ONCE = 2**18


class Term(Struct, frozen=True, eq=False):
    """What one line computes, for arrays of numbers.

    Attributes
    ----------
    value : CodeType
        What it assigns; of a line that joins a term to what it assigns to, the term.
    join : np.ufunc or None
        How it does so; None of a line that assigns anew.
    """

    value: CodeType
    join: np.ufunc | None


class Accumulation(Struct, frozen=True, eq=False):
    """A loop that carries scalars along in a way that NumPy can follow.

    Attributes
    ----------
    loop : Loop
        The loop.
    along : Mapping[int, Names]
        What it and the loops in it carry along, by their line.
    terms : Mapping[int, Term]
        The lines that matter, by number.
    results : Names
        The arrays that it reads just where it has written them.
    """

    loop: Loop
    along: Mapping[int, Names]
    terms: Mapping[int, Term]
    results: Names

    def run(self, scope: Mapping[str, Any], namespace: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Return what each scalar that is carried along is after each iteration of the loop.

        Parameters
        ----------
        scope : Mapping[str, Any]
            The arrays, sizes and scalars as the loop finds them.
        namespace : Mapping[str, Any]
            The functions that the listing calls.

        Raises
        ------
        IndexError, ValueError
            If that cannot be told this way.
        """
        names = self.along[self.loop.number]
        at_once = max(1, _AT_ONCE // self.loop.body.steps)
        values: Values = {name: scope[name] for name in names}
        parts: list[Values] = []
        for first in range(0, self.loop.count, at_once):
            iterations = np.arange(first, min(first + at_once, self.loop.count))
            work = _Work(self, {**namespace, **scope, **FOR_ARRAYS})
            values[self.loop.variable] = iterations
            ended = work.block(self.loop.body, values, iterations.shape, dict.fromkeys(names, 0))
            parts.append({name: ended[name] for name in names})
            values = {name: ended[name][-1] for name in names}
        return {name: np.concatenate([part[name] for part in parts]) for name in names}


class _Work:
    """Runs lines for all iterations of the loops around them at once: each loop is an axis of the values."""

    def __init__(self, way: Accumulation, names: dict[str, Any]) -> None:
        self.way, self.names = way, names

    def block(self, block: Block, values: Values, shape: tuple[int, ...], outer: Mapping[str, int]) -> Values:
        """Return the values after a block.

        Parameters
        ----------
        shape : tuple[int, ...]
            How often each of the loops around it runs.
        outer : Mapping[str, int]
            Of what is carried along: how many of these loops are outside the one that carries it.
        """
        values, begun = dict(values), values
        joined: dict[str, list[tuple[np.ufunc, NDArray[Any]]]] = {}
        for statement in block.statements:
            if isinstance(statement, Loop):
                if statement.number in self.way.along and statement.count:
                    values |= self._loop(statement, values, shape, outer)
                continue
            term, name = self.way.terms.get(statement.number), statement.target
            if term is None:
                continue
            made = np.broadcast_to(eval(term.value, self.names, values), shape)
            if term.join is None:
                values[name] = made
            elif name not in outer:
                values[name] = term.join(values[name], made)
            else:
                joined.setdefault(name, []).append((term.join, made))
        for name, terms in joined.items():
            values[name] = _accumulated(terms, begun[name], outer[name])
        return values

    def _loop(self, loop: Loop, values: Values, shape: tuple[int, ...], outer: Mapping[str, int]) -> Values:
        inside = {name: value[..., None] if np.ndim(value) else value for name, value in values.items()}
        inside[loop.variable] = np.arange(loop.count)
        along = self.way.along[loop.number]
        own = {name: len(shape) for name in along if name not in outer}
        ended = self.block(loop.body, inside, (*shape, loop.count), {**outer, **own})
        return {name: value[..., -1] for name, value in ended.items() if value is not inside.get(name)}


def _accumulated(terms: list[tuple[np.ufunc, NDArray[Any]]], start: Any, outer: int) -> NDArray[Any]:
    """Return what is carried along after each iteration, begun anew for each one of the outer loops.

    Parameters
    ----------
    terms : list[tuple[np.ufunc, NDArray]]
        What each iteration joins to it, line by line, and how.
    """
    join, made = terms[0]
    if join in (np.maximum, np.minimum) and (np.isnan(made).any() or np.isnan(start).any()):
        raise ValueError("Python compares NaN in an order of its own")
    if len(terms) > 1:  # sums alone: what is taken off is added with the other sign, which is the same
        join = np.add
        made = np.stack([-one if sign is np.subtract else one for sign, one in terms], axis=-1)
    rows = made.reshape(*made.shape[:outer], -1)
    first = np.broadcast_to(np.asarray(start).reshape((*np.shape(start)[:outer], 1)), (*rows.shape[:-1], 1))
    ended = join.accumulate(np.concatenate([first, rows], axis=-1), axis=-1)[..., len(terms) :: len(terms)]
    return np.asarray(ended).reshape(terms[0][1].shape)


# --------------------------------------------------------------------------------- what NumPy can follow


@lasting_cache(1024)
def accumulation(operation: Operation, loop: Loop, need: Names) -> Accumulation | None:
    """Return how NumPy can tell what a loop carries along of some scalars; None if it cannot."""
    found = _Finder(operation, loop)
    return found.found() if found.look_at(loop, need) else None


class _Finder:
    """Looks whether a loop and all in it that matters is plain enough."""

    def __init__(self, operation: Operation, loop: Loop) -> None:
        self.operation, self.loop = operation, loop
        self.along: dict[int, Names] = {}
        self.terms: dict[int, Term] = {}
        self.results: set[str] = set()

    def found(self) -> Accumulation:
        """Return what was found."""
        return Accumulation(self.loop, self.along, self.terms, frozenset(self.results))

    def look_at(self, loop: Loop, need: Names, around: Names = frozenset()) -> bool:
        """Look at a loop; `around` is what the loops around it carry along."""
        along = carried(loop, need)
        self.along[loop.number] = along
        kept = slice_of(loop.body.statements, need | along).kept
        return all(
            self.look_at(statement, part, around | along)
            if isinstance(statement, Loop)
            else self._line(statement, around | along)
            for statement, part in ((loop.body.statements[j], part) for j, part in kept)
        ) and all(self._only_joined(loop, name) for name in along)

    def _only_joined(self, loop: Loop, name: str) -> bool:
        """Return whether a loop does nothing else to a scalar than to join terms to it, all in one block."""
        lines = [line for line in _lines(loop) if line.target == name and not line.index]
        joins = {self.terms[line.number].join for line in lines if line.number in self.terms}
        blocks = {self.operation.path_to(line.number)[0] for line in lines}
        return len(blocks) == 1 and (
            joins <= {np.add, np.subtract} or (len(lines) == 1 and None not in joins)
        )

    def _line(self, line: Line, along: Names) -> bool:
        (statement,) = ast.parse(self.operation.tree.source[line.number - 1].strip()).body
        join, value = _taken_apart(statement)
        read = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
        if read & along or not self._can_call(value) or not self._can_read(line, value):
            return False
        self.terms[line.number] = Term(for_arrays(value), join)
        return True

    def _can_call(self, value: ast.expr) -> bool:
        namespace = self.operation.function.__globals__
        for node in ast.walk(value):
            if isinstance(node, ast.Compare) and len(node.ops) > 1:
                return False
            if isinstance(node, ast.Call) and not (
                isinstance(node.func, ast.Name)
                and isinstance(namespace.get(node.func.id, getattr(builtins, node.func.id, None)), np.ufunc)
            ):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                if name not in ("max", "min", "abs") or name in namespace:
                    return False
        return True

    def _can_read(self, line: Line, value: ast.expr) -> bool:
        """Return whether each cell read has its result by then, or can be told from when the loop begins."""
        written = self.operation.call.writes
        for node in ast.walk(value):
            if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
                continue
            name = node.value.id
            if name not in written:
                continue
            if name in self.operation.call.before:
                return False
            if any(other.target == name for other in _lines(self.loop)):
                if not self._just_written(line, ast.unparse(node)):
                    return False
                self.results.add(name)
        return True

    def _just_written(self, line: Line, cell: str) -> bool:
        """Return whether a line before this one, in the same block, writes a cell."""
        loops, _ = self.operation.path_to(line.number)
        for other in loops[-1].body.statements:
            if other is line:
                return False
            if isinstance(other, Line) and other.index and not other.accumulates:
                text = self.operation.tree.source[other.number - 1].strip()
                if ast.unparse(ast.parse(text).body[0]).startswith(f"{cell} ="):
                    return True
        return False


def _lines(node: Line | Loop | Block) -> Iterator[Line]:
    if isinstance(node, Line):
        yield node
        return
    for statement in node.body.statements if isinstance(node, Loop) else node.statements:
        yield from _lines(statement)


_SIGNS: Mapping[type[ast.operator], np.ufunc] = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply}
_LARGER: Mapping[str, np.ufunc] = {"max": np.maximum, "min": np.minimum}


def _taken_apart(statement: ast.stmt) -> tuple[np.ufunc | None, ast.expr]:
    """Return how an assignment joins a term to what it assigns to, and the term."""
    if isinstance(statement, ast.AugAssign):
        join, target = _SIGNS.get(type(statement.op)), ast.unparse(statement.target)
        whole = ast.parse(target, mode="eval").body
        return join, statement.value if join else ast.BinOp(whole, statement.op, statement.value)
    assert isinstance(statement, ast.Assign)
    value, target = statement.value, ast.unparse(statement.targets[0])
    match value:
        case ast.Call(func=ast.Name(id=name), args=[first, second]) if ast.unparse(first) == target:
            return (_LARGER[name], second) if name in _LARGER else (None, value)
    return None, value


def for_arrays(value: ast.expr) -> CodeType:
    """Return code for an expression of arrays, with functions of `FOR_ARRAYS` for those of one number."""
    return compile(ast.fix_missing_locations(ast.Expression(_ForArrays().visit(value))), "<term>", "eval")


class _ForArrays(ast.NodeTransformer):
    """Puts functions of arrays in the place of what Python does with one number at a time."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        return _call("_where", node.test, node.body, node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        name = "_and" if isinstance(node.op, ast.And) else "_or"
        made = node.values[0]
        for other in node.values[1:]:
            made = _call(name, made, other)
        return made

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return _call("_not", node.operand) if isinstance(node.op, ast.Not) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name)
        if node.func.id not in _LARGER:
            return node
        made = node.args[0]
        for other in node.args[1:]:
            made = _call(f"_{node.func.id}", made, other)
        return made


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


FOR_ARRAYS: Mapping[str, Any] = {
    "_where": np.where,
    "_and": np.logical_and,
    "_or": np.logical_or,
    "_not": np.logical_not,
    # Python keeps the first unless the second is really larger: what is compared with NaN stays as it is.
    "_max": lambda a, b: np.where(b > a, b, a),
    "_min": lambda a, b: np.where(b < a, b, a),
}
