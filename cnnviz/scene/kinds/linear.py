"""The fully connected layer: Wᵀ on X plus b, and its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds.layout import part, with_part
from cnnviz.scene.letters import products as in_letters
from cnnviz.scene.local import Back, Local, ones
from cnnviz.scene.look import largest
from cnnviz.scene.marks import Box, Cells, Label, Mark, Run, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

# What a neuron gets of the heatmap of all weights at least, at 1080 lines.
_THINNEST = 13


def forward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw Wᵀ · X + b = Z whole if its numbers can be read, else an overview and the page in hand."""
    sizes = moment.operation.sizes
    if sizes["N_in"] <= 8 and sizes["N_out"] <= 8:
        return _whole(moment, box, unit)
    return _paged(moment, box, unit)


def _whole(moment: Moment, box: Box, unit: float) -> list[Mark]:
    sizes = moment.operation.sizes
    inputs, neurons = sizes["N_in"], sizes["N_out"]
    n = moment.variable("n")
    head = 34 * unit
    side = min((box.h - head) / max(inputs, neurons), box.w / (inputs + 3 + 3.4), 112 * unit)
    planes = (
        (grid.row_plane(moment, "w"), "Wᵀ", inputs, neurons),
        (grid.plane(moment, "x"), "X", 1, inputs),
        (grid.plane(moment, "b"), "b", 1, neurons),
        (grid.plane(moment, "y"), "Z", 1, neurons),
    )
    marks: list[Mark] = []
    middle = box.y + head + (box.h - head) / 2
    x = box.x
    for (shown, letter, columns, rows), sign in zip(planes, ("·", "+", "=", ""), strict=True):
        called = moment.called(shown.of.name) if shown.of.name in "xy" else ""
        name = f"{letter} = {called}" if called else letter
        top = middle - rows * side / 2
        place = Box(x, top, columns * side, rows * side)
        shape = f"{shown.values.shape[0]} × {shown.values.shape[1]}"
        colour = role(moment.operation, shown.of.name)
        runs = (Run(name + shown.of.look.factor, colour, True), Run(f"  {shape}", colour))
        room = Box(x, top - head, min(place.w + side - 8 * unit, box.right + 30 * unit - x), head - 6 * unit)
        marks.append(Label(room, runs, 19 * unit))
        drawn = grid.cells(shown, place, unit)
        marks += [drawn, *grid.outlines(moment, drawn, unit)]
        if shown.of.name in ("w", "b", "y") and moment.terms_begun:
            line = "written_line" if shown.of.name == "y" else "parameter_line"
            marks.append(grid.outline(drawn.box_of(n, 0, 1, columns), line, 4 * unit))
        x += place.w
        if sign:
            marks.append(
                label(Box(x, middle - 26 * unit, side, 52 * unit), sign, 36 * unit, "muted", align="center")
            )
            x += side
    return marks


def _paged(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw W whole with the page in hand marked, and that page's weights, inputs and products as numbers."""
    sizes = moment.operation.sizes
    inputs, neurons = sizes["N_in"], sizes["N_out"]
    n, m = moment.variable("n"), (moment.variable("m") if moment.terms_begun else 0)
    left, right = box.columns([7.0, 3.0], gap=44 * unit)
    shown = grid.row_plane(moment, "w")
    head = 28 * unit
    overview = left.top(left.h * 0.42)
    side = min(overview.w / inputs, (overview.h - head) / neurons)
    high = max(side, min(_THINNEST * unit, (overview.h - head) / neurons))  # of thousands of inputs, too
    place = Box(overview.x, overview.y + head + 4 * unit, side * inputs, high * neurons)
    runs = (
        Run("Wᵀ", "parameter", True),
        Run("  " + tr("{n} neurons × {m} inputs", n=neurons, m=inputs), "muted"),
    )
    drawn = grid.cells(shown, place, unit, numbers=False)
    marks: list[Mark] = [Label(overview.top(head), runs, 17 * unit), drawn]
    page = page_of(m, inputs)
    if moment.terms_begun:
        marks.append(grid.outline(drawn.box_of(n, 0, 1, inputs), "parameter_line", 3 * unit))
        marks.append(grid.outline(drawn.box_of(n, page.start, 1, len(page)), "source_line", 3 * unit))
    detail = Box(left.x, place.bottom + 30 * unit, left.w, left.bottom - place.bottom - 30 * unit)
    done = moment.variable("m", -1) if moment.terms_begun else -1
    w, x = (np.asarray(moment.state.arrays[name]) for name in "wx")
    marks += pages(
        moment,
        detail,
        unit,
        page,
        [("w", w[:, n], "cr", (), n), ("x", x, "c", (), 0)],
        products=w[:, n] * x,
        done=done if any(name == "x" for name, _ in moment.state.reads) or moment.state.writes else done - 1,
    )
    biases, outputs = right.columns([1.0, 1.0], gap=20 * unit)
    marks += column(moment, biases, unit, "b", n, tr("bias"))
    marks += column(moment, outputs, unit, "y", n, tr("Z, output"))
    return marks


def page_of(k: int, count: int, length: int = 8) -> range:
    """Return the page of a long row that holds a place: pages stand still while one walks along them.

    The last one is as long as the others, and so holds the end of the one before it.
    """
    start = max(0, min(k // length * length, count - length))
    return range(start, min(start + length, count))


@remembered(64)
def _largest_product(operation: Operation) -> float:
    """Return the size of the largest product that a neuron, or an input's gradient, adds up."""
    given = operation.call.given
    name, axis = ("x", 1) if "x" in given else ("dy", 0)
    return float((largest(np.asarray(given["w"]), axis) * largest(np.asarray(given[name]), ())).max())


def pages(
    moment: Moment,
    box: Box,
    unit: float,
    page: range,
    rows: list[tuple[str, Array, str, tuple[int, ...], int]],
    products: Array | None = None,
    done: int = -1,
) -> list[Mark]:
    """Draw pieces of long rows under each other, and the products of the first two.

    Parameters
    ----------
    rows : list
        (array, its numbers along the row, axes, index prefix, the row's own index) as in `Cells`.
    done : int
        The last product that has been computed.
    """
    marks: list[Mark] = []
    lines = len(rows) + (products is not None)
    name_width = (165 if any(moment.look(name).power for name, *_ in rows) else 120) * unit
    usual = max(min(8, len(rows[0][1])), len(page))  # the last page of a long row is as large as the others
    side = min((box.w - name_width) / usual, (box.h / lines) * 0.92, (80 if usual > 4 else 100) * unit)
    height = min(box.h / lines, side * 1.35)
    for k, (name, values, axes, prefix, own) in enumerate(rows):
        place = Box(box.x + name_width, box.y + k * height, side * len(page), side)
        look = moment.look(name)
        piece = values[None, page.start : page.stop]
        origin = (own, page.start) if axes == "cr" else (0, page.start)
        missing = None
        if name in moment.operation.call.writes:
            missing = ~moment.state.written(name)[None, page.start : page.stop]
        drawn = Cells(
            place,
            piece,
            name,
            prefix,
            origin,
            axes,
            look.palette,
            look.limit,
            grid.texts(piece, look, missing),
            grid.text_size(side, side, look, unit),
            missing,
        )
        said = symbol(moment.operation, name)
        text = f"{said}[{', '.join([*map(str, prefix), f'{page.start}…{page.stop - 1}'])}]"
        if axes == "cr":
            text = f"{said}[{page.start}…{page.stop - 1}, {own}]"
        head = Box(box.x, place.y, name_width - 10 * unit, side)
        text += look.factor
        marks += [label(head, text, 17 * unit, role(moment.operation, name), bold=True), drawn]
        marks += grid.outlines(moment, drawn, unit)
    if products is not None:
        place = Box(box.x + name_width, box.y + len(rows) * height, side * len(page), side)
        piece = products[None, page.start : page.stop]
        missing = np.arange(page.start, page.stop)[None] > done
        into = moment.look(next(iter(moment.operation.call.writes)))  # what they add up to
        look = into.reaching(_largest_product(moment.operation))
        head = Box(box.x, place.y, name_width - 10 * unit, side)
        marks.append(label(head, tr("products") + look.factor, 17 * unit, bold=True))
        drawn = Cells(
            place,
            piece,
            palette=look.palette,
            limit=look.limit,
            texts=grid.texts(piece, look, missing),
            size=grid.text_size(side, side, look, unit),
            missing=missing,
        )
        if moment.letters:
            grids = [mark for mark in marks if isinstance(mark, Cells)]
            factors = [[[(on.array, on.index_of(0, k)) for on in grids] for k in range(len(page))]]
            drawn = in_letters(moment.names, drawn, factors, unit)
        marks.append(drawn)
        if page.start <= done < page.stop:
            marks.append(
                grid.outline(
                    Box(place.x + (done - page.start) * side, place.y, side, side), "source_line", 3 * unit
                )
            )
    return marks


def column(moment: Moment, box: Box, unit: float, name: str, k: int, text: str) -> list[Mark]:
    """Draw a vector as a column with its indices, the k-th cell outlined; long ones by pages."""
    values = np.asarray(moment.state.arrays[name])
    look = moment.look(name)
    head = Box(box.x, box.y, box.w + 14 * unit, 28 * unit)  # into the space beside the column
    body = box.below(34 * unit)
    rows = min(len(values), max(4, int(body.h / (37 * unit))))
    page = page_of(k, len(values), rows)
    height = min(body.h / rows, 84 * unit)
    index_width, width = 50 * unit, min(120 * unit, body.w - 50 * unit)
    written = role(moment.operation, name)
    called = symbol(moment.operation, name) + look.factor
    said = with_part(called, moment.titled(name, text), page, len(values), head, unit)
    marks: list[Mark] = [Label(head, (Run(called, written, True), Run("  " + said, "muted")), 17 * unit)]
    place = Box(body.x + index_width, body.y, width, height * len(page))
    drawn = grid.column(moment, name, page, place, unit)
    marks += [drawn, *grid.outlines(moment, drawn, unit)]
    for r, index in enumerate(page):
        marks.append(
            label(
                Box(body.x, place.y + r * height, index_width - 8 * unit, height),
                str(index),
                min(17 * unit, height * 0.7),
                "muted",
                align="right",
            )
        )
    if moment.terms_begun and k in page:
        line = "written_line" if written == "written" else "source_line"
        marks.append(grid.outline(drawn.box_of(k - page.start, 0), line, 4 * unit))
    return marks


def weight_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the outer product: the input as a column, the gradient as a row, their products as a table."""
    sizes = moment.operation.sizes
    inputs, neurons = sizes["N_in"], sizes["N_out"]
    m, n = moment.variable("m"), moment.variable("n")
    head = 34 * unit
    small = inputs <= 8 and neurons <= 8  # whole, as large as can be, with the shapes written to it
    height = box.h - (2 if small else 1) * head
    columns = page_of(n, neurons, min(neurons, 12))
    room = height / (min(inputs, 10) + 1.4), box.w / (len(columns) + 3)
    side = floor(max(min(*room, (96 if small else 62) * unit), 22 * unit))
    rows = page_of(m, inputs, max(1, min(inputs, int(height / side - 1.2))))
    lead = max(2.4 * side, 116 * unit)  # the heading of x stands there
    beside = 0.0 if small else 230 * unit  # for the whole of it
    # Gradients have more figures than inputs: where there is room, wide cells keep them readable.
    wide = floor(min(max((box.w - lead - beside) / len(columns), side), 2 * side))
    if small:  # it leaves much of the width free: not all of it at one side
        aside = round(0.3 * max(0.0, box.w - lead - wide * len(columns)))
        box = Box(box.x + aside, box.y, box.w - aside, box.h)
    left, top = round(box.x + lead), round(box.y + head)
    lower, window = round(top + 1.3 * side), (rows.start, columns.start, len(rows), len(columns))
    dw_plane = grid.plane(moment, "dw")
    dy_box = Box(left, top, wide * len(columns), side)
    x_box = Box(round(box.x), lower, min(wide, round(1.6 * side)), side * len(rows))
    dy = grid.cells(grid.row_plane(moment, "dy"), dy_box, unit, window=(0, columns.start, 1, len(columns)))
    x = grid.cells(grid.plane(moment, "x"), x_box, unit, window=(rows.start, 0, len(rows), 1))
    dw = grid.cells(dw_plane, Box(left, lower, dy_box.w, x_box.h), unit, window=window)
    come = moment.gradient_from()
    if len(columns) < neurons:
        come += ", " + part(columns, neurons)
    over_dy = Box(left, box.y, box.right - left if small else dy_box.w + 44 * unit, head - 6 * unit)
    marks: list[Mark] = [
        _head(moment, "dy", f"1 × {neurons}, {come}" if small else come, over_dy, unit),
        _head(
            moment,
            "x",
            f"{inputs} × 1" if small else f"{rows.start}…{rows.stop - 1}",
            Box(box.x, top, lead - 4 * unit, side),
            unit,
        ),
    ]
    for drawn in (dy, x, dw):
        marks += [drawn, *grid.outlines(moment, drawn, unit)]
    if moment.terms_begun:
        marks.append(grid.outline(dw.box_of(m - rows.start, n - columns.start), "written_line", 4 * unit))
    if small:
        under = Box(left, dw.box.bottom + 6 * unit, box.right - left, head - 6 * unit)
        return [*marks, _head(moment, "dw", f"{inputs} × {neurons}", under, unit)]
    beside = dw.box.right + 50 * unit
    return marks + _whole_gradient(dw_plane, Box(beside, box.y, box.right - beside, box.h), window, unit)


def _whole_gradient(dw: grid.Plane, box: Box, window: tuple[int, int, int, int], unit: float) -> list[Mark]:
    """Draw the whole weight gradient as a heatmap with the page in hand marked, if there is room."""
    inputs, neurons = dw.values.shape
    if box.w < 120 * unit:
        return []
    side = min(box.w / neurons, (box.h - 34 * unit) / inputs)
    wide = max(side, min(_THINNEST * unit, box.w / neurons))
    place = Box(box.x, box.y + 34 * unit, wide * neurons, side * inputs)
    overview = grid.cells(dw, place, unit, numbers=False)
    text = tr("whole: {m} × {n}", m=inputs, n=neurons)
    head = (Run("∂E/∂W" + dw.of.look.factor, "written", True), Run("  " + text, "muted"))
    return [
        Label(box.top(28 * unit), head, 17 * unit),
        overview,
        grid.outline(overview.box_of(*window), "written_line", 2.5 * unit),
    ]


def _head(moment: Moment, name: str, text: str, box: Box, unit: float) -> Label:
    name_run = Run(
        symbol(moment.operation, name) + moment.look(name).factor, role(moment.operation, name), True
    )
    return Label(box, (name_run, Run("  " + moment.titled(name, text), "muted")), 17 * unit)


def input_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw one input's weights on the neurons' gradients, and the input gradient filling up."""
    neurons = moment.operation.sizes["N_out"]
    m, n = moment.variable("m"), (moment.variable("n") if moment.terms_begun else 0)
    left, right = box.columns([7.0, 2.0], gap=60 * unit)
    page = page_of(n, neurons, 10 if neurons <= 10 else 8)
    w, dy = (np.asarray(moment.state.arrays[name]) for name in ("w", "dy"))
    weights = ("w", w[m], "c", (m,), 0)
    reading = bool(moment.state.reads) or bool(moment.state.writes)
    done = (
        (moment.variable("n", -1) if reading else moment.variable("n", 0) - 1) if moment.terms_begun else -1
    )
    detail = left.below(34 * unit)
    head = (
        Run("w", "parameter", True),
        Run("  " + moment.titled("w", tr("weights of input {m}, to every neuron", m=m)), "muted"),
    )
    marks: list[Mark] = [Label(left.top(28 * unit), head, 17 * unit)]
    marks += pages(
        moment, detail, unit, page, [weights, ("dy", dy, "c", (), 0)], products=w[m] * dy, done=done
    )
    return [*marks, *column(moment, right, unit, "dx", m, tr("input gradient"))]


def bias_gradient(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the output gradient beside the bias gradient."""
    n = moment.variable("n")
    left, right = box.columns([1.0, 1.0], gap=60 * unit)
    marks = column(moment, left, unit, "dy", n, moment.gradient_from())
    return [*marks, *column(moment, right, unit, "db", n, tr("bias gradient"))]


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
