"""Frames painted by several processes are those that one paints."""

import multiprocessing
import os
import sys
from concurrent.futures import Future

import pytest
from msgspec.structs import replace
from PySide6.QtGui import QImage

from cnnviz.errors import CnnvizError
from cnnviz.export import writing as exporting
from cnnviz.export.frames import Shown, frame_name, stops
from cnnviz.export.writing import export
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.trace.stops import Level
from tests.cli.frames import frames_in


def digits(image=182):
    lesson = load_lesson("digits", image)
    view = replace(lesson.view, width=320, height=180, display=Display(theme="dark"))
    return Shown(lesson.program, view)


def test_several_processes_paint_what_one_paints(qapp, tmp_path):
    program = digits().program
    steps = stops(program, Level.CELL, 0, 1600)[:50]
    counts = [*export(digits, tmp_path / "two", steps, {}, processes=2)]
    list(export(digits, tmp_path / "one", steps[::7], {}, processes=1))

    assert (counts[0], counts[-1]) == (0, 50)
    assert counts == sorted(counts)
    assert frames_in(tmp_path / "two") == sorted(frame_name(program, index) for index in steps)
    for index in steps[::7]:
        one, two = (QImage(str(tmp_path / k / frame_name(program, index))) for k in ("one", "two"))
        assert one == two
        assert one.width() == 320


def test_on_windows_no_more_processes_are_asked_for_than_it_lets_one_wait_for(tmp_path, monkeypatch):
    """A pool refuses to wait for more than 61; here it paints nothing."""
    asked = []

    class Pool(exporting.ProcessPoolExecutor):
        def __init__(self, processes, **settings):
            super().__init__(processes, **settings)
            asked.append(processes)

        def submit(self, *_):
            done = Future()
            done.set_result(None)
            return done

    monkeypatch.setattr(exporting, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    counts = [*export(digits, tmp_path / "f", range(25 * 128), {})]
    assert counts[-1] == 25 * 128
    assert asked == [61]


def fails_elsewhere():
    if multiprocessing.parent_process():
        raise CnnvizError("The lesson is gone.")
    return digits()


def test_what_goes_wrong_in_another_process_is_told(tmp_path):
    steps = range(50)
    with pytest.raises(CnnvizError, match=r"^The lesson is gone\.$"):
        list(export(fails_elsewhere, tmp_path / "f", steps, {}, processes=2))
