"""``cnnviz pack`` and ``cnnviz unpack``: a lesson as one file, and the files in one."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cnnviz.cli.loading import load
from cnnviz.cli.output import say, telling
from cnnviz.cli.parser import examples, lesson_arguments
from cnnviz.errors import CnnvizError
from cnnviz.files import open_regular, read_whole, reason_of, write_whole
from cnnviz.packed import ENDING, MOST_BYTES, entries
from cnnviz.text import tr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind `pack`, and what it does."""
    parser.description = (
        "Write a lesson as one file, .cnnviz: what its file says, the files beside it, what is changed,\n"
        "and where one is in it. Of a network of another program, its weights go in; of a picture, its\n"
        "pixels alone. FORMAT.md describes such a file."
    )
    parser.epilog = examples(
        ("cnnviz pack digits -o mine.cnnviz", "a built-in lesson"),
        ("cnnviz pack digits -o mine.cnnviz --set label=4 --at conv1", "changed, and at a place"),
        ("cnnviz pack net.onnx -o net.cnnviz --input cat.jpg", "a network of another program"),
        ("cnnviz mine.cnnviz", "open it"),
    )
    lesson_arguments(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--at", metavar="STEP", help="a step's number, from 0, or a place such as conv1[2,3,4] (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a lesson as one file."""
    from msgspec.structs import replace

    from cnnviz.lesson.packing import Place
    from cnnviz.lesson.place import step_at

    if arguments.output.suffix.lower() != ENDING:
        raise CnnvizError(tr("{file}: such a file ends in {ending}.", file=arguments.output, ending=ENDING))
    lesson = load(arguments)
    place, choice = lesson.description.place or Place(), lesson.choice
    step = place.step if arguments.at is None else step_at(lesson.program, arguments.at)
    there = (choice.image, choice.iteration, choice.input_gradient)
    with telling():
        content = lesson.packed(
            replace(place, step=step, image=there[0], iteration=there[1], input_gradient=there[2])
        )
    write_whole(arguments.output, content)
    said = tr("Wrote {lesson} to {file}.", lesson=lesson.name, file=arguments.output)
    say(said)
    return 0


def add_unpack_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind `unpack`, and what it does."""
    parser.description = (
        "Write the files in a .cnnviz into a folder: the lesson as TOML, and what lies beside it."
    )
    parser.epilog = examples(
        ("cnnviz unpack mine.cnnviz", "into the folder mine"),
        ("cnnviz unpack mine.cnnviz -o folder", "into another one"),
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a file that ends in .cnnviz")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: the file's name")


def unpack(arguments: argparse.Namespace) -> int:
    """Write the files in an archive into a folder, which has no others."""
    file: Path = arguments.file
    folder: Path = arguments.output or file.with_suffix("")
    try:
        with open_regular(file) as opened:
            names = list(entries(opened, file.name))
        contents = {name: read_whole(file / name, MOST_BYTES) for name in names}
    except OSError as error:
        said = tr("{file} cannot be opened ({reason}).", file=file, reason=reason_of(error))
        raise CnnvizError(said) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.listdir(folder):
            raise CnnvizError(tr("{folder} is not empty; name another.", folder=folder))
    except OSError as error:
        said = tr("{folder} cannot be made ({reason}).", folder=folder, reason=reason_of(error))
        raise CnnvizError(said) from error
    for name, content in contents.items():
        write_whole(folder / name, content)
    say(tr("Wrote {names} to {folder}.", names=", ".join(names), folder=folder))
    return 0
