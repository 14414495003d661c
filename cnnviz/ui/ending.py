"""Ends the window when the process is asked to end, by Ctrl+C in the terminal or by a shutdown."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from contextlib import suppress

from PySide6.QtCore import QCoreApplication, QObject, QSocketNotifier
from PySide6.QtWidgets import QWidget

STATUSES: Mapping[str, int] = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}
"""What the process ends with after a signal; the terminal that was closed asks as a shutdown does."""


class Ending(QObject):
    """Hears signals while the window is open, and closes it as its close button does.

    Python answers a signal when it next runs a line of its own, and Qt may wait for hours before it has
    one: so the signal also writes into a socket, which Qt watches. After a signal the system's own answer
    is back in place: a second one ends the process at once, should the first not be heard.

    Attributes
    ----------
    status : int
        What the process is to end with; 0 while it was not asked to.
    window : QWidget or None
        What is to be closed.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.status = 0
        self.window: QWidget | None = None
        self._ours, self._theirs = socket.socketpair()
        self._before: dict[int, object] = {}
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        self._notifier = QSocketNotifier(self._ours.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._close)
        for name in STATUSES:
            number = getattr(signal, name, None)
            # What is ignored stays so: nohup, and a shell's background, ask for it.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        self.status = STATUSES[signal.Signals(number).name]
        for other in self._before:
            signal.signal(other, signal.SIG_DFL)

    def _close(self) -> None:
        with suppress(OSError):
            self._ours.recv(64)  # other signals wake it, too
        if self.status:
            self._notifier.setEnabled(False)
            if self.window is not None:
                self.window.close()
            QCoreApplication.exit(self.status)  # also where a dialog is being waited for

    def stop(self) -> None:
        """Hear no more."""
        signal.set_wakeup_fd(self._wakeup)
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        self._notifier.setEnabled(False)
        self._ours.close()
        self._theirs.close()
