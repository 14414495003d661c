"""A listing as formulas, as far as it is one: what each line writes, sums with their sign Σ."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cnnviz.engine.layer import Call, Listing
from cnnviz.scene.expression_formula import Written, as_latex, latex_name
from cnnviz.trace.looptree import read_listing

# More lines of formulas would leave the listing no room.
_MOST = 5
# What a line may hold, to be written as a formula; and what an index may hold.
_KNOWN = (
    *(ast.Name, ast.Constant, ast.Subscript, ast.Tuple, ast.Attribute, ast.Call, ast.expr_context),
    *(ast.UnaryOp, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow),
    *(ast.IfExp, ast.Compare, ast.cmpop, ast.BoolOp, ast.And),
)
_IN_AN_INDEX = (
    *(ast.Name, ast.Constant, ast.BinOp, ast.expr_context),
    *(ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod),
)


class _Assigned(NamedTuple):
    """A line with the variables of the loops around it."""

    loops: tuple[str, ...]
    target: ast.expr
    sign: str
    value: ast.expr


def listing_formulas(call: Call, _: int) -> tuple[str, ...]:
    """Return what a call's listing computes as formulas; none, if it is more than they can say."""
    single = frozenset(name for name in (*call.given, *call.writes) if np.size(call.value(name)) == 1)
    gradients = frozenset(
        (name, port.symbol) for name, port in call.ports.items() if port.gradient_of and not port.loss
    )
    return _formulas(call.listing, single, gradients)


@lru_cache(maxsize=256)
def _formulas(
    listing: Listing, single: frozenset[str], gradients: frozenset[tuple[str, str]]
) -> tuple[str, ...]:
    """Return the formulas of a listing.

    Parameters
    ----------
    single : frozenset[str]
        The arrays of one cell, which need no index.
    gradients : frozenset[tuple[str, str]]
        The arrays that are gradients, each with the symbol of what it is the gradient of.
    """
    (function,) = ast.parse("\n".join(read_listing(listing).source)).body
    assert isinstance(function, ast.FunctionDef)
    lines = list(_lines(function.body, ()))
    if not all(_is_known(line) for line in lines):
        return ()
    writer = _Writer(lines, single, dict(gradients))
    cells = [line for line in lines if isinstance(line.target, ast.Subscript)]
    try:
        found = [writer.of_cell(line) for line in cells]
        found += writer.definitions(cells)
    except _NoFormulaError:
        return ()
    return tuple(dict.fromkeys(found)) if len(found) <= _MOST else ()


class _NoFormulaError(Exception):
    """A scalar is neither a sum nor assigned once."""


class _Writer:
    """Writes lines of one listing."""

    def __init__(
        self, lines: Sequence[_Assigned], single: frozenset[str], gradients: Mapping[str, str]
    ) -> None:
        self.single, self.gradients = single, gradients
        self.scalars: dict[str, list[_Assigned]] = {}
        for line in lines:
            if isinstance(line.target, ast.Name):
                self.scalars.setdefault(line.target.id, []).append(line)

    def of_cell(self, line: _Assigned) -> str:
        """Write a line that writes a cell; a sum that is all it writes stands in its place."""
        if line.sign == "-":
            raise _NoFormulaError
        value = line.value
        whole = isinstance(value, ast.Name) and len(self.scalars.get(value.id, ())) > 1
        right = self._sum(value.id) if whole and isinstance(value, ast.Name) else self._latex(value)
        sign = r"\add" if line.sign else "="
        return f"{self._cell(line.target)} {sign} {right}"

    def definitions(self, cells: Sequence[_Assigned]) -> list[str]:
        """Write what the scalars are that the formulas speak of."""
        found: dict[str, str] = {}
        spoken = [name for line in cells for name in self._spoken(line)]
        while spoken:
            name = spoken.pop(0)
            if name not in found:
                found[name] = f"{self.scalar(name)} = {self._value(name)}"
                spoken += [other for line in self.scalars[name] for other in self._names(line.value)]
        return list(found.values())

    def _spoken(self, line: _Assigned) -> list[str]:
        names = self._names(line.value)
        if isinstance(line.value, ast.Name) and names and len(self.scalars[names[0]]) > 1:
            return [other for part in self.scalars[names[0]] for other in self._names(part.value)]
        return names

    def _names(self, node: ast.expr) -> list[str]:
        return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in self.scalars]

    def scalar(self, name: str) -> str:
        """Write a scalar with the variables of the loops that it is assigned in."""
        loops = self.scalars[name][0].loops
        return f"{latex_name(name)}_{{{','.join(loops)}}}" if loops else latex_name(name)

    def _value(self, name: str) -> str:
        lines = self.scalars[name]
        return self._latex(lines[0].value) if len(lines) == 1 and not lines[0].sign else self._sum(name)

    def _sum(self, name: str) -> str:
        """Write a scalar that begins with something, and is added to in one nest of loops."""
        first, *added = self.scalars[name]
        depth = len(first.loops)
        if first.sign or not added or not all(line.sign and line.loops == added[0].loops for line in added):
            raise _NoFormulaError
        if added[0].loops[:depth] != first.loops or len(added[0].loops) == depth:
            raise _NoFormulaError
        texts = [f"{line.sign} {self._latex(line.value, tight=True)}" for line in added]
        terms = " ".join(texts).removeprefix("+ ")
        if len(texts) > 1 or terms.startswith("-"):
            terms = f"({terms})"
        whole = rf"\sum_{{{','.join(added[0].loops[depth:])}}} \,{terms}"
        is_zero = isinstance(first.value, ast.Constant) and first.value.value == 0
        return whole if is_zero else f"{self._latex(first.value)} + {whole}"

    def _latex(self, node: ast.expr, tight: bool = False) -> str:
        return as_latex(_Cells(self).visit(ast.parse(ast.unparse(node), mode="eval").body), tight)

    def _cell(self, node: ast.expr) -> str:
        """Write a cell in the notation for cells; in words, if its name is no letter."""
        assert isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        name = node.value.id
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = ",".join(map(_index, parts))
        if name in self.single and all(isinstance(part, ast.Constant) for part in parts):
            index = ""
        letter = self.gradients.get(name, name)
        if re.fullmatch(r"[a-zA-Z]\d?", letter) and "{" not in index:
            return rf"\{name}{{{index}}}"
        cell = f"{latex_name(letter)}_{{{index}}}" if index else latex_name(letter)
        if name in self.gradients:
            cell = rf"\frac{{\partial E}}{{\partial {cell}}}\!"
        return rf"\part{{{name}}}{{{cell}}}"


class _Cells(ast.NodeTransformer):
    """Puts cells as they are written in the place of subscripts."""

    def __init__(self, writer: _Writer) -> None:
        self.writer = writer

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Lower what stands behind a size's letter: K_h; give scalars of a loop its variables."""
        if node.id in self.writer.scalars:
            return Written(self.writer.scalar(node.id), ast.Load())
        return Written(_lowered(node.id), ast.Load()) if re.match("[A-Za-z]_", node.id) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Leave off whose function it is: np.tanh."""
        return ast.Name(node.attr, ast.Load())

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Write a product whose first factor is negative as minus a product, which needs no brackets."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult | ast.Div) and isinstance(node.left, ast.UnaryOp):
            return ast.UnaryOp(node.left.op, ast.BinOp(node.left.operand, node.op, node.right))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return Written(self.writer._cell(node), ast.Load())


def _index(part: ast.expr) -> str:
    """Write an index: products without a sign, the whole part of a quotient between its signs."""
    match part:
        case ast.BinOp(left, ast.FloorDiv(), right):
            return rf"\left\lfloor {_factor(left)}/{_factor(right)} \right\rfloor "
        case ast.BinOp(left, ast.Mod(), right):
            return rf"{_factor(left)} \,\bmod\, {_factor(right)}"
        case ast.BinOp(left, ast.Mult(), right):
            return f"{_factor(left)}{_factor(right)}"
        case ast.BinOp(left, sign, right):
            return f"{_index(left)}{'+' if isinstance(sign, ast.Add) else '-'}{_index(right)}"
    return _lowered(re.sub(r"[ *]", "", ast.unparse(part)))


def _lowered(name: str) -> str:
    """Lower what stands behind a size's letter: K_h; a word upright."""
    return re.sub(r"^([A-Za-z])_(\w\w+)$", r"\1_{\\mathrm{\2}}", name)


def _factor(part: ast.expr) -> str:
    """Write an index that something is multiplied or divided by; a sum stands in brackets."""
    is_sum = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub)
    return f"({_index(part)})" if is_sum else _index(part)


def _lines(body: Sequence[ast.stmt], loops: tuple[str, ...]) -> Iterator[_Assigned]:
    for statement in body:
        if isinstance(statement, ast.For):
            assert isinstance(statement.target, ast.Name)
            yield from _lines(statement.body, (*loops, statement.target.id))
        elif isinstance(statement, ast.AugAssign):
            sign = "-" if isinstance(statement.op, ast.Sub) else "+"
            yield _Assigned(loops, statement.target, sign, statement.value)
        elif isinstance(statement, ast.Assign):
            yield _Assigned(loops, statement.targets[0], "", statement.value)


def _is_known(line: _Assigned) -> bool:
    """Return whether a line holds nothing but what can be written as a formula."""
    nodes = [node for part in (line.target, line.value) for node in ast.walk(part)]
    indices = [node.slice for node in nodes if isinstance(node, ast.Subscript)]
    inner = {node for index in indices for node in ast.walk(index)}
    if not all(isinstance(node, (*_IN_AN_INDEX, ast.Tuple)) for node in inner):
        return False
    return all(isinstance(node, _KNOWN) for node in ast.walk(line.value) if node not in inner)
