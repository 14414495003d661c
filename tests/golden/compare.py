"""Compares a painted picture with a held one: blind to how letters are smoothed, not to what is where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from tests.render.ink import pixels

# Means over blocks of so many pixels are compared: another build of Qt smooths letters a little differently,
BLOCK = 3
# which moves a block's mean by less than this, of 255, or by more in a few blocks. (Qt 6.8 differs from 6.11
# in 14 of 57,600; a column of two cells moved by three pixels of the frame, in 26.)
NOISE = 14
FEW = 20


def differences(found: QImage, wanted: QImage) -> NDArray[np.bool_]:
    """Return which blocks of two pictures of one size differ."""
    apart = np.abs(_means(found) - _means(wanted)).max(axis=2)
    return np.asarray(apart > NOISE)


def alike(found: QImage, wanted: QImage) -> bool:
    """Return whether two pictures show the same."""
    return found.size() == wanted.size() and int(differences(found, wanted).sum()) <= FEW


def difference_picture(found: QImage, wanted: QImage) -> QImage:
    """Return the picture found, pale, with the blocks that differ in red."""
    if found.size() != wanted.size():
        return found.copy()
    pale = 255 - (255 - pixels(found).astype(int)) // 4
    where = np.kron(differences(found, wanted), np.ones((BLOCK, BLOCK), bool))
    rows, columns = where.shape
    pale[:rows, :columns][where] = (40, 20, 220, 255)
    pale = np.ascontiguousarray(pale.astype(np.uint8))
    height, width = pale.shape[:2]
    return QImage(pale.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def small(image: QImage) -> QImage:
    """Return a picture in 256 colours; itself, where that alone would make half of the difference allowed."""
    reduced = _in_few_colours(image)
    return reduced if differences(image, reduced).sum() <= FEW // 2 else image


def _in_few_colours(image: QImage) -> QImage:
    """Return a picture in 256 colours: its most frequent ones, and means of the others."""
    parts = pixels(image)
    height, width = parts.shape[:2]
    numbers, place, count = np.unique(parts.view(np.uint32)[..., 0], return_inverse=True, return_counts=True)
    colours = np.stack([numbers >> 16 & 255, numbers >> 8 & 255, numbers & 255], axis=-1).astype(float)
    order = np.argsort(-count, kind="stable")
    exact, rest, weight = colours[order[:128]], colours[order[128:]], count[order[128:], None]
    means = rest[np.linspace(0, len(rest) - 1, 128).astype(int)] if len(rest) else exact
    for _ in range(12):  # k-means
        nearest = _nearest(rest, means)
        sums, weights = np.zeros_like(means), np.zeros((len(means), 1))
        np.add.at(sums, nearest, rest * weight)
        np.add.at(weights, nearest, weight)
        means = np.where(weights > 0, sums / np.maximum(weights, 1), means)
    table = np.concatenate([exact, means.round()])
    indices = np.ascontiguousarray(_nearest(colours, table).astype(np.uint8)[place.reshape(height, width)])
    made = QImage(indices.data, width, height, width, QImage.Format.Format_Indexed8)
    made.setColorTable([0xFF000000 | int(r) << 16 | int(g) << 8 | int(b) for r, g, b in table])
    return made.copy()


def _nearest(colours: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.intp]:
    apart = (table**2).sum(axis=1) - 2 * colours @ table.T  # less the square of the colour, the same for all
    return np.asarray(apart.argmin(axis=1))


def _means(image: QImage) -> NDArray[np.float64]:
    parts = pixels(image)[:, :, :3]
    rows, columns = parts.shape[0] // BLOCK, parts.shape[1] // BLOCK
    blocks = parts[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns * BLOCK, 3)
    lines = blocks.sum(axis=1, dtype=np.uint16).reshape(rows, columns, BLOCK, 3)
    return np.asarray(lines.sum(axis=2, dtype=np.uint16) / BLOCK**2)
