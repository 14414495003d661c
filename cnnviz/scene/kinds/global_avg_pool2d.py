"""Global average-pooling: each map becomes its mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.local import Back, Local


def _shares(back: Back) -> Local:
    x = back.value("x")
    count = x.shape[1] * x.shape[2]
    return Local("→", np.full(x.shape, 1 / count), f"1 / {count}")


KINDS: Mapping[str, Kind] = {
    "global_avg_pool2d": Kind(
        sentence="Each map is replaced by one number, the mean of all of it.",
        formula=(r"\y{c,0,0} = \frac{1}{H W} \sum_{i,j} \,\x{c,i,j}",),
        variables=CELL,
        ahead="Each cell of `y` will be the mean of a whole map: its {terms} cells of `x` added up, divided "
        "by {terms}.",
        ahead_of_one="Each cell of `y` will be the one cell of `x` in its map.",
        compared=("x", "y"),
    ),
    "global_avg_pool2d.dx": Kind(
        title="gradient of the input",
        sentence="Every cell of the map had the same share in the mean, so each gets the same share of the "
        "gradient.",
        formula=(r"\dx{c,i,j} = \frac{1}{H W}\, \dy{c,0,0}",),
        variables=CELL,
        ahead="Each `dx` will be the one `dy` of its map, divided by how many cells the map has.",
        local=_shares,
        compared=("dx", "dy"),
    ),
}
