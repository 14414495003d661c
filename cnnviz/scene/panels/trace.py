"""The picture of a trace: the input with what each of its cells contributes, and all arrays on the way."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod, sqrt

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.scene.look import are_pixels
from cnnviz.scene.marks import Box, Cells, Mark, Palette, Rect, label
from cnnviz.scene.measure import width
from cnnviz.scene.numbers import brief, decimals, number, rounded_up
from cnnviz.scene.traced import Tile, Traced
from cnnviz.text import tr

_MOST_MAPS = 12

_WIDE = 1.6
"""How wide cells are at most, in parts of how high they are."""

_SCALED = 5.0
"""How high maps are at least to have a scale under them, in parts of the text's size."""

_LEAST_TILE = 11.0
"""How wide the words over a tile are, in parts of the text's size."""

_LEAST_WRITTEN = 0.75
"""How large the numbers are at least, in parts of the text's size."""


@np.errstate(all="ignore")
def trace(shown: Traced, box: Box, em: float) -> list[Mark]:
    """Draw a trace."""
    inner = box.inset(round(2 * em), round(0.8 * em))
    marks: list[Mark] = [
        label(inner.top(2.4 * em), shown.title, 1.5 * em, bold=True),
        label(inner.below(2.4 * em).top(1.9 * em), shown.sentence, 1.2 * em),
        label(inner.below(4.3 * em).top(1.9 * em), shown.sum, 1.2 * em, "accent"),
        label(
            Box(inner.x, inner.bottom - 1.5 * em, inner.w, 1.5 * em),
            tr("Esc, or a step, leads back to the step."),
            em,
            "muted",
        ),
    ]
    below = inner.below(6.8 * em)
    area = below.top(max(0.0, below.h - 2 * em))
    if not shown.way:
        return marks + _ends(shown, area, em)
    ends, way = area.columns([0.42, 0.58], gap=2.4 * em)
    return marks + _ends(shown, ends, em) + _way(shown, way, em)


def _ends(shown: Traced, box: Box, em: float) -> list[Mark]:
    marks: list[Mark] = []
    each = box.h / max(1, len(shown.ends))
    for k, tile in enumerate(shown.ends):
        place = Box(box.x, box.y + k * each, box.w, each - 0.8 * em)
        marks += _head(tile, place, em)
        halves = place.below(3.2 * em)
        if tile.shown is not None and halves.h > 6 * em:
            upper = halves.top(halves.h / 2 - 0.4 * em)
            palette: Palette = "pixel" if are_pixels(tile.shown) else "value"
            marks += _maps(tile.shown, tile, upper, em, palette)
            halves = halves.below(halves.h / 2 + 0.4 * em)
        marks += _maps(tile.values, tile, halves, em)
    return marks


def _way(shown: Traced, box: Box, em: float) -> list[Mark]:
    """Draw the arrays on the way in rows, in their order."""
    columns = _columns(shown.way, box, em)
    rows = ceil(len(shown.way) / columns)
    wide, high = box.w / columns, box.h / rows
    marks: list[Mark] = []
    for k, tile in enumerate(shown.way):
        place = Box(box.x + k % columns * wide, box.y + k // columns * high, wide - 1.2 * em, high - 0.8 * em)
        marks += _head(tile, place, em)
        marks += _maps(tile.values, tile, place.below(3.2 * em), em)
    return marks


def _head(tile: Tile, place: Box, em: float) -> list[Mark]:
    return [
        label(place.top(1.6 * em), tile.name, 1.1 * em, bold=True),
        label(place.below(1.5 * em).top(1.5 * em), tile.said, em, "muted"),
    ]


def _maps(values: Array, tile: Tile, box: Box, em: float, palette: Palette = "value") -> list[Mark]:
    """Draw maps beside each other, as large as they fit; of many, those that count most."""
    if box.h < em or box.w < em:
        return []
    maps, counts = _as_maps(values, box), _as_maps(tile.counts, box) == 1
    weights = np.nan_to_num(np.abs(_as_maps(tile.values, box))).sum((1, 2))
    chosen = np.sort(np.argsort(-weights, kind="stable")[:_MOST_MAPS])
    maps, counts = maps[chosen], counts[chosen]
    finite = np.abs(maps[np.isfinite(maps)])
    limit = rounded_up(float(finite.max(initial=0.0)) or 1.0)
    scaled = box.h > _SCALED * em and palette != "pixel"
    if scaled:
        box = box.top(box.h - 1.7 * em)
    rows, columns = maps.shape[1:]
    gap = 0.5 * em
    per_line, side = _fitted(maps.shape, box, em)
    wide = side
    texts, size = _written(maps, counts, side, side, em)
    widest = min(_WIDE * side, ((box.w + gap) / per_line - gap) / columns)
    if not any(texts) or palette == "pixel":  # wider cells may have room for numbers
        wider = _written(maps, counts, widest, side, em)
        if any(wider[0]):
            wide, (texts, size) = widest, wider
    marks: list[Mark] = []
    bottom = box.y
    for k, one in enumerate(maps):
        left = box.x + k % per_line * (columns * wide + gap)
        top = box.y + k // per_line * (rows * side + gap)
        grid = Cells(
            Box(left, top, columns * wide, rows * side),
            one,
            palette=palette,
            limit=limit,
            texts=texts[k],
            size=size,
            lines=side >= 5,
            gap="ground",
        )
        marks.append(grid)
        bottom = grid.box.bottom
        hull = _hull(counts[k])
        if hull is not None and side * max(hull[2], hull[3]) >= 1:
            marks.append(Rect(grid.box_of(*hull), stroke="accent", width=max(1.5, 0.14 * em)))
    return marks + (_scale(limit, palette, Box(box.x, bottom, box.w, 1.7 * em), em) if scaled else [])


def _scale(limit: float, palette: Palette, box: Box, em: float) -> list[Mark]:
    """Draw what the colours of some maps mean, under them."""
    low, high, y = brief(-limit), brief(limit), box.y + 0.45 * em
    left, right = (width(text) * em for text in (low, high))
    bar = min(6.5 * em, box.w - left - right - 0.8 * em)
    if bar < 1.6 * em:
        return [label(Box(box.x, y, box.w, 1.25 * em), f"±{high}", em, "muted")]
    place = Box(box.x + left + 0.4 * em, y + 0.35 * em, bar, 0.55 * em).on_pixels()
    colours = np.linspace(-limit, limit, 32)[None]
    return [
        label(Box(box.x, y, left + 0.1 * em, 1.25 * em), low, em, "muted"),
        Cells(place, colours, palette=palette, limit=limit, lines=False),
        label(Box(place.right + 0.4 * em, y, right + 0.4 * em, 1.25 * em), high, em, "muted"),
    ]


def _fitted(shape: tuple[int, ...], box: Box, em: float) -> tuple[int, float]:
    """Return how many maps stand beside each other so that they are largest, and how large a cell is."""
    many, (rows, columns), gap = shape[0], shape[1:], 0.5 * em

    def side(beside: int) -> float:
        wide = ((box.w + gap) / beside - gap) / columns
        return min(wide, ((box.h + gap) / ceil(many / beside) - gap) / rows, 4 * em)

    best = max(range(1, many + 1), key=side)
    return best, max(side(best), 0.01)


def _columns(tiles: Sequence[Tile], box: Box, em: float) -> int:
    """Return how many tiles stand beside each other so that what they show is largest."""

    def area(columns: int) -> float:
        one = Box(0, 0, box.w / columns, box.h / ceil(len(tiles) / columns))
        place = Box(0, 0, one.w - 1.2 * em, one.h - 4 * em)
        if place.h < em or (columns > 1 and place.w < _LEAST_TILE * em):
            return 0.0
        shapes = [_as_maps(tile.values[:_MOST_MAPS], place).shape for tile in tiles]
        return sum(prod(shape) * _fitted(shape, place, em)[1] ** 2 for shape in shapes)

    return max(range(1, len(tiles) + 1), key=area)


def _as_maps(values: NDArray[np.generic], box: Box) -> Array:
    """Return an array as maps: a column as one map of rows, the last of which may have gaps."""
    made = np.asarray(values, float)
    if made.ndim == 3:
        return made
    if made.ndim == 2:
        return made[:, None, :]
    flat = made.reshape(-1)
    columns = max(1, min(flat.size, round(sqrt(flat.size * box.w / max(box.h, 1.0)))))
    sheet = np.full((ceil(flat.size / columns), columns), np.nan)
    sheet.reshape(-1)[: flat.size] = flat
    return sheet[None]


def _hull(counts: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return the rows and columns in which cells count: first row and column, how many."""
    found = np.argwhere(counts)
    if not len(found):
        return None
    (top, left), (bottom, right) = found.min(0).tolist(), found.max(0).tolist()
    return top, left, bottom - top + 1, right - left + 1


def _written(
    maps: Array, counts: NDArray[np.bool_], wide: float, side: float, em: float
) -> tuple[list[tuple[tuple[str, ...], ...]], float]:
    """Return the numbers that count of some maps as written, and their size; none where there is no room."""
    most, power = decimals(maps[np.isfinite(maps)])
    if power or side < em:
        return [()] * len(maps), em
    for places in range(most, min(most, 2) - 1, -1):  # with fewer decimals where all have no room
        texts = [
            tuple(
                tuple(number(float(v), places) if known else "" for v, known in zip(row, there, strict=True))
                for row, there in zip(one, counted, strict=True)
            )
            for one, counted in zip(maps, counts, strict=True)
        ]
        longest = max(width(text) for one in texts for row in one for text in row)
        size = min(em, 0.8 * side, 0.9 * wide / max(longest, 1.0))
        if size >= _LEAST_WRITTEN * em:
            return texts, size
    return [()] * len(maps), em
