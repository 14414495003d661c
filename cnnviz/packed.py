"""The files in a ``.cnnviz``, an archive that holds a lesson: ``FORMAT.md`` describes it.

A file in one has a path like all others, ``holiday.cnnviz/weights.npz``, and `cnnviz.files` opens it as it
opens all others; so who reads a lesson and the files beside it need not know where these lie.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from cnnviz.text import tr

ENDING = ".cnnviz"

VERSION, LESSON, CHANGES, PLACE = "version.txt", "lesson.toml", "changes.txt", "place.json"
WEIGHTS, IMAGES, ARRAYS, PICTURE = "weights.npz", "images.npz", "arrays.npz", "picture.png"
CHANGED = "changed-"
"""What the names of files begin with that changes name."""

MOST_PICTURES = 8
"""So many of several inputs can each have a picture in it: the first is ``picture-1.png``."""

NAMES = (
    *(VERSION, LESSON, WEIGHTS, IMAGES, ARRAYS, PICTURE, CHANGES),
    *(f"picture-{k}.png" for k in range(1, MOST_PICTURES + 1)),
    *(f"{CHANGED}picture-{k}.png" for k in range(1, MOST_PICTURES + 1)),
    *(f"{CHANGED}weights.npz", f"{CHANGED}images.npz", f"{CHANGED}picture.png", f"{CHANGED}classes.txt"),
    PLACE,
)
"""All names that there can be, in the order in which they stand in the archive."""

CURRENT = b"1\n"
"""What the entry `VERSION` holds."""

MOST_BYTES = 2**31 - 2**20
"""Of an archive; from there on zip writes its sizes in another way."""

_WHEN = (1980, 1, 1, 0, 0, 0)  # so that the same lesson has the same bytes
_HEADER, _HEADER_SIZE = b"PK\x03\x04", 30
_MOST_AT_ONCE = 2**19


class Sparing:
    """A file of which nobody reads very much at once: the list of an archive's entries may claim any size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell, self.seekable = file, file.seek, file.tell, file.seekable

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or all that is left."""
        most = _MOST_AT_ONCE + 1 if size is None or size < 0 else size
        if most > _MOST_AT_ONCE + 1 or len(content := self._file.read(most)) > _MOST_AT_ONCE:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return content


def holder_of(path: Path) -> Path | None:
    """Return the archive that a path leads into; None where it leads to a file of its own."""
    holder = path.parent
    return holder if holder.suffix.lower() == ENDING and not holder.is_dir() else None


def packed(contents: Mapping[str, bytes]) -> bytes:
    """Return an archive of entries, nothing in it compressed: of the same entries always the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in NAMES:
            if name in contents:
                entry = zipfile.ZipInfo(name, _WHEN)
                entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                archive.writestr(entry, contents[name])
    return made.getvalue()


class _Entry:
    """Where the bytes of an entry lie, and their checksum."""

    def __init__(self, start: int, size: int, checksum: int) -> None:
        self.start, self.size, self.checksum = start, size, checksum


def entries(file: BinaryIO, name: str) -> dict[str, _Entry]:
    """Return what is in an archive, found and checked by its headers alone.

    Parameters
    ----------
    name : str
        What the archive is called.

    Raises
    ------
    OSError
        If it is no such archive; `strerror` says why.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(Sparing(file)) as archive:
            listed = archive.infolist()
    except Exception as error:  # there is no list of what zipfile raises
        raise _broken(tr("it is no archive, or a broken one"), name) from error
    if size > MOST_BYTES:
        raise _broken(tr("it is too long"), name)
    found: dict[str, _Entry] = {}
    for info in listed:
        if info.filename not in NAMES or info.orig_filename != info.filename:
            raise _broken(tr("it holds {entry}, which no lesson has", entry=info.filename[:60]), name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        is_plain = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if info.filename in found or not is_plain or info.flag_bits & 0b1001 or kind not in (0, stat.S_IFREG):
            raise _broken(tr("its entry {entry} is not stored as it is", entry=info.filename), name)
        found[info.filename] = _located(file, info, size, name)
    end = 0
    for entry in sorted(found.values(), key=lambda entry: entry.start):
        if entry.start < end:
            raise _broken(tr("its entries lie over one another"), name)
        end = entry.start + entry.size
    if VERSION not in found or LESSON not in found:
        raise _broken(tr("there is no lesson in it"), name)
    if found[VERSION].size > len(CURRENT) or _content(file, found[VERSION], name) != CURRENT:
        raise _broken(tr("it was saved by a newer cnnviz than this one"), name)
    return found


def _located(file: BinaryIO, info: zipfile.ZipInfo, size: int, name: str) -> _Entry:
    file.seek(info.header_offset)
    head = file.read(_HEADER_SIZE)
    own = int.from_bytes(head[26:28], "little")
    start = info.header_offset + _HEADER_SIZE + own + int.from_bytes(head[28:30], "little")
    if (
        not head.startswith(_HEADER)
        or file.read(own) != info.filename.encode()
        or start + info.file_size > size
    ):
        raise _broken(tr("its entry {entry} is not where it should be", entry=info.filename), name)
    return _Entry(start, info.file_size, info.CRC)


def _content(file: BinaryIO, entry: _Entry, name: str) -> bytes:
    file.seek(entry.start)
    content = file.read(entry.size)
    if len(content) != entry.size or zlib.crc32(content) != entry.checksum:
        raise _broken(tr("it is damaged"), name)
    return content


def read_entry(file: BinaryIO, path: Path) -> bytes:
    """Return what is in an entry of an archive.

    Raises
    ------
    OSError
        If there is none of this name, or the archive is broken; `strerror` says why.
    """
    holder = path.parent.name
    found = entries(file, holder)
    if path.name not in found:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return _content(file, found[path.name], holder)


def _broken(why: str, name: str) -> OSError:
    return OSError(errno.EINVAL, why, name)
