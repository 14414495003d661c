"""What a notebook shows of a lesson, a program and a step."""

from __future__ import annotations

import base64
import re
from html import unescape
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown
from cnnviz.export.png import Png
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.spoken import spoken
from cnnviz.scene.view import View
from tests import browser


def test_a_steps_picture_is_that_of_an_export():
    program = load_lesson("convolution").program
    exported = Image.open(BytesIO(Png().encode(Shown(program, View(641, 361)), 37))).convert("RGB")
    assert np.array_equal(np.array(program[37].image((641, 361))), np.array(exported))
    with pytest.raises(CnnvizError, match="10 × 10"):
        program[37].image((10, 10))


def test_a_step_is_shown_as_its_picture_and_its_sentence():
    program = load_lesson("convolution").program
    shown = program[37]._repr_html_()
    picture = base64.b64decode(re.search(r"base64,([^\"]*)", shown)[1])
    assert Image.open(BytesIO(picture)).size == (1280, 720)
    assert unescape(re.search(r'alt="([^"]*)"', shown)[1]) == spoken(moment(program, 37))


@pytest.mark.skipif(browser.found() is None, reason="no browser is installed")
def test_lessons_and_programs_are_stepped_in_a_notebook(tmp_path):
    lesson, file = load_lesson("convolution"), tmp_path / "notebook.html"
    file.write_text(lesson._repr_html_() + lesson.program._repr_html_())
    with browser.browser((1300, 1600)) as seen:
        seen.call("Page.enable")
        seen.open(file, "document.readyState === 'complete'")
        seen.value("new Promise(done => setTimeout(done, 1000))")
        assert seen.said() == []
        titles = seen.value("[...document.querySelectorAll('iframe')].map(frame => frame.title)")
        assert titles == [lesson.heading, f"A program of {len(lesson.program)} steps"]
        picture = np.array(Image.open(BytesIO(seen.picture())).convert("RGB")).astype(float)
        for top in (100, 820):  # both have been drawn
            assert picture[top : top + 500].std() > 20
