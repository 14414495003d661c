"""Softmax and the losses: scores, exponentials, probabilities and targets, class by class, with bars."""

from __future__ import annotations

from math import ceil, floor, log10

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.layout import Area, Grid, Room, column, row
from cnnviz.scene.look import final
from cnnviz.scene.marks import Align, Box, Label, Mark, Rect, Span, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief, power_of_ten, rounded_up
from cnnviz.scene.sheet import Sheet, head_width, heading, named, page_of, part_said, sheet
from cnnviz.scene.substitution import scalar_text
from cnnviz.text import tr

_HEADS = {
    "x": "score",
    "e": "exp(x − m)",
    "t": "target",
    "dx": "gradient",
    "dy": "gradient",
    "class_weight": "weight",
    "pos_weight": "weight of a yes",
}


# The largest number, in parts of the smallest, from which on they are of many sizes.
_MANY_SIZES = 1000

_BARS = Area("bars", (10.0, 4.0), (36.0, 200.0), (6.0, 6.0))
_LOSS = Area("loss", (12.0, 2.2), (18.0, 2.2))


def picture(
    moment: Moment,
    room: Room,
    each: str = "class",
    y: str = "probability",
    sums: bool = False,
    tenfold: bool = False,
) -> list[Mark]:
    """Draw every vector of the operation as a column, a row per class, and bars of the last one.

    Parameters
    ----------
    each : str
        What a row is of.
    y : str
        What the network's outputs are.
    sums : bool
        Whether it is said under e and y what they add up to.
    tenfold : bool
        Whether the bars' axis goes by powers of ten where their numbers are of many sizes.
    """
    operation, arrays = moment.operation, moment.state.arrays
    names = [
        name
        for name in operation.tree.parameters
        if name in arrays and np.ndim(arrays[name]) == 1 and len(arrays[name]) > 1
    ]
    count = max((len(arrays[name]) for name in names), default=1)
    if not names:
        names = [name for name in operation.tree.parameters if name in arrays and name != "E"]
    classes = moment.classes if len(moment.classes) == count else tuple(str(k) for k in range(count))
    of_rows = tr(each)
    heads = {name: named(moment, name, tr(y if name == "y" else _HEADS.get(name, ""))) for name in names}
    whole = width(part_said(range(count), count)) if count > 8 else 0.0  # where a part is shown, it is said
    aside = max(*(width(text, True) for text in classes), min(8.0, width(of_rows)), whole) + 0.8
    parts = [
        _column_part(moment, name, count, heads[name], aside if k == 0 else 0.0, sums)
        for k, name in enumerate(names)
    ]
    columns = row(*parts, gap=1.6, alike=True)
    others = (_BARS, *((_LOSS,) if "E" in arrays else ()))
    at = sheet(moment, room, row(columns, *others), column(columns, row(*others)), columns)
    first = at.place(names[0])
    rows = page_of(moment.variable("n"), count, first.rows)
    if len(rows) < count:
        of_rows = part_said(rows, count)
    _classes(at, first.box, first.head.x, [classes[k] for k in rows], of_rows)
    for name in names:
        _column(at, name, rows, heads[name], sums and name in ("e", "y"))
    drawn = _in_bars(moment, names)
    if "bars" in at.layout.places:
        at.marks += heading(heads[drawn][:1], at.place("bars"), at.em)
        bars = at.place("bars").box
        box = Box(bars.x, first.box.y, bars.w, first.box.h)
        ends = _bars(at, drawn, box, rows, sums, tenfold)
        _ends(at, drawn, ends, box.bottom + 0.3 * at.em if sums else box.y - 1.75 * at.em)
    if "loss" in at.layout.places:
        done = bool(moment.state.written("E")[0])
        text = moment.cell_text("E", (0,)) if done else "…"
        runs = (Span("E  " + tr("loss") + " = ", "muted"), Span(text, "written", True))
        at.marks.append(Label(at.place("loss").box, runs, 1.5 * at.em))
    return at.marks


def _column_part(
    moment: Moment, name: str, count: int, head: tuple[Span, Span], aside: float, sums: bool
) -> Grid:
    look = moment.look(name)
    figures = grid.figures(look)
    under = 6.0 if sums else 0.0  # for what the columns add up to
    return Grid(name, count, 1, max(figures, 3.2), head_width(head), aside, scale=under, cut="column")


def _classes(at: Sheet, box: Box, left: float, names: list[str], each: str) -> None:
    """Write what the rows are called, left of the first column."""
    em, high = at.em, box.h / len(names)
    wide = box.x - left - 0.4 * em
    at.marks.append(label(Box(left, box.y - 1.75 * em, wide, 1.4 * em), each, em, "muted"))
    for r, name in enumerate(names):
        row_box = Box(left, box.y + r * high, wide, high)
        at.marks.append(label(row_box, name, min(1.2 * em, 0.7 * high), bold=True))


def _column(at: Sheet, name: str, rows: range, head: tuple[Span, Span], summed: bool) -> None:
    place = at.place(name)
    plane = grid.plane(at.moment, name, (), (rows.start, 0, 1, 1))
    drawn = grid.cells(plane, place.box, place.size, (rows.start, 0, len(rows), 1))
    at.marks += [*heading(head, place, at.em), drawn, *grid.outlines(at.moment, drawn, at.em)]
    if summed:
        _sum_under(at, name, place.box)


def _in_bars(moment: Moment, names: list[str]) -> str:
    """Return which column is drawn as bars: the last that is being written, else the network's output."""
    begun = [
        name for name in names if name in moment.operation.call.writes and moment.state.written(name).any()
    ]
    return begun[-1] if begun else "y" if "y" in moment.operation.call.given else names[0]


def _sum_under(at: Sheet, name: str, box: Box) -> None:
    """Say under a column of softmax what its numbers add up to, as soon as that is known."""
    moment = at.moment
    if moment.letters:
        return
    values, there = np.asarray(moment.state.arrays[name], float), moment.state.written(name)
    if (name == "e" and "total" not in moment.state.variables) or (name == "y" and not there.all()):
        return
    total = float(moment.state.variables["total"]) if name == "e" else float(values.sum())
    written = scalar_text(moment, total) if name == "e" else moment.look(name).text(total)
    runs = (Span((tr("total") if name == "e" else tr("sum")) + " ", "muted"), Span(written, "ink", True))
    under = Box(box.x, box.bottom + 0.3 * at.em, box.w, 1.7 * at.em)
    at.marks.append(Label(under, runs, 1.2 * at.em, "center"))


def _bars(at: Sheet, name: str, box: Box, rows: range, under: bool, tenfold: bool) -> dict[float, float]:
    """Draw the numbers of a column as bars, each with its number; negative ones to the left of 0.

    Return where on the axis 0 (or a power of ten in its place) and its ends are. They are written under it,
    or beside its heading: then the lower one needs room there.
    """
    moment, em, look = at.moment, at.em, at.moment.look(name)
    values = np.asarray(moment.state.arrays[name], float)
    there = moment.state.written(name)
    signed = bool((np.asarray(moment.operation.call.writes.get(name, values)) < 0).any())
    high = box.h / len(rows)
    size = min(em, 0.75 * high)
    told = 0.0 if look.letters else (5.5 if tenfold else grid.figures(look) + 0.5) * size  # beside each bar
    limit = rounded_up(look.reach)  # its own, for lengths do not share a scale of colours
    lowest = _lowest_power(at, name) if tenfold else None
    if lowest is not None:
        limit = 10.0 ** ceil(log10(limit))
    ends = (-limit, limit) if signed else (limit,)
    left = box.x + told if signed else box.x
    if not under and not look.letters:
        head = width(symbol(moment.operation, name) + look.factor, True) + 0.5
        first = -limit if signed else 0.0 if lowest is None else 10.0**lowest
        left = max(left, box.x + (head + _half_of_end(at, name, first)) * em)
    wide = box.right - told - left
    zero = left + wide / 2 if signed else left

    def length_of(value: float) -> float:
        if lowest is None:
            return value * (wide / 2 if signed else wide) / limit
        return wide * (log10(value) - lowest) / (log10(limit) - lowest) if value > 0 else 0.0

    colour = f"{role(moment.operation, name)}_line"
    at.marks += [Rect(Box(zero + length_of(end) - 0.5, box.y, 1, box.h), fill="line") for end in ends]
    if lowest is not None:
        tens = (zero + length_of(10.0**power) for power in range(lowest + 1, round(log10(limit))))
        at.marks += [Rect(Box(x - 0.5, box.y, 1, 0.15 * high), fill="line") for x in tens]
    for r, k in enumerate(rows):
        length = length_of(float(values[k])) if there[k] and np.isfinite(values[k]) else 0.0
        bar = Box(min(zero, zero + length), box.y + (r + 0.2) * high, abs(length), 0.6 * high)
        at.marks.append(Rect(bar, fill=colour, radius=0.12 * em))
        if there[k] and told:
            beside = Box(bar.right + 0.3 * em, box.y + r * high, told, high)
            if length < 0:
                beside = beside._replace(x=bar.x - 0.3 * em - told)
            align: Align = "right" if length < 0 else "left"
            column, one = at.place(name), values[k : k + 1, None]
            text = grid.texts(one, look, column.box, column.size or size)[0][0]
            end = zero + length_of(limit)
            if length >= 0 and beside.x < end < beside.x + width(text) * size:
                beside = beside._replace(x=end + 0.3 * em)  # behind the line, not across it
            at.marks.append(label(beside, text, size, align=align))
    at.marks.append(Rect(Box(zero - 1, box.y, 2, box.h), fill="line"))
    begin = 0.0 if lowest is None else 10.0**lowest
    return {value: zero + length_of(value) for value in (begin, *ends)}


def _lowest_power(at: Sheet, name: str) -> int | None:
    """Return the power of ten below the smallest number; None where an axis from 0 shows them all."""
    sizes = final(at.moment.operation, name).ravel()
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes) or sizes.max() < _MANY_SIZES * sizes.min():
        return None
    return floor(log10(sizes.min()))


def _ends(at: Sheet, name: str, ends: dict[float, float], y: float) -> None:
    """Write 0 and the ends of the bars' axis."""
    if at.moment.look(name).letters:
        return
    for value, x in ends.items():
        half = _half_of_end(at, name, value) * at.em
        place = Box(x - half, y, 2 * half, 1.4 * at.em)
        at.marks.append(label(place, _end(at, name, value), at.em, "muted", align="center"))


def _end(at: Sheet, name: str, value: float) -> str:
    """Return what is written at an end of the bars' axis."""
    value = float(f"{value * 10.0 ** -at.moment.look(name).power:.3g}")
    power = round(log10(abs(value))) if value else 0
    return power_of_ten(power) if power < -3 and value == float(f"1e{power}") else brief(value)


def _half_of_end(at: Sheet, name: str, value: float) -> float:
    """Return half the width of it, in parts of its size."""
    return 0.5 * width(_end(at, name, value)) + 0.1
