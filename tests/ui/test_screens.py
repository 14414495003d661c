"""One key moves the window from the laptop to the projector and back."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import Qt

from cnnviz.ui.screens import next_screen

# What the tours below begin with: a window that does what actions are named, and is looked at after each.
TOUR = """
import sys, time
from pathlib import Path
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from cnnviz.lesson.lesson import load_lesson
from cnnviz.ui import screens
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window

def wait(condition):
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        application.processEvents()
        time.sleep(0.005)

def tell():
    application.processEvents()
    size = "full" if window.isFullScreen() else "usual"
    print(size, window.width(), window.height(), window.screen().name(), window.stage.isVisible())

def do(name):
    window.actions_by_name[name].trigger()

application = application_of_cnnviz()
window = Window(load_lesson("relu"), Settings(Path(sys.argv[1])))
window.resize(1100, 700)
window.show()
wait(lambda: window.windowHandle().isExposed())
tell()
"""

# The window fills a screen, goes round, and is left at its usual size on the last one.
ROUND = """
window.set_lecture(True)
do("full")
for _ in range(3):
    tell()
    do("swap")
    print("asked to leave", window.screen().name(), window.isFullScreen())
    wait(window.isFullScreen)
tell()
do("full")
tell()
"""

# As on Wayland, where no program places its windows.
UNPLACED = """
screens.can_place = lambda: False
do("swap")
tell()
print(window.message.sentence.text())
do("full")
tell()
do("swap")
wait(window.isFullScreen)
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


def told_on_two_screens(tour, tmp_path):
    """In a process of its own, which has two screens."""
    screens = [
        {"name": name, "x": x, "y": 0, "width": width, "height": height, "dpr": 1, "logicalDpi": 96}
        | {"logicalBaseDpi": 96}
        for name, x, width, height in SCREENS
    ]
    path = tmp_path / "screens.json"
    path.write_text(json.dumps({"screens": screens}))
    return told(tour, tmp_path, {"QT_QPA_PLATFORM": f"offscreen:configfile={path.name}"}, cwd=tmp_path)


def told(tour, tmp_path, variables, cwd=None):
    words = [sys.executable, "-c", TOUR + tour, str(tmp_path / "settings.ini")]
    done = subprocess.run(
        words, env=os.environ | variables, cwd=cwd, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.splitlines()


def test_the_window_moves_to_the_other_screen_when_it_has_left_the_first_and_stays_full(tmp_path):
    assert told_on_two_screens(ROUND, tmp_path) == [
        "usual 1100 700 laptop True",
        "full 1280 800 laptop True",
        "asked to leave laptop False",
        "full 1920 1080 projector True",
        "asked to leave projector False",
        "full 1280 800 laptop True",
        "asked to leave laptop False",
        "full 1920 1080 projector True",
        "usual 1100 700 projector True",
    ]


def test_where_programs_do_not_place_windows_full_screen_is_the_one_asked_for(tmp_path):
    _, stays, said, *full = told_on_two_screens(UNPLACED, tmp_path)
    assert stays.startswith("usual 1100 700")
    assert said == "Windows cannot move themselves on this desktop; F fills projector now."
    assert full == ["full 1920 1080 projector True", "full 1280 800 laptop True"]


@pytest.fixture
def wayland(tmp_path):
    """Give variables of a Wayland desktop with two screens of different sizes: a weston in a weston."""
    variables = {key: value for key, value in os.environ.items() if not key.endswith("DISPLAY")}
    variables["XDG_RUNTIME_DIR"] = str(tmp_path)
    tmp_path.chmod(0o700)
    sizes = "".join(
        f"[output]\nname=wayland{k}\nmode={size}\n" for k, size in ((0, "1000x700"), (1, "1280x720"))
    )
    (tmp_path / "weston.ini").write_text(f"[core]\nidle-time=0\n{sizes}")
    outer = ["--backend=headless-backend.so", "--width=2400", "--height=900", "--no-config", "--socket=outer"]
    inner = [
        "--backend=wayland-backend.so",
        "--output-count=2",
        f"--config={tmp_path}/weston.ini",
        "--socket=inner",
    ]
    running = []
    try:
        for words, here in ((outer, {}), (inner, {"WAYLAND_DISPLAY": "outer"})):
            log = tmp_path / f"{words[-1][9:]}.log"
            running.append(
                subprocess.Popen(
                    ["weston", "--use-pixman", f"--log={log}", *words],
                    env=variables | here,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            end = time.monotonic() + 20
            while not (tmp_path / words[-1][9:]).exists():
                if time.monotonic() > end or running[-1].poll() is not None:
                    pytest.skip("weston does not start here")
                time.sleep(0.05)
        yield {"XDG_RUNTIME_DIR": str(tmp_path), "WAYLAND_DISPLAY": "inner", "QT_QPA_PLATFORM": "wayland"}
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)


# Qt learns the size of a full screen from the desktop, a moment after it has asked.
ON_WAYLAND = """
def full(size):
    wait(lambda: window.isFullScreen() and window.size().toTuple() == size)
    print(window.isFullScreen(), window.size().toTuple())

print(len(QGuiApplication.screens()))
do("swap")
print(window.message.sentence.text())
do("full")
sizes = {screen.name(): screen.size().toTuple() for screen in QGuiApplication.screens()}
first = next(size for name, size in sizes.items() if name in window.message.sentence.text())
other = next(size for size in sizes.values() if size != first)
for size in (first, other, first, other):
    full(size)
    do("swap")
"""


@pytest.mark.skipif(not shutil.which("weston"), reason="there is no weston")
def test_on_wayland_the_window_fills_one_screen_after_the_other(wayland, tmp_path):
    _, count, said, *seen = told(ON_WAYLAND, tmp_path, wayland)
    assert count == "2"
    assert said.startswith("Windows cannot move themselves on this desktop; F fills wayland")
    assert seen in (
        [f"True {size}" for size in ((1000, 700), (1280, 720)) * 2],
        [f"True {size}" for size in ((1280, 720), (1000, 700)) * 2],
    )
