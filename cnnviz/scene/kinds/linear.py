"""The fully connected layer: Wᵀ on X plus b, and its gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.layout import STRONG, THIN, USUAL, Grid, Map, Room, Sign, column, row
from cnnviz.scene.letters import products as in_letters
from cnnviz.scene.local import Back, Local, ones
from cnnviz.scene.look import largest
from cnnviz.scene.marks import Box, Cells, Hotspot, Mark, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.reduction import reduction
from cnnviz.scene.sheet import (
    Sheet,
    Shown,
    head_width,
    heading,
    named,
    page_of,
    part_said,
    sheet,
    shown,
)
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache

_SMALL = 8
"""Matrices up to this many rows and columns are written as in a book."""


def forward(moment: Moment, room: Room) -> list[Mark]:
    """Draw Wᵀ · X + b = Z whole if it is small, else all of W and the page of it in hand."""
    sizes = moment.operation.sizes
    if sizes["N_in"] <= _SMALL and sizes["N_out"] <= _SMALL:
        return _whole(moment, room)
    return _paged(moment, room)


def _whole(moment: Moment, room: Room) -> list[Mark]:
    n = moment.variable("n")
    planes = (grid.row_plane(moment, "w"), *(grid.plane(moment, name) for name in "xby"))
    parts: list[Grid | Sign] = []
    heads: list[tuple[Span, Span]] = []
    for plane, letter, sign in zip(planes, ("Wᵀ", "X", "b", "Z"), "·+= ", strict=True):
        name, (rows, columns), look = plane.of.name, plane.values.shape, plane.of.look
        called = moment.called(name) if name in "xy" else ""
        colour = role(moment.operation, name)
        said = (f"{letter} = {called}" if called else letter) + look.factor
        heads.append((Span(said, colour, True), Span(f"{rows} × {columns}", colour)))
        figures = grid.figures(look)
        parts += [Grid(name, rows, columns, figures, head_width(heads[-1])), Sign(sign)]
    parts = parts[:-1]
    at = sheet(
        moment,
        room,
        row(*parts, alike=True, middle=True),
        column(row(*parts[:4], alike=True, middle=True), row(*parts[4:], alike=True, middle=True)),
    )
    for plane, head in zip(planes, heads, strict=True):
        name, place = plane.of.name, at.place(plane.of.name)
        at.marks += heading(head, place, at.em)
        drawn = grid.cells(plane, place.box, place.size)
        at.marks += [drawn, *grid.outlines(moment, drawn, at.em)]
        if name != "x" and moment.terms_begun:
            line = "written_line" if name == "y" else "parameter_line"
            neuron = drawn.box_of(n, 0, 1, plane.values.shape[1])
            at.marks.append(grid.outline(neuron, line, STRONG * at.em))
    return at.marks


def _paged(moment: Moment, room: Room) -> list[Mark]:
    """Draw W whole with the page in hand marked, and that page's weights, inputs and products as numbers."""
    sizes, em = moment.operation.sizes, room.em
    inputs, neurons = sizes["N_in"], sizes["N_out"]
    n, m = moment.variable("n"), (moment.variable("m") if moment.terms_begun else 0)
    told = Span("Wᵀ", "parameter", True), Span(tr("{n} neurons × {m} inputs", n=neurons, m=inputs), "muted")
    whole = Map("w.whole", neurons, inputs, head_width(told))
    weights, sources = (_row_part(moment, name, inputs) for name in "wx")
    product = _products_part(moment, weights)
    biases = shown(moment, grid.plane(moment, "b", (), (n, 0, 1, 1)), tr("bias"), scaled=False)
    outputs = shown(moment, grid.plane(moment, "y", (), (n, 0, 1, 1)), tr("Z, output"), scaled=False)
    pages = column(weights, sources, product, gap=0.3, alike=True)
    at = sheet(
        moment,
        room,
        row(column(whole, pages), biases.part, outputs.part),
        column(whole, pages, row(biases.part, outputs.part)),
    )
    drawn = grid.cells(grid.row_plane(moment, "w"), at.place("w.whole").box, 0.0)
    at.marks += [*heading(told, at.place("w.whole"), em), drawn]
    page = page_of(m, inputs, at.place("w").columns)
    if moment.terms_begun:
        at.marks.append(grid.outline(drawn.box_of(n, 0, 1, inputs), "parameter_line", USUAL * em))
        seen = drawn.box_of(n, page.start, 1, len(page))
        at.marks.append(grid.outline(seen, "source_line", USUAL * em))
    w, x = (np.asarray(moment.state.arrays[name]) for name in "wx")
    on = [
        _piece(at, "w", w[:, n], page, "cr", (), n),
        _piece(at, "x", x, page, "c", (), 0),
    ]
    _products(at, w[:, n] * x, page, on)
    _column_of(at, biases, n)
    _column_of(at, outputs, n)
    return at.marks


def _row_part(moment: Moment, name: str, count: int) -> Grid:
    """Return a long row that is cut to a page; its heading has room for what is said of it."""
    look = moment.look(name)
    figures = max(
        grid.figures(look),
        2.6,  # so that rows under one another are as wide
    )
    head = Span(_row_name(moment, name, range(count - 1, count), (), count - 1)), Span("")
    return Grid(name, 1, count, figures, head_width(head), cut="row")


def _products_part(moment: Moment, like: Grid) -> Grid:
    """Return the part of the products of two rows, as long as they are."""
    look = moment.look(moment.operation.call.result).reaching(_largest_product(moment.operation))
    figures = max(like.figures, grid.figures(look))
    head = head_width((Span(tr("products") + look.factor, "ink", True),))
    return like._replace(name="products", figures=figures, head=head)


def _row_name(moment: Moment, name: str, page: range, prefix: tuple[int, ...], own: int | None) -> str:
    """Return what a piece of a row is called: ``w[8…15, 3]``."""
    ends = f"{page.start}…{page.stop - 1}"
    index = [*map(str, prefix), ends, *([] if own is None else [str(own)])]
    return f"{symbol(moment.operation, name)}[{', '.join(index)}]{moment.look(name).factor}"


def _piece(
    at: Sheet, name: str, values: Array, page: range, axes: str, prefix: tuple[int, ...], own: int
) -> Cells:
    """Draw the page of a row under what it is called."""
    moment, place = at.moment, at.place(name)
    look, piece = moment.look(name), values[None, page.start : page.stop]
    drawn = Cells(
        place.box,
        piece,
        name,
        prefix,
        (own, page.start) if axes == "cr" else (0, page.start),
        axes,
        look.palette,
        look.limit,
        grid.texts(piece, look, place.box, place.size) if place.size else (),
        place.size,
    )
    said = _row_name(moment, name, page, prefix, own if axes == "cr" else None)
    at.marks += heading((Span(said, role(moment.operation, name), True),), place, at.em)
    at.marks += [drawn, *grid.outlines(moment, drawn, at.em)]
    return drawn


def _products(at: Sheet, values: Array, page: range, factors: list[Cells]) -> None:
    """Draw the products of two rows as far as they are computed, the last one outlined."""
    moment, place = at.moment, at.place("products")
    piece, found = values[None, page.start : page.stop], reduction(moment)
    done = found.done if found and moment.terms_begun else 0
    missing = np.arange(page.start, page.stop)[None] >= done
    into = moment.look(moment.operation.call.result)  # what they add up to
    look = into.reaching(_largest_product(moment.operation))
    at.marks += heading((Span(tr("products") + look.factor, "ink", True),), place, at.em)
    drawn = Cells(
        place.box,
        piece,
        palette=look.palette,
        limit=look.limit,
        texts=grid.texts(piece, look, place.box, place.size, missing) if place.size else (),
        size=place.size,
        missing=missing,
    )
    if moment.letters and drawn.texts:
        names = [[[(on.array, on.index_of(0, k)) for on in factors] for k in range(len(page))]]
        drawn = in_letters(moment.names, drawn, names, at.em)
    at.marks.append(drawn)
    taken = range(page.start, min(page.stop, done))
    at.marks += [Hotspot(drawn.box_of(0, k - page.start), "terms", line=k) for k in taken]
    if page.start < done <= page.stop:
        at.marks.append(grid.outline(drawn.box_of(0, done - 1 - page.start), "source_line", USUAL * at.em))


def _column_of(at: Sheet, what: Shown, k: int) -> None:
    """Draw a vector, the cell in hand outlined."""
    on = at.show(what)
    if at.moment.terms_begun:
        colour = role(at.moment.operation, what.part.name)
        at.cell(on, (k,), f"{colour}_line")


@program_cache(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that a neuron, or an input's gradient, adds up."""
    given = operation.call.given
    name, axis = ("x", 1) if "x" in given else ("dy", 0)
    return float((largest(np.asarray(given["w"]), axis) * largest(np.asarray(given[name]), ())).max())


def weight_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the outer product: the input as a column, the gradient as a row, their products as a table."""
    sizes = moment.operation.sizes
    inputs, neurons = sizes["N_in"], sizes["N_out"]
    m, n = moment.variable("m"), moment.variable("n")
    small = inputs <= _SMALL and neurons <= _SMALL  # with the shapes written to it
    come = moment.gradient_from()
    looks = [moment.look(name) for name in ("x", "dy", "dw")]
    figures = max(grid.figures(look) for name, look in zip(("x", "dy", "dw"), looks, strict=True))
    over = named(moment, "dy", f"1 × {neurons}, {come}" if small else come)
    beside = named(moment, "x", f"{inputs} × 1" if small else "")
    under = named(moment, "dw", f"{inputs} × {neurons}") if small else (Span(""), Span(""))
    # A row and a column more than the table has: the gradient stands over it, the input left of it.
    table = Grid(
        "table",
        inputs + 1,
        neurons + 1,
        figures,
        head_width(over),
        head_width(beside)[1] + 1.9,
        scale=head_width(under)[0],  # which stands under it
        cut="both",
    )
    whole = Map("dw.whole", inputs, neurons, head_width(_told(moment)))
    at = sheet(moment, room, *([table] if small else [row(table, whole, gap=3.0), column(table, whole)]))
    window = _outer(at, (m, n), (over, beside, under))
    if not small:
        overview = grid.cells(grid.plane(moment, "dw"), at.place("dw.whole").box, 0.0)
        page = grid.outline(overview.box_of(*window), "written_line", THIN * at.em)
        at.marks += [*heading(_told(moment), at.place("dw.whole"), at.em), overview, page]
    return at.marks


def _told(moment: Moment) -> tuple[Span, Span]:
    text = tr("whole: {m} × {n}", m=moment.operation.sizes["N_in"], n=moment.operation.sizes["N_out"])
    return Span("∂E/∂W" + moment.look("dw").factor, "written", True), Span(text, "muted")


def _outer(
    at: Sheet, cell: tuple[int, int], heads: tuple[tuple[Span, Span], ...]
) -> tuple[int, int, int, int]:
    """Draw the page of the table with its row and its column; return which part of the table it is."""
    moment, em, place, (m, n) = at.moment, at.em, at.place("table"), cell
    sizes, box = moment.operation.sizes, place.box
    rows = page_of(m, sizes["N_in"], place.rows - 1)
    columns = page_of(n, sizes["N_out"], place.columns - 1)
    wide, high, gap = box.w / place.columns, box.h / place.rows, round(0.4 * em)
    left, top = box.x + wide, box.y + high
    across, down = wide * len(columns), high * len(rows)
    window = (rows.start, columns.start, len(rows), len(columns))
    planes = (
        (
            grid.row_plane(moment, "dy"),
            Box(left, box.y - gap, across, high),
            (0, columns.start, 1, len(columns)),
        ),
        (grid.plane(moment, "x"), Box(box.x - gap, top, wide, down), (rows.start, 0, len(rows), 1)),
        (grid.plane(moment, "dw"), Box(left, top, across, down), window),
    )
    for plane, where, seen in planes:
        drawn = grid.cells(plane, where, place.size, seen)
        at.marks += [drawn, *grid.outlines(moment, drawn, em)]
    if moment.terms_begun:
        at.marks.append(
            grid.outline(drawn.box_of(m - rows.start, n - columns.start), "written_line", STRONG * em)
        )
    over, beside, under = heads
    if len(columns) < sizes["N_out"]:
        over = over[0], Span(f"{over[1].text}, {part_said(columns, sizes['N_out'])}", "muted")
    at.marks += heading(over, place._replace(head=place.head._replace(h=place.head.h - gap)), em)
    where = Box(place.head.x, top, box.x - gap - place.head.x - em, 3.2 * em)
    at.marks += heading(beside, place._replace(head=where, box=where, lines=2), em)
    where = Box(left, top + down + 0.3 * em, max(across, 12 * em), 1.75 * em)
    at.marks += heading(under, place._replace(head=where, box=where, lines=1), em)
    return window


def input_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw one input's weights on the neurons' gradients, and the input gradient filling up."""
    neurons = moment.operation.sizes["N_out"]
    m, n = moment.variable("m"), (moment.variable("n") if moment.terms_begun else 0)
    weights, come = (_row_part(moment, name, neurons) for name in ("w", "dy"))
    product = _products_part(moment, weights)
    result = shown(moment, grid.plane(moment, "dx", (), (m, 0, 1, 1)), tr("input gradient"), scaled=False)
    pages = column(weights, come, product, gap=0.3, alike=True)
    at = sheet(moment, room, row(pages, result.part), column(pages, result.part))
    page = page_of(n, neurons, at.place("w").columns)
    w, dy = (np.asarray(moment.state.arrays[name]) for name in ("w", "dy"))
    on = [_piece(at, "w", w[m], page, "c", (m,), 0), _piece(at, "dy", dy, page, "c", (), 0)]
    _products(at, w[m] * dy, page, on)
    _column_of(at, result, m)
    return at.marks


def bias_gradient(moment: Moment, room: Room) -> list[Mark]:
    """Draw the output gradient beside the bias gradient."""
    n = moment.variable("n")
    come = shown(moment, grid.plane(moment, "dy", (), (n, 0, 1, 1)), moment.gradient_from())
    result = shown(moment, grid.plane(moment, "db", (), (n, 0, 1, 1)), tr("bias gradient"))
    at = sheet(moment, room, row(come.part, result.part, gap=3.0), column(come.part, result.part))
    for each in (come, result):
        _column_of(at, each, n)
    return at.marks


def _column(back: Back) -> Local:
    return Local("⊗", back.value("x")[:, None], back.called("x"))


def _weights(back: Back) -> Local:
    return Local("·", back.value("w").T, f"{back.called('w')}ᵀ")


KINDS: Mapping[str, Kind] = {
    "linear": Kind(
        sentence="Each neuron weighs every input, adds it all up and adds its bias.",
        formula=(
            r"\part{y}{Z} = \part{w}{W^{\!\mathrm T}} \part{x}{X} + \b{}",
            r"\part{y}{z_n} = \sum_m \,\w{m,n}\, \x{m} + \b{n}",
        ),
        variables={"n": "neuron", "m": "input"},
        ahead="Each `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them, one for "
        "each input.",
        ahead_of_one="Each `y` will be the bias `b` plus one product `w` · `x`.",
        picture=forward,
    ),
    "linear.db": Kind(
        title="gradient of the bias",
        sentence="A bias moves its neuron's output one for one, so their gradients are the same.",
        formula=(r"\db{n} = \dy{n}",),
        variables={"n": "neuron"},
        ahead="Each `db` will be the same number as the `dy` of its neuron.",
        picture=bias_gradient,
        local=ones,
    ),
    "linear.dw": Kind(
        title="gradient of the weights",
        sentence="A weight matters as much as the input it multiplies: input times gradient, one product per "
        "weight.",
        formula=(
            r"\dw{} = \x{} \part{dy}{\left(\frac{\partial E}{\partial y}\!\right)^{\mathrm T}}",
            r"\dw{m,n} = \x{m}\; \dy{n}",
        ),
        variables={"m": "input", "n": "neuron"},
        ahead="Each `dw` will be one product: the `x` that its weight multiplies, times the `dy` of its "
        "neuron.",
        picture=weight_gradient,
        local=_column,
    ),
    "linear.dx": Kind(
        title="gradient of the input",
        sentence="Each input went into every neuron: add up the neurons' gradients, each times "
        "the weight between them.",
        formula=(r"\dx{} = \w{}\; \dy{}", r"\dx{m} = \sum_n \,\w{m,n}\; \dy{n}"),
        variables={"m": "input", "n": "neuron"},
        ahead="Each `dx` will be a sum of products `w` · `dy`: {terms} of them, one for each neuron.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`.",
        picture=input_gradient,
        local=_weights,
    ),
}
