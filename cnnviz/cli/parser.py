"""The arguments: what all commands share, and the help of the program itself."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

import cnnviz
from cnnviz import __version__
from cnnviz.errors import CnnvizError
from cnnviz.text import tr


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in the way of all other mistakes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Leave it to `run` to say what is wrong."""
        raise CnnvizError(tr("{message}; `{program} --help` says more.", message=message, program=self.prog))


def window_parser() -> argparse.ArgumentParser:
    """Return the parser of a command line without a command, whose help names them all."""
    parser = Parser(
        prog="cnnviz",
        usage="cnnviz [open] [LESSON | FILE] [--set CHANGE …]\n"
        "       cnnviz {lessons,info,dump,export,sheet,pack,unpack} …",
        description=cnnviz.__doc__,
        epilog=examples(
            ("cnnviz", "open the window"),
            ("cnnviz digits", "open it on a built-in lesson"),
            ("cnnviz my-lesson.toml", "or on a lesson file, .toml or .cnnviz"),
            ("cnnviz net.onnx --input digit.png", "or on a network of another program"),
            ("cnnviz lessons", "list the built-in lessons"),
            ("cnnviz info digits", "say what a lesson computes, and in how many steps"),
            ("cnnviz dump digits -o digits.npz", "write every array of one iteration"),
            ("cnnviz export digits -o frames", "write pictures of its steps"),
            ("cnnviz sheet convolution -o sheet.pdf", "write a step to be filled in by hand"),
            ("cnnviz pack digits -o mine.cnnviz", "write it as one file, to be mailed"),
        )
        + "\neach command has a --help of its own; a file of that name is opened as ./lessons",
    )
    parser.add_argument(
        "lesson",
        nargs="?",
        metavar="LESSON | FILE",
        help="a built-in lesson, a lesson file, or a network of another program: "
        ".onnx, .pt, .pth, .pt2, .keras, .h5",
    )
    change_argument(parser)
    network_arguments(parser)
    parser.add_argument("--version", action="version", version=f"cnnviz {__version__}")
    return parser


def examples(*lines: tuple[str, str]) -> str:
    """Return the end of a help: what can be typed, and what it does."""
    width = max(len(command) for command, _ in lines)
    gap = "   " if width < 45 else "\n      "
    return "examples:\n" + "\n".join(
        f"  {command:{width if width < 45 else 0}}{gap}{what}" for command, what in lines
    )


def lesson_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which lesson a command is about, and how it is shown."""
    parser.add_argument(
        "lesson",
        metavar="LESSON",
        help="a built-in lesson, a lesson file, or a network of another program, net.onnx",
    )
    parser.add_argument(
        "--image",
        type=whole_number,
        metavar="N",
        help="which of its images, from 0 (default: the one the lesson shows)",
    )
    parser.add_argument(
        "--input-gradient",
        choices=("gathered", "scattered"),
        help="how convolutions compute ∂E/∂x (default: as the lesson begins)",
    )
    parser.add_argument(
        "--iteration",
        type=whole_number,
        metavar="N",
        help="which iteration of its training, from 0; it is trained up to there first (default: 0)",
    )
    change_argument(parser)
    network_arguments(parser)


def network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a network of another program is opened."""
    group = parser.add_argument_group("networks of other programs")
    group.add_argument(
        "--input",
        action="append",
        metavar="FILE",
        help="what goes in: a picture, .npy or .npz (default: zeros); of several inputs NAME=FILE for each",
    )
    group.add_argument(
        "--label", metavar="N", help="the class that should come out, from 0; then it goes backward, too"
    )
    group.add_argument("--target", metavar="FILE", help="what should come out instead: .npy or .npz")
    group.add_argument("--up-to", metavar="LAYER", help="the layer that is to be the last one")


def change_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says what is other than in the lesson's file."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="CHANGE",
        help="have something of it other than its file says, any number of times: conv1.w[0,0,1,1]=0.5, "
        "conv1.stride=2, input[0,2,3]=1, label=4, optimiser.lr=0.1",
    )


def whole_number(words: str) -> int:
    """Read a whole number, 0 or more."""
    if not re.fullmatch(r"\d{1,18}", words):
        raise argparse.ArgumentTypeError(
            tr("must be a whole number, 0 or more, is {words}", words=repr(words[:40]))
        )
    return int(words)
