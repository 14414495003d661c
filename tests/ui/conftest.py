"""A window on the lesson of digits, with settings of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.player import Player
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window

MakeWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def lesson() -> Lesson:
    return load_lesson("digits")


@pytest.fixture(scope="session")
def application(qapp: QApplication) -> QApplication:
    return application_of_cnnviz()


@pytest.fixture
def player(application: QApplication, lesson: Lesson) -> Player:
    return Player(lesson.program, lesson.view)


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    return tmp_path / "settings.ini"


@pytest.fixture
def make_window(
    application: QApplication, lesson: Lesson, settings_file: Path, qtbot
) -> Iterator[MakeWindow]:
    made: list[Window] = []

    def make(width: int = 1280, height: int = 720, glides: bool = False) -> Window:
        window = Window(lesson, Settings(settings_file))
        if not glides:  # or every test would have to wait for a step to rest
            window.stage.glides = False
        window.resize(width, height)
        window.show()
        window.activateWindow()
        qtbot.waitExposed(window)
        window.stage.setFocus()
        application.processEvents()
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def window(make_window: MakeWindow) -> Window:
    return make_window()
