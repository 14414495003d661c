"""Reads TorchScript: modules, and the code of their ``forward`` in a small part of Python.

The code is parsed and followed, never run: assignments, calls of methods of modules and of PyTorch's own
operations, conditions on what is known. What goes in is followed by name, so that what is called on it comes
out as nodes. All else is refused.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.archive import Archive, MemoryFile
from cnnviz.formats.aten import Calls, Value
from cnnviz.formats.bounds import DEEPEST, LONGEST_TEXT, MOST_PARTS
from cnnviz.formats.graph import Graph
from cnnviz.formats.pickles import Instance, Name, Tensor, read_pickle, tensors_in
from cnnviz.formats.tensors import checked_shape
from cnnviz.text import tr

Arrays = Callable[[Tensor], NDArray[Any]]

_LONGEST_CODE = 4 * 2**20
_DEEPEST_CODE = 200

_UNKNOWN = object()
"""What is asked of an array, and not told before it is computed: how many axes it has."""

_WHOLE = ("local_response_norm",)
"""Functions of PyTorch, written out in files, that stand for one layer."""

_KNOWN: Mapping[str, Callable[..., Any]] = {
    **{"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "gt": operator.gt, "le": operator.le},
    **{"ge": operator.ge, "__is__": operator.is_, "__isnot__": operator.is_not, "__not__": operator.not_},
    **{"add": operator.add, "sub": operator.sub, "floordiv": operator.floordiv, "neg": operator.neg},
    **{"len": len, "__and__": operator.and_, "__or__": operator.or_},
}


class _Length(Struct, frozen=True):
    """How long a value is along one of its axes."""

    of: Value
    axis: int


_NUMBERS = (int, float, bool, type(None))


def read_script(archive: Archive, content: Any, arrays: Arrays, constant_arrays: Arrays) -> Graph:
    """Return the graph of a scripted or traced module; its constants have numbers of their own in a file.

    Raises
    ------
    CnnvizError
        If its code does what is not followed here.
    """
    if not isinstance(content, Instance):
        raise ValueError("no module")
    constants: Any = []
    if archive.has("constants.pkl"):
        constants = read_pickle(MemoryFile(archive.read("constants.pkl", LONGEST_TEXT)), [0])
    calls = Calls()
    follower = _Follower(archive, calls, arrays, constants, constant_arrays)
    function = follower.method(content.of, "forward")
    names = [argument.arg for argument in function.args.args[1:]]
    if not names:
        raise ValueError("a forward without an input")
    given = [calls.reserve(name) for name in names]
    output = follower.run(function, [_Module(content, ""), *given], "")
    outputs = output if isinstance(output, tuple | list) else [output]
    shape = _traced(archive) if len(names) == 1 else ()
    return calls.graph(dict.fromkeys(names, shape), list(outputs), "PyTorch")


def _traced(archive: Archive) -> tuple[int | None, ...]:
    """Return the shape of what went in when the network was traced, if the file has kept it."""
    if not archive.has("traced_inputs.pkl"):
        return ()
    found = list(tensors_in(read_pickle(MemoryFile(archive.read("traced_inputs.pkl", LONGEST_TEXT)), [0])))
    return (None, *checked_shape(found[0].shape)[1:]) if len(found) == 1 else ()


class _Module:
    """A module, or what else is one of its attributes, and its path."""

    def __init__(self, instance: Instance, path: str) -> None:
        self.instance, self.path = instance, path


class _Function(Struct, frozen=True):
    """A function of the file's own code."""

    module: str
    name: str


class _Return(Exception):  # noqa: N818 - it ends a function, and is no error
    def __init__(self, value: Any) -> None:
        self.value = value


class _Follower:
    """Follows code.

    Parameters
    ----------
    archive : Archive
        Where the code is.
    calls : Calls
        What notes down the operations that are called.
    """

    def __init__(
        self, archive: Archive, calls: Calls, arrays: Arrays, constants: Any, constant_arrays: Arrays
    ) -> None:
        self._archive, self._calls, self._arrays = archive, calls, arrays
        self._constant_arrays = constant_arrays
        self._constants = list(constants) if isinstance(constants, list | tuple) else []
        self._files: dict[str, Mapping[str, ast.stmt]] = {}
        self._given: dict[str, Value] = {}
        self._steps = self._depth = 0

    def method(self, of: Name, name: str) -> ast.FunctionDef:
        """Return a method of a class of the file."""
        kind = self._defined(of.module, of.name)
        for part in kind.body if isinstance(kind, ast.ClassDef) else ():
            if isinstance(part, ast.FunctionDef) and part.name == name:
                return part
        raise CnnvizError(
            tr("its code calls {name}, which it does not have; save it again", name=f"{of.name}.{name}")
        )

    def _defined(self, module: str, name: str) -> ast.stmt | None:
        file = f"code/{module.replace('.', '/')}.py"
        if file not in self._files:
            source = bytes(self._archive.read(file, _LONGEST_CODE)).decode()
            if _depth(source) > _DEEPEST_CODE:
                raise ValueError("brackets in brackets without end")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Python thinks of the code
                parts = _parsed(source)
            self._files[file] = {
                part.name: part for part in parts if isinstance(part, ast.ClassDef | ast.FunctionDef)
            }
        return self._files[file].get(name)

    def run(self, function: ast.FunctionDef, given: Sequence[Any], path: str) -> Any:
        """Follow a function called with some values."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError("calls in calls without end")
        names = [argument.arg for argument in function.args.args]
        defaults = [self._value(part, {}, path) for part in function.args.defaults]
        values = (
            [*given, *defaults[len(defaults) - (len(names) - len(given)) :]]
            if len(given) < len(names)
            else given
        )
        variables = dict(zip(names, values, strict=True))
        try:
            self._block(function.body, variables, path)
        except _Return as done:
            return done.value
        finally:
            self._depth -= 1
        return None

    def _block(self, body: Sequence[ast.stmt], variables: dict[str, Any], path: str) -> None:
        for statement in body:
            self._count()
            if isinstance(statement, ast.Assign):
                self._assign(statement.targets, self._value(statement.value, variables, path), variables)
            elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                self._assign([statement.target], self._value(statement.value, variables, path), variables)
            elif isinstance(statement, ast.Return):
                raise _Return(self._value(statement.value, variables, path) if statement.value else None)
            elif isinstance(statement, ast.If):
                self._block(self._taken(statement, variables, path), variables, path)
            elif isinstance(statement, ast.Expr):
                self._value(statement.value, variables, path)
            elif not isinstance(statement, ast.Pass | ast.AnnAssign):
                raise self._refused(statement)

    def _taken(self, statement: ast.If, variables: dict[str, Any], path: str) -> Sequence[ast.stmt]:
        """Return the branch that a condition takes; where it is not known, the one that raises nothing."""
        condition = self._value(statement.test, variables, path)
        if isinstance(condition, _NUMBERS):
            return statement.body if condition else statement.orelse
        if _raises(statement.body):
            return statement.orelse
        if _raises(statement.orelse):
            return statement.body
        raise self._refused(statement)

    def _assign(self, targets: Sequence[ast.expr], value: Any, variables: dict[str, Any]) -> None:
        target = targets[0]
        if isinstance(target, ast.Name):
            variables[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, tuple | list):
            for part, item in zip(target.elts, value, strict=False):
                self._assign([part], item, variables)
        else:
            raise self._refused(target)

    def _value(self, part: ast.expr, variables: dict[str, Any], path: str) -> Any:
        self._count()
        if isinstance(part, ast.Constant):
            return part.value
        if isinstance(part, ast.Name):
            return variables[part.id]
        if isinstance(part, ast.List | ast.Tuple):
            items = [self._value(item, variables, path) for item in part.elts]
            return items if isinstance(part, ast.List) else tuple(items)
        if isinstance(part, ast.UnaryOp):
            value = self._value(part.operand, variables, path)
            return self._known("neg" if isinstance(part.op, ast.USub) else "__not__", [value])
        if isinstance(part, ast.Attribute):
            return self._attribute(part, variables, path)
        if isinstance(part, ast.Subscript):
            return self._value(part.value, variables, path)[self._value(part.slice, variables, path)]
        if isinstance(part, ast.IfExp):
            chosen = self._value(part.test, variables, path)
            if isinstance(chosen, _NUMBERS):
                return self._value(part.body if chosen else part.orelse, variables, path)
        if isinstance(part, ast.BoolOp):
            values = [self._value(item, variables, path) for item in part.values]
            if all(isinstance(value, _NUMBERS) for value in values):
                return all(values) if isinstance(part.op, ast.And) else any(values)
            return _UNKNOWN
        if isinstance(part, ast.Call):
            return self._call(part, variables, path)
        raise self._refused(part)

    def _attribute(self, part: ast.Attribute, variables: dict[str, Any], path: str) -> Any:
        if isinstance(part.value, ast.Name) and part.value.id == "CONSTANTS":
            found = self._constants[int(part.attr.removeprefix("c"))]
            return self._taken_in(found, f"CONSTANTS.{part.attr}", self._constant_arrays)
        module, _, name = _dotted(part).rpartition(".")
        if module.startswith("__torch__"):
            return _Function(module, name)
        return self._part_of(self._value(part.value, variables, path), part.attr)

    def _part_of(self, value: Any, name: str) -> Any:
        if not isinstance(value, _Module) or not isinstance(value.instance.state, dict):
            raise ValueError("no module")
        return self._taken_in(value.instance.state[name], f"{value.path}.{name}".removeprefix("."))

    def _taken_in(self, found: Any, path: str, arrays: Arrays | None = None) -> Any:
        """Return an attribute as the code may use it: an array by its name."""
        if isinstance(found, Tensor):
            if path not in self._given:
                self._given[path] = self._calls.array(path, (arrays or self._arrays)(found))
            return self._given[path]
        return _Module(found, path) if isinstance(found, Instance) else found

    def _call(self, part: ast.Call, variables: dict[str, Any], path: str) -> Any:
        function = part.func
        if isinstance(function, ast.Name) and function.id not in variables:
            return self._built_in(function.id, part, variables, path)
        if isinstance(function, ast.Name):
            given = [self._value(item, variables, path) for item in part.args]
            return self._own_function(variables[function.id], given, part, path)
        if not isinstance(function, ast.Attribute):
            raise self._refused(part)
        dotted = _dotted(function)
        if dotted.startswith("ops.prim."):
            return self._primitive(function.attr, part, variables, path)
        given = [self._value(item, variables, path) for item in part.args]
        named = {item.arg: self._value(item.value, variables, path) for item in part.keywords if item.arg}
        if dotted.startswith("__torch__."):
            return self._own_function(self._value(function, variables, path), given, part, path)
        if dotted.startswith("torch."):
            return self._operation(function.attr, path, given, named)
        of = self._value(function.value, variables, path)
        if not isinstance(of, _Module):
            raise self._refused(part)
        return self.run(self.method(of.instance.of, function.attr), [of, *given], of.path)

    def _own_function(self, of: Any, given: Sequence[Any], part: ast.Call, path: str) -> Any:
        if isinstance(of, _Function) and of.name in _WHOLE and of.module.endswith(".nn.functional"):
            return self._operation(of.name, path, given, {})
        found = self._defined(of.module, of.name) if isinstance(of, _Function) else None
        if not isinstance(found, ast.FunctionDef):
            raise self._refused(part)
        return self.run(found, given, path)

    def _operation(self, name: str, path: str, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if name == "size":
            if len(given) == 1 or not isinstance(given[0], Value):
                return _UNKNOWN
            return _Length(given[0], given[1]) if given[1] else 0  # 0 is what stays as it is
        if name in ("dim", "numel", "format"):
            return _UNKNOWN
        if name in _KNOWN and not any(isinstance(value, Value) for value in given):
            return self._known(name, given)
        if name in ("__is__", "__isnot__"):
            return (name == "__isnot__") == (given[1] is None)
        if name in ("view", "reshape") and any(isinstance(size, _Length) for size in given[-1]):
            return self._viewed(path or name, given[0], given[-1])
        given = [_without_lengths(value) for value in given]
        if any(_UNKNOWN in value if isinstance(value, list) else value is _UNKNOWN for value in given):
            raise CnnvizError(tr("its code asks how large maps are; save it with torch.onnx.export"))
        return self._calls.call(name, path or name, *given, **named)

    def _viewed(self, name: str, x: Any, sizes: Sequence[Any]) -> Value:
        """Return a value in a shape of which some sizes are those of another value."""
        parts = [
            self._calls.emit(
                "Gather",
                name,
                [self._calls.emit("Shape", name, [size.of]), self._calls.array(name, [size.axis])],
            )
            if isinstance(size, _Length)
            else self._calls.array(name, [size])
            for size in sizes
        ]
        return self._calls.emit("Reshape", name, [x, self._calls.emit("Concat", name, parts, axis=0)])

    def _known(self, name: str, given: Sequence[Any]) -> Any:
        if any(value is _UNKNOWN or isinstance(value, _Length) for value in given):
            return _UNKNOWN
        sizes = [value for value in given if isinstance(value, list | tuple | str)]
        if sizes and name not in ("len", "eq", "ne", "__is__", "__isnot__"):
            raise ValueError("arithmetic with what is no number")
        if name not in ("__is__", "__isnot__") and any(isinstance(value, _Module) for value in given):
            raise ValueError("arithmetic with modules")
        return _KNOWN[name](*given)

    def _built_in(self, name: str, part: ast.Call, variables: dict[str, Any], path: str) -> Any:
        if name in ("annotate", "unchecked_cast"):
            return self._value(part.args[1], variables, path)
        given = [self._value(item, variables, path) for item in part.args]
        if name == "getattr":
            return self._part_of(given[0], str(given[1]))
        if name in ("int", "float", "bool"):
            if given[0] is _UNKNOWN or isinstance(given[0], _Length):
                return given[0]
            if isinstance(given[0], _NUMBERS):
                return {"int": int, "float": float, "bool": bool}[name](given[0])
        raise self._refused(part)

    def _primitive(self, name: str, part: ast.Call, variables: dict[str, Any], path: str) -> Any:
        if name in ("NumToTensor", "unchecked_cast", "unchecked_unwrap_optional"):
            return self._value(part.args[-1], variables, path)
        raise self._refused(part)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MOST_PARTS // 4:
            raise CnnvizError(tr("its code takes too many steps"))

    def _refused(self, part: ast.AST) -> CnnvizError:
        code = ast.unparse(part).split("\n")[0][:80]
        return CnnvizError(
            tr("its code does what cannot be followed, {code}; save it with torch.onnx.export", code=code)
        )


def _without_lengths(value: Any) -> Any:
    """Return an argument in which lengths that nothing says before they are computed are unknown."""
    if isinstance(value, list | tuple):
        return [_without_lengths(part) for part in value]
    return _UNKNOWN if isinstance(value, _Length) else value


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except MemoryError as error:  # so Python says that signs stand before signs without end
        raise ValueError("too deep") from error


def _raises(body: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(part, ast.Raise)
        or (
            isinstance(part, ast.Expr)
            and isinstance(part.value, ast.Call)
            and "Raise" in _dotted(part.value.func)
        )
        for part in body
    )


def _dotted(part: ast.expr) -> str:
    """Return a name with dots, or nothing where it is none."""
    names: list[str] = []
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    return ".".join([part.id, *reversed(names)]) if isinstance(part, ast.Name) else ""


def _depth(source: str) -> int:
    """Return how many brackets stand in one another."""
    depth = deepest = 0
    for sign in source:
        if sign in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in ")]}":
            depth -= 1
    return deepest
