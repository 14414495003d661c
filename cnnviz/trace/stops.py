"""Where stepping by line, term, cell or map stops within an operation: found by arithmetic, both ways."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from cnnviz.engine.batch import VARIABLE
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.operation import Operation

Marked = Callable[[Line | Loop], bool]


class Level(StrEnum):
    """How far one press of Next goes; each level's stops are among those of the level before it.

    Only the last is not the listing's: it goes from one stop of the lesson to another, wherever they are.
    """

    LINE = "line"
    TERM = "term"
    CELL = "cell"
    MAP = "map"
    LAYER = "layer"
    PASS = "pass"
    STOP = "stop"


def next_stop(operation: Operation, offset: int, level: Level) -> int | None:
    """Return the first stop of an operation after an offset (−1: its very first), or None.

    Lines, terms, cells and maps stop as the listing says. Layer and pass have one stop here: the
    operation's last written cell.
    """
    if level is Level.LINE:
        return offset + 1 if offset + 1 < len(operation) else None
    if level in (Level.LAYER, Level.PASS):
        last = _last(operation.body, _is_cell)
        return last if last is not None and last > offset else None
    if level is Level.MAP:
        return _next_map(operation.body, offset, operation.call.batch is not None)
    return _after(operation.body, offset, _is_term if level is Level.TERM else _is_cell)


def previous_stop(operation: Operation, offset: int, level: Level) -> int | None:
    """Return the last stop of an operation before an offset (its length: its very last), or None."""
    if level is Level.LINE:
        return offset - 1 if offset > 0 else None
    if level in (Level.LAYER, Level.PASS):
        last = _last(operation.body, _is_cell)
        return last if last is not None and last < offset else None
    if level is Level.MAP:
        return _previous_map(operation.body, offset, operation.call.batch is not None)
    return _before(operation.body, offset, _is_term if level is Level.TERM else _is_cell)


def next_run(operation: Operation, offset: int, line: int) -> int | None:
    """Return the first step after an offset at which a line runs, or None; a loop's line is its header."""
    return _after(operation.body, offset, lambda node: node.number == line)


def previous_run(operation: Operation, offset: int, line: int) -> int | None:
    """Return the last step before an offset at which a line runs, or None."""
    return _before(operation.body, offset, lambda node: node.number == line)


def _is_term(node: Line | Loop) -> bool:
    return isinstance(node, Line) and node.is_term


def _is_cell(node: Line | Loop) -> bool:
    return isinstance(node, Line) and node.is_cell


def _next_map(body: Block, offset: int, several: bool = False) -> int | None:
    """Return the next end of a map: the last cell of one value of an outermost loop's variable.

    Parameters
    ----------
    several : bool
        Whether the outermost loop may be that over several samples, each of which has maps.
    """
    for start, statement in zip(body.starts, body.statements, strict=True):
        if isinstance(statement, Line):
            if _is_cell(statement) and start > offset:
                return start
            continue
        last = _last(statement.body, _is_cell)
        if last is None:
            continue
        if several and statement.variable == VARIABLE:
            for sample in range(max(0, (offset - start) // statement.period), statement.count):
                first = start + 1 + sample * statement.period
                found = _next_map(statement.body, offset - first)
                if found is not None:
                    return first + found
            continue
        first_stop = start + 1 + last
        iteration = max(0, (offset - first_stop) // statement.period + 1)
        if iteration < statement.count:
            return first_stop + iteration * statement.period
    return None


def _previous_map(body: Block, offset: int, several: bool = False) -> int | None:
    """Return the previous end of a map."""
    for start, statement in zip(reversed(body.starts), reversed(body.statements), strict=True):
        if isinstance(statement, Line):
            if _is_cell(statement) and start < offset:
                return start
            continue
        last = _last(statement.body, _is_cell)
        if last is None:
            continue
        if several and statement.variable == VARIABLE:
            for sample in range(min(statement.count - 1, (offset - start) // statement.period), -1, -1):
                first = start + 1 + sample * statement.period
                found = _previous_map(statement.body, offset - first)
                if found is not None:
                    return first + found
            continue
        first_stop = start + 1 + last
        iteration = min(statement.count - 1, (offset - 1 - first_stop) // statement.period)
        if iteration >= 0:
            return first_stop + iteration * statement.period
    return None


def _first(node: Line | Loop | Block, marked: Marked) -> int | None:
    """Return the first marked step in a node, counted from the node's own first."""
    if isinstance(node, Line):
        return 0 if marked(node) else None
    if isinstance(node, Loop):
        if marked(node):
            return 0
        inner = _first(node.body, marked) if node.count else None
        return None if inner is None else inner + 1
    for start, statement in zip(node.starts, node.statements, strict=True):
        inner = _first(statement, marked)
        if inner is not None:
            return start + inner
    return None


def _last(node: Line | Loop | Block, marked: Marked) -> int | None:
    """Return the last marked step in a node."""
    if isinstance(node, Line):
        return 0 if marked(node) else None
    if isinstance(node, Loop):
        if marked(node):
            return node.steps - 1
        inner = _last(node.body, marked) if node.count else None
        return None if inner is None else (node.count - 1) * node.period + 1 + inner
    for start, statement in zip(reversed(node.starts), reversed(node.statements), strict=True):
        inner = _last(statement, marked)
        if inner is not None:
            return start + inner
    return None


def _after(node: Line | Loop | Block, offset: int, marked: Marked) -> int | None:
    """Return the first marked step in a node after an offset."""
    if offset < 0:
        return _first(node, marked)
    if isinstance(node, Line):
        return None
    if isinstance(node, Loop):
        iteration, inner = divmod(offset, node.period)
        if iteration >= node.count:
            return None
        found = _after(node.body, inner - 1, marked)
        if found is None:
            iteration += 1
            if marked(node):
                return iteration * node.period
            found = _first(node.body, marked) if iteration < node.count else None
        return None if found is None else iteration * node.period + 1 + found
    k = node.find(offset)
    for start, statement in zip(node.starts[k:], node.statements[k:], strict=True):
        found = _after(statement, offset - start, marked)
        if found is not None:
            return start + found
    return None


def _before(node: Line | Loop | Block, offset: int, marked: Marked) -> int | None:
    """Return the last marked step in a node before an offset."""
    if offset >= node.steps:
        return _last(node, marked)
    if offset <= 0 or isinstance(node, Line):
        return None
    if isinstance(node, Loop):
        iteration, inner = divmod(offset, node.period)
        if inner == 0:
            iteration, inner = iteration - 1, node.period
        found = _before(node.body, inner - 1, marked)
        if found is not None:
            return iteration * node.period + 1 + found
        if marked(node):
            return iteration * node.period
        found = _last(node.body, marked) if iteration > 0 else None
        return None if found is None else (iteration - 1) * node.period + 1 + found
    for k in range(node.find(offset), -1, -1):
        found = _before(node.statements[k], offset - node.starts[k], marked)
        if found is not None:
            return node.starts[k] + found
    return None
