"""Tanh, and the slope that its output tells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row


def _slope(back: Back) -> Local:
    y, name = back.value("y"), back.called("y")
    return Local("·", as_row(1 - y * y), f"1 − {name}²")


KINDS: Mapping[str, Kind] = {
    "tanh": elementwise.value(
        sentence="Every number is squashed to one between −1 and 1.",
        formula=(r"\y{@} = \tanh \x{@}", r"\tanh a = \frac{e^a - e^{-a}}{e^a + e^{-a}}"),
        ahead="Each cell of `y` will be tanh `x`, a number between −1 and 1.",
        picture=partial(elementwise.forward, bounds=(-1.0, 1.0)),
    ),
    "tanh.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope of tanh, which its output tells: 1 − y².",
        formula=(r"\dx{@} = \dy{@}\; (1 - \part{y}{y_@^2})",),
        ahead="Each `dx` will be a product: the `dy` of its cell, times the slope 1 − `y`².",
        local=_slope,
    ),
}
