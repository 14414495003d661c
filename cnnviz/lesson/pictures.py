"""The pictures that a lesson file holds, read pixel by pixel, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnviz.engine.pixels import BRIGHTEST, Album, Picture
from cnnviz.lesson.files import wrong
from cnnviz.lesson.tables import PicturesFile
from cnnviz.lesson.values import shape_words
from cnnviz.text import tr

_MOST_PIXELS = 64  # a side


def build_album(path: Path, described: PicturesFile) -> Album:
    """Make the pictures that a file holds; all faults are told together.

    Raises
    ------
    CnnvizError
        If a picture is not height × width × depth, is too large, or holds what is no number of a pixel.
    """
    faults: list[str] = []
    taken: dict[str, int] = {}
    for k, part in enumerate(described.images):
        place, shape = f"images[{k}].pixels", part.pixels.shape
        if part.name in taken:
            said = tr("images[{k}].name: {name} is the name of images[{other}] already")
            faults.append(said.format(k=k, name=part.name, other=taken[part.name]))
        taken.setdefault(part.name, k)
        if len(shape) != 3 or shape[2] not in (1, 3):
            said = tr("{path}: must be height × width × depth, and 1 or 3 deep, but has the shape {shape}")
            faults.append(said.format(path=place, shape=shape_words(shape)))
        elif max(shape) > _MOST_PIXELS:
            said = tr("{path}: must have at most {most} pixels a side, but has the shape {shape}")
            faults.append(said.format(path=place, most=_MOST_PIXELS, shape=shape_words(shape)))
        odd = np.argwhere((part.pixels < 0) | (part.pixels > BRIGHTEST) | (part.pixels % 1 != 0))
        if len(odd):
            value, index = part.pixels[tuple(odd[0])], "".join(f"[{n}]" for n in odd[0])
            said = tr("{path}{index}: must be a whole number from 0 to 255, is {value}")
            faults.append(said.format(path=place, index=index, value=f"{value:g}"))
    if faults:
        raise wrong(path, faults)
    return Album(tuple(Picture(part.name, part.pixels) for part in described.images))
