"""A real screen for tests: the program as a process of its own, keys as the server sends them, pixels."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
MAIN = ROOT / "main.py"
SECONDS = 60.0
"""How long a busy machine may take for something; what goes wrong takes for ever."""

HAS_SCREEN = shutil.which("Xvfb") is not None and shutil.which("xdotool") is not None


@contextmanager
def screen(size: str = "1280x720") -> Iterator[str]:
    """Run an X server, and yield the name of its display."""
    answer, theirs = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[theirs],
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    try:
        with os.fdopen(answer) as lines:
            yield f":{lines.readline().strip()}"
    finally:
        server.terminate()
        server.wait(SECONDS)


class Program:
    """The program, running.

    Parameters
    ----------
    words : list
        How it is started.
    display : str
        The display it is to use; empty for none.
    variables : str
        Of its environment, besides.
    """

    def __init__(self, words: list[object], display: str, folder: Path, **variables: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")
        }
        if display:
            kept["DISPLAY"] = display
        self.environment = {"CNNVIZ_SETTINGS": str(folder / "settings.json"), **kept, **variables}
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
            )

    def tool(self, *words: object) -> str:
        """Have xdotool do something."""
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True
        )
        return done.stdout.strip()

    def window(self) -> str:
        """Return the number of its window, once that is shown, and give it the keyboard."""
        found = until(lambda: self.tool("search", "--onlyvisible", "--name", "cnnviz$").split(), self)
        self.tool("windowfocus", "--sync", found[-1])
        return found[-1]

    def keys(self, *keys: str) -> None:
        """Press keys, as a keyboard does."""
        self.tool("key", "--delay", "20", *keys)

    def ends(self) -> int:
        """Wait until it has ended, and return its status as a shell says it."""
        status = self.process.wait(SECONDS)
        return status if status >= 0 else 128 - status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def said(self) -> str:
        """Return all that it has said on stderr."""
        return self.err.read_text()


def until(found: Callable[[], T], program: Program | None = None) -> T:
    """Return what is found as soon as it is anything."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        here = found()
        if here:
            return here
        if program is not None and program.process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"waited in vain; it said: {program.said() if program else 'nothing'}")


PYTHON = sys.executable
