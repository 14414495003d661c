"""Files that the program keeps for itself: pictures pasted or drawn, and what undoing may need again."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cnnviz.files import write_whole

_LONGEST = 30 * 24 * 3600.0
"""Seconds: what has not been touched for so long is in no window's hands, where there are no locks."""


class Kept:
    """A folder of such files. Who begins deletes those that nothing names any more.

    What can be undone names files of which only its own process knows: while any other is running, nothing
    is deleted. Each has a lock on the folder, which the system drops with it.

    Parameters
    ----------
    folder : Path
        Where they lie; it is made when there is something to be kept.
    names : Callable[[str], bool]
        Says whether what is remembered names a file.
    """

    def __init__(self, folder: Path, names: Callable[[str], bool]) -> None:
        self._folder, self._names = folder, names
        self._is_locked = False
        with suppress(OSError):  # there is none yet, or it cannot be read
            self._clear()

    def keep(self, content: bytes, kind: str, ending: str) -> Path:
        """Keep what a file is to hold, and return the file; of the same content there is one.

        Raises
        ------
        CnnvizError, OSError
            If it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._is_locked:
            self._lock()
        path = self._folder / f"{kind}-{sha256(content).hexdigest()[:12]}{ending}"
        write_whole(path, content)
        return path

    def _clear(self) -> None:
        files = list(self._folder.iterdir())
        handle = self._lock()
        alone = None if handle is None else _flock(handle, alone=True)
        if alone is False:
            return
        for file in files:
            may_go = alone or time.time() - file.stat().st_mtime > _LONGEST
            if may_go and not self._names(file.name):
                file.unlink()
        if handle is not None:
            _flock(handle)

    def _lock(self) -> int | None:
        """Lock the folder for as long as this is there; Windows opens no folders, and has no such locks."""
        try:
            handle = os.open(self._folder, os.O_RDONLY)
        except PermissionError:
            return None
        weakref.finalize(self, os.close, handle)
        self._is_locked = True
        _flock(handle)
        return handle


def _flock(handle: int, alone: bool = False) -> bool | None:
    """Take a lock, with others or alone, and return whether it was free; None without locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
