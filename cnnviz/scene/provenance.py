"""Where a number comes from: the step that writes it, and the cells it is computed from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.scene.letters import own_place
from cnnviz.scene.marks import Box, Cells, Frame, Mark, Rect, Spot, flat, label
from cnnviz.scene.memory import remembered
from cnnviz.scene.moment import Moment, role, symbol
from cnnviz.scene.numbered import NEW, OLD, scope_of, with_numbers
from cnnviz.scene.numbers import count, full
from cnnviz.text import tr
from cnnviz.trace.additions import Addition, accumulates, additions, offsets_writing
from cnnviz.trace.looptree import Line, walk
from cnnviz.trace.operands import anatomy, window
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

Index = tuple[int, ...]

_MOST_OUTLINED = 400
_MOST_TERMS = 8


class Origin(Struct, frozen=True, eq=False):
    """What is known about one cell of an array of the operation in hand.

    Attributes
    ----------
    name : str
        The cell as in ``y[1, 2, 3]``, in an update ``old w[3]``; in letters, what it is called before that.
    value : str
        Its value in full.
    said : str
        Who wrote it and when, or what else it is.
    step : int or None
        The step that writes it; None for what comes from outside: pixels, parameters, padding.
    sources : Mapping[str, NDArray]
        The cells it is computed from, where this operation computes it: by array, indices (n, ndim).
    known : bool
        Whether it has its value yet; if not, `value` says so in words.
    terms : tuple[str, ...]
        Of a cell that is added to again and again: what was added by now, the last few of it.
    """

    name: str
    value: str
    said: str
    step: int | None
    sources: Mapping[str, NDArray[np.intp]]
    known: bool = True
    terms: tuple[str, ...] = ()


def origin(moment: Moment, array: str, index: Index) -> Origin:
    """Return where a cell comes from."""
    name = _named(moment, array, index)
    value = full(float(moment.state.arrays[array][index]))
    operation = moment.operation
    if array in operation.call.writes and accumulates(operation, array):
        return _added_up(moment, array, index, name, value)
    if array in operation.call.writes:
        offset = operation.step_writing(array, index)
        if offset is None:
            return Origin(name, value, tr("nothing writes it"), None, {})
        there = bool(moment.state.written(array)[index])
        step = moment.program.start(operation.name) + offset
        return Origin(
            name,
            value if there else tr("not computed yet"),
            _written(operation, step, moment.step.index),
            step,
            sources(operation, offset),
            known=there,
        )
    made = producer(moment.program, operation, array, index)
    if made is None:
        return Origin(name, value, _from_outside(operation, array, index), None, {})
    maker, result, place = made
    offset = _last_written(maker, result, place)
    if offset is None:
        return Origin(name, value, tr("computed by {operation}", operation=maker.name), None, {})
    step = moment.program.start(maker.name) + offset
    return Origin(name, value, _written(maker, step, moment.step.index), step, {})


def _named(moment: Moment, array: str, index: Index) -> str:
    """Return a cell's name, in letters with what it is called; of what an update replaces, old or new."""
    name = f"{symbol(array)}[{', '.join(str(k) for k in index)}]"
    letter = moment.names.cell(array, index) if moment.letters else ""
    if array in moment.operation.call.before:
        offset = moment.operation.step_writing(array, index)
        is_new = offset is not None and offset <= moment.step.offset
        name, letter = f"{tr(NEW if is_new else OLD)} {name}", letter + "′" * is_new
    return f"{letter} = {name}" if moment.letters else name


def _last_written(operation: Operation, array: str, index: Index) -> int | None:
    """Return the last step at which a cell is written, or None if it never is."""
    if not accumulates(operation, array):
        return operation.step_writing(array, index)
    offsets = offsets_writing(operation, array, index)
    return int(offsets[-1]) if len(offsets) else None


def _added_up(moment: Moment, array: str, index: Index, name: str, value: str) -> Origin:
    """Return where a cell comes from that is added to again and again: from all additions by now."""
    operation = moment.operation
    offsets = offsets_writing(operation, array, index)
    done = offsets[offsets <= moment.step.offset]
    if not len(offsets):
        return Origin(name, value, tr("nothing is added to it"), None, {})
    step = moment.program.start(operation.name) + int(done[-1] if len(done) else offsets[0])
    if not len(done):
        said = tr(
            "nothing is added yet; {operation} does at step {step}",
            operation=operation.name,
            step=count(step),
        )
    else:
        said = tr(
            "the sum of {done} of {count} additions by {operation}",
            done=count(len(done)),
            count=count(len(offsets)),
            operation=operation.name,
        )
    terms = [
        _term(moment, array, addition)
        for addition in additions(operation, array, done[-_MOST_TERMS:].tolist())
    ]
    if len(done) > _MOST_TERMS:
        terms.insert(0, tr("… and {count} before", count=count(len(done) - _MOST_TERMS)))
    return Origin(
        name,
        value,
        said,
        step,
        _read_by(operation, tuple(done[-_MOST_OUTLINED:].tolist())),
        terms=tuple(terms),
    )


def _term(moment: Moment, array: str, addition: Addition) -> str:
    """Return one addition with its step and its numbers: ``step 3,010:  −1.58·0.11 = −0.17``."""
    parts = anatomy(moment.operation.tree, addition.line)
    assert parts is not None
    scope = {**scope_of(moment), **addition.variables}
    span = parts.choice.taken(scope) if parts.choice else None
    numbers = "".join(run.text for run in with_numbers(moment, parts, scope, span))
    step = moment.program.start(moment.operation.name) + addition.offset
    text = tr("step {step}:  {numbers}", step=count(step), numbers=numbers)
    return (
        text
        if numbers.count("·") + numbers.count("/") == 0
        else f"{text} = {moment.text(array, addition.value)}"
    )


@remembered(64)
def _read_by(operation: Operation, offsets: tuple[int, ...]) -> Mapping[str, NDArray[np.intp]]:
    """Return the cells that are read at some steps, by array."""
    found: dict[str, list[NDArray[np.intp]]] = {}
    for offset in offsets:
        _, line = operation.locate(offset)
        for name, cells in window(operation, line.number, operation.variables_at(offset)).items():
            found.setdefault(name, []).append(cells)
    return {name: np.unique(np.concatenate(cells), axis=0) for name, cells in found.items()}


def origin_of_variable(moment: Moment, name: str) -> Origin:
    """Return where a variable of an expression comes from, a value or a gradient as the listings call it."""
    own = [other for other in moment.program.operations if other.layer == moment.operation.layer]
    maker = next((other for other in own if name in other.call.writes), None)
    if maker is None:
        value = next(other.call.given[name] for other in own if name in other.call.given)
        return Origin(name, full(float(value)), tr("given from outside"), None, {})
    said = f"∂f/∂{name[1:]}" if maker.phase == "backward" else name
    here = moment.state.variables if maker is moment.operation else maker.call.writes
    offset = maker.step_writing(name, ())
    assert offset is not None  # a result is written by some line
    step = moment.program.start(maker.name) + offset
    anatomies = [anatomy(maker.tree, line.number) for line in maker.writers(name)]
    read = {operand.name for parts in anatomies if parts for operand in parts.operands}
    one = np.zeros((1, 0), np.intp)  # a variable is an array of one cell, which needs no index
    return Origin(
        said,
        full(float(here[name])),
        _written(maker, step, moment.step.index),
        step,
        dict.fromkeys(sorted(read), one),
    )


def sources(operation: Operation, offset: int) -> dict[str, NDArray[np.intp]]:
    """Return the cells that an operation reads for the cell written at one of its steps."""
    nest, block = operation.cells.nest, operation.cells.block
    variables = operation.variables_at(offset)
    _, writing = operation.locate(offset)
    lines = [writing]
    if nest and operation.call.linear is None:
        inside = {loop.variable for loop in nest}
        variables = {name: value for name, value in variables.items() if name in inside}
        lines = [node for node in walk(block) if isinstance(node, Line)]
    found: dict[str, NDArray[np.intp]] = {}
    for line in lines:
        for name, cells in window(operation, line.number, variables).items():
            known = found.get(name)
            found[name] = cells if known is None else np.unique(np.concatenate([known, cells]), axis=0)
    return found


def producer(
    program: Program, operation: Operation, array: str, index: Index
) -> tuple[Operation, str, Index] | None:
    """Return which operation computed a cell that another one is given, under which name and index.

    None for what comes from outside: the input, parameters, the target, zeros that were put in.
    """
    place = own_place(operation.call, array, index)
    made = _maker(program, operation, array)
    if place is None or made is None:
        return None
    maker, result = made
    values = maker.call.writes[result]
    if len(place) != values.ndim:  # an update sees parameters of any shape as one row
        flat = int(np.ravel_multi_index(place, np.shape(operation.call.given[array])))
        place = tuple(int(k) for k in np.unravel_index(flat, values.shape))
    return maker, result, _with_filler(maker, result, place)


def _with_filler(operation: Operation, array: str, index: Index) -> Index:
    """Return the index in an array with padding of a cell that is named without it."""
    filler = operation.call.filler.get(array)
    if filler is None or len(index) < 2:
        return index
    row, column = index[-2:]
    return (*index[:-2], row + int((~filler).any(1).argmax()), column + int((~filler).any(0).argmax()))


def _maker(program: Program, operation: Operation, array: str) -> tuple[Operation, str] | None:
    forward = [other for other in program.operations if other.phase == "forward"]
    layers = [other.layer for other in forward]
    k = layers.index(operation.layer) if operation.layer in layers else len(layers)
    if array == "x":
        return (forward[k - 1], "y") if k > 0 else None
    if array in ("y", "switch", "e"):
        own = forward[min(k, len(layers) - 1)]
        return (own, array) if array in own.call.writes and own is not operation else None
    if array == "dy":
        above = layers[k + 1] if k + 1 < len(layers) else "loss"
        return _writing(program, above, "dx" if above != "loss" else "dy")
    if array == "dw" and operation.phase == "update":
        return _writing(program, operation.layer, "d" + operation.name.rpartition(".")[2])
    return None


def _writing(program: Program, layer: str, array: str) -> tuple[Operation, str] | None:
    for operation in program.operations:
        if operation.layer == layer and operation.phase == "backward" and array in operation.call.writes:
            return operation, array
    return None


def _written(operation: Operation, step: int, now: int) -> str:
    if step <= now:
        return tr("written by {operation} at step {step}", operation=operation.name, step=count(step))
    return tr("{operation} will write it at step {step}", operation=operation.name, step=count(step))


def _from_outside(operation: Operation, array: str, index: Index) -> str:
    if own_place(operation.call, array, index) is None:
        return tr("a zero that was put in")
    if array == "t":
        return tr("what the network should put out")
    if role(operation, array) == "parameter":
        return tr("a parameter: training moves it")
    return tr("given from outside")


# ------------------------------------------------------------------------------------------- as marks


def explain(
    frame: Frame, shown: Origin, colours: Mapping[str, str], x: float, y: float, unit: float
) -> list[Mark]:
    """Return a bubble beside a point that says where a cell comes from, and outlines of what it is from.

    Parameters
    ----------
    colours : Mapping[str, str]
        The role of each array's outline.
    """
    marks: list[Mark] = []
    for mark in flat(frame.marks):
        if isinstance(mark, Cells) and mark.array in shown.sources:
            marks += _outlined(mark, shown.sources[mark.array], colours[mark.array], unit)
        elif isinstance(mark, Spot) and mark.kind == "value" and mark.name in shown.sources:
            marks.append(_dashed(mark.box, colours[mark.name], unit))
    return marks + _bubble(frame, shown, x, y, unit)


def _outlined(grid: Cells, cells: NDArray[np.intp], colour: str, unit: float) -> list[Mark]:
    """Outline cells of a grid: one window where they are one, else each."""
    places = [place for cell in cells[:_MOST_OUTLINED] if (place := grid.cell_of(tuple(cell.tolist())))]
    if not places:
        return []
    (top, left), (bottom, right) = np.min(places, 0).tolist(), np.max(places, 0).tolist()
    rows, columns = bottom - top + 1, right - left + 1
    boxes = [grid.box_of(*place) for place in places]
    if len(set(places)) == rows * columns:
        boxes = [grid.box_of(top, left, rows, columns)]
    return [_dashed(box, colour, unit) for box in boxes]


def _dashed(box: Box, colour: str, unit: float) -> Rect:
    return Rect(box, stroke=colour, width=max(1.5, 3 * unit), dashed=True)


def _bubble(frame: Frame, shown: Origin, x: float, y: float, unit: float) -> list[Mark]:
    head = f"{shown.name} = {shown.value}" if shown.known else f"{shown.name}: {shown.value}"
    lines = [(head, 17 * unit, "ink", True)]
    lines += [(text, 15 * unit, "muted", False) for text in (shown.said, *shown.terms)]
    width = max(len(text) * size * 0.58 for text, size, _, _ in lines) + 28 * unit
    height = (12 + 26 * len(lines)) * unit
    left = min(max(x + 16 * unit, 4), frame.width - width - 4)
    above = max(4, y - height - 12 * unit)
    top = y + 22 * unit if y + 26 * unit + height < frame.height else above
    box = Box(left, top, width, height)
    marks: list[Mark] = [Rect(box, "panel", "line", 1.0, 7 * unit)]
    for k, (text, size, colour, bold) in enumerate(lines):
        row = Box(box.x + 14 * unit, box.y + (6 + 26 * k) * unit, width - 20 * unit, 26 * unit)
        marks.append(label(row, text, size, colour, bold=bold))
    return marks
