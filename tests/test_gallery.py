"""The gallery holds what it says."""

from __future__ import annotations

import re

from PySide6.QtGui import QImage

from cnnviz.lesson.lesson import load_lesson
from tests.gallery.pictures import SIZES, telling, write


def test_the_gallery_of_one_lesson(qapp, tmp_path):
    files = list(write(tmp_path, ["backward-fc"]))
    *pictures, index = files
    steps = telling(load_lesson("backward-fc"))
    assert [what.partition(",")[0] for what in steps] == ["stop 1", "forward", "loss", "backward", "update"]
    assert len(pictures) == len(steps) * len(SIZES) * 2
    sizes = {(image.width(), image.height()) for image in map(QImage, map(str, pictures))}
    assert sizes == set(SIZES)
    page = index.read_text(encoding="utf-8")
    shown = re.findall(r'src="([^"]+)"', page)
    assert [tmp_path / way for way in shown] == pictures
    assert load_lesson("backward-fc").sentence in page


def test_every_stop_and_operation_can_be_asked_for():
    lesson = load_lesson("backward-fc")
    steps = telling(lesson, every=True)
    assert {stop.index for stop in lesson.stops} <= set(steps.values())
    shown = {lesson.program[step].operation.name for step in steps.values()}
    assert shown == {operation.name for operation in lesson.program.operations}
