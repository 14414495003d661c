"""``cnnviz export``: writes a lesson's steps as numbered pictures, or as one page for browsers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.cli.loading import load
from cnnviz.cli.output import INTERRUPTED, TERMINATED, TerminatedError, complain, progress, say
from cnnviz.cli.parser import examples, lesson_arguments
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.export.order import Order
    from cnnviz.lesson.lesson import Lesson
    from cnnviz.scene.display import Option
    from cnnviz.scene.view import View


FORMATS = ("png", "svg", "tex", "tikz", "html", "pdf", "gif", "apng", "pptx", "mp4")
"""What can be written; `cnnviz.export.formats` says how."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind the command, and what it does."""
    parser.description = (
        "Write pictures of a lesson's steps into a folder. Each is named after its step, with its operation\n"
        "and where its loops stand: 00060-conv1-o0-i0-j1-c0.png is step 60 of digits.\n\n"
        "An export that was broken off goes on where it was when it is started again. Frames that were\n"
        "made with other settings are never mixed with new ones: a folder that holds some is refused.\n\n"
        "As HTML, it is one file that any browser steps by the program's own keys, without a network: all\n"
        "cells and stops of the lesson; where those are very many, its maps or layers and stops."
    )
    parser.epilog = examples(
        ("cnnviz export digits -o frames", "a picture of every map that is done"),
        ("cnnviz export digits -o frames --every layer --theme dark", "of every layer, dark"),
        (
            "cnnviz export digits -o frames --every line --from conv1 --to 'conv1[0,0,3]'",
            "of every line, until conv1's first four cells are written",
        ),
        ("cnnviz export digits -o frames --size 3840x2160 --image 7", "large, of another image"),
        ("cnnviz export training -o frames --iteration 500", "of an iteration of a training"),
        ("cnnviz export convolution -o frames --every cell --letters", "with names in place of numbers"),
        ("cnnviz export digits -o frames --set 'conv1.w[0,0,1,1]=0.5'", "with another weight"),
        (
            "cnnviz export digits --format html -o digits.html",
            "as one page that is stepped in any browser",
        ),
        (
            "cnnviz export chain-rule -o frames --every stop",
            "of what the lesson speaks of, in all its expressions",
        ),
    )
    lesson_arguments(parser)
    parser.add_argument(
        *("-o", "--output"),
        required=True,
        type=Path,
        metavar="FOLDER | FILE",
        help="the folder to write pictures to; of all else, the file",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="png",
        dest="form",
        help="what to write: a folder of pictures, PNG or SVG, or arithmetic as LaTeX; or one file, a page "
        "for browsers, a PDF, a moving GIF or PNG, slides, or a film (default: png)",
    )
    parser.add_argument(
        "--every",
        choices=("line", "term", "cell", "map", "layer", "pass", "stop"),
        help="what to make a picture of (default: map; of a page, cell, as far as those are not too many)",
    )
    step = "a step's number, from 0, or a place such as conv1[2,3,4]"
    parser.add_argument(
        "--from",
        dest="first",
        metavar="STEP",
        help=f"{step}, which is where that cell is written (default: the first)",
    )
    parser.add_argument("--to", dest="last", metavar="STEP", help=f"{step} (default: the last)")
    parser.add_argument(
        "--size",
        type=_size,
        default=(1920, 1080),
        metavar="WxH",
        help="of a picture, in pixels (default: 1920x1080)",
    )
    parser.add_argument(
        "--about",
        action="store_true",
        help="write nothing, and say how many frames there would be, how large and how long they take, "
        "reckoned from some of them",
    )
    from cnnviz.scene.display import OPTIONS

    for option in OPTIONS.values():
        _add_option(parser, option)
    parser.add_argument(
        "--through",
        action="append",
        default=[],
        metavar="GRADIENT",
        help="of gradients that are added up, one that the chain rule follows, as in add.dx2; "
        "may be given several times (default: that of the nearest layer)",
    )


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    """Take a choice of how things are shown: a flag where it is on or off, else one of its values."""
    from cnnviz.scene.display import Display

    flag, usual = "--" + option.name.replace("_", "-"), getattr(Display(), option.name)
    if isinstance(usual, bool):
        parser.add_argument(flag, action="store_true", help=option.help)
    else:
        choices = tuple(option.values)
        parser.add_argument(flag, type=type(usual), choices=choices, default=usual, help=option.help)


def _size(words: str) -> tuple[int, int]:
    from cnnviz.export.frames import size_of

    try:
        return size_of(words)
    except CnnvizError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments: argparse.Namespace) -> int:
    """Write a lesson's frames."""
    from cnnviz.scene.display import OPTIONS, Display
    from cnnviz.scene.paths import checked_path
    from cnnviz.scene.view import View

    display = Display(**{name: getattr(arguments, name) for name in OPTIONS})
    width, height = arguments.size
    lesson = load(arguments)
    view = View(width, height, display=display, paths=checked_path(lesson.program, arguments.through))
    asked = (arguments.image, arguments.iteration, arguments.input_gradient, arguments.first, arguments.last)
    whole = arguments.every == "stop" or arguments.form == "html"
    tour = whole and all(each is None for each in asked) and bool(lesson.sequence)
    first, last = arguments.first, arguments.last
    order = _order(lesson, arguments.output, arguments.every, view, first, last, tour, arguments.form)
    return _say_about(order, lesson) if arguments.about else _write_frames(order, lesson)


def export_frames(
    lesson: Lesson,
    folder: Path,
    every: str | None = None,
    view: View | None = None,
    first: str | None = None,
    last: str | None = None,
    tour: bool = False,
    form: str = "png",
) -> int:
    """Write a lesson's frames into a folder or a file, with progress on stderr, and name it at the end.

    Progress is a bar on a terminal, and a line every few seconds anywhere else.

    Parameters
    ----------
    first, last : str, optional
        Steps, as `cnnviz.lesson.place.step_at` takes them.
    tour : bool
        Whether all stops of the lesson are meant, also those of other images, iterations and forms.
    form : str
        Of `FORMATS`.

    Returns
    -------
    int
        The exit status.
    """
    return _write_frames(_order(lesson, folder, every, view, first, last, tour, form), lesson)


def _order(
    lesson: Lesson,
    folder: Path,
    every: str | None,
    view: View | None,
    first: str | None,
    last: str | None,
    tour: bool,
    form: str,
) -> Order:
    from cnnviz.export.order import order_of
    from cnnviz.lesson.place import step_at
    from cnnviz.scene.view import View
    from cnnviz.trace.stops import Level

    program = lesson.program
    start = 0 if first is None else step_at(program, first)
    end = len(program) - 1 if last is None else step_at(program, last)
    level = None if every is None else Level(every)
    return order_of(lesson, folder, level, start, end, view or View(), tour, form)


def _say_about(order: Order, lesson: Lesson) -> int:
    """Say what an export would come to."""
    from cnnviz.export.foretold import foretell
    from cnnviz.export.writing import screenless

    screenless()
    reckoning = foretell(order, lesson)
    while True:
        try:
            next(reckoning)
        except StopIteration as done:
            say(done.value.said)
            return 0


def _write_frames(order: Order, lesson: Lesson) -> int:
    return write(order, lesson, "frame", tr("{done:,} of {count:,} frames{left} …"))


def write(order: Order, lesson: Lesson, unit: str, sentence: str) -> int:
    """Write what is ordered, with progress, and return the exit status.

    Parameters
    ----------
    unit, sentence : str
        What is counted, and how it is said how far that is.
    """
    from cnnviz.export.writing import begin

    folder = order.folder
    total, frames = begin(order, lesson)
    before = 0
    try:
        with progress(total, unit, sentence) as show:
            before = next(frames)
            show(before)
            for done in frames:
                show(done)
    except (KeyboardInterrupt, TerminatedError) as stopped:
        frames.close()
        complain(
            tr("Stopped; {file} is as it was before.", file=folder)
            if order.one_file
            else tr(
                "Stopped; what is in {folder} is whole, and the same command goes on from there.",
                folder=folder,
            )
        )
        return TERMINATED if isinstance(stopped, TerminatedError) else INTERRUPTED
    if order.one_file:
        size = f"{folder.stat().st_size / 1e6:.2f}"
        said = {
            "frame": tr("{file} has {count:,} steps, in {size} MB."),
            "page": tr("{file} has {count:,} pages, in {size} MB."),
            "question": tr("{file} has {count:,} questions, in {size} MB."),
        }
        say(said[unit].format(file=folder, count=total, size=size))
        return 0
    if total == 1:
        say(
            tr(
                "{folder} holds 1 frame{kept}.",
                folder=folder,
                kept=tr(" that was there already") if before else "",
            )
        )
        return 0
    kept = tr(", 1 of which was there already") if before == 1 else ""
    if before > 1:
        kept = tr(", {count} of which were there already", count=before)
    say(tr("{folder} holds {count} frames{kept}.", folder=folder, count=total, kept=kept))
    return 0
