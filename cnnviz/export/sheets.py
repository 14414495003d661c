"""Sheets to be filled in by hand, and their solutions, as one PDF."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.place import step_at
from cnnviz.lesson.variants import variant
from cnnviz.scene.frame import moment
from cnnviz.scene.moment import Moment
from cnnviz.scene.registry import kind_of
from cnnviz.scene.view import View
from cnnviz.scene.worksheet import Heading, results, worksheet
from cnnviz.text import tr

MOST_VARIANTS = 100


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


def sheets_of(
    lesson: Lesson, step: str | None = None, stop: int | None = None, variants: int = 0, seed: int = 0
) -> list[Exercise]:
    """Return a step as an exercise, or variants of it.

    Parameters
    ----------
    step : str, optional
        As `cnnviz.lesson.place.step_at` takes it; where neither it nor a stop is named, the first that writes
        a result.
    stop : int, optional
        The number of one of the lesson's stops, from 1.
    variants : int
        How many with other numbers; 0 for the lesson's own.
    seed : int
        By which they are drawn.

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
    if stop is not None:
        if not 1 <= stop <= len(lesson.sequence):
            count = len(lesson.sequence)
            said = tr(
                "{lesson} has no stop {stop}; it has {count}.", lesson=lesson.name, stop=stop, count=count
            )
            raise CnnvizError(said)
        lesson = lesson.at_stop(lesson.sequence[stop - 1])
        index = lesson.sequence[stop - 1].index
    elif step is not None:
        index = step_at(lesson.program, step)
    else:
        first = moment(lesson.program, 0)
        index = next((one.step.index for one in results(lesson.program, first)), 0)
    if not variants:
        return [_exercise(lesson, index)]
    return [
        _exercise(variant(lesson, seed, k), index, tr("variant {seed}.{number}", seed=seed, number=k))
        for k in range(1, variants + 1)
    ]


def _exercise(lesson: Lesson, index: int, words: str = "") -> Exercise:
    view = View(classes=lesson.view.classes)
    at = moment(lesson.program, min(index, len(lesson.program) - 1), view)
    return Exercise(at, Heading(lesson.title, words))


def write_sheets(exercises: Sequence[Exercise], paper: str) -> bytes:
    """Return a PDF with all exercises, then all solutions, so that these can be kept back."""
    from cnnviz.export.writing import screenless
    from cnnviz.render.pdf import Pdf

    screenless()
    pdf = Pdf(exercises[0].heading.title)
    for solved in (False, True):
        for one in exercises:
            sentence = tr(kind_of(one.at.operation.call).sentence)
            kind = tr("Solution") if solved else tr("Exercise")
            said = f"{kind}: {one.at.operation.name}. {sentence}"
            pdf.add(worksheet(one.at, paper, one.heading, solved), "light", said)
    return pdf.document()
