"""What slides over maps: convolutions and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cnnviz.formats.folding import axes_of
from cnnviz.formats.graph import Node
from cnnviz.formats.layers import Shape
from cnnviz.formats.rewriter import NO_PADS, Rewriter, Sides, Unsteppable, Value
from cnnviz.text import tr


def _window(node: Node, kernel: Shape, sizes: Shape, pads: Sides, axes: int) -> tuple[Shape, Shape, Sides]:
    """Return strides, dilations and zeros around of what slides over maps of some sizes.

    Sequences, which have one axis, are maps of one column.
    """
    strides, dilations = (_pair(node, key, axes=axes) for key in ("strides", "dilations"))
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        both = []
        for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
            total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
            less = total // 2
            both.append((less, total - less) if auto == "SAME_UPPER" else (total - less, less))
        own: Sides = (both[0][0], both[1][0], both[0][1], both[1][1])
    else:
        given = node.attributes.get("pads", NO_PADS[: 2 * axes])
        if auto not in ("NOTSET", "VALID") or not isinstance(given, tuple) or len(given) != 2 * axes:
            raise Unsteppable(tr("its window, stride or padding is not one of maps or of sequences"))
        given = given if axes == 2 else (given[0], 0, given[1], 0)
        own = NO_PADS if auto == "VALID" else given
    t, left, b, r = (a + c for a, c in zip(own, pads, strict=True))
    if min(t, left, b, r, *strides, *dilations) < 0 or min(strides) < 1:
        raise Unsteppable(tr("its padding is negative, which cuts off the edges of maps"))
    return strides, dilations, (t, left, b, r)


def _pair(node: Node, key: str, default: Shape = (1, 1), axes: int = 2) -> Shape:
    value = node.attributes.get(key, default[:axes])
    if not isinstance(value, tuple) or len(value) != axes or any(type(part) is not int for part in value):
        raise Unsteppable(tr("its window, stride or padding is not one of maps or of sequences"))
    return value if axes == 2 else (*value, 1)


def _sizes(value: Value) -> Shape:
    """Return height and width of maps, and of sequences their length and 1."""
    return value.shape[1:] if len(value.shape) == 3 else (*value.shape[1:], 1)


def _slid(
    sizes: Shape, kernel: Shape, strides: Shape, dilations: Shape, pads: Sides, ceil: bool = False
) -> Shape:
    """Return height and width of what comes out."""
    made = []
    for k in range(2):
        free = sizes[k] + pads[k] + pads[k + 2] - (kernel[k] - 1) * dilations[k] - 1
        if free < 0:
            raise Unsteppable(tr("its window is larger than the maps that it reads"))
        count = -(-free // strides[k]) + 1 if ceil else free // strides[k] + 1
        if ceil and (count - 1) * strides[k] >= sizes[k] + pads[k]:
            count -= 1  # no window begins behind the maps
        made.append(count)
    return tuple(made)


def forms(pair: Sequence[int]) -> list[Any]:
    """Return a pair as one number where both are equal, and as it is."""
    return [*([pair[0]] if len(set(pair)) == 1 else []), tuple(pair)]


def _padding(rewriter: Rewriter, kind: str, pads: Sides) -> dict[str, Any]:
    t, left, b, r = pads
    if kind.endswith("1d"):
        return rewriter.argument(kind, "padding", 0, *([t] if t == b else []), (t, b))
    symmetric = [(t, left)] if (t, left) == (b, r) else []
    one = [t] if len(set(pads)) == 1 else []
    return rewriter.argument(kind, "padding", 0, *one, *symmetric, (t, b, left, r))


def conv(rewriter: Rewriter, node: Node) -> None:
    """Make a convolution."""
    w, b = rewriter.constant(node, 1, tr("kernels")), rewriter.optional(node, 2)
    axes = w.ndim - 2
    if axes not in (1, 2):
        raise Unsteppable(tr("its window, stride or padding is not one of maps or of sequences"))
    value, kind = rewriter.maps(node, axes=(axes,)), f"conv{axes}d"
    group, kernel = int(node.attributes.get("group", 1)), (*w.shape[2:], 1)[:2]  # type: ignore[arg-type]
    if group < 1 or w.shape[0] % group:
        raise ValueError("groups that do not divide the kernels")
    if value.shape[0] != w.shape[1] * group:
        raise Unsteppable(
            tr(
                "its kernels take {depth} channels, but {channels} come in",
                depth=w.shape[1] * group,
                channels=value.shape[0],
            )
        )
    strides, dilations, pads = _window(node, kernel, _sizes(value), value.pads, axes)
    out = _slid(_sizes(value), kernel, strides, dilations, pads)[:axes]
    arguments = {
        "in_channels": value.shape[0],
        "out_channels": w.shape[0],
        "kernel": forms(kernel[:axes])[0],
        **rewriter.argument(kind, "stride", 1, *forms(strides[:axes])),
        **_padding(rewriter, kind, pads),
        **rewriter.argument(kind, "dilation", 1, *forms(dilations[:axes])),
        **rewriter.argument(kind, "groups", 1, group),
        **({} if b is not None else {"bias": False}),
    }
    arrays = {"w": w} if b is None else {"w": w, "b": b}
    origin = of_weight(rewriter, node)
    rewriter.put(node, rewriter.layer(node, kind, [value], (w.shape[0], *out), arguments, arrays, origin))


def of_weight(rewriter: Rewriter, node: Node) -> str:
    """Return what a file calls a layer: by the name of its weight, where that tells more than the node's."""
    weight = node.inputs[1]
    name, _, end = weight.rpartition(".")
    return name if name and end in ("weight", "kernel") else node.name


def conv_transpose(rewriter: Rewriter, node: Node) -> None:
    """Make a transposed convolution."""
    w, b = rewriter.constant(node, 1, tr("kernels")), rewriter.optional(node, 2)
    axes = w.ndim - 2
    if axes not in (1, 2):
        raise Unsteppable(tr("its window, stride or padding is not one of maps or of sequences"))
    value, kind = rewriter.maps(node, axes=(axes,)), f"conv_transpose{axes}d"
    rewriter.unpadded(node, value)
    group = int(node.attributes.get("group", 1))  # type: ignore[arg-type]
    if value.shape[0] != w.shape[0]:
        raise Unsteppable(tr("its window, stride or padding is not one of maps or of sequences"))
    strides, dilations, added = (
        _pair(node, key, (usual,) * 2, axes)[:axes]
        for key, usual in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    pads = node.attributes.get("pads", NO_PADS[: 2 * axes])
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        same = node.attributes.get("auto_pad") in ("SAME_UPPER", "SAME_LOWER")
        total = [max((k - 1) * d + 1 - s, 0) for k, d, s in zip(w.shape[2:], dilations, strides, strict=True)]
        if not same or any(part % 2 for part in total):
            raise Unsteppable(tr("it says how large its output is; write its padding instead"))
        pads = (*(part // 2 for part in total),) * 2
    if not isinstance(pads, tuple) or pads[:axes] != pads[axes:]:
        raise Unsteppable(tr("its padding is not the same on both sides"))
    out = tuple(
        (value.shape[k + 1] - 1) * strides[k]
        - 2 * pads[k]
        + dilations[k] * (w.shape[k + 2] - 1)
        + added[k]
        + 1
        for k in range(axes)
    )
    channels = w.shape[1] * group
    arguments = {
        "in_channels": value.shape[0],
        "out_channels": channels,
        "kernel": forms(w.shape[2:])[0],
        **rewriter.argument(kind, "stride", 1, *forms(strides)),
        **rewriter.argument(kind, "padding", 0, *forms(pads[:axes])),
        **rewriter.argument(kind, "output_padding", 0, *forms(added)),
        **rewriter.argument(kind, "dilation", 1, *forms(dilations)),
        **rewriter.argument(kind, "groups", 1, group),
    }
    arguments |= {} if b is not None else {"bias": False}
    arrays = {"w": w} if b is None else {"w": w, "b": b}
    origin = of_weight(rewriter, node)
    rewriter.put(node, rewriter.layer(node, kind, [value], (channels, *out), arguments, arrays, origin))


def pool(kind: str, rewriter: Rewriter, node: Node) -> None:
    """Make a pooling layer."""
    value = rewriter.maps(node, axes=(1, 2))
    axes, sizes = len(value.shape) - 1, _sizes(value)
    kind = kind.replace("2d", f"{axes}d")
    if any(value.pads) and kind == "max_pool2d":
        rewriter.unpadded(node, value)
    kernel = _pair(node, "kernel_shape", axes=axes)
    strides, dilations, pads = _window(node, kernel, sizes, value.pads, axes)
    ceil = bool(node.attributes.get("ceil_mode", 0))
    out = _slid(sizes, kernel, strides, dilations, pads, ceil)[:axes]
    differs = ceil and out != _slid(sizes, kernel, strides, dilations, pads)[:axes]
    counted = bool(node.attributes.get("count_include_pad", 0)) or any(value.pads)
    arguments = {
        "kernel": forms(kernel[:axes])[0],
        **({} if strides == kernel else rewriter.argument(kind, "stride", None, *forms(strides[:axes]))),
        **_padding(rewriter, kind, pads),
        **rewriter.argument(kind, "dilation", 1, *forms(dilations[:axes])),
        **rewriter.argument(kind, "ceil_mode", False, differs),
    }
    if kind.startswith("avg") and any(pads):
        arguments |= rewriter.argument(kind, "count_include_pad", True, counted)
    rewriter.put(node, rewriter.layer(node, kind, [value], (value.shape[0], *out), arguments))


def global_pool(kind: str, rewriter: Rewriter, node: Node) -> None:
    """Pool each map to one number."""
    value = rewriter.unpadded(node, rewriter.maps(node, axes=(1, 2)))
    rewriter.put(node, _whole_pool(kind, rewriter, node, value))


def _whole_pool(kind: str, rewriter: Rewriter, node: Node, value: Value) -> Value:
    """Pool each map to one number."""
    sizes = value.shape[1:]
    shape = value.shape[0], *(1 for _ in sizes)
    if kind == "avg_pool2d" and len(sizes) == 2:
        return rewriter.layer(node, "global_avg_pool2d", [value], shape)
    kind = kind.replace("2d", f"{len(sizes)}d")
    return rewriter.layer(node, kind, [value], shape, {"kernel": forms(sizes)[0]})


def adaptive_pool(rewriter: Rewriter, node: Node) -> None:
    """Make an average-pooling layer whose windows give a number of outputs."""
    value = rewriter.unpadded(node, rewriter.maps(node))
    told = node.attributes.get("output_size")
    height, width = value.shape[1:]
    size = tuple(own if part is None else part for part, own in zip(told, (height, width), strict=True))  # type: ignore[arg-type]
    if size == (height, width):
        rewriter.put(node, value)
    elif height % size[0] == 0 and width % size[1] == 0:
        arguments = {"kernel": forms((height // size[0], width // size[1]))[0]}
        rewriter.put(node, rewriter.layer(node, "avg_pool2d", [value], (value.shape[0], *size), arguments))
    else:
        kind = "adaptive_avg_pool2d"
        arguments = {"output_size": forms(size)[0]}
        rewriter.put(node, rewriter.layer(node, kind, [value], (value.shape[0], *size), arguments))


def mean(rewriter: Rewriter, node: Node) -> None:
    """Pool each map to its mean."""
    value = rewriter.unpadded(node, rewriter.value(node))
    constants = [rewriter.constants.get(name) if name else None for name in node.inputs]
    rank = len(value.axes) + 1
    axes = sorted(axis % rank for axis in axes_of(node, constants))
    over = sorted(value.axes[axis - 1] for axis in axes if axis > 0)
    if len(value.shape) == 1 or over != [*range(1, len(value.shape))] or 0 in axes:
        raise Unsteppable(tr("its mean is not that of each map, over height and width"))
    made = _whole_pool("avg_pool2d", rewriter, node, value)
    if not node.attributes.get("keepdims", 1):
        made = replace(made, axes=tuple(axis for axis in value.axes if axis not in over))
    rewriter.put(node, made)
