"""The network, top to bottom: every layer's maps and gradients, as far as they are computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, shape_text
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.lettered import without_numbers
from cnnviz.scene.marks import Box, Cells, Group, Mark, Rect, Role, Scale, Spot, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Look, Moment, look
from cnnviz.scene.numbers import brief
from cnnviz.text import tr
from cnnviz.trace.looptree import Line
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

_MAPS_SHOWN = 8
# The least height of a variable's row, at 1080 lines.
_LOWEST = 30
# A shape of more characters is written closely.
_WIDE = 11

# What is shown of a layer: the operation that writes it (none for the input), the array, its name.
Source = tuple[Operation | None, Array, str]


def network(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the layers from the input to the loss, their maps and gradients as far as they are computed."""
    program, operation, at_work = moment.program, moment.operation, _row_at_work(moment)
    marks: list[Mark] = [_resting(program, operation, at_work, box, unit, moment.scale)]
    rows = _shown(program, box, unit, at_work)
    for (writer, _, name), row, place in _places(program, rows, box, unit):
        if writer is operation:
            whole = writer.call.unpadded
            values, there = whole(name, moment.state.value(name)), whole(name, moment.state.written(name))
            ground = _ground(operation, row == at_work)
            marks.append(_tile(_look(program, operation, name, moment.scale), values, there, place, ground))
    return [*(without_numbers(marks) if moment.letters else marks), *_spots(program, rows, box, unit)]


@remembered(256)
def _resting(
    program: Program, working: Operation, at_work: str, box: Box, unit: float, scale: Scale
) -> Group:
    """Return what the pane shows while a row is at work: all but what the operation writes."""
    columns = _network_columns(box, unit)
    marks: list[Mark] = [Rect(box, fill="panel")]
    titles = (_title(program), tr("values"), "" if _reads_pictures(program) else tr("gradients"))
    for column, text, size in zip(columns, titles, (15, 13, 13), strict=True):
        marks.append(label(column.top(26 * unit), text, size * unit, "muted", bold=column is columns[0]))
    rows = _shown(program, box, unit, at_work)
    for name, row in zip(rows, _network_row_boxes(rows, box, unit), strict=True):
        here = at_work == name
        if here:
            marked = row.inset(0, 2 * unit)
            marks.append(Rect(marked, _ground(working, here), working.phase, 1.5 * unit, 6 * unit))
        marks += _network_name(program, name, row, columns[0], unit, bold=here)
    now = program.number(working.name)
    for (operation, values, name), row_name, place in _places(program, rows, box, unit):
        if operation is working:
            continue
        done = operation is None or program.number(operation.name) < now
        holder = operation or next(other for other in program.operations if name in other.call.given)
        style = _look(program, holder, name, scale)
        ground = _ground(working, row_name == at_work)
        marks.append(_tile(style, values, np.full(values.shape, done), place, ground))
    return Group(box, tuple(marks))


def _title(program: Program) -> str:
    if _reads_pictures(program):
        return tr("Pictures")
    if _descends(program):
        return tr("Descents")
    return tr("Graph") if _variables(program) else tr("Network")


def _reads_pictures(program: Program) -> bool:
    """Return whether a program reads pictures, which stand for themselves: nothing goes into them."""
    return "image" in program.operations[0].call.given


@remembered(32)
def _places(
    program: Program, rows: tuple[str, ...], box: Box, unit: float
) -> tuple[tuple[Source, str, Box], ...]:
    """Return every array that the pane shows, with the name of its row and its place."""
    found: list[tuple[Source, str, Box]] = []
    columns = _network_columns(box, unit)[1:]
    for name, row in zip(rows, _network_row_boxes(rows, box, unit), strict=True):
        for source, column in zip(arrays_of(program, name), columns, strict=True):
            if source is not None:
                found.append((source, name, Box(column.x, row.y + 6 * unit, column.w, row.h - 12 * unit)))
    return tuple(found)


@remembered(32)
def _spots(program: Program, rows: tuple[str, ...], box: Box, unit: float) -> tuple[Spot, ...]:
    """Where a click leads to a layer, or to its gradient."""
    spots: list[Spot] = []
    column = _network_columns(box, unit)[2]
    for name, row in zip(rows, _network_row_boxes(rows, box, unit), strict=True):
        spots.append(Spot(row, "layer", name))
        if arrays_of(program, name)[1] is not None:
            spots.append(Spot(Box(column.x, row.y, column.w, row.h), "gradient", name))
    return tuple(spots)


def _network_name(
    program: Program, name: str, row: Box, column: Box, unit: float, bold: bool = False
) -> list[Mark]:
    values = arrays_of(program, name)[0]
    said = tr(name) if name in (INPUT, "loss") else name
    text = row.inset(0, max(0.0, (row.h - 44 * unit) / 2))
    half = text.h / 2
    shape = shape_text(values[1].shape) if values and name != "loss" else tr("one number")
    if values and values[1].ndim == 0:
        shape = _assigned(values)
    elif len(shape) > _WIDE:
        shape = shape.replace(" × ", "×")
    return [
        label(Box(column.x, text.y, column.w, half), said, 16 * unit, "ink", bold=bold),
        label(Box(column.x, text.y + half, column.w, half), shape, 13 * unit, "muted"),
    ]


def _shown(program: Program, box: Box, unit: float, at_work: str) -> tuple[str, ...]:
    """Return the rows that are shown: of more variables than can be read, a page with the one at work."""
    rows = network_rows(program)
    most = max(1, int((box.h - 46 * unit) / (_LOWEST * unit)))
    if not _variables(program) or len(rows) <= most:
        return tuple(rows)
    here = rows.index(at_work) if at_work in rows else 0
    start = min(here // most * most, len(rows) - most)
    return tuple(rows[start : start + most])


def _network_row_boxes(rows: Sequence[str], box: Box, unit: float) -> list[Box]:
    inner = box.inset(8 * unit, 10 * unit)
    head = 26 * unit
    height = min((inner.h - head) / len(rows), 84 * unit)
    return [Box(inner.x, inner.y + head + k * height, inner.w, height) for k in range(len(rows))]


def _assigned(values: Source) -> str:
    """Return what a listing assigns to a variable: the right-hand side of its line."""
    operation, _, name = values
    if operation is None:
        return tr("input")
    line = operation.writers(name)[0].number
    return operation.tree.source[line - 1].partition(" = ")[2]


def _variables(program: Program) -> tuple[str, ...]:
    """Return what goes into and comes out of a program that has no arrays; nothing for a network."""
    first = program.operations[0]
    return () if first.tree.arrays else (*first.call.given, *first.call.writes)


def _descends(program: Program) -> bool:
    """Return whether a program walks down curves; its rows are the descents."""
    return program.operations[0].phase == "descent"


def _look(program: Program, operation: Operation, name: str, scale: Scale) -> Look:
    """Return how an array is drawn; variables have one scale together, so that they compare."""
    return look(program, operation, name, "network" if _variables(program) else scale)


def _row_at_work(moment: Moment) -> str:
    """Return the row of what is computed: a layer's, or a variable's whose value or gradient it is."""
    rows, node = _variables(moment.program), moment.node
    if not rows or not isinstance(node, Line):
        return moment.operation.layer
    return node.target if moment.operation.phase == "forward" else node.target.removeprefix("d")


def network_rows(program: Program) -> list[str]:
    """Return the names in the network pane, top to bottom: layers, or the variables of an expression."""
    if _variables(program):
        return list(_variables(program))
    if _descends(program):
        return [operation.name for operation in program.operations]
    layers = [operation.layer for operation in program.operations if operation.phase == "forward"]
    has_loss = any(operation.phase == "loss" for operation in program.operations)
    return [*([INPUT] if program.readers(f"{INPUT}.y") else []), *layers, *(["loss"] if has_loss else [])]


def _network_columns(box: Box, unit: float) -> list[Box]:
    return box.inset(20 * unit, 10 * unit).columns([1.0, 1.3, 1.0], gap=12 * unit)


@remembered(512)
def arrays_of(program: Program, name: str) -> tuple[Source | None, Source | None]:
    """Return what a row of the pane stands for and the gradient of it.

    Each is (operation that writes it, array, its name); a variable is an array of shape ().
    """
    operations = program.operations
    if _variables(program):
        first = operations[0]
        return (
            (first, first.call.writes[name], name)
            if name in first.call.writes
            else (None, np.asarray(first.call.given[name]), name),
            _gradient_of(program, f"{first.layer}.{name}"),
        )
    if _descends(program):
        operation = program.operation(name)
        return (operation, operation.call.writes["w"], "w"), (operation, operation.call.writes["dw"], "dw")
    if name == INPUT:
        return _given(program, f"{INPUT}.y"), _gradient_of(program, f"{INPUT}.y")
    if name == "loss":
        found = next((op for op in operations if op.phase == "loss"), None)
        return (found, found.call.writes["E"], "E") if found else None, None
    forward = next(op for op in operations if op.phase == "forward" and op.layer == name)
    result = next(own for own in forward.call.writes if forward.call.port(own).role == "result")
    made = _gradient_of(program, f"{name}.y") or _given(program, f"{name}.dy")
    return (forward, forward.call.writes[result], result), made


def _gradient_of(program: Program, address: str) -> Source | None:
    """Return the whole gradient of an array: where several come back, their sum."""
    made = program.gradient(address)
    if made is None:
        return None
    operation, name = made
    return operation, operation.call.unpadded(name, operation.call.writes[name]), name


def _given(program: Program, address: str) -> Source | None:
    """Return an array that no operation makes."""
    read = next(iter(program.readers(address)), None)
    if read is None:
        return None
    operation, name = read
    return None, operation.call.unpadded(name, np.asarray(operation.call.given[name])), name


def _ground(working: Operation, at_work: bool) -> Role:
    """Return what a row of the pane is painted with: the one at work is marked."""
    return f"{working.phase}_fill" if at_work else "panel"


def _tile(style: Look, values: Array, there: NDArray[np.bool_], box: Box, ground: Role) -> Cells:
    """Return a heatmap of an array: its first maps as tiles, or its numbers in a row; one number as text."""
    texts: tuple[tuple[str, ...], ...] = ()
    if values.ndim == 3:
        sheet, known = map_sheet(values, there, box)
        side = min(box.w / sheet.shape[1], box.h / sheet.shape[0])
        width, height = side * sheet.shape[1], side * sheet.shape[0]
    else:  # walks under each other; anything else in one row
        rows = len(values) if values.ndim == 2 else 1
        sheet, known = values.reshape(rows, -1), there.reshape(rows, -1)
        height = min(box.h * (0.5 if rows == 1 else 0.8), 22.0 * rows)
        width = min(box.w, sheet.shape[1] * height / rows)
    if values.ndim == 0:
        width, texts = box.w, ((brief(float(values)) if there else "",),)
    place = Box(box.x, round(box.y + (box.h - height) / 2), width, height)
    missing = None if known.all() else ~known
    ruled = values.ndim != 3 and values.size <= 16
    return Cells(
        place,
        sheet,
        palette=style.palette,
        limit=style.limit,
        texts=texts,
        size=min(height * 0.62, 2 * width / max(4, len(texts[0][0]))) if texts else 12.0,
        missing=missing,
        lines=ruled,
        gap=ground if values.ndim == 3 else None,
    )


def map_sheet(values: Array, there: NDArray[np.bool_], box: Box) -> tuple[Array, NDArray[np.bool_]]:
    """Lay maps out beside each other, in two lines if that makes them larger, with gaps of NaN.

    What is no number is infinite there, so that it is not taken for a gap.
    """
    shown = min(len(values), _MAPS_SHOWN)
    rows, columns = values.shape[1:]
    gap = max(1, round(columns / 8))
    one_line = shown <= 2 or shown * (columns + gap) / rows < 1.2 * box.w / box.h
    per_line = shown if one_line else (shown + 1) // 2
    lines = -(-shown // per_line)
    side = min(box.w / (per_line * (columns + gap)), box.h / (lines * (rows + gap)))
    if side < 0.5:  # of several cells on a pixel one would be seen anyway
        every = int(1 / max(side, 0.01))
        values, there = values[:, ::every, ::every], there[:, ::every, ::every]
        rows, columns = values.shape[1:]
        gap = max(1, round(columns / 8))
    sheet = np.full((lines * (rows + gap) - gap, per_line * (columns + gap) - gap), np.nan)
    known = np.ones(sheet.shape, bool)
    for k in range(shown):
        r, c = (k // per_line) * (rows + gap), (k % per_line) * (columns + gap)
        sheet[r : r + rows, c : c + columns] = np.where(np.isnan(values[k]), np.inf, values[k])
        known[r : r + rows, c : c + columns] = there[k]
    return sheet, known
