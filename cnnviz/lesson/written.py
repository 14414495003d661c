"""Writes what a lesson file says as a person would, in TOML; long arrays go into a file beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields
from numpy.typing import NDArray

from cnnviz.lesson.reader import default_of
from cnnviz.lesson.tables import OF_ALL_INPUTS, AnyFile, LessonFile, NetworkFile, Part

_MOST_INLINE = 200
"""Numbers of an array that stands in the lesson file itself."""

_WIDEST = 110
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_OF_NETWORKS = ("notes", "origins", "input_scale", "input_shift", "input_axes")

Arrays = dict[str, NDArray[Any]]


class Beside:
    """What goes into a file of arrays beside the lesson file.

    Parameters
    ----------
    file : str
        What it is called.
    """

    def __init__(self, file: str) -> None:
        self.file, self.held = file, Arrays()


def write(described: AnyFile, file: str) -> tuple[str, Arrays]:
    """Return a lesson file's text, and the arrays that go into a file beside it.

    What is as it would be without being said is left out.
    """
    arrays = Beside(file)
    table = _table(described, "", arrays)
    if isinstance(described, NetworkFile):
        own = {name: table.pop(name) for name in _OF_NETWORKS if name in table}
        table["network"] = own
    if isinstance(described, LessonFile) and described.inputs:  # the first of them, under its own name
        of_all = {key: value for key, value in table.pop("input").items() if key in OF_ALL_INPUTS}
        if of_all:
            table = {**table, "input": of_all}
    return "\n".join(_lines(table, ())).strip("\n") + "\n", arrays.held


def plain_table(part: Struct) -> dict[str, Any]:
    """Return what a table without long arrays says, as JSON and TOML have it."""
    return _table(part, "", Beside(""))


def _table(part: Struct, path: str, arrays: Beside) -> dict[str, Any]:
    """Return what a table says, without what goes without saying."""
    table: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
        if value is None or (default is not NODEFAULT and _is_same(value, default)):
            continue
        if isinstance(part, Part) and field.name == "arguments":
            told = {name: own for name, own in value.items() if own is not None}
            table |= {
                name: _plain(own, "", arrays)
                for name, own in told.items()
                if not _is_same(own, default_of(type(part), part.kind, name))
            }
        else:
            table[field.name] = _plain(value, f"{path}.{field.name}".removeprefix("."), arrays)
    if isinstance(part, Part):
        return {name: table[name] for name in ("name", "kind") if name in table} | table
    return table


def _is_same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and not isinstance(value, np.ndarray) and bool(value == default)


def _plain(value: Any, path: str, arrays: Beside) -> Any:
    """Return a value as TOML has it."""
    if isinstance(value, Struct):
        return _table(value, path, arrays)
    if isinstance(value, np.ndarray):
        if value.size > _MOST_INLINE:
            arrays.held[path] = value
            return arrays.file
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(own, f"{path}.{key}", arrays) for key, own in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(own, f"{path}[{k}]", arrays) for k, own in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _lines(table: Mapping[str, Any], under: tuple[str, ...], is_listed: bool = False) -> Iterator[str]:
    """Write a table: first what stands in it alone, then the tables in it.

    In one of several tables, a table of a few words stands in a line: ``where = { o = 1 }``.
    """
    inner = {
        key: value
        for key, value in table.items()
        if (isinstance(value, dict) and not is_listed)
        or (isinstance(value, list) and value and isinstance(value[0], dict))
    }
    for key, value in table.items():
        if key not in inner:
            yield from _entry(key, value)
    for key, value in inner.items():
        header = ".".join(map(_key, name := (*under, key)))
        for one in value if isinstance(value, list) else [value]:
            if isinstance(value, list) or not one or not all(isinstance(own, dict) for own in one.values()):
                yield ""
                yield f"[[{header}]]" if isinstance(value, list) else f"[{header}]"
            yield from _lines(one, name, is_listed or isinstance(value, list))


def _entry(key: str, value: Any) -> Iterator[str]:
    words = f"{_key(key)} = {_value(value)}"
    if len(words) <= _WIDEST or not isinstance(value, list):
        yield words
        return
    yield f"{_key(key)} = ["
    yield from (f"    {_value(row)}," for row in value)
    yield "]"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
        return str(int(value)) if is_whole else repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_value(own)}' for key, own in value.items())} }}"
    return str(value)


def _character(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if "\ud800" <= sign <= "\udfff":  # half of a character, as a file's name may have it
        return "\ufffd"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)
