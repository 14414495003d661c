"""One key moves the window from the laptop to the projector and back."""

import json
import os
import subprocess
import sys

import pytest
from PySide6.QtCore import Qt

from cnnviz.ui.screens import next_screen

# The window fills a screen, goes round, and is left at its usual size on the last one.
TOUR = """
import sys
from pathlib import Path
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from cnnviz.lesson.lesson import load_lesson
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window

application = application_of_cnnviz()
window = Window(load_lesson("relu"), "relu", Settings(Path(sys.argv[1])))
window.resize(1100, 700)
window.show()

def tell():
    application.processEvents()
    size = "full" if window.isFullScreen() else "usual"
    print(window.screen().name(), size, window.width(), window.height(), window.stage.isVisible())

tell()
window.set_lecture(True)
QTest.keyClick(window.stage, Qt.Key.Key_F)
for _ in range(3):
    tell()
    QTest.keyClick(window.stage, Qt.Key.Key_S)
tell()
QTest.keyClick(window.stage, Qt.Key.Key_F)
tell()
"""
SCREENS = [("laptop", 0, 1280, 800), ("projector", 1280, 1920, 1080)]


@pytest.mark.parametrize("here, there", [("laptop", "left"), ("left", "right"), ("right", "laptop")])
def test_screens_come_in_their_order_and_from_the_start_again(here, there):
    assert next_screen(["laptop", "left", "right"], here) == there


def test_where_there_is_no_other_screen_there_is_no_next_one():
    assert next_screen(["laptop"], "laptop") is None
    assert next_screen(["projector"], "unplugged") == "projector"


def test_with_one_screen_it_says_so_and_stays(window, qtbot):
    window.set_lecture(True)
    before = window.geometry()
    qtbot.keyClick(window.stage, Qt.Key.Key_S)
    assert window.message.isVisible()
    assert window.message.sentence.text().startswith("There is one screen only")
    assert window.geometry() == before


def test_the_window_moves_to_the_other_screen_and_stays_full(tmp_path):
    """In a process of its own, which has two screens."""
    screens = [
        {"name": name, "x": x, "y": 0, "width": width, "height": height, "dpr": 1, "logicalDpi": 96}
        | {"logicalBaseDpi": 96}
        for name, x, width, height in SCREENS
    ]
    path = tmp_path / "screens.json"
    path.write_text(json.dumps({"screens": screens}))
    environment = os.environ | {"QT_QPA_PLATFORM": f"offscreen:configfile={path}"}
    words = [sys.executable, "-c", TOUR, str(tmp_path / "settings.ini")]
    told = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.splitlines() == [
        "laptop usual 1100 700 True",
        "laptop full 1280 800 True",
        "projector full 1920 1080 True",
        "laptop full 1280 800 True",
        "projector full 1920 1080 True",
        "projector usual 1100 700 True",
    ]
