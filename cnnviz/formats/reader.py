"""Opens a file of another program: what is damaged in it is told in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EFBIG
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, reason_of
from cnnviz.formats.bounds import LARGEST_FILE
from cnnviz.formats.graph import Graph
from cnnviz.text import short, tr

ENDINGS = (".onnx", ".pt2", ".pt", ".pth", ".safetensors", ".keras", ".h5", ".hdf5")
"""What files end in that can be opened here."""

_LONGEST_FAULT = 600


def is_readable(path: Path) -> bool:
    """Return whether a file's name says that it is one of another program."""
    return path.suffix.lower() in ENDINGS


def read(path: Path) -> Graph:
    """Read a file of another program.

    Parameters
    ----------
    path : pathlib.Path
        Its ending says what it is.

    Returns
    -------
    Graph
        What it holds: a graph with its arrays, or arrays alone.

    Raises
    ------
    CnnvizError
        If it cannot be read, is damaged, is too large, or holds what is not read.
    """
    if not is_readable(path):
        endings = ", ".join(ENDINGS)
        raise CnnvizError(
            tr("{file}: files of networks end in one of {endings}.", file=path.name, endings=endings)
        )
    try:
        data = memoryview(read_whole(path, LARGEST_FILE))
    except FileNotFoundError as error:
        raise CnnvizError(tr("{file}: there is no such file.", file=path)) from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == EFBIG:
            most = LARGEST_FILE >> 20
            raise CnnvizError(
                tr("{file} is larger than {most:,} MB, which is the most.", file=path.name, most=most)
            ) from error
        raise CnnvizError(
            tr("{file} cannot be read ({reason}).", file=path, reason=reason_of(error))
        ) from error
    with _told(path):
        return _reader(path)(data, path)


def _reader(path: Path) -> Callable[[memoryview, Path], Graph]:
    """Return what reads a file of this ending; it is imported when it is first used."""
    ending = path.suffix.lower()
    if ending == ".onnx":
        from cnnviz.formats.onnx import read_onnx

        return read_onnx
    if ending == ".safetensors":
        from cnnviz.formats.safetensors import read_safetensors

        return lambda data, _: read_safetensors(data)
    if ending in (".keras", ".h5", ".hdf5"):
        from cnnviz.formats.keras import read_keras

        return lambda data, _: read_keras(data)
    from cnnviz.formats.torch_files import read_torch

    return lambda data, _: read_torch(data)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it, long names cut; say of all else that it is damaged.

    There is no list of what readers of damaged files raise: RecursionError is one, struct.error another.
    """
    try:
        yield
    except CnnvizError as error:
        named = re.sub(r"\S{100,}", lambda found: short(found[0]), str(error).rstrip("."))
        fault = short(named, _LONGEST_FAULT)
        raise CnnvizError(tr("{file}: {fault}.", file=path.name, fault=fault)) from error
    except MemoryError as error:
        raise CnnvizError(tr("{file}: there is not enough memory for it.", file=path.name)) from error
    except Exception as error:
        raise CnnvizError(
            tr("{file} is damaged, or not what its ending says; save it again.", file=path.name)
        ) from error
