"""A layer's kernels before training and now, one above the other, so that one sees what it changed."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.scene.marks import Box, Cells, Mark, label
from cnnviz.scene.numbers import brief, count
from cnnviz.text import tr

_MOST_SHOWN = 8


def kernels(layer: str, first: Array, now: Array, iteration: int, box: Box, size: float) -> list[Mark]:
    """Draw the weights of a layer as heatmaps of one scale, as they were drawn and at an iteration.

    Parameters
    ----------
    layer : str
        Its name.
    first, now : Array
        Its weights: kernels (C_out, C_in, K_h, K_w), of which the first channel is shown, or one grid of
        weights (inputs, neurons).
    iteration : int
        The one that `now` belongs to.
    size : float
        Of the text, in pixels.
    """
    limit = float(max(abs(first).max(), abs(now).max())) or 1.0
    title = tr("Kernels of {layer}", layer=layer) if now.ndim == 4 else tr("Weights of {layer}", layer=layer)
    if now.ndim == 4 and now.shape[1] > 1:
        title = tr("{title}, channel 0", title=title)
    if now.ndim == 4 and len(now) > _MOST_SHOWN:
        title = tr("{title}, the first {shown}", title=title, shown=_MOST_SHOWN)
    scale = tr("scale: −{limit} to {limit}", limit=brief(float(f"{limit:.2g}")))
    head, line = 1.7 * size, 1.5 * size
    marks: list[Mark] = [
        label(Box(box.x, box.y, box.w * 0.62, head), title, size, bold=True),
        label(
            Box(box.x + box.w * 0.62, box.y, box.w * 0.38, head),
            scale,
            size,
            "muted",
            align="right",
            once=True,
        ),
    ]
    below = box.below(head)
    rows = ((first, tr("iteration 0")), (now, tr("iteration {t}", t=count(iteration))))
    for k, (weights, said) in enumerate(rows):
        part = Box(below.x, below.y + k * below.h / 2, below.w, below.h / 2)
        marks.append(label(part.top(line), said, size, "muted", once=True))
        marks += _tiles(_grids(weights), limit, part.below(line).inset(0, 1))
    return marks


def _grids(weights: Array) -> list[Array]:
    if weights.ndim == 4:
        return [np.asarray(kernel[0]) for kernel in weights[:_MOST_SHOWN]]
    return [np.asarray(weights.T)]


def _tiles(grids: list[Array], limit: float, box: Box) -> list[Mark]:
    """Lay grids out beside each other, as large as they fit."""
    rows, columns = grids[0].shape
    gap = box.h / 8
    side = min(box.h / rows, (box.w - gap * (len(grids) - 1)) / (columns * len(grids)))
    ruled = side >= 5
    return [
        Cells(
            Box(box.x + k * (columns * side + gap), box.y, columns * side, rows * side),
            grid,
            limit=limit,
            lines=ruled,
        )
        for k, grid in enumerate(grids)
    ]
