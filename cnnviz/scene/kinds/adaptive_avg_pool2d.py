"""Adaptive average-pooling: the window on the input, as large as its place asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import pooling
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import Back, Local
from cnnviz.text import tr


def _shares(back: Back) -> Local:
    call, made = back.forward.call, np.zeros(back.forward.call.own_shape("x"))
    for i, j in np.ndindex(*back.value("y").shape[1:]):
        top, left, high, wide = pooling.adaptive_window(call, i, j)
        cells = made[:, top : top + high, left : left + wide]
        np.maximum(cells, 1 / (high * wide), out=cells)
    return Local("→", made, tr("1 / count"))


KINDS: Mapping[str, Kind] = {
    "adaptive_avg_pool2d": pooling.of_windows(
        sentence="The maps are cut into as many windows as are wanted, of one size as far as they divide; "
        "each becomes its mean.",
        formula=listing_formulas,
        ahead="Each cell of `y` will be the sum of the `x` in its window, divided by how many they are.",
        picture=partial(pooling.forward, sized=False),
    ),
    "adaptive_avg_pool2d.dx": pooling.gradient(
        sentence="Every cell of the window had the same share in the mean, so each gets the same share "
        "of the gradient.",
        formula=listing_formulas,
        ahead="Every `dx` begins at 0; each `dy`, divided by how many cells its window has, will be added "
        "there.",
        local=_shares,
    ),
}
