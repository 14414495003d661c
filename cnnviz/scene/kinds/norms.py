"""Batch norm, layer norm and group norm: numbers moved by a mean and scaled by the root of a variance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene.kind import CELL, Kind
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


def _batch_norm(i: str, c: str) -> Mapping[str, Kind]:
    """Return the records of maps, or of a column, each number of which is a channel."""
    end = ".maps" if i != "n" else ""
    summed = r"\sum_{i,j} \," if end else ""
    return {
        f"batch_norm{end}": Kind(
            sentence="Every channel is moved by its mean and scaled by the root of its variance; γ and β "
            "set both anew."
            if end
            else "Every number is moved by its mean and scaled by the root of its variance; then γ and β set "
            "both anew.",
            formula=(
                rf"\y{{{i}}} = {_cell('gamma', c)}\, \frac{{{_moved(i, c)}}}{{{_root(c)}}}"
                rf" + {_cell('beta', c)}",
            ),
            variables=_WORDS,
            ahead="Each cell of `y` will be `x` less its `mean`, over the root of `var`, times `gamma`, plus "
            "`beta`.",
            compared=("x", "y"),
        ),
        f"batch_norm.dbeta{end}": Kind(
            title="gradient of β",
            sentence="Its β is added to every number of its channel, so its gradient is the sum of theirs."
            if end
            else "Its β is added to its number, so its gradient is that of the number.",
            formula=(rf"{_gradient('beta', c)} = {summed}\dy{{{i}}}",),
            variables=_WORDS,
            ahead="Each `dbeta` will be the sum of `dy` over all places of its channel: {terms} of them."
            if end
            else "Each `dbeta` will be the `dy` of its number.",
            ahead_of_one="Each `dbeta` will be the one `dy` of its channel." if end else "",
            local=ones,
        ),
        f"batch_norm.dgamma{end}": Kind(
            title="gradient of γ",
            sentence="Its γ multiplies the normalised numbers: its gradient is a sum of products with ∂E/∂y."
            if end
            else "Its γ multiplies the normalised number, so its gradient is the product of that with ∂E/∂y.",
            formula=(
                rf"{_gradient('gamma', c)} = {summed}"
                rf"\frac{{\dy{{{i}}}\, ({_moved(i, c)})}}{{{_root(c)}}}",
            ),
            variables=_WORDS,
            ahead="Each `dgamma` will be a sum of {terms} products: `dy` times what `x` became before γ."
            if end
            else "Each `dgamma` will be a product: `dy` times what `x` became before γ.",
            ahead_of_one="Each `dgamma` will be one product: `dy` times what `x` became before γ."
            if end
            else "",
            local=_standard,
        ),
        f"batch_norm.dx{end}": Kind(
            title="gradient of the input",
            sentence="Mean and variance are fixed, so each gradient is only multiplied by γ over the root.",
            formula=(rf"\dx{{{i}}} = \frac{{\dy{{{i}}}\, {_cell('gamma', c)}}}{{{_root(c)}}}",),
            variables=_WORDS,
            ahead="Each `dx` will be the `dy` of its cell, times `gamma`, over the root of `var`.",
            local=_slope,
            compared=("dx", "dy"),
        ),
    }


def _training(i: str, c: str) -> Mapping[str, Kind]:
    """Return the records of what the mini-batch gives, and of the gradient that goes through it."""
    end = ".maps" if i != "n" else ""
    summed = r"\sum_{i,j} \," if end else ""
    return {
        f"batch_norm.mean{end}": Kind(
            title="mean of the mini-batch",
            sentence="The mean of each channel, over all places and all samples of the mini-batch.",
            formula=(rf"{_cell('mean', c)} = \frac{{1}}{{M}} {summed}\x{{{i}}}",),
            variables=CELL,
            ahead="Each `mean` will be the sum of `x` over its channel, divided by how many there are.",
        ),
        f"batch_norm.var{end}": Kind(
            title="variance of the mini-batch",
            sentence="How far the numbers of a channel lie from their mean: the mean of the squares.",
            formula=(rf"{_cell('var', c)} = \frac{{1}}{{M}} {summed}({_moved(i, c)})^2",),
            variables=CELL,
            ahead="Each `var` will be a sum of squares of `x` less its `mean`, divided by their number.",
        ),
        f"batch_norm.training_dx{end}": Kind(
            title="gradient of the input",
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
            compared=("dx", "dy"),
        ),
    }


def _layer_norm(i: str, count: str) -> Mapping[str, Kind]:
    """Return the records of maps, or of a column."""
    end = ".maps" if i != "n" else ""
    return {
        f"layer_norm{end}": Kind(
            sentence="All numbers are moved to the mean 0, scaled to the variance 1; γ and β set both anew.",
            formula=(
                rf"{_cell('mean', '')} = \frac{{1}}{{{count}}} \sum_{{{i}}} \,\x{{{i}}}",
                rf"{_cell('var', '')} = \frac{{1}}{{{count}}} \sum_{{{i}}} \,({_moved(i, '')})^2",
                rf"\y{{{i}}} = {_cell('gamma', i)}\, \frac{{{_moved(i, '')}}}{{{_root('')}}}"
                rf" + {_cell('beta', i)}",
            ),
            variables=_WORDS,
            compared=("x", "y"),
        ),
        f"layer_norm.dbeta{end}": Kind(
            title="gradient of β",
            sentence="Each β is added to its number, so its gradient is that of the number.",
            formula=(rf"{_gradient('beta', i)} = \dy{{{i}}}",),
            variables=_WORDS,
            ahead="Each `dbeta` will be the `dy` of its number.",
            local=ones,
        ),
        f"layer_norm.dgamma{end}": Kind(
            title="gradient of γ",
            sentence="Each γ multiplies its normalised number: its gradient is that, times ∂E/∂y.",
            formula=(rf"{_gradient('gamma', i)} = \frac{{\dy{{{i}}}\, ({_moved(i, '')})}}{{{_root('')}}}",),
            variables=_WORDS,
            ahead="Each `dgamma` will be a product: `dy` times what `x` became before γ.",
            local=_standard,
        ),
        f"layer_norm.dx{end}": Kind(
            title="gradient of the input",
            sentence="Every number moves mean and variance: the common push of all is taken off.",
            formula=(
                rf"\dx{{{i}}} = \frac{{p_{{{i}}} - (a + s_{{{i}}}\, b) / ({count})}}{{{_root('')}}}",
                rf"a = \sum_{{{i}}} \,p_{{{i}}},\quad p_{{{i}}} = \dy{{{i}}}\, {_cell('gamma', i)}",
                rf"b = \sum_{{{i}}} \,p_{{{i}}} ({_moved(i, '')})",
                rf"s_{{{i}}} = \frac{{{_moved(i, '')}}}{{{_cell('var', '')} + \varepsilon}}",
            ),
            variables=_WORDS,
            compared=("dx", "dy"),
        ),
    }


_IN = "gD+d,i,j"
_OF = "gD+d"

KINDS: Mapping[str, Kind] = {
    **_batch_norm("n", "n"),
    **_batch_norm("c,i,j", "c"),
    **_training("n", "n"),
    **_training("c,i,j", "c"),
    **_layer_norm("n", "N"),
    **_layer_norm("c,i,j", "C H W"),
    "group_norm": Kind(
        sentence="Each group of channels is moved to the mean 0, scaled to the variance 1; γ and β follow.",
        formula=(
            rf"{_cell('mean', 'g')} = \frac{{1}}{{D H W}} \sum_{{d,i,j}} \,\x{{{_IN}}}",
            rf"{_cell('var', 'g')} = \frac{{1}}{{D H W}} \sum_{{d,i,j}} \,({_moved(_IN, 'g')})^2",
            rf"\y{{{_IN}}} = {_cell('gamma', _OF)}\, s_{{g,d,i,j}} + {_cell('beta', _OF)}",
            rf"s_{{g,d,i,j}} = \frac{{{_moved(_IN, 'g')}}}{{{_root('g')}}}",
        ),
        variables=_WORDS,
        ahead="Each group by itself: the `mean` of its `x`, then their `var`, then every `y`.",
        compared=("x", "y"),
    ),
    "group_norm.dbeta": Kind(
        title="gradient of β",
        sentence="Its β is added to every number of its channel, so its gradient is the sum of theirs.",
        formula=(rf"{_gradient('beta', 'c')} = \sum_{{i,j}} \,\dy{{c,i,j}}",),
        variables=_WORDS,
        ahead="Each `dbeta` will be the sum of `dy` over all places of its channel: {terms} of them.",
        ahead_of_one="Each `dbeta` will be the one `dy` of its channel.",
        local=ones,
    ),
    "group_norm.dgamma": Kind(
        title="gradient of γ",
        sentence="Its γ multiplies the normalised numbers: its gradient is a sum of products with ∂E/∂y.",
        formula=(
            rf"{_gradient('gamma', _OF)} = \sum_{{i,j}} \,"
            rf"\frac{{\dy{{{_IN}}}\, ({_moved(_IN, 'g')})}}{{{_root('g')}}}",
        ),
        variables=_WORDS,
        ahead="Each `dgamma` will be a sum of {terms} products: `dy` times what `x` became before γ.",
        ahead_of_one="Each `dgamma` will be one product: `dy` times what `x` became before γ.",
        local=_standard,
    ),
    "group_norm.dx": Kind(
        title="gradient of the input",
        sentence="Every number moves mean and variance of its group: the common push of all is taken off.",
        formula=(
            rf"\dx{{{_IN}}} = \frac{{p_{{g,d,i,j}} - \frac{{a_g + s_{{g,d,i,j}}\, b_g}}{{D H W}}}}"
            rf"{{{_root('g')}}}",
            r"a_g = \sum_{d,i,j} \,p_{g,d,i,j}",
            rf"b_g = \sum_{{d,i,j}} \,p_{{g,d,i,j}} ({_moved(_IN, 'g')})",
            rf"s_{{g,d,i,j}} = \frac{{{_moved(_IN, 'g')}}}{{{_cell('var', 'g')} + \varepsilon}}",
            rf"p_{{g,d,i,j}} = \dy{{{_IN}}}\, {_cell('gamma', _OF)}",
        ),
        variables=_WORDS,
        ahead="Each group by itself: first two sums over its `dy`, then every `dx`.",
        compared=("dx", "dy"),
    ),
}
