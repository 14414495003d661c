"""A folder of frames: the manifest that says what made them, the lock of one export, and whole files only."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.export.formats import Format
from cnnviz.export.frames import Shown
from cnnviz.files import clear_left, open_regular, read_whole, reason_of, write_whole
from cnnviz.scene.display import OPTIONS
from cnnviz.text import tr

MANIFEST = "cnnviz-export.json"
"""The file that says what a folder's frames were made with."""

_LONGEST_MANIFEST = 2**16
_LONGEST_SHOWN = 60
# Where no path through a graph is chosen, and no block was folded or unfolded.
_NEAREST, _FIRST = "nearest layer", "as at first"


def manifest(shown: Shown, settings: Mapping[str, str]) -> dict[str, str]:
    """Return all that decides what the frames of a folder look like."""
    return {
        **settings,
        "size": f"{shown.view.width:.0f}x{shown.view.height:.0f}",
        **shown.view.display.words,
        "through": " ".join(shown.view.paths) or _NEAREST,
        "folded": " ".join(f"{block}={folded:d}" for block, folded in shown.view.folds) or _FIRST,
        "content": _fingerprint(shown),
    }


def make_folder(folder: Path) -> None:
    """Make a folder, unless there is one.

    Raises
    ------
    CnnvizError
        If there cannot be one of that name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise CnnvizError(tr("{folder} is not a folder; name another.", folder=folder)) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: Exception) -> CnnvizError:
    return CnnvizError(
        tr(
            "{folder} cannot be used as a folder ({reason}); name another.",
            folder=folder,
            reason=reason_of(error),
        )
    )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other exports out of a folder, where the system has locks.

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
        yield
        return
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CnnvizError(
                tr(
                    "Another export is writing to {folder}; wait until it is done, or name another folder.",
                    folder=folder,
                )
            ) from error
        except OSError:
            pass  # there are none in this file system
        yield
    finally:
        os.close(lock)


def prepare(folder: Path, names: Mapping[str, int], wanted: Mapping[str, str]) -> None:
    """Make a folder ready to take frames: with its manifest, and without what a killed export left.

    Raises
    ------
    CnnvizError
        If it holds frames made with other settings, or cannot be read.
    """
    clear_left(folder)
    try:
        there = set(os.listdir(folder))
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
        write_whole(folder / MANIFEST, (json.dumps(wanted, indent=2) + "\n").encode(), follow=False)


def is_whole(path: Path, form: Format, shown: Shown) -> bool:
    """Return whether there is a whole frame of this format and size.

    Raises
    ------
    CnnvizError
        If there is something else of that name than a file: it is not ours to replace.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise CnnvizError(tr("{file} is not a picture; take it away, or name another folder.", file=path))
        with open_regular(path) as file:
            return form.is_whole(file, shown)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path.parent, error) from error


def _check_manifest(folder: Path, wanted: Mapping[str, str]) -> None:
    try:
        held = json.loads(read_whole(folder / MANIFEST, _LONGEST_MANIFEST))
    except (OSError, ValueError, RecursionError):
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
                "{folder} holds frames made with other settings, and they would be mixed: {other}; "
                "name another folder, or empty this one.",
                folder=folder,
                other=", ".join(told) or tr("the lesson has been changed since"),
            )
        )


def _difference(key: str, found: object, wanted: str) -> str:
    """Say what a manifest holds under a key, and what is wanted now."""
    held = found[:_LONGEST_SHOWN] if isinstance(found, str) else tr("not said")
    said = {
        "cnnviz": tr("they were made by cnnviz {held}, and this is {wanted}", held=held, wanted=wanted),
        "lesson": tr("they show the lesson {held}, not {wanted}", held=held, wanted=wanted),
        "image": tr("they show image {held}, not {wanted}", held=held, wanted=wanted),
        "input gradient": tr("their input gradient is {held}, not {wanted}", held=held, wanted=wanted),
        "iteration": tr("they show iteration {held}, not {wanted}", held=held, wanted=wanted),
        "every": tr("there is one for every {held}, not for every {wanted}", held=held, wanted=wanted),
        "from": tr("they begin at step {held}, not at {wanted}", held=held, wanted=wanted),
        "to": tr("they end at step {held}, not at {wanted}", held=held, wanted=wanted),
        "through": tr("their chain rule follows {held}, not {wanted}", held=tr(held), wanted=tr(wanted)),
        "folded": tr("other blocks of the network are folded in them"),
        "size": tr("they are {held} pixels large, not {wanted}", held=held, wanted=wanted),
    }
    if key in OPTIONS:
        what = tr(OPTIONS[key].title).lower()
        return tr("{what} {held}, not {wanted}", what=what, held=held, wanted=wanted)
    return said.get(key) or f"{key}: {held}, {wanted}"


def _fingerprint(shown: Shown) -> str:
    """Return a digest of all that is computed, so that a lesson that was changed is noticed."""
    program, view = shown.program, shown.view
    called = sorted(program.names.items()), sorted(program.symbols.items())
    told = view.title, view.classes, view.stops, called
    digest = hashlib.sha256(repr(told).encode())
    for operation in (operation for program in shown.programs() for operation in program.operations):
        call = operation.call
        digest.update(f"{operation.name} {operation.tree.source}".encode())
        for name, value in (*call.given.items(), *call.writes.items()):
            array = np.ascontiguousarray(value)
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.data)
    return digest.hexdigest()
