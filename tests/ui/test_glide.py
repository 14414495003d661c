"""The outlines of what is read glide to the next step, and rest there."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QAbstractAnimation, Qt
from PySide6.QtWidgets import QApplication

from cnnviz.scene.marks import Rect
from cnnviz.trace.stops import Level
from cnnviz.ui import stage_pane

RUNNING = QAbstractAnimation.State.Running


@pytest.fixture
def window(make_window):
    return make_window(glides=True)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """However slow the machine is, steps here do not follow one another fast unless they are meant to."""
    monkeypatch.setattr(stage_pane, "_REST", 0)


def outlines(frame):
    return [mark.box for mark in frame.marks if isinstance(mark, Rect) and mark.stroke == "source_line"]


def at_rest(window, qtbot):
    qtbot.waitUntil(lambda: window.stage._glide.state() != RUNNING)


def in_conv1(window, qtbot) -> None:
    window.player.set_level(Level.CELL)
    window.player.go_to(window.player.cursor.program.find("conv1", i=2, j=3))
    window.player.go(window.player.cursor.next())
    QApplication.processEvents()
    at_rest(window, qtbot)


def painted(window, monkeypatch) -> list:
    """What the stage paints from now on, frame by frame."""
    seen = []
    whole = type(window.stage).on_the_way

    def noted(stage, frame):
        seen.append(whole(stage, frame))
        return seen[-1]

    monkeypatch.setattr(type(window.stage), "on_the_way", noted)
    return seen


def test_a_step_glides_and_then_rests(window, qtbot, monkeypatch):
    in_conv1(window, qtbot)
    window.stage._glide.setDuration(600)  # time enough to be painted several times
    before = outlines(window.stage.frame)
    seen = painted(window, monkeypatch)
    qtbot.keyClick(window.stage, Qt.Key.Key_Right)
    at_rest(window, qtbot)
    qtbot.waitUntil(lambda: seen[-1] is window.stage.frame)  # … and what rests is the step itself
    after = outlines(window.stage.frame)
    ways = [outlines(frame)[0].x for frame in seen]
    assert before[0].x <= ways[0] < after[0].x  # it sets out from where it was …
    assert ways == sorted(ways) and len(set(ways)) > 2


def test_the_step_counts_as_shown_at_its_first_painting(window, qtbot):
    in_conv1(window, qtbot)
    qtbot.keyClick(window.stage, Qt.Key.Key_Right)
    QApplication.processEvents()
    assert window.player.shown
    assert window.stage._glide.state() == RUNNING


def test_steps_in_a_hurry_do_not_glide(window, qtbot, monkeypatch):
    in_conv1(window, qtbot)
    monkeypatch.setattr(stage_pane, "_REST", 60_000)
    seen = painted(window, monkeypatch)
    for _ in range(3):
        qtbot.keyClick(window.stage, Qt.Key.Key_Right)
        QApplication.processEvents()
        assert seen[-1] is window.stage.frame


def test_another_operation_is_there_at_once(window, qtbot, monkeypatch):
    in_conv1(window, qtbot)
    seen = painted(window, monkeypatch)
    window.player.go_to(window.player.cursor.program.find("pool1") + 40)
    QApplication.processEvents()
    assert seen[-1] is window.stage.frame


def test_it_can_be_turned_off_and_stays_off(window, make_window, qtbot, monkeypatch):
    window.actions_by_name["glide"].trigger()
    in_conv1(window, qtbot)
    seen = painted(window, monkeypatch)
    qtbot.keyClick(window.stage, Qt.Key.Key_Right)
    QApplication.processEvents()
    assert seen and all(frame is window.stage.frame for frame in seen)
    window.close()
    again = make_window(glides=True)
    assert not again.stage.glides and not again.actions_by_name["glide"].isChecked()
