"""What the layers share that move numbers to the mean 0 and scale them to the variance 1."""

from __future__ import annotations

from math import prod

import numpy as np

from cnnviz.engine.layer import Array, Shape, require_known, shape_text
from cnnviz.engine.product import added
from cnnviz.errors import ShapeError
from cnnviz.text import tr


def require_channels(layer: str, shape: Shape, argument: str, count: int) -> Shape:
    """Return the shape of maps or of a column, or raise ShapeError because its channels do not fit."""
    found = require_known(layer, shape)
    if found[0] != count:
        raise ShapeError(
            tr(
                "{layer}: it normalises {count} channels, but {shape} comes in; "
                "set its {argument} to {found}.",
                layer=layer,
                count=count,
                shape=shape_text(shape),
                argument=argument,
                found=found[0],
            )
        )
    return found


def over_channels(values: Array, x: Array) -> Array:
    """Return a number for each channel so that it meets those of a batch."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def channels_of(values: Array) -> Array:
    """Return a row for each channel of a batch: all its numbers, sample by sample."""
    return np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)


def mean_of(rows: Array) -> Array:
    """Return the mean over the last axis of (N, groups, numbers), added up as the listings do."""
    total = added(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape[:-1])
    return np.asarray(total / rows.shape[-1])


def statistics(x: Array, groups: int) -> tuple[Array, Array]:
    """Return mean and variance, (N, groups), of equal parts of each sample, one after the other."""
    rows = x.reshape(len(x), groups, prod(x.shape[1:]) // groups)
    mean = mean_of(rows)
    return mean, mean_of((rows - mean[..., None]) ** 2)


def normalised(x: Array, mean: Array, var: Array, eps: float) -> Array:
    """Return the numbers of each group less their mean, divided by the root of their variance."""
    rows = x.reshape(*mean.shape, -1)
    return np.asarray((rows - mean[..., None]) / np.sqrt(var[..., None] + eps)).reshape(x.shape)


def input_gradient(g: Array, x: Array, mean: Array, var: Array, eps: float) -> Array:
    """Return ∂E/∂x from what comes back to the normalised numbers; mean and variance move with x."""
    rows, moved = g.reshape(*mean.shape, -1), x.reshape(*mean.shape, -1) - mean[..., None]
    count = rows.shape[-1]
    flat = (-1, count)
    a = added(rows.reshape(flat)).reshape(mean.shape)[..., None]
    b = added((rows * moved).reshape(flat)).reshape(mean.shape)[..., None]
    s = moved / (var[..., None] + eps)
    return np.asarray((rows - (a + s * b) / count) / np.sqrt(var[..., None] + eps)).reshape(x.shape)
