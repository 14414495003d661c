"""One key moves the window from the laptop to the projector and back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import Qt

from cnnviz.ui.screens import next_screen, screen_of_audience
from tests.screen import screen

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
window.lecture.show(True)
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

# What is on which screen while a lecture goes on, and the projector goes and comes.
LECTURE = """
def tell(what):
    wait(lambda: not (window.lecture._screens.isActive() or moving(window.lecture.mover)))
    presenter = window.lecture.presenter
    wait(lambda: presenter is None or not moving(presenter.mover))
    application.processEvents()
    for name, widget in (("stage", window), ("presenter", presenter)):
        if widget is None:
            print(what, name, "none")
        else:
            wait(lambda: not widget.isFullScreen() or widget.size() == widget.screen().size())
            size = "full" if widget.isFullScreen() else "usual"
            print(what, name, size, widget.screen().name(), widget.size().toTuple())

def moving(mover):
    return mover._there is not None

PLUGS
window.move(100, 50)
do("lecture")
tell("begins")
do("swap")
tell("swapped")
do("swap")
tell("swapped")
unplug()
tell("unplugged")
plug()
tell("plugged")
do("lecture")
tell("left")
print(window.pos().x() - 100 < 20)
do("lecture")
tell("again")
do("presenter")
tell("closed")
do("lecture")
wait(lambda: window.size().toTuple() == (1100, 700))  # a desktop leaves full screen when it comes to it
do("lecture")
tell("remembered")
"""

# The offscreen platform has no screens that come and go: the program does not see one.
UNSEEN = """
from cnnviz.ui import lecture
both = screens.connected
def unplug():
    first, second = both()
    only = lambda: {first: both()[first]}
    screens.connected = lecture.connected = only
    window.lecture.mover.go(first, window.windowState())  # as Qt and the desktop do
    wait(lambda: not moving(window.lecture.mover))
    application.screenRemoved.emit(application.screens()[0])
def plug():
    screens.connected = lecture.connected = both
    application.screenAdded.emit(application.screens()[1])
"""

# An X server has them: part of its picture is called a screen, or is not.
UNPLUGGED = """
import subprocess
def seen(count):
    wait(lambda: len(application.screens()) == count)
    wait(window.lecture._screens.isActive)
def unplug():
    subprocess.run(["xrandr", "--delmonitor", "projector"], check=True)
    seen(1)
def plug():
    where = "1920/480x1080/270+1280+0"
    subprocess.run(["xrandr", "--setmonitor", "projector", where, "none"], check=True)
    seen(2)
"""

# The key is pressed again before the desktop has come to what was asked first: it is held up meanwhile.
TWICE = """
import os, signal
desktop = int(sys.argv[2])
def rest(seconds):
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)
do("lecture")
rest(1)
for presses in (2, 2, 1, 2, 3):
    for k in range(presses):
        os.kill(desktop, signal.SIGSTOP)
        do("lecture")
        rest(0.05)
        os.kill(desktop, signal.SIGCONT)
        rest(0.005)
    rest(1)
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


@pytest.mark.parametrize(
    ("screens", "here", "there"),
    [
        (["laptop"], "laptop", "laptop"),
        (["laptop", "projector"], "laptop", "projector"),
        (["projector", "laptop"], "laptop", "projector"),
        (["laptop", "projector", "monitor"], "monitor", "monitor"),
    ],
)
def test_the_class_sees_what_is_not_the_lecturers_own_screen(screens, here, there):
    assert screen_of_audience(screens, here, "laptop") == there


@pytest.mark.parametrize("full", [True, False])
def test_a_desktop_that_answers_late_is_asked_again(window, qtbot, full):
    """Left and entered again at once, the lecture view was a usual window, without its bar."""
    window.actions_by_name["lecture"].trigger()
    if not full:
        window.actions_by_name["lecture"].trigger()
    before = Qt.WindowState.WindowNoState if full else Qt.WindowState.WindowFullScreen
    window.windowHandle().setWindowStates(before)  # as was asked before
    qtbot.waitUntil(lambda: window.isFullScreen() == full == window.lecture.on)


def test_with_one_screen_it_says_so_and_stays(window, qtbot):
    window.lecture.show(True)
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


LAPTOP, PROJECTOR = "laptop (1280, 800)", "projector (1920, 1080)"
TOLD = [
    f"begins stage full {PROJECTOR}",
    f"begins presenter full {LAPTOP}",
    f"swapped stage full {LAPTOP}",
    f"swapped presenter full {PROJECTOR}",
    f"swapped stage full {PROJECTOR}",
    f"swapped presenter full {LAPTOP}",
    f"unplugged stage full {LAPTOP}",
    "unplugged presenter none",
    f"plugged stage full {PROJECTOR}",
    f"plugged presenter full {LAPTOP}",
    "left stage usual laptop (1100, 700)",
    "left presenter none",
    "True",
    f"again stage full {PROJECTOR}",
    f"again presenter full {LAPTOP}",
    f"closed stage full {PROJECTOR}",
    "closed presenter none",
    f"remembered stage full {PROJECTOR}",
    "remembered presenter none",
]


def test_the_class_has_the_projector_and_the_lecturer_the_laptop_whatever_is_plugged_in(tmp_path):
    assert told_on_two_screens(LECTURE.replace("PLUGS", UNSEEN), tmp_path)[1:] == TOLD


TOOLS = ("Xvfb", "openbox", "xrandr")


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"it takes {', '.join(TOOLS)}")
def test_the_key_of_the_lecture_view_may_be_pressed_twice_at_once(tmp_path):
    with screen("1280x720") as display:
        environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        desktop = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
        try:
            words = [TOUR + TWICE, tmp_path / "settings.json", desktop.pid]
            done = subprocess.run(
                [sys.executable, "-c", *map(str, words)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            desktop.send_signal(signal.SIGCONT)
            desktop.terminate()
            desktop.wait(20)
    seen = [line.split()[0] for line in done.stdout.splitlines()]
    assert seen == ["usual", "full", "full", "usual", "usual", "full"], done.stderr


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"it takes {', '.join(TOOLS)}")
def test_screens_really_come_and_go_on_an_x_server(tmp_path):
    with screen("3200x1080") as display:
        variables = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        environment = os.environ | variables
        desktop = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
        try:
            for name, where, output in (
                ("laptop", "1280/320x800/200+0+0", "screen"),
                ("projector", "1920/480x1080/270+1280+0", "none"),
            ):
                words = ["xrandr", "--setmonitor", name, where, output]
                subprocess.run(words, env=environment, check=True, capture_output=True)
            assert told(LECTURE.replace("PLUGS", UNPLUGGED), tmp_path, variables)[1:] == TOLD
        finally:
            desktop.terminate()
            desktop.wait(20)


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
