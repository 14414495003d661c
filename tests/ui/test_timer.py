"""What fails at a turn of a timer fails once: it stops, and the bar says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QObject

import cnnviz
from cnnviz.lesson.lesson import load_lesson
from cnnviz.ui.timer import Timer
from cnnviz.ui.trainer import Trainer


def test_a_timer_whose_work_fails_stops(application, qtbot):
    parent, turns = QObject(), []

    def work():
        turns.append(len(turns))
        if len(turns) == 3:
            raise KeyError(3000)

    timer = Timer(parent, work)
    with qtbot.captureExceptions() as raised, qtbot.waitSignal(timer.failed):
        timer.start(1)
    qtbot.wait(30)
    assert turns == [0, 1, 2]
    assert [kind for kind, _, _ in raised] == [KeyError]
    assert not timer.isActive()


def test_playing_that_fails_is_paused(player, qtbot, monkeypatch):
    monkeypatch.setattr(type(player.cursor), "next", lambda _: 1 / 0)
    player.set_speed(60)
    with qtbot.captureExceptions() as raised:
        player.play()
        qtbot.waitUntil(lambda: not player.playing)
        qtbot.wait(60)
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]


@pytest.mark.parametrize("error", [KeyError(3000), KeyboardInterrupt(), ZeroDivisionError()])
def test_training_that_fails_stops_and_can_go_on(application, qtbot, error):
    run, trainer = load_lesson("training").run, Trainer()
    trainer.take(run)
    whole = run.work

    def work(*_):
        for k, _ in enumerate(whole()):
            if k == 3:
                raise error
            yield

    run.work = work
    with qtbot.captureExceptions() as raised:
        trainer.start()
        qtbot.waitUntil(lambda: not trainer.running)
        qtbot.wait(30)
    assert [kind for kind, _, _ in raised] == [type(error)]
    assert not trainer.begun
    del run.work
    trainer.start()
    qtbot.waitUntil(lambda: run.done > 20)
    trainer.cancel()


def test_there_is_no_other_timer_that_turns_again_and_again():
    for path in (Path(cnnviz.__file__).parent / "ui").glob("*.py"):
        if path.name != "timer.py":
            assert not re.search(r"\bQTimer\(|startTimer\(", path.read_text(encoding="utf-8")), path
