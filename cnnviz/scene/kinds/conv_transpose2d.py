"""Transposed convolution: the turned kernel over the spread-out input, and its gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from cnnviz.scene import grid
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.conv2d import KERNEL, OUTPUT, outline_window, spread_text
from cnnviz.scene.kinds.conv2d import KINDS as OF_CONVOLUTIONS
from cnnviz.scene.layout import Room, Sign, column, row
from cnnviz.scene.local import Back, Local
from cnnviz.scene.marks import Mark
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import sheet, shown
from cnnviz.text import tr
from cnnviz.trace.windows import Windows, windows_of


def forward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the turned kernel lying on the spread-out input, and the output map filling up."""
    v, given = moment.variable, moment.operation.call.given
    (high, wide), o, i, j = windows_of(moment.operation.call).kernel, v("o"), v("i"), v("j")
    c, u, n = (v("c"), v("u"), v("v")) if moment.terms_begun else (0, 0, 0)
    call, windows = moment.operation.call, replace(windows_of(moment.operation.call), stride=(1, 1))
    window, depth, channel = windows.at(i, j), len(np.asarray(given["x"])), windows.channel(o, c)
    text = spread_text(call.placed("x"), call.port("x").node)
    source = shown(moment, grid.plane(moment, "x", (channel,), window), text, depth)
    own = o % windows.kernels if windows.kernels else o
    seen = grid.plane(moment, "w", (channel, own), (high - 1 - u, wide - 1 - n, 1, 1), flipped=True)
    kernel = shown(moment, seen, tr("turned by 180°"))
    plane = grid.plane(moment, "y", (o,), (i, j, 1, 1))
    result = shown(moment, plane, tr("output map"), len(moment.state.arrays["y"]))
    parts = source.part, Sign("∗"), kernel.part, Sign("="), result.part
    at = sheet(moment, room, row(*parts), column(row(*parts[:3]), row(*parts[3:])), column(*parts))
    on_x, on_w, on_y = at.show(source), at.show(kernel), at.show(result)
    if moment.terms_begun:
        outline_window(at, on_x, windows, i, j, "source_line")
        at.whole(on_w, "parameter_line")
        at.cell(on_y, (o, i, j), "written_line")
    return at.marks


def input_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the kernel lying on the output's gradient, and the input's gradient filling up."""
    v, given = moment.variable, moment.operation.call.given
    c, i, j, o = v("c"), v("i"), v("j"), (v("o") if moment.terms_begun else 0)
    windows, dy = windows_of(moment.operation.call), np.asarray(given["dy"])
    seen = grid.plane(moment, "dy", (_map(windows, c, o),), windows.at(i, j))
    come = shown(moment, seen, moment.gradient_from(), len(dy))
    u, n = (v("u"), v("v")) if moment.terms_begun else (0, 0)
    kernel = shown(moment, grid.plane(moment, "w", (c, o), (u, n, 1, 1)), tr("kernel"))
    plane = grid.plane(moment, "dx", (c,), (i, j, 1, 1))
    result = shown(moment, plane, tr("input gradient"), len(moment.state.arrays["dx"]))
    parts = come.part, Sign("∗"), kernel.part, Sign("="), result.part
    at = sheet(moment, room, row(*parts), column(row(*parts[:3]), row(*parts[3:])), column(*parts))
    on_dy, on_w, on_dx = at.show(come), at.show(kernel), at.show(result)
    if moment.terms_begun:
        outline_window(at, on_dy, windows, i, j, "source_line")
        at.whole(on_w, "parameter_line")
        at.cell(on_dx, (c, i, j), "written_line")
    return at.marks


def kernel_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the input lying on the output's gradient, and the kernel's gradient filling up."""
    v, sizes = moment.variable, moment.operation.sizes
    c, o, u, n = v("c"), v("o"), v("u"), v("v")
    i, j = (v("i"), v("j")) if moment.terms_begun else (0, 0)
    windows = windows_of(moment.operation.call)
    (down, right), (top, left) = windows.stride, (u * windows.rate[0], n * windows.rate[1])
    window = (top, left, (sizes["H"] - 1) * down + 1, (sizes["W"] - 1) * right + 1)
    source = shown(moment, grid.plane(moment, "x", (c,), (i, j, 1, 1)), moment.came_from())
    place = grid.plane(moment, "dy", (_map(windows, c, o),), (i * down + top, j * right + left, 1, 1))
    come = shown(moment, place, moment.gradient_from())
    result = shown(moment, grid.plane(moment, "dw", (c, o), (u, n, 1, 1)), tr("kernel gradient"))
    parts = come.part, Sign("∗"), source.part, Sign("="), result.part
    at = sheet(moment, room, row(*parts), column(row(*parts[:3]), row(*parts[3:])), column(*parts))
    on_dy, on_x, on_dw = at.show(come), at.show(source), at.show(result)
    if moment.terms_begun:
        at.window(on_dy, window, "source_line")
        at.whole(on_x, "parameter_line")
        at.cell(on_dw, (c, o, u, n), "written_line")
    return at.marks


def _map(windows: Windows, channel: int, o: int) -> int:
    """Return which map of the output is the o-th that a channel of the input goes into."""
    return windows.kernel_and_place(channel, o)[0]


def _spread(back: Back) -> Local:
    return Local("∗", back.forward.call.unpadded("x", back.value("x")), back.called("x"))


def _kernels(back: Back) -> Local:
    return Local("∗", back.value("w"), back.called("w"))


_FORWARD = Kind(
    sentence="Zeros are put between the numbers of the input; the kernel, turned by 180°, slides over it.",
    formula=(
        r"\y{o,i,j} = \b{o} + \sum_{c,u,v} \;\part{w}{w^\circlearrowleft_{c,o,u,v}}\, \x{c,\,i+u,\,j+v}",
        r"\part{w}{w^\circlearrowleft_{c,o,u,v}} = \w{c,o,\,K_h-1-u,\,K_w-1-v}",
    ),
    variables={**OUTPUT, "c": "input channel", **KERNEL},
    ahead="Each cell of `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them for "
    "each cell.",
    ahead_of_one="Each cell of `y` will be the bias `b` plus one product `w` · `x`.",
    picture=forward,
)

KINDS: Mapping[str, Kind] = {
    "conv_transpose2d": _FORWARD,
    "conv_transpose2d.without_bias": replace(
        _FORWARD,
        formula=(
            r"\y{o,i,j} = \sum_{c,u,v} \;\part{w}{w^\circlearrowleft_{c,o,u,v}}\, \x{c,\,i+u,\,j+v}",
            _FORWARD.formula[1],  # type: ignore[index]
        ),
        ahead="Each cell of `y` will be a sum of products `w` · `x`: {terms} of them for each cell.",
        ahead_of_one="Each cell of `y` will be one product `w` · `x`.",
    ),
    "conv_transpose2d.db": OF_CONVOLUTIONS["conv2d.db"],
    "conv_transpose2d.dw": Kind(
        title="gradient of the kernels",
        sentence="How much does the loss change with this weight? Slide the input over the output's gradient "
        "and add up.",
        formula=(r"\dw{c,o,u,v} = \sum_{i,j} \,\x{c,i,j}\; \dy{o,\,iS+u,\,jS+v}",),
        variables={
            **{"c": "input channel", "o": "output map", "u": "row", "v": "column"},
            **{"i": "input row", "j": "input column"},
        },
        ahead="Each `dw` will be a sum of products `x` · `dy`: {terms} of them, one for each cell of the "
        "input.",
        ahead_of_one="Each `dw` will be one product `x` · `dy`.",
        picture=kernel_gradient,
        local=_spread,
    ),
    "conv_transpose2d.dx": Kind(
        title="gradient of the input",
        sentence="Each number of the input went into a window of the output: the kernel slides over the "
        "gradient.",
        formula=(r"\dx{c,i,j} = \sum_{o,u,v} \,\w{c,o,u,v}\, \dy{o,\,iS+u,\,jS+v}",),
        variables={"c": "channel", "i": "row", "j": "column", "o": "output map", **KERNEL},
        ahead="Each `dx` will be a sum of products `w` · `dy`: {terms} of them.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`.",
        picture=input_gradient,
        local=_kernels,
    ),
}
