"""``cnnviz info``: lists the operations of a lesson."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from cnnviz.cli.loading import load
from cnnviz.cli.output import say
from cnnviz.cli.parser import examples, lesson_arguments
from cnnviz.text import plain, tr

if TYPE_CHECKING:
    from cnnviz.lesson.build import Samples
    from cnnviz.lesson.expressions import Expressions
    from cnnviz.lesson.lesson import Lesson
    from cnnviz.trace.program import Program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind the command, and what it does."""
    parser.description = (
        "Say what a lesson computes: each operation with its phase, the shape of its result,\n"
        "its listing, and its number of steps."
    )
    parser.epilog = examples(
        ("cnnviz info digits", "the operations of the lesson digits"),
        ("cnnviz info digits --listings", "and the listings themselves"),
        ("cnnviz info digits --image 7", "with another of its images"),
        ("cnnviz info training --iteration 500", "what has been learnt by then"),
    )
    lesson_arguments(parser)
    parser.add_argument("--listings", action="store_true", help="show every listing")


def run(arguments: argparse.Namespace) -> int:
    """List a lesson's operations."""
    from cnnviz.engine.layer import shape_text
    from cnnviz.engine.pixels import Album
    from cnnviz.lesson.descents import Descents
    from cnnviz.lesson.expressions import Expressions

    lesson = load(arguments.lesson, arguments.image, arguments.input_gradient, arguments.iteration)
    say(f"{lesson.title} ({plain(lesson.name)})\n{textwrap.fill(lesson.sentence, 92)}\n")
    if isinstance(lesson.samples, Expressions):
        say(_expression_text(lesson.samples, lesson.image) + "\n")
    elif isinstance(lesson.samples, Album):
        shapes = [f"{shown.name} {shape_text(shown.pixels.shape)}" for shown in lesson.samples.pictures]
        say(tr("Pictures (height × width × depth): {shapes}", shapes=", ".join(shapes)) + "\n")
    elif isinstance(lesson.samples, Descents):
        say(lesson.samples.text + "\n")
    else:
        assert lesson.network is not None
        say(
            tr("Input: {shape}", shape=shape_text(lesson.network.input_shape))
            + _image_text(lesson.samples, lesson.image)
            + _run_text(lesson)
            + "\n"
        )
    say(_table(lesson.program))
    if arguments.listings:
        for source in dict.fromkeys(operation.tree.source for operation in lesson.program.operations):
            say("\n" + "\n".join(source))
    return 0


def _image_text(samples: Samples, image: int) -> str:
    if samples.labels is None:
        return ""
    return tr(
        "; image {index} of {count}, numbered from 0, whose class is {label}",
        index=image,
        count=len(samples),
        label=samples.label(image),
    )


def _run_text(lesson: Lesson) -> str:
    """Return how long a lesson's training is, and how far the network is at this iteration."""
    run = lesson.run
    if run is None:
        return ""
    at, measured = lesson.iteration, max((t for t in run.accuracies if t <= lesson.iteration), default=None)
    said = tr("Training: {count:,} iterations of one sample each, out of {learn:,}")
    if len(run.held_out):
        said = tr(
            "Training: {count:,} iterations of one image each, out of {learn:,}; {held_out:,} are held out"
        )
    lines = [
        said.format(count=run.iterations, learn=len(run.order), held_out=len(run.held_out)),
        tr("Iteration {at:,}: loss {loss:.6g}", at=at, loss=float(lesson.tape["loss.value"])),
    ]
    if measured is not None:
        lines.append(
            tr(
                "Before iteration {at:,}, {accuracy:.1%} of the held-out images are told rightly",
                at=measured,
                accuracy=run.accuracies[measured],
            )
        )
    return "\n" + "\n".join(lines)


def _expression_text(expressions: Expressions, chosen: int) -> str:
    """Return the expressions of a lesson with their values, the one chosen marked."""
    return "\n".join(
        f"{'→' if k == chosen else ' '} {k}  {example.typed}"
        for k, example in enumerate(expressions.examples)
    )


def _table(program: Program) -> str:
    from cnnviz.engine.layer import shape_text
    from cnnviz.lesson.place import result_of

    rows = [(tr("Operation"), tr("Phase"), tr("Result"), tr("Listing"), tr("Steps"))]
    for operation in program.operations:
        name, shape = result_of(program, operation)
        result = f"{name}  {shape_text(shape)}" if shape else ", ".join(operation.call.writes)
        rows.append((operation.name, operation.phase, result, operation.tree.name, f"{len(operation):,}"))
    rows.append((tr("all"), "", "", "", f"{len(program):,}"))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    return "\n".join(
        "  ".join([*(f"{row[k]:{widths[k]}}" for k in range(4)), f"{row[4]:>{widths[4]}}"]) for row in rows
    )
