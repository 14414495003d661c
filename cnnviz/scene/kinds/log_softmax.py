"""Log-softmax: scores become logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.kinds.softmax import AXES, Over, matrices
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

_picture = partial(outputs.picture, y="log-probability")
# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024


def _matrix(back: Back) -> Local:
    y = back.value("y")
    if y.ndim == 3:
        return matrices(back)
    if y.size > _LARGEST_MATRIX:
        return Local("·", NONE, tr("matrix {size} × {size}", size=y.size))
    return Local("·", np.eye(y.size) - np.exp(y), tr("matrix"))


def _over(over: Over) -> Mapping[str, Kind]:
    """Return the records of maps, over one of their axes."""
    x, dy = (rf"\{name}{{{over.cell}}}" for name in ("x", "dy"))
    return {
        f"log_softmax.{over.end}": Kind(
            sentence=f"{over.where} each score becomes the logarithm of its probability there.",
            formula=(rf"\y{{c,i,j}} = \x{{c,i,j}} - \log \sum_k e^{{{x}}}",),
            ahead=f"{over.each} by itself: its `x`, less the logarithm of the sum of e to the power of each.",
            variables=CELL,
        ),
        f"log_softmax.dx.{over.end}": Kind(
            title="gradient of the scores",
            sentence=f"{over.where} raising one score lowers the other outputs, as its probability says.",
            formula=(rf"\dx{{c,i,j}} = \dy{{c,i,j}} - e^{{\y{{c,i,j}}}} \sum_k {dy}",),
            ahead="Each `dx` will be its `dy`, less its probability times the sum of all `dy` there.",
            variables=CELL,
            local=_matrix,
        ),
    }


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
    **{kind: record for over in AXES for kind, record in _over(over).items()},
}
