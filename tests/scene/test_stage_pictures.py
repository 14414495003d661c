"""What the pictures of the first lessons must show beside their grids."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import pytest
from PySide6.QtGui import QFontMetricsF

from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.render.fonts import font
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment, stage
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Label, Path, Rect, Strokes
from cnnviz.scene.view import View
from tests.scene.looking import all_marks, grids, in_pane, said
from tests.scene.programs import program


@lru_cache
def lesson(name: str) -> Lesson:
    return load_lesson(name)


def at_stop(name: str, number: int) -> Frame:
    """The frame of a lesson's stop, which are counted from 1."""
    shown = lesson(name)
    return compose(shown.program, shown.stops[number - 1].index, View(title=shown.title, stops=shown.stops))


def test_a_kernel_is_drawn_as_deep_as_its_input():
    frame = at_stop("depth", 4)
    kernel = next(grid for grid in grids(frame) if grid.array == "w")
    behind = [
        mark
        for mark in all_marks(frame.marks)
        if isinstance(mark, Cells)
        and not mark.array
        and (mark.box.w, mark.box.h) == (kernel.box.w, kernel.box.h)
        and mark.box.x > kernel.box.x
        and mark.box.y < kernel.box.y
    ]
    assert len(behind) == 2
    assert kernel.prefix == (0, 0)


def test_the_channels_sums_end_in_their_sum():
    assert said(in_pane(at_stop("depth", 4), "stage")).count("sum") == 1
    partly, whole = (said(in_pane(at_stop("depth", number), "stage")) for number in (5, 6))
    after = [texts[texts.index("sum") + 1] for texts in (partly, whole)]
    assert after == ["", "16"]


def test_no_arrow_lies_on_the_scale_of_the_output():
    """Right under the last row is the scale."""
    frame = at_stop("depth", 7)
    output = next(grid for grid in grids(frame) if grid.array == "y")
    arrow = next(mark for mark in all_marks(frame.marks) if isinstance(mark, Path) and mark.arrow)
    end = next(
        mark
        for mark in all_marks(frame.marks)
        if isinstance(mark, Label) and mark.runs[0].text == "20" and mark.box.y > output.box.bottom
    )
    written = end.box.x + 0.65 * end.size * len(end.runs[0].text)
    assert output.box.x < end.box.x < output.box.right
    assert all(not end.box.x < x < written or y < end.box.y for x, y in arrow.points)


def test_softmax_says_what_its_columns_add_up_to():
    running, done = (said(in_pane(at_stop("sigmoid-softmax", number), "stage")) for number in (7, 8))
    assert "total 1.360" in running
    assert "sum 1.000" in done
    assert not any(text.startswith("sum") for text in running)


def test_both_ends_of_the_bars_and_their_0_are_written():
    """Of gradients, the lower end had no number: it would have stood on the heading."""
    made = program("digits")
    for width, height in ((1280, 720), (1920, 1080)):
        for operation, ends in (("softmax.dx", ["∂E/∂x", "−0.5", "0", "0.5"]), ("loss", ["y", "0", "1"])):
            step = made.start(operation) + len(made.operation(operation)) - 1
            marks = in_pane(compose(made, step, View(width=width, height=height)), "stage")
            column = [mark for mark in marks if isinstance(mark, Cells) and len(mark.texts) == 10][-1]
            top = [m for m in marks if isinstance(m, Label) and m.box.x > column.box.right]
            top = [m for m in top if 0 <= column.box.y - m.box.bottom < m.size]
            top = sorted(top, key=lambda mark: mark.box.x)
            assert said(top) == ends
            assert all(a.box.right <= b.box.x or a.runs[0].bold for a, b in pairwise(top))


def test_sizes_of_many_powers_of_ten_are_all_seen():
    """From 0 on, the largest bar alone was seen; beside it stood 3.22 where the cell says 3.2."""
    marks = in_pane(at_stop("vanishing", 5), "stage")
    column = next(mark for mark in marks if isinstance(mark, Cells))
    bars = [m.box for m in marks if isinstance(m, Rect) and m.fill == "written_line"]
    powers = [math.log10(value) for value in column.values[:, 0].tolist()]
    assert [bar.w / bars[-1].w for bar in bars] == pytest.approx(
        [(power + 16) / (powers[-1] + 16) for power in powers]
    )
    texts = [text for (text,) in column.texts]
    assert texts[0] == "3.2·10⁻¹⁶" and {"10⁻¹⁶", "0.1"} <= {*said(marks)}
    assert all(said(marks).count(text) == 1 for text in texts), "beside its bar, as in the cell"
    level = in_pane(at_stop("vanishing", 8), "stage")  # these are alike: from 0 on
    assert {"0", "0.1"} <= {*said(level)}


def test_a_new_row_lies_between_those_that_count_in_it():
    """Row 1 of 4 lies a quarter of the way from row 0 to row 1 of 2, by hand; both have lines to it."""
    marks = in_pane(at_stop("transposed", 8), "stage")
    (dot,) = [mark for mark in marks if isinstance(mark, Dot)]
    first, second = (m.box.center[1] for m in marks if isinstance(m, Rect) and m.fill == "source_fill")
    assert (dot.center[1] - first) / (second - first) == pytest.approx(0.25)
    ways = [m.points for m in marks if isinstance(m, Path) and m.role == "written_line"]
    assert [way[0] for way in ways] == [dot.center] * 2
    assert [way[1][1] for way in ways] == pytest.approx([first, second])
    assert "row 1: s = 0.25" in said(marks)


def test_the_largest_score_is_written_as_the_score_that_it_is():
    stage = said(in_pane(at_stop("sigmoid-softmax", 6), "stage"))
    assert "e[2] = exp(2.493 − 2.493) = 1.000" in stage


def test_variables_of_whole_numbers_have_no_decimals_and_others_do():
    assert "44" in said(in_pane(at_stop("convolution", 4), "debugger"))
    brightness = said(in_pane(at_stop("image", 3), "debugger"))
    assert "120" in brightness
    assert "0.47" in brightness


def test_no_caption_is_broken_within_a_word():
    assert not any(text.endswith("cross-") for text in said(at_stop("convolution", 6).marks))


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
@pytest.mark.parametrize("name, operation", [("digits", "relu1"), ("digits", "relu2"), ("columns", "relu")])
@pytest.mark.parametrize("letters", [False, True])
def test_what_is_clipped_is_struck_through_around_its_number_or_name(name, operation, size, letters):
    made = program(name)
    last = made.start(operation) + len(made.operation(operation)) - 1
    values = made.state(last).arrays["x"]
    frame = compose(made, last, View(*size, display=Display(letters=letters)))
    shown = next(grid for grid in grids(frame) if grid.array == "x")
    strokes = [mark for mark in frame.marks if isinstance(mark, Strokes)]
    assert strokes
    rows, columns = shown.values.shape
    for row in range(rows):
        for column in range(columns):
            cell = shown.box_of(row, column)
            own = [line for mark in strokes for line in mark.lines if cell.contains(*middle(line))]
            assert bool(own) == (values[shown.index_of(row, column)] < 0)
            number = ink(shown.texts[row][column], shown.size, cell)
            assert not any(number.contains(*place) for line in own for place in along(line))


@pytest.mark.parametrize(
    "operation, line, place",
    [
        ("conv2.dw", 9, {"o": 2, "c": 1, "u": 1, "v": 2, "i": 2, "j": 1}),
        ("conv2.dx", 9, {"c": 1, "p": 2, "q": 2, "o": 1, "u": 2, "v": 1}),
        ("relu1", 5, {"c": 1, "i": 4, "j": 3}),
    ],
)
def test_low_maps_have_wide_cells_so_that_their_numbers_are_large(operation, line, place):
    """In the lecture view there is little height, and room at the sides."""
    made, unit = program("digits"), 1.3
    at = moment(made, made.find(operation, line=line, **place))
    marks = list(all_marks(stage(at, Box(0, 0, 1920, 1080 - 52 * unit), unit, True)))
    shown = [mark for mark in marks if isinstance(mark, Cells) and mark.array and mark.texts]
    assert len(shown) > 1
    assert min(mark.size for mark in shown) >= 27
    for mark in shown:
        wide, high = mark.cell
        assert high <= wide <= 2.05 * high, mark.array
    if operation == "relu1":
        assert len({mark.cell for mark in shown}) == 1, "what goes in and what comes out are alike"


def middle(line: tuple[float, ...]) -> tuple[float, float]:
    return (line[0] + line[2]) / 2, (line[1] + line[3]) / 2


def along(line: tuple[float, ...]) -> list[tuple[float, float]]:
    x, y, right, top = line
    return [(x + (right - x) * k / 40, y + (top - y) * k / 40) for k in range(41)]


def ink(text: str, size: float, cell: Box) -> Box:
    """Where a number's ink is, or a name's with its index under the line, in the middle of its cell."""
    metrics = QFontMetricsF(font("sans", max(8, round(size)), False))
    wide, over = metrics.horizontalAdvance(text), metrics.tightBoundingRect(text)
    x, y = cell.center
    line = y + (metrics.ascent() - metrics.descent()) / 2
    return Box(x - wide / 2, line + over.top(), wide, over.height())
