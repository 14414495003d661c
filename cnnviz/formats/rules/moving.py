"""What only moves axes and numbers about, and zeros around maps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.formats.folding import axes_of
from cnnviz.formats.graph import Node
from cnnviz.formats.layers import Shape
from cnnviz.formats.rewriter import Rewriter, Unsteppable, Value
from cnnviz.formats.rules.cells import short
from cnnviz.formats.rules.windows import forms
from cnnviz.text import tr


def same(rewriter: Rewriter, node: Node) -> None:
    """Pass a value on."""
    rewriter.put(node, rewriter.value(node))


def dropout(rewriter: Rewriter, node: Node) -> None:
    """Pass a value on, as dropout does when a network is used; in training make a layer of it."""
    value, told = rewriter.value(node), node.attributes
    train = rewriter.optional(node, 2)
    if not told.get("train", 0) and (train is None or not train.any()):
        rewriter.put(node, value)
        return
    ratio = rewriter.optional(node, 1)
    p = float(told.get("ratio", 0.5)) if ratio is None else float(ratio.reshape(-1)[0])  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"p": short(p)} | ({"channels": True} if told.get("channels", 0) else {})
    value = rewriter.unpadded(node, value)
    rewriter.put(node, rewriter.layer(node, "dropout", [value], value.shape, arguments))


def shape(rewriter: Rewriter, node: Node) -> None:
    """Note the shape of a value as a constant."""
    sizes = (rewriter.batch, *rewriter.value(node).sizes)
    start, end = (node.attributes.get(key) for key in ("start", "end"))
    cut = slice(*(part if isinstance(part, int) else None for part in (start, end)))
    rewriter.constants[node.outputs[0]] = np.array(sizes[cut], np.int64)


def transpose(rewriter: Rewriter, node: Node) -> None:
    """Move the axes of a value."""
    value = rewriter.unpadded(node, rewriter.value(node))
    rank = len(value.axes) + 1
    told = node.attributes.get("perm", tuple(reversed(range(rank))))
    swap = node.attributes.get("swap")
    if isinstance(swap, tuple):
        order = list(range(rank))
        a, b = (part % rank for part in swap)
        order[a], order[b] = b, a
        told = tuple(order)
    if (
        not isinstance(told, tuple)
        or sorted(axis % rank for axis in told) != list(range(rank))
        or told[0] != 0
    ):
        raise Unsteppable(tr("it moves the axis of samples"))
    axes = tuple(value.axes[axis % rank - 1] for axis in told[1:])
    rewriter.put(node, replace(value, axes=axes))


def reshape(rewriter: Rewriter, node: Node) -> None:
    """Give a value another shape."""
    value = rewriter.unpadded(node, rewriter.value(node))
    told = [int(size) for size in rewriter.constant(node, 1, tr("sizes")).ravel()]
    sizes = (rewriter.batch, *value.sizes)
    total = prod(sizes)
    if not node.attributes.get("allowzero", 0):
        told = [sizes[k] if size == 0 else size for k, size in enumerate(told)]
    rest = prod(size for size in told if size != -1)
    target = [total // rest if size == -1 else size for size in told]
    if prod(target) != total or told.count(-1) > 1:
        raise ValueError("another number of numbers")
    _arranged(rewriter, node, value, target)


def flatten(rewriter: Rewriter, node: Node) -> None:
    """Make a column."""
    value = rewriter.unpadded(node, rewriter.value(node))
    axis = int(node.attributes.get("axis", 1))  # type: ignore[arg-type]
    if axis not in (1, -len(value.axes)):
        raise Unsteppable(tr("it flattens the axis of samples, too"))
    _arranged(rewriter, node, value, [rewriter.batch, prod(value.sizes)])


def _arranged(rewriter: Rewriter, node: Node, value: Value, target: Sequence[int]) -> None:
    """Give a value another shape, the numbers in the same order."""
    if not target or target[0] != rewriter.batch:
        raise Unsteppable(tr("it moves the axis of samples"))
    wanted = tuple(target[1:])
    own = [(axis, size) for axis, size in zip(value.axes, value.sizes, strict=True) if size != 1]
    if [size for size in wanted if size != 1] == [size for _, size in own]:
        free = [axis for axis in range(len(value.shape)) if axis not in [axis for axis, _ in own]]
        rewriter.put(node, replace(value, axes=_spread(wanted, [axis for axis, _ in own], free)))
    elif len(wanted) == 1 and len(value.shape) in (2, 3):
        made = rewriter.layer(node, "flatten", [value], wanted)
        axes = [axis for axis, _ in own]
        if axes != sorted(axes):
            rewriter.budget.take(8 * prod(wanted))
            places = np.arange(prod(wanted)).reshape(value.shape)
            left = [axis for axis in range(len(value.shape)) if axis not in axes]
            made = replace(made, order=places.transpose(*axes, *left).ravel())
        rewriter.put(node, made)
    else:
        sizes = [size for size in wanted if size != 1]
        if len(sizes) > 3:
            told = " × ".join(map(str, wanted))
            raise Unsteppable(
                tr("it gives {shape} as a shape; there are at most three axes here", shape=told)
            )
        shape, place = wanted, tuple(range(len(wanted)))
        if len(wanted) != 3:
            two = len(sizes) == 2  # they are a row for each channel
            shape = (sizes[0], 1, sizes[1]) if two else tuple(sizes)
            place = _spread(wanted, [0, 2] if two else list(range(len(sizes))), [1] if two else [])
        rewriter.put(node, replace(rewriter.rearranged(node, value, shape), axes=place))


def _spread(wanted: Shape, taken: list[int], free: list[int]) -> tuple[int, ...]:
    """Return which axis of a layer each axis of the file is; those of size 1 are any that are free."""
    axes: list[int] = []
    for size in wanted:
        if size != 1:
            axes.append(taken.pop(0))
        else:
            axes.append(free.pop(0) if free else -1)
    return tuple(axes)


def squeeze(rewriter: Rewriter, node: Node) -> None:
    """Take out axes of size 1."""
    value = rewriter.unpadded(node, rewriter.value(node))
    constants = [rewriter.constants.get(name) if name else None for name in node.inputs]
    rank = len(value.axes) + 1
    axes = {axis % rank for axis in axes_of(node, constants)}
    sizes = (rewriter.batch, *value.sizes)
    axes = axes or {axis for axis, size in enumerate(sizes) if size == 1 and axis}
    axes = {axis for axis in axes if sizes[axis] == 1}
    if 0 in axes:
        raise Unsteppable(tr("it moves the axis of samples"))
    kept = tuple(own for axis, own in enumerate(value.axes, 1) if axis not in axes)
    rewriter.put(node, replace(value, axes=kept))


def unsqueeze(rewriter: Rewriter, node: Node) -> None:
    """Put in axes of size 1."""
    value = rewriter.unpadded(node, rewriter.value(node))
    constants = [rewriter.constants.get(name) if name else None for name in node.inputs]
    rank = len(value.axes) + 1
    told = axes_of(node, constants)
    axes = sorted(axis % (rank + len(told)) for axis in told)
    sizes = [rewriter.batch, *value.sizes]
    for axis in axes:
        sizes.insert(axis, 1)
    _arranged(rewriter, node, value, sizes)


def pad(rewriter: Rewriter, node: Node) -> None:
    """Leave zeros around maps to the layer that reads them."""
    value = rewriter.maps(node)
    given = rewriter.optional(node, 1)
    pads = node.attributes.get("pads") if given is None else tuple(int(size) for size in given.ravel())
    fill = rewriter.optional(node, 2)
    number = float(np.ravel(fill)[0] if fill is not None and fill.size else node.attributes.get("value", 0.0))  # type: ignore[arg-type]
    if node.attributes.get("mode", "constant") != "constant" or number != 0:
        raise Unsteppable(tr("it pads with other numbers than zeros"))
    if not isinstance(pads, tuple) or len(pads) != 8 or any(pads[:2]) or any(pads[4:6]) or min(pads) < 0:
        raise Unsteppable(tr("it pads other axes than height and width"))
    own = (pads[2], pads[3], pads[6], pads[7])
    t, left, b, r = (a + c for a, c in zip(own, value.pads, strict=True))
    rewriter.put(node, replace(value, pads=(t, left, b, r)))


def resize(rewriter: Rewriter, node: Node) -> None:
    """Make maps larger by whole factors, or give them a size."""
    value = rewriter.unpadded(node, rewriter.maps(node))
    height, width = value.shape[1:]
    factors, sizes = node.attributes.get("factors"), node.attributes.get("sizes")
    for place in range(1, len(node.inputs)):
        given = rewriter.optional(node, place)
        if given is not None and given.size == 4:
            told = tuple(given.ravel()[2:].tolist())
            factors, sizes = (factors, told) if given.dtype.kind in "iu" else (told, sizes)
    if isinstance(sizes, tuple):
        factors = (sizes[0] / height, sizes[1] / width)
    mode = {"nearest": "nearest", "linear": "bilinear"}.get(str(node.attributes.get("mode", "nearest")), "")
    are_whole = isinstance(factors, tuple) and all(part == int(part) and part >= 1 for part in factors)
    if not mode or not (are_whole or isinstance(sizes, tuple)):
        raise Unsteppable(
            tr("maps are enlarged by whole factors or to a size, to the nearest number or bilinearly")
        )
    default = "asymmetric" if node.kind == "Upsample" else "half_pixel"
    placing = str(node.attributes.get("coordinate_transformation_mode", default))
    rounding = "floor" if node.kind == "Upsample" else str(node.attributes.get("nearest_mode", ""))
    if mode == "bilinear":
        is_known = placing in ("half_pixel", "pytorch_half_pixel", "align_corners")
    else:  # between two numbers the middle is of none of them, so that it rounds to neither
        is_near = are_whole and "half_pixel" in placing and rounding not in ("floor", "ceil")
        is_known = is_near or (placing == "asymmetric" and rounding == "floor")
        placing += f", {rounding}" if rounding else ""
    if not is_known:
        raise Unsteppable(
            tr("it places numbers as {placing} says; half_pixel and align_corners are known", placing=placing)
        )
    assert isinstance(factors, tuple)
    if are_whole:
        made = rewriter.argument("upsample", "scale_factor", None, *forms(tuple(map(int, factors))))
        high, wide = height * int(factors[0]), width * int(factors[1])
    else:
        assert isinstance(sizes, tuple)
        high, wide = map(int, sizes)
        made = {"size": forms((high, wide))[0]}
        if mode == "nearest" and not (_is_exact(height, high) and _is_exact(width, wide)):
            raise Unsteppable(tr("it rounds, so that some cells are not the number that lies where they lie"))
    smaller = [out < own for out, own in zip((high, wide), (height, width), strict=True)]
    if any(smaller) and node.attributes.get("antialias", 0):
        raise Unsteppable(tr("it smooths maps before they become smaller"))
    if placing == "pytorch_half_pixel" and any(
        less and out == 1 for less, out in zip(smaller, (high, wide), strict=True)
    ):
        raise Unsteppable(tr("of all rows, or columns, it takes the first"))
    arguments = {
        **made,
        **rewriter.argument("upsample", "mode", "nearest", mode),
        **rewriter.argument("upsample", "align_corners", False, placing == "align_corners"),
    }
    out = (value.shape[0], high, wide)
    rewriter.put(node, rewriter.layer(node, "upsample", [value], out, arguments))


def _is_exact(size: int, out: int) -> bool:
    """Return whether places reckoned in single precision, as PyTorch does, are those of whole numbers."""
    k = np.arange(out)
    return bool((k.astype(np.float32) * np.float32(size / out) // 1 == k * size // out).all())
