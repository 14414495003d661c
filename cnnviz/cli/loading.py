"""Loads the lesson that a command is about, and trains it as far as is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnviz.cli.output import progress
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.engine.training import Run
    from cnnviz.lesson.lesson import Lesson


def load(source: str, image: int | None, input_gradient: str | None, iteration: int | None) -> Lesson:
    """Load a lesson as the arguments that all commands share say.

    Raises
    ------
    CnnvizError
        If there is no such lesson, image, iteration or view.
    """
    from cnnviz.lesson.lesson import load_lesson

    lesson = load_lesson(source, image)
    if iteration is not None:
        if lesson.run is not None and iteration < lesson.run.iterations:
            _train(lesson.run, iteration)
        lesson = lesson.at_iteration(iteration, image)
    return lesson.in_view(input_gradient) if input_gradient else lesson


def _train(run: Run, iteration: int) -> None:
    """Train up to an iteration, with progress on stderr as that of an export."""
    with progress(iteration, "iteration", tr("{done:,} of {count:,} iterations …")) as show:
        for _ in run.work(iteration):
            show(run.done)
