"""Long rows and columns are shown page by page: what is looked at is there, and no page is nearly empty."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QFontMetricsF

from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.fonts import font
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.kinds import linear
from cnnviz.scene.layout import Room
from cnnviz.scene.marks import Box, Label
from cnnviz.scene.sheet import page_of
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, grids

SIZES = [(1920, 1080), (1280, 720)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 31])
def test_every_place_is_on_its_page_and_every_page_is_as_long_as_the_row_allows(count):
    for k in range(count):
        page = page_of(k, count, 8)
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


@pytest.mark.usefixtures("qapp")
def test_the_names_of_a_pages_rows_stand_before_them_with_their_powers_of_ten():
    """In the size of the others: made smaller to fit, they could not be read."""
    network = Network([("fc", Linear(40, 12))], (40,), HalfSquaredError())
    network.initialise(1)
    made = Program(network.calls(network.run(np.linspace(1e-7, 9e-6, 40), np.zeros(12))))
    at = moment(made, made.find("fc", line=5, n=11, m=30))
    marks = list(all_marks(linear.forward(at, Room(Box(0, 0, 1072, 548), 17, 13))))
    heads = [m for m in marks if isinstance(m, Label) and m.size == 17 and "10" in m.runs[0].text]
    heads = [m for m in heads if len(m.runs) == 1]
    assert heads
    for head in heads:
        metrics = QFontMetricsF(font("sans", 17, head.runs[0].bold))
        assert metrics.horizontalAdvance(head.runs[0].text) <= head.box.w, head.runs[0].text
