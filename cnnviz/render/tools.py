"""Pens, brushes and the hatch by role, made once for each theme."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import ceil

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPaintDevice, QPainter, QPen

from cnnviz.scene.marks import Box
from cnnviz.scene.theme import Theme

_HATCH_PERIOD = 8
# A multiple of the period, so that sheets join.
_SHEET = 512


@contextmanager
def painting(on: QPaintDevice) -> Iterator[QPainter]:
    """Give a painter, and end it whatever happens: one left open takes the program down later."""
    painter = QPainter(on)
    try:
        yield painter
    finally:
        painter.end()


@contextmanager
def saved(painter: QPainter) -> Iterator[None]:
    """Leave a painter as it was before, whatever happens."""
    painter.save()
    try:
        yield
    finally:
        painter.restore()


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


@lru_cache(maxsize=256)
def pen(theme: Theme, role: str, width: float, dashed: bool = False) -> QPen:
    """Return a pen of a role's colour."""
    made = QPen(color(theme, role), width)
    made.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if dashed:
        made.setStyle(Qt.PenStyle.DashLine)
    return made


def hatch(painter: QPainter, box: Box, theme: Theme) -> None:
    """Fill an area with the hatch that stands for “not computed yet”."""
    # Copied from a sheet: filling with a pattern or a texture takes more than ten times as long.
    sheet = _hatch_sheet(theme)
    for top in range(0, ceil(box.h), _SHEET):
        for left in range(0, ceil(box.w), _SHEET):
            part = QRectF(0, 0, min(_SHEET, box.w - left), min(_SHEET, box.h - top))
            painter.drawImage(QPointF(box.x + left, box.y + top), sheet, part)


@lru_cache(maxsize=4)
def _hatch_sheet(theme: Theme) -> QImage:
    ground, line = (0xFF000000 | int(theme.color(role)[1:], 16) for role in ("ground", "hatch"))
    period = np.full((_HATCH_PERIOD, _HATCH_PERIOD), ground, np.uint32)
    np.fill_diagonal(period[::-1], line)  # falling to the left: there a period's two ends are one step apart
    pixels = np.tile(np.roll(period, 1, axis=1), (_SHEET // _HATCH_PERIOD,) * 2)
    return QImage(pixels.data, _SHEET, _SHEET, 4 * _SHEET, QImage.Format.Format_RGB32).copy()
