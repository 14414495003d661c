"""Upsample: maps grow, by repeated numbers or by means of neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.layout import Area, Room, column, row
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.scene.marks import Box, Dot, Mark, Path, Rect, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.registry import kind_of
from cnnviz.scene.sheet import Sheet, sheet, shown
from cnnviz.scene.substitution import scalar_text
from cnnviz.text import tr

_WORDS = {**CELL, "u": "row of the input", "v": "column of the input"}


def _blocks(back: Back) -> Local:
    return Local("→", np.ones_like(back.value("y")), tr("1 in its block"))


def _parts(_: Back) -> Local:
    return Local("→", NONE, tr("p and q"))


# So many rows of the input are drawn beside the weights, at most, with where a new one lies among them.
_MOST_ROWS = 4
# How wide the way between them is, in lines of text.
_WAY = 6.0


def _weights(moment: Moment, room: Room) -> list[Mark]:
    """Draw how much rows (or columns) count, and where a new one lies between those of the input."""
    (name,) = moment.operation.call.writes
    new, old = moment.operation.tree.variables
    said = kind_of(moment.operation.call).variables
    count, many = moment.operation.call.writes[name].shape
    longest = f"{tr(said[old])} {many - 1}", f"{tr(said[new])} {count - 1}: s = 00.00"
    left, right = width(longest[0]) + 1.2, width(longest[1], True) + 1.2
    wide = left + _WAY + right
    ruler = Area("ruler", (wide, 8.0), (wide, 40.0))
    cell = moment.variable(new), moment.variable(old)
    part = shown(moment, grid.plane(moment, name, (), grid.cell_focus(cell)), tr("how much each counts"))
    at = sheet(moment, room, row(part.part, ruler, gap=3.0), column(part.part))
    at.show(part)
    if "ruler" in at.layout.places:
        words = tr(said[old]), f"{tr(said[new])} {cell[0]}"
        at.marks += _ruler(at, name, cell[0], words, left * at.em)
    return at.marks


def _ruler(at: Sheet, name: str, new: int, words: tuple[str, str], left: float) -> list[Mark]:
    """Draw rows of the input under one another, a new one at its place, and lines to those that count."""
    moment, em, box = at.moment, at.em, at.place("ruler").box
    values, there = np.asarray(moment.state.arrays[name], float), moment.state.written(name)
    s, many = moment.state.variables.get("s"), values.shape[1]
    first = 0 if s is None else max(0, min(int(s) - 1, many - _MOST_ROWS))
    rows = range(first, min(first + _MOST_ROWS, many))
    high, x, side = min(box.h / len(rows), 9 * em), box.x + left, 1.2 * em
    middle = {u: box.y + (k + 0.5) * high for k, u in enumerate(rows)}
    marks: list[Mark] = [Path(((x, middle[rows[0]]), (x, middle[rows[-1]])), "line", 0.1 * em)]
    for u, y in middle.items():
        mark = Box(x - side / 2, y - side / 2, side, side)
        marks.append(Rect(mark, "source_fill", "source_line", 0.1 * em))
        beside = Box(box.x, y - 0.8 * em, left - em, 1.6 * em)
        marks.append(label(beside, f"{words[0]} {u}", em, "muted", align="right"))
    if s is None or moment.letters:
        return marks
    point = x + _WAY * em, middle[first] + (float(s) - first) * high
    for u, y in middle.items():
        if there[new, u] and values[new, u]:
            marks.append(Path((point, (x + side / 2, y)), "written_line", 0.12 * em))
    told = Box(point[0] + em, point[1] - 0.9 * em, box.right - point[0] - em, 1.8 * em)
    said = f"{words[1]}: s = {scalar_text(moment, float(s), 's')}"
    return [*marks, Dot(point, 0.5 * em, "written_line"), label(told, said, em, "written", bold=True)]


_kind = partial(Kind, formula=listing_formulas)
_nearest = partial(_kind, variables=CELL, compared=("x", "y"), added=True)
_nearest_dx = partial(
    _kind,
    title="gradient of the input",
    sentence="A number went into every cell of its block, so the gradients of the block are added up.",
    local=_blocks,
    compared=("dx", "dy"),
    added=True,
)

KINDS: Mapping[str, Kind] = {
    "upsample": _nearest(
        sentence="Every number is repeated: it fills a block of cells, as high and wide as the factors say.",
        ahead="Each cell of `y` will be the cell of `x` whose block it lies in.",
    ),
    "upsample.size": _nearest(
        sentence="Every cell is the number of the input that lies where it lies; so numbers fill blocks.",
        ahead="Each cell of `y` will be the cell of `x` that lies where it lies.",
    ),
    "upsample.dx": _nearest_dx(
        variables={**CELL, "u": "row in the block", "v": "column in the block"},
        ahead="Each `dx` will be the sum of the gradients `dy` of its block: {terms} of them.",
        ahead_of_one="Each `dx` will be the one `dy` of its block.",
    ),
    "upsample.dx.size": _nearest_dx(
        variables=CELL,
        ahead="Every `dx` begins at 0; each `dy` will be added to that of the number that its cell is.",
    ),
    "upsample.p": _kind(
        title="how much rows count",
        sentence="Each new row lies between two rows of the input: the nearer one is, the more it counts.",
        variables={"i": "row", "u": "row of the input"},
        picture=_weights,
        ahead="Each row of `p` will be how much each row of the input counts in a new row: all but two of "
        "them 0.",
    ),
    "upsample.q": _kind(
        title="how much columns count",
        sentence="Each new column lies between two columns: the nearer one is, the more it counts.",
        variables={"j": "column", "v": "column of the input"},
        picture=_weights,
        ahead="Each row of `q` will be how much each column of the input counts in a new one.",
    ),
    "upsample.bilinear": _kind(
        sentence="Each new cell is a mean of the numbers that it lies between: the nearest counts most.",
        variables=_WORDS,
        ahead="Each cell of `y` will be a sum of {terms} products, `p` times `q` times `x`; four of them, or "
        "fewer, are not 0.",
        ahead_of_one="Each cell of `y` will be the one product of `p`, `q` and `x`.",
        compared=("x", "y"),
    ),
    "upsample.dx.bilinear": _kind(
        title="gradient of the input",
        sentence="A number gets back the gradient of every cell that it went into, times its part in it.",
        variables={**CELL, "u": "row", "v": "column", "i": "row of the output", "j": "column of the output"},
        ahead="Each `dx` will be a sum of {terms} products, `p` times `q` times `dy`.",
        ahead_of_one="Each `dx` will be the one product of `p`, `q` and `dy`.",
        local=_parts,
        compared=("dx", "dy"),
    ),
}
