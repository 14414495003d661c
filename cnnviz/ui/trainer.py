"""Trains a lesson's network while the window goes on answering."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from PySide6.QtCore import QObject, Signal

from cnnviz.engine.training import Run
from cnnviz.scene.numbers import brief, count
from cnnviz.text import tr
from cnnviz.ui.timer import Timer

_SLICE = 0.012
"""Seconds for which training keeps the window from anything else."""

_TELLS_EVERY = 6
"""After how many slices it says how far it is: painting the curves may take as long as some of them."""


class Trainer(QObject):
    """Trains a run in slices, between which the window does all else.

    A thread would not be quicker: small arrays hold Python's lock nearly all the time.

    Attributes
    ----------
    progressed : Signal()
        Some more iterations are done.
    changed : Signal()
        It has begun, been paused, gone on or ended.
    ended : Signal(str, bool)
        It is over; the sentence says how, and whether that is a fault.
    reached : Signal()
        It has come to the iteration that it was to come to, and waits there.
    """

    progressed = Signal()
    changed = Signal()
    ended = Signal(str, bool)
    reached = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self._work: Iterator[None] | None = None
        self._slices = 0
        self._timer = Timer(self, self._slice)
        self._timer.setInterval(1)
        self._timer.failed.connect(self._fail)

    @property
    def running(self) -> bool:
        """Whether it is at work now."""
        return self._timer.isActive()

    @property
    def begun(self) -> bool:
        """Whether it is at work or paused."""
        return self._work is not None

    def take(self, run: Run | None) -> None:
        """Have another run to train, or none."""
        if run is not self.run:
            self._timer.stop()
            self.run, self._work = run, None
            self.changed.emit()

    def start(self, until: int | None = None) -> None:
        """Begin, or go on after a pause; what has ended before begins again, and does the same again.

        Parameters
        ----------
        until : int, optional
            The iteration to wait at; to the end where it is not given.
        """
        if self.run is None or self.running:
            return
        if self._work is None and (self.run.fault or self.run.done == self.run.iterations):
            self.run.reset()
        self._work = self.run.work(until)
        self._timer.start()
        self.changed.emit()

    def pause(self) -> None:
        """Wait, to go on later."""
        if self.running:
            self._timer.stop()
            self.changed.emit()

    def cancel(self) -> None:
        """End here; what is done is kept."""
        if self.run is not None and self.begun:
            self._end(
                tr(
                    "Training ended after {done} of {count} iterations; each of them can be stepped.",
                    done=count(self.run.done),
                    count=count(self.run.iterations),
                )
            )

    def _slice(self) -> None:
        assert self.run is not None and self._work is not None
        end = perf_counter() + _SLICE
        try:
            for _ in self._work:
                if perf_counter() >= end:
                    break
            else:
                if self.run.fault or self.run.done == self.run.iterations:
                    self._end(self.run.fault or _result(self.run), bool(self.run.fault))
                else:
                    self.pause()
                    self.reached.emit()
                return
        except MemoryError:
            said = tr("There is not enough memory to train this network; what is done can be stepped.")
            self._end(said, fault=True)
            return
        self._slices += 1
        if self._slices % _TELLS_EVERY == 0:
            self.progressed.emit()

    def _fail(self) -> None:
        """Forget the work, which cannot go on after an exception; what is done is kept."""
        self._work = None
        self.changed.emit()

    def _end(self, sentence: str, fault: bool = False) -> None:
        self._timer.stop()
        self._work = None
        self.changed.emit()
        self.ended.emit(sentence, fault)


def _result(run: Run) -> str:
    if not run.accuracies:
        return tr(
            "Trained: {count} iterations; the last loss is {loss}. Any iteration can be stepped.",
            count=count(run.done),
            loss=brief(float(f"{run.losses[run.done - 1]:.3g}")),
        )
    return tr(
        "Trained: {accuracy} % of the {held_out} held-out images are classified correctly; "
        "any iteration can be stepped.",
        accuracy=f"{100 * run.accuracies[run.iterations]:.1f}",
        held_out=count(len(run.held_out)),
    )
