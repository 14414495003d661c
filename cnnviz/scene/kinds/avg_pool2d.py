"""Average-pooling: each window becomes its mean."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Array
from cnnviz.engine.sequences import is_of_sequences
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import pooling
from cnnviz.scene.kinds.pooling import windows
from cnnviz.scene.local import Back, Local
from cnnviz.text import tr
from cnnviz.trace.windows import windows_of


def _shares(back: Back) -> Local:
    given, of_sequences = back.forward.call.given, is_of_sequences(back.forward.call)
    if given.keys().isdisjoint(("E", "E_h")):
        count = prod(windows_of(back.forward.call).kernel)
        return Local("→", windows(back, lambda _: 1 / count), f"1 / {count}")
    axes, shape = ("",) if of_sequences else ("_h", "_w"), back.value("y").shape[1:]
    counts = [_counted(given, along, count) for along, count in zip(axes, shape, strict=True)]
    cells = counts[0] if of_sequences else np.multiply.outer(*counts)
    return Local("→", windows(back, lambda _: 1 / cells), tr("1 / count"))


def _counted(given: Mapping[str, Any], along: str, count: int) -> Array:
    """Return how many rows, or columns, of each window count."""
    starts = given[f"S{along}"] * np.arange(count)
    counted = np.minimum(starts + given[f"K{along}"], given[f"E{along}"])
    return np.asarray(counted - np.maximum(starts, given.get(f"P{along}", 0)))


_FORWARD = pooling.of_windows(
    sentence="Each window is replaced by its mean.",
    formula=(r"\y{c,i,j} = \frac{1}{K_h K_w} \sum_{u,v} \,\x{c,\,iS_h+u,\,jS_w+v}",),
    ahead="Each cell of `y` will be the mean of its window: its {terms} cells of `x` added up, divided "
    "by {terms}.",
    ahead_of_one="Each cell of `y` will be the one cell of `x` in its window.",
)
_GRADIENT = pooling.gradient(
    sentence="Every cell of the window had the same share in the mean, so each gets the same "
    "share of the gradient.",
    formula=(r"\dx{c,\,iS_h+u,\,jS_w+v} \add \frac{1}{K_h K_w}\, \dy{c,i,j}",),
    ahead="Every `dx` begins at 0; each `dy`, divided by {terms}, will be added to every `dx` of its window.",
    local=_shares,
)

_OF_MAPS: Mapping[str, Kind] = {
    "avg_pool2d": _FORWARD,
    "avg_pool2d.dx": _GRADIENT,
    "avg_pool2d.counted": replace(
        _FORWARD,
        sentence="Each window is replaced by the mean of those of its cells that count.",
        ahead="Each cell of `y` will be the sum of the `x` in its window, divided by how many of them count.",
        ahead_of_one="",
    ),
    "avg_pool2d.dx.counted": replace(
        _GRADIENT,
        sentence="Every cell that counted had the same share in the mean, so each gets the same share of the "
        "gradient.",
        ahead="Every `dx` begins at 0; each `dy`, divided by how many cells of its window count, will be "
        "added there.",
        ahead_of_one="",
    ),
}

KINDS = {**_OF_MAPS, **{kind.replace("2d", "1d"): record for kind, record in _OF_MAPS.items()}}
