"""How many frames of 1920 × 1080 a process writes in a second of its processor; how a page opens."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from msgspec.structs import replace

from cnnviz.export.frames import Shown
from cnnviz.export.page import write_page
from cnnviz.export.png import Png
from cnnviz.export.video import write_mp4
from cnnviz.export.walk import walk
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from tests import browser
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
    yield from _page(lesson)


def _page(lesson: Lesson) -> Iterator[Row]:
    """Yield the rows of a page of all cells, in a browser."""
    found = walk(lesson, replace(lesson.view, width=SIZE[0], height=SIZE[1]), Level.CELL, tour=True)
    writing = write_page(found, range(len(found.places)))
    while True:
        try:
            next(writing)
        except StopIteration as done:
            page = done.value
            break
    yield Row(f"page of {len(found.places):,} places", len(page) / 1e6, 2, "MB")
    first = step = None
    if browser.found():
        with TemporaryDirectory() as folder, browser.browser(SIZE) as seen:
            file = Path(folder, "page.html")
            file.write_bytes(page)
            seen.open(file, "document.documentElement?.dataset.ready")
            first = float(str(seen.value("document.documentElement.dataset.ready")))
            step = float(str(seen.value(_STEPPED)))
    yield Row("page in a browser, to its first step", first, 1000, note="no browser is installed")
    yield Row("page in a browser, the next step", step, 10, note="no browser is installed")


# The median time in which one of the first places is painted.
_STEPPED = """(() => {
    const times = [];
    for (let k = 0; k < 200; k++) {
        const begun = performance.now();
        go(k);
        context.getImageData(0, 0, 1, 1);
        times.push(performance.now() - begun);
    }
    return times.sort((a, b) => a - b)[100];
})()"""


def _cells(shown: Shown, count: int) -> list[int]:
    """Return the first steps of a program, cell by cell."""
    cursor, found = Cursor(shown.program, 0, Level.CELL), [0]
    while len(found) < count:
        cursor = cursor.next()
        found.append(cursor.index)
    return found
