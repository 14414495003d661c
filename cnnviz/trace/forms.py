"""The same place in both forms of the input gradient: gathered and scattered."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cnnviz.engine.batch import VARIABLE
from cnnviz.engine.sequences import is_of_sequences
from cnnviz.trace.alone import sample_at
from cnnviz.trace.cursor import Stop
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program, Step
from cnnviz.trace.windows import windows_of


def counterpart(here: Program, index: int, there: Program) -> int:
    """Return the step of another form of a program that is at the same place as a step of this one.

    In an operation that both forms share it is the same step of it. A cell of ∂E/∂x that is gathered goes
    with the step that first adds to it when it is scattered; a cell that is added to goes with the step
    that writes it when it is gathered, one of the padding with the cell nearest to it. The first and the
    last step of the operation go with the first and the last.
    """
    step = here[index]
    one, other = step.operation, there.operation(step.operation.name)
    start = there.start(one.name)
    if one.call.form == other.call.form:
        return start + step.offset
    if step.offset == 0:
        return start
    if step.offset == len(one) - 1:
        return start + len(other) - 1
    if one.call.form == "gathered":
        return start + _scattered(one, step.offset, other)
    return start + _gathered(one, step, other)


def _scattered(one: Operation, offset: int, other: Operation) -> int:
    """Return the step that first adds to the cell in work, of those that add to any near it."""
    at, sizes, windows = one.variables_at(offset), other.sizes, windows_of(other.call)
    top, left = _padding(other)
    counts = (sizes["L_out"], 1) if is_of_sequences(one.call) else (sizes["H_out"], sizes["W_out"])
    (i, u), (j, v) = (
        _first_window(cell, count, *along)
        for cell, count, along in zip(
            (at.get("p", 0) + top, at.get("q", 0) + left), counts, windows.along, strict=True
        )
    )
    kernel, c = windows.kernel_and_place(at.get("c", 0))
    (line,) = other.writers("dx")
    return other.find(line.number, o=kernel, i=i, j=j, c=c, u=u, v=v, **_sample(one, offset))


def _first_window(cell: int, windows: int, kernel: int, stride: int, rate: int) -> tuple[int, int]:
    """Return the first window along one axis that holds a cell, and the cell's place in it.

    A cell in no window, left over at the end or between windows that lie apart, is taken for one beside it.
    """
    places = ((i, u) for i in range(windows) for u in range(kernel))
    return min(places, key=lambda place: abs(place[0] * stride + place[1] * rate - cell))


def _gathered(one: Operation, step: Step, other: Operation) -> int:
    """Return the step that writes the cell that is added to."""
    at, sizes, windows = step.variables, other.sizes, windows_of(one.call)
    rows, columns = windows.cells(at.get("i", 0), at.get("j", 0))
    top, left = _padding(one)
    row = rows.start + at.get("u", 0) * rows.step - top
    column = columns.start + at.get("v", 0) * columns.step - left
    (line,) = other.writers("dx")
    return other.find(
        line.number,
        c=windows.channel(at.get("o", 0), at.get("c", 0)),
        p=min(max(0, row), sizes["L" if "L" in sizes else "H"] - 1),
        q=min(max(0, column), sizes.get("W", 1) - 1),
        **_sample(one, step.offset),
    )


def _sample(one: Operation, offset: int) -> dict[str, int]:
    """Return which of several samples is in hand, as a variable of the listing; nothing of one alone."""
    return {VARIABLE: sample_at(one, offset)} if one.call.batch else {}


def _padding(scattered: Operation) -> tuple[int, int]:
    """Return how many rows and columns of padding lie before the input's own."""
    rows, columns = scattered.call.placed("dx").start
    return (columns, 0) if is_of_sequences(scattered.call) else (rows, columns)


def stops_in(stops: Sequence[Stop], here: Program, there: Program) -> tuple[Stop, ...]:
    """Return a lesson's stops for another form of its program, in the same order.

    One that speaks of the form that is not shown stands at the edge of the operation, on the side where
    the lesson comes to it.
    """
    placed: list[Stop] = []
    for number, stop in enumerate(stops):
        name = here[stop.index].operation.name
        start, operation = there.start(name), there.operation(name)
        if stop.form == operation.call.form:
            placed.append(replace(stop, index=start + stop.offset))
            continue
        before = any(
            other.form == there.form and here[other.index].operation.name == name
            for other in stops[number + 1 :]
            if (other.iteration or 0) == (stop.iteration or 0)  # what another iteration says is elsewhere
        )
        placed.append(replace(stop, index=start if before else start + len(operation) - 1))
    return tuple(placed)
