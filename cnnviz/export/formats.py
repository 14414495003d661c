"""What a format owes, and the formats that there are: a module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from cnnviz.export.frames import Shown
from cnnviz.export.png import Png


class Format(Protocol):
    """A kind of file that frames are written as, one a frame.

    Each process that writes frames has one of its own, so that it may keep what the next frame needs again.
    """

    @property
    def suffix(self) -> str:
        """How the names of its files end, with the dot."""
        ...

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step's frame."""
        ...

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file that is open at its beginning is a frame of this size, and not cut off."""
        ...


FORMATS: Mapping[str, Callable[[], Format]] = {"png": Png}
