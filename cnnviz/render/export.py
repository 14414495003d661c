"""Writes frames into a folder of numbered pictures: whole files only, and never two settings mixed.

A picture takes some 40 ms to paint, and painting holds Python's lock: many pictures are painted by
several processes. Nothing here knows of windows; whoever asks for frames counts them as they come.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level

if TYPE_CHECKING:
    from PySide6.QtGui import QGuiApplication, QImage

MANIFEST = "cnnviz-export.json"
"""The file that says what a folder's frames were made with."""

MOST_FRAMES = 1_000_000
SMALLEST, LARGEST = (320, 180), (7680, 4320)

_FRAMES_PER_PROCESS = 25  # a process takes a second to start
_BAND = 16  # rows
_STALE_SECONDS = 600


class Subject(Struct, frozen=True, eq=False):
    """What is shown in the frames.

    Attributes
    ----------
    program : Program
        Whose steps.
    title : str
        The lesson's.
    classes : tuple[str, ...]
        What the network's outputs are called.
    stops : tuple[Stop, ...]
        Where the lesson has something to say.
    """

    program: Program
    title: str = ""
    classes: tuple[str, ...] = ()
    stops: tuple[Stop, ...] = ()


class Look(Struct, frozen=True):
    """How frames are drawn.

    Attributes
    ----------
    width, height : int
        In pixels.
    theme : str
        ``light`` or ``dark``.
    letters : bool
        Whether names stand in place of numbers.
    """

    width: int = 1920
    height: int = 1080
    theme: str = "light"
    letters: bool = False

    def __post_init__(self) -> None:
        if not (SMALLEST[0] <= self.width <= LARGEST[0] and SMALLEST[1] <= self.height <= LARGEST[1]):
            raise CnnvizError(
                tr(
                    "A picture of {width} × {height} cannot be made; take a size from {small} to {large}.",
                    width=self.width,
                    height=self.height,
                    small=" × ".join(map(str, SMALLEST)),
                    large=" × ".join(map(str, LARGEST)),
                )
            )


def stops(program: Program, every: Level, first: int = 0, last: int | None = None) -> list[int]:
    """Return the steps to be shown: the first, and each stop of a level after it up to the last.

    Raises
    ------
    CnnvizError
        If the last is before the first, or there are more than `MOST_FRAMES`.
    """
    last = len(program) - 1 if last is None else last
    if last < first:
        raise CnnvizError(
            tr("The last step ({last}) is before the first ({first}); swap them.", last=last, first=first)
        )

    def walk() -> Iterator[int]:
        cursor = Cursor(program, first, every)
        yield first
        while cursor.index < len(program) - 1:
            cursor = cursor.next()
            if cursor.index > last:
                return
            yield cursor.index

    found = list(islice(walk(), MOST_FRAMES + 1))
    if len(found) > MOST_FRAMES:
        raise CnnvizError(
            tr(
                "There would be more than {most:,} frames; take fewer steps, or a level above {every}.",
                most=MOST_FRAMES,
                every=every.value,
            )
        )
    return found


def frame_name(program: Program, index: int) -> str:
    """Name a frame's file after its step: ``0012345-conv1-o0-i2-j3.png``. Names sort as the steps do."""
    step = program[index]
    variables, loops = step.variables, step.operation.loops_at(step.offset)
    places = [f"{loop.variable}{variables[loop.variable]}" for loop in loops]
    number = str(index).zfill(len(str(len(program) - 1)))
    return "-".join([number, step.operation.name, *places]) + ".png"


def export(
    make: Callable[[], Subject],
    folder: Path,
    steps: Sequence[int],
    look: Look,
    settings: Mapping[str, str],
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
    processes : int, optional
        How many paint; as many as there are cores and work for where it is not given.

    Raises
    ------
    CnnvizError
        If the folder holds frames that were made otherwise, or something cannot be written.
    """
    subject = make()
    names = {frame_name(subject.program, index): index for index in steps}
    _make_folder(folder)
    with _alone(folder) as alone:
        prepare(folder, names, manifest(subject, look, settings), alone)
        missing = [index for name, index in names.items() if not (folder / name).exists()]
        done = len(names) - len(missing)
        yield done
        processes = min(processes or _cores(), max(1, len(missing) // _FRAMES_PER_PROCESS))
        written = (
            _one_by_one(subject, folder, missing, look)
            if processes == 1
            else _side_by_side(make, folder, missing, look, processes)
        )
        for count in written:
            done += count
            yield done


# ---------------------------------------------------------------------------------------------- the folder


def manifest(subject: Subject, look: Look, settings: Mapping[str, str]) -> dict[str, str]:
    """Return all that decides what the frames of a folder look like."""
    return {
        **settings,
        "size": f"{look.width}x{look.height}",
        "theme": look.theme,
        "cells": "letters" if look.letters else "numbers",
        "content": _fingerprint(subject),
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise CnnvizError(tr("{folder} is not a folder; name another.", folder=folder)) from error
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> CnnvizError:
    return CnnvizError(
        tr(
            "{folder} cannot be used as a folder ({reason}); name another.",
            folder=folder,
            reason=error.strerror,
        )
    )


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Keep other exports out of a folder, and return whether that is known to hold.

    The lock is on the folder itself, so that none is left in it; the system drops it with its process.
    Windows and some network file systems have no such locks.

    Raises
    ------
    CnnvizError
        If another export is writing there.
    """
    try:
        import fcntl
    except ImportError:
        yield False
        return
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError as error:
            raise CnnvizError(
                tr(
                    "Another export is writing to {folder}; wait until it is done, or name another folder.",
                    folder=folder,
                )
            ) from error
        except OSError:
            alone = False
        yield alone
    finally:
        os.close(lock)


def prepare(folder: Path, names: Mapping[str, int], wanted: Mapping[str, str], alone: bool) -> None:
    """Make a folder ready to take frames: with its manifest, and without what a killed export left.

    Where another export may be at work, what it may be writing is left alone.

    Raises
    ------
    CnnvizError
        If it holds frames that were made otherwise, or cannot be read.
    """
    try:
        there = set(os.listdir(folder))
        for name in there:
            if name.startswith(".") and name.endswith(".part") and (alone or _stale(folder / name)):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    if MANIFEST in there:
        _check_manifest(folder, wanted)
    elif not there.isdisjoint(names):
        raise CnnvizError(
            tr(
                "{folder} holds pictures of the same names, but not {manifest}, which would say what they "
                "are; name another folder, or empty this one.",
                folder=folder,
                manifest=MANIFEST,
            )
        )
    else:
        write_whole(folder / MANIFEST, (json.dumps(wanted, indent=2) + "\n").encode())


def _stale(part: Path) -> bool:
    """Return whether nobody can still be writing a file, which takes a moment."""
    try:
        return time.time() - part.stat().st_mtime > _STALE_SECONDS
    except FileNotFoundError:
        return False


def _check_manifest(folder: Path, wanted: Mapping[str, str]) -> None:
    try:
        held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = None
    if not isinstance(held, dict):
        raise CnnvizError(
            tr(
                "{folder}: {manifest} cannot be read; name another folder, or empty this one.",
                folder=folder,
                manifest=MANIFEST,
            )
        )
    other = [key for key in wanted if held.get(key) != wanted[key]]
    if other:
        # A digest tells nobody anything, and with another lesson or image it differs anyway.
        told = [_difference(key, held.get(key), wanted[key]) for key in other if key != "content"]
        raise CnnvizError(
            tr(
                "{folder} holds frames that were made otherwise, and they would be mixed: {other}; "
                "name another folder, or empty this one.",
                folder=folder,
                other=", ".join(told) or tr("the lesson has been changed since"),
            )
        )


def _difference(key: str, held: object, wanted: str) -> str:
    """Say what a manifest holds under a key, and what is wanted now."""
    said = {
        "cnnviz": tr("they were made by cnnviz {held}, and this is {wanted}", held=held, wanted=wanted),
        "lesson": tr("they show the lesson {held}, not {wanted}", held=held, wanted=wanted),
        "image": tr("they show image {held}, not {wanted}", held=held, wanted=wanted),
        "input gradient": tr("their input gradient is {held}, not {wanted}", held=held, wanted=wanted),
        "iteration": tr("they show iteration {held}, not {wanted}", held=held, wanted=wanted),
        "every": tr("there is one for every {held}, not for every {wanted}", held=held, wanted=wanted),
        "from": tr("they begin at step {held}, not at {wanted}", held=held, wanted=wanted),
        "to": tr("they end at step {held}, not at {wanted}", held=held, wanted=wanted),
        "size": tr("they are {held} pixels large, not {wanted}", held=held, wanted=wanted),
        "theme": tr("they are {held}, not {wanted}", held=held, wanted=wanted),
        "cells": tr("their cells show {held}, not {wanted}", held=held, wanted=wanted),
    }
    return said.get(key) or f"{key}: {held}, {wanted}"


def _fingerprint(subject: Subject) -> str:
    """Return a digest of all that is computed, so that a lesson that was changed is noticed."""
    program = subject.program
    called = sorted(program.names.items()), sorted(program.symbols.items())
    told = subject.title, subject.classes, subject.stops, called
    digest = hashlib.sha256(repr(told).encode())
    for operation in subject.program.operations:
        call = operation.call
        digest.update(f"{operation.name} {operation.tree.source}".encode())
        for name, value in (*call.given.items(), *call.writes.items()):
            array = np.ascontiguousarray(value)
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that at every moment there is the old one or the new one, whole.

    Raises
    ------
    CnnvizError
        If it cannot be written; then nothing of it is left, and an old file is as it was.
    """
    path = Path(os.path.realpath(path))  # a link is kept, and what it leads to is replaced
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if path.exists() and not path.is_file():
            raise CnnvizError(tr("{file} is not a file; name another.", file=path))
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(13, os.strerror(13))
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise CnnvizError(
            tr(
                "{file} could not be written ({reason}); name another, or make room.",
                file=path,
                reason=error.strerror,
            )
        ) from error


# --------------------------------------------------------------------------------------------- the painting


def _one_by_one(subject: Subject, folder: Path, steps: Sequence[int], look: Look) -> Iterator[int]:
    _screenless()
    encode = Png()
    for index in steps:
        write_whole(folder / frame_name(subject.program, index), encode(picture(subject, index, look)))
        yield 1


def picture(subject: Subject, index: int, look: Look) -> QImage:
    """Paint the frame of a step."""
    from cnnviz.render.image import to_image
    from cnnviz.scene.frame import View, compose

    view = View(
        look.width,
        look.height,
        title=subject.title,
        classes=subject.classes,
        stops=subject.stops,
        letters=look.letters,
    )
    return to_image(compose(subject.program, index, view), look.theme)


@cache
def _screenless() -> QGuiApplication | None:
    """Start Qt without a screen, unless the program has started it already; text needs it."""
    from PySide6.QtGui import QGuiApplication

    return None if QGuiApplication.instance() else QGuiApplication([sys.argv[0], "-platform", "offscreen"])


class Png:
    """Turns images into PNG files; of an image like the one before, only the rows that changed are packed.

    Bands of rows are packed each by itself (a full flush between them), so those of the last image can be
    used again where their pixels are the same. Any reader of PNG takes the whole for one stream.
    """

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def __call__(self, image: QImage) -> bytes:
        """Return the bytes of a PNG file."""
        rows = self._rows(image)
        packed: dict[bytes, bytes] = {}
        stream = [b"\x78\x9c"]  # zlib's header: a window of 32 KB, packed as usual
        for start in range(0, len(rows), _BAND):
            band = rows[start : start + _BAND].tobytes()
            if band not in packed:
                packed[band] = self._packed.get(band) or _pack(band)
            stream.append(packed[band])
        self._packed = packed
        stream.append(b"\x03\x00" + struct.pack(">I", zlib.adler32(rows.data)))  # an empty last block
        size = struct.pack(">IIBBBBB", image.width(), image.height(), 8, 2, 0, 0, 0)  # 8 bits, RGB
        chunks = ((b"IHDR", size), (b"IDAT", b"".join(stream)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)

    def _rows(self, image: QImage) -> NDArray[np.uint8]:
        """Return the image's rows as PNG has them: red, green and blue after a byte that says no filter."""
        height, width = image.height(), image.width()
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine() // 4, 4)
        rows = np.zeros((height, 1 + 3 * width), np.uint8)
        rows[:, 1:] = pixels[:, :width, 2::-1].reshape(height, -1)
        return rows


def _pack(band: bytes) -> bytes:
    # Qt leaves the processor in a state in which zlib is two to three times slower, until NumPy has computed.
    np.add(np.zeros(16), 1)
    packer = zlib.compressobj(4, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(band) + packer.flush(zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# -------------------------------------------------------------------------------------------- the processes


def _side_by_side(
    make: Callable[[], Subject], folder: Path, steps: Sequence[int], look: Look, processes: int
) -> Iterator[int]:
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_start, initargs=(make, folder, look)
    )
    try:
        waiting: set[Future[None]] = set()
        for index in steps:
            with _no_interrupt():  # which a process that is being started would inherit
                waiting.add(pool.submit(_write, index))
            if len(waiting) >= 4 * processes:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield _finished(done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield _finished(done)
    except BrokenProcessPool as error:
        raise CnnvizError(
            tr("A process that painted frames was ended from outside; the same command goes on from there.")
        ) from error
    finally:
        with _no_interrupt():
            pool.shutdown(cancel_futures=True)  # and waits for the frames in work


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


_arguments: tuple[Callable[[], Subject], Path, Look]


def _start(make: Callable[[], Subject], folder: Path, look: Look) -> None:
    """Make this process one that paints. What can fail is left to its first frame, which reports it."""
    global _arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches every process; the first one answers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    _arguments = make, folder, look


@cache
def _kept() -> tuple[Subject, Png]:
    """Return what this process has for all of its frames."""
    _screenless()
    return _arguments[0](), Png()


def _end_with_parent() -> None:
    """End when the process that started this one was killed, which would else be waited for in vain."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _write(index: int) -> None:
    _, folder, look = _arguments
    subject, encode = _kept()
    write_whole(folder / frame_name(subject.program, index), encode(picture(subject, index, look)))


def _cores() -> int:
    """Return how many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
