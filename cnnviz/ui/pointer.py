"""Hides the pointer while it rests: in a lecture it would lie on the numbers, and nobody looks for it."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QCursor, QGuiApplication

from cnnviz.ui.timer import Timer

_RESTS = 2_000
"""Milliseconds without a move, after which it is hidden."""

_LOOKS_EVERY = 100
"""Milliseconds: so soon after a move it is seen again."""


class Pointer(QObject):
    """Hides the pointer from `begin` to `end` while it rests.

    It is looked for from time to time: to hear all events of a program costs every one of them time.

    Attributes
    ----------
    hidden : bool
        Whether it is.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.hidden = False
        self._at, self._rested = QPoint(), 0
        self._clock = Timer(self, self._look)

    def begin(self) -> None:
        """Hide it from now on as soon as it rests."""
        self._at, self._rested = QCursor.pos(), 0
        self._clock.start(_LOOKS_EVERY)

    def end(self) -> None:
        """Show it, and hide it no more."""
        self._clock.stop()
        self._hide(False)

    def _look(self) -> None:
        at, before = QCursor.pos(), self._at
        self._at = at
        busy = at != before or QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        self._rested = 0 if busy else self._rested + _LOOKS_EVERY
        self._hide(self._rested >= _RESTS)

    def _hide(self, hidden: bool) -> None:
        if hidden == self.hidden:
            return
        self.hidden = hidden
        if hidden:
            QGuiApplication.setOverrideCursor(Qt.CursorShape.BlankCursor)
        else:
            QGuiApplication.restoreOverrideCursor()
