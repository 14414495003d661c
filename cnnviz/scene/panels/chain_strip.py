"""The chain strip: every factor of a gradient as a small heatmap, from the loss on, and their product."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.scene.chain import Factor, chain, result
from cnnviz.scene.local import as_row
from cnnviz.scene.marks import Box, Cells, Group, Label, Mark, Palette, Path, Rect, Role, Scale, Spot, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment, look
from cnnviz.scene.panels.network_strip import map_sheet
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

STRIP = 102
"""Its height at unit 1."""

_TEXT = 17
_TOP, _MAP = 30, 31  # where a heatmap begins, and its height
_SIGN = 30  # the width of a sign
_MOST_SHOWN = 6  # maps of one array
_MOST_ROWS = 128  # of a matrix: more than its heatmap has pixels


class _Laid(NamedTuple):
    """The strip of an operation: what stays, and where the product's heatmap goes."""

    group: Group
    product: Box
    limit: float
    ground: Role
    spots: tuple[Spot, ...]


def chain_strip(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the factors with the current one marked, and the product as far as it is computed."""
    operation, (_, array) = moment.operation, result(moment.program, moment.operation)
    laid = _laid(moment.program, operation, box, unit, moment.scale)
    whole = operation.call.unpadded
    values, there = whole(array, moment.state.value(array)), whole(array, moment.state.written(array))
    product = _heatmap(as_row(values), as_row(there), laid.product, "gradient", laid.limit, laid.ground)
    return [laid.group, product, *laid.spots]


@remembered(64)
def _laid(program: Program, operation: Operation, box: Box, unit: float, scale: Scale) -> _Laid:
    """Return what the strip shows at every step of an operation."""
    factors = list(chain(program, operation))
    name, array = result(program, operation)
    made = as_row(operation.call.unpadded(array, operation.call.writes[array]))
    product = Factor("=" if factors else "", name, made, made.shape, "", "gradient", operation.name, array)
    shown, left_out = _fitting(factors, product, box.w, unit)
    rim = box.whole()
    marks: list[Mark] = [Rect(rim, "ground")]
    spots: list[Spot] = []
    x, place, ground = box.x, box, "ground"
    for factor in (*shown, product):
        if _has_sign(factor):
            marks.append(_sign(factor.sign, Box(x, box.y, _SIGN * unit, box.h), unit))
            x += _SIGN * unit
        item = Box(x, box.y, _width(factor, unit), box.h)
        here = factor.operation == operation.name and factor is not product
        here |= factor is product and not factors
        ground = "accent_fill" if here else "ground"
        marks += _item(factor, item, unit, here, "written" if factor is product else "ink")
        spots.append(Spot(item, "operation", factor.operation))
        place = _place(factor, item, unit)
        if factor.sign == "→" and not factor.values.size:
            marks.append(_sign("→", item, unit))
        elif factor is not product and factor.values.size:
            limit = _limit(program, factor, scale)
            there = np.ones(factor.values.shape, bool)
            marks.append(_heatmap(factor.values, there, place, factor.palette, limit, ground))
        x = item.right
        if left_out and factor is shown[0]:
            marks.append(_sign("…", Box(x, box.y, _SIGN * unit, box.h), unit))
            x += _SIGN * unit
    return _Laid(Group(rim, tuple(marks)), place, _limit(program, product, scale), ground, tuple(spots))


def _fitting(factors: list[Factor], product: Factor, width: float, unit: float) -> tuple[list[Factor], bool]:
    """Return the factors that fit beside each other, and whether some after the first are left out."""
    shown = list(factors)
    while len(shown) > 2:
        left_out = len(shown) < len(factors)
        signs = sum(_has_sign(factor) for factor in (*shown, product)) + left_out
        if sum(_width(factor, unit) for factor in (*shown, product)) + signs * _SIGN * unit <= width:
            break
        del shown[1]
    return shown, len(shown) < len(factors)


def _has_sign(factor: Factor) -> bool:
    """Return whether a sign stands before a factor: an arrow stands in a heatmap's place."""
    return factor.sign != "" and not (factor.sign == "→" and not factor.values.size)


def _width(factor: Factor, unit: float) -> float:
    """Return how wide a factor is: as its texts, and its heatmap at least."""
    texts = (
        (factor.name, 0.6 * _TEXT),
        (factor.note, 0.53 * _TEXT),
        (_shape(factor), 0.5 * _TEXT),
    )
    return (max(56.0, *(len(text) * wide for text, wide in texts)) + 10) * unit


def _sign(sign: str, box: Box, unit: float) -> Label:
    """Write a sign level with the middle of the heatmaps."""
    level = Box(box.x, box.y + (_TOP - 6) * unit, box.w, (_MAP + 8) * unit)
    size = 40 if sign == "·" else 24
    return label(level, sign, size * unit, "muted", align="center", family="math")


def _item(factor: Factor, box: Box, unit: float, here: bool, name: Role) -> list[Mark]:
    """Write a factor's name over its heatmap, what it is and its shape under it; mark the current one."""
    marks: list[Mark] = []
    if here:
        around = box.inset(0.5, 2)  # its outline stays in the group
        marks.append(Rect(around, "accent_fill", "accent", 1.5 * unit, 5 * unit))
        x, half = box.center[0], 7 * unit
        marks.append(
            Path(
                ((x - half, around.y), (x + half, around.y), (x, around.y + half)), "accent", 1.0, filled=True
            )
        )
    under, line = _TOP + _MAP, 18
    rows = (
        (factor.name, 9, 21, _TEXT, name, True),
        (factor.note, under, line, _TEXT, "ink", False),
        (_shape(factor), under + (line if factor.note else 0), line, _TEXT, "muted", False),
    )
    for text, down, height, size, role, bold in rows:
        if text:
            place = Box(box.x, box.y + down * unit, box.w, height * unit)
            marks.append(label(place, text, size * unit, role, bold=bold, align="center"))
    return marks


def _shape(factor: Factor) -> str:
    """Write a factor's shape; nothing where its numbers are not known."""
    return "" if 0 in factor.shape else shape_text(factor.shape)


def _place(factor: Factor, item: Box, unit: float) -> Box:
    """Return where a factor's heatmap goes."""
    return Box(item.x + 4 * unit, item.y + _TOP * unit, item.w - 8 * unit, _MAP * unit)


def _limit(program: Program, factor: Factor, scale: Scale) -> float:
    """Return the value at the end of a factor's colours: that of the array it is, or else its own."""
    if factor.array:
        return look(program, program.operation(factor.operation), factor.array, scale).limit
    finite = np.abs(factor.values[np.isfinite(factor.values)])
    return float(finite.max(initial=0.0)) or 1.0


def _picked(size: int) -> NDArray[np.intp]:
    """Return which rows or columns are shown: all, or evenly spaced ones where there are more than pixels."""
    return np.unique(np.linspace(0, size - 1, min(size, _MOST_ROWS)).astype(np.intp))


def _heatmap(
    values: Array, there: NDArray[np.bool_], box: Box, palette: Palette, limit: float, ground: Role
) -> Cells:
    """Return a small heatmap in the middle of its box: a row, a matrix, or the first maps side by side."""
    if values.ndim >= 3:
        maps = values.reshape(-1, *values.shape[-2:])[:_MOST_SHOWN]
        sheet, known = map_sheet(maps, there.reshape(-1, *there.shape[-2:])[:_MOST_SHOWN], box)
    else:
        picked = np.ix_(*(_picked(size) for size in values.shape))
        sheet, known = values[picked], there[picked]
    rows, columns = sheet.shape
    side = min(box.w / columns, box.h / rows)
    width, height = side * columns, side * rows
    if values.ndim < 3:  # what is much longer than wide, either way, is made wide enough to be seen
        width, height = min(box.w, max(width, 0.5 * height)), min(box.h, max(height, 0.3 * width))
    place = Box(box.x + (box.w - width) / 2, box.y + (box.h - height) / 2, width, height)
    return Cells(
        place,
        sheet,
        palette=palette,
        limit=limit,
        missing=None if known.all() else ~known,
        lines=False,
        gap=ground if values.ndim >= 3 else None,
    )
