"""Runs of lines as arrays, and scalars of all cells side by side: as each step by itself has them."""

from __future__ import annotations

import numpy as np

from cnnviz.trace.lanes import assigned
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.runs import runs_between
from cnnviz.trace.state import state
from tests.cases import all_calls


def test_runs_and_scalars_are_those_of_each_step_by_itself():
    told = 0
    for label, call in all_calls()[::4]:
        operation = Operation(call)
        end = min(len(operation), 250)
        at = [operation.locate(k)[1] for k in range(end)]
        for node in (node for node in walk(operation.body) if isinstance(node, Line | Loop)):
            runs = runs_between(operation, node, 0, end)
            assert runs.offsets.tolist() == [k for k in range(end) if at[k] is node], label
            variables = runs.variables()
            for n, k in enumerate(runs.offsets.tolist()):
                held = {name: int(value[n]) for name, (value, known) in variables.items() if known[n]}
                assert held == operation.variables_at(k), (label, k)
        for name in operation.scalars:
            events = assigned(operation, name, 0, end)
            for k in range(end if events else 0):
                n = np.searchsorted(events.offsets, k, "right") - 1
                if n >= 0:
                    value = state(operation, k).variables[name]
                    assert np.array_equal(events.values[n], value, equal_nan=True), (label, name, k)
                    told += 1
    assert told > 10_000
