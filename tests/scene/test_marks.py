"""Boxes, and which number a grid shows where."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from cnnviz.scene.marks import Box, Cells, Dot, Frame, Group, Hotspot, Rect, label

# How many indices the array has, by the axes a grid shows of it.
SHOWN = {"rc": 2, "cr": 2, "r": 1, "c": 1, "": 0}


def grid(rows: int, columns: int, **more) -> Cells:
    return Cells(Box(10, 20, 7.3 * columns, 5.1 * rows), np.zeros((rows, columns)), "x", **more)


# --------------------------------------------------------------------------------------------------- boxes


def test_parts_of_a_box_lie_in_it_and_make_it_up():
    box = Box(3, 4, 100, 50)
    assert (box.right, box.bottom, box.center) == (103, 54, (53, 29))
    assert box.inset(5) == Box(8, 9, 90, 40)
    assert box.inset(5, 0) == Box(8, 4, 90, 50)
    assert box.top(20).bottom == box.below(20).y
    assert box.top(20).h + box.below(20).h == box.h
    assert box.below(20).bottom == box.bottom


def test_a_box_never_becomes_less_than_nothing():
    assert Box(0, 0, 10, 10).inset(20) == Box(20, 20, 0, 0)
    assert Box(0, 0, 10, 10).below(30).h == 0
    assert all(column.w == 0 for column in Box(0, 0, 10, 10).columns([1, 1, 1], gap=20))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 3.0], [2.0, 5.0, 2.0]])
def test_columns_fill_a_box_by_their_weights(weights):
    box = Box(7, 9, 300, 40)
    columns = box.columns(weights, gap=10)
    assert columns[0].x == box.x
    assert columns[-1].right == pytest.approx(box.right)
    for one, other in pairwise(columns):
        assert other.x - one.right == pytest.approx(10)
    assert [column.w / columns[0].w for column in columns] == pytest.approx([w / weights[0] for w in weights])
    assert all((column.y, column.h) == (9, 40) for column in columns)


@pytest.mark.parametrize("x, y, w, h", [(0.2, 0.7, 3.9, 4.4), (-1.5, -2.0, 3.0, 1.1), (5, 6, 7, 8)])
def test_whole_is_the_smallest_box_of_whole_pixels_around(x, y, w, h):
    box = Box(x, y, w, h)
    whole = box.whole()
    assert all(float(edge).is_integer() for edge in (whole.x, whole.y, whole.right, whole.bottom))
    assert 0 <= x - whole.x < 1 and 0 <= y - whole.y < 1
    assert 0 <= whole.right - box.right < 1 and 0 <= whole.bottom - box.bottom < 1


def test_a_box_holds_its_left_and_upper_edge_but_not_the_others():
    box = Box(1, 2, 3, 4)
    assert box.contains(1, 2) and box.contains(3.99, 5.99)
    assert not any(box.contains(*at) for at in ((4, 3), (2, 6), (0.99, 3), (2, 1.99)))


# --------------------------------------------------------------------------------------------------- grids

EVERY_GRID = list(product(SHOWN, (False, True), ((0, 0), (3, 5)), ((), (4,), (1, 2))))


@pytest.mark.parametrize("axes, flipped, origin, prefix", EVERY_GRID)
def test_a_cell_and_its_index_lead_to_each_other(axes, flipped, origin, prefix):
    rows, columns = {"r": (6, 1), "c": (1, 6), "": (1, 1)}.get(axes, (3, 4))
    shown = grid(rows, columns, axes=axes, flipped=flipped, origin=origin, prefix=prefix)
    seen = set()
    for row, column in product(range(rows), range(columns)):
        index = shown.index_of(row, column)
        assert index[: len(prefix)] == prefix and len(index) == len(prefix) + SHOWN[axes]
        assert shown.cell_of(index) == (row, column)
        seen.add(index)
    assert len(seen) == rows * columns


@pytest.mark.parametrize("axes", ["rc", "cr"])
def test_cells_show_the_array_they_say(axes):
    """What is written in cell (r, c) is the array at index_of(r, c)."""
    whole = np.arange(2 * 8 * 9).reshape(2, 8, 9)
    part = whole[1, 2:5, 3:7]
    values, origin = (part, (2, 3)) if axes == "rc" else (part.T, (3, 2))
    for flipped in (False, True):
        drawn = values[::-1, ::-1] if flipped else values
        shown = Cells(Box(0, 0, 1, 1), drawn, "x", (1,), origin, axes, flipped=flipped)
        for row, column in np.ndindex(*drawn.shape):
            assert whole[shown.index_of(row, column)] == drawn[row, column]


@pytest.mark.parametrize("axes, flipped, origin, prefix", EVERY_GRID)
def test_an_index_that_is_not_shown_has_no_cell(axes, flipped, origin, prefix):
    rows, columns = {"r": (6, 1), "c": (1, 6), "": (1, 1)}.get(axes, (3, 4))
    shown = grid(rows, columns, axes=axes, flipped=flipped, origin=origin, prefix=prefix)
    inside = {shown.index_of(row, column) for row, column in product(range(rows), range(columns))}
    count = len(prefix) + SHOWN[axes]
    around = set(product(range(-1, 12), repeat=count)) if count < 3 else set(product(range(9), repeat=count))
    assert {index for index in around if shown.cell_of(index) is not None} == inside & around
    assert shown.cell_of((*shown.index_of(0, 0), 0)) is None


def test_boxes_of_cells_tile_the_grid():
    shown = grid(3, 4)
    assert shown.box_of(0, 0, 3, 4) == shown.box
    assert shown.box_of(2, 3).right == pytest.approx(shown.box.right)
    assert shown.box_of(1, 1).x == pytest.approx(shown.box_of(1, 0).right)
    window = shown.box_of(1, 2, 2, 2)
    assert (window.x, window.y) == (shown.box_of(1, 2).x, shown.box_of(1, 2).y)
    assert window.bottom == pytest.approx(shown.box.bottom)


# ------------------------------------------------------------------------------------------------- pointing


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_point_leads_to_the_cell_under_it(grouped, flipped):
    shown = grid(3, 4, prefix=(2,), origin=(5, 0), flipped=flipped)
    frame = framed(shown, grouped)
    for row, column in product(range(3), range(4)):
        assert frame.at(*shown.box_of(row, column).center) == (shown, shown.index_of(row, column))
    assert frame.at(9.9, 25) is None and frame.at(15, 19.9) is None


@pytest.mark.parametrize("side", [5.0, 10.217499876454069, 33.3])
@pytest.mark.parametrize("rows, columns", [(1, 1), (3, 7), (27, 13), (49, 49)])
def test_every_point_of_a_grid_leads_to_a_cell_of_it(rows, columns, side):
    """On the last hair's breadth, too."""
    box = Box(3.7, 202.4858938478794, side * columns, side * rows)
    shown = Cells(box, np.zeros((rows, columns)), "x")
    for x, y in product((box.x, np.nextafter(box.right, 0)), (box.y, np.nextafter(box.bottom, 0))):
        found = Frame(2000, 2000, (shown,)).at(float(x), float(y))
        assert found is not None and shown.cell_of(found[1]) is not None


@pytest.mark.parametrize("grouped", [False, True])
def test_the_topmost_of_two_grids_is_pointed_at(grouped):
    below, above = grid(3, 4), grid(2, 2, prefix=(9,))
    frame = framed((below, above), grouped)
    assert frame.at(11, 21)[0] is above
    assert frame.at(35, 34)[0] is below


def test_grids_of_no_array_are_looked_through():
    real = grid(3, 4)
    picture_only = Cells(real.box, real.values)
    assert Frame(100, 100, (real, picture_only, Dot((12, 22), 9, "ink"))).at(11, 21)[0] is real
    assert Frame(100, 100, (picture_only,)).at(11, 21) is None


@pytest.mark.parametrize("grouped", [False, True])
def test_the_topmost_spot_is_clicked(grouped):
    row, gradient = Hotspot(Box(0, 0, 100, 20), "layer", "fc"), Hotspot(Box(60, 0, 40, 20), "gradient", "fc")
    frame = framed((row, label(Box(0, 0, 100, 20), "fc", 12), gradient), grouped)
    assert frame.spot_at(10, 10) is row
    assert frame.spot_at(70, 10) is gradient
    assert frame.spot_at(10, 20) is None


def framed(marks, grouped: bool) -> Frame:
    marks = marks if isinstance(marks, tuple) else (marks,)
    ground = Rect(Box(0, 0, 500, 500), "ground")
    return Frame(500, 500, (Group(ground.box, (ground, *marks)),) if grouped else (ground, *marks))
