"""Paints a Frame with QPainter: the one code that draws, on screen and in files.

Text is the dear part, so what it costs is kept: fonts, and each string laid out once as a QStaticText.
"""

from __future__ import annotations

from functools import lru_cache, singledispatch

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPen,
    QPolygonF,
    QStaticText,
    QTransform,
)

from cnnviz.render.fonts import font
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Label, Mark, Path, Rect, Run, Spot
from cnnviz.scene.theme import Theme, contrast, rgb

_SMALLEST_TEXT = 8.0


def paint(painter: QPainter, frame: Frame, theme: Theme) -> None:
    """Paint all marks of a frame, in order."""
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    for mark in frame.marks:
        _paint(mark, painter, theme)


@singledispatch
def _paint(mark: Mark, painter: QPainter, theme: Theme) -> None:
    raise TypeError(f"no way to paint {type(mark).__name__}")


# ------------------------------------------------------------------------------------------ shapes


@_paint.register
def _(mark: Rect, painter: QPainter, theme: Theme) -> None:
    painter.setBrush(_brush(theme, mark.fill) if mark.fill else Qt.BrushStyle.NoBrush)
    painter.setPen(_pen(theme, mark.stroke, mark.width, mark.dashed) if mark.stroke else Qt.PenStyle.NoPen)
    area = _rect(mark.box)
    if not mark.stroke and mark.radius == 0:
        painter.fillRect(area, _brush(theme, mark.fill or "ground"))
    elif mark.radius:
        painter.drawRoundedRect(area, mark.radius, mark.radius)
    else:
        painter.drawRect(area)
    if mark.hatched:
        painter.fillRect(area, _hatch(theme))


@_paint.register
def _(mark: Path, painter: QPainter, theme: Theme) -> None:
    painter.setPen(_pen(theme, mark.role, mark.width, mark.dashed))
    if mark.filled:
        painter.setBrush(_brush(theme, mark.role))
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in mark.points]))
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in mark.points]))
    if mark.arrow and len(mark.points) > 1:
        _arrow_head(mark, painter, theme)


def _arrow_head(mark: Path, painter: QPainter, theme: Theme) -> None:
    tail, tip = np.array(mark.points[-2]), np.array(mark.points[-1])
    length = float(np.hypot(*(tip - tail)))
    if length == 0:
        return
    along = (tip - tail) / length * mark.width * 5
    across = np.array([-along[1], along[0]]) * 0.5
    corners = [tip, tip - along + across, tip - along - across]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_brush(theme, mark.role))
    painter.drawPolygon(QPolygonF([QPointF(float(x), float(y)) for x, y in corners]))


@_paint.register
def _(mark: Dot, painter: QPainter, theme: Theme) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_brush(theme, mark.role))
    painter.drawEllipse(QPointF(*mark.center), mark.radius, mark.radius)


@_paint.register
def _(mark: Spot, painter: QPainter, theme: Theme) -> None:
    pass


# ------------------------------------------------------------------------------------------- text


@_paint.register
def _(mark: Label, painter: QPainter, theme: Theme) -> None:
    size, widths, runs = _fitted(mark.runs, mark.size, mark.family, round(mark.box.w, 1))
    total = sum(widths)
    x = mark.box.x
    if mark.align != "left":
        x += (mark.box.w - total) * (0.5 if mark.align == "center" else 1.0)
    for run, width in zip(runs, widths, strict=True):
        made, text, height = _text(run.text, mark.family, size, run.bold)
        painter.setFont(made)
        painter.setPen(_color(theme, run.role))
        painter.drawStaticText(QPointF(x, mark.box.y + (mark.box.h - height) / 2), text)
        x += width


@lru_cache(maxsize=8192)
def _fitted(
    runs: tuple[Run, ...], size: float, family: str, room: float
) -> tuple[float, tuple[float, ...], tuple[Run, ...]]:
    """Return the size at which text fits, the widths of its runs, and the runs, elided if they must be."""
    while True:
        widths = tuple(_metrics(family, size, run.bold).horizontalAdvance(run.text) for run in runs)
        total = sum(widths)
        if total <= room or size <= _SMALLEST_TEXT:
            break
        size = max(_SMALLEST_TEXT, min(size - 1, size * room / total))
    if total <= room:
        return size, widths, runs
    kept: list[Run] = []
    left = room
    for run, width in zip(runs, widths, strict=True):
        if width > left:
            text = _metrics(family, size, run.bold).elidedText(run.text, Qt.TextElideMode.ElideRight, left)
            kept.append(Run(text, run.role, run.bold))
            break
        kept.append(run)
        left -= width
    widths = tuple(_metrics(family, size, run.bold).horizontalAdvance(run.text) for run in kept)
    return size, widths, tuple(kept)


@lru_cache(maxsize=512)
def _metrics(family: str, size: float, bold: bool) -> QFontMetricsF:
    return QFontMetricsF(font(family, size, bold))


@lru_cache(maxsize=16384)
def _text(text: str, family: str, size: float, bold: bool):  # type: ignore[no-untyped-def]
    """Return (font, laid-out text, its height)."""
    made = font(family, size, bold)
    laid = QStaticText(text)
    laid.setTextFormat(Qt.TextFormat.PlainText)
    laid.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    laid.prepare(QTransform(), made)
    return made, laid, _metrics(family, size, bold).height()


# ------------------------------------------------------------------------------------------ cells


@_paint.register
def _(mark: Cells, painter: QPainter, theme: Theme) -> None:
    rows, columns = mark.values.shape
    indices = colour_indices(mark)
    area = _rect(mark.box)
    pixels = np.ascontiguousarray(theme.tables[mark.palette][indices])
    if mark.faint is not None and mark.palette != "pixel":
        pixels[mark.faint] = 0xFF000000 | int(theme.color("faint_cell")[1:], 16)
    hidden = np.isnan(mark.values) if mark.missing is None else mark.missing | np.isnan(mark.values)
    any_hidden = bool(hidden.any())
    if any_hidden:
        pixels[hidden] = 0
    image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(area, image)
    if mark.missing is not None and any_hidden:
        _paint_hatch(mark, painter, theme)
    if mark.lines:
        _paint_lines(mark, painter, theme)
    if mark.texts:
        _paint_numbers(mark, painter, theme, indices)


def colour_indices(mark: Cells) -> NDArray[np.uint8]:
    """Return each cell's place in its colour map, 0 to 255."""
    with np.errstate(invalid="ignore"):
        if mark.palette == "pixel":
            scaled = mark.values / mark.limit * 255
        else:
            scaled = (mark.values / mark.limit + 1) * 127.5
        return np.nan_to_num(scaled.round(), nan=128, posinf=255, neginf=0).clip(0, 255).astype(np.uint8)


def _paint_hatch(mark: Cells, painter: QPainter, theme: Theme) -> None:
    """Hatch the missing cells, row by row in as long pieces as there are."""
    assert mark.missing is not None
    for r, row in enumerate(mark.missing):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.view(np.int8), [0]))))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            painter.fillRect(_rect(mark.box_of(r, int(start), 1, int(end - start))), _hatch(theme))


def _paint_lines(mark: Cells, painter: QPainter, theme: Theme) -> None:
    rows, columns = mark.values.shape
    width, height = mark.cell
    painter.setPen(_pen(theme, "grid", 1.0, False))
    box = mark.box
    lines = [(box.x, box.y + r * height, box.right, box.y + r * height) for r in range(rows + 1)]
    lines += [(box.x + c * width, box.y, box.x + c * width, box.bottom) for c in range(columns + 1)]
    for x1, y1, x2, y2 in lines:
        painter.drawLine(QPointF(x1, y1), QPointF(x2, y2))


def _paint_numbers(mark: Cells, painter: QPainter, theme: Theme, indices: NDArray[np.uint8]) -> None:
    size = max(_SMALLEST_TEXT, float(round(mark.size)))
    dark = _dark_text(theme, mark.palette)
    width, height = mark.cell
    made = font("sans", size, False)
    line = _metrics("sans", size, False).height()
    painter.setFont(made)
    light_pen, dark_pen, faint_pen = (_color(theme, role) for role in ("on_dark", "on_light", "muted"))
    pixel = mark.palette == "pixel"
    pens = np.where(dark[indices], 1, 0)
    if mark.faint is not None and not pixel:
        pens[mark.faint] = 2
    colours = (light_pen, dark_pen, faint_pen)
    top = mark.box.y + (height - line) / 2
    last = -1
    draw, advance = painter.drawStaticText, _advance
    for r, row in enumerate(mark.texts):
        y = top + r * height
        left = mark.box.x
        for c, text in enumerate(row):
            if text:
                pen = pens[r, c]
                if pen != last:
                    painter.setPen(colours[pen])
                    last = pen
                laid, wide = advance(text, size)
                draw(QPointF(left + c * width + (width - wide) / 2, y), laid)


@lru_cache(maxsize=16384)
def _advance(text: str, size: float) -> tuple[QStaticText, float]:
    _, laid, _ = _text(text, "sans", size, False)
    return laid, _metrics("sans", size, False).horizontalAdvance(text)


@lru_cache(maxsize=16)
def _dark_text(theme: Theme, palette: str) -> NDArray[np.bool_]:
    """Return for each colour of a map whether black is read better on it than white."""
    colours = [(int(c) >> 16 & 255, int(c) >> 8 & 255, int(c) & 255) for c in theme.tables[palette]]
    black, white = rgb(theme.color("on_light")), rgb(theme.color("on_dark"))
    return np.array([contrast(colour, black) >= contrast(colour, white) for colour in colours])


# ----------------------------------------------------------------------------------------- colours


@lru_cache(maxsize=256)
def _color(theme: Theme, role: str) -> QColor:
    return QColor(theme.color(role))


@lru_cache(maxsize=256)
def _brush(theme: Theme, role: str) -> QBrush:
    return QBrush(_color(theme, role))


@lru_cache(maxsize=1024)
def _pen(theme: Theme, role: str, width: float, dashed: bool) -> QPen:
    pen = QPen(_color(theme, role), width)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if dashed:
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen


@lru_cache(maxsize=4)
def _hatch(theme: Theme) -> QBrush:
    return QBrush(_color(theme, "hatch"), Qt.BrushStyle.BDiagPattern)


def _rect(box: Box) -> QRectF:
    return QRectF(box.x, box.y, box.w, box.h)
