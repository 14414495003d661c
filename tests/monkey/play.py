"""The process in which a monkey plays: ``python -m tests.monkey.play FOLDER SCRIPT``.

A script is a seed and how long, or a list of actions. Every action is written down before it is done, so that
who watches knows what was done last when nothing more is heard; what is found wrong ends it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import random
import re
import shutil
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from functools import _lru_cache_wrapper
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QFileDialog

from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.program_cache import clear_lasting_caches
from cnnviz.ui.exporting import Exporter
from cnnviz.ui.launch import application_of_cnnviz, report_to
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
from tests.monkey.actions import FILES, Action, do, drawn, presses

SLOWEST = 4.0
"""Seconds in which the window has to answer a press, on a machine that does other things, too."""
CALM_EVERY = 30.0
"""Seconds from one look at the memory to the next; all is closed before, and a lesson opened."""

MOST_THREADS, MOST_TIMERS, MOST_WINDOWS, MOST_CHILDREN = 24, 80, 60, 4
_ALLOCATED = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
_NO_FAULT = ("This plugin does not support",)
_TESTS = Path(__file__).parent.parent


class Monkey:
    """Does one thing after the other, and looks after each whether all is well."""

    def __init__(self, folder: Path, script: dict[str, Any]) -> None:
        self.folder, self.script = folder, script
        self.log = (folder / "log").open("a", encoding="utf-8", buffering=1)
        self.rng = random.Random(script.get("seed"))
        self.actions = iter(script["actions"]) if "actions" in script else None
        self.end = time.monotonic() + script.get("seconds", 1e9)
        self.fault, self.last = "", None
        self.calmed, self.asked, self.pause = time.monotonic(), time.monotonic(), 0
        self.settings = Settings(folder / "settings.ini")
        self.window = self._opened("digits")
        report_to(self.window)

    def _opened(self, source: str) -> Window:
        window = Window(load_lesson(source), self.settings)
        window.show()
        window.activateWindow()
        return window

    # ------------------------------------------------------------------------------------ one after the other

    def tick(self) -> None:
        """Look at what the last action has done, and do the next; inside a dialog's own loop, too."""
        late = (time.monotonic() - self.asked - self.pause / 1000) / presses(self.last)
        if late > SLOWEST and not self.fault:
            self.fault = f"slow: nothing was answered for some seconds ({late:.1f})"
        try:
            self.fault = self.fault or self._wrong()
        except Exception as error:  # the state cannot be computed
            self.note(type(error), error, error.__traceback__)
        action = None if self.fault else self._next()
        if action is None:
            QCoreApplication.exit(1 if self.fault else 0)
            return
        self._write(action)
        self.last, self.pause = action, action[1] if action[0] == "wait" else 0
        self.asked = time.monotonic()
        QTimer.singleShot(self.pause, self.tick)  # before it is done: it may open a loop of its own
        try:
            self._do(action)
        except Exception as error:
            # What was to be pressed may be gone before the monkey gets there: no fault of the program's.
            gone = "already deleted" in str(error) and _innermost(error).endswith("actions.py")
            if not gone:
                self.note(type(error), error, error.__traceback__)

    def _next(self) -> Action | None:
        if self.actions is not None:
            return next(self.actions, None)
        now = time.monotonic()
        if now > self.end:
            return None
        if now - self.calmed > CALM_EVERY:
            return ["calm"]
        return drawn(self.rng)

    def _do(self, action: Action) -> None:
        kind = action[0]
        if kind == "calm":
            self._calm()
        elif kind == "reopen" or not self.window.isVisible():  # it may have been closed by a key
            self._reopen()
        elif kind == "drop":
            do(["drop", str(self.folder / "files" / action[1])], self.window)
        elif kind != "wait":
            do(action, self.window)

    def _reopen(self, source: str = "") -> None:
        """Close the window and open another, where it was left or with a lesson."""
        source = source or self.window.desk.source
        self._close()
        self.window = self._opened(source)

    def _close(self) -> None:
        self._close_all()
        self.window.close()
        self.window.deleteLater()

    def _calm(self) -> None:
        """Close all, note the memory of what outlives it without a bound, and open a usual window again."""
        self._close()
        del self.window  # or it would hold its pictures
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        empty_caches()
        self.calmed = time.monotonic()
        self._write({"memory": held(), "resident": memory(), "at": time.monotonic()})
        self.window = self._opened("digits")
        self.window.showNormal()
        self.window.resize(1280, 720)
        self.window.player.go_to(0)

    def _close_all(self) -> None:
        for _ in range(100):
            top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
            if top is None:
                return
            top.close()
        self.fault = self.fault or f"{type(top).__name__} cannot be closed"

    # --------------------------------------------------------------------------------------- what is wrong

    def note(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """Note an exception that nobody caught."""
        frames = traceback.extract_tb(trace)
        ours = [frame for frame in frames if "cnnviz" in frame.filename and "monkey" not in frame.filename]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
        traceback.print_exception(kind, error, trace)
        self.fault = self.fault or f"{kind.__name__} in {place}: {str(error)[:200]}"

    def hear(self, kind: QtMsgType, _: object, message: str) -> None:
        """Note a warning of Qt."""
        if kind != QtMsgType.QtDebugMsg and kind != QtMsgType.QtInfoMsg and not message.startswith(_NO_FAULT):
            print(message, file=sys.stderr)
            self.fault = self.fault or f"Qt says: {message[:200]}"

    def warn(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        """Note a warning of Python."""
        traceback.print_stack()
        self.fault = self.fault or f"{category.__name__}: {message}"

    def _wrong(self) -> str:
        """What is not as it must be between two actions; empty if all is well."""
        window = self.window
        player, desk = window.player, window.desk
        program = player.cursor.program
        counted = {
            "threads": (threading.active_count(), MOST_THREADS),
            "timers": (len(window.findChildren(QTimer)), MOST_TIMERS),
            "windows": (len(QApplication.topLevelWidgets()), MOST_WINDOWS),
            "processes": (len(_children()), MOST_CHILDREN),
        }
        if counted["windows"][0] > MOST_WINDOWS:
            kinds = Counter(type(one).__name__ for one in QApplication.topLevelWidgets())
            print(f"windows: {dict(kinds)}", file=sys.stderr)
        checks = {
            "the step is not in the program": 0 <= player.cursor.index < len(program),
            "the lesson's program is not the player's": desk.lesson.program is program,
            "the state is of another step": player.moment.step.index == player.cursor.index,
            "a painter was left open": not any(w.paintingActive() for w in QApplication.allWidgets()),
            "more can be undone than was done": 0 <= player.edits.index() <= player.edits.count(),
            "a breakpoint is not in the program": all(
                not point.operation or any(point.operation == one.name for one in program.operations)
                for point in player.breakpoints
                if point.operation  # or it is waited for in all of them
            ),
            **{f"too many {what}": count <= most for what, (count, most) in counted.items()},
        }
        return next((what for what, right in checks.items() if not right), "")

    def _write(self, line: object) -> None:
        self.log.write(json.dumps(line) + "\n")


def _innermost(error: Exception) -> str:
    """Return the file in which an exception was raised."""
    return traceback.extract_tb(error.__traceback__)[-1].filename


def empty_caches() -> None:
    """Let go of all results that are kept up to a bound: they come for longer than a monkey plays."""
    clear_lasting_caches()
    gc.collect()
    for one in gc.get_objects():
        if isinstance(one, _lru_cache_wrapper) and one.cache_parameters()["maxsize"] is not None:
            one.cache_clear()
    gc.collect()


class _Allocated(ctypes.Structure):
    """What glibc says of its memory: ``mallinfo2`` in malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in _ALLOCATED.split()]


def held() -> int:
    """How many bytes were asked of the C library and not given back; where it does not say, what is resident.

    Python asks it for every object with PYTHONMALLOC=malloc, as `watch` has it. What lies unused between them
    differs by tens of MB from look to look.
    """
    asked = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if asked is None:
        return memory()
    asked.restype = _Allocated
    allocated = asked()
    return int(allocated.uordblks + allocated.hblkhd)


def memory() -> int:
    """How many bytes of memory are resident, without what the C library keeps to give out again."""
    with suppress(OSError, AttributeError):  # of glibc alone
        ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children() -> list[str]:
    try:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    except OSError:
        return []


def stay_inside(folder: Path, rng: random.Random) -> None:
    """Let nothing be written outside a folder, whatever is typed; a system's own dialogs answer at once."""
    (folder / "files").mkdir()
    wanted = {
        "wrong.toml": "title = 3\n[[layers]]\n",
        "overflow.toml": (_TESTS / "trace/overflow/pool-nan.toml").read_text("utf-8"),
        "scores.toml": (_TESTS / "lesson/files/certain-and-wrong.toml").read_text("utf-8"),
        "picture.png": "no picture",
    }
    for name, text in wanted.items():
        (folder / "files" / name).write_text(text, "utf-8")
    lessons = Path(__file__).parents[2] / "resources/lessons"
    shutil.copy(lessons / "chain-rule.toml", folder / "files/chain-rule copy.toml")

    def some(*_: object) -> tuple[str, str]:
        return rng.choice([str(folder / "files" / name) for name in FILES] + [""]), ""

    QFileDialog.getOpenFileName = some  # type: ignore[assignment,method-assign]
    QFileDialog.getSaveFileName = lambda *_: (str(folder / "frame.png"), "")  # type: ignore
    QFileDialog.getExistingDirectory = lambda *_: str(folder / "chosen")  # type: ignore
    start = Exporter.start

    def inside(self: Exporter, order: Any) -> None:
        if Path(order.folder).resolve().is_relative_to(folder):
            start(self, order)

    Exporter.start = inside  # type: ignore[method-assign]


def play(folder: Path, script: dict[str, Any]) -> int:
    """Play; the fault, if there is one, is the last line of the log."""
    faulthandler.enable()
    application = application_of_cnnviz()
    application.setQuitOnLastWindowClosed(False)
    for module in ("pyqtgraph", "ziamath"):  # or what is first used would look like memory that grows
        import_module(module)
    stay_inside(folder, random.Random(script.get("seed", 0)))
    monkey = Monkey(folder, script)
    sys.excepthook = monkey.note
    warnings.showwarning = monkey.warn
    warnings.simplefilter("always")
    qInstallMessageHandler(monkey.hear)
    QTimer.singleShot(0, monkey.tick)
    application.exec()
    fault = monkey.fault
    if fault:
        monkey._write({"fault": re.sub(r"0x[0-9a-f]+", "0x…", fault)})
    monkey.window.player.pause()
    monkey.window.close()
    qInstallMessageHandler(None)
    return 1 if fault else 0


if __name__ == "__main__":
    os._exit(play(Path(sys.argv[1]).resolve(), json.loads(Path(sys.argv[2]).read_text("utf-8"))))
