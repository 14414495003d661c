"""Frames as SVG look in a browser as the painter paints them, and their text is text."""

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from cnnviz.export.frames import Shown
from cnnviz.export.svg import Svg
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Label, flat
from cnnviz.scene.spoken import spoken
from tests import browser
from tests.export.test_page import pixels, softened

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shown():
    lesson = load_lesson("digits")
    return Shown(lesson.program, replace(lesson.view, width=1280, height=720))


def test_a_frames_text_is_text_and_its_sentence_its_description(shown):
    index = 30_000
    root = ElementTree.fromstring(Svg().encode(shown, index))
    assert root.find(f"{SVG}title").text == shown.view.title
    assert root.find(f"{SVG}desc").text == spoken(moment(shown.program, index, shown.view))
    written = {text.text for text in root.iter(f"{SVG}text")}
    marks = flat(compose(shown.program, index, shown.view).marks)
    wanted = {run.text for mark in marks if isinstance(mark, Label) for run in mark.runs if run.text.strip()}
    assert len(wanted) > 50 and len(wanted - written) < 5  # but for what is elided
    used = {use.get("href") for use in root.iter(f"{SVG}use")}
    assert used == {f"#{path.get('id')}" for path in root.iter(f"{SVG}path") if path.get("id")}


@pytest.mark.skipif(browser.found() is None, reason="no browser is installed")
def test_a_frame_looks_in_a_browser_as_the_painter_paints_it(shown, tmp_path):
    from cnnviz.render.image import to_image

    with browser.browser((1280, 720)) as seen:
        for index, theme in ((0, "light"), (30_000, "dark"), (12_000, "light"), (70_000, "light")):
            view = replace(shown.view, display=Display(theme=theme))
            file = tmp_path / f"{index}.svg"
            file.write_bytes(Svg().encode(Shown(shown.program, view), index))
            seen.open(file, "document.readyState === 'complete'")
            found = np.array(Image.open(BytesIO(seen.picture())).convert("RGB")).astype(float)
            painted = pixels(to_image(compose(shown.program, index, view), theme))
            assert found.shape == painted.shape
            assert np.abs(found - painted).mean() < 3, index
            assert np.abs(softened(found) - softened(painted)).max() < 80, index
