"""Reads pictures with Qt, for networks: importing this has `cnnviz.formats.pictures` use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
from PySide6.QtGui import QColorSpace, QImage, QImageReader

from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, reason_of
from cnnviz.formats.pictures import use_pictures
from cnnviz.render.tools import painting
from cnnviz.text import tr

FORMATS = {
    ".png": b"png",
    ".jpg": b"jpeg",
    ".jpeg": b"jpeg",
    ".bmp": b"bmp",
    ".gif": b"gif",
    ".webp": b"webp",
}
"""What can be read, by the endings of files. No SVG, which may name other files."""

_LARGEST_FILE = 64 * 2**20
_END_OF_JPEG = b"\xff\xd9"


def read_picture(path: Path, size: tuple[int, int] | None, channels: int) -> NDArray[Any]:
    """Read a picture as `cnnviz.formats.pictures.read_picture` says.

    What is transparent is laid on white; a picture with colours of its own is turned to sRGB; of one that
    moves, the first frame is taken. It is brought to a size whole, whatever its sides.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise CnnvizError(tr("{file}: pictures end in one of {known}.", file=path.name, known=known))
    try:
        content = read_whole(path, _LARGEST_FILE)
    except (OSError, ValueError) as error:
        said = tr("{file} cannot be read ({reason}).", file=path, reason=reason_of(error))
        raise CnnvizError(said) from error
    is_cut = FORMATS[ending] == b"jpeg" and _END_OF_JPEG not in content[-64 * 1024 :]
    image = QImage() if is_cut else _decoded(content, FORMATS[ending])
    if image.isNull():
        raise CnnvizError(tr("{file} is damaged, or no picture; save it again.", file=path.name))
    if image.colorSpace().isValid():
        image = image.convertedToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    image = _on_white(image)
    if size is not None and (image.height(), image.width()) != size:
        image = image.scaled(
            size[1], size[0], Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
    wanted = QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    image = image.convertToFormat(wanted)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * channels].reshape(image.height(), image.width(), channels).copy()


def _decoded(content: bytes, kind: bytes) -> QImage:
    buffer = QBuffer()
    buffer.setData(QByteArray(content))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(kind))
    reader.setAutoTransform(True)
    with _silent():
        return reader.read()


@contextmanager
def _silent() -> Iterator[None]:
    """Have nobody write to the terminal: libpng does, past Qt, and what is wrong is said by our sentence."""
    try:
        before = os.dup(2)
    except OSError:  # there is no terminal
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _on_white(image: QImage) -> QImage:
    white = QImage(image.size(), QImage.Format.Format_RGB32)
    white.fill(Qt.GlobalColor.white)
    with painting(white) as painter:
        painter.drawImage(0, 0, image)
    return white


use_pictures(read_picture)
