"""The one kind of timer in the window: it stops when its work fails."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal


class Timer(QTimer):
    """Does its work at every turn until it is stopped, or the work raises something.

    Work that waits, while the window is painted, is not begun again meanwhile.

    What is raised would come back with every turn, hundreds of times a second. It is raised on, once, to
    whoever says in the bar what went wrong.

    Parameters
    ----------
    parent : QObject
        With which it ends.
    work : Callable[[], object]
        What is to be done.

    Attributes
    ----------
    failed : Signal()
        It has stopped, because its work failed.
    """

    failed = Signal()

    def __init__(self, parent: QObject, work: Callable[[], object]) -> None:
        super().__init__(parent)
        self._work = work
        self._working = False
        self.timeout.connect(self._turn)

    def _turn(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            self._work()
        except BaseException:
            self.stop()
            self.failed.emit()
            raise
        finally:
            self._working = False
