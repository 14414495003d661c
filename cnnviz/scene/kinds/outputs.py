"""Softmax and the losses: scores, exponentials, probabilities and targets, class by class, with bars."""

from __future__ import annotations

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.kinds.layout import part
from cnnviz.scene.kinds.linear import page_of
from cnnviz.scene.marks import Box, Cells, Label, Mark, Rect, Run, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.substitution import scalar_text
from cnnviz.text import tr

_HEADS = {
    "x": "score",
    "e": "exp(x − m)",
    "t": "target",
    "dx": "gradient",
    "dy": "gradient",
}


def picture(
    moment: Moment,
    box: Box,
    unit: float,
    each: str = "class",
    y: str = "probability",
    sums: bool = False,
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
    """
    operation, arrays = moment.operation, moment.state.arrays
    names = [name for name in operation.tree.parameters if name in arrays and len(arrays[name]) > 1]
    count = max((len(arrays[name]) for name in names), default=1)
    if not names:
        names = [name for name in operation.tree.parameters if name in arrays and name != "E"]
    n = moment.variable("n")
    rows = page_of(n, count, min(count, 10))
    # Under the columns is room for their sums.
    height = min((box.h - 84 * unit) / max(len(rows), 1), 96 * unit)
    free = box.h - 84 * unit - height * len(rows)
    box = box.below(round(0.4 * free) if free > 0.2 * box.h else 0)
    head, body = box.top(34 * unit), box.below(40 * unit)
    classes = moment.classes if len(moment.classes) == count else tuple(str(k) for k in range(count))
    class_width = 110 * unit
    columns = Box(box.x + class_width, body.y, box.w - class_width, height * len(rows))
    width = min(170 * unit, columns.w / (len(names) + 2))
    of_rows = tr(each) + (" " + part(rows, count) if len(rows) < count else "")
    marks: list[Mark] = [label(Box(box.x, head.y, class_width, head.h), of_rows, 17 * unit, "muted")]
    for r, k in enumerate(rows):
        marks.append(
            label(
                Box(box.x, columns.y + r * height, class_width, height),
                classes[k],
                min(20 * unit, height * 0.7),
                bold=True,
            )
        )
    for c, name in enumerate(names):
        place = Box(columns.x + c * (width + 24 * unit), columns.y, width, columns.h)
        marks.append(_head(moment, name, y, Box(place.x, head.y, width + 20 * unit, head.h), unit))
        marks += _column(moment, name, place, rows, height, unit)
        marks += _sum_under(moment, name, place, unit) if sums and name in ("e", "y") else []
    bars = Box(columns.x + len(names) * (width + 24 * unit) + 10 * unit, columns.y, 0, columns.h)
    bars = Box(bars.x, bars.y, max(0.0, box.right - bars.x), bars.h)
    if bars.w > 60 * unit:
        drawn = _in_bars(moment, names)
        marks.append(_head(moment, drawn, y, Box(bars.x, head.y, bars.w * 0.5, head.h), unit))
        marks += _bars(moment, drawn, bars, rows, height, unit)
    if "E" in arrays:
        marks += _loss(moment, Box(bars.x + bars.w * 0.5, head.y, bars.w * 0.5, head.h), unit)
    return marks


def _head(moment: Moment, name: str, y: str, box: Box, unit: float) -> Label:
    """Return the line over a column or over its bars."""
    colour, factor = role(moment.operation, name), moment.look(name).factor
    said = Run("  " + moment.titled(name, tr(y if name == "y" else _HEADS.get(name, ""))), "muted")
    return Label(box, (Run(symbol(moment.operation, name) + factor, colour, True), said), 17 * unit)


def _in_bars(moment: Moment, names: list[str]) -> str:
    """Return which column is drawn as bars: the last that is being written, else the network's output."""
    begun = [
        name for name in names if name in moment.operation.call.writes and moment.state.written(name).any()
    ]
    return begun[-1] if begun else "y" if "y" in moment.operation.call.given else names[0]


def _column(moment: Moment, name: str, place: Box, rows: range, height: float, unit: float) -> list[Mark]:
    values = np.asarray(moment.state.arrays[name])[rows.start : rows.stop, None]
    missing = ~moment.state.written(name)[rows.start : rows.stop, None]
    look = moment.look(name)
    drawn = Cells(
        place,
        values,
        name,
        (),
        (rows.start, 0),
        "r",
        look.palette,
        look.limit,
        grid.texts(values, look, missing),
        min(max(24 * unit, height * 0.34), height * 0.55, place.w / (0.62 * max(look.width, 4))),
        missing if missing.any() else None,
    )
    return [drawn, *grid.outlines(moment, drawn, unit)]


def _sum_under(moment: Moment, name: str, place: Box, unit: float) -> list[Mark]:
    """Say under a column of softmax what its numbers add up to, as soon as that is known."""
    if moment.letters:
        return []
    values, there = np.asarray(moment.state.arrays[name], float), moment.state.written(name)
    if (name == "e" and "total" not in moment.state.variables) or (name == "y" and not there.all()):
        return []
    total = float(moment.state.variables["total"]) if name == "e" else float(values.sum())
    written = scalar_text(moment, total) if name == "e" else moment.look(name).text(total)
    runs = (Run((tr("total") if name == "e" else tr("sum")) + " ", "muted"), Run(written, "ink", True))
    return [Label(Box(place.x, place.bottom + 6 * unit, place.w, 34 * unit), runs, 22 * unit, "center")]


def _bars(moment: Moment, name: str, box: Box, rows: range, height: float, unit: float) -> list[Mark]:
    """Draw the numbers of a column as bars; negative ones to the left."""
    values = np.asarray(moment.state.arrays[name], float)
    there = moment.state.written(name)
    look = moment.look(name)
    signed = bool((np.asarray(moment.operation.call.writes.get(name, values)) < 0).any())
    zero = box.x + box.w / 2 if signed else box.x
    scale = (box.w / 2 if signed else box.w) * 0.95 / look.reach
    colour = f"{role(moment.operation, name)}_line"
    marks: list[Mark] = []
    for r, k in enumerate(rows):
        length = float(values[k]) * scale if there[k] and np.isfinite(values[k]) else 0.0
        bar = Box(min(zero, zero + length), box.y + r * height + height * 0.2, abs(length), height * 0.6)
        marks.append(Rect(bar, fill=colour, radius=2 * unit))
    marks.append(Rect(Box(zero - 1, box.y, 2, box.h), fill="line"))
    return marks


def _loss(moment: Moment, box: Box, unit: float) -> list[Mark]:
    done = bool(moment.state.written("E")[0])
    text = moment.cell_text("E", (0,)) if done else "…"
    runs = (Run("E  " + tr("loss") + " = ", "muted"), Run(text, "written", True))
    marks: list[Mark] = [Label(box, runs, 26 * unit)]
    return marks
