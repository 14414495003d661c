"""Pens, brushes and the hatch by role, made once for each theme."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen

from cnnviz.scene.marks import Box
from cnnviz.scene.theme import Theme

_HATCH_PERIOD = 8


def rectangle(box: Box) -> QRectF:
    """Return a box as Qt has it."""
    return QRectF(box.x, box.y, box.w, box.h)


@lru_cache(maxsize=256)
def color(theme: Theme, role: str) -> QColor:
    """Return a role's colour."""
    return QColor(theme.color(role))


@lru_cache(maxsize=256)
def brush(theme: Theme, role: str) -> QBrush:
    """Return a brush of a role's colour."""
    return QBrush(color(theme, role))


@lru_cache(maxsize=1024)
def pen(theme: Theme, role: str, width: float, dashed: bool = False) -> QPen:
    """Return a pen of a role's colour."""
    made = QPen(color(theme, role), width)
    made.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if dashed:
        made.setStyle(Qt.PenStyle.DashLine)
    return made


def hatch_rect(painter: QPainter, area: QRectF, theme: Theme) -> None:
    """Fill an area with the hatch that stands for “not computed yet”."""
    painter.fillRect(area, _hatch(theme))


@lru_cache(maxsize=4)
def _hatch(theme: Theme) -> QBrush:
    # A tile of pixels: Qt's own line patterns take several times as long to fill.
    tile = QImage(_HATCH_PERIOD, _HATCH_PERIOD, QImage.Format.Format_RGB32)
    tile.fill(color(theme, "ground"))
    for k in range(_HATCH_PERIOD):
        tile.setPixelColor(k, _HATCH_PERIOD - 1 - k, color(theme, "hatch"))
    return QBrush(tile)
