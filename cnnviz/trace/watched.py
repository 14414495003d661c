"""What a watch comes to over all steps of an operation: each step at which it becomes another number."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.expression.reader import quoted
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.runs import Runs, run_at, runs_between
from cnnviz.trace.watch import Watch, answers, changing, weight
from cnnviz.working import tell

MOST_ROWS = 500_000
"""How many changes are kept: more are never read, and would fill the memory."""

_STEPS = 2**18


class History(Struct, frozen=True, eq=False):
    """What a watch was, one after the other.

    Attributes
    ----------
    places : NDArray
        The steps of the program, or the iterations of a training.
    values : NDArray
        What it was from there on.
    whole : bool
        Whether these are all.
    """

    places: NDArray[np.intp]
    values: NDArray[np.generic]
    whole: bool = True


def over_steps(program: Program, watch: Watch, operation: Operation) -> History:
    """Return what a watch becomes over the steps of an operation, without where it is unknown.

    Raises
    ------
    CnnvizError
        If it is not one number.
    StoppedError
        If whoever listens has it stop.
    """
    nodes, start = changing(program, watch, operation), program.start(operation.name)
    size = max(2**10, _STEPS // weight(program, watch, operation))
    places, values = [np.zeros(0, np.intp)], list[NDArray[np.generic]]()
    rows, last = 0, None
    for low in range(0, len(operation), size):
        tell(tr("in {operation}", operation=operation.name), low, len(operation))
        runs = [runs_between(operation, node, low, min(low + size, len(operation))) for node in nodes]
        runs += [run_at(operation, 0)] if low == 0 else []
        offsets = np.concatenate([np.zeros(0, np.intp), *(one.offsets for one in runs)])
        found = [_numbers(program, watch, one) for one in runs if len(one)]
        if not found:
            continue
        offsets, first = np.unique(offsets, return_index=True)
        value = np.concatenate([one[0] for one in found])[first]
        known = np.concatenate([one[1] for one in found])[first]
        offsets, value = offsets[known], value[known]
        if not len(value):
            continue
        before = np.concatenate([value[:1] if last is None else np.array([last]), value[:-1]])
        changed = (value != before) & ~((value != value) & (before != before))
        changed[0] |= last is None
        last = value[-1]
        places.append(start + offsets[changed])
        values.append(value[changed])
        rows += int(changed.sum())
        if rows > MOST_ROWS:
            return History(np.concatenate(places)[:MOST_ROWS], np.concatenate(values)[:MOST_ROWS], False)
    return History(np.concatenate(places), np.concatenate(values) if values else np.zeros(0))


def _numbers(program: Program, watch: Watch, runs: Runs) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return one number for each run, and whether it is known."""
    found = answers(program, watch, runs)
    value, known = np.broadcast_arrays(found.value, found.known)
    if value[0].size > 1:
        raise CnnvizError(
            tr("{text} is many numbers; add .max() or .mean(), or name a cell.", text=quoted(watch.text))
        )
    flat = value.reshape(len(value), -1)[:, 0], known.reshape(len(known), -1)[:, 0]
    return np.broadcast_to(flat[0], len(runs)), np.broadcast_to(flat[1], len(runs))
