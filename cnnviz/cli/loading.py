"""Loads the lesson that a command is about, and trains it as far as is asked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cnnviz.cli.output import progress, telling
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.engine.training import Run
    from cnnviz.lesson.lesson import Lesson


def load(arguments: argparse.Namespace) -> Lesson:
    """Load a lesson as the arguments that all commands share say.

    Raises
    ------
    CnnvizError
        If there is no such lesson, image, iteration or form, or a change does not fit.
    """
    from msgspec.structs import replace

    from cnnviz.lesson.changes import read_changes
    from cnnviz.lesson.description import describe
    from cnnviz.lesson.lesson import lesson_of
    from cnnviz.lesson.subject import Choice

    asked = Choice(arguments.image, arguments.iteration, arguments.input_gradient or "")
    with telling():
        description = describe(source_of(arguments) or "")
        changes = (*description.changes, *read_changes(arguments.changes))
        if asked.iteration is None:
            return lesson_of(description, changes, asked)
        whole = description.subject.choice(asked)
        begun = replace(whole, iteration=0, input_gradient=asked.input_gradient)
        lesson = lesson_of(description, changes, begun)
    if lesson.run is not None:
        _train(lesson.run, asked.iteration)
    return lesson.at(replace(whole, input_gradient=""))


def source_of(arguments: argparse.Namespace) -> str | None:
    """Return what a lesson is asked for by, if one is; of another program's network with how it is opened.

    Raises
    ------
    CnnvizError
        If a lesson is told what goes with such a network alone.
    """
    told = {name: value for name in _OF_NETWORKS if (value := getattr(arguments, name)) is not None}
    if "input" in told:
        told["input"] = ";".join(told["input"])
    if not told and "." not in (arguments.lesson or ""):
        return arguments.lesson
    from msgspec.structs import replace

    from cnnviz.lesson.source import is_network, is_one_file, read_source

    asked = arguments.lesson
    if asked is None or not (is_network(asked) or is_one_file(asked)):
        if told:
            option = f"--{next(iter(told)).replace('_', '-')}"
            if "input" in told and arguments.lesson is not None:
                raise CnnvizError(
                    tr(
                        "--input goes with a network of another program; a lesson takes "
                        "--set picture.file=FILE."
                    )
                )
            raise CnnvizError(
                tr("{option} goes with a network of another program, net.onnx for instance.", option=option)
            )
        return str(arguments.lesson)
    return str(replace(read_source(asked), **told))


_OF_NETWORKS = ("input", "label", "target", "up_to")


def _train(run: Run, iteration: int) -> None:
    """Train up to an iteration, with progress on stderr as that of an export."""
    with progress(iteration, "iteration", tr("{done:,} of {count:,} iterations{left} …")) as show:
        for _ in run.work(iteration):
            show(run.done)
