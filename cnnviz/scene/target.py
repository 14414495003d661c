"""What a menu at a point is about: a number, a variable, a line, a layer, a step; and where it leads."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import split
from cnnviz.scene.arrays import symbol
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full
from cnnviz.scene.provenance import (
    last_written,
    origin_of_terms,
    origin_of_variable,
    terms_in_hand,
    written_where,
)
from cnnviz.text import tr
from cnnviz.trace.alone import cell_in
from cnnviz.trace.flow import last_set, next_use, offsets_reading
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Made, Program
from cnnviz.trace.stops import next_run, previous_run
from cnnviz.trace.watch import array_of_network

Index = tuple[int, ...]


class Target(Struct, frozen=True, eq=False):
    """What is under the pointer, or where the keyboard is.

    Attributes
    ----------
    said : str
        What it is, with its value: the heading of the menu.
    text : str
        What is copied of it.
    cell : Made or None
        The cell that it is, of an array of an operation of the program.
    variable : tuple[Operation, str] or None
        The variable that it is, and the operation whose listing has it.
    line : tuple[Operation, int] or None
        The line that it is, and the operation whose listing has it.
    layer : str
        The row of the network that it is.
    computed : int or None
        The step that computed its number, or will; None of what comes from outside.
    step : int or None
        The step that it stands for: of a line its next run, of a layer the step that completes it, of a
        product the one that takes it.
    parts : tuple[Target, ...]
        Of a product, its factors.
    """

    said: str
    text: str
    cell: Made | None = None
    variable: tuple[Operation, str] | None = None
    line: tuple[Operation, int] | None = None
    layer: str = ""
    computed: int | None = None
    step: int | None = None
    parts: tuple[Target, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is a cell of the network: no zero that was put in around it."""
        cell = self.cell
        return bool(cell and cell.index and cell.operation.call.own_place(cell.array, cell.index) is not None)

    def asked(self, program: Program) -> str:
        """Return how a watch or a condition asks for it: a variable's name, ``conv1.w[0,0,1,1]``."""
        if self.variable is not None:
            return self.variable[1]
        assert self.cell is not None
        call, array = self.cell.operation.call, self.cell.array
        port, place = call.port(array), call.own_place(array, self.cell.index)
        assert place is not None
        address, own = port.before or port.address, call.own_shape(array)
        shape = array_of_network(program, *split(address)).shape
        if shape != own:  # an update sees parameters of any shape as one row
            place = tuple(int(k) for k in np.unravel_index(np.ravel_multi_index(place, own), shape))
        return f"{address}[{','.join(map(str, place))}]"

    @property
    def is_number(self) -> bool:
        """Whether it is a number that is computed or used somewhere."""
        return self.cell is not None or self.variable is not None


def cell_target(moment: Moment, array: str, place: Index) -> Target:
    """Return what is known of a cell of the operation at hand, whose place is that among all samples."""
    shown, operation = written_where(moment, array, place), moment.operation
    said = f"{shown.name} = {shown.value}" if shown.known else f"{shown.name}: {shown.value}"
    return Target(said, shown.value, cell=Made(operation, array, place), computed=shown.step)


def terms_target(moment: Moment, first: int, many: int) -> Target | None:
    """Return what is known of terms of the sum in work: of one, its factors, too."""
    shown = origin_of_terms(moment, first, many)
    if shown is None:
        return None
    ((_, factors),) = terms_in_hand(moment, first, 1)
    parts = tuple(cell_target(moment, *factor) for factor in factors) if many == 1 else ()
    return Target(f"{shown.name} = {shown.value}", shown.value, step=shown.step, parts=parts)


def network_target(moment: Moment, operation: Operation, array: str, place: Index) -> Target | None:
    """Return what is known of a cell of the network, of an array that an operation of the program has.

    Of several samples, its place is that of the one in hand.
    """
    program, number = moment.program, moment.sample
    own = program.operation(operation.name)
    placement = operation.call.placement(array)
    there = place if placement is None else placement.target(place)
    if there is None:  # it was cut off
        return None
    there = cell_in(own, array, there, number)
    if own is moment.operation:
        return cell_target(moment, array, there)
    value = full(float(np.asarray(own.call.value(array))[there]))
    if array in own.call.writes:
        written = last_written(own, array, there)
        computed = None if written is None else program.start(own.name) + written
    else:
        made = program.where_from(own, array, there)
        written = None if made is None else last_written(made.operation, made.array, made.index)
        computed = None if made is None or written is None else program.start(made.operation.name) + written
    if computed is not None and computed > moment.step.index:
        value = tr("not computed yet")
    name = f"{own.layer} {symbol(own, array)}[{', '.join(map(str, there))}]"
    return Target(f"{name}: {value}", value, cell=Made(own, array, there), computed=computed)


def variable_target(moment: Moment, name: str) -> Target | None:
    """Return what is known of a variable of the listing at hand, or of a value in an expression's graph."""
    operation, start = moment.operation, moment.step.index - moment.step.offset
    if name in operation.tree.variables or name in operation.scalars:
        if name not in moment.state.variables:
            return None
        value = full(float(moment.state.variables[name]))
        computed = last_set(operation, name, moment.step.offset)
        step = None if computed is None else start + computed
        return Target(f"{name} = {value}", value, variable=(operation, name), computed=step)
    shown = origin_of_variable(moment, name)
    said = f"{shown.name} = {shown.value}"
    return Target(said, shown.value, variable=(operation, name), computed=shown.step)


def line_target(moment: Moment, line: int) -> Target:
    """Return what is known of a line of the listing at hand: its next run; where none is left, its last."""
    operation, offset = moment.operation, moment.step.offset
    text = operation.tree.source[line - 1].strip()
    run = next_run(operation, offset, line)
    run = previous_run(operation, offset, line) if run is None else run
    step = None if run is None else moment.step.index - offset + run
    said = tr("Line {number}: {line}", number=line, line=text)
    return Target(said, text, line=(operation, line), step=step)


def used_next(program: Program, target: Target, now: int) -> tuple[int, bool] | None:
    """Return the next step that reads a number, and whether it is still to come; None if none ever does.

    Where none is left, it is the first that did.
    """
    if target.cell is not None:
        cell = target.cell
        readings = program.where_to(cell.operation, cell.array, cell.index)
        steps = [program.start(one.operation.name) + int(k) for one in readings for k in one.offsets]
    elif target.variable is not None:
        operation, name = target.variable
        if name in operation.tree.variables or name in operation.scalars:
            start = program.start(operation.name)
            used = next_use(operation, name, now - start)
            used = next_use(operation, name, -1) if used is None else used
            return None if used is None else (start + used, start + used > now)
        own = [one for one in program.operations if one.layer == operation.layer]
        steps = [program.start(one.name) + int(k) for one in own for k in offsets_reading(one, name, ())]
    else:
        return None
    if not steps:
        return None
    coming = [step for step in steps if step > now]
    return (min(coming), True) if coming else (min(steps), False)
