"""Pictures and how they are read: from height × width × depth, as files have them, into channels.

A picture holds whole numbers from 0 to 255, three for each pixel of a coloured one (red, green, blue: RGB)
and one for each pixel of a grey one. Networks are given the same numbers channel by channel, from 0 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy import floor
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


def resize_columns(image, p, y, H, W, D, K, V, A, B, F):
    for i in range(H):
        for j in range(W):
            for c in range(D):
                acc = 0.0
                for k in range(K):
                    acc += p[j, k]*image[i, (j*A+B)//F+k, c] if (j*A+B)//F >= -k and (j*A+B)//F < V-k else 0
                y[i, j, c] = floor(acc + 0.5)


def resize_rows(image, p, y, H, W, D, K, V, A, B, F):
    for i in range(H):
        for j in range(W):
            for c in range(D):
                acc = 0.0
                for k in range(K):
                    acc += p[i, k]*image[(i*A+B)//F+k, j, c] if (i*A+B)//F >= -k and (i*A+B)//F < V-k else 0
                y[i, j, c] = floor(acc + 0.5)

# fmt: on

_PRECISION = 2**22
"""Weights are whole numbers of such parts, so that sums are the same in any order: as Pillow has them."""

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


class Resizing(Struct, frozen=True, eq=False):
    """Rows or columns of a picture brought to another number: each new one is a mean of those that it covers.

    The nearer a pixel lies to the middle, the more it counts (bilinear, antialiased). Where a picture is cut,
    only the part that is left is computed; where bars are put beside it, nothing counts there.

    Attributes
    ----------
    along : str
        ``columns`` or ``rows``.
    image : NDArray
        (height, width, depth), from 0 to 255.
    weight : Array
        How much each pixel counts: a row for each new column, or row.
    starts : tuple[int, int, int]
        A, B and F: pixels count from (j·A + B) // F on, as far as there are any.
    y : Array
        What comes of it, whole numbers again.
    """

    along: str
    image: NDArray[Any]
    weight: Array
    starts: tuple[int, int, int]
    y: Array

    def call(self, name: str, last: bool) -> Call:
        """Return the listing; what the last one writes is what pixels are read from."""
        (height, width, depth), count = self.y.shape, self.weight.shape[1]
        given: dict[str, Value] = {"image": self.image, "p": self.weight}
        written = address_of(name, "image" if last else self.along)
        rows = address_of(name, "columns" if self.along == "rows" else "rows")
        is_first = self.image.dtype == np.uint8
        ports = {
            "image": Port(address_of(name, "picture") if is_first else rows, "source", "image"),
            "p": Port(address_of(name, f"{self.along}_weight"), "parameter", "p"),
            "y": Port(written, "result", "y"),
        }
        listing = resize_columns if self.along == "columns" else resize_rows
        there = self.image.shape[int(self.along == "columns")]
        sizes = {"H": height, "W": width, "D": depth, "K": count, "V": there}
        given |= sizes | dict(zip("ABF", self.starts, strict=True))
        own, kind = f"{name}.{self.along}", f"resize_{self.along}"
        return Call(own, name, "forward", listing, given, {"y": self.y}, ports=ports, kind=kind)


def resized(image: NDArray[Any], along: str, full: int, offset: int, count: int) -> Resizing:
    """Bring rows or columns to another number, and cut some out of them.

    Parameters
    ----------
    along : str
        ``columns`` or ``rows``.
    full : int
        To how many they are brought.
    offset, count : int
        Which of these are left: so many from this one on. Those that there are not are black.
    """
    axis = int(along == "columns")
    size = image.shape[axis]
    scale = size / full
    reach = max(scale, 1.0)
    place = np.arange(offset, offset + count)
    middle = (place + 0.5) * scale
    low = np.clip(np.trunc(middle - reach + 0.5), 0, size).astype(np.intp)
    high = np.clip(np.trunc(middle + reach + 0.5), 0, size).astype(np.intp)
    is_there = (place >= 0) & (place < full)
    # Of ⌊middle − reach + 1/2⌋, as whole numbers.
    slope, unit = 2 * size, 2 * full
    begin = (2 * offset - 1) * size + full if scale > 1 else (2 * offset + 1) * size - full
    first = (np.arange(count) * slope + begin) // unit
    most = max(1, int((high - first)[is_there].max(initial=1)))
    k = first[:, None] + np.arange(most)
    counts = (k >= low[:, None]) & (k < high[:, None]) & is_there[:, None]
    near = np.where(counts, np.maximum(1 - np.abs((k - middle[:, None] + 0.5) * (1 / reach)), 0), 0)
    total = np.add.accumulate(near, axis=1)[:, -1:]
    parts = np.floor(near / np.where(total, total, 1) * _PRECISION + 0.5).astype(np.int32)
    shape = tuple(count if k == axis else side for k, side in enumerate(image.shape))
    summed = np.full(shape, _PRECISION // 2, np.int32)  # 255 · 2²² and a half are less than 2³¹
    pixels = image.astype(np.uint8, copy=False)
    for part, at in zip(parts.T, np.clip(k, 0, size - 1).T, strict=True):
        summed += part.reshape((-1, 1, 1) if axis == 0 else (-1, 1)) * np.take(pixels, at, axis)
    y = (summed >> 22).astype(np.float64)
    return Resizing(along, image, parts / _PRECISION, (slope, begin, unit), y)


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
