"""Holds off the screen saver and sleep while a lecture goes on: a slide may be talked about for long."""

from __future__ import annotations

import os
import subprocess
import sys

from cnnviz.text import tr

_SERVICE, _PATH = "org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"
_CONNECTION = "cnnviz-lecture"

# Of Windows: continuously, and the system and the screen are needed.
_CONTINUOUS, _NEEDED = 0x80000000, 0x80000003


class Awake:
    """Keeps the screen on from `hold` to `release`; where the system cannot, nothing happens."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self) -> None:
        """Keep the screen on; it ends with the program, too, if that does not come to `release`."""
        try:
            if sys.platform == "win32":
                from ctypes import windll

                windll.kernel32.SetThreadExecutionState(_NEEDED)
            elif sys.platform == "darwin":
                if self._process is None:
                    words = ["caffeinate", "-d", "-i", "-w", str(os.getpid())]
                    self._process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
            else:
                _inhibit()
        except (OSError, ImportError):
            pass

    def release(self) -> None:
        """Let the screen go dark again."""
        try:
            if sys.platform == "win32":
                from ctypes import windll

                windll.kernel32.SetThreadExecutionState(_CONTINUOUS)
            elif sys.platform == "darwin":
                if self._process is not None:
                    self._process.terminate()
                    self._process.wait()
                    self._process = None
            else:
                _let_go()
        except (OSError, ImportError):
            pass


def _inhibit() -> None:
    """Ask the desktop, on a connection of its own: what is asked for ends with it.

    So no number has to be handed back, whose type Python does not know. Nobody waits for the answer.
    """
    from PySide6.QtDBus import QDBusConnection, QDBusMessage

    bus = QDBusConnection.connectToBus(QDBusConnection.BusType.SessionBus, _CONNECTION)
    if bus.isConnected():
        asked = QDBusMessage.createMethodCall(_SERVICE, _PATH, _SERVICE, "Inhibit")
        asked.setArguments(["cnnviz", tr("A lecture is going on")])
        bus.asyncCall(asked)


def _let_go() -> None:
    from PySide6.QtDBus import QDBusConnection

    QDBusConnection.disconnectFromBus(_CONNECTION)
