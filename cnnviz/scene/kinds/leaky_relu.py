"""Leaky ReLU: what is negative is made small."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _gate(back: Back) -> Local:
    slopes = np.where(back.value("x") > 0, 1.0, back.value("alpha"))
    return Local("·", as_row(slopes), tr("1 or α"))


KINDS: Mapping[str, Kind] = {
    "leaky_relu": elementwise.value(
        sentence="Positive numbers pass unchanged; negative numbers are made small.",
        formula=(
            r"\y{@} = \begin{cases} \x{@} & \x{@} > 0"
            r" \\ \alpha\, \x{@} & \x{@} \le 0 \end{cases}",
        ),
        ahead="Each cell of `y` will be its cell of `x` where `x` > 0, and α · `x` elsewhere.",
        compared=("x", "y"),
    ),
    "leaky_relu.dx": elementwise.gradient(
        sentence="The gradient passes where the input was positive, and is made small elsewhere.",
        formula=(
            r"\dx{@} = \begin{cases} \dy{@} & \x{@} > 0"
            r" \\ \alpha\, \dy{@} & \x{@} \le 0 \end{cases}",
        ),
        ahead="Each `dx` will be the `dy` of its cell where `x` > 0, and α · `dy` elsewhere.",
        local=_gate,
        compared=("dx", "dy"),
    ),
}
