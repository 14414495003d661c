"""A lecture as a remote gives it, over and over: ``python -m tests.monkey.lecture [PRESSES] [--seed N]``.

Ten presses of eleven are those of a remote; the others make the window another size, change the theme, plug a
projector in or pull it out. At twenty points everything is put back and counted: what is there then must not
be more at the end than at the beginning.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.stops import Level
from cnnviz.ui import lecture, screens
from cnnviz.ui.launch import application_of_cnnviz, settle
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
from tests.monkey.play import _NO_FAULT, memory

PRESSES, POINTS, SHORTEST = 100_000, 20, 25
MOST_GROWTH = 2.0
"""MB for every 10,000 presses, once the first quarter is over."""

SIZES = [(640, 480), (1024, 768), (1280, 720), (1280, 800), (1920, 1080), (1080, 1920)]
K, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
# What a remote sends, and what a lecturer presses on the laptop; with how often.
KEYS = {
    (K.Key_PageDown, NONE): 60.0,
    (K.Key_PageUp, NONE): 12.0,
    (K.Key_Period, NONE): 3.0,
    (K.Key_B, NONE): 2.0,
    (K.Key_W, NONE): 1.0,
    (K.Key_F5, NONE): 2.0,
    (K.Key_Escape, NONE): 3.0,
    (K.Key_N, NONE): 4.0,
    (K.Key_S, NONE): 1.0,
    (K.Key_R, NONE): 0.5,
    (K.Key_0, NONE): 3.0,
    (K.Key_3, NONE): 1.0,
    (K.Key_2, NONE): 1.0,
    (K.Key_A, NONE): 0.5,
    (K.Key_L, CONTROL): 0.7,
    (K.Key_L, CONTROL | SHIFT): 0.7,
    (K.Key_Home, NONE): 0.3,
}


class Point(NamedTuple):
    """What there is when all is put back."""

    presses: int
    memory: float
    objects: int
    timers: int
    widgets: int
    threads: int


class Given:
    """A lecture that is given.

    Parameters
    ----------
    presses : int
        How many there are.
    seed : int
        What follows what.
    """

    def __init__(self, presses: int, seed: int, folder: Path) -> None:
        self.presses, self.rng = presses, random.Random(seed)
        self.points: list[Point] = []
        self.said: list[str] = []
        self.slowest = 0.0
        self.application = application_of_cnnviz()
        self.window = Window(load_lesson("digits"), Settings(folder / "settings.json"))
        self._both = screens.connected
        self.window.resize(1280, 720)
        self.window.show()
        settle()

    def give(self) -> None:
        """Press one key after the other."""
        every = max(SHORTEST, self.presses // POINTS)
        self._put_back(0)
        for number in range(1, self.presses + 1):
            before = time.monotonic()
            if self.rng.random() < 1 / 11:
                self._disturb()
            else:
                self._press()
            self.application.processEvents()
            self.slowest = max(self.slowest, time.monotonic() - before)
            if number % every == 0:
                self._put_back(number)

    def _press(self) -> None:
        window = self.window
        if not window.lecture.on and self.rng.random() < 0.7:
            window.actions_by_name["lecture"].trigger()
        presenter = window.lecture.presenter
        target = presenter if presenter is not None and self.rng.random() < 0.5 else window.stage
        target.activateWindow()
        target.setFocus()
        (key, modifier) = self.rng.choices(list(KEYS), list(KEYS.values()))[0]
        QTest.keyClick(target, key, modifier)

    def _disturb(self) -> None:
        window, kind = self.window, self.rng.choice(["size", "theme", "plug", "rest"])
        if kind == "size":
            window.resize(*self.rng.choice(SIZES))
        elif kind == "theme":
            window.actions_by_name[self.rng.choice(["theme", "high_contrast", "bigger", "usual"])].trigger()
        elif kind == "rest":  # or what comes after some time would never come
            QTest.qWait(self.rng.choice([1, 20, 250]))
        else:
            self._plug(screens.connected is not self._both)

    def _plug(self, on: bool) -> None:
        """Plug the projector in, or pull it out; this platform has none that come and go."""
        first, both = next(iter(self._both())), self._both
        seen = both if on else lambda: {first: both()[first]}
        screens.connected = lecture.connected = seen  # type: ignore[assignment]
        application = self.application
        told = application.screens()[-1]
        (application.screenAdded if on else application.screenRemoved).emit(told)

    def _put_back(self, number: int) -> None:
        """Have everything as at the beginning, and count."""
        window = self.window
        self._plug(True)
        window.rest()
        window.blank.hide()
        if window.lecture.on:
            window.lecture.leave()
        if window.lecture.presenter is not None:
            window.lecture.presenter.close()
        window.showNormal()
        window.resize(1280, 720)
        window.desk.open("digits")
        window.player.go_to(0)
        window.player.set_level(Level.CELL)
        window.actions_by_name["usual"].trigger()
        QTest.qWait(150)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        found = window.findChildren(QObject)
        timers = sum(isinstance(one, QTimer) for one in found)
        counted = len(found), timers, len(QApplication.allWidgets()), threading.active_count()
        self.points.append(Point(number, memory() / 2**20, *counted))

    def hear(self, kind: QtMsgType, _: object, message: str) -> None:
        """Note a warning of Qt."""
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not message.startswith(_NO_FAULT):
            self.said.append(message)


def faults(points: list[Point], most_growth: float = MOST_GROWTH) -> list[str]:
    """Return what has become more, once the first quarter is over."""
    late = points[max(1, len(points) // 4) :]
    first, last = late[0], late[-1]
    found = [
        f"{name}: {getattr(first, name)} have become {getattr(last, name)}"
        for name in ("objects", "timers", "widgets", "threads")
        if getattr(last, name) > getattr(first, name)
    ]
    growth = _slope(late) * 10_000
    if growth > most_growth:
        found.append(f"memory grows by {growth:.2f} MB for every 10,000 presses")
    return found


def _slope(points: list[Point]) -> float:
    """Return by how many MB a press the memory grows: the slope of the line that fits best."""
    middle, mean = (sum(values) / len(points) for values in list(zip(*points, strict=True))[:2])
    below = sum((point.presses - middle) ** 2 for point in points)
    return sum((point.presses - middle) * (point.memory - mean) for point in points) / max(1.0, below)


def given(presses: int, seed: int, timeout: float | None = None) -> tuple[list[Point], list[str], float]:
    """Give a lecture in a process of its own, which has two screens; return what was counted and said."""
    places = [("laptop", 0, 1280, 800), ("projector", 1280, 1920, 1080)]
    described = [
        {"name": name, "x": x, "y": 0, "width": width, "height": height, "dpr": 1}
        | {"logicalDpi": 96, "logicalBaseDpi": 96}
        for name, x, width, height in places
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "screens.json").write_text(json.dumps({"screens": described}), "utf-8")
        own = {
            "QT_QPA_PLATFORM": "offscreen:configfile=screens.json",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OPENBLAS_NUM_THREADS": "1",
        }
        words = [sys.executable, "-m", "tests.monkey.lecture", str(presses), "--seed", str(seed), "--here"]
        done = subprocess.run(
            words, cwd=folder, env=os.environ | own, capture_output=True, text=True, timeout=timeout
        )
    if done.returncode != 0:
        return [], [done.stderr[-3000:]], 0.0
    told = json.loads(done.stdout.splitlines()[-1])
    said = told["said"] + ([done.stderr[-3000:]] if "Traceback" in done.stderr else [])
    return [Point(*point) for point in told["points"]], said, told["slowest"]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make lecture")
    parser.add_argument("presses", nargs="?", type=int, default=PRESSES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.here:
        one = Given(asked.presses, asked.seed, Path.cwd())
        qInstallMessageHandler(one.hear)
        one.give()
        qInstallMessageHandler(None)
        print(json.dumps({"points": one.points, "said": one.said, "slowest": one.slowest}), flush=True)
        os._exit(0)
    print(f"{asked.presses:,} presses, seed {asked.seed} …", flush=True)
    points, said, slowest = given(asked.presses, asked.seed)
    for point in points:
        print("{:>9,} presses: {:6.1f} MB, {} objects, {} timers, {} widgets, {} threads".format(*point))
    print(f"The slowest press took {slowest:.2f} s.")
    found = [*faults(points), *said] if points else said
    print("\n".join(found) or "All is flat.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
