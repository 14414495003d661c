"""The network, top to bottom: every layer's maps and gradients, as far as they are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.address import layer_of
from cnnviz.engine.layer import Array, Shape, shape_text
from cnnviz.scene.chain import has_chain
from cnnviz.scene.display import Display
from cnnviz.scene.layout import SMALLEST
from cnnviz.scene.look import Look, look
from cnnviz.scene.marks import Box, Cells, Dot, Group, Hotspot, Mark, Path, Rect, Role, label
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief
from cnnviz.scene.panels import network_arrays as arrays
from cnnviz.scene.panels.network_arrays import Arrays, Known, Progress, Source
from cnnviz.scene.panels.network_rows import Edge, Item, Outline, Rows, outline, rows_at
from cnnviz.scene.paths import adds_gradients, is_gradient, on_paths, way
from cnnviz.scene.symbolic import without_numbers
from cnnviz.scene.view import Chosen
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import lasting_cache, program_cache

_MAPS_SHOWN = 8
# The least height of a row, of a layer and of a variable, at 1080 lines; with less room, rows are scrolled.
_LOWEST, _LOWEST_VARIABLE, _HIGHEST = 40, 30, 84
# In fewer pixels than this, across or down, nothing can be read.
_LEAST_SEEN = 12
# What says how many rows are left out, above or below.
_MORE = 22
# A shape of more characters is written closely.
_WIDE = 11
# How wide one lane of the gutter is, and which part of the pane all of them take at most.
_LANE, _GUTTER = 14, 0.26
# How far what is in a block stands to the right.
_INDENT = 8
# So many gradients that are added up stand beside one another; of more it is told how many there are.
_PARTS = 3


class Window(NamedTuple):
    """The rows of the pane, and which of them are in sight.

    Attributes
    ----------
    rows : Rows
        All that are there.
    top, seen : int
        The number of the first that is in sight, and how many are.
    at_work : int
        The number of the one that is computed; −1 if none is.
    """

    rows: Rows
    top: int
    seen: int
    at_work: int

    @property
    def above(self) -> int:
        """How many are out of sight above."""
        return self.top

    @property
    def below(self) -> int:
        """How many are out of sight below."""
        return len(self.rows.items) - self.top - self.seen

    @property
    def is_whole(self) -> bool:
        """Whether all are in sight."""
        return self.seen == len(self.rows.items)


class _Room(NamedTuple):
    """Where the rows of a window go.

    Attributes
    ----------
    box : Box
        The pane's.
    unit : float
        How large one pixel of a picture of 1920 × 1080 is drawn.
    area : Box
        That of the rows in sight.
    gutter : float
        How wide the lanes are.
    lane : float
        How wide one is.
    """

    box: Box
    unit: float
    area: Box
    gutter: float
    lane: float

    def row(self, k: int, seen: int) -> Box:
        """Return the box of the k-th of some rows in sight, without the gutter."""
        height = min(self.area.h / seen, _HIGHEST * self.unit)
        left = self.area.x + self.gutter
        return Box(left, self.area.y + k * height, max(0.0, self.area.right - left), height)

    def columns(self, row: Box) -> list[Box]:
        """Return where a row's name goes, its values, its gradients."""
        inner = Box(row.x + 12 * self.unit, row.y, max(0.0, row.w - 24 * self.unit), row.h)
        weights = [1.2, 1.2, 1.0] if self.gutter else [1.0, 1.3, 1.0]
        return inner.columns(weights, gap=12 * self.unit)


# --------------------------------------------------------------------------------------------------- the pane


def network(moment: Moment, box: Box, unit: float, top: int | None = None) -> list[Mark]:
    """Draw the layers from the input to the loss, their maps and gradients as far as they are computed.

    Parameters
    ----------
    top : int, optional
        The first row in sight, where there is no room for all; else the row at work is in the middle.
    """
    program, window = moment.program, network_window(moment, box, unit, top)
    room = _room(program, window.rows, box, unit)
    gradients = "" if arrays.reads_pictures(program) else tr("gradients")
    marks: list[Mark] = [_ground(_title(program), gradients, more_said(window), room)]
    if min(room.area.w, room.area.h) < _LEAST_SEEN:
        return marks
    if room.gutter:
        followed = _followed(program, moment.operation, moment.view.paths, window.rows)
        marks.append(_gutter(window, room, moment.operation.phase, followed))
    rows, at_work = _in_sight(program, moment.operation, window, room, moment.view.display)
    marks += rows
    live = [mark for working in at_work for mark in _live(moment, room, *working)]
    marks += without_numbers(live) if moment.letters else live
    marks += _spots(program, window, room)
    if room.gutter:
        marks += _lane_spots(program, moment.operation, moment.view.paths, window, room)
    return marks


def network_cell(
    moment: Moment, box: Box, unit: float, top: int | None, x: float, y: float
) -> tuple[Operation, str, tuple[int, ...]] | None:
    """Return the cell at a point, of an array as the network has it, with an operation that has that."""
    program, window = moment.program, network_window(moment, box, unit, top)
    room = _room(program, window.rows, box, unit)
    for k in range(window.seen):
        item, row = window.rows.items[window.top + k], room.row(k, window.seen)
        if item.kind == "open" or not row.contains(x, y):
            continue
        state = _state(program, item, moment.operation)
        for source, _, place in _tiles(program, item, room.columns(row), state, unit):
            # What is laid out in place of the numbers are their own places.
            places = np.arange(prod(source.shape), dtype=float).reshape(source.shape)
            style = _look(program, source.holder, source.name, moment.view.display)
            tile = _tile(style, places, np.ones(places.shape, bool), place, "panel", unit)
            if not tile.box.contains(x, y):
                continue
            (wide, high), (rows, columns) = tile.cell, tile.values.shape
            at = min(int((y - tile.box.y) / high), rows - 1), min(int((x - tile.box.x) / wide), columns - 1)
            if np.isfinite(tile.values[at]):
                found = np.unravel_index(int(tile.values[at]), source.shape)
                return source.holder, source.name, tuple(int(k) for k in found)
    return None


@program_cache(256)
def _in_sight(
    program: Program, operation: Operation, window: Window, room: _Room, display: Display
) -> tuple[tuple[Group, ...], tuple[_Working, ...]]:
    """Return the rows in sight while an operation is at work, and those of them that it writes in."""
    rows, at_work = list[Group](), list[_Working]()
    for k in range(window.seen):
        item, row = window.rows.items[window.top + k], room.row(k, window.seen)
        phase = operation.phase if window.top + k == window.at_work else ""
        state = _state(program, item, operation)
        rows.append(_row(program, item, row, room, state, phase, display))
        if "now" in (state.values, state.gradient, *state.parts):
            at_work.append((item, row, state, phase))
    return tuple(rows), tuple(at_work)


def network_window(moment: Moment, box: Box, unit: float, top: int | None = None) -> Window:
    """Return which rows there are, and which are in sight."""
    program = moment.program
    whole = network_outline(program)
    row = whole.number.get(arrays.row_at_work(moment), -1)
    rows = rows_at(whole, moment.view.folds, row)
    at_work = rows.item_of[row] if row >= 0 else -1
    count, most = len(rows.items), _most_seen(program, len(rows.items), box, unit)
    if top is None:
        top = at_work - most // 2
    return Window(rows, max(0, min(top, count - most)), most, at_work)


@lasting_cache(8)
def network_outline(program: Program) -> Outline:
    """Return all that the pane has rows for, with who reads whom and the blocks that fold."""
    return outline(program, arrays.names_of(program))


def _most_seen(program: Program, count: int, box: Box, unit: float) -> int:
    """Return how many rows there is room for."""
    least = (_LOWEST_VARIABLE if arrays.variables(program) else _LOWEST) * unit
    height = _area(box, unit).h
    if count * least <= height:
        return count
    return max(1, min(count, int((height - 2 * _MORE * unit) / least)))


def _area(box: Box, unit: float) -> Box:
    """Return where all rows go: under the titles."""
    return box.inset(8 * unit, 10 * unit).below(26 * unit)


@lasting_cache(64)
def _room(program: Program, rows: Rows, box: Box, unit: float) -> _Room:
    area = _area(box, unit)
    if _most_seen(program, len(rows.items), box, unit) < len(rows.items):
        area = area.inset(0, _MORE * unit)
    lane = 0.0
    if rows.width > 1:
        lane = min(_LANE * unit, _GUTTER * area.w / rows.width)
    return _Room(box, unit, area, lane * rows.width, lane)


@lru_cache(64)
def _ground(title_said: str, gradients: str, more: tuple[str, str], room: _Room) -> Group:
    """Return what is behind the rows: titles, and how many rows are out of sight."""
    box, unit = room.box, room.unit
    marks: list[Mark] = [Rect(box, fill="panel")]
    inner = box.inset(8 * unit, 10 * unit)
    title, *others = room.columns(
        Box(inner.x + room.gutter, inner.y, max(0.0, inner.w - room.gutter), 26 * unit)
    )
    title = Box(inner.x + 12 * unit, title.y, max(0.0, title.right - inner.x - 12 * unit), title.h)
    for column, text, size in zip(
        (title, *others), (title_said, tr("values"), gradients), (15, 13, 13), strict=True
    ):
        marks.append(label(column, text, size * unit, "muted", bold=column is title))
    for place, text in zip(_more_boxes(room), more, strict=True):
        if text:
            marks.append(label(place, text, 14 * unit, "muted", align="center"))
    return Group(box, tuple(marks), lasting=True)


def more_said(window: Window) -> tuple[str, str]:
    """Say how many rows are out of sight above, and below."""
    return (
        tr("… {count} more above", count=window.above) if window.above else "",
        tr("… {count} more below", count=window.below) if window.below else "",
    )


def _more_boxes(room: _Room) -> tuple[Box, Box]:
    area, height = room.area, _MORE * room.unit
    return Box(area.x, area.y - height, area.w, height), Box(area.x, area.bottom, area.w, height)


def _title(program: Program) -> str:
    if arrays.reads_pictures(program):
        return tr("Pictures")
    if arrays.descends(program):
        return tr("Descents")
    return tr("Graph") if arrays.variables(program) else tr("Network")


# -------------------------------------------------------------------------------------------------- the lines


@lru_cache(64)
def _gutter(window: Window, room: _Room, phase: str, followed: frozenset[Edge]) -> Group:
    """Return the lanes: a dot for each row in sight, and a line for each that reads another.

    Those on the path that the chain strip follows are drawn over the others.
    """
    area, unit = room.area, room.unit
    box = Box(room.box.x, round(area.y), area.x + room.gutter - room.box.x, area.h)
    place = Box(box.x, box.y, float(round(box.right)) - box.x, float(round(area.bottom)) - box.y)
    marks: list[Mark] = [Rect(place, fill="panel")]
    rows, low, high = window.rows, window.top, window.top + window.seen - 1
    near = {k for at in range(low, high + 1) for k in rows.passing[at]}
    for edge in sorted((rows.edges[k] for k in near), key=lambda edge: (edge in followed, edge)):
        points = edge_points(window, room, edge)
        role, width = ("accent", 3.2) if edge in followed else ("line", 1.8)
        marks.append(Path(points, role, max(1.0, width * unit)))
    for k in range(low, high + 1):
        item, here = rows.items[k], k == window.at_work
        if item.kind == "open":
            continue
        x, y = _lane_x(room, rows.lanes[k]), room.row(k - low, window.seen).center[1]
        role = phase if here else "line"
        radius = min((6.0 if here else 4.5) * unit, 0.48 * room.lane)
        if item.kind == "folded":
            marks.append(Rect(Box(x - radius, y - radius, 2 * radius, 2 * radius), fill=role))
        else:
            marks.append(Dot((x, y), radius, role))
    return Group(place, tuple(marks), lasting=True)


@lasting_cache(64)
def _followed(program: Program, operation: Operation, chosen: Chosen, rows: Rows) -> frozenset[Edge]:
    """Return on which lines a gradient comes from the loss: one path is followed, to a sum all."""
    if not has_chain(operation):
        return frozenset()
    call = operation.call
    if adds_gradients(operation):
        names = [name for name in operation.tree.parameters if is_gradient(operation, name)]
        addresses = [call.port(name).address for name in names]
    else:
        links = way(program, operation, chosen).links
        addresses = [link.address for link in (links[:-1] if len(call.writes) > 1 else links)]
    return frozenset(_edges(program, rows, addresses))


def _ways(program: Program, operation: Operation, rows: Rows, last: int) -> Mapping[Edge, str]:
    """Return the lines on which a path may be followed, with a gradient that comes back on each.

    What begins behind the last row in sight is not looked for.
    """
    if not has_chain(operation) or adds_gradients(operation):
        return {}
    between = _between(program)

    def is_near(address: str) -> bool:
        return address not in between or rows.item_of[between[address][0]] <= last

    return _edges(program, rows, on_paths(program, operation, is_near)[1:])


def _edges(program: Program, rows: Rows, addresses: Sequence[str]) -> dict[Edge, str]:
    """Return the lines on which gradients come back, each with the first of those that do."""
    between, found = _between(program), dict[Edge, str]()
    for address in addresses:
        if address in between:
            source, reader = (rows.item_of[row] for row in between[address])
            if source != reader:
                found.setdefault(Edge(source, reader), address)
    return found


@lasting_cache(8)
def _between(program: Program) -> Mapping[str, tuple[int, int]]:
    """Return by the address of each gradient the rows that it comes back between: upper and lower one."""
    number = network_outline(program).number
    made = (
        (operation.call.port(name), operation.layer)
        for operation in program.operations
        for name in operation.call.writes
    )
    return {
        port.address: (number[layer_of(port.gradient_of)], number[reader])
        for port, reader in made
        if layer_of(port.gradient_of) in number and reader in number
    }


@lasting_cache(64)
def _lane_spots(
    program: Program, operation: Operation, chosen: Chosen, window: Window, room: _Room
) -> tuple[Hotspot, ...]:
    """Return where a click follows the path on another line: along it, and above all where it turns."""
    followed = _followed(program, operation, chosen, window.rows)
    low, high, half = window.top, window.top + window.seen - 1, max(0.5 * room.lane, 4 * room.unit)
    ways = _ways(program, operation, window.rows, high)
    drawn = [edge for edge in ways if edge not in followed and edge.source <= high and edge.target >= low]
    spots, turns = list[Hotspot](), list[Hotspot]()
    for edge in sorted(drawn, key=lambda edge: edge.source - edge.target):  # of two, the shorter on top
        begin, *turn, end = edge_points(window, room, edge)
        bottom = turn[0] if turn else end
        along = Box(begin[0] - half, begin[1], 2 * half, bottom[1] - begin[1])
        spots.append(Hotspot(along, "lane", ways[edge]))
        for x, y in turn:
            left, right = min(x, end[0]) - half, max(x, end[0]) + half
            turns.append(Hotspot(Box(left, y, right - left, end[1] - y), "lane", ways[edge]))
    return (*spots, *turns)


def edge_points(window: Window, room: _Room, edge: Edge) -> tuple[tuple[float, float], ...]:
    """Return the line from one item to another, as far as it is in sight.

    It goes straight down in the lane of the upper one, and over to the lower one just above that.
    """
    rows, area = window.rows, room.area
    bottom = room.row(window.seen - 1, window.seen).bottom
    x, to = (_lane_x(room, rows.lanes[k]) for k in edge)
    begins, ends = edge.source - window.top, edge.target - window.top
    start = (x, room.row(begins, window.seen).center[1]) if begins >= 0 else (x, area.y)
    if ends >= window.seen:
        return start, (x, bottom)
    row = room.row(ends, window.seen)
    end = (to, row.center[1])
    if x == to:
        return start, end
    turn = row.center[1] - min(0.6 * row.h, abs(to - x))
    return start, (x, max(turn, start[1])), end


def _lane_x(room: _Room, lane: int) -> float:
    return room.area.x + (lane + 0.5) * room.lane


# --------------------------------------------------------------------------------------------------- the rows


class _State(NamedTuple):
    """How far what a row shows is computed."""

    values: Known = "later"
    gradient: Known = "later"
    parts: tuple[Known, ...] = ()
    progress: Progress | None = None

    @property
    def in_parts(self) -> bool:
        """Whether the gradients that come back are shown, and not yet their sum."""
        return bool(self.parts) and self.gradient == "later"


_Working = tuple[Item, Box, _State, str]
"""A row in which an operation writes: what it is of, where it lies, what is known of it, the phase."""


@lasting_cache(4096)
def _state(program: Program, item: Item, operation: Operation) -> _State:
    if item.kind == "open":
        return _State()
    now, shown = program.number(operation.name), arrays_shown(program, item)
    values, gradient = (arrays.known(program, one, now) if one else "done" for one in shown[:2])
    parts = tuple(arrays.known(program, part, now) for part in shown.parts)
    names = network_outline(program).names[item.first : item.last + 1]
    progress = arrays.progress(program, names, now) if item.kind == "folded" else None
    if not parts or gradient != "later":
        parts = ()
    return _State(values, gradient, parts, progress)


def arrays_shown(program: Program, item: Item) -> Arrays:
    """Return what is shown of an item: of a folded block, what comes out of it."""
    return arrays.arrays_of(program, network_outline(program).names[item.last])


def _went_in(program: Program, item: Item) -> Source | None:
    """Return what goes into a folded block: the first that it reads from outside."""
    whole = network_outline(program)
    for row in range(item.first, item.last + 1):
        for one in whole.sources[row]:
            values = arrays.arrays_of(program, whole.names[one]).values
            if one < item.first and values:
                return values
    return None


@program_cache(1024)
def _row(
    program: Program,
    item: Item,
    row: Box,
    room: _Room,
    state: _State,
    phase: str,
    display: Display,
) -> Group:
    """Return all of a row but what is being computed; marked if it is the one at work."""
    if without := _not_begun(program, item, row, room, state, phase):
        return without
    columns, ground = room.columns(row), _ground_role(phase)
    tiles = _tiles(program, item, columns, state, room.unit)
    place, marks = _empty_row(item, row, room, phase, _shape(program, item))
    if item.kind == "folded":
        marks += _block(program, item, columns, state, room.unit, display, ground)
    for source, known, box in tiles:
        if known == "done":
            style, there = _look(program, source.holder, source.name, display), np.full(source.shape, True)
            marks.append(_tile(style, source.values, there, box, ground, room.unit))
    marks += [
        _blank(source.shape, box, ground, room.unit) for source, known, box in tiles if known == "later"
    ]
    if state.in_parts:
        marks += _pluses(columns[2], state, room.unit)
    return Group(place, tuple(without_numbers(marks) if display.letters else marks))


@lasting_cache(1024)
def _not_begun(
    program: Program, item: Item, row: Box, room: _Room, state: _State, phase: str
) -> Group | None:
    """Return a row of which nothing is computed yet; None of all others."""
    if item.kind == "folded":
        return None
    said = "" if item.kind == "open" else _shape(program, item)
    tiles = [] if item.kind == "open" else _tiles(program, item, room.columns(row), state, room.unit)
    if any(known == "done" for _, known, _ in tiles):
        return None
    blank = tuple((source.shape, box) for source, known, box in tiles if known == "later")
    return _without_values(item, row, room, state, phase, said, blank)


@lru_cache(256)
def _without_values(
    item: Item,
    row: Box,
    room: _Room,
    state: _State,
    phase: str,
    said: str,
    blank: tuple[tuple[Shape, Box], ...],
) -> Group:
    """Return a row in which nothing is computed yet: of all programs the same object, and so painted once."""
    place, marks = _empty_row(item, row, room, phase, said)
    marks += [_blank(shape, box, _ground_role(phase), room.unit) for shape, box in blank]
    if state.in_parts:
        marks += _pluses(room.columns(row)[2], state, room.unit)
    return Group(place, tuple(marks), lasting=True)


def _empty_row(item: Item, row: Box, room: _Room, phase: str, said: str) -> tuple[Box, list[Mark]]:
    """Return where a row goes, with its ground and its name."""
    unit = room.unit
    top, bottom = round(row.y), round(row.bottom)
    left = round(row.x) if room.gutter else room.box.x
    place = Box(left, top, room.box.right - left, max(1, bottom - top))
    marks: list[Mark] = [Rect(place, fill="panel")]
    if phase:
        marked = row.inset(2 * unit if room.gutter else 0.0, 2 * unit)
        marks.append(Rect(marked, _ground_role(phase), phase, 1.5 * unit, 6 * unit))
    return place, marks + _name(item, row, room.columns(row), unit, said, bold=bool(phase))


def _blank(shape: Shape, box: Box, ground: Role, unit: float) -> Cells:
    """Return the tile of an array of which nothing is computed yet, whatever its numbers will be."""
    return _tile(None, np.zeros(shape), np.full(shape, False), box, ground, unit)


def _node(program: Program, item: Item) -> str:
    return network_outline(program).names[item.last]


def _tiles(
    program: Program, item: Item, columns: list[Box], state: _State, unit: float
) -> list[tuple[Source, Known, Box]]:
    """Return what a row shows: values, and the gradient or what it is the sum of, with their places."""
    shown = arrays_shown(program, item)
    found: list[tuple[Source, Known, Box]] = []
    if columns[0].h < 14 * unit:
        return []
    low = 12 * unit if item.kind == "folded" else 6 * unit
    boxes = [
        Box(column.x, column.y + 6 * unit, column.w, max(0.0, column.h - 6 * unit - low))
        for column in columns
    ]
    if shown.values:
        box = boxes[1] if item.kind != "folded" else boxes[1].columns([1.0, 1.0], 18 * unit)[1]
        found.append((shown.values, state.values, box))
    if state.in_parts:
        places = _part_boxes(boxes[2], len(state.parts), unit)
        found += zip(shown.parts, state.parts, places, strict=False)
    elif shown.gradient:
        found.append((shown.gradient, state.gradient, boxes[2]))
    return found


def _part_boxes(column: Box, count: int, unit: float) -> list[Box]:
    """Return where the gradients go that are added up; of many, nowhere."""
    return column.columns([1.0] * count, 14 * unit) if count <= _PARTS else []


def _pluses(column: Box, state: _State, unit: float) -> list[Mark]:
    """Write a sign between gradients that are added up, or how many of them are there."""
    boxes = _part_boxes(column, len(state.parts), unit)
    if not boxes:
        done = sum(part == "done" for part in state.parts)
        text = tr("{done} of {count} parts", done=done, count=len(state.parts))
        if width(text) * SMALLEST > column.w:
            text = f"{done} / {len(state.parts)}"
        return [label(column, text, 13 * unit, "muted", align="center")]
    return [
        label(
            Box(box.right, column.y, 14 * unit, column.h),
            "+",
            16 * unit,
            "muted",
            align="center",
            family="math",
        )
        for box in boxes[:-1]
    ]


def _live(moment: Moment, room: _Room, item: Item, row: Box, state: _State, phase: str) -> list[Mark]:
    """Return what the operation in hand writes, as far as it has."""
    program, call = moment.program, moment.operation.call
    marks: list[Mark] = []
    for source, known, box in _tiles(program, item, room.columns(row), state, room.unit):
        if known == "now":
            name = source.name
            values = call.unpadded(name, moment.state.value(name))
            there = call.unpadded(name, moment.state.written(name))
            style = _look(program, moment.operation, name, moment.view.display)
            marks.append(_tile(style, values, there, box, _ground_role(phase), room.unit))
    return marks


def _name(
    item: Item, row: Box, columns: list[Box], unit: float, shape: str, bold: bool = False
) -> list[Mark]:
    """Write a row's name and its shape, or of a block how many layers it has."""
    text = row.inset(0, max(0.0, (row.h - 44 * unit) / 2))
    half, left = text.h / 2, min(item.depth * _INDENT * unit, columns[0].w / 3)
    first = Box(columns[0].x + left, text.y, columns[0].w - left, half)
    if item.kind == "open":
        wide = Box(first.x, row.y, max(0.0, row.right - first.x), row.h)
        said = tr("{name}, {count} layers", name=item.said, count=item.last - item.first + 1)
        return [label(wide, f"▾ {said}", 14 * unit, "muted", bold=True)]
    said = arrays.said(item.said) if item.kind == "layer" else f"▸ {item.said}"
    below, under = first._replace(y=text.y + half), said.rfind("_") + 1
    least = max(SMALLEST, 12 * unit)  # a name is not much smaller than the shape under it
    if under and width(said, bold) * least > first.w:  # it takes the line of the shape, too
        parts = said[:under], said[under:]
        return [
            label(box, part, 16 * unit, "ink", bold=bold)
            for box, part in zip((first, below), parts, strict=True)
        ]
    return [
        label(first, said, 16 * unit, "ink", bold=bold),
        label(below, shape, 13 * unit, "muted"),
    ]


def _shape(program: Program, item: Item) -> str:
    """Say the shape of what a row stands for; of a folded block, how many layers it has."""
    if item.kind == "folded":
        return tr("{count} layers", count=item.last - item.first + 1)
    values = arrays_shown(program, item).values
    if values is None or arrays.is_loss(program, item.name):
        return tr("one number")
    if not values.shape:
        return arrays.assigned(values)
    shape = shape_text(values.shape)
    return shape.replace(" × ", "×") if len(shape) > _WIDE else shape


def _block(
    program: Program,
    item: Item,
    columns: list[Box],
    state: _State,
    unit: float,
    display: Display,
    ground: Role,
) -> list[Mark]:
    """Draw what goes into a folded block, an arrow to what comes out, and how far it is computed."""
    column, low = columns[1], 12 * unit
    inside = Box(column.x, column.y + 6 * unit, column.w, max(0.0, column.h - 6 * unit - low))
    into, out = inside.columns([1.0, 1.0], 18 * unit)
    marks: list[Mark] = []
    given = _went_in(program, item)
    if given:
        values = given.values
        is_there = state.progress is not None and (
            given.operation is None or state.progress.forward > 0 or state.values != "later"
        )
        marks.append(
            _tile(
                _look(program, given.holder, given.name, display),
                values,
                np.full(values.shape, is_there),
                into,
                ground,
                unit,
            )
        )
    arrow = Box(into.right, inside.y, out.x - into.right, inside.h)
    marks.append(label(arrow, "→", 15 * unit, "muted", align="center", family="math"))
    if state.progress is not None:
        done = state.progress
        for place, part, role in (
            (columns[1], done.forward / max(1, done.of_forward), "forward"),
            (columns[2], done.backward / max(1, done.of_backward), "backward"),
        ):
            bar = Box(place.x, place.bottom - 8 * unit, place.w, 3 * unit)
            marks.append(Rect(bar, fill="hatch"))
            if part:
                marks.append(Rect(Box(bar.x, bar.y, bar.w * part, bar.h), fill=role))
    return marks


# ------------------------------------------------------------------------------------------------- the clicks


@lasting_cache(64)
def _spots(program: Program, window: Window, room: _Room) -> tuple[Hotspot, ...]:
    """Where a click leads to a layer or its gradient, folds a block, or scrolls."""
    spots: list[Hotspot] = []
    for k in range(window.seen):
        item, row = window.rows.items[window.top + k], room.row(k, window.seen)
        left = room.area.x
        whole = Box(left, row.y, row.right - left, row.h)
        columns = room.columns(row)
        if item.kind == "open":
            spots.append(Hotspot(whole, "fold", item.name))
            continue
        node = _node(program, item)
        spots.append(Hotspot(whole, "layer", node))
        if arrays_shown(program, item).gradient is not None:
            spots.append(Hotspot(Box(columns[2].x, row.y, columns[2].w, row.h), "gradient", node))
        if item.kind == "folded":
            spots.append(Hotspot(Box(left, row.y, columns[0].right - left, row.h), "fold", item.name))
    for place, text, by in zip(_more_boxes(room), more_said(window), (-1, 1), strict=True):
        if text:
            spots.append(Hotspot(place, "scroll", line=by * max(1, window.seen - 1)))
    return tuple(spots)


# -------------------------------------------------------------------------------------------------- the tiles


def _look(program: Program, operation: Operation, name: str, display: Display) -> Look:
    """Return how an array is drawn; variables have one scale together, so that they compare."""
    shown = replace(display, scale="network") if arrays.variables(program) else display
    return look(program, operation, name, shown)


def _ground_role(phase: str) -> Role:
    """Return what a row of the pane is painted with: the one at work is marked."""
    return f"{phase}_fill" if phase else "panel"


def _tile(
    style: Look | None, values: Array, there: NDArray[np.bool_], box: Box, ground: Role, unit: float
) -> Cells:
    """Return a heatmap of an array: its first maps as tiles, or its numbers in a row; one number as text."""
    texts: tuple[tuple[str, ...], ...] = ()
    if values.ndim == 3:
        sheet, known = map_sheet(values, there, box)
        side = min(box.w / sheet.shape[1], box.h / sheet.shape[0])
        width, height = side * sheet.shape[1], side * sheet.shape[0]
    else:  # walks under each other; anything else in one row
        rows = len(values) if values.ndim == 2 else 1
        sheet, known = values.reshape(rows, -1), there.reshape(rows, -1)
        height = min(box.h * (0.5 if rows == 1 else 0.8), 22.0 * unit * rows)
        width = min(box.w, sheet.shape[1] * height / rows)
    if values.ndim == 0:
        width, texts = box.w, ((brief(float(values)) if there else "",),)
    place = Box(box.x, round(box.y + (box.h - height) / 2), width, height)
    missing = None if known.all() else ~known
    ruled = values.ndim != 3 and values.size <= 16
    return Cells(
        place,
        sheet,
        palette=style.palette if style else "value",
        limit=style.limit if style else 1.0,
        texts=texts,
        size=min(height * 0.62, 1.5 * width / max(4, len(texts[0][0]))) if texts else 12.0,
        missing=missing,
        lines=ruled,
        gap=ground if values.ndim == 3 else None,
    )


def map_sheet(values: Array, there: NDArray[np.bool_], box: Box) -> tuple[Array, NDArray[np.bool_]]:
    """Lay maps out beside each other, in two lines if that makes them larger, with gaps of NaN.

    What is no number is infinite there, so that it is not taken for a gap.
    """
    shown = min(len(values), _MAPS_SHOWN)
    rows, columns = values.shape[1:]
    gap = max(1, round(columns / 8))
    one_line = shown <= 2 or shown * (columns + gap) / rows < 1.2 * box.w / box.h
    per_line = shown if one_line else (shown + 1) // 2
    lines = -(-shown // per_line)
    side = min(box.w / (per_line * (columns + gap)), box.h / (lines * (rows + gap)))
    if side < 0.5:  # of several cells on a pixel one would be seen anyway
        every = int(1 / max(side, 0.01))
        values, there = values[:, ::every, ::every], there[:, ::every, ::every]
        rows, columns = values.shape[1:]
        gap = max(1, round(columns / 8))
    sheet = np.full((lines * (rows + gap) - gap, per_line * (columns + gap) - gap), np.nan)
    known = np.ones(sheet.shape, bool)
    for k in range(shown):
        r, c = (k // per_line) * (rows + gap), (k % per_line) * (columns + gap)
        sheet[r : r + rows, c : c + columns] = np.where(np.isnan(values[k]), np.inf, values[k])
        known[r : r + rows, c : c + columns] = there[k]
    return sheet, known
