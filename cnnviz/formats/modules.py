"""Networks that were pickled whole: those that consist of PyTorch's own layers, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.aten import Calls, Value
from cnnviz.formats.bounds import DEEPEST
from cnnviz.formats.graph import Graph
from cnnviz.formats.pickles import Instance, Tensor
from cnnviz.text import tr

Arrays = Callable[[Tensor], NDArray[Any]]

_OWN = "torch.nn.modules."


def as_module(content: Any) -> Instance | None:
    """Return what a pickle holds if it is a module."""
    is_one = isinstance(content, Instance) and isinstance(content.state, dict) and "_modules" in content.state
    return content if is_one else None


def graph_of_module(module: Instance, arrays: Arrays) -> Graph:
    """Return the graph of a module of Sequentials; of any other its arrays, and why it is no graph."""
    calls = Calls()
    parameters = _parameters(module)
    for path, tensor in parameters.items():
        calls.array(path, arrays(tensor))
    try:
        output = _Chain(calls).through(module, "", calls.reserve("input"), 0)
    except CnnvizError as error:
        metadata = {"format": "PyTorch", "layout": "pytorch", "code": str(error)}
        return Graph(arrays=calls.arrays, metadata=metadata)
    return calls.graph({"input": ()}, [output], "PyTorch")


def _parameters(module: Instance) -> dict[str, Tensor]:
    """Return all parameters and buffers by their paths: ``features.0.weight``."""
    found: dict[str, Tensor] = {}
    level = [("", module)]
    for _ in range(DEEPEST):
        inner = []
        for start, part in level:
            state = part.state if isinstance(part.state, dict) else {}
            for kind in ("_parameters", "_buffers"):
                for key, tensor in _items(state.get(kind)):
                    if isinstance(tensor, Tensor):
                        found[f"{start}{key}"] = tensor
            inner += [
                (f"{start}{key}.", child)
                for key, child in _items(state.get("_modules"))
                if isinstance(child, Instance)
            ]
            if len(inner) + len(found) > 100_000:
                raise ValueError("too many modules")
        level = inner
    return found


def _items(content: Any) -> list[tuple[str, Any]]:
    items = content.items() if isinstance(content, dict) else ()
    return [(key, value) for key, value in items if isinstance(key, str)]


class _Chain:
    """Calls the layers of Sequentials one after the other."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def through(self, module: Instance, path: str, x: Value, depth: int) -> Value:
        kind = str(module.of)
        state = module.state if isinstance(module.state, dict) else {}
        if depth > DEEPEST:
            raise ValueError("modules in modules without end")
        if kind == f"{_OWN}container.Sequential":
            for key, child in _items(state.get("_modules")):
                inner = f"{path}.{key}".removeprefix(".")
                if not isinstance(child, Instance):
                    raise ValueError("no module")
                x = self.through(child, inner, x, depth + 1)
            return x
        name = kind.rpartition(".")[2]
        if not kind.startswith(_OWN) or name not in _LAYERS:
            raise CnnvizError(
                tr(
                    "it holds a {kind}, whose forward method is code that only its own program has; "
                    "save it with torch.onnx.export or torch.export.save",
                    kind=name,
                )
                if not kind.startswith(_OWN)
                else tr(
                    "{path}: a {kind} is not read from a whole module; save it with torch.onnx.export",
                    path=path,
                    kind=name,
                )
            )
        made: Value = _LAYERS[name](self._calls, path or name, state, x)
        return made


def _array(calls: Calls, path: str, key: str) -> Value | None:
    name = f"{path}.{key}" if path else key
    return Value(name) if name in calls.arrays else None


def _with(*keys: str, operation: str, arrays: tuple[str, ...] = ()) -> Any:
    """Return what calls an operation with a module's arrays and some of its attributes, in order."""

    def call(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
        own = [_array(calls, path, key) for key in arrays]
        return calls.call(operation, path, x, *own, *(state.get(key) for key in keys))

    return call


def _conv(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
    if state.get("padding_mode", "zeros") != "zeros":
        mode = str(state["padding_mode"])
        raise CnnvizError(tr("{path}: its padding is {mode}; zeros are the only one", path=path, mode=mode))
    weight, bias = (_array(calls, path, key) for key in ("weight", "bias"))
    keys = ("stride", "padding", "dilation", "groups")
    operation = "conv1d" if weight and calls.arrays[weight.name].ndim == 3 else "conv2d"
    return calls.call(operation, path, x, weight, bias, *(state.get(key) for key in keys))


def _linear(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
    return calls.call("linear", path, x, *(_array(calls, path, key) for key in ("weight", "bias")))


def _batch_norm(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
    own = [_array(calls, path, key) for key in ("weight", "bias", "running_mean", "running_var")]
    return calls.call("batch_norm", path, x, *own, False, 0.1, state.get("eps", 1e-5))


def _norm(operation: str, told: str) -> Any:
    """Return the rule of a norm over each sample, by what it is told of its extent."""

    def rule(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
        weight, bias = (_array(calls, path, key) for key in ("weight", "bias"))
        return calls.call(operation, path, x, state.get(told), weight, bias, state.get("eps", 1e-5))

    return rule


def _upsample(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Any:
    mode, size, factors = str(state.get("mode", "nearest")), state.get("size"), state.get("scale_factor")
    if mode not in ("nearest", "bilinear") or (size is None and factors is None):
        raise CnnvizError(
            tr(
                "{path}: it makes maps larger by {mode}; nearest and bilinear are known",
                path=path,
                mode=mode,
            )
        )
    sizes, both = (
        None if told is None else [kind(part) for part in (told if isinstance(told, tuple) else (told, told))]
        for told, kind in ((size, int), (factors, float))
    )
    more = [bool(state.get("align_corners"))] if mode == "bilinear" else []
    return calls.call(f"upsample_{mode}2d", path, x, sizes, *more, both)


def _same(calls: Calls, path: str, state: dict[Any, Any], x: Value) -> Value:
    return x


_LAYERS: dict[str, Any] = {
    "Conv2d": _conv,
    **{
        f"ConvTranspose{axes}d": _with(
            *("stride", "padding", "output_padding", "groups", "dilation"),
            operation=f"conv_transpose{axes}d",
            arrays=("weight", "bias"),
        )
        for axes in (1, 2)
    },
    "Conv1d": _conv,
    "MaxPool1d": _with("kernel_size", "stride", "padding", "dilation", "ceil_mode", operation="max_pool1d"),
    "AvgPool1d": _with(
        "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", operation="avg_pool1d"
    ),
    "Linear": _linear,
    "BatchNorm2d": _batch_norm,
    "BatchNorm1d": _batch_norm,
    "LayerNorm": _norm("layer_norm", "normalized_shape"),
    "GroupNorm": _norm("group_norm", "num_groups"),
    "LocalResponseNorm": _with("size", "alpha", "beta", "k", operation="local_response_norm"),
    "MaxPool2d": _with("kernel_size", "stride", "padding", "dilation", "ceil_mode", operation="max_pool2d"),
    "AvgPool2d": _with(
        "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", operation="avg_pool2d"
    ),
    "AdaptiveAvgPool2d": _with("output_size", operation="adaptive_avg_pool2d"),
    "AdaptiveMaxPool2d": _with("output_size", operation="adaptive_max_pool2d"),
    "Flatten": _with("start_dim", "end_dim", operation="flatten"),
    "Unflatten": _with("dim", "unflattened_size", operation="unflatten"),
    "Upsample": _upsample,
    "UpsamplingNearest2d": _upsample,
    "UpsamplingBilinear2d": _upsample,
    "ReLU6": _with("min_val", "max_val", operation="hardtanh"),
    "Hardtanh": _with("min_val", "max_val", operation="hardtanh"),
    "LeakyReLU": _with("negative_slope", operation="leaky_relu"),
    "ELU": _with("alpha", operation="elu"),
    "GELU": _with("approximate", operation="gelu"),
    "Softplus": _with("beta", "threshold", operation="softplus"),
    "Softmax": _with("dim", operation="softmax"),
    "LogSoftmax": _with("dim", operation="log_softmax"),
    "ZeroPad2d": _with("padding", operation="constant_pad_nd"),
    **{
        name: _with(operation=name.lower())
        for name in ("ReLU", "Sigmoid", "Tanh", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "SELU")
    },
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "Identity"), _same),
}
