"""GELU: a number times the part of a bell curve that lies below it; by its integral, or by a tanh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.engine.layers.gelu import GELU
from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    x, name = back.value("x"), back.called("x")
    layer = GELU("tanh" if back.forward.call.kind.endswith(".tanh") else "none")
    with np.errstate(all="ignore"):
        slopes = layer.gradient(np.ones_like(x), x, x)
    return Local("·", as_row(slopes), f"Φ({name}) + {name} φ({name})" if not layer.variant else tr("slope"))


_INNER = r"t_@ = \tanh\left(\sqrt{\frac{2}{\pi}}\, (\x{@} + 0.044715\, \x{@}^3)\right)"

KINDS: Mapping[str, Kind] = {
    "gelu": elementwise.value(
        sentence="Every number is multiplied by the part of a normal distribution that lies below it.",
        formula=(r"\y{@} = \frac{\x{@}}{2} \left(1 + \mathrm{erf}(\x{@} / \sqrt{2})\right)",),
        ahead="Each cell of `y` will be its `x`, times the part of a normal distribution below `x`.",
    ),
    "gelu.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope: the part p of the distribution below x, and x "
        "times its height q there.",
        formula=(
            r"\dx{@} = \dy{@}\, \left(p_@ + \x{@}\; q_@\right)",
            r"p_@ = \frac{1}{2} \left(1 + \mathrm{erf}(\x{@} / \sqrt{2})\right)",
            r"q_@ = \frac{1}{\sqrt{2 \pi}}\, e^{-\x{@}^2 / 2}",
        ),
        ahead="Each `dx` will be the `dy` of its cell, times the slope of GELU at its `x`.",
        local=_slope,
    ),
    "gelu.tanh": elementwise.value(
        sentence="Every number is multiplied by about the part of a normal distribution that lies below it.",
        formula=(r"\y{@} = \frac{\x{@}}{2} \left(1 + t_@\right)", _INNER),
        ahead="Each cell of `y` will be its `x`, times a part between 0 and 1, which a tanh gives.",
    ),
    "gelu.dx.tanh": elementwise.gradient(
        sentence="The gradient is multiplied by the slope of the tanh form of GELU at x.",
        formula=(
            r"\dx{@} = \dy{@}\, \left(\frac{1 + t_@}{2} + \x{@}\; q_@\right)",
            r"q_@ = \frac{1 - t_@^2}{\sqrt{2 \pi}} \left(1 + 3 \cdot 0.044715\, \x{@}^2\right)",
            _INNER,
        ),
        ahead="Each `dx` will be the `dy` of its cell, times the slope of GELU at its `x`.",
        local=_slope,
    ),
}
