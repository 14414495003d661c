"""What glides between two steps, and what is the later step's from the first."""

from __future__ import annotations

import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment, stage
from cnnviz.scene.glide import glide
from cnnviz.scene.marks import Box, Frame, Path, Rect
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from tests.scene.looking import described

BOX = Box(0, 0, 1140, 880)
PROGRAM = load_lesson("digits").program


def frame(index: int, box: Box = BOX) -> Frame:
    return Frame(box.w, box.h, tuple(stage(moment(PROGRAM, index), box, 1.0)))


def two_steps(operation: str, **variables: int) -> tuple[Frame, Frame]:
    """The pictures of two cells in a row."""
    here = Cursor(PROGRAM, PROGRAM.find(operation, **variables), Level.CELL).next()
    return frame(here.index), frame(here.next().index)


def outlines(shown: Frame, role: str) -> list[Box]:
    rects = [mark for mark in shown.marks if isinstance(mark, Rect)]
    return [rect.box for rect in rects if rect.stroke == role and not rect.fill]


def tip_of_arrow(shown: Frame) -> float:
    return next(mark.points[-1][0] for mark in shown.marks if isinstance(mark, Path) and mark.arrow)


@pytest.mark.parametrize("role", ["source_line", "written_line"])
def test_outlines_go_from_their_place_before_to_that_after(role):
    before, after = two_steps("conv1", i=2, j=3)
    start, end = outlines(before, role), outlines(after, role)
    assert start != end
    assert outlines(glide(before, after, 0.0), role) == start
    assert outlines(glide(before, after, 1.0), role) == end
    for one, half, other in zip(start, outlines(glide(before, after, 0.5), role), end, strict=True):
        assert half.center == pytest.approx(
            ((one.center[0] + other.center[0]) / 2, (one.center[1] + other.center[1]) / 2)
        )


def test_arrows_go_with_what_they_point_to():
    before, after = two_steps("conv1", i=2, j=3)
    tips = [tip_of_arrow(glide(before, after, way)) for way in (0.0, 0.5, 1.0)]
    assert tips[0] < tips[1] < tips[2]


@pytest.mark.parametrize("way", [0.0, 0.3, 0.9])
def test_all_else_is_the_later_steps_at_once(way):
    before, after = two_steps("conv1", i=2, j=3)
    on_the_way = glide(before, after, way)
    moved = [(one, two) for one, two in zip(on_the_way.marks, after.marks, strict=True) if one is not two]
    assert moved
    for one, two in moved:
        assert not isinstance(one, Rect) or one.fill is None
        assert type(one) is type(two)
    assert described(glide(before, after, 1.0)) == described(after)


def test_where_nothing_moves_the_picture_is_itself():
    _, after = two_steps("conv1", i=2, j=3)
    again = two_steps("conv1", i=2, j=3)[1]
    assert glide(again, after, 0.5) is after


def test_pictures_of_other_sizes_have_nothing_in_common():
    _, after = two_steps("conv1", i=2, j=3)
    smaller = frame(PROGRAM.find("conv1", i=2, j=3), Box(0, 0, 700, 500))
    assert glide(smaller, after, 0.0) is after


def test_outlines_that_cannot_be_told_apart_by_number_stay():
    before, after = two_steps("conv1", i=2, j=3)
    fewer = Frame(before.width, before.height, tuple(m for m in before.marks if not isinstance(m, Rect)))
    assert outlines(glide(fewer, after, 0.0), "source_line") == outlines(after, "source_line")


def test_nothing_glides_from_one_map_to_another():
    last = Cursor(PROGRAM, PROGRAM.find("conv1", line=10, o=0, i=7, j=7), Level.CELL)
    before, after = frame(last.index), frame(last.next().index)
    assert outlines(before, "written_line") != outlines(after, "written_line")
    assert glide(before, after, 0.5) is after
