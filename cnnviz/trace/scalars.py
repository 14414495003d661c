"""The scalars that Python holds at a step, found without running all that came before.

What a listing has in its scalars at a step depends on little of what ran: on the last iteration of a loop
that assigns them anew each time, and on all iterations of one that carries a sum along. The lines that matter
are sliced out of the listing (Weiser, "Program slicing", 1981) and run; a sum carried along is made by
NumPy's ``accumulate``, which adds one after the other as Python does, so that the result is the same to the
last bit. What NumPy cannot do at once is run for real.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.trace.accumulate import accumulation
from cnnviz.trace.depends import Names, carried, needs, slice_of
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.operation import Operation

Scope = dict[str, Any]

# Sums of fewer terms are run for real: that takes less time than to set NumPy going.
_FEW = 48
# How many sums are kept of an operation, and how many bytes of them.
_MOST_SUMS, _MOST_KEPT = 256, 2**26


def replayed(operation: Operation, offset: int) -> Scope:
    """Return all names that a listing can see just before a step: what it was given, arrays, scalars.

    Only of an operation that `can_be_replayed`. Where it adds to its arrays, they are shown as they end.
    """
    return _Replay(operation).before(offset)


class ArrayAt:
    """A written array just before a step: finished cells have their results, others what they began with.

    It is indexed as the array would be, by whole numbers or by arrays of them.
    """

    def __init__(self, operation: Operation, name: str, offset: int) -> None:
        call = operation.call
        self.results = call.writes[name]
        self.begun = call.before.get(name)
        self.operation, self.name, self.offset = operation, name, offset
        self._written: dict[tuple[int, ...], Any] = {}

    def __getitem__(self, index: Any) -> Any:
        """Return cells as they are."""
        if self._written and index in self._written:
            return self._written[index]
        there = self._through(index)
        if there is True:
            return self.results[index]
        begun = np.float64(0.0) if self.begun is None else self.begun[index]
        return begun if there is False else np.where(there, self.results[index], begun)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write a cell, for this view of the array alone."""
        self._written[index] = value

    def _through(self, index: Any) -> bool | NDArray[np.bool_]:
        """Return whether cells have been written."""
        parts = index if isinstance(index, tuple) else (index,)
        flat: Any = 0
        for part, size in zip(parts, self.results.shape, strict=True):
            flat = flat * size + part % size
        found: Any = False
        for line in self.operation.writers(self.name):
            runs = self.operation.runs_until(line, self.offset - 1) if self.offset > 0 else 0
            found = found | (self.operation.run_writing(line, flat) < runs)
        if np.ndim(found) == 0:
            return bool(found)
        return True if found.all() else np.asarray(found)


class _Replay:
    """One operation's scalars, found again at any step."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.namespace = operation.function.__globals__
        self.scope: Scope = dict(operation.call.given)
        self.cache = operation.cache
        self.names: Names = frozenset(operation.scalars)
        arrays = {name: made for name, made in operation.call.writes.items() if name in operation.tree.arrays}
        self.scope |= arrays
        self.written = list(arrays) if operation.writes_once else []

    def before(self, offset: int) -> Scope:
        """Return the names just before a step."""
        way, last = self.operation.locate(offset)
        base = 0
        key = ("needs", last, *(iteration > 0 for _, _, iteration in way))
        if key not in self.cache:
            self.cache[key] = needs(way, self.names)
        for level, need in enumerate(self.cache[key]):
            block, k, iteration = way[level]
            statement = block.statements[k]
            for j, part in need.done:
                self._statement(block.statements[j], part, base + block.starts[j])
            self.scope.update(block.left_before[k])
            base += block.starts[k]
            if isinstance(statement, Loop):
                if need.loop:
                    self._iterations(statement, min(iteration, statement.count), need.loop, base)
                self.scope[statement.variable] = iteration
                base += iteration * statement.period + 1
        self._look_at_arrays(offset)
        return self.scope

    def _statement(self, statement: Line | Loop, need: Names, base: int) -> None:
        if isinstance(statement, Loop):
            self._iterations(statement, statement.count, need, base)
        else:
            self._look_at_arrays(base)
            exec(statement.code, self.namespace, self.scope)

    def _look_at_arrays(self, offset: int) -> None:
        """Let the scope show the arrays as they are just before a step."""
        for name in self.written:
            self.scope[name] = ArrayAt(self.operation, name, offset)

    def _block(self, block: Block, need: Names, base: int) -> None:
        """Run what of a block the scalars needed depend on."""
        for j, part in slice_of(block.statements, need).kept:
            self.scope.update(block.left_before[j])
            self._statement(block.statements[j], part, base + block.starts[j])

    def _iterations(self, loop: Loop, count: int, need: Names, base: int) -> None:
        """Let the first iterations of a loop have run, as far as the scalars needed depend on them."""
        if count == 0:
            return
        along = carried(loop, need)
        if along and not self._accumulate(loop, count, need, base):
            self._look_at_arrays(base)
            self.scope["_stop"] = count
            exec(loop.code, self.namespace, self.scope)
            return
        rest = need - along
        if rest:
            ended = {name: self.scope[name] for name in along if name in self.scope}
            self.scope[loop.variable] = count - 1
            self._block(loop.body, rest, base + (count - 1) * loop.period + 1)
            self.scope |= ended  # a loop in the last iteration may have been run whole, with these in it

    def _accumulate(self, loop: Loop, count: int, need: Names, base: int) -> bool:
        """Set what a loop carries along as it is after some iterations; False if NumPy cannot tell."""
        if count * loop.body.steps <= _FEW:
            return False
        way = accumulation(self.operation, loop, need)
        if way is None:
            return False
        kept: dict[Any, dict[str, NDArray[Any]]] = self.cache.setdefault("sums", {})
        around = self.operation.path_to(loop.number)[0]
        key = (loop.number, need, *(self.scope[outer.variable] for outer in around))
        if key not in kept:
            self._look_at_arrays(base)
            results = {name: self.operation.call.writes[name] for name in way.results}
            try:
                with np.errstate(all="ignore"):
                    made = way.run({**self.scope, **results}, self.namespace)
            except (
                IndexError,
                NameError,
                ValueError,
            ):  # a branch that is not taken reads beyond an array, say
                return False
            _make_room(kept, sum(values.nbytes for values in made.values()))
            kept[key] = made
        for name, values in kept[key].items():
            self.scope[name] = values[count - 1]
        return True


def _make_room(kept: dict[Any, dict[str, NDArray[Any]]], wanted: int) -> None:
    """Let go of the oldest sums until there is room for some more."""
    held = sum(values.nbytes for made in kept.values() for values in made.values())
    while kept and (held + wanted > _MOST_KEPT or len(kept) >= _MOST_SUMS):
        held -= sum(values.nbytes for values in kept.pop(next(iter(kept))).values())
