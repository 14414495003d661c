"""Pooling: the window on the input, the winner ringed, and its way to the output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.kinds.layout import lowered, side_by_side, stack_width, titled
from cnnviz.scene.local import Back
from cnnviz.scene.marks import Box, Cells, Mark, Path, Rect
from cnnviz.scene.moment import Moment
from cnnviz.text import tr

WINDOW = {"u": "window row", "v": "window column"}
"""What the loop variables of a window count."""


def forward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the window on the input and the output map filling up."""
    v = moment.variable
    c, i, j, window = _window(moment)
    x, y = moment.state.arrays["x"], moment.state.arrays["y"]
    shown = grid.plane(moment, "x", (c,), window)
    columns = side_by_side(box, max(x.shape[2], 5), max(y.shape[2], 4), unit=unit)
    left, right = lowered(box, shown, columns, unit)
    marks, on_x = titled(
        moment,
        shown,
        left,
        unit,
        moment.came_from(),
        len(x),
    )
    out, on_y = titled(moment, grid.plane(moment, "y", (c,), (i, j, 1, 1)), right, unit, tr("output"), len(y))
    marks += out
    target = on_y.cell_of((c, i, j))
    if not moment.terms_begun or target is None:
        return marks
    marks.append(grid.window_outline(on_x, window, "source_line", unit))
    marks.append(grid.outline(on_y.box_of(*target), "written_line", 4 * unit))
    if "switch" in moment.state.arrays and "k" in moment.state.variables:
        winner = divmod(int(moment.state.variables["k"]), window[3])
        if np.isfinite(float(moment.state.variables.get("best", -np.inf))) or v("u") or v("v"):
            at = on_x.cell_of((c, window[0] + winner[0], window[1] + winner[1]))
            if at is not None:
                marks.append(_ring(on_x, at, "written_line", unit))
                stack = stack_width(shown, left, unit, len(x))
                over = winner[0] > 0  # a rule inside the window, or its outline would hide the way
                marks.append(_way(on_x, at, over, on_y, target, stack, "written_line", unit))
    return marks


def backward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the gradient of the output and its way back into the input's window."""
    c, i, j, window = _window(moment)
    dy, dx = moment.state.arrays["dy"], moment.state.arrays["dx"]
    shown = grid.plane(moment, "dx", (c,), window)
    columns = side_by_side(box, max(dy.shape[2], 4), max(dx.shape[2], 5), unit=unit)
    left, right = lowered(box, shown, columns, unit)
    come = moment.gradient_from()
    coming = grid.plane(moment, "dy", (c,), (i, j, 1, 1))
    marks, on_dy = titled(moment, coming, left, unit, come, len(dy))
    out, on_dx = titled(moment, shown, right, unit, tr("input gradient"), len(dx))
    marks += out
    source = on_dy.cell_of((c, i, j))
    if not moment.terms_begun or source is None:
        return marks
    marks.append(grid.outline(on_dy.box_of(*source), "source_line", 4 * unit))
    marks.append(grid.window_outline(on_dx, window, "written_line", unit))
    if "switch" in moment.state.arrays:
        winner = divmod(int(moment.state.arrays["switch"][c, i, j]), window[3])
        at = on_dx.cell_of((c, window[0] + winner[0], window[1] + winner[1]))
        if at is not None:
            marks.append(_ring(on_dx, at, "source_line", unit))
            stack = stack_width(coming, left, unit, len(dy))
            over = on_dx.box_of(*at).center[1] < on_dy.box_of(*source).center[1]
            marks.append(_way(on_dy, source, over, on_dx, at, stack, "source_line", unit))
    return marks


def _window(moment: Moment) -> tuple[int, int, int, tuple[int, int, int, int]]:
    v, sizes = moment.variable, moment.operation.sizes
    given = moment.operation.call.given
    down, right = int(given["S_h"]), int(given["S_w"])
    i, j = v("i"), v("j")
    return v("c"), i, j, (i * down, j * right, sizes["K_h"], sizes["K_w"])


def _ring(on: Cells, at: tuple[int, int], colour: str, unit: float) -> Rect:
    """Ring the winning cell."""
    ring = on.box_of(*at).inset(on.cell[0] * 0.07)
    return Rect(ring, stroke=colour, width=3 * unit, radius=ring.w / 2)


def _way(
    first: Cells,
    start: tuple[int, int],
    over: bool,
    second: Cells,
    end: tuple[int, int],
    stack: float,
    colour: str,
    unit: float,
) -> Path:
    """Draw the way from a cell to one in the next grid, first along a rule: no number is crossed.

    Parameters
    ----------
    over : bool
        Whether along the rule over the cell, not along the one under it.
    stack : float
        How far the channels behind the first grid reach beyond it.
    """
    cell = first.box_of(*start)
    rule = cell.y if over else cell.bottom
    x1, x2 = first.box.right + stack + 8 * unit, second.box.x - 6 * unit
    y2 = second.box_of(*end).center[1]
    return Path(((cell.center[0], rule), (x1, rule), (x2, y2)), colour, 2.5 * unit, arrow=True)


def windows(back: Back, share: Callable[[int], Array | float]) -> Array:
    """Return an array of the input's shape into which each window has put its share of each of its cells."""
    x, y, sizes = back.value("x"), back.value("y"), back.forward.sizes
    down, right = (int(back.value(name)) for name in ("S_h", "S_w"))
    made = np.zeros(x.shape)
    for u in range(sizes["K_h"]):
        for v in range(sizes["K_w"]):
            cells = made[:, u : u + down * y.shape[1] : down, v : v + right * y.shape[2] : right]
            np.maximum(cells, share(u * sizes["K_w"] + v), out=cells)
    return made
