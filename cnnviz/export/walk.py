"""All that a lesson shows, from its first place to its last, over its images, iterations and forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown, about_frames, stops
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop, alone
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level

MOST_PLACES = 7_000
"""Where nobody says what is wanted, cells are left out if there are more of them."""

MOST_IN_ONE = 50_000
"""How many places one file may have, so that it can be opened."""

LEVELS = tuple(Level)


class Place(Struct, frozen=True):
    """A step that is shown.

    Attributes
    ----------
    part : int
        Which of the programs, from 0.
    step : int
        The step in it.
    levels : int
        Where stepping stops at it: a bit for each of `LEVELS`, the finest first.
    stop : int
        The number of the lesson's stop that is there; 0 where there is none.
    """

    part: int
    step: int
    levels: int
    stop: int


class Alone(Struct, frozen=True, eq=False):
    """A program without a lesson."""

    program: Program
    title: str = ""
    view: View = View()
    stops: tuple[Stop, ...] = ()
    sequence: tuple[Stop, ...] = ()


class Walk(Shown, frozen=True, eq=False):
    """Places of a lesson in order; an index is the number of one, from 0.

    Attributes
    ----------
    lesson : Lesson or Alone
        Whose places.
    parts : tuple[Stop or None, ...]
        What leads to each of its programs; None to that of the lesson itself.
    places : tuple[Place, ...]
        Where it goes.
    finest : Level
        The finest level by which it can be stepped.
    at : dict[int, Lesson or Alone]
        The lesson at the part that was shown last.
    """

    lesson: Lesson | Alone
    parts: tuple[Stop | None, ...]
    places: tuple[Place, ...]
    finest: Level
    at: dict[int, Lesson | Alone] = field(default_factory=dict)

    def scene(self, index: int) -> tuple[Program, int, View]:
        """Return what is shown at a place."""
        place = self.places[index]
        there = self.there(place.part)
        shown = seen(there, self.view)
        told = next((stop for stop in shown.stops if stop.number == place.stop), None)
        shown = replace(shown, stops=alone(shown.stops, told)) if told else shown
        return there.program, place.step, shown.at(there.program[place.step])

    def programs(self) -> Iterator[Program]:
        """Yield the program of each part."""
        for part in range(len(self.parts)):
            yield self.there(part).program

    def there(self, part: int) -> Lesson | Alone:
        """Return the lesson at one of its parts."""
        if part not in self.at:
            stop = self.parts[part]
            lesson = self.lesson
            found = lesson if stop is None or isinstance(lesson, Alone) else lesson.at_stop(stop)
            self.at.clear()
            self.at[part] = found
        return self.at[part]


def seen(lesson: Lesson | Alone, view: View) -> View:
    """Return how a lesson is shown in pictures that are wanted like this."""
    before = lesson.before if view.display.compare and isinstance(lesson, Lesson) else None
    return replace(
        lesson.view,
        before=before,
        width=view.width,
        height=view.height,
        display=view.display,
        paths=view.paths,
        folds=view.folds,
    )


def walk(
    lesson: Lesson | Alone,
    view: View,
    every: Level | None = None,
    first: int = 0,
    last: int | None = None,
    tour: bool = False,
    most: int = MOST_PLACES,
) -> Walk:
    """Return the places of a lesson: steps at which a level stops, and all stops of the lesson.

    Parameters
    ----------
    every : Level, optional
        The finest level; where it is not given, cells, or what comes next where those are too many.
    first, last : int
        From which step to which one.
    tour : bool
        Whether all images, iterations and forms are wanted of which the lesson speaks.
    most : int
        How many places are too many, where no level is given.

    Raises
    ------
    CnnvizError
        If there are more than `MOST_IN_ONE`.
    """
    parts = _turns(lesson) if tour and not isinstance(lesson, Alone) else ()
    made = Walk(lesson.program, seen(lesson, view), lesson, parts or (None,), (), every or Level.STOP)
    finest = every or _finest(made, first, last, most)
    places: list[Place] = []
    for part in range(len(made.parts)):
        if _about(made.there(part).program, finest, first, last) + len(places) > MOST_IN_ONE:
            raise CnnvizError(
                tr(
                    "One file of more than {most:,} steps could not be opened; take fewer steps, or a level "
                    "above {every}.",
                    most=MOST_IN_ONE,
                    every=finest.value,
                )
            )
        places += _places(made.there(part), part, finest, first, last)
    return replace(made, places=tuple(places), finest=finest, at={})


def _turns(lesson: Lesson) -> tuple[Stop, ...]:
    """Return the first stop of each image, iteration and form of which a lesson speaks."""
    found: dict[tuple[int | None, int | None, str], Stop] = {}
    for stop in lesson.sequence:
        there = lesson.at_stop(stop).choice
        found.setdefault((there.image, there.iteration, there.input_gradient), stop)
    return tuple(found.values())


def _finest(made: Walk, first: int, last: int | None, most: int) -> Level:
    programs = list(made.programs())
    for level in (Level.CELL, Level.MAP, Level.LAYER):
        if sum(_about(program, level, first, last) for program in programs) <= most:
            return level
    return Level.PASS


def _about(program: Program, level: Level, first: int, last: int | None) -> int:
    end = len(program) - 1 if last is None else last
    return about_frames(program, level, first, end)[0]


def _places(
    lesson: Lesson | Alone, part: int, finest: Level, first: int, last: int | None
) -> Iterable[Place]:
    program = lesson.program
    end = len(program) - 1 if last is None else last
    told: dict[int, list[int]] = {}
    for stop in lesson.stops:
        if stop.shown_in(program) and first <= stop.index <= end:
            told.setdefault(stop.index, []).append(stop.number)
    levels = dict.fromkeys(sorted(told), 0)
    for bit, level in enumerate(LEVELS):
        if bit >= LEVELS.index(finest) and level is not Level.STOP:
            for step in stops(program, level, first, last):
                levels[step] = levels.get(step, 0) | 1 << bit
    begin, stop_bit = 2 ** LEVELS.index(Level.STOP) - 1, 1 << LEVELS.index(Level.STOP)
    levels[first] = levels.get(first, 0) | begin
    for step in sorted(levels):
        here = told.get(step, [])
        yield Place(part, step, levels[step] | (stop_bit if here else 0), here[0] if here else 0)
        for number in here[1:]:  # what else is said there, of which no other level knows
            yield Place(part, step, stop_bit, number)
