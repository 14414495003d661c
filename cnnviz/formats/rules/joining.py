"""What reads two values or more, and arithmetic with constants."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.formats.graph import Node
from cnnviz.formats.rewriter import Rewriter, Unsteppable, Value
from cnnviz.formats.rules.columns import ordered
from cnnviz.text import tr


def add(rewriter: Rewriter, node: Node) -> None:
    """Make a sum of two values, or let the layer before add a constant."""
    constants = [k for k, name in enumerate(node.inputs) if name in rewriter.constants]
    if constants:
        _affine(rewriter, node, constants[0])
        return
    values = _alike(rewriter, node)
    rewriter.put(node, rewriter.layer(node, "add", values, values[0].shape))


def _alike(rewriter: Rewriter, node: Node) -> list[Value]:
    """Return the inputs of a node, which lie in their layers in the same way."""
    values = [rewriter.unpadded(node, rewriter.value(node, k)) for k in range(len(node.inputs))]
    for value in values[1:]:
        if value.shape != values[0].shape or value.axes != values[0].axes or _differ(value, values[0]):
            raise Unsteppable(tr("its inputs have different shapes"))
    return values


def _differ(one: Value, other: Value) -> bool:
    if one.order is None or other.order is None:
        return one.order is not other.order
    return not np.array_equal(one.order, other.order)


def _affine(rewriter: Rewriter, node: Node, place: int) -> None:
    """Add a constant, or multiply by one: the layer before does that."""
    value = rewriter.unpadded(node, rewriter.value(node, 1 - place))
    constant = np.asarray(rewriter.constant(node, place), np.float64)
    each = _each_channel(value, constant)
    kind = node.kind
    if kind in ("Div", "Sub") and place == 0:
        raise Unsteppable(tr("it subtracts from a constant, or divides one; no layer here does"))
    if kind in ("Add", "Sum", "Sub"):
        if np.all(each == 0):
            rewriter.put(node, value)
            return
        rewriter.scaled(node, value, 1.0, each if kind != "Sub" else -each)
        return
    scale = 1 / each if kind == "Div" else each
    if np.all(scale == 1):
        rewriter.put(node, value)
        return
    rewriter.scaled(node, value, scale, 0.0)


def _each_channel(value: Value, constant: NDArray[Any]) -> NDArray[Any]:
    """Return the number that a constant has for each channel, or for each number of a column."""
    sizes = (1, *value.sizes)
    shape = (1,) * max(len(sizes) - constant.ndim, 0) + constant.shape
    channel = value.axes.index(0) + 1 if 0 in value.axes else 0
    if any(size != 1 for axis, size in enumerate(shape) if axis != channel) or len(shape) != len(sizes):
        raise Unsteppable(
            tr("its constant differs from cell to cell of a map; layers here have one number for a channel")
        )
    each = np.broadcast_to(constant.reshape(-1), (value.shape[0],))
    return each if value.order is None else ordered(np.ascontiguousarray(each), value.order)


def multiply(rewriter: Rewriter, node: Node) -> None:
    """Make a product, or let the layer before multiply by a constant."""
    constants = [k for k, name in enumerate(node.inputs) if name in rewriter.constants]
    if constants:
        _affine(rewriter, node, constants[0])
        return
    if node.kind != "Mul":
        raise Unsteppable(
            tr("no layer here subtracts or divides two arrays; add, multiply and concat take several")
        )
    for x, gate in ((0, 1), (1, 0)):
        source, through = rewriter.value(node, x), rewriter.value(node, gate)
        layer = rewriter.layers[-1] if rewriter.layers else None
        if layer and layer.name == through.source and layer.inputs == (source.source,):
            kind = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}.get(layer.kind, "")
            if kind and rewriter.catalogue.has(kind) and rewriter.readers[node.inputs[gate]] == 1:
                rewriter.layers.pop()  # a gate of itself is a layer of its own
                rewriter.put(node, rewriter.layer(node, kind, [source], source.shape))
                return
    values = [rewriter.unpadded(node, rewriter.value(node, k)) for k in range(2)]
    whole = max(values, key=lambda value: (len(value.shape), prod(value.shape)))
    for value in values:
        if value.shape != whole.shape and not _is_weight(value, whole):
            raise Unsteppable(tr("its inputs have different shapes"))
        if value.shape == whole.shape and (value.axes != whole.axes or _differ(value, whole)):
            raise Unsteppable(tr("its inputs have different shapes"))
    made = rewriter.layer(node, "multiply", values, whole.shape)
    rewriter.put(node, replace(made, axes=whole.axes, order=whole.order))


def _is_weight(value: Value, whole: Value) -> bool:
    """Return whether a value has one number for each channel of another, where that has its channels."""
    channels = whole.shape[:1]
    if value.order is not None or value.shape not in (channels, (*channels, 1, 1)):
        return False
    if channels == (1,):
        return True
    axis = whole.axes.index(0) - len(whole.axes)  # as NumPy aligns axes, from the last one
    return -axis <= len(value.axes) and value.axes[axis] == 0


def concat(rewriter: Rewriter, node: Node) -> None:
    """Concatenate channels, or columns."""
    values = [rewriter.unpadded(node, rewriter.value(node, k)) for k in range(len(node.inputs))]
    if len(values) == 1:
        rewriter.put(node, values[0])
        return
    first = values[0]
    axis = int(node.attributes["axis"]) % (len(first.axes) + 1)  # type: ignore[arg-type]
    if axis == 0 or first.axes[axis - 1] != 0 or any(value.axes != first.axes for value in values):
        raise Unsteppable(tr("it joins arrays along another axis than that of channels"))
    if any(value.shape[1:] != first.shape[1:] for value in values):
        raise Unsteppable(tr("its inputs have different shapes"))
    total = sum(value.shape[0] for value in values)
    made = rewriter.layer(node, "concat", values, (total, *first.shape[1:]))
    if any(value.order is not None for value in values):
        starts = np.cumsum([0] + [value.shape[0] for value in values[:-1]])
        orders = [np.arange(v.shape[0]) if v.order is None else v.order for v in values]
        made = replace(made, order=np.concatenate([o + s for o, s in zip(orders, starts, strict=True)]))
    rewriter.put(node, made)
