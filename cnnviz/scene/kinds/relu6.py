"""ReLU6: what is negative is clipped, and what is larger than 6."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row
from cnnviz.text import tr


def _gate(back: Back) -> Local:
    x = back.value("x")
    return Local("·", as_row(((x > 0) & (x < 6)).astype(float)), tr("1 or 0"))


_BOUNDS = (0.0, 6.0)

KINDS: Mapping[str, Kind] = {
    "relu6": elementwise.value(
        sentence="Negative numbers become 0, those above 6 become 6; what lies between passes unchanged.",
        formula=(r"\y{@} = \mathrm{min}(\mathrm{max}(\x{@}, 0), 6)",),
        ahead="Each cell of `y` will be its cell of `x`, but no less than 0 and no more than 6.",
        picture=partial(elementwise.forward, clips=True, bounds=_BOUNDS),
        compared=("x", "y"),
    ),
    "relu6.dx": elementwise.gradient(
        sentence="The gradient passes where the input lay between 0 and 6; where it was clipped, nothing "
        "comes back.",
        formula=(
            r"\dx{@} = \begin{cases} \dy{@} & \x{@} > 0,\; \x{@} < 6 \\ 0 & \mathrm{otherwise} \end{cases}",
        ),
        ahead="Each `dx` will be the `dy` of its cell where 0 < `x` < 6, and 0 elsewhere.",
        picture=partial(elementwise.backward, clips=True, bounds=_BOUNDS),
        local=_gate,
        compared=("dx", "dy"),
    ),
}
