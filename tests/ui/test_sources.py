"""A lesson file is remembered by its way from the root, once, however it was named."""

import ntpath
import os
import re

import pytest

LESSON = """
title = "Mine"
sentence = "A ReLU."
input = { shape = [3], values = [1, -2, 0] }
layers = [{ name = "act", kind = "relu" }]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    for name in ("lesson", "sub/lesson", "lesson.toml", "digits"):
        (tmp_path / name).write_text(LESSON)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("sep", ["/", "\\"])
@pytest.mark.parametrize("name", ["./lesson", "sub/lesson", "lesson", "lesson.toml", "./digits"])
def test_a_file_is_found_again_from_another_folder(window, folder, monkeypatch, sep, name):
    monkeypatch.setattr(os, "sep", sep)  # Windows takes / for one, too
    window.desk.open(name)
    assert window.desk.lesson.title == "Mine"
    assert window.desk.source == str(folder / name)

    os.chdir(folder / "sub")
    window.desk.open("relu")
    window.desk.open(window.desk.settings.text("window/lesson"))
    assert window.desk.source == str(folder / name)


def test_a_built_in_lesson_is_its_name_whatever_lies_beside(window, folder):
    window.desk.open("digits")
    assert window.desk.source == "digits"
    assert window.desk.lesson.title == "Handwritten digits"


def test_on_windows_a_file_has_one_memory_however_it_is_written(window, folder, monkeypatch, settings_file):
    """A stand-in for its disk: there, both names are the same file."""
    (folder / "Lesson.toml").write_text(LESSON)
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    window.desk.open(str(folder / "lesson.toml"))
    window.player.go_to(4)
    window.desk.open(str(folder / "Lesson.toml"))
    assert window.player.cursor.index == 4
    window.desk.settings.save()
    groups = set(re.findall("lesson-[0-9a-f]{16}", settings_file.read_text()))
    assert len(groups) == 2, "of the digits and of the file"


def test_case_tells_expressions_apart_everywhere(window, monkeypatch):
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    window.desk.take_expression("x * X   x=2 X=3")
    window.player.go_to(2)
    window.desk.take_expression("X * x   X=2 x=3")
    assert window.player.cursor.index == 0
