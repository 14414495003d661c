"""Where text really is when it is painted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, QPainter

from cnnviz.render.painter import paint
from cnnviz.scene.marks import Box, Frame, Label, Span
from cnnviz.scene.theme import THEMES

# Letters may stick out of their box by this much.
RIM = 12


def pixels(image: QImage) -> NDArray[np.uint8]:
    """An image as (rows, columns, 4), blue first."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()


def ink(mark: Label) -> Box | None:
    """The smallest box around what a label paints; None if it paints nothing."""
    found = _ink(mark.runs, mark.size, mark.align, mark.family, round(mark.box.w, 2), round(mark.box.h, 2))
    return found and Box(mark.box.x + found.x, mark.box.y + found.y, found.w, found.h)


@lru_cache(maxsize=65536)
def _ink(
    runs: tuple[Span, ...], size: float, align: str, family: str, width: float, height: float
) -> Box | None:
    image = QImage(int(width) + 2 * RIM + 1, int(height) + 2 * RIM + 1, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFF)
    black = tuple(Span(run.text, "on_light", run.bold) for run in runs)
    painter = QPainter(image)
    mark = Label(Box(RIM, RIM, width, height), black, size, align, family)
    paint(painter, Frame(image.width(), image.height(), (mark,)), THEMES["light"])
    painter.end()
    dark = pixels(image)[:, :, 1] < 160
    if not dark.any():
        return None
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    left, top = columns[0] - RIM, rows[0] - RIM
    return Box(float(left), float(top), float(columns[-1] + 1 - RIM - left), float(rows[-1] + 1 - RIM - top))
