"""Reads a listing's source into a tree of loops, so that steps can be counted instead of run.

A *step* is what Python's tracing calls a line event: one run of one line. A loop's header runs once
for each value of its variable and once more to find that there is none left, so

    steps(line) = 1,   steps(block) = Σ steps(statement),   steps(loop) = n · (1 + steps(body)) + 1.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
from types import CodeType
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from cnnviz.engine.functions import FUNCTIONS
from cnnviz.engine.generated import FLOAT64, source_of, with_float64
from cnnviz.engine.layer import Listing
from cnnviz.errors import CnnvizError
from cnnviz.text import tr


class Line(Struct, frozen=True, eq=False):
    """One assignment.

    Attributes
    ----------
    number : int
        Its line in the listing; the ``def`` line is 1.
    code : CodeType
        The line by itself, ready to run.
    target : str
        The name it assigns to: an array's or a scalar's.
    index : tuple[CodeType, ...]
        The subscripts it writes at, ready to be evaluated; empty for a scalar.
    plain_index : tuple[str, ...]
        The same as names, where every subscript is just a variable; empty otherwise.
    accumulates : bool
        Whether it adds to what is there (``+=``, ``-=``).
    is_term, is_cell : bool
        Whether stepping by term or by cell stops here; in a listing that writes no arrays, at every line.
    uses : frozenset[str]
        The names that it reads.
    """

    number: int
    code: CodeType
    target: str
    index: tuple[CodeType, ...]
    plain_index: tuple[str, ...]
    accumulates: bool
    is_term: bool
    is_cell: bool
    uses: frozenset[str] = frozenset()
    steps: int = 1


class Loop(Struct, frozen=True, eq=False, dict=True):
    """``for variable in range(size): body``.

    Attributes
    ----------
    period : int
        Steps from one header to the next.
    code : CodeType
        The whole loop, with its size read from the name ``_stop``: so it can be run in part.
    count, steps : int
        Values of its variable, and steps; 0 until `bind` puts the sizes in.
    left : Mapping[str, int]
        The values that it and the loops in it leave their variables with.
    """

    number: int
    variable: str
    size: str
    body: Block
    code: CodeType
    count: int = 0
    steps: int = 0
    period: int = 0
    left: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> tuple[Line | Loop | Block, ...]:
        """The loop and everything in it, in the order of the listing."""
        return (self, *self.body.nodes)


class Block(Struct, frozen=True, eq=False, dict=True):
    """Statements in a row.

    Attributes
    ----------
    starts : tuple[int, ...]
        The step at which each statement starts, counted from the block's first.
    left : Mapping[str, int]
        The values that the loops in it leave their variables with.
    left_before : tuple[Mapping[str, int], ...]
        The same before each statement starts.
    """

    statements: tuple[Line | Loop, ...]
    starts: tuple[int, ...] = ()
    steps: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    left_before: tuple[Mapping[str, int], ...] = ()

    @cached_property
    def nodes(self) -> tuple[Line | Loop | Block, ...]:
        """The block and everything in it, in the order of the listing."""
        return (self, *(node for statement in self.statements for node in walk(statement)))

    def find(self, offset: int) -> int:
        """Return which statement the step at `offset` belongs to."""
        return bisect_right(self.starts, offset) - 1


Visit = tuple[Block, int, int]
"""A part of the way down to a step: a block, which of its statements is meant, and which run of that."""


class LoopTree(Struct, frozen=True, eq=False, dict=True, weakref=True):
    """A listing as a tree.

    Attributes
    ----------
    name : str
        The function's name.
    source : tuple[str, ...]
        Its lines, the ``def`` line first.
    parameters : tuple[str, ...]
        Its parameters in order.
    arrays : frozenset[str]
        Those that it subscripts.
    variables : tuple[str, ...]
        The variables of its loops, in the order of the listing.
    loops_differ : bool
        Whether each loop has a variable of its own.
    sizes : frozenset[str]
        The parameters that its loops run to.
    """

    name: str
    source: tuple[str, ...]
    parameters: tuple[str, ...]
    arrays: frozenset[str]
    body: Block
    variables: tuple[str, ...] = ()
    loops_differ: bool = False
    sizes: frozenset[str] = frozenset()

    def bind(self, sizes: Mapping[str, int]) -> Block:
        """Return the body with every loop's count, and so all numbers of steps, filled in.

        For the same sizes it is the same object: an operation is made anew whenever a number is changed.
        """
        return _bound(self, tuple(sizes.items()))


def walk(node: Line | Loop | Block) -> tuple[Line | Loop | Block, ...]:
    """Return a node and everything in it, in the order of the listing."""
    return (node,) if isinstance(node, Line) else node.nodes


@lru_cache(maxsize=4096)
def _bound(tree: LoopTree, sizes: tuple[tuple[str, int], ...]) -> Block:
    return _bind(tree.body, dict(sizes))


def _bind(block: Block, sizes: Mapping[str, int]) -> Block:
    bound: list[Line | Loop] = []
    left: list[dict[str, int]] = [{}]
    for statement in block.statements:
        if isinstance(statement, Loop):
            statement = _bind_loop(statement, sizes)
            left.append({**left[-1], **statement.left})
        else:
            left.append(left[-1])
        bound.append(statement)
    ends = tuple(accumulate(statement.steps for statement in bound))
    return Block(tuple(bound), (0, *ends[:-1]), ends[-1], left[-1], tuple(left[:-1]))


def _bind_loop(loop: Loop, sizes: Mapping[str, int]) -> Loop:
    body, count = _bind(loop.body, sizes), sizes[loop.size]
    return replace(
        loop,
        body=body,
        count=count,
        period=body.steps + 1,
        steps=count * (body.steps + 1) + 1,
        left={loop.variable: count - 1, **body.left} if count > 0 else {},
    )


_TREES: WeakKeyDictionary[Listing, LoopTree] = WeakKeyDictionary()


def read_listing(listing: Listing) -> LoopTree:
    """Read a listing's source; its tree is kept as long as the listing is.

    Raises
    ------
    CnnvizError
        If a line is anything else than ``for … in range(name):`` or one assignment, or if steps could
        not be told from the text alone; the sentence names the line and the reason.
    """
    if listing not in _TREES:
        _TREES[listing] = _read(listing)
    return _TREES[listing]


def _read(listing: Listing) -> LoopTree:
    source = source_of(listing)
    if not source:
        name = getattr(listing, "__name__", str(listing))
        raise CnnvizError(
            tr("{listing}: its source is not at hand, so there is nothing to step through.", listing=name)
        )
    return _Reader(listing.__name__, source, getattr(listing, "__globals__", {})).read()


class _Reader:
    """Turns the syntax tree of one listing into a LoopTree, refusing what has no place in it."""

    def __init__(self, name: str, source: list[str], known: Mapping[str, object]) -> None:
        self.name, self.source, self.known = name, source, known
        self.parameters: tuple[str, ...] = ()
        self.arrays: set[str] = set()
        self.lines: set[int] = set()
        self.variables: list[str] = []
        self.around: list[str] = []
        self.assigned: set[str] = set()
        self.writes_arrays = False

    def read(self) -> LoopTree:
        try:
            function = ast.parse("\n".join(self.source)).body[0]
        except SyntaxError as error:  # its last brackets are closed on a line where nothing is computed
            last = ast.Pass(lineno=len(self.source))
            raise self._refuse(last, tr("a statement must fit on one line")) from error
        if not isinstance(function, ast.FunctionDef) or function.decorator_list:
            raise self._refuse(function, tr("a listing is one plain function"))
        self.parameters = tuple(argument.arg for argument in function.args.args)
        if len(self.parameters) != len(
            [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
        ):
            raise self._refuse(function, tr("its parameters must be plain names"))
        nodes = list(ast.walk(function))
        self.arrays = {node.id for node in map(_array, nodes) if node}
        unknown = self.arrays - set(self.parameters)
        if unknown:
            raise self._refuse(function, tr("{names} must be parameters", names=", ".join(sorted(unknown))))
        self.writes_arrays = any(map(_writes_array, nodes))
        targets = (target for node in nodes if isinstance(node, ast.Assign) for target in node.targets)
        self.assigned = {target.id for target in targets if isinstance(target, ast.Name)}
        body = self._block(function.body, depth=0)
        variables = tuple(dict.fromkeys(self.variables))
        return LoopTree(
            name=self.name,
            source=tuple(self.source),
            parameters=self.parameters,
            arrays=frozenset(self.arrays),
            body=body,
            variables=variables,
            loops_differ=len(variables) == len(self.variables),
            sizes=frozenset(node.size for node in walk(body) if isinstance(node, Loop)),
        )

    def _block(self, statements: list[ast.stmt], depth: int) -> Block:
        innermost = depth > 0 and not any(isinstance(statement, ast.For) for statement in statements)
        writes = [statement for statement in statements if _writes_array(statement)]
        read: list[Line | Loop] = []
        for statement in statements:
            if statement.lineno in self.lines:
                raise self._refuse(statement, tr("there is more than one statement in it"))
            self.lines.add(statement.lineno)
            if isinstance(statement, ast.For):
                read.append(self._loop(statement, depth))
            else:
                is_cell = not self.writes_arrays or (bool(writes) and statement is writes[-1])
                adds = isinstance(statement, ast.AugAssign)
                is_term = is_cell or (innermost and (adds or statement is statements[-1]))
                read.append(self._line(statement, is_term, is_cell))
        return Block(tuple(read))

    def _loop(self, loop: ast.For, depth: int) -> Loop:
        call = loop.iter
        plain = (
            isinstance(loop.target, ast.Name)
            and isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "range"
            and len(call.args) == 1
            and isinstance(call.args[0], ast.Name)
            and not loop.orelse
        )
        if not plain:
            raise self._refuse(loop, tr("a loop must read “for name in range(name):”"))
        assert isinstance(loop.target, ast.Name)
        assert isinstance(call, ast.Call)
        assert isinstance(call.args[0], ast.Name)
        variable, size = loop.target.id, call.args[0].id
        if variable in (*self.around, *self.parameters):
            raise self._refuse(loop, tr("{name} is in use already", name=variable))
        if size not in self.parameters or size in self.arrays:
            raise self._refuse(loop, tr("{name} must be a parameter, a whole number", name=size))
        self.variables.append(variable)
        self.around.append(variable)
        body = self._block(loop.body, depth + 1)
        self.around.pop()
        stop = ast.copy_location(ast.Name("_stop", ast.Load()), call)
        part = ast.For(loop.target, ast.copy_location(ast.Call(call.func, [stop], []), call), loop.body, [])
        code = self._compile(ast.Module([ast.copy_location(part, loop)], []), "exec")
        return Loop(loop.lineno, loop.target.id, call.args[0].id, body, code)

    def _line(self, statement: ast.stmt, is_term: bool, is_cell: bool) -> Line:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AugAssign):
            target = statement.target
        else:
            raise self._refuse(statement, tr("only loops and single assignments are allowed"))
        if statement.end_lineno != statement.lineno:
            raise self._refuse(statement, tr("a statement must fit on one line"))
        if not isinstance(target, ast.Name | ast.Subscript):
            raise self._refuse(statement, tr("it must assign to a name or to one cell of an array"))
        self._check_expressions(statement)
        indices: list[ast.expr] = []
        if isinstance(target, ast.Subscript):
            assert isinstance(target.value, ast.Name)
            name = target.value.id
            indices = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        else:
            name = target.id
            if name in (*self.around, *self.variables, *self.parameters):
                raise self._refuse(statement, tr("it must not assign to a parameter or a loop's variable"))
        self._check_place(statement, indices)
        plain = tuple(index.id for index in indices if isinstance(index, ast.Name))
        return Line(
            number=statement.lineno,
            code=self._compile(ast.Module([statement], []), "exec"),
            target=name,
            index=tuple(self._compile(ast.Expression(index), "eval") for index in indices),
            plain_index=plain if len(plain) == len(indices) else (),
            accumulates=isinstance(statement, ast.AugAssign),
            is_term=is_term,
            is_cell=is_cell,
            uses=frozenset(_names_read(statement)),
        )

    def _check_expressions(self, statement: ast.stmt) -> None:
        """Refuse what is more than arithmetic of names, numbers and cells, and functions of numbers."""
        nodes = list(ast.walk(statement))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        functions = {part for call in calls for part in ast.walk(call.func)}
        places = {node.slice for node in nodes if isinstance(node, ast.Subscript)}
        for node in nodes:
            if isinstance(node, ast.Slice) or (isinstance(node, ast.Subscript) and not _array(node)):
                raise self._refuse(statement, tr("it must name single cells, as in x[i, j]"))
            is_place = isinstance(node, ast.Tuple) and node in places
            if not (node in functions or is_place or _is_arithmetic(node)):
                raise self._refuse(statement, tr("it holds more than plain arithmetic"))
        for call in calls:
            self._check_call(statement, call)
        adds = isinstance(statement, ast.AugAssign)
        for node in nodes:
            if (
                isinstance(node, ast.Name)
                and node not in functions
                and (adds or isinstance(node.ctx, ast.Load))
            ):
                self._check_name(statement, node.id)

    def _check_call(self, statement: ast.stmt, call: ast.Call) -> None:
        """Refuse to call anything but functions of numbers, `max` or NumPy's ``exp``."""
        found: object = None
        match call.func:
            case ast.Name(id=name):
                found = self.known.get(name, _BUILTINS.get(name))
            case ast.Attribute(value=ast.Name(id=module), attr=name) if self.known.get(module) is np:
                found = getattr(np, name, None)
        allowed = isinstance(found, np.ufunc) or any(found is function for function in _FUNCTIONS)
        if call.keywords or not allowed:
            reason = tr(
                "{function} is not a function of numbers; there are {known}",
                function=ast.unparse(call.func),
                known=_NAMES,
            )
            raise self._refuse(statement, reason)

    def _check_name(self, statement: ast.stmt, name: str) -> None:
        is_here = name in self.assigned or name in self.variables or name in self.parameters
        if not is_here and not isinstance(self.known.get(name), int | float):
            raise self._refuse(statement, tr("{name} has no value", name=name))

    def _check_place(self, statement: ast.stmt, indices: list[ast.expr]) -> None:
        """Refuse a cell to be written that does not follow from the loops around it."""
        known = {*self.around, *self.parameters}
        for node in (part for index in indices for part in ast.walk(index)):
            if isinstance(node, ast.Call | ast.IfExp) or (
                isinstance(node, ast.Name) and node.id not in known
            ):
                raise self._refuse(
                    statement, tr("where it writes must follow from sizes and the loops around it alone")
                )

    def _compile(self, tree: ast.Module | ast.Expression, mode: str) -> CodeType:
        if FLOAT64 in self.known and isinstance(tree, ast.Module):
            tree = with_float64(tree)
        code = compile(tree, f"<listing {self.name}>", mode)
        assert isinstance(code, CodeType)
        return code

    def _refuse(self, node: ast.stmt, reason: str) -> CnnvizError:
        return CnnvizError(
            tr(
                "{listing}, line {line}: {reason} — “{text}”.",
                listing=self.name,
                line=node.lineno,
                reason=reason,
                text=self.source[node.lineno - 1].strip(),
            )
        )


def _names_read(statement: ast.stmt) -> set[str]:
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    adds = isinstance(statement, ast.AugAssign)
    return {node.id for node in names if adds or isinstance(node.ctx, ast.Load)}


_BUILTINS = {"max": max, "min": min, "abs": abs}
_FUNCTIONS = (*_BUILTINS.values(), *FUNCTIONS.values())
_NAMES = ", ".join(sorted({*_BUILTINS, *FUNCTIONS}))
_ARITHMETIC = (
    ast.Assign,
    ast.AugAssign,
    ast.BinOp,
    ast.BoolOp,
    ast.Call,
    ast.Compare,
    ast.IfExp,
    ast.Name,
    ast.Subscript,
    ast.UnaryOp,
    ast.expr_context,
    ast.boolop,
    ast.unaryop,
)
_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def _is_arithmetic(node: ast.AST) -> bool:
    """Return whether a part of a statement may stand in a listing; what is called is not asked here."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    return isinstance(node, (*_ARITHMETIC, *_SIGNS, *_COMPARISONS))


def _array(node: ast.AST) -> ast.Name | None:
    """Return the array's name if a node is a cell of one."""
    return node.value if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) else None


def _writes_array(statement: ast.AST) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AugAssign):
        targets = [statement.target]
    return any(isinstance(target, ast.Subscript) for target in targets)
