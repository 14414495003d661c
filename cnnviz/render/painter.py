"""Paints a Frame with QPainter: the one code that draws, on screen and in files.

What costs time is kept: fonts and laid-out text (`text`), and whole pictures of marks that are the same
objects from step to step (`cache`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QPainter, QPolygonF, QRegion

from cnnviz.render import cache, cells, formula, text
from cnnviz.render.tools import brush, color, hatch, pen, rectangle, saved
from cnnviz.scene.marks import Box, Cells, Dot, Formula, Frame, Group, Hotspot, Label, Path, Rect, Strokes
from cnnviz.scene.theme import Theme

# Grounds of this many pixels are filled around what is painted over them.
_LARGE = 100_000


def paint(painter: QPainter, frame: Frame, theme: Theme, area: Box | None = None) -> None:
    """Paint all marks of a frame, in order.

    Parameters
    ----------
    area : Box, optional
        Where alone something is seen; numbers of grids are painted there only.
    """
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    groups = {k: mark.box for k, mark in enumerate(frame.marks) if type(mark) is Group}
    with saved(painter):
        # Always within something: else Qt paints thin lines another way, a shade off.
        within = area or Box(0, 0, frame.width, frame.height)
        painter.setClipRect(rectangle(within), Qt.ClipOperation.IntersectClip)
        for k, mark in enumerate(frame.marks):
            if type(mark) is Rect and area is None and _is_large_ground(mark):
                _fill_around(mark, [box for j, box in groups.items() if j > k], painter, theme)
            elif type(mark) is Cells and not mark.cached:
                cells.paint(mark, painter, theme, area)
            else:
                _PAINT[type(mark)](mark, painter, theme)


def _is_large_ground(mark: Rect) -> bool:
    return bool(mark.fill) and not mark.stroke and not mark.radius and mark.box.w * mark.box.h > _LARGE


def _fill_around(mark: Rect, covered: list[Box], painter: QPainter, theme: Theme) -> None:
    """Fill a large area but for what groups will cover anyway: each pixel painted twice is time lost."""
    left = QRegion(rectangle(mark.box).toAlignedRect())
    for box in covered:
        left -= QRegion(rectangle(box).toRect())
    with saved(painter):
        painter.setClipRegion(left, Qt.ClipOperation.IntersectClip)
        painter.fillRect(rectangle(mark.box), brush(theme, mark.fill or "ground"))


def _paint_group(mark: Group, painter: QPainter, theme: Theme) -> None:
    def anew(on: QPainter) -> None:
        for inner in mark.marks:
            if isinstance(inner, Cells):  # is kept with the group, not by itself
                cells.paint(inner, on, theme)
            else:
                _PAINT[type(inner)](inner, on, theme)

    first = next(iter(mark.marks), None)
    ground = first.fill if isinstance(first, Rect) and first.box == mark.box else None
    cache.draw(mark, mark.box, painter, theme, anew, color(theme, ground) if ground else None)


def _paint_cells(mark: Cells, painter: QPainter, theme: Theme) -> None:
    if mark.cached:
        cache.draw(mark, mark.box, painter, theme, lambda on: cells.paint(mark, on, theme))
    else:
        cells.paint(mark, painter, theme)


def _paint_rect(mark: Rect, painter: QPainter, theme: Theme) -> None:
    area = rectangle(mark.box)
    if mark.hatched:
        hatch(painter, mark.box, theme)
    if not mark.stroke and mark.radius == 0:
        if mark.fill:
            painter.fillRect(area, brush(theme, mark.fill))
        return
    painter.setBrush(brush(theme, mark.fill) if mark.fill and not mark.hatched else Qt.BrushStyle.NoBrush)
    painter.setPen(pen(theme, mark.stroke, mark.width, mark.dashed) if mark.stroke else Qt.PenStyle.NoPen)
    if mark.radius:
        painter.drawRoundedRect(area, mark.radius, mark.radius)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.drawRect(area)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _paint_path(mark: Path, painter: QPainter, theme: Theme) -> None:
    points = QPolygonF([QPointF(x, y) for x, y in mark.points])
    painter.setPen(pen(theme, mark.role, mark.width, mark.dashed))
    if mark.filled:
        painter.setBrush(brush(theme, mark.role))
        painter.drawPolygon(points)
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(points)
    if mark.arrow and len(mark.points) > 1:
        _paint_arrow_head(mark, painter, theme)


def _paint_arrow_head(mark: Path, painter: QPainter, theme: Theme) -> None:
    tail, tip = np.array(mark.points[-2]), np.array(mark.points[-1])
    length = float(np.hypot(*(tip - tail)))
    if length == 0:
        return
    along = (tip - tail) / length * mark.width * 5
    across = np.array([-along[1], along[0]]) * 0.5
    corners = [tip, tip - along + across, tip - along - across]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush(theme, mark.role))
    painter.drawPolygon(QPolygonF([QPointF(float(x), float(y)) for x, y in corners]))


def _paint_strokes(mark: Strokes, painter: QPainter, theme: Theme) -> None:
    painter.setPen(pen(theme, mark.role, mark.width))
    painter.drawLines([QLineF(*line) for line in mark.lines])


def _paint_dot(mark: Dot, painter: QPainter, theme: Theme) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush(theme, mark.role))
    painter.drawEllipse(QPointF(*mark.center), mark.radius, mark.radius)


def _paint_nothing(mark: Hotspot, painter: QPainter, theme: Theme) -> None:
    """Paint nothing: a spot is only there to be clicked."""


_PAINT: dict[type, Callable[[Any, QPainter, Theme], None]] = {
    Group: _paint_group,
    Cells: _paint_cells,
    Rect: _paint_rect,
    Path: _paint_path,
    Strokes: _paint_strokes,
    Dot: _paint_dot,
    Label: text.paint,
    Formula: formula.paint,
    Hotspot: _paint_nothing,
}
