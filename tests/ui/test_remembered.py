"""What is remembered may be a place that cannot be computed, or not painted: the program starts elsewhere."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

from cnnviz.lesson.lesson import DEFAULT, load_lesson
from cnnviz.trace.program import Program
from cnnviz.ui import launch
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window

PLACE = 9


class BrokenError(Exception):
    """What the place raises."""


@pytest.fixture
def start(application, settings_file, qtbot, monkeypatch):
    """Start as the program does, on what is remembered; return the window when it has come to rest."""
    made: list[Window] = []

    def start() -> Window:
        monkeypatch.setattr(sys, "excepthook", lambda *_: None)
        window = launch._where_it_was_left(Settings(settings_file))
        made.append(window)
        launch.report_to(window)
        window.resize(1280, 720)
        window.show()
        qtbot.waitUntil(lambda: window.player.shown and not window.stage.paintingActive())
        QCoreApplication.processEvents()
        return window

    yield start
    for window in made:
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def left_at(application, settings_file, source: str, place: int = PLACE) -> None:
    window = Window(load_lesson(source), Settings(settings_file))
    window.player.go_to(place)
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def broken_from(monkeypatch, title: str, first: int, what: str) -> None:
    """Have steps of a lesson, from one on, raise: as they are computed, or as they are painted."""
    lesson = load_lesson(title)
    names = [operation.name for operation in lesson.program.operations]

    def is_broken(program: Program, index: int) -> bool:
        return [operation.name for operation in program.operations] == names and index >= first

    state, stage = Program.state, launch.Window.__init__.__globals__["StagePane"].compose

    def failing_state(program, index):
        if is_broken(program, index):
            raise BrokenError
        return state(program, index)

    def failing_stage(pane, box, unit):
        cursor = pane.player.cursor
        if is_broken(cursor.program, cursor.index):
            raise BrokenError
        return stage(pane, box, unit)

    if what == "computed":
        monkeypatch.setattr(Program, "state", failing_state)
    else:
        monkeypatch.setattr("cnnviz.ui.stage_pane.StagePane.compose", failing_stage)


@pytest.mark.parametrize("what", ["computed", "painted"])
@pytest.mark.parametrize("source", ["relu", DEFAULT])
def test_a_step_that_fails_is_left_for_the_first(
    application, settings_file, start, monkeypatch, qtbot, what, source
):
    left_at(application, settings_file, source)
    broken_from(monkeypatch, source, PLACE, what)
    with qtbot.captureExceptions():
        window = start()
    assert window.desk.source == source
    assert window.player.cursor.index == 0
    assert "went wrong" in window.message.sentence.text()
    window.close()
    assert Settings(settings_file).text("window/lesson") == source
    with qtbot.captureExceptions() as raised:
        assert start().player.cursor.index == 0, "nor is it gone to at the next start"
    assert raised == []


@pytest.mark.parametrize("what", ["computed", "painted"])
def test_a_lesson_that_fails_from_its_first_step_on_is_left_for_the_usual_one(
    application, settings_file, start, monkeypatch, qtbot, what
):
    left_at(application, settings_file, "relu")
    broken_from(monkeypatch, "relu", 0, what)
    with qtbot.captureExceptions():
        window = start()
    assert window.desk.source == DEFAULT
    assert "wrong" in window.message.sentence.text() or "cannot be shown" in window.message.sentence.text()
    window.player.go_to(5)
    window.close()
    with qtbot.captureExceptions() as raised:
        assert start().player.cursor.index == 5
    assert raised == []
