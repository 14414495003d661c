"""What is asked of the numbers at a step: ``acc < 0 and i == j``, ``y[o].max()``, ``abs(fc.dw).mean()``.

It is read from what is typed, checked against a short list of what there may be, and never run. Names are
those of the listing; addresses, ``conv1.w``, mean arrays of the whole network. What Python does not hold yet
is unknown: a variable before its line has run, a cell before it is written, an array before its operation.
What is computed of something unknown is unknown, too, but for sums, means and extremes of arrays: they go
over the cells that are there.

Many steps are looked at together, as arrays with a step along their first axis.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from math import prod
from typing import Any, NoReturn

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import address_of, name_of
from cnnviz.engine.expression.reader import LONGEST, character_of, parsed, quoted
from cnnviz.engine.functions import FUNCTIONS
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.added import is_followed, sums_at
from cnnviz.trace.lanes import assigned
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.runs import Runs, last_written, run_at
from cnnviz.trace.state import state

_AT_ONCE = 2**21
"""How many numbers are made at once, so that memory stays small however many steps are looked at."""

_FEW = 8
"""At so few steps each variable is looked at by itself."""

_CALLED: Mapping[str, Callable[..., Any]] = {**FUNCTIONS, "isnan": np.isnan, "isfinite": np.isfinite}
_ACCUMULATED = ("max", "min", "sum", "mean", "std", "any", "all")
_JOINED = {"max": np.maximum, "min": np.minimum, "any": np.logical_or, "all": np.logical_and}
_OPERANDS = {"max": 2, "min": 2}
_REDUCING = ("max", "min", "sum", "mean", "std", "any", "all", "argmax", "argmin")
_SIGNS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}


class _UnfitError(CnnvizError):
    """In this operation a name is something else than what is asked for; in another one it may fit."""


class Held(Struct, frozen=True, eq=False):
    """Numbers at some steps, and which of them are known.

    Attributes
    ----------
    value : NDArray
        The steps along the first axis, or 1 where all of them have the same; cells along the others.
    known : NDArray
        Whether each is known; its axes are those of the value, each as long, or 1.
    """

    value: NDArray[Any]
    known: NDArray[np.bool_]

    @property
    def cells(self) -> int:
        """How many axes there are besides that of the steps."""
        return self.value.ndim - 1

    @property
    def true(self) -> NDArray[np.bool_]:
        """Where it is known, and holds."""
        return np.asarray(self.known & (self.value != 0))


_UNKNOWN = Held(np.zeros(1), np.zeros(1, bool))


class Watch(Struct, frozen=True, eq=False):
    """What was asked, ready to be answered.

    Attributes
    ----------
    text : str
        As it was typed.
    tree : ast.expr
        The same, checked.
    names : frozenset[str]
        The names of a listing that are in it.
    addresses : frozenset[tuple[str, str]]
        The arrays of the network in it, each as a node and a name.
    """

    text: str
    tree: ast.expr
    names: frozenset[str]
    addresses: frozenset[tuple[str, str]]


# ------------------------------------------------------------------------------------------------- reading


@lru_cache(maxsize=512)
def read_watch(text: str) -> Watch:
    """Read what is asked.

    Raises
    ------
    CnnvizError
        If there is anything in it but numbers, names, cells, arithmetic, comparisons and the functions known
        here; the sentence says at which character, and what is allowed.
    """
    text = text.strip()
    if not text:
        raise CnnvizError(tr("Nothing is asked; type what to look at, as in acc < 0 or y[o].max()."))

    def refuse(at: int, reason: str) -> NoReturn:
        raise CnnvizError(
            tr(
                "Character {place}: {reason}; there are numbers, names, cells as in y[o, i, j], "
                "+ − * / // % **, < > == and or not, {functions}, and {reducing} of arrays.",
                place=at + 1,
                reason=reason,
                functions=", ".join(_CALLED),
                reducing=" ".join(f".{name}()" for name in _REDUCING),
            )
        )

    if len(text) > LONGEST:
        refuse(LONGEST, tr("there are at most {most} characters", most=LONGEST))
    tree = parsed(text, refuse)
    _Checker(text, refuse).check(tree)
    return _watch(text, tree)


def conjuncts(watch: Watch) -> Sequence[Watch]:
    """Return the parts that must all hold, each by itself; the whole, if there are none."""
    tree = watch.tree
    if not (isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)):
        return (watch,)
    return tuple(_watch(watch.text, part) for part in tree.values)


def _watch(text: str, tree: ast.expr) -> Watch:
    nodes = list(ast.walk(tree))
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    addresses = {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and node not in called and isinstance(node.value, ast.Name)
    }
    of_addresses = {node.value for node in nodes if isinstance(node, ast.Attribute) and node not in called}
    names = {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and node not in called and node not in of_addresses
    }
    return Watch(text, tree, frozenset(names), frozenset(addresses))


class _Checker:
    """Refuses what is not in the short list."""

    def __init__(self, text: str, refuse: Callable[[int, str], NoReturn]) -> None:
        self._text, self._refuse_at = text, refuse

    def check(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=bool() | int() | float()):
                self._check_number(node)
            case ast.Name(id=name):
                if name in _CALLED:
                    self._refuse(node, tr("{name} is a function: write {name}(…)", name=name))
            case ast.BoolOp(values=parts):
                self._each(parts)
            case ast.UnaryOp(operand=part):
                if isinstance(node.op, ast.Invert):
                    self._refuse(node, tr("{part} is not allowed", part="“~”"))
                self.check(part)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
                self._each([left, right])
            case ast.Compare(left=left, ops=signs, comparators=others) if all(
                type(s) in _SIGNS for s in signs
            ):
                self._each([left, *others])
            case ast.Attribute(value=ast.Name(), attr=name):
                if name in _REDUCING:
                    self._refuse(node, tr("write brackets behind it, as in y.{name}()", name=name))
            case ast.Subscript(value=ast.Name() | ast.Attribute() as array, slice=place):
                self.check(array)
                for index in place.elts if isinstance(place, ast.Tuple) else [place]:
                    self._check_index(index)
            case ast.Call(func=ast.Attribute(value=part, attr=name), args=[], keywords=[]) if (
                name in _REDUCING
            ):
                self.check(part)
            case ast.Call(func=ast.Name(id=name)) if name in _CALLED:
                self._check_operands(node, name)
            case ast.Call(func=ast.Name(id=name)):
                self._refuse(node, tr("there is no function {name}", name=name))
            case _:
                self._refuse_part(node)

    def _each(self, parts: Sequence[ast.expr]) -> None:
        for part in parts:
            self.check(part)

    def _check_number(self, node: ast.Constant) -> None:
        try:
            finite = np.isfinite(float(node.value))  # type: ignore[arg-type]
        except OverflowError:
            finite = np.False_
        if not finite:
            self._refuse(node, tr("this number is too large"))

    def _check_operands(self, node: ast.Call, name: str) -> None:
        count = _OPERANDS.get(name, 1)
        if node.keywords or len(node.args) != count or any(isinstance(a, ast.Starred) for a in node.args):
            words = tr("{name} takes one operand") if count == 1 else tr("{name} takes two operands")
            self._refuse(node, words.format(name=name))
        self._each(node.args)

    def _check_index(self, index: ast.expr) -> None:
        if isinstance(index, ast.Slice):
            if index.step is not None:
                self._refuse(index, tr("a range of cells has no step"))
            for end in (index.lower, index.upper):
                if end is not None and _whole(end) is None:
                    self._refuse(end, tr("a range of cells is between plain numbers, as in y[0:3]"))
        else:
            self.check(index)

    def _refuse_part(self, node: ast.expr) -> NoReturn:
        part = self._text[character_of(self._text, node) : character_of(self._text, node, end=True)]
        self._refuse(node, tr("{part} is not allowed", part=quoted(part)))

    def _refuse(self, node: ast.expr, reason: str) -> NoReturn:
        self._refuse_at(character_of(self._text, node), reason)


def place_of_cell(place: ast.expr) -> tuple[int, ...] | None:
    """Return the place that plain numbers name; None where it is anything else."""
    found = [_whole(part) for part in (place.elts if isinstance(place, ast.Tuple) else [place])]
    return None if None in found else tuple(k for k in found if k is not None)


def _whole(node: ast.expr) -> int | None:
    """Return a plain whole number; None if it is anything else."""
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
    return None


# ----------------------------------------------------------------------------------------------- answering


def check_watch(program: Program, watch: Watch, condition: bool = False) -> None:
    """Refuse what can never be answered in a program.

    Parameters
    ----------
    condition : bool
        Whether it must be one number, which holds or does not.

    Raises
    ------
    CnnvizError
        If there is no such name or array, or one is not what it is taken for.
    """
    for node, name in watch.addresses:
        array_of_network(program, node, name)
    known = {name for operation in program.operations for name in names_in(operation)}
    for name in sorted(watch.names - known):
        raise CnnvizError(
            tr("{text}: no listing has {name}; the one at hand shows which names there are.",
               text=quoted(watch.text), name=name)
        )  # fmt: skip
    fault: CnnvizError | None = None
    for operation in program.operations:
        if watch.names <= names_in(operation):
            try:
                with np.errstate(all="ignore"):
                    found = _Answer(program, watch, run_at(operation, len(operation) - 1)).answer()
                if condition and found.value[0].size > 1:
                    raise CnnvizError(
                        tr("{text} is many numbers; a condition is one: add .any(), or name a cell.",
                           text=quoted(watch.text))
                    )  # fmt: skip
                return
            except CnnvizError as error:
                fault = fault or error
    if fault is not None:
        raise fault
    if watch.names:
        raise CnnvizError(
            tr("{text}: no listing has all of {names}.",
               text=quoted(watch.text), names=", ".join(sorted(watch.names)))
        )  # fmt: skip


def names_in(operation: Operation) -> frozenset[str]:
    """Return all names that a listing knows: arrays, sizes, loop variables and scalars."""
    if names_in not in operation.cache:
        tree = operation.tree
        operation.cache[names_in] = frozenset((*tree.parameters, *tree.variables, *operation.scalars))
    found: frozenset[str] = operation.cache[names_in]
    return found


def value_at(program: Program, watch: Watch, index: int) -> NDArray[Any] | float | None:
    """Return what is asked just after a step: a number, an array with NaN for what is unknown, or None."""
    step = program[index]
    found = answers(program, watch, run_at(step.operation, step.offset))
    if not found.known.any():
        return None
    value, known = np.broadcast_arrays(found.value, found.known)
    if found.cells == 0:
        number: float = value[0].item()
        return number
    return np.where(known[0], value[0], np.nan)


def answers(program: Program, watch: Watch, runs: Runs) -> Held:
    """Return what is asked just after some runs; nothing is known where a name is something else."""
    most = max(1, _AT_ONCE // weight(program, watch, runs.operation))
    pieces: list[Held] = []
    with np.errstate(all="ignore"):
        for start in range(0, max(len(runs), 1), most):
            try:
                pieces.append(_Answer(program, watch, runs.part(slice(start, start + most))).answer())
            except _UnfitError:
                return _UNKNOWN
    if len(pieces) == 1:
        return pieces[0]
    count = [min(most, len(runs) - start) for start in range(0, len(runs), most)]
    return Held(
        np.concatenate([_repeated(piece.value, n) for piece, n in zip(pieces, count, strict=True)]),
        np.concatenate([_repeated(piece.known, n) for piece, n in zip(pieces, count, strict=True)]),
    )


def _repeated(values: NDArray[Any], count: int) -> NDArray[Any]:
    return np.broadcast_to(values, (count, *values.shape[1:]))


def changing(program: Program, watch: Watch, operation: Operation) -> list[Line | Loop]:
    """Return the lines and loops of an operation at whose runs the answer may become another."""
    own = {name for name in watch.names if name in names_in(operation)}
    for node, name in watch.addresses:
        array = array_of_network(program, node, name)
        own |= {local for made, local in array.made if made is operation}
    nodes = [node for node in walk(operation.body) if isinstance(node, Line | Loop)]
    return [
        node for node in nodes if (node.variable if isinstance(node, Loop) else node.target) in own
    ]  # fmt: skip


def weight(program: Program, watch: Watch, operation: Operation) -> int:
    """Return how many numbers one step takes at most."""
    key = weight, watch.text
    if key not in operation.cache:
        call = operation.call
        whole = [np.size(call.value(name)) for name in watch.names if call.has(name)]
        whole += [prod(array_of_network(program, *address).shape) for address in watch.addresses]
        operation.cache[key] = 1 if _all_cells(program, watch, operation) else max(1, *whole, 1)
    most: int = operation.cache[key]
    return most


def _all_cells(program: Program, watch: Watch, operation: Operation) -> bool:
    """Return whether every array in it is asked for one cell only, so that a step takes few numbers."""
    single = set()
    for node in ast.walk(watch.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            part, name = _only_array(node.func.value), node.func.attr
            kept = name == "std" and bool(operation.call.before)  # what was there before is in it, too
            if part is not None and name in _ACCUMULATED and operation.writes_once and not kept:
                single.add(part.value if isinstance(part, ast.Subscript) else part)
        if isinstance(node, ast.Subscript):
            array, index = _array_and_index(node)
            local = _local_name(program, array, operation)
            quick = operation.writes_once or not local or is_followed(operation, local)
            if quick and _is_cell(index, _axes(program, array, operation)):
                single.add(array)
    return all(node in single or _axes(program, node, operation) == 0 for node in _arrays(watch))


def _arrays(watch: Watch) -> Iterator[ast.expr]:
    called = {node.func for node in ast.walk(watch.tree) if isinstance(node, ast.Call)}
    inner = {node.value for node in ast.walk(watch.tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(watch.tree):
        if node in called or (isinstance(node, ast.Name) and node in inner and node.id not in watch.names):
            continue
        if isinstance(node, ast.Name | ast.Attribute):
            yield node


def _axes(program: Program, node: ast.expr, operation: Operation) -> int:
    match node:
        case ast.Name(id=name) if operation.call.has(name):
            return int(np.ndim(operation.call.like(name)))
        case ast.Attribute(value=ast.Name(id=layer), attr=name):
            return len(array_of_network(program, layer, name).shape)
    return 0


def _local_name(program: Program, node: ast.expr, operation: Operation) -> str:
    """Return what an operation's listing calls an array that it writes; empty if it is none, or in part."""
    call, name = operation.call, ""
    match node:
        case ast.Name(id=own):
            name = own
        case ast.Attribute(value=ast.Name(id=layer), attr=own):
            array = array_of_network(program, layer, own)
            name = next((local for made, local in array.made if made is operation), "")
            if name and (call.placement(name) is not None or call.own_shape(name) != array.shape):
                return ""
    return name if name in call.writes and name not in operation.scalars else ""


def _is_cell(index: Sequence[ast.expr], axes: int) -> bool:
    """Return whether subscripts name one cell of an array."""
    return len(index) == axes and not any(isinstance(part, ast.Slice) for part in index)


class OfNetwork(Struct, frozen=True, eq=False):
    """An array of the network, wherever it is made and read.

    Attributes
    ----------
    shape : tuple[int, ...]
        Its own, without zeros put in.
    begun : NDArray or None
        What it is before any operation writes it; None if there is nothing yet.
    made : tuple[tuple[Operation, str], ...]
        The operations that write it, in order, and what their listings call it.
    first : tuple[Operation, str]
        The first operation that reads or writes it.
    """

    shape: tuple[int, ...]
    begun: NDArray[Any] | None
    made: tuple[tuple[Operation, str], ...]
    first: tuple[Operation, str]


def array_of_network(program: Program, node: str, name: str) -> OfNetwork:
    """Return an array by its address, or by what the layer calls it: ``conv2.x``.

    Raises
    ------
    CnnvizError
        If there is none.
    """
    key = array_of_network, node, name
    cache = program.operations[0].cache
    if key not in cache:
        cache[key] = _found(program, node, name)
    array: OfNetwork = cache[key]
    return array


def _found(program: Program, node: str, name: str) -> OfNetwork:
    address = address_of(node, name)
    places = list(_places(program, address))
    if not places:  # a layer's own name for what another one makes: conv2.x
        its = (one for one in program.operations if one.layer == node and one.call.has(name))
        port = next((one.call.port(name) for one in its), None)
        places = list(_places(program, (port.before or port.address) if port else ""))
        address = (port.before or port.address) if places and port else address
    if not places:
        own = [one for one in program.operations if one.layer == node]
        names = sorted({name_of(one.call.port(n).address) for one in own for n in one.call.writes})
        there = tr("there are {names}", names=", ".join(names)) if own else tr("no layer has that name")
        raise CnnvizError(tr("There is no array {name}: {there}.", name=address, there=there))
    first, local = places[0]
    call = first.call
    made = tuple((one, its) for one, its in places if its in one.call.writes)
    begun: NDArray[Any] | None = None
    if local in call.given:
        begun = call.unpadded(local, np.asarray(call.given[local]))
    elif local in call.before and call.port(local).before == address:
        begun = call.unpadded(local, np.asarray(call.before[local]))
    shape = call.own_shape(local)
    return OfNetwork(shape, None if begun is None else begun.reshape(shape), made, (first, local))


def _places(program: Program, address: str) -> Iterator[tuple[Operation, str]]:
    """Yield the operations that read or write an array, in order, and what they call it."""
    for operation in program.operations:
        call = operation.call
        for name in dict.fromkeys((*call.given, *call.writes)):
            if name in operation.tree.sizes:
                continue
            port = call.port(name)
            if address and address in (port.before, port.address):
                yield operation, name


class _Array(Struct, frozen=True, eq=False):
    """An array at some steps, of which cells are asked.

    Attributes
    ----------
    value : NDArray
        The steps along the first axis, or 1 where all have the same.
    begun : NDArray or None
        What its cells are before they are written; unknown, where that is None.
    written : NDArray or None
        The step at which each cell is written; None if all are there.
    """

    value: NDArray[Any]
    begun: NDArray[Any] | None = None
    written: NDArray[np.intp] | None = None


class _Answer:
    """Answers at some runs of one node."""

    def __init__(self, program: Program, watch: Watch, runs: Runs) -> None:
        self.program, self.watch, self.runs = program, watch, runs
        self.operation = runs.operation
        self._variables = runs.variables(watch.names)
        self._given: tuple[ast.expr, Held] | None = None

    def answer(self) -> Held:
        return self._of(self.watch.tree)

    def _of(self, node: ast.expr) -> Held:
        if self._given is not None and node is self._given[0]:
            return self._given[1]
        match node:
            case ast.Constant(value=value):
                return _plain(float(value))  # type: ignore[arg-type]
            case ast.Name() | ast.Attribute():
                return self._cells(node, [])
            case ast.Subscript(value=array, slice=place):
                return self._cells(array, place.elts if isinstance(place, ast.Tuple) else [place])
            case ast.BoolOp(op=sign, values=parts):
                joined = _and if isinstance(sign, ast.And) else _or
                return reduce(joined, (self._of(part) for part in parts))
            case ast.UnaryOp(op=ast.Not(), operand=part):
                denied = self._of(part)
                return Held(denied.value == 0, denied.known)
            case ast.UnaryOp(op=sign, operand=part):
                return self._joined(_SIGNS[type(sign)], self._of(part))
            case ast.BinOp(left=left, op=sign, right=right):
                return self._joined(_SIGNS[type(sign)], self._of(left), self._of(right))
            case ast.Compare(left=left, ops=signs, comparators=others):
                held = [self._of(part) for part in (left, *others)]
                pairs = zip(signs, held, held[1:], strict=False)
                return reduce(_and, (self._joined(_SIGNS[type(s)], one, two) for s, one, two in pairs))
            case ast.Call(func=ast.Attribute(value=part, attr=name)):
                return self._accumulated(part, name) or _reduced(self._of(part), name)
            case ast.Call(func=ast.Name(id=name), args=parts):
                return self._joined(_CALLED[name], *map(self._of, parts))
        raise AssertionError(ast.dump(node))

    def _joined(self, function: Callable[..., Any], *parts: Held) -> Held:
        parts = _aligned(parts)
        try:
            value = np.asarray(function(*(_float(part.value) for part in parts)))
        except ValueError:
            shapes = " and ".join(str(part.value.shape[1:]) for part in parts)
            raise _UnfitError(
                tr("{text}: arrays of {shapes} do not go together; name cells of them.",
                   text=quoted(self.watch.text), shapes=shapes)
            ) from None  # fmt: skip
        return Held(value, reduce(np.logical_and, (part.known for part in parts)))

    # ------------------------------------------------------------------------------------- what is named

    def _cells(self, node: ast.expr, index: Sequence[ast.expr]) -> Held:
        """Return some cells of an array, or a variable."""
        summed = self._summed(node, index)
        if summed is not None:
            return summed
        array = self._array(node)
        if isinstance(array, Held):
            if index and array is not _UNKNOWN:
                raise _UnfitError(
                    tr("{text}: {name} is one number and has no cells.",
                       text=quoted(self.watch.text), name=ast.unparse(node))
                )  # fmt: skip
            return array
        places, inside = self._places(node, array.value.shape[1:], index)
        value = _taken(array.value, places)
        inside = inside.reshape(-1, *[1] * (value.ndim - 1))
        if array.written is None:
            return Held(value, inside)
        steps = self.runs.offsets.reshape(-1, *[1] * (value.ndim - 1))
        there = _taken(array.written[None], places) <= steps
        if array.begun is None:
            return Held(value, inside & there)
        return Held(np.where(there, value, _taken(array.begun[None], places)), inside)

    def _places(
        self, node: ast.expr, shape: tuple[int, ...], index: Sequence[ast.expr]
    ) -> tuple[list[Any], NDArray[np.bool_]]:
        """Return what subscripts name along each axis, at each step, and whether there are such cells."""
        if len(index) > len(shape):
            raise _UnfitError(
                tr("{text}: {name} has {count} axes and not {asked}.", text=quoted(self.watch.text),
                   name=ast.unparse(node), count=len(shape), asked=len(index))
            )  # fmt: skip
        places: list[Any] = []
        inside: NDArray[np.bool_] = np.ones(1, bool)
        for part, size in zip(index, shape, strict=False):
            if isinstance(part, ast.Slice):
                ends = (None if end is None else _whole(end) for end in (part.lower, part.upper))
                places.append(slice(*ends))
                continue
            held = self._of(part)
            if held.cells:
                raise _UnfitError(
                    tr("{text}: a cell's place is made of whole numbers.", text=quoted(self.watch.text))
                )
            number = _float(held.value)
            place = np.where(np.isfinite(number), number, 0).astype(np.intp)
            place = np.where(place < 0, place + size, place)
            inside = inside & held.known & (number == np.floor(number)) & (place >= 0) & (place < size)
            places.append(np.clip(place, 0, max(size - 1, 0)))
        return places, inside

    def _summed(self, node: ast.expr, index: Sequence[ast.expr]) -> Held | None:
        """Return a cell that this very operation adds to; None if it is anything else."""
        operation = self.operation
        local = _local_name(self.program, node, operation)
        if not local or not _is_cell(index, np.ndim(operation.call.like(local))):
            return None
        if not is_followed(operation, local):
            return None
        shape, runs = np.shape(operation.call.like(local)), len(self.runs)
        places, inside = self._places(node, shape, index)
        if 0 in shape:
            return None
        cells = np.ravel_multi_index([np.broadcast_to(place, runs) for place in places], shape)
        return Held(sums_at(operation, local, cells, self.runs.offsets), inside)

    def _accumulated(self, part: ast.expr, name: str) -> Held | None:
        """Return one number of the cells of an array that are there, without a part of it for each step.

        Cells that subscripts name, put in the order in which they are written, say what it is after each:
        sums go in that order, until all are there. None where that does not say it.
        """
        inner = _only_array(part)
        if name not in _ACCUMULATED or inner is None:
            return None
        node, index = _array_and_index(inner)
        array = self._array(node)
        if isinstance(array, Held) or len(array.value) > 1 or (name == "std" and array.begun is not None):
            return None
        places, inside = self._places(node, array.value.shape[1:], index)
        shape, runs = array.value.shape[1:], len(self.runs)
        if len(places) == len(shape) or 0 in shape or not runs:
            return None
        lead = shape[: len(places)]
        which = np.zeros(1, np.intp)
        for place, size in zip(places, lead, strict=True):
            which = which * size + place
        which = np.broadcast_to(which, runs)
        cells, begun, written = (
            None if one is None else one.reshape(prod(lead), -1)
            for one in (array.value[0], array.begun, array.written)
        )
        assert cells is not None
        value, known = np.zeros(runs), np.ones(runs, bool)
        for group in np.unique(which):
            here = which == group
            now = self._each_cell(part, inner, cells[group])
            if written is None:
                value[here] = getattr(now, name)()
                continue
            order = np.argsort(written[group], kind="stable")
            count = np.searchsorted(written[group][order], self.runs.offsets[here], "right")
            old = None if begun is None else self._each_cell(part, inner, begun[group])[order]
            value[here] = _on_the_way(now[order], old, name, getattr(now, name)())[count]
            known[here] = (count > 0) | (old is not None)
        return Held(value.astype(bool) if name in ("any", "all") else value, known & inside)

    def _each_cell(self, part: ast.expr, inner: ast.expr, cells: NDArray[Any]) -> NDArray[Any]:
        """Return what a part comes to at each cell of the one array in it."""
        self._given = inner, Held(cells[None], np.ones(1, bool))
        found = _float(self._of(part).value[0])
        self._given = None
        return found

    def _array(self, node: ast.expr) -> _Array | Held:
        if isinstance(node, ast.Attribute):
            assert isinstance(node.value, ast.Name)
            return self._of_network(node.value.id, node.attr)
        assert isinstance(node, ast.Name)
        name, call = node.id, self.operation.call
        if name in self.operation.tree.variables:
            return Held(*self._variables[name]) if name in self._variables else _UNKNOWN
        if name in self.operation.scalars:
            return self._scalar(name)
        if name not in self.operation.tree.parameters:
            return _UNKNOWN
        if name in call.writes:
            return self._in_work(name)
        value = np.asarray(call.given[name])
        return _Array(value[None]) if value.ndim else Held(value[None], np.ones(1, bool))

    def _in_work(self, name: str) -> _Array | Held:
        """Return an array that this very operation writes."""
        operation, call = self.operation, self.operation.call
        if name in operation.scalars:
            return self._scalar(name)
        if operation.writes_once:
            results = call.writes[name]
            begun = call.before.get(name)
            return _Array(results[None], begun, last_written(operation, name).reshape(results.shape))
        offsets = self.runs.offsets.tolist()
        arrays = [state(operation, offset).arrays[name] for offset in offsets]
        return _Array(np.stack(arrays) if arrays else np.asarray(call.writes[name])[None][:0])

    def _of_network(self, node: str, name: str) -> _Array | Held:
        array, program = array_of_network(self.program, node, name), self.program
        here = program.number(self.operation.name)
        value = array.begun
        for made, local in array.made:
            if made is self.operation:
                return self._placed(array, local)
            if program.number(made.name) < here:
                value = made.call.unpadded(local, np.asarray(made.call.writes[local])).reshape(array.shape)
        if value is None:
            return _UNKNOWN
        return _Array(value[None]) if array.shape else Held(value[None], np.ones(1, bool))

    def _placed(self, array: OfNetwork, local: str) -> _Array | Held:
        """Return an array in work as the network has it: without zeros put in, in its own shape."""
        found, call = self._in_work(local), self.operation.call
        if isinstance(found, Held):
            return found

        def own(values: NDArray[Any] | None, count: int) -> NDArray[Any] | None:
            return (
                None
                if values is None
                else call.unpadded(local, values).reshape(*[count] * (count > 0), *array.shape)
            )

        value = own(found.value, len(found.value))
        assert value is not None
        return _Array(value, own(found.begun, 0), own(found.written, 0))

    def _scalar(self, name: str) -> Held:
        """Return a variable that lines assign."""
        operation, offsets = self.operation, self.runs.offsets
        events = None
        if len(offsets) > _FEW:
            events = assigned(operation, name, *self.runs.span, offsets if self.runs.chosen else None)
        if events is None:
            return _as_held([state(operation, offset).variables.get(name) for offset in offsets.tolist()])
        latest = np.searchsorted(events.offsets, offsets, "right") - 1
        before = latest < 0
        value, known = events.values[np.maximum(latest, 0)].astype(float), np.ones(len(offsets), bool)
        if before.any():  # all of them have what was left by then
            held = _as_held([state(operation, int(offsets[0])).variables.get(name)])
            value[before], known[before] = held.value[0], held.known[0]
        return Held(value, known)


def _as_held(found: Sequence[float | None]) -> Held:
    value = np.array([0.0 if number is None else number for number in found], float)
    return Held(value, np.array([number is not None for number in found], bool))


def _on_the_way(now: NDArray[Any], old: NDArray[Any] | None, name: str, end: float) -> NDArray[Any]:
    """Return one number of an array in work, by how many of its cells are written: 0, 1, …, all.

    Parameters
    ----------
    now, old : NDArray
        What the cells become, in the order in which they do, and were before; None where they were not there.
    end : float
        What it is when all are written.
    """
    if name == "std":
        return np.concatenate([now[:1], _spread(now)[:-1], [end]])
    join = _JOINED.get(name, np.add)
    found = np.append(now[:1], join.accumulate(now))
    if old is not None:
        rest = join.accumulate(old[::-1])[::-1]
        found = np.concatenate([rest[:1], join(found[1:-1], rest[1:]), found[-1:]])
    if name == "mean":
        count = len(now) if old is not None else np.maximum(np.arange(len(now) + 1), 1)
        found = found / count
    found[-1] = end
    return found


def _spread(cells: NDArray[Any]) -> NDArray[Any]:
    """Return the standard deviation of the first cells, for each count of them."""
    count = np.arange(1, len(cells) + 1)
    means = np.add.accumulate(cells) / count
    # Each cell adds its own, by how far it is from the mean of those before it: large sums lose nothing.
    apart = cells - np.append(cells[:1], means[:-1])
    found = np.sqrt(np.add.accumulate(apart**2 * (count - 1) / count) / count)
    found = np.where(np.isfinite(means), found, np.inf)  # as NumPy has it, also of what is too large to add
    return np.where(np.logical_and.accumulate(np.isfinite(cells)), found, np.nan)


def _only_array(part: ast.expr) -> ast.expr | None:
    """Return the one array in a part that goes over its cells, each by itself; None if that is not so."""
    match part:
        case ast.Name() | ast.Attribute():
            return part
        case ast.Subscript(slice=place):
            index = place.elts if isinstance(place, ast.Tuple) else [place]
            return None if any(isinstance(k, ast.Slice) for k in index) else part
        case ast.UnaryOp(operand=inner):
            return _only_array(inner)
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
            parts = [left, right]
        case ast.Call(func=ast.Name(), args=parts):
            pass
        case _:
            return None
    others = [one for one in parts if not isinstance(one, ast.Constant)]
    return _only_array(others[0]) if len(others) == 1 else None


def _array_and_index(part: ast.expr) -> tuple[ast.expr, Sequence[ast.expr]]:
    """Return an array and the places of its cells along its first axes."""
    if not isinstance(part, ast.Subscript):
        return part, ()
    return part.value, part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]


def _plain(number: float) -> Held:
    return Held(np.array([number]), np.ones(1, bool))


def _float(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(float) if values.dtype.kind in "iub" else values


def _taken(values: NDArray[Any], places: Sequence[Any]) -> NDArray[Any]:
    """Return cells of an array at each step, with the steps along the first axis."""
    numbers = [len(place) for place in places if not isinstance(place, slice)]
    count = max(len(values), *numbers) if numbers else len(values)
    if 0 in (*numbers, len(values)):
        count = 0
    if not numbers:
        return values[(slice(None), *places)]
    values = np.broadcast_to(values, (count, *values.shape[1:]))
    every = [place if isinstance(place, slice) else np.broadcast_to(place, count) for place in places]
    return np.asarray(values[(np.arange(count), *every)])


def _aligned(parts: tuple[Held, ...]) -> tuple[Held, ...]:
    """Give parts as many axes of cells as each other, in front, as NumPy does."""
    most = max(part.cells for part in parts)

    def put(values: NDArray[Any], cells: int) -> NDArray[Any]:
        return values.reshape(len(values), *[1] * (most - cells), *values.shape[1:])

    return tuple(Held(put(part.value, part.cells), put(part.known, part.cells)) for part in parts)


def _and(one: Held, two: Held) -> Held:
    """Return whether both hold; what one denies needs no other."""
    one, two = _aligned((one, two))
    true = one.true & two.true
    return Held(true, true | (one.known & ~one.true) | (two.known & ~two.true))


def _or(one: Held, two: Held) -> Held:
    """Return whether either holds; what one says needs no other."""
    one, two = _aligned((one, two))
    true = one.true | two.true
    return Held(true, true | (one.known & two.known))


def _reduced(held: Held, name: str) -> Held:
    """Return one number of all cells that are known."""
    axes = tuple(range(1, held.value.ndim))
    value, known = _float(held.value), held.known
    if not axes:  # of one number, as NumPy has it
        made = {
            "std": value * 0,
            "argmax": value * 0,
            "argmin": value * 0,
            "any": value != 0,
            "all": value != 0,
        }
        return Held(made.get(name, value), known)
    if known.all():
        flat = value.reshape(len(value), -1)
        if not flat.shape[1]:
            return Held(np.zeros(len(value)), np.zeros(len(value), bool))
        return Held(np.asarray(getattr(flat, name)(axis=1)), np.ones(1, bool))
    value, known = np.broadcast_arrays(value, known)
    value, known = value.reshape(len(value), -1), known.reshape(len(known), -1)
    count = known.sum(axis=1)
    if name in ("max", "argmax", "min", "argmin"):
        value = np.where(known, value, -np.inf if name.endswith("max") else np.inf)
        made = getattr(value, name)(axis=1)
    elif name in ("any", "all"):
        made = (known & (value != 0)).any(axis=1) if name == "any" else (~known | (value != 0)).all(axis=1)
    else:
        value = np.where(known, value, 0.0)
        made = value.sum(axis=1)
        if name != "sum":
            made = made / np.maximum(count, 1)
        if name == "std":
            apart = np.where(known, value - made[:, None], 0.0)
            made = np.sqrt((apart**2).sum(axis=1) / np.maximum(count, 1))
    return Held(made, count > 0)
