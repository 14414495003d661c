"""Reads the tables of a lesson file as `tables` describes them, and notes every fault with its path.

The tables of layers, losses, optimisers and schedules have the parameters of the constructors that the
catalogue lists, so a new layer needs nothing here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS, SCHEDULES, SIZE, Entry, Range
from cnnviz.errors import CnnvizError
from cnnviz.lesson import values
from cnnviz.lesson.tables import (
    AtMost,
    ChainedSchedulePart,
    LayerPart,
    LessonFile,
    LossPart,
    OneOf,
    OptimiserPart,
    OutputLossPart,
    Part,
    RulePart,
    SchedulePart,
)
from cnnviz.lesson.values import (
    DataFile,
    Expression,
    Fault,
    Name,
    NamesFile,
    Notes,
    Numbers,
    PictureFile,
    Reference,
    Text,
    WeightsFile,
    as_sentence,
    hint,
    shown,
)
from cnnviz.text import tr

AT_THE_TOP = ("title", "sentence", "seed", "weights", "layout", "input_gradient")
"""What is no table in a lesson file; written below a table's name, TOML takes it for a part of that table."""

_LEAVES: Mapping[Any, Callable[[Any], Any]] = {
    bool: values.truth,
    int: values.whole,
    float: values.number,
    str: values.string,
    Text: values.text,
    Notes: values.notes,
    Name: values.name,
    Reference: values.reference,
    DataFile: values.data_file,
    PictureFile: values.picture_file,
    NamesFile: values.names_file,
    WeightsFile: values.weights_file,
    Expression: values.expression,
    Numbers: values.numbers,
}

_ENTRIES: Mapping[type[Part], Mapping[str, Entry[Any]]] = {
    LayerPart: LAYERS,
    LossPart: LOSSES,
    OutputLossPart: LOSSES,
    OptimiserPart: OPTIMISERS,
    RulePart: OPTIMISERS,
    SchedulePart: SCHEDULES,
    ChainedSchedulePart: SCHEDULES,
}


ArraysBeside = Callable[[str, str], Numbers]
"""Returns, of a file beside the lesson, the array that is called as the place in the lesson file is."""


class Column(NamedTuple):
    """One key that a table may have; it must, where there is no default."""

    name: str
    kind: Any
    default: Any = NODEFAULT


class Reader:
    """Reads values as the kinds that annotations name, and goes on after a fault.

    Parameters
    ----------
    arrays : ArraysBeside, optional
        Reads arrays that do not stand in the lesson file, but in one beside it.

    Attributes
    ----------
    faults : list[str]
        What was found wrong: ``layers[2].kernel: must be …``.
    """

    def __init__(self, arrays: ArraysBeside | None = None) -> None:
        self.faults: list[str] = []
        self._arrays = arrays

    def read(self, value: Any, kind: Any, path: str = "") -> Any:
        """Return a value as a kind; None where it is none, and `faults` says why."""
        try:
            return self._read(value, kind, path)
        except Fault as fault:
            self.faults.append(f"{(path + fault.path).removeprefix('.')}: {fault}")
            return None

    def _read(self, value: Any, kind: Any, path: str) -> Any:
        if kind is Numbers and isinstance(value, str) and self._arrays is not None:
            return self._arrays(value, path.removeprefix("."))
        if kind in _LEAVES:
            return _LEAVES[kind](value)
        origin, members = get_origin(kind), get_args(kind)
        if origin is Annotated:
            _check_length(value, members[1:])
            return _checked(self._read(value, members[0], path), members[1:])
        if origin is tuple:
            return self._tuple(value, members, path)
        if origin is dict:
            named = _as_table(value).items()
            return {key: self.read(item, members[1], f"{path}.{written(key)}") for key, item in named}
        if origin in (Union, UnionType):
            return self._read(value, _chosen(value, members), path)
        if kind in _ENTRIES:
            return self._part(_as_table(value), kind, path)
        return kind(**self._table(_as_table(value), kind.__name__, _columns(kind), path))

    def _tuple(self, value: Any, members: Sequence[Any], path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Fault(tr("must be a list, is {value}", value=shown(value)))
        if members[-1] is not Ellipsis and len(value) != len(members):
            count = len(value)
            raise Fault(tr("must be a list of {length}, has {count}", length=len(members), count=count))
        if not value:
            raise Fault(tr("must not be empty"))
        return tuple(self.read(item, members[0], f"{path}[{k}]") for k, item in enumerate(value))

    def _table(
        self, table: Mapping[str, Any], name: str, columns: Sequence[Column], path: str
    ) -> dict[str, Any]:
        """Return what a table gives; what it leaves out is None, unless there is a default."""
        taken: dict[str, Any] = {}
        for column in columns:
            place = f"{path}.{column.name}"
            if column.name in table:
                taken[column.name] = self.read(table[column.name], column.kind, place)
            elif column.default is NODEFAULT:
                self.faults.append(tr("{path}: must be given", path=place.removeprefix(".")))
                taken[column.name] = None
            else:
                taken[column.name] = column.default
        known = [column.name for column in columns]
        if name == LessonFile.__name__:
            known += ["expressions", "descents", "images"]
        for key in sorted(set(table).difference(column.name for column in columns)):
            place = f"{path}.{written(key)}".removeprefix(".")
            if path and key in AT_THE_TOP:
                self.faults.append(misplaced(place, key))
            else:
                self.faults.append(tr("{path}: is not known", path=place) + hint(key, known))
        return taken

    def _part(self, table: Mapping[str, Any], part: type[Part], path: str) -> Part | None:
        """Read a table whose kind says which arguments it may have."""
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in _ENTRIES[part]:
            # Of its other keys, only the name can be checked.
            columns = [*_own_columns(part), Column("kind", Annotated[str, OneOf(tuple(_ENTRIES[part]))])]
            known = {column.name: table[column.name] for column in columns if column.name in table}
            self._table(known, "", columns, path)
            return None
        taken = self._table(table, "", _described(part, kind), path)
        own = {column.name: taken.pop(column.name) for column in _own_columns(part)}
        arguments = {key: given for key, given in taken.items() if given is not None and key != "kind"}
        return part(kind=kind, arguments=arguments, **own)


def read_argument(part: type[Part], kind: str, name: str, value: Any, path: str) -> Any:
    """Return the value of one argument of a kind of layer, loss and so on, as its table would have it.

    Raises
    ------
    CnnvizError
        If the kind has no such argument, or cannot have this value.
    """
    columns = {column.name: column for column in _arguments(part, kind)}
    if name not in columns:
        known = hint(name, list(columns)) or tr("; {kind} has none", kind=kind)
        raise CnnvizError(as_sentence(tr("{path}: is not known", path=path) + known))
    return read_value(value, columns[name].kind, path)


def arguments_of(part: type[Part], kind: str) -> tuple[str, ...]:
    """Return the names of all arguments of a kind of layer, loss and so on."""
    return tuple(column.name for column in _arguments(part, kind))


def _arguments(part: type[Part], kind: str) -> list[Column]:
    own = {"kind", *(column.name for column in _own_columns(part))} - {*part.more}
    return [column for column in _described(part, kind) if column.name not in own]


def default_of(part: type[Part], kind: str, name: str) -> Any:
    """Return what an argument is where a table does not say it."""
    return next(column.default for column in _described(part, kind) if column.name == name)


def read_value(value: Any, kind: Any, path: str) -> Any:
    """Return a value as a kind that an annotation names.

    Raises
    ------
    CnnvizError
        If it is none; the sentence begins with the path.
    """
    reader = Reader()
    taken = reader.read(list(value) if type(value) is tuple else value, kind, path)
    if reader.faults:
        raise CnnvizError(as_sentence("; ".join(reader.faults)))
    return taken


def kind_of(table: type[Struct], name: str) -> Any:
    """Return what kind of value a column of a table has."""
    return next(column.kind for column in _columns(table) if column.name == name)


def written(key: str) -> str:
    """Write a key as the file may have it: bare if it can be, and never more than a line of it."""
    return key if key.isidentifier() and len(key) <= 60 else shown(key)


def misplaced(path: str, key: str) -> str:
    """Say that a key stands below a table's name and not at the top."""
    return tr("{path}: {key} stands at the top of the file, before the first table", path=path, key=key)


def _as_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(tr("must be a table, is {value}", value=shown(value)))
    return value


def _chosen(value: Any, members: Sequence[Any]) -> Any:
    """Return the member that a value is meant for; TOML has no None.

    A list is for the longest tuple that it fills, a text for words, all else for the first of the others.
    """
    members = [member for member in members if member is not type(None)]
    lists = [member for member in members if get_origin(member) is tuple]
    words = [member for member in members if str in get_args(member)]
    others = [member for member in members if member not in lists + words]
    if lists and (isinstance(value, list) or not others):
        length = len(value) if isinstance(value, list) else 0
        return next((member for member in reversed(lists) if length >= len(get_args(member))), lists[0])
    return (words if words and (isinstance(value, str) or not others) else others)[0]


def _check_length(value: Any, notes: Sequence[Any]) -> None:
    """Refuse a list that is too long before what is in it is read."""
    for note in notes:
        if isinstance(note, AtMost) and isinstance(value, list) and len(value) > note.most:
            raise Fault(tr("must be at most {most}, are {count}", most=note.most, count=len(value)))


def _checked(taken: Any, notes: Sequence[Any]) -> Any:
    for note in notes:
        if isinstance(note, Range):
            values.check_range(taken, note)
        elif isinstance(note, OneOf) and taken not in note.words:
            raise Fault(tr("{value} is not known", value=shown(taken)) + hint(taken, note.words))
    return taken


# ---------------------------------------------------------------------------------------- what keys there are


@cache
def _columns(table: type[Struct]) -> tuple[Column, ...]:
    return tuple(
        Column(column.name, column.type, column.default if column.default_factory is NODEFAULT else {})
        for column in fields(table)
    )


def _own_columns(part: type[Part]) -> list[Column]:
    """Return what a table may have besides the arguments of its kind."""
    own = {
        LayerPart: [Column("name", Name), Column("inputs", tuple[Reference, ...], ())],
        ChainedSchedulePart: [Column("begins", Annotated[int, SIZE], None)],
        OptimiserPart: [Column("fixed", tuple[str, ...], ())],
        OutputLossPart: [
            Column("of", Name),
            Column("target", Numbers),
            Column("weight", Annotated[float, Range(0, open_least=True)], 1.0),
        ],
    }
    return own.get(part, [])


@cache
def _described(part: type[Part], kind: str) -> tuple[Column, ...]:
    """Return what a table of this kind may have: the parameters of the kind's constructor."""
    entry = _ENTRIES[part][kind]
    if entry.make.__init__ is object.__init__:
        return (*_own_columns(part), Column("kind", str))
    hints = get_type_hints(entry.make.__init__)
    columns = [*_own_columns(part), Column("kind", str)]
    for name, parameter in inspect.signature(entry.make).parameters.items():
        ranged = _ranged(hints[name], entry.ranges.get(name))
        if part is RulePart and name == "lr":
            continue
        if name == entry.inferred:
            columns.append(Column(name, ranged, None))
        elif parameter.default is not parameter.empty:
            columns.append(Column(name, ranged, parameter.default))
        else:
            columns.append(Column(name, ranged))
    return tuple(columns)


def _ranged(kind: Any, allowed: Range | None) -> Any:
    """Put a range on every number in a parameter's type."""
    if kind is int:
        return Annotated[int, allowed or SIZE]
    if kind is float:
        return Annotated[float, allowed or Range()]
    if get_origin(kind) is Literal:
        return Annotated[str, OneOf(get_args(kind))]
    members = tuple(_ranged(member, allowed) for member in get_args(kind))
    if get_origin(kind) is tuple:
        return tuple.__class_getitem__(members)
    return Union.__getitem__(members) if members else kind
