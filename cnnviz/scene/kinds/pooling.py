"""Pooling: the window on the input, the winner ringed, and its way to the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.sequences import is_of_sequences
from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds.conv2d import over_sizes, unpadded
from cnnviz.scene.layout import STRONG, THIN, USUAL, Part, Room, column, row
from cnnviz.scene.local import Back
from cnnviz.scene.marks import Cells, Mark, Path, Rect, Role
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, Shown, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.windows import Window, windows_of

WINDOW = {"u": "window row", "v": "window column"}
"""What the loop variables of a window count."""


def forward(moment: Moment, room: Room, sized: bool = True) -> list[Mark]:
    """Draw the window on the input and the output map filling up.

    Parameters
    ----------
    sized : bool
        Whether it is said how many windows there are by their size and stride.
    """
    v = moment.variable
    place, window = _place(moment), _window(moment)
    front, depth = place[:-2], _depth(moment, "x")
    source = shown(moment, grid.plane(moment, "x", front, window), _named(moment), depth)
    result = shown(moment, grid.plane(moment, "y", front, grid.cell_focus(place)), tr("output"), depth)
    parts = _side_by_side(source, result)
    at = over_sizes(moment, room, *parts) if sized else sheet(moment, room, *parts)
    on_x, on_y = at.show(source), at.show(result)
    unpadded(at, on_x, "x")
    target = on_y.cell_of(place)
    if not moment.terms_begun or target is None:
        return at.marks
    _outline(at, on_x, window, "source_line")
    at.cell(on_y, place, "written_line")
    state = moment.state
    begun = np.isfinite(float(state.variables.get("best", -np.inf))) or v("u") or v("v")
    if "switch" in state.arrays and "k" in state.variables and begun:
        winner = _winner(moment, int(state.variables["k"]), window)
        over = winner[-2] > window[0]  # a rule inside the window, or its outline would hide the way
        cell = on_x.cell_of(winner)
        if cell is not None:
            _ring(at, on_x, cell, "written_line")
            _way(at, on_x, cell, over, on_y, target, source.part.behind, "written_line")
    return at.marks


def backward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the gradient of the output and its way back into the input's window."""
    place, window = _place(moment), _window(moment)
    front, depth = place[:-2], _depth(moment, "dx")
    focus = grid.cell_focus(place)
    come = shown(moment, grid.plane(moment, "dy", front, focus), moment.gradient_from(), depth)
    text = tr("input gradient, with the padding") if _is_padded(moment, "dx") else tr("input gradient")
    result = shown(moment, grid.plane(moment, "dx", front, window), text, depth)
    at = sheet(moment, room, *_side_by_side(come, result))
    on_dy, on_dx = at.show(come), at.show(result)
    unpadded(at, on_dx, "dx")
    source = on_dy.cell_of(place)
    if not moment.terms_begun or source is None:
        return at.marks
    at.cell(on_dy, place, "source_line")
    _outline(at, on_dx, window, "written_line")
    if "switch" in moment.state.arrays:
        cell = on_dx.cell_of(_winner(moment, int(moment.state.arrays["switch"][place]), window))
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


def _side_by_side(one: Shown, other: Shown) -> tuple[Part, Part]:
    return row(one.part, other.part, gap=3.0), column(one.part, other.part, gap=3.0)


def _place(moment: Moment) -> tuple[int, ...]:
    """Return the indices of the window in hand: of maps, or of sequences, which are rows of one grid."""
    indices = "ci" if is_of_sequences(moment.operation.call) else "cij"
    return tuple(moment.variable(name) for name in indices)


def _depth(moment: Moment, name: str) -> int:
    array = moment.state.arrays[name]
    return len(array) if array.ndim == 3 else 1


def _window(moment: Moment) -> Window:
    """Return the window as rows and columns of the grid that it lies on."""
    (c, i, *j), windows = _place(moment), windows_of(moment.operation.call)
    if j and "S_h" not in moment.operation.call.given:
        return adaptive_window(moment.operation.call, i, j[0])
    if j:
        return windows.at(i, j[0])
    start, _, extent, _ = windows.at(i, 0)
    return c, start, 1, extent


def adaptive_window(call: Call, i: int, j: int) -> Window:
    """Return one of as many windows as are wanted: where it begins and how long it is follows from that."""
    maps, counts = ("x", "y") if "x" in call.given else ("dx", "dy")
    (top, high), (left, wide) = (
        (k * size // count, -(-(k + 1) * size // count) - k * size // count)
        for k, size, count in zip(
            (i, j), call.own_shape(maps)[1:], np.shape(call.value(counts))[1:], strict=True
        )
    )
    return top, left, high, wide


def _winner(moment: Moment, k: int, window: Window) -> tuple[int, ...]:
    """Return the indices of the k-th cell of a window."""
    windows, place = windows_of(moment.operation.call), _place(moment)
    if len(place) == 2:
        return place[0], window[1] + k * windows.rate[0]
    u, v = divmod(k, windows.kernel[1])
    return place[0], window[0] + u * windows.rate[0], window[1] + v * windows.rate[1]


def _outline(at: Sheet, on: Cells, window: Window, colour: Role) -> None:
    """Outline a window; of one with holes, thinly all of it, and the cells that it is made of."""
    windows = windows_of(at.moment.operation.call)
    holes = windows.rate != (1, 1)
    at.window(on, window, colour, THIN if holes else STRONG)
    rows, columns = windows.rate if len(_place(at.moment)) == 3 else (1, windows.rate[0])
    for row_ in range(window[0], window[0] + window[2], rows) if holes else ():
        for column_ in range(window[1], window[1] + window[3], columns):
            if grid.window_box(on, (row_, column_, 1, 1)).w:
                at.window(on, (row_, column_, 1, 1), colour, USUAL)


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
    x, y, slid = back.value("x"), back.value("y"), windows_of(back.forward.call)
    made = np.zeros(x.shape)  # with the padding
    for k, place in enumerate(np.ndindex(*slid.kernel)):
        cut = (
            slice(first * rate, first * rate + step * (count - 1) + 1, step)
            for first, rate, step, count in zip(place, slid.rate, slid.stride, y.shape[1:], strict=False)
        )
        cells = made[:, *cut]
        np.maximum(cells, share(k), out=cells)
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
