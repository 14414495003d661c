"""Where the nodes of a computational graph stand: by depth from left to right, with few edges crossing.

The method is Sugiyama's ("Methods for Visual Understanding of Hierarchical System Structures", 1981):
an edge over several columns gets a place in each, columns are ordered by the means of their neighbours,
and places are as near to those means as the distances between them allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from cnnviz.engine.expression import Graph
from cnnviz.trace.program_cache import program_cache

Position = tuple[int, float]
Way = tuple[str, int]

_SWEEPS = 12
_APART = {"node": 1.0, "number": 0.62, "edge": 0.5}


class Layout(Struct, frozen=True, eq=False):
    """A graph laid out.

    Attributes
    ----------
    columns : int
        How many there are; inputs stand in the first.
    rows : float
        The height, in rows.
    spots : Mapping[str, (int, float)]
        Column and row of every input and operation by name, and of plain numbers by `number_name`.
    ways : Mapping[(str, int), tuple[(int, float), ...]]
        The places that the edge to an operation's operand goes through, from the operand to the operation.
    """

    columns: int
    rows: float
    spots: Mapping[str, Position]
    ways: Mapping[Way, tuple[Position, ...]]


def number_name(node: str, slot: int) -> str:
    """Return what a plain number is called that is an operand of a node: ``q#1`` for operand 1 of q."""
    return f"{node}#{slot}"


@program_cache(64)
def lay_out(graph: Graph, inputs_left: bool = True) -> Layout:
    """Lay a graph out.

    Parameters
    ----------
    inputs_left : bool
        Whether all inputs stand in the first column, or each right before what it goes into, which a
        long chain needs less room for.
    """
    depth = _depths(graph)
    if not inputs_left:
        for name in graph.inputs:
            depth[name] = min(depth[node.name] for node in graph.nodes if name in node.operands) - 1
    routes = _routes(graph, depth)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in _in_order_of_text(graph):
        columns[depth[name]].append(name)
    for route in routes.values():
        for k, name in enumerate(route[1:-1], 1):
            columns[depth[route[0]] + k].append(name)
    beside = _neighbours(routes)
    columns = _ordered(columns, beside)
    rows = _rows(columns, beside)
    top = min(rows.values())
    spots = {name: (c, rows[name] - top) for c, column in enumerate(columns) for name in column}
    ways = {key: tuple(spots[name] for name in route) for key, route in routes.items()}
    own = {name: spot for name, spot in spots.items() if "/" not in name}
    return Layout(len(columns), max(rows.values()) - top + 1, own, ways)


def _depths(graph: Graph) -> dict[str, int]:
    """Return the column of every name; a plain number stands right before what it goes into."""
    depth = dict.fromkeys(graph.inputs, 0)
    for node in graph.nodes:
        depth[node.name] = 1 + max(depth[name] for name in node.operands if isinstance(name, str))
        for slot, operand in enumerate(node.shown):
            if not isinstance(operand, str):
                depth[number_name(node.name, slot)] = depth[node.name] - 1
    return depth


def _routes(graph: Graph, depth: Mapping[str, int]) -> dict[Way, tuple[str, ...]]:
    """Return the names of the places of every edge; those between its ends are its own, one a column."""
    routes: dict[Way, tuple[str, ...]] = {}
    for node in graph.nodes:
        for slot, operand in enumerate(node.shown):
            start = operand if isinstance(operand, str) else number_name(node.name, slot)
            between = (f"{node.name}/{slot}/{c}" for c in range(depth[start] + 1, depth[node.name]))
            routes[node.name, slot] = (start, *between, node.name)
    return routes


def _in_order_of_text(graph: Graph) -> list[str]:
    """Return all names as a reader of the expression meets them."""
    found: list[str] = list(graph.inputs)
    for node in graph.nodes:
        found += [number_name(node.name, k) for k, o in enumerate(node.shown) if not isinstance(o, str)]
        found.append(node.name)
    return found


def _neighbours(routes: Mapping[Way, Sequence[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """Return what every place is joined to in the column before and in the column after."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for route in routes.values():
        for before, after in pairwise(route):
            found.setdefault(before, ([], []))[1].append(after)
            found.setdefault(after, ([], []))[0].append(before)
    return found


def _ordered(columns: list[list[str]], beside: Mapping[str, tuple[list[str], list[str]]]) -> list[list[str]]:
    """Return the columns in the order, of those tried, in which the fewest edges cross."""
    best, fewest = columns, _crossings(columns, beside)
    for sweep in range(_SWEEPS):
        columns = [list(column) for column in columns]
        side = sweep % 2
        for c in range(1, len(columns)) if side == 0 else range(len(columns) - 2, -1, -1):
            other = columns[c - 1] if side == 0 else columns[c + 1]
            at = {name: k / max(1, len(other) - 1) for k, name in enumerate(other)}
            columns[c].sort(key=lambda name: _mean([at[n] for n in beside[name][side]], 0.5))
        crossings = _crossings(columns, beside)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _crossings(columns: list[list[str]], beside: Mapping[str, tuple[list[str], list[str]]]) -> int:
    count = 0
    for left, right in pairwise(columns):
        at = {name: k for k, name in enumerate(right)}
        edges = [(k, at[after]) for k, name in enumerate(left) for after in beside[name][1]]
        count += sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(edges) for c, d in edges[:n])
    return count


def _rows(columns: list[list[str]], beside: Mapping[str, tuple[list[str], list[str]]]) -> dict[str, float]:
    """Return the row of every place: as near to its neighbours as the places above and below it allow."""
    rows: dict[str, float] = {}
    for column in columns:
        at = _spread([0.0] * len(column), _gaps(column))
        rows |= dict(zip(column, at, strict=True))
    for sweep in range(_SWEEPS):
        order = columns if sweep % 2 == 0 else columns[::-1]
        for column in order:
            wanted = [_mean([rows[n] for side in beside[name] for n in side], rows[name]) for name in column]
            rows |= dict(zip(column, _spread(wanted, _gaps(column)), strict=True))
    return rows


def _gaps(column: Sequence[str]) -> list[float]:
    """Return how far each place of a column must at least be under the one above it."""
    sizes = [_APART["edge" if "/" in name else "number" if "#" in name else "node"] for name in column]
    return [(above + below) / 2 for above, below in pairwise(sizes)]


def _spread(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted, by squares, that keep these gaps: by pooling neighbours."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
