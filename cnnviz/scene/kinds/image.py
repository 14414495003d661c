"""Reading a picture: its pixels in their own colours, the numbers of one, and the channels they go into."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import shape_text
from cnnviz.engine.pixels import BRIGHTEST
from cnnviz.scene import close_up, grid
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds.layout import scale
from cnnviz.scene.letters import plain
from cnnviz.scene.marks import Box, Cells, Label, Mark, Palette, Rect, Role, Run, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

_TINTS: tuple[Palette, ...] = ("red", "green", "blue")
# How far the channels of the stack are shifted against each other, at 1080 lines.
_STACK = 26


def picture(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the picture with the pixel in hand, its numbers, and the channel that they are written into."""
    left, right = box.columns([4.4, 5.6], gap=110 * unit)
    shown, pixel = _shown(moment, left, unit)
    numbers = Box(left.x, pixel.bottom + 26 * unit, left.w, 120 * unit)
    sign = Box(left.right, box.y + box.h * 0.3, 110 * unit, 60 * unit)
    divided = label(sign, "÷ 255", 26 * unit, "muted", align="center")
    return [*shown, *_numbers(moment, numbers, unit), divided, *_channels(moment, right, unit)]


def _shown(moment: Moment, box: Box, unit: float) -> tuple[list[Mark], Box]:
    """Draw the picture in its colours; return where it stands, too."""
    sizes, v = moment.operation.sizes, moment.variable
    height, width = sizes["H"], sizes["W"]
    shape = shape_text((height, width, sizes["D"]))
    runs = (
        Run("image", "source", True),
        Run("  " + tr("{shape}: rows × columns × depth", shape=shape), "muted"),
    )
    side = grid.fitted_cell(box.below(34 * unit)._replace(h=box.h - 200 * unit), height, width, unit)
    place = Box(round(box.x), round(box.y + 34 * unit), side * width, side * height)
    drawn = true_colours(moment.operation, place)
    head = Label(Box(box.x, box.y, box.w + 40 * unit, 28 * unit), runs, 17 * unit)
    marks: list[Mark] = [head, drawn]
    if moment.terms_begun:
        marks += _outlined(drawn.box_of(v("i"), v("j")), "source_line", unit)
    return marks, place


@remembered(64)
def true_colours(operation: Operation, place: Box) -> Cells:
    """Return a picture as a grid of its pixels in their own colours; nothing is written on them."""
    image = np.asarray(operation.call.given["image"])
    red, green, blue = (image[..., min(k, image.shape[2] - 1)] for k in range(3))
    return Cells(place, red * 65536 + green * 256 + blue, palette="rgb", kept=True)


def tint(moment: Moment, channel: int) -> Palette:
    """Return the colours of a channel: its own in a coloured picture, else grey."""
    return _TINTS[channel] if moment.operation.sizes["D"] == len(_TINTS) else "pixel"


def channel_name(moment: Moment, channel: int) -> str:
    """Return what a channel is called."""
    palette = tint(moment, channel)
    return tr("grey") if palette == "pixel" else tr(palette)


def _numbers(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the pixel in hand and its numbers, one for each channel, the one that is read outlined."""
    image = np.asarray(moment.state.arrays["image"])
    depth, i, j = image.shape[2], moment.variable("i"), moment.variable("j")
    side, gap = 62 * unit, 12 * unit
    look = moment.look("image")
    colour = true_colours(moment.operation, Box(0.0, 0.0, 1.0, 1.0)).values[i : i + 1, j : j + 1]
    swatch = Box(round(box.x), round(box.y + 36 * unit), side, side)
    marks: list[Mark] = [
        label(Box(box.x, box.y, box.w, 28 * unit), tr("pixel [{i}, {j}]", i=i, j=j), 17 * unit, bold=True),
        Cells(swatch, colour, palette="rgb"),
        label(Box(swatch.right, swatch.y, 44 * unit, side), "=", 26 * unit, "muted", align="center"),
    ]
    for k in range(depth):
        place = Box(swatch.right + 44 * unit + k * (side + gap), swatch.y, side, side)
        drawn = Cells(
            place,
            image[i : i + 1, j : j + 1, k],
            "image",
            (i, j, k),
            axes="",
            palette=tint(moment, k),
            limit=BRIGHTEST,
            texts=grid.texts(image[i : i + 1, j : j + 1, k], look),
            size=grid.text_size(side, side, look, unit),
        )
        under = Box(place.x - gap / 2, place.bottom + 2 * unit, side + gap, 24 * unit)
        marks += [
            drawn,
            *grid.outlines(moment, drawn, unit),
            label(under, channel_name(moment, k), 15 * unit, "muted", align="center"),
        ]
    return marks


def _channels(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the channel in hand with its numbers, and the others behind it."""
    depth, c = moment.operation.sizes["D"], moment.variable("c")
    i, j = moment.variable("i"), moment.variable("j")
    shift = (depth - 1) * round(_STACK * unit)
    body = Box(box.x, box.y + 34 * unit + shift, box.w - shift, box.h - 64 * unit - shift)
    shown = _tinted(moment, grid.plane(moment, "x", (c,), (i, j, 1, 1)), c)
    name = channel_name(moment, c)
    said = tr("{name}, one of {depth} channels", name=name, depth=depth) if depth > 1 else name
    head = grid.heading(shown.of, Box(box.x, box.y, box.w, 28 * unit), unit, said)
    front = grid.readable(shown, body, unit)
    large = close_up.places(shown, body, unit) if front is None else None
    at = large.whole if large else front
    assert at is not None
    whole = main = grid.cells(shown, at, unit, numbers=large is None)
    marks: list[Mark] = [head]
    for k in range(depth - 1, 0, -1):
        other = (c + k) % depth
        behind = _tinted(moment, grid.plane(moment, "x", (other,)), other)
        step = k * round(_STACK * unit)
        place = Box(at.x + step, at.y - step, at.w, at.h)
        marks += [Rect(place, "ground"), _heatmap(behind.of, behind.fill, place, unit)]
        marks.append(Rect(place, stroke="line", width=1.0))
    marks += [Rect(whole.box, "ground"), whole]
    if large:
        enlarged, main = close_up.enlarged(moment, shown, whole, large, unit)
        marks += enlarged
    else:
        marks += grid.outlines(moment, whole, unit)
    if moment.terms_begun and (cell := main.cell_of((c, i, j))) is not None:
        marks += _outlined(main.box_of(*cell), "written_line", unit)
    return [*marks, *scale(shown.of.look, whole.box, unit)]


def _outlined(box: Box, colour: Role, unit: float) -> list[Mark]:
    """Outline a cell in front of any colour: with a rim of the ground's."""
    rim = min(9 * unit, 0.16 * box.w)
    return [grid.outline(box, "ground", rim), grid.outline(box, colour, 4 * unit)]


def _tinted(moment: Moment, plane: grid.Plane, channel: int) -> grid.Plane:
    look = plane.of.look._replace(palette=tint(moment, channel), limit=1.0)
    return replace(plane, of=plane.of._replace(look=look))


@remembered(256)
def _heatmap(of: grid.Slice, fill: str, box: Box, unit: float) -> Cells:
    """Return a channel behind the one in hand; it is only for the eye."""
    heatmap = replace(grid.unchanging(of, fill, box, unit, None, False), array="")
    return plain(heatmap) if of.look.letters else heatmap


KINDS: Mapping[str, Kind] = {
    "read_pixels": Kind(
        sentence="Every number of a pixel, 0 to 255, is divided by 255; one channel is written after the "
        "other.",
        formula=(r"\x{c,i,j} = \frac{\part{image}{\mathrm{image}_{i,j,c}}}{255}",),
        variables=CELL,
        ahead="Each cell of `x` will be one of the numbers of a pixel of the `image`, divided by 255.",
        picture=picture,
    ),
}
