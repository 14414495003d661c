"""Listings that the program writes itself: of a typed expression, of a sum of as many parts as there are."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from itertools import count
from types import CodeType, FunctionType
from weakref import WeakSet, WeakValueDictionary, finalize

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
    "pi": np.pi,
    **FUNCTIONS,
}

_COMPILED: WeakValueDictionary[tuple[str, str], FunctionType] = WeakValueDictionary()
_VARIANTS: WeakSet[Listing] = WeakSet()
_NUMBERS = count()


def compiled(text: str, source: str, names: dict[str, object] = _NAMESPACE) -> Listing:
    """Compile a listing; its source can be found again like any other's.

    As long as anybody holds it, the same source gives the same function; afterwards nothing is left of it.

    Parameters
    ----------
    text : str
        What it was written from, for tracebacks.
    source : str
        Its lines.
    names : dict[str, object]
        What it may call, as the globals of a function: those of the listing that it was made of.
    """
    found = _COMPILED.get((text, source))
    if found is None or found.__globals__ is not names:
        found = _COMPILED[text, source] = _compile(text, source, names)
    return found


def variant(listing: Listing, changes: Mapping[str, str], *names: str) -> Listing:
    """Return a listing that `with_changes` makes, whose formulas are to be read off it.

    Those of its record, which are of the listing as it is usually, do not hold.
    """
    found = with_changes(listing, changes, *names)
    if found is not listing:
        _VARIANTS.add(found)
    return found


def with_changes(listing: Listing, changes: Mapping[str, str], *names: str) -> Listing:
    """Return a listing with some of its text changed: what an argument asks for beyond the usual.

    Its parameters are those that it still names, and behind them those that it names now. As long as anybody
    holds it, the same changes give the same function.

    Parameters
    ----------
    changes : Mapping[str, str]
        What stands in place of what, each in the text that the changes before it have made.
    names : str
        The parameters that it may name now.
    """
    head, body = _head_and_body(listing)
    changed = body
    for old, new in changes.items():
        changed = changed.replace(old, new)
    if changed == body:
        return listing
    before = re.findall(r"\w+", head.partition("(")[2])
    return rewritten(listing, head.removeprefix("def ").partition("(")[0], (*before, *names), changed)


def rewritten(listing: Listing, name: str, parameters: Iterable[str], body: str) -> Listing:
    """Return a listing with another name and body; its parameters are those that the body names.

    Of one that was made by `variant`, it counts as another.
    """
    kept = [one for one in dict.fromkeys(parameters) if re.search(rf"\b{one}\b", body)]
    found = compiled(listing.__module__, f"def {name}({', '.join(kept)}):\n{body}", listing.__globals__)
    if is_variant(listing):
        _VARIANTS.add(found)
    return found


@cache
def _head_and_body(listing: Listing) -> tuple[str, str]:
    head, *body = source_of(listing)
    return head, "\n".join(body) + "\n"


def is_variant(listing: Listing) -> bool:
    """Return whether a listing was made by `variant`."""
    return listing in _VARIANTS


def parameters_of(listing: Listing) -> tuple[str, ...]:
    """Return the names of a listing's parameters, in order; `inspect.signature` takes sixty times as long."""
    code: CodeType = inspect.unwrap(listing).__code__
    return code.co_varnames[: code.co_argcount]


def source_of(listing: Listing) -> list[str]:
    """Return the lines of a listing, or none if they are not to be found.

    `inspect.getsource` would look for the end by splitting all of it into tokens, which takes ten times as
    long, and in a frozen program it looks for all functions of a module in the module's file.
    """
    function = inspect.unwrap(listing)
    code = getattr(function, "__code__", None)
    if code is None or code.co_filename == "<string>":  # every text that is run bears this name
        return []
    ends = (end for _, end, _, _ in code.co_positions() if end is not None)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    own = lines[code.co_firstlineno - 1 : max(ends, default=0)]
    return textwrap.dedent("".join(own)).rstrip().split("\n") if own else []


def _compile(text: str, source: str, names: dict[str, object]) -> FunctionType:
    name = source.partition("(")[0].removeprefix("def ")
    filename = f"<{name} of {text}, {next(_NUMBERS)}>"
    tree = ast.parse(source)
    code = compile(with_float64(tree) if FLOAT64 in names else tree, filename, "exec")
    function = FunctionType(next(part for part in code.co_consts if isinstance(part, CodeType)), names)
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
