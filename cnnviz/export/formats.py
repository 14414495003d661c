"""What a format owes, and the formats that there are: a module each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from msgspec import Struct

from cnnviz.export.animation import write_apng, write_gif
from cnnviz.export.frames import Shown
from cnnviz.export.page import write_page
from cnnviz.export.pdf import write_pdf
from cnnviz.export.png import Png
from cnnviz.export.slides import write_pptx
from cnnviz.export.svg import Svg
from cnnviz.export.tex import Tex, Tikz
from cnnviz.export.video import write_mp4


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


class Document(Struct, frozen=True):
    """A kind of file that holds all frames.

    Attributes
    ----------
    suffix : str
        How the names of its files end, with the dot.
    write : Callable
        Takes what is shown and the steps, yields how many are in it as they get there, and returns the file.
    walks : bool
        Whether one goes about in it by levels, so that what is shown is a `Walk`.
    """

    suffix: str
    write: Callable[[Any, Sequence[int]], Generator[int, None, bytes]]
    walks: bool = False


FORMATS: Mapping[str, Callable[[], Format]] = {"png": Png, "svg": Svg, "tex": Tex, "tikz": Tikz}
DOCUMENTS: Mapping[str, Document] = {
    "html": Document(".html", write_page, walks=True),
    "pdf": Document(".pdf", write_pdf),
    "gif": Document(".gif", write_gif),
    "apng": Document(".png", write_apng),
    "pptx": Document(".pptx", write_pptx),
    "mp4": Document(".mp4", write_mp4),
}
