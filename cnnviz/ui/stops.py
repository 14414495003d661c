"""The stops of the lesson in the bar: ◀ 4 / 10 ▶, where a newcomer finds the keys that lead through it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.ui.keys import ActionButton, named
from cnnviz.ui.style import icon
from cnnviz.ui.tour import Tour


class StopControl(QWidget):
    """Says which stop of the lesson we have come to, and goes to those beside it.

    Parameters
    ----------
    tour : Tour
        What leads through the lesson.
    actions : Mapping[str, QAction]
        The window's actions by name; its buttons trigger them.
    """

    def __init__(self, tour: Tour, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._tour = tour
        self.setAccessibleName(tr("Stops of the lesson"))
        self._actions = {"next": actions["next_stop"], "back": actions["back_stop"]}
        self.back, self.next = (ActionButton(self._actions[name]) for name in ("back", "next"))
        self.number = QLabel()
        self.number.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for part in (self.back, self.number, self.next):
            row.addWidget(part)
        for action in self._actions.values():
            action.changed.connect(self._say)
        self._say()
        tour.desk.player.moved.connect(self.refresh)
        tour.desk.player.changed.connect(self.refresh)

    def _say(self) -> None:
        """Name the keys that lead through the lesson."""
        keys = {name: named(action) for name, action in self._actions.items()}
        self.number.setToolTip(tr("Stops of the lesson: next ({next}), previous ({back})", **keys))

    @property
    def wanted(self) -> bool:
        """Whether the lesson has stops at all."""
        return bool(self._tour.desk.lesson.sequence)

    def set_look(self, theme: Theme, side: int) -> None:
        """Take colours, and the size of icons."""
        for name, button in (("back-stop", self.back), ("next-stop", self.next)):
            button.setIcon(icon(name, theme.color("accent")))
            button.setIconSize(QSize(side, side))
        self.number.clear()  # in a font of another size
        self.refresh()

    def refresh(self) -> None:
        """Show how far we have come."""
        count = len(self._tour.desk.lesson.sequence)
        number = self._tour.number
        if (text := f"{number} / {count}") == self.number.text():
            return
        self.number.setText(text)
        said = tr("Stop {number} of {count}", number=number, count=count)
        self.number.setAccessibleName(said)
        widest = self.number.fontMetrics().horizontalAdvance(f"{count} / {count}")
        self.number.setFixedWidth(widest + 6)
