"""What is drawn by hand: strokes as pixels, and these as a network that reads writing is shown them.

The network is shown what MNIST shows: the writing in a box of 20 × 20, its centre of mass in the middle of
28 × 28. Source: Y. LeCun and C. Cortes, "The MNIST Database of Handwritten Digits" (1998).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.layer import Array
from cnnviz.engine.logits import CrossEntropyWithLogits
from cnnviz.engine.losses import NLL
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import BRIGHTEST, Fitting

Pixels = NDArray[np.uint8]
Point = tuple[float, float]

SIDE = 280
"""The pixels of a side of what is drawn on."""

THIN, USUAL, THICK = 10.0, 18.0, 26.0
"""How wide a stroke is, in these."""

_MARGIN = 7
"""Of what the network sees, one part in seven is left free on each side: 4 of 28."""

_SMALL = 16


class Stroke(Struct, frozen=True):
    """One movement of the pen.

    Attributes
    ----------
    points : tuple[tuple[float, float], ...]
        Where it went, x and y, at least one.
    width : float
        How wide it is.
    erases : bool
        Whether it takes away.
    """

    points: tuple[Point, ...]
    width: float = USUAL
    erases: bool = False


def drawn(strokes: Sequence[Stroke]) -> Pixels:
    """Return strokes, each over those before it, as pixels: light on dark, (SIDE, SIDE)."""
    pixels: Pixels = np.zeros((SIDE, SIDE), np.uint8)
    for stroke in strokes:
        for start, end in zip(stroke.points, stroke.points[1:] or stroke.points, strict=False):
            draw_line(pixels, start, end, stroke.width, stroke.erases)
    return pixels


def draw_line(pixels: Pixels, start: Point, end: Point, width: float, erases: bool = False) -> None:
    """Draw a line with round ends into pixels; those on its edge are covered in part.

    What erases is a little wider, or it would leave the edge of what was as wide.
    """
    width += 2 * erases
    reach = width / 2 + 1
    left, right = (f(start[0], end[0]) for f in (min, max))
    top, bottom = (f(start[1], end[1]) for f in (min, max))
    rows = slice(max(0, int(top - reach)), max(0, int(bottom + reach) + 1))
    columns = slice(max(0, int(left - reach)), max(0, int(right + reach) + 1))
    part = pixels[rows, columns]
    if not part.size:
        return
    y = np.arange(rows.start, rows.start + part.shape[0])[:, None] + 0.5 - start[1]
    x = np.arange(columns.start, columns.start + part.shape[1]) + 0.5 - start[0]
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = along_x * along_x + along_y * along_y
    t = np.clip((x * along_x + y * along_y) / length, 0, 1) if length else 0.0
    distance = np.hypot(x - t * along_x, y - t * along_y)
    covered = np.round(BRIGHTEST * np.clip(width / 2 + 0.5 - distance, 0, 1)).astype(np.uint8)
    if erases:
        np.minimum(part, BRIGHTEST - covered, out=part)
    else:
        np.maximum(part, covered, out=part)


def centred(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return writing as MNIST has it, for a network that takes maps of a size; dark where there is none.

    What is drawn is brought into the inner five sevenths of the height and the width, as tall or as wide as
    these, and moved by whole pixels until its centre of mass is in the middle. Small maps are filled, as in
    the lesson `digits`.
    """
    from PIL import Image

    made: Pixels = np.zeros(size, np.uint8)
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return made
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = [side - 2 * (side // _MARGIN if side >= _SMALL else 0) for side in size]
    scale = min(box[0] / part.shape[0], box[1] / part.shape[1])
    high, wide = (max(1, round(side * scale)) for side in part.shape)
    shrunk = np.asarray(Image.fromarray(part).resize((wide, high), Image.Resampling.BILINEAR))
    mass = shrunk.sum(dtype=np.float64) or 1.0
    sums = shrunk.sum(axis=1, dtype=np.float64), shrunk.sum(axis=0, dtype=np.float64)
    middle = [(own * (np.arange(len(own)) + 0.5)).sum() / mass for own in sums]
    top, left = (
        min(max(round(side / 2 - at), 0), side - own)
        for side, at, own in zip(size, middle, shrunk.shape, strict=True)
    )
    made[top : top + high, left : left + wide] = shrunk
    return made


class Answer(Struct, frozen=True, eq=False):
    """What a network makes of what is drawn.

    Attributes
    ----------
    values : Array
        What it puts out, one number a class; empty where it puts out maps.
    are_probabilities : bool
        Whether they are probabilities.
    """

    values: Array
    are_probabilities: bool = False

    def best(self, count: int) -> list[int]:
        """Return the classes in their order, of many those with the largest values."""
        order = np.argsort(-self.values, kind="stable")[:count]
        return sorted(map(int, order))


def answer_to(pixels: Pixels, network: Network, fitting: Fitting) -> Answer:
    """Return what a network of one channel makes of pixels, (height, width)."""
    with np.errstate(all="ignore"):
        y = network.forward(fitting.of(as_shown(pixels, fitting)[:, :, None], 1)[None])[0]
    if y.ndim != 1:
        return Answer(np.zeros(0))
    with np.errstate(all="ignore"):
        if isinstance(network.loss, CrossEntropyWithLogits) and len(y) > 1:
            y = np.exp(y - y.max())
            y = y / y.sum()
        elif isinstance(network.loss, NLL):
            y = np.exp(y)
        is_whole = len(y) > 1 and bool((y >= 0).all() and abs(y.sum() - 1) < 1e-6)
    return Answer(np.asarray(y, np.float64), is_whole)


def widened(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return pixels with dark around them, so that they are the middle of a picture of a size."""
    made: Pixels = np.zeros(size, np.uint8)
    (high, wide), (top, left) = (
        pixels.shape,
        (round((a - b) / 2) for a, b in zip(size, pixels.shape, strict=True)),
    )
    made[top : top + high, left : left + wide] = pixels
    return made


def as_shown(pixels: Pixels, fitting: Fitting) -> Pixels:
    """Return pixels as a file has them: dark on light where light and dark change places then."""
    return BRIGHTEST - pixels if fitting.invert else pixels
