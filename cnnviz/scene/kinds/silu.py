"""SiLU: a number times its own sigmoid."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row


def _slope(back: Back) -> Local:
    x, name = back.value("x"), back.called("x")
    with np.errstate(over="ignore"):
        s = 1 / (1 + np.exp(-x))
    return Local("·", as_row(s * (1 + x * (1 - s))), f"σ({name}) (1 + {name} (1 − σ({name})))")


KINDS: Mapping[str, Kind] = {
    "silu": elementwise.value(
        sentence="Every number is multiplied by its own sigmoid: large ones pass, very negative ones fade.",
        formula=(r"\y{@} = \x{@}\; \sigma(\x{@})", r"\sigma(a) = \frac{1}{1 + e^{-a}}"),
        ahead="Each cell of `y` will be its `x`, times σ(`x`), a number between 0 and 1.",
    ),
    "silu.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope s (1 + x (1 − s)), in which s is σ(x).",
        formula=(
            r"\dx{@} = \dy{@}\; s_@\, \bigl(1 + \x{@}\, (1 - s_@)\bigr)",
            r"s_@ = \frac{1}{1 + e^{-\x{@}}}",
        ),
        ahead="Each `dx` will be the `dy` of its cell, times the slope of SiLU at its `x`.",
        local=_slope,
    ),
}
