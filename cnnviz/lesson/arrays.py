"""Reads .npz files that nobody vouches for: no pickles, and no more memory than a file says it needs."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.files import open_regular, read_whole, reason_of
from cnnviz.lesson.bounds import MOST_BYTES
from cnnviz.packed import Sparing
from cnnviz.text import tr

_LONGEST_HEADER = 10_000  # what NumPy itself takes for safe
_HEAD = 16 + _LONGEST_HEADER
_LONGEST_TYPE = 60


class Header(NamedTuple):
    """What a file says of an array before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


Check = Callable[[Mapping[str, Header]], None]


def read_arrays(
    path: Path, names: Iterable[str] | None = None, check: Check | None = None
) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers from an .npz file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    names : Iterable[str], optional
        The arrays wanted; all of them where it is not given. One that is not there is left out.
    check : Callable, optional
        Called with the headers of those that are there; what it raises is raised before any numbers are read.

    Raises
    ------
    CnnvizError
        If the file cannot be read, is no .npz file or a broken one, holds something that is not an
        array of numbers, or would take more memory than `MOST_BYTES`.
    """
    with _archive(path) as archive:
        headers = _headers(path, archive, names)
        if check is not None:
            check(headers)
        return {name: _read(path, archive, name) for name in headers}


def array_names(path: Path) -> list[str]:
    """Return what the arrays of an .npz file are called, in order.

    Raises
    ------
    CnnvizError
        If the file cannot be read, is no .npz file or a broken one.
    """
    with _archive(path) as archive:
        return _wanted(archive, None)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an .npz file."""
    try:
        opened = open_regular(path)
    except (OSError, ValueError) as error:
        raise CnnvizError(
            tr("{file} cannot be read ({reason}).", file=path.name, reason=reason_of(error))
        ) from error
    with opened:
        with _broken(tr("{file} is not an .npz file, or a broken one; save it again.", file=path.name)):
            archive = zipfile.ZipFile(Sparing(opened))
        with archive:
            yield archive


def read_array(path: Path) -> NDArray[Any]:
    """Read the array of numbers of an .npy file.

    Raises
    ------
    CnnvizError
        If the file cannot be read, is broken, or holds something that is not an array of numbers.
    """
    try:
        content = read_whole(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        said = tr("{file} cannot be read ({reason}).", file=path.name, reason=reason_of(error))
        raise CnnvizError(said) from error
    with _broken(tr("{file} is broken, or not an .npy file; save it again.", file=path.name)):
        file = io.BytesIO(content)
        shape, dtype = _header(file)
        if prod(shape) * dtype.itemsize > len(content):
            raise EOFError
        _require_numbers(path, tr("the array"), dtype)
        file.seek(0)
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


@contextmanager
def _broken(sentence: str) -> Iterator[None]:
    """Say that something is broken, whatever zipfile and NumPy raise when they read it.

    There is no list of what that is: tokenize.TokenError is one, TypeError another.
    """
    try:
        yield
    except CnnvizError:
        raise
    except Exception as error:
        raise CnnvizError(sentence) from error


@contextmanager
def _entry(path: Path, archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open an entry; what is broken in it is told by its name."""
    with (
        _broken(tr("{file}: {name} is broken, or not an array; save it again.", file=path.name, name=name)),
        archive.open(f"{name}.npy") as entry,
    ):
        try:
            yield entry
        except MemoryError as error:
            said = tr("{file}: there is not enough memory for {name}.", file=path.name, name=name)
            raise CnnvizError(said) from error


def _wanted(archive: zipfile.ZipFile, names: Iterable[str] | None) -> list[str]:
    there = dict.fromkeys(entry[:-4] for entry in archive.namelist() if entry.endswith(".npy"))
    wanted = there if names is None else set(names)
    return [name for name in there if name in wanted]


def _headers(path: Path, archive: zipfile.ZipFile, names: Iterable[str] | None) -> dict[str, Header]:
    """Read the headers alone, and refuse before any memory is taken."""
    headers: dict[str, Header] = {}
    total = 0
    for name in _wanted(archive, names):
        with _entry(path, archive, name) as entry:
            shape, dtype = headers[name] = _header(entry)
            size = prod(shape) * dtype.itemsize
            if size > archive.getinfo(f"{name}.npy").file_size:
                raise EOFError
        _require_numbers(path, name, dtype)
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
    return headers


def _require_numbers(path: Path, name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        raise CnnvizError(
            tr(
                "{file}: {name} must hold numbers, but holds {dtype}.",
                file=path.name,
                name=name,
                dtype=str(dtype)[:_LONGEST_TYPE],
            )
        )


def _header(entry: IO[bytes]) -> Header:
    """Read an array's shape and type, and never more than a header may take."""
    head = io.BytesIO(entry.read(_HEAD))
    version = npy.read_magic(head)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python 2 wrote, and what Python thinks of it
        try:
            shape, _, dtype = read(head, max_header_size=_LONGEST_HEADER)
        except MemoryError as error:  # of Python's parser, over brackets without end
            raise ValueError("no header") from error
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"no sizes of axes: {shape}")
    return Header(shape, dtype)


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with _entry(path, archive, name) as entry, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array: NDArray[Any] = npy.read_array(entry, allow_pickle=False)
        if entry.read(1):  # at the end, the checksum is compared
            raise ValueError("more than the array")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(k) for k in np.argwhere(~np.isfinite(array))[0]]
        raise CnnvizError(
            tr(
                "{file}: {name}{place} is {value}; all numbers must be finite.",
                file=path.name,
                name=name,
                place=place,
                value=float(array[tuple(place)]),
            )
        )
    return array
