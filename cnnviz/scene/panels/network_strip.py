"""The network, top to bottom: every layer's maps and gradients, as far as they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.scene.marks import Box, Cells, Group, Mark, Rect, Spot, label
from cnnviz.scene.moment import Moment, look
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

_MAPS_SHOWN = 8


def network(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the layers from the input to the loss, their maps and gradients as far as they are computed."""
    program = moment.program
    marks: list[Mark] = [_network_base(program, box, unit)]
    for name, row in zip(network_rows(program), _network_row_boxes(program, box, unit), strict=True):
        marks += _network_row(moment, name, row, _network_columns(box, unit), unit)
    return marks


@lru_cache(maxsize=16)
def _network_base(program: Program, box: Box, unit: float) -> Group:
    """What the network pane shows at every step: headings, names and shapes."""
    columns = _network_columns(box, unit)
    marks: list[Mark] = [Rect(box, fill="panel")]
    titles = (tr("Network"), tr("values"), tr("gradients"))
    for column, text, size in zip(columns, titles, (15, 13, 13), strict=True):
        marks.append(label(column.top(26 * unit), text, size * unit, "muted", bold=column is columns[0]))
    for name, row in zip(network_rows(program), _network_row_boxes(program, box, unit), strict=True):
        marks += _network_name(program, name, row, columns[0], unit)
    return Group(box, tuple(marks))


def _network_name(program: Program, name: str, row: Box, column: Box, unit: float, bold: bool = False) -> list[Mark]:
    values = arrays_of(program, name)[0]
    text = row.inset(0, max(0.0, (row.h - 44 * unit) / 2))
    half = text.h / 2
    shape = shape_text(values[1].shape) if values and name != "loss" else tr("one number")
    return [
        label(Box(column.x, text.y, column.w, half), name, 16 * unit, "ink", bold=bold),
        label(Box(column.x, text.y + half, column.w, half), shape, 13 * unit, "muted"),
    ]


def _network_row_boxes(program: Program, box: Box, unit: float) -> list[Box]:
    inner = box.inset(8 * unit, 10 * unit)
    rows, head = len(network_rows(program)), 26 * unit
    height = min((inner.h - head) / rows, 84 * unit)
    return [Box(inner.x, inner.y + head + k * height, inner.w, height) for k in range(rows)]


def network_rows(program: Program) -> list[str]:
    """Return the names in the network pane, top to bottom."""
    layers = [operation.layer for operation in program.operations if operation.phase == "forward"]
    has_loss = any(operation.phase == "loss" for operation in program.operations)
    return ["input", *layers, *(["loss"] if has_loss else [])]


def _network_columns(box: Box, unit: float) -> list[Box]:
    return box.inset(20 * unit, 10 * unit).columns([1.0, 1.3, 1.0], gap=12 * unit)


def _network_row(moment: Moment, name: str, row: Box, columns: list[Box], unit: float) -> list[Mark]:
    operation, program = moment.operation, moment.program
    marks: list[Mark] = [Spot(row, "layer", name)]
    if operation.layer == name:
        fill = f"{operation.phase}_fill"
        marks.append(Rect(row.inset(0, 2 * unit), fill, operation.phase, 1.5 * unit, 6 * unit))
        marks += _network_name(program, name, row, columns[0], unit, bold=True)
    for source, column in zip(arrays_of(program, name), columns[1:], strict=True):
        if source is not None:
            marks.append(_thumbnail(moment, source, Box(column.x, row.y + 6 * unit, column.w, row.h - 12 * unit)))
            if column is columns[2]:
                marks.append(Spot(Box(column.x, row.y, column.w, row.h), "gradient", name))
    return marks


@lru_cache(maxsize=512)
def arrays_of(
    program: Program, name: str
) -> tuple[tuple[Operation | None, Array, str] | None, tuple[Operation, Array, str] | None]:
    """Return what a layer puts out and the gradient of that: (operation that writes it, array, its name)."""
    operations = program.operations
    if name == "input":
        x = np.asarray(operations[0].call.given["x"])
        filler = operations[0].call.filler.get("x")
        if filler is not None and filler.any():
            rows, columns = np.flatnonzero(~filler.all(1)), np.flatnonzero(~filler.all(0))
            x = x[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        below = operations[0].layer
        return (None, x, "x"), _written_by(operations, below, "dx")
    if name == "loss":
        found = next((op for op in operations if op.phase == "loss"), None)
        return (found, found.call.writes["E"], "E") if found else None, None
    layers = [operation.layer for operation in operations if operation.phase == "forward"]
    forward = next(op for op in operations if op.phase == "forward" and op.layer == name)
    k = layers.index(name)
    gradient = (
        _written_by(operations, layers[k + 1], "dx")
        if k + 1 < len(layers)
        else _written_by(operations, "loss", "dy")
    )
    return (forward, forward.call.writes["y"], "y"), gradient


def _written_by(
    operations: Sequence[Operation], layer: str, name: str
) -> tuple[Operation, Array, str] | None:
    for operation in operations:
        if operation.layer == layer and operation.phase == "backward" and name in operation.call.writes:
            return operation, operation.call.writes[name], name
    return None


def _thumbnail(moment: Moment, source: tuple[Operation | None, Array, str], box: Box) -> Cells:
    """Return the maps of an array side by side; hatched as far as they are not computed."""
    operation, values, name = source
    if operation is None:
        return _tiles(moment.program, operation, name, box, True)
    start = moment.program.start(operation.name)
    if moment.step.index >= start + len(operation) - 1:
        return _tiles(moment.program, operation, name, box, True)
    if operation is not moment.operation:
        return _tiles(moment.program, operation, name, box, False)
    return _tile(operation, name, np.asarray(moment.state.arrays[name]), moment.state.written(name), box)


@lru_cache(maxsize=512)
def _tiles(program: Program, operation: Operation | None, name: str, box: Box, there: bool) -> Cells:
    """The finished or untouched ones, kept: they are the same from step to step."""
    if operation is None:
        found = arrays_of(program, "input")[0]
        assert found is not None
        return _tile(
            program.operations[0],
            "x",
            found[1],
            np.ones(found[1].shape, bool),
            box,
            pixels=bool(found[1].min() >= 0),
        )
    values = operation.call.writes[name]
    return _tile(operation, name, values, np.full(values.shape, there), box)


def _tile(
    operation: Operation, name: str, values: Array, there: np.ndarray, box: Box, pixels: bool = False
) -> Cells:
    style = look(operation, name, pixels)
    if values.ndim != 3:
        strip, known = values.reshape(1, -1), there.reshape(1, -1)
        columns = strip.shape[1]
        height = min(box.h * 0.5, 22.0, max(box.w / columns, box.h * 0.3))
        width = min(box.w, columns * height)
        place = Box(box.x, box.y + (box.h - height) / 2, width, height)
        return Cells(
            place,
            strip,
            "",
            (),
            (0, 0),
            "c",
            style.palette,
            style.limit,
            (),
            0,
            ~known if not known.all() else None,
            None,
            columns <= 16,
        )
    shown = min(len(values), _MAPS_SHOWN)
    rows, columns = values.shape[1:]
    gap = max(1, round(columns / 8))
    per_row = (
        shown
        if shown * (columns + gap) / (rows or 1) < 1.2 * box.w / box.h or shown <= 2
        else (shown + 1) // 2
    )
    lines = -(-shown // per_row)
    total = (lines * (rows + gap) - gap, per_row * (columns + gap) - gap)
    sheet = np.full(total, np.nan)
    known = np.ones(total, bool)
    for k in range(shown):
        r, c = (k // per_row) * (rows + gap), (k % per_row) * (columns + gap)
        sheet[r : r + rows, c : c + columns] = values[k]
        known[r : r + rows, c : c + columns] = there[k]
    side = min(box.w / total[1], box.h / total[0])
    place = Box(box.x, box.y + (box.h - side * total[0]) / 2, side * total[1], side * total[0])
    return Cells(
        place,
        sheet,
        "",
        (),
        (0, 0),
        "",
        style.palette,
        style.limit,
        (),
        0,
        ~known if not known.all() else None,
        None,
        False,
    )
