"""All stops of a lesson as one sequence, over its expressions, iterations and forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Array
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.operation import Operation
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
        if after.name == before.name and _computes_the_same(was, before, now, after):
            return replace(stop, index=start + stop.index - was.start(before.name))
    return None


def first_difference(was: Program, now: Program, here: str) -> int | None:
    """Return where a changed program first computes something else; None if it does in operation `here`."""
    before = {operation.name: operation for operation in was.operations}

    def differs(one: Operation) -> bool:
        return one.name not in before or not _computes_the_same(was, before[one.name], now, one)

    if any(one.name == here and differs(one) for one in now.operations):
        return None
    pairs = zip(now.operations, now.starts, strict=False)
    return next((start for one, start in pairs if differs(one)), None)


def _computes_the_same(was: Program, before: Operation, now: Program, after: Operation) -> bool:
    """Return whether an operation reads the same numbers in both; an update, what it moves, too."""
    one, other = before.call, after.call
    if one.listing is not other.listing or one.given.keys() != other.given.keys():
        return False
    if before.phase in ("backward", "update"):
        # Where what went forward differs, these are not computed to find that out.
        addresses = [port.before or port.address for port in one.ports.values()]
        forward = ((_going_forward(was, address), _going_forward(now, address)) for address in addresses)
        if any(a is not None and b is not None and not np.array_equal(a, b) for a, b in forward):
            return False
    return all(np.array_equal(value, other.given[name]) for name, value in one.given.items())


def _going_forward(program: Program, address: str) -> Array | None:
    """Return what is read at an address, if it is a parameter or was made on the way forward."""
    found = program.producer(address) or next(iter(program.readers(address)), None)
    if found is None or found[0].phase != "forward":
        return None
    call, name = found[0].call, found[1]
    return call.unpadded(name, np.asarray(call.value(name)))
