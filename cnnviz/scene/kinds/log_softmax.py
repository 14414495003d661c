"""Log-softmax: scores become logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

_picture = partial(outputs.picture, y="log-probability")
# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024


def _matrix(back: Back) -> Local:
    y = back.value("y")
    if y.ndim == 3:
        return Local("·", NONE, tr("matrix {size} × {size} at each place", size=len(y)))
    if y.size > _LARGEST_MATRIX:
        return Local("·", NONE, tr("matrix {size} × {size}", size=y.size))
    return Local("·", np.eye(y.size) - np.exp(y), tr("matrix"))


KINDS: Mapping[str, Kind] = {
    "log_softmax": Kind(
        sentence="Each score becomes the logarithm of its probability: log Σ eˣ is taken off each.",
        formula=(r"\y{n} = \x{n} - \log \sum_k e^{\x{k}}",),
        variables={"n": "class"},
        picture=_picture,
    ),
    "log_softmax.dx": Kind(
        title="gradient of the scores",
        sentence="Raising one score lowers all other outputs, in proportion to its probability.",
        formula=(r"\dx{n} = \dy{n} - e^{\y{n}} \sum_k \dy{k}",),
        variables={"n": "class"},
        picture=_picture,
        local=_matrix,
    ),
    "log_softmax.maps": Kind(
        sentence="At each place, the score of each channel becomes the logarithm of its probability there.",
        formula=(r"\y{c,i,j} = \x{c,i,j} - \log \sum_k e^{\x{k,i,j}}",),
        ahead="Each place by itself: its `x`, less the logarithm of the sum of e to the power of each.",
        variables=CELL,
    ),
    "log_softmax.dx.maps": Kind(
        title="gradient of the scores",
        sentence="At each place, raising one score lowers the other outputs, as its probability says.",
        formula=(r"\dx{c,i,j} = \dy{c,i,j} - e^{\y{c,i,j}} \sum_k \dy{k,i,j}",),
        ahead="Each `dx` will be its `dy`, less its probability times the sum of all `dy` at its place.",
        variables=CELL,
        local=_matrix,
    ),
}
