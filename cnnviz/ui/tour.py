"""The tour: from one stop of a lesson to the next, whichever choice, iteration, form or lesson it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from cnnviz.errors import CnnvizError
from cnnviz.lesson.files import lesson_beside
from cnnviz.scene.numbers import count
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.stops import Level
from cnnviz.ui.desk import Desk
from cnnviz.ui.keys import named


class _Offer(Struct, frozen=True):
    """What the next press of the same key does, as long as no step is taken.

    Attributes
    ----------
    take : Callable[[], object]
        Does it.
    backwards : bool
        Whether it was the key that goes back.
    """

    take: Callable[[], object]
    backwards: bool = False


class Tour(QObject):
    """Goes from stop to stop of the lesson on the desk.

    Parameters
    ----------
    desk : Desk
        Whose lesson it goes through.
    actions : Mapping[str, QAction]
        The window's actions by name; sentences name their keys.

    Attributes
    ----------
    desk : Desk
        The same.
    training_wanted : Signal(int)
        The stop of this number is wanted, and is in an iteration that training has not come to.
    """

    training_wanted = Signal(int)

    def __init__(self, desk: Desk, actions: Mapping[str, QAction]) -> None:
        super().__init__(desk)
        self.desk, self._player, self._actions = desk, desk.player, actions
        self._offer: _Offer | None = None
        self._player.stop_asked.connect(self._to_next_stop)
        self._player.moved.connect(self._forget_offer)

    @property
    def number(self) -> int:
        """Which stop of the lesson we are at, or have come by last; 0 before the first."""
        cursor = self._player.cursor
        stop = cursor.stop or self.desk.lesson.stop_after(cursor, backwards=True)
        return stop.number if stop else 0

    def go_to_next_stop(self, backwards: bool = False) -> None:
        """Go to the lesson's next or previous stop, wherever it is.

        Where training has to come first, or there is none, that is said, and the next press does what was
        offered: trains, or goes to the next lesson, or the previous one.
        """
        self._player.pause()
        self._to_next_stop(backwards)

    def _to_next_stop(self, backwards: bool) -> None:
        offer, stop = self._offer, self.desk.lesson.stop_after(self._player.cursor, backwards)
        self._offer = None
        if stop is not None and not self.desk.lesson.missing_iterations(stop):
            playing = self._player.playing
            self.go_to_stop(stop.number)
            if playing:  # what leads into another program pauses
                self._player.play()
        elif offer is not None and offer.backwards == backwards:
            offer.take()
        else:
            self._offer = self._offer_training(stop) if stop else self._offer_lesson(backwards)

    def _forget_offer(self) -> None:
        self._offer = None

    def _offer_training(self, stop: Stop) -> _Offer:
        said = tr(
            "Stop {number} is in iteration {iteration}, and the training is at {reached}. "
            "{key}: train up to there.",
            number=stop.number,
            key=named(self._actions["next_stop"]),
            iteration=count(self.desk.lesson.missing_iterations(stop)),
            reached=count(self.desk.lesson.run.last if self.desk.lesson.run else 0),
        )
        self.desk.noted.emit(said)
        return _Offer(partial(self.go_to_stop, stop.number))

    def _offer_lesson(self, backwards: bool) -> _Offer:
        """Say that the lesson has no stop further on, and which lesson is there."""
        name, title = lesson_beside(self.desk.source, backwards)
        lesson = self.desk.lesson
        if not lesson.sequence and lesson.changes and lesson.description.file.stops:
            said = tr("The stops of this lesson speak of other numbers than these.")
        elif not lesson.sequence:
            said = tr("This lesson has no stops.")
        else:
            said = tr("That was the first stop.") if backwards else tr("That was the last stop.")
        if name:
            following = (
                tr("{key}: previous lesson, {title}.") if backwards else tr("{key}: next lesson, {title}.")
            )
            key = named(self._actions["back_stop" if backwards else "next_stop"])
            said = f"{said} {following.format(key=key, title=title)}"
        if not backwards and self.desk.lesson.sequence:
            said = f"{said} {tr('{key} begins again.', key=named(self._actions['start']))}"
        self.desk.noted.emit(said)
        take = partial(self._open_beside, name, backwards) if name else partial(self.desk.noted.emit, said)
        return _Offer(take, backwards)

    def _open_beside(self, name: str, backwards: bool) -> None:
        """Open another lesson of the course at its beginning, or at its last stop."""
        self.desk.open(name)
        if self.desk.source != name:
            return  # it could not be opened, and that is said
        there = [stop for stop in self.desk.lesson.sequence if not self.desk.lesson.missing_iterations(stop)]
        if backwards and there:
            self.go_to_stop(there[-1].number)
        else:
            self._begin()

    def go_to_start(self) -> None:
        """Go to the first step; from there, or when the last stop has been told to be that, begin again."""
        cursor = self._player.cursor
        ended = self._offer is not None and not self.desk.lesson.stop_after(cursor)
        self._player.pause()
        if cursor.index == 0 or ended:
            self._begin()
        else:
            self._player.jump_to(0)

    def _begin(self) -> None:
        """Go to where the lesson begins: the first step of what its first stop speaks of."""
        self._player.leaving.emit()
        first = self.desk.lesson.sequence[:1]
        self.desk.show(self.desk.lesson.at_stop(first[0]) if first else self.desk.lesson, 0)

    def go_to_stop(self, number: int) -> None:
        """Go to one of the lesson's stops, with the choice, iteration and form that it speaks of.

        Where training has to come first, it is begun, and the stop is gone to when it has come there.

        Parameters
        ----------
        number : int
            From 1.
        """
        stop = self.desk.lesson.sequence[number - 1]
        if self.desk.lesson.missing_iterations(stop):
            self.training_wanted.emit(number)
            return
        try:
            there = self.desk.lesson.at_stop(stop)
        except CnnvizError as error:
            self.desk.failed.emit(str(error))
        else:
            if self._player.cursor.level is not Level.STOP:  # by stops, that is a step
                self._player.leaving.emit()
            self.desk.show(there, there.sequence[number - 1].index)
            self._player.go(self._player.cursor.telling(number))
