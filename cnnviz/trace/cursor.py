"""A place in a program, and the moves from it: all values, nothing that changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.hits import hit
from cnnviz.trace.program import Program, Step
from cnnviz.trace.stops import Level, next_stop, previous_stop

LEVELS = tuple(Level)


class Bookmark(Struct, frozen=True, rename={"form": "view"}):  # as it is remembered
    """A step that one wants to come back to.

    Attributes
    ----------
    operation : str
        The operation's name.
    offset : int
        The step, counted from the operation's first.
    form : str
        The form of the input gradient that the operation is in; empty where there is only one.
    """

    operation: str
    offset: int
    form: str = ""

    def index_in(self, program: Program) -> int | None:
        """Return which step of a program it is; None if the program has no such step, or not in this form."""
        for operation, start in zip(program.operations, program.starts, strict=False):
            if operation.name == self.operation and operation.call.form == self.form:
                return start + self.offset if 0 <= self.offset < len(operation) else None
        return None


class Stop(Struct, frozen=True):
    """A place at which a lesson has something to say; all of them are one sequence.

    Attributes
    ----------
    index : int
        The step; of one that speaks of a form that is not shown, the edge of its operation.
    caption : str
        What is said there, in whole sentences.
    form : str
        The form of the input gradient that it speaks of; empty where there is only one.
    offset : int
        The step, counted from its operation's first.
    iteration : int or None
        The one iteration of a training that it speaks of; None if it speaks of all.
    image : int or None
        The one choice, an expression's number, that it speaks of; None if it speaks of all.
    number, count : int
        Which it is in the lesson's sequence, from 1, and how many there are; 0 outside a lesson.
    notes : str
        What only the lecturer is to see there.
    level : Level or None
        By what it asks to be stepped from there on; None if it leaves that as it is.
    display : tuple[tuple[str, bool | str], ...]
        How it asks for things to be shown from there on: options of `Display`, each with its value.
    part : int
        Which of the stops of its table it is, from 0.
    always : bool
        Whether it is also said where what it speaks of is changed.
    """

    index: int
    caption: str
    form: str = ""
    offset: int = 0
    iteration: int | None = None
    image: int | None = None
    number: int = 0
    count: int = 0
    notes: str = ""
    level: Level | None = None
    display: tuple[tuple[str, bool | str], ...] = ()
    part: int = 0
    always: bool = False

    def is_at(self, step: Step) -> bool:
        """Return whether this is a stop at a step, in the form that the step is in."""
        return self.index == step.index and self.form == step.operation.call.form

    def shown_in(self, program: Program) -> bool:
        """Return whether a program has the step that is meant, in the form that is meant."""
        return self.form in ("", program.form)


class Cursor(Struct, frozen=True):
    """One step of a program, with the level that Next and Previous move by, and the lesson's stops there.

    Every move returns a new cursor; at the program's end and start it returns that last place.

    Attributes
    ----------
    turn : int
        Which of the stops at this very step it is at, from 0: they are told one after the other.
    """

    program: Program
    index: int = 0
    level: Level = Level.CELL
    stops: tuple[Stop, ...] = ()
    turn: int = 0

    @property
    def step(self) -> Step:
        """The step it stands at."""
        return self.program[self.index]

    @property
    def stop(self) -> Stop | None:
        """The lesson's stop that it stands at; None if there is none."""
        return stop_at(self.told, self.step)

    @property
    def told(self) -> tuple[Stop, ...]:
        """The stops, of those at this very step the one alone whose turn it is."""
        here = self._stops_at_step(self.stops)
        return self.stops if len(here) < 2 else alone(self.stops, here[min(self.turn, len(here) - 1)])

    def to(self, index: int) -> Cursor:
        """Go to a step, or to the nearest one that there is."""
        return replace(self, index=max(0, min(index, len(self.program) - 1)), turn=0)

    def telling(self, number: int) -> Cursor:
        """Stay, and be at the stop of a number, of several at this very step."""
        numbers = [stop.number for stop in self._stops_at_step(self.stops)]
        return replace(self, turn=numbers.index(number)) if number in numbers else self

    def at(self, level: Level) -> Cursor:
        """Stay, and move by another level from now on."""
        return replace(self, level=level)

    def next(self, level: Level | None = None) -> Cursor:
        """Go to the next stop of a level; the last step of all is always one."""
        level = level or self.level
        if level is Level.STOP:
            ahead = (stop.index for stop in self._stops_here() if stop.index > self.index)
            return self.to(min(ahead, default=len(self.program) - 1))
        program, step = self.program, self.step
        offset = step.offset
        for k in range(program.number_at(self.index), len(program.operations)):
            operation = program.operations[k]
            if level is not Level.PASS or operation.name in program.pass_ends:
                found = next_stop(operation, offset, level)
                if found is not None:
                    return self.to(program.starts[k] + found)
            offset = -1
        return self.to(len(program) - 1)

    def previous(self, level: Level | None = None) -> Cursor:
        """Go to the previous stop of a level; the first step of all is always one."""
        level = level or self.level
        if level is Level.STOP:
            return self.to(max((s.index for s in self._stops_here() if s.index < self.index), default=0))
        program, step = self.program, self.step
        offset = step.offset
        here = program.number_at(self.index)
        for k in range(here, -1, -1):
            operation = program.operations[k]
            if k < here:
                offset = len(operation)
            if level is not Level.PASS or operation.name in program.pass_ends:
                found = previous_stop(operation, offset, level)
                if found is not None:
                    return self.to(program.starts[k] + found)
        return self.to(0)

    def into(self) -> Cursor:
        """Go on by the next finer level, and stay with it."""
        finer = LEVELS[max(0, LEVELS.index(self.level) - 1)]
        return self.at(finer).next()

    @property
    def coarser(self) -> Level:
        """The level after the one at hand; the last one, if that is it."""
        return LEVELS[min(len(LEVELS) - 1, LEVELS.index(self.level) + 1)]

    def _stops_at_step(self, stops: Sequence[Stop]) -> list[Stop]:
        step = self.step
        return [stop for stop in stops if stop.is_at(step)]

    def _stops_here(self) -> Iterator[Stop]:
        return (stop for stop in self.stops if stop.shown_in(self.program))

    def stop_number(self, stops: Sequence[Stop], backwards: bool = False) -> int | None:
        """Return which of some stops in this program is the next (or previous) one, or None.

        Of stops in the form that is not shown, those at an operation's end are still to come there, and
        those at its start have been.
        """
        elsewhere_counts = backwards == (self.step.offset == 0)
        here = self._stops_at_step(stops)
        untold = here[: self.turn] if backwards else here[self.turn + 1 :]
        for number in range(len(stops))[:: -1 if backwards else 1]:
            stop = stops[number]
            ahead = self.index - stop.index if backwards else stop.index - self.index
            elsewhere = ahead == 0 and elsewhere_counts and not stop.shown_in(self.program)
            if ahead > 0 or elsewhere or stop in untold:
                return number
        return None

    def hit(
        self, breakpoints: tuple[Breakpoint, ...], backwards: bool = False, until: int | None = None
    ) -> int | None:
        """Return the step of the next (or previous) breakpoint; None if there is none.

        Parameters
        ----------
        until : int, optional
            The step after which none is looked for, so that it takes less time.
        """
        found: int | None = None
        end = (0 if backwards else len(self.program) - 1) if until is None else until
        for point in breakpoints:
            nearer = hit(self.program, point, self.index, end, backwards)
            if nearer is not None:
                found = end = nearer
        return found

    def stopped_by(self, breakpoints: tuple[Breakpoint, ...]) -> tuple[Breakpoint, ...]:
        """Return the breakpoints that stop a run at this very step."""
        program, index = self.program, self.index
        return tuple(point for point in breakpoints if hit(program, point, index - 1, index) is not None)

    def run_to(self, breakpoints: tuple[Breakpoint, ...], backwards: bool = False) -> Cursor:
        """Go to the next (or previous) breakpoint; where there is none, to the end (or start)."""
        found = self.hit(breakpoints, backwards)
        return self.to((0 if backwards else len(self.program) - 1) if found is None else found)


def stop_holding(stops: Sequence[Stop], step: Step) -> Stop | None:
    """Return the last of some stops that has come in a step's operation, or None: what it asks for holds."""
    start, form = step.index - step.offset, step.operation.call.form
    there = (stop for stop in stops[::-1] if start <= stop.index <= step.index and stop.form == form)
    return max(there, key=lambda stop: stop.index, default=None)


def alone(stops: Sequence[Stop], told: Stop) -> tuple[Stop, ...]:
    """Return stops without the others at the step of one of them."""
    return tuple(stop for stop in stops if stop is told or (stop.index, stop.form) != (told.index, told.form))


def stop_at(stops: Sequence[Stop], step: Step) -> Stop | None:
    """Return which of some stops is at a step; None if there is none."""
    return next((stop for stop in stops if stop.is_at(step)), None)
