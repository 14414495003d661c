"""Batch norm, layer norm and group norm: numbers moved by a mean and scaled by the root of a variance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from cnnviz.scene.kind import CELL, CELLS, COLUMN, MAPS, Kind
from cnnviz.scene.local import NONE, Back, Local, as_row, ones
from cnnviz.text import tr

_WORDS = {**CELL, "g": "group", "d": "its channel"}


def _cell(name: str, index: str) -> str:
    """Write a cell of an array whose name is a word."""
    sign = rf"\{name}" if name in ("gamma", "beta") else rf"\mathrm{{{name}}}"
    return rf"\part{{{name}}}{{{sign}{f'_{{{index}}}' if index else ''}}}"


def _gradient(name: str, index: str) -> str:
    return rf"\part{{d{name}}}{{\frac{{\partial E}}{{\partial \{name}_{{{index}}}}}\!}}"


def _root(index: str) -> str:
    return rf"\sqrt{{{_cell('var', index)} + \varepsilon}}"


def _moved(index: str, of: str) -> str:
    return rf"\x{{{index}}} - {_cell('mean', of)}"


def _standard(back: Back) -> Local:
    """Return the numbers before they are multiplied by γ."""
    x, mean, var = back.value("x"), back.value("mean"), back.value("var")
    count = len(mean)
    rows = x.reshape(count, -1)
    with np.errstate(all="ignore"):
        made = (rows - mean[:, None]) / np.sqrt(var[:, None] + back.value("eps"))
    return Local("·", as_row(made.reshape(x.shape)), tr("x less mean, over the root"))


def _slope(back: Back) -> Local:
    """Return γ over the root, for each number."""
    with np.errstate(all="ignore"):
        each = back.value("gamma") / np.sqrt(back.value("var") + back.value("eps"))
    x = back.value("x")
    return Local(
        "·", as_row(np.broadcast_to(each.reshape(-1, *(1,) * (x.ndim - 1)), x.shape)), "γ / √(var + ε)"
    )


def _through_statistics(_: Back) -> Local:
    """Say what goes back through mean and variance: every number moves those of all samples."""
    return Local("·", NONE, tr("less what all share"))


_value = partial(Kind, variables=_WORDS, compared=("x", "y"))
_input = partial(Kind, title="gradient of the input", variables=_WORDS, compared=("dx", "dy"))
_statistic = partial(Kind, variables=CELL)


def _summed(i: str) -> str:
    """Return the sum over all places of a channel; nothing for a column, in which each has one number."""
    return r"\sum_{i,j} \," if i != COLUMN else ""


def _beta(i: str, of: str) -> Kind:
    """Return the record of β, which has one number for each of the indices `of`."""
    formula = (rf"{_gradient('beta', of)} = {_summed(i) if of != i else ''}\dy{{{i}}}",)
    made = partial(Kind, title="gradient of β", formula=formula, variables=_WORDS, local=ones)
    if of == i:
        return made(
            sentence="Its β is added to its number, so its gradient is that of the number.",
            ahead="Each `dbeta` will be the `dy` of its number.",
        )
    return made(
        sentence="Its β is added to every number of its channel, so its gradient is the sum of theirs.",
        ahead="Each `dbeta` will be the sum of `dy` over all places of its channel: {terms} of them.",
        ahead_of_one="Each `dbeta` will be the one `dy` of its channel.",
    )


def _gamma(i: str, of: str, group: str) -> Kind:
    """Return the record of γ, of which each number of `of` belongs to the mean of `group`."""
    product = rf"\frac{{\dy{{{i}}}\, ({_moved(i, group)})}}{{{_root(group)}}}"
    formula = (rf"{_gradient('gamma', of)} = {_summed(i) if of != i else ''}{product}",)
    made = partial(Kind, title="gradient of γ", formula=formula, variables=_WORDS, local=_standard)
    if of == i:
        return made(
            sentence="Its γ multiplies the normalised number, so its gradient is the product of that with "
            "∂E/∂y.",
            ahead="Each `dgamma` will be a product: `dy` times what `x` became before γ.",
        )
    return made(
        sentence="Its γ multiplies the normalised numbers: its gradient is a sum of products with ∂E/∂y.",
        ahead="Each `dgamma` will be a sum of {terms} products: `dy` times what `x` became before γ.",
        ahead_of_one="Each `dgamma` will be one product: `dy` times what `x` became before γ.",
    )


def _batch_norm(i: str, c: str, end: str = "") -> Mapping[str, Kind]:
    """Return the records of maps, or of a column, each number of which is a channel."""
    whole = "Every channel" if end else "Every number"
    then = "; γ and β set both anew." if end else "; then γ and β set both anew."
    return {
        f"batch_norm{end}": _value(
            sentence=f"{whole} is moved by its mean and scaled by the root of its variance{then}",
            formula=(
                rf"\y{{{i}}} = {_cell('gamma', c)}\, \frac{{{_moved(i, c)}}}{{{_root(c)}}}"
                rf" + {_cell('beta', c)}",
            ),
            ahead="Each cell of `y` will be `x` less its `mean`, over the root of `var`, times `gamma`, plus "
            "`beta`.",
        ),
        f"batch_norm.dbeta{end}": _beta(i, c),
        f"batch_norm.dgamma{end}": _gamma(i, c, c),
        f"batch_norm.dx{end}": _input(
            sentence="Mean and variance are fixed, so each gradient is only multiplied by γ over the root.",
            formula=(rf"\dx{{{i}}} = \frac{{\dy{{{i}}}\, {_cell('gamma', c)}}}{{{_root(c)}}}",),
            ahead="Each `dx` will be the `dy` of its cell, times `gamma`, over the root of `var`.",
            local=_slope,
        ),
        f"batch_norm.mean{end}": _statistic(
            title="mean of the mini-batch",
            sentence="The mean of each channel, over all places and all samples of the mini-batch.",
            formula=(rf"{_cell('mean', c)} = \frac{{1}}{{M}} {_summed(i)}\x{{{i}}}",),
            ahead="Each `mean` will be the sum of `x` over its channel, divided by how many there are.",
        ),
        f"batch_norm.var{end}": _statistic(
            title="variance of the mini-batch",
            sentence="How far the numbers of a channel lie from their mean: the mean of the squares.",
            formula=(rf"{_cell('var', c)} = \frac{{1}}{{M}} {_summed(i)}({_moved(i, c)})^2",),
            ahead="Each `var` will be a sum of squares of `x` less its `mean`, divided by their number.",
        ),
        f"batch_norm.training_dx{end}": _input(
            sentence="Every number moves mean and variance: the common push of all is taken off.",
            formula=(
                rf"\dx{{{i}}} = \frac{{g_{{{i}}}\, {_cell('gamma', c)}}}{{{_root(c)}}}",
                rf"s_{{{i}}} = \frac{{{_moved(i, c)}}}{{{_root(c)}}}",
                rf"g_{{{i}}} = \dy{{{i}}} - \frac{{1}}{{M}}"
                rf" \left({_gradient('beta', c)} + s_{{{i}}}\, {_gradient('gamma', c)}\right)",
            ),
            variables=CELL,
            ahead="Each `dx` will be its `dy` less what all share, times `gamma`, over the root of `var`.",
            local=_through_statistics,
        ),
    }


def _layer_norm(i: str, end: str = "") -> Mapping[str, Kind]:
    """Return the records of maps, or of a column."""
    count = CELLS[i]
    return {
        f"layer_norm{end}": _value(
            sentence="All numbers are moved to the mean 0, scaled to the variance 1; γ and β set both anew.",
            formula=(
                rf"{_cell('mean', '')} = \frac{{1}}{{{count}}} \sum_{{{i}}} \,\x{{{i}}}",
                rf"{_cell('var', '')} = \frac{{1}}{{{count}}} \sum_{{{i}}} \,({_moved(i, '')})^2",
                rf"\y{{{i}}} = {_cell('gamma', i)}\, \frac{{{_moved(i, '')}}}{{{_root('')}}}"
                rf" + {_cell('beta', i)}",
            ),
        ),
        f"layer_norm.dbeta{end}": _beta(i, i),
        f"layer_norm.dgamma{end}": _gamma(i, i, ""),
        f"layer_norm.dx{end}": _input(
            sentence="Every number moves mean and variance: the common push of all is taken off.",
            formula=(
                rf"\dx{{{i}}} = \frac{{p_{{{i}}} - (a + s_{{{i}}}\, b) / ({count})}}{{{_root('')}}}",
                rf"a = \sum_{{{i}}} \,p_{{{i}}},\quad p_{{{i}}} = \dy{{{i}}}\, {_cell('gamma', i)}",
                rf"b = \sum_{{{i}}} \,p_{{{i}}} ({_moved(i, '')})",
                rf"s_{{{i}}} = \frac{{{_moved(i, '')}}}{{{_cell('var', '')} + \varepsilon}}",
            ),
        ),
    }


_IN = "gD+d,i,j"
_OF = "gD+d"

KINDS: Mapping[str, Kind] = {
    **_batch_norm(COLUMN, "n"),
    **_batch_norm(MAPS, "c", ".maps"),
    **_layer_norm(COLUMN),
    **_layer_norm(MAPS, ".maps"),
    "group_norm": _value(
        sentence="Each group of channels is moved to the mean 0, scaled to the variance 1; γ and β follow.",
        formula=(
            rf"{_cell('mean', 'g')} = \frac{{1}}{{D H W}} \sum_{{d,i,j}} \,\x{{{_IN}}}",
            rf"{_cell('var', 'g')} = \frac{{1}}{{D H W}} \sum_{{d,i,j}} \,({_moved(_IN, 'g')})^2",
            rf"\y{{{_IN}}} = {_cell('gamma', _OF)}\, s_{{g,d,i,j}} + {_cell('beta', _OF)}",
            rf"s_{{g,d,i,j}} = \frac{{{_moved(_IN, 'g')}}}{{{_root('g')}}}",
        ),
        ahead="Each group by itself: the `mean` of its `x`, then their `var`, then every `y`.",
    ),
    "group_norm.dbeta": _beta(MAPS, "c"),
    "group_norm.dgamma": _gamma(_IN, _OF, "g"),
    "group_norm.dx": _input(
        sentence="Every number moves mean and variance of its group: the common push of all is taken off.",
        formula=(
            rf"\dx{{{_IN}}} = \frac{{p_{{g,d,i,j}} - \frac{{a_g + s_{{g,d,i,j}}\, b_g}}{{D H W}}}}"
            rf"{{{_root('g')}}}",
            r"a_g = \sum_{d,i,j} \,p_{g,d,i,j}",
            rf"b_g = \sum_{{d,i,j}} \,p_{{g,d,i,j}} ({_moved(_IN, 'g')})",
            rf"s_{{g,d,i,j}} = \frac{{{_moved(_IN, 'g')}}}{{{_cell('var', 'g')} + \varepsilon}}",
            rf"p_{{g,d,i,j}} = \dy{{{_IN}}}\, {_cell('gamma', _OF)}",
        ),
        ahead="Each group by itself: first two sums over its `dy`, then every `dx`.",
    ),
}
