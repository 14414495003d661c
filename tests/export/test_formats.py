"""Another format is a module of its own: names, whole files and going on are the same for all."""

from __future__ import annotations

import os
from typing import ClassVar

from cnnviz.export.formats import FORMATS
from cnnviz.export.frames import Shown, stops
from cnnviz.export.writing import export
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Label
from cnnviz.trace.stops import Level


class Words:
    """What is written in a frame, and a line that says its end."""

    suffix = ".txt"
    encoded: ClassVar[list[int]] = []

    def encode(self, shown, index):
        self.encoded.append(index)
        marks = compose(shown.program, index, shown.view).marks
        words = ["".join(run.text for run in mark.runs) for mark in marks if isinstance(mark, Label)]
        return "\n".join([*words, "end"]).encode()

    def is_whole(self, file, shown):
        return file.read().endswith(b"end")


def test_frames_of_another_format_are_named_and_gone_on_with_as_all_are(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "words", Words)
    lesson = load_lesson("convolution")
    steps = stops(lesson.program, Level.CELL)

    def write():
        return [*export(lambda: Shown(lesson.program, lesson.view), tmp_path, steps, {}, "words")]

    assert write()[-1] == len(steps)
    names = sorted(name for name in os.listdir(tmp_path) if name.endswith(".txt"))
    assert [int(name.partition("-")[0]) for name in names] == steps
    assert lesson.heading in (tmp_path / names[0]).read_text()

    (tmp_path / names[2]).write_text("half")
    Words.encoded.clear()
    assert write() == [len(steps) - 1, len(steps)]
    assert Words.encoded == [steps[2]]
