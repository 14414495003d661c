"""Arrays too large for their numbers: the page that is enlarged, and where on the whole it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cnnviz.scene.frame import compose, moment, stage
from cnnviz.scene.marks import Box, Cells, Frame, Label, Path, Rect
from tests.scene.looking import all_marks, grids, in_pane, said
from tests.scene.programs import program, view

SIZES = (1920, 1080), (1280, 720)


def frame_at(operation: str, size=(1920, 1080), line: int | None = None, **variables: int) -> Frame:
    made = program("tiny_vgg")
    return compose(made, made.find(operation, line, **variables), view(made, *size))


def page(frame: Frame, array: str) -> Cells:
    (found,) = (grid for grid in grids(frame) if grid.array == array)
    return found


def whole(frame: Frame, array: str) -> Cells:
    """The heatmap of the current map."""
    (found,) = (
        mark
        for mark in all_marks(frame.marks)
        if isinstance(mark, Cells) and mark.array == array and not mark.texts
    )
    return found


@pytest.mark.parametrize("size", SIZES)
def test_the_window_is_on_the_page_with_its_neighbours_wherever_it_stands(size):
    for i, j in ((0, 0), (1, 3), (17, 23), (30, 58), (59, 59)):
        shown = page(frame_at("conv1_2", size, 9, o=2, i=i, j=j, c=1, u=1, v=1), "x")
        (top, left), (rows, columns) = shown.origin, shown.values.shape
        assert top <= max(0, i - 1) and min(62, i + 4) <= top + rows
        assert left <= max(0, j - 1) and min(62, j + 4) <= left + columns
        assert shown.prefix == (1,)


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_where_there_is_room_for_the_window(size):
    """Under the whole, or beside it."""
    for p, q in ((0, 0), (7, 38), (61, 61)):
        shown = page(frame_at("conv1_2.dx", size, 9, c=5, p=p, q=q, o=8), "dy")
        (top, left), (rows, columns) = shown.origin, shown.values.shape
        assert top <= p and p + 3 <= top + rows
        assert left <= q and q + 3 <= left + columns


def test_a_page_stands_still_while_the_window_walks_through_it():
    origins = [page(frame_at("conv1_2", line=9, o=2, i=20, j=j), "x").origin for j in range(60)]
    turns = sum(one != other for one, other in pairwise(origins))
    assert 10 <= turns <= 30
    assert {top for top, _ in origins} == {origins[0][0]}
    again = [page(frame_at("conv1_2", line=9, o=2, i=20, j=j), "x") for j in (20, 21)]
    assert (again[0] is again[1]) == (origins[20] == origins[21]), "and its picture is kept"


@pytest.mark.parametrize(
    "operation, line, variables",
    [
        ("conv1_1", 9, {"o": 4, "i": 40, "j": 7, "c": 2, "u": 2}),
        ("relu1_1", 5, {"c": 3, "i": 61, "j": 61}),
        ("pool1", 10, {"c": 9, "i": 15, "j": 2, "u": 1}),
        ("pool1.dx", 7, {"c": 1, "i": 3, "j": 28}),
        ("conv1_2.dx", 9, {"c": 3, "p": 33, "q": 12, "o": 7, "v": 2}),
        ("conv1_2.dw", 9, {"o": 5, "c": 2, "v": 2, "i": 44, "j": 59}),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_framed_on_the_whole_and_named(operation, line, variables, size):
    frame = frame_at(operation, size, line, **variables)
    pages = [grid for grid in grids(frame) if grid.array not in ("w", "dw")]
    assert pages
    frames = [mark.box for mark in all_marks(frame.marks) if isinstance(mark, Rect) and mark.stroke == "ink"]
    for shown in pages:
        (rows, columns), (top, left) = shown.values.shape, shown.origin
        heatmap = whole(frame, shown.array)
        assert heatmap.box_of(top, left, rows, columns) in frames
        assert heatmap.cell[0] == pytest.approx(heatmap.cell[1]), "a map keeps its form"
        named = ", ".join(said(in_pane(frame, "stage")))  # in one line or in two
        assert f"rows {top}…{top + rows - 1}, columns {left}…{left + columns - 1}" in named


def test_at_a_loops_header_the_page_stays_where_it_was():
    made = program("tiny_vgg")
    read = made.find("conv1_2.dw", 9, o=5, c=2, u=1, v=2, i=44, j=30)
    before, after = (compose(made, index, view(made)) for index in (read, read + 1))
    assert made[read + 1].line == 8, "the header of the innermost loop"
    for name in ("x", "dy"):
        assert page(before, name).origin == page(after, name).origin


def test_what_comes_and_what_goes_have_pages_of_one_size():
    frame = frame_at("relu1_1", line=5, c=3, i=31, j=10)
    x, y = page(frame, "x"), page(frame, "y")
    assert x.values.shape == y.values.shape and x.origin == y.origin
    assert (x.box.w, x.box.h) == (y.box.w, y.box.h)


def test_the_channels_stand_behind_the_whole():
    frame = frame_at("conv1_2", line=9, o=2, i=30, j=30)
    front = whole(frame, "x").box
    behind = [
        mark
        for mark in all_marks(frame.marks)
        if isinstance(mark, Cells) and mark.values.shape == (62, 62) and not mark.array
    ]
    assert len(behind) == 3
    assert all(mark.box.x > front.x and mark.box.y < front.y for mark in behind)


@pytest.mark.parametrize("size", SIZES)
def test_ten_rows_of_1690_weights_can_be_told_apart(size):
    unit = size[1] / 1080
    weights = whole(frame_at("fc", size, 5, n=3, m=900), "w")
    assert weights.values.shape == (10, 1690)
    assert weights.cell[1] >= 12 * unit
    gradient = whole(frame_at("fc.dw", size, 4, m=900, n=3), "dw")
    assert gradient.values.shape == (1690, 10) and gradient.cell[0] >= 12 * unit


def test_a_thumbnail_of_large_maps_has_no_more_cells_than_can_be_seen():
    frame = frame_at("pool1", line=10, c=3)
    tiles = [mark for mark in in_pane(frame, "network") if isinstance(mark, Cells)]
    assert tiles
    for tile in tiles:
        rows, columns = tile.values.shape
        if rows > 1:
            assert columns <= 3 * tile.box.w and rows <= 3 * tile.box.h
            assert np.isfinite(tile.values).any()


def test_the_way_of_a_sum_goes_around_what_is_said_of_its_page():
    """In the lecture view the page stands beside the whole."""
    made = program("tiny_vgg")
    for i, j in ((7, 23), (20, 59), (59, 0)):
        at = moment(made, made.find("conv1_2", 9, o=5, i=i, j=j, u=1))
        marks = list(all_marks(stage(at, Box(0, 0, 1920, 1012), 1.3)))
        ways = [mark for mark in marks if isinstance(mark, Path) and mark.arrow]
        texts = [mark.box for mark in marks if isinstance(mark, Label) and mark.runs[0].text]
        assert len(ways) == 1
        for one, other in pairwise(ways[0].points):
            left, right = sorted((one[0], other[0]))
            top, bottom = sorted((one[1], other[1]))
            for box in texts:
                width = min(box.w, 200)
                assert not (
                    left < box.x + width and right > box.x and top < box.bottom - 4 and bottom > box.y + 4
                )
