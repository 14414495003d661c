"""Hard sigmoid: a straight line from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _slope(back: Back) -> Local:
    x = back.value("x")
    return Local("·", as_row(np.where((x > -3) & (x < 3), 1 / 6, 0.0)), tr("1/6 or 0"))


KINDS: Mapping[str, Kind] = {
    "hard_sigmoid": elementwise.value(
        sentence="Every number becomes one from 0 to 1: in a straight line from −3 to 3, and clipped beyond.",
        formula=(r"\y{@} = \frac{1}{6}\, \mathrm{min}(\mathrm{max}(\x{@} + 3, 0), 6)",),
        ahead="Each cell of `y` will be a sixth of `x` + 3, but no less than 0 and no more than 1.",
        picture=partial(elementwise.forward, bounds=(0.0, 1.0)),
    ),
    "hard_sigmoid.dx": elementwise.gradient(
        sentence="A sixth of the gradient passes where the input lay between −3 and 3, elsewhere nothing.",
        formula=(
            r"\dx{@} = \begin{cases} \frac{\dy{@}}{6} & |\x{@}| < 3"
            r" \\ 0 & \mathrm{otherwise} \end{cases}",
        ),
        ahead="Each `dx` will be a sixth of the `dy` of its cell where −3 < `x` < 3, and 0 elsewhere.",
        picture=partial(elementwise.backward, clips=True, bounds=(-3.0, 3.0)),
        local=_slope,
    ),
}
