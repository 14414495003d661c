"""A PNG file is the image that was packed, whatever was packed before."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage

from cnnviz.export import png as module
from cnnviz.export.png import Png


@pytest.mark.parametrize("deflate", [module.deflate, zlib])
@pytest.mark.parametrize("size", [(1, 1), (33, 17), (320, 180), (101, 16)])
def test_a_png_is_the_image_bit_by_bit(size, deflate, monkeypatch):
    monkeypatch.setattr(module, "deflate", deflate)
    rng, png = np.random.default_rng(0), Png()
    image = QImage(*size, QImage.Format.Format_RGB32)
    for _ in range(3):  # the second and third have rows of the one before
        x, y = (int(rng.integers(limit)) for limit in size)
        image.setPixel(x, y, int(rng.integers(2**24)))
        file = png.pack(image)
        assert QImage.fromData(file, "PNG").convertToFormat(image.format()) == image
        Image.open(io.BytesIO(file)).verify()  # checksums
        packed = file[file.index(b"IDAT") + 4 : -16]
        assert len(zlib.decompress(packed)) == size[1] * (1 + 3 * size[0])  # or the checksum is wrong
