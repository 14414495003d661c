"""Softmax: scores become probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024


def _matrix(back: Back) -> Local:
    y = back.value("y")
    if y.ndim == 3:
        return Local("·", NONE, tr("matrix {size} × {size} at each place", size=len(y)))
    if y.size > _LARGEST_MATRIX:
        return Local("·", NONE, tr("matrix {size} × {size}", size=y.size))
    return Local("·", np.diag(y) - np.outer(y, y), tr("matrix"))


KINDS: Mapping[str, Kind] = {
    "softmax": Kind(
        sentence="Scores become probabilities: take e to the power of each, then divide by the sum of them "
        "all.",
        formula=(
            r"\y{n} = \frac{\part{e}{e^{\x{n} - m}}}"
            r"{\sum_k \part{e}{e^{\x{k} - m}}}",
            r"m = \max_k\, \x{k}",
        ),
        variables={"n": "class"},
        picture=partial(outputs.picture, sums=True),
    ),
    "softmax.dx": Kind(
        title="gradient of the scores",
        sentence="Raising one score lowers the other probabilities, so each gradient has the weighted mean "
        "taken off.",
        formula=(r"\dx{n} = \y{n} \left(\dy{n} - \sum_k \dy{k}\; \y{k}\right)",),
        variables={"n": "class"},
        picture=outputs.picture,
        local=_matrix,
    ),
    "softmax.maps": Kind(
        sentence="At each place, the scores of the channels become probabilities: e to the power of each, "
        "over their sum.",
        formula=(
            r"\y{c,i,j} = \frac{\part{e}{e^{\x{c,i,j} - m_{i,j}}}}"
            r"{\sum_k \part{e}{e^{\x{k,i,j} - m_{i,j}}}}",
            r"m_{i,j} = \max_k\, \x{k,i,j}",
        ),
        ahead="Each place by itself: `e` to the power of each of its scores `x`, then `y`, its part of "
        "their sum.",
        variables=CELL,
    ),
    "softmax.dx.maps": Kind(
        title="gradient of the scores",
        sentence="At each place, raising one score lowers the other probabilities: their weighted mean is "
        "taken off.",
        formula=(r"\dx{c,i,j} = \y{c,i,j} \left(\dy{c,i,j} - \sum_k \dy{k,i,j}\; \y{k,i,j}\right)",),
        ahead="Each `dx` will be its `y`, times its `dy` less the mean of all `dy` at its place, weighted "
        "by `y`.",
        variables=CELL,
        local=_matrix,
    ),
}
