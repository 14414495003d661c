"""Reads HDF5 files as Keras writes them: groups, attributes, and arrays in one piece, or in compressed ones.

Of the format's many ways to write things these are what h5py does unless it is told otherwise. Links to other
files and arrays kept outside are refused.
Source: "HDF5 File Format Specification, Version 3.0", The HDF Group.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.bounds import DEEPEST, MOST_ARRAYS, MOST_PARTS, Budget
from cnnviz.formats.tensors import checked_shape, dense, frozen
from cnnviz.text import tr
from cnnviz.working import tell

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1

_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _EXTERNAL, _LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
_FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOLS = 0x0B, 0x0C, 0x10, 0x11


class _Kind(Struct, frozen=True):
    """A type: its name for `dense`, or ``text``; how many bytes; of variable length or not."""

    name: str
    size: int
    varies: bool = False


class Hdf5:
    """An HDF5 file in memory.

    Parameters
    ----------
    data : memoryview
        The file.

    Raises
    ------
    CnnvizError
        If it is written in a way that is not read.
    """

    def __init__(self, data: memoryview) -> None:
        if bytes(data[:8]) != _SIGNATURE:
            raise ValueError("no HDF5 file")
        version = data[8]
        if version in (0, 1):
            if (data[13], data[14]) != (8, 8):
                raise _other()
            self.base = self._number(data, 24 if version == 0 else 28)
            root = self._number(data, (24 if version == 0 else 28) + 32 + 8)
        elif version in (2, 3):
            if (data[9], data[10]) != (8, 8):
                raise _other()
            self.base, root = self._number(data, 12), self._number(data, 36)
        else:
            raise _other()
        self.data, self.budget = data, Budget()
        self._left, self._begun = MOST_PARTS // 8, 0
        self.root = Group(self, root)

    @staticmethod
    def _number(data: memoryview, at: int, size: int = 8) -> int:
        if at < 0 or at + size > len(data):
            raise ValueError("a place beyond the file")
        return int.from_bytes(data[at : at + size], "little")

    def number(self, at: int, size: int = 8) -> int:
        """Return a number at a place in the file."""
        return self._number(self.data, at, size)

    def part(self, at: int, size: int) -> memoryview:
        """Return some bytes of the file, from an address in it on."""
        at += self.base
        if at < 0 or size < 0 or at + size > len(self.data):
            raise ValueError("a place beyond the file")
        return self.data[at : at + size]

    def count(self) -> None:
        """Count what is looked at, so that nothing leads in a circle."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("parts without end")

    def begin(self, length: int) -> None:
        """Say how far the numbers are read, as so many bytes more are begun."""
        tell(tr("reading its numbers"), min(self._begun, len(self.data)), len(self.data))
        self._begun += length

    def messages(self, address: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the messages of an object's header: what they are about, and what they say."""
        start = bytes(self.part(address, 4))
        yield from self._newer(address) if start == b"OHDR" else self._older(address)

    def _older(self, address: int) -> Iterator[tuple[int, memoryview]]:
        head = self.part(address, 16)
        if head[0] != 1:
            raise _other()
        blocks = [(address + 16, int.from_bytes(head[8:12], "little"))]
        while blocks:
            at, length = blocks.pop(0)
            block = self.part(at, length)
            place = 0
            while place + 8 <= length:
                self.count()
                kind = int.from_bytes(block[place : place + 2], "little")
                size = int.from_bytes(block[place + 2 : place + 4], "little")
                if block[place + 4] & 2:
                    raise _other()  # a message that several objects share
                body = block[place + 8 : place + 8 + size]
                place += 8 + size
                if kind == _CONTINUATION:
                    blocks.append((self._number(body, 0), self._number(body, 8)))
                else:
                    yield kind, body

    def _newer(self, address: int) -> Iterator[tuple[int, memoryview]]:
        flags = self.part(address, 6)[5]
        at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        blocks = [(at + width, int.from_bytes(self.part(at, width), "little"))]
        head = 6 if flags & 4 else 4
        while blocks:
            at, length = blocks.pop(0)
            block, place = self.part(at, length), 0
            while place + head <= length:
                self.count()
                kind, size = block[place], int.from_bytes(block[place + 1 : place + 3], "little")
                if block[place + 3] & 2:
                    raise _other()
                body = block[place + head : place + head + size]
                place += head + size
                if kind == _CONTINUATION:
                    blocks.append((self._number(body, 0) + 4, self._number(body, 8) - 8))
                else:
                    yield kind, body


class Group:
    """A group or an array of a file, which its address leads to."""

    def __init__(self, file: Hdf5, address: int, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise ValueError("groups in groups without end")
        self._file, self._depth = file, depth
        self._messages = list(file.messages(address))

    def _message(self, kind: int) -> memoryview | None:
        return next((body for found, body in self._messages if found == kind), None)

    @property
    def is_array(self) -> bool:
        """Whether it is an array and no group."""
        return self._message(_LAYOUT) is not None

    def children(self) -> dict[str, Group]:
        """Return what is in a group."""
        found: dict[str, Group] = {}
        for name, address in self._links():
            if len(found) >= MOST_ARRAYS:
                raise ValueError("too many parts")
            found[name] = Group(self._file, address, self._depth + 1)
        return found

    def _links(self) -> Iterator[tuple[str, int]]:
        symbols = self._message(_SYMBOLS)
        if symbols is not None:
            tree, heap = (self._file._number(symbols, at) for at in (0, 8))
            names = self._file.part(heap, 32)
            yield from self._in_tree(tree, self._file._number(names, 24), self._file._number(names, 8), 0)
        info = self._message(_LINK_INFO)
        if info is not None:
            at = 2 + (8 if info[1] & 1 else 0)
            if self._file._number(info, at) != _NOWHERE:
                raise _other()
        for kind, body in self._messages:
            if kind == _LINK:
                yield self._link(body)

    def _in_tree(self, tree: int, heap: int, size: int, depth: int) -> Iterator[tuple[str, int]]:
        """Yield the names and addresses below a node of a group's tree."""
        self._file.count()
        head = self._file.part(tree, 24)
        if depth > DEEPEST or bytes(head[:4]) != b"TREE" or head[4] != 0:
            raise ValueError("no tree of a group")
        entries = int.from_bytes(head[6:8], "little")
        body = self._file.part(tree + 24, 8 + 16 * entries)
        for k in range(entries):
            child = self._file._number(body, 8 + 16 * k)
            if head[5] > 0:
                yield from self._in_tree(child, heap, size, depth + 1)
                continue
            node = self._file.part(child, 8)
            if bytes(node[:4]) != b"SNOD":
                raise ValueError("no node of a group")
            count = int.from_bytes(node[6:8], "little")
            table = self._file.part(child + 8, 40 * count)
            for j in range(count):
                self._file.count()
                if int.from_bytes(table[40 * j + 16 : 40 * j + 20], "little") == 2:
                    raise _linked()
                offset = self._file._number(table, 40 * j)
                if offset >= size:
                    raise ValueError("a name beyond its heap")
                name = bytes(self._file.part(heap + offset, min(size - offset, 1024))).split(b"\0")[0]
                yield name.decode(), self._file._number(table, 40 * j + 8)

    def _link(self, body: memoryview) -> tuple[str, int]:
        flags, at = body[1], 2
        kind = body[at] if flags & 8 else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        if kind != 0:
            raise _linked()
        width = 1 << (flags & 3)
        length = int.from_bytes(body[at : at + width], "little")
        at += width
        return bytes(body[at : at + length]).decode(), self._file._number(body, at + length)

    def attributes(self) -> dict[str, Any]:
        """Return its attributes that are texts or lists of texts."""
        found = {}
        for kind, body in self._messages:
            if kind == _ATTRIBUTE:
                told = self._attribute(body)
                if told is not None:
                    found[told[0]] = told[1]
        return found

    def _attribute(self, body: memoryview) -> tuple[str, Any] | None:
        version = body[0]
        if version not in (1, 2, 3) or (version > 1 and body[1] & 3):
            raise _other()
        sizes = [int.from_bytes(body[at : at + 2], "little") for at in (2, 4, 6)]
        at, parts = 8 + (version == 3), []
        for size in sizes:
            parts.append(body[at : at + size])
            at += size if version > 1 else -(-size // 8) * 8
        kind, shape = _kind(parts[1]), _shape(parts[2])
        if kind is None or kind.name != "text":
            return None
        count = prod(shape)
        if count > MOST_ARRAYS or count * kind.size > len(body) - at:
            raise ValueError("an attribute of another length")
        texts = [self._text(kind, body[at + k * kind.size : at + (k + 1) * kind.size]) for k in range(count)]
        return bytes(parts[0]).split(b"\0")[0].decode(), texts if shape else texts[0]

    def _text(self, kind: _Kind, body: memoryview) -> str:
        if not kind.varies:
            return bytes(body).rstrip(b"\0").decode()
        length, heap, index = (
            int.from_bytes(body[:4], "little"),
            self._file._number(body, 4),
            int.from_bytes(body[12:16], "little"),
        )
        return bytes(self._from_heap(heap, index)[:length]).rstrip(b"\0").decode()

    def _from_heap(self, address: int, index: int) -> memoryview:
        """Return an object of a global heap, where texts of any length are kept."""
        head = self._file.part(address, 16)
        if bytes(head[:4]) != b"GCOL":
            raise ValueError("no heap")
        heap = self._file.part(address, self._file._number(head, 8))
        at = 16
        while at + 16 <= len(heap):
            self._file.count()
            found, size = int.from_bytes(heap[at : at + 2], "little"), self._file._number(heap, at + 8)
            if found == 0:
                break
            if found == index:
                self._file.budget.take(size)
                return heap[at + 16 : at + 16 + size]
            at += 16 + -(-size // 8) * 8
        raise ValueError("an object that is not in its heap")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array."""
        told = self._message(_DATASPACE)
        if told is None:
            raise ValueError("an array without a shape")
        return _shape(told)

    def array(self) -> NDArray[Any] | None:
        """Return the numbers of an array; None where it holds no numbers."""
        layout, told = self._message(_LAYOUT), self._message(_DATATYPE)
        if layout is None or told is None:
            raise ValueError("no array")
        if self._message(_EXTERNAL) is not None:
            raise CnnvizError(tr("its numbers lie in another file; save it whole"))
        kind, shape = _kind(told), self.shape
        if kind is None or kind.name == "text":
            return None
        length = prod(shape) * kind.size
        self._file.begin(length)
        version, place = layout[0], layout[1]
        if version not in (3, 4):
            raise _other()
        if place == 0:
            size = int.from_bytes(layout[2:4], "little")
            return dense(layout[4 : 4 + size][:length], kind.name, shape, self._file.budget)
        if place == 1:
            address = self._file._number(layout, 2)
            if address == _NOWHERE:  # never written: all zeros
                self._file.budget.take(length)
                return frozen(np.zeros(shape, np.float32 if kind.name.startswith("float") else np.int64))
            return dense(self._file.part(address, length), kind.name, shape, self._file.budget)
        if place == 2 and version == 3:
            return self._chunked(layout, kind, shape)
        raise _other()

    def _chunked(self, layout: memoryview, kind: _Kind, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array that lies in pieces, each perhaps compressed."""
        rank = layout[2] - 1
        if rank != len(shape) or rank < 1:
            raise ValueError("pieces of another shape")
        tree = self._file._number(layout, 3)
        piece = tuple(int.from_bytes(layout[11 + 4 * k : 15 + 4 * k], "little") for k in range(rank))
        whole = prod(shape) * kind.size
        self._file.budget.take(whole + prod(piece) * kind.size)
        filters = _filters(self._message(_FILTERS))
        made = np.zeros(shape, np.dtype(kind.name) if kind.name in np.sctypeDict else np.float32)
        if tree == _NOWHERE or min(piece) < 1:
            return frozen(made)
        for offset, mask, data in self._pieces(tree, rank, 0):
            raw = _unfiltered(data, filters, mask, prod(piece) * kind.size, kind.size)
            values = dense(raw, kind.name, piece, self._file.budget)
            if any(start >= size for start, size in zip(offset, shape, strict=True)):
                raise ValueError("a piece outside")
            kept = tuple(slice(0, size - start) for size, start in zip(shape, offset, strict=True))
            place = tuple(slice(start, start + step) for start, step in zip(offset, piece, strict=True))
            made[place] = values[kept]
        return frozen(made)

    def _pieces(self, tree: int, rank: int, depth: int) -> Iterator[tuple[tuple[int, ...], int, memoryview]]:
        head = self._file.part(tree, 24)
        if depth > DEEPEST or bytes(head[:4]) != b"TREE" or head[4] != 1:
            raise ValueError("no tree of pieces")
        entries, step = int.from_bytes(head[6:8], "little"), 8 + 8 * (rank + 1) + 8
        body = self._file.part(tree + 24, step * entries)
        for k in range(entries):
            self._file.count()
            at = step * k
            size, mask = (int.from_bytes(body[at + j : at + j + 4], "little") for j in (0, 4))
            offset = tuple(self._file._number(body, at + 8 + 8 * axis) for axis in range(rank))
            child = self._file._number(body, at + step - 8)
            if head[5] > 0:
                yield from self._pieces(child, rank, depth + 1)
            else:
                yield offset, mask, self._file.part(child, size)


def _shape(body: memoryview) -> tuple[int, ...]:
    version, rank = body[0], body[1]
    if version == 2 and body[3] == 2:
        return (0,)
    start = {1: 8, 2: 4}[version]
    return checked_shape([Hdf5._number(body, start + 8 * k) for k in range(rank)])


def _kind(body: memoryview) -> _Kind | None:
    """Return a type; None for those that hold neither numbers nor texts."""
    of, size = body[0] & 15, int.from_bytes(body[4:8], "little")
    order_is_big = body[1] & 1
    if of in (0, 1) and order_is_big:
        raise _other()
    if of == 0 and size in (1, 2, 4, 8):
        return _Kind(f"{'' if body[1] & 8 else 'u'}int{8 * size}", size)
    if of == 1 and size in (2, 4, 8):
        # A float16 has 5 bits of exponent, a bfloat16 has 8.
        is_brain = size == 2 and body[13] == 8
        return _Kind("bfloat16" if is_brain else f"float{8 * size}", size)
    if of == 3:
        return _Kind("text", size)
    if of == 9 and body[1] & 15 == 1:
        return _Kind("text", 16, varies=True)
    if of == 8:
        return _Kind("bool", size) if size == 1 else None  # what h5py writes for True and False
    return None


def _filters(body: memoryview | None) -> list[int]:
    """Return the numbers of what pieces went through when they were written."""
    if body is None:
        return []
    found, at = [], 8 if body[0] == 1 else 2
    for _ in range(body[1]):
        number, length = (int.from_bytes(body[at + k : at + k + 2], "little") for k in (0, 2))
        if body[0] == 2 and number < 256:
            count, at = int.from_bytes(body[at + 4 : at + 6], "little"), at + 6
            length = 0
        else:
            count, at = int.from_bytes(body[at + 6 : at + 8], "little"), at + 8
        at += length + 4 * count + (4 * (count % 2) if body[0] == 1 else 0)
        found.append(number)
    return found


def _unfiltered(data: memoryview, filters: list[int], mask: int, size: int, width: int) -> bytes:
    content = bytes(data)
    for k, number in reversed(list(enumerate(filters))):
        if mask >> k & 1:
            continue
        if number == 1:
            content = zlib.decompressobj().decompress(content, size + 1)
        elif number == 2:
            content = np.frombuffer(content, np.uint8).reshape(width, -1).T.tobytes()
        elif number == 3:
            content = content[:-4]
        else:
            raise _other()
    return content


def _other() -> CnnvizError:
    return CnnvizError(
        tr("it is written in a variant of HDF5 that is not read; save it with Keras as .keras")
    )


def _linked() -> CnnvizError:
    return CnnvizError(tr("it leads to other files; save it whole"))
