"""The places that one has jumped from, and back to: as a browser keeps its pages."""

from __future__ import annotations

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from cnnviz.errors import CnnvizError
from cnnviz.lesson.subject import Choice
from cnnviz.ui.desk import Desk

_MOST = 200


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
    """Keeps the places that were left by a jump, as who jumps tells. A step, or another iteration, is none.

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
        self._going = False
        desk.player.leaving.connect(self._note)
        desk.player.moved.connect(self.changed)

    def can_go(self, backwards: bool = False) -> bool:
        """Return whether there is a place before this one, or after it."""
        return bool(self._others(backwards))

    def go(self, backwards: bool = False) -> None:
        """Go to the place before, or to the one that was gone back from."""
        places, others = self._others(backwards), self._back if not backwards else self._forward
        if not places:
            return
        place, left = places.pop(), self._place()
        self._going = True
        try:
            self._go_to(place)
        finally:
            self._going = False
        if self._place() != left:  # or it cannot be shown any more, and that is said
            others.append(left)
        self.changed.emit()

    def _others(self, backwards: bool) -> list[Place]:
        """Return the places before, or after; a jump that has led nowhere has left none."""
        places = self._back if backwards else self._forward
        while places and places[-1] == self._place():
            places.pop()
        return places

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

    def _note(self) -> None:
        """Keep the place that is left, and forget those that were gone back from."""
        if not self._going:
            self._back = [*self._back, self._place()][-_MOST:]
            self._forward.clear()
