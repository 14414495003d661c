"""Zip archives of other programs, in memory."""

from __future__ import annotations

import io
import os
import zipfile

from cnnviz.formats.bounds import LARGEST_FILE, MOST_ENTRIES

_LOCAL_HEADER = b"PK\x03\x04"
_LOCAL_SIZE = 30
_LISTED_SIZE = 300
"""Bytes that an entry takes in the list of all of them, at most, on average."""


class MemoryFile(io.BufferedIOBase):
    """Bytes in memory as a file that can be read, without a copy of them.

    Attributes
    ----------
    most : int
        How much may be read at once: the list of an archive's entries may claim any size.
    """

    def __init__(self, data: memoryview, most: int = LARGEST_FILE) -> None:
        self._data, self._at, self.most = data, 0, most

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        if start + offset < 0:
            raise OSError("a place before the file")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the place where it stands."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or all that is left."""
        left = max(len(self._data) - self._at, 0)
        size = left if size is None or size < 0 else min(size, left)
        if size > self.most:
            raise ValueError("too much at once")
        part = bytes(self._data[self._at : self._at + size])
        self._at += size
        return part

    def readline(self, size: int | None = -1) -> bytes:
        """Read to the end of a line."""
        start, line = self._at, b""
        while not line.endswith(b"\n") and (part := self.read(256)):
            line += part[: part.find(b"\n") + 1] if b"\n" in part else part
        self._at = start + len(line)
        return line


def is_zip(data: memoryview) -> bool:
    """Return whether a file begins as a zip archive does."""
    return bytes(data[:4]) == _LOCAL_HEADER


class Archive:
    """The entries of a zip archive, by their names without the folder that all of them share.

    Parameters
    ----------
    data : memoryview
        The file.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        file = MemoryFile(data, MOST_ENTRIES * _LISTED_SIZE)
        self._zip = zipfile.ZipFile(file)
        file.most = LARGEST_FILE
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > LARGEST_FILE:
            raise ValueError("too much in one archive")
        heads = {entry.filename.partition("/")[0] for entry in entries}
        shared = f"{heads.pop()}/" if len(heads) == 1 else ""
        self.entries = {
            entry.filename[len(shared) if entry.filename.startswith(shared) else 0 :]: entry
            for entry in entries
        }

    def has(self, name: str) -> bool:
        """Return whether there is such an entry."""
        return name in self.entries

    def names(self, end: str) -> list[str]:
        """Return the entries whose names end so."""
        return [name for name in self.entries if name.endswith(end)]

    def read(self, name: str, most: int = LARGEST_FILE) -> memoryview:
        """Return what is in an entry; what is stored as it is is not copied.

        Raises
        ------
        KeyError, ValueError, zipfile.BadZipFile
            If there is no such entry, it is longer, or it is broken.
        """
        entry = self.entries[name]
        if entry.file_size > most or entry.flag_bits & 1:
            raise ValueError("an entry that is too long, or encrypted")
        if entry.compress_type == zipfile.ZIP_STORED:
            return self._stored(entry)
        with self._zip.open(entry) as file:
            content = file.read(entry.file_size + 1)
        if len(content) != entry.file_size:
            raise ValueError("an entry of another length")
        return memoryview(content)

    def _stored(self, entry: zipfile.ZipInfo) -> memoryview:
        at = entry.header_offset
        head = bytes(self._data[at : at + _LOCAL_SIZE])
        if not head.startswith(_LOCAL_HEADER) or entry.file_size != entry.compress_size:
            raise ValueError("an entry that is not where it should be")
        start = (
            at + _LOCAL_SIZE + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        )
        if start + entry.file_size > len(self._data):
            raise ValueError("an entry that reaches beyond the archive")
        return self._data[start : start + entry.file_size]
