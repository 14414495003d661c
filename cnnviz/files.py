"""Reads and writes whole files: regular ones only, never a device, a pipe or a folder."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.text import tr

PART = re.compile(r"\..{1,40}\.[0-9a-f]{8}\.part", re.DOTALL)
"""What a file is called while it is being written, beside the one whose place it takes."""


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that at every moment there is the old one or the new one, whole.

    A link is kept, and what it leads to is replaced.

    Raises
    ------
    CnnvizError
        If it cannot be written; then nothing of it is left, and what was there is as it was.
    """
    try:
        path = Path(os.path.realpath(path))
        part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
        _check_replaceable(path)
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
                reason=error.strerror or error,
            )
        ) from error


def _check_replaceable(path: Path) -> None:
    """Raise unless there is nothing of that name yet, or a regular file that may be written to."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind):
        raise CnnvizError(tr("{file} is not a file; name another.", file=path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def read_whole(path: Path, most: int) -> bytes:
    """Read a regular file of at most so many bytes.

    Raises
    ------
    OSError
        If it is none, is longer, or cannot be read; `strerror` says why.
    """
    # A pipe that nobody writes to would be waited for, and a terminal would become this process's.
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, tr("it is not a file"), str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, tr("it is too long"), str(path))
    return content
