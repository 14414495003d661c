"""Frames as data for a page: `resources/page/page.js` draws them, mark by mark.

A mark is a tuple that begins with a number for its kind; what many marks have in common, the values of a grid
or its texts, is kept beside them and numbered, too. The script's `PAINT` names the kinds in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import chain
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.export.page_packing import Forms, differences, in_order, packed_arrays, packed_frames
from cnnviz.export.walk import LEVELS, Walk
from cnnviz.scene.arrays import symbol
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Box, Cells, Dot, Formula, Group, Hotspot, Label, Mark, Path, Rect, Strokes
from cnnviz.scene.moment import Moment
from cnnviz.scene.provenance import last_writer
from cnnviz.scene.spoken import spoken
from cnnviz.trace.alone import cell_in
from cnnviz.trace.writes import accumulates

NARROW = 390, 640
"""How large a picture is composed for a screen that is higher than wide, in pixels."""

_LARGE = {"zoom": 150, "text": 125}
"""How it is shown there: the stage alone, for which there is room, with numbers that can be read."""

_LEADING = ("layer", "gradient", "operation", "stop", "step")
_GROUP = 9  # the kind of the mark that holds others
_MOST_ASKED = 4096  # cells of one grid of which is told who wrote them


class Gathered:
    """The frames of a walk as data: each mark once, and a frame as the numbers of its marks."""

    def __init__(self, shown: Walk) -> None:
        self._shown = shown
        self._marks, self._values = _Table(), _Table()
        self._masks, self._texts, self._paths = _Table(), _Table(), _Table()
        self._arrays, self._lines = _Table(), _Table()
        self._asked: dict[Hashable, int] = {}
        # The marks of the step before: most of them come again as the same objects.
        self._known: dict[int, tuple[Mark, int]] = {}
        self._places: list[tuple[Any, ...]] = []
        self._first: list[tuple[int, int]] = []  # where each mark was first seen: in which layout, and place
        width, height = shown.view.width, shown.view.height
        sizes = [(width, height)] if height > width else [(width, height), NARROW]
        self._layouts: list[dict[str, Any]] = [
            {"width": width, "height": height, "frames": []} for width, height in sizes
        ]

    def add(self, index: int) -> None:
        """Take a step."""
        program, step, view = self._shown.scene(index)
        place = self._shown.places[index]
        at = moment(program, step, view)
        known: dict[int, tuple[Mark, int]] = {}
        for k, layout in enumerate(self._layouts):
            sized = replace(view, width=layout["width"], height=layout["height"])
            if len(self._layouts) > 1 and layout is self._layouts[1]:
                sized = replace(sized, display=replace(view.display, **_LARGE))
            frame = compose(program, step, sized)
            refs = (self._ref(mark, at, place.part, known) for mark in frame.marks)
            layout["frames"].append([ref for ref in refs if ref >= 0])
            self._first += [(k, len(self._places))] * (len(self._marks) - len(self._first))
        self._known = known
        self._places.append((place.part, step, len(program) - 1, at.operation.name, place.levels, spoken(at)))

    @property
    def said(self) -> str:
        """What is said of the first place."""
        return str(self._places[0][-1])

    def data(self) -> dict[str, Any]:
        """Return all places, with the marks that they are made of."""
        shown = self._shown
        stops = {
            place.stop: (k, self._caption(place.stop))
            for k, place in reversed(list(enumerate(shown.places)))
            if place.stop
        }
        entries = self._marks.entries
        marks = Forms(entries, self._first)
        for k, mark in enumerate(entries):
            if mark[0] == _GROUP:
                marks.replace(k, (*mark[:2], [marks.numbers[ref] for ref in mark[2]]))
        for layout in self._layouts:
            frames = [[marks.numbers[ref] for ref in frame] for frame in layout["frames"]]
            layout["frames"] = packed_frames(frames)
        return {
            "finest": LEVELS.index(shown.finest),
            "places": in_order(self._places),
            "stops": [stops[number] for number in sorted(stops)],
            "layouts": self._layouts,
            "marks": marks.data(),
            "values": packed_arrays(self._values.entries),
            "masks": packed_arrays(self._masks.entries),
            "texts": packed_arrays(self._texts.entries),
            "lines": self._lines.entries,
            "paths": self._paths.entries,
            "arrays": in_order(self._arrays.entries),
        }

    def _caption(self, number: int) -> str:
        return next(stop.caption for stop in self._shown.lesson.sequence if stop.number == number)

    # ------------------------------------------------------------------------------------------- marks

    def _ref(self, mark: Mark, at: Moment, part: int, known: dict[int, tuple[Mark, int]]) -> int:
        """Return the number of a mark; −1 of one that neither shows nor leads anywhere."""
        found = known.get(id(mark)) or self._known.get(id(mark))
        if found is None or (isinstance(mark, Cells) and mark.array):
            made = _AS_DATA[type(mark)](self, mark, at, part, known)
            found = mark, -1 if made is None else self._marks.number(made)
        known[id(mark)] = found
        return found[1]

    def _group(self, mark: Group, at: Moment, part: int, known: dict[int, tuple[Mark, int]]) -> Any:
        refs = (self._ref(inner, at, part, known) for inner in mark.marks)
        return _GROUP, _box(mark.box), tuple(ref for ref in refs if ref >= 0)

    def _label(self, mark: Label, *_: Any) -> Any:
        runs = tuple((run.text, run.role, int(run.bold)) for run in mark.runs)
        return 1, _box(mark.box), runs, _short(mark.size), mark.align, mark.family

    def _rect(self, mark: Rect, *_: Any) -> Any:
        rest = _short(mark.width), _short(mark.radius), int(mark.hatched), int(mark.dashed)
        return 2, _box(mark.box), mark.fill or 0, mark.stroke or 0, *rest

    def _path(self, mark: Path, *_: Any) -> Any:
        rest = _short(mark.width), int(mark.arrow), int(mark.dashed), int(mark.filled)
        return 3, tuple(map(_box, mark.points)), mark.role, *rest

    def _strokes(self, mark: Strokes, *_: Any) -> Any:
        lines = [self._lines.number(_box(line)) for line in mark.lines]
        return 4, tuple(differences(lines)), mark.role, _short(mark.width)

    def _dot(self, mark: Dot, *_: Any) -> Any:
        return 5, _box(mark.center), _short(mark.radius), mark.role

    def _formula(self, mark: Formula, *_: Any) -> Any:
        roles = dict(mark.roles)
        pieces = tuple(
            (
                self._paths.number(piece.path),
                _short(piece.x),
                _short(piece.y),
                piece.scale,
                next((roles[part] for part in piece.parts if part in roles), "ink"),
            )
            for piece in mark.outline.pieces
        )
        return 6, _box(mark.origin), mark.scale, pieces

    def _cells(self, mark: Cells, at: Moment, part: int, _known: Any) -> Any:
        texts = self._texts.number(tuple(chain.from_iterable(mark.texts))) if mark.texts else -1
        asked = self._array(mark, at, part) if mark.array and mark.values.size <= _MOST_ASKED else -1
        return (
            7,
            _box(mark.box),
            self._values.number(tuple(map(_number, mark.values.ravel().tolist()))),
            self._mask(mark.missing),
            self._mask(mark.faint),
            texts,
            mark.values.shape,
            mark.palette,
            mark.limit,
            mark.gap or 0,
            _short(mark.size),
            int(mark.lines),
            asked,
            int(asked >= 0 and _adds(at, mark.array)),
            int(at.letters),
        )

    def _hotspot(self, mark: Hotspot, *_: Any) -> Any:
        return (8, _box(mark.box), mark.kind, mark.name, mark.line) if mark.kind in _LEADING else None

    def _mask(self, mask: NDArray[np.bool_] | None) -> int:
        if mask is None or not mask.any():
            return -1
        return self._masks.number(tuple(map(int, mask.ravel().tolist())))

    def _array(self, mark: Cells, at: Moment, part: int) -> int:
        """Return what a grid's cells are called, and who wrote them."""
        operation, sample = at.operation, at.sample
        where = mark.prefix, mark.origin, mark.axes, mark.flipped
        key = part, operation.name, mark.array, *where, mark.values.shape, sample
        if key not in self._asked:
            rows, columns = mark.values.shape
            told = []
            for r in range(rows):
                for c in range(columns):
                    index = cell_in(operation, mark.array, mark.index_of(r, c), sample)
                    try:
                        told.append(last_writer(at.program, operation, mark.array, index))
                    except IndexError:  # a grid may have cells beside the array's
                        told.append(("", None))
            writers = [writer for writer, _ in told]
            steps = [-1 if step is None else step for _, step in told]
            self._asked[key] = self._arrays.number(
                (
                    symbol(operation, mark.array),
                    mark.prefix,
                    mark.origin,
                    mark.axes,
                    int(mark.flipped),
                    tuple(writers) if len(set(writers)) > 1 else tuple(writers[:1]),
                    tuple(steps) if max(steps) >= 0 else (),
                )
            )
        return self._asked[key]


def _adds(at: Moment, array: str) -> bool:
    return array in at.operation.call.writes and accumulates(at.operation, array)


class _Table:
    """Numbers things in the order in which they come, each once."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: Hashable) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def entries(self) -> list[Any]:
        return list(self._numbers)


_AS_DATA: dict[type, Callable[..., Any]] = {
    Group: Gathered._group,
    Label: Gathered._label,
    Rect: Gathered._rect,
    Path: Gathered._path,
    Strokes: Gathered._strokes,
    Dot: Gathered._dot,
    Formula: Gathered._formula,
    Cells: Gathered._cells,
    Hotspot: Gathered._hotspot,
}


def _short(length: float) -> float:
    """Return a length to the hundredth of a pixel."""
    rounded = round(float(length), 2)
    return int(rounded) if rounded == int(rounded) else rounded


def _box(box: Box | tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(_short, box))


def _number(value: float) -> float | str:
    """Return a number with more digits than are shown; what JSON has no number for, as a word."""
    text = f"{float(value):.9g}"
    if text in ("nan", "inf", "-inf"):
        return text
    return int(float(text)) if float(text).is_integer() else float(text)
