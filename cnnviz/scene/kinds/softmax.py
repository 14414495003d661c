"""Softmax: scores become probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

# Of a larger matrix only the size is told: it has as many numbers as this squared.
_LARGEST_MATRIX = 1024


class Over(NamedTuple):
    """An axis of maps that softmax goes over: what it is, in words and in indices.

    Attributes
    ----------
    end : str
        What the kind of its calls ends with.
    where, each : str
        In which places it is done, and each of them.
    cell, others : str
        The indices of another number there, and of the place.
    """

    end: str
    where: str
    each: str
    cell: str
    others: str


AXES = (
    Over("maps", "At each place, over the channels,", "Each place", "k,i,j", "i,j"),
    Over("dim2", "In each column of each map", "Each column", "c,k,j", "c,j"),
    Over("dim3", "In each row of each map", "Each row", "c,i,k", "c,i"),
)


def matrices(back: Back) -> Local:
    """Return that of maps, which has a matrix for each place: only its size is told."""
    y, end = back.value("y"), back.forward.call.kind.rpartition(".")[2]
    axis = next((k for k, over in enumerate(AXES) if over.end == end), 0)
    return Local("·", NONE, tr("matrix {size} × {size} at each place", size=y.shape[axis]))


def _matrix(back: Back) -> Local:
    y = back.value("y")
    if y.ndim == 3:
        return matrices(back)
    if y.size > _LARGEST_MATRIX:
        return Local("·", NONE, tr("matrix {size} × {size}", size=y.size))
    return Local("·", np.diag(y) - np.outer(y, y), tr("matrix"))


def _over(over: Over) -> Mapping[str, Kind]:
    """Return the records of maps, over one of their axes."""
    x, y, dy = (rf"\{name}{{{over.cell}}}" for name in ("x", "y", "dy"))
    m = f"m_{{{over.others}}}"
    return {
        f"softmax.{over.end}": Kind(
            sentence=f"{over.where} scores become probabilities: e to the power of each, over their sum.",
            formula=(
                rf"\y{{c,i,j}} = \frac{{\part{{e}}{{e^{{\x{{c,i,j}} - {m}}}}}}}"
                rf"{{\sum_k \part{{e}}{{e^{{{x} - {m}}}}}}}",
                rf"{m} = \max_k\, {x}",
            ),
            ahead=f"{over.each} by itself: `e` to the power of each of its scores `x`, then `y`, its part of "
            "their sum.",
            variables=CELL,
        ),
        f"softmax.dx.{over.end}": Kind(
            title="gradient of the scores",
            sentence=f"{over.where} raising one score lowers the other probabilities.",
            formula=(rf"\dx{{c,i,j}} = \y{{c,i,j}} \left(\dy{{c,i,j}} - \sum_k {dy}\; {y}\right)",),
            ahead="Each `dx` will be its `y`, times its `dy` less the mean of all `dy` there, "
            "weighted by `y`.",
            variables=CELL,
            local=_matrix,
        ),
    }


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
    **{kind: record for over in AXES for kind, record in _over(over).items()},
}
