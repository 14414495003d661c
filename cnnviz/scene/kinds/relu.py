"""ReLU: what is negative is clipped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _gate(back: Back) -> Local:
    return Local("·", as_row((back.value("x") > 0).astype(float)), tr("1 or 0"))


KINDS: Mapping[str, Kind] = {
    "relu": elementwise.value(
        sentence="Negative numbers become 0; positive numbers pass unchanged.",
        formula=(r"\y{@} = \mathrm{max}(\x{@}, 0)",),
        ahead="Each cell of `y` will be the larger of two numbers: its cell of `x`, and 0.",
        picture=partial(elementwise.forward, clips=True),
        compared=("x", "y"),
    ),
    "relu.dx": elementwise.gradient(
        sentence="The gradient passes where the input was positive; where it was clipped, nothing comes "
        "back.",
        formula=(r"\dx{@} = \begin{cases} \dy{@} & \x{@} > 0 \\ 0 & \x{@} \le 0 \end{cases}",),
        ahead="Each `dx` will be the `dy` of its cell where `x` > 0, and 0 elsewhere.",
        picture=partial(elementwise.backward, clips=True),
        local=_gate,
        compared=("dx", "dy"),
    ),
}
