"""Softmax: scores become probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024


def _matrix(back: Back) -> Local:
    y = back.value("y")
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
}
