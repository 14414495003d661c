"""Typeset formulas: outlines of glyphs made into paths once, and filled."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QTransform

from cnnviz.render.tools import brush, saved
from cnnviz.scene.marks import Formula
from cnnviz.scene.outline import Outline
from cnnviz.scene.theme import Theme


def paint(mark: Formula, painter: QPainter, theme: Theme) -> None:
    """Paint a formula in the middle of its box."""
    roles = dict(mark.roles)
    with saved(painter):
        painter.translate(*mark.origin)
        painter.scale(mark.scale, mark.scale)
        for parts, path in _paths(mark.outline):
            role = next((roles[part] for part in parts if part in roles), "ink")
            painter.fillPath(path, brush(theme, role))


@lru_cache(maxsize=512)
def _paths(outline: Outline) -> tuple[tuple[tuple[str, ...], QPainterPath], ...]:
    """Return an outline as one path for each set of parts that its pieces are in."""
    paths: dict[tuple[str, ...], QPainterPath] = {}
    for piece in outline.pieces:
        whole = paths.setdefault(piece.parts, QPainterPath())
        whole.setFillRule(Qt.FillRule.WindingFill)
        place = QTransform(piece.scale, 0, 0, piece.scale, piece.x, piece.y)
        whole.addPath(place.map(_path(piece.path)))
    return tuple(paths.items())


@lru_cache(maxsize=1024)
def _path(outline: str) -> QPainterPath:
    """Return the outline of a glyph as a path."""
    made = QPainterPath()
    words = iter(outline.split())
    for command in words:
        if command == "M":
            made.moveTo(_point(words))
        elif command == "L":
            made.lineTo(_point(words))
        elif command == "Q":
            made.quadTo(_point(words), _point(words))
        elif command == "Z":
            made.closeSubpath()
        else:
            raise ValueError(f"an outline has no {command}")
    return made


def _point(words: Iterator[str]) -> QPointF:
    return QPointF(float(next(words)), float(next(words)))
