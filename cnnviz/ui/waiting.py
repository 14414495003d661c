"""Waits for work that may take long: how far it is is shown, and it can be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from PySide6.QtCore import QEventLoop, Qt
from PySide6.QtWidgets import QApplication, QProgressDialog, QWidget

from cnnviz.text import tr
from cnnviz.ui.timer import Timer
from cnnviz.working import StoppedError, heard_by

Result = TypeVar("Result")

SHOWN_AFTER = 0.4
"""After how many seconds a dialog says that something is being done."""

_EVERY = 40


def patiently(work: Callable[[], Result], title: str, parent: QWidget | None = None) -> Result:
    """Return what work returns, or raise what it raises; meanwhile the window is painted and can be moved.

    Parameters
    ----------
    work : Callable[[], Result]
        It is done in a thread of its own, and must leave all widgets alone.
    title : str
        What is being done.
    parent : QWidget, optional
        The window in front of which that is said; the one at hand, if none is named.

    Raises
    ------
    StoppedError
        If it was cancelled. What the thread still does is thrown away.
    """
    thread = _Thread(work)
    thread.start()
    thread.join(SHOWN_AFTER)
    if thread.is_alive():
        _wait(thread, title, parent or QApplication.activeWindow())
    if thread.is_alive():
        thread.stopped = True
        raise StoppedError
    if thread.error is not None:
        raise thread.error
    assert thread.result is not None
    return thread.result[0]


def opening(source: str) -> str:
    """Return what is said while a file is opened."""
    return tr("Opening {file} …", file=Path(source.partition("?")[0]).name)


class _Thread(threading.Thread, Generic[Result]):
    """Does the work, and notes how far it is."""

    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: tuple[Result] | None = None
        self.error: BaseException | None = None
        self.stopped = False
        self.far = ("", 0, 0)

    def run(self) -> None:
        """Do it."""
        try:
            with heard_by(self._note):
                self.result = (self._work(),)
        except BaseException as error:
            self.error = error

    def _note(self, what: str, done: int, count: int) -> None:
        if self.stopped:
            raise StoppedError
        self.far = what, done, count


def _wait(thread: _Thread[Result], title: str, parent: QWidget | None) -> None:
    """Show how far it is until it is done, is cancelled, or the program is asked to end."""
    dialog = QProgressDialog(title, tr("Cancel"), 0, 0, parent)
    dialog.setWindowTitle(title)
    dialog.setWindowModality(Qt.WindowModality.ApplicationModal)
    dialog.setAutoReset(False)
    dialog.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)  # it may be the only window as yet
    dialog.setMinimumWidth(420)
    loop = QEventLoop()

    def look() -> None:
        what, done, count = thread.far
        dialog.setLabelText(f"{title}\n{what}")
        dialog.setMaximum(count)
        dialog.setValue(done)
        if not thread.is_alive():
            loop.quit()

    timer = Timer(dialog, look)
    dialog.canceled.connect(loop.quit)
    timer.start(_EVERY)
    dialog.show()
    loop.exec()
    timer.stop()
    dialog.close()
    dialog.deleteLater()
