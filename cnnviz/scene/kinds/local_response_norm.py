"""Local response norm: numbers divided by how strong their neighbours among the channels are."""

from __future__ import annotations

from collections.abc import Mapping

from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.text import tr


def _matrices(back: Back) -> Local:
    """Say that there is a matrix for each place: every channel moves its neighbours."""
    return Local("·", NONE, tr("matrix {size} × {size} at each place", size=len(back.value("y"))))


def _in_window(term: str) -> str:
    """Return the terms of the sum over a window, as far as there are channels."""
    beyond = r"0 & c+u < P \\ 0 & c+u \ge C+P"
    return rf"q_{{c,i,j,u}} = \begin{{cases}} {beyond} \\ {term} & \mathrm{{otherwise}} \end{{cases}}"


_WORDS = {**CELL, "u": "channel of the window"}

KINDS: Mapping[str, Kind] = {
    "local_response_norm": Kind(
        sentence="Each number is divided by how strong the channels around it are at the same place.",
        formula=(
            r"\s{c,i,j} = k + \frac{\alpha}{\mathrm{size}} \sum_u \,q_{c,i,j,u}",
            _in_window(r"\x{c+u-P,i,j}^2"),
            r"\y{c,i,j} = \frac{\x{c,i,j}}{\s{c,i,j}^{\beta}}",
        ),
        variables=_WORDS,
        ahead="Each `s` will be made of the squares of {terms} `x` at its place, and each `y` its `x` over "
        "`s` to the power of beta.",
        ahead_of_one="Each `s` will be made of the square of its `x`, and each `y` its `x` over `s` to the "
        "power of beta.",
        compared=("x", "y"),
    ),
    "local_response_norm.dx": Kind(
        title="gradient of the input",
        sentence="Each number gets back its own share, less what it took from the channels around it.",
        formula=(
            r"\dx{c,i,j} = \frac{\dy{c,i,j}}{\s{c,i,j}^{\beta}}"
            r" - \frac{2 \alpha \beta\, \x{c,i,j}}{\mathrm{size}} \sum_u \,q_{c,i,j,u}",
            _in_window(r"\frac{\dy{c+u-P,i,j}\, \y{c+u-P,i,j}}{\s{c+u-P,i,j}}"),
        ),
        variables=_WORDS,
        ahead="Each `dx` will be its `dy` over `s` to the power of beta, less a sum of {terms} products with "
        "`dy` around it.",
        ahead_of_one="Each `dx` will be its `dy` over `s` to the power of beta, less a product with `dy`.",
        local=_matrices,
        compared=("dx", "dy"),
    ),
}
