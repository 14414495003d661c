"""Which lines of a listing some scalars depend on: a slice of it (Weiser, "Program slicing", 1981)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from cnnviz.trace.looptree import Block, Line, Loop, Visit, walk

Names = frozenset[str]

# Each step asks again, mostly of the same few loops; a loop holds no arrays.
_KEPT = 4096


class Need(Struct, frozen=True):
    """What of one block on the way to a step must run for the scalars there to be right.

    Attributes
    ----------
    done : tuple[tuple[int, Names], ...]
        The statements before the one in hand, each with the scalars that are needed of it.
    loop : Names
        The scalars that are needed of the iterations done of the loop in hand.
    """

    done: tuple[tuple[int, Names], ...]
    loop: Names


class Slice(Struct, frozen=True):
    """What of a block must run for some scalars.

    Attributes
    ----------
    kept : tuple[tuple[int, Names], ...]
        The statements that matter, each with the scalars that are needed of it.
    before : Names
        The scalars that it needs from before.
    """

    kept: tuple[tuple[int, Names], ...]
    before: Names


def needs(way: Sequence[Visit], names: Names) -> list[Need]:
    """Return what must run on the way to a step, block by block from outside, for all scalars before it."""
    found: list[Need] = []
    need = names
    for block, k, iteration in reversed(way):
        statement = block.statements[k]
        loop: Names = frozenset()
        if isinstance(statement, Loop) and iteration > 0:
            loop = need & assigned(statement)
            need = _before(statement, need)
        part = slice_of(block.statements[:k], need)
        found.append(Need(part.kept, loop))
        need = part.before
    return found[::-1]


@lru_cache(maxsize=_KEPT)
def slice_of(statements: tuple[Line | Loop, ...], need: Names) -> Slice:
    """Return which of some statements must run for some scalars to be right after them."""
    kept: list[tuple[int, Names]] = []
    for j in reversed(range(len(statements))):
        part = need & assigned(statements[j])
        if part:
            kept.append((j, part))
            need = _before(statements[j], need)
    return Slice(tuple(reversed(kept)), need)


@lru_cache(maxsize=_KEPT)
def _before(node: Line | Loop, need: Names) -> Names:
    """Return the scalars that must be right before a node for some to be right after it."""
    if isinstance(node, Line):
        return (need - {node.target}) | node.uses if node.target in need and not node.index else need
    part = need & assigned(node)
    if not part:
        return need
    if carried(node, part):  # it may be run for real, and then needs all that any of its lines reads
        return (need - _surely(node)) | _read_first(node)
    return (need - _surely(node)) | slice_of(node.body.statements, part).before


@lru_cache(maxsize=_KEPT)
def _read_first(node: Line | Loop) -> Names:
    """Return the names that a node may read before it has assigned them itself."""
    if isinstance(node, Line):
        return node.uses
    found, sure = frozenset[str](), frozenset[str]()
    for statement in node.body.statements:
        found |= _read_first(statement) - sure
        sure |= _surely(statement)
    return found


@lru_cache(maxsize=_KEPT)
def assigned(node: Line | Loop) -> Names:
    """Return the scalars that a node may assign."""
    return frozenset(line.target for line in walk(node) if isinstance(line, Line) and not line.index)


@lru_cache(maxsize=_KEPT)
def _surely(node: Line | Loop | Block) -> Names:
    """Return the scalars that a node assigns whenever it runs."""
    if isinstance(node, Line):
        return frozenset() if node.index else frozenset({node.target})
    if isinstance(node, Loop):
        return _surely(node.body) if node.count else frozenset()
    return frozenset[str]().union(*map(_surely, node.statements))


@lru_cache(maxsize=_KEPT)
def carried(loop: Loop, need: Names) -> Names:
    """Return the scalars that an iteration takes over from the one before, if some depend on them."""
    inside = need
    while True:
        before = slice_of(loop.body.statements, inside).before & assigned(loop)
        if before <= inside:
            return before
        inside = inside | before
