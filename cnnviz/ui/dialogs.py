"""What opens over the window: choosers, the palette of commands, keys, about, the tour of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QWidget

from cnnviz.errors import CnnvizError
from cnnviz.scene.target import Target
from cnnviz.scene.theme import theme_of
from cnnviz.ui.desk import Desk
from cnnviz.ui.keymap import Keymap
from cnnviz.ui.keys import named
from cnnviz.ui.tour import Tour

if TYPE_CHECKING:
    from cnnviz.ui.drawing import DrawingDialog
    from cnnviz.ui.images import ImageChooser
    from cnnviz.ui.lessons import LessonChooser
    from cnnviz.ui.palette import CommandPalette
    from cnnviz.ui.welcome import Welcome


class Dialogs(QObject):
    """Makes each of them when it is first wanted, since a start can do without.

    Parameters
    ----------
    window : QWidget
        What they open over.
    desk : Desk
        What they choose for.
    tour : Tour
        Whose stops the palette has.
    actions : Mapping[str, QAction]
        The window's actions by name.

    Attributes
    ----------
    welcome : Welcome or None
        The tour of the window, while it is shown.
    closed : Signal()
        One of them has gone.
    drawn : Signal(QImage)
        What was drawn is to go into the network.
    """

    closed = Signal()
    drawn = Signal(QImage)

    def __init__(self, window: QWidget, desk: Desk, tour: Tour, actions: Mapping[str, QAction]) -> None:
        super().__init__(window)
        self._window, self._desk, self._tour, self._actions = window, desk, tour, actions
        self.welcome: Welcome | None = None

    @cached_property
    def images(self) -> ImageChooser:
        """What lets an image be chosen, or an expression."""
        from cnnviz.ui.images import ImageChooser

        made = ImageChooser(self._window)
        made.chosen.connect(self._desk.choose)
        made.closed.connect(self.closed)
        return made

    @cached_property
    def drawing(self) -> DrawingDialog:
        """The field to draw in."""
        from cnnviz.ui.drawing import DrawingDialog

        made = DrawingDialog(self._window)
        made.taken.connect(self.drawn)
        made.closed.connect(self.closed)
        return made

    @cached_property
    def lessons(self) -> LessonChooser:
        """What lets a lesson be chosen."""
        from cnnviz.ui.lessons import LessonChooser

        made = LessonChooser(self._window)
        made.chosen.connect(self._desk.open)
        made.closed.connect(self.closed)
        return made

    @cached_property
    def palette(self) -> CommandPalette:
        """What lets a command be found by its words."""
        from cnnviz.ui.palette import CommandPalette

        made = CommandPalette(self._window)
        made.closed.connect(self.closed)
        return made

    def show_images(self, corner: QPoint) -> None:
        """Let one of the lesson's images be chosen, under a corner."""
        lesson = self._desk.lesson
        labels = [lesson.subject.label(k) for k in range(len(lesson.subject))]
        self.images.fill(lesson.subject.picture, labels, lesson.image)
        self.images.open_at(corner, self._window.geometry())

    def show_lessons(self) -> None:
        """Let a lesson be chosen."""
        desk = self._desk
        desk.player.pause()
        desk.remember()
        self.lessons.fill(desk.progress, desk.recent)
        self.lessons.open_in(self._window.geometry(), desk.source, theme_of(desk.player.display))

    def show_drawing(self, text: int) -> None:
        """Let something be drawn for the network, with text so large; as in the window where it is 0."""
        self.drawing.open_for(self._desk.lesson, text)

    def show_palette(self) -> None:
        """Let a command be found."""
        from cnnviz.ui.palette import commands

        self.palette.open_in(self._window.geometry(), commands(self._actions, self._tour))

    def show_stops(self, new: bool = False) -> None:
        """Let the lesson's stops be edited.

        Parameters
        ----------
        new : bool
            Whether one is made at the step at hand.
        """
        from cnnviz.ui.stops_dialog import StopsDialog

        self._desk.player.pause()
        if self._window.findChild(StopsDialog) is not None:  # a held key asks once
            return
        dialog = StopsDialog(self._desk, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.done_with.connect(self._desk.put_words)
        dialog.open()
        if new:
            dialog.make_here()

    def show_keys(self, keymap: Keymap, take: Callable[[Keymap], None]) -> None:
        """Show the keys, and let them be changed."""
        from cnnviz.ui.keys_page import KeysPage

        KeysPage(self._window, keymap, take).open()

    def show_breakpoints(self) -> None:
        """List the breakpoints, and let others be set."""
        from cnnviz.ui.breakpoint_list import BreakpointList

        self._desk.player.pause()
        run, back = (named(self._actions[name]) for name in ("run", "run_back"))
        BreakpointList(self._window, self._desk.player, run, back).open()

    def ask(self, entry: str, target: Target) -> None:
        """Check a gradient, if that is what is asked for."""
        if entry != "check" or target.cell is None:
            return
        from cnnviz.lesson.gradient_check import slot_of
        from cnnviz.ui.gradient_dialog import GradientDialog

        lesson, cell = self._desk.lesson, target.cell
        self._desk.player.pause()
        try:
            slot = slot_of(lesson, cell.operation, cell.array, cell.index)
        except CnnvizError as error:
            self._desk.noted.emit(str(error))
            return
        made = GradientDialog(self._window, lesson, slot)
        made.finished.connect(self.closed)
        made.open()

    def show_changes(self) -> None:
        """List what differs from the lesson, and let it be taken back."""
        from cnnviz.ui.changes_list import ChangesList

        made = ChangesList(self._window, self._desk)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.finished.connect(self.closed)
        made.open()

    def show_data(self) -> None:
        """Say what was recognised of the samples, and let what is meant be set."""
        from cnnviz.ui.data_dialog import DataDialog

        made = DataDialog(self._window, self._desk)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.finished.connect(self.closed)
        made.open()

    def show_watches(self) -> None:
        """List what is watched, and what it came to; one goes on stepping meanwhile."""
        from cnnviz.ui.watch_list import WatchList

        self._desk.player.pause()
        there = self._window.findChild(WatchList)  # it stays open
        shown = WatchList(self._window, self._desk) if there is None else there
        shown.show()
        shown.raise_()
        shown.activateWindow()

    def show_about(self) -> None:
        """Say what this program is, and what is shipped with it."""
        from cnnviz.ui.about import About

        About(self._window).open()

    def show_around(self, stage: QWidget, places: Sequence[Sequence[QWidget]]) -> None:
        """Begin the tour of the window.

        Parameters
        ----------
        stage : QWidget
            What has the keyboard.
        places : Sequence[Sequence[QWidget]]
            What each station is about: the first of its widgets that is visible.
        """
        from cnnviz.ui.welcome import Station, Welcome, words

        self.end_tour()
        stations = [Station(text, at) for text, at in zip(words(self._actions), places, strict=True)]
        self.welcome = Welcome(self._window, stage, stations, lambda: theme_of(self._desk.player.display))
        self.welcome.closed.connect(self._forget_tour)

    def end_tour(self) -> None:
        """End the tour of the window, if it is shown."""
        if self.welcome is not None:
            self.welcome.end()

    def _forget_tour(self) -> None:
        self.welcome = None
        self.closed.emit()
