"""Long rows and columns are shown page by page: what is looked at is there, and no page is nearly empty."""

from __future__ import annotations

import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import View, compose
from cnnviz.scene.pictures.linear import page_of
from tests.scene.looking import grids

SIZES = [(1920, 1080), (1280, 720)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 31])
def test_every_place_is_on_its_page_and_every_page_is_as_long_as_the_row_allows(count):
    for k in range(count):
        page = page_of(k, count)
        assert k in page and page[-1] < count
        assert len(page) == min(8, count)


@pytest.mark.parametrize("size", SIZES)
def test_the_last_weights_of_a_gradient_stand_on_a_page_as_long_as_the_first(size):
    program = load_lesson("digits").program
    shapes = []
    for m in (0, 31):
        frame = compose(program, program.find("fc.dw", m=m, n=9, line=4), View(*size))
        shapes.append([grid.values.shape for grid in grids(frame) if grid.array == "dw"])
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("size", SIZES)
def test_the_last_number_of_a_column_stands_on_a_page_as_long_as_the_first(size):
    program = load_lesson("digits").program
    shapes = []
    for index in ((0, 0, 0), (7, 1, 1)):
        c, i, j = index
        frame = compose(program, program.find("flatten", line=5, c=c, i=i, j=j), View(*size))
        shapes.append([grid.values.shape for grid in grids(frame) if grid.array == "y"])
    assert shapes[0] == shapes[1]
