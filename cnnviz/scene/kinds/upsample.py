"""Upsample: maps grow, by repeated numbers or by means of neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr

_WORDS = {**CELL, "u": "row of the input", "v": "column of the input"}


def _blocks(back: Back) -> Local:
    return Local("→", np.ones_like(back.value("y")), tr("1 in its block"))


def _parts(_: Back) -> Local:
    return Local("→", NONE, tr("p and q"))


_kind = partial(Kind, formula=listing_formulas)
_nearest = partial(_kind, variables=CELL, compared=("x", "y"), added=True)
_nearest_dx = partial(
    _kind,
    title="gradient of the input",
    sentence="A number went into every cell of its block, so the gradients of the block are added up.",
    local=_blocks,
    compared=("dx", "dy"),
    added=True,
)

KINDS: Mapping[str, Kind] = {
    "upsample": _nearest(
        sentence="Every number is repeated: it fills a block of cells, as high and wide as the factors say.",
        ahead="Each cell of `y` will be the cell of `x` whose block it lies in.",
    ),
    "upsample.size": _nearest(
        sentence="Every cell is the number of the input that lies where it lies; so numbers fill blocks.",
        ahead="Each cell of `y` will be the cell of `x` that lies where it lies.",
    ),
    "upsample.dx": _nearest_dx(
        variables={**CELL, "u": "row in the block", "v": "column in the block"},
        ahead="Each `dx` will be the sum of the gradients `dy` of its block: {terms} of them.",
        ahead_of_one="Each `dx` will be the one `dy` of its block.",
    ),
    "upsample.dx.size": _nearest_dx(
        variables=CELL,
        ahead="Every `dx` begins at 0; each `dy` will be added to that of the number that its cell is.",
    ),
    "upsample.p": _kind(
        title="how much rows count",
        sentence="Each new row lies between two rows of the input: the nearer one is, the more it counts.",
        variables={"i": "row", "u": "row of the input"},
        ahead="Each row of `p` will be how much each row of the input counts in a new row: all but two of "
        "them 0.",
    ),
    "upsample.q": _kind(
        title="how much columns count",
        sentence="Each new column lies between two columns: the nearer one is, the more it counts.",
        variables={"j": "column", "v": "column of the input"},
        ahead="Each row of `q` will be how much each column of the input counts in a new one.",
    ),
    "upsample.bilinear": _kind(
        sentence="Each new cell is a mean of the numbers that it lies between: the nearest counts most.",
        variables=_WORDS,
        ahead="Each cell of `y` will be a sum of {terms} products, `p` times `q` times `x`; four of them, or "
        "fewer, are not 0.",
        ahead_of_one="Each cell of `y` will be the one product of `p`, `q` and `x`.",
        compared=("x", "y"),
    ),
    "upsample.dx.bilinear": _kind(
        title="gradient of the input",
        sentence="A number gets back the gradient of every cell that it went into, times its part in it.",
        variables={**CELL, "u": "row", "v": "column", "i": "row of the output", "j": "column of the output"},
        ahead="Each `dx` will be a sum of {terms} products, `p` times `q` times `dy`.",
        ahead_of_one="Each `dx` will be the one product of `p`, `q` and `dy`.",
        local=_parts,
        compared=("dx", "dy"),
    ),
}
