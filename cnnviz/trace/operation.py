"""One listing at work, with its steps counted: which line and which loop variables at which step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Call, Value
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.looptree import Block, Line, Loop, LoopTree, read_listing, walk

_LONGEST_TOLD = 60

Visit = tuple[Block, int, int]


class Operation:
    """One listing at work: a layer going forward, one of its gradients, the loss, or an update.

    Its steps are counted from its own first one here; a `Program` counts on from one to the next.

    Attributes
    ----------
    name, layer, phase : str
        As in `Call`.
    tree : LoopTree
        The listing as read.
    body : Block
        The same with the sizes of this call.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.name, self.layer, self.phase = call.name, call.layer, call.phase
        self.tree: LoopTree = read_listing(call.listing)
        self._check_arguments()
        self.body: Block = self.tree.bind({name: _size(call.given[name]) for name in self.tree.sizes})
        self._orders: dict[int, NDArray[np.intp]] = {}
        self._located: tuple[int, tuple[Visit, ...], Line | Loop] | None = None
        self._paths: dict[int, tuple[tuple[Loop, ...], Line | Loop]] = {}
        self._runs: dict[tuple[Line | Loop | Block, Line], int] = {}

    def _check_arguments(self) -> None:
        given, needed = self.call.given, self.tree.parameters
        lacking = [name for name in needed if name not in given and name not in self.call.writes]
        lacking += [name for name in self.tree.sizes if name in given and _size(given[name]) < 0]
        if lacking:
            raise CnnvizError(
                tr(
                    "{operation}: its listing {listing} was not given {names}.",
                    operation=self.name,
                    listing=self.tree.name,
                    names=", ".join(lacking),
                )
            )

    def __len__(self) -> int:
        return self.body.steps

    def __repr__(self) -> str:
        return f"<Operation {self.name}, {self.phase}, {len(self):,} steps>"

    @property
    def function(self) -> Callable[..., None]:
        """The listing itself."""
        return self.call.listing

    def arguments(self) -> dict[str, Value]:
        """Return fresh arguments to call the listing with; it then fills the arrays it writes."""
        given = {
            name: value.copy() if hasattr(value, "copy") else value for name, value in self.call.given.items()
        }
        fresh = {name: self.call.initial(name) for name in self.call.writes}
        both = {**given, **fresh}
        return {name: both[name] for name in self.tree.parameters}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The sizes that the loops run to, by name."""
        return {node.size: node.count for node in walk(self.body) if isinstance(node, Loop)}

    def locate(self, offset: int) -> tuple[tuple[Visit, ...], Line | Loop]:
        """Return the way down to the step at `offset`, and the line or the loop's header that it runs.

        Each part of the way is a block, the number of the statement in it, and the run of that statement:
        the iteration, for a loop. All else about a step follows from it; so the last answer is kept, for
        the next question is mostly about the same step.
        """
        last = self._located
        if last is not None and last[0] == offset:
            return last[1], last[2]
        way, node = self._descend(offset)
        self._located = offset, tuple(way), node
        return self._located[1], node

    def _descend(self, offset: int) -> tuple[list[Visit], Line | Loop]:
        way: list[Visit] = []
        block = self.body
        while True:
            k = bisect_right(block.starts, offset) - 1
            statement = block.statements[k]
            offset -= block.starts[k]
            if isinstance(statement, Line):
                way.append((block, k, 0))
                return way, statement
            iteration, inner = divmod(offset, statement.period)
            way.append((block, k, iteration))
            if inner == 0:
                return way, statement
            block, offset = statement.body, inner - 1

    def line_at(self, offset: int) -> int:
        """Return the line of the step at `offset`."""
        return self.locate(offset)[1].number

    def variables_at(self, offset: int) -> dict[str, int]:
        """Return the loop variables that Python holds just after the step at `offset`, left-over ones too."""
        values: dict[str, int] = {}
        all_left = False
        for block, k, iteration in self.locate(offset)[0]:
            statement = block.statements[k]
            if not all_left and k > 0:
                values.update(block.left_before[k])
            if isinstance(statement, Loop) and statement.count > 0:
                if not all_left and iteration > 0:
                    values.update(statement.left)
                    # Those of all loops further in: nothing to add there, unless two loops share a variable.
                    all_left = self.tree.loops_differ
                ended = iteration == statement.count
                values[statement.variable] = iteration - 1 if ended else iteration
        if self.tree.loops_differ:
            return values  # in the order of the listing already
        return {name: values[name] for name in self.tree.variables if name in values}

    def iterations_at(self, offset: int) -> dict[Loop, int]:
        """Return at which iteration the loops are that the step at `offset` is in, outermost first."""
        way, _ = self.locate(offset)
        statements = ((block.statements[k], iteration) for block, k, iteration in way)
        return {node: iteration for node, iteration in statements if isinstance(node, Loop)}

    def loops_at(self, offset: int) -> tuple[Loop, ...]:
        """Return the loops that the step at `offset` is in or at the header of, outermost first."""
        statements = (block.statements[k] for block, k, _ in self.locate(offset)[0])
        return tuple(statement for statement in statements if isinstance(statement, Loop))

    def path_to(self, line: int) -> tuple[tuple[Loop, ...], Line | Loop]:
        """Return the loops around a line, outermost first, and its node; a loop stands for its header."""
        if line not in self._paths:
            self._paths[line] = self._path_to(line)
        return self._paths[line]

    def _path_to(self, line: int) -> tuple[tuple[Loop, ...], Line | Loop]:
        def search(block: Block, loops: tuple[Loop, ...]) -> tuple[tuple[Loop, ...], Line | Loop] | None:
            for statement in block.statements:
                if statement.number == line:
                    return loops, statement
                if isinstance(statement, Loop):
                    found = search(statement.body, (*loops, statement))
                    if found:
                        return found
            return None

        found = search(self.body, ())
        if found is None:
            raise CnnvizError(
                tr(
                    "{operation}: line {line} does nothing; its listing has lines 2 to {last}.",
                    operation=self.name,
                    line=line,
                    last=len(self.tree.source),
                )
            )
        return found

    def offset_of(
        self, loops: Sequence[Loop], node: Line | Loop, iterations: Sequence[int], header: int = 0
    ) -> int:
        """Return the step at which `node` inside `loops` runs, at these iterations of them.

        For a loop, `header` says which run of its header is meant.
        """
        offset, block = 0, self.body
        for loop, iteration in zip(loops, iterations, strict=True):
            offset += block.starts[block.statements.index(loop)] + iteration * loop.period + 1
            block = loop.body
        offset += block.starts[block.statements.index(node)]
        return offset + header * node.period if isinstance(node, Loop) else offset

    def offsets_of(self, line: Line, runs: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the steps at which a line runs, for iterations of the loops around it, (runs, loops)."""
        loops, _ = self.path_to(line.number)
        start = self.offset_of(loops, line, [0] * len(loops))
        return np.asarray(start + runs @ np.array([loop.period for loop in loops], np.intp))

    def find(self, line: int | None = None, **variables: int) -> int:
        """Do as `first_at`."""
        return self.first_at(line, variables)

    def first_at(self, line: int | None, variables: Mapping[str, int]) -> int:
        """Return the first step at which loop variables have given values, on a given line if one is named.

        Variables that are not named are 0.

        Raises
        ------
        CnnvizError
            If the listing has no such line or variable, or a value is out of its range.
        """
        if line is not None:
            loops, node = self.path_to(line)
        else:
            loops, node = self._loops_for(variables)
        own = (*loops, node) if isinstance(node, Loop) else loops
        by_name = {loop.variable: loop for loop in own}
        for name, value in variables.items():
            if name not in by_name:
                names = ", ".join(loop.variable for loop in own) or tr("none")
                raise CnnvizError(
                    tr(
                        "{operation}: no loop over {name} there; there is {names}.",
                        operation=self.name,
                        name=name,
                        names=names,
                    )
                )
            if not 0 <= value < by_name[name].count:
                raise CnnvizError(
                    tr(
                        "{operation}: {name} = {value} is out of range; it runs from 0 to {last}.",
                        operation=self.name,
                        name=name,
                        value=value,
                        last=by_name[name].count - 1,
                    )
                )
        header = variables.get(node.variable, 0) if isinstance(node, Loop) else 0
        return self.offset_of(loops, node, [variables.get(loop.variable, 0) for loop in loops], header)

    def _loops_for(self, variables: Mapping[str, int]) -> tuple[tuple[Loop, ...], Line | Loop]:
        """Return the first place in the listing where all of these variables are bound."""
        if not variables:
            return (), self.body.statements[0]
        for node in walk(self.body):
            if isinstance(node, Loop):
                loops, _ = self.path_to(node.number)
                if set(variables) <= {loop.variable for loop in (*loops, node)}:
                    return loops, node
        known = ", ".join(self.tree.variables) or tr("none")
        raise CnnvizError(
            tr(
                "{operation}: its listing has no loop over {names}; its loops run over {known}.",
                operation=self.name,
                names=", ".join(variables)[:_LONGEST_TOLD],
                known=known,
            )
        )

    @cached_property
    def cells(self) -> Cells:
        """How the steps are cut into cells.

        A cell is run for real when a step in it is asked for, after the cells before it were taken from
        the results. So where one cell needs another's scalars, or changes what another wrote, all is one.
        """
        deepest = np.ndim(self.call.given[self.call.linear_in]) if self.call.linear else None
        nest: list[Loop] = []
        block = self.body
        while len(nest) != deepest and len(block.statements) == 1 and isinstance(block.statements[0], Loop):
            nest.append(block.statements[0])
            block = block.statements[0].body
        if not self.call.linear and self._entangled(block):
            nest, block = [], self.body
        return Cells(tuple(nest), block, self._settled(block))

    def _entangled(self, block: Block) -> bool:
        writers = [node for node in walk(block) if isinstance(node, Line) and node.index]
        return (
            any(writer not in block.statements for writer in writers)
            or self._carries(block)
            or any(self._repeats(writer) for writer in writers)
        )

    def _carries(self, block: Block) -> bool:
        """Return whether a block reads a scalar that only its last run can have assigned."""
        lines = [node for node in walk(block) if isinstance(node, Line)]
        scalars = {line.target for line in lines if not line.index}
        for line in lines:
            if line.uses & scalars:
                return True
            scalars.discard(line.target)
        return False

    def _repeats(self, line: Line) -> bool:
        """Return whether a line writes any cell more than once."""
        loops, _ = self.path_to(line.number)
        named = {name for code in line.index for name in code.co_names}
        if any(loop.variable not in named and loop.count > 1 for loop in loops):
            return True
        if len(line.plain_index) == len(loops):
            return False
        order = self.write_order(line)
        return len(np.unique(order)) < len(order)

    def _settled(self, block: Block) -> int:
        settled = 0
        seen = set(self.tree.parameters)
        for start, statement in zip(block.starts, block.statements, strict=True):
            targets = {node.target for node in walk(statement) if isinstance(node, Line)}
            if targets - seen:
                settled = start + statement.steps
            seen |= targets
        return settled

    def header_at(self, offset: int) -> bool:
        """Return whether a step runs a loop's header."""
        return isinstance(self.locate(offset)[1], Loop)

    def writers(self, name: str) -> list[Line]:
        """Return the lines that write cells of an array, or assign a variable that is a result."""
        return [line for line in self._writing_lines if line.target == name]

    @cached_property
    def _writing_lines(self) -> tuple[Line, ...]:
        lines = (node for node in walk(self.body) if isinstance(node, Line))
        return tuple(line for line in lines if line.index or line.target in self.call.writes)

    def runs_until(self, line: Line, offset: int) -> int:
        """Return how often a line has run by a step, that step included."""
        runs = 0
        way, last = self.locate(offset)
        for block, k, iteration in way:
            runs += sum(self._runs_in(statement, line) for statement in block.statements[:k])
            statement = block.statements[k]
            if isinstance(statement, Loop):
                runs += min(iteration, statement.count) * self._runs_in(statement.body, line)
        return runs + (last is line)

    def _runs_in(self, node: Line | Loop | Block, line: Line) -> int:
        """Return how often a line runs each time that a node is run to its end."""
        key = (node, line)
        if key not in self._runs:
            self._runs[key] = _runs(node, line)
        return self._runs[key]

    def write_order(self, line: Line) -> NDArray[np.intp]:
        """Return the flat index of the cell that each run of a line writes, in the order of its runs."""
        if line.number not in self._orders:
            self._orders[line.number] = self._write_order(line)
        return self._orders[line.number]

    def cells_written(self, line: Line, runs: int) -> slice | NDArray[np.intp]:
        """Return the flat index of the cells that the first runs of a line write."""
        return slice(0, runs) if line in self._in_order else self.write_order(line)[:runs]

    @cached_property
    def _in_order(self) -> frozenset[Line]:
        """The lines that write all cells of their arrays, in the order these lie in memory."""
        return frozenset(line for line in self._writing_lines if self._writes_in_order(line))

    def _writes_in_order(self, line: Line) -> bool:
        loops, _ = self.path_to(line.number)
        return line.plain_index == tuple(loop.variable for loop in loops) and (
            self.call.writes[line.target].shape == tuple(loop.count for loop in loops)
        )

    def _write_order(self, line: Line) -> NDArray[np.intp]:
        loops, _ = self.path_to(line.number)
        counts = tuple(loop.count for loop in loops)
        shape = self.call.writes[line.target].shape
        if not line.index:
            return np.zeros(prod(counts), np.intp)
        variables = tuple(loop.variable for loop in loops)
        if line in self._in_order:
            return np.arange(prod(shape))
        grids = dict(zip(variables, np.indices(counts, sparse=True) if counts else (), strict=True))
        scope = {**self.call.given, **grids}
        index = [np.broadcast_to(eval(code, {"__builtins__": {}}, scope), counts) for code in line.index]
        return np.asarray(np.ravel_multi_index(index, shape)).reshape(-1)

    def step_writing(self, name: str, index: tuple[int, ...]) -> int | None:
        """Return the last step at which a cell of an array is written, or None if it never is."""
        array = self.call.writes.get(name)
        if (
            array is None
            or len(index) != array.ndim
            or any(not 0 <= k < n for k, n in zip(index, array.shape, strict=True))
        ):
            return None
        flat = np.ravel_multi_index(index, array.shape) if array.ndim else 0
        found: list[int] = []
        for line in self.writers(name):
            runs = np.flatnonzero(self.write_order(line) == flat)
            if len(runs):
                loops, _ = self.path_to(line.number)
                iterations = np.unravel_index(runs[-1], [loop.count for loop in loops]) if loops else ()
                found.append(self.offset_of(loops, line, [int(k) for k in iterations]))
        return max(found, default=None)


class Cells(Struct, frozen=True, eq=False):
    """How an operation's steps are cut into cells: a nest of loops around a block.

    Attributes
    ----------
    nest : tuple[Loop, ...]
        The loops around the block, outermost first, each the only statement in the one before.
    block : Block
        What runs once for each of their values.
    settled : int
        The steps of the block after which it has assigned every scalar that it uses.
    """

    nest: tuple[Loop, ...]
    block: Block
    settled: int

    def at(self, offset: int) -> tuple[int, int]:
        """Return which cell the step at `offset` is in, and how many of its steps have run.

        Between two cells, at a header of the nest, it is the earlier one, run to its end; before the
        first it is cell 0 with nothing run.
        """
        cell = 0
        for depth, loop in enumerate(self.nest):
            iteration, inner = divmod(offset, loop.period)
            cell = cell * loop.count + iteration
            if inner == 0:
                done = cell * prod(other.count for other in self.nest[depth + 1 :])
                return (done - 1, self.block.steps) if done else (0, 0)
            offset = inner - 1
        return cell, offset + 1

    def enter(self, cell: int, scope: dict[str, Any]) -> None:
        """Set the variables of the nest for a cell."""
        for loop in reversed(self.nest):
            cell, scope[loop.variable] = divmod(cell, loop.count)


def _size(value: Value) -> int:
    """Return a whole number as Python's own, which never overflows; −1 for anything else."""
    return int(value) if isinstance(value, int | np.integer) else -1


def _runs(node: Line | Loop | Block, line: Line) -> int:
    if isinstance(node, Line):
        return int(node is line)
    if isinstance(node, Loop):
        return node.count * _runs(node.body, line)
    return sum(_runs(statement, line) for statement in node.statements)
