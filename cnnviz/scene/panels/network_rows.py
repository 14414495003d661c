"""The rows of the network pane: layers in the order they compute, who reads whom, and blocks that fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.scene.view import Folds
from cnnviz.trace.program import Program

MOST_UNFOLDED = 24
"""A network of more rows begins with its blocks folded."""


class Block(Struct, frozen=True):
    """Layers that follow one another and are shown as one row when they are folded.

    Attributes
    ----------
    name : str
        The common beginning of their names, ``layer1_0``, or their first and last layer, ``conv2…add``.
    first, last : int
        Which rows they are, of those of `Outline.names`.
    within : int
        The number of the block around it; −1 if there is none.
    depth : int
        How many blocks are around it.
    prefix : str
        What the names of its layers begin with and need not say again.
    """

    name: str
    first: int
    last: int
    within: int = -1
    depth: int = 0
    prefix: str = ""

    @property
    def size(self) -> int:
        """How many layers it has."""
        return self.last - self.first + 1


class Outline(Struct, frozen=True, eq=False):
    """All that the pane has rows for, before anything is folded.

    Attributes
    ----------
    names : tuple[str, ...]
        Layers in the order they compute, with what goes into them, and the loss.
    number : Mapping[str, int]
        Which row a name is.
    sources : tuple[tuple[int, ...], ...]
        The rows that each row reads.
    blocks : tuple[Block, ...]
        Each after the one around it.
    block_of : tuple[int, ...]
        The number of the innermost block of each row; −1 if it is in none.
    """

    names: tuple[str, ...]
    number: Mapping[str, int]
    sources: tuple[tuple[int, ...], ...]
    blocks: tuple[Block, ...]
    block_of: tuple[int, ...]

    def around(self, block: int) -> Iterator[int]:
        """Yield the number of a block and of those around it, from the inside; none if it is −1."""
        while block >= 0:
            yield block
            block = self.blocks[block].within

    def block(self, name: str) -> Block:
        """Return the block of this name."""
        return next(block for block in self.blocks if block.name == name)


Kind = Literal["layer", "folded", "open"]
_FOLDED: Mapping[bool, Kind] = {True: "folded", False: "open"}


class Item(NamedTuple):
    """A row as it is shown.

    Attributes
    ----------
    kind : {"layer", "folded", "open"}
        A layer, a folded block, or the heading of one that is not.
    name : str
        The layer's name, or the block's.
    first, last : int
        Which rows of the outline it stands for; the heading of a block stands for none of its own.
    depth : int
        How many blocks are around it.
    said : str
        The name without what the block around it says; of a folded block without one, its last layer's.
    """

    kind: Kind
    name: str
    first: int
    last: int
    depth: int
    said: str


class Edge(NamedTuple):
    """One item reads another: their numbers, from the upper to the lower."""

    source: int
    target: int


class Rows(Struct, frozen=True, eq=False):
    """The rows that are there to be scrolled through, and the lines that join them.

    Attributes
    ----------
    items : tuple[Item, ...]
        From the top.
    item_of : tuple[int, ...]
        The number of the item that shows each row of the outline.
    lanes : tuple[int, ...]
        In which lane of the gutter each item stands; a heading is in none, −1.
    edges : tuple[Edge, ...]
        Every two items of which one reads the other.
    passing : tuple[tuple[int, ...], ...]
        For each item, the numbers of the edges that begin or end there or pass it.
    width : int
        How many lanes there are.
    """

    items: tuple[Item, ...]
    item_of: tuple[int, ...]
    lanes: tuple[int, ...]
    edges: tuple[Edge, ...]
    passing: tuple[tuple[int, ...], ...]
    width: int


# ------------------------------------------------------------------------------------------------- outline


def outline(program: Program, names: tuple[str, ...]) -> Outline:
    """Return rows with who reads whom, and the blocks that they make."""
    number = {name: k for k, name in enumerate(names)}
    sources: list[tuple[int, ...]] = [() for _ in names]
    for operation in program.operations:
        if operation.phase not in ("forward", "loss") or operation.layer not in number:
            continue
        row = number[operation.layer]
        ports = (operation.call.port(name) for name in operation.tree.arrays if name in operation.call.given)
        read = {number[port.node] for port in ports if port.node in number}
        sources[row] = tuple(sorted({*sources[row], *(one for one in read if one < row)}))
    losses = {number.get(op.layer) for op in program.operations if op.phase == "loss"}
    shaped = [block for block in _by_shape(names, sources) if block.last not in losses]
    blocks = _nested(_by_name(names), shaped, len(names))
    block_of = [-1] * len(names)
    for k, block in enumerate(blocks):
        block_of[block.first : block.last + 1] = [k] * block.size
    return Outline(names, number, tuple(sources), tuple(blocks), tuple(block_of))


def _by_name(names: Sequence[str]) -> list[Block]:
    """Return the runs of at least two rows whose names begin alike, up to an underscore."""
    found: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        for end, letter in enumerate(name):
            if letter == "_" and 0 < end < len(name) - 1:
                found.setdefault(name[:end], []).append(k)
    return [
        Block(prefix, rows[0], rows[-1], prefix=f"{prefix}_")
        for prefix, rows in found.items()
        if 1 < len(rows) == rows[-1] - rows[0] + 1 and prefix not in names
    ]


def _by_shape(names: Sequence[str], sources: Sequence[tuple[int, ...]]) -> list[Block]:
    """Return what lies between a row that several read and where their ways are one again, with that row.

    Nothing outside reads what is in between, and it reads nothing from outside but the row before.
    """
    last_reader, readers = list(range(len(sources))), [0] * len(sources)
    for row, read in enumerate(sources):
        for one in read:
            last_reader[one] = row
            readers[one] += 1
    found = []
    for fork in range(len(sources)):
        if readers[fork] < 2:
            continue
        join, row = last_reader[fork], fork + 1
        while row < join and all(one >= fork for one in sources[row]):
            join, row = max(join, last_reader[row]), row + 1
        closed = row == join and all(one >= fork for one in sources[join])
        loose = closed and any(readers[one] == 0 for one in range(fork + 1, join))
        if closed and not loose and join - fork > 1:
            found.append(Block(f"{names[fork + 1]}…{names[join]}", fork + 1, join))
    return found


def _nested(named: Sequence[Block], shaped: Sequence[Block], count: int) -> list[Block]:
    """Return those of some blocks that lie in one another or apart, each after the one around it.

    Names come before shapes: what is found by its shape is left out where it meets a block that has a name.
    """
    taken = list(accumulate([0, *_covered(named, count)]))
    apart = [block for block in shaped if taken[block.last + 1] == taken[block.first]]
    kept = [block for block in (*named, *apart) if block.size < count]
    made: list[Block] = []
    around: list[int] = []
    for block in sorted(kept, key=lambda one: (one.first, -one.last, len(one.name))):
        while around and made[around[-1]].last < block.first:
            around.pop()
        outer = made[around[-1]] if around else None
        if outer and (block.last > outer.last or (block.first, block.last) == (outer.first, outer.last)):
            continue
        made.append(replace(block, within=around[-1] if around else -1, depth=len(around)))
        around.append(len(made) - 1)
    return made


def _covered(blocks: Sequence[Block], count: int) -> list[int]:
    """Return for each row 1 if it is in one of some blocks, else 0."""
    change = [0] * (count + 1)
    for block in blocks:
        change[block.first] += 1
        change[block.last + 1] -= 1
    return [int(depth > 0) for depth in accumulate(change[:-1])]


# ---------------------------------------------------------------------------------------------------- rows


def rows_at(outline: Outline, folds: Folds, row: int) -> Rows:
    """Return the rows that there are while one of them is at work; none is if it is −1.

    Blocks that a user has folded are, and of a large network all that he has not unfolded and that the row at
    work is not in.
    """
    return _rows_at(outline, folds, outline.block_of[row] if row >= 0 else -1)


@lru_cache(64)
def _rows_at(outline: Outline, folds: Folds, block: int) -> Rows:
    said = dict(folds)
    large, here = len(outline.names) > MOST_UNFOLDED, {*outline.around(block)}
    return rows_of(
        outline,
        frozenset(
            k for k, block in enumerate(outline.blocks) if said.get(block.name, large and k not in here)
        ),
    )


def rows_of(outline: Outline, folded: frozenset[int]) -> Rows:
    """Return the rows that are there when some blocks are folded."""
    items, item_of = _items(outline, folded)
    joined: dict[Edge, None] = {}
    for row, read in enumerate(outline.sources):
        for one in read:
            if item_of[one] != item_of[row]:
                joined[Edge(item_of[one], item_of[row])] = None
    edges = sorted(joined)
    lanes = _lanes(items, edges)
    passing: list[list[int]] = [[] for _ in items]
    for k, edge in enumerate(edges):
        for at in range(edge.source, edge.target + 1):
            passing[at].append(k)
    return Rows(
        tuple(items),
        tuple(item_of),
        tuple(lanes),
        tuple(edges),
        tuple(map(tuple, passing)),
        max(lanes, default=0) + 1,
    )


def _items(outline: Outline, folded: frozenset[int]) -> tuple[list[Item], list[int]]:
    items: list[Item] = []
    item_of: list[int] = []
    beginning: dict[int, list[int]] = {}
    for k, block in enumerate(outline.blocks):
        beginning.setdefault(block.first, []).append(k)
    row = 0
    while row < len(outline.names):
        last = row
        for k in beginning.get(row, ()):
            block, kind = outline.blocks[k], _FOLDED[k in folded]
            said = outline.names[block.last] if k in folded and not block.prefix else block.name
            items.append(Item(kind, block.name, block.first, block.last, block.depth, said))
            if k in folded:
                last = block.last
                break
        else:
            inner = outline.block_of[row]
            name, depth = outline.names[row], outline.blocks[inner].depth + 1 if inner >= 0 else 0
            said = name.removeprefix(outline.blocks[inner].prefix) if inner >= 0 else name
            items.append(Item("layer", name, row, row, depth, said))
        item_of += [len(items) - 1] * (last + 1 - row)
        row = last + 1
    return items, item_of


def _lanes(items: Sequence[Item], edges: Sequence[Edge]) -> list[int]:
    """Return the lane of each item.

    A line goes straight down from an item to the last one that reads it, which stands under it where nothing
    else does; those that read it before stand in lanes of their own. So a shortcut is straight, and what it
    goes past lies beside it.
    """
    sources: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    for edge in edges:
        sources.setdefault(edge.target, []).append(edge.source)
        last[edge.source] = max(edge.target, last.get(edge.source, 0))
    lanes: list[int] = []
    taken: list[bool] = []
    for k, item in enumerate(items):
        if item.kind == "open":
            lanes.append(-1)
            continue
        ending = [lanes[source] for source in sources.get(k, ()) if last[source] == k]
        for lane in ending:
            taken[lane] = False
        lane = min(ending, default=-1)
        if lane < 0:
            lane = next((free for free, used in enumerate(taken) if not used), len(taken))
            taken += [False] * (lane + 1 - len(taken))
        taken[lane] = k in last
        lanes.append(lane)
    return lanes
