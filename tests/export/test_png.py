"""A PNG file is the image that was packed, whatever was packed before."""

import numpy as np
import pytest
from PySide6.QtGui import QImage

from cnnviz.export.png import Png


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (320, 180), (101, 16)])
def test_a_png_is_the_image_bit_by_bit(size):
    rng, png = np.random.default_rng(0), Png()
    image = QImage(*size, QImage.Format.Format_RGB32)
    for _ in range(3):  # the second and third have rows of the one before
        x, y = (int(rng.integers(limit)) for limit in size)
        image.setPixel(x, y, int(rng.integers(2**24)))
        read = QImage.fromData(png.pack(image), "PNG")
        assert read.convertToFormat(image.format()) == image
