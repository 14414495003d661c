"""What the command line says, results on stdout and all else on stderr; and the statuses it ends with."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cnnviz.errors import CnnvizError
from cnnviz.text import plain, tr
from cnnviz.working import Pace

MISTAKE, INTERRUPTED, TERMINATED = 2, 130, 143

PROGRESS_SECONDS = 4.0
"""How often it is said how far something is where there is no terminal for a bar."""

# How often a bar moves, and after how many seconds it comes for what is mostly done at once.
_BAR_EVERY, _BAR_SECONDS = 0.1, 0.4


def say(words: str) -> None:
    """Write lines to stdout, now."""
    try:
        print("\n".join(map(plain, words.split("\n"))), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.EINVAL:  # what Windows says of a pipe that nobody reads any more
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        drop_output()
        raise CnnvizError(tr("The output could not be written ({reason}).", reason=error.strerror)) from error


def complain(sentence: str) -> None:
    """Write one sentence to stderr."""
    with suppress(OSError):  # then there is nowhere to say so
        print(f"cnnviz: {plain(sentence)}", file=sys.stderr, flush=True)


def drop_output() -> None:
    """Have no more written to stdout, where Python would try once more at its end."""
    with suppress(OSError, ValueError):  # it may be no stream of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def streams() -> Iterator[bool]:
    """Have stdout and stderr where there are none, as in a program without a console: they lead nowhere.

    Yields
    ------
    bool
        Whether what is written to stderr can be seen.
    """
    missing = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    if missing:
        _fill_numbers()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for name in missing:
            setattr(sys, name, nowhere)
        try:
            yield "stderr" not in missing
        finally:
            for name in missing:
                setattr(sys, name, None)


def _fill_numbers() -> None:
    """Have 0, 1 and 2 lead somewhere: what is opened next must not get them, for Qt may write to them."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def write_anything(*streams: Any) -> None:
    """Let a terminal that has no × show a ? instead."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class TerminatedError(BaseException):
    """The process was asked to end, by `timeout` or a shutdown."""


@contextmanager
def ended_politely() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that processes and half-written files are cleared away.

    A terminal that is closed asks for the same, by SIGHUP, which nohup has ignored.
    """

    def terminate(*_: object) -> None:
        raise TerminatedError

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    try:
        before = {number: signal.signal(number, terminate) for number in heard}
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def telling() -> Iterator[None]:
    """Show on stderr how far work is that says so itself, as opening does; in the ways of `progress`."""
    from cnnviz.working import heard_by

    terminal, shown = sys.stderr.isatty(), list[Any]()
    due = time.monotonic() + (_BAR_SECONDS if terminal else PROGRESS_SECONDS)

    def show(what: str, done: int, count: int) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        due = time.monotonic() + (_BAR_EVERY if terminal else PROGRESS_SECONDS)
        if not terminal:
            complain(tr("{what}, {share:.0%} …", what=what, share=done / max(count, 1)))
            return
        if not shown:
            from tqdm import tqdm

            shown.append(tqdm(leave=False, bar_format="{desc} {percentage:3.0f}% |{bar}|"))
        (bar,) = shown
        bar.desc, bar.total, bar.n = what, count, done
        bar.refresh()

    try:
        with heard_by(show):
            yield
    finally:
        for bar in shown:
            bar.close()


@contextmanager
def progress(count: int, unit: str, sentence: str) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far something is: by a bar on a terminal, by a line every few seconds anywhere else.

    Parameters
    ----------
    sentence : str
        The line, with ``{done}``, ``{count}`` and ``{left}``, how long it will take.

    Yields
    ------
    Callable
        To be called with how many are done.
    """
    from tqdm import tqdm

    terminal, told, pace = sys.stderr.isatty(), time.monotonic(), Pace()
    with tqdm(total=count, unit=unit, disable=not terminal, leave=False) as bar:

        def show(done: int) -> None:
            nonlocal told
            bar.update(done - bar.n)
            left = pace.left(done, count)
            if done and not terminal and time.monotonic() - told >= PROGRESS_SECONDS:
                complain(sentence.format(done=done, count=count, left=left))
                told = time.monotonic()

        yield show
