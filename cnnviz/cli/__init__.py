"""The command line: everything but the window, and a file for each command."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from cnnviz.cli import dump, export, info, lessons, pack, sheet
from cnnviz.cli.loading import source_of
from cnnviz.cli.output import (
    INTERRUPTED,
    MISTAKE,
    TERMINATED,
    TerminatedError,
    complain,
    drop_output,
    ended_politely,
    streams,
    write_anything,
)
from cnnviz.cli.parser import Parser, window_parser
from cnnviz.errors import CnnvizError, out_of_memory
from cnnviz.text import tr

OpenWindow = Callable[[str | None, Sequence[str], str], int]

# What the commands need beyond the standard library is imported in them: `cnnviz --help` needs none of it.
Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
COMMANDS: dict[str, Command] = {
    "lessons": (lessons.add_arguments, lessons.run),
    "info": (info.add_arguments, info.run),
    "dump": (dump.add_arguments, dump.run),
    "export": (export.add_arguments, export.run),
    "sheet": (sheet.add_arguments, sheet.run),
    "pack": (pack.add_arguments, pack.run),
    "unpack": (pack.add_unpack_arguments, pack.unpack),
}


def run(argv: Sequence[str] | None, open_window: OpenWindow) -> int:
    """Do what a command line says.

    Parameters
    ----------
    argv : Sequence[str] or None
        The words after the program's name; those of this process where it is None.
    open_window : Callable
        Opens the window on a lesson, or where it was left if none is named, with changes, and returns the
        exit status; what it is given last is said in the window.

    Returns
    -------
    int
        The exit status: 0, or 2 after one sentence on stderr about what the user can mend, or 130 after
        Ctrl+C, or 143 after SIGTERM. A mistake of ours ends with 2, too, its traceback before the sentence.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with streams() as heard:
        write_anything(sys.stdout, sys.stderr)
        try:
            with ended_politely():
                return _do(words, open_window, heard)
        except CnnvizError as error:
            complain(str(error))
            return MISTAKE
        except KeyboardInterrupt:
            complain(tr("Stopped."))
            return INTERRUPTED
        except TerminatedError:
            complain(tr("Stopped."))
            return TERMINATED
        except BrokenPipeError:  # whoever read the output has had enough of it, as `head` has
            drop_output()
            return 0
        except SystemExit as leaving:  # --help, --version
            return leaving.code if isinstance(leaving.code, int) else 0
        except MemoryError:
            complain(out_of_memory())
            return MISTAKE
        except Exception as error:
            _tell_unforeseen(error)
            return MISTAKE


def _do(words: Sequence[str], open_window: OpenWindow, heard: bool) -> int:
    if words and words[0] in COMMANDS:
        add_arguments, command = COMMANDS[words[0]]
        parser = Parser(prog=f"cnnviz {words[0]}")
        add_arguments(parser)
        return command(parser.parse_args(words[1:]))
    return _open(words, open_window, heard)


def _tell_unforeseen(error: Exception) -> None:
    """Name what is missing here; of a mistake of ours, leave the traceback for whoever mends it."""
    missing = error.name or tr("a system library") if isinstance(error, ImportError) else "cnnviz"
    if missing.partition(".")[0] == "cnnviz":
        traceback.print_exception(error)
        complain(tr("Something went wrong ({kind}). Please report it.", kind=type(error).__name__))
        return
    complain(
        tr(
            "cnnviz cannot start, because {missing} is missing here ({reason}): start it with `{command}`, "
            "which installs what it needs.",
            missing=missing,
            reason=error,
            command="py .ci\\setup.py run" if sys.platform == "win32" else "make run",
        )
    )


def _open(words: Sequence[str], open_window: OpenWindow, heard: bool) -> int:
    """Open the window; where no complaint would be heard, the window says what is wrong with the words."""
    try:
        _refuse_misspelt_command(words)
        arguments = window_parser().parse_args(words[1:] if words[:1] == ["open"] else words)
        if arguments.changes and arguments.lesson is None:
            raise CnnvizError(tr("--set changes a lesson, and none is named; name it before."))
        source = source_of(arguments)
        return open_window(source, arguments.changes, "")
    except CnnvizError as error:
        if heard:
            raise
        return open_window(None, (), str(error))


def _refuse_misspelt_command(words: Sequence[str]) -> None:
    """Name the nearest command where a first word before others is none: a lesson would stand alone.

    So may a command: `cnnviz lesson` means `lessons`, unless there is a file of that name.
    """
    alone = len(words) == 1 and words[0].isalpha() and not os.path.lexists(words[0])
    if (len(words) > 1 and not words[0].startswith("-")) or alone:
        near = get_close_matches(words[0], COMMANDS, n=1, cutoff=0.8 if alone else 0.6)
        if near:
            raise CnnvizError(
                tr("There is no command {name}; did you mean {near}?", name=words[0], near=near[0])
            )
