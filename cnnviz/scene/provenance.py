"""Where a number comes from: the step that writes it, the cells it is made of, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.expansion import offset_at
from cnnviz.scene.marks import Box, Cells, Frame, Hotspot, Mark, Number, Rect, flat, label
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count, full
from cnnviz.scene.reduction import reduction
from cnnviz.scene.substitution import NEW, OLD, scope_of, with_numbers
from cnnviz.text import tr
from cnnviz.trace.alone import cell_in, cells_of
from cnnviz.trace.assignment import assignment, window
from cnnviz.trace.flow import last_set, names_read, next_use, offsets_reading, sources, targets
from cnnviz.trace.looptree import Line
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache
from cnnviz.trace.writes import Addition, accumulates, additions, offsets_writing

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
    targets : Mapping[str, NDArray]
        The cells that this operation computes from it.
    readers : tuple[str, ...]
        Who reads it, how often, and at which step first.
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
    targets: Mapping[str, NDArray[np.intp]] = {}
    readers: tuple[str, ...] = ()


def origin(moment: Moment, array: str, index: Index) -> Origin:
    """Return where a cell of the picture comes from, and who reads it.

    Of several samples, the picture is that of the one in hand: what it is made of in others is not in it.
    """
    operation, number = moment.operation, moment.sample
    place = cell_in(operation, array, index, number)
    found = written_where(moment, array, place)
    told = _targets(operation, array, place)
    return replace(
        found,
        sources={name: cells_of(operation, name, cells, number) for name, cells in found.sources.items()},
        targets={name: cells_of(operation, name, cells, number) for name, cells in told.items()},
        readers=_readers(moment, array, place),
    )


def written_where(moment: Moment, array: str, index: Index) -> Origin:
    """Return where a cell comes from, whose place is that of an array of all samples."""
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
            _sources(operation, offset),
            known=there,
        )
    made = moment.program.where_from(operation, array, index)
    if made is None:
        return Origin(name, value, _from_outside(moment.program, operation, array, index), None, {})
    maker = made.operation
    offset = last_written(maker, made.array, made.index)
    if offset is None:
        return Origin(name, value, tr("computed by {operation}", operation=maker.name), None, {})
    step = moment.program.start(maker.name) + offset
    return Origin(name, value, _written(maker, step, moment.step.index), step, {})


def last_writer(program: Program, operation: Operation, array: str, index: Index) -> tuple[str, int | None]:
    """Return which operation writes a cell, and its last step that does; else what the cell is, and None."""
    if array in operation.call.writes:
        maker, offset = operation, last_written(operation, array, index)
    elif (made := program.where_from(operation, array, index)) is not None:
        maker, offset = made.operation, last_written(made.operation, made.array, made.index)
    else:
        return _from_outside(program, operation, array, index), None
    if offset is None:
        return tr("computed by {operation}", operation=maker.name), None
    return maker.name, program.start(maker.name) + offset


def _named(moment: Moment, array: str, index: Index) -> str:
    """Return a cell's name, in letters with what it is called; of what an update replaces, old or new."""
    name = f"{symbol(moment.operation, array)}[{', '.join(str(k) for k in index)}]"
    letter = moment.names.cell(array, index) if moment.letters else ""
    if array in moment.operation.call.before:
        is_new = _is_new(moment, array, index)
        name, letter = f"{tr(NEW if is_new else OLD)} {name}", letter + "′" * is_new
    return f"{letter} = {name}" if moment.letters else name


def _is_new(moment: Moment, array: str, index: Index) -> bool:
    """Return whether an update has replaced a cell by now."""
    offset = moment.operation.step_writing(array, index)
    return offset is not None and offset <= moment.step.offset


def _readers(moment: Moment, array: str, index: Index) -> tuple[str, ...]:
    """Say who reads a cell; of what an update writes over, who reads the number that is shown."""
    operation, told = moment.operation, []
    replaced = operation.step_writing(array, index) if array in operation.call.before else None
    is_new = replaced is not None and _is_new(moment, array, index)
    for reading in _readings(moment.program, operation, array, index):
        offsets = reading.offsets
        if replaced is not None and reading.operation is operation:
            offsets = offsets[(offsets > replaced) == is_new]
        elif is_new:  # all others have read the old number
            continue
        if len(offsets):
            told.append(_reads(moment.program.start(reading.operation.name), reading.operation, offsets))
    return tuple(told) or (tr("no step reads it"),)


def _reads(start: int, operation: Operation, offsets: NDArray[np.intp]) -> str:
    step = count(start + int(offsets[0]))
    if len(offsets) == 1:
        return tr("read by {operation} at step {step}", operation=operation.name, step=step)
    return tr(
        "read {count} times by {operation}, first at step {step}",
        count=count(len(offsets)),
        operation=operation.name,
        step=step,
    )


def last_written(operation: Operation, array: str, index: Index) -> int | None:
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
            "nothing added yet; {operation} adds at step {step}",
            operation=operation.name,
            step=count(step),
        )
    elif len(offsets) == 1:
        said = tr("the one addition by {operation}", operation=operation.name)
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
    parts = assignment(moment.operation.tree, addition.line)
    assert parts is not None
    scope = {**scope_of(moment), **addition.variables}
    span = parts.choice.taken(scope) if parts.choice else None
    runs = with_numbers(moment, parts, scope, span)
    numbers = "".join(run.text for run in runs)
    step = moment.program.start(moment.operation.name) + addition.offset
    text = tr("step {step}:  {numbers}", step=count(step), numbers=numbers)
    return text if len(runs) == 1 else f"{text} = {moment.text(array, addition.value)}"


@program_cache(64)
def _read_by(operation: Operation, offsets: tuple[int, ...]) -> Mapping[str, NDArray[np.intp]]:
    """Return the cells that are read at some steps, by array."""
    found: dict[str, list[NDArray[np.intp]]] = {}
    for offset in offsets:
        _, line = operation.locate(offset)
        for name, cells in window(operation, line.number, operation.variables_at(offset)).items():
            found.setdefault(name, []).append(cells)
    each = {name: np.unique(np.concatenate(cells), axis=0) for name, cells in found.items()}
    return {name: cells for name, cells in each.items() if len(cells)}


_sources = program_cache(64)(sources)
_targets = program_cache(64)(targets)
_readings = program_cache(64)(Program.where_to)


def origin_of_variable(moment: Moment, name: str) -> Origin:
    """Return where a variable comes from: of the listing; of an expression, a value or a gradient."""
    program, tree = moment.program, moment.operation.tree
    if tree.arrays and (name in tree.variables or name in moment.operation.scalars):
        return _of_listing(moment, name)
    own = [other for other in program.operations if other.layer == moment.operation.layer]
    readings = [(other, offsets) for other in own if len(offsets := offsets_reading(other, name, ()))]
    read = [_reads(program.start(other.name), other, offsets) for other, offsets in readings]
    told = tuple(read) or (tr("no step reads it"),)
    maker = next((other for other in own if name in other.call.writes), None)
    if maker is None:
        value = next(other.call.given[name] for other in own if name in other.call.given)
        return Origin(name, full(float(value)), tr("given"), None, {}, readers=told)
    port = maker.call.port(name)
    said = f"∂{maker.layer}/∂{port.symbol}" if port.gradient_of else name
    here = moment.state.variables if maker is moment.operation else maker.call.writes
    start = program.start(maker.name)
    written = [maker.offset_of((), line, ()) for line in maker.writers(name)]
    done = [offset for offset in written if start + offset <= moment.step.index]
    step = start + (done or written)[-1]
    lines = [maker.locate(offset)[1] for offset in done or written]
    one = np.zeros((1, 0), np.intp)  # a variable is an array of one cell, which needs no index
    names = {other for line in lines if isinstance(line, Line) for other in names_read(maker, line)}
    return Origin(
        said,
        full(float(here[name])),
        _written(maker, step, moment.step.index),
        step,
        dict.fromkeys(sorted(names), one),
        readers=told,
    )


def terms_in_hand(moment: Moment, first: int, many: int) -> list[tuple[int, list[Number]]]:
    """Return some terms of the sum in work, of those that have been taken.

    Each with its step, and with the cells that are multiplied.
    """
    operation, found = moment.operation, reduction(moment)
    start, scope, terms = moment.program.start(operation.name), scope_of(moment), []
    for k in range(first, min(first + many, found.done if found else 0)):
        assert found is not None
        parts, own = assignment(operation.tree, found.line_of(k)), {**scope, **found.variables_of(k)}
        assert parts is not None
        cells = [(one.name, one.place(own)) for one in parts.operands if one.index]
        factors = [cell for cell in cells if cell[0] != parts.target.name]
        terms.append((start + offset_at(operation, found.line_of(k), own), factors))
    return terms


def origin_of_terms(moment: Moment, first: int, many: int) -> Origin | None:
    """Return what some terms of the sum in work are made of; None where none of them is taken."""
    terms = terms_in_hand(moment, first, many)
    if not terms:
        return None
    operation, arrays = moment.operation, moment.state.arrays
    value = sum(prod(float(arrays[name][place]) for name, place in factors) for _, factors in terms)
    step, factors = terms[-1]
    if len(terms) == 1:
        names = [_named(moment, name, place) for name, place in factors]
        said = tr("taken by {operation} at step {step}", operation=operation.name, step=count(step))
        values = zip(names, factors, strict=True)
        told = tuple(f"{name} = {full(float(arrays[array][place]))}" for name, (array, place) in values)
        name = " · ".join(name.partition(" = ")[0] for name in names)  # in letters, what they are called
    else:
        name = tr("terms {first} to {last}", first=first + 1, last=first + len(terms))
        said = tr("the last taken by {operation} at step {step}", operation=operation.name, step=count(step))
        told = ()
    made: dict[str, list[tuple[int, ...]]] = {}
    for _, factors in terms[:_MOST_OUTLINED]:
        for array, place in factors:
            made.setdefault(array, []).append(place)
    sources = {
        array: cells_of(operation, array, np.array(places, np.intp), moment.sample)
        for array, places in made.items()
    }
    return Origin(name, full(value), said, step, sources, terms=told)


def nearest(moment: Moment, array: str, value: float) -> tuple[Index, Index, Index] | None:
    """Return which cells of a picture's array are nearest to a value, smallest and largest.

    None where no cell has its value yet.
    """
    at = moment.pictured
    values = np.asarray(at.state.arrays[array], float)
    known = np.isfinite(values)
    if array in at.operation.call.writes and array not in at.operation.call.before:
        known = known & at.state.written(array)
    if not known.any():
        return None
    far = np.where(known, np.abs(values - value), np.inf).argmin()
    least, most = np.where(known, values, np.inf).argmin(), np.where(known, values, -np.inf).argmax()
    near, low, high = (
        tuple(int(k) for k in np.unravel_index(flat_at, values.shape)) for flat_at in (far, least, most)
    )
    return near, low, high


def origin_of_colour(moment: Moment, array: str, value: float) -> Origin | None:
    """Return what is known of the cell whose value is nearest to a colour's; and the smallest and largest."""
    found = nearest(moment, array, value)
    if found is None:
        return None
    values, at = moment.pictured.state.arrays[array], moment.pictured
    low, high = (f"{_named(at, array, place)} = {full(float(values[place]))}" for place in found[1:])
    return replace(
        origin(moment, array, found[0]),
        terms=(
            tr("nearest to this colour, {value}", value=full(value)),
            tr("largest: {cell}", cell=high),
            tr("smallest: {cell}", cell=low),
        ),
        sources={array: np.array(found[:1], np.intp)},
        targets={},
    )


def _of_listing(moment: Moment, name: str) -> Origin:
    """Return where a variable of the listing at hand comes from: the line that set it last."""
    operation, start = moment.operation, moment.step.index - moment.step.offset
    value = full(float(moment.state.variables[name]))
    offset = last_set(operation, name, moment.step.offset)
    used = next_use(operation, name, moment.step.offset)
    readers = (tr("no later step reads it"),) if used is None else _next_read(start + used)
    if offset is None:
        return Origin(name, value, tr("given"), None, {}, readers=readers)
    said = tr("set by {operation} at step {step}", operation=operation.name, step=count(start + offset))
    sources: Mapping[str, NDArray[np.intp]] = {}
    if isinstance(operation.locate(offset)[1], Line):
        read = _read_by(operation, (offset,)).items()
        sources = {array: cells_of(operation, array, cells, moment.sample) for array, cells in read}
    return Origin(name, value, said, start + offset, sources, readers=readers)


def _next_read(step: int) -> tuple[str, ...]:
    return (tr("read next at step {step}", step=count(step)),)


def _written(operation: Operation, step: int, now: int) -> str:
    if step <= now:
        return tr("written by {operation} at step {step}", operation=operation.name, step=count(step))
    return tr("{operation} will write it at step {step}", operation=operation.name, step=count(step))


def _address(operation: Operation, array: str) -> str:
    port = operation.call.port(array)
    return port.before or port.address


def _from_outside(program: Program, operation: Operation, array: str, index: Index) -> str:
    port = operation.call.port(array)
    if operation.call.own_place(array, index) is None:
        if port.placement is not None and port.placement.fill:
            return tr("padding, which is never the largest")
        spread = port.placement is not None and port.placement.is_between(index)
        return tr("a zero between the gradients, as the stride asks") if spread else tr("zero padding")
    if port.role == "target":
        return tr("the target")
    if port.gradient_of:
        return tr("the gradient of the output, given in place of a loss")
    if role(operation, array) == "parameter":
        moves = any(
            reader.call.port(name).before for reader, name in program.readers(_address(operation, array))
        )
        return tr("a parameter, updated by training") if moves else tr("a parameter, kept fixed")
    return tr("the network's input") if program.is_input(port.node) else tr("given")


# ------------------------------------------------------------------------------------------- as marks


def explain(
    frame: Frame, shown: Origin, colours: Mapping[str, str], x: float, y: float, unit: float
) -> list[Mark]:
    """Return a bubble beside a point that says where a cell comes from, and outlines of what it is about.

    Parameters
    ----------
    colours : Mapping[str, str]
        The role of each array's outline.
    """
    marks: list[Mark] = []
    for mark in flat(frame.marks):
        if isinstance(mark, Cells):
            for told in (shown.sources, shown.targets):
                if mark.array in told:
                    marks += _outlined(mark, told[mark.array], colours[mark.array], unit)
        elif isinstance(mark, Hotspot) and mark.kind == "value" and mark.name in shown.sources:
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


def _beside(frame: Frame, x: float, y: float, width: float, height: float, unit: float) -> Box:
    """Return where a card goes: below what it speaks of and the cells around that, above, or at a side.

    Where it has room nowhere, it covers them rather than leave the frame.
    """
    found, spot = frame.at(x, y), frame.spot_at(x, y)
    place = found[0].cell_of(found[1]) if found else None
    free = Box(x, y, 0, 0).inset(-16 * unit)
    if found and place:
        cell = found[0].box_of(*place)
        free = Box(cell.x - cell.w, cell.y - cell.h, 3 * cell.w, 3 * cell.h)
    elif spot:
        free = spot.box
    gap, right, low = 6 * unit, frame.width - width - 4, frame.height - height - 4
    level, under = min(max(x + 16 * unit, 4), right), min(max(y + 22 * unit, 4), low)
    places = (
        (level, free.bottom + gap),
        (level, free.y - gap - height),
        (free.right + gap, under),
        (free.x - gap - width, under),
    )
    fits = [(left, top) for left, top in places if 4 <= left <= right and 4 <= top <= low]
    return Box(*(fits[0] if fits else (level, under)), width, height)


def _bubble(frame: Frame, shown: Origin, x: float, y: float, unit: float) -> list[Mark]:
    head = f"{shown.name} = {shown.value}" if shown.known else f"{shown.name}: {shown.value}"
    lines = [(head, 17 * unit, "ink", True)]
    lines += [(text, 15 * unit, "muted", False) for text in (shown.said, *shown.terms, *shown.readers)]
    width = max(len(text) * size * 0.58 for text, size, _, _ in lines) + 28 * unit
    height = (12 + 26 * len(lines)) * unit
    box = _beside(frame, x, y, width, height, unit)
    marks: list[Mark] = [Rect(box, "panel", "line", 1.0, 7 * unit)]
    for k, (text, size, colour, bold) in enumerate(lines):
        row = Box(box.x + 14 * unit, box.y + (6 + 26 * k) * unit, width - 20 * unit, 26 * unit)
        marks.append(label(row, text, size, colour, bold=bold))
    return marks
