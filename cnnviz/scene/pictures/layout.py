"""How pictures are laid out: grids under headings, side by side, with signs between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.marks import Box, Cells, Mark, Rect, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import number


def titled(
    moment: Moment, shown: grid.Plane, box: Box, unit: float, text: str, depth: int = 1
) -> tuple[list[Mark], Cells]:
    """Draw a grid under its heading, the channels behind it as a stack, and the scale of its colours.

    Parameters
    ----------
    depth : int
        How many channels the array has; the first index of the slice is the one in front.
    """
    marks: list[Mark] = [grid.heading(moment, shown, box.top(28 * unit), unit, text, depth)]
    behind, step = min(depth - 1, 3), 7 * unit
    body = box.below(34 * unit)
    body = Box(body.x, body.y + behind * step, body.w - behind * step, body.h - behind * step - 26 * unit)
    drawn, main = grid.draw(moment, shown, body, unit)
    first = next(mark for mark in drawn if isinstance(mark, Cells))
    for k in range(behind, 0, -1):
        channel = (shown.prefix[0] + k) % depth
        other = grid.plane(moment, shown.name, (channel, *shown.prefix[1:]))
        place = Box(first.box.x + k * step, first.box.y - k * step, first.box.w, first.box.h)
        back = grid.cells(moment, other, place, unit, numbers=False)
        # Only for the eye: a click on the stack means the channel in front.
        marks += [Rect(place, "ground"), replace(back, array=""), Rect(place, stroke="line", width=1.0)]
    marks.append(Rect(first.box, "ground"))
    return [*marks, *drawn, *scale(moment, shown.name, first.box, unit)], main


def scale(moment: Moment, name: str, over: Box, unit: float) -> list[Mark]:
    """Draw the colours' scale under a grid: the values at both ends."""
    look = moment.look(name)
    if over.w < 90 * unit:
        return []
    low = 0.0 if look.palette == "pixel" else -look.limit
    y, side = over.bottom + 7 * unit, 62 * unit
    bar = Box(over.x + side, y + 5 * unit, min(over.w - 2 * side, 110 * unit), 9 * unit)
    row = Box(over.x, y, side - 7 * unit, 19 * unit)
    if bar.w < 20 * unit:
        return [
            label(
                Box(over.x, y, over.w, 19 * unit), f"±{number(look.limit, look.places)}", 13 * unit, "muted"
            )
        ]
    colours = np.linspace(low, look.limit, 32)[None]
    ends = (number(low, look.places if low else 0), number(look.limit, look.places))
    return [
        label(row, ends[0], 13 * unit, "muted", align="right"),
        Cells(bar, colours, palette=look.palette, limit=look.limit, lines=False),
        label(Box(bar.right + 7 * unit, y, side, 19 * unit), ends[1], 13 * unit, "muted"),
    ]


def side_by_side(box: Box, *columns: int, unit: float) -> list[Box]:
    """Cut the area for grids of so many columns, wide ones getting more, with room for signs between them."""
    return box.columns([float(max(3.5, min(n, 12))) for n in columns], gap=58 * unit)


def between(first: Cells, second: Cells, third: Cells, unit: float, signs: str = "∗=") -> list[Mark]:
    """Write a sign between the first and the second of three grids, and one before the third."""
    marks: list[Mark] = []
    for sign, before, after in zip(signs, (first, second), (second, third), strict=True):
        x = (before.box.right + after.box.x) / 2
        y = min(before.box.center[1], after.box.center[1])
        marks.append(
            label(
                Box(x - 30 * unit, y - 24 * unit, 60 * unit, 48 * unit),
                sign,
                34 * unit,
                "muted",
                align="center",
                family="math",
            )
        )
    return marks
