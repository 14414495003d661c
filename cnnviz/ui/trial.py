"""Finds out whether a window can be opened, by trying it in a process of its own.

Qt ends a process that has no display for it, or lacks a library for one; nothing but trying tells.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from PySide6.QtGui import QGuiApplication

_ANSWERS_WITHIN = 10.0
"""Seconds: a display far away is slow, one that is not there may never say so."""


@contextmanager
def trial() -> Iterator[Callable[[], bool]]:
    """Have another process open the display that this one is going to open.

    It is a copy of this process as it is when the trial begins, so that it costs little, and is at work
    while this one goes on. It keeps the display open until the trial ends: a server with one client may
    begin anew when that leaves.

    Yields
    ------
    Callable
        Returns whether the window can be opened; that may have to be waited for. Windows and macOS always
        have a display.
    """
    if not hasattr(os, "fork") or sys.platform == "darwin" or QGuiApplication.instance():
        yield lambda: True
        return
    answer, theirs = os.pipe()
    ours, wait = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(answer)
        os.close(wait)
        _open_display(theirs, ours)
    os.close(theirs)
    os.close(ours)
    try:
        yield lambda: bool(select.select([answer], [], [], _ANSWERS_WITHIN)[0] and os.read(answer, 1))
    finally:
        os.close(answer)
        os.close(wait)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _open_display(answer: int, wait: int) -> NoReturn:
    """Be the other process: say 1 when the display is open, and end without a word."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # Qt aborts, which is no crash to be kept
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        application = QGuiApplication(sys.argv[:1])
        os.write(answer, b"1")
        os.read(wait, 1)  # until it is closed, at the trial's end or with the process that asked
        del application
    finally:
        os._exit(1)
