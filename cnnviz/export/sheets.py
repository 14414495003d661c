"""Exercises: what they are about, and in which numbers; sheets to be filled in by hand, as one PDF."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.export.order import Order
from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.place import step_at
from cnnviz.lesson.subject import FIRST
from cnnviz.lesson.variants import variant
from cnnviz.scene.frame import moment
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import brief
from cnnviz.scene.registry import kind_of
from cnnviz.scene.view import View
from cnnviz.scene.worksheet import Heading, asked_of, given_cells, results, worksheet
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.render.pdf import Pdf

MOST_VARIANTS = 100

MOST_GAPS = 100
"""A question with more gaps than this is no question."""

SHEETS = {"pdf": ".pdf", "moodle": ".xml"}
"""What exercises can be written as, and how the names of such files end."""


class Exercise(Struct, frozen=True, eq=False):
    """One step to be worked out.

    Attributes
    ----------
    at : Moment
        The step.
    heading : Heading
        What stands above it.
    """

    at: Moment
    heading: Heading


class SheetOrder(Order, frozen=True):
    """Exercises that are to be written into one file, ordered as frames are.

    Attributes
    ----------
    told : tuple[int, ...]
        The numbers of the lesson's stops, from 1, that they are about; with `tour`, each operation at which
        there is one and that fits on a page; else it is the step `first`.
    variants : int
        How many with other numbers; 0 for the lesson's own.
    seed : int
        By which they are drawn.
    paper : str
        Of `cnnviz.scene.worksheet.PAPERS`.
    solutions : bool
        Whether the results follow, on pages of their own.
    """

    told: tuple[int, ...] = ()
    variants: int = 0
    seed: int = 0
    paper: str = "a4"
    solutions: bool = True

    def planned(self, lesson: Lesson) -> list[Callable[[], Exercise]]:
        """Return what makes each exercise, variant by variant; it is made when it is wanted.

        Raises
        ------
        CnnvizError
            If there is none, or one does not fit on a page.
        """
        own = self._steps(lesson)
        if not self.variants:
            return [partial(_exercise, there, index) for there, index in own]
        return [
            partial(_varied, there, index, self.seed, number)
            for number in range(1, self.variants + 1)
            for there, index in own
        ]

    def pages(self, lesson: Lesson) -> int:
        """Return how many pages there are, or questions."""
        return len(self.planned(lesson)) * (2 if self.solutions and self.form == "pdf" else 1)

    def _steps(self, lesson: Lesson) -> list[tuple[Lesson, int]]:
        if not self.tour:
            numbers = [lesson.sequence[number - 1] for number in self.told]
            places = [
                (there := lesson.at_stop(stop), there.sequence[stop.number - 1].index) for stop in numbers
            ]
            places = places or [(lesson, self.first)]
            for there, index in places:
                self._check(moment(there.program, index))
            return places
        found: dict[object, tuple[Lesson, int]] = {}
        for stop in lesson.sequence:
            there = lesson.at_stop(stop)
            index = there.sequence[stop.number - 1].index
            key = there.choice, there.program[index].operation.name
            if key not in found:
                with suppress(CnnvizError):
                    self._check(moment(there.program, index))
                    found[key] = there, index
        if not found:
            raise CnnvizError(
                tr("Nothing of which {lesson} speaks fits on a page; name a step.", lesson=lesson.name)
            )
        return list(found.values())

    def _check(self, at: Moment) -> None:
        """Refuse what does not fit on a page, or into a question."""
        if self.form == "pdf":
            worksheet(at, self.paper, Heading(""), solved=True)
            return
        given = given_cells(at)
        gaps = sum(int((~given[name]).sum()) for name in asked_of(at))
        if gaps > MOST_GAPS:
            raise CnnvizError(
                tr(
                    "{operation} has {count} results, and a question has {most} gaps at most; name a later "
                    "step.",
                    operation=at.operation.name,
                    count=gaps,
                    most=MOST_GAPS,
                )
            )


def sheets_order_of(
    lesson: Lesson,
    file: Path,
    step: str | None = None,
    told: Sequence[int] = (),
    *,
    tour: bool = False,
    variants: int = 0,
    seed: int = 0,
    paper: str = "a4",
    solutions: bool = True,
    form: str = "pdf",
) -> SheetOrder:
    """Order exercises of a lesson as it is shown.

    Parameters
    ----------
    step : str, optional
        As `cnnviz.lesson.place.step_at` takes it; where nothing is named, the first that writes a result, of
        an operation that fits on a page.
    form : str
        Of `SHEETS`.

    Raises
    ------
    CnnvizError
        If there is no such step or stop, or no such variants.
    """
    if variants > MOST_VARIANTS:
        said = tr(
            "{count} variants are too many; {most} are made at most.", count=variants, most=MOST_VARIANTS
        )
        raise CnnvizError(said)
    count = len(lesson.sequence)
    for number in told:
        if not 1 <= number <= count:
            said = tr(
                "{lesson} has no stop {stop}; it has {count}.", lesson=lesson.name, stop=number, count=count
            )
            raise CnnvizError(said)
    first = (
        _first_result(lesson)
        if step is None and not told and not tour
        else step_at(lesson.program, step or "0")
    )
    return SheetOrder(
        lesson.description.source,
        lesson.changes,
        FIRST if tour else lesson.choice,
        file,
        None,
        first,
        first,
        View(),
        tour,
        form,
        lesson.description.words,
        tuple(told),
        variants,
        seed,
        paper,
        solutions,
    )


def _first_result(lesson: Lesson) -> int:
    program = lesson.program
    for start in program.starts[:-1]:
        at = moment(program, start)
        with suppress(CnnvizError):
            worksheet(at, "a4", Heading(""), solved=True)
            return next((one.step.index for one in results(program, at)), start)
    return 0


def _varied(lesson: Lesson, index: int, seed: int, number: int) -> Exercise:
    words = tr("variant {seed}.{number}", seed=seed, number=number)
    return _exercise(variant(lesson, seed, number), index, words)


def _exercise(lesson: Lesson, index: int, words: str = "") -> Exercise:
    view = View(classes=lesson.view.classes)
    at = moment(lesson.program, min(index, len(lesson.program) - 1), view)
    return Exercise(at, Heading(lesson.title, words))


def write_sheets(order: SheetOrder, lesson: Lesson) -> Generator[int, None, bytes]:
    """Yield how many pages there are, and return a PDF with all exercises, then all solutions.

    So these can be kept back.
    """
    from cnnviz.render.pdf import Pdf

    pdf, done = Pdf(lesson.title), 0
    exercises: list[Exercise] = []
    for make in order.planned(lesson):
        exercises.append(make())
        _add(pdf, exercises[-1], order.paper, solved=False)
        done += 1
        yield done
    for one in exercises if order.solutions else ():
        _add(pdf, one, order.paper, solved=True)
        done += 1
        yield done
    return pdf.document()


def _add(pdf: Pdf, one: Exercise, paper: str, solved: bool) -> None:
    pdf.add(worksheet(one.at, paper, one.heading, solved), "light", _said(one.at, solved))


def _said(at: Moment, solved: bool) -> str:
    """Return a page in words, with all its numbers: who does not see it works them out as well."""
    call, given = at.operation.call, given_cells(at)
    kind = tr("Solution") if solved else tr("Exercise")
    parts = [f"{kind}: {at.operation.name}. {tr(kind_of(call).sentence)}"]
    told = {**call.given, **{name: value for name, value in call.before.items() if name in call.writes}}
    parts += [_numbers(name, np.asarray(value), True) for name, value in told.items()]
    parts += [_numbers(name, np.asarray(call.writes[name]), solved or given[name]) for name in asked_of(at)]
    return "\n".join(parts)


def _numbers(name: str, values: NDArray[Any], told: bool | NDArray[np.bool_]) -> str:
    """Return an array as text, row by row; what is to be found is a blank."""
    shown = np.broadcast_to(told, values.shape)
    texts = [
        brief(value) if there else tr("blank") for value, there in zip(values.flat, shown.flat, strict=True)
    ]
    wide = values.shape[-1] if values.ndim else 1
    rows = [", ".join(texts[k : k + wide]) for k in range(0, len(texts), wide)]
    size = " × ".join(map(str, values.shape))
    return f"{name}{f' ({size})' if size else ''}: {'; '.join(rows)}."
