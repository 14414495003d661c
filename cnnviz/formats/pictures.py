"""What reads pictures: this room has no such thing, whoever has one names it here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.text import tr

Reader = Callable[[Path, tuple[int, int] | None, int], NDArray[Any]]
"""Reads a file as (height, width, channels), 0 to 255, given the size or None, and 1 or 3 channels."""

_readers: list[Reader] = []


def use_pictures(reader: Reader) -> None:
    """Have pictures read so from then on."""
    _readers[:] = [reader]


def read_picture(path: Path, size: tuple[int, int] | None, channels: int) -> NDArray[Any]:
    """Read a picture as (height, width, channels), from 0 to 255.

    Parameters
    ----------
    size : tuple[int, int] or None
        The height and width that it is brought to; its own where it is None.
    channels : int
        1 of a grey picture, 3 of a coloured one.

    Raises
    ------
    CnnvizError
        If it cannot be read, or there is nothing here that reads pictures.
    """
    if not _readers:
        raise CnnvizError(
            tr(
                "{file}: pictures are read by the program alone; give an array, or a .npy file.",
                file=path.name,
            )
        )
    return _readers[0](path, size, channels)
