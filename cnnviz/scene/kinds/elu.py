"""ELU: what is negative bends towards −α."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    x = back.value("x")
    with np.errstate(over="ignore"):
        return Local("·", as_row(np.where(x > 0, 1.0, back.value("alpha") * np.exp(x))), tr("1 or α eˣ"))


KINDS: Mapping[str, Kind] = {
    "elu": elementwise.value(
        sentence="Positive numbers pass unchanged; negative ones bend towards −α, the more the smaller they "
        "are.",
        formula=(
            r"\y{@} = \begin{cases} \x{@} & \x{@} > 0 \\ \alpha\, (e^{\x{@}} - 1) & \x{@} \le 0 \end{cases}",
        ),
        ahead="Each cell of `y` will be its cell of `x` where `x` > 0, and α · (e to the `x`, less 1) "
        "elsewhere.",
        compared=("x", "y"),
    ),
    "elu.dx": elementwise.gradient(
        sentence="The gradient passes where the input was positive; elsewhere it is multiplied by the slope, "
        "α eˣ.",
        formula=(
            r"\dx{@} = \begin{cases} \dy{@} & \x{@} > 0"
            r" \\ \dy{@}\; \alpha\, e^{\x{@}} & \x{@} \le 0 \end{cases}",
        ),
        ahead="Each `dx` will be the `dy` of its cell where `x` > 0, and `dy` · α · e to the `x` elsewhere.",
        local=_slope,
        compared=("dx", "dy"),
    ),
}
