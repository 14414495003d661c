"""What the window remembers from one start to the next: texts by key, in one file that is written whole."""

from __future__ import annotations

import errno
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from PySide6.QtCore import QByteArray, QCryptographicHash, QStandardPaths

from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, set_aside, write_whole
from cnnviz.text import tr

VARIABLE = "CNNVIZ_SETTINGS"
"""The environment variable that names another file to remember things in."""

MOST_LESSONS = 200
"""Of so many lessons, those that were used last, places and marks are remembered."""

_MOST_BYTES = 16 * 2**20
_LESSON = "lesson-"

_Kind = TypeVar("_Kind")


class Settings:
    """Texts and numbers in a JSON file, by key.

    Several windows may share the file: each writes what it has changed, and leaves the rest as it is; of
    lessons the last `MOST_LESSONS` that were used are kept. A file that is damaged, or holds what cannot be,
    is set aside before another is written; what could be read of it is kept.

    Parameters
    ----------
    path : Path, optional
        The file; where it is not given, that of `VARIABLE` or of the platform.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or _usual_path()
        self._damaged = self._refused = False
        self._seen: tuple[int, ...] | None = None  # which file was read
        self._complaints: dict[str, bool] = {}  # each that there ever was, and whether it has been told
        self._changed: dict[str, str] = {}
        self._used: dict[str, None] = {}  # the lessons of which something was put
        self._values = self._read()

    def _read(self) -> dict[str, str]:
        """Return what the file holds. What cannot be read is not written over."""
        self._seen = _identity(self._path)
        try:
            return msgspec.json.decode(read_whole(self._path, _MOST_BYTES), type=dict[str, str])
        except FileNotFoundError:
            pass
        except OSError as error:
            self._damaged = error.errno == errno.EFBIG
            if not self._damaged:
                self._refuse(error)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._damaged = True
        return {}

    # -------------------------------------------------------------------------------------------- reading

    @property
    def beside(self) -> Path:
        """The folder for files that belong to what is remembered."""
        return self._path.with_name(f"{self._path.stem}-files")

    def names(self, file: str) -> bool:
        """Return whether anything that is remembered names a file; of what cannot be read, it may."""
        return self._damaged or self._refused or any(file in value for value in self._values.values())

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        return self._values.get(key, default)

    def number(self, key: str, default: int, lowest: int, highest: int) -> int:
        """Return a whole number, the default if there is none or it is out of its range."""
        text = self.text(key)
        try:
            value = int(text)
        except ValueError:
            self._damaged |= bool(text)
            return default
        return value if lowest <= value <= highest else default

    def renew(self, key: str) -> None:
        """Take what another window has written of a key since, unless it was changed here."""
        written = self._read() if key not in self._changed and not self._refused else {}
        if key in written:
            self._values[key] = written[key]

    def flag(self, key: str, default: bool) -> bool:
        """Return yes or no."""
        return bool(self.number(key, int(default), 0, 1))

    def data(self, key: str) -> QByteArray:
        """Return bytes that Qt made, empty if there are none."""
        try:
            return QByteArray(b64decode(self.text(key), validate=True))
        except ValueError:
            self._damaged = True
            return QByteArray()

    def record(self, key: str, kind: type[_Kind], default: _Kind) -> _Kind:
        """Return a record, the default if there is none."""
        text = self.text(key)
        try:
            return msgspec.json.decode(text, type=kind) if text else default
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._damaged = True
            return default

    def reject(self) -> None:
        """Take all that the file holds for damaged."""
        self._damaged = True
        self._values.clear()

    # -------------------------------------------------------------------------------------------- writing

    def put(self, key: str, value: str | int | QByteArray) -> None:
        """Remember something."""
        if isinstance(value, QByteArray):
            value = b64encode(bytes(value.data())).decode()
        # A path may hold bytes that are no text; no file of texts takes them.
        text = str(int(value)) if isinstance(value, int) else value.encode("utf-8", "replace").decode()
        lesson = _lesson_of(key)
        self._used.pop(lesson, None)
        self._used[lesson] = None  # now it is the last
        if self._values.get(key) != text:
            self._values[key] = self._changed[key] = text

    def put_record(self, key: str, value: object) -> None:
        """Remember a record."""
        self.put(key, msgspec.json.encode(value).decode())

    def save(self) -> None:
        """Write what has changed; what keeps it from being written is told by `complaint`."""
        if self._damaged:
            self._set_aside()
        if not self._changed or self._refused:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            others = self._read()  # which another window may have written
            if self._damaged or self._refused:
                return
            values = _of_last_lessons({**(others or self._values), **self._changed}, self._used)
            write_whole(self._path, msgspec.json.encode(values))
        except (OSError, CnnvizError) as error:  # a disk that is full now may have room in a while
            self._complain(_unusable(self._path, error))
        else:
            self._changed = {}

    def _set_aside(self) -> None:
        self._damaged = False
        if self._seen != _identity(self._path):  # another window has mended it meanwhile
            return
        try:
            aside = set_aside(self._path)
        except FileNotFoundError:  # another window has done it meanwhile
            return
        except (OSError, CnnvizError) as error:
            self._refuse(error)
            return
        self._changed = dict(self._values)
        self._complain(
            tr(
                "What was remembered is damaged: {file} keeps it, and what could be read is remembered on.",
                file=aside,
            )
        )

    def _refuse(self, error: Exception) -> None:
        """Write nothing from now on."""
        self._refused = True
        self._complain(_unusable(self._path, error))

    def _complain(self, sentence: str) -> None:
        self._complaints.setdefault(sentence, False)

    def complaints(self) -> list[str]:
        """Return what has been wrong with the file, each sentence once."""
        untold = [sentence for sentence, told in self._complaints.items() if not told]
        self._complaints.update(dict.fromkeys(untold, True))
        return untold


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from another of its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unusable(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return tr(
        "Nothing is remembered, because {file} cannot be used ({reason}); {variable} names another.",
        file=path,
        reason=reason.rstrip("."),
        variable=VARIABLE,
    )


def _lesson_of(key: str) -> str:
    """Return the lesson whose group of keys a key is in; empty for all others."""
    return key.partition("/")[0] if key.startswith(_LESSON) else ""


def _of_last_lessons(values: Mapping[str, str], used: Iterable[str]) -> dict[str, str]:
    """Return what is to be kept: of lessons those that were used last, which stand last in the file."""
    groups: dict[str, dict[str, str]] = {"": {}}
    for key, value in values.items():
        groups.setdefault(_lesson_of(key), {})[key] = value
    others = groups.pop("")
    for lesson in used:
        if lesson in groups:
            groups[lesson] = groups.pop(lesson)
    for lesson in list(groups)[-MOST_LESSONS:]:
        others |= groups[lesson]
    return others


def lesson_key(lesson: str) -> str:
    """Return the group of keys of a lesson, which may be a file with a long path."""
    whole = QCryptographicHash.hash(
        lesson.encode("utf-8", "surrogateescape"), QCryptographicHash.Algorithm.Sha256
    )
    return _LESSON + bytes(whole.toHex().data()).decode()[:16]


def _usual_path() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(folder) / "cnnviz" / "cnnviz.json"
