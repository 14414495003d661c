"""What Python itself does when it runs a listing: the truth that steps and states are held against."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from cnnviz.engine.layer import Array, Call
from cnnviz.trace.operation import Operation

Place = tuple[str, tuple[int, ...]]


@dataclass
class Touched:
    """The cells that one line reads and writes, in the order Python does."""

    reads: list[Place] = field(default_factory=list)
    writes: list[Place] = field(default_factory=list)


@dataclass
class Watched:
    """An array that tells which of its cells are touched."""

    name: str
    array: Array
    touched: Touched

    def __getitem__(self, index):
        self.touched.reads.append((self.name, as_tuple(index)))
        return self.array[index]

    def __setitem__(self, index, value):
        self.touched.writes.append((self.name, as_tuple(index)))
        self.array[index] = value


@dataclass(frozen=True)
class Event:
    """One line event, with all that Python holds when the line has run."""

    line: int
    arrays: dict[str, Array]
    variables: dict[str, float]
    touched: Touched


_last: deque[tuple[Call, list[Event]]] = deque(maxlen=8)
"""What was seen last: the tests of a file ask for the same calls one after the other, as `each_of` has it."""


def events(call: Call, with_arrays: bool = True) -> list[Event]:
    """Run a listing, and return what `sys.settrace` sees of it.

    Parameters
    ----------
    with_arrays : bool
        Whether the arrays are wanted as they are at each step, which takes time and memory. Nothing may be
        written into them.
    """
    for seen, found in _last:
        if seen is call and with_arrays:
            return found
    found = _watched(call, with_arrays)
    if with_arrays:
        _last.append((call, found))
    return found


def _watched(call: Call, with_arrays: bool) -> list[Event]:
    arguments = Operation(call).arguments()
    touched = Touched()
    arrays = {
        name: Watched(name, value, touched)
        for name, value in arguments.items()
        if isinstance(value, np.ndarray)
    }
    code, found = call.listing.__code__, []
    line = at = 0

    def trace(frame, event, _):
        nonlocal line, at
        if frame.f_code is not code:
            return None
        here = frame.f_lineno - code.co_firstlineno + 1
        # Python 3.12.1 sometimes sees a line again where `and` jumps forward within it.
        if event == "line" and here == line and frame.f_lasti > at:
            return trace
        if line and event in ("line", "return"):
            held = {name: watched.array.copy() for name, watched in arrays.items()} if with_arrays else {}
            for array in held.values():
                array.setflags(write=False)
            variables = {name: value for name, value in frame.f_locals.items() if name not in arguments}
            found.append(Event(line, held, variables, Touched(touched.reads[:], touched.writes[:])))
        touched.reads.clear()
        touched.writes.clear()
        line, at = here if event == "line" else 0, frame.f_lasti
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call.listing(**{**arguments, **arrays})
    finally:
        sys.settrace(before)
    return found


def as_tuple(index):
    return tuple(int(k) for k in (index if isinstance(index, tuple) else (index,)))
