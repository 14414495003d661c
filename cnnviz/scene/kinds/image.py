"""Reading a picture: its pixels in their own colours, the numbers of one, and the channels they go into."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.engine.pixels import BRIGHTEST
from cnnviz.scene import grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.layout import STRONG, Grid, Map, Room, Sign, column, row
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.marks import Box, Cells, Mark, Palette, Span, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, head_width, heading, in_front, sheet, shown
from cnnviz.text import tr
from cnnviz.trace.assignment import Assignment, assignment
from cnnviz.trace.operation import Operation
from cnnviz.trace.program_cache import program_cache

_LINED = 5.0
"""Pixels that are shown smaller than so many on screen have no lines between them, which would hide them."""


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw the picture with the pixel in hand, its numbers, and the channel that they are written into."""
    v, c = moment.variable, moment.variable("c")
    height, width, depth = np.shape(moment.operation.call.given["image"])
    i, j, channels = v("i"), v("j"), len(moment.operation.call.writes["x"])
    told = tr("{shape}: rows × columns × depth", shape=shape_text((height, width, depth)))
    over = Span("image", "source", True), Span(told, "muted")
    whole = Map("image.whole", height, width, head_width(over))
    # The pixel's own colour stands before its numbers, as one more of them.
    pixel = Span(tr("pixel [{i}, {j}]", i=i, j=j), "ink", True)
    numbers = Grid("pixel", 1, depth + 1, grid.figures(moment.look("image")), (9.0, 9.0), scale=2.0)
    front = in_front(moment, "x", c, channels)
    name = channel_name(_tint_of_channel(moment, front))
    said = tr("{name}, one of {depth} channels", name=name, depth=channels) if channels > 1 else name
    done = _done(moment)
    said = f"{said}: {', '.join(done)}" if len(done) > 1 else said  # too long for a sign
    channel = shown(moment, grid.plane(moment, "x", (front,), (i, j, 1, 1)), said)
    channel = replace(channel, depth=channels, part=channel.part._replace(behind=channels - 1))
    left, sign = column(whole, numbers), Sign(done[0] if len(done) == 1 else "→")
    at = sheet(moment, room, row(left, sign, channel.part), column(row(whole, numbers), channel.part))
    drawn = true_colours(moment.operation, at.place("image.whole").box)
    at.marks += [*heading(over, at.place("image.whole"), at.em), drawn]
    if moment.terms_begun:
        _outlined(at, drawn.box_of(i, j), "source_line")
    _numbers(at, pixel, (i, j), "image")
    on_x = at.show(channel)
    if moment.terms_begun and (cell := on_x.cell_of((c, i, j))) is not None:
        _outlined(at, on_x.box_of(*cell), "written_line")
    return at.marks


@program_cache(64)
def true_colours(operation: Operation, place: Box) -> Cells:
    """Return a picture as a grid of its pixels in their own colours; nothing is written on them."""
    image = np.asarray(operation.call.given["image"])
    red, green, blue = (image[..., min(k, image.shape[2] - 1)] for k in range(3))
    has_lines = place.w >= _LINED * image.shape[1]
    return Cells(place, red * 65536 + green * 256 + blue, palette="rgb", lines=has_lines, cached=True)


def resizing(moment: Moment, room: Room) -> list[Mark]:
    """Draw the picture with the pixels that count for one of the new ones, and what comes of all."""
    call, v = moment.operation.call, moment.variable
    given, made = np.asarray(call.given["image"]), np.asarray(moment.state.arrays["y"])
    along = "columns" if call.name.endswith("columns") else "rows"
    i, j = v("i"), v("j")
    slope, begin, unit, there = (int(np.asarray(call.given[name])) for name in "ABFV")
    first = ((j if along == "columns" else i) * slope + begin) // unit
    begins = min(max(first, 0), there - 1)
    count = max(1, min(first + np.shape(call.given["p"])[1], there) - begins)
    window = (i, begins, 1, count) if along == "columns" else (begins, j, count, 1)
    told = tr("{shape}: rows × columns × depth", shape=shape_text(given.shape))
    head = (Span("image", "source", True), Span(told, "muted"))
    head_of_y = (Span("y", "written", True), Span(shape_text(made.shape), "muted"))
    before = Map("image.whole", given.shape[0], given.shape[1], head_width(head))
    after = Map("y.whole", made.shape[0], made.shape[1], head_width(head_of_y))
    pixel = Span(tr("pixel [{i}, {j}]", i=i, j=j), "ink", True)
    numbers = Grid("pixel", 1, made.shape[2] + 1, grid.figures(moment.look("y")), (9.0, 9.0), scale=2.0)
    wide, high = row(before, Sign("→"), column(after, numbers)), column(before, row(after, numbers))
    at = sheet(moment, room, wide, high)
    for part, said, values, place, of in (
        (before, head, given, window, "source_line"),
        (after, head_of_y, made, (i, j, 1, 1), "written_line"),
    ):
        box = at.place(part.name).box
        missing = ~moment.state.written("y")[..., -1] if part is after else None
        at.marks += [*heading(said, at.place(part.name), at.em), _thinned(values, box, missing)]
        if moment.terms_begun:
            _outlined(at, _box_in(box, values.shape, place), of)
    _numbers(at, pixel, (i, j), "y")
    return at.marks


def _thinned(image: Array, box: Box, missing: NDArray[np.bool_] | None) -> Cells:
    """Return a picture in its own colours; of many pixels those that are seen."""
    rows, columns = (
        np.linspace(0, count, max(1, min(count, round(side))), endpoint=False).astype(int)
        for count, side in zip(image.shape, (box.h, box.w), strict=False)
    )
    seen = image[np.ix_(rows, columns)].astype(np.int64)
    red, green, blue = (seen[..., min(k, image.shape[2] - 1)] for k in range(3))
    hidden = None if missing is None else missing[np.ix_(rows, columns)]
    colours = np.asarray(red * 65536 + green * 256 + blue, np.float64)
    return Cells(box, colours, palette="rgb", lines=False, missing=hidden)


def _box_in(box: Box, shape: tuple[int, ...], window: tuple[int, int, int, int]) -> Box:
    """Return where a window of a picture lies, large enough to be seen."""
    high, wide = box.h / shape[0], box.w / shape[1]
    i, j, rows, columns = window
    return Box(box.x + j * wide, box.y + i * high, max(columns * wide, 4.0), max(rows * high, 4.0))


def _tint(moment: Moment, number: int) -> Palette:
    """Return the colours of one of the numbers of a pixel: its own in a coloured picture, else grey."""
    depth = np.shape(moment.operation.call.given["image"])[2]
    return grid.TINTS[number] if depth == len(grid.TINTS) else "pixel"


def _tint_of_channel(moment: Moment, channel: int) -> Palette:
    """Return those of a channel that is made of one of the numbers; else grey."""
    if len(moment.operation.call.writes["x"]) == 1:
        return "pixel"
    read = _last_line(moment.operation)
    image = next(operand for operand in read.operands if operand.name == "image")
    return _tint(moment, image.place({**moment.operation.sizes, "i": 0, "j": 0, "c": channel})[2])


def _last_line(operation: Operation) -> Assignment:
    """Return the line that writes a number of a channel."""
    read = assignment(operation.tree, len(operation.tree.source))
    assert read is not None
    return read


def channel_name(palette: Palette) -> str:
    """Return what a channel of some colours is called."""
    return tr("grey") if palette == "pixel" else tr(palette)


def _done(moment: Moment) -> list[str]:
    """Return what is done to a number of a pixel, one thing after the other."""
    read = _last_line(moment.operation)
    node: ast.expr = ast.parse(read.text[read.right :].strip(), mode="eval").body
    done: list[str] = []
    while isinstance(node, ast.BinOp):  # from what is done last to what is done first
        taken_from = isinstance(node.left, ast.Constant)  # 255 − pixel
        inner, other = (node.right, node.left) if taken_from else (node.left, node.right)
        name = ast.unparse(other.value if isinstance(other, ast.Subscript) else other)
        sign = "÷" if isinstance(node.op, ast.Div) else "−"
        done.append(f"{name} {sign}" if taken_from else f"{sign} {name}")
        node = inner
    return done[::-1]


def _numbers(at: Sheet, pixel: Span, index: tuple[int, int], array: str) -> None:
    """Draw the pixel in hand and its numbers, one for each channel, the one at hand outlined."""
    moment, em, place, (i, j) = at.moment, at.em, at.place("pixel"), index
    image, look = np.asarray(moment.state.arrays[array]), moment.look(array)
    is_missing = np.zeros(image.shape[2], bool) if array == "image" else ~moment.state.written(array)[i, j]
    numbers = [int(image[i, j, k]) if not is_missing[k] else 0 for k in range(image.shape[2])]
    red, green, blue = (numbers[min(k, len(numbers) - 1)] for k in range(3))
    colour = np.full((1, 1), float(red * 65536 + green * 256 + blue))
    box, wide = place.box, place.box.w / place.columns
    first = box._replace(w=wide - em)
    equals = Box(first.right, first.y, em, first.h)
    at.marks += [
        *heading((pixel,), place, em),
        Cells(first, colour, palette="rgb", missing=np.full((1, 1), is_missing.any())),
        label(equals, "=", 1.4 * em, "muted", align="center"),
    ]
    for k in range(image.shape[2]):
        value = image[i : i + 1, j : j + 1, k]
        cell = Box(box.x + (k + 1) * wide, box.y, wide - 0.4 * em, box.h)
        drawn = Cells(
            cell,
            value,
            array,
            (i, j, k),
            axes="",
            palette=_tint(moment, k),
            limit=BRIGHTEST,
            texts=grid.texts(value, look, cell, place.size) if place.size and not is_missing[k] else (),
            missing=np.full((1, 1), is_missing[k]),
            size=place.size,
        )
        under = Box(cell.x, cell.bottom + 0.2 * em, cell.w, 1.4 * em)
        at.marks += [
            drawn,
            *grid.outlines(moment, drawn, em),
            label(under, channel_name(_tint(moment, k)), em, "muted", align="center"),
        ]


def _outlined(at: Sheet, box: Box, colour: str) -> None:
    """Outline a cell in front of any colour: with a rim of the ground's."""
    rim = min(0.5 * at.em, 0.16 * box.w)
    at.marks += [grid.outline(box, "ground", rim), grid.outline(box, colour, STRONG * at.em)]


_RESIZED = {
    "columns": (
        r"\y{i,j,c} = \left\lfloor \sum_{0\le v+k,\,v+k<V} \part{p}{p_{j,k}}\,"
        r"\part{image}{\mathrm{image}_{i,v+k,c}} + \tfrac{1}{2} \right\rfloor",
        r"v = \lfloor (jA+B)\,/\,F \rfloor",
    ),
    "rows": (
        r"\y{i,j,c} = \left\lfloor \sum_{0\le u+k,\,u+k<V} \part{p}{p_{i,k}}\,"
        r"\part{image}{\mathrm{image}_{u+k,j,c}} + \tfrac{1}{2} \right\rfloor",
        r"u = \lfloor (iA+B)\,/\,F \rfloor",
    ),
}

KINDS: Mapping[str, Kind] = {
    **{
        f"resize_{along}": Kind(
            sentence="The picture gets its size: each new pixel is a mean of those that it covers; p "
            "says how much each counts.",
            title=f"size, {along}",
            formula=formula,
            variables={"i": "row", "j": "column", "c": "colour", "k": "pixel that counts", "acc": "sum"},
            ahead="Each pixel of `y` will be a sum of the pixels of `image` that it covers, weighted by `p`.",
            picture=resizing,
        )
        for along, formula in _RESIZED.items()
    },
    "fit_pixels": Kind(
        sentence="The numbers of a pixel, 0 to 255, become what the network takes, as the line says.",
        formula=listing_formulas,
        variables={**CELL, "k": "colour"},
        ahead="Each cell of `x` will be made of one pixel of the `image`.",
        picture=picture,
    ),
    "read_pixels": Kind(
        sentence="Every number of a pixel, 0 to 255, is divided by 255; one channel is written after the "
        "other.",
        formula=(r"\x{c,i,j} = \frac{\part{image}{\mathrm{image}_{i,j,c}}}{255}",),
        variables=CELL,
        ahead="Each cell of `x` will be one of the numbers of a pixel of the `image`, divided by 255.",
        picture=picture,
    ),
}
