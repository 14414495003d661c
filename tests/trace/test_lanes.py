"""Runs of lines as arrays, and scalars of all cells side by side: as each step by itself has them."""

from __future__ import annotations

import numpy as np

from cnnviz.trace.added import is_followed, sums_at
from cnnviz.trace.lanes import assigned
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.runs import runs_between
from cnnviz.trace.state import state
from tests.cases import all_calls
from tests.trace.python import events


def test_runs_and_scalars_are_those_of_each_step_by_itself():
    told = 0
    for label, call in all_calls()[::4]:
        operation = Operation(call)
        end = min(len(operation), 250)
        at = [operation.locate(k)[1] for k in range(end)]
        for node in (node for node in walk(operation.body) if isinstance(node, Line | Loop)):
            runs = runs_between(operation, node, 0, end)
            assert runs.offsets.tolist() == [k for k in range(end) if at[k] is node], label
            variables = runs.variables(frozenset(operation.tree.variables))
            for n, k in enumerate(runs.offsets.tolist()):
                held = {name: int(value[n]) for name, (value, known) in variables.items() if known[n]}
                assert held == operation.variables_at(k), (label, k)
        for name in operation.scalars:
            found = assigned(operation, name, 0, end)
            for k in range(end if found else 0):
                n = np.searchsorted(found.offsets, k, "right") - 1
                if n >= 0:
                    value = state(operation, k).variables[name]
                    assert np.array_equal(found.values[n], value, equal_nan=True), (label, name, k)
                    told += 1
    assert told > 10_000


def test_cells_that_are_added_to_are_pythons_to_the_last_bit():
    told, forms = 0, set()
    for _, call in all_calls():
        operation = Operation(call)
        for name in call.writes:
            if not is_followed(operation, name) or len(operation) > 3000:
                continue
            seen = np.stack([event.arrays[name].ravel() for event in events(call)])
            offsets, cells = np.indices(seen.shape).reshape(2, -1)
            sums = sums_at(operation, name, cells, offsets)
            assert np.array_equal(sums, seen.ravel(), equal_nan=True)
            for k in range(0, len(cells), max(1, len(cells) // 40)):  # and a few steps by themselves
                few = sums_at(operation, name, cells[k : k + 1], offsets[k : k + 1])
                assert np.array_equal(few, seen.ravel()[k : k + 1], equal_nan=True)
            told += 1
            forms.add(call.kind)
    assert told > 5 and len(forms) > 1
