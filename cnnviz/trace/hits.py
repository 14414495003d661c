"""At which steps breakpoints stop a run: from whole arrays where these say it, else in slices of steps.

The steps at which a cell is written are known by arithmetic. So what is asked of cells that are written,
whether a ReLU clips, how large a gradient is, gives its steps directly. A condition on variables is looked at
wherever one of its names may have changed, slice by slice, each slice as arrays; of several parts that must
all hold, those on loop variables alone first, and the others only where these do. A condition at a line
stops at each run of the line at which it holds; one without a line where it becomes true.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Set

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.lanes import assigned
from cnnviz.trace.looptree import Line, Loop, walk
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.runs import Runs, last_written, run_at, run_numbers, runs_between, runs_where
from cnnviz.trace.stops import next_run, previous_run
from cnnviz.trace.watch import (
    Watch,
    answers,
    array_of_network,
    changing,
    check_watch,
    conjuncts,
    place_of_cell,
    read_watch,
    weight,
)
from cnnviz.trace.writes import offsets_writing
from cnnviz.working import tell

Steps = NDArray[np.intp]

_FIRST, _MOST = 2**12, 2**20
"""How many steps the first slice has, since what is looked for may be near, and how many any slice."""

_CLIPPING = ("relu", "relu6")
_PARTS = 1000


def hit(program: Program, point: Breakpoint, index: int, until: int, backwards: bool = False) -> int | None:
    """Return the next step after one, or the previous one before it, at which a breakpoint stops a run.

    Parameters
    ----------
    until : int
        The last step that is looked at.

    Raises
    ------
    StoppedError
        If whoever listens has it stop.
    """
    if not point.on or point.kind is Kind.PREDICTION:
        return None
    if point.kind is Kind.LINE:
        found = _hit_of_line(program, point, index, backwards)
    elif point.kind is Kind.CONDITION:
        found = _hit_of_condition(program, point, index, until, backwards)
    else:
        found = _hit_of_arrays(program, point, index, until, backwards)
    if found is None or (found < until if backwards else found > until):
        return None
    return found


def hit_from_outside(
    program: Program, before: Program | None, point: Breakpoint, backwards: bool = False
) -> int | None:
    """Return the first step, or last, at which a breakpoint stops a run that comes from an iteration beside.

    Parameters
    ----------
    before : Program or None
        The iteration before it: what holds at its end does not become true at the start of the next.
    """
    last = len(program) - 1
    found = hit(program, point, last + 1, 0, True) if backwards else hit(program, point, -1, last)
    if found != 0 or before is None or point.kind is not Kind.CONDITION or point.operation:
        return found
    end = [operation for operation in before.operations if len(operation)][-1]
    if not _held_before(before, read_watch(point.what), end, point, len(end)):
        return found
    return None if backwards else hit(program, point, 0, last)


def check(program: Program, point: Breakpoint) -> None:
    """Refuse a breakpoint that a program can never come to, because it has no such thing.

    Raises
    ------
    CnnvizError
        If it waits for a line, a cell or a name that there is not, or for what is no number.
    """
    if point.operation:
        program.number(point.operation)
    if point.kind in (Kind.WRITTEN, Kind.READ):
        cell_of(program, point.what)
    elif point.kind is Kind.GRADIENT:
        _threshold(point)
    elif point.kind is Kind.CONDITION:
        check_watch(program, read_watch(point.what), condition=True)
    if point.operation and point.line and point.kind is Kind.CONDITION:
        program.operation(point.operation).path_to(point.line)


# --------------------------------------------------------------------------------------- lines and arrays


def _hit_of_line(program: Program, point: Breakpoint, index: int, backwards: bool) -> int | None:
    start, operation = program.start(point.operation), program.operation(point.operation)
    offset = max(-1, min(index - start, len(operation)))
    if point.offset is not None:
        found = point.offset if point.offset < len(operation) else None
    elif backwards:
        found = previous_run(operation, offset, point.line)
    else:
        found = next_run(operation, offset, point.line)
    if found is None or (found >= offset if backwards else found <= offset):
        return None
    return start + found


def _hit_of_arrays(
    program: Program, point: Breakpoint, index: int, until: int, backwards: bool
) -> int | None:
    for operation, low, high in _way(program, point, index, until, backwards):
        offsets = _offsets(program, operation, point)
        first, end = np.searchsorted(offsets, [low, high])
        if first < end:
            return program.start(operation.name) + int(offsets[end - 1 if backwards else first])
    return None


def _way(
    program: Program, point: Breakpoint, index: int, until: int, backwards: bool
) -> Iterator[tuple[Operation, int, int]]:
    """Yield the operations on the way, each with the steps of it that are on it: from one up to another."""
    low, high = (until, index) if backwards else (index + 1, until + 1)
    if low >= high:
        return
    numbers = range(program.number_at(low), program.number_at(high - 1) + 1)
    for k in reversed(numbers) if backwards else numbers:
        operation, start = program.operations[k], program.starts[k]
        if len(operation) and point.operation in ("", operation.name):
            yield operation, max(0, low - start), min(len(operation), high - start)


def _offsets(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    """Return all steps of an operation at which a breakpoint stops, in order; they are kept."""
    key = _offsets, point.kind, point.what
    if key not in operation.cache:
        with np.errstate(all="ignore"):
            operation.cache[key] = np.unique(_FINDERS[point.kind](program, operation, point))
    found: Steps = operation.cache[key]
    return found


_NONE: Steps = np.zeros(0, np.intp)


def _begins(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    return np.zeros(1, np.intp)


def cell_of(program: Program, text: str) -> tuple[str, str, tuple[int, ...]]:
    """Return the node, the name and the place of a cell of the network: ``conv1.w[0,0,1,1]``.

    Raises
    ------
    CnnvizError
        If that is no cell that there is.
    """
    tree = read_watch(text).tree
    match tree:
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id=node), attr=name), slice=place):
            array = array_of_network(program, node, name)
            index = place_of_cell(place)
            sizes = array.shape
            if index is not None and len(index) == len(sizes) and all(map(_is_in, index, sizes)):
                return node, name, tuple(k % n for k, n in zip(index, sizes, strict=True))
            shape = " × ".join(map(str, array.shape)) or "1"
            raise CnnvizError(tr("There is no cell {cell}; {array} has {shape} cells.",
                                 cell=text.strip(), array=f"{node}.{name}", shape=shape))  # fmt: skip
    raise CnnvizError(tr("{text} is no cell; name one as in conv1.w[0,0,1,1].", text=text.strip()))


def _is_in(k: int, size: int) -> bool:
    return -size <= k < size


def _written(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    node, name, index = cell_of(program, point.what)
    array = array_of_network(program, node, name)
    for made, local in array.made:
        if made is operation:
            return offsets_writing(operation, local, _local(operation, local, array.shape, index))
    return _NONE


def _local(
    operation: Operation, local: str, shape: tuple[int, ...], index: tuple[int, ...]
) -> tuple[int, ...]:
    """Return where a cell of the network lies in the array that a listing knows."""
    own = operation.call.own_shape(local)
    if own != shape:  # an update sees parameters of any shape as one row
        index = tuple(int(k) for k in np.unravel_index(np.ravel_multi_index(index, shape), own))
    placement = operation.call.placement(local)
    if placement is None:
        return index
    there = placement.target(index)
    assert there is not None  # it is no zero that was put in
    return there


def _read(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    node, name, index = cell_of(program, point.what)
    array = array_of_network(program, node, name)
    first, local = array.first
    readings = program.where_to(first, local, _local(first, local, array.shape, index))
    return np.concatenate([_NONE, *(one.offsets for one in readings if one.operation is operation)])


def _clips(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    call = operation.call
    if call.kind not in _CLIPPING:
        return _NONE
    x, y = np.asarray(call.given["x"]), call.writes["y"]
    steps: Steps = last_written(operation, "y")[((x != y) & ~np.isnan(x)).ravel()]
    return steps


def _winner(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    """Return where a window's winner is written that is not the first of its cells, padding left out."""
    call = operation.call
    if "switch" not in call.writes:
        return _NONE
    switch = call.writes["switch"].ravel()
    first = np.zeros(len(switch))
    (line,) = operation.writers("switch")
    counter = next((name for name in operation.scalars if name in line.uses), "")
    events = assigned(operation, counter, 0, len(operation)) if call.placement("x") and counter else None
    if events is not None:  # what it begins with in each window
        first[operation.write_order(line)] = events.values.reshape(len(switch), -1)[:, 0]
    steps: Steps = last_written(operation, "switch")[switch != first]
    return steps


def _threshold(point: Breakpoint) -> float:
    try:
        number = float(point.what.replace("−", "-"))
    except ValueError:
        number = np.nan
    if not 0 <= number < np.inf:
        raise CnnvizError(
            tr("{text} is no size of a gradient; type a number such as 0.1.", text=f"“{point.what[:16]}”")
        )
    return number


def _gradient(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    """Return where a gradient is through whose size is above a number."""
    call, most, found = operation.call, _threshold(point), [_NONE]
    for name, values in call.writes.items():
        if call.port(name).gradient_of:
            steps = last_written(operation, name).reshape(values.shape)
            large = np.abs(call.unpadded(name, values)) > most
            found.append(call.unpadded(name, steps)[large])
    steps = np.concatenate(found)
    return steps[steps < len(operation)]


def _nonfinite(program: Program, operation: Operation, point: Breakpoint) -> Steps:
    cache = program.operations[0].cache
    if first_nonfinite not in cache:
        cache[first_nonfinite] = first_nonfinite(program)
    found = cache[first_nonfinite]
    if found is None or found.operation != operation.name:
        return _NONE
    return np.array([found.step - program.start(operation.name)])


_FINDERS: Mapping[Kind, Callable[[Program, Operation, Breakpoint], Steps]] = {
    Kind.OPERATION: _begins,
    Kind.WRITTEN: _written,
    Kind.READ: _read,
    Kind.CLIPS: _clips,
    Kind.WINNER: _winner,
    Kind.GRADIENT: _gradient,
    Kind.NONFINITE: _nonfinite,
}


def predicted(program: Program) -> tuple[Breakpoint, list[int]] | None:
    """Return where the network's prediction is there, and which class that is, for each sample."""
    forward = [operation for operation in program.operations if operation.phase == "forward"]
    if not forward:
        return None
    last = forward[-1]
    name = last.call.result
    scores, offset = np.asarray(last.call.writes[name]), int(last_written(last, name).max())
    if offset >= len(last):
        return None
    rows = scores.reshape(program.samples or 1, -1)
    classes = rows.argmax(axis=1) if rows.shape[1] > 1 else rows[:, 0] > 0.5  # one number says yes or no
    return Breakpoint(last.name, last.line_at(offset), offset), [int(k) for k in classes]


# --------------------------------------------------------------------------------------------- conditions


def _hit_of_condition(
    program: Program, point: Breakpoint, index: int, until: int, backwards: bool
) -> int | None:
    watch, all_steps = read_watch(point.what), max(1, abs(until - index))
    size = _FIRST
    for operation, low, high in _way(program, point, index, until, backwards):
        start, most = program.start(operation.name), max(_FIRST, _MOST // weight(program, watch, operation))
        nodes = _nodes(program, watch, operation, point)
        while low < high:
            # Where nothing changes but at an operation's start, all of it is one slice.
            size = min(size * 4, most) if nodes else max(size, high - low)
            one, two = (max(low, high - size), high) if backwards else (low, min(high, low + size))
            through = abs((start + (two if backwards else one)) - index)
            tell(tr("in {operation}", operation=operation.name), through * _PARTS // all_steps, _PARTS)
            found = _stops(program, watch, operation, nodes, point, one, two)
            if len(found):
                return start + int(found[-1 if backwards else 0])
            low, high = (low, one) if backwards else (two, high)
    return None


def _nodes(program: Program, watch: Watch, operation: Operation, point: Breakpoint) -> list[Line | Loop]:
    if point.line and point.operation:
        return [operation.path_to(point.line)[1]]
    return changing(program, watch, operation)


def _stops(
    program: Program,
    watch: Watch,
    operation: Operation,
    nodes: list[Line | Loop],
    point: Breakpoint,
    low: int,
    high: int,
) -> Steps:
    """Return the steps from ``low`` up to ``high`` at which a condition stops a run."""
    runs = [_runs(program, watch, operation, node, low, high) for node in nodes]
    held = [_holds(program, watch, one) for one in runs]
    offsets = np.concatenate([_NONE, *(one.offsets for one in runs)])
    holds = np.concatenate([np.zeros(0, bool), *held])
    if not (point.line and point.operation) and low == 0:
        offsets = np.append(offsets, 0)
        holds = np.append(holds, _holds(program, watch, run_at(operation, 0)))
    offsets, first = np.unique(offsets, return_index=True)
    holds = holds[first]
    if not (point.line and point.operation):
        before = _held_before(program, watch, operation, point, low)
        still = np.append(before, holds)[:-1]
        if any(one.chosen for one in runs):  # it did not hold at those between, which were left out
            earlier = np.append(low - 1, offsets)[:-1]
            for node in nodes:
                there = run_numbers(operation, node, offsets) - run_numbers(operation, node, earlier + 1)
                still &= there == 0
        holds = holds & ~still
    steps: Steps = offsets[holds]
    return steps


def _runs(
    program: Program, watch: Watch, operation: Operation, node: Line | Loop, low: int, high: int
) -> Runs:
    """Return the runs of a node, without those at which loop variables alone deny a condition."""
    parts = (part for part in conjuncts(watch) if not part.addresses)
    quick = [part for part in parts if _is_decided(operation, node, part.names)]
    if not quick:
        return runs_between(operation, node, low, high)

    def holds(runs: Runs) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = np.logical_and.reduce([_holds(program, part, runs) for part in quick])
        return held

    names = frozenset[str]().union(*(part.names for part in quick))
    return runs_where(operation, node, low, high, names, holds)


def _is_decided(operation: Operation, node: Line | Loop, names: Set[str]) -> bool:
    """Return whether the loops around a node say what some names are, and nothing inside them does."""
    loops, _ = operation.path_to(node.number)
    around = [*loops, node] if isinstance(node, Loop) else loops
    named = [loop for loop in around if loop.variable in names]
    if not named:
        return False
    inside = [loop.variable for loop in walk(named[0]) if isinstance(loop, Loop)]
    return all(inside.count(name) == 1 for name in names) and len(named) == len(names)


def _holds(program: Program, watch: Watch, runs: Runs) -> NDArray[np.bool_]:
    if not len(runs):
        return np.zeros(0, bool)
    found = answers(program, watch, runs).true
    return np.broadcast_to(found.reshape(len(found), -1).all(axis=1), len(runs))


def _held_before(
    program: Program, watch: Watch, operation: Operation, point: Breakpoint, offset: int
) -> bool:
    """Return whether a condition held a step before; at the start of all that is looked at, it did not."""
    k = program.number(operation.name)
    if offset == 0:
        earlier = [one for one in program.operations[:k] if len(one)]
        if point.operation or not earlier:
            return False
        operation, offset = earlier[-1], len(earlier[-1])
    return bool(_holds(program, watch, run_at(operation, offset - 1))[0])
