"""One listing at work, with its steps counted: which line and which loop variables at which step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Call, Value
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.depends import assigned, carried
from cnnviz.trace.looptree import Block, Line, Loop, LoopTree, Visit, read_listing, walk

_LONGEST_TOLD = 60


class Signature:
    """What operations, or programs, have in common that differ in their numbers only: an object for each."""


@lru_cache(maxsize=4096)
def signature_of(*parts: Hashable) -> Signature:
    """Return the one signature of what is told apart by these parts."""
    return Signature()


def _signature(tree: LoopTree, body: Block, call: Call) -> Signature:
    batch = call.batch
    return signature_of(
        (call.name, call.layer, call.phase, tree, body, call.kind, call.form),
        (call.expression, call.linear_in, call.window, *call.before),
        tuple((name, *_without_numbers(value)) for name, value in call.given.items()),
        tuple((name, *_without_numbers(value)) for name, value in call.writes.items()),
        tuple(call.ports.items()),
        (len(batch.calls), batch.arrays, *batch.called.items(), batch.mean) if batch else None,
    )


def _read(call: Call) -> tuple[LoopTree, Block]:
    """Return the listing of a call as read, and with its sizes."""
    tree, given = read_listing(call.listing), call.given
    sizes = {name: _size(given[name]) for name in tree.sizes if name in given}
    lacking = [name for name in tree.parameters if name not in given and name not in call.writes]
    lacking += [name for name, size in sizes.items() if size < 0]
    if lacking:
        raise CnnvizError(
            tr(
                "{operation}: its listing {listing} was not given {names}.",
                operation=call.name,
                listing=tree.name,
                names=", ".join(lacking),
            )
        )
    return tree, tree.bind(sizes)


# An outline is the same object for all numbers.
_of_outline, _read_outline = lru_cache(maxsize=4096)(_signature), lru_cache(maxsize=4096)(_read)


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
        self._outline = call.known
        self.tree, self.body = _read(call) if self._outline is None else _read_outline(self._outline)
        self._orders: dict[int, NDArray[np.intp]] = {}
        self._located: tuple[int, tuple[Visit, ...], Line | Loop] | None = None
        self._paths: dict[int, tuple[tuple[Loop, ...], Line | Loop]] = {}
        self._runs: dict[tuple[Line | Loop | Block, Line], int] = {}
        self._ranks: dict[int, NDArray[np.intp]] = {}
        # What others work out about this operation and want to keep as long as it lives.
        self.cache: dict[Any, Any] = {}

    def __len__(self) -> int:
        return self.body.steps

    def __repr__(self) -> str:
        return f"<Operation {self.name}, {self.phase}, {len(self):,} steps>"

    @cached_property
    def signature(self) -> Signature:
        """What it has in common with all that compute the same of other numbers.

        That is all of its call but the numbers in its arrays, and those that are not whole: a learning rate.
        """
        of = self._outline
        return (
            _signature(self.tree, self.body, self.call)
            if of is None
            else _of_outline(self.tree, self.body, of)
        )

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

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names that the listing assigns numbers to, besides its loops' variables, in its order."""
        lines = (node for node in walk(self.body) if isinstance(node, Line) and not node.index)
        return tuple(dict.fromkeys(line.target for line in lines))

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
        return tuple(way), node

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
        found = _path_in(self.body, (), line)
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

    def find(self, line: int | None = None, /, **variables: int) -> int:
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

    def cells_of(self, line: int) -> Cells:
        """Return how the steps around a line are cut into cells.

        A listing may have several parts, each with loops and cells of its own: a softmax first looks for the
        largest score, then adds up exponentials, then writes one probability after the other.
        """
        return self._cells_by_line[line]

    @cached_property
    def _cells_by_line(self) -> dict[int, Cells]:
        found: dict[int, Cells] = {}
        for cells in self._parts(self.body, ()):
            for node in (*cells.nest, *walk(cells.block)):
                if isinstance(node, Line | Loop):
                    found.setdefault(node.number, cells)
        return found

    def _parts(self, block: Block, nest: tuple[Loop, ...]) -> Iterator[Cells]:
        """Yield the parts of a block; a loop that writes other cells for each value is cut further."""
        deepest = len(nest) == self._linear_depth
        if deepest or all(isinstance(node, Line) or not _writes(node) for node in block.statements):
            yield Cells(nest, block)
            return
        part: list[Line | Loop] = []
        for statement in block.statements:
            alone = isinstance(statement, Loop) and _writes(statement)
            if alone and part:
                yield Cells(nest, _part_of(block, part))
                part = []
            if alone and isinstance(statement, Loop) and self._is_around_cells(statement):
                yield from self._parts(statement.body, (*nest, statement))
                continue
            part.append(statement)
            if alone or (isinstance(statement, Line) and statement.index):
                yield Cells(nest, _part_of(block, part))
                part = []
        if part:
            yield Cells(nest, _part_of(block, part))

    @cached_property
    def _linear_depth(self) -> int | None:
        """How many loops go through the cells of the array that the result is linear in."""
        return np.ndim(self.call.given[self.call.linear_in]) if self.call.linear else None

    def _is_around_cells(self, loop: Loop) -> bool:
        """Return whether each iteration of a loop writes other cells, and needs no scalar of the last."""
        if self._linear_depth is not None:
            return True
        writers = [node for node in walk(loop) if isinstance(node, Line) and node.index]
        named = all(any(loop.variable in code.co_names for code in line.index) for line in writers)
        return (named or loop.count <= 1) and not carried(loop, assigned(loop))

    def cell_at(self, offset: int) -> int:
        """Return the number of the cell that a step is in, counted through the loops around it."""
        way, node = self.locate(offset)
        iterations = {block.statements[k].number: iteration for block, k, iteration in way}
        cell = 0
        for loop in self.cells_of(node.number).nest:
            cell = cell * loop.count + min(iterations.get(loop.number, 0), loop.count)
        return cell

    @cached_property
    def writes_once(self) -> bool:
        """Whether no cell of an array is written more than once."""
        if self.call.linear is not None:
            return False
        lines = [line for line in self.writing_lines if line.index]
        if any(self._repeats(line) for line in lines):
            return False
        by_array = [[other for other in lines if other.target == name] for name in self.call.writes]
        return all(len(same) <= 1 or self._write_different_cells(same) for same in by_array)

    @cached_property
    def can_be_replayed(self) -> bool:
        """Whether its scalars at a step can be found without running what came before."""
        if self.writes_once or self.call.linear is None:
            return self.writes_once
        scalars = (node for node in walk(self.body) if isinstance(node, Line) and not node.index)
        return all(line.uses.isdisjoint(self.call.writes) for line in scalars)

    def _write_different_cells(self, lines: Sequence[Line]) -> bool:
        """Return whether lines write no cell in common."""
        orders = np.concatenate([self.write_order(line) for line in lines])
        return len(np.unique(orders)) == len(orders)

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

    def header_at(self, offset: int) -> bool:
        """Return whether a step runs a loop's header."""
        return isinstance(self.locate(offset)[1], Loop)

    def writers(self, name: str) -> list[Line]:
        """Return the lines that write cells of an array, or assign a variable that is a result."""
        return [line for line in self.writing_lines if line.target == name]

    @cached_property
    def writing_lines(self) -> tuple[Line, ...]:
        """The lines that write cells of arrays, or assign variables that are results."""
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

    def run_writing(self, line: Line, flat: Any) -> Any:
        """Return at which of its runs, from 0, a line writes the cell with a flat index, or such cells.

        Of a cell that it never writes, more than it has runs. Meant for lines that write no cell twice.
        """
        if line in self._in_order:
            return flat
        if line.number not in self._ranks:
            order = self.write_order(line)
            ranks = np.full(self.call.writes[line.target].size, np.iinfo(np.intp).max)
            ranks[order] = np.arange(len(order))
            self._ranks[line.number] = ranks
        return self._ranks[line.number][flat]

    def cells_written(self, line: Line, runs: int) -> slice | NDArray[np.intp]:
        """Return the flat index of the cells that the first runs of a line write."""
        return slice(0, runs) if line in self._in_order else self.write_order(line)[:runs]

    @cached_property
    def _in_order(self) -> frozenset[Line]:
        """The lines that write all cells of their arrays, in the order these lie in memory."""
        return frozenset(line for line in self.writing_lines if self._writes_in_order(line))

    def _writes_in_order(self, line: Line) -> bool:
        loops, _ = self.path_to(line.number)
        return line.plain_index == tuple(loop.variable for loop in loops) and (
            np.shape(self.call.like(line.target)) == tuple(loop.count for loop in loops)
        )

    def _write_order(self, line: Line) -> NDArray[np.intp]:
        loops, _ = self.path_to(line.number)
        counts = tuple(loop.count for loop in loops)
        shape = np.shape(self.call.like(line.target))
        if not line.index:
            return np.zeros(prod(counts), np.intp)
        variables = tuple(loop.variable for loop in loops)
        if line in self._in_order:
            return np.arange(prod(shape))
        grids = dict(zip(variables, np.indices(counts, sparse=True) if counts else (), strict=True))
        asked = {name for code in line.index for name in code.co_names}  # all else may not be made yet
        scope = {name: self.call.given[name] for name in asked & self.call.given.keys()} | grids
        index = [np.broadcast_to(eval(code, {"__builtins__": {}}, scope), counts) for code in line.index]
        return np.asarray(np.ravel_multi_index(index, shape)).reshape(-1)

    def step_writing(self, name: str, index: tuple[int, ...]) -> int | None:
        """Return the last step at which a cell of an array is written, or None if it never is."""
        if name not in self.call.writes:
            return None
        shape = np.shape(self.call.like(name))
        if len(index) != len(shape) or any(not 0 <= k < n for k, n in zip(index, shape, strict=True)):
            return None
        flat = np.ravel_multi_index(index, shape) if shape else 0
        found: list[int] = []
        for line in self.writers(name):
            runs = np.flatnonzero(self.write_order(line) == flat)
            if len(runs):
                loops, _ = self.path_to(line.number)
                iterations = np.unravel_index(runs[-1], [loop.count for loop in loops]) if loops else ()
                found.append(self.offset_of(loops, line, [int(k) for k in iterations]))
        return max(found, default=None)


class Cells(Struct, frozen=True, eq=False):
    """How steps are cut into cells: a nest of loops around a block that runs once for each of their values.

    Attributes
    ----------
    nest : tuple[Loop, ...]
        The loops around the block, outermost first.
    block : Block
        What happens for one cell; where the innermost loop holds more than that, the part of it.
    """

    nest: tuple[Loop, ...]
    block: Block


def _writes(node: Line | Loop) -> bool:
    return any(isinstance(part, Line) and part.index for part in walk(node))


def _part_of(block: Block, statements: list[Line | Loop]) -> Block:
    """Return some statements of a block as one by themselves; all of them are the block."""
    if len(statements) == len(block.statements):
        return block
    starts = [block.starts[block.statements.index(statement)] for statement in statements]
    steps = sum(statement.steps for statement in statements)
    return Block(tuple(statements), tuple(start - starts[0] for start in starts), steps)


def _without_numbers(value: Value) -> tuple[Hashable, ...]:
    """Return the shape and the kind of an array; of a size, what it is."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.char
    return (int(value),) if isinstance(value, int | np.integer) else ()


def _size(value: Value) -> int:
    """Return a whole number as Python's own, which never overflows; −1 for anything else."""
    return int(value) if isinstance(value, int | np.integer) else -1


def _path_in(block: Block, loops: tuple[Loop, ...], line: int) -> tuple[tuple[Loop, ...], Line | Loop] | None:
    """Return the loops around a line in a block, besides those around that, and its node."""
    for statement in block.statements:
        if statement.number == line:
            return loops, statement
        if isinstance(statement, Loop):
            found = _path_in(statement.body, (*loops, statement), line)
            if found:
                return found
    return None


def _runs(node: Line | Loop | Block, line: Line) -> int:
    if isinstance(node, Line):
        return int(node is line)
    if isinstance(node, Loop):
        return node.count * _runs(node.body, line)
    return sum(_runs(statement, line) for statement in node.statements)
