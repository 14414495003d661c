"""The network, top to bottom: every layer's maps and gradients, as far as they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.scene.marks import Box, Cells, Group, Mark, Rect, Role, Spot, label
from cnnviz.scene.moment import Look, Moment, are_pixels, look
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

_MAPS_SHOWN = 8

# What is shown of a layer: the operation that writes it (none for the input), the array, its name.
Source = tuple[Operation | None, Array, str]


def network(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the layers from the input to the loss, their maps and gradients as far as they are computed."""
    program, operation = moment.program, moment.operation
    marks: list[Mark] = [_resting(program, operation, box, unit)]
    for (writer, _, name), row, place in _places(program, box, unit):
        if writer is operation:
            values, there = np.asarray(moment.state.arrays[name]), moment.state.written(name)
            marks.append(_tile(look(operation, name), values, there, place, _ground(operation, row)))
    return [*marks, *_spots(program, box, unit)]


@lru_cache(maxsize=256)
def _resting(program: Program, working: Operation, box: Box, unit: float) -> Group:
    """Return what the pane shows at every step of an operation: all but the array that it writes."""
    columns = _network_columns(box, unit)
    marks: list[Mark] = [Rect(box, fill="panel")]
    titles = (tr("Network"), tr("values"), tr("gradients"))
    for column, text, size in zip(columns, titles, (15, 13, 13), strict=True):
        marks.append(label(column.top(26 * unit), text, size * unit, "muted", bold=column is columns[0]))
    for name, row in zip(network_rows(program), _network_row_boxes(program, box, unit), strict=True):
        here = working.layer == name
        if here:
            marked = row.inset(0, 2 * unit)
            marks.append(Rect(marked, _ground(working, name), working.phase, 1.5 * unit, 6 * unit))
        marks += _network_name(program, name, row, columns[0], unit, bold=here)
    now = program.number(working.name)
    for (operation, values, name), row_name, place in _places(program, box, unit):
        if operation is working:
            continue
        done = operation is None or program.number(operation.name) < now
        style = look(
            operation or program.operations[0], name, pixels=operation is None and are_pixels(values)
        )
        marks.append(_tile(style, values, np.full(values.shape, done), place, _ground(working, row_name)))
    return Group(box, tuple(marks))


@lru_cache(maxsize=32)
def _places(program: Program, box: Box, unit: float) -> tuple[tuple[Source, str, Box], ...]:
    """Return every array that the pane shows, with the name of its row and its place."""
    found: list[tuple[Source, str, Box]] = []
    columns = _network_columns(box, unit)[1:]
    for name, row in zip(network_rows(program), _network_row_boxes(program, box, unit), strict=True):
        for source, column in zip(arrays_of(program, name), columns, strict=True):
            if source is not None:
                found.append((source, name, Box(column.x, row.y + 6 * unit, column.w, row.h - 12 * unit)))
    return tuple(found)


@lru_cache(maxsize=32)
def _spots(program: Program, box: Box, unit: float) -> tuple[Spot, ...]:
    """Where a click leads to a layer, or to its gradient."""
    spots: list[Spot] = []
    column = _network_columns(box, unit)[2]
    for name, row in zip(network_rows(program), _network_row_boxes(program, box, unit), strict=True):
        spots.append(Spot(row, "layer", name))
        if arrays_of(program, name)[1] is not None:
            spots.append(Spot(Box(column.x, row.y, column.w, row.h), "gradient", name))
    return tuple(spots)


def _network_name(
    program: Program, name: str, row: Box, column: Box, unit: float, bold: bool = False
) -> list[Mark]:
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


@lru_cache(maxsize=512)
def arrays_of(program: Program, name: str) -> tuple[Source | None, Source | None]:
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


def _written_by(operations: Sequence[Operation], layer: str, name: str) -> Source | None:
    for operation in operations:
        if operation.layer == layer and operation.phase == "backward" and name in operation.call.writes:
            return operation, operation.call.writes[name], name
    return None


def _ground(working: Operation, row: str) -> Role:
    """Return what a row of the pane is painted with: the layer at work is marked."""
    return f"{working.phase}_fill" if working.layer == row else "panel"


def _tile(style: Look, values: Array, there: NDArray[np.bool_], box: Box, ground: Role) -> Cells:
    """Return a heatmap of an array: its first maps as tiles, or its numbers in a row."""
    if values.ndim == 3:
        sheet, known = _sheet(values, there, box)
        side = min(box.w / sheet.shape[1], box.h / sheet.shape[0])
        width, height = side * sheet.shape[1], side * sheet.shape[0]
    else:
        sheet, known = values.reshape(1, -1), there.reshape(1, -1)
        height = min(box.h * 0.5, 22.0)
        width = min(box.w, sheet.shape[1] * height)
    place = Box(box.x, round(box.y + (box.h - height) / 2), width, height)
    missing = None if known.all() else ~known
    ruled = values.ndim != 3 and values.size <= 16
    return Cells(
        place, sheet, palette=style.palette, limit=style.limit, missing=missing, lines=ruled, gap=ground
    )


def _sheet(values: Array, there: NDArray[np.bool_], box: Box) -> tuple[Array, NDArray[np.bool_]]:
    """Lay maps out beside each other, in two lines if that makes them larger, with gaps of NaN."""
    shown = min(len(values), _MAPS_SHOWN)
    rows, columns = values.shape[1:]
    gap = max(1, round(columns / 8))
    one_line = shown <= 2 or shown * (columns + gap) / rows < 1.2 * box.w / box.h
    per_line = shown if one_line else (shown + 1) // 2
    lines = -(-shown // per_line)
    sheet = np.full((lines * (rows + gap) - gap, per_line * (columns + gap) - gap), np.nan)
    known = np.ones(sheet.shape, bool)
    for k in range(shown):
        r, c = (k // per_line) * (rows + gap), (k % per_line) * (columns + gap)
        sheet[r : r + rows, c : c + columns] = values[k]
        known[r : r + rows, c : c + columns] = there[k]
    return sheet, known
