"""What is painted is read and seen: contrast by WCAG 2.1, measured in the pixels of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Cells, Frame, Mark, Rect
from cnnviz.scene.theme import THEMES
from cnnviz.scene.view import View
from tests.render.ink import pixels
from tests.scene.looking import all_marks

PALETTES = ("value", "gradient", "pixel", "red", "green", "blue", "plain")
FROM_ZERO = ("pixel", "red", "green", "blue", "plain")
HIGH = [name for name in THEMES if "high contrast" in name]
TEXT, MARK = 7.0, 3.0

SIDE, GAP = 40, 12
WIDE = 32
"""The cells of a sheet of all 256 colours: so many stand in a row."""


def luminances(colours: np.ndarray) -> np.ndarray:
    """By the book: WCAG 2.1, relative luminance, of many colours."""
    c = np.asarray(colours, float)[..., :3] / 255
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrasts(one, other) -> np.ndarray:
    low, high = np.sort(np.stack(np.broadcast_arrays(luminances(one), luminances(other))), 0)
    return (high + 0.05) / (low + 0.05)


def sheet(palette: str, texts: bool = True, lines: bool = False) -> Cells:
    """All colours of a map, each in a cell, from one end to the other."""
    span = np.linspace(0 if palette in FROM_ZERO else -1, 1, 256).reshape(-1, WIDE)
    rows = span.shape[0]
    written = tuple(("8",) * WIDE for _ in range(rows)) if texts else ()
    return Cells(
        Box(GAP, GAP, SIDE * WIDE, SIDE * rows),
        span,
        "y",
        palette=palette,
        texts=written,
        size=24,
        lines=lines,
        faint=None,
    )


def painted(marks: tuple[Mark, ...], width: float, height: float, theme: str, scale: float = 1) -> np.ndarray:
    ground = Rect(Box(0, 0, width, height), fill="ground")
    return pixels(to_image(Frame(width, height, (ground, *marks)), theme, scale))[..., 2::-1]  # red first


def read(image: np.ndarray, box: Box) -> float:
    """The contrast of a text in a box: of what it is written with to what it is written on."""
    x, y, right, bottom = (round(side) for side in (box.x, box.y, box.right, box.bottom))
    inside = image[y:bottom, x:right].reshape(-1, 3)
    colours, counts = np.unique(inside, axis=0, return_counts=True)
    return float(contrasts(colours, colours[counts.argmax()]).max())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("palette", PALETTES)
def test_a_number_is_read_on_every_colour_of_every_map(theme, palette):
    grid = sheet(palette)
    image = painted((grid,), grid.box.right + GAP, grid.box.bottom + GAP, theme)
    pale = {}
    for row in range(grid.values.shape[0]):
        for column in range(WIDE):
            cell = grid.box_of(row, column)
            x, y = cell.center
            found = read(image, Box(x - 7, y - 9, 14, 18))  # the digit and its plate
            if found < TEXT:
                pale[row * WIDE + column] = round(found, 2)
    assert not pale


@pytest.mark.parametrize("theme", HIGH)
@pytest.mark.parametrize("palette", PALETTES)
def test_in_high_contrast_each_cell_is_seen_to_end_on_every_colour(theme, palette):
    """Across each rule there is a step of 3 : 1 from the cell's own colour, on both its sides."""
    grid = sheet(palette, texts=False, lines=True)
    image = painted((grid,), grid.box.right + GAP, grid.box.bottom + GAP, theme)
    for row in range(grid.values.shape[0]):
        for column in range(WIDE):
            cell = grid.box_of(row, column)
            x, y = (round(part) for part in cell.center)
            own, left, right = image[y, x], round(cell.x), round(cell.right)
            for edge in (left, right):
                assert contrasts(image[y, edge - 2 : edge + 3], own).max() >= MARK, (row, column)
            for edge in (round(cell.y), round(cell.bottom)):
                assert contrasts(image[edge - 2 : edge + 3, x], own).max() >= MARK, (row, column)


@pytest.mark.parametrize("theme", HIGH)
def test_in_high_contrast_a_hatch_is_seen(theme):
    none = Cells(Box(10, 10, 120, 120), np.zeros((3, 3)), missing=np.ones((3, 3), bool), lines=False)
    image = painted((none,), 140, 140, theme)[12:128, 12:128].reshape(-1, 3)
    colours, counts = np.unique(image, axis=0, return_counts=True)
    most = colours[counts.argsort()[-2:]]
    assert contrasts(most[0], most[1]) >= MARK
    assert counts.min() > 0.02 * counts.sum()


STEPS = (("digits", 400), ("digits", 30_000), ("backward-conv", 300), ("pooling", 30), ("depth", 60))


@pytest.mark.parametrize("display", [Display(theme=name) for name in ("light", "dark")])
@pytest.mark.parametrize(("name", "step"), STEPS)
def test_numbers_in_frames_of_lessons_are_read(name, step, display):
    """Each number of each grid, as the picture of a whole window has it, four times as large."""
    lesson = load_lesson(name)
    frame = compose(lesson.program, step, View(width=1280, height=720, display=display))
    image = pixels(to_image(frame, display.theme, 4))[..., 2::-1]  # red first
    count = 0
    for mark in all_marks(frame.marks):
        if not isinstance(mark, Cells) or not mark.texts:
            continue
        for row, texts in enumerate(mark.texts):
            for column, text in enumerate(texts):
                if text.strip():
                    x, y = mark.box_of(row, column).center
                    half, high = 0.24 * mark.size * min(len(text), 3), 0.36 * mark.size
                    box = Box(4 * (x - half), 4 * (y - high), 8 * half, 8 * high)
                    assert read(image, box) >= TEXT, (mark.array, row, column, text)
                    count += 1
    assert count > 10
