"""What joins several inputs, and the sum of the gradients that come back to one output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cnnviz.engine.layer import Call
from cnnviz.scene.kind import CELL, Kind, index_of
from cnnviz.scene.local import NONE, Back, Local, ones
from cnnviz.text import tr


def _own_maps(_: Back) -> Local:
    return Local("→", NONE, tr("its own maps"))


def _sum_formula(call: Call, _: int) -> tuple[str, ...]:
    (total,), cell = call.writes, index_of(call)
    parts = (rf"\{name}{{{cell}}}" for name in call.given if name in call.ports)
    return (rf"\{total}{{{cell}}} = " + " + ".join(parts),)


def _passed_on_formula(call: Call, _: int) -> tuple[str, ...]:
    cell = index_of(call)
    return tuple(rf"\{name}{{{cell}}} = \dy{{{cell}}}" for name in call.writes)


def _behind_formula(call: Call, _: int) -> tuple[str, ...]:
    """Say where the cells of each part lie, behind those of the parts before it."""
    first, *others = index_of(call).split(",")
    whole = "dy" if "dy" in call.given else "y"
    parts = [name for name in (*call.given, *call.writes) if name in call.ports and name != whole]
    lengths = [name for name in call.given if re.fullmatch(r"[CN]_\d", name)]
    found = []
    for k, name in enumerate(parts):
        own, there = ",".join([first, *others]), ",".join(["+".join([*lengths[:k], first]), *others])
        sides = rf"\{whole}{{{there}}}", rf"\{name}{{{own}}}"
        found.append(" = ".join(sides if whole == "y" else sides[::-1]))
    return tuple(found)


KINDS: Mapping[str, Kind] = {
    "add": Kind(
        sentence="Add the inputs, cell by cell: what a layer has learnt is added to what went past it.",
        variables=CELL,
        ahead="Each cell of `y` will be the sum of the cells that lie there in the inputs.",
        formula=_sum_formula,
    ),
    "add.dx": Kind(
        title="gradients of the inputs",
        sentence="A sum passes the gradient on to each input as it is: one more here is one more there.",
        variables=CELL,
        ahead="Each input's gradient will be the gradient `dy`, unchanged.",
        formula=_passed_on_formula,
        local=ones,
    ),
    "concat": Kind(
        sentence="Put the maps of the inputs behind one another; nothing is computed.",
        variables=CELL,
        ahead="The cells of the inputs will be written to `y`, one input after the other.",
        formula=_behind_formula,
    ),
    "concat.dx": Kind(
        title="gradients of the inputs",
        sentence="Each input gets back the gradient of the maps that it gave.",
        variables=CELL,
        ahead="The cells of `dy` will be handed back to the inputs, one input after the other.",
        formula=_behind_formula,
        local=_own_maps,
    ),
    "sum_of_gradients": Kind(
        title="sum of the gradients",
        sentence="Several layers read this output, and each sends a gradient back: they are added up.",
        variables=CELL,
        ahead="Each cell of `dy` will be the sum of the gradients that lie there.",
        formula=_sum_formula,
    ),
}
