"""How many frames of 1920 × 1080 a process writes in a second of its processor."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from time import process_time

from msgspec.structs import replace

from cnnviz.export.frames import Shown
from cnnviz.export.png import Png
from cnnviz.export.video import write_mp4
from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from tests.benchmark.painting import SIZE
from tests.benchmark.table import LEAST, Row

FRAMES = 200


def rows() -> Iterator[Row]:
    """Yield the rows of pictures and films."""
    from cnnviz.ui.launch import application_of_cnnviz

    application_of_cnnviz()
    lesson = load_lesson("digits")
    width, height = SIZE
    shown = Shown(lesson.program, replace(lesson.view, width=width, height=height))
    steps = _cells(shown, FRAMES + 20)
    png = Png()
    for index in steps[:20]:
        png.encode(shown, index)
    begun = process_time()
    for index in steps[20:]:
        png.encode(shown, index)
    yield Row("PNG, frames of 1080p", FRAMES / (process_time() - begun), 100, "/s", LEAST)
    frames = None
    if find_spec("av"):
        begun = process_time()
        for _ in write_mp4(shown, steps[20:]):
            pass
        frames = FRAMES / (process_time() - begun)
    yield Row("MP4, frames of 1080p", frames, 60, "/s", LEAST, "PyAV is not installed")


def _cells(shown: Shown, count: int) -> list[int]:
    """Return the first steps of a program, cell by cell."""
    cursor, found = Cursor(shown.program, 0, Level.CELL), [0]
    while len(found) < count:
        cursor = cursor.next()
        found.append(cursor.index)
    return found
