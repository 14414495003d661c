"""All stops of a lesson as one sequence, over its expressions, iterations and forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Call
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.program import Program

Turn = tuple[int, int]
"""Which choice of a lesson, and which iteration of its training: what is done in this order."""


def in_sequence(stops: Iterable[Stop]) -> tuple[Stop, ...]:
    """Return stops in the order in which a lesson goes through them, numbered.

    Choices follow one another, and in each the iterations; those of one iteration stay in their order. What
    is said of every iteration is said in the first, and of every choice in each that is chosen.
    """
    ordered = sorted(stops, key=lambda stop: (stop.image or 0, stop.iteration or 0))
    return tuple(replace(stop, number=k, count=len(ordered)) for k, stop in enumerate(ordered, 1))


def turn_of(stop: Stop, sequence: Sequence[Stop], here: Turn) -> Turn:
    """Return when a stop's turn is, for a lesson that is shown at some turn itself.

    Where no stop names an iteration, all are said in whichever is shown.
    """
    image, iteration = here
    if any(other.iteration is not None for other in sequence):
        iteration = stop.iteration or 0
    return image if stop.image is None else stop.image, iteration


def stop_after(sequence: Sequence[Stop], here: Turn, cursor: Cursor, backwards: bool = False) -> Stop | None:
    """Return the stop that comes next, or came before; None at the end of the sequence.

    Parameters
    ----------
    sequence : Sequence[Stop]
        With the steps that they have in the cursor's program, if it has them.
    here : Turn
        What is shown.
    """
    turns = [turn_of(stop, sequence, here) for stop in sequence]
    now = [stop for stop, turn in zip(sequence, turns, strict=True) if turn == here]
    number = cursor.stop_number(now, backwards)
    if number is not None:
        return now[number]
    away = [s for s, turn in zip(sequence, turns, strict=True) if (turn < here if backwards else turn > here)]
    return (away[-1] if backwards else away[0]) if away else None


def stop_still_true(stop: Stop, was: Program, now: Program) -> Stop | None:
    """Return a stop with the step that it has in a changed program; None where what it speaks of is changed.

    A caption may name any number that its operation reads or writes.
    """
    before = was.operations[was.number_at(stop.index)]
    for after, start in zip(now.operations, now.starts, strict=False):
        if after.name == before.name and _computes_the_same(before.call, after.call):
            return replace(stop, index=start + stop.index - was.start(before.name))
    return None


def first_difference(was: Program, now: Program, here: str) -> int | None:
    """Return where a changed program first computes something else; None if it does in operation `here`."""
    before = {operation.name: operation.call for operation in was.operations}
    differing = [
        (operation.name, start)
        for operation, start in zip(now.operations, now.starts, strict=False)
        if operation.name not in before or not _computes_the_same(before[operation.name], operation.call)
    ]
    return None if here in dict(differing) or not differing else differing[0][1]


def _computes_the_same(one: Call, other: Call) -> bool:
    if one.listing is not other.listing or one.given.keys() != other.given.keys():
        return False
    return all(np.array_equal(value, other.given[name]) for name, value in one.given.items())
