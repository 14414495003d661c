"""What changes have done to an operation: what it was, what it is, and the difference, side by side."""

from __future__ import annotations

from functools import partial

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import shape_text
from cnnviz.scene import grid
from cnnviz.scene.kind import Picture
from cnnviz.scene.layout import Room
from cnnviz.scene.look import Look, largest
from cnnviz.scene.marks import Box, Cells, Group, Mark, Palette
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import decimals, number, rounded_up
from cnnviz.scene.sheet import sheet, shown
from cnnviz.text import tr
from cnnviz.trace.alone import is_shared, is_summed, program_of
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache

_GAP = 1.6
"""Between two of them, in lines of text."""

_TWO_ROWS = 16
"""Lines of text: where there is as much room, a changed parameter is shown over what comes of it."""


def comparison(at: Moment) -> Picture | None:
    """Return what draws an operation beside what it was; None where that is not wanted, or there is none."""
    pair = _pair(at)
    if pair is None or _not_compared(at, *pair):
        return None
    return partial(_picture, before=_end(*pair), now=pair[1])


def comparison_said(at: Moment) -> str:
    """Say why an operation does not stand beside what it was, or without a difference; empty else."""
    pair = _pair(at)
    return "" if pair is None else _not_compared(at, *pair) or _without_difference(*pair)


def _not_compared(at: Moment, program: Program, now: Moment) -> str:
    call, samples = now.operation.call, (at.whole or at).program.samples
    if at.view.before is not None and at.view.before.samples != samples:
        return tr("Nothing is compared here: another number of samples goes through together.")
    was = _in_lesson(program, now.operation)
    if was is None:
        return tr(
            "Nothing is compared here: the lesson as its file has it does not compute {name}.", name=call.name
        )
    if not call.writes or not now.operation.tree.arrays:
        return tr("Nothing is compared here: {name} writes no array.", name=call.name)
    return ""


def _without_difference(program: Program, now: Moment) -> str:
    was, name = program.operation(now.operation.name), now.operation.call.result
    shapes = [np.shape(one.call.value(name)) for one in (was, now.operation)]
    if shapes[0] == shapes[1]:
        return ""
    return tr(
        "Their sizes differ, so that there is no difference: {name} is {now}, and was {was}.",
        name=name,
        now=shape_text(shapes[1]),
        was=shape_text(shapes[0]),
    )


def _pair(at: Moment) -> tuple[Program, Moment] | None:
    """Return the lesson as its file has it, and the step at hand; None where nothing is to be compared.

    Of several samples that go through together both are of the one in hand; sums over all samples, and what
    is computed of all of them alone, are compared whole.
    """
    program, whole = at.view.before, at.whole or at
    if program is None or not at.view.display.compare:
        return None
    operation = whole.operation
    if not is_shared(operation) or is_summed(operation, operation.call.result):
        return program, whole
    number = min(whole.sample, max(program.samples - 1, 0))
    return (program_of(program, number) if program.samples else program), whole.pictured


def _in_lesson(program: Program, operation: Operation) -> Operation | None:
    """Return the operation of the same name and result in the lesson as its file has it."""
    there = [one for one in program.operations if one.name == operation.name]
    return there[0] if there and operation.call.result in there[0].call.writes else None


def _end(program: Program, at: Moment) -> Moment:
    """Return the operation at hand when it is through: what changes have done is seen wherever one is."""
    index = program.start(at.operation.name) + len(program.operation(at.operation.name)) - 1
    return Moment(program, program[index], program.state(index), at.view)


def _picture(_: Moment, room: Room, *, before: Moment, now: Moment) -> list[Mark]:
    """Draw what the operation puts out, and over it, where there is room, a parameter that was changed."""
    result, box = now.operation.call.result, room.box
    changed = _changed(before.operation, now.operation)
    if not changed or box.w < box.h or box.h < _TWO_ROWS * room.em:
        return _row(result, room, before, now)
    high = (box.h - _GAP * room.em) / 2
    boxes = (Box(box.x, box.y, box.w, high), Box(box.x, box.bottom - high, box.w, high))
    return [
        mark
        for name, part in zip((changed[0], result), boxes, strict=True)
        for mark in _row(name, Room(part, room.em, room.least), before, now)
    ]


@program_cache(8)
def _changed(was: Operation, now: Operation) -> tuple[str, ...]:
    """Return the parameters that an operation reads and that were others."""
    return tuple(
        name
        for name, values in now.call.given.items()
        if np.ndim(values)
        and now.call.port(name).role == "parameter"
        and name in was.call.given
        and np.shape(was.call.given[name]) == np.shape(values)
        and not np.array_equal(was.call.given[name], values, equal_nan=True)
    )


def _row(name: str, room: Room, before: Moment, at: Moment) -> list[Mark]:
    """Draw an array as it was, as it is, and the difference; this only where both are of one size."""
    whole = _end(at.program, at)
    looks = [one.look(name) for one in (before, at)]
    limit = max(look.limit for look in looks)
    same = looks[1]._replace(
        limit=limit, places=max(look.places for look in looks), width=max(look.width for look in looks)
    )
    moments = [_looking(before, name, same), _looking(whole, name, same)]
    words = (tr("before"), tr("after"), tr("difference"))
    states = [np.asarray(one.state.arrays[name], np.float64) for one in (before, whole)]
    if states[0].shape == states[1].shape:
        operation = _difference(before.operation, at.operation, name)
        with np.errstate(all="ignore"):
            arrays = {**whole.state.arrays, name: states[1] - states[0]}
        change = replace(whole.state, operation=operation, arrays=arrays)
        step = replace(whole.step, operation=operation)
        differing = _look_of(np.asarray(operation.call.value(name)), same)
        moments.append(_looking(Moment(at.program, step, change, at.view), name, differing))
    marks: list[Mark] = []
    for k, (one, box) in enumerate(zip(moments, _boxes(room, len(moments)), strict=True)):
        drawn = _alone(one, name, at, words[k], Room(box, room.em, room.least), _shown(name, before, at))
        marks += drawn if k == 1 else map(_unnamed, drawn)  # only what is now can be gone to, and changed
    return marks


def _shown(name: str, before: Moment, at: Moment) -> tuple[int, ...]:
    """Return the cell whose slice is shown: the one written or read; of a parameter, one that differs."""
    values = np.asarray(at.operation.call.value(name))
    touched = next((index for other, index in (*at.state.writes, *at.state.reads) if other == name), None)
    if touched is not None:
        return touched
    if name != at.operation.call.result:
        differs = np.argwhere(values != np.asarray(before.operation.call.value(name)))
        return tuple(int(k) for k in differs[0])
    in_cell = [at.cell.get(key, 0) for key in list(at.cell)[: max(values.ndim - 2, 0)]]
    return (*in_cell, *(0,) * values.ndim)[: values.ndim]


@program_cache(8)
def _difference(was: Operation, now: Operation, name: str) -> Operation:
    """Return an operation in which an array is by how much it differs from what it was; pictures are kept."""
    call = now.call
    values = (np.asarray(one.call.value(name), np.float64) for one in (now, was))
    with np.errstate(all="ignore"):
        change = {name: np.subtract(*values)}
    if name in call.writes:
        return Operation(replace(call, writes={**call.writes, **change}))
    return Operation(replace(call, given={**call.given, **change}))


def _boxes(room: Room, count: int) -> list[Box]:
    """Return places side by side; under each other where that is larger."""
    box, gap = room.box, _GAP * room.em
    if box.w >= box.h:
        return box.columns([1] * count, gap)
    high = (box.h - (count - 1) * gap) / count
    return [Box(box.x, box.y + k * (high + gap), box.w, high) for k in range(count)]


def _alone(one: Moment, name: str, at: Moment, text: str, room: Room, index: tuple[int, ...]) -> list[Mark]:
    """Draw the slice of one of the three that the step at hand is in."""
    array = np.asarray(one.state.arrays[name])
    index = tuple(min(k, size - 1) for k, size in zip(index, array.shape, strict=True))
    prefix = index[: max(array.ndim - 2, 0)]
    plane = grid.plane(one, name, prefix, grid.cell_focus(index))
    depth = array.shape[0] if array.ndim == 3 else 1
    slice_shown = shown(one, plane, text, depth)
    drawn = sheet(one, room, slice_shown.part)
    drawn.show(slice_shown)
    return drawn.marks


def _looking(at: Moment, name: str, look: Look) -> Moment:
    """Return a moment in which an array has a look that is chosen."""
    at.give_look(name, look)
    return at


def _look_of(values: np.ndarray, like: Look) -> Look:
    """Return how differences are drawn: signed, with as many digits as they need."""
    finite = values[np.isfinite(values)]
    reach = float(largest(finite, 0)) if finite.size else 0.0
    places, power = decimals(finite) if reach else (like.places, 0)
    wide = max(len(number(end * reach * 10.0**-power, places)) for end in (1, -1))
    palette: Palette = "gradient" if like.palette == "gradient" else "value"
    return like._replace(
        palette=palette,
        limit=rounded_up(reach or 1.0),
        places=places,
        power=power,
        width=wide,
        reach=reach or 1.0,
        longest=wide,
        rounding=0.0,
    )


def _unnamed(mark: Mark) -> Mark:
    """Return a grid that stands for no cells of the operation at hand."""
    if isinstance(mark, Group):
        return replace(mark, marks=tuple(map(_unnamed, mark.marks)))
    return replace(mark, array="") if isinstance(mark, Cells) else mark
