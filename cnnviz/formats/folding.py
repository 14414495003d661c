"""Computes the nodes of a graph that read constants alone: exporters write shapes and weights so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.formats.bounds import Budget
from cnnviz.formats.graph import Attribute, Node

Constant = NDArray[Any]

_ONNX_TYPES = {1: "f4", 2: "u1", 3: "i1", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8"}


def folded(node: Node, given: Sequence[Constant | None], budget: Budget) -> Constant | None:
    """Return what a node makes of constants; None if it is not one that is computed here.

    Raises
    ------
    Exception
        Whatever NumPy raises where they do not fit.
    """
    function = _FUNCTIONS.get(node.kind)
    if function is None:
        return None
    numbers = [part for part in given if part is not None]
    if node.kind in _BROADCAST and numbers:
        shape = np.broadcast_shapes(*(part.shape for part in numbers))
        budget.take(8 * prod(shape))
    elif node.kind == "ConstantOfShape":
        width = np.asarray(node.attributes.get("value", np.float32(0))).itemsize
        budget.take(width * prod(int(size) for size in numbers[0].ravel()))
    elif node.kind not in _VIEWS:
        budget.take(16 * sum(part.size for part in numbers))
    with np.errstate(all="ignore"):
        made: Constant = np.asanyarray(function(node.attributes, *given))
        return made


def axes_of(node: Node, given: Sequence[Constant | None]) -> tuple[int, ...]:
    """Return the axes that a node is told, as an attribute or, in later versions of ONNX, as an input."""
    if len(given) > 1 and given[1] is not None:
        return tuple(int(axis) for axis in given[1].ravel())
    axes = node.attributes.get("axes")
    return tuple(axes) if isinstance(axes, tuple) else ()


def _constant(attributes: Any, *_: Any) -> Constant:
    for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if key in attributes:
            return np.asarray(attributes[key])
    raise ValueError("a constant without a value")


def _reshape(attributes: Any, x: Constant, shape: Constant) -> Constant:
    sizes = [int(size) for size in shape.ravel()]
    if not attributes.get("allowzero"):
        sizes = [x.shape[k] if size == 0 else size for k, size in enumerate(sizes)]
    return x.reshape(sizes)


def _gather(attributes: Any, x: Constant, indices: Constant) -> Constant:
    axis = attributes.get("axis", 0)
    if indices.size > x.size + 64 or (x.ndim != 1 and indices.ndim):
        raise ValueError("a gathering of arrays")
    return np.take(x, indices, axis=axis)


def _slice(attributes: Any, x: Constant, *given: Constant | None) -> Constant:
    told = [attributes.get(key) for key in ("starts", "ends", "axes")] + [None] if not given else list(given)
    starts, ends, axes, steps = (
        None if part is None else [int(k) for k in np.ravel(part)] for part in [*told, None, None][:4]
    )
    if starts is None or ends is None:
        raise ValueError("a slice without ends")
    cut = [slice(None)] * x.ndim
    for k, axis in enumerate(axes if axes is not None else range(len(starts))):
        cut[axis] = slice(starts[k], ends[k], steps[k] if steps is not None else 1)
    return x[tuple(cut)]


def _filled(attributes: Any, shape: Constant) -> Constant:
    sizes = [int(size) for size in shape.ravel()]
    if min(sizes, default=0) < 0:
        raise ValueError("a negative size")
    value: Attribute = attributes.get("value")
    # All cells are one: it takes no memory before it is copied, and that is counted before.
    return np.broadcast_to(np.ravel(value)[0] if value is not None else np.float32(0), sizes)


def _squeeze(attributes: Any, x: Constant, axes: Constant | None = None) -> Constant:
    told = attributes.get("axes") if axes is None else axes.ravel().tolist()
    return np.squeeze(x, tuple(told) if told is not None else None)


def _unsqueeze(attributes: Any, x: Constant, axes: Constant | None = None) -> Constant:
    return np.expand_dims(x, tuple(attributes["axes"] if axes is None else axes.ravel().tolist()))


def _transpose(attributes: Any, x: Constant) -> Constant:
    swap = attributes.get("swap")
    return np.swapaxes(x, *swap) if swap else np.transpose(x, attributes.get("perm"))


def _binary(function: Callable[..., Any]) -> Callable[..., Constant]:
    return lambda _, x, y: function(x, y)


def _divided(_: Any, x: Constant, y: Constant) -> Constant:
    if x.dtype.kind in "iu" and y.dtype.kind in "iu":
        return np.trunc(np.divide(x, np.where(y == 0, 1, y))).astype(x.dtype)
    return np.divide(x, y)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Constant": _constant,
    "Identity": lambda _, x: x,
    "Cast": lambda attributes, x: x.astype(_ONNX_TYPES[attributes["to"]]),
    "CastLike": lambda _, x, like: x.astype(like.dtype),
    "Reshape": _reshape,
    "Flatten": lambda attributes, x: x.reshape(prod(x.shape[: attributes.get("axis", 1)]), -1),
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Shape": lambda attributes, x: np.array(x.shape[attributes.get("start", 0) : attributes.get("end")]),
    "Size": lambda _, x: np.array(x.size),
    "Gather": _gather,
    "Slice": _slice,
    "ConstantOfShape": _filled,
    "Concat": lambda attributes, *parts: np.concatenate(parts, axis=attributes["axis"]),
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _divided,
    "Mod": lambda attributes, x, y: (np.fmod if attributes.get("fmod") else np.mod)(x, y),
    "Pow": _binary(np.power),
    "Max": lambda _, *parts: np.max(np.broadcast_arrays(*parts), axis=0),
    "Min": lambda _, *parts: np.min(np.broadcast_arrays(*parts), axis=0),
    "Neg": lambda _, x: np.negative(x),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Exp": lambda _, x: np.exp(x),
    "Reciprocal": lambda _, x: np.reciprocal(x),
    "Floor": lambda _, x: np.floor(x),
    "Ceil": lambda _, x: np.ceil(x),
    "Equal": _binary(np.equal),
    "Where": lambda _, condition, x, y: np.where(condition, x, y),
    "DequantizeLinear": lambda _, x, scale, zero=0: (x.astype("f4") - np.float32(zero)) * scale,
}
_BROADCAST = ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "Equal", "Where")
_VIEWS = ("Constant", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
