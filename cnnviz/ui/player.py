"""Where we are: the one thing in the window that changes, and the timer that presses Next."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

from msgspec.structs import replace
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QUndoStack

from cnnviz.errors import CnnvizError, out_of_memory
from cnnviz.render.cache import forget_numbers
from cnnviz.scene.chain import has_chain
from cnnviz.scene.display import Display
from cnnviz.scene.frame import moment
from cnnviz.scene.moment import Moment
from cnnviz.scene.panels import where
from cnnviz.scene.paths import adds_gradients, another, count, through
from cnnviz.scene.traced import Traced
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.alone import in_sample, sample_at
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.cursor import Bookmark, Cursor, Stop, stop_holding
from cnnviz.trace.hits import check, hit
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import clear_program_caches
from cnnviz.trace.stops import Level, next_run, previous_run
from cnnviz.trace.watch import check_watch, read_watch
from cnnviz.ui.breakpoints import MOST_MARKS, Breakpoints, breakpoint_said, fitting
from cnnviz.ui.edits import Edit
from cnnviz.ui.timer import Timer
from cnnviz.ui.waiting import patiently
from cnnviz.working import StoppedError

_BACK = ("backward", "update")
SLOWEST, FASTEST = 1, 60
MOST_WATCHES = 24
"""How many watches there may be: each is answered at every step."""
SPEEDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 40, 60)
"""What the slider and its keys choose from."""


class Own(NamedTuple):
    """What was chosen, and comes back where no stop of the lesson asks for something else.

    Attributes
    ----------
    display : Display
        How things are shown.
    level : Level
        By what Next steps.
    """

    display: Display
    level: Level


def _last_forward(program: Program) -> int:
    """Return the last step before any gradient is computed."""
    back = next((k for k, one in enumerate(program.operations) if one.call.phase in _BACK), 0)
    return max(0, program.starts[back] - 1)


def forget_programs() -> None:
    """Let go of all that was made of the numbers of the programs shown so far, pictures too."""
    clear_program_caches()
    forget_numbers()


class Player(QObject):
    """Holds the cursor; every move goes through `go`, and everything else hears of it by `moved`.

    Parameters
    ----------
    program : Program
        What is stepped through.
    view : View
        What is shown besides the steps.
    speed : int
        Steps a second while playing, 1 to 60.

    Attributes
    ----------
    moved : Signal(Cursor)
        The cursor is another now.
    leaving : Signal()
        One is about to jump elsewhere, and may want to come back.
    stopped : Signal()
        A run has ended, at a breakpoint or where there is no more of the program.
    stop_asked : Signal(bool)
        Stepping is by stops: whoever holds the lesson goes to its next one, or (True) to its previous one.
    changed : Signal()
        Something else is: playing or not, the speed, or how things are shown.
    failed : Signal(str)
        Something cannot be done; the sentence says why.
    noted : Signal(str)
        There is nothing to do here; the sentence says why, and goes by itself.
    view : View
        What is shown besides the step: what the lesson says, breakpoints, bookmarks, and how it is displayed.
    edits : QUndoStack
        What can be undone, of the breakpoints and of the lesson on the desk.
    """

    moved = Signal(object)
    leaving = Signal()
    stopped = Signal()
    stop_asked = Signal(bool)
    changed = Signal()
    failed = Signal(str)
    noted = Signal(str)

    def __init__(
        self,
        program: Program,
        view: View = View(),  # noqa: B008 (it is frozen)
        speed: int = 4,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.cursor = Cursor(program)
        self.view = view
        self._waiting: tuple[Breakpoint, ...] = ()
        self._holding: Stop | None = None  # the stop whose wishes hold
        self._lent: dict[str, bool | str] = {}  # options that it has taken, as they were chosen
        self._lent_level: Level | None = None
        self.edits = QUndoStack(self)
        self._apart: tuple[Program, Program] | None = None  # the program, and what is looked through of it
        self._gone_back: Program | None = None  # the one whose gradients have been computed
        self._shown = True
        self._timer = Timer(self, self._tick)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.failed.connect(self.changed)
        self._speed = 0
        self.set_speed(speed)

    # --------------------------------------------------------------------------------------------- place

    @cached_property
    def moment(self) -> Moment:
        """The step with its state: computed once for every move, and only if somebody looks."""
        told = self.cursor.told
        view = self.view if told is self.cursor.stops else replace(self.view, stops=told)
        return moment(self.cursor.program, self.cursor.index, view)

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Where the lesson has something to say in the program at hand."""
        return self.view.stops

    @property
    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Where a run stops."""
        return self.view.breakpoints

    @property
    def watches(self) -> tuple[str, ...]:
        """What is asked at each step."""
        return self.view.watches

    @property
    def bookmarks(self) -> tuple[Bookmark, ...]:
        """Steps that the user wants to come back to."""
        return self.view.bookmarks

    @property
    def display(self) -> Display:
        """How things are shown."""
        return self.view.display

    def show(self, display: Display) -> None:
        """Show things in another way."""
        if display != self.display:
            for name in list(self._lent):
                if getattr(display, name) != getattr(self.display, name):
                    del self._lent[name]  # it is chosen now
            self._set(replace(self.view, display=display))

    def fold(self, block: str, folded: bool) -> None:
        """Fold a block of the network, or unfold it."""
        others = tuple(one for one in self.view.folds if one[0] != block)
        self._set(replace(self.view, folds=(*others, (block, folded))))

    def bring_to_front(self, array: str, by: int) -> None:
        """Look at another channel of an array, so many behind the one in front, until the next move."""
        front, after = self.view.front
        self._set(replace(self.view, front=(array, (after if front == array else 0) + by)))

    def show_trace(self, traced: Traced | None) -> None:
        """Show what a number is made of, or what it reaches, until the next move; or the step again."""
        self._set(replace(self.view, traced=traced))

    def follow_path(self, by: int = 1) -> None:
        """Of several paths from the loss to the gradient in hand, follow the one so many after."""
        program, operation = self.cursor.program, self.cursor.step.operation
        if not has_chain(operation):
            self.noted.emit(tr("Paths are chosen where a gradient is computed: go to one first."))
        elif adds_gradients(operation):
            self.noted.emit(tr("Here all gradients that come back are shown, so that none is to be chosen."))
        elif count(program, operation) == 1:
            self.noted.emit(tr("From the loss to this gradient there is one path only."))
        else:
            self._set(replace(self.view, paths=another(program, operation, self.view.paths, by)))

    def follow_through(self, address: str) -> None:
        """Of several paths from the loss to the gradient in hand, follow one on which a gradient lies."""
        program, operation = self.cursor.program, self.cursor.step.operation
        self._set(replace(self.view, paths=through(program, operation, self.view.paths, address)))

    def follow_sample(self, by: int = 1) -> None:
        """Of several samples that go through together, go to the same step of one so many after."""
        operation, offset = self.cursor.step.operation, self.cursor.step.offset
        there = in_sample(operation, offset, sample_at(operation, offset) + by)
        if not self.cursor.program.samples:
            self.noted.emit(tr("One sample goes through here; in a lesson with a batch_size there are more."))
        elif there is None and in_sample(operation, offset, 0) is None:
            self.noted.emit(tr("This step is not about one of the samples: go to one of a layer first."))
        elif there is None:
            last = tr("This is the first sample.") if by < 0 else tr("This is the last sample.")
            self.noted.emit(last)
        else:
            self.jump_to(self.cursor.index + there - offset)

    def _set(self, view: View) -> None:
        self.view = view
        self.__dict__.pop("moment", None)
        self.changed.emit()

    def where(self, index: int) -> str:
        """Say in words where a step is."""
        return where(moment(self.cursor.program, index, self.view))

    def go(self, cursor: Cursor) -> None:
        """Go to a place; the one way there is.

        Gradients that nobody has looked at yet are computed first, unless that is cancelled.
        """
        if cursor == self.cursor or not self._is_computed(cursor):
            return
        before = self.display
        if cursor.level is not self.cursor.level:
            self._lent_level = None  # it is chosen now
        self.cursor = cursor
        self._heed(stop_holding(cursor.told, cursor.step))
        self.view = replace(self.view, front=View().front, traced=None)
        self.__dict__.pop("moment", None)
        self._shown = False
        self.moved.emit(self.cursor)
        if self.display != before:
            self.changed.emit()

    def _is_computed(self, cursor: Cursor) -> bool:
        """Return whether the numbers at a place are there, after having them computed."""
        return cursor.step.operation.call.phase not in _BACK or self._has_gradients(cursor.program)

    def _has_gradients(self, program: Program) -> bool:
        """Return whether the gradients of a program are there, after having all computed; if not, say why."""
        if program is not self._gone_back:
            last = program.operations[-1].call
            try:
                patiently(lambda: [last.value(name) for name in last.writes], tr("Computing the gradients …"))
                self._gone_back = program
            except StoppedError:
                self.noted.emit(tr("The gradients were not computed: cancelled."))
            except MemoryError:
                self.failed.emit(out_of_memory())
        return program is self._gone_back

    @property
    def own(self) -> Own:
        """What was chosen, without what the lesson's stop asks for."""
        return Own(replace(self.display, **self._lent), self._lent_level or self.cursor.level)

    def _heed(self, stop: Stop | None) -> None:
        """Give back what the stop before asked for, and take what this one does."""
        if stop == self._holding:
            return
        own, display = self.own, dict(stop.display) if stop else {}
        # Who goes from stop to stop goes on so.
        level = stop.level if stop and own.level is not Level.STOP else None
        self._holding = stop
        self._lent = {name: getattr(own.display, name) for name in display}
        self._lent_level = own.level if level else None
        self.view = replace(self.view, display=replace(own.display, **display))
        self.cursor = self.cursor.at(level or own.level)

    def go_to(self, index: int) -> None:
        """Go to a step of the program at hand, or to the nearest one that there is."""
        self.go(self.cursor.to(index))

    def jump_to(self, index: int) -> None:
        """Go to a step and stay there; the place that is left can be gone back to."""
        self.pause()
        self.leaving.emit()
        self.go_to(index)

    def step(self, backwards: bool = False) -> None:
        """Go on, or back, by the level at hand."""
        if self.cursor.level is Level.STOP:
            self.stop_asked.emit(backwards)
        else:
            self.go(self.cursor.previous() if backwards else self.cursor.next())

    def step_out(self) -> None:
        """Go on by the next coarser level, and stay with it."""
        self.set_level(self.cursor.coarser)
        self.step()

    def load(
        self,
        program: Program,
        index: int = 0,
        view: View = View(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Step through another program; breakpoints at operations that it lacks are dropped.

        Parameters
        ----------
        view : View
            What the lesson says of it; marks and display stay, and of the same layers what is chosen of them.
        """
        self.pause()
        self._apart = None
        there = Cursor(program, 0, self.cursor.level, view.stops).to(index)
        if not self._is_computed(there):
            there = there.to(_last_forward(program))
        if self._gone_back is not program:
            self._gone_back = None
        if program is not self.cursor.program:  # all that was made of the other one is of no use any more
            forget_programs()
        before, stays = self.view, program.layers == self.cursor.program.layers
        self.view = replace(
            view,
            breakpoints=fitting(before.breakpoints, program),
            watches=before.watches,
            bookmarks=before.bookmarks,
            display=before.display,
            paths=before.paths if stays else (),
            folds=before.folds if stays else (),
        )
        self.go(there)
        self._heed(stop_holding(view.stops, self.cursor.step))
        self._set(self.view)

    def switch(self, program: Program, index: int, view: View) -> None:
        """Step through another form of the same program; breakpoints in what differs wait for its return."""
        switched = self.all_breakpoints.switched(self.cursor.program)
        self._waiting = switched.waiting
        self.view = replace(self.view, breakpoints=switched.here)
        self.load(program, index, view)

    def set_level(self, level: Level) -> None:
        """Step by another level from now on."""
        self.go(self.cursor.at(level))

    # ------------------------------------------------------------------------------------------- playing

    @property
    def playing(self) -> bool:
        """Whether the timer presses Next."""
        return self._timer.isActive()

    @property
    def speed(self) -> int:
        """Steps a second while playing."""
        return self._speed

    def set_speed(self, speed: int) -> None:
        """Play with so many steps a second, 1 to 60."""
        speed = max(SLOWEST, min(speed, FASTEST))
        if speed != self._speed:
            self._speed = speed
            self._timer.setInterval(round(1000 / speed))
            self.changed.emit()

    @property
    def gear(self) -> int:
        """Which of `SPEEDS` is the nearest to the speed at hand."""
        return min(range(len(SPEEDS)), key=lambda k: abs(SPEEDS[k] - self._speed))

    def shift(self, gears: int) -> None:
        """Play faster or slower by so many of `SPEEDS`."""
        self.set_speed(SPEEDS[max(0, min(self.gear + gears, len(SPEEDS) - 1))])

    def play(self) -> None:
        """Press Next again and again; from the start, if the program is at its end and nothing follows it."""
        if self.playing:
            return
        if self.cursor.index == len(self.cursor.program) - 1 and self.cursor.level is not Level.STOP:
            self.go_to(0)
        self._timer.start()
        self.changed.emit()

    def pause(self) -> None:
        """Stay here."""
        if self.playing:
            self._timer.stop()
            self.changed.emit()

    def toggle(self) -> None:
        """Play or pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def _tick(self) -> None:
        if not self._shown:  # a slow picture makes playing slower, it does not pile steps up
            return
        here, following, points = self.cursor, self.cursor.next(), self.breakpoints
        try:
            stop = self._looked_for(lambda cursor: cursor.hit(points, until=following.index), points)
        except StoppedError:
            self.pause()
            return
        if stop is not None:
            self.go_to(stop)
            self.say_stopped()
        else:
            self.step()
        at_end = following.index == len(here.program) - 1 and here.level is not Level.STOP
        if stop is not None or at_end or self.cursor == here:
            self.pause()

    # ------------------------------------------------------------------------------------ what was shown

    @property
    def shown(self) -> bool:
        """Whether the last move has been painted."""
        return self._shown

    def set_shown(self) -> None:
        """Note that the last move has been painted."""
        self._shown = True

    # --------------------------------------------------------------------------------------- breakpoints

    def set_breakpoint(self, point: Breakpoint) -> None:
        """Set a breakpoint of any kind; one that is there already is waited for again.

        Raises
        ------
        CnnvizError
            If the program has no such thing, or there are too many.
        """
        check(self.cursor.program, point)
        others = tuple(one for one in self.breakpoints if one != replace(point, on=False))
        if point in others:
            return
        if Breakpoints(others, self._waiting).full:
            raise CnnvizError(_too_many())
        said = tr("breakpoint set: {point}", point=breakpoint_said(point))
        self._edit(self._with((*others, point)), said)

    def switch_breakpoint(self, point: Breakpoint, on: bool) -> None:
        """Wait for a breakpoint, or only keep it."""
        if point in self.breakpoints and point.on != on:
            here = tuple(replace(one, on=on) if one == point else one for one in self.breakpoints)
            said = tr("breakpoint on: {point}") if on else tr("breakpoint off: {point}")
            self._edit(self._with(tuple(dict.fromkeys(here))), said.format(point=breakpoint_said(point)))

    def go_to_breakpoint(self, point: Breakpoint) -> None:
        """Go to where a breakpoint stops next; where nothing is left, to where it stops first."""
        wanted, last = replace(point, on=True), len(self.cursor.program) - 1

        def next_or_first(cursor: Cursor) -> int | None:
            found = hit(cursor.program, wanted, cursor.index, last)
            return hit(cursor.program, wanted, -1, last) if found is None else found

        self.pause()
        try:
            found = self._looked_for(next_or_first, (point,))
        except StoppedError:
            return
        if found is None or found == self.cursor.index:
            self.noted.emit(tr("There is no other step at which it stops."))
        else:
            self.jump_to(found)

    def toggle_here(self) -> None:
        """Set a breakpoint at this very step, or take away what a run stops at here: its own, its line's."""
        step = self.cursor.step
        name, line = step.operation.name, step.line
        self._toggle(Breakpoint(name, line, step.offset), Breakpoint(name, line))

    def toggle_at(self, index: int) -> None:
        """Set a breakpoint at a step, or take it away."""
        step = self.cursor.program[index]
        self._toggle(Breakpoint(step.operation.name, step.line, step.offset))

    def toggle_line(self, line: int) -> None:
        """Set a breakpoint at every run of a line of the listing at hand, or take it away."""
        self._toggle(Breakpoint(self.cursor.step.operation.name, line))

    def remove_breakpoint(self, point: Breakpoint) -> None:
        """Take one breakpoint away."""
        if point in self.breakpoints:
            self._toggle(point)

    def clear_breakpoints(self) -> None:
        """Take all breakpoints away."""
        if self.breakpoints or self._waiting:
            self._edit(Breakpoints(), tr("all breakpoints cleared"))

    def _toggle(self, point: Breakpoint, *others: Breakpoint) -> None:
        """Take a breakpoint away, and others with it; set it if there is none of them."""
        here, place = self.breakpoints, {"name": point.operation, "line": point.line}
        if not {point, *others}.isdisjoint(here):
            here = tuple(other for other in here if other not in (point, *others))
            said = tr("breakpoint cleared at {name}, line {line}", **place)
        elif self.all_breakpoints.full:
            self.failed.emit(_too_many())
            return
        else:
            here = (*here, point)
            said = tr("breakpoint set at {name}, line {line}", **place)
        self._edit(self._with(here), said)

    def _with(self, here: tuple[Breakpoint, ...]) -> Breakpoints:
        return Breakpoints(here, self._waiting, self.cursor.program.form)

    def _edit(self, after: Breakpoints, said: str) -> None:
        before = self.all_breakpoints
        self.put_breakpoints(after)
        self.edits.push(Edit(said, before, after, self.put_breakpoints))

    @property
    def all_breakpoints(self) -> Breakpoints:
        """All of them, as `put_breakpoints` takes them."""
        return Breakpoints(self.breakpoints, self._waiting, self.cursor.program.form)

    def put_breakpoints(self, points: Breakpoints) -> None:
        """Have these breakpoints, and no other; they may have been set in the other form."""
        fit = points.put_into(self.cursor.program)
        self._waiting = fit.waiting
        self._set(replace(self.view, breakpoints=fit.here))

    def add_watch(self, text: str) -> None:
        """Ask something at each step from now on.

        Raises
        ------
        CnnvizError
            If it is not understood, the program has no such thing, or there are too many.
        """
        text = text.strip()
        check_watch(self.cursor.program, read_watch(text))
        if text in self.watches:
            return
        if len(self.watches) >= MOST_WATCHES:
            raise CnnvizError(
                tr("There are {most} watches, the most there can be; remove some.", most=MOST_WATCHES)
            )
        self._edit_watches((*self.watches, text), tr("watch added: {text}", text=text))

    def replace_watch(self, old: str, text: str) -> None:
        """Ask something else in the place of what is asked.

        Raises
        ------
        CnnvizError
            If it is not understood, or the program has no such thing.
        """
        text = text.strip()
        check_watch(self.cursor.program, read_watch(text))
        if text != old:
            rest = tuple(dict.fromkeys(text if one == old else one for one in self.watches))
            self._edit_watches(rest, tr("watch changed: {text}", text=text))

    def remove_watch(self, text: str) -> None:
        """Ask something no more."""
        rest = tuple(other for other in self.watches if other != text)
        self._edit_watches(rest, tr("watch removed: {text}", text=text))

    def _edit_watches(self, after: tuple[str, ...], said: str) -> None:
        before = self.watches
        self.put_watches(after)
        self.edits.push(Edit(said, before, after, self.put_watches))

    def put_watches(self, texts: tuple[str, ...]) -> None:
        """Ask this at each step, and nothing else; what cannot be read is left out."""
        self._set(replace(self.view, watches=tuple(filter(_is_read, texts[:MOST_WATCHES]))))

    def put_before(self, program: Program | None) -> None:
        """Have what a changed lesson was, to be compared with."""
        if program is not self.view.before:
            self._set(replace(self.view, before=program))

    def put_bookmarks(self, bookmarks: tuple[Bookmark, ...]) -> None:
        """Have these bookmarks, and no other."""
        self._set(replace(self.view, bookmarks=bookmarks[:MOST_MARKS]))

    def run(self, backwards: bool = False) -> None:
        """Go to the next or previous breakpoint, or to the end or start.

        That is at once, by arithmetic; only conditions on variables may take long, and can be cancelled.
        """
        if self.run_to_hit(backwards) is False:
            end = 0 if backwards else len(self.cursor.program) - 1
            self.jump_to(end)
            if self.cursor.index == end:
                self.stopped.emit()
                self.noted.emit(self._no_stop_said(backwards))

    def _no_stop_said(self, backwards: bool) -> str:
        where = tr("this is the start") if backwards else tr("this is the end")
        if any(point.on for point in self.breakpoints):
            return tr("No breakpoint stopped on the way: {where}.", where=where)
        return tr("There is no breakpoint to stop at: {where}.", where=where)

    def run_to_hit(self, backwards: bool, *more: Breakpoint) -> bool | None:
        """Go to the next or previous breakpoint, those of more that are not in the list, too.

        Returns
        -------
        bool or None
            Whether there is one; None if it was cancelled.
        """
        self.pause()
        points = (*self.breakpoints, *more)
        try:
            found = self._looked_for(lambda cursor: cursor.hit(points, backwards), points)
        except StoppedError:
            return None
        if found is not None:
            self.jump_to(found)
            if self.cursor.index != found:
                return None
            self.say_stopped()
        return found is not None

    def say_stopped(self, *more: Breakpoint) -> None:
        """Say what has stopped a run here, more that have included."""
        self.stopped.emit()
        stopping = (*self.cursor.stopped_by(self.breakpoints), *more)
        if stopping:
            said = "; ".join(dict.fromkeys(map(breakpoint_said, stopping)))
            self.noted.emit(tr("Stopped: {point}.", point=said))

    def _looked_for(self, look: Callable[[Cursor], int | None], points: tuple[Breakpoint, ...]) -> int | None:
        """Return at which step breakpoints stop a run."""
        kinds = {point.kind for point in points if point.on}
        if kinds & {Kind.GRADIENT, Kind.NONFINITE} and not self._has_gradients(self.cursor.program):
            raise StoppedError
        if Kind.CONDITION not in kinds:
            return look(self.cursor)
        # It is looked for in a thread of its own, while the panes ask the program for what they paint.
        program = self.cursor.program
        if self._apart is None or self._apart[0] is not program:
            self._apart = program, Program([operation.call for operation in program.operations])
        cursor = replace(self.cursor, program=self._apart[1])
        return patiently(lambda: look(cursor), tr("Looking for the next breakpoint …"))

    def run_to_line(self, line: int) -> None:
        """Go to the next run of a line of the listing at hand; to its last one, if none is left."""
        step = self.cursor.step
        found = next_run(step.operation, step.offset, line)
        if found is None:
            found = previous_run(step.operation, step.offset, line)
        if found is not None:
            self.jump_to(step.index - step.offset + found)


def _too_many() -> str:
    return tr("There are {most} breakpoints, the most there can be; clear some of them.", most=MOST_MARKS)


def _is_read(text: str) -> bool:
    try:
        read_watch(text)
    except CnnvizError:
        return False
    return True
