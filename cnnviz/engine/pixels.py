"""Pictures and how they are read: from height × width × depth, as files have them, into channels.

A picture holds whole numbers from 0 to 255, three for each pixel of a coloured one (red, green, blue: RGB)
and one for each pixel of a grey one. Networks are given the same numbers channel by channel, from 0 to 1.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import address_of
from cnnviz.engine.layer import Array, Call
from cnnviz.engine.tape import Tape

BRIGHTEST = 255
"""The largest number that a pixel has: one byte holds 0 to 255."""

# The listing, set as it is shown.
# fmt: off

def read_pixels(image, x, D, H, W):
    for c in range(D):
        for i in range(H):
            for j in range(W):
                x[c, i, j] = image[i, j, c] / 255

# fmt: on


class Picture(Struct, frozen=True, eq=False):
    """One picture.

    Attributes
    ----------
    name : str
        What the program calls it.
    pixels : Array
        (height, width, depth), from 0 to 255; the depth is 3 in colour and 1 in grey.
    """

    name: str
    pixels: Array


class Album(Struct, frozen=True, eq=False):
    """Pictures that are read one after the other: in one program.

    Attributes
    ----------
    pictures : tuple[Picture, ...]
        At least one.
    """

    pictures: tuple[Picture, ...]

    def run(self) -> Tape:
        """Read all pictures: ``rgb.image`` is (height, width, depth), ``rgb.x`` (depth, height, width)."""
        arrays: dict[str, Array] = {}
        for picture in self.pictures:
            arrays[address_of(picture.name, "image")] = picture.pixels
            arrays[address_of(picture.name, "x")] = np.ascontiguousarray(
                picture.pixels.transpose(2, 0, 1) / BRIGHTEST
            )
        return Tape(arrays)

    def calls(self, tape: Tape) -> list[Call]:
        """Return the listing with its arguments, for each picture."""
        found: list[Call] = []
        for picture in self.pictures:
            arrays, name = tape.of(picture.name), picture.name
            sizes = dict(zip("HWD", picture.pixels.shape, strict=True))
            given = {"image": arrays["image"], **sizes}
            found.append(
                Call(name, name, "forward", read_pixels, given, {"x": arrays["x"]}, kind="read_pixels")
            )
        return found
