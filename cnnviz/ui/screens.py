"""Moves the window from screen to screen: from the laptop to the projector and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QWidget

_Screen = TypeVar("_Screen")

_LARGE = Qt.WindowState.WindowFullScreen | Qt.WindowState.WindowMaximized


def next_screen(screens: Sequence[_Screen], here: _Screen) -> _Screen | None:
    """Return the screen after this one, after the last one the first; None if there is no other."""
    others = [screen for screen in screens if screen != here]
    if not others:
        return None
    after = screens.index(here) + 1 if here in screens else 0
    return screens[after % len(screens)]


def move_to(window: QWidget, screen: QScreen) -> None:
    """Move a window to a screen, no larger than that, and as large as a full screen again if it was one."""
    state, room = window.windowState(), screen.availableGeometry()
    window.setWindowState(state & ~_LARGE)  # many systems move no window that fills a screen
    window.setScreen(screen)
    frame = window.frameSize() - window.size()
    window.resize(window.size().boundedTo(room.size() - frame))
    window.move(room.topLeft())
    window.setWindowState(state)
