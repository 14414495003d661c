"""What a network of another program is shown: arrays from files, or pictures, as the network has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.pixels import Fitting
from cnnviz.errors import CnnvizError
from cnnviz.lesson.arrays import read_array, read_arrays
from cnnviz.lesson.bounds import MOST_IMAGES
from cnnviz.lesson.picture_files import read_picture, takes_pictures
from cnnviz.lesson.values import PICTURES
from cnnviz.text import tr

Given = NDArray[Any] | Mapping[str, NDArray[Any]]
"""An array that goes in; of several inputs each by its name in the file."""

_NAMES = ("input", "x", "images", "image", "data", "arr_0")


def read_input(path: Path, sizes: Sequence[int | None], scale: float) -> NDArray[Any]:
    """Return samples, (N, …), from a file.

    Parameters
    ----------
    path : pathlib.Path
        A picture, .npy or .npz.
    sizes : Sequence[int or None]
        The shape that the network's file gives a sample, where it does.
    scale : float
        What the pixels of a picture are divided by.

    Raises
    ------
    CnnvizError
        If it cannot be read, or holds no sample.
    """
    if path.suffix.lower() not in (".npy", ".npz"):
        if path.suffix.lower() not in PICTURES:
            raise CnnvizError(
                tr(
                    "{file}: pictures end in one of {known}; numbers in .npy or .npz.",
                    file=path.name,
                    known=", ".join(PICTURES),
                )
            )
        return _picture(path, sizes, scale)[None]
    return as_samples(read_numbers(path, _NAMES), sizes, path.name)


def may_go_in(path: Path, shape: Sequence[int]) -> bool:
    """Return whether a file may go into an input of a shape: a picture into maps, else as many numbers.

    Raises
    ------
    CnnvizError
        If its numbers cannot be read.
    """
    if path.suffix.lower() not in (".npy", ".npz"):
        return takes_pictures(shape)
    return read_numbers(path, _NAMES).size % prod(shape) == 0


def read_numbers(path: Path, names: Sequence[str]) -> NDArray[Any]:
    """Return the array of a .npy file; of an .npz file, that of the first of some names, or the only one."""
    if path.suffix.lower() == ".npy":
        return read_array(path)
    if path.suffix.lower() != ".npz":
        raise CnnvizError(tr("{file}: numbers are read from .npy and .npz files.", file=path.name))
    arrays = read_arrays(path)
    name = next((name for name in names if name in arrays), "")
    if not name and len(arrays) != 1:
        there = ", ".join(arrays)[:200] or tr("nothing")
        raise CnnvizError(
            tr(
                "{file}: has {there}; call the one that is meant {name}.",
                file=path.name,
                there=there,
                name=names[0],
            )
        )
    return arrays[name] if name else next(iter(arrays.values()))


def as_samples(array: NDArray[Any], sizes: Sequence[int | None], name: str) -> NDArray[Any]:
    """Return an array as samples, (N, …): an axis is put before a single one."""
    if array.dtype.kind not in "biuf":
        raise CnnvizError(
            tr("{file}: must hold numbers, but holds {dtype}.", file=name, dtype=str(array.dtype)[:60])
        )
    rank = len(sizes) or (3 if array.ndim >= 3 else 1)
    samples = array[None] if array.ndim == rank else array
    if samples.ndim != rank + 1 or not 1 <= len(samples) <= MOST_IMAGES or 0 in samples.shape:
        shape = " × ".join(map(str, array.shape)) or tr("none")
        raise CnnvizError(
            tr(
                "{file}: has shape {shape}, but one sample has {rank} axes.",
                file=name,
                shape=shape,
                rank=rank,
            )
        )
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise CnnvizError(tr("{file}: holds NaN or infinity; all numbers must be finite.", file=name))
    return np.asarray(samples, np.float64)


def _picture(path: Path, sizes: Sequence[int | None], scale: float) -> NDArray[np.float64]:
    """Return a picture as the network's file has it: channels first or last, or grey without channels."""
    if len(sizes) == 2:
        height, width, channels, place = sizes[0], sizes[1], 1, -1
    elif len(sizes) in (0, 3):
        told = tuple(sizes) or (3, None, None)
        place = 2 if told[2] in (1, 3) and told[0] not in (1, 3) else 0
        channels = told[place] or 3
        height, width = (size for axis, size in enumerate(told) if axis != place)
    else:
        raise CnnvizError(tr("{file}: the network takes a column of numbers, no picture.", file=path.name))
    if channels not in (1, 3):
        raise CnnvizError(
            tr(
                "{file}: the network takes {count} channels; pictures have 1 or 3.",
                file=path.name,
                count=channels,
            )
        )
    size = (height, width) if height and width else None
    x = Fitting(scale=scale).of(read_picture(path, size).pixels, channels)
    return x[0] if place < 0 else x.transpose(1, 2, 0) if place == 2 else x
