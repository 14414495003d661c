"""Another format is a module of its own: names, whole files and going on are the same for all."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest
from msgspec.structs import replace

from cnnviz.cli import export as command
from cnnviz.errors import CnnvizError
from cnnviz.export.formats import DOCUMENTS, FORMATS
from cnnviz.export.frames import Shown, stops
from cnnviz.export.order import order_of
from cnnviz.export.writing import begin, export
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Label
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from cnnviz.ui import export_dialog


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


def test_every_format_is_offered_on_the_command_line_and_in_the_dialog():
    assert {*command.FORMATS} == {*FORMATS, *DOCUMENTS} == {form for form, _ in export_dialog.FORMS}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_takes_its_place_when_it_is_whole_and_not_before(tmp_path, kind):
    """Broken off, in a folder that is gone: what was there is as it was; test_faults has failing writes."""
    lesson, file = load_lesson("relu"), tmp_path / f"relu{DOCUMENTS[kind].suffix}"
    order = order_of(lesson, file, None, 0, len(lesson.program) - 1, View(640, 360), form=kind)
    file.write_bytes(b"before")
    frames = begin(order, lesson).frames
    assert next(frames) == 0 and next(frames) == 1
    frames.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]

    made = begin(order, lesson)
    assert list(made.frames)[-1] == made.total
    assert len(file.read_bytes()) > 1000
    gone = replace(order, folder=tmp_path / "gone" / file.name)
    with pytest.raises(CnnvizError, match="gone"):
        list(begin(gone, lesson).frames)
