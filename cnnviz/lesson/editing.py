"""What of a picture can be changed: the changes that its numbers stand for, kernels to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import address_of
from cnnviz.engine.layer import Array
from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Argument, Cell, Change
from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.samples import has_one_class
from cnnviz.scene.moment import Moment
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

Index = tuple[int, ...]

LEAST_KERNEL = 3
"""How many rows and columns a kernel must have for those that are known."""

KERNELS: Mapping[str, Array] = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float64),
    "edges": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float64),
    "Sobel, across": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float64),
    "Sobel, down": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float64),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float64),
    "blur": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float64) / 16,
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float64),
}
"""Kernels that are known from pictures, of 3 × 3; in a larger one, they stand in the middle of zeros."""


def cell_shown(lesson: Lesson, moment: Moment, operation: Operation, array: str, index: Index) -> Cell:
    """Return what a change calls a cell of an array of an operation, with the value that it has.

    Parameters
    ----------
    moment : Moment
        What is shown, of the lesson's program: what has been replaced by then is no longer what it was.
    operation : Operation
        An operation of it.
    array : str
        What the listing calls the array.
    index : tuple[int, ...]
        Where the cell lies in it, among all samples.

    Raises
    ------
    CnnvizError
        If it is computed, or is nothing that could be changed; the sentence says what could.
    """
    call, name = operation.call, f"{array}[{', '.join(map(str, index))}]" if index else array
    port, place = call.port(array), call.own_place(array, index)
    if place is None:
        said = tr("{cell} is a zero that {layer} puts in; change its arguments.")
        raise CnnvizError(said.format(cell=name, layer=operation.layer))
    address = port.before or port.address
    if port.before:
        offset = operation.step_writing(array, index)
        now = moment.step.index - moment.program.start(operation.name)
        if offset is not None and offset <= now:
            address = port.address  # it has been replaced
    number, shape, tape = 0, call.own_shape(array), lesson.tape
    if address in tape.of_samples and len(place) == tape[address].ndim:
        (number, *rest), shape = place, shape[1:]
        place = tuple(rest)
    place = _unravelled(lesson, address, place, shape)
    cell = lesson.subject.cell_of(address, place, lesson.choice, number)
    if cell is None:
        made = moment.program.producer(address)
        by = made[0].name if made else operation.name
        raise CnnvizError(
            tr("{cell} is computed by {operation}; change what it is made of.", cell=name, operation=by)
        )
    if lesson.iteration and port.role != "target" and address in _learnt(lesson):
        raise CnnvizError(
            tr(
                "{cell} has been learnt by iteration {iteration}; go to iteration 0 to change what training "
                "begins with.",
                cell=name,
                iteration=lesson.iteration,
            )
        )
    return cell


def variable_shown(lesson: Lesson, operation: Operation, name: str) -> Change:
    """Return what a change calls a variable, with the value that it has.

    It is a value of an expression, or a number that a listing is called with: a learning rate, an epsilon.

    Raises
    ------
    CnnvizError
        If it is computed, or counted by a loop.
    """
    cell = lesson.subject.cell_of(address_of(operation.layer, name), (), lesson.choice)
    if cell is not None:
        return cell
    if name in operation.call.given:
        made_with = arguments_shown(lesson, operation.name)
        found = next((argument for argument in made_with if argument.name == name), None)
        if found is not None:
            return found
        said = tr("{name} follows from the arguments of {layer}: {key} changes them.")
        raise CnnvizError(said.format(name=name, layer=operation.layer, key="Shift+F4"))
    raise CnnvizError(tr("{name} is computed; change what it is made of.", name=name))


def with_value(lesson: Lesson, change: Change, value: float) -> Change:
    """Return a change that makes a number another; where a target says one class, 1 makes it that class."""
    if isinstance(change, Cell) and change.array == "target" and value == 1 and lesson.network is not None:
        label = replace(change, array="label", index=(), value=float(change.index[0]))
        if has_one_class(lesson.network.loss):
            with suppress(CnnvizError):  # the target was given as numbers
                lesson.subject.fitting(label, lesson.choice.image or 0)
                return label
    return replace(change, value=value)


def _unravelled(lesson: Lesson, address: str, place: Index, shape: Index) -> Index:
    """Return where a cell lies at an address; an update sees parameters of any shape as one row."""
    parameters = lesson.network.parameter_shapes if lesson.network is not None else {}
    if address not in parameters or parameters[address] == shape:
        return place
    flat = np.ravel_multi_index(place, shape)
    return tuple(int(k) for k in np.unravel_index(flat, parameters[address]))


def _learnt(lesson: Lesson) -> tuple[str, ...]:
    return tuple(lesson.network.parameter_shapes) if lesson.network is not None else ()


def arguments_shown(lesson: Lesson, name: str) -> tuple[Argument, ...]:
    """Return what an operation, or a layer, is made with and can be changed; of an update, the optimiser."""
    operation = next((one for one in lesson.program.operations if one.name == name), None)
    if operation is None:
        return lesson.subject.arguments(name)
    if operation.phase == "update":
        schedules = (f"schedule_{k}" for k in range(1, 10))
        owners = ("optimiser", "schedule", *schedules)
    else:
        owners = (operation.layer,)
    return tuple(argument for owner in owners for argument in lesson.subject.arguments(owner))


def kernel_changes(lesson: Lesson, cell: Cell, name: str) -> tuple[Cell, ...]:
    """Return the changes that make one of `KERNELS` of the kernel that a cell belongs to."""
    assert lesson.network is not None
    rows, columns = lesson.network.parameter_shapes[cell.array][-2:]
    values = np.zeros((rows, columns))
    top, left = (rows - 3) // 2, (columns - 3) // 2
    values[top : top + 3, left : left + 3] = KERNELS[name]
    return tuple(
        replace(cell, index=(*cell.index[:-2], *place), value=float(value))
        for place, value in np.ndenumerate(values)
    )
