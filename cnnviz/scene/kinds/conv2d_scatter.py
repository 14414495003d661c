"""The input gradient of a convolution, scattered: each output gradient stamps the kernel onto its window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.conv2d import KERNEL, OUTPUT, for_kernel, product_grid
from cnnviz.scene.kinds.layout import side_by_side, titled
from cnnviz.scene.local import Back, Local
from cnnviz.scene.look import largest
from cnnviz.scene.marks import Box, Cells, Mark, Path, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.operation import Operation


def picture(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw one output gradient, the kernel, their product, and the window that it is added onto."""
    v, sizes, given = moment.variable, moment.operation.sizes, moment.operation.call.given
    o, i, j, c = v("o"), v("i"), v("j"), (v("c") if moment.terms_begun else 0)
    stride = int(given["S"])
    window = (i * stride, j * stride, sizes["K_h"], sizes["K_w"])
    dy, w, dx = np.asarray(given["dy"]), np.asarray(given["w"]), moment.state.arrays["dx"]
    left, middle, right = side_by_side(box, dy.shape[2], w.shape[3], dx.shape[2], unit=unit)
    come = moment.gradient_from()
    marks, on_dy = titled(moment, grid.plane(moment, "dy", (o,), (i, j, 1, 1)), left, unit, come, len(dy))
    reads = dict(moment.state.reads)
    focus = grid.cell_focus(reads.get("w", (0, 0)))
    kernel, on_w = titled(
        moment, grid.plane(moment, "w", (o, c), focus), for_kernel(middle, unit), unit, tr("kernel")
    )
    padded = moment.operation.call.placed("dx").surrounds
    text = tr("input gradient, with the padding") if padded else tr("input gradient")
    out, on_dx = titled(moment, grid.plane(moment, "dx", (c,), window), right, unit, text, len(dx))
    marks += [*kernel, *out, *_times(on_dy, on_w, middle, unit)]
    source = on_dy.cell_of((o, i, j))
    if not moment.terms_begun or source is None:
        return marks
    marks.append(grid.outline(on_dy.box_of(*source), "source_line", 4 * unit))
    marks.append(grid.outline(on_w.box, "parameter_line", 3 * unit))
    marks.append(grid.window_outline(on_dx, window, "written_line", unit))
    stamp = _stamp(moment, on_w, middle, unit, (o, i, j, c))
    return marks + stamp + _way(stamp, on_dx, window, unit)


def _times(on_dy: Cells, on_w: Cells, middle: Box, unit: float) -> list[Mark]:
    """Write the sign between the gradient and the kernel: one number times all weights."""
    x = (on_dy.box.right + middle.x) / 2
    y = min(on_dy.box.center[1], on_w.box.center[1])
    sign = Box(x - 30 * unit, y - 40 * unit, 60 * unit, 80 * unit)
    return [label(sign, "·", 64 * unit, "muted", align="center", family="math")]


def _stamp(
    moment: Moment, on_w: Cells, middle: Box, unit: float, at: tuple[int, int, int, int]
) -> list[Mark]:
    """Draw the output gradient times the kernel, for the channel in work and as far as it is added."""
    o, i, j, c = at
    w = np.asarray(moment.state.arrays["w"])[o, c]
    values = float(moment.state.arrays["dy"][o, i, j]) * w
    rows, columns = w.shape
    factors = [[(("dy", (o, i, j)), ("w", (o, c, u, v))) for v in range(columns)] for u in range(rows)]
    look = moment.look("dx").reaching(_largest_product(moment.operation))
    return product_grid(moment, look, c, values, factors, on_w, middle, unit, tr("∂E/∂y · w  added"))[0]


@remembered(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that is added to ∂E/∂x."""
    dy, w = (np.asarray(operation.call.given[name]) for name in ("dy", "w"))
    return float((largest(dy, (1, 2)) * largest(w, (1, 2, 3))).max())


def _way(stamp: list[Mark], on_dx: Cells, window: tuple[int, int, int, int], unit: float) -> list[Mark]:
    """Draw the way of the stamp to the window, only as far as the grid: no number is crossed."""
    product = next(mark for mark in stamp if isinstance(mark, Cells))
    target = grid.window_outline(on_dx, window, "written_line", unit).box
    start = (product.box.right + 10 * unit, product.box.center[1])
    tip = (on_dx.box.x - 8 * unit, min(max(target.center[1], on_dx.box.y), on_dx.box.bottom))
    return [Path((start, tip), "line", 2.5 * unit, arrow=True)]


def _kernels(back: Back) -> Local:
    name = back.called("w")
    return Local("∗", back.value("w"), tr("{name}, scattered", name=name))


KINDS: Mapping[str, Kind] = {
    "conv2d.dx.scattered": Kind(
        title="gradient of the input, scattered",
        sentence="Each output gradient, times the kernel, is added to the window of the input "
        "that it was computed from.",
        formula=(r"\dx{c,\,iS+u,\,jS+v} \add \dy{o,i,j}\; \w{o,c,u,v}",),
        variables={**OUTPUT, "c": "input channel", **KERNEL},
        ahead="Every `dx` begins at 0; each `dy`, times each weight `w`, will be added to the `dx` under "
        "that weight.",
        picture=picture,
        local=_kernels,
    ),
}
