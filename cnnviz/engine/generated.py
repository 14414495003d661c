"""Listings that the program writes itself: of a typed expression, of a sum of as many parts as there are."""

from __future__ import annotations

import ast
import linecache
from copy import deepcopy
from itertools import count
from types import CodeType, FunctionType
from weakref import WeakValueDictionary, finalize

import numpy as np

from cnnviz.engine.functions import FUNCTIONS
from cnnviz.engine.layer import Listing

FLOAT64 = "_float64"
"""What NumPy's number is called where such a listing is run; no name in an expression begins so."""

_NAMESPACE: dict[str, object] = {
    FLOAT64: np.float64,
    "__name__": __name__,
    "__builtins__": {},
    "range": range,
    "sign": np.sign,
    **FUNCTIONS,
}

_COMPILED: WeakValueDictionary[tuple[str, str], FunctionType] = WeakValueDictionary()
_NUMBERS = count()


def compiled(text: str, source: str) -> Listing:
    """Compile a listing; its source can be found again like any other's.

    As long as anybody holds it, the same source gives the same function; afterwards nothing is left of it.

    Parameters
    ----------
    text : str
        What it was written from, for tracebacks.
    source : str
        Its lines.
    """
    found = _COMPILED.get((text, source))
    if found is None:
        found = _COMPILED[text, source] = _compile(text, source)
    return found


def _compile(text: str, source: str) -> FunctionType:
    name = source.partition("(")[0].removeprefix("def ")
    filename = f"<{name} of {text}, {next(_NUMBERS)}>"
    code = compile(with_float64(ast.parse(source)), filename, "exec")
    function = FunctionType(next(part for part in code.co_consts if isinstance(part, CodeType)), _NAMESPACE)
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    finalize(function, linecache.cache.pop, filename, None)
    return function


class _WithFloat64(ast.NodeTransformer):
    """Leaves alone what counts: indices, and how often a loop runs."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        called = ast.Call(ast.Name(FLOAT64, ast.Load()), [node], [])
        return ast.fix_missing_locations(ast.copy_location(called, node))


def with_float64(tree: ast.Module) -> ast.Module:
    """Return the tree of such a listing, or of lines of it, that computes with NumPy's numbers alone.

    Whoever types x / 0 is shown infinity; where both operands were plain numbers of Python's, as 1 / 0 in its
    derivative, that would stop the program.
    """
    made = _WithFloat64().visit(deepcopy(tree))
    assert isinstance(made, ast.Module)
    return made
