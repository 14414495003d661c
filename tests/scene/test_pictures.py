"""What single pictures owe beyond what every frame does."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.frame import stage as stage_marks
from cnnviz.scene.marks import Box, Cells, Frame, Label, Mark, Path, Rect
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, in_pane, overlap
from tests.scene.programs import program, view


@cache
def lesson(name: str) -> Program:
    return load_lesson(name).program


def frame(made: Program, operation: str, line: int, letters: bool = False, **variables: int) -> Frame:
    step = made.find(operation, line=line, **variables)
    return compose(made, step, replace(view(made), display=Display(letters=letters)))


def stage(shown: Frame) -> list[Mark]:
    return list(in_pane(shown, "stage"))


def texts(marks: list[Mark]) -> list[str]:
    return ["".join(run.text for run in mark.runs) for mark in all_marks(marks) if isinstance(mark, Label)]


def grid(marks: list[Mark], array: str) -> Cells:
    found = [m for m in all_marks(marks) if isinstance(m, Cells) and m.array == array and m.texts]
    return found[0]


@pytest.mark.parametrize(
    ("operation", "line", "headings"),
    [
        ("conv", 10, ["x[0]  X, the network's input", "w[0, 0]  f, kernel", "y[0]  Z₁, output map"]),
        ("conv.dw", 9, ["∂E/∂y[0]  ∂E/∂Z₁, from sigma1", "∂E/∂w[0, 0]  ∂E/∂f, kernel gradient"]),
        ("fc", 6, ["X = A₁  4 × 1", "Z = Z₂  2 × 1"]),
        ("fc.dw", 4, ["x  A₁, 4 × 1", "∂E/∂w  ∂E/∂W, 4 × 2"]),
        ("loss", 4, ["y  O, output"]),
        ("conv.w", 3, ["old w (f)", "new w (f)", "∂E/∂f  gradient"]),
        ("conv.b", 3, ["old b", "new b", "∂E/∂b  gradient"]),
    ],
)
def test_headings_say_what_the_lesson_calls_an_array(operation, line, headings):
    said = texts(stage(frame(lesson("backward-conv"), operation, line)))
    for heading in headings:  # in one line, or the name over what it says
        assert heading in said or set(heading.split("  ")) <= {*said}, heading


def test_products_of_an_input_gradient_have_the_decimals_and_colours_of_their_sum():
    marks = stage(frame(lesson("backward-conv"), "fc.dx", 6, m=0))
    products = next(m for m in all_marks(marks) if isinstance(m, Cells) and m.texts and not m.array)
    assert products.texts == (("−0.0342", "−0.0378"),)
    assert products.palette == grid(marks, "dx").palette == "gradient"


@pytest.mark.parametrize(
    ("name", "place"), [("digits", {"m": 13, "n": 8}), ("backward-fc", {"m": 0, "n": 0})]
)
def test_the_numbers_of_a_weight_gradient_are_as_large_as_text(name, place):
    drawn = grid(stage(frame(lesson(name), "fc.dw", 4, **place)), "dw")
    assert drawn.size >= 15  # of 1080 lines


def test_the_update_of_a_kernel_is_drawn_in_its_own_shape():
    made = program("digits")
    marks = stage(frame(made, "conv1.w", 3, n=22))
    rows = [m for m in all_marks(marks) if isinstance(m, Cells) and m.array == "w" and m.texts]
    assert [row.values.shape for row in rows] == [(1, 3)] * 3
    assert [row.index_of(0, 0) for row in rows] == [(18,), (21,), (24,)]
    assert len({row.box.x for row in rows}) == 1
    assert [row.box.y for row in rows] == [rows[0].box.y + k * rows[0].box.h for k in range(3)]


def test_the_last_page_of_an_update_is_as_full_as_the_others():
    made = program("digits")
    first, last = (grid(stage(frame(made, "fc.w", 3, n=n)), "w") for n in (0, 319))
    assert first.values.shape == last.values.shape
    assert last.index_of(0, last.values.shape[1] - 1) == (319,)


def test_the_terms_of_a_cross_entropy_are_as_large_as_those_of_other_sums():
    marks = stage(frame(program("digits"), "loss", 5))
    (term,) = (
        m
        for m in all_marks(marks)
        if isinstance(m, Label) and m.runs[-1].text == ")" and "log" in str(m.runs)
    )
    assert term.size == pytest.approx(20, abs=1)


@pytest.mark.parametrize("cell", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_way_into_an_output_cell_ends_on_no_number_of_the_scale(cell):
    made = lesson("forward")
    i, j = cell
    shown = frame(made, "conv", 10, i=i, j=j)
    marks = [mark for mark in all_marks(stage(shown))]
    on_y = grid(marks, "y")
    arrow = next(m for m in marks if isinstance(m, Path) and m.arrow)
    below = on_y.box._replace(y=on_y.box.bottom, h=30)
    numbers = [m for m in marks if isinstance(m, Label) and min(overlap(m.box, below)) > 0]
    assert len(numbers) == 2
    for number in numbers:
        wide = 0.5 * number.size * sum(len(run.text) for run in number.runs)
        left = number.box.right - wide if number.align == "right" else number.box.x
        assert not any(left < x < left + wide and y > number.box.y for x, y in arrow.points), number.runs


@pytest.mark.parametrize(
    ("name", "operation", "line", "array"),
    [
        ("digits", "pool1", 11, "x"),
        ("digits", "pool1.dx", 7, "dy"),
        ("large", "pool", 11, "x"),  # its numbers stand on a page of the grid
        ("large", "pool.dx", 7, "dy"),
    ],
)
def test_the_way_of_a_maximum_begins_at_the_cell_it_comes_from(name, operation, line, array):
    made = program(name)
    step = made.find(operation, line=line, c=1, i=1, j=2)
    state = made.state(step).arrays
    marks = stage(compose(made, step, view(made)))
    shown = grid(marks, array)
    if array == "x":
        given, sizes = made.operation(operation).call.given, made.operation(operation).sizes
        top, left = given["S_h"], 2 * given["S_w"]
        row, column = divmod(int(made.operation(operation).call.writes["switch"][1, 1, 2]), sizes["K_w"])
        assert state["y"][1, 1, 2] == state["x"][1, top + row, left + column]
        index = 1, top + row, left + column
    else:
        index = 1, 1, 2
    place = shown.cell_of(index)
    assert place is not None
    cell = shown.box_of(*place)
    (arrow,) = (m for m in marks if isinstance(m, Path) and m.arrow and len(m.points) == 3)
    (x, y), turn, _ = arrow.points
    assert x == cell.center[0] and y in (cell.y, cell.bottom)
    assert turn[1] == y and turn[0] > shown.box.right, "it leaves the grid along a rule"


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
@pytest.mark.parametrize("name", ["digits", "every", "large", "tiny_vgg"])
@pytest.mark.parametrize("part", [0.0, 0.4, 0.7, 0.999])
def test_the_way_of_a_flattened_cell_ends_at_its_place(name, part, size):
    """Forward in the column, backward in the map; the index is written out."""
    made = program(name)
    for operation, maps, line in (("flatten", "x", "y"), ("flatten.dx", "dx", "dy")):
        shape = made.operation(operation).sizes
        depth, height, width = (shape[letter] for letter in "CHW")
        k = int(part * depth * height * width)
        c, i, j = (int(index) for index in np.unravel_index(k, (depth, height, width)))
        marks = stage(compose(made, made.find(operation, line=5, c=c, i=i, j=j), View(*size)))
        (way,) = (m for m in marks if isinstance(m, Path) and m.arrow)
        ends = way.points if line == "y" else way.points[::-1]
        cell, place = (box_of(marks, *at) for at in ((maps, (c, i, j)), (line, (k,))))
        assert ends[0] == (cell.right, cell.bottom)
        assert 0 < place.x - ends[-1][0] < 60 and ends[-1][1] == place.center[1]
        assert f"index = ({c} · {height} + {i}) · {width} + {j} = {k}" in texts(marks)


def box_of(marks: list[Mark], array: str, index: tuple[int, ...]) -> Box:
    """Where a cell is shown with its number."""
    grids = [m for m in all_marks(marks) if isinstance(m, Cells) and m.array == array and m.texts]
    (box,) = (grid.box_of(*place) for grid in grids if (place := grid.cell_of(index)) is not None)
    return box


def test_a_flattened_column_fills_the_room_beside_its_maps():
    """In pieces of whole maps, as large as can be."""
    made = program("digits")
    marks = stage(compose(made, made.find("flatten", line=5, c=3, i=1, j=0), view(made)))
    pieces = [m for m in marks if isinstance(m, Cells) and m.array == "y"]
    assert [len(piece.values) for piece in pieces] == [8, 8, 8, 8]
    assert len({(piece.box.y, piece.cell) for piece in pieces}) == 1
    assert pieces[-1].box.right > 1400 and pieces[0].box.h > 450


def test_a_line_tells_a_picture_from_its_padding():
    marks = [mark for mark in all_marks(stage(frame(program("digits"), "conv1", 10)))]
    x = grid(marks, "x")
    (rim,) = (m for m in marks if isinstance(m, Rect) and m.stroke == "on_dark")
    assert rim.box == x.box_of(1, 1, 8, 8)


def test_sums_in_letters_that_are_too_small_to_be_read_give_way_to_names():
    marks = stage(frame(lesson("backward-conv"), "conv.dw", 10, letters=True, u=1, v=1))
    assert grid(marks, "dw").texts[1] == ("∂w₁₀", "∂w₁₁")


def test_a_derivative_on_an_edge_leaves_the_arrow_to_be_seen():
    made = load_lesson("chain-rule").choose(2).program
    marks = [mark for mark in all_marks(stage(compose(made, len(made) - 1, view(made))))]
    backs = [m for m in marks if isinstance(m, Path) and m.role == "backward" and m.arrow]
    grounds = [m.box for m in marks if isinstance(m, Rect) and m.fill == "ground" and m.box.h < 100]
    for back in backs:
        seen = [
            p for p in back.points if not any(b.x < p[0] < b.right and b.y < p[1] < b.bottom for b in grounds)
        ]
        assert len(seen) >= 0.25 * len(back.points)


def test_sums_by_channel_add_up_though_not_all_channels_have_room():
    made = lesson("digits")
    step = made.find("conv2.dx", line=10, c=1, p=1, q=2)
    said = texts(stage(compose(made, step, view(made))))
    at = said.index("∂E/∂y by channel")
    end = said.index("sum", at)
    names, values = said[at + 1 : end + 1 : 3], said[at + 2 : end + 2 : 3]
    assert names[0].startswith("[0–") and names[-2:] == ["[7]", "sum"]
    *parts, whole = (float(value.replace("−", "-")) for value in values)
    assert sum(parts) == pytest.approx(whole, abs=0.01)


def test_channels_that_are_still_to_come_are_left_open():
    made = lesson("digits")
    said = texts(stage(compose(made, made.find("conv2.dx", line=9, c=1, p=1, q=2, o=4), view(made))))
    assert {"[0]", "[4]", "[5]", "…"} <= set(said) and "[0–5]" not in said


def test_in_the_lecture_view_kernel_and_products_are_large_enough_for_the_last_row():
    made = lesson("digits")
    at = moment(made, made.find("conv2", line=9, o=2, i=3, j=3, c=3))
    unit = 1.3
    marks = stage_marks(at, Box(0, 0, 1920, 1080 - 52 * unit), unit, with_formula=True)
    kernel = grid(marks, "w")
    (products,) = [
        m for m in all_marks(marks) if isinstance(m, Cells) and m.texts and m.values.shape == (3, 3)
    ][1:]
    assert min(kernel.size, products.size) >= 27
    assert kernel.cell == products.cell
