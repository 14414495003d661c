"""Images as PNG files, packed anew only where they changed: the frames of an export are much alike."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnviz.export.frames import Shown
from cnnviz.scene.theme import theme_of

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

_BAND = 16  # rows
_BEGINS, _ENDS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"


def picture(shown: Shown, index: int) -> QImage:
    """Paint the frame of a step."""
    from cnnviz.render.image import to_image
    from cnnviz.scene.frame import compose

    program, step, view = shown.scene(index)
    return to_image(compose(program, step, view), theme_of(view.display).name)


class Png:
    """Turns images into PNG files; of an image like the one before, only the rows that changed are packed.

    Bands of rows are packed each by itself (a full flush between them), so those of the last image can be
    used again where their pixels are the same. Any reader of PNG takes the whole for one stream.
    """

    suffix = ".png"

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step's frame."""
        return self.pack(picture(shown, index))

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file is a picture of this size, from its first byte to its last."""
        begin = file.read(len(_BEGINS) + 8)
        file.seek(-min(len(_ENDS), os.fstat(file.fileno()).st_size), os.SEEK_END)
        size = struct.pack(">II", int(shown.view.width), int(shown.view.height))
        return begin == _BEGINS + size and file.read() == _ENDS

    def pack(self, image: QImage) -> bytes:
        """Return an image as the bytes of a PNG file."""
        rows = self._rows(image)
        packed: dict[bytes, bytes] = {}
        stream = [b"\x78\x9c"]  # zlib's header: a window of 32 KB, packed as usual
        for start in range(0, len(rows), _BAND):
            band = rows[start : start + _BAND].tobytes()
            if band not in packed:
                packed[band] = self._packed.get(band) or _pack(band)
            stream.append(packed[band])
        self._packed = packed
        stream.append(b"\x03\x00" + struct.pack(">I", zlib.adler32(rows.data)))  # an empty last block
        size = struct.pack(">IIBBBBB", image.width(), image.height(), 8, 2, 0, 0, 0)  # 8 bits, RGB
        chunks = ((b"IHDR", size), (b"IDAT", b"".join(stream)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)

    def _rows(self, image: QImage) -> NDArray[np.uint8]:
        """Return the image's rows as PNG has them: red, green and blue after a byte that says no filter."""
        height, width = image.height(), image.width()
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine() // 4, 4)
        rows = np.zeros((height, 1 + 3 * width), np.uint8)
        rows[:, 1:] = pixels[:, :width, 2::-1].reshape(height, -1)
        return rows


def _pack(band: bytes) -> bytes:
    # Qt leaves the processor in a state in which zlib is two to three times slower, until NumPy has computed.
    np.add(np.zeros(16), 1)
    packer = zlib.compressobj(4, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(band) + packer.flush(zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
