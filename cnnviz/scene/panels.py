"""The panes around the stage: the network, the listing with its variables and formula, the timeline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from cnnviz.engine.layer import Array, shape_text
from cnnviz.scene.arithmetic import scalar_places
from cnnviz.scene.marks import Box, Cells, Dot, Label, Mark, Path, Rect, Role, Run, Spot, label
from cnnviz.scene.moment import Moment, look, role, symbol
from cnnviz.scene.numbers import count, number
from cnnviz.scene.words import words
from cnnviz.text import tr
from cnnviz.trace.cursor import Breakpoint
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

# JetBrains Mono's characters are all this wide, in parts of the text size.
_MONO = 0.6
_MAPS_SHOWN = 8


# ---------------------------------------------------------------------------------------- network


def network(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the layers from the input to the loss, their maps and gradients as far as they are computed."""
    marks: list[Mark] = [Rect(box, fill="panel")]
    inner = box.inset(8 * unit, 10 * unit)
    head = inner.top(26 * unit)
    rows = network_rows(moment.program)
    height = min((inner.h - head.h) / len(rows), 84 * unit)
    columns = _network_columns(inner, unit)
    titles = (tr("Network"), tr("values"), tr("gradients"))
    for column, text, size in zip(columns, titles, (15, 13, 13), strict=True):
        place = Box(column.x, head.y, column.w, head.h)
        marks.append(label(place, text, size * unit, "muted", bold=column is columns[0]))
    for k, name in enumerate(rows):
        row = Box(inner.x, head.bottom + k * height, inner.w, height)
        marks += _network_row(moment, name, row, columns, unit)
    return marks


def network_rows(program: Program) -> list[str]:
    """Return the names in the network pane, top to bottom."""
    layers = [operation.layer for operation in program.operations if operation.phase == "forward"]
    has_loss = any(operation.phase == "loss" for operation in program.operations)
    return ["input", *layers, *(["loss"] if has_loss else [])]


def network_row_at(program: Program, box: Box, unit: float, y: float) -> str | None:
    """Return which row of the network pane is at a height, or None."""
    inner = box.inset(8 * unit, 10 * unit)
    rows = network_rows(program)
    height = min((inner.h - 26 * unit) / len(rows), 84 * unit)
    k = int((y - inner.y - 26 * unit) // height)
    return rows[k] if 0 <= k < len(rows) else None


def _network_columns(inner: Box, unit: float) -> list[Box]:
    return Box(inner.x + 12 * unit, inner.y, inner.w - 24 * unit, inner.h).columns(
        [1.0, 1.3, 1.0], gap=12 * unit
    )


def _network_row(moment: Moment, name: str, row: Box, columns: list[Box], unit: float) -> list[Mark]:
    operation, program = moment.operation, moment.program
    marks: list[Mark] = [Spot(row, "layer", name)]
    here = operation.layer == name
    if here:
        fill = f"{operation.phase}_fill"
        marks.append(Rect(row.inset(0, 2 * unit), fill, operation.phase, 1.5 * unit, 6 * unit))
    values, gradients = arrays_of(program, name)
    text = row.inset(0, max(0.0, (row.h - 44 * unit) / 2))
    half = text.h / 2
    marks.append(label(Box(columns[0].x, text.y, columns[0].w, half), name, 16 * unit, "ink", bold=here))
    shape = shape_text(values[1].shape) if values and values[1].ndim else tr("one number")
    marks.append(label(Box(columns[0].x, text.y + half, columns[0].w, half), shape, 13 * unit, "muted"))
    for source, column in ((values, columns[1]), (gradients, columns[2])):
        if source is not None:
            place = Box(column.x, row.y + 6 * unit, column.w, row.h - 12 * unit)
            marks.append(_thumbnail(moment, source, place))
            if source is gradients:
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


# ---------------------------------------------------------------------------------------- debugger


def debugger(moment: Moment, box: Box, unit: float, breakpoints: Sequence[Breakpoint] = ()) -> list[Mark]:
    """Draw the listing with the executing line and its breakpoints, the variables, and the formula."""
    marks: list[Mark] = [Rect(box, fill="panel")]
    inner = box.inset(18 * unit, 10 * unit)
    here = moment.operation.name
    stops = {point.line: point.offset is None for point in breakpoints if point.operation == here}
    used = _listing(moment, inner, unit, marks, stops)
    below = inner.below(used + 14 * unit)
    marks.append(Rect(below.top(1), fill="panel_line"))
    formula = words(moment.operation.tree.name).formula
    room = below.h - (46 + 34 * len(formula)) * unit
    used = _variables(moment, below.below(12 * unit).top(max(room, 0.0)), unit, marks)
    below = below.below(12 * unit + used + 14 * unit)
    marks.append(Rect(below.top(1), fill="panel_line"))
    marks.append(label(below.below(8 * unit).top(24 * unit), tr("Formula"), 15 * unit, "muted", bold=True))
    for k, text in enumerate(formula):
        line = Box(below.x, below.y + (38 + 34 * k) * unit, below.w, 30 * unit)
        marks.append(label(line, text, 20 * unit, "ink", align="center", family="math"))
    return marks


def listing_lines(operation: Operation, width: float, size: float) -> list[tuple[int, int, str]]:
    """Return a listing as shown: (line number, indentation in characters, text); long lines are continued.

    Indentation is two characters a level. A line's continuation has the same number.
    """
    room = int(width / (_MONO * size))
    shown: list[tuple[int, int, str]] = []
    for k, source in enumerate(operation.tree.source, 1):
        text = source.strip()
        indent = (len(source) - len(source.lstrip())) // 2
        if k == 1:
            text = _short_signature(operation, room)
        while len(text) + indent > room:
            cut = _break_in(text[: room - indent + 1])
            if cut == 0:
                break
            shown.append((k, indent, text[:cut]))
            text, indent = text[cut + 1 :], (len(source) - len(source.lstrip())) // 2 + 2
        shown.append((k, indent, text))
    return shown


def _break_in(text: str) -> int:
    """Return at which blank a line is best broken: at an operator outside brackets, else after a comma; 0 if nowhere."""
    depth, best, comma = 0, 0, 0
    for k, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if sign != " " or k < 3:
            continue
        if depth == 0 and (text[k - 1] == "=" or re.match(r" (?:[*+] |if |else )", text[k : k + 6])):
            best = k
        elif text[k - 1] == ",":
            comma = k
    return best or comma


def _short_signature(operation: Operation, room: int) -> str:
    """Return the ``def`` line with its arrays named and its sizes left out where it is too long."""
    whole = operation.tree.source[0].strip()
    if len(whole) <= room:
        return whole
    arrays = [name for name in operation.tree.parameters if name in operation.tree.arrays]
    return f"def {operation.tree.name}({', '.join(arrays)}, …):"


def _listing(moment: Moment, box: Box, unit: float, marks: list[Mark], stops: Mapping[int, bool]) -> float:
    marks.append(label(box.top(24 * unit), tr("Listing"), 15 * unit, "muted", bold=True))
    marks.append(
        label(
            box.top(24 * unit),
            f"{moment.operation.tree.name}()",
            13 * unit,
            "muted",
            align="right",
            family="mono",
        )
    )
    size, gutter, step = 14.5 * unit, 42 * unit, 27 * unit
    lines = listing_lines(moment.operation, box.w - gutter, size)
    here = moment.state.line
    top = box.y + 32 * unit
    for k, (line, indent, text) in enumerate(lines):
        row = Box(box.x, top + k * step, box.w, step)
        if line == here:
            marks.append(Rect(Box(box.x - 8 * unit, row.y, box.w + 16 * unit, step), fill="source_fill"))
        first = k == 0 or lines[k - 1][0] != line
        if line == here and first:
            y = row.center[1]
            tip = ((box.x - 4 * unit, y - 6 * unit), (box.x + 5 * unit, y), (box.x - 4 * unit, y + 6 * unit))
            marks.append(Path(tip, "source_line", 1.5 * unit, filled=True))
        marks.append(Spot(Box(box.x - 8 * unit, row.y, gutter, step), "gutter", line=line))
        marks.append(Spot(Box(box.x - 8 * unit + gutter, row.y, box.w + 16 * unit - gutter, step), "line", line=line))
        if first and line in stops:
            marks.append(Dot((box.x + 3 * unit, row.center[1]), (6 if stops[line] else 4) * unit, "stop"))
        if first:
            marks.append(
                label(
                    Box(box.x, row.y, gutter - 16 * unit, step),
                    str(line),
                    13 * unit,
                    "muted",
                    align="right",
                    family="mono",
                )
            )
        place = Box(
            box.x + gutter + indent * _MONO * size,
            row.y,
            box.w - gutter - indent * _MONO * size + 10 * unit,
            step,
        )
        marks.append(Label(place, _coloured(moment.operation, text), size, family="mono"))
    return (32 * unit) + step * len(lines)


@lru_cache(maxsize=1024)
def _coloured(operation: Operation, text: str) -> tuple[Run, ...]:
    """Colour the arrays in a line by what they are: read, parameter or written."""
    runs: list[Run] = []
    for part in re.split(r"(\b[A-Za-z_]\w*\b(?=\[))", text):
        runs.append(Run(part, role(operation, part) if part in operation.tree.arrays else "ink"))
    return tuple(run for run in runs if run.text)


def _variables(moment: Moment, box: Box, unit: float, marks: list[Mark]) -> float:
    marks.append(label(box.top(24 * unit), tr("Variables"), 15 * unit, "muted", bold=True))
    rows = _variable_rows(moment)
    step = min(27 * unit, (box.h - 30 * unit) / max(len(rows), 1))
    for k, (name, said, value, colour) in enumerate(rows):
        row = Box(box.x, box.y + 30 * unit + k * step, box.w, step)
        if k % 2 == 0:
            marks.append(Rect(row, fill="ground"))
        inner = row.inset(8 * unit, 0)
        size = min(15 * unit, step * 0.75)
        marks.append(
            Label(
                Box(inner.x, row.y, inner.w * 0.68, step),
                (Run(name, colour, True), Run("  " + said, "muted")),
                size,
                family="mono",
            )
        )
        marks.append(
            label(
                Box(inner.x + inner.w * 0.6, row.y, inner.w * 0.4, step),
                value,
                size,
                "ink",
                align="right",
                family="mono",
            )
        )
    return 30 * unit + step * len(rows)


def _variable_rows(moment: Moment) -> list[tuple[str, str, str, Role]]:
    """Return (name, what it is, value, colour): loop variables, scalars, then the cells read and written."""
    operation, state = moment.operation, moment.state
    said = words(operation.tree.name).variables
    loops = {loop.variable: loop.count for loop in state.loops}
    outer = {loop.variable for loop in operation.cells.nest}
    rows: list[tuple[str, str, str, Role]] = []
    for name, value in state.variables.items():
        if name in operation.tree.variables:
            last = f"{value} {tr('of')} {loops[name] - 1}" if name in loops else str(value)
            colour = "muted" if name not in loops else "written" if name in outer else "source"
            rows.append((name, tr(said.get(name, "")), last, colour))
        elif isinstance(value, int | np.integer):
            rows.append((name, "", str(value), "ink"))
        else:
            rows.append((name, "", number(value, max(scalar_places(moment, name), 4)), "ink"))
    for name, index in dict.fromkeys((*state.reads, *state.writes)):
        place = f"{symbol(name)}[{', '.join(str(k) for k in index)}]"
        value = float(state.arrays[name][index])
        rows.append((place, "", number(value, max(moment.look(name).places, 4)), role(operation, name)))
    return rows


# ---------------------------------------------------------------------------------------- timeline


def timeline(
    moment: Moment,
    box: Box,
    unit: float,
    breakpoints: Sequence[Breakpoint] = (),
    span: tuple[float, float] = (0.0, 1.0),
) -> list[Mark]:
    """Draw the whole program as a bar of operations, the playhead, breakpoints, and where we are in words."""
    marks: list[Mark] = [Rect(box, fill="panel"), Rect(box.top(1), fill="panel_line")]
    bar = timeline_bar(box, unit)
    program = moment.program
    edges = [_on_bar(bar, at, span) for at in timeline_edges(program)]
    phase = ""
    for k, operation in enumerate(program.operations):
        left, right = max(edges[k], bar.x), min(edges[k + 1], bar.right)
        if operation.phase != phase:
            phase = operation.phase
            if bar.x <= edges[k] < bar.right:
                last = max(j for j, other in enumerate(program.operations) if other.phase == phase)
                marks.append(_phase_name(phase, bar, edges[k], edges[last + 1], unit))
        if right - left < 0.5:
            continue
        segment = Box(left + 1, bar.y, max(1.0, right - left - 2), bar.h)
        here = operation is moment.operation
        marks.append(
            Rect(segment, f"{operation.phase}_fill", operation.phase if here else None, 1.5 * unit, 3 * unit)
        )
        if segment.w > 9.5 * unit * len(operation.name) * 0.9 + 8 * unit:
            marks.append(
                label(segment.inset(3 * unit, 0), operation.name, 14 * unit, "ink", align="center", bold=here)
            )
    for point in breakpoints:
        x = _on_bar(bar, _breakpoint_at(program, point), span)
        if bar.x - 1 <= x <= bar.right + 1:
            marks.append(Dot((x, bar.bottom + 9 * unit), 5.5 * unit, "stop"))
    head = _on_bar(bar, timeline_at(program, moment.step.index), span)
    if bar.x - 1 <= head <= bar.right + 1:
        marks.append(Path(((head, bar.y - 6 * unit), (head, bar.bottom + 7 * unit)), "ink", 3 * unit))
        marks.append(Dot((head, bar.y - 8 * unit), 7 * unit, "ink"))
    marks += _where(
        moment,
        Box(bar.x, bar.bottom + 16 * unit, bar.w, box.bottom - bar.bottom - 22 * unit),
        unit,
        len(breakpoints),
    )
    return marks


def _phase_name(phase: str, bar: Box, left: float, right: float, unit: float) -> Label:
    """Write a phase's name over its operations; where they are too narrow for it, ending with them."""
    width = 90 * unit
    if right - left >= width:
        room = Box(left + 2 * unit, bar.y - 27 * unit, width, 22 * unit)
        return label(room, tr(phase), 14 * unit, phase, bold=True)
    room = Box(max(bar.x, right - width), bar.y - 27 * unit, width, 22 * unit)
    return label(room, tr(phase), 14 * unit, phase, bold=True, align="right")


def timeline_bar(box: Box, unit: float) -> Box:
    """Return where in the timeline's box the bar itself is."""
    return Box(box.x + 36 * unit, box.y + 46 * unit, box.w - 72 * unit, 34 * unit)


@lru_cache(maxsize=64)
def timeline_edges(program: Program) -> tuple[float, ...]:
    """Return where the operations begin on the bar, 0 to 1: the longer the wider, but none too thin to see.

    Widths grow as the square root of the steps: a convolution of a million steps leaves room for a ReLU.
    """
    weights = [len(operation) ** 0.5 for operation in program.operations]
    smallest = sum(weights) / 120
    weights = [max(weight, smallest) for weight in weights]
    total, edges = sum(weights), [0.0]
    for weight in weights:
        edges.append(edges[-1] + weight / total)
    return tuple(edges)


def timeline_at(program: Program, index: int) -> float:
    """Return where on the bar a step is, 0 to 1."""
    edges = timeline_edges(program)
    step = program[index]
    k = program.number(step.operation.name)
    return edges[k] + (edges[k + 1] - edges[k]) * (step.offset + 0.5) / len(step.operation)


def timeline_step(program: Program, at: float) -> int:
    """Return the step at a place on the bar, 0 to 1: the inverse of `timeline_at`."""
    edges = timeline_edges(program)
    at = min(max(at, 0.0), 1.0)
    k = min(max(int(np.searchsorted(edges, at, "right")) - 1, 0), len(program.operations) - 1)
    inside = (at - edges[k]) / (edges[k + 1] - edges[k])
    length = len(program.operations[k])
    return program.starts[k] + min(length - 1, max(0, int(inside * length)))


def _on_bar(bar: Box, at: float, span: tuple[float, float]) -> float:
    low, high = span
    return bar.x + (at - low) / (high - low) * bar.w


def _breakpoint_at(program: Program, point: Breakpoint) -> float:
    if point.offset is not None:
        return timeline_at(program, program.start(point.operation) + point.offset)
    return timeline_at(program, program.start(point.operation))


def _where(moment: Moment, box: Box, unit: float, breakpoints: int) -> list[Mark]:
    step = tr("step {index} of {count}", index=count(moment.step.index), count=count(len(moment.program) - 1))
    marks: list[Mark] = [
        label(Box(box.x, box.y, 330 * unit, 26 * unit), step, 16 * unit, "muted"),
        label(Box(box.x + 330 * unit, box.y, box.w - 560 * unit, 26 * unit), where(moment), 16 * unit, "ink"),
    ]
    if breakpoints:
        text = tr("breakpoints: {count}", count=breakpoints)
        marks.append(
            label(
                Box(box.right - 220 * unit, box.y, 220 * unit, 26 * unit),
                text,
                16 * unit,
                "muted",
                align="right",
            )
        )
    return marks


def where(moment: Moment) -> str:
    """Say in words where we are: ``forward · conv1 · output map 1 · row 2 · column 3``."""
    operation = moment.operation
    said = words(operation.tree.name)
    loops = {loop.variable for loop in moment.state.loops}
    parts = [tr(operation.phase), operation.layer]
    if said.title:
        parts.append(tr(said.title))
    for variable, value in moment.step.variables.items():
        if variable in loops:
            parts.append(f"{tr(said.variables.get(variable, variable))} {value}")
    return " · ".join(parts)
