"""Finds the step that a person means by a number or by a place such as ``conv1[2,3,4]``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import name_of
from cnnviz.engine.layer import Shape, shape_text
from cnnviz.errors import CnnvizError
from cnnviz.lesson.files import wrong
from cnnviz.lesson.tables import StopPart
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.forms import stops_in
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level

_NUMBER = re.compile(r"[+-]?\d+")
_PLACE = re.compile(r"([^\[\]\s]+)\s*(?:\[\s*((?:\d+\s*,\s*)*(?:\d+\s*)?)\])?")


def step_at(program: Program, words: str) -> int:
    """Return the step that words name.

    Parameters
    ----------
    words : str
        A step's number, from 0; an operation, for its first step; or an operation with a cell of what it
        computes, ``conv1[2,3,4]``, for the step that writes it.

    Raises
    ------
    CnnvizError
        If there is no such step; the sentence says what there is.
    """
    words = words.strip()
    if _NUMBER.fullmatch(words):
        return _numbered(program, words)
    found = _PLACE.fullmatch(words)
    if found is None:
        raise CnnvizError(
            tr(
                "{words} names no step; write its number, or a place such as conv1[0,0,0].",
                words=repr(words[:60]),
            )
        )
    name, index = found.groups()
    made = None if name in {one.name for one in program.operations} else program.producer(name)
    operation, array = made or (program.operation(name), "")
    if index is None and not array:
        return program.start(name)
    at = index if index is not None else ",".join("0" * np.ndim(operation.call.writes[array]))
    return program.start(operation.name) + _writing(program, operation, words, at, array)


def _numbered(program: Program, words: str) -> int:
    last = len(program) - 1
    if len(words) <= 20 and 0 <= int(words) <= last:
        return int(words)
    shown = words if len(words) <= 20 else f"{words[:20]}…"
    raise CnnvizError(tr("There is no step {index}; steps are numbered 0 to {last}.", index=shown, last=last))


def _writing(program: Program, operation: Operation, words: str, index: str, array: str = "") -> int:
    """Return the step of an operation at which a cell of its result is written, or of an array beside it."""
    result, shape = result_of(program, operation)
    if array and array != result:
        result, shape = array, np.shape(operation.call.like(array))
    cell = tuple(int(k) for k in re.findall(r"\d+", index) if len(k) < 20)
    if len(cell) != len(shape) or any(k >= size for k, size in zip(cell, shape, strict=True)):
        raise CnnvizError(
            tr(
                "{words} is not a cell: {operation} has shape {shape}, so its last one is {operation}{last}.",
                words=words,
                operation=words.partition("[")[0].strip(),
                shape=shape_text(shape),
                last=str([size - 1 for size in shape]).replace(" ", ""),
            )
        )
    if np.shape(operation.call.like(result)) != shape:
        cell = (int(np.ravel_multi_index(cell, shape)),)
    offset = operation.step_writing(result, cell)
    if offset is None:
        raise CnnvizError(
            tr("{words}: {operation} never writes that cell.", words=words, operation=operation.name)
        )
    return offset


def result_of(program: Program, operation: Operation) -> tuple[str, Shape]:
    """Return which of the arrays that an operation writes is its result, and the result's shape.

    An update sees its parameter as one row; the shape is the parameter's own.
    """
    call = operation.call
    if operation.phase == "update":
        return call.result, np.shape(program.operation(operation.layer).call.given[name_of(call.moved)])
    return call.result, np.shape(call.like(call.result))


def find_stops(
    path: Path,
    described: Sequence[StopPart],
    program: Program,
    other: Program | None = None,
    strict: bool = True,
) -> tuple[Stop, ...]:
    """Return the stops that a lesson file describes, in the order of the steps.

    Parameters
    ----------
    other : Program, optional
        The program in the other form of the input gradient; the stops that speak of it come after those of
        the same operation that do not.
    strict : bool
        Whether a place that does not exist is a fault; else it is left out.

    Raises
    ------
    CnnvizError
        If a place does not exist; all such faults are told together.
    """
    faults: list[str] = []
    stops = stops_of(described, program, faults, other=other)
    if faults and strict:
        raise wrong(path, faults)
    return stops


def stops_of(
    described: Sequence[StopPart],
    program: Program,
    faults: list[str],
    under: str = "",
    other: Program | None = None,
) -> tuple[Stop, ...]:
    """Return the stops that are described, in the order of the steps, and add to the faults found so far.

    Parameters
    ----------
    under : str
        The path of the table that they stand in, with a dot.
    other : Program, optional
        As in `find_stops`.
    """
    own: list[Stop] = []
    others: list[Stop] = []
    for k, part in enumerate(described):
        elsewhere = other is not None and part.input_gradient == other.form
        if part.input_gradient and not program.form:
            said = tr("the network has no convolution whose input gradient is computed")
            faults.append(f"{under}stops[{k}].input_gradient: {said}")
        try:
            stop = replace(_stop(part, other if other and elsewhere else program), part=k)
            (others if elsewhere else own).append(stop)
        except CnnvizError as error:
            if part.always:  # it may be at a place that there is with the changes alone
                continue
            faults.append(f"{under}stops[{k}].at: {error}")
    others.sort(key=lambda stop: stop.index)
    placed = stops_in(others, other, program) if other else ()
    return tuple(sorted((*own, *placed), key=lambda stop: stop.index))


def _stop(part: StopPart, program: Program) -> Stop:
    index = _step_of(part, program)
    step = program[index]
    asked = {"letters": part.letters, "scale": part.scale}
    return Stop(
        index,
        tr(part.caption),
        step.operation.call.form,
        step.offset,
        part.iteration,
        notes=tr(part.notes),
        level=Level(part.level) if part.level else None,
        always=part.always,
        display=tuple((name, value) for name, value in asked.items() if value is not None),
    )


def _step_of(part: StopPart, program: Program) -> int:
    if part.where or part.line is not None:
        return program.start(part.at) + program.operation(part.at).find(part.line, **part.where)
    return step_at(program, part.at)
