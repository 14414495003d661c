"""The input gradient of a convolution, scattered: each output gradient stamps the kernel onto its window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.conv2d import KERNEL, OUTPUT, draw_products, outline_window, products_of
from cnnviz.scene.layout import Room, Sign, column, row
from cnnviz.scene.local import Back, Local
from cnnviz.scene.look import largest
from cnnviz.scene.marks import Mark
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import sheet, shown
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache
from cnnviz.trace.windows import windows_of


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw one output gradient, the kernel, their product, and the window that it is added onto."""
    v, given, windows = moment.variable, moment.operation.call.given, windows_of(moment.operation.call)
    o, i, j, c = v("o"), v("i"), v("j"), (v("c") if moment.terms_begun else 0)
    window, channel = windows.at(i, j), windows.channel(o, c)
    dy, w, dx = np.asarray(given["dy"]), np.asarray(given["w"]), moment.state.arrays["dx"]
    come = shown(moment, grid.plane(moment, "dy", (o,), (i, j, 1, 1)), moment.gradient_from(), len(dy))
    focus = grid.cell_focus(dict(moment.state.reads).get("w", (0, 0)))
    kernel = shown(moment, grid.plane(moment, "w", (o, c), focus), tr("kernel"), scaled=False)
    padded = moment.operation.call.placed("dx").surrounds
    text = tr("input gradient, with the padding") if padded else tr("input gradient")
    result = shown(moment, grid.plane(moment, "dx", (channel,), window), text, len(dx))
    rows, columns = w.shape[2:]
    factors = [[(("dy", (o, i, j)), ("w", (o, c, u, n))) for n in range(columns)] for u in range(rows)]
    values, reach = (
        float(dy[o, i, j]) * w[o, c],
        moment.look("dx").reaching(_largest_product(moment.operation)),
    )
    stamp = products_of(moment, reach, c, values, factors, kernel.part, tr("∂E/∂y · w  added"))
    under, beside = (way(kernel.part, stamp.part, alike=True) for way in (column, row))
    at = sheet(
        moment,
        room,
        row(come.part, Sign("·"), under, result.part),
        row(come.part, Sign("·"), beside, result.part),
        column(row(come.part, Sign("·"), beside), result.part),
    )
    on_dy, on_w, on_dx = at.show(come), at.show(kernel), at.show(result)
    if not moment.terms_begun:
        return at.marks
    at.cell(on_dy, (o, i, j), "source_line")
    at.whole(on_w, "parameter_line")
    outline_window(at, on_dx, windows, i, j, "written_line")
    at.arrow(draw_products(at, stamp, c).box, grid.window_box(on_dx, window), on_dx)
    return at.marks


@program_cache(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that is added to ∂E/∂x."""
    dy, w = (np.asarray(operation.call.given[name]) for name in ("dy", "w"))
    return float((largest(dy, (1, 2)) * largest(w, (1, 2, 3))).max())


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
