"""Writes frames into a folder or one file: whole files only, and never two settings mixed.

A picture takes some 40 ms to paint, and painting holds Python's lock: many pictures are painted by
several processes. Nothing here knows of windows; whoever asks for frames counts them as they come.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import active_children, connection, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from threadpoolctl import threadpool_limits

from cnnviz.errors import CnnvizError
from cnnviz.export.folder import alone_in, is_whole, make_folder, manifest, prepare
from cnnviz.export.formats import DOCUMENTS, FORMATS, Format
from cnnviz.export.frames import Shown
from cnnviz.export.moodle import write_questions
from cnnviz.export.sheets import SheetOrder, write_sheets
from cnnviz.export.walk import Walk
from cnnviz.files import clear_left, write_whole
from cnnviz.text import tr

if TYPE_CHECKING:
    from PySide6.QtGui import QGuiApplication

    from cnnviz.export.order import Order
    from cnnviz.lesson.lesson import Lesson

STARTING = 1.0
"""Seconds that a process takes to start."""

_FRAMES_PER_PROCESS = 25


def export(
    make: Callable[[], Shown],
    folder: Path,
    steps: Sequence[int],
    settings: Mapping[str, str],
    kind: str = "png",
    processes: int | None = None,
) -> Generator[int, None, None]:
    """Write the frames of steps into a folder, and yield how many are there, as they get there.

    Frames that are there already are kept, so an export that was broken off goes on where it was. Closing
    the iterator breaks it off; what is written by then is whole.

    Parameters
    ----------
    make : Callable
        Returns what to show; every process calls it once, so it must be one that can be pickled.
    settings : Mapping[str, str]
        What else the frames were made by, to be kept in the folder's manifest.
    kind : str
        Of `FORMATS`.
    processes : int, optional
        How many paint; as many as there are cores and work for where it is not given.

    Raises
    ------
    CnnvizError
        If the folder holds frames made with other settings, or something cannot be written.
    """
    shown = make()
    form = FORMATS[kind]()
    names = {shown.name(index, form.suffix): index for index in steps}
    make_folder(folder)
    with alone_in(folder):
        prepare(folder, names, manifest(shown, settings))
        missing = [index for name, index in names.items() if not is_whole(folder / name, form, shown)]
        done = len(names) - len(missing)
        yield done
        processes = processes_for(len(missing), processes)
        written = (
            _one_by_one(shown, folder, missing, form)
            if processes == 1
            else _side_by_side(make, folder, missing, kind, processes)
        )
        try:
            for count in written:
                done += count
                yield done
        finally:
            written.close()
            clear_left(folder)


def write_document(content: Generator[int, None, bytes], file: Path) -> Generator[int, None, None]:
    """Write one file, and yield how many of its parts are done.

    The file gets its name when it is whole: closing the iterator before leaves what was there.

    Parameters
    ----------
    content : Generator
        Yields how many there are, and returns the file.

    Raises
    ------
    CnnvizError
        If it cannot be written.
    """
    screenless()
    if not file.parent.is_dir():  # before the work, and not after it
        raise CnnvizError(tr("{file}: there is no such folder; name another.", file=file.parent))
    yield 0
    write_whole(file, (yield from content))


def processes_for(frames: int, most: int | None = None) -> int:
    """Return by how many processes frames are painted: as many as there are cores, and work for."""
    return min(most or _cores(), max(1, frames // _FRAMES_PER_PROCESS))


class Begun(NamedTuple):
    """An export: how many frames it has, and what writes them while it is asked how many there are."""

    total: int
    frames: Generator[int, None, None]


def begin(order: Order, lesson: Lesson) -> Begun:
    """Begin what is ordered of a lesson.

    Raises
    ------
    CnnvizError
        If there is too much of it.
    """
    if isinstance(order, SheetOrder):
        write = write_questions if order.form == "moodle" else write_sheets
        return Begun(order.pages(lesson), write_document(write(order, lesson), order.folder))
    if order.form in DOCUMENTS:
        shown = order.walk(lesson) if DOCUMENTS[order.form].walks else order.shown(lesson)
        steps: Sequence[int] = range(len(shown.places)) if isinstance(shown, Walk) else order.steps(lesson)
        content = DOCUMENTS[order.form].write(shown, steps)
        return Begun(len(steps), write_document(content, order.folder))
    steps = order.steps(lesson)
    return Begun(len(steps), export(order.shown, order.folder, steps, order.settings(lesson), order.form))


# --------------------------------------------------------------------------------------------- the painting


def _one_by_one(shown: Shown, folder: Path, steps: Sequence[int], form: Format) -> Generator[int, None, None]:
    screenless()
    for index in steps:
        _write_frame(shown, index, folder, form)
        yield 1


def _write_frame(shown: Shown, index: int, folder: Path, form: Format) -> None:
    write_whole(folder / shown.name(index, form.suffix), form.encode(shown, index), follow=False)


@cache
def screenless() -> QGuiApplication | None:
    """Start Qt without a screen, unless the program has started it already; text needs it."""
    from PySide6.QtGui import QGuiApplication

    return None if QGuiApplication.instance() else QGuiApplication([sys.argv[0], "-platform", "offscreen"])


# -------------------------------------------------------------------------------------------- the processes


def _side_by_side(
    make: Callable[[], Shown], folder: Path, steps: Sequence[int], kind: str, processes: int
) -> Generator[int, None, None]:
    others, waiting, whole = active_children(), set[Future[None]](), False
    with _starting():
        pool = ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_start, initargs=(make, folder, kind)
        )
    try:
        for index in steps:
            with _starting():
                waiting.add(pool.submit(_write, index))
            if len(waiting) >= 4 * processes:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield _finished(done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield _finished(done)
        whole = True
    except BrokenProcessPool as error:
        raise CnnvizError(
            tr("A process that painted frames was ended from outside; the same command goes on from there.")
        ) from error
    finally:
        with _no_interrupt():
            if not whole:  # frames in work are not waited for: what is written has its name, and is whole
                kill_all_but(others)
            _end(pool, others)


@contextmanager
def _starting() -> Iterator[None]:
    """Say it in a sentence if the system gives us no other process, or nothing to speak to it by."""
    with _no_interrupt():  # which a process that is being started would inherit
        try:
            yield
        except BrokenProcessPool:
            raise
        except (OSError, RuntimeError) as error:  # RuntimeError: for want of a thread
            raise no_process(error) from error


def _end(pool: ProcessPoolExecutor, others: Sequence[BaseProcess]) -> None:
    """Wait for its processes to end; what a pool that was never whole has left behind is killed."""
    with suppress(RuntimeError):  # its thread was never started
        pool.shutdown(cancel_futures=True)
    kill_all_but(others)


def kill_all_but(others: Sequence[BaseProcess]) -> None:
    """End the processes that were started here, but for others."""
    for process in active_children():
        if process not in others:
            process.kill()
            process.join()


def no_process(reason: Exception) -> CnnvizError:
    """Return what is said where the system gives us no other process."""
    return CnnvizError(
        tr(
            "Frames cannot be written, because no other process can be started ({reason}); close other "
            "programs, and try again.",
            reason=reason,
        )
    )


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let Ctrl+C pass unheard for a moment, here and in processes that are started meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _finished(done: set[Future[None]]) -> int:
    for future in done:
        future.result()
    return len(done)


_arguments: tuple[Callable[[], Shown], Path, str]


def _start(make: Callable[[], Shown], folder: Path, kind: str) -> None:
    """Make this process one that paints. What can fail is left to its first frame, which reports it."""
    global _arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches every process; the first one answers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    _arguments = make, folder, kind


@cache
def _kept() -> tuple[Shown, Format]:
    """Return what this process has for all of its frames."""
    screenless()
    make, _, kind = _arguments
    return make(), FORMATS[kind]()


def _end_with_parent() -> None:
    """End when the process that started this one was killed, which would else be waited for in vain."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _write(index: int) -> None:
    shown, form = _kept()
    _write_frame(shown, index, _arguments[1], form)


def _cores() -> int:
    """Return how many processes can run at once; Windows lets a pool wait for 61 of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 61) if sys.platform == "win32" else cores
