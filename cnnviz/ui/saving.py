"""Writes pictures so that a full disk or a crash leaves the old file as it was."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage

from cnnviz.errors import CnnvizError
from cnnviz.text import tr


def save_picture(image: QImage, path: Path) -> None:
    """Write an image as PNG: whole, or not at all.

    Raises
    ------
    CnnvizError
        If it cannot be written; a file of that name stays as it was.
    """
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise CnnvizError(tr("{file} was not saved: the picture could not be made.", file=path.name))
    try:
        _replace(path, bytes(content.data()))
    except OSError as error:
        raise CnnvizError(
            tr(
                "{file} was not saved ({reason}); choose another folder, or make room.",
                file=path.name,
                reason=error.strerror or error,
            )
        ) from error


def _replace(path: Path, content: bytes) -> None:
    """Write beside a file, then take its place."""
    handle, beside = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix":
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
