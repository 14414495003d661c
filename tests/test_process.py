"""The real program as a process: how it starts, what it hears while its window is open, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnviz.ui.settings import lesson_key
from tests.screen import HAS_SCREEN, MAIN, PYTHON, ROOT, Program, screen, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and displays as POSIX and X11 have them")
on_a_screen = pytest.mark.skipif(not HAS_SCREEN, reason="there is no Xvfb or no xdotool here")

LESSON = """
title = "Small"
sentence = "A ReLU."
seed = 1
input = { shape = [1, 2, 2], values = [[[1, -2], [0, 4]]] }
layers = [ { name = "relu1", kind = "relu" } ]
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with screen() as name:
        yield name


@pytest.fixture
def start(tmp_path):
    """Start the program; what is still running at the end of the test is killed."""
    started: list[Program] = []

    def start(*words: object, display: str = "", **variables: str) -> Program:
        started.append(Program([PYTHON, MAIN, *words], display, tmp_path, **variables))
        return started[-1]

    yield start
    for program in started:
        program.kill()


def remembered(program: Program) -> dict[str, str]:
    path = Path(program.environment["CNNVIZ_SETTINGS"])
    return json.loads(path.read_text()) if path.exists() else {}


def theme(held: dict[str, str]) -> str:
    """Return the theme that is remembered."""
    return json.loads(held.get("display", "{}")).get("theme", "")


# ----------------------------------------------------------------------------------------- how it ends


@on_a_screen
@pytest.mark.parametrize("number, status", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_signal_closes_the_window_as_its_close_button_does(start, display, number, status):
    program = start("convolution", display=display)
    program.window()
    program.keys("t", "Next", "Next")
    until_heard(program)
    program.process.send_signal(getattr(signal, number))

    assert program.ends() == status
    assert program.said() == ""
    held = remembered(program)
    assert theme(held) == "dark"
    assert [value for key, value in held.items() if key.endswith("/step")] != ["0"]


def until_heard(program: Program) -> None:
    """Wait until all keys pressed so far have been answered: a dialog is opened and closed after them."""

    def dialogs() -> str:
        return program.tool("search", "--onlyvisible", "--name", "Open lesson")

    program.keys("ctrl+o")
    until(dialogs, program)

    def closed() -> bool:
        program.keys("Escape")  # again, for the dialog is seen before it has the keyboard
        return not dialogs()

    until(closed, program)


@on_a_screen
def test_closing_the_window_ends_it_with_0(start, display):
    program = start("convolution", display=display)
    program.window()
    program.keys("ctrl+q")
    assert (program.ends(), program.said()) == (0, "")


@on_a_screen
def test_ctrl_c_while_it_trains_ends_it_without_a_word(start, display):
    program = start("training", display=display)
    program.window()
    program.keys("g")
    time.sleep(1.0)  # in the middle of it
    program.process.send_signal(signal.SIGINT)
    assert (program.ends(), program.said()) == (130, "")


@on_a_screen
def test_a_dialog_that_waits_does_not_keep_it_open(start, display):
    program = start("convolution", display=display)
    program.window()
    program.keys("ctrl+o")
    until(lambda: program.tool("search", "--onlyvisible", "--name", "Open lesson"), program)
    program.process.send_signal(signal.SIGTERM)
    assert (program.ends(), program.said()) == (143, "")


@pytest.mark.parametrize("number, status", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_command_that_is_ended_says_so_with_its_status(start, tmp_path, number, status):
    program = start("dump", "training", "-o", "t.npz", "--iteration", "2999")
    time.sleep(1.5)
    program.process.send_signal(getattr(signal, number))
    assert program.ends() == status
    assert re.fullmatch(r"(cnnviz: [\d,]+ of 2,999 iterations …\n)*cnnviz: Stopped\.\n", program.said())
    assert not (tmp_path / "t.npz").exists()


@on_a_screen
def test_what_is_ignored_stays_ignored(start, display, tmp_path):
    program = Program(["nohup", PYTHON, MAIN, "convolution"], display, tmp_path)
    try:
        program.window()
        program.process.send_signal(signal.SIGHUP)
        program.keys("t")
        until(lambda: theme(remembered(program)) == "dark", program)
        program.keys("ctrl+q")
        assert program.ends() == 0
    finally:
        program.kill()


# ---------------------------------------------------------------------------------- what a kill leaves


@on_a_screen
def test_what_was_changed_two_seconds_before_a_kill_is_there(start, display):
    program = start("convolution", display=display)
    program.window()
    program.keys("t", "Next", "Next", "Next", "F9")
    until_heard(program)
    time.sleep(2.0)
    program.kill()
    held = remembered(program)
    step = next(int(value) for key, value in held.items() if key.endswith("/step"))
    assert theme(held) == "dark"
    assert step > 0
    assert any("conv" in value for key, value in held.items() if key.endswith("/breakpoints"))

    again = start(display=display)
    again.window()
    again.keys("t")
    until(lambda: theme(remembered(again)) == "light", again)
    assert [int(value) for key, value in remembered(again).items() if key.endswith("/step")] == [step]
    assert again.said() == ""


# ---------------------------------------------------------------------------------- where it cannot open


NOWHERE = [
    {},
    {"DISPLAY": ":6543"},
    {"DISPLAY": "nonsense"},
    {"WAYLAND_DISPLAY": "wayland-6543"},
    {"WAYLAND_DISPLAY": "wayland-6543", "XDG_SESSION_TYPE": "wayland"},
    {"QT_QPA_PLATFORM": "wayland", "WAYLAND_DISPLAY": "wayland-6543"},
    {"QT_QPA_PLATFORM": "nonsense"},
    {"QT_QPA_PLATFORM": "xcb"},
]


def frames_instead(program: Program, folder: Path) -> None:
    assert program.ends() == 0
    assert re.fullmatch(
        r"cnnviz: There is no display on which a window could be opened \([^\n]*\): the frames of small are "
        r"written to cnnviz-frames/small instead\.\n",
        program.said(),
    )
    assert program.out.read_text() == "cnnviz-frames/small holds 3 frames.\n"
    frames = list((folder / "cnnviz-frames" / "small").glob("*.png"))
    assert len(frames) == 3 and all(frame.stat().st_size > 1000 for frame in frames)


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(LESSON)
    return path


@pytest.mark.parametrize(
    "variables", NOWHERE, ids=lambda variables: " ".join(map("=".join, variables.items()))
)
def test_without_a_display_that_answers_it_writes_the_frames(start, small, tmp_path, variables):
    frames_instead(start(small, XDG_RUNTIME_DIR=str(tmp_path), **variables), tmp_path)


@pytest.mark.parametrize("words", [["-m", "cnnviz"], ["-c", "from cnnviz.app import main; exit(main())"]])
def test_so_it_does_however_it_is_started(small, tmp_path, words):
    frames_instead(
        Program([PYTHON, *words, small], ":6543", tmp_path, PYTHONPATH=str(ROOT)),
        tmp_path,
    )


@pytest.mark.skipif(not (ROOT / ".venv" / "cnnviz.json").exists(), reason="the set-up has not been run here")
def test_so_it_does_when_make_runs_it(small, tmp_path):
    frames_instead(Program([PYTHON, ROOT / ".ci" / "setup.py", "run", small], ":6543", tmp_path), tmp_path)


@on_a_screen
@pytest.mark.parametrize("library", ["libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxkbcommon-x11.so.0"])
def test_where_a_library_of_the_display_is_missing_it_writes_the_frames(
    start, small, tmp_path, display, library
):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / library).write_bytes(b"")  # what the loader finds first, and cannot load
    frames_instead(start(small, display=display, LD_LIBRARY_PATH=str(tmp_path / "lib")), tmp_path)


def test_where_a_library_that_painting_needs_is_missing_it_says_so(start, small, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libEGL.so.1").write_bytes(b"")
    program = start(small, LD_LIBRARY_PATH=str(tmp_path / "lib"))
    assert program.ends() == 2
    assert re.fullmatch(r"cnnviz: cnnviz cannot start, because [^\n]*libEGL[^\n]*\.\n", program.said())


@on_a_screen
def test_a_display_that_never_answers_is_not_waited_for_long(start, small, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        silent.listen(8)
        if port < 6000:
            pytest.skip("no port for a display")
        frames_instead(start(small, display=f"127.0.0.1:{port - 6000}"), tmp_path)


# ------------------------------------------------------------------------------- what is remembered is bad


NESTED = "[" * 3_000 + "]" * 3_000


@on_a_screen
@pytest.mark.parametrize(
    "content",
    [
        "",
        "[window]\ntheme=light\n",
        NESTED,
        '{"display": 7}',
        f'{{"window/lesson": "digits", "{lesson_key("digits")}/breakpoints": "{NESTED}"}}',
    ],
    ids=["empty", "of another kind", "nested", "no text", "nested in a text"],
)
def test_a_damaged_memory_is_set_aside_and_the_window_opens(start, display, tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_text(content)
    program = start(display=display)
    program.window()
    program.keys("t")
    until(lambda: path.exists() and theme(remembered(program)) == "dark", program)
    program.process.send_signal(signal.SIGTERM)
    assert (program.ends(), program.said()) == (143, "")
    assert (tmp_path / "settings.json.damaged").read_text() == content


def test_a_mistake_is_one_sentence_and_2(start, small):
    small.write_text("title = ")
    for words in (("nix",), ("info", small), ("export", "digits"), (small,)):
        program = start(*words, display=":6543")
        assert program.ends() == 2
        assert re.fullmatch(r"cnnviz: [^\n]+\.\n", program.said())


def test_help_and_results_end_with_0(start):
    for words in (("--help",), ("--version",), ("lessons",), ("info", "convolution")):
        program = start(*words)
        assert (program.ends(), program.said()) == (0, "")


def test_nobody_is_left_behind(start, small):
    """The process in which the display was tried ends with it, whatever comes of that."""
    program = start(small, display=":6543")
    assert program.ends() == 0
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert str(small) not in left


CURVES = """
import sys
from pathlib import Path
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtTest import QTest
from cnnviz.lesson.lesson import load_lesson
from cnnviz.ui import launch
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window

application = launch.application_of_cnnviz()
window = Window(load_lesson("training"), Settings(Path("settings.json")))
window.move(0, 0)
window.resize(1200, 700)
window.show()
QTest.qWaitForWindowExposed(window)
window.actions_by_name["train"].trigger()

def lines(plot):
    corner = plot.mapToGlobal(plot.rect().topLeft())
    box = (corner.x(), corner.y(), plot.width(), plot.height())
    shot = QGuiApplication.primaryScreen().grabWindow(0, *box).toImage()
    red = {
        x for x in range(shot.width())
        if sum(shot.pixelColor(x, y) == QColor(window.theme.color("stop")) for y in range(shot.height())) > 20
    }
    return sum(x - 1 not in red for x in red)

for k in range(8):
    QTest.qWait(200)
    if k == 3:
        window.actions_by_name["train"].trigger()
    if k > 3:
        window.training.choose(k * window.training.trainer.run.last // 9)
        QTest.qWait(100)
    print(*map(lines, (window.training.curves.loss, window.training.curves.accuracy)))
"""


@on_a_screen
def test_of_the_marker_of_the_curves_one_line_is_seen(display, tmp_path):
    """On the screen itself, where what was painted before may stay."""
    program = Program([PYTHON, "-c", CURVES], display, tmp_path, PYTHONPATH=str(ROOT))
    try:
        assert program.ends() == 0, program.said()
        seen = program.out.read_text().split()
        assert len(seen) == 16 and set(seen[:8]) <= {"0", "1"}  # at first, it may not be painted yet
        assert seen[8:] == ["1"] * 8
    finally:
        program.kill()


@on_a_screen
def test_letters_work_after_an_iteration_was_typed(start, display):
    program = start("training", display=display)
    program.window()
    program.keys("Tab")  # leaves the stage
    program.keys("Escape", "t")
    until(lambda: theme(remembered(program)) == "dark", program)
