"""Moves the window from screen to screen: from the laptop to the projector and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication, QScreen, QWindow
from PySide6.QtWidgets import QWidget

from cnnviz.text import tr
from cnnviz.ui.timer import Timer

_Screen = TypeVar("_Screen")

_LARGE = Qt.WindowState.WindowFullScreen | Qt.WindowState.WindowMaximized

_PATIENCE = 2_000
"""Milliseconds after which a window is moved though the system has said nothing."""


def next_screen(screens: Sequence[_Screen], here: _Screen) -> _Screen | None:
    """Return the screen after this one, after the last one the first; None if there is no other."""
    others = [screen for screen in screens if screen != here]
    if not others:
        return None
    after = screens.index(here) + 1 if here in screens else 0
    return screens[after % len(screens)]


def can_place() -> bool:
    """Return whether programs say where their windows are; on Wayland, nobody but the desktop does."""
    return not QGuiApplication.platformName().startswith("wayland")


class Mover(QObject):
    """Moves a window to the next screen, no larger than that; what filled a screen fills the other one.

    Many systems move no window that fills a screen, and some, as macOS and Wayland, leave a full screen only
    some time after they were asked: the window is moved when the system says that it has.

    Parameters
    ----------
    window : QWidget
        What is moved.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._there: tuple[QScreen, Qt.WindowState] | None = None  # while it is on its way
        # Where programs do not place windows, Qt does not know for sure which screen one fills.
        self._asked: QScreen | None = None
        self._patience = Timer(self, self._arrive)
        self._patience.setSingleShot(True)

    def swap(self) -> str:
        """Begin to move to the next screen; where that cannot be, return a sentence that says why."""
        window, state = self._window, self._window.windowState()
        if self._there is not None:
            return ""
        screens = QGuiApplication.screens()
        here = self._asked if self._asked in screens else window.screen()
        there = next_screen(screens, here)
        if there is None:
            return tr("There is one screen only; with a projector connected, S moves the window to it.")
        if not can_place():
            self._asked = there
            if not state & Qt.WindowState.WindowFullScreen:
                return tr(
                    "Windows cannot move themselves on this desktop; F fills {name} now.", name=there.name()
                )
        self._there = there, state
        if state & _LARGE:
            window.windowHandle().installEventFilter(self)
            window.setWindowState(state & ~_LARGE)
            self._patience.start(_PATIENCE)
        else:
            self._arrive()
        return ""

    def toggle_full(self) -> None:
        """Fill the screen, that which was asked for last if the window could not go there; or leave it."""
        window = self._window
        if window.windowState() & Qt.WindowState.WindowFullScreen:
            self._asked = None
        elif self._asked in QGuiApplication.screens():
            window.windowHandle().setScreen(self._asked)
        window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go on when the system says that the window fills no screen any more."""
        # What Qt says by itself, before it has asked the system, is not spontaneous.
        if event.type() == QEvent.Type.WindowStateChange and event.spontaneous():
            assert isinstance(watched, QWindow)
            if not watched.windowStates() & _LARGE:
                self._patience.start(0)
        return False

    def _arrive(self) -> None:
        if self._there is None:
            return
        (screen, state), self._there = self._there, None
        window = self._window
        window.windowHandle().removeEventFilter(self)
        if screen not in QGuiApplication.screens():  # it has been unplugged
            pass
        elif can_place():
            window.setScreen(screen)
            frame, room = window.frameSize() - window.size(), screen.availableGeometry()
            window.resize(window.size().boundedTo(room.size() - frame))
            window.move(room.topLeft())
        else:
            window.windowHandle().setScreen(screen)
        window.setWindowState(state)
