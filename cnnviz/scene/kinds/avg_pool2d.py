"""Average-pooling: each window becomes its mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Array
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import pooling
from cnnviz.scene.kinds.pooling import windows
from cnnviz.scene.local import Back, Local
from cnnviz.text import tr


def _shares(back: Back) -> Local:
    given, sizes = back.forward.call.given, back.forward.sizes
    if "E_h" not in given:
        count = sizes["K_h"] * sizes["K_w"]
        return Local("→", windows(back, lambda _: 1 / count), f"1 / {count}")
    high, wide = back.value("y").shape[1:]
    rows, columns = _counted(given, "h", high), _counted(given, "w", wide)
    return Local("→", windows(back, lambda _: 1 / (rows[:, None] * columns)), tr("1 / count"))


def _counted(given: Mapping[str, Any], along: str, count: int) -> Array:
    """Return how many rows, or columns, of each window count."""
    starts = given[f"S_{along}"] * np.arange(count)
    counted = np.minimum(starts + given[f"K_{along}"], given[f"E_{along}"])
    return np.asarray(counted - np.maximum(starts, given.get(f"P_{along}", 0)))


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

KINDS: Mapping[str, Kind] = {
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
