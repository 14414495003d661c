"""The lesson on the desk: opening one, choosing its image, and coming back to where one was."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec import Struct
from PySide6.QtCore import QObject, Signal

from cnnviz.engine.descent import Descent
from cnnviz.engine.expression import is_expression, read_typed
from cnnviz.engine.layer import VIEWS
from cnnviz.engine.training import Run
from cnnviz.errors import CnnvizError
from cnnviz.lesson.descents import Descents, changed, rate_beside, without_changes
from cnnviz.lesson.expressions import Example, Expressions
from cnnviz.lesson.files import from_anywhere, lesson_beside
from cnnviz.lesson.lesson import Lesson, Samples, load_lesson
from cnnviz.scene.marks import SCALES
from cnnviz.scene.numbers import count, full
from cnnviz.text import tr
from cnnviz.trace.cursor import LEVELS, Bookmark, Stop
from cnnviz.trace.views import counterpart
from cnnviz.ui.edits import Edit
from cnnviz.ui.keys import said as said_keys
from cnnviz.ui.player import MOST_MARKS, Breakpoints, Player
from cnnviz.ui.settings import Settings, lesson_key

_LAST = 2**62
_MOST_KEPT = 64 * 2**20
"""The most memory, in bytes, that a training may take while another lesson lies on the desk."""


class Desk(QObject):
    """Holds the lesson and the player that steps through it.

    Parameters
    ----------
    lesson : Lesson
        What lies there first.
    source : str
        What it was loaded by, a name or a path.

    Attributes
    ----------
    changed : Signal()
        There is another lesson, or another image of it.
    iterated : Signal()
        There is another iteration of the same lesson.
    failed : Signal(str)
        Something could not be opened; the sentence says why.
    noted : Signal(str)
        Something is said by the way.
    training_wanted : Signal(int)
        The stop of this number is wanted, and is in an iteration that training has not come to.
    """

    changed = Signal()
    iterated = Signal()
    failed = Signal(str)
    noted = Signal(str)
    training_wanted = Signal(int)

    def __init__(
        self, lesson: Lesson, source: str, settings: Settings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.settings = settings
        self.lesson, (self._source, changes) = lesson, _parts(source)
        self.player = Player(lesson.program, lesson.samples.classes, parent=self)
        self._trained: tuple[Run, int] | None = None  # what the last one that trained has learnt
        self._offer: _Offer | None = None
        self.player.failed.connect(self.failed)
        self.player.stop_asked.connect(self._to_next_stop)
        self.player.moved.connect(self._forget_offer)
        self.player.set_speed(settings.number("player/speed", 4, 1, 60))
        self.player.set_level(LEVELS[settings.number("player/level", 2, 0, len(LEVELS) - 1)])
        self.player.set_letters(settings.flag("player/letters", False))
        self.player.set_scale(SCALES[settings.number("player/scale", 0, 0, len(SCALES) - 1)])
        self._restore(changes)

    @property
    def source(self) -> str:
        """What the lesson as it is now would be loaded by: a name, or a file's whole path."""
        samples = self.lesson.samples
        return self._source + (samples.changes if isinstance(samples, Descents) else "")

    @property
    def _key(self) -> str:
        """The group of settings of this lesson: one for a file, however Windows lets it be written."""
        source = self._source
        return lesson_key(source if is_expression(source) else os.path.normcase(source))

    def open(self, source: str) -> None:
        """Put another lesson on the desk, at the place where it was left; on an error all stays."""
        try:
            self._put(source)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self.player.edits.clear()  # they were made in the other lesson

    def _put(self, source: str, breakpoints: Breakpoints | None = None) -> None:
        """Put a lesson on the desk as it was left, but with other breakpoints if they are given."""
        lesson = load_lesson(source)
        self._keep_training()
        if self._trained is not None:
            lesson = lesson.trained(*self._trained)
        self.remember()
        self.lesson, (self._source, changes) = lesson, _parts(source)
        self._load(0)
        self._restore(changes)
        if breakpoints is not None:
            self.player.put_breakpoints(breakpoints)
        self.changed.emit()

    def _keep_training(self) -> None:
        """Keep what the lesson at hand has learnt, and where, until it is opened again."""
        run = self.lesson.run
        if run is not None and run.done:
            self._trained = (run, self.lesson.iteration) if run.nbytes <= _MOST_KEPT else None

    def choose(self, image: int) -> None:
        """Let another image through the network, or take another expression, and begin with it."""
        try:
            lesson = self.lesson.choose(image)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self._show(lesson, self.player.cursor.index if lesson is self.lesson else 0)

    def go_to_iteration(self, iteration: int) -> None:
        """Go to another iteration of the training, and stay at the same step of it."""
        try:
            lesson = self.lesson.at_iteration(iteration)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self._show(lesson, self.player.cursor.index)

    def _show(self, lesson: Lesson, index: int) -> None:
        """Go to a step of the same lesson in another of its images, iterations or views, or in this one."""
        before, marks = self.lesson, self._marks_key("")
        if lesson is before:
            self.player.go_to(index)
            return
        self._remember_breakpoints()
        self.lesson = lesson
        if lesson.program.view != before.program.view:
            self.player.switch(lesson.program, index, lesson.stops)
        else:
            self._load(index)
        if self._marks_key("") != marks:  # another expression has other steps
            self.player.edits.clear()
            self._restore_marks()
        if lesson.iteration != before.iteration:
            self.iterated.emit()
        elif lesson.image != before.image:
            self.changed.emit()

    def switch_input_gradient(self) -> None:
        """Show convolutions' input gradients in the other of the two views, and stay at the same place."""
        lesson, cursor = self.lesson, self.player.cursor
        if not lesson.program.view:
            return
        there = lesson.in_view(next(view for view in VIEWS if view != lesson.program.view))
        self._show(there, counterpart(cursor.program, cursor.index, there.program))

    def go_to(self, index: int) -> None:
        """Go to a step, and stay there."""
        self.player.pause()
        self.player.go_to(index)

    # --------------------------------------------------------------------------------------------- stops

    @property
    def stop_number(self) -> int:
        """Which stop of the lesson we are at, or have come by last; 0 before the first."""
        cursor = self.player.cursor
        stop = cursor.stop or self.lesson.stop_after(cursor, backwards=True)
        return stop.number if stop else 0

    def go_to_next_stop(self, backwards: bool = False) -> None:
        """Go to the lesson's next or previous stop, wherever it is.

        Where training has to come first, or there is none, that is said, and the next press does what was
        offered: trains, or goes to the next lesson, or the previous one.
        """
        self.player.pause()
        self._to_next_stop(backwards)

    def _to_next_stop(self, backwards: bool) -> None:
        offer, stop = self._offer, self.lesson.stop_after(self.player.cursor, backwards)
        self._offer = None
        if stop is not None and not self.lesson.missing_iterations(stop):
            playing = self.player.playing
            self.go_to_stop(stop.number)
            if playing:  # what leads into another program pauses
                self.player.play()
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
            key=said_keys("next_stop"),
            iteration=count(self.lesson.missing_iterations(stop)),
            reached=count(self.lesson.run.last if self.lesson.run else 0),
        )
        self.noted.emit(said)
        return _Offer(partial(self.go_to_stop, stop.number))

    def _offer_lesson(self, backwards: bool) -> _Offer:
        """Say that the lesson has no stop further on, and which lesson is there."""
        name, title = lesson_beside(self._source, backwards)
        if not self.lesson.sequence:
            said = tr("This lesson has no stops.")
        else:
            said = tr("That was the first stop.") if backwards else tr("That was the last stop.")
        if name:
            following = (
                tr("{key}: previous lesson, {title}.") if backwards else tr("{key}: next lesson, {title}.")
            )
            key = said_keys("back_stop" if backwards else "next_stop")
            said = f"{said} {following.format(key=key, title=title)}"
        if not backwards and self.lesson.sequence:
            said = f"{said} {tr('{key} begins again.', key=said_keys('start'))}"
        self.noted.emit(said)
        take = partial(self._open_beside, name, backwards) if name else partial(self.noted.emit, said)
        return _Offer(take, backwards)

    def _open_beside(self, name: str, backwards: bool) -> None:
        """Open another lesson of the course at its beginning, or at its last stop."""
        self.open(name)
        if self._source != name:
            return  # it could not be opened, and that is said
        there = [stop for stop in self.lesson.sequence if not self.lesson.missing_iterations(stop)]
        if backwards and there:
            self.go_to_stop(there[-1].number)
        else:
            self._begin()

    def go_to_start(self) -> None:
        """Go to the first step; from there, or when the last stop has been told to be that, begin again."""
        cursor = self.player.cursor
        ended = self._offer is not None and not self.lesson.stop_after(cursor)
        self.player.pause()
        if cursor.index == 0 or ended:
            self._begin()
        else:
            self.player.go_to(0)

    def _begin(self) -> None:
        """Go to where the lesson begins: the first step of what its first stop speaks of."""
        first = self.lesson.sequence[:1]
        self._show(self.lesson.at_stop(first[0]) if first else self.lesson, 0)

    def go_to_stop(self, number: int) -> None:
        """Go to one of the lesson's stops, with the choice, iteration and view that it speaks of.

        Where training has to come first, it is begun, and the stop is gone to when it has come there.

        Parameters
        ----------
        number : int
            From 1.
        """
        stop = self.lesson.sequence[number - 1]
        if self.lesson.missing_iterations(stop):
            self.training_wanted.emit(number)
            return
        try:
            there = self.lesson.at_stop(stop)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self._show(there, there.sequence[number - 1].index)

    @property
    def typed(self) -> str:
        """The expression at hand with its values, as it is typed; empty if the lesson has a network."""
        lesson = self.lesson
        return lesson.samples.examples[lesson.image].typed if isinstance(lesson.samples, Expressions) else ""

    def take_expression(self, text: str) -> None:
        """Step through an expression that was typed, with values behind it.

        Values that are not given stay as they are in the expression at hand.

        Raises
        ------
        CnnvizError
            If the text is not understood, or a value is missing; all stays as it is.
        """
        graph, values = read_typed(text)
        samples = self.lesson.samples
        known = samples.examples[self.lesson.image].values if isinstance(samples, Expressions) else {}
        kept = {name: known[name] for name in graph.inputs if name in known and name not in values}
        example = Example(graph, {**kept, **values})
        back = partial(self._put_again, self.source, self.player.all_breakpoints)
        self._put(example.source)
        there = partial(self._put_again, self.source)
        self.player.edits.push(Edit(tr("expression {text}", text=example.typed), back, there))

    def _put_again(self, source: str, breakpoints: Breakpoints | None = None) -> None:
        try:
            self._put(source, breakpoints)
        except CnnvizError as error:  # its file is not there any more
            self.failed.emit(str(error))

    # ------------------------------------------------------------------------------------------ descents

    @property
    def descent(self) -> Descent | None:
        """The descent that the player is in; None if the lesson has none."""
        samples = self.lesson.samples
        if not isinstance(samples, Descents):
            return None
        return samples.part(self.player.cursor.step.operation.name)

    @property
    def descent_is_changed(self) -> bool:
        """Whether the descent in hand is not as the lesson has it."""
        samples = self.lesson.samples
        return isinstance(samples, Descents) and self.descent not in samples.described

    def shift_rate(self, gears: int) -> None:
        """Take the next larger learning rate (1), or the next smaller one (−1), and stay at the same step."""
        if self.descent is not None:
            self.set_rate(rate_beside(self.descent.lr, gears))

    def set_rate(self, lr: float, gesture: int = -1) -> None:
        """Walk the descent in hand with another learning rate, and stay at the same step.

        Parameters
        ----------
        gesture : int
            The movement of the hand that this is a part of, see `Edit`.
        """
        if self.descent is not None and isinstance(self.lesson.samples, Descents):
            name = self.descent.name
            said = tr("learning rate {lr} of {name}", lr=full(lr), name=name)
            self._edit(self.lesson.samples.with_rate(name, lr), name, said, gesture)

    def set_start(self, name: str, s: int, w: float) -> None:
        """Let a walk begin elsewhere, and go to where it begins."""
        if isinstance(self.lesson.samples, Descents):
            said = tr("start {w} of {name}", w=full(w), name=name)
            self._edit(self.lesson.samples.with_start(name, s, w), name, said)
            program = self.player.cursor.program
            offset = program.operation(name).step_writing("w", (s, 0))
            assert offset is not None  # every walk has a start
            self.go_to(program.start(name) + offset)

    def reset_descent(self) -> None:
        """Walk the descent in hand as the lesson has it, and stay at the same step."""
        if self.descent is not None and isinstance(self.lesson.samples, Descents):
            name = self.descent.name
            said = tr("{name} as the lesson has it", name=name)
            self._edit(self.lesson.samples.as_described(name), name, said)

    def _edit(self, after: Descents, name: str, said: str, gesture: int = -1) -> None:
        before = self.lesson.samples
        if isinstance(before, Descents) and after != before:
            self._take(after, name)
            back, there = partial(self._take, before, name), partial(self._take, after, name)
            self.player.edits.push(Edit(said, back, there, gesture))

    def _take(self, descents: Descents, name: str) -> None:
        """Walk these descents, and stay at the same step if it is in the one that differs, to be seen."""
        if not isinstance(self.lesson.samples, Descents):
            return
        cursor = self.player.cursor
        there = cursor.step.operation.name == name
        self.lesson = self.lesson.with_descents(descents)
        self._load(cursor.index if there else cursor.program.start(name))

    def label(self, image: int) -> str:
        """Return what an image shows, the name of its class or its number; of an expression, its text."""
        return self.lesson.samples.label(image)

    def remember(self) -> None:
        """Note where we are in this lesson."""
        key = self._key
        self.settings.put(f"{key}/step", self.player.cursor.index)
        self.settings.put(f"{key}/iteration", self.lesson.iteration)
        if self.lesson.run is None:  # a training begins anew, and its first iteration has an image of its own
            self.settings.put(f"{key}/image", self.lesson.image)
        self.settings.put(f"{key}/input_gradient", self.lesson.program.view)
        if isinstance(self.lesson.samples, Descents):
            self.settings.put(f"{key}/changes", self.lesson.samples.changes)
        self._remember_breakpoints()
        self.settings.put("window/lesson", self._source)
        self.settings.put("player/speed", self.player.speed)
        self.settings.put("player/level", LEVELS.index(self.player.cursor.level))
        self.settings.put("player/letters", int(self.player.letters))
        self.settings.put("player/scale", SCALES.index(self.player.scale))

    def _load(self, step: int) -> None:
        lesson = self.lesson
        self.player.load(lesson.program, step, lesson.samples.classes, lesson.stops)

    def _restore(self, changes: str) -> None:
        """Go to where the lesson was left; of descents, changes that were asked for come before old ones."""
        settings, lesson, key = self.settings, self.lesson, self._key
        image = settings.number(f"{key}/image", lesson.image, 0, len(lesson.samples) - 1)
        if image != lesson.image:
            self.lesson = lesson.choose(image)
        view = settings.text(f"{key}/input_gradient")
        if view in VIEWS and lesson.program.view:
            self.lesson = self.lesson.in_view(view)
        if isinstance(lesson.samples, Descents) and not changes:
            with suppress(CnnvizError):
                old = settings.text(f"{key}/changes")
                self.lesson = lesson.with_descents(changed(lesson.samples, old))
        # What was trained is gone with the program, and the same step of another iteration is another place.
        there = settings.number(f"{key}/iteration", 0, 0, _LAST) == lesson.iteration
        self._load(settings.number(f"{key}/step", 0, 0, _LAST) if there else 0)
        self._restore_marks()

    # --------------------------------------------------------------------------- breakpoints and bookmarks

    def _remember_breakpoints(self) -> None:
        self.settings.put_record(self._marks_key("breakpoints"), self.player.all_breakpoints)

    def _restore_marks(self) -> None:
        """Have the breakpoints and bookmarks that are remembered, and no other."""
        settings, key = self.settings, self._marks_key
        self.player.put_breakpoints(settings.record(key("breakpoints"), Breakpoints, Breakpoints()))
        self.player.put_bookmarks(settings.record(key("bookmarks"), tuple[Bookmark, ...], ()))

    def _marks_key(self, name: str) -> str:
        """Return where marks are remembered: with the lesson, or with one of its expressions."""
        key = f"{self._key}/{name}"
        return key if isinstance(self.lesson.samples, Samples) else f"{key}-{self.lesson.image}"

    def toggle_bookmark(self) -> None:
        """Set a bookmark at this very step, or take it away."""
        step, before = self.player.cursor.step, self.player.bookmarks
        here = Bookmark(step.operation.name, step.offset, step.operation.call.view)
        if here in before:
            after = tuple(bookmark for bookmark in before if bookmark != here)
            said = tr("bookmark cleared at {name}", name=here.operation)
        elif len(before) >= MOST_MARKS:
            told = tr(
                "There are {most} bookmarks, the most there can be; clear some of them.", most=MOST_MARKS
            )
            self.failed.emit(told)
            return
        else:
            after = (*before, here)
            said = tr("bookmark set at {name}", name=here.operation)
        self._put_bookmarks(after)
        back, there = partial(self._put_bookmarks, before), partial(self._put_bookmarks, after)
        self.player.edits.push(Edit(said, back, there))

    def go_to_bookmark(self, bookmark: Bookmark) -> None:
        """Go to where a bookmark is, in its view."""
        if bookmark.index_in(self.player.cursor.program) is None:
            self.switch_input_gradient()
        index = bookmark.index_in(self.player.cursor.program)
        if index is not None:
            self.go_to(index)

    def _put_bookmarks(self, bookmarks: tuple[Bookmark, ...]) -> None:
        self.player.put_bookmarks(bookmarks)
        self.settings.put_record(self._marks_key("bookmarks"), bookmarks)


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


def _parts(source: str) -> tuple[str, str]:
    """Cut what a lesson is asked for by into its name, or its file's way from the root, and changes of it."""
    if is_expression(source):
        return source, ""
    source, changes = without_changes(source)
    return from_anywhere(source), changes
