"""Text: fitted into its box, laid out once, drawn many times."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QStaticText, QTransform

from cnnviz.render.fonts import font
from cnnviz.render.tools import color
from cnnviz.scene.marks import Label, Role, Span
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
    if mark.once and _paint_once(mark, painter, theme):
        return
    x, y, w, h = mark.box
    pieces, total, _ = _fitted(mark.runs, mark.size, mark.family, max(0, int(w)))
    if mark.align != "left":
        x += (w - total) * (0.5 if mark.align == "center" else 1.0)
    for role, (made, text, width, height) in pieces:
        painter.setFont(made)
        painter.setPen(color(theme, role))
        painter.drawStaticText(QPointF(x, y + (h - height) / 2), text)
        x += width


def pieces_of(mark: Label) -> tuple[tuple[tuple[Role, Laid], ...], float]:
    """Return a label's pieces as they are painted, each with its colour, and how wide they are together."""
    return _fitted(mark.runs, mark.size, mark.family, max(0, int(mark.box.w)))[:2]


def fitted_size(mark: Label) -> tuple[float, bool]:
    """Return the size at which a label is painted, and whether all of its text is."""
    pieces, _, size = _fitted(mark.runs, mark.size, mark.family, max(0, int(mark.box.w)))
    return size, [piece.text.text() for _, piece in pieces] == [run.text for run in mark.runs]


def _paint_once(mark: Label, painter: QPainter, theme: Theme) -> bool:
    """Paint a label without keeping anything of it; return False if it does not fit and must be fitted."""
    x, y, w, h = mark.box
    metrics = [_metrics(mark.family, mark.size, run.bold) for run in mark.runs]
    widths = [measure.horizontalAdvance(run.text) for measure, run in zip(metrics, mark.runs, strict=True)]
    total = sum(widths)
    if total > int(w):
        return False
    if mark.align != "left":
        x += (w - total) * (0.5 if mark.align == "center" else 1.0)
    for run, measure, width in zip(mark.runs, metrics, widths, strict=True):
        painter.setFont(font(mark.family, mark.size, run.bold))
        painter.setPen(color(theme, run.role))
        painter.drawText(QPointF(x, y + (h - measure.height()) / 2 + measure.ascent()), run.text)
        x += width
    return True


@lru_cache(maxsize=2048)
def lay_out(text: str, family: str, size: float, bold: bool = False) -> Laid:
    """Lay out a string in a font."""
    made = font(family, size, bold)
    laid = QStaticText(text)
    laid.setTextFormat(Qt.TextFormat.PlainText)
    laid.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    laid.prepare(QTransform(), made)
    metrics = _metrics(family, size, bold)
    return Laid(made, laid, metrics.horizontalAdvance(text), metrics.height())


@lru_cache(maxsize=2048)
def _fitted(
    runs: tuple[Span, ...], size: float, family: str, room: int
) -> tuple[tuple[tuple[Role, Laid], ...], float, float]:
    """Return the runs laid out at the size that fits, elided if they must be; their width and the size.

    Sentences are elided at their end; a single word in its middle, since long names differ at their ends:
    `layer1_conv1` and `layer1_conv2`.
    """
    while True:
        laid = tuple((run.role, lay_out(run.text, family, size, run.bold)) for run in runs)
        total = sum(piece.width for _, piece in laid)
        if total <= room:
            return laid, total, size
        if size <= SMALLEST:
            break
        size = max(SMALLEST, min(size - 0.5, size * room / total))
    shown: list[tuple[Role, Laid]] = []
    left = float(room)
    for run, piece in zip(runs, laid, strict=True):
        if piece[1].width > left:
            end = Qt.TextElideMode.ElideRight if " " in run.text else Qt.TextElideMode.ElideMiddle
            text = _metrics(family, size, run.bold).elidedText(run.text, end, left)
            shown.append((run.role, lay_out(text, family, size, run.bold)))
            break
        shown.append(piece)
        left -= piece[1].width
    return tuple(shown), sum(piece.width for _, piece in shown), size


@lru_cache(maxsize=512)
def _metrics(family: str, size: float, bold: bool) -> QFontMetricsF:
    return QFontMetricsF(font(family, size, bold))
