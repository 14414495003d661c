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
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import program_cache

_GAP = 1.6
"""Between two of them, in lines of text."""


def comparison(at: Moment) -> Picture | None:
    """Return what draws an operation beside what it was; None where that is not wanted, or there is none."""
    before = _before(at)
    return None if before is None else partial(_picture, before=before)


def not_compared(at: Moment) -> str:
    """Say why an operation of a changed lesson does not stand beside what it was; empty where it does."""
    program, call = at.view.before, at.operation.call
    if not at.view.display.compare or program is None:
        return ""
    if program.samples:
        return tr("Nothing is compared here: several samples go through together.")
    was = _in_lesson(program, at.operation)
    if was is None:
        return tr(
            "Nothing is compared here: the lesson as its file has it does not compute {name}.", name=call.name
        )
    if not call.writes or not at.operation.tree.arrays:
        return tr("Nothing is compared here: {name} writes no array.", name=call.name)
    shapes = [np.shape(one.call.value(call.result)) for one in (was, at.operation)]
    if shapes[0] == shapes[1]:
        return ""
    return tr(
        "Nothing is compared here: the size of {name} is {now}, and was {was}.",
        name=call.result,
        now=shape_text(shapes[1]),
        was=shape_text(shapes[0]),
    )


def _before(at: Moment) -> Moment | None:
    """Return the end of the operation in the lesson as its file has it, if its result is as large."""
    program = at.view.before
    if not at.view.display.compare or program is None or not_compared(at):
        return None
    return _end(program, at)


def _in_lesson(program: Program, operation: Operation) -> Operation | None:
    """Return the operation of the same name and result in the lesson as its file has it."""
    there = [one for one in program.operations if one.name == operation.name]
    return there[0] if there and operation.call.result in there[0].call.writes else None


def _end(program: Program, at: Moment) -> Moment:
    """Return the operation at hand when it is through: what changes have done is seen wherever one is."""
    index = program.start(at.operation.name) + len(program.operation(at.operation.name)) - 1
    return Moment(program, program[index], program.state(index), at.view)


def _picture(at: Moment, room: Room, *, before: Moment) -> list[Mark]:
    name, whole = at.operation.call.result, _end(at.program, at)
    looks = [one.look(name) for one in (before, at)]
    limit = max(look.limit for look in looks)
    same = looks[1]._replace(
        limit=limit, places=max(look.places for look in looks), width=max(look.width for look in looks)
    )
    operation = _difference(before.operation, at.operation)
    with np.errstate(all="ignore"):
        states = [np.asarray(one.state.arrays[name], np.float64) for one in (before, whole)]
        arrays = {**whole.state.arrays, name: states[1] - states[0]}
    change = replace(whole.state, operation=operation, arrays=arrays)
    differing = _look_of(np.asarray(operation.call.value(name)), same)
    moments = [
        _looking(before, name, same),
        _looking(whole, name, same),
        _looking(
            Moment(at.program, replace(whole.step, operation=operation), change, at.view), name, differing
        ),
    ]
    words = (tr("before"), tr("after"), tr("difference"))
    marks: list[Mark] = []
    for k, (one, text, box) in enumerate(zip(moments, words, _boxes(room), strict=True)):
        drawn = _alone(one, name, at, text, Room(box, room.em, room.least))
        marks += drawn if k == 1 else map(_unnamed, drawn)  # only what is now can be gone to, and changed
    return marks


@program_cache(8)
def _difference(was: Operation, now: Operation) -> Operation:
    """Return an operation that writes by how much one differs from what it was; pictures are kept by it."""
    call = now.call
    values = (np.asarray(one.call.value(call.result), np.float64) for one in (now, was))
    with np.errstate(all="ignore"):
        return Operation(replace(call, writes={**call.writes, call.result: np.subtract(*values)}))


def _boxes(room: Room) -> list[Box]:
    """Return three places side by side; under each other where that is larger."""
    box, gap = room.box, _GAP * room.em
    if box.w >= box.h:
        return box.columns([1, 1, 1], gap)
    high = (box.h - 2 * gap) / 3
    return [Box(box.x, box.y + k * (high + gap), box.w, high) for k in range(3)]


def _alone(one: Moment, name: str, at: Moment, text: str, room: Room) -> list[Mark]:
    """Draw the slice of one of the three that the step at hand is in."""
    array = np.asarray(one.state.arrays[name])
    written = next((index for other, index in at.state.writes if other == name), (0,) * array.ndim)
    in_cell = [at.cell.get(key, 0) for key in list(at.cell)[: max(array.ndim - 2, 0)]]
    prefix = written[:-2] if any(written) else (*in_cell, *(0,) * array.ndim)[: max(array.ndim - 2, 0)]
    prefix = tuple(min(k, size - 1) for k, size in zip(prefix, array.shape, strict=False))
    plane = grid.plane(one, name, prefix, grid.cell_focus((*prefix, *written[-2:])))
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
