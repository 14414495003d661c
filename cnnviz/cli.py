"""The command line: everything but the window, each command one function."""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import cnnviz
from cnnviz import __version__
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.engine.training import Run
    from cnnviz.lesson.build import Samples
    from cnnviz.lesson.expressions import Expressions
    from cnnviz.lesson.lesson import Lesson
    from cnnviz.render.export import Look, Subject
    from cnnviz.trace.program import Program

MISTAKE, INTERRUPTED, TERMINATED = 2, 130, 143

PROGRESS_SECONDS = 4.0
"""How often an export says how far it is where there is no terminal for a bar."""

OpenWindow = Callable[[str | None], int]

# What the commands need beyond the standard library is imported in them: `cnnviz --help` needs none of it.


def run(argv: Sequence[str] | None, open_window: OpenWindow) -> int:
    """Do what a command line says.

    Parameters
    ----------
    argv : Sequence[str] or None
        The words after the program's name; those of this process where it is None.
    open_window : Callable
        Opens the window on a lesson, or where it was left if none is named, and returns the exit status.

    Returns
    -------
    int
        The exit status: 0, or 2 after one sentence on stderr about what the user can mend, or 130 after
        Ctrl+C.
    """
    _write_anything(sys.stdout, sys.stderr)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in COMMANDS:
            add_arguments, command = COMMANDS[words[0]]
            parser = _Parser(prog=f"cnnviz {words[0]}")
            add_arguments(parser)
            return command(parser.parse_args(words[1:]))
        _refuse_misspelt_command(words)
        return open_window(_window_parser().parse_args(words).lesson)
    except CnnvizError as error:
        complain(str(error))
        return MISTAKE
    except KeyboardInterrupt:
        complain(tr("Stopped."))
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has had enough of it, as `head` has
        _drop_output()
        return 0
    except SystemExit as leaving:  # --help, --version
        return leaving.code if isinstance(leaving.code, int) else 0


def _refuse_misspelt_command(words: Sequence[str]) -> None:
    """Name the nearest command where a first word before others is none: a lesson would stand alone.

    So may a command: `cnnviz lesson` means `lessons`, unless there is a file of that name.
    """
    alone = len(words) == 1 and words[0].isalpha() and not os.path.lexists(words[0])
    if len(words) > 1 or alone:
        near = get_close_matches(words[0], COMMANDS, n=1, cutoff=0.8 if alone else 0.6)
        if near:
            raise CnnvizError(
                tr("There is no command {name}; did you mean {near}?", name=words[0], near=near[0])
            )


def say(words: str) -> None:
    """Write to stdout, now."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise CnnvizError(tr("The output could not be written ({reason}).", reason=error.strerror)) from error


def complain(sentence: str) -> None:
    """Write one sentence to stderr."""
    print(f"cnnviz: {sentence}", file=sys.stderr, flush=True)


def _drop_output() -> None:
    """Have no more written to stdout, where Python would try once more at its end."""
    with suppress(OSError, ValueError):  # it may be no stream of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_anything(*streams: Any) -> None:
    """Let a terminal that has no × show a ? instead."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


# --------------------------------------------------------------------------------------------- the arguments


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in the way of all other mistakes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise CnnvizError(tr("{message}; `{program} --help` says more.", message=message, program=self.prog))


def _window_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cnnviz",
        usage="cnnviz [LESSON | FILE]\n       cnnviz {lessons,info,dump,export} …",
        description=cnnviz.__doc__,
        epilog=_examples(
            ("cnnviz", "open the window"),
            ("cnnviz digits", "open it on a built-in lesson"),
            ("cnnviz my-lesson.toml", "or on a lesson file"),
            ("cnnviz lessons", "list the built-in lessons"),
            ("cnnviz info digits", "say what a lesson computes, and in how many steps"),
            ("cnnviz dump digits -o digits.npz", "write every array of one iteration"),
            ("cnnviz export digits -o frames", "write pictures of its steps"),
        )
        + "\neach command has a --help of its own; a file of that name is opened as ./lessons",
    )
    parser.add_argument(
        "lesson", nargs="?", metavar="LESSON | FILE", help="a built-in lesson, or a lesson file"
    )
    parser.add_argument("--version", action="version", version=f"cnnviz {__version__}")
    return parser


def _examples(*lines: tuple[str, str]) -> str:
    width = max(len(command) for command, _ in lines)
    gap = "   " if width < 45 else "\n      "
    return "examples:\n" + "\n".join(
        f"  {command:{width if width < 45 else 0}}{gap}{what}" for command, what in lines
    )


def _lesson_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="a built-in lesson, or a lesson file")
    parser.add_argument(
        "--image",
        type=_number,
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
        type=_number,
        metavar="N",
        help="which iteration of its training, from 0; it is trained up to there first (default: 0)",
    )


def _number(words: str) -> int:
    if not re.fullmatch(r"\d{1,18}", words):
        raise argparse.ArgumentTypeError(
            tr("must be a whole number, 0 or more, is {words}", words=repr(words[:40]))
        )
    return int(words)


def _size(words: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})", words)
    if found is None:
        raise argparse.ArgumentTypeError(
            tr("must be a width and a height, as in 1920x1080, is {words}", words=repr(words[:40]))
        )
    return int(found[1]), int(found[2])


# -------------------------------------------------------------------------------------------------- lessons


def _lessons_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "List the built-in lessons, and what each of them shows."
    parser.epilog = _examples(("cnnviz lessons", "list them"))


def _lessons(_: argparse.Namespace) -> int:
    from cnnviz.lesson.files import lesson_names, lesson_words

    for name in lesson_names():
        title, sentence = lesson_words(name)
        said = textwrap.fill(f"{title}. {sentence}", 92, initial_indent="    ", subsequent_indent="    ")
        say(f"{name}\n{said}")
    return 0


# ----------------------------------------------------------------------------------------------------- info


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what a lesson computes: each operation with its phase, the shape of its result,\n"
        "its listing, and its number of steps."
    )
    parser.epilog = _examples(
        ("cnnviz info digits", "the operations of the lesson digits"),
        ("cnnviz info digits --listings", "and the listings themselves"),
        ("cnnviz info digits --image 7", "with another of its images"),
        ("cnnviz info training --iteration 500", "what has been learnt by then"),
    )
    _lesson_arguments(parser)
    parser.add_argument("--listings", action="store_true", help="show every listing")


def _info(arguments: argparse.Namespace) -> int:
    from cnnviz.engine.layer import shape_text
    from cnnviz.engine.pixels import Album
    from cnnviz.lesson.descents import Descents
    from cnnviz.lesson.expressions import Expressions

    lesson = _load(arguments.lesson, arguments.image, arguments.input_gradient, arguments.iteration)
    say(f"{lesson.title} ({lesson.name})\n{textwrap.fill(lesson.sentence, 92)}\n")
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
    lines = [
        tr(
            "Training: {count:,} iterations of one image each, out of {learn:,}; {held_out:,} are held out",
            count=run.iterations,
            learn=len(run.order),
            held_out=len(run.held_out),
        ),
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


# ----------------------------------------------------------------------------------------------------- dump


def _dump_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write every array of one iteration into an .npz file, which numpy.load reads.\n\n"
        "The arrays are named conv1.x, conv1.w, conv1.y, conv1.dw, … and loss.value; a parameter after\n"
        "the update is conv1.w_new. With --at, the file also holds what Python holds just after that\n"
        "step: the listing's arrays and variables under at.x, at.w, at.acc, at.i, …, a padded array with\n"
        "its padding, and the step's number as at."
    )
    parser.epilog = _examples(
        ("cnnviz dump digits -o digits.npz", "every array"),
        ("cnnviz dump digits -o digits.npz --image 7", "of another image"),
        ("cnnviz dump training -o t.npz --iteration 500", "of an iteration of a training"),
        ("cnnviz dump digits -o digits.npz --at 1234", "and what Python holds at step 1234"),
        ("cnnviz dump digits -o digits.npz --at 'conv1[2,3,4]'", "or where that cell is written"),
    )
    _lesson_arguments(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--at", metavar="STEP", help="a step's number, from 0, or a place such as conv1[2,3,4]"
    )


def _dump(arguments: argparse.Namespace) -> int:
    import numpy as np

    from cnnviz.lesson.place import step_at
    from cnnviz.render.export import write_whole

    lesson = _load(arguments.lesson, arguments.image, arguments.input_gradient, arguments.iteration)
    arrays = dict(lesson.tape)
    if arguments.at is not None:
        index = step_at(lesson.program, arguments.at)
        state = lesson.program.state(index)
        arrays["at"] = np.asarray(index)
        arrays |= {
            f"at.{name}": np.asarray(value) for name, value in {**state.arrays, **state.variables}.items()
        }
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
    write_whole(arguments.output, packed.getbuffer())
    say(tr("Wrote {count} arrays to {file}.", count=len(arrays), file=arguments.output))
    return 0


# --------------------------------------------------------------------------------------------------- export


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write pictures of a lesson's steps into a folder. Each is named after its step, with its operation\n"
        "and where its loops stand: 00060-conv1-o0-i0-j1-c0.png is step 60 of digits.\n\n"
        "An export that was broken off goes on where it was when it is started again. Frames that were\n"
        "made otherwise are never mixed with new ones: a folder that holds some is refused."
    )
    parser.epilog = _examples(
        ("cnnviz export digits -o frames", "a picture of every map that is done"),
        ("cnnviz export digits -o frames --every layer --theme dark", "of every layer, dark"),
        (
            "cnnviz export digits -o frames --every line --from conv1 --to 'conv1[0,0,3]'",
            "of every line, until conv1's first four cells are written",
        ),
        ("cnnviz export digits -o frames --size 3840x2160 --image 7", "large, of another image"),
        ("cnnviz export training -o frames --iteration 500", "of an iteration of a training"),
        ("cnnviz export convolution -o frames --every cell --letters", "with names in place of numbers"),
    )
    _lesson_arguments(parser)
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="the folder to write to"
    )
    parser.add_argument(
        "--every",
        choices=("line", "term", "cell", "map", "layer", "pass"),
        default="map",
        help="what to make a picture of (default: map)",
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
        "--theme", choices=("light", "dark"), default="light", help="its colours (default: light)"
    )
    parser.add_argument("--letters", action="store_true", help="names in place of numbers")


def _export(arguments: argparse.Namespace) -> int:
    from cnnviz.render.export import Look

    look = Look(arguments.size[0], arguments.size[1], arguments.theme, arguments.letters)
    lesson = _load(arguments.lesson, arguments.image, arguments.input_gradient, arguments.iteration)
    return export_frames(
        lesson, arguments.lesson, arguments.output, arguments.every, look, arguments.first, arguments.last
    )


def export_frames(
    lesson: Lesson,
    source: str,
    folder: Path,
    every: str = "map",
    look: Look | None = None,
    first: str | None = None,
    last: str | None = None,
) -> int:
    """Write a lesson's frames into a folder, with progress on stderr, and name the folder at the end.

    Progress is a bar on a terminal, and a line every few seconds anywhere else.

    Parameters
    ----------
    source : str
        What the lesson was loaded by; other processes load it again.
    first, last : str, optional
        Steps, as `cnnviz.lesson.place.step_at` takes them.

    Returns
    -------
    int
        The exit status.
    """
    from tqdm import tqdm

    from cnnviz.lesson.place import step_at
    from cnnviz.render.export import Look, export, stops
    from cnnviz.trace.stops import Level

    program = lesson.program
    begin = 0 if first is None else step_at(program, first)
    end = len(program) - 1 if last is None else step_at(program, last)
    steps = stops(program, Level(every), begin, end)
    settings = {
        "cnnviz": __version__,
        "lesson": lesson.identity,
        "image": str(lesson.image),
        "every": every,
        "from": str(begin),
        "to": str(end),
    }
    if program.view:
        settings["input gradient"] = program.view
    if lesson.run is not None:
        settings["iteration"] = str(lesson.iteration)
    iteration = lesson.iteration if lesson.run else None
    make = partial(_subject, source, lesson.image, program.view or None, iteration)
    frames = export(make, folder, steps, look or Look(), settings)
    done = before = 0
    try:
        terminal = sys.stderr.isatty()
        with (
            _ended_politely(),
            tqdm(total=len(steps), unit="frame", disable=not terminal, leave=False) as bar,
        ):
            told = time.monotonic()
            before = next(frames)
            bar.update(before)
            for done in frames:
                bar.update(done - bar.n)
                if not terminal and time.monotonic() - told >= PROGRESS_SECONDS:
                    complain(tr("{done:,} of {count:,} frames …", done=done, count=len(steps)))
                    told = time.monotonic()
    except (KeyboardInterrupt, _Terminated) as stopped:
        frames.close()
        complain(
            tr(
                "Stopped; what is in {folder} is whole, and the same command goes on from there.",
                folder=folder,
            )
        )
        return TERMINATED if isinstance(stopped, _Terminated) else INTERRUPTED
    kept = tr(", {count} of which were there already", count=before) if before else ""
    say(tr("{folder} holds {count} frames{kept}.", folder=folder, count=len(steps), kept=kept))
    return 0


class _Terminated(BaseException):
    """The process was asked to end, by `timeout` or a shutdown."""


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that processes and half-written files are cleared away."""

    def terminate(*_: object) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _subject(
    source: str, image: int, input_gradient: str | None = None, iteration: int | None = None
) -> Subject:
    from cnnviz.lesson.lesson import load_lesson
    from cnnviz.render.export import Subject

    lesson = load_lesson(source, image, iteration)
    lesson = lesson.in_view(input_gradient) if input_gradient else lesson
    return Subject(lesson.program, lesson.heading, lesson.samples.classes, lesson.stops)


def _load(source: str, image: int | None, input_gradient: str | None, iteration: int | None) -> Lesson:
    from cnnviz.lesson.lesson import load_lesson

    lesson = load_lesson(source, image)
    if iteration is not None:
        if lesson.run is not None and iteration < lesson.run.iterations:
            _train(lesson.run, iteration)
        lesson = lesson.at_iteration(iteration, image)
    return lesson.in_view(input_gradient) if input_gradient else lesson


def _train(run: Run, iteration: int) -> None:
    """Train up to an iteration, with progress on stderr as that of an export."""
    from tqdm import tqdm

    terminal, told = sys.stderr.isatty(), time.monotonic()
    with tqdm(total=iteration, unit="iteration", disable=not terminal, leave=False) as bar:
        for _ in run.work(iteration):
            bar.update(run.done - bar.n)
            if not terminal and time.monotonic() - told >= PROGRESS_SECONDS:
                complain(tr("{done:,} of {count:,} iterations …", done=run.done, count=iteration))
                told = time.monotonic()


Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
COMMANDS: dict[str, Command] = {
    "lessons": (_lessons_arguments, _lessons),
    "info": (_info_arguments, _info),
    "dump": (_dump_arguments, _dump),
    "export": (_export_arguments, _export),
}
