"""Signals while the window is open: each in a process of its own, which ends as they say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

SCRIPT = """
import os, signal
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
from cnnviz.ui.ending import Ending

class Socket:
    # What Qt watches; a signal may come in the middle of reading it.
    def __init__(self, real):
        self.real, self.meanwhile = real, None
    def recv(self, most):
        if self.meanwhile is not None:
            send(self.meanwhile)
        return self.real.recv(most)

def send(number):
    os.kill(os.getpid(), number)

app = QApplication([])
signal.signal(signal.SIGUSR1, lambda *_: None)
ending = Ending(app)
ending.window = QWidget()
ending.window.show()
ending._ours = socket = Socket(ending._ours)
woken = []
ending._notifier.activated.connect(lambda *_: woken.append(1))
QTimer.singleShot(8000, lambda: app.exit(1))
QTimer.singleShot(50, lambda: send(signal.SIGUSR1))
{more}
status = app.exec()
print(status, ending.status, ending.window.isVisible(), len(woken) < 5)
"""


def printed(more: str) -> str:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    script = [sys.executable, "-c", SCRIPT.format(more=more)]
    return subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60).stdout.strip()


def test_after_another_signal_it_still_hears_ctrl_c_and_rests_between():
    """A child that ends, say, wakes it, too."""
    assert printed("QTimer.singleShot(600, lambda: send(signal.SIGINT))") == "130 130 False True"


def test_a_signal_that_comes_while_it_reads_of_another_is_heard():
    assert printed("socket.meanwhile = signal.SIGTERM") == "143 143 False True"
