"""How long the window takes: the next step, any step, an edit, the start."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

from tests.benchmark.machine import matplotlib_ms
from tests.benchmark.table import LEAST, Row
from tests.benchmark.timing import in_a_process, nearly_most

if TYPE_CHECKING:
    from cnnviz.ui.window import Window

SIZE, LARGE_SIZE = (1920, 1080), (3840, 2160)
JUMPS, STEPS, EDITS, STARTS = 1000, 500, 300, 7
LONG = 20_000
TINY_VGG = Path(__file__).parents[1] / "lesson" / "files" / "tiny-vgg.toml"


def rows() -> Iterator[Row]:
    """Yield the rows of stepping and editing in the window."""
    window = window_on("digits")
    step, jump = steps_on(window), jumps(window, JUMPS)
    yield from _both("digits, the next step, painted", step, 1.8, 3)
    yield _against("digits, matplotlib's frame for the next step", step, 120)
    yield from _both("digits, any step, painted", jump, 2.5, 5)
    yield _against("digits, matplotlib's frame for any step", jump, 90)
    edited = edits(window, "conv1.w", (4, 1, 3, 3))
    yield Row("digits, a weight edited, computed, painted: 99 in 100", nearly_most(edited) * 1000, 8)
    window.resize(*LARGE_SIZE)
    _settled()
    yield Row("digits, the next step, painted at 3840 × 2160", median(steps_on(window)) * 1000, 3)
    window.close()
    window = window_on(str(TINY_VGG))
    yield from _both("Tiny VGG, any step, painted", jumps(window, JUMPS), 4, 8)
    edited = edits(window, "input", (3, 64, 64))
    yield Row(
        "Tiny VGG, a pixel painted, computed, painted: 99 in 100", nearly_most(edited) * 1000, 1000 / 60
    )
    window.close()
    long = in_a_process("painting", "memory_of_stepping", LONG)
    yield Row(f"digits, memory after {LONG:,} steps", long["after"], 220, "MB")
    yield Row("digits, growth in the second half of them", long["after"] - long["half"], 5, "MB")
    yield Row("start to first painting, by a bare Qt window with NumPy", _start(), 1.3, "×")


def _both(what: str, times: list[float], middle: float, most: float) -> Iterator[Row]:
    yield Row(f"{what}: median", median(times) * 1000, middle)
    yield Row(f"{what}: 99 in 100", nearly_most(times) * 1000, most)


def _against(what: str, times: list[float], wanted: float) -> Row:
    drawn = matplotlib_ms()
    ratio = drawn and drawn / (median(times) * 1000)
    return Row(what, ratio, wanted, "×", LEAST, "matplotlib is not installed")


def window_on(lesson: str = "digits") -> Window:
    """Return a window of the usual size on a lesson, painted."""
    from cnnviz.lesson.lesson import load_lesson
    from cnnviz.ui.launch import application_of_cnnviz, settle
    from cnnviz.ui.settings import Settings
    from cnnviz.ui.window import Window

    application_of_cnnviz()
    folder = tempfile.mkdtemp()
    window = Window(load_lesson(lesson), Settings(Path(folder) / "settings.ini"))
    window.resize(*SIZE)
    window.show()
    _settled()
    settle()
    return window


def _settled() -> None:
    from PySide6.QtWidgets import QApplication

    QApplication.processEvents()


def jumps(window: Window, count: int) -> list[float]:
    """Return the seconds from `go` until all four panes have been painted, for random steps."""
    rng = random.Random(1)
    last = len(window.player.cursor.program) - 1
    targets = [rng.randint(0, last) for _ in range(count + 50)]
    return [painted(window, lambda k=k: window.player.go_to(k)) for k in targets][50:]


def painted(window: Window, move: Callable[[], object]) -> float:
    """Return the seconds that a move takes until all of it has been painted."""
    begun = process_time()
    move()
    _settled()
    taken = process_time() - begun
    assert window.player.shown
    return taken


def steps_on(window: Window, count: int = STEPS) -> list[float]:
    """Return the same for one step after the other."""
    window.player.go_to(0)
    return [painted(window, lambda: window.player.go(window.player.cursor.next())) for _ in range(count)]


def edits(window: Window, array: str, shape: tuple[int, ...]) -> list[float]:
    """Return the seconds from the change of a number until all is computed anew and painted."""
    from cnnviz.lesson.changes import Cell

    rng = random.Random(3)
    window.player.go_to(window.player.cursor.program.starts[1] - 2)

    def change() -> None:
        cell = Cell(array, tuple(rng.randrange(size) for size in shape), rng.random())
        window.desk.change(cell, said="painted", gesture=1)

    return [painted(window, change) for _ in range(EDITS + 20)][20:]


def memory_of_stepping(count: int) -> dict[str, float]:
    """Return the megabytes that are held half way through so many steps, and after them."""
    window = window_on("digits")
    found = {}
    for k in range(1, count + 1):
        painted(window, lambda: window.player.go(window.player.cursor.next()))
        if k in (count // 2, count):
            found["half" if k < count else "after"] = megabytes()
    return found


def megabytes() -> float:
    """Return the memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


# ---------------------------------------------------------------------------------------------- starts

_OURS = """
import time
from cnnviz.app import open_window
def painted():
    print(time.process_time())
    from PySide6.QtWidgets import QApplication
    QApplication.quit()
open_window('digits', painted)
"""
_BARE = """
import time
import numpy
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QApplication, QWidget
class Window(QWidget):
    def paintEvent(self, event):
        painter = QPainter(self)
        painter.drawText(10, 20, 'painted')
        painter.end()
        print(time.process_time())
        application.quit()
application = QApplication([])
window = Window()
window.resize(1440, 900)
window.show()
application.exec()
"""


def _start() -> float:
    """Return how many times as long as a bare window's the program's start takes, to its first painting."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["CNNVIZ_SETTINGS"] = str(Path(folder) / "settings.ini")
        environment["PYTHONPYCACHEPREFIX"] = folder  # so that the first start compiles what the others read

        def start(code: str) -> float:
            run = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            )
            return float(run.stdout)

        pairs = [(start(_OURS), start(_BARE)) for _ in range(STARTS + 1)][1:]
    ours, bare = zip(*pairs, strict=True)
    return median(ours) / median(bare)
