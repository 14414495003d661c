"""What is to be exported of a lesson, ordered on the command line or in the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from cnnviz import __version__
from cnnviz.errors import CnnvizError
from cnnviz.export.formats import FORMATS
from cnnviz.export.frames import Shown, check_size, frame_name, stops
from cnnviz.export.walk import Walk, seen, walk
from cnnviz.lesson.changes import Changes
from cnnviz.lesson.description import describe
from cnnviz.lesson.lesson import Lesson, lesson_of
from cnnviz.lesson.own_stops import Words
from cnnviz.lesson.subject import FIRST, Choice
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.cursor import alone
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level

OPAQUE = {"html": "A page", "mp4": "A film", "tex": "LaTeX"}
"""Formats through which nothing shows, as they are called."""


class Order(Struct, frozen=True):
    """Frames that are to be written. It holds nothing large, so that it can be sent to other processes.

    Attributes
    ----------
    source : str
        What the lesson is loaded by.
    changes : Changes
        What is not as its file has it.
    choice : Choice
        Which of its images, iterations and forms.
    folder : Path
        Where to; of a document, the file.
    every : Level or None
        What to make a picture of; None leaves it to a walk how fine it is.
    first, last : int
        From which step to which one.
    view : View
        How large frames are, and how things are shown in them.
    tour : bool
        Whether all stops of the lesson are wanted, also those of other images, iterations and forms. Then
        frames are counted by the numbers of the stops, from 1.
    form : str
        In which format, of `FORMATS` and `DOCUMENTS`.
    words : Words, optional
        What the lesson says in place of what its file says.
    """

    source: str
    changes: Changes
    choice: Choice
    folder: Path
    every: Level | None
    first: int
    last: int
    view: View
    tour: bool = False
    form: str = "png"
    words: Words | None = None

    @property
    def one_file(self) -> bool:
        """Whether all is written into one file, which is replaced when it is whole."""
        return self.form not in FORMATS

    def lesson(self) -> Lesson:
        """Load the lesson, with the changes and the choice that are meant."""
        description = describe(self.source)
        description = description if self.words is None else description.with_words(self.words)
        return lesson_of(description, self.changes, self.choice)

    def shown(self, lesson: Lesson | None = None) -> Shown:
        """Return what is shown in the frames; the lesson is loaded where it is not given."""
        lesson = lesson or self.lesson()
        if self.tour:
            return Tour(lesson.program, replace(seen(lesson, self.view), stops=lesson.sequence), lesson, self)
        return Shown(lesson.program, seen(lesson, self.view))

    def steps(self, lesson: Lesson) -> list[int]:
        """Return the steps to be shown, as `stops` does; of a tour, the numbers of its stops."""
        if self.tour:
            return [stop.number for stop in lesson.sequence]
        return stops(lesson.program, self.every or Level.MAP, self.first, self.last, lesson.stops)

    def walk(self, lesson: Lesson) -> Walk:
        """Return the places to be shown, for a document in which one goes about."""
        return walk(lesson, self.view, self.every, self.first, None if self.tour else self.last, self.tour)

    def settings(self, lesson: Lesson) -> dict[str, str]:
        """Return what the frames are made by, for the folder's manifest."""
        settings = {
            "cnnviz": __version__,
            "lesson": lesson.identity,
            "image": str(lesson.image),
            "every": (self.every or Level.MAP).value,
            "from": str(self.first),
            "to": str(self.last),
        }
        if self.tour:
            return settings | {"image": "all", "to": "end"}
        if self.choice.input_gradient:
            settings["input gradient"] = self.choice.input_gradient
        if self.choice.iteration is not None:
            settings["iteration"] = str(self.choice.iteration)
        return settings


class Tour(Shown, frozen=True, eq=False):
    """All stops of a lesson, wherever they are; an index is the number of a stop.

    Attributes
    ----------
    lesson : Lesson
        Whose stops.
    order : Order
        How they are to be shown.
    at : dict[int, Lesson]
        The lesson at the stop that was shown last.
    """

    lesson: Lesson
    order: Order
    at: dict[int, Lesson] = field(default_factory=dict)

    def scene(self, index: int) -> tuple[Program, int, View]:
        """Return what the frame of a stop shows."""
        there = self._at(index)
        stop, view = there.sequence[index - 1], seen(there, self.order.view)
        view = replace(view, stops=alone(view.stops, stop))
        return there.program, stop.index, view.at(there.program[stop.index])

    def programs(self) -> Iterator[Program]:
        """Yield the programs of all stops, those that lie behind one another in one of them once."""
        before = None
        for stop in self.lesson.sequence:
            there = self._at(stop.number)
            if there.choice != before:
                yield there.program
            before = there.choice

    def name(self, index: int, suffix: str = ".png") -> str:
        """Return what the file of a stop's frame is called: ``04-image1-00012-f.backward.png``.

        Behind the number of the stop stand the image, the iteration and the form that it speaks of, as the
        command line takes them.
        """
        there, stop = self._at(index), self.lesson.sequence[index - 1]
        parts = [str(index).zfill(len(str(len(self.lesson.sequence))))]
        if len(there.subject) > 1 and there.run is None:
            parts.append(f"image{there.image}")
        if there.run is not None:
            parts.append(f"iteration{there.iteration}")
        if stop.form:
            parts.append(stop.form)
        program, step, _ = self.scene(index)
        return "-".join([*parts, frame_name(program, step, suffix)])

    def _at(self, index: int) -> Lesson:
        if index not in self.at:
            there = self.lesson.at_stop(self.lesson.sequence[index - 1])
            self.at.clear()
            self.at[index] = there
        return self.at[index]


def order_of(
    lesson: Lesson,
    folder: Path,
    every: Level | None,
    first: int,
    last: int,
    view: View,
    tour: bool = False,
    form: str = "png",
) -> Order:
    """Order frames of a lesson as it is shown, or of all its stops.

    Raises
    ------
    CnnvizError
        If frames of this size cannot be made, or nothing shows through what is transparent.
    """
    check_size(int(view.width), int(view.height))
    if view.display.transparent and form in OPAQUE:
        raise CnnvizError(
            tr(
                "{form} has no transparent background; take pictures (PNG, SVG), or leave it filled.",
                form=tr(OPAQUE[form]),
            )
        )
    words = lesson.description.words
    source, choice = lesson.description.source, FIRST if tour else lesson.choice
    return Order(source, lesson.changes, choice, folder, every, first, last, view, tour, form, words)
