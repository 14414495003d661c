"""However far one zooms in: a kernel and the window being read are whole, a vector says what is cut."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment, stage
from cnnviz.scene.marks import Box, Cells, Label, Mark, Rect
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, inside, said
from tests.scene.programs import program

WINDOW = {  # how large the window leaves the stage, by its own height and the zoom in percent
    (720, 70): (916, 599),
    (720, 100): (757, 557),
    (720, 110): (707, 545),
    (720, 120): (657, 527),
    (720, 130): (607, 515),
    (720, 150): (505, 486),
    (1080, 70): (1561, 921),
    (1080, 100): (1412, 863),
    (1080, 120): (1312, 825),
    (1080, 130): (1262, 802),
    (1080, 150): (1162, 768),
}
LECTURE = {(height, zoom): (height * 16 / 9, height * 0.937) for height, zoom in WINDOW}

PLACES = [
    ("digits", "conv2", 9, {"o": 2, "i": 3, "j": 3, "c": 3, "u": 2, "v": 2}),
    ("digits", "conv1", 9, {"o": 2, "i": 7, "j": 5, "c": 0, "u": 1, "v": 2}),
    ("digits", "conv2.dw", 9, {"o": 3, "c": 1, "u": 2, "v": 1, "i": 1, "j": 2}),
    ("digits", "conv2.dx", 9, {"c": 1, "p": 1, "q": 2, "o": 7, "u": 2, "v": 2}),
    ("digits", "conv2.db", 5, {"o": 3, "i": 2, "j": 1}),
    ("digits scattered", "conv2.dx", 8, {"o": 0, "i": 0, "j": 0, "c": 1, "u": 2, "v": 2}),
    ("large", "conv1", 9, {"o": 1, "i": 20, "j": 31, "c": 0, "u": 4, "v": 4}),
    ("large", "conv1.dx", 9, {"c": 0, "p": 20, "q": 31, "o": 1, "u": 4, "v": 4}),
    ("tiny_vgg", "conv1_2", 9, {"o": 2, "i": 30, "j": 58, "c": 1, "u": 1, "v": 1}),
    ("tiny_vgg", "conv1_2.dx", 9, {"c": 2, "p": 30, "q": 58, "o": 1, "u": 1, "v": 1}),
]


def of(name: str) -> Program:
    """A program by its name, that of the digits in the other form of input gradients, too."""
    return scattered_digits() if name == "digits scattered" else program(name)


@cache
def scattered_digits() -> Program:
    return load_lesson("digits").in_form("scattered").program


def shown(name: str, index: int, height: int, zoom: int, lecture: bool) -> tuple[list[Mark], Box]:
    """The stage's marks, as the window composes them, and the stage."""
    made = of(name)
    width, high = (LECTURE if lecture else WINDOW)[height, zoom]
    box = Box(0, 0, width, high)
    unit = height / 1080 * 1.3 if lecture else min(width / 1140, high / 878)
    return list(all_marks(stage(moment(made, index), box, unit * zoom / 100, lecture))), box


@pytest.mark.parametrize("lecture", [False, True])
@pytest.mark.parametrize("height, zoom", WINDOW)
@pytest.mark.parametrize("name, operation, line, variables", PLACES)
def test_kernels_and_windows_are_whole(name, operation, line, variables, height, zoom, lecture):
    made = of(name)
    index = made.find(operation, line, **variables)
    marks, box = shown(name, index, height, zoom, lecture)
    held = made.state(index).arrays
    drawn = [mark for mark in marks if isinstance(mark, Cells) and mark.array]
    for grid in drawn:
        assert inside(grid.box, box, 1), grid.array
        last = held[grid.array].shape[len(grid.prefix) :]
        if len(last) == 2 and max(last) <= 7:
            assert grid.values.shape == last, f"{grid.array} is paged"
            assert min(grid.cell) > 6, f"{grid.array} is too small to be seen"
            # Of a stage of 505 pixels, where five characters of nine pixels have no room in a cell.
            narrow = (height, zoom, lecture) == (720, 150, False) and grid.cell[0] < 29
            few = max(last) > 3 or "digits" not in name
            assert grid.texts or narrow or few, f"{grid.array} has no numbers"
    read = {"source_line", "written_line", "parameter_line"}
    framed = [mark.box for mark in marks if isinstance(mark, Rect) and mark.stroke in read]
    kernel = next((held[key].shape[2:] for key in ("w", "dw") if key in held), None)
    over = {"conv1": "x", "conv2": "x", "conv1_2": "x"}.get(operation)
    over = over or ("dy" if operation.endswith("dx") and "scattered" not in name else None)
    over = "dx" if "scattered" in name else over
    if over is None:
        return
    (window,) = (grid for grid in drawn if grid.array == over and grid.values.shape == max_seen(drawn, over))
    sizes = [(box.w / window.cell[0], box.h / window.cell[1]) for box in framed if inside(box, window.box, 1)]
    assert any(np.allclose(size, kernel[::-1], atol=0.05) for size in sizes), "the window is cut"


def max_seen(drawn: list[Cells], array: str) -> tuple[int, ...]:
    """The shape of what is enlarged of an array, or of the whole of one that is not."""
    return min((grid.values.shape for grid in drawn if grid.array == array), key=np.prod)


@pytest.mark.parametrize("lecture", [False, True])
@pytest.mark.parametrize("height, zoom", WINDOW)
@pytest.mark.parametrize(
    "name, operation, line, variables, array",
    [
        ("digits", "flatten", 5, {"c": 2, "i": 1, "j": 0}, "y"),
        ("digits", "flatten.dx", 5, {"c": 2, "i": 1, "j": 0}, "dy"),
        ("digits", "fc.dx", 5, {"m": 20, "n": 3}, "dx"),
        ("digits", "fc", 5, {"n": 3, "m": 20}, "y"),
        ("columns", "relu", None, {}, "x"),
    ],
)
def test_vectors_say_which_part_is_shown(name, operation, line, variables, array, height, zoom, lecture):
    made = of(name)
    index = made.find(operation, line, **variables)
    marks, _ = shown(name, index, height, zoom, lecture)
    count = len(made.state(index).arrays[array])
    pieces = [mark for mark in marks if isinstance(mark, Cells) and mark.array == array and mark.texts]
    assert len(pieces) == 1 or "flatten" in operation
    cells = [piece.origin[0] + k for piece in pieces for k in range(len(piece.values))]
    first, seen = cells[0], len(cells)
    assert cells == list(range(first, first + seen))
    parts = {
        text: mark.box.w
        for mark in marks
        if isinstance(mark, Label) and f"of {count}" in (text := said([mark])[0]) and "…" in text
    }
    told = f"{first}…{first + seen - 1} of {count}"
    if seen < count:
        assert any(text == told or text.endswith(f" {told}") for text in parts)
        assert all(len(text) * 0.5 * 8 <= wide for text, wide in parts.items()), "it would be elided"
    else:
        assert not parts
