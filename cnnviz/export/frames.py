"""Which frames there are: what they show, how large, of which steps, and what their files are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from cnnviz.errors import CnnvizError
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level

MOST_FRAMES = 1_000_000
FEW_FRAMES = 1000
"""Where there are about so many at most, they are counted one by one."""

SMALLEST, LARGEST = (320, 180), (7680, 4320)


class Shown(Struct, frozen=True, eq=False):
    """What frames show, and how.

    Attributes
    ----------
    program : Program
        Whose steps.
    view : View
        All else, with the size of a frame in pixels.
    """

    program: Program
    view: View

    def scene(self, index: int) -> tuple[Program, int, View]:
        """Return what a frame shows: a program, which of its steps, and how."""
        return self.program, index, self.view.at(self.program[index])

    def programs(self) -> Iterable[Program]:
        """Return all programs of which there are frames."""
        return (self.program,)

    def name(self, index: int, suffix: str = ".png") -> str:
        """Return what the file of a frame is called."""
        return frame_name(self.program, index, suffix)


def check_size(width: int, height: int) -> None:
    """Refuse frames that are too small to show anything, or too large to be painted.

    Raises
    ------
    CnnvizError
        If the size, in pixels, is not between `SMALLEST` and `LARGEST`.
    """
    if not (SMALLEST[0] <= width <= LARGEST[0] and SMALLEST[1] <= height <= LARGEST[1]):
        raise CnnvizError(
            tr(
                "A picture of {width} × {height} cannot be made; take a size from {small} to {large}.",
                width=width,
                height=height,
                small=" × ".join(map(str, SMALLEST)),
                large=" × ".join(map(str, LARGEST)),
            )
        )


def size_of(words: str) -> tuple[int, int]:
    """Return a width and a height in pixels, as in ``1920x1080``.

    Raises
    ------
    CnnvizError
        If it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", words)
    if found is None:
        raise CnnvizError(
            tr("A size must be a width and a height, as in 1920x1080, is {words}.", words=repr(words[:40]))
        )
    return int(found[1]), int(found[2])


def stops(
    program: Program, every: Level, first: int = 0, last: int | None = None, told: tuple[Stop, ...] = ()
) -> list[int]:
    """Return the steps to be shown: the first, and each stop of a level after it up to the last.

    Parameters
    ----------
    told : tuple[Stop, ...]
        Where the lesson has something to say, which is a level, too.

    Raises
    ------
    CnnvizError
        If the last is before the first, or there are more than `MOST_FRAMES`.
    """
    last = len(program) - 1 if last is None else last
    if last < first:
        raise CnnvizError(
            tr("The last step ({last}) is before the first ({first}); swap them.", last=last, first=first)
        )

    def walk() -> Iterator[int]:
        cursor = Cursor(program, first, every, told)
        yield first
        while cursor.index < len(program) - 1:
            cursor = cursor.next()
            if cursor.index > last:
                return
            yield cursor.index

    # What is far too much is not walked through; the estimate is off where operations are cut.
    about = last - first + 1 if every is Level.LINE else _estimate(program, every, first, last) / 1.5
    found = list(islice(walk(), MOST_FRAMES + 1)) if about <= MOST_FRAMES else []
    if not found or len(found) > MOST_FRAMES:
        raise CnnvizError(
            tr(
                "There would be more than {most:,} frames; take fewer steps, or a level above {every}.",
                most=MOST_FRAMES,
                every=every.value,
            )
        )
    return found


def about_frames(
    program: Program, every: Level, first: int, last: int, told: tuple[Stop, ...] = ()
) -> tuple[int, bool]:
    """Return how many frames there would be, and whether that is exact: it is, if they are few, or all steps.

    Of many, an operation that is cut counts by the part of its steps.
    """
    if every is Level.LINE:
        return last - first + 1, True
    about = len(told) if every is Level.STOP else _estimate(program, every, first, last)
    if about > FEW_FRAMES:
        return about, False
    return len(stops(program, every, first, last, told)), True


def _estimate(program: Program, every: Level, first: int, last: int) -> int:
    if every is Level.PASS:
        ends = map(program.number, program.pass_ends)
        return sum(program.number_at(first) <= k <= program.number_at(last) for k in ends) or 1
    total = 0.0
    for start, operation in zip(program.starts, program.operations, strict=False):
        inside = min(last + 1, start + len(operation)) - max(first, start)
        if inside > 0:
            total += _frames(operation.body, every) * inside / len(operation)
    return max(1, round(total))


def _frames(body: Block, every: Level) -> int:
    """Return at how many steps of a listing a level stops."""
    if every is Level.LAYER:
        return 1
    if every is Level.MAP:
        return sum(
            part.count if isinstance(part, Loop) else 1
            for part in body.statements
            if _marked(part, Level.CELL)
        )
    return sum(_marked(part, every) for part in body.statements)


def _marked(part: Line | Loop, every: Level) -> int:
    """Return how many cells, or terms, a part of a listing comes by."""
    if isinstance(part, Line):
        return int(part.is_term if every is Level.TERM else part.is_cell)
    return part.count * sum(_marked(inner, every) for inner in part.body.statements)


def frame_name(program: Program, index: int, suffix: str = ".png") -> str:
    """Name a frame's file after its step: ``0012345-conv1-o0-i2-j3.png``. Names sort as the steps do."""
    step = program[index]
    variables, loops = step.variables, step.operation.loops_at(step.offset)
    places = [f"{loop.variable}{variables[loop.variable]}" for loop in loops]
    number = str(index).zfill(len(str(len(program) - 1)))
    return "-".join([number, step.operation.name, *places]) + suffix
