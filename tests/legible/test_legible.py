"""From the last row, every lesson can be read: sampled stops in the lecture view, in all sizes."""

from __future__ import annotations

from functools import cache

import pytest

from cnnviz.lesson.files import lesson_names
from cnnviz.render.text import fitted_size
from cnnviz.scene.marks import Label
from tests.legible.measure import SIZES, Measured, frame, measured, stops
from tests.scene.looking import all_marks

pytestmark = pytest.mark.usefixtures("qapp")

# Of the shorter side: words, and numbers in cells; LOOK.md.
WORDS, NUMBERS = 1 / 50, 1 / 40


@cache
def found(name: str, size: tuple[int, int], kind: str = "lecture") -> list[tuple[int, Measured]]:
    """What is measured at some of a lesson's stops: at every third one, and at the last.

    Where pages of large maps leave least room, at all of them.
    """
    told = list(stops(name))
    each = 1 if name in ("lenet", "training") and size == (1920, 1080) else 3
    return [
        (stop.number, measured(frame(kind, lesson, here.index, *size).marks))
        for stop, lesson in [*told[::each], told[-1]]
        for here in lesson.stops
        if here.number == stop.number
    ]


@pytest.mark.parametrize("name", lesson_names())
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160)])
def test_words_and_numbers_are_large_enough_for_the_last_row(name, size):
    least = min(size)
    for number, sizes in found(name, size):
        assert sizes.text >= 0.98 * WORDS * least, (number, sizes)
        assert sizes.value >= NUMBERS * least, (number, sizes)
        assert not sizes.elided, (number, sizes)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160)])
def test_headings_are_a_25th_of_the_height(size):
    for name in lesson_names():
        stop, lesson = next(stops(name))
        marks = all_marks(frame("lecture", lesson, stop_step(lesson, stop.number), *size).marks)
        labels = [mark for mark in marks if isinstance(mark, Label) and mark.runs[0].bold]
        heading = min(labels, key=lambda mark: (mark.box.y, mark.box.x))
        assert fitted_size(heading)[0] >= size[1] / 25, (name, heading)


def stop_step(lesson, number):
    return next(stop.index for stop in lesson.stops if stop.number == number)


@pytest.mark.parametrize("name", lesson_names())
@pytest.mark.parametrize("size", [size for size in SIZES if size[0] < 1.5 * size[1]])
def test_numbers_are_as_large_as_words_on_other_screens(name, size):
    """A projector of 4 : 3, a screen that stands upright, where long sums are a little smaller."""
    for number, sizes in found(name, size):
        assert sizes.value >= 0.95 * WORDS * min(size), (number, sizes)
        assert sizes.text >= (0.95 if size[0] > size[1] else 0.85) * WORDS * min(size), (number, sizes)


@pytest.mark.parametrize("name", lesson_names())
@pytest.mark.parametrize("size", [(800, 600), (1024, 768), (1280, 720)])
def test_panes_of_small_windows_can_be_read(name, size):
    """Less is shown, and none of it smaller; sums by channel share a line."""
    for number, sizes in found(name, size, "window"):
        assert sizes.text >= 8.9, (number, sizes)


def test_what_is_measured_is_what_is_painted():
    """A label is made smaller until it fits its box, and no further."""
    from cnnviz.scene.marks import Box, label

    roomy, narrow = (label(Box(0, 0, wide, 40), "a longer piece of text", 20.0) for wide in (900, 120))
    assert measured([roomy]).text == 20.0
    assert 8.0 <= measured([narrow]).text < 20.0
    assert measured([label(Box(0, 0, 20, 40), "a longer piece of text", 20.0)]).elided
