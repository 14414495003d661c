"""In frames of every operation: texts can be read and nothing painted lies on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from cnnviz.render.text import SMALLEST, lay_out
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Box, Cells, Frame, Label, Mark, Path
from cnnviz.scene.moment import Moment
from cnnviz.trace.stops import next_run
from tests.render.ink import ink
from tests.scene.looking import PANES, all_marks, in_pane, inside, panes, said
from tests.scene.programs import NAMES, program, view
from tests.scene.test_frame import TELLING, where

FULL, SMALL = (1920, 1080), (1280, 720)


class Shown(NamedTuple):
    """A step, its frame, and the marks of each pane."""

    at: Moment
    frame: Frame
    marks: dict[str, list[Mark]]


@pytest.fixture(
    scope="module",
    params=[*((name, FULL) for name in NAMES), *((name, SMALL) for name in TELLING)],
    ids=lambda p: f"{p[0]}-{p[1][0]}",
)
def shown(request) -> list[Shown]:
    """A term in the middle of every operation; at full size, the last step too."""
    name, size = request.param
    made = program(name)
    found = []
    for operation in made.operations:
        innermost = max(
            range(2, len(operation.tree.source) + 1), key=lambda k: indent(operation.tree.source[k - 1])
        )
        offsets = {next_run(operation, len(operation) // 2, innermost) or len(operation) - 1}
        if size == FULL:
            offsets.add(len(operation) - 1)
        for offset in sorted(offsets):
            step = made.start(operation.name) + offset
            frame = compose(made, step, view(made, *size))
            found.append(Shown(moment(made, step), frame, {pane: in_pane(frame, pane) for pane in PANES}))
    return found


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def texts(marks: list[Mark]) -> list[tuple[str, Box]]:
    """Each label's text with where its ink is; what is painted twice at one place counts once."""
    found = {}
    for mark in marks:
        if isinstance(mark, Label) and (painted := ink(mark)):
            x, y = painted.center
            found.setdefault((said([mark])[0], round(x / 3), round(y / 3)), painted)
    return [(text, box) for (text, *_), box in found.items()]


def overlaps(some: list[Box], others: list[Box]) -> list[tuple[int, int]]:
    """Which of some boxes and of others lie in one another by more than a pixel."""
    if not some or not others:
        return []
    one, other = (
        np.array([(box.x, box.y, box.right, box.bottom) for box in boxes]) for boxes in (some, others)
    )
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    return [(int(k), int(j)) for k, j in np.argwhere((high - low > 1).all(axis=2))]


def test_labels_do_not_overlap(shown):
    for at, frame, marks in shown:
        for pane in PANES:
            labels = texts(marks[pane])
            boxes = [box for _, box in labels]
            around = panes(frame)[pane]
            assert all(inside(box, around, 0.5) for box in boxes), (pane, where(at))
            found = {(labels[k][0], labels[j][0]) for k, j in overlaps(boxes, boxes) if k < j}
            # The name of the operation in hand is painted over itself, in bold.
            assert not {pair for pair in found if pair[0] != pair[1]}, (pane, where(at))


def test_labels_and_grids_do_not_overlap(shown):
    for at, _, marks in shown:
        grids = [mark for mark in marks["stage"] if isinstance(mark, Cells)]
        labels = texts(marks["stage"])
        found = overlaps([box for _, box in labels], [grid.box for grid in grids])
        assert not found, ([(labels[k][0], grids[j].array) for k, j in found], where(at))


def test_no_line_crosses_a_text(shown):
    """But the names of a graph's edges, which stand on a ground of their own."""
    for at, _, marks in shown:
        if at.operation.call.expression:
            continue
        labels = texts(marks["stage"])
        lines = [mark for mark in marks["stage"] if isinstance(mark, Path) and not mark.filled]
        for line in lines:
            for text, box in labels:
                assert not crosses(line, box), (text, line.points, where(at))


def test_no_arrow_crosses_a_number(shown):
    for at, _, marks in shown:
        arrows = [mark for mark in marks["stage"] if isinstance(mark, Path) and mark.arrow]
        for arrow in arrows:
            for box, text in numbers(marks["stage"]):
                assert not crosses(arrow, box.inset(3)), (text, arrow.points, where(at))


def crosses(line: Path, box: Box) -> bool:
    for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
        count = int(max(abs(x1 - x0), abs(y1 - y0))) + 2
        xs, ys = np.linspace(x0, x1, count), np.linspace(y0, y1, count)
        if ((xs > box.x) & (xs < box.right) & (ys > box.y) & (ys < box.bottom)).any():
            return True
    return False


def numbers(marks: list[Mark]) -> Iterator[tuple[Box, str]]:
    """The cells with a number in them."""
    for mark in all_marks(marks):
        if isinstance(mark, Cells) and mark.texts:
            for row, column in np.ndindex(*mark.values.shape):
                if mark.texts[row][column]:
                    yield mark.box_of(row, column), mark.texts[row][column]


def test_every_number_fits_its_cell(shown):
    for at, frame, _ in shown:
        for mark in all_marks(frame.marks):
            if isinstance(mark, Cells) and mark.texts:
                width, height = mark.cell
                size = max(SMALLEST, float(round(mark.size)))
                widest = max(lay_out(text, "sans", size).width for row in mark.texts for text in row)
                assert widest <= width + 0.5, (mark.array, where(at))
                assert size <= height, (mark.array, where(at))


def test_every_text_is_there_to_its_end(shown):
    """It may be made smaller, to two thirds if it is rare, but at these sizes nothing is cut off."""
    for at, frame, marks in shown:
        for pane in PANES:
            for mark in marks[pane]:
                if isinstance(mark, Label) and said([mark])[0]:
                    width = sum(
                        lay_out(run.text, mark.family, mark.size, run.bold).width for run in mark.runs
                    )
                    fits = mark.box.w / width if width else 1.0
                    assert fits >= 0.55 and mark.size * min(1.0, fits) >= 0.85 * SMALLEST * view_unit(
                        frame
                    ), (
                        said([mark])[0],
                        where(at),
                    )


def view_unit(frame: Frame) -> float:
    return frame.height / 1080
