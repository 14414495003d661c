"""How pictures are laid out: grids under headings, side by side, with signs between them."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from cnnviz.scene import close_up, grid
from cnnviz.scene.arrays import symbol
from cnnviz.scene.letters import plain
from cnnviz.scene.look import Look
from cnnviz.scene.marks import FROM_ZERO, Box, Cells, Group, Label, Mark, Rect, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief, number
from cnnviz.text import tr

# How far the channels of a stack are shifted against each other, at 1080 lines: more where cells are large.
_STACK, _WIDE_STACK = 7, 14
_LARGE_CELL = 56


def titled(
    moment: Moment, shown: grid.Plane, box: Box, unit: float, text: str, depth: int = 1, axis: int = 0
) -> tuple[list[Mark], Cells]:
    """Draw a grid under its heading, the channels behind it as a stack, and the scale of its colours.

    Parameters
    ----------
    depth : int
        How many channels the array has; the slice's index on `axis` is the one in front.
    axis : int
        Which of the array's axes counts the channels.
    """
    text = moment.titled(shown.of.name, text)
    behind = _behind(moment, shown.of, depth, axis)
    step = _shift(shown, len(behind), box, unit)
    body = _body(box, len(behind) * step, unit)
    if "partly" in behind:
        behind = ()
    place = grid.readable(shown, body, unit)
    numbers = place is not None
    if place is None and grid.little(shown):
        place, numbers = grid.tight(shown, body, unit)
    if place is None and shown.values.shape[1] == 1:
        drawn, main = close_up.column_page(moment, shown, body, unit)
        page = range(main.origin[0], main.origin[0] + len(main.values))
        name = symbol(shown.of.operation, shown.of.name)
        text = with_part(name, text, page, len(shown.values), _over(box, unit), unit)
        head = grid.heading(shown.of, _over(box, unit), unit, text, depth)
        return [head, *drawn, *scale(shown.of.look, main.box, unit)], main
    large = close_up.places(shown, body, unit) if place is None else None
    at = large.whole if large else place
    assert at is not None
    main = grid.cells(shown, at, unit, numbers=numbers)
    setting = _setting(shown.of, shown.fill, behind, at, box, unit, text, depth, axis, step, numbers)
    marks: list[Mark] = [setting, main] if shown.fill == "partly" else [setting]
    if large is None:
        return [*marks, *grid.outlines(moment, main, unit)], main
    enlarged, close = close_up.enlarged(moment, shown, main, large, unit)
    return [*marks, *enlarged], close


def part(page: range, count: int) -> str:
    """Say which part of a long row or column is shown."""
    return tr("{first}…{last} of {count}", first=page.start, last=page.stop - 1, count=count)


def with_part(name: str, text: str, page: range, count: int, box: Box, unit: float) -> str:
    """Return what a heading says after the name, with the part that is shown; that alone in a narrow box."""
    if len(page) == count:
        return text
    both = f"{text}, {part(page, count)}"
    wide = len(f"{name}  {both}") * 0.55 * max(8.0, 0.7 * 17 * unit)  # smaller it would be hard to read
    return both if wide <= box.w else part(page, count)


def _behind(moment: Moment, of: grid.Slice, depth: int, axis: int) -> tuple[str, ...]:
    """Return how far the channels behind a slice are filled, the nearest first."""
    return tuple(
        grid.plane(moment, of.name, _deeper(of.prefix, k, depth, axis)).fill for k in range(1, min(depth, 4))
    )


def _deeper(prefix: tuple[int, ...], k: int, depth: int, axis: int) -> tuple[int, ...]:
    """Return the indices of the k-th channel behind the one in front; after the last comes the first."""
    return (*prefix[:axis], (prefix[axis] + k) % depth, *prefix[axis + 1 :])


def _shift(shown: grid.Plane, behind: int, box: Box, unit: float) -> int:
    """Return how far the channels of a stack are shifted against each other, in whole pixels."""
    wide = round(_WIDE_STACK * unit)
    rows, columns = shown.values.shape
    side = grid.fitted_cell(_body(box, behind * wide, unit), rows, columns, unit)
    return wide if side >= _LARGE_CELL * unit else round(_STACK * unit)


def _over(box: Box, unit: float) -> Box:
    """Return where the heading stands; it may reach into the space beside the column."""
    return Box(box.x, box.y, box.w + 30 * unit, 28 * unit)


def stack_width(shown: grid.Plane, box: Box, unit: float, depth: int) -> float:
    """Return how far the channels behind a grid reach beyond its right edge; 0 for a page of one."""
    behind = min(depth, 4) - 1
    width = behind * _shift(shown, behind, box, unit)
    whole = grid.little(shown) or grid.readable(shown, _body(box, width, unit), unit)
    return width if whole else 0.0


def _body(box: Box, shift: float, unit: float) -> Box:
    """Return where the grid in front stands: under the heading, with room for the stack and the scale."""
    body = box.below(34 * unit)
    return Box(body.x, body.y + shift, body.w - shift, body.h - shift - 26 * unit)


@remembered(1024)
def _setting(
    of: grid.Slice,
    fill: str,
    behind: tuple[str, ...],
    place: Box,
    box: Box,
    unit: float,
    text: str,
    depth: int,
    axis: int,
    step: int,
    numbers: bool,
) -> Group:
    """Return what stays the same around a grid, and the grid itself unless it is being filled."""
    marks: list[Mark] = [grid.heading(of, _over(box, unit), unit, text, depth)]
    for k in range(len(behind), 0, -1):
        other = of._replace(prefix=_deeper(of.prefix, k, depth, axis))
        back = Box(place.x + k * step, place.y - k * step, place.w, place.h)
        # Only for the eye: a click on the stack means the channel in front.
        heatmap = replace(grid.unchanging(other, behind[k - 1], back, unit, None, False), array="")
        heatmap = plain(heatmap) if of.look.letters else heatmap
        marks += [Rect(back, "ground"), heatmap, Rect(back, stroke="line", width=1.0)]
    marks.append(Rect(place, "ground"))
    if fill != "partly":
        marks.append(grid.unchanging(of, fill, place, unit, None, numbers))
    marks += scale(of.look, place, unit)
    # One more pixel at the left and the right: a grid's outer rule straddles its edge.
    width = max(_over(box, unit).w, place.w + 1)
    rim = Box(box.x - 1, box.y, width + 2, place.bottom - box.y + 28 * unit).whole()
    return Group(rim, (Rect(rim, "ground"), *marks))


def scale(look: Look, over: Box, unit: float) -> list[Label | Cells]:
    """Draw the colours' scale under a grid, the values at both ends; none where names stand in its cells."""
    if over.w < 90 * unit or look.letters:
        return []
    low = 0.0 if look.palette in FROM_ZERO else -look.limit
    ends, locked = (_end(look, low), _end(look, look.limit)), look.scale != "array"
    y, size = over.bottom + 6 * unit, 17 * unit
    side = max(64, 10.5 * max(map(len, ends)) + 7) * unit  # so that both are written at one size
    for_word = 68 * unit if locked else 0.0
    wide = min(over.w - 2 * side - for_word, 110 * unit)
    bar = Box(round(over.x + side), round(y + 6 * unit), wide, round(9 * unit))
    if bar.w < 20 * unit:
        told = f"±{ends[1]}" if low else f"0 … {ends[1]}"
        told += f", {tr(look.scale)}" if locked else ""
        return [label(Box(over.x, y, over.w, 21 * unit), told, size, "muted")]
    colours = np.linspace(low, look.limit, 32)[None]
    after = Box(bar.right + 7 * unit, y, side - 7 * unit + for_word, 21 * unit)
    told = f"{ends[1]}, {tr(look.scale)}" if locked else ends[1]
    return [
        label(Box(over.x, y, side - 7 * unit, 21 * unit), ends[0], size, "muted", align="right"),
        Cells(bar, colours, palette=look.palette, limit=look.limit, lines=False),
        label(after, told, size, "muted"),
    ]


def _end(look: Look, value: float) -> str:
    """Write the value at an end of a scale: as the array's numbers are, or by itself if others share it."""
    if look.scale != "array":
        return brief(float(f"{value:.3g}"))
    return look.bare(value) if value else number(0, 0)


def lowered(box: Box, shown: grid.Plane, columns: list[Box], unit: float, least: float = 0.0) -> list[Box]:
    """Return the columns lowered to the middle of the room where grids like this one leave much of it free.

    Parameters
    ----------
    least : float
        How high the picture is whatever its grids are.
    """
    rows, count = shown.values.shape
    side = min(grid.fitted_cell(_body(column, 0, unit), rows, count, unit) for column in columns)
    free = box.h - max(62 * unit + side * rows, least)
    down = round(0.4 * free) if free > 0.2 * box.h else 0
    return [column.below(down) for column in columns]


def side_by_side(box: Box, *columns: int, unit: float) -> list[Box]:
    """Cut the area for grids of so many columns, wide ones getting more, with room for signs between them."""
    return box.columns([float(max(4.1, min(n, 10))) for n in columns], gap=58 * unit)


def between(
    first: Cells, second: Cells, third: Cells, columns: list[Box], unit: float, signs: str = "∗="
) -> list[Mark]:
    """Write signs between three grids: each midway from a grid to the column of the next."""
    marks: list[Mark] = []
    for sign, before, after, column in zip(signs, (first, second), (second, third), columns[1:], strict=True):
        x = (before.box.right + column.x) / 2
        y = min(before.box.center[1], after.box.center[1])
        marks.append(
            label(
                Box(x - 30 * unit, y - 24 * unit, 60 * unit, 48 * unit),
                sign,
                34 * unit,
                "muted",
                align="center",
                family="math",
            )
        )
    return marks
