"""Hard swish: a number times its own hard sigmoid."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    x = back.value("x")
    slopes = np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5))
    return Local("·", as_row(slopes), tr("0, {x} / 3 + ½ or 1", x=back.called("x")))


KINDS: Mapping[str, Kind] = {
    "hard_swish": elementwise.value(
        sentence="Every number is multiplied by its hard sigmoid: it passes from 3 on, and is 0 up to −3.",
        formula=(r"\y{@} = \x{@} \cdot \frac{1}{6}\, \mathrm{min}(\mathrm{max}(\x{@} + 3, 0), 6)",),
        ahead="Each cell of `y` will be its `x`, times a sixth of `x` + 3, kept between 0 and 1.",
    ),
    "hard_swish.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope: 0 up to −3, 1 from 3 on, x / 3 + ½ between them.",
        formula=(
            r"\dx{@} = \begin{cases} 0 & \x{@} \le {-}3 \\ \dy{@} & \x{@} \ge 3"
            r" \\ \dy{@} \left(\frac{\x{@}}{3} + \frac{1}{2}\right) & \mathrm{otherwise} \end{cases}",
        ),
        ahead="Each `dx` will be the `dy` of its cell, times the slope of hard swish at its `x`.",
        local=_slope,
    ),
}
