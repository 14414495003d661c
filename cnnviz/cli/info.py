"""``cnnviz info``: lists the operations of a lesson."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnnviz.cli.loading import load
from cnnviz.cli.output import say
from cnnviz.cli.parser import examples, lesson_arguments
from cnnviz.text import plain, tr

if TYPE_CHECKING:
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
        ("cnnviz info digits --set conv1.padding=2 --set pool1.stride=2", "with other arguments"),
        ("cnnviz info training --iteration 500", "what has been learnt by then"),
    )
    lesson_arguments(parser)
    parser.add_argument("--listings", action="store_true", help="show every listing")


def run(arguments: argparse.Namespace) -> int:
    """List a lesson's operations."""
    from cnnviz.lesson.changes import text_of

    lesson = load(arguments)
    say(f"{lesson.title} ({plain(lesson.name)})\n{textwrap.fill(lesson.sentence, 92)}\n")
    if lesson.changes:
        say(tr("Changed: {changes}", changes=text_of(lesson.changes)))
    say(lesson.subject.info(lesson.choice, lesson.tape) + "\n")
    for told in (*lesson.notes, _origins_text(lesson.description.origins)):
        if told:
            say(textwrap.fill(told, 92) + "\n")
    counted = _counted(lesson.program)
    if counted:
        say(counted + "\n")
    say(_table(lesson.program))
    if arguments.listings:
        for source in dict.fromkeys(operation.tree.source for operation in lesson.program.operations):
            say("\n" + "\n".join(source))
    return 0


def _origins_text(origins: Mapping[str, str]) -> str:
    """Return what another program calls the layers, where that is not what they are called here."""
    told = [f"{name} is {plain(origin)}" for name, origin in origins.items() if origin != name]
    return tr("In its file {names}.", names=", ".join(told)) if told else ""


def _counted(program: Program) -> str:
    """Return what each layer takes, as products of sizes; empty where there are no layers with parameters."""
    from cnnviz.trace.counted import of_layer, parameters_of, written_out

    rows = [(tr("Layer"), tr("Parameters"), tr("Multiply-adds"))]
    for layer in program.layers:
        parameters, forward = parameters_of(program, layer), of_layer(program, layer, "forward")
        if parameters or forward:
            rows.append((layer, written_out([*parameters.values()]), written_out(forward)))
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    lines = (f"  {name:{widths[0]}}  {own:{widths[1]}}  {taken}" for name, own, taken in rows)
    return "\n".join(lines) if len(rows) > 1 else ""


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
