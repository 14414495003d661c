"""What a notebook shows of a lesson, a program and a step."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

from msgspec.structs import replace
from PIL import Image

from cnnviz.export.frames import Shown, check_size
from cnnviz.export.page import write_page
from cnnviz.export.png import as_pillow, picture
from cnnviz.export.walk import Alone, walk
from cnnviz.export.writing import screenless
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.spoken import spoken
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.program import Program, Step

_SIZE = 1280, 720
_MOST = 250
"""How many places a page in a notebook has at most: it is made anew whenever a cell is run."""


def image(step: Step, size: tuple[int, int]) -> Image.Image:
    """Return the picture of a step."""
    width, height = size
    check_size(width, height)
    screenless()
    return as_pillow(picture(Shown(step.program, View(width, height)), step.index))


def html_of_step(step: Step) -> str:
    """Return its picture, with what it does as words for who does not see it."""
    file = BytesIO()
    image(step, _SIZE).save(file, "png")
    packed = base64.b64encode(file.getvalue()).decode()
    said = escape(spoken(moment(step.program, step.index)))
    return f'<img src="data:image/png;base64,{packed}" alt="{said}" style="max-width: 100%">'


def html_of_program(program: Program) -> str:
    """Return a page on which its steps are gone through."""
    return _framed(Alone(program), tr("A program of {count:,} steps", count=len(program)))


def html_of_lesson(lesson: Lesson) -> str:
    """Return a page on which its steps and its stops are gone through."""
    return _framed(lesson, lesson.heading)


def _framed(shown: Lesson | Alone, title: str) -> str:
    width, height = _SIZE
    found = walk(shown, replace(View(), width=width, height=height), most=_MOST)
    writing = write_page(found, range(len(found.places)))
    while True:
        try:
            next(writing)
        except StopIteration as done:
            page = done.value.decode()
            break
    # In a frame of its own, that reaches nothing of the notebook.
    return (
        f'<iframe sandbox="allow-scripts" title="{escape(title)}" srcdoc="{escape(page)}" '
        'style="width: 100%; height: 720px; border: 0"></iframe>'
    )
