"""Convolution of sequences: the channels are the rows of one grid, and the kernel slides along them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from cnnviz.scene import grid
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.conv2d import KINDS as OF_MAPS
from cnnviz.scene.kinds.conv2d import (
    channel_sums,
    draw_products,
    largest_product,
    over_sizes,
    over_sums,
    products_of,
    spread_text,
    unpadded,
)
from cnnviz.scene.kinds.conv2d_scatter import KINDS as SCATTERED
from cnnviz.scene.layout import STRONG, THIN, USUAL, Room, Sign, column, row
from cnnviz.scene.local import Back, Local
from cnnviz.scene.look import largest
from cnnviz.scene.marks import Cells, Mark, Role
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache
from cnnviz.trace.windows import Windows, windows_of


class Names(NamedTuple):
    """What arrays and indices are called in a listing that computes what a convolution's does.

    Attributes
    ----------
    on : str
        The array that windows lie on.
    other : str
        The array that is made; of a kernel's gradient, the one that is laid onto the first.
    o, c : str
        What counts the kernels, and their channels.
    """

    on: str
    other: str
    o: str
    c: str


FORWARD, TO_KERNELS = Names("x", "y", "o", "c"), Names("x", "dy", "o", "c")
BACK = Names("dy", "dx", "o", "c")
"""Those of a convolution itself."""


def forward(moment: Moment, room: Room, names: Names = FORWARD) -> list[Mark]:
    """Draw the window on the input, the kernel over their products, and the output filling up."""
    v, call = moment.variable, moment.operation.call
    windows, given = _windows(moment, names), call.given
    o, i, c, u = v(names.o), v("i"), v(names.c), v("u")
    x, w = np.asarray(given[names.on]), np.asarray(given["w"])
    depth, first, places = w.shape[1], windows.channel(o, 0), windows.cells(i, 0)[0]
    window = _window(windows, i, first, depth)
    back = names.on == "dy"
    text = tr("input, padded with zeros") if call.placed(names.on).surrounds else moment.came_from()
    text = moment.gradient_from() if back else text
    source = shown(moment, grid.plane(moment, names.on, (), window), text)
    kernel = shown(moment, grid.plane(moment, "w", (o,), (c, u, 1, 1)), tr("kernel"), scaled=False)
    made = tr("input gradient") if back else tr("output")
    result = shown(moment, grid.plane(moment, names.other, (), (o, i, 1, 1)), made)
    over = x[first : first + depth, places] * w[o]
    factors = [
        [
            (("w", (o, k, n)), (names.on, (first + k, places.start + n * places.step)))
            for n in range(over.shape[1])
        ]
        for k in range(depth)
    ]
    reach = moment.look(names.other).reaching(largest_product(moment.operation, names.on, names.other))
    products = tr("∂E/∂y · w  products") if back else tr("x · w  products")
    product = products_of(moment, reach, 0, over, factors, kernel.part, products)
    under, beside = (way(kernel.part, product.part, alike=True) for way in (column, row))
    arranged = (
        column(source.part, beside, result.part),
        row(source.part, under, result.part),
        column(source.part, under, result.part),
    )
    # How long it becomes is told where an output is made, not of what comes back.
    over_them = tuple(over_sums(part, depth > 1) for part in arranged)
    at = sheet(moment, room, *over_them) if back else over_sizes(moment, room, *over_them)
    on_x, on_w, on_y = at.show(source), at.show(kernel), at.show(result)
    unpadded(at, on_x, names.on)
    if moment.terms_begun:
        _outline(at, on_x, windows, window, "source_line")
        at.whole(on_w, "parameter_line")
        cell = at.cell(on_y, (o, i), "written_line")
        drawn = draw_products(at, product, 0)
        if cell is not None:
            at.way(drawn.box, cell, on_y)
    if depth > 1:
        channel_sums(at, over, names.on, o if "b" in given else None, first)
    return at.marks


def kernel_gradient(moment: Moment, room: Room, names: Names = TO_KERNELS) -> list[Mark]:
    """Draw the output's gradient lying on the input, and the kernel's gradient filling up."""
    v, windows = moment.variable, _windows(moment, names)
    o, c, u, i = v(names.o), v(names.c), v("u"), (v("i") if moment.terms_begun else 0)
    stride, channel, start = windows.stride[0], windows.channel(o, c), u * windows.rate[0]
    length = np.shape(moment.operation.call.given[names.other])[1]
    said = {"x": tr("input"), "dy": moment.gradient_from()}
    focus = (channel, i * stride + start, 1, 1)
    source = shown(moment, grid.plane(moment, names.on, (), focus), said[names.on])
    come = shown(moment, grid.plane(moment, names.other, (), (o, i, 1, 1)), said[names.other])
    result = shown(moment, grid.plane(moment, "dw", (o,), (c, u, 1, 1)), tr("kernel gradient"))
    parts = source.part, Sign("∗"), come.part, Sign("="), result.part
    at = sheet(moment, room, column(*parts[::2]), row(*parts), column(row(*parts[:3]), row(*parts[3:])))
    on_x, on_dy, on_dw = at.show(source), at.show(come), at.show(result)
    unpadded(at, on_x, names.on)
    if moment.terms_begun:
        at.window(on_x, (channel, start, 1, (length - 1) * stride + 1), "source_line")
        at.window(on_dy, (o, 0, 1, length), "parameter_line", USUAL)
        at.cell(on_dw, (o, c, u), "written_line")
    return at.marks


def input_gradient(moment: Moment, room: Room, names: Names = BACK) -> list[Mark]:
    """Draw the turned kernel lying on the spread-out gradient, and the input's gradient filling up."""
    v, call, forwards = moment.variable, moment.operation.call, names.on == "x"
    windows = replace(_windows(moment, names), stride=(1, 1))
    c, p, u = v(names.c), v("i" if forwards else "p"), v("u")
    first, place = windows.kernel_and_place(c)
    summed = "m" if windows.kernels and not forwards else names.o
    o = first + (v(summed) if moment.terms_begun else 0)
    dy, w = np.asarray(call.given[names.on]), np.asarray(call.given["w"])
    count, places, window = windows.kernels or len(dy), windows.cells(p, 0)[0], _window(windows, p, o)
    text = spread_text(call.placed(names.on), call.port("x").node if forwards else moment.gradient_source())
    come = shown(moment, grid.plane(moment, names.on, (), window), text)
    last = w.shape[2] - 1
    turned = grid.plane(moment, "w", (o, place), (0, last - u, 1, 1), axes="c", flipped=True)
    kernel = shown(moment, turned, tr("turned around"))
    made = tr("output") if forwards else tr("input gradient")
    result = shown(moment, grid.plane(moment, names.other, (), (c, p, 1, 1)), made)
    parts = come.part, Sign("∗"), kernel.part, Sign("="), result.part
    arranged = column(*parts[::2]), row(*parts), column(row(*parts[:3]), row(*parts[3:]))
    at = sheet(moment, room, *(over_sums(part, count > 1) for part in arranged))
    on_dy, on_w, on_dx = at.show(come), at.show(kernel), at.show(result)
    if moment.terms_begun:
        _outline(at, on_dy, windows, window, "source_line")
        at.whole(on_w, "parameter_line")
        at.cell(on_dx, (c, p), "written_line")
    if count > 1:
        kernels = slice(first, first + count)
        bias = c if "b" in call.given else None
        channel_sums(at, dy[kernels, places] * w[kernels, place, ::-1], names.on, bias, first)
    return at.marks


def bias_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw one channel of the output's gradient being added up, and the bias's gradient."""
    o, i = moment.variable("o"), (moment.variable("i") if moment.terms_begun else 0)
    come = shown(moment, grid.plane(moment, "dy", (), (o, i, 1, 1)), moment.gradient_from())
    result = shown(moment, grid.plane(moment, "db", (), (o, 0, 1, 1)), tr("bias gradient"))
    at = sheet(moment, room, row(come.part, result.part, gap=3.0), column(come.part, result.part))
    on_dy, on_db = at.show(come), at.show(result)
    if moment.terms_begun:
        at.window(on_dy, (o, 0, 1, moment.operation.sizes["L_out"]), "source_line", USUAL)
        at.cell(on_db, (o,), "written_line")
    return at.marks


def scattered(moment: Moment, room: Room) -> list[Mark]:
    """Draw one number of the output's gradient, the kernel, their product, and where it is added."""
    v, call = moment.variable, moment.operation.call
    windows, (dy, w) = windows_of(call), (np.asarray(call.given[name]) for name in ("dy", "w"))
    o, i, c, u = v("o"), v("i"), v("c"), v("u")
    window = _window(windows, i, windows.channel(o, 0), w.shape[1])
    come = shown(moment, grid.plane(moment, "dy", (), (o, i, 1, 1)), moment.gradient_from())
    kernel = shown(moment, grid.plane(moment, "w", (o,), (c, u, 1, 1)), tr("kernel"), scaled=False)
    padded = call.placed("dx").surrounds
    text = tr("input gradient, with the padding") if padded else tr("input gradient")
    result = shown(moment, grid.plane(moment, "dx", (), window), text)
    factors = [[(("dy", (o, i)), ("w", (o, k, n))) for n in range(w.shape[2])] for k in range(w.shape[1])]
    reach = moment.look("dx").reaching(_largest_product(moment.operation))
    values = float(dy[o, i]) * w[o]
    stamp = products_of(moment, reach, 0, values, factors, kernel.part, tr("∂E/∂y · w  added"))
    under, beside = (way(kernel.part, stamp.part, alike=True) for way in (column, row))
    at = sheet(
        moment,
        room,
        column(come.part, beside, result.part),
        row(come.part, Sign("·"), under, result.part),
        column(come.part, under, result.part),
    )
    on_dy, on_w, on_dx = at.show(come), at.show(kernel), at.show(result)
    unpadded(at, on_dx, "dx")
    if moment.terms_begun:
        at.cell(on_dy, (o, i), "source_line")
        at.whole(on_w, "parameter_line")
        _outline(at, on_dx, windows, window, "written_line")
        at.arrow(draw_products(at, stamp, 0).box, grid.window_box(on_dx, window), on_dx)
    return at.marks


def _windows(moment: Moment, names: Names) -> Windows:
    """Return how windows lie; where channels count the kernels, groups are the other way round."""
    found = windows_of(moment.operation.call)
    return found if names.o == "o" else replace(found, kernels=found.depth, depth=found.kernels)


def _window(windows: Windows, i: int, channel: int, depth: int = 1) -> tuple[int, int, int, int]:
    """Return the window of a place as rows and columns of a grid whose rows are the channels."""
    start, _, extent, _ = windows.at(i, 0)
    return channel, start, depth, extent


def _outline(at: Sheet, on: Cells, windows: Windows, window: tuple[int, int, int, int], colour: Role) -> None:
    """Outline a window; of one with holes, thinly all of it, and the places that it is made of."""
    channel, start, depth, extent = window
    holes = windows.rate != (1, 1)
    at.window(on, window, colour, THIN if holes else STRONG)
    for place in range(start, start + extent, windows.rate[0]) if holes else ():
        if grid.window_box(on, (channel, place, depth, 1)).w:
            at.window(on, (channel, place, depth, 1), colour, USUAL)


@program_cache(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that is added to ∂E/∂x."""
    dy, w = (np.asarray(operation.call.given[name]) for name in ("dy", "w"))
    return float((largest(dy, (1,)) * largest(w, (1, 2))).max())


def _turned(back: Back) -> Local:
    name = back.called("w")
    return Local("∗", back.value("w")[:, :, ::-1], tr("{name}, turned", name=name))


_CELL = {"o": "output channel", "i": "place", "c": "input channel", "u": "kernel cell"}
_DB, _GATHERED = OF_MAPS["conv2d.db"], OF_MAPS["conv2d.dx.gathered"]

KINDS: Mapping[str, Kind] = {
    **{
        name.replace("2d", "1d"): replace(OF_MAPS[name], variables=_CELL, picture=forward)
        for name in ("conv2d", "conv2d.without_bias")
    },
    "conv1d.db": replace(
        _DB,
        sentence="The bias was added to every number of its output channel, so its gradient is the sum of "
        "their gradients.",
        variables=_CELL,
        ahead="Each `db` will be the sum of all the gradients `dy` of its output channel: {terms} of them.",
        ahead_of_one="Each `db` will be the one gradient `dy` of its output channel.",
        picture=bias_gradient,
    ),
    "conv1d.dw": replace(
        OF_MAPS["conv2d.dw"],
        variables={"o": "kernel", "c": "channel", "u": "cell", "i": "place of the gradient"},
        picture=kernel_gradient,
    ),
    "conv1d.dx.gathered": replace(
        _GATHERED,
        sentence="Each input cell gathers from every output it went into: the kernel, turned around, slides "
        "over the gradient.",
        variables={**_CELL, "c": "channel", "p": "place", "m": "kernel of the group"},
        ahead="Each `dx` will be a sum of products `w` · `dy`, the kernel turned around: {terms} of them.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`, the kernel turned around.",
        picture=input_gradient,
        local=_turned,
    ),
    "conv1d.dx.scattered": replace(SCATTERED["conv2d.dx.scattered"], variables=_CELL, picture=scattered),
}
