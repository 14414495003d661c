"""What an export is said to come to, beside what it comes to."""

from __future__ import annotations

import pytest

from cnnviz.app import main
from cnnviz.export.foretold import foretell
from cnnviz.export.formats import DOCUMENTS, FORMATS
from cnnviz.export.order import order_of
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from cnnviz.working import Pace, size_said, time_said
from tests.export.test_page import content_of


@pytest.mark.parametrize(
    ("form", "every"), [("png", Level.CELL), ("svg", Level.LAYER), ("pdf", Level.LAYER), ("html", None)]
)
def test_sizes_are_about_what_they_will_be(form, every, tmp_path):
    lesson = load_lesson("backward-conv")
    last = len(lesson.program) - 1
    order = order_of(lesson, tmp_path, every, 0, last, View(640, 360), form == "html", form)
    told = content_of(foretell(order, lesson))
    if form in DOCUMENTS:
        shown = order.walk(lesson) if form == "html" else order.shown(lesson)
        steps = range(len(shown.places)) if form == "html" else order.steps(lesson)
        size = len(content_of(DOCUMENTS[form].write(shown, steps)))
    else:
        shown, steps, writer = order.shown(lesson), order.steps(lesson), FORMATS[form]()
        size = sum(len(writer.encode(shown, step)) for step in steps)
    assert told.frames == len(steps)
    assert 1 / 2 < told.size / size < 2
    assert 0 < told.seconds < 60


def test_the_command_says_it_and_writes_nothing(tmp_path, capsys):
    folder = tmp_path / "frames"
    assert (
        main(["export", "lenet", "--every", "cell", "--about", "--size", "640x360", "-o", str(folder)]) == 0
    )
    said = capsys.readouterr().out
    assert said.startswith("154,221 frames, about ") and (" min" in said or " h" in said)
    assert not folder.exists()


def test_it_is_said_as_roughly_as_it_is_known(monkeypatch):
    sizes = {900: "0.9 kB", 123_456: "120 kB", 1_449_000: "1.4 MB", 53.27e9: "53 GB"}
    assert {size: size_said(size) for size in sizes} == sizes
    times = {0.2: "1 s", 8.44: "8.4 s", 47: "47 s", 100: "1.7 min", 2460: "41 min", 7200: "2.0 h"}
    assert {seconds: time_said(seconds) for seconds in times} == times
    now = iter([100.0, 101.0, 102.0, 200.0])
    monkeypatch.setattr("cnnviz.working.monotonic", lambda: next(now))
    pace = Pace()
    assert [pace.left(done, 100) for done in (60, 60, 62, 100)] == ["", "", ", about 38 s left", ""]
