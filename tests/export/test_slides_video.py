"""Slides as python-pptx reads them, films as PyAV does."""

from __future__ import annotations

import sys
from io import BytesIO

import av
import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from pptx import Presentation

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown
from cnnviz.export.png import picture
from cnnviz.export.slides import write_pptx
from cnnviz.export.video import write_mp4
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.spoken import spoken
from tests.export.test_page import content_of, pixels


@pytest.fixture
def shown(qapp):
    lesson = load_lesson("relu")
    return Shown(lesson.program, replace(lesson.view, width=640, height=360))


def test_a_slide_is_a_stop_with_its_caption_as_title_and_its_notes_as_notes(shown):
    stops = shown.view.stops
    slides = Presentation(BytesIO(content_of(write_pptx(shown, [stop.index for stop in stops])))).slides
    assert len(slides) == len(stops) == 4
    for slide, stop in zip(slides, stops, strict=True):
        said = spoken(moment(shown.program, stop.index, shown.view))
        assert slide.shapes.title.text == stop.caption
        assert slide.notes_slide.notes_text_frame.text == "\n\n".join(filter(None, (stop.notes, said)))
        drawn = next(shape for shape in slide.shapes if hasattr(shape, "image"))
        assert drawn._element.nvPicPr.cNvPr.get("descr") == said
        found = np.array(Image.open(BytesIO(drawn.image.blob)).convert("RGB"))
        assert np.array_equal(found, pixels(picture(shown, stop.index)))


def test_a_film_shows_each_frame_for_half_a_second(shown):
    steps = range(6)
    odd = Shown(shown.program, replace(shown.view, width=641, height=361))
    with av.open(BytesIO(content_of(write_mp4(odd, steps)))) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 640, 360)
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    assert [time for time, _ in frames] == [k / 2 for k in steps]
    for index, (_, found) in zip(steps, frames, strict=True):
        painted = pixels(picture(odd, index))[:360, :640]
        assert np.abs(found.astype(float) - painted).mean() < 6, index


@pytest.mark.parametrize(
    ("write", "module", "extra"), [(write_pptx, "pptx", "slides"), (write_mp4, "av", "video")]
)
def test_what_is_not_installed_is_said_with_how_to_get_it(shown, monkeypatch, write, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CnnvizError, match=rf"pip install 'cnnviz\[{extra}\]'"):
        next(write(shown, [0]))
