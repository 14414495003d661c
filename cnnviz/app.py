"""Starts the program: the command line, and the window where there is a screen to show it on."""

from __future__ import annotations

import builtins
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz import cli
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.lesson.lesson import Lesson

# Of small arrays, several threads make a product slower, and on busy cores a hundred times slower. To be said
# before NumPy is loaded: threads that are made to be stopped again take a tenth of a start.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit status.

    Parameters
    ----------
    argv : Sequence[str], optional
        The words after the program's name; those of this process where it is not given.
    """
    if getattr(sys, "frozen", False):
        from multiprocessing import freeze_support

        freeze_support()  # the processes of an export start here
    return cli.run(argv, _show)


def show(lesson: str | Lesson) -> None:
    """Open the window on a lesson, and wait until it is closed.

    Parameters
    ----------
    lesson : str or Lesson
        A built-in lesson's name, a file, or what `load_lesson` and `from_torch` return.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or no display to open the window on.
    KeyboardInterrupt
        If the window was closed by Ctrl+C in the terminal.
    """
    try:
        status = open_window(lesson)
    except NoDisplayError:
        raise CnnvizError(
            tr(
                "There is no display on which a window could be opened ({variables}); `cnnviz export` writes "
                "the frames of a lesson without one.",
                variables=_said_of_display(),
            )
        ) from None
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise SystemExit(status)


class NoDisplayError(Exception):
    """No window can be opened here."""


def open_window(
    lesson: str | Lesson | None,
    painted: Callable[[], None] | None = None,
    said: str = "",
    changes: Sequence[str] = (),
) -> int:
    """Open the window on a lesson, or where it was left if none is named; return when it is closed.

    Parameters
    ----------
    lesson : str or Lesson, optional
        A built-in lesson's name, a file, or a lesson that has been loaded.
    painted : Callable[[], None], optional
        Called once, when the window has been painted for the first time.
    said : str
        What is said in the window at first, if anything.
    changes : Sequence[str]
        What is to be other than in the file of a lesson that is not loaded yet.

    Raises
    ------
    NoDisplayError
        If there is no display to open it on, or Qt lacks what it needs for one.
    """
    gc.disable()  # until the window has been painted: all that is loaded stays, and going over it takes time
    _import_qt()
    from cnnviz.ui.trial import trial

    with trial() as opens:
        from cnnviz.ui import launch  # while the trial is on

        if not opens():
            gc.enable()
            raise NoDisplayError
        launch.application_of_cnnviz()
    return launch.open_window(lesson, painted, said, changes)


def _import_qt() -> None:
    """Import Qt, but do without PySide6's `__feature__`, which nobody here uses.

    To see who does, PySide6 puts an `__import__` of its own before the one there was, and reads the source of
    every module imported from then on: a fifth of a start.
    """
    from PySide6 import QtCore  # noqa: F401

    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)


def _show(lesson: str | None, changes: Sequence[str], said: str) -> int:
    try:
        return open_window(lesson, said=said, changes=changes)
    except NoDisplayError:
        return _export_instead(lesson, changes)


def _export_instead(lesson: str | None, changes: Sequence[str]) -> int:
    """Do the main job without a window: write the lesson's frames."""
    from cnnviz.cli.export import export_frames
    from cnnviz.cli.output import complain
    from cnnviz.lesson.lesson import DEFAULT, load_lesson

    loaded = load_lesson(lesson or DEFAULT, changes=changes)
    folder = Path("cnnviz-frames", loaded.file_name)
    complain(
        tr(
            "There is no display on which a window could be opened ({variables}): the frames of {lesson} are "
            "written to {folder} instead.",
            variables=_said_of_display(),
            lesson=loaded.name,
            folder=folder,
        )
    )
    return export_frames(loaded, folder)


def _said_of_display() -> str:
    """Say what the environment says of the display, which is what there is to mend."""
    named = [
        f"{name}={os.environ[name]}"
        for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")
        if os.environ.get(name)
    ]
    if not named:
        return tr("neither DISPLAY nor WAYLAND_DISPLAY is set")
    return tr("{named} does not answer, or a library that Qt needs is missing", named=", ".join(named))
