"""Softplus: a ReLU without its corner, whose slope is a sigmoid."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    x, beta = back.value("x"), back.value("beta")
    with np.errstate(over="ignore"):
        slopes = np.where(beta * x > back.value("threshold"), 1.0, 1 / (1 + np.exp(-beta * x)))
    return Local("·", as_row(slopes), tr("σ(β {x})", x=back.called("x")))


KINDS: Mapping[str, Kind] = {
    "softplus": elementwise.value(
        sentence="Every number becomes positive: large ones hardly change, very negative ones come near 0.",
        formula=(
            r"\y{@} = \begin{cases} \x{@} & s_@ > \mathrm{threshold}"
            r" \\ \frac{1}{\beta} \log (1 + e^{s_@}) & \mathrm{otherwise} \end{cases}",
            r"s_@ = \beta\, \x{@}",
        ),
        ahead="Each cell of `y` will be log(1 + e to the β · `x`) / β, or just `x` above the threshold.",
    ),
    "softplus.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope of softplus, which is a sigmoid.",
        formula=(
            r"\dx{@} = \begin{cases} \dy{@} & s_@ > \mathrm{threshold}"
            r" \\ \dy{@}\; \sigma(s_@) & \mathrm{otherwise} \end{cases}",
            r"s_@ = \beta\, \x{@}",
            r"\sigma(a) = \frac{1}{1 + e^{-a}}",
        ),
        ahead="Each `dx` will be the `dy` of its cell, times the slope σ(β · `x`).",
        local=_slope,
    ),
}
