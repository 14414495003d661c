"""The stage uses its room: what grids, signs and bars make of a small window."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Frame, Group, Label, Rect
from tests.scene.looking import grids, in_pane, overlap, panes, said
from tests.scene.programs import view


def framed(name: str, operation: str, line: int, **variables: int) -> Frame:
    program = load_lesson(name).program
    return compose(program, program.find(operation, line=line, **variables), view(program, 1280, 720))


def labels(frame: Frame) -> list[tuple[str, Label]]:
    return [(said([mark])[0], mark) for mark in in_pane(frame, "stage") if isinstance(mark, Label)]


def test_a_sign_between_grids_is_not_painted_over():
    """The ∗ beside the stack of ∂E/∂y lost its left half to the ground around the stack."""
    frame = framed("digits", "conv1.dx", 9, o=3, p=3, q=3, u=2, v=2)
    signs = {text: mark for text, mark in labels(frame) if text in ("∗", "=") and mark.family == "math"}
    assert set(signs) == {"∗", "="}
    for text, sign in signs.items():
        (x, y), half = sign.box.center, 0.42 * sign.size
        glyph = Box(x - half, y - half, 2 * half, 2 * half)
        for over in frame.marks[frame.marks.index(sign) + 1 :]:
            assert not isinstance(over, Group) or min(overlap(over.box, glyph)) <= 0, (text, over.box)


def test_in_a_small_window_numbers_of_a_large_map_are_enlarged_rather_than_tiny():
    frame = framed("digits", "conv1.dx", 9, o=3, p=3, q=3, u=2, v=2)
    assert min(grid.size for grid in grids(frame) if grid.texts) >= 10


def test_small_arrays_make_use_of_the_room():
    """Of the maps of 2 × 2 at the first stop of `residual`, a third of the stage was left empty."""
    frame = framed("residual", "conv", 2)
    pane = panes(frame)["stage"]
    assert max(grid.box.right for grid in grids(frame)) - pane.x > 0.8 * pane.w


def test_bars_have_their_numbers_and_an_axis_with_its_ends():
    frame = framed("digits", "softmax", 10, n=4)
    (left,) = [mark.box.x for text, mark in labels(frame) if text == "y"]
    beside = [(text, mark.box) for text, mark in labels(frame) if mark.box.x >= left]
    column = next(grid for grid in grids(frame) if grid.array == "y")
    assert [text for text, _ in beside if "." in text] == [text for (text,) in column.texts if text]
    ends = {text: box.center[0] for text, box in labelled_under(frame, column.box.bottom) if text in "01"}
    bars = [m.box for m in in_pane(frame, "stage") if isinstance(m, Rect) and m.fill == "written_line"]
    largest = np.asarray(column.values)[:5].max()
    length = max(bar.w for bar in bars)
    assert length / (ends["1"] - ends["0"]) == pytest.approx(largest, rel=0.01)


def labelled_under(frame: Frame, bottom: float) -> list[tuple[str, Box]]:
    return [(text, mark.box) for text, mark in labels(frame) if 0 <= mark.box.y - bottom < 12]
