"""Convolution: the kernel over the input, and its three gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.placement import Placement
from cnnviz.scene import grid
from cnnviz.scene.arrays import symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.layout import between, scale, side_by_side, titled
from cnnviz.scene.letters import products
from cnnviz.scene.local import Back, Local
from cnnviz.scene.look import Look, largest
from cnnviz.scene.marks import Box, Cells, Label, Mark, Path, Rect, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.terms import terms
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import Place

# Where a picture is lower than this part of its width, what stands under one another stands side by side.
_LOW = 0.33


def forward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the window on the input, the kernel, their products, and the output map filling up."""
    v, sizes, given = moment.variable, moment.operation.sizes, moment.operation.call.given
    o, i, j, c = v("o"), v("i"), v("j"), (v("c") if moment.terms_begun else 0)
    stride = int(given["S"])
    window = (i * stride, j * stride, sizes["K_h"], sizes["K_w"])
    x, w, y = np.asarray(given["x"]), np.asarray(given["w"]), moment.state.arrays["y"]
    channels = x.shape[0] > 1
    area = Box(box.x, box.y, box.w, box.h - 64 * unit) if channels else box
    low = area.h < _LOW * area.w  # as in the lecture view: kernel and products stand side by side
    wide = (1 + low) * w.shape[3]
    left, middle, right = side_by_side(area, x.shape[2], wide, y.shape[2], unit=unit)
    for_w, for_products = for_kernel(middle, unit), middle
    if low:
        for_w, for_products = middle.columns([1, 1], gap=30 * unit)
    padded = moment.operation.call.placed("x").surrounds
    text = tr("input, padded with zeros") if padded else moment.came_from()
    marks, on_x = titled(moment, grid.plane(moment, "x", (c,), window), left, unit, text, depth=x.shape[0])
    shown = grid.plane(moment, "w", (o, c), _in_kernel(moment))
    kernel, on_w = titled(moment, shown, for_w, unit, tr("kernel"), len(x), axis=1)
    out, on_y = titled(
        moment, grid.plane(moment, "y", (o,), (i, j, 1, 1)), right, unit, tr("output map"), depth=y.shape[0]
    )
    marks += [*_unpadded(moment, on_x, unit), *kernel, *out]
    if moment.terms_begun:
        marks.append(grid.window_outline(on_x, window, "source_line", unit))
        marks.append(grid.outline(on_w.box, "parameter_line", 3 * unit))
        at = on_y.cell_of((o, i, j))
        if at is not None:
            marks.append(grid.outline(on_y.box_of(*at), "written_line", 4 * unit))
            drawn, start = _products(moment, on_w, for_products, unit, (o, c, *window[:2]), low)
            marks += [
                *drawn,
                *_way_into(on_y, on_y.box_of(*at), start, right, moment.look("y"), y.shape[1:], unit),
            ]
    if channels:
        over = x[:, window[0] : window[0] + window[2], window[1] : window[1] + window[3]]
        strip = Box(box.x, box.bottom - 46 * unit, box.w, 40 * unit)
        alike = "b" if moment.look("b").power == moment.look("y").power else "y"  # the heading says one power
        bias = (
            moment.cell_text("b", (o,))
            if moment.letters
            else moment.look(alike).bare(float(np.asarray(given["b"])[o]))
        )
        marks += _channel_sums(moment, strip, unit, (over * w[o]).reshape(len(x), -1), "x", bias)
    return marks


def for_kernel(middle: Box, unit: float) -> Box:
    """Return the room of the kernel over its products: half of it, or what its smallest cells take."""
    return middle.top(max(middle.h * 0.5, 150 * unit))


def _unpadded(moment: Moment, on_x: Cells, unit: float) -> list[Mark]:
    """Outline the input within its padding, so that its own zeros and black pixels are not taken for it."""
    placement = moment.operation.call.placed("x")
    if not placement.surrounds:
        return []
    window = *placement.start, *placement.own
    black = on_x.palette == "pixel" and not moment.letters
    colour, width = ("on_dark", 0.75) if black else ("line", 0.5)
    return [grid.window_outline(on_x, window, colour, width * unit)]


def _in_kernel(moment: Moment) -> tuple[int, int, int, int]:
    """Return the weight that is read, or was read last, as what must be seen of a large kernel."""
    reads = dict(moment.state.reads)
    if "w" in reads:
        return grid.cell_focus(reads["w"])
    u, v, sizes = moment.variable("u"), moment.variable("v"), moment.operation.sizes
    turned = moment.operation.call.view == "gathered"
    return (sizes["K_h"] - 1 - u, sizes["K_w"] - 1 - v, 1, 1) if turned else (u, v, 1, 1)


def _channel_sums(
    moment: Moment, box: Box, unit: float, products: Array, name: str, bias: str | None = None
) -> list[Mark]:
    """Draw what the sum is made of: the bias, then what each channel adds, as far as it is computed.

    Of many channels some are shown one by one, and those before them by their sum.

    Parameters
    ----------
    products : Array
        The terms of the cell in work, a row for each channel of what is summed over.
    name : str
        The array whose channels they are.
    bias : str, optional
        What the sum begins with, as written.
    """
    found, begun = terms(moment), moment.terms_begun
    done = found.done if found and begun else 0
    count, each = products.shape
    look = moment.look(next(iter(moment.operation.call.writes)))
    shown = count if count <= 7 else 6
    current = max(0, done - 1) // each
    first = current // shown * shown
    spans = [(k, k + 1) for k in range(first, min(first + shown, count))]
    if first:
        spans.insert(0, (0, first))
    cells = len(spans) + (bias is not None) + 1
    width = min(112 * unit, (box.w - 176 * unit) / cells - 26 * unit)
    said = tr("{name} by channel", name=symbol(moment.operation, name)) + look.factor
    marks: list[Mark] = [label(Box(box.x, box.y, 145 * unit, box.h), said, 17 * unit, "muted")]
    place = Box(box.x + 150 * unit - width - 26 * unit, box.y, width, box.h)
    if bias is not None:
        place = place._replace(x=box.x + 150 * unit)
        marks += _sum_cell(place, tr("b"), bias if begun else "", unit, "parameter")
    for begin, end in spans:
        place = Box(place.right + 26 * unit, place.y, width, place.h)
        if begin > 0 or bias is not None:
            marks.append(_sign_before(place, "+", unit))
        added = products[begin:end].ravel()[: max(0, done - begin * each)]
        text = tr("Σ") if moment.letters else look.bare(float(added.sum()))
        span = f"[{begin}]" if end == begin + 1 else f"[{begin}–{end - 1}]"
        here = begin == current and len(added) > 0
        marks += _sum_cell(place, span, text if len(added) else "", unit, "source", current=here)
    last = first + shown >= count
    place = place._replace(x=place.right + (26 if last else 52) * unit)
    if not last:
        marks.append(_sign_before(place._replace(x=place.x - 26 * unit), "…", unit))
    whole = tr("Σ") if moment.letters else look.bare(float(moment.state.variables.get("acc", 0.0)))
    complete = done == products.size
    return [
        *marks,
        _sign_before(place, "=", unit),
        *_sum_cell(place, tr("sum"), whole if complete else "", unit, "written", current=complete),
    ]


def _sign_before(place: Box, sign: str, unit: float) -> Label:
    between = Box(place.x - 26 * unit, place.y, 26 * unit, place.h)
    return label(between, sign, 20 * unit, "muted", align="center")


def _sum_cell(
    place: Box, name: str, text: str, unit: float, colour: str, current: bool = False
) -> list[Mark]:
    line = f"{colour}_line" if current else "panel_line"
    named = max(0.31 * place.w, min(0.46 * place.w, 10 * unit * len(name)))
    return [
        Rect(place, "panel", line, (2.5 if current else 1.0) * unit, 4 * unit, hatched=not text),
        label(Box(place.x + 6 * unit, place.y, named, place.h), name, 17 * unit, colour),
        label(
            Box(place.x + named + 6 * unit, place.y, place.w - named - 12 * unit, place.h),
            text,
            17 * unit,
            "ink",
            bold=current,
            align="right",
        ),
    ]


def _products(
    moment: Moment, on_w: Cells, middle: Box, unit: float, at: tuple[int, int, int, int], beside: bool
) -> tuple[list[Mark], tuple[float, float]]:
    """Draw x · w for the channel, as far as it is computed; return where the way of the sum begins, too."""
    o, c, top, left = at
    x, w = (np.asarray(moment.state.arrays[name]) for name in "xw")
    rows, columns = w.shape[2:]
    values = x[c, top : top + rows, left : left + columns] * w[o, c]
    factors = [
        [(("w", (o, c, u, v)), ("x", (c, top + u, left + v))) for v in range(columns)] for u in range(rows)
    ]
    text = tr("x · w  products")
    look = moment.look("y").reaching(_largest_product(moment.operation))
    marks, drawn = product_grid(moment, look, c, values, factors, on_w, middle, unit, text, beside)
    return marks, (drawn.box.right + 8 * unit, drawn.box.center[1])


@remembered(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that a convolution adds up."""
    x, w, y = (np.asarray(operation.call.value(name)) for name in "xwy")
    stride = int(operation.call.given["S"])
    seen = [
        largest(x[:, u : u + stride * y.shape[1] : stride, v : v + stride * y.shape[2] : stride], (1, 2))
        for u in range(w.shape[2])
        for v in range(w.shape[3])
    ]
    return float((largest(w, 0).reshape(len(x), -1) * np.stack(seen, axis=1)).max())


def product_grid(
    moment: Moment,
    look: Look,
    channel: int,
    values: Array,
    factors: Sequence[Sequence[Sequence[Place]]],
    above: Cells,
    middle: Box,
    unit: float,
    text: str,
    beside: bool = False,
) -> tuple[list[Mark], Cells]:
    """Draw the products of a kernel's channel under or beside it, as far as computed, the last one outlined.

    Parameters
    ----------
    look : Look
        How they are coloured and written: as what they are added into, so far as its scale holds them.
    factors : Sequence[Sequence[Sequence[Place]]]
        What is multiplied in each cell, for its name in letters.
    """
    rows, columns = values.shape
    found = terms(moment)
    done = (found.done if found else 0) - channel * values.size
    missing = (np.arange(values.size) >= done).reshape(values.shape)
    top = above.box.y - 32 * unit if beside else above.box.bottom + 36 * unit
    head = Box(middle.x, top, middle.w, 28 * unit)
    wide = min(above.cell[0], middle.w / columns)
    high = min(above.cell[1], wide, max(1.0, (middle.bottom - head.bottom - 8 * unit) / rows))
    square = above.cell[0] == above.cell[1]
    wide = high if square and high >= grid.least_cell(look, unit) else wide
    drawn = Cells(
        Box(middle.x, head.bottom + 4 * unit, wide * columns, high * rows),
        values,
        palette=look.palette,
        limit=look.limit,
        texts=grid.texts(values, look, missing) if grid.legible(wide, high, look) else (),
        size=grid.text_size(wide, high, look, unit),
        missing=missing,
    )
    if moment.letters and drawn.texts:
        drawn = products(moment.names, drawn, factors, unit)
    marks: list[Mark] = [label(head, text + look.factor, 17 * unit, "ink", bold=True), drawn]
    if found and found.current and 0 < done <= values.size:
        marks.append(grid.outline(drawn.box_of(*divmod(done - 1, columns)), "source_line", 3 * unit))
    return marks, drawn


def _way_into(
    on_y: Cells,
    target: Box,
    start: tuple[float, float],
    column: Box,
    look: Look,
    shape: tuple[int, ...],
    unit: float,
) -> list[Mark]:
    """Draw the way of the sum into its cell: from below, where no numbers are yet, and behind the scale."""
    under = scale(look, on_y.box, unit) if on_y.values.shape == shape else []
    near = 9 * unit  # half an arrowhead and a little air
    taken = [_filled(mark, near) for mark in under]
    parts = (target.x + part * target.w for part in (0.5, 0.8, 0.2, 0.9, 0.1))
    free = (x for x in parts if not any(left < x < right for left, right in taken))
    x = next(free, target.center[0]) if target.bottom > on_y.box.bottom - near else target.center[0]
    tip = (x, target.bottom + 3 * unit)
    way = [start, (x, start[1])]
    if start[1] < target.bottom + 14 * unit:  # level with numbers: around them
        aside, below = on_y.box.x - 20 * unit, on_y.box.bottom + (34 if under else 15) * unit
        way = [start, (aside, start[1]), (aside, below), (x, below)]
    if on_y.box.x > column.x + 60 * unit:  # the whole map stands before its page: around both
        aside, below = column.x - 18 * unit, column.bottom + 8 * unit
        way = [start, (aside, start[1]), (aside, below), (x, below)]
    top, bottom = on_y.box.bottom + 6 * unit, on_y.box.bottom + 28 * unit
    width = 2 * unit
    if way[-1][1] > bottom and any(left < x < right for left, right in taken):
        if tip[1] + 10 * unit > top:  # no room for an arrowhead above the scale: it points from below
            return [Path((*way, (x, bottom)), "line", width, arrow=True)]
        return [Path((*way, (x, bottom)), "line", width), Path(((x, top), tip), "line", width, arrow=True)]
    return [Path((*way, tip), "line", width, arrow=True)]


def _filled(mark: Label | Cells, air: float) -> tuple[float, float]:
    """Return from where to where a part of a scale reaches, with some air; a text seldom fills its box."""
    left, right = mark.box.x, mark.box.right
    if isinstance(mark, Label):
        wide = 0.6 * mark.size * sum(len(run.text) for run in mark.runs)
        left, right = (
            (max(left, right - wide), right) if mark.align == "right" else (left, min(right, left + wide))
        )
    return left - air, right + air


def kernel_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the output gradient lying on the input, and the kernel gradient filling up."""
    v, sizes, given = moment.variable, moment.operation.sizes, moment.operation.call.given
    o, c, u, w = v("o"), v("c"), v("u"), v("v")
    stride = int(given["S"])
    window = (u, w, (sizes["H_out"] - 1) * stride + 1, (sizes["W_out"] - 1) * stride + 1)
    i, j = (v("i"), v("j")) if moment.terms_begun else (0, 0)
    on_dy_focus, on_x_focus = (i, j, 1, 1), (i * stride + u, j * stride + w, 1, 1)
    x, dy, dw = np.asarray(given["x"]), np.asarray(given["dy"]), moment.state.arrays["dw"]
    columns = side_by_side(box, x.shape[2], dy.shape[2], dw.shape[3], unit=unit)
    left, middle, right = columns
    marks, on_x = titled(
        moment, grid.plane(moment, "x", (c,), on_x_focus), left, unit, tr("input"), depth=x.shape[0]
    )
    slid, on_dy = titled(
        moment,
        grid.plane(moment, "dy", (o,), on_dy_focus),
        middle,
        unit,
        moment.gradient_from(),
    )
    filling = grid.plane(moment, "dw", (o, c), (u, w, 1, 1))
    out, on_dw = titled(moment, filling, right, unit, tr("kernel gradient"))
    marks += [*_unpadded(moment, on_x, unit), *slid, *out, *between(on_x, on_dy, on_dw, columns, unit)]
    if moment.terms_begun:
        marks.append(grid.window_outline(on_x, window, "source_line", unit))
        marks.append(grid.outline(on_dy.box, "parameter_line", 3 * unit))
        at = on_dw.cell_of((o, c, u, w))
        if at is not None:
            marks.append(grid.outline(on_dw.box_of(*at), "written_line", 4 * unit))
    return marks


def input_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the turned kernel lying on the spread-out gradient, and the input gradient filling up."""
    v, sizes, given = moment.variable, moment.operation.sizes, moment.operation.call.given
    c, p, q, o = v("c"), v("p"), v("q"), (v("o") if moment.terms_begun else 0)
    window = (p, q, sizes["K_h"], sizes["K_w"])
    dy, w, dx = np.asarray(given["dy"]), np.asarray(given["w"]), moment.state.arrays["dx"]
    area = Box(box.x, box.y, box.w, box.h - 64 * unit) if len(dy) > 1 else box
    columns = side_by_side(area, dy.shape[2], w.shape[3], dx.shape[2], unit=unit)
    left, middle, right = columns
    text = _spread_text(moment.operation.call.placed("dy"), moment.gradient_source())
    marks, on_dy = titled(moment, grid.plane(moment, "dy", (o,), window), left, unit, text, depth=dy.shape[0])
    shown = grid.plane(moment, "w", (o, c), _in_kernel(moment), flipped=True)
    kernel, on_w = titled(moment, shown, middle, unit, tr("kernel, turned by 180°"))
    out, on_dx = titled(
        moment,
        grid.plane(moment, "dx", (c,), (p, q, 1, 1)),
        right,
        unit,
        tr("input gradient"),
        depth=dx.shape[0],
    )
    marks += [*kernel, *out, *between(on_dy, on_w, on_dx, columns, unit)]
    if moment.terms_begun:
        marks.append(grid.window_outline(on_dy, window, "source_line", unit))
        marks.append(grid.outline(on_w.box, "parameter_line", 3 * unit))
        at = on_dx.cell_of((c, p, q))
        if at is not None:
            marks.append(grid.outline(on_dx.box_of(*at), "written_line", 4 * unit))
    if len(dy) > 1:
        over = dy[:, p : p + window[2], q : q + window[3]] * w[:, c, ::-1, ::-1]
        strip = Box(box.x, box.bottom - 46 * unit, box.w, 40 * unit)
        marks += _channel_sums(moment, strip, unit, over.reshape(len(dy), -1), "dy")
    return marks


def _spread_text(placement: Placement, layer: str) -> str:
    """Say where zeros were put into the output gradient: around it, between its values, or both."""
    if not all(placement.kept):
        return tr("from {layer}, nothing but zeros: no window holds a cell of the input", layer=layer)
    around, between = placement.surrounds, placement.spreads
    if around and between:
        return tr("from {layer}, zeros around and between", layer=layer)
    if between:
        return tr("from {layer}, zeros between", layer=layer)
    return tr("from {layer}, zeros around", layer=layer) if around else tr("from {layer}", layer=layer)


def bias_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw one map of the output gradient being added up, and the bias gradient."""
    v = moment.variable
    o = v("o")
    dy = moment.state.arrays["dy"]
    focus = (v("i"), v("j"), 1, 1) if moment.terms_begun else (0, 0, 1, 1)
    left, right = box.columns([max(3.0, min(dy.shape[2], 14)), 3.0], gap=60 * unit)
    text = moment.gradient_from()
    marks, on_dy = titled(moment, grid.plane(moment, "dy", (o,), focus), left, unit, text, depth=dy.shape[0])
    out, on_db = titled(moment, grid.plane(moment, "db", (), (o, 0, 1, 1)), right, unit, tr("bias gradient"))
    marks += out
    if moment.terms_begun:
        marks.append(grid.outline(on_dy.box, "source_line", 3 * unit))
        at = on_db.cell_of((o,))
        if at is not None:
            marks.append(grid.outline(on_db.box_of(*at), "written_line", 4 * unit))
    return marks


def _ones_added_up(back: Back) -> Local:
    return Local("·", np.ones_like(back.value("y")), tr("1, added up"))


def _maps(back: Back) -> Local:
    return Local("∗", back.value("x"), back.called("x"))


def _turned(back: Back) -> Local:
    name = back.called("w")
    return Local("∗", back.value("w")[:, :, ::-1, ::-1], tr("{name}, turned", name=name))


OUTPUT = {"o": "output map", "i": "row", "j": "column"}
KERNEL = {"u": "kernel row", "v": "kernel column"}

KINDS: Mapping[str, Kind] = {
    "conv2d": Kind(
        sentence="Lay the kernel over the input: multiply what lies on top of each other, add it "
        "all up, add the bias.",
        formula=(
            r"\y{o,i,j} = \b{o} + \sum_{c,u,v} \,\w{o,c,u,v}\, \x{c,\,iS+u,\,jS+v}",
            r"H_{\mathrm{out}} = \left\lfloor\frac{H - K_h + 2P}{S}\right\rfloor + 1",
        ),
        variables={**OUTPUT, "c": "input channel", **KERNEL},
        ahead="Each cell of `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them for "
        "each cell.",
        ahead_of_one="Each cell of `y` will be the bias `b` plus one product `w` · `x`.",
        picture=forward,
    ),
    "conv2d.db": Kind(
        title="gradient of the bias",
        sentence="The bias was added to every cell of its output map, so its gradient is the sum "
        "of the map's gradients.",
        formula=(r"\db{o} = \sum_{i,j} \dy{o,i,j}",),
        variables={"o": "output map", "i": "row", "j": "column"},
        ahead="Each `db` will be the sum of all the gradients `dy` of its output map: {terms} of them.",
        ahead_of_one="Each `db` will be the one gradient `dy` of its output map.",
        picture=bias_gradient,
        local=_ones_added_up,
    ),
    "conv2d.dw": Kind(
        title="gradient of the kernels",
        sentence="How much does the loss change with this weight? Slide the output's gradient "
        "over the input and add up.",
        formula=(r"\dw{o,c,u,v} = \sum_{i,j} \,\dy{o,i,j}\; \x{c,\,iS+u,\,jS+v}",),
        variables={
            "o": "kernel",
            "c": "channel",
            "u": "row",
            "v": "column",
            "i": "gradient row",
            "j": "gradient column",
        },
        ahead="Each `dw` will be a sum of products `dy` · `x`: {terms} of them, one for each place of the "
        "kernel.",
        ahead_of_one="Each `dw` will be one product `dy` · `x`.",
        picture=kernel_gradient,
        local=_maps,
    ),
    "conv2d.dx.gathered": Kind(
        title="gradient of the input, gathered",
        sentence="Each input cell gathers from every output it went into: the kernel, turned by "
        "180°, slides over the gradient.",
        formula=(
            r"\dx{c,p,q} = \sum_{o,u,v} \;\part{w}{w^\circlearrowleft_{o,c,u,v}}\, \dy{o,\,p+u,\,q+v}",
            r"\part{w}{w^\circlearrowleft_{o,c,u,v}} = \w{o,c,\,K_h-1-u,\,K_w-1-v}",
        ),
        variables={"c": "channel", "p": "row", "q": "column", "o": "output map", **KERNEL},
        ahead="Each `dx` will be a sum of products `w` · `dy`, the kernel turned by 180°: {terms} of them.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`, the kernel turned by 180°.",
        picture=input_gradient,
        local=_turned,
    ),
}
