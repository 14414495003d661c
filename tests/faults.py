"""A disk on which the n-th write fails: whatever changes files under a folder is counted."""

import builtins
import errno
import io
import os
import shutil
import zipfile
from contextlib import contextmanager
from unittest import mock

CALLS = ("fsync", "replace", "rename", "chmod", "mkdir", "link")
"""What of `os` changes a disk, besides opening to write, writing, flushing and closing.

What takes files away is not among it: it is what makes good when another write has failed.
"""


def files_in(folder):
    """Return what is in the files below a folder; of a zip archive its entries, which bear the hour."""
    return {path.relative_to(folder): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path):
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


VANISHED = 0
"""In place of an error: the folder goes away, with all that is in it, and no write fails by itself."""


class Disk:
    """Counts the writes under a folder.

    Attributes
    ----------
    writes : list[str]
        What was done, in order.
    """

    def __init__(self, folder, failing, reason):
        self.folder, self.failing, self.reason = os.path.realpath(folder), failing, reason
        self.writes = []

    def holds(self, path):
        if not isinstance(path, str | os.PathLike):
            return True  # a handle: it was opened by the one who writes
        return os.path.realpath(path).startswith(self.folder)

    def write(self, what):
        """Count a write, and let it fail if it is its turn."""
        self.writes.append(what)
        if len(self.writes) != self.failing:
            return
        if self.reason == VANISHED:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            raise OSError(self.reason, os.strerror(self.reason))


class File:
    """A file that is written to on such a disk; of what cannot be written, half is."""

    def __init__(self, file, disk):
        self._file, self._disk = file, disk

    def write(self, content):
        try:
            self._disk.write("write")
        except OSError:
            self._file.write(content[: len(content) // 2])
            raise
        return self._file.write(content)

    def flush(self):
        self._disk.write("flush")
        self._file.flush()

    def close(self):
        if not self._file.closed:
            self._file.close()
            self._disk.write("close")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


@contextmanager
def disk(folder, failing=0, reason=errno.ENOSPC):
    """Let the n-th write under a folder fail, from 1; none where it is 0."""
    made = Disk(folder, failing, reason)
    opened = builtins.open

    def open_counted(path, mode="r", *arguments, **settings):
        if set(mode).isdisjoint("wxa+") or path == os.devnull:
            return opened(path, mode, *arguments, **settings)
        assert made.holds(path), f"{path} is written, too"
        made.write("open")
        return File(opened(path, mode, *arguments, **settings), made)

    def counted(name):
        call = getattr(os, name)

        def count(path, *arguments, **settings):
            assert made.holds(path), f"{path} is written, too"
            made.write(name)
            return call(path, *arguments, **settings)

        return count

    with (
        mock.patch.object(builtins, "open", open_counted),
        mock.patch.object(io, "open", open_counted),
        mock.patch.multiple(os, **{name: counted(name) for name in CALLS}),
    ):
        yield made
