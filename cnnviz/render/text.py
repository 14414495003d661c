"""Text: fitted into its box, laid out once, drawn many times."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QStaticText, QTransform

from cnnviz.render.fonts import font
from cnnviz.render.tools import color
from cnnviz.scene.marks import Label, Run
from cnnviz.scene.theme import Theme

SMALLEST = 8.0


class Laid(NamedTuple):
    """A string laid out: its font, the text for QPainter, its width and its line's height."""

    font: QFont
    text: QStaticText
    width: float
    height: float


def paint(mark: Label, painter: QPainter, theme: Theme) -> None:
    """Paint a label in the middle of its box's height."""
    box = mark.box
    size, runs, total = _fitted(mark.runs, mark.size, mark.family, round(box.w, 1))
    x = box.x
    if mark.align != "left":
        x += (box.w - total) * (0.5 if mark.align == "center" else 1.0)
    for run in runs:
        laid = lay_out(run.text, mark.family, size, run.bold)
        painter.setFont(laid.font)
        painter.setPen(color(theme, run.role))
        painter.drawStaticText(QPointF(x, box.y + (box.h - laid.height) / 2), laid.text)
        x += laid.width


@lru_cache(maxsize=16384)
def lay_out(text: str, family: str, size: float, bold: bool = False) -> Laid:
    """Lay out a string in a font."""
    made = font(family, size, bold)
    laid = QStaticText(text)
    laid.setTextFormat(Qt.TextFormat.PlainText)
    laid.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    laid.prepare(QTransform(), made)
    metrics = _metrics(family, size, bold)
    return Laid(made, laid, metrics.horizontalAdvance(text), metrics.height())


@lru_cache(maxsize=8192)
def _fitted(
    runs: tuple[Run, ...], size: float, family: str, room: float
) -> tuple[float, tuple[Run, ...], float]:
    """Return the size at which text fits, its runs, the last elided if it must be, and their width."""
    while True:
        widths = [_metrics(family, size, run.bold).horizontalAdvance(run.text) for run in runs]
        total = sum(widths)
        if total <= room:
            return size, runs, total
        if size <= SMALLEST:
            return _elided(runs, widths, size, family, room)
        size = max(SMALLEST, min(size - 0.5, size * room / total))


def _elided(
    runs: tuple[Run, ...], widths: list[float], size: float, family: str, room: float
) -> tuple[float, tuple[Run, ...], float]:
    shown: list[Run] = []
    left = room
    for run, width in zip(runs, widths, strict=True):
        if width > left:
            text = _metrics(family, size, run.bold).elidedText(run.text, Qt.TextElideMode.ElideRight, left)
            shown.append(Run(text, run.role, run.bold))
            break
        shown.append(run)
        left -= width
    total = sum(_metrics(family, size, run.bold).horizontalAdvance(run.text) for run in shown)
    return size, tuple(shown), total


@lru_cache(maxsize=512)
def _metrics(family: str, size: float, bold: bool) -> QFontMetricsF:
    return QFontMetricsF(font(family, size, bold))
