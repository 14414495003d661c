"""Which steps get a frame, at every level."""

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.export import frames
from cnnviz.export.frames import about_frames, stops
from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.stops import Level


@pytest.mark.parametrize("every", list(Level))
def test_every_level_begins_at_the_first_step_and_reaches_the_last(every):
    program = load_lesson("forward").program
    steps = stops(program, every)
    assert (steps[0], steps[-1]) == (0, len(program) - 1)
    assert steps == sorted(set(steps))
    assert every is not Level.LINE or steps == list(range(len(program)))


def test_too_many_frames(monkeypatch):
    monkeypatch.setattr(frames, "MOST_FRAMES", 1000)
    with pytest.raises(
        CnnvizError, match=r"more than 1,000 frames; take fewer steps, or a level above line\."
    ):
        stops(load_lesson("digits").program, Level.LINE)


@pytest.mark.parametrize("every", [Level.LINE, Level.TERM, Level.CELL])
def test_far_too_many_frames_are_not_walked_through(monkeypatch, every):
    monkeypatch.setattr(frames, "MOST_FRAMES", 1000)
    monkeypatch.setattr(frames, "Cursor", lambda *_: pytest.fail("they were walked through"))
    with pytest.raises(CnnvizError, match=r"more than 1,000 frames"):
        stops(load_lesson("digits").program, every)


@pytest.mark.parametrize("every", list(Level))
def test_the_number_of_frames_is_about_right(every):
    lesson = load_lesson("digits")
    program, told = lesson.program, lesson.stops
    last = len(program) - 1
    start = program.start("conv2")
    for begin, end in ((0, last), (start, start + len(program.operation("conv2")) - 1), (77, 4000)):
        exact = len(stops(program, every, begin, end, told))
        about, is_exact = about_frames(program, every, begin, end, told)
        assert abs(about - exact) <= (0 if is_exact else 2 + exact * 0.02), (begin, end)


@pytest.mark.parametrize("every", list(Level))
def test_few_frames_are_counted_as_they_are_written(every):
    """Whoever reads 5 and finds 6 looks for what is wrong."""
    program = load_lesson("digits").program
    last = len(program) - 1
    for begin in range(0, last, 5557):
        for length in (1, 2, 77, 400):
            end = min(begin + length, last)
            counted = len(stops(program, every, begin, end)), True
            assert about_frames(program, every, begin, end) == counted, begin
    if every in (Level.MAP, Level.LAYER, Level.PASS):
        assert about_frames(program, every, 0, last) == (len(stops(program, every)), True)
