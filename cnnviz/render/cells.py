"""Grids: colours from the values, the hatch where there are none yet, rules, numbers."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, repeat
from math import floor

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from cnnviz.render.text import SMALLEST, lay_out
from cnnviz.render.tools import color, hatch, pen, rectangle
from cnnviz.scene.marks import FROM_ZERO, Box, Cells
from cnnviz.scene.theme import Theme, black_reads_better, plates


def paint(mark: Cells, painter: QPainter, theme: Theme, area: Box | None = None) -> None:
    """Paint a grid; of its numbers, those of cells that an area overlaps, if one is given."""
    thinned, place = (mark, rectangle(mark.box)) if mark.lines or mark.texts else _thinned(mark, painter)
    pixels = pixels_of(thinned, theme)
    if mark.missing is not None and mark.missing.any():
        _paint_hatch(mark, painter, theme)
    rows, columns = pixels.shape
    image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied)
    painter.drawImage(place, image)
    if mark.lines:
        _paint_rules(mark, painter, theme)
    if mark.texts:
        _paint_numbers(mark, painter, theme, *_overlapped(mark, area))


def _thinned(mark: Cells, painter: QPainter) -> tuple[Cells, QRectF]:
    """Return a grid of no more cells than there are pixels, and where it lies: Qt would pick the same."""
    at, box = painter.deviceTransform(), mark.box
    rows, top, bottom = _picked(mark.values.shape[0], box.y, box.bottom, at.m22(), at.dy())
    columns, left, right = _picked(mark.values.shape[1], box.x, box.right, at.m11(), at.dx())
    if rows is None and columns is None:
        return mark, rectangle(box)
    part = np.ix_(
        *(
            np.arange(many) if cells is None else cells
            for many, cells in zip(mark.values.shape, (rows, columns), strict=True)
        )
    )
    missing, faint = (None if mask is None else mask[part] for mask in (mark.missing, mark.faint))
    place = QRectF(QPointF(left, top), QPointF(right, bottom))
    return replace(mark, values=mark.values[part], missing=missing, faint=faint), place


def _picked(
    many: int, low: float, high: float, scale: float, offset: float
) -> tuple[NDArray[np.intp] | None, float, float]:
    """Return which of many cells in a row are seen, and its ends on whole pixels; None where all are."""
    start, end = low * scale + offset, high * scale + offset
    first, last = floor(start + 0.5), floor(end + 0.5)
    if not 0 < last - first < many:
        return None, low, high
    way = int(65536 * many / (end - start))  # from one to the next, in parts of a cell, as Qt counts
    cells = (int((first + 0.5 - start) * way) + np.arange(last - first) * way) >> 16
    return np.clip(cells, 0, many - 1), (first - offset) / scale, (last - offset) / scale


def pixels_of(mark: Cells, theme: Theme) -> NDArray[np.uint32]:
    """Return each cell's colour, ``0xffrrggbb``; 0 where it is hatched."""
    if mark.palette == "rgb":
        pixels = np.ascontiguousarray(mark.values.astype(np.uint32) | 0xFF000000)
    else:
        pixels = np.ascontiguousarray(theme.tables[mark.palette][colour_indices(mark)])
    if mark.faint is not None and mark.palette != "pixel":
        pixels[mark.faint] = _opaque(theme, "faint_cell")
    if not np.isfinite(mark.values).all():
        pixels[~np.isfinite(mark.values)] = _opaque(theme, "nonfinite_cell")
        if mark.gap is not None:
            pixels[np.isnan(mark.values)] = _opaque(theme, mark.gap)
    if mark.missing is not None:
        pixels[mark.missing] = 0
    return pixels


def number_roles(mark: Cells, theme: Theme) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of `NUMBER_ROLES` each number has, and its colour's place in the palette; −1 for none."""
    indices = colour_indices(mark)
    roles = np.where(black_reads_better(theme, mark.palette)[indices], 1, 0)
    if mark.faint is not None and mark.palette != "pixel":
        roles[mark.faint] = 2
    if not np.isfinite(mark.values).all():
        roles[~np.isfinite(mark.values)] = 3
    # Colours are counted in bytes, which hold no −1.
    return roles, np.where(roles < 2, indices.astype(np.intp), -1)


NUMBER_ROLES = ("on_dark", "on_light", "muted", "nonfinite")


def colour_indices(mark: Cells) -> NDArray[np.uint8]:
    """Return each cell's place in its colour map, 0 to 255; 128 where the value is no number."""
    scale, middle = (255 / mark.limit, 0.5) if mark.palette in FROM_ZERO else (127.5 / mark.limit, 128.0)
    with np.errstate(invalid="ignore", over="ignore"):
        places = np.clip(mark.values * scale + middle, 0, 255)
    nothing = np.isnan(places)
    if nothing.any():
        places[nothing] = 128
    return places.astype(np.uint8)


def _paint_hatch(mark: Cells, painter: QPainter, theme: Theme) -> None:
    """Hatch from the first row with a missing cell to the last; what is there is drawn over it."""
    assert mark.missing is not None
    rows = np.flatnonzero(mark.missing.any(axis=1))
    first, last = int(rows[0]), int(rows[-1])
    hatch(painter, mark.box_of(first, 0, last - first + 1, mark.missing.shape[1]), theme)


def _paint_rules(mark: Cells, painter: QPainter, theme: Theme) -> None:
    rows, columns = mark.values.shape
    width, height = mark.cell
    box = mark.box
    # Rules lie on whole pixels; smoothing them would take fifty times as long.
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    lines = [QLineF(box.x, y, box.right, y) for y in (box.y + r * height for r in range(rows + 1))]
    lines += [QLineF(x, box.y, x, box.bottom) for x in (box.x + c * width for c in range(columns + 1))]
    if theme.rimmed:
        painter.setPen(pen(theme, "ground", 3.0))
        painter.drawLines(lines)
    painter.setPen(pen(theme, "grid", 1.0))
    painter.drawLines(lines)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _overlapped(mark: Cells, area: Box | None) -> tuple[slice, slice]:
    """Return the rows and columns that an area overlaps, and one more around them."""
    if area is None:
        return slice(None), slice(None)
    width, height = mark.cell
    top, left = int((area.y - mark.box.y) // height) - 1, int((area.x - mark.box.x) // width) - 1
    bottom, right = int((area.bottom - mark.box.y) // height) + 2, int((area.right - mark.box.x) // width) + 2
    return slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))


def _paint_numbers(mark: Cells, painter: QPainter, theme: Theme, rows: slice, columns: slice) -> None:
    size = max(SMALLEST, float(round(mark.size)))
    roles, under = number_roles(mark, theme)
    pens = [color(theme, role) for role in NUMBER_ROLES]
    first = lay_out("0", "sans", size)
    painter.setFont(first.font)
    width, height = mark.cell
    many_rows, many = mark.values.shape
    # Where a number lies does not depend on which others are painted, to the last bit.
    xs = list(accumulate(repeat(width, many - 1), initial=mark.box.x + width / 2))[columns]
    ys = list(accumulate(repeat(height, many_rows - 1), initial=mark.box.y + (height - first.height) / 2))[
        rows
    ]
    draw, last = painter.drawStaticText, -1
    under_numbers = _plates(theme, mark.palette)
    part = roles[rows, columns].tolist(), under[rows, columns].tolist()
    for y, row, row_roles, row_under in zip(ys, mark.texts[rows], *part, strict=True):
        for x, text, role, colour in zip(xs, row[columns], row_roles, row_under, strict=True):
            if text:
                if colour in under_numbers:
                    _paint_plate(text, (x, y), size, first.height, under_numbers[colour], painter)
                if role != last:
                    painter.setPen(pens[role])
                    last = role
                lines = text.split("\n")
                top = y - (len(lines) - 1) * first.height / 2
                for k, line in enumerate(lines):
                    laid = lay_out(line, "sans", size)
                    draw(QPointF(x - laid.width / 2, top + k * first.height), laid.text)


def _paint_plate(
    text: str, at: tuple[float, float], size: float, line: float, colour: QColor, painter: QPainter
) -> None:
    """Paint a plate under a number that would be hard to read on its cell's colour."""
    lines = text.split("\n")
    wide, high = max(lay_out(each, "sans", size).width for each in lines), 0.8 * line * len(lines)
    middle = at[1] + line / 2
    painter.fillRect(
        QRectF(at[0] - wide / 2 - 0.1 * size, middle - high / 2, wide + 0.2 * size, high), colour
    )


@lru_cache(maxsize=64)
def _plates(theme: Theme, palette: str) -> dict[int, QColor]:
    return {k: QColor(*colour) for k, colour in plates(theme, palette).items()}


@lru_cache(maxsize=16)
def _opaque(theme: Theme, role: str) -> int:
    return 0xFF000000 | int(theme.color(role)[1:], 16)
