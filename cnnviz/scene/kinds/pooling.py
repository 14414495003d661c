"""Pooling: the window on the input, the winner ringed, and its way to the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds.conv2d import over_sizes, size_formula, unpadded
from cnnviz.scene.layout import USUAL, Room, column, row
from cnnviz.scene.local import Back
from cnnviz.scene.marks import Cells, Mark, Path, Rect, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, Shown, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.windows import windows_of

WINDOW = {"u": "window row", "v": "window column"}
"""What the loop variables of a window count."""


def forward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the window on the input and the output map filling up."""
    v = moment.variable
    c, i, j, window = _window(moment)
    x, y = moment.state.arrays["x"], moment.state.arrays["y"]
    source = shown(moment, grid.plane(moment, "x", (c,), window), _named(moment), len(x))
    result = shown(moment, grid.plane(moment, "y", (c,), (i, j, 1, 1)), tr("output"), len(y))
    said = size_formula(moment.operation)
    at = _side_by_side(moment, room, source, result, said)
    on_x, on_y = at.show(source), at.show(result)
    unpadded(at, on_x, "x")
    at.marks.append(label(at.place("sizes").box, said, at.em, "muted"))
    target = on_y.cell_of((c, i, j))
    if not moment.terms_begun or target is None:
        return at.marks
    at.window(on_x, window, "source_line")
    at.cell(on_y, (c, i, j), "written_line")
    if "switch" in moment.state.arrays and "k" in moment.state.variables:
        winner = divmod(int(moment.state.variables["k"]), window[3])
        if np.isfinite(float(moment.state.variables.get("best", -np.inf))) or v("u") or v("v"):
            over = winner[0] > 0  # a rule inside the window, or its outline would hide the way
            cell = on_x.cell_of((c, window[0] + winner[0], window[1] + winner[1]))
            if cell is not None:
                _ring(at, on_x, cell, "written_line")
                _way(at, on_x, cell, over, on_y, target, source.part.behind, "written_line")
    return at.marks


def backward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the gradient of the output and its way back into the input's window."""
    c, i, j, window = _window(moment)
    dy, dx = moment.state.arrays["dy"], moment.state.arrays["dx"]
    come = shown(moment, grid.plane(moment, "dy", (c,), (i, j, 1, 1)), moment.gradient_from(), len(dy))
    text = tr("input gradient, with the padding") if _is_padded(moment, "dx") else tr("input gradient")
    result = shown(moment, grid.plane(moment, "dx", (c,), window), text, len(dx))
    at = _side_by_side(moment, room, come, result)
    on_dy, on_dx = at.show(come), at.show(result)
    unpadded(at, on_dx, "dx")
    source = on_dy.cell_of((c, i, j))
    if not moment.terms_begun or source is None:
        return at.marks
    at.cell(on_dy, (c, i, j), "source_line")
    at.window(on_dx, window, "written_line")
    if "switch" in moment.state.arrays:
        winner = divmod(int(moment.state.arrays["switch"][c, i, j]), window[3])
        cell = on_dx.cell_of((c, window[0] + winner[0], window[1] + winner[1]))
        if cell is not None:
            _ring(at, on_dx, cell, "source_line")
            over = on_dx.box_of(*cell).center[1] < on_dy.box_of(*source).center[1]
            _way(at, on_dy, source, over, on_dx, cell, come.part.behind, "source_line")
    return at.marks


def _is_padded(moment: Moment, name: str) -> bool:
    placement = moment.operation.call.placement(name)
    return placement is not None and placement.surrounds


def _named(moment: Moment) -> str:
    """Say where the input is from, or what stands around it."""
    if not _is_padded(moment, "x"):
        return moment.came_from()
    fill = moment.operation.call.placed("x").fill
    return tr("input, padded with −∞") if fill else tr("input, padded with zeros")


def _side_by_side(moment: Moment, room: Room, one: Shown, other: Shown, said: str = "") -> Sheet:
    arranged = (way(one.part, other.part, gap=3.0) for way in (row, column))
    return sheet(moment, room, *(over_sizes(each, said) for each in arranged))


def _window(moment: Moment) -> tuple[int, int, int, tuple[int, int, int, int]]:
    v = moment.variable
    i, j = v("i"), v("j")
    return v("c"), i, j, windows_of(moment.operation.call).at(i, j)


def _ring(at: Sheet, on: Cells, cell: tuple[int, int], colour: str) -> None:
    """Ring the winning cell."""
    ring = on.box_of(*cell).inset(0.07 * min(on.cell))
    at.marks.append(Rect(ring, stroke=colour, width=USUAL * at.em, radius=min(ring.w, ring.h) / 2))


def _way(
    at: Sheet,
    first: Cells,
    start: tuple[int, int],
    over: bool,
    second: Cells,
    end: tuple[int, int],
    behind: int,
    colour: str,
) -> None:
    """Draw the way from a cell to one in the next grid, first along a rule: no number is crossed.

    Parameters
    ----------
    over : bool
        Whether along the rule over the cell, not along the one under it.
    behind : int
        How many channels stand behind the first grid.
    """
    cell = first.box_of(*start)
    rule = cell.y if over else cell.bottom
    x1 = first.box.right + behind * at.place(first.array).shift + 0.5 * at.em
    x2, y2 = second.box.x - 0.35 * at.em, second.box_of(*end).center[1]
    if x2 > x1:
        points = ((cell.center[0], rule), (x1, rule), (x2, y2))
        at.marks.append(Path(points, colour, 0.15 * at.em, arrow=True))


def windows(back: Back, share: Callable[[int], Array | float]) -> Array:
    """Return an array of the input's shape into which each window has put its share of each of its cells."""
    x, y, sizes = back.value("x"), back.value("y"), back.forward.sizes
    down, right = (int(back.value(name)) for name in ("S_h", "S_w"))
    made = np.zeros(x.shape)  # with the padding
    for u in range(sizes["K_h"]):
        for v in range(sizes["K_w"]):
            rows, columns = (
                slice(first, first + step * (count - 1) + 1, step)
                for first, step, count in zip((u, v), (down, right), y.shape[1:], strict=True)
            )
            cells = made[:, rows, columns]
            np.maximum(cells, share(u * sizes["K_w"] + v), out=cells)
    return back.forward.call.unpadded("x", made)


of_windows = partial(Kind, variables={**CELL, **WINDOW}, picture=forward, compared=("x", "y"))
"""What is known of a layer that makes one number of each window."""

gradient = partial(
    Kind,
    title="gradient of the input",
    variables={**CELL, **WINDOW},
    picture=backward,
    compared=("dx", "dy"),
)
"""What is known of the gradient of its input."""
