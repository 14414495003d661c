"""Convolution: the kernel over the input, and its three gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.generated import is_variant
from cnnviz.engine.layer import Array, Call, shape_text
from cnnviz.engine.pixels import BRIGHTEST
from cnnviz.engine.placement import Placement
from cnnviz.engine.sequences import is_of_sequences
from cnnviz.scene import grid
from cnnviz.scene.arrays import symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.layout import STRONG, THIN, USUAL, Area, Grid, Part, Room, Sign, column, row
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import Back, Local
from cnnviz.scene.look import Look, largest
from cnnviz.scene.marks import Box, Cells, Hotspot, Mark, Rect, Role, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.reduction import reduction
from cnnviz.scene.sheet import Reckoned, Sheet, TooSmallError, head_width, heading, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import lasting_cache, program_cache
from cnnviz.trace.state import ArrayCell
from cnnviz.trace.windows import Windows, windows_of

_SUMS = Area("sums", (24.0, 2.3), (200.0, 2.3))
"""Where the sums by channel stand, under the grids."""

_COLOURS = Area("colours", (4.0, 4.0), (9.0, 9.0), (4.0, 4.0))
"""Where the picture itself stands, whose channels an input has."""


def forward(moment: Moment, room: Room) -> list[Mark]:
    """Draw the window on the input, the kernel over their products, and the output map filling up."""
    v, given, windows = moment.variable, moment.operation.call.given, windows_of(moment.operation.call)
    o, i, j, c = v("o"), v("i"), v("j"), (v("c") if moment.terms_begun else 0)
    window, (rows, columns) = windows.at(i, j), windows.cells(i, j)
    x, w, y = np.asarray(given["x"]), np.asarray(given["w"]), moment.state.arrays["y"]
    depth, first, channel = w.shape[1], windows.channel(o, 0), windows.channel(o, c)
    padded = moment.operation.call.placed("x").surrounds
    text = tr("input, padded with zeros") if padded else moment.came_from()
    source = shown(moment, grid.plane(moment, "x", (channel,), window), text, len(x))
    kernel = shown(
        moment,
        grid.plane(moment, "w", (o, c), _in_kernel(moment)),
        tr("kernel"),
        depth,
        axis=1,
        scaled=False,
    )
    result = shown(moment, grid.plane(moment, "y", (o,), (i, j, 1, 1)), tr("output map"), len(y))
    over = x[first : first + depth, rows, columns] * w[o]
    factors = [
        [
            (
                ("w", (o, c, u, n)),
                ("x", (channel, rows.start + u * rows.step, columns.start + n * columns.step)),
            )
            for n in range(over.shape[2])
        ]
        for u in range(over.shape[1])
    ]
    reach = moment.look("y").reaching(largest_product(moment.operation))
    product = products_of(moment, reach, c, over[c], factors, kernel.part, tr("x · w  products"))
    between = (
        column(kernel.part, product.part, alike=True),
        row(kernel.part, product.part, alike=True),
    )
    tinted = source.plane.of.look.palette in grid.TINTS
    seen = (_COLOURS,) if tinted else ()
    arranged = (
        row(*seen, source.part, between[0], result.part),
        row(*seen, source.part, between[1], result.part),
        column(source.part, between[1], row(result.part, *seen)),
    )
    at = over_sizes(moment, room, *(over_sums(part, depth > 1) for part in arranged))
    if tinted:
        at.marks += _colours(at, windows.at(i, j) if moment.terms_begun else None)
    on_x, on_w, on_y = at.show(source), at.show(kernel), at.show(result)
    unpadded(at, on_x)
    if moment.terms_begun:
        outline_window(at, on_x, windows, i, j, "source_line")
        at.whole(on_w, "parameter_line")
        cell = at.cell(on_y, (o, i, j), "written_line")
        drawn = draw_products(at, product, c)
        if cell is not None:
            at.way(drawn.box, cell, on_y)
    if depth > 1:
        channel_sums(at, over.reshape(depth, -1), "x", o if "b" in given else None, first)
    return at.marks


def _colours(at: Sheet, window: tuple[int, int, int, int] | None) -> list[Mark]:
    """Draw the picture itself that the channels are of, with the window in it."""
    place, call = at.place(_COLOURS.name), at.moment.operation.call
    drawn = _in_true_colours(at.moment.operation, at.moment.look("x").limit, place.box)
    head = Span(tr("picture"), "source", True), Span("", "muted")
    marks: list[Mark] = [*heading(head, place, at.em), drawn]
    if window is not None:
        top, left = call.placed("x").start
        box = grid.window_box(drawn, (window[0] - top, window[1] - left, *window[2:]))
        rims = (("ground", 0.4), ("source_line", USUAL))  # seen on any colour
        marks += [grid.outline(box, colour, thick * at.em) for colour, thick in rims if box.w and box.h]
    return marks


@program_cache(64)
def _in_true_colours(operation: Operation, limit: float, room: Box) -> Cells:
    """Return the picture whose channels an input is, as large as it fits."""
    channels = np.asarray(operation.call.unpadded("x", np.asarray(operation.call.given["x"])))
    side = min(room.w / channels.shape[2], room.h / channels.shape[1])
    place = Box(room.x, room.y, side * channels.shape[2], side * channels.shape[1])
    red, green, blue = np.clip(np.rint(np.nan_to_num(channels) / limit * BRIGHTEST), 0, BRIGHTEST)
    return Cells(place, red * 65536 + green * 256 + blue, palette="rgb", cached=True)


def _bias(moment: Moment, o: int) -> str:
    """Write the bias that a sum begins with."""
    if moment.letters:
        return moment.cell_text("b", (o,))
    alike = "b" if moment.look("b").power == moment.look("y").power else "y"  # the heading says one power
    return moment.look(alike).bare(float(np.asarray(moment.operation.call.given["b"])[o]))


def outline_window(at: Sheet, on: Cells, windows: Windows, i: int, j: int, colour: Role) -> None:
    """Outline a window; of one with holes, thinly all of it, and the cells that it is made of."""
    holes = windows.rate != (1, 1)
    at.window(on, windows.at(i, j), colour, THIN if holes else STRONG)
    for cell in windows.each_cell(i, j) if holes else ():
        box = grid.window_box(on, (*cell, 1, 1))
        if box.w and box.h:
            at.marks.append(grid.outline(box, colour, USUAL * at.em))


def over_sums(arranged: Part, sums: bool) -> Part:
    """Return an arrangement over the sums by channel, if there are several."""
    return column(arranged, _SUMS, gap=0.6) if sums else arranged


def over_sizes(moment: Moment, room: Room, *arranged: Part) -> Sheet:
    """Set one of some arrangements over the formula of the sizes, where there is room for that."""
    said = size_formula(moment.operation)
    line = Area("sizes", (width(said), 1.4), (200.0, 1.4))
    try:
        at = sheet(moment, room, *(column(part, line, gap=0.6) for part in arranged))
    except TooSmallError:
        return sheet(moment, room, *arranged)
    at.marks.append(label(at.place("sizes").box, said, at.em, "muted"))
    return at


@lasting_cache(256)
def size_formula(operation: Operation) -> str:
    """Write F, S and P, and how large the output is by them: ``(8 − 3 + 2 · 1) / 1 + 1 = 8``."""
    call, windows = operation.call, windows_of(operation.call)
    placed, shape = call.placement("x"), np.shape(call.value("y"))[1:]
    axes = len(shape)  # one of sequences
    size = (placed.own if placed else np.shape(call.given["x"]))[-axes:]
    around = placed.around[-axes:] if placed else ((0, 0),) * axes
    along = [*zip(size, windows.extent, windows.stride, around, shape, strict=False)]
    written = [_extent(*sizes) for sizes in along]
    if axes == 1:
        said = tr("length: {size}", size=written[0])
    elif along[0] == along[1]:
        said = tr("rows and columns: {size}", size=written[0])
    else:
        said = tr("rows: {rows};  columns: {columns}", rows=written[0], columns=written[1])
    parts = [f"F = {_pair(windows.kernel[:axes])}"]
    if windows.rate != (1, 1):
        rate, extent = _pair(windows.rate[:axes]), _pair(windows.extent[:axes])
        parts.append(tr("R = {rate}, so it spans {extent}", rate=rate, extent=extent))
    parts.append(f"S = {_pair(windows.stride[:axes])}")
    pads = [str(pad[0]) if pad[0] == pad[1] else f"{pad[0]} + {pad[1]}" for pad in around]
    alike = len(set(pads)) == 1
    parts.append(f"P = {pads[0] if alike else tr('{rows} by {columns}', rows=pads[0], columns=pads[1])}")
    return f"{', '.join(parts)};  {said}"


def _pair(sizes: Sequence[int]) -> str:
    """Write the same number for rows and columns once."""
    return str(sizes[0]) if len(set(sizes)) == 1 else shape_text(tuple(sizes))


def _extent(size: int, kernel: int, stride: int, pads: tuple[int, int], result: int) -> str:
    """Write how many places a kernel has along an axis."""
    first, last = pads
    padding = f"2 · {first}" if first == last else f"{first} + {last}"
    inside = f"({size} − {kernel} + {padding}) / {stride}"
    whole = (size - kernel + first + last) % stride == 0
    return f"{inside if whole else f'⌊{inside}⌋'} + 1 = {result}"


def unpadded(at: Sheet, on: Cells, name: str = "x") -> None:
    """Outline an array within its padding, so that its own zeros and black pixels are not taken for it."""
    placement = at.moment.operation.call.placement(name)
    if placement is not None and placement.surrounds:
        black = on.palette == "pixel" and not at.moment.letters
        at.window(on, (*placement.start, *placement.own), "on_dark" if black else "line", 0.4 * THIN)


def _in_kernel(moment: Moment) -> tuple[int, int, int, int]:
    """Return the weight that is read, or was read last, as what must be seen of a large kernel."""
    reads = dict(moment.state.reads)
    if "w" in reads:
        return grid.cell_focus(reads["w"])
    u, v, sizes = moment.variable("u"), moment.variable("v"), moment.operation.sizes
    turned = moment.operation.call.form == "gathered"
    return (sizes["K_h"] - 1 - u, sizes["K_w"] - 1 - v, 1, 1) if turned else (u, v, 1, 1)


def channel_sums(
    at: Sheet, products: Array, name: str, bias: int | None = None, from_channel: int = 0
) -> None:
    """Draw what the sum is made of: the bias, then what each channel adds, as far as it is computed.

    Of many channels some are shown one by one, and those before them by their sum.

    Parameters
    ----------
    products : Array
        The terms of the cell in work, a row for each channel of what is summed over.
    name : str
        The array whose channels they are.
    bias : int, optional
        The cell of the bias that the sum begins with.
    from_channel : int
        The first of the channels.
    """
    moment, em, box = at.moment, at.em, at.place("sums").box
    found, begun = reduction(moment), moment.terms_begun
    done = found.done if found and begun else 0
    count, each = products.shape
    look = moment.look(moment.operation.call.result)
    said = tr("{name} by channel", name=symbol(moment.operation, name)) + look.factor
    lead, gap = (width(said) + 0.4) * em, 1.3 * em
    least = 1.5 + 0.6 * look.width  # of a cell
    shown = max(1, min(count, 7, int((box.w - lead) / (least * em + gap)) - 1 - (bias is not None)))
    shown = shown if shown == count else max(1, shown - 1)
    current = max(0, done - 1) // each
    first = current // shown * shown
    spans = [(k, k + 1) for k in range(first, min(first + shown, count))]
    if first:
        spans.insert(0, (0, first))
    cells = len(spans) + (bias is not None) + 1
    wide = min(6.6 * em, (box.w - lead) / cells - gap)
    at.marks.append(label(Box(box.x, box.y, lead, box.h), said, em, "muted"))
    place = Box(box.x + lead - wide - gap, box.y, wide, box.h)
    if bias is not None:
        place = place._replace(x=box.x + lead)
        _sum_cell(at, place, "b", _bias(moment, bias) if begun else "", "parameter")
        at.marks.append(Hotspot(place, "cell", "b", index=(bias,)))
    for begin, end in spans:
        place = place._replace(x=place.right + gap)
        if begin > 0 or bias is not None:
            _sign_before(at, place, "+")
        added = products[begin:end].ravel()[: max(0, done - begin * each)]
        text = tr("Σ") if moment.letters else look.bare(float(added.sum()))
        named = (from_channel + begin, from_channel + end - 1)
        span = f"[{named[0]}]" if end == begin + 1 else f"[{named[0]}–{named[1]}]"
        here = begin == current and len(added) > 0
        _sum_cell(at, place, span, text if len(added) else "", "source", current=here)
        if len(added):
            at.marks.append(Hotspot(place, "terms", line=begin * each, count=len(added)))
    last = first + shown >= count
    place = place._replace(x=place.right + (gap if last else 2 * gap))
    if not last:
        _sign_before(at, place._replace(x=place.x - gap), "…")
    whole = tr("Σ") if moment.letters else look.bare(float(moment.state.variables.get("acc", 0.0)))
    complete = done == products.size
    _sign_before(at, place, "=")
    roomy = width(tr("sum")) + width(whole, True) + 0.9 <= place.w / em  # else the sign = says it
    _sum_cell(at, place, tr("sum") if roomy else "", whole if complete else "", "written", current=complete)
    if complete and "acc" in moment.state.variables:
        at.marks.append(Hotspot(place, "value", "acc"))


def _sign_before(at: Sheet, place: Box, sign: str) -> None:
    between = Box(place.x - 1.3 * at.em, place.y, 1.3 * at.em, place.h)
    at.marks.append(label(between, sign, 1.15 * at.em, "muted", align="center"))


def _sum_cell(at: Sheet, place: Box, name: str, text: str, colour: str, current: bool = False) -> None:
    em = at.em
    line, inner = f"{colour}_line" if current else "panel_line", place.inset(0.35 * em, 0)
    named = min(width(name) * em, 0.5 * inner.w)
    at.marks += [
        Rect(place, "panel", line, (0.15 if current else 0.06) * em, 0.24 * em, hatched=not text),
        label(inner._replace(w=named + 1), name, em, colour),
        label(
            Box(inner.x + named, place.y, inner.w - named, place.h),
            text,
            em,
            "ink",
            bold=current,
            align="right",
        ),
    ]


def products_of(
    moment: Moment,
    look: Look,
    channel: int,
    values: Array,
    factors: Sequence[Sequence[Sequence[ArrayCell]]],
    like: Grid,
    text: str,
) -> Reckoned:
    """Return the products of a kernel's channel as far as they are computed, as large as the kernel.

    Parameters
    ----------
    look : Look
        How they are coloured and written: as what they are added into, so far as its scale holds them.
    factors : Sequence[Sequence[Sequence[ArrayCell]]]
        What is multiplied in each cell, for its name in letters.
    """
    head = (Span(text + look.factor, "ink", True),)
    figures = max(like.figures, grid.figures(look))
    part = Grid("products", values.shape[0], values.shape[1], figures, head_width(head))
    missing = np.arange(values.size).reshape(values.shape) >= _done(moment, channel, values.size)
    return Reckoned(values, look, missing, head, part, factors)


def _done(moment: Moment, channel: int, count: int) -> int:
    found = reduction(moment)
    return (found.done if found else 0) - channel * count


def draw_products(at: Sheet, product: Reckoned, channel: int) -> Cells:
    """Draw products, the last one outlined."""
    drawn, found, count = at.reckon(product), reduction(at.moment), product.values.size
    first, seen, columns = channel * count, drawn.values.size, drawn.values.shape[1]
    done = _done(at.moment, channel, count)
    at.marks += [
        Hotspot(drawn.box_of(*divmod(k, columns)), "terms", line=first + k) for k in range(min(done, seen))
    ]
    if found and found.current and 0 < done <= count:
        at.marks.append(grid.outline(drawn.box_of(*divmod(done - 1, columns)), "source_line", 0.18 * at.em))
    return drawn


@program_cache(64)
def largest_product(operation: Operation, on: str = "x", made: str = "y") -> float:
    """Return the size of the largest product that a convolution of one array to another adds up."""
    x, w, y = (np.asarray(operation.call.value(name)) for name in (on, "w", made))
    if is_of_sequences(operation.call):
        x, w, y = x[..., None], w[..., None], y[..., None]
    windows, (_, depth, high, wide) = windows_of(operation.call), w.shape
    (down, right), (rate_h, rate_w) = windows.stride, windows.rate
    seen = np.stack(
        [
            largest(
                x[:, top : top + down * y.shape[1] : down, left : left + right * y.shape[2] : right], (1, 2)
            )
            for top in range(0, high * rate_h, rate_h)
            for left in range(0, wide * rate_w, rate_w)
        ],
        axis=1,
    )
    groups = len(x) // depth
    kernels = w.reshape(groups, -1, depth, high * wide)
    return float((largest(kernels, 1) * seen.reshape(groups, depth, -1)).max())


def kernel_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the output gradient lying on the input, and the kernel gradient filling up."""
    v, sizes, windows = moment.variable, moment.operation.sizes, windows_of(moment.operation.call)
    o, c, u, w = v("o"), v("c"), v("u"), v("v")
    (down, right), (top, left) = windows.stride, (u * windows.rate[0], w * windows.rate[1])
    window = (top, left, (sizes["H_out"] - 1) * down + 1, (sizes["W_out"] - 1) * right + 1)
    i, j = (v("i"), v("j")) if moment.terms_begun else (0, 0)
    place, channel = (i * down + top, j * right + left, 1, 1), windows.channel(o, c)
    seen = grid.plane(moment, "x", (channel,), place)
    source = shown(moment, seen, tr("input"), len(np.asarray(moment.operation.call.given["x"])))
    come = shown(moment, grid.plane(moment, "dy", (o,), (i, j, 1, 1)), moment.gradient_from())
    result = shown(moment, grid.plane(moment, "dw", (o, c), (u, w, 1, 1)), tr("kernel gradient"))
    parts = source.part, Sign("∗"), come.part, Sign("="), result.part
    at = sheet(moment, room, row(*parts), column(row(*parts[:3]), row(*parts[3:])), column(*parts))
    on_x, on_dy, on_dw = at.show(source), at.show(come), at.show(result)
    unpadded(at, on_x)
    if moment.terms_begun:
        at.window(on_x, window, "source_line")
        at.whole(on_dy, "parameter_line")
        at.cell(on_dw, (o, c, u, w), "written_line")
    return at.marks


def input_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the turned kernel lying on the spread-out gradient, and the input gradient filling up."""
    v, given = moment.variable, moment.operation.call.given
    windows = replace(windows_of(moment.operation.call), stride=(1, 1))
    c, p, q = v("c"), v("p"), v("q")
    window, (rows, columns) = windows.at(p, q), windows.cells(p, q)
    first, place = windows.kernel_and_place(c)
    o = first + (v("m" if windows.kernels else "o") if moment.terms_begun else 0)
    dy, w, dx = np.asarray(given["dy"]), np.asarray(given["w"]), moment.state.arrays["dx"]
    count = windows.kernels or len(dy)
    text = spread_text(moment.operation.call.placed("dy"), moment.gradient_source())
    come = shown(moment, grid.plane(moment, "dy", (o,), window), text, len(dy))
    turned = grid.plane(moment, "w", (o, place), _in_kernel(moment), flipped=True)
    kernel = shown(moment, turned, tr("turned by 180°"))
    result = shown(moment, grid.plane(moment, "dx", (c,), (p, q, 1, 1)), tr("input gradient"), len(dx))
    parts = come.part, Sign("∗"), kernel.part, Sign("="), result.part
    arranged = row(*parts), column(row(*parts[:3]), row(*parts[3:])), column(*parts)
    at = sheet(moment, room, *(over_sums(each, count > 1) for each in arranged))
    on_dy, on_w, on_dx = at.show(come), at.show(kernel), at.show(result)
    if moment.terms_begun:
        outline_window(at, on_dy, windows, p, q, "source_line")
        at.whole(on_w, "parameter_line")
        at.cell(on_dx, (c, p, q), "written_line")
    if count > 1:
        kernels = slice(first, first + count)
        over = dy[kernels, rows, columns] * w[kernels, place, ::-1, ::-1]
        channel_sums(at, over.reshape(count, -1), "dy", from_channel=first)
    return at.marks


def spread_text(placement: Placement, layer: str) -> str:
    """Say where zeros were put into the output gradient: around it, between its values, or both."""
    if not all(placement.inside):
        return tr("from {layer}, nothing but zeros: no window holds a cell of the input", layer=layer)
    around, between = placement.surrounds, placement.spreads
    if around and between:
        return tr("from {layer}, zeros around and between", layer=layer)
    if between:
        return tr("from {layer}, zeros between", layer=layer)
    return tr("from {layer}, zeros around", layer=layer) if around else tr("from {layer}", layer=layer)


def bias_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw one map of the output gradient being added up, and the bias gradient."""
    v = moment.variable
    o = v("o")
    focus = (v("i"), v("j"), 1, 1) if moment.terms_begun else (0, 0, 1, 1)
    depth = len(moment.state.arrays["dy"])
    come = shown(moment, grid.plane(moment, "dy", (o,), focus), moment.gradient_from(), depth)
    result = shown(moment, grid.plane(moment, "db", (), (o, 0, 1, 1)), tr("bias gradient"))
    at = sheet(moment, room, row(come.part, result.part, gap=3.0), column(come.part, result.part))
    on_dy, on_db = at.show(come), at.show(result)
    if moment.terms_begun:
        at.whole(on_dy, "source_line")
        at.cell(on_db, (o,), "written_line")
    return at.marks


def _ones_added_up(back: Back) -> Local:
    return Local("·", np.ones_like(back.value("y")), tr("1, added up"))


def _maps(back: Back) -> Local:
    return Local("∗", back.value("x"), back.called("x"))


def _turned(back: Back) -> Local:
    name = back.called("w")
    return Local("∗", back.value("w")[:, :, ::-1, ::-1], tr("{name}, turned", name=name))


OUTPUT = {"o": "output map", "i": "row", "j": "column"}
KERNEL = {"u": "kernel row", "v": "kernel column"}


def _formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return what a cell is, and how many rows there are."""
    plain = not is_variant(call.listing) and not is_of_sequences(call)
    cell = (_CELL,) if plain else listing_formulas(call, line)
    stride, rate = (name if name in call.given else f"{name}_h" for name in "SR")
    axes = 1 if is_of_sequences(call) else 2
    length, kernel = ("L", "K") if axes == 1 else ("H", "K_h")
    above, below = call.placed("x").around[-axes]
    ends = ("before", "behind") if axes == 1 else ("above", "below")
    padding = "2P" if above == below else rf"P_{{\mathrm{{{ends[0]}}}}} + P_{{\mathrm{{{ends[1]}}}}}"
    window = kernel if rate not in call.given else rf"{rate} ({kernel} - 1) - 1"
    rows = rf"{length} - {window} + {padding}"
    return (*cell, rf"{length}_{{\mathrm{{out}}}} = \left\lfloor\frac{{{rows}}}{{{stride}}}\right\rfloor + 1")


_CELL = r"\y{o,i,j} = \b{o} + \sum_{c,u,v} \,\w{o,c,u,v}\, \x{c,\,iS+u,\,jS+v}"

_FORWARD = Kind(
    sentence="Lay the kernel over the input: multiply what lies on top of each other, add it "
    "all up, add the bias.",
    formula=_formulas,
    variables={**OUTPUT, "c": "input channel", **KERNEL},
    ahead="Each cell of `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them for "
    "each cell.",
    ahead_of_one="Each cell of `y` will be the bias `b` plus one product `w` · `x`.",
    picture=forward,
)

KINDS: Mapping[str, Kind] = {
    "conv2d": _FORWARD,
    "conv2d.without_bias": replace(
        _FORWARD,
        sentence="Lay the kernel over the input: multiply what lies on top of each other, add it all up.",
        ahead="Each cell of `y` will be a sum of products `w` · `x`: {terms} of them for each cell.",
        ahead_of_one="Each cell of `y` will be one product `w` · `x`.",
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
        variables={
            **{"c": "channel", "p": "row", "q": "column"},
            **{"o": "output map", "m": "kernel of the group", **KERNEL},
        },
        ahead="Each `dx` will be a sum of products `w` · `dy`, the kernel turned by 180°: {terms} of them.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`, the kernel turned by 180°.",
        picture=input_gradient,
        local=_turned,
    ),
}
