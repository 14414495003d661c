"""What makes each cell of one cell: activations, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.formats.graph import Node
from cnnviz.formats.rewriter import Rewriter, Unsteppable
from cnnviz.text import tr


def each(kind: str, **arguments: str) -> Callable[[Rewriter, Node], None]:
    """Return the rule of a layer that makes each cell of one; arguments by the names of attributes."""

    def rule(rewriter: Rewriter, node: Node) -> None:
        value = rewriter.unpadded(node, rewriter.value(node))
        told: dict[str, Any] = {}
        for name, attribute in arguments.items():
            default = _DEFAULTS[node.kind, attribute]
            number = float(node.attributes.get(attribute, default))  # type: ignore[arg-type]
            told |= rewriter.argument(kind, name, None, short(number))
        rewriter.put(node, rewriter.layer(node, kind, [value], value.shape, told))

    return rule


_DEFAULTS = {
    ("LeakyRelu", "alpha"): 0.01,
    ("Elu", "alpha"): 1.0,
    ("Softplus", "beta"): 1.0,
    ("Softplus", "threshold"): 20.0,
}


def short(number: float) -> float:
    """Return what a number in float32 was written as: 0.1, not 0.10000000149."""
    return float(str(np.float32(number)))


def clip(rewriter: Rewriter, node: Node) -> None:
    """Make a ReLU, or a ReLU6, of bounds."""
    value = rewriter.unpadded(node, rewriter.value(node))
    least, most = (_bound(rewriter, node, k, key) for k, key in ((1, "min"), (2, "max")))
    if least == 0 and most == np.inf:
        kind = "relu"
    elif (least, most) == (0, 6) and rewriter.catalogue.has("relu6"):
        kind = "relu6"
    elif least == -np.inf and most == np.inf:
        rewriter.put(node, value)
        return
    else:
        kind = "clip"
        rewriter.troubles.append(
            tr("there is no layer that keeps numbers between {least} and {most}", least=least, most=most)
        )
    rewriter.put(node, rewriter.layer(node, kind, [value], value.shape))


def _bound(rewriter: Rewriter, node: Node, place: int, key: str) -> float:
    given = rewriter.optional(node, place)
    default = -np.inf if key == "min" else np.inf
    number = node.attributes.get(key, default) if given is None else np.ravel(given)[0]
    number = float(number)  # type: ignore[arg-type]
    return default if abs(number) >= np.finfo(np.float32).max else number


def gelu(rewriter: Rewriter, node: Node) -> None:
    """Make a GELU, by its integral or by a tanh."""
    value = rewriter.unpadded(node, rewriter.value(node))
    told = rewriter.argument("gelu", "approximate", "none", str(node.attributes.get("approximate", "none")))
    rewriter.put(node, rewriter.layer(node, "gelu", [value], value.shape, told))


def hard_sigmoid(rewriter: Rewriter, node: Node) -> None:
    """Make a hard sigmoid, whose slope is that of PyTorch."""
    alpha, beta = (float(node.attributes.get(key, v)) for key, v in (("alpha", 0.2), ("beta", 0.5)))  # type: ignore[arg-type]
    if node.kind == "HardSigmoid" and (abs(alpha - 1 / 6) > 1e-6 or beta != 0.5):
        rewriter.troubles.append(tr("its slope is {slope}, not that of PyTorch, 1/6", slope=alpha))
    each("hard_sigmoid")(rewriter, node)


def softmax(kind: str, rewriter: Rewriter, node: Node) -> None:
    """Make a softmax of a column, or over the channels of maps."""
    value = rewriter.unpadded(node, rewriter.value(node))
    rank = len(value.axes) + 1
    axis = int(node.attributes.get("axis", -1)) % rank  # type: ignore[arg-type]
    if axis > 0 and value.axes[axis - 1] == 0 and prod(value.shape) == value.shape[0]:
        column = rewriter.column(node, is_bare=False)
        made = rewriter.layer(node, kind, [column], column.shape)
        rewriter.put(node, replace(made, axes=tuple(0 if own == 0 else -1 for own in value.axes)))
        return
    own = value.axes[axis - 1] if axis else -1
    if own < 0 or len(value.shape) == 1:
        raise Unsteppable(tr("it goes over another axis than that of a column, or of maps"))
    arguments = rewriter.argument(kind, "dim", 1, own + 1)
    rewriter.put(node, rewriter.layer(node, kind, [value], value.shape, arguments))
