"""The picture of pixels being read: true colours, the pixel in hand, the channel filling up."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.pixels import Album, Fitting, Picture
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Cells, Rect
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, grids, in_pane, inside, overlap, said
from tests.scene.programs import program, view


def frame_at(operation: str, **variables: int):
    made = program("pictures")
    step = made.find(operation, line=5, **variables)
    return moment(made, step), compose(made, step, view(made))


def true_colours(frame) -> list[Cells]:
    return [mark for mark in in_pane(frame, "stage") if isinstance(mark, Cells) and mark.palette == "rgb"]


@pytest.mark.parametrize("name", ["rgb", "grey"])
def test_the_picture_is_shown_in_its_own_colours(name):
    at, frame = frame_at(name)
    image = at.operation.call.given["image"]
    shown = true_colours(frame)[0]
    packed = shown.values.astype(int)
    for k in range(3):
        channel = packed >> (16 - 8 * k) & 255
        assert np.array_equal(channel, image[..., min(k, image.shape[2] - 1)])


def test_the_pixel_in_hand_is_outlined_and_told():
    at, frame = frame_at("rgb", c=1, i=2, j=3)
    red, green, blue = at.operation.call.given["image"][2, 3]
    texts = {mark.prefix: mark.texts for mark in grids(frame) if mark.array == "image"}
    assert texts == {(2, 3, k): ((f"{v:.0f}",),) for k, v in enumerate((red, green, blue))}
    outlined = [
        mark.box for mark in all_marks(frame.marks) if isinstance(mark, Rect) and mark.stroke == "source_line"
    ]
    assert true_colours(frame)[0].box_of(2, 3) in outlined
    (swatch,) = true_colours(frame)[1:]
    assert swatch.values[0, 0] == red * 65536 + green * 256 + blue


def test_numbers_of_a_dark_picture_stay_dark():
    """They are coloured from 0 to 255, whatever the brightest of the picture is."""
    image = np.array([[[10, 20, 40], [0, 30, 5]], [[1, 2, 3], [7, 7, 7]]], float)
    album = Album((Picture("dark", image),))
    made = Program(album.calls(album.run()))
    for c in range(3):
        frame = compose(made, made.find("dark", line=5, c=c, i=1, j=1), view(made))
        numbers = [mark for mark in grids(frame) if mark.array == "image"]
        assert len(numbers) == 3 and {mark.limit for mark in numbers} == {255}
        (channel,) = [mark for mark in grids(frame) if mark.array == "x"]
        assert channel.limit == 1.0


def test_channels_stand_behind_the_one_in_hand_in_their_own_colours():
    at, frame = frame_at("rgb", c=1, i=2, j=3)
    (front,) = [mark for mark in grids(frame) if mark.array == "x"]
    stack = [
        mark
        for mark in in_pane(frame, "stage")
        if isinstance(mark, Cells) and mark.box[2:] == front.box[2:] and mark is not front
    ]
    assert [(mark.palette, mark.missing is None) for mark in stack] == [("red", True), ("blue", False)]
    assert front.palette == "green"
    assert front.missing is not None and np.array_equal(front.missing, ~at.state.written("x")[1])
    assert all(mark.box.x > front.box.x and mark.box.y < front.box.y for mark in stack)


def test_a_grey_picture_has_one_channel():
    _, frame = frame_at("grey", i=1, j=2)
    (front,) = [mark for mark in grids(frame) if mark.array == "x"]
    assert front.palette == "pixel"
    assert "grey" in said(in_pane(frame, "stage"))
    told = set(said(in_pane(frame, "stage")))  # in one line, or the name over what it says
    shape = "4 × 4 × 1: rows × columns × depth"
    assert f"image  {shape}" in told or {"image", shape} <= told


def test_the_pane_at_the_left_has_a_row_for_each_picture_and_none_for_an_input():
    _, frame = frame_at("grey")
    told = said(in_pane(frame, "network"))
    assert {"Pictures", "rgb", "grey", "3 × 6 × 6", "1 × 4 × 4"} <= set(told)
    assert not {"input", "Network", "gradients"} & set(told)


def test_beside_its_channels_a_convolution_shows_the_picture_itself():
    """By hand: the first pixel is 2 of 2 red, 0 green, 1 blue. The window of the first cell is in it."""
    made = load_lesson("depth").program
    x = np.asarray(made.operations[0].call.given["x"])
    frame = compose(made, made.find("conv", line=9, o=0, i=0, j=0, c=0, u=0, v=0), View())
    (shown,) = (m for m in all_marks(frame.marks) if isinstance(m, Cells) and m.palette == "rgb")
    levels = np.rint(x / 2 * 255)
    assert np.array_equal(shown.values, levels[0] * 65536 + levels[1] * 256 + levels[2])
    assert shown.values[0, 0] == 255 * 65536 + 128
    window = shown.box_of(0, 0, 3, 3)
    assert any(
        isinstance(m, Rect)
        and m.stroke == "source_line"
        and overlap(m.box, window) == pytest.approx((window.w, window.h), abs=3)
        and inside(m.box, shown.box, 3)
        for m in all_marks(frame.marks)
    )


def test_numbers_of_a_photo_are_whole():
    """As many as ImageNet's networks take: they were written 171.0, wider than their cells."""
    pixels = np.random.default_rng(2).integers(0, 256, (224, 224, 3))
    way = Fitting(mean=(0.5,))
    made = Program([way.call("input", pixels, way.of(pixels, 3))])
    frame = compose(made, made.find("input", line=5, c=1, i=200, j=9), view(made))
    texts = [mark.texts for mark in grids(frame) if mark.array == "image"]
    assert texts == [((str(value),),) for value in pixels[200, 9]]
