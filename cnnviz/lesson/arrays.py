"""Reads .npz files that nobody vouches for: no pickles, and no more memory than a file says it needs."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.text import tr

MOST_BYTES = 512 * 2**20
"""The most memory that the arrays of one file may take."""

_LONGEST_HEADER = 10_000  # what NumPy itself takes for safe
_HEAD = 16 + _LONGEST_HEADER

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    ValueError,  # what NumPy says of a header, and UnicodeDecodeError
    EOFError,
    KeyError,
    OSError,  # bz2 has no error of its own
    RuntimeError,  # an encrypted entry
    NotImplementedError,  # a compression that zipfile does not know
    SyntaxError,
    OverflowError,
)


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers from an .npz file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    names : Iterable[str], optional
        The arrays wanted; all of them where it is not given. One that is not there is left out.

    Raises
    ------
    CnnvizError
        If the file cannot be read, is no .npz file or a broken one, holds something that is not an
        array of numbers, or would take more memory than `MOST_BYTES`.
    """
    try:
        opened = path.open("rb")
    except OSError as error:
        raise CnnvizError(
            tr("{file} cannot be read ({reason}).", file=path.name, reason=error.strerror)
        ) from error
    with opened:
        try:
            archive = zipfile.ZipFile(opened)
        except _BROKEN as error:
            raise CnnvizError(
                tr("{file} is not an .npz file, or a broken one; save it again.", file=path.name)
            ) from error
        with archive:
            wanted = _wanted(archive, names)
            _check_memory(path, archive, wanted)
            return {name: _read(path, archive, name) for name in wanted}


def _wanted(archive: zipfile.ZipFile, names: Iterable[str] | None) -> list[str]:
    there = dict.fromkeys(entry[:-4] for entry in archive.namelist() if entry.endswith(".npy"))
    wanted = there if names is None else set(names)
    return [name for name in there if name in wanted]


def _check_memory(path: Path, archive: zipfile.ZipFile, names: Iterable[str]) -> None:
    """Read the headers alone, and refuse before any memory is taken."""
    total = 0
    for name in names:
        with _broken_named(path, name), archive.open(f"{name}.npy") as entry:
            shape, dtype = _header(entry)
            size = prod(shape) * dtype.itemsize
            if size > archive.getinfo(f"{name}.npy").file_size:
                raise EOFError
        if dtype.kind not in "biuf":
            raise CnnvizError(
                tr(
                    "{file}: {name} must hold numbers, but holds {dtype}.",
                    file=path.name,
                    name=name,
                    dtype=dtype,
                )
            )
        total += size
    if total > MOST_BYTES:
        raise CnnvizError(
            tr(
                "{file}: its arrays would take {size:,} MB of memory; {most} MB are the most.",
                file=path.name,
                size=total >> 20,
                most=MOST_BYTES >> 20,
            )
        )


def _header(entry: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an array's shape and type, and never more than a header may take."""
    head = io.BytesIO(entry.read(_HEAD))
    version = npy.read_magic(head)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(head, max_header_size=_LONGEST_HEADER)
    if any(size < 0 for size in shape):
        raise ValueError(f"a negative size in {shape}")
    return shape, dtype


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with _broken_named(path, name), archive.open(f"{name}.npy") as entry:
        array: NDArray[Any] = npy.read_array(entry, allow_pickle=False)
        if entry.read(1):  # at the end, the checksum is compared
            raise ValueError("more than the array")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(k) for k in np.argwhere(~np.isfinite(array))[0]]
        raise CnnvizError(
            tr(
                "{file}: {name}{place} is {value}, not a number to compute with.",
                file=path.name,
                name=name,
                place=place,
                value=float(array[tuple(place)]),
            )
        )
    return array


class _broken_named:  # noqa: N801 (it reads as the statement that it makes)
    """Turns whatever a broken entry makes zipfile and NumPy raise into a sentence that names it."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, MemoryError):
            raise CnnvizError(
                tr("{file}: there is not enough memory for {name}.", file=self.path.name, name=self.name)
            ) from error
        if isinstance(error, _BROKEN):
            raise CnnvizError(
                tr(
                    "{file}: {name} is broken, or not an array; save it again.",
                    file=self.path.name,
                    name=self.name,
                )
            ) from error
