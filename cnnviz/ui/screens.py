"""Moves the window from screen to screen: from the laptop to the projector and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QGuiApplication, QScreen, QWindow
from PySide6.QtWidgets import QWidget

from cnnviz.text import tr
from cnnviz.ui.timer import Timer

_Screen = TypeVar("_Screen")

_FULL = Qt.WindowState.WindowFullScreen
_LARGE = _FULL | Qt.WindowState.WindowMaximized

_PATIENCE = 2_000
"""Milliseconds after which a window is moved though the system has said nothing."""


class _Place(NamedTuple):
    """Where a window is to be, and how."""

    screen: str
    state: Qt.WindowState
    geometry: QRect | None


def next_screen(screens: Sequence[_Screen], here: _Screen) -> _Screen | None:
    """Return the screen after this one, after the last one the first; None if there is no other."""
    others = [screen for screen in screens if screen != here]
    if not others:
        return None
    after = screens.index(here) + 1 if here in screens else 0
    return screens[after % len(screens)]


def connected() -> dict[str, QScreen]:
    """Return the screens there are, by names of their own.

    A screen is remembered by its name: its wrapper ends with the widget that was asked for it.
    """
    found: dict[str, QScreen] = {}
    for screen in QGuiApplication.screens():
        name = screen.name()
        while name in found:  # two projectors of one make
            name += "′"
        found[name] = screen
    return found


def screen_under(window: QWidget) -> str:
    """Return the screen that a window is on."""
    shown = window.screen()
    return next((name for name, screen in connected().items() if screen == shown), "")


def screen_of_audience(screens: Sequence[_Screen], here: _Screen, primary: _Screen) -> _Screen:
    """Return the screen that students look at: this one, but if it is the lecturer's own, the next one."""
    return (next_screen(screens, here) or here) if here == primary else here


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
        self._there: _Place | None = None  # while it is on its way
        # Where programs do not place windows, Qt does not know for sure which screen one fills.
        self._asked = ""
        self._patience = Timer(self, self._arrive)
        self._patience.setSingleShot(True)
        self._wanted: Qt.WindowState | None = (
            None  # while the system may still answer to what was asked before
        )
        self._again, self._rest = Timer(self, self._ask_again), Timer(self, self._forget)
        for timer in (self._again, self._rest):
            timer.setSingleShot(True)

    @property
    def screen(self) -> str:
        """Where the window is, or is going to be."""
        if self._there is not None:
            return self._there.screen
        return self._asked if self._asked in connected() else screen_under(self._window)

    def swap(self) -> str:
        """Begin to move to the next screen; where that cannot be, return a sentence that says why."""
        if self._there is not None:
            return ""
        state = self._window.windowState()
        there = next_screen(list(connected()), self.screen)
        if there is None:
            return tr("There is one screen only; with a projector connected, S moves the window to it.")
        if not can_place() and not state & _FULL:
            self._asked = there
            return tr("Windows cannot move themselves on this desktop; F fills {name} now.", name=there)
        self.go(there, state)
        return ""

    def go(self, screen: str, state: Qt.WindowState, geometry: QRect | None = None) -> None:
        """Begin to move to a screen, and to be of some state there.

        Parameters
        ----------
        geometry : QRect, optional
            Where the window is to be while it fills no screen; in the corner where it is not given.
        """
        window = self._window
        self._wanted = None
        if screen == self.screen and self._there is None:
            self._ask(state)  # the system knows where it was
            return
        self._there = _Place(screen, state, geometry)
        if not can_place():
            self._asked = screen
        if window.windowState() & _LARGE and window.isVisible():
            window.windowHandle().installEventFilter(self)
            window.setWindowState(window.windowState() & ~_LARGE)
            self._patience.start(_PATIENCE)
        else:
            self._arrive()

    def toggle_full(self) -> None:
        """Fill the screen, that which was asked for last if the window could not go there; or leave it."""
        window = self._window
        if window.windowState() & _FULL:
            self._asked = ""
        elif screen := connected().get(self._asked):
            window.windowHandle().setScreen(screen)
        self._ask(window.windowState() ^ _FULL)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go on when the system says that the window fills no screen any more."""
        if event.type() == QEvent.Type.WindowStateChange:
            assert isinstance(watched, QWindow)
            states = watched.windowStates()
            # What Qt says by itself, before it has asked the system, is not spontaneous.
            if self._there is not None and event.spontaneous() and not states & _LARGE:
                self._patience.start(0)
            elif self._there is None and self._wanted is not None and (states ^ self._wanted) & _FULL:
                self._again.start(0)
        return False

    def _ask(self, state: Qt.WindowState) -> None:
        """Ask for a state; a slow system may answer to what was asked before, and then it is asked again."""
        window = self._window
        window.winId()
        window.windowHandle().installEventFilter(self)
        self._wanted = state
        self._rest.start(_PATIENCE)
        window.setWindowState(state)

    def _ask_again(self) -> None:
        if self._wanted is not None and self._there is None:
            self._window.setWindowState(self._wanted)

    def _forget(self) -> None:
        """Let the user have the window as he likes: whatever the system says now, it was asked for."""
        self._wanted = None
        if self._there is None:
            self._window.windowHandle().removeEventFilter(self)

    def _arrive(self) -> None:
        if self._there is None:
            return
        there, self._there = self._there, None
        self._patience.stop()
        window = self._window
        window.winId()  # before it is shown for the first time, there is no handle
        screen = connected().get(there.screen)
        if screen is None:  # it has been unplugged
            pass
        elif not can_place():
            window.windowHandle().setScreen(screen)
        elif there.geometry is not None:
            window.setScreen(screen)
            window.setGeometry(there.geometry)
        else:
            window.setScreen(screen)
            frame, room = window.frameSize() - window.size(), screen.availableGeometry()
            window.resize(window.size().boundedTo(room.size() - frame))
            window.move(room.topLeft())
        self._ask(there.state)
