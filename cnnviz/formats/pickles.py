"""Looks into pickles without unpickling them.

A pickle is a program for a small machine. This one runs it over inert records: it imports nothing and calls
nothing that the pickle names; what is called by a name that is not known is kept as an `Instance`, which does
nothing. What is known, ordered dictionaries and PyTorch's tensors, becomes dictionaries and `Tensor` records.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from msgspec import Struct, field

from cnnviz.errors import CnnvizError
from cnnviz.formats.archive import MemoryFile
from cnnviz.formats.bounds import MOST_PARTS
from cnnviz.text import tr


class Name(Struct, frozen=True):
    """What a pickle calls by a name: ``torch.nn.modules.conv`` and ``Conv2d``."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Instance(Struct, eq=False):
    """What would be made by calling something.

    Attributes
    ----------
    of : Name
        What would be called.
    arguments : tuple
        With what.
    state : Any
        What would be put in afterwards.
    items : dict
        What is set by keys; `appended` what is appended.
    """

    of: Name
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    appended: list[Any] = field(default_factory=list)


class Storage(Struct, frozen=True):
    """Where PyTorch keeps numbers: their type (``FloatStorage``), a key, how many there are.

    Attributes
    ----------
    start : int
        In a file of the older format, the number in the storage that this view of it begins with.
    """

    kind: str
    key: str
    count: int
    start: int = 0


class Tensor(Struct, frozen=True, eq=False):
    """How an array lies in a storage: offset and strides are counted in numbers."""

    storage: Storage
    offset: int
    shape: tuple[Any, ...]
    strides: tuple[Any, ...]


_MARK = object()
_KEYS = (str, int, float, bool, bytes, type(None), Name)

_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _Machine:
    """Runs one pickle.

    Parameters
    ----------
    parts : list[int]
        How many steps have been run of the whole file: one number, which goes up.
    """

    def __init__(self, parts: list[int]) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._parts = parts

    def run(self, file: MemoryFile) -> Any:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], file)):
            self.count(1)
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in _CONSTANTS:
                self.stack.append(_CONSTANTS[opcode.name]())
            elif opcode.name in _LITERALS:
                self.stack.append(argument)
            elif opcode.name not in _IGNORED:
                _STEPS[opcode.name](self, argument)
        raise ValueError("a pickle without an end")

    def count(self, parts: int) -> None:
        """Count what takes time or memory, and stop where it is too much."""
        self._parts[0] += parts
        if self._parts[0] > MOST_PARTS:
            raise CnnvizError(tr("it has more than {most:,} parts", most=MOST_PARTS))

    def to_mark(self) -> list[Any]:
        """Take what was put on the stack since the last mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def call(self, function: Any, arguments: Any) -> None:
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError("a call of what is no name")
        made = _MADE.get(str(function))
        self.count(sum(len(part) for part in arguments if isinstance(part, list | tuple)))  # they are copied
        self.stack.append(made(*arguments) if made else Instance(function, arguments))

    # Each of the following is one opcode, as pickletools describes it.

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Name(_RENAMED.get(module, module), name))

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is no text")
        self.stack.append(Name(module, name))

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.call(function, arguments)

    def new_with_keywords(self, _: Any) -> None:
        self.stack.pop()
        self.reduce(None)

    def instance(self, argument: str) -> None:
        arguments = tuple(self.to_mark())
        module, _, name = argument.partition(" ")
        self.call(Name(_RENAMED.get(module, module), name), arguments)

    def object(self, _: Any) -> None:
        function, *arguments = self.to_mark()
        self.call(function, tuple(arguments))

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Instance):
            self.stack[-1].state = state

    def persistent(self, _: Any) -> None:
        self.stack.append(_stored(self.stack.pop()))

    def put(self, argument: int) -> None:
        self.memo[argument] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    def pop(self, _: Any) -> None:
        self.stack.pop()

    def pop_mark(self, _: Any) -> None:
        self.to_mark()

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.to_mark()))

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("too few on the stack")
        found = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(found)

    def list(self, _: Any) -> None:
        self.stack.append(self.to_mark())

    def dict(self, _: Any) -> None:
        values = self.to_mark()
        made: Any = {}
        _set(made, values)
        self.stack.append(made)

    def frozen_set(self, _: Any) -> None:
        self.stack.append(tuple(self.to_mark()))

    def append(self, _: Any) -> None:
        value = self.stack.pop()
        _append(self.stack[-1], [value])

    def extend(self, _: Any) -> None:
        values = self.to_mark()
        _append(self.stack[-1], values)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set(self.stack[-1], [key, value])

    def set_items(self, _: Any) -> None:
        values = self.to_mark()
        _set(self.stack[-1], values)


def _append(to: Any, values: list[Any]) -> None:
    (to.appended if isinstance(to, Instance) else _as(list, to)).extend(values)


def _set(to: Any, values: list[Any]) -> None:
    items = to.items if isinstance(to, Instance) else _as(dict, to)
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, _KEYS):
            key = id(key)  # nothing that is looked for here; but what has a hash of its own would be run
        items[key] = value


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"no {kind.__name__}")
    return value


def _stored(told: Any) -> Any:
    """Return the storage that a persistent identifier names; what else is one is the class of a module."""
    told = _as(tuple, told)
    if told[0] == "module":
        return told[1]
    if told[0] != "storage" or not isinstance(told[1], Name):
        raise ValueError("no storage")
    view = told[5] if len(told) > 5 else None
    start = view[1] if view is not None else 0
    return Storage(told[1].name, _as(str, told[2]), _as(int, told[4]), _as(int, start))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(_as(Storage, storage), _as(int, offset), _as(tuple, shape), _as(tuple, strides))


def _ordered(*arguments: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in arguments[0] if arguments else ():
        _set(made, list(pair))
    return made


_MADE: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "builtins.set": lambda *values: list(*values),
    "torch.Size": lambda *values: tuple(*values),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch._tensor._rebuild_from_type_v2": lambda function, kind, arguments, state: _again(
        function, arguments
    ),
}
"""What is made of calls by these names; all other calls are kept as they stand."""


def _again(function: Any, arguments: Any) -> Any:
    made = _MADE.get(str(function)) if isinstance(function, Name) else None
    if made is None or made is _MADE["torch._tensor._rebuild_from_type_v2"]:
        raise ValueError("no tensor")
    return made(*_as(tuple, arguments))


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.tuple_of(count)


_CONSTANTS: dict[str, Callable[[], Any]] = {
    **{"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "MARK": lambda: _MARK},
    **{"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": list},
}
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_IGNORED = {"PROTO", "FRAME"}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **{"GLOBAL": _Machine.name, "STACK_GLOBAL": _Machine.stack_global, "REDUCE": _Machine.reduce},
    **{"NEWOBJ": _Machine.reduce, "NEWOBJ_EX": _Machine.new_with_keywords, "INST": _Machine.instance},
    **{"OBJ": _Machine.object, "BUILD": _Machine.build, "BINPERSID": _Machine.persistent},
    **{"PUT": _Machine.put, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put},
    **{"MEMOIZE": _Machine.memoize, "GET": _Machine.get, "BINGET": _Machine.get},
    **{"LONG_BINGET": _Machine.get, "POP": _Machine.pop, "POP_MARK": _Machine.pop_mark},
    **{"DUP": _Machine.duplicate, "TUPLE": _Machine.tuple, "LIST": _Machine.list, "DICT": _Machine.dict},
    **{f"TUPLE{count}": _tuple_of(count) for count in (1, 2, 3)},
    **{"APPEND": _Machine.append, "APPENDS": _Machine.extend, "ADDITEMS": _Machine.extend},
    **{"SETITEM": _Machine.set_item, "SETITEMS": _Machine.set_items, "FROZENSET": _Machine.frozen_set},
}


def read_pickle(file: MemoryFile, parts: list[int]) -> Any:
    """Return what a pickle holds, from where a file stands, up to its end.

    Parameters
    ----------
    file : MemoryFile
        The file; it stands behind the pickle then.
    parts : list[int]
        How many steps have been run of the whole file: one number, which goes up.

    Returns
    -------
    Any
        Numbers, texts, tuples, lists, dictionaries, and the records of this module.
    """
    return _Machine(parts).run(file)


def tensors_in(content: Any) -> Iterator[Tensor]:
    """Yield all tensors in what a pickle holds."""
    seen: set[int] = set()
    todo = [content]
    while todo:
        part = todo.pop()
        if isinstance(part, Tensor):
            yield part
        elif id(part) not in seen:
            seen.add(id(part))
            if isinstance(part, Instance):
                todo += [part.arguments, part.state, part.items, part.appended]
            elif isinstance(part, dict):
                todo += part.values()
            elif isinstance(part, list | tuple):
                todo += part
