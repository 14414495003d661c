"""Dropout: what its mask keeps is made larger; the gradient meets the same mask."""

from __future__ import annotations

from collections.abc import Mapping

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    return Local("·", as_row(back.value("mask") / (1 - back.value("p"))), tr("mask / (1 − p)"))


KINDS: Mapping[str, Kind] = {
    "dropout": Kind(
        sentence="In training, some numbers become 0, by lot; those that stay are divided by 1 − p.",
        formula=(r"\y{@} = \frac{\x{@}\; \part{mask}{\mathrm{mask}_{@}}}{1 - p}",),
        variables=CELL,
        ahead="Each cell of `y` will be `x`, times 0 or 1 of the `mask`, divided by 1 − p.",
        compared=("x", "y"),
    ),
    "dropout.dx": Kind(
        title="gradient of the input",
        sentence="The gradient meets the mask of the way forward: what was dropped gets none.",
        formula=(r"\dx{@} = \frac{\dy{@}\; \part{mask}{\mathrm{mask}_{@}}}{1 - p}",),
        variables=CELL,
        ahead="Each `dx` will be `dy`, times 0 or 1 of the same `mask`, divided by 1 − p.",
        local=_slope,
        compared=("dx", "dy"),
    ),
    "dropout.off": Kind(
        sentence="Outside training nothing is dropped: every number passes unchanged.",
        formula=(r"\y{@} = \x{@}",),
        variables=CELL,
        ahead="Each cell of `y` will be its cell of `x`.",
        compared=("x", "y"),
    ),
}
