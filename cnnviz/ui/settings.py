"""What the window remembers from one start to the next; a damaged file is as good as none."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QByteArray, QCryptographicHash, QSettings, QStandardPaths

VARIABLE = "CNNVIZ_SETTINGS"
"""The environment variable that names another file to remember things in."""


class Settings:
    """Texts and numbers in an INI file, by key.

    Parameters
    ----------
    path : Path, optional
        The file; where it is not given, that of `VARIABLE` or of the platform.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or _usual_path()), QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        value = self._store.value(key, default)
        return value if isinstance(value, str) else default

    def number(self, key: str, default: int, lowest: int, highest: int) -> int:
        """Return a whole number, the default if there is none or it is out of its range."""
        with suppress(ValueError):
            value = int(self.text(key))
            if lowest <= value <= highest:
                return value
        return default

    def flag(self, key: str, default: bool) -> bool:
        """Return yes or no."""
        return bool(self.number(key, int(default), 0, 1))

    def data(self, key: str) -> QByteArray:
        """Return bytes that Qt made, empty if there are none."""
        with suppress(ValueError):
            return QByteArray(b64decode(self.text(key), validate=True))
        return QByteArray()

    def put(self, key: str, value: str | int | QByteArray) -> None:
        """Remember something."""
        if isinstance(value, QByteArray):
            self._store.setValue(key, b64encode(bytes(value.data())).decode())
        else:
            self._store.setValue(key, str(int(value)) if isinstance(value, int) else value)

    def save(self) -> None:
        """Write the file."""
        self._store.sync()


def lesson_key(lesson: str) -> str:
    """Return the group of keys of a lesson, which may be a file with a long path."""
    whole = QCryptographicHash.hash(
        lesson.encode("utf-8", "surrogateescape"), QCryptographicHash.Algorithm.Sha256
    )
    return "lesson-" + bytes(whole.toHex().data()).decode()[:16]


def _usual_path() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(folder) / "cnnviz" / "cnnviz.ini"
