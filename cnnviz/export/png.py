"""Images as PNG files, packed anew only where they changed: the frames of an export are much alike."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnviz.export.frames import Shown
from cnnviz.scene.theme import theme_of

try:
    from isal import isal_zlib as deflate
except ImportError:  # there is none for this processor
    import zlib as deflate  # type: ignore[no-redef]

if TYPE_CHECKING:
    from PIL.Image import Image
    from PySide6.QtGui import QImage

_ROWS = 16
"""How many rows a band has."""
_BEGINS, _ENDS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"


def picture(shown: Shown, index: int, on: QImage | None = None) -> QImage:
    """Paint the frame of a step, over an image that is wanted no more if there is one."""
    from cnnviz.render.image import to_image
    from cnnviz.scene.frame import compose

    program, step, view = shown.scene(index)
    return to_image(compose(program, step, view), theme_of(view.display).name, on=on)


def as_pillow(image: QImage) -> Image:
    """Return a painted image as Pillow has it."""
    from PIL import Image

    _kept, colours = _colours(image)
    return Image.fromarray(colours.reshape(image.height(), image.width(), -1).copy())


class Png:
    """Turns images into PNG files; of an image like the one before, only the rows that changed are packed.

    Bands of rows are packed each by itself (a full flush between them), so those of the last image can be
    used again where their pixels are the same. Any reader of PNG takes the whole for one stream.
    """

    suffix = ".png"

    def __init__(self) -> None:
        self._image: QImage | None = None
        self._spare: QImage | None = None
        self._bands: list[_Band] = []

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step's frame."""
        return self.pack(picture(shown, index, self._spare))

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file is a picture of this size, from its first byte to its last."""
        begin = file.read(len(_BEGINS) + 8)
        file.seek(-min(len(_ENDS), os.fstat(file.fileno()).st_size), os.SEEK_END)
        size = struct.pack(">II", int(shown.view.width), int(shown.view.height))
        return begin == _BEGINS + size and file.read() == _ENDS

    def pack(self, image: QImage) -> bytes:
        """Return an image as the bytes of a PNG file."""
        before, self._image = self._image, type(image)(image)  # which the painter of this one leaves
        self._spare = before
        height, width = image.height(), image.width()
        bands = range(0, height, _ROWS)
        same = _same_bands(image, before) if before is not None and before.size() == image.size() else ()
        # A band at a time: what is larger gets new memory each time, which takes as long as all else.
        self._bands = [
            self._bands[k] if same and same[k] else _packed(_rows(image, start))
            for k, start in enumerate(bands)
        ]
        checksum = 1
        for band in self._bands:
            checksum = _checksum_of_both(checksum, band)
        # zlib's header: a window of 32 KB, packed as usual; at the end an empty last block.
        stream = [b"\x78\x9c", *(band.packed for band in self._bands)]
        stream += [b"\x03\x00", struct.pack(">I", checksum)]
        colours = 6 if image.hasAlphaChannel() else 2  # RGBA, RGB
        size = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)  # of 8 bits each
        chunks = ((b"IHDR", size), (b"IDAT", b"".join(stream)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


class _Band(NamedTuple):
    """Some rows of an image, packed; how long they were, and their checksum."""

    packed: bytes
    length: int
    checksum: int


def _packed(rows: NDArray[np.uint8]) -> _Band:
    # Qt leaves the processor in a state in which packing is two to three times slower, until NumPy computes.
    np.add(np.zeros(16), 1)
    packer = deflate.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    return _Band(packed, rows.size, deflate.adler32(rows))


def _same_bands(image: QImage, before: QImage) -> list[bool]:
    """Return which bands of two images of one size have the same pixels."""
    now, then = _pixels(image), _pixels(before)
    equal = np.empty((_ROWS, now.shape[1]), bool)
    same = []
    for start in range(0, len(now), _ROWS):
        part = now[start : start + _ROWS]
        found = equal[: len(part)]
        np.equal(part, then[start : start + _ROWS], out=found)
        same.append(bool(found.all()))
    return same


def _pixels(image: QImage) -> NDArray[Any]:
    """Return an image's pixels, two by two where a row has as many: they are only compared."""
    kind = np.uint64 if image.width() % 2 == 0 else np.uint32
    return np.frombuffer(image.constBits(), kind).reshape(image.height(), -1)


def _colours(image: QImage) -> tuple[QImage, NDArray[np.uint8]]:
    """Return an image's red, green and blue, and what shows through it; they are Qt's own."""
    each, wanted = 3, image.Format.Format_RGB888
    if image.hasAlphaChannel():
        each, wanted = 4, image.Format.Format_RGBA8888
    made = image.convertToFormat(wanted)
    rows = np.frombuffer(made.constBits(), np.uint8).reshape(image.height(), -1)
    return made, rows[:, : each * image.width()]


def _rows(image: QImage, start: int) -> NDArray[np.uint8]:
    """Return a band of an image as PNG has it: colours after a byte that says no filter."""
    _kept, colours = _colours(image.copy(0, start, image.width(), min(_ROWS, image.height() - start)))
    rows = np.empty((len(colours), 1 + colours.shape[1]), np.uint8)
    rows[:, 0] = 0
    rows[:, 1:] = colours
    return rows


def _checksum_of_both(first: int, band: _Band) -> int:
    """Return the checksum of some bytes, of which it is known, and those of a band behind them.

    An Adler-32 is A + 2¹⁶ B, both modulo 65521: A is 1 and all bytes added up, B all values of A (RFC 1950).
    """
    a, b = first & 0xFFFF, first >> 16
    more, most = band.checksum & 0xFFFF, band.checksum >> 16
    return (a + more - 1) % 65521 | (b + most + band.length * (a - 1)) % 65521 << 16


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
