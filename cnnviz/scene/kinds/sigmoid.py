"""Sigmoid, and the slope that its output tells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import elementwise
from cnnviz.scene.local import Back, Local, as_row


def _slope(back: Back) -> Local:
    y, name = back.value("y"), back.called("y")
    return Local("·", as_row(y * (1 - y)), f"{name} (1 − {name})")


KINDS: Mapping[str, Kind] = {
    "sigmoid": elementwise.value(
        sentence="Every number is squashed to one between 0 and 1.",
        formula=(r"\y{@} = \sigma(\x{@})", r"\sigma(a) = \frac{1}{1 + e^{-a}}"),
        ahead="Each cell of `y` will be σ(`x`), a number between 0 and 1.",
        picture=partial(elementwise.forward, bounds=(0.0, 1.0)),
    ),
    "sigmoid.dx": elementwise.gradient(
        sentence="The gradient is multiplied by the slope of the sigmoid, which its output tells: y (1 − y).",
        formula=(r"\dx{@} = \dy{@}\; \y{@}\, (1 - \y{@})",),
        ahead="Each `dx` will be a product: the `dy` of its cell, times the slope `y` · (1 − `y`).",
        local=_slope,
    ),
}
