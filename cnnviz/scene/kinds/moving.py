"""What gives numbers other places: another shape, another order of the axes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.engine.layer import Call
from cnnviz.scene.kind import CELL, Kind, Picture
from cnnviz.scene.kinds import generic
from cnnviz.scene.kinds.flatten import as_column
from cnnviz.scene.layout import Room
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import NONE, Back, Local
from cnnviz.scene.marks import Mark
from cnnviz.scene.moment import Moment
from cnnviz.text import tr


def _reshaped(input_: str, output: str) -> Picture:
    """Return what draws maps beside the column of their numbers, and other arrays as they are."""

    def picture(moment: Moment, room: Room) -> list[Mark]:
        axes = [np.ndim(moment.state.arrays[name]) for name in (input_, output)]
        if axes not in ([1, 3], [3, 1]):
            return generic.picture(moment, room)
        texts = [generic.grid_title(moment, name) for name in (input_, output)]
        if axes == [1, 3]:
            return as_column(moment, room, output, input_, texts[1], texts[0])
        return as_column(moment, room, input_, output, *texts)

    return picture


def _back(_: Back) -> Local:
    return Local("→", NONE, tr("back in place"))


def _both(call: Call) -> tuple[str, ...]:
    """Return both arrays: the same number looks the same in each of them."""
    return tuple(call.ports)


def _formula(call: Call, line: int) -> tuple[str, ...]:
    """Return what the listing says, in two lines where neither array is a column: n is the k-th number."""
    found = listing_formulas(call, line)
    if min(np.ndim(call.value(name)) for name in call.ports) == 1:
        return found
    made, source = found[0].split(" = ")
    return f"{made} = n_k", f"n_k = {source}"


_moved = partial(Kind, compared=_both, added=True)

KINDS: Mapping[str, Kind] = {
    "reshape": _moved(
        formula=_formula,
        sentence="The numbers keep their order and get another shape: along a row, row by row, map by map.",
        variables={"k": "number"},
        ahead="Each number of `x` will be copied to its place in `y`, in the order in which they are read.",
        picture=_reshaped("x", "y"),
    ),
    "reshape.dx": _moved(
        formula=_formula,
        title="gradient of the input",
        sentence="Each gradient goes back to the place that its number came from.",
        variables={"k": "number"},
        ahead="Each `dx` will be copied from the place in `dy` that its number went to.",
        picture=_reshaped("dx", "dy"),
        local=_back,
    ),
    "permute": _moved(
        formula=listing_formulas,
        sentence="The axes change places: a number keeps its indices, in another order.",
        variables=CELL,
        ahead="Each cell of `y` will be the cell of `x` that has the same indices in the other order.",
    ),
    "permute.dx": _moved(
        formula=listing_formulas,
        title="gradient of the input",
        sentence="The gradient's axes go back to the order that those of the input have.",
        variables=CELL,
        ahead="Each `dx` will be the `dy` that has the same indices in the other order.",
        local=_back,
    ),
}
