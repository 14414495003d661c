"""Pictures and how they are read: from height × width × depth, as files have them, into channels.

A picture holds whole numbers from 0 to 255, three for each pixel of a coloured one (red, green, blue: RGB)
and one for each pixel of a grey one. Networks are given the same numbers channel by channel, from 0 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import address_of, output_of
from cnnviz.engine.generated import variant
from cnnviz.engine.layer import Array, Call, Listing, Value
from cnnviz.engine.port import Port
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

LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue count in grey: as Pillow, PyTorch and television have it (ITU-R 601)."""


def each_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Return a number for each channel: those given, or else the first of them for all."""
    return values if len(values) == channels else values[:1] * channels


class Fitting(Struct, frozen=True):
    """How the pixels of a picture become what a network takes: (pixel / scale − mean) / std.

    Attributes
    ----------
    order : str
        ``rgb`` or ``bgr``: which colour is the first channel.
    scale : float
        What a pixel is divided by: 255 for numbers from 0 to 1, and 1 for those from 0 to 255.
    mean, std : tuple[float, ...]
        One number for all channels, or one for each.
    invert : bool
        Whether light and dark change places first: networks that read writing take it light on dark.
    """

    order: str = "rgb"
    scale: float = float(BRIGHTEST)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    invert: bool = False

    def of(self, pixels: NDArray[Any], channels: int) -> NDArray[np.float64]:
        """Return pixels, (height, width, depth), as a network of 1 or 3 channels takes them."""
        depth = pixels.shape[2]
        x: NDArray[np.float64] = np.asarray(pixels, np.float64).transpose(2, 0, 1)
        if channels < depth:
            x = (LUMA[0] * x[0] + LUMA[1] * x[1] + LUMA[2] * x[2])[None]
        elif channels > depth:
            x = np.repeat(x, channels, axis=0)
        elif self.order == "bgr":
            x = x[::-1]
        x = BRIGHTEST - x if self.invert else x
        x = x if self.scale == 1 else x / self.scale
        if any(self.mean):
            x = x - np.reshape(each_channel(self.mean, channels), (-1, 1, 1))
        if any(value != 1 for value in self.std):
            x = x / np.reshape(each_channel(self.std, channels), (-1, 1, 1))
        return np.ascontiguousarray(x)

    def call(self, name: str, pixels: NDArray[Any], x: Array) -> Call:
        """Return the listing that makes an input of a network of pixels: it is called as that is."""
        (channels, height, width), depth = x.shape, pixels.shape[2]
        given: dict[str, Value] = {"image": np.asarray(pixels, np.float64)}
        listing = self._listing(channels, depth)
        more = {
            "luma": np.array(LUMA),
            "mean": np.array(each_channel(self.mean, channels)),
            "std": np.array(each_channel(self.std, channels)),
            "C": channels,
            "D": depth,
            "H": height,
            "W": width,
        }
        named = listing.__code__.co_varnames
        given |= {own: value for own, value in more.items() if own in named}
        return Call(
            name,
            name,
            "forward",
            listing,
            given,
            {"x": x},
            ports={
                **{own: Port(address_of(name, own), "source", own) for own in given if not own.isupper()},
                "x": Port(output_of(name), "result", "x"),
            },
            kind="read_pixels" if listing is read_pixels else "fit_pixels",
        )

    def _listing(self, channels: int, depth: int) -> Listing:
        """Return `read_pixels`, changed as far as more is to be done."""
        usual, pixel, before = "image[i, j, c]", "image[i, j, c]", ""
        if channels < depth:
            before = (
                "acc = 0.0\n                for k in range(D):\n"
                "                    acc += luma[k] * image[i, j, k]\n                "
            )
            pixel = "acc"
        elif channels > depth:
            pixel = "image[i, j, 0]"
        elif self.order == "bgr" and depth > 1:
            pixel = "image[i, j, D - 1 - c]"
        line = f"{BRIGHTEST} - {pixel}" if self.invert else pixel
        if self.scale != 1:
            line = f"({line})" if self.invert else line
            line += f" / {self.scale:.17g}"
        if any(self.mean):
            line += " - mean[c]"
        if any(value != 1 for value in self.std):
            line = (
                f"({line}) / std[c]"
                if any(self.mean) or (self.invert and self.scale == 1)
                else f"{line} / std[c]"
            )
        changes = {f"{usual} / {BRIGHTEST}": line}
        if before:
            changes["x[c, i, j] ="] = f"{before}x[c, i, j] ="
        if channels != depth:
            changes["range(D):\n        for i"] = "range(C):\n        for i"
        return variant(read_pixels, changes, "luma", "mean", "std", "C", "D")


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
