"""What is painted again after a step and what was there before it are the step's picture, to the pixel."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.painter import paint
from cnnviz.render.repaint import changed, paint_areas
from cnnviz.render.tools import painting
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Cells, Frame, Group, Hotspot, Mark, Rect, label
from cnnviz.scene.theme import THEMES, Theme
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from tests.render.ink import pixels


def blank(frame: Frame, colour: int = 0xFF00FF) -> QImage:
    """An image in a colour that no theme has, so that what is not painted shows."""
    image = QImage(int(frame.width), int(frame.height), QImage.Format.Format_RGB32)
    image.fill(colour)
    return image


def whole(frame: Frame, theme: Theme) -> np.ndarray:
    image = blank(frame)
    with painting(image) as painter:
        paint(painter, frame, theme)
    return pixels(image)


def in_turn(frames: list[Frame], theme: Theme) -> list[int]:
    """Paint frames one over the other, each where it differs alone; return how many pixels were painted."""
    image, painted = blank(frames[0]), []
    with painting(image) as painter:
        paint(painter, frames[0], theme)
    for before, frame in pairwise(frames):
        areas = changed(before, frame)
        with painting(image) as painter:
            if areas is None:
                paint(painter, frame, theme)
            else:
                paint_areas(painter, frame, theme, areas)
        assert np.array_equal(pixels(image), whole(frame, theme)), areas
        everything = [QRect(0, 0, int(frame.width), int(frame.height))]
        painted.append(sum(area.width() * area.height() for area in (everything if areas is None else areas)))
    return painted


def test_steps_and_jumps_of_all_lessons():
    """By cell, by line and by term, in some operations of each; to another one, and to another lesson's."""
    sparing, names = 0, lesson_names()
    for number, name in enumerate(names):
        lesson, draw = load_lesson(name), random.Random(name)
        program, theme = lesson.program, list(THEMES.values())[number % len(THEMES)]
        view = replace(lesson.view, width=1280.0, height=720.0, display=Display(letters=number % 5 == 0))
        steps: list[int] = []
        for operation in draw.sample(program.operations, min(3, len(program.operations))):
            at = Cursor(program, program.start(operation.name) + draw.randrange(len(operation)))
            for level in (Level.CELL, Level.CELL, Level.LINE, Level.TERM):
                steps.append(at.index)
                at = at.next(level)
        painted = in_turn([compose(program, step, view) for step in steps], theme)
        sparing += min(painted) < 0.3 * view.width * view.height
    assert sparing > len(names) / 2


GROUND = Rect(Box(0, 0, 300, 200), fill="ground")
VALUES = np.array([[0.0, 1.0, np.nan], [-1.0, np.inf, 0.5]])
GRID = Cells(Box(20, 30, 120, 80), VALUES, texts=(("0", "1", "NaN"), ("-1", "inf", "0.5")), size=14)


def grid(**changes: object) -> Cells:
    return replace(GRID, **changes)


TEXT, OVER = Box(9, 60, 200, 4), Rect(GRID.box, fill="accent")
TWO, NONE, LINES = (((text, *GRID.texts[0][1:]), GRID.texts[1]) for text in ("2", "", "1\n2"))
CASES: dict[str, tuple[list[Mark], list[Mark], float]] = {
    "nothing": ([GRID, label(TEXT, "a", 14)], [grid(), label(TEXT, "a", 14)], 0),
    "a place that leads elsewhere": ([Hotspot(TEXT, "step", line=1)], [Hotspot(TEXT, "step")], 0),
    "one number": ([GRID], [grid(values=np.where(VALUES == 0, 2, VALUES), texts=TWO)], 0.1),
    "no number any more": ([GRID], [grid(values=np.where(VALUES == 1, np.nan, VALUES))], 0.1),
    "one that is not computed yet": ([GRID], [grid(missing=VALUES == 0.5)], 0.2),
    "one that is left as it is": ([GRID], [grid(faint=VALUES == 0.5)], 0.1),
    "a number without its text": ([GRID], [grid(texts=NONE)], 0.1),
    "a text of two lines": ([GRID], [grid(texts=LINES)], 0.1),
    "no texts": ([GRID], [grid(texts=())], 0.4),
    "other colours": ([GRID], [grid(limit=2.0)], 0.4),
    "another shape": ([GRID], [grid(values=VALUES.T, texts=())], 0.4),
    "what lies over it": ([GRID], [GRID, Rect(GRID.box, stroke="accent", width=5)], 0.4),
    "the order": ([GRID, OVER], [OVER, GRID], 0.4),
    "a group": ([Group(GRID.box, (OVER,))], [Group(GRID.box, (replace(OVER, fill="panel"),))], 0.4),
    "tall text in a low box": ([label(TEXT, "ÅÄg", 40)], [label(TEXT, "ÅÄy", 40)], 0.4),
}


@pytest.mark.parametrize("theme", THEMES)
def test_what_differs_is_painted_again_and_little_else(theme):
    for said, (before, after, most) in CASES.items():
        frames = [Frame(300, 200, (GROUND, *marks)) for marks in (before, after, before)]
        for painted in in_turn(frames, THEMES[theme]):
            assert painted <= most * 300 * 200, said


def test_of_another_size_everything_is_painted():
    small, large = Frame(300, 200, (GROUND,)), Frame(310, 200, (GROUND,))
    assert changed(small, large) is None
    assert changed(small, small) == []
