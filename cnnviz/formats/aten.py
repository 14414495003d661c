"""The operations of PyTorch by their own names, as nodes that bear the names of ONNX.

TorchScript, exported programs and modules all call them: ``conv2d``, ``relu_``, ``flatten``.
Source of their arguments: aten/src/ATen/native/native_functions.yaml of PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.formats.bounds import MOST_NODES
from cnnviz.formats.graph import Attribute, Graph, Node


class Value(Struct, frozen=True):
    """An array that a node makes, or that the file holds."""

    name: str


class Calls:
    """Turns calls of PyTorch's operations into nodes.

    Attributes
    ----------
    arrays : dict[str, NDArray]
        The arrays of the file, to which those are added that ONNX has where PyTorch has an argument.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._taken: set[str] = set()

    def graph(self, inputs: Mapping[str, tuple[int | None, ...]], outputs: Sequence[Any], kind: str) -> Graph:
        """Return the graph of all that was called."""
        names = tuple(output.name for output in outputs if isinstance(output, Value))
        metadata = {"format": kind, "layout": "pytorch"}
        told = {name: shape or self._taken_by(name) for name, shape in inputs.items()}
        return Graph(tuple(self.nodes), self.arrays, told, names, metadata)

    def _taken_by(self, name: str) -> tuple[int | None, ...]:
        """Return what the first layer that reads an input says of its shape."""
        reader = next((node for node in self.nodes if name in node.inputs), None)
        weight = self.arrays.get(reader.inputs[1]) if reader and len(reader.inputs) > 1 else None
        if reader and weight is not None and reader.kind == "Conv" and weight.ndim in (3, 4):
            group = reader.attributes.get("group", 1)
            channels = weight.shape[1] * group if isinstance(group, int) else None
            return None, channels, *(None for _ in weight.shape[2:])
        if reader and weight is not None and reader.kind == "Gemm" and weight.ndim == 2:
            return None, weight.shape[1]
        return ()

    def call(self, operation: str, name: str, *given: Any, **named: Any) -> Any:
        """Call an operation: what it returns can be given to another.

        Parameters
        ----------
        operation : str
            As PyTorch calls it, ``conv2d`` or ``view``; one ending in _ would change its input, which is the
            same here.
        name : str
            What the file calls it, a module's path for instance.
        """
        operation = operation.split(".")[0]
        function = _OPERATIONS.get(operation) or _OPERATIONS.get(operation.removesuffix("_"))
        if function is None:
            values = [value.name for value in given if isinstance(value, Value)]
            values += [value.name for value in named.values() if isinstance(value, Value)]
            return self.emit(f"aten::{operation}", name, values)
        return function(self, name, *given, **named)

    def emit(self, kind: str, name: str, inputs: Sequence[Any], **attributes: Attribute) -> Value:
        """Add a node, and return what it makes."""
        if len(self.nodes) >= MOST_NODES:
            raise ValueError("too many nodes")
        output = self._free(name)
        read = tuple(value.name if isinstance(value, Value) else value or "" for value in inputs)
        self.nodes.append(Node(kind, name, read, (output,), attributes))
        return Value(output)

    def array(self, name: str, values: Any) -> Value:
        """Add an array, and return it."""
        name = self._free(name)
        self.arrays[name] = np.asarray(values)
        return Value(name)

    def reserve(self, name: str) -> Value:
        """Keep a name for what goes in."""
        self._taken.add(name)
        return Value(name)

    def _free(self, name: str) -> str:
        free, count = name, 1
        while free in self._taken or free in self.arrays:
            count += 1
            free = f"{name}:{count}"
        self._taken.add(free)
        return free


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = list(value)
    return (values * 2 if len(values) == 1 else values)[0], values[-1]


def _along(value: Any, axes: int) -> tuple[int, ...]:
    """Return a size along each axis, where one may stand for all."""
    return _pair(value) if axes == 2 else (_pair(value)[0],)


def _conv(
    axes: int, to: Calls, name: str, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Value:  # fmt: skip
    placed: dict[str, Attribute] = {"auto_pad": "SAME_UPPER"} if padding == "same" else {}
    if not isinstance(padding, str):
        placed = {"pads": _along(padding, axes) * 2}
    inputs = [x, weight] + ([bias] if bias is not None else [])
    attributes: dict[str, Attribute] = {
        "strides": _along(stride, axes),
        "dilations": _along(dilation, axes),
        "group": groups,
    }
    return to.emit("Conv", name, inputs, **attributes, **placed)


def _convolution(
    to: Calls, name: str, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, *_: Any, **__: Any,
) -> Value:  # fmt: skip
    axes = 2 if isinstance(stride, int) else len(stride)
    if transposed:
        more = output_padding, groups, dilation
        return _conv_transpose(axes, to, name, x, weight, bias, stride, padding, *more)
    return _conv(axes, to, name, x, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    axes: int, to: Calls, name: str, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Value:  # fmt: skip
    attributes: dict[str, Attribute] = {
        "strides": _along(stride, axes),
        "pads": _along(padding, axes) * 2,
        "output_padding": _along(output_padding, axes),
        "dilations": _along(dilation, axes),
        "group": groups,
    }
    return to.emit("ConvTranspose", name, [x, weight] + ([bias] if bias is not None else []), **attributes)


def _batch_norm(
    to: Calls, name: str, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
    training: Any = False, momentum: float = 0.1, eps: float = 1e-5, cudnn_enabled: Any = None,
) -> Value:  # fmt: skip
    inputs = [x, weight, bias, running_mean, running_var]
    return to.emit("BatchNormalization", name, inputs, epsilon=float(eps), training_mode=int(bool(training)))


def _batch_norm_no_training(
    to: Calls, name: str, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
    momentum: float, eps: float,
) -> tuple[Value]:  # fmt: skip
    return (_batch_norm(to, name, x, weight, bias, running_mean, running_var, False, momentum, eps),)


def _layer_norm(
    to: Calls, name: str, x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None,
    eps: float = 1e-5, cudnn_enable: Any = None,
) -> Value:  # fmt: skip
    parts = [x, weight, bias]
    return to.emit("LayerNormalization", name, parts, axis=-len(normalized_shape), epsilon=float(eps))


def _group_norm(
    to: Calls, name: str, x: Any, num_groups: int, weight: Any = None, bias: Any = None,
    eps: float = 1e-5, cudnn_enabled: Any = None,
) -> Value:  # fmt: skip
    return to.emit("GroupNormalization", name, [x, weight, bias], num_groups=num_groups, epsilon=float(eps))


def _local_response_norm(
    to: Calls, name: str, x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Value:
    return to.emit("TorchLRN", name, [x], size=size, alpha=float(alpha), beta=float(beta), bias=float(k))


def _linear(to: Calls, name: str, x: Any, weight: Any, bias: Any = None) -> Value:
    return to.emit("Gemm", name, [x, weight] + ([bias] if bias is not None else []), transB=1)


def _addmm(to: Calls, name: str, x: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Value:
    return to.emit("Gemm", name, [mat1, mat2, x], alpha=float(alpha), beta=float(beta))


def _hardtanh(to: Calls, name: str, x: Any, min_val: float = -1.0, max_val: float = 1.0, *_: Any) -> Value:
    return to.emit("Clip", name, [x], min=float(min_val), max=float(max_val))


def _clamp(to: Calls, name: str, x: Any, min: Any = None, max: Any = None) -> Value:
    given = {"min": min, "max": max}
    return to.emit("Clip", name, [x], **{key: float(v) for key, v in given.items() if v is not None})


def _pool(
    kind: str, to: Calls, name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil: Any,
    **more: Attribute,
) -> Value:  # fmt: skip
    steps = kernel_size if stride is None or stride == [] or stride == () else stride
    shape = {"kernel_shape": _pair(kernel_size), "strides": _pair(steps), "pads": _pair(padding) * 2}
    return to.emit(kind, name, [x], **shape, ceil_mode=int(bool(ceil)), **more)


def _max_pool2d(
    to: Calls, name: str, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: Any = False,
) -> Value:  # fmt: skip
    dilations = _pair(dilation)
    return _pool("MaxPool", to, name, x, kernel_size, stride, padding, ceil_mode, dilations=dilations)


def _pool1d(
    kind: str, to: Calls, name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil: Any,
    **more: Attribute,
) -> Value:  # fmt: skip
    steps = kernel_size if stride is None or stride == [] or stride == () else stride
    shape = {
        "kernel_shape": _along(kernel_size, 1),
        "strides": _along(steps, 1),
        "pads": _along(padding, 1) * 2,
    }
    return to.emit(kind, name, [x], **shape, ceil_mode=int(bool(ceil)), **more)


def _max_pool1d(
    to: Calls, name: str, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: Any = False,
) -> Value:  # fmt: skip
    return _pool1d(
        "MaxPool", to, name, x, kernel_size, stride, padding, ceil_mode, dilations=_along(dilation, 1)
    )


def _avg_pool1d(
    to: Calls, name: str, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: Any = False, count_include_pad: Any = True,
) -> Value:  # fmt: skip
    counted = int(bool(count_include_pad))
    return _pool1d(
        "AveragePool", to, name, x, kernel_size, stride, padding, ceil_mode, count_include_pad=counted
    )


def _max_pool2d_with_indices(to: Calls, name: str, *given: Any, **named: Any) -> tuple[Value]:
    return (_max_pool2d(to, name, *given, **named),)


def _avg_pool2d(
    to: Calls, name: str, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: Any = False, count_include_pad: Any = True, divisor_override: Any = None,
) -> Value:  # fmt: skip
    if divisor_override is not None:
        return to.emit("aten::avg_pool2d", name, [x])
    counted = int(bool(count_include_pad))
    return _pool(
        "AveragePool", to, name, x, kernel_size, stride, padding, ceil_mode, count_include_pad=counted
    )


def _avg_pool3d(
    to: Calls, name: str, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **__: Any
) -> Value:
    plain = stride in ([1, 1, 1], (1, 1, 1)) and padding in (0, [0, 0, 0], (0, 0, 0))
    steps: dict[str, Attribute] = {"kernel_shape": tuple(kernel_size)} if plain else {}
    return to.emit("AveragePool", name, [x], **steps)


def _adaptive_avg_pool2d(to: Calls, name: str, x: Any, output_size: Any) -> Value:
    size = _pair(output_size) if output_size is not None else (None, None)
    if size == (1, 1):
        return to.emit("GlobalAveragePool", name, [x])
    return to.emit("AdaptiveAveragePool", name, [x], output_size=size)


def _adaptive_max_pool2d(to: Calls, name: str, x: Any, output_size: Any, return_indices: Any = False) -> Any:
    if _pair(output_size) == (1, 1):
        return to.emit("GlobalMaxPool", name, [x])
    return to.emit("aten::adaptive_max_pool2d", name, [x])


def _mean(to: Calls, name: str, x: Any, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> Value:
    axes = (dim,) if isinstance(dim, int) else tuple(dim or ())
    return to.emit("ReduceMean", name, [x], axes=axes, keepdims=int(bool(keepdim)))


def _flatten(to: Calls, name: str, x: Any, start_dim: int = 0, end_dim: int = -1) -> Value:
    if end_dim != -1:
        return to.emit("aten::flatten", name, [x])
    if start_dim > 1:
        return _view(to, name, x, [0] * start_dim + [-1])
    return to.emit("Flatten", name, [x], axis=start_dim)


def _view(to: Calls, name: str, x: Any, shape: Any) -> Value:
    return to.emit("Reshape", name, [x, to.array(f"{name}.shape", np.array(shape, np.int64))])


def _unflatten(to: Calls, name: str, x: Any, dim: int, sizes: Any) -> Value:
    if dim != 1:
        return to.emit("aten::unflatten", name, [x])
    return _view(to, name, x, (0, *sizes))


def _squeeze(to: Calls, name: str, x: Any, dim: Any = None) -> Value:
    axes = (dim,) if isinstance(dim, int) else tuple(dim or ())
    return to.emit("Squeeze", name, [x], axes=axes)


def _unsqueeze(to: Calls, name: str, x: Any, dim: int) -> Value:
    return to.emit("Unsqueeze", name, [x], axes=(dim,))


def _permute(to: Calls, name: str, x: Any, dims: Any) -> Value:
    return to.emit("Transpose", name, [x], perm=tuple(dims))


def _transpose(to: Calls, name: str, x: Any, dim0: int = 0, dim1: int = 1) -> Value:
    return to.emit("Transpose", name, [x], swap=(dim0, dim1))


def _sum(kind: str, to: Calls, name: str, x: Any, other: Any, alpha: Any = 1) -> Value:
    if alpha != 1:
        return to.emit(f"aten::{kind.lower()} with alpha", name, [x])
    numbers = [
        value if isinstance(value, Value) else to.array(f"{name}.constant", np.float64(value))
        for value in (x, other)
    ]
    return to.emit(kind, name, numbers)


def _cat(to: Calls, name: str, tensors: Any, dim: int = 0) -> Value:
    return to.emit("Concat", name, list(tensors), axis=dim)


def _dropout(to: Calls, name: str, x: Any, p: float = 0.5, train: Any = False) -> Value:
    return to.emit("Dropout", name, [x], ratio=float(p), train=int(bool(train)))


def _feature_dropout(to: Calls, name: str, x: Any, p: float = 0.5, train: Any = False) -> Value:
    return to.emit("Dropout", name, [x], ratio=float(p), train=int(bool(train)), channels=1)


def _same(to: Calls, name: str, x: Any, *_: Any, **__: Any) -> Any:
    return x


def _softmax(to: Calls, name: str, x: Any, dim: int, *_: Any, **__: Any) -> Value:
    return to.emit("Softmax", name, [x], axis=dim)


def _log_softmax(to: Calls, name: str, x: Any, dim: int, *_: Any, **__: Any) -> Value:
    return to.emit("LogSoftmax", name, [x], axis=dim)


def _leaky_relu(to: Calls, name: str, x: Any, negative_slope: float = 0.01) -> Value:
    return to.emit("LeakyRelu", name, [x], alpha=float(negative_slope))


def _elu(to: Calls, name: str, x: Any, alpha: float = 1.0, scale: Any = 1, input_scale: Any = 1) -> Value:
    kind = "Elu" if scale == 1 and input_scale == 1 else "aten::elu"
    return to.emit(kind, name, [x], alpha=float(alpha))


def _gelu(to: Calls, name: str, x: Any, approximate: str = "none") -> Value:
    return to.emit("Gelu", name, [x], approximate=approximate)


def _softplus(to: Calls, name: str, x: Any, beta: Any = 1, threshold: Any = 20) -> Value:
    return to.emit("Softplus", name, [x], beta=float(beta), threshold=float(threshold))


def _upsample(mode: str, align: bool) -> Any:
    def upsample(to: Calls, name: str, x: Any, output_size: Any = None, *given: Any, **named: Any) -> Value:
        corners, factors = (given[0] if align and given else named.get("align_corners", False)), None
        for value in (*given, *named.values()):
            if isinstance(value, list | tuple) and value and isinstance(value[0], float):
                factors = tuple(value)
        sizes = tuple(output_size) if isinstance(output_size, list | tuple) else None
        placing = "align_corners" if corners is True else "half_pixel" if align else "asymmetric"
        return to.emit(
            "Resize", name, [x], mode=mode, factors=factors, sizes=sizes,
            coordinate_transformation_mode=placing, nearest_mode="floor",
        )  # fmt: skip

    return upsample


def _constant_pad(to: Calls, name: str, x: Any, pad: Any, value: Any = 0) -> Value:
    # PyTorch begins with the last axis; axes that it does not name are as they are, of four or more.
    before, after, others = pad[::2][::-1], pad[1::2][::-1], [0] * (4 - len(pad) // 2)
    pads = (*others, *before, *others, *after)
    return to.emit("Pad", name, [x], pads=pads, value=float(value or 0), mode="constant")


def _pad(to: Calls, name: str, x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Value:
    if mode != "constant":
        return to.emit("Pad", name, [x], mode=mode)
    return _constant_pad(to, name, x, pad, value)


def _plain(kind: str) -> Any:
    def plain(to: Calls, name: str, x: Any) -> Value:
        return to.emit(kind, name, [x])

    return plain


_OPERATIONS: dict[str, Any] = {
    **{f"conv{axes}d": partial(_conv, axes) for axes in (1, 2)},
    **{f"conv_transpose{axes}d": partial(_conv_transpose, axes) for axes in (1, 2)},
    "_convolution": _convolution,
    "convolution": _convolution,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm_no_training,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "local_response_norm": _local_response_norm,
    "linear": _linear,
    "addmm": _addmm,
    "mm": lambda to, name, x, mat2: to.emit("MatMul", name, [x, mat2]),
    "matmul": lambda to, name, x, other: to.emit("MatMul", name, [x, other]),
    "relu6": lambda to, name, x: _hardtanh(to, name, x, 0.0, 6.0),
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "softplus": _softplus,
    **{
        name: _plain(kind)
        for name, kind in {
            **{"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "silu": "Silu", "mish": "Mish"},
            **{"hardswish": "HardSwish", "hardsigmoid": "TorchHardSigmoid", "selu": "Selu"},
        }.items()
    },
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
    "max_pool1d": _max_pool1d,
    "avg_pool1d": _avg_pool1d,
    "max_pool2d": _max_pool2d,
    "max_pool2d_with_indices": _max_pool2d_with_indices,
    "avg_pool3d": _avg_pool3d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "_adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "adaptive_max_pool2d": _adaptive_max_pool2d,
    "mean": _mean,
    "flatten": _flatten,
    "view": _view,
    "_unsafe_view": _view,
    "reshape": _view,
    "unflatten": _unflatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "permute": _permute,
    "transpose": _transpose,
    "t": _transpose,
    "add": lambda to, name, x, other, alpha=1: _sum("Add", to, name, x, other, alpha),
    "sub": lambda to, name, x, other, alpha=1: _sum("Sub", to, name, x, other, alpha),
    "mul": lambda to, name, x, other: _sum("Mul", to, name, x, other),
    "div": lambda to, name, x, other: _sum("Div", to, name, x, other),
    "pow": lambda to, name, x, exponent: _sum("Pow", to, name, x, exponent),
    "cat": _cat,
    "concat": _cat,
    "dropout": _dropout,
    "feature_dropout": _feature_dropout,
    "upsample_nearest2d": _upsample("nearest", False),
    "upsample_bilinear2d": _upsample("linear", True),
    "constant_pad_nd": _constant_pad,
    "pad": _pad,
    **dict.fromkeys(
        ("alias", "contiguous", "clone", "detach", "identity", "to", "_to_copy", "lift_fresh_copy"), _same
    ),
}
