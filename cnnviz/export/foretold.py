"""What an export will come to: how many frames, how large, how long, reckoned from its first ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from msgspec import Struct

from cnnviz.export.formats import DOCUMENTS, FORMATS
from cnnviz.export.frames import FEW_FRAMES, Shown, about_frames
from cnnviz.export.order import Order
from cnnviz.export.writing import STARTING, processes_for
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.numbers import count
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from cnnviz.working import size_said, time_said

_FEW, _MORE = 2, 8
"""How many frames are written to find what each adds to a document."""


class Foretold(Struct, frozen=True):
    """What an export will come to.

    Attributes
    ----------
    frames : int
        How many there are.
    size : float
        In bytes.
    seconds : float
        How long it takes, alone on this machine.
    """

    frames: int
    size: float
    seconds: float

    @property
    def said(self) -> str:
        """It in words, rounded as roughly as it is known."""
        return tr(
            "{frames}, about {size} and {time}.",
            frames=frames_said(self.frames),
            size=size_said(self.size),
            time=time_said(self.seconds),
        )


def foretell(order: Order, lesson: Lesson) -> Generator[None, None, Foretold]:
    """Write some frames of an order for nothing, yield after each, and return what all will come to."""
    shown, steps, frames = _some(order, lesson)
    if order.form in DOCUMENTS:
        return (yield from _of_document(shown, steps, frames, DOCUMENTS[order.form].write))
    writer, sizes, times = FORMATS[order.form](), list[int](), list[float]()
    for step in _sample(steps):
        begun = time.perf_counter()
        sizes.append(len(writer.encode(shown, step)))
        times.append(time.perf_counter() - begun)
        yield
    each = sum(times[1:]) / len(times[1:]) if len(times) > 1 else times[0]
    processes = processes_for(frames)
    begins = STARTING if processes > 1 else 0.0
    return Foretold(frames, frames * sum(sizes) / len(sizes), begins + frames * each / processes)


def _some(order: Order, lesson: Lesson) -> tuple[Shown, Sequence[int], int]:
    """Return what is shown, which frames there are, or some of very many, and how many those are."""
    if order.form in DOCUMENTS and DOCUMENTS[order.form].walks:
        found = order.walk(lesson)
        return found, range(len(found.places)), len(found.places)
    shown, every, first, last = order.shown(lesson), order.every or Level.MAP, order.first, order.last
    frames = (
        len(lesson.sequence)
        if order.tour
        else about_frames(lesson.program, every, first, last, lesson.stops)[0]
    )
    if frames <= FEW_FRAMES:
        steps = order.steps(lesson)
        return shown, steps, len(steps)
    there = [first + (last - first) * k // 4 for k in range(4)]
    after = [Cursor(lesson.program, step, every, lesson.stops).next().index for step in there]
    return shown, [step for pair in zip(there, after, strict=True) for step in pair], frames


def _sample(steps: Sequence[int]) -> list[int]:
    """Return a few steps from all parts, in pairs: most of a frame is like the one before it."""
    last = len(steps) - 1
    chosen = {min(last, k) for at in (0, last // 3, 2 * last // 3, last - 1) for k in (at, at + 1) if k >= 0}
    return [steps[k] for k in sorted(chosen)]


def _of_document(
    shown: Shown,
    steps: Sequence[int],
    frames: int,
    write: Callable[[Any, Sequence[int]], Generator[int, None, bytes]],
) -> Generator[None, None, Foretold]:
    """Reckon by what some frames more add to its size, and by the time of each."""
    begin = max(0, len(steps) // 3 - _MORE)
    sample = steps[begin : begin + _MORE]
    sizes, taken = list[int](), 0.0
    for part in (sample[:_FEW], sample):
        writing, taken = write(shown, part), 0.0
        while True:
            begun = time.perf_counter()
            try:
                next(writing)
            except StopIteration as done:
                sizes.append(len(done.value))
                break
            finally:
                taken += time.perf_counter() - begun
            yield
    few, many = len(sample[:_FEW]), len(sample)
    more = (sizes[1] - sizes[0]) / max(1, many - few)
    return Foretold(frames, sizes[1] + (frames - many) * more, frames * taken / many)


def frames_said(frames: int) -> str:
    """Say how many frames there are."""
    return tr("1 frame") if frames == 1 else tr("{count} frames", count=count(frames))
