"""The chain strip: every factor of a gradient as a small heatmap, from the loss on, and their product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.scene import paths
from cnnviz.scene.chain import Factor, chain, factor_count, in_hand, links_to, result
from cnnviz.scene.chain import factor as factor_on
from cnnviz.scene.display import Display
from cnnviz.scene.local import as_row
from cnnviz.scene.look import look
from cnnviz.scene.marks import (
    Box,
    Cells,
    Frame,
    Group,
    Hotspot,
    Label,
    Mark,
    Palette,
    Path,
    Rect,
    Role,
    flat,
    label,
)
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count
from cnnviz.scene.panels.network_strip import map_sheet
from cnnviz.scene.paths import Link, adds_gradients, way
from cnnviz.scene.sheet import TooSmallError
from cnnviz.scene.view import Chosen
from cnnviz.text import tr
from cnnviz.trace.alone import is_summed
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache

STRIP, LOW_STRIP = 71, 102
"""Its height at unit 1: without heatmaps, and with low ones, where there is little room."""

_TEXT = 17
_TOP = 30  # where a heatmap begins
_SIGN = 30  # the width of a sign
_CONTROL = 200  # the width of what says which path is followed
_MOST_NAMED = 22  # characters of the names of its layers
_MOST_COUNTED = 9999  # of more paths only that there are very many is said
_ENLARGED, _LINE = 260, 28  # a heatmap that is pointed at, and the lines over it
_MOST_SHOWN = 6  # maps of one array
_MOST_ROWS = 128  # of a matrix: more than its heatmap has pixels


class _Laid(NamedTuple):
    """The strip of an operation: what stays, and where the product's heatmap goes."""

    group: Group
    product: Box
    limit: float
    ground: Role
    spots: tuple[Hotspot, ...]


def chain_strip(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the factors with the current one marked, and the product as far as it is computed.

    Of several paths from the loss, the factors are those on the one that is followed; it is said which, and
    a click chooses the one before or after it.

    Raises
    ------
    TooSmallError
        If not even the first and the last factor have room.
    """
    operation, array = moment.operation, in_hand(moment.state)
    of_all = moment.whole is not None and is_summed(moment.whole.operation, array)
    laid = _laid(moment.program, operation, array, box, unit, moment.view.display, moment.view.paths, of_all)
    whole = operation.call.unpadded
    values, there = whole(array, moment.state.value(array)), whole(array, moment.state.written(array))
    product = _heatmap(as_row(values), as_row(there), laid.product, "gradient", laid.limit, laid.ground)
    return [laid.group, product, *laid.spots]


@program_cache(64)
def _laid(
    program: Program,
    operation: Operation,
    array: str,
    box: Box,
    unit: float,
    display: Display,
    chosen: Chosen,
    of_all: bool,
) -> _Laid:
    """Return what the strip shows at every step that is about one of an operation's gradients.

    Parameters
    ----------
    of_all : bool
        Whether the gradient is the sum of what all samples add to it, of which the factors are one's.
    """
    path = _path(program, operation, chosen)
    factors = _factors(program, operation, array, chosen)
    product = result(program, operation, array)
    if not factors:
        product = replace(product, sign="")
    if of_all:
        product = replace(product, note=tr("sum over samples"))
    high = _map(box, unit)
    beside = _width(product, high, unit) + (path.width(unit) if path else 0.0)
    shown, left_out = _fitting(factors, beside + _SIGN * unit, box.w, high, unit)
    rim = box.whole()
    marks: list[Mark] = [Rect(rim, "ground")]
    spots: list[Hotspot] = []
    x, place, ground = box.x, box, "ground"
    is_marked = adds_gradients(operation) or not factors
    for factor in (*shown, product):
        if factor is product and path:
            marks += path.draw(Box(x, box.y, path.width(unit), box.h), unit)
            spots += path.spots(Box(x, box.y, path.width(unit), box.h), unit)
            x += path.width(unit)
        if _has_sign(factor):
            marks.append(_sign(factor.sign, Box(x, box.y, _SIGN * unit, box.h), unit))
            x += _SIGN * unit
        item = Box(x, box.y, _width(factor, high, unit), box.h)
        here = is_marked if factor is product else factor.operation == operation.name
        ground = "accent_fill" if here else "ground"
        marks += _item(factor, item, unit, here, "written" if factor is product else "ink")
        spots.append(Hotspot(item, "operation", factor.operation))
        place = _place(factor, item, unit)
        if factor.sign == "→" and not factor.values.size:
            marks.append(_sign("→", item, unit))
        elif factor is not product and factor.values.size:
            limit = _limit(program, factor, display)
            there = np.ones(factor.values.shape, bool)
            marks.append(_heatmap(factor.values, there, place, factor.palette, limit, ground))
        x = item.right
        if left_out and factor is shown[0]:
            marks.append(_sign("…", Box(x, box.y, _SIGN * unit, box.h), unit))
            x += _SIGN * unit
    return _Laid(Group(rim, tuple(marks)), place, _limit(program, product, display), ground, tuple(spots))


def enlarged(frame: Frame, spot: Hotspot, unit: float) -> list[Mark]:
    """Return a factor under the pointer once more, large, below the strip; nothing where it has no heatmap.

    Parameters
    ----------
    spot : Hotspot
        What answers a click on the factor.
    """
    told = [mark for mark in flat(frame.marks) if isinstance(mark, Cells | Label)]
    told = [mark for mark in told if spot.box.contains(*mark.box.center)]
    maps = [mark for mark in told if isinstance(mark, Cells)]
    names = sorted((mark for mark in told if isinstance(mark, Label)), key=lambda mark: mark.box.y)
    if not maps or not names:
        return []
    (heatmap, *_), line = maps, _LINE * unit
    side = min(_ENLARGED * unit, frame.height - spot.box.bottom - line * len(names) - 40 * unit)
    if side < 2 * max(heatmap.box.w, heatmap.box.h):
        return []
    larger = side / max(heatmap.box.w, heatmap.box.h)
    wide, high = heatmap.box.w * larger, heatmap.box.h * larger
    whole = max(wide, *(width("".join(run.text for run in name.runs), True) * 1.2 * line for name in names))
    left = max(4.0, min(spot.box.center[0] - whole / 2, frame.width - whole - 24 * unit))
    card = Box(left, spot.box.bottom + 8 * unit, whole + 20 * unit, high + line * len(names) + 20 * unit)
    marks: list[Mark] = [Rect(card, "ground", "line", 1.0, 7 * unit)]
    inner = card.inset(10 * unit)
    for name in names:
        marks.append(replace(name, box=inner.top(line), size=0.8 * line))
        inner = inner.below(line)
    place = Box(inner.x + (inner.w - wide) / 2, inner.y, wide, high)
    return [*marks, replace(heatmap, box=place), Rect(place, stroke="line", width=1.0)]


def _factors(program: Program, operation: Operation, array: str, chosen: Chosen) -> Sequence[Factor]:
    """Return the factors of a gradient; those on a path are made when they are looked at."""
    if adds_gradients(operation):
        return chain(program, operation)
    return _OnPath(program, links_to(program, operation, chosen, array))


class _OnPath(Sequence[Factor]):
    """The factors on a path: of a thousand, the few that have room are made."""

    def __init__(self, program: Program, links: Sequence[Link]) -> None:
        self._program, self._links = program, links

    def __len__(self) -> int:
        return factor_count(self._links)

    def __getitem__(self, k: int) -> Factor:  # type: ignore[override]
        return factor_on(self._program, self._links, range(len(self))[k])


def _fitting(
    factors: Sequence[Factor], beside: float, width: float, high: float, unit: float
) -> tuple[list[Factor], bool]:
    """Return the first factor and as many of the last ones as fit, and whether some between are left out.

    Parameters
    ----------
    beside : float
        How much of the width is taken by what stands behind them.

    Raises
    ------
    TooSmallError
        If the first and the last do not fit.
    """
    if not factors:
        return [], False
    first, last = factors[0], list[Factor]()
    used, dots = beside + _width(first, high, unit), _SIGN * unit
    for k in range(len(factors) - 1, 0, -1):
        factor = factors[k]
        used += _width(factor, high, unit) + _has_sign(factor) * _SIGN * unit
        if used + (dots if k > 1 else 0.0) > width:
            break
        last.append(factor)
    if not last and (len(factors) > 1 or used > width):
        raise TooSmallError
    return [first, *reversed(last)], len(last) + 1 < len(factors)


class _Path(NamedTuple):
    """Which of several paths from the loss is followed.

    Attributes
    ----------
    number, of : int
        Which it is, from 0, of how many.
    through : tuple[str, ...]
        Where it goes on from each sum of gradients, from the nearest on.
    usual : tuple[str, ...]
        The same of the path that is followed where none is chosen.
    """

    number: int
    of: int
    through: tuple[str, ...]
    usual: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, str, str]:
        """The words over and under the control."""
        others = count(self.of - 1) if self.of <= _MOST_COUNTED else tr("very many")
        more = tr("1 other path") if self.of == 2 else tr("{count} other paths", count=others)
        first = tr("through {at}", at=self._told[0])
        if len(self._told) == 1:
            layers = _shortened(self.through[0].partition(": ")[2])
            return more, first, layers + " …" * (len(self.through) > 1)
        return more, f"{first},", _listed(self._told[1:], len(self.through) - 1)

    @property
    def _told(self) -> list[str]:
        """The part of each sum that it goes through; where not all have room, those that are not usual."""
        whole, usual = ([one.partition(": ")[0] for one in ways] for ways in (self.through, self.usual))
        if len(", ".join(whole[1:])) <= _MOST_NAMED:
            return whole
        return [one for one in whole if one not in usual] or whole[:1]

    def width(self, unit: float) -> float:
        """Return how wide the sign before it and the control are."""
        return (_SIGN + _CONTROL) * unit

    def draw(self, box: Box, unit: float) -> list[Mark]:
        """Draw how many other paths there are, whose products are added, and the control that chooses one."""
        marks: list[Mark] = [_sign("+", Box(box.x, box.y, _SIGN * unit, box.h), unit)]
        place = self._control(box, unit)
        marks.append(Rect(place, "panel", "accent", 1.5 * unit, 6 * unit))
        middle = place.inset(24 * unit, 0)
        for text, x in (("◀", place.x), ("▶", middle.right)):
            end = Box(x, place.y, 24 * unit, place.h)
            marks.append(label(end, text, 15 * unit, "accent", align="center", family="math"))
        if self.of <= _MOST_COUNTED:
            text = f"{count(self.number + 1)} / {count(self.of)}"
            marks.append(label(middle, text, _TEXT * unit, align="center"))
        more, at, layers = self.lines
        under, line = _TOP + _map(box, unit), 18
        for text, down, role in ((more, 10, "muted"), (at, under, "ink"), (layers, under + line, "ink")):
            row = Box(place.x - 6 * unit, box.y + down * unit, place.w + 12 * unit, line * unit)
            marks.append(label(row, text, _TEXT * unit, role, align="center"))
        return marks

    def spots(self, box: Box, unit: float) -> list[Hotspot]:
        """Where a click chooses the path before, and the one after."""
        before, after = self._control(box, unit).columns([1.0, 1.0])
        return [Hotspot(before, "path", line=-1), Hotspot(after, "path", line=1)]

    def _control(self, box: Box, unit: float) -> Box:
        return Box(
            box.x + (_SIGN + 8) * unit, box.y + _TOP * unit, (_CONTROL - 16) * unit, _map(box, unit) * unit
        )


def _listed(names: Sequence[str], of: int) -> str:
    """Return as many names of some as have room, one at least, and dots where that is not all."""
    fit = [k for k in range(2, len(names) + 1) if len(", ".join(names[:k])) <= _MOST_NAMED - 2]
    most = max(fit, default=1)
    return ", ".join(names[:most]) + " …" * (most < of)


def _shortened(layers: str) -> str:
    """Return names of layers, or where they are long the first of them, or how many there are."""
    first, *others = layers.split(", ")
    if len(layers) <= _MOST_NAMED:
        return layers
    named = tr("{layer} and {count} more", layer=first, count=len(others)) if others else first
    return named if len(named) <= _MOST_NAMED else tr("{count} layers", count=len(others) + 1)


def _path(program: Program, operation: Operation, chosen: Chosen) -> _Path | None:
    """Return which path is followed; None where there is one only, or where the parts of a sum are shown."""
    if adds_gradients(operation) or paths.count(program, operation) < 2:
        return None
    of = paths.count(program, operation)
    which = paths.number(program, operation, chosen) if of <= _MOST_COUNTED else 0
    through, usual = (way(program, operation, some).through for some in (chosen, ()))
    return _Path(which, of, through, usual)


def _has_sign(factor: Factor) -> bool:
    """Return whether a sign stands before a factor: an arrow stands in a heatmap's place."""
    return factor.sign != "" and not (factor.sign == "→" and not factor.values.size)


def _map(box: Box, unit: float) -> float:
    """Return how high heatmaps are, at unit 1."""
    return box.h / unit - STRIP


def _width(factor: Factor, high: float, unit: float) -> float:
    """Return how wide a factor is: as its texts, and its heatmap at least."""
    texts = (
        (factor.name, 0.6 * _TEXT),
        (factor.note, 0.53 * _TEXT),
        (_shape(factor), 0.5 * _TEXT),
    )
    return (
        max(56.0, high if factor.values.size else 0.0, *(len(text) * wide for text, wide in texts)) + 10
    ) * unit


def _sign(sign: str, box: Box, unit: float) -> Label:
    """Write a sign level with the middle of the heatmaps."""
    level = Box(box.x, box.y + (_TOP - 6) * unit, box.w, (_map(box, unit) + 8) * unit)
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
    under, line = _TOP + _map(box, unit), 18
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
    return Box(item.x + 4 * unit, item.y + _TOP * unit, item.w - 8 * unit, _map(item, unit) * unit)


def _limit(program: Program, factor: Factor, display: Display) -> float:
    """Return the value at the end of a factor's colours: that of the array it is, or else its own."""
    if factor.array:
        return look(program, program.operation(factor.operation), factor.array, display).limit
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
