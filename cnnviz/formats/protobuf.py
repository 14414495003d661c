"""The wire format of Protocol Buffers, as far as ONNX needs it.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.bounds import MOST_PARTS
from cnnviz.text import tr

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10


class Message:
    """The fields of a message by their numbers, each with all its values in order.

    Parameters
    ----------
    data : memoryview
        The message.
    parts : list[int]
        How many fields have been read of the whole file: one number, which goes up.
    """

    def __init__(self, data: memoryview, parts: list[int]) -> None:
        self._fields: dict[int, list[int | memoryview]] = {}
        self._parts = parts
        at = 0
        while at < len(data):
            parts[0] += 1
            if parts[0] > MOST_PARTS:
                raise CnnvizError(tr("it has more than {most:,} fields", most=MOST_PARTS))
            key, at = _varint(data, at)
            value, at = _value(data, at, key & 7)
            self._fields.setdefault(key >> 3, []).append(value)

    def has(self, number: int) -> bool:
        """Return whether there is such a field."""
        return number in self._fields

    def messages(self, number: int) -> list[Message]:
        """Return the messages in a field."""
        return [Message(part, self._parts) for part in self.parts(number)]

    def parts(self, number: int) -> list[memoryview]:
        """Return the bytes of a field that holds texts, messages or bytes."""
        values = self._fields.get(number, [])
        if any(isinstance(value, int) for value in values):
            raise ValueError("a number where bytes should be")
        return [value for value in values if isinstance(value, memoryview)]

    def data(self, number: int) -> memoryview:
        """Return the bytes of a field; the last ones, as the format has it."""
        return (self.parts(number) or [memoryview(b"")])[-1]

    def texts(self, number: int) -> list[str]:
        """Return the texts of a field."""
        return [bytes(part).decode() for part in self.parts(number)]

    def text(self, number: int) -> str:
        """Return the text of a field; empty where there is none."""
        return bytes(self.data(number)).decode()

    def integers(self, number: int) -> list[int]:
        """Return the whole numbers of a field, signed, of 64 bits."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            found += [_signed(value)] if isinstance(value, int) else varints(value).tolist()
        return found

    def integer(self, number: int, default: int = 0) -> int:
        """Return the whole number of a field."""
        return (self.integers(number) or [default])[-1]

    def floats(self, number: int, code: str = "<f4") -> NDArray[Any]:
        """Return the numbers of a field that have a fixed width."""
        kinds = {"<f4": "<I", "<f8": "<Q"}
        packed = b"".join(
            struct.pack(kinds[code], value) if isinstance(value, int) else bytes(value)
            for value in self._fields.get(number, [])
        )
        return np.frombuffer(packed, code)


def varints(data: memoryview) -> NDArray[np.int64]:
    """Return whole numbers that lie one behind the other, signed."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 128)
    if not len(raw):
        return np.zeros(0, np.int64)
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise ValueError("a number without an end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_VARINT:
        raise ValueError("a number of too many bytes")
    places = np.arange(len(raw)) - np.repeat(starts, lengths)
    parts = (raw & 127).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)


def _value(data: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    if kind == _VARINT:
        return _varint(data, at)
    if kind == _BYTES:
        length, at = _varint(data, at)
    elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
        length = 8 if kind == _EIGHT_BYTES else 4
    else:
        raise ValueError("an unknown kind of field")
    if length > len(data) - at:
        raise ValueError("a field that reaches beyond its message")
    part = data[at : at + length]
    return (part if kind == _BYTES else int.from_bytes(part, "little")), at + length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value & 2**64 - 1, at + place + 1
    raise ValueError("a number of too many bytes")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
