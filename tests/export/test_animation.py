"""Moving pictures, as Pillow reads them: all frames, each the painter's, for as long as it is meant."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image, ImageSequence

from cnnviz.errors import CnnvizError
from cnnviz.export.animation import write_apng, write_gif
from cnnviz.export.frames import Shown, stops
from cnnviz.export.png import picture
from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.stops import Level
from tests.export.test_page import content_of, pixels


@pytest.mark.parametrize(("write", "kind", "near"), [(write_gif, "GIF", 4), (write_apng, "PNG", 0)])
def test_a_moving_picture_shows_each_frame(write, kind, near):
    lesson = load_lesson("relu")
    shown = Shown(lesson.program, replace(lesson.view, width=640, height=360))
    steps = stops(lesson.program, Level.LINE)[:6]
    made = Image.open(BytesIO(content_of(write(shown, steps))))
    assert (made.format, made.n_frames, made.info["loop"]) == (kind, len(steps), 0)
    for index, frame in zip(steps, ImageSequence.Iterator(made), strict=True):
        found = np.array(frame.convert("RGB")).astype(float)
        assert np.abs(found - pixels(picture(shown, index))).mean() <= near
        assert frame.info["duration"] == (3000 if index == steps[-1] else 1000)


def test_too_many_frames_are_refused_before_they_are_painted():
    lesson = load_lesson("digits")
    with pytest.raises(CnnvizError, match="200 frames, and this would have 3,231"):
        next(write_gif(Shown(lesson.program, lesson.view), stops(lesson.program, Level.CELL)))
