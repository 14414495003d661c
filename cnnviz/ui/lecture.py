"""The lecture: a screen for the class, the presenter window on another, both following what is plugged in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QByteArray, QObject, QRect, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QWidget

from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor
from cnnviz.ui.awake import Awake
from cnnviz.ui.elapsed import Elapsed
from cnnviz.ui.keys import named
from cnnviz.ui.player import Player
from cnnviz.ui.pointer import Pointer
from cnnviz.ui.screens import Mover, connected, next_screen, screen_of_audience
from cnnviz.ui.settings import Settings
from cnnviz.ui.timer import Timer

if TYPE_CHECKING:
    from cnnviz.ui.presenter import Presenter

_FULL = Qt.WindowState.WindowFullScreen

_SETTLES = 100
"""Milliseconds: so long Qt and the desktop may move windows by themselves when a screen comes or goes."""

_LEAVES_WITHIN = 2.0
"""Seconds between two presses of Esc that leave the lecture view."""

_A_MOMENT = 300.0
"""Seconds: who leaves the lecture view for no longer than this still gives the same lecture."""


class _Place(NamedTuple):
    """How the window was before the lecture."""

    screen: str
    state: Qt.WindowState
    geometry: QRect
    saved: QByteArray


class Lecture(QObject):
    """Has the window fill the screen of the class, and come back as it was.

    With a second screen, the presenter window fills that one, as in other programs for lectures; it is closed
    with the lecture view, unless it was there before. With one screen, it comes when asked for, as a window
    beside others: to rehearse, or when the lecture is shared from another program.

    Parameters
    ----------
    window : QWidget
        The window with the stage.
    player : Player
        Whose first step begins the time.
    settings : Settings
        Where it is remembered whether the presenter window comes by itself.
    actions : Mapping[str, QAction]
        The window's actions by name.
    look : Callable[[bool], None]
        Gives the window the look of a lecture, or takes it away.
    make_presenter : Callable[[], Presenter]
        Makes the presenter window.

    Attributes
    ----------
    on : bool
        Whether the lecture view is on.
    mover : Mover
        Moves the window.
    elapsed : Elapsed
        The time of the lecture.
    awake : Awake
        Keeps the screens on.
    pointer : Pointer
        Hides the pointer while it rests.
    presenter : Presenter or None
        The presenter window, while it is open.
    noted : Signal(str)
        Something is said by the way.
    """

    noted = Signal(str)

    def __init__(
        self,
        window: QWidget,
        player: Player,
        settings: Settings,
        actions: Mapping[str, QAction],
        look: Callable[[bool], None],
        make_presenter: Callable[[], Presenter],
    ) -> None:
        super().__init__(window)
        self._window, self._player, self._settings = window, player, settings
        self._actions, self._look, self._make_presenter = actions, look, make_presenter
        self.on = False
        self.mover = Mover(window)
        self.elapsed = Elapsed()
        self.awake, self.pointer = Awake(), Pointer(self)
        self.presenter: Presenter | None = None
        # Whether the presenter window was asked for by its key, and whether it was there before the lecture.
        self._asked, self._was_there = False, False
        self._before: _Place | None = None
        self._left, self._last_escape = -_A_MOMENT, -_LEAVES_WITHIN
        self._told_how_to_leave = False
        self._from: Cursor = player.cursor
        self._screens = Timer(self, self._follow_screens)
        self._screens.setSingleShot(True)
        player.moved.connect(self._note_step)
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.screenAdded.connect(self._expect_screens)
        application.screenRemoved.connect(self._expect_screens)

    # ------------------------------------------------------------------------------------- on and off again

    def toggle(self) -> None:
        """Begin, or leave."""
        if self.on:
            self.leave()
        else:
            self.enter()

    def show(self, on: bool) -> None:
        """Have the lecture view in the window where it is, or everything again; say once how it is left."""
        self.on = on
        self._actions["lecture"].setChecked(on)
        self._look(on)
        if on:
            self.awake.hold()
            self.pointer.begin()
        else:
            self.awake.release()
            self.pointer.end()
        if on and not self._told_how_to_leave:
            self._told_how_to_leave = True
            self.noted.emit(tr("{key} twice leaves the lecture view.", key=named(self._actions["escape"])))

    def escape(self) -> None:
        """Leave at the second of two presses that follow each other within two seconds."""
        now = time.monotonic()
        if self.on and now - self._last_escape <= _LEAVES_WITHIN:
            self.leave()
        self._last_escape = now

    def forget_escape(self) -> None:
        """Let the last press not count: it was for something else."""
        self._last_escape = -_LEAVES_WITHIN

    def enter(self) -> None:
        """Fill the screen of the class."""
        window = self._window
        where = window.normalGeometry() if window.windowState() else window.geometry()
        self._before = _Place(self.mover.screen, window.windowState(), where, window.saveGeometry())
        if time.monotonic() - self._left > _A_MOMENT:
            self.elapsed.wait()
        self._from = self._player.cursor
        self.show(True)
        self.mover.go(self._audience(), _FULL)
        self._have_presenter()

    def leave(self) -> None:
        """Have the window as it was before, unless it fills no screen any more; the time goes on a while."""
        self._left = time.monotonic()
        self.show(False)
        if self.presenter is not None and not self._was_there:
            self.presenter.close()
        before, self._before = self._before, None
        if before is not None and self._window.windowState() & _FULL:
            self.mover.go(before.screen, before.state, before.geometry)
        if self.presenter is not None:
            self._place_presenter()

    def end(self) -> None:
        """Let go of everything: the window is being closed."""
        self._screens.stop()
        self.show(False)
        if self.presenter is not None:
            self.presenter.close()

    def geometry(self) -> QByteArray:
        """Return the window's place and size, as they are when there is no lecture."""
        return self._window.saveGeometry() if self._before is None else self._before.saved

    # -------------------------------------------------------------------------------------------- screens

    def swap(self) -> None:
        """Move the window to the next screen, and the presenter window to where it was."""
        said = self.mover.swap()
        if said:
            self.noted.emit(said)
        if self.presenter is not None:
            self._place_presenter()

    def _audience(self) -> str:
        primary = QGuiApplication.primaryScreen()
        own = next((name for name, screen in connected().items() if screen == primary), "")
        return screen_of_audience(list(connected()), self.mover.screen, own)

    def _expect_screens(self) -> None:
        self._screens.start(_SETTLES)

    def _follow_screens(self) -> None:
        """Show the class what it saw on a screen that is there, and the lecturer the rest."""
        if self.on and self._window.windowState() & _FULL:
            self.mover.go(self._audience(), _FULL)
        if self.on:
            self._have_presenter()
        elif self.presenter is not None:
            self._place_presenter()

    # ------------------------------------------------------------------------------------ presenter window

    def toggle_presenter(self) -> None:
        """Open the presenter window, or close it; with several screens, lectures begin so from now on."""
        wanted = self.presenter is None
        if self.on and len(connected()) > 1:
            self._settings.put("presenter/opens", int(wanted))
        if self.presenter is not None:
            self.presenter.close()
            return
        self._asked, self._was_there = not self.on or len(connected()) < 2, not self.on
        self._open_presenter()

    def _have_presenter(self) -> None:
        """Have the presenter window as a lecture has it with the screens at hand."""
        several = len(connected()) > 1
        if self.presenter is None and several and self._settings.flag("presenter/opens", True):
            self._asked, self._was_there = False, False
            self._open_presenter()
        elif self.presenter is not None and not several and not self._asked:
            self.presenter.close()
        elif self.presenter is not None:
            self._place_presenter()

    def _open_presenter(self) -> None:
        self.presenter = self._make_presenter()
        self.presenter.closed.connect(self._forget_presenter)
        self._place_presenter()
        self.presenter.show()
        self.presenter.activateWindow()
        self._actions["presenter"].setChecked(self.presenter is not None)

    def _place_presenter(self) -> None:
        """Have it fill the lecturer's screen during a lecture, if there are two; else be a window."""
        presenter = self.presenter
        assert presenter is not None
        other = next_screen(list(connected()), self.mover.screen) if self.on else None
        if other is not None:
            presenter.mover.go(other, _FULL)
        elif presenter.windowState() & _FULL:
            presenter.mover.go(self.mover.screen, Qt.WindowState.WindowNoState, presenter.usual_geometry())

    def _forget_presenter(self) -> None:
        self.presenter = None
        self._window.activateWindow()
        self._actions["presenter"].setChecked(self.presenter is not None)

    # ---------------------------------------------------------------------------------------------- time

    def _note_step(self, cursor: Cursor) -> None:
        if self.on and not self.elapsed.runs:
            there = self._from
            if cursor.program is not there.program or cursor.index != there.index:
                self.elapsed.begin()

    def restart_time(self) -> None:
        """Set the time to zero."""
        self.elapsed.begin()
        if self.presenter is not None:
            self.presenter.tell_time()
