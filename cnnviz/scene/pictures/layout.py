"""How pictures are laid out: grids under headings, side by side, with signs between them."""

from __future__ import annotations

from cnnviz.scene import grid
from cnnviz.scene.marks import Box, Cells, Mark, Rect, label
from cnnviz.scene.moment import Moment


def titled(moment: Moment, shown: grid.Plane, box: Box, unit: float, text: str, depth: int = 1) -> tuple[list[Mark], Cells]:
    """Draw a grid under its heading, and hints of the channels behind it."""
    marks: list[Mark] = [grid.heading(moment, shown, box.top(28 * unit), unit, text, depth)]
    body = box.below(34 * unit)
    behind = min(depth - 1, 3)
    step = 7 * unit
    if behind:
        body = Box(body.x, body.y + behind * step, body.w - behind * step, body.h - behind * step)
    drawn, main = grid.draw(moment, shown, body, unit)
    for k in range(behind, 0, -1):
        first = next(mark for mark in drawn if isinstance(mark, Cells))
        shifted = Box(first.box.x + k * step, first.box.y - k * step, first.box.w, first.box.h)
        marks.append(Rect(shifted, "panel", "line", 1.0))
    return [*marks, *drawn], main


def side_by_side(box: Box, *columns: int, unit: float) -> list[Box]:
    """Cut the area for grids of so many columns, wide ones getting more, with room for signs between them."""
    return box.columns([float(max(3.5, min(n, 12))) for n in columns], gap=58 * unit)


def between(first: Cells, second: Cells, third: Cells, unit: float, signs: str = "∗=") -> list[Mark]:
    """Write a sign between the first and the second of three grids, and one before the third."""
    marks: list[Mark] = []
    for sign, before, after in zip(signs, (first, second), (second, third), strict=True):
        x = (before.box.right + after.box.x) / 2
        y = min(before.box.center[1], after.box.center[1])
        marks.append(label(Box(x - 30 * unit, y - 24 * unit, 60 * unit, 48 * unit), sign, 34 * unit, "muted", align="center", family="math"))
    return marks
