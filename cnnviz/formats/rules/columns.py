"""Fully connected layers, and batch norms."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.formats.graph import Node
from cnnviz.formats.rewriter import Rewriter, Unsteppable, Value
from cnnviz.formats.rules.cells import short
from cnnviz.formats.rules.windows import of_weight
from cnnviz.text import tr


def gemm(rewriter: Rewriter, node: Node) -> None:
    """Make a fully connected layer; its weights may lie either way round."""
    w = rewriter.constant(node, 1, tr("weights"))
    b = rewriter.optional(node, 2)
    attributes = node.attributes
    if attributes.get("transA", 0) or w.ndim != 2:
        raise Unsteppable(tr("it multiplies other arrays than a column and weights"))
    w = w.T if attributes.get("transB", 0) else w
    alpha, beta = (float(attributes.get(key, 1.0)) for key in ("alpha", "beta"))  # type: ignore[arg-type]
    w = w if alpha == 1 else w * w.dtype.type(alpha)
    b = b if b is None or beta == 1 else b * b.dtype.type(beta)
    _linear(rewriter, node, w, b)


def matmul(rewriter: Rewriter, node: Node) -> None:
    """Make a fully connected layer without a bias."""
    w = rewriter.constant(node, 1, tr("weights"))
    if w.ndim != 2:
        raise Unsteppable(tr("it multiplies other arrays than a column and weights"))
    _linear(rewriter, node, w, None)


def _linear(rewriter: Rewriter, node: Node, w: NDArray[Any], b: NDArray[Any] | None) -> None:
    value = rewriter.column(node)
    if value.shape[0] != w.shape[0]:
        raise Unsteppable(
            tr(
                "its weights take {inputs} inputs, but {found} come in",
                inputs=w.shape[0],
                found=value.shape[0],
            )
        )
    if value.order is not None:
        rewriter.budget.take(w.size * w.itemsize)
        turned = np.empty(w.shape, w.dtype)
        turned[value.order] = w
        w = turned
    bias = np.zeros(w.shape[1], w.dtype) if b is None else np.broadcast_to(b.reshape(-1), (w.shape[1],))
    arguments = {"in_features": w.shape[0], "neurons": w.shape[1]}
    plain = replace(value, order=None)
    made = rewriter.layer(
        node, "linear", [plain], (w.shape[1],), arguments, {"w": w, "b": bias}, of_weight(rewriter, node)
    )
    rewriter.put(node, made)


def batch_norm(rewriter: Rewriter, node: Node) -> None:
    """Make a batch norm with the statistics that the file holds; in training with those of the mini-batch."""
    value = rewriter.unpadded(node, rewriter.value(node))
    count, trains = value.shape[0], bool(node.attributes.get("training_mode", 0))
    arrays = {} if trains else {"mean": rewriter.constant(node, 3), "var": rewriter.constant(node, 4)}
    weight, bias = (rewriter.optional(node, k) for k in (1, 2))
    like = np.float64 if trains else arrays["mean"].dtype
    arrays["gamma"] = np.ones(count, like) if weight is None else weight
    arrays["beta"] = np.zeros(count, like) if bias is None else bias
    if any(part.shape != (count,) for part in arrays.values()):
        raise ValueError("statistics of another length")
    if len(value.axes) != len(value.shape) or value.axes[0] != 0:
        raise Unsteppable(tr("it normalises along another axis than that of channels"))
    if value.order is not None:
        arrays = {name: ordered(part, value.order) for name, part in arrays.items()}
    eps = short(float(node.attributes.get("epsilon", 1e-5)))  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"num_features": count, "eps": eps}
    if trains:
        arguments["training"] = True
    rewriter.put(node, rewriter.layer(node, "batch_norm", [value], value.shape, arguments, arrays))


def layer_norm(rewriter: Rewriter, node: Node) -> None:
    """Make a layer norm over all numbers of a sample."""
    value = rewriter.unpadded(node, rewriter.value(node))
    rank = len(value.axes) + 1
    first = int(node.attributes.get("axis", -1)) % rank  # type: ignore[arg-type]
    if first != 1 or value.axes != tuple(range(len(value.shape))):
        raise Unsteppable(tr("it normalises only some of the axes, and layer_norm here all of them"))
    arguments: dict[str, Any] = {"normalized_shape": value.shape}
    _normalised(rewriter, node, value, "layer_norm", value.shape, arguments)


def group_norm(rewriter: Rewriter, node: Node) -> None:
    """Make a norm of groups of channels."""
    value = rewriter.unpadded(node, rewriter.maps(node, axes=(1, 2)))
    groups = int(node.attributes["num_groups"])  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"num_groups": groups, "num_channels": value.shape[0]}
    _normalised(rewriter, node, value, "group_norm", value.shape[:1], arguments)


def local_response_norm(rewriter: Rewriter, node: Node) -> None:
    """Make a local response norm; a window of an even size reaches further behind in ONNX."""
    value = rewriter.unpadded(node, rewriter.maps(node, axes=(1, 2)))
    size = int(node.attributes["size"])  # type: ignore[arg-type]
    if size % 2 == 0 and node.kind == "LRN":
        raise Unsteppable(
            tr("its window of {size} channels reaches further behind than before its own", size=size)
        )
    defaults = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    told = {name: node.attributes.get({"k": "bias"}.get(name, name), defaults[name]) for name in defaults}
    arguments: dict[str, Any] = {"size": size}
    for name, number in told.items():
        arguments |= rewriter.argument("local_response_norm", name, defaults[name], short(float(number)))  # type: ignore[arg-type]
    rewriter.put(node, rewriter.layer(node, "local_response_norm", [value], value.shape, arguments))


def _normalised(
    rewriter: Rewriter,
    node: Node,
    value: Value,
    kind: str,
    shape: tuple[int, ...],
    arguments: dict[str, Any],
) -> None:
    """Make a norm whose γ and β have a shape, ones and zeros where the file has none."""
    weight, bias = (rewriter.optional(node, k) for k in (1, 2))
    gamma = np.ones(shape) if weight is None else weight
    beta = np.zeros(shape, gamma.dtype) if bias is None else bias
    if gamma.shape != shape or beta.shape != shape:
        raise Unsteppable(tr("its γ and β have another shape than what it normalises"))
    if value.order is not None:
        gamma, beta = ordered(gamma, value.order), ordered(beta, value.order)
    arguments["eps"] = short(float(node.attributes.get("epsilon", 1e-5)))  # type: ignore[arg-type]
    arrays = {"gamma": gamma, "beta": beta}
    rewriter.put(node, rewriter.layer(node, kind, [value], value.shape, arguments, arrays))


def ordered(array: NDArray[Any], order: NDArray[np.integer]) -> NDArray[Any]:
    """Return the numbers of a column at the places that a value says they have in its layer."""
    turned = np.empty_like(array)
    turned[order] = array
    return turned
