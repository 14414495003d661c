"""The places that one has jumped from, and back to: as a browser keeps its pages."""

from __future__ import annotations

from time import monotonic

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from cnnviz.errors import CnnvizError
from cnnviz.lesson.subject import Choice
from cnnviz.trace.cursor import Cursor
from cnnviz.ui.desk import Desk

_MOST = 200
_TOGETHER = 1.0
"""Seconds: a jump so soon after another goes on with it, as where the playhead is dragged."""


class Place(Struct, frozen=True):
    """Where one is.

    Attributes
    ----------
    source : str
        What the lesson can be asked for by.
    choice : Choice
        Its image, iteration and form.
    index : int
        The step.
    """

    source: str
    choice: Choice
    index: int


class History(QObject):
    """Keeps the places that were left by a jump. A step, or another iteration, is none.

    Parameters
    ----------
    desk : Desk
        Whose places these are.

    Attributes
    ----------
    changed : Signal()
        There is another place to go back or forward to.
    """

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._back: list[Place] = []
        self._forward: list[Place] = []
        self._cursor, self._here = desk.player.cursor, self._place()
        self._going, self._jumped = False, -_TOGETHER
        desk.player.moved.connect(self._note)

    def can_go(self, backwards: bool = False) -> bool:
        """Return whether there is a place before this one, or after it."""
        return bool(self._back if backwards else self._forward)

    def go(self, backwards: bool = False) -> None:
        """Go to the place before, or to the one that was gone back from."""
        places, others = (self._back, self._forward) if backwards else (self._forward, self._back)
        if not places:
            return
        place, left = places.pop(), self._here
        self._going = True
        try:
            self._go_to(place)
        finally:
            self._going = False
        if self._here != left:  # or it cannot be shown any more, and that is said
            others.append(left)
        self.changed.emit()

    def _go_to(self, place: Place) -> None:
        desk = self._desk
        desk.player.pause()
        if place.source != desk.source:
            desk.open(place.source)
        if place.source == desk.source:
            try:
                lesson = desk.lesson.at(place.choice)
            except CnnvizError as error:
                desk.failed.emit(str(error))
            else:
                desk.show(lesson, place.index)

    def _place(self) -> Place:
        return Place(self._desk.source, self._desk.lesson.choice, self._desk.player.cursor.index)

    def _note(self, cursor: Cursor) -> None:
        before, left = self._cursor, self._here
        self._cursor, self._here = cursor, self._place()
        if self._going or _goes_on(left, self._here, before, cursor):
            return
        now = monotonic()
        if now - self._jumped >= _TOGETHER:
            self._back = [*self._back, left][-_MOST:]
            self._forward.clear()
            self.changed.emit()
        self._jumped = now


def _goes_on(left: Place, here: Place, before: Cursor, cursor: Cursor) -> bool:
    """Return whether one has only gone on: by a step of some size, or to another iteration."""
    another_iteration = left.choice.iteration != here.choice.iteration  # mostly of another image
    if left.source != here.source or (left.choice != here.choice and not another_iteration):
        return False
    if abs(left.index - here.index) <= 1:
        return True
    at = before.at(cursor.level)
    return cursor.program is before.program and here.index in (at.next().index, at.previous().index)
