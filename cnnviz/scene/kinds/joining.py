"""What joins several inputs, and the sum of the gradients that come back to one output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.engine.layer import Call
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import generic
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import NONE, Back, Local, ones
from cnnviz.text import tr


def _own_maps(_: Back) -> Local:
    return Local("→", NONE, tr("its own maps"))


def _all(call: Call) -> tuple[str, ...]:
    """Return all arrays: the same number has the same colour, and as many decimals, in each of them."""
    return tuple(call.ports)


# What is passed on is equal to what comes; so it is where a sum passes it back.
_passed_on = partial(Kind, variables=CELL, compared=_all, added=True, formula=listing_formulas)
_added = partial(_passed_on, picture=partial(generic.picture, added=True))

KINDS: Mapping[str, Kind] = {
    "add": _added(
        sentence="Add the inputs, cell by cell; in a residual block, one of them is the skip connection.",
        ahead="Each cell of `y` will be the sum of the cells that lie there in the inputs.",
    ),
    "add.dx": _added(
        title="gradients of the inputs",
        sentence="The derivative of a sum is 1 for each of its inputs: each gets the gradient unchanged.",
        ahead="Each input's gradient will be the gradient `dy`, unchanged.",
        local=ones,
    ),
    "concat": _passed_on(
        sentence="Concatenate the inputs, one after the other; nothing is computed.",
        ahead="The cells of the inputs will be written to `y`, one input after the other.",
    ),
    "concat.dx": _passed_on(
        title="gradients of the inputs",
        sentence="Each input gets back the gradient of the maps that it gave.",
        ahead="The cells of `dy` will be handed back to the inputs, one input after the other.",
        local=_own_maps,
    ),
    "total_loss": Kind(
        sentence="The total loss is the sum of all losses, each multiplied by its weight.",
        formula=listing_formulas,
    ),
    "weighted_gradient": Kind(
        title="gradient with the weight of its loss",
        sentence="This loss counts with its weight in the sum of all, and so does its gradient.",
        variables=CELL,
        ahead="Each cell will be the gradient `g` of this loss alone, times the weight of the loss.",
        formula=listing_formulas,
    ),
    "sum_of_gradients": _added(
        title="sum of the gradients",
        sentence="Several layers read this output, and each sends a gradient back: they are added up.",
        ahead="Each cell of `dy` will be the sum of the gradients that lie there.",
    ),
}
