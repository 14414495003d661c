"""What joins several inputs, and the sum of the gradients that come back to one output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.engine.layer import Call
from cnnviz.scene.kind import CELL, Kind
from cnnviz.scene.kinds import generic
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.local import NONE, Back, Local, as_row, ones
from cnnviz.text import tr


def _own_maps(_: Back) -> Local:
    return Local("→", NONE, tr("its own maps"))


def _other_factor(back: Back) -> Local:
    """Return the input that is not the one whose gradient is computed: what that was multiplied by."""
    y, own = back.value("y"), back.gradient.call.port(back.array).symbol
    other = next(name for name in ("x1", "x2") if name != own)
    factor, note = back.value(other), back.called(other)
    if back.value(own).shape != y.shape:
        return Local("·", factor, tr("{name}, added up", name=note))
    each = factor.reshape(*factor.shape, *(1,) * (y.ndim - factor.ndim))
    return Local("·", as_row(np.broadcast_to(each, y.shape)), note)


def _all(call: Call) -> tuple[str, ...]:
    """Return all arrays: the same number has the same colour, and as many decimals, in each of them."""
    return tuple(call.ports)


# What is passed on is equal to what comes; so it is where a sum passes it back.
_passed_on = partial(Kind, variables=CELL, compared=_all, added=True, formula=listing_formulas)
_added = partial(_passed_on, picture=partial(generic.picture, sign="+"))
_multiplied = partial(
    Kind, variables=CELL, formula=listing_formulas, picture=partial(generic.picture, sign="·")
)
_multiplied_dx = partial(_multiplied, local=_other_factor)

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
    "multiply": _multiplied(
        sentence="Multiply the two inputs, cell by cell: one can be a gate for the other.",
        ahead="Each cell of `y` will be the product of the cells that lie there in `x1` and `x2`.",
    ),
    "multiply.channels": _multiplied(
        sentence="Each map is multiplied by the one number that the other input has for its channel.",
        ahead="Each cell of `y` will be a product of `x1` and `x2`, one of which has one number for a map.",
    ),
    "multiply.dx": _multiplied_dx(
        title="gradient of an input",
        sentence="The derivative of a product is its other factor, so the gradient is multiplied by that.",
        ahead="Each cell will be the gradient `dy`, times the other input.",
    ),
    "multiply.dx.channels": _multiplied_dx(
        title="gradient of the maps",
        sentence="All of a map was multiplied by one number, so all of its gradient is, too.",
        ahead="Each cell will be the gradient `dy`, times the number of its channel.",
    ),
    "multiply.dx.summed": _multiplied_dx(
        title="gradient of the weights",
        sentence="One number weighed a whole map, so its gradient is a sum of products over the map.",
        ahead="Each number will be a sum of {terms} products: `dy` times what the number was multiplied by.",
        ahead_of_one="Each number will be one product: `dy` times what the number was multiplied by.",
        picture=None,
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
