"""Reads and writes whole files: regular ones only, never a device, a pipe or a folder.

Those in a ``.cnnviz`` are read as all others are; see `cnnviz.packed`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cnnviz.errors import CnnvizError
from cnnviz.packed import entries, holder_of, read_entry
from cnnviz.text import tr

PART = re.compile(r"\..{1,40}\.[0-9a-f]{8}\.part", re.DOTALL)
"""What a file is called while it is being written, beside the one whose place it takes."""

# What Windows takes for devices, whatever ending is put behind it.
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
_DEVICES |= {f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"}

_LONGEST_NAME = 60

_STALE_SECONDS = 600
"""After so long, nobody can still be writing a file."""

_PATIENCE = 1.0
"""Seconds for which a file that takes another's place is refused before that is told."""


def write_whole(path: Path, content: bytes | memoryview, follow: bool = True) -> None:
    """Write a file so that at every moment there is the old one or the new one, whole.

    Parameters
    ----------
    follow : bool
        Whether a link is kept, and what it leads to is replaced; else it is refused as what is no file.

    Raises
    ------
    CnnvizError
        If it cannot be written; then nothing of it is left, and what was there is as it was.
    """
    try:
        path = Path(os.path.realpath(path)) if follow else path
        mode = _mode_to_keep(path)
        with _part_of(path) as (part, file):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if mode is not None:
                with suppress(OSError):  # a file system that has no modes
                    part.chmod(mode)
            _take_place(part, path)
        if follow:
            clear_left(path.parent, path.name)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        raise CnnvizError(
            tr(
                "{file} could not be written ({reason}); name another, or make room.",
                file=path,
                reason=reason_of(error),
            )
        ) from error


@contextmanager
def _part_of(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file beside one, and hold it; if it does not take that one's place, it goes."""
    part, file, lock = _new_part(path)
    try:
        yield part, file
    except BaseException:
        with suppress(OSError):  # what went wrong first is told
            file.close()
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _new_part(path: Path) -> tuple[Path, BinaryIO, int | None]:
    while True:
        part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
        file = part.open("xb")
        lock = os.dup(file.fileno())
        ours = _lock(lock)
        if ours:
            return part, file, lock
        os.close(lock)  # Windows replaces no file that is open
        if ours is None:
            return part, file, None
        file.close()  # it was taken for one that was left before it could be held


def clear_left(folder: Path, name: str | None = None) -> None:
    """Take away what processes that were killed while they wrote have left in a folder.

    Parameters
    ----------
    name : str, optional
        Of which file; else of all.
    """
    of = PART if name is None else re.compile(rf"\.{re.escape(name[:40])}\.[0-9a-f]{{8}}\.part")
    with suppress(OSError):
        for part in filter(of.fullmatch, os.listdir(folder)):
            with suppress(OSError):
                _clear(folder / part)


def _clear(part: Path) -> None:
    """Take a part away if nobody writes it: if it is not held, or is old where nothing can be held."""
    if not stat.S_ISREG(part.lstat().st_mode):
        return
    lock = os.open(part, os.O_RDWR)
    try:
        ours = _lock(lock)
        if ours:
            part.unlink()
    finally:
        os.close(lock)
    if ours is None and time.time() - part.stat().st_mtime > _STALE_SECONDS:
        part.unlink()


def _lock(handle: int) -> bool | None:
    """Return whether a part is held by this handle until it is closed; None where there are no such locks.

    The system drops them with their process. Windows has none, and some network file systems.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return os.fstat(handle).st_nlink > 0


def _take_place(part: Path, path: Path) -> None:
    """Let a file take the place of another, which a virus scanner of Windows may hold for a moment."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            os.replace(part, path)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.02)
        else:
            return


def _mode_to_keep(path: Path) -> int | None:
    """Return who may do what with a regular file that may be written to; None if there is nothing yet."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise CnnvizError(tr("{file} is not a file; name another.", file=path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode)


def read_whole(path: Path, most: int) -> bytes:
    """Read a regular file of at most so many bytes.

    Raises
    ------
    OSError
        If it is none, is longer, or cannot be read; `strerror` says why.
    """
    with open_regular(path) as file:
        # To read takes all the memory that is asked for: first what the file is said to have, then the rest.
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        content = file.read(min(most, size) + 1)
        while len(content) <= most and (more := file.read(min(most, 2**20) + 1)):
            content += more
    if len(content) > most:
        raise OSError(errno.EFBIG, tr("it is too long"), str(path))
    return content


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read it.

    Raises
    ------
    OSError
        If it is none, or cannot be read; `strerror` says why.
    """
    holder = holder_of(path)
    if holder is not None:
        with open_regular(holder) as archive:
            return io.BytesIO(read_entry(archive, path))
    # A pipe that nobody writes to would be waited for, and a terminal would become this process's.
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    )
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, tr("it is not a file"), str(path))
    return os.fdopen(handle, "rb")


def is_packed(path: Path) -> bool:
    """Return whether there is an entry of an archive at a path.

    Raises
    ------
    OSError
        If the archive cannot be read, or is broken; `strerror` says why.
    """
    holder = holder_of(path)
    if holder is None:
        return False
    with open_regular(holder) as archive:
        return path.name in entries(archive, holder.name)


def reason_of(error: Exception) -> str:
    """Return why something could not be read or written, as the system says it."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def is_reserved(name: str) -> bool:
    """Return whether Windows takes a file's name for that of a device."""
    return name.partition(".")[0].rstrip(" ").upper() in _DEVICES


def safe_name(name: str) -> str:
    """Return a name for a file or a folder that is one everywhere and leads nowhere: ``..`` gives ``__``."""
    kept = re.sub(r"[^\w. -]|^[. ]+|[. ]+$", lambda found: "_" * len(found[0]), name[:_LONGEST_NAME])
    return f"_{kept}" if not kept or is_reserved(kept) else kept


def set_aside(path: Path) -> Path:
    """Give a file another name, in the place of what was set aside before, and return it.

    Raises
    ------
    CnnvizError, OSError
        If it cannot be; then it is where it was.
    """
    aside = path.with_name(f"{path.name}.damaged")
    _mode_to_keep(aside)
    _take_place(path, aside)
    return aside
