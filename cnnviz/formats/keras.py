"""Reads ``.keras`` archives and ``.h5`` files of Keras, versions 2 and 3.

Keras has channels last. Its layers become nodes that have them first, with a Transpose behind the input and
one before each Flatten, as they stand in networks that were exported from Keras to ONNX.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.archive import Archive, is_zip
from cnnviz.formats.aten import Calls, Value
from cnnviz.formats.bounds import DEEPEST, LONGEST_TEXT
from cnnviz.formats.graph import Graph
from cnnviz.formats.hdf5 import Group, Hdf5
from cnnviz.text import tr

Config = Mapping[str, Any]


def read_keras(data: memoryview) -> Graph:
    """Return the graph of a model, or the arrays of a file of weights."""
    if is_zip(data):
        archive = Archive(data)
        config = json.loads(bytes(archive.read("config.json", LONGEST_TEXT)).decode())
        weights = Hdf5(archive.read("model.weights.h5"))
        return _Model(config, _newer(weights.root)).graph()
    file = Hdf5(data)
    told = file.root.attributes().get("model_config")
    children = file.root.children()
    if told is None:
        named = _named(children.get("layers", file.root))
        if not named:
            raise CnnvizError(tr("it holds no model of Keras"))
        arrays = {f"{layer}.{name}": array for layer, own in named.items() for name, array in own.items()}
        return Graph(arrays=arrays, metadata={"format": "Keras", "layout": "keras"})
    return _Model(json.loads(told), _older(children["model_weights"])).graph()


def _named(group: Group) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each layer by their own names: ``kernel``."""
    found = {}
    for layer, child in group.children().items():
        arrays = _arrays_in(child, 0)
        if arrays:
            found[layer] = arrays
    return found


def _arrays_in(group: Group, depth: int) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for name, child in group.children().items() if depth < DEEPEST and not group.is_array else ():
        if child.is_array:
            array = child.array()
            if array is not None:
                found[name.partition(":")[0]] = array
        else:
            found.update(_arrays_in(child, depth + 1))
    return found


Finder = Callable[[str, str, int], Mapping[str, NDArray[Any]]]
"""Finds the arrays of a layer by its name, its kind, and how many of this kind came before."""


def _older(group: Group) -> Finder:
    """Return what finds the arrays of a layer in an .h5 file by its name."""
    named = _named(group)

    def arrays_of(name: str, kind: str, place: int) -> dict[str, NDArray[Any]]:
        return named.get(name, {})

    return arrays_of


def _newer(root: Group) -> Finder:
    """Return what finds the arrays of a layer in a .keras file: by its kind, and how many came before."""
    children = root.children()
    layers = children["layers"].children() if "layers" in children else children

    def arrays_of(name: str, kind: str, place: int) -> dict[str, NDArray[Any]]:
        short = _snake(kind)
        group = layers.get(f"{short}_{place}" if place else short)
        if group is None:
            return {}
        variables = group.children().get("vars")
        own = variables.children() if variables is not None else {}
        found = {key: child.array() for key, child in own.items() if child.is_array}
        return {key: array for key, array in found.items() if array is not None}

    return arrays_of


def _snake(name: str) -> str:
    """Return a class's name as Keras writes it in files: Conv2D is conv2d, ReLU re_lu."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class _Model:
    """A model, whose layers are gone through in order.

    Parameters
    ----------
    config : Mapping
        What the file says of it.
    arrays_of : Callable
        Finds the arrays of a layer by its name, its kind, and how many of this kind came before.
    """

    def __init__(self, config: Config, arrays_of: Finder) -> None:
        self._kind, self._config, self._arrays_of = config["class_name"], config["config"], arrays_of
        self._calls = Calls()
        self._values: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._ranks: dict[str, int] = {}
        if self._kind not in ("Sequential", "Functional", "Model"):
            raise CnnvizError(
                tr("it holds a {kind} of its own program; save a Sequential or a Functional", kind=self._kind)
            )

    def graph(self) -> Graph:
        """Return the graph."""
        config = self._config
        layers = config if isinstance(config, list) else config["layers"]
        inputs: dict[str, tuple[int | None, ...]] = {}
        last: Any = None
        for layer in layers:
            kind, own = layer["class_name"], layer["config"]
            name = str(layer.get("name") or own["name"])
            place = self._counts[kind]
            self._counts[kind] += 1
            shape = own.get("batch_shape") or own.get("batch_input_shape")
            if kind == "InputLayer" or (shape and last is None and self._kind == "Sequential"):
                last = self._begin(name if kind == "InputLayer" else "input", shape, inputs)
                if kind == "InputLayer":
                    self._values[name] = last
                    continue
            if last is None and self._kind == "Sequential":
                built = own.get("build_input_shape") or (layer.get("build_config") or {}).get("input_shape")
                last = self._begin("input", built or (), inputs)
            given = [last] if self._kind == "Sequential" else self._read(layer)
            last = self._layer(name, kind, own, self._arrays_of(name, kind, place), given)
            self._values[name] = last
        outputs = [last] if self._kind == "Sequential" else self._outputs(config["output_layers"])
        made = self._calls.graph(inputs, outputs, "Keras")
        return Graph(
            made.nodes, made.arrays, made.inputs, made.outputs, {"format": "Keras", "layout": "keras"}
        )

    def _begin(
        self, name: str, shape: Sequence[int | None], inputs: dict[str, tuple[int | None, ...]]
    ) -> Value:
        inputs[name] = tuple(shape)
        value = self._calls.reserve(name)
        self._ranks[value.name] = len(shape)
        return self.channels_first(f"{name}/channels first", value)

    def _outputs(self, told: Any) -> list[Value]:
        refs = told if told and isinstance(told[0], list) else [told]
        return [self._values[ref[0]] for ref in refs]

    def _read(self, layer: Config) -> list[Value]:
        nodes = layer["inbound_nodes"]
        if not nodes:
            raise ValueError("a layer that reads nothing")
        if len(nodes) > 1:
            raise CnnvizError(
                tr("{name}: it is used {count} times; one is the most", name=layer["name"], count=len(nodes))
            )
        found: list[Value] = []
        todo: list[tuple[Any, int]] = [(nodes[0]["args"] if isinstance(nodes[0], dict) else nodes[0], 0)]
        while todo:
            part, depth = todo.pop(0)
            if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
                found.append(self._values[part["config"]["keras_history"][0]])
            elif isinstance(part, list) and len(part) >= 3 and isinstance(part[0], str):
                found.append(self._values[part[0]])
            elif isinstance(part, list) and depth < DEEPEST:
                todo = [(inner, depth + 1) for inner in part] + todo
        return found

    def _emit(self, kind: str, name: str, inputs: Sequence[Any], rank: int, **attributes: Any) -> Value:
        made = self._calls.emit(kind, name, inputs, **attributes)
        self._ranks[made.name] = rank
        return made

    def _layer(
        self, name: str, kind: str, config: Config, arrays: Mapping[str, NDArray[Any]], given: list[Value]
    ) -> Value:
        rule = _RULES.get(kind)
        rank = self._ranks[given[0].name]
        if config.get("data_format", "channels_last") != "channels_last":
            return self._emit(tr("{kind} with channels first", kind=kind), name, given, rank)
        if rule is None:
            return self._emit(kind, name, given, rank)
        made: Value = rule(self, name, config, _Arrays(self._calls, name, arrays), given)
        activation = config.get("activation")
        if kind in _ACTIVATED and activation not in (None, "linear"):
            made = self.activation(name, activation, made)
        return made

    def activation(self, name: str, activation: Any, x: Value) -> Value:
        """Add an activation that a layer has of its own."""
        if isinstance(activation, dict):
            activation = (activation.get("config") or {}).get("name") or activation.get("class_name", "")
        key = str(activation).lower()
        rank = self._ranks[x.name]
        kind, more = _ACTIVATIONS.get(key, (tr("activation {name}", name=key[:40]), {}))
        if kind == "Softmax":
            more = {"axis": 1}
        return self._emit(kind, f"{name}/{key}" if name != key else name, [x], rank, **more)

    def rank(self, value: Value) -> int:
        """Return how many axes a value has."""
        return self._ranks[value.name]

    def channels_first(self, name: str, x: Value) -> Value:
        """Put the channels of maps and of sequences before their other axes."""
        rank = self._ranks[x.name]
        return self._emit("Transpose", name, [x], rank, perm=_FIRST[rank]) if rank in _FIRST else x

    def channels_last(self, name: str, x: Value) -> Value:
        """Put the channels of maps and of sequences behind their other axes, as Keras has them."""
        rank = self._ranks[x.name]
        return self._emit("Transpose", name, [x], rank, perm=_LAST[rank]) if rank in _LAST else x

    def sliding(
        self, kind: str, name: str, config: Config, inputs: list[Any], axes: int, **more: Any
    ) -> Value:
        """Add what slides over maps, which have two axes besides their channels, or over sequences."""
        rank = self._ranks[inputs[0].name]
        if rank != axes + 2:
            other = (
                tr("{kind} of other than maps", kind=kind)
                if axes == 2
                else tr("{kind} of other than sequences", kind=kind)
            )
            return self._emit(other, name, inputs, rank)
        same = {"auto_pad": "SAME_UPPER"} if config.get("padding") == "same" else {}
        if config.get("padding") == "causal":
            kind = tr("{kind} with causal padding", kind=kind)
        return self._emit(kind, name, inputs, rank, **same, **more)


_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2)}
_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}


class _Arrays:
    """The arrays of a layer, by the names that older files give them, or by their places."""

    def __init__(self, calls: Calls, layer: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._calls, self._layer, self._arrays = calls, layer, arrays

    def has(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return name in self._arrays

    def get(self, name: str, place: int) -> NDArray[Any]:
        """Return an array by its name in .h5 files, or its place in .keras files."""
        found = self._arrays.get(name, self._arrays.get(str(place)))
        if found is None:
            raise CnnvizError(
                tr(
                    "{layer}: its {name} is missing in the file; save the whole model",
                    layer=self._layer,
                    name=name,
                )
            )
        return found

    def put(self, name: str, array: NDArray[Any]) -> Value:
        """Note an array under the name of the layer."""
        return self._calls.array(f"{self._layer}.{name}", array)


def _sizes(value: Any, axes: int = 2) -> tuple[int, ...]:
    """Return a size along each axis, where one may stand for all."""
    sizes = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(sizes) != axes or any(type(size) is not int for size in sizes):
        raise ValueError("no size along each axis")
    return sizes


def _conv(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    raw = arrays.get("kernel", 0)
    axes = raw.ndim - 2
    kernel = arrays.put("kernel", np.moveaxis(raw, (-1, -2), (0, 1)))
    inputs = [given[0], kernel]
    if config.get("use_bias", True):
        inputs.append(arrays.put("bias", arrays.get("bias", 1)))
    attributes = {
        "strides": _sizes(config["strides"], axes),
        "dilations": _sizes(config.get("dilation_rate", 1), axes),
    }
    return model.sliding("Conv", name, config, inputs, axes, **attributes, group=config.get("groups", 1))


def _depthwise(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    raw = arrays.get("kernel" if arrays.has("kernel") else "depthwise_kernel", 0)
    height, width, channels, times = raw.shape
    kernel = np.transpose(raw, (2, 3, 0, 1)).reshape(channels * times, 1, height, width)
    inputs = [given[0], arrays.put("kernel", kernel)]
    if config.get("use_bias", True):
        inputs.append(arrays.put("bias", arrays.get("bias", 1)))
    attributes = {"strides": _sizes(config["strides"]), "dilations": _sizes(config.get("dilation_rate", 1))}
    return model.sliding("Conv", name, config, inputs, 2, **attributes, group=channels)


def _separable(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    first = _depthwise(model, f"{name}/depthwise", {**config, "use_bias": False}, arrays, given)
    point = np.transpose(arrays.get("pointwise_kernel", 1), (3, 2, 0, 1))
    inputs = [first, arrays.put("pointwise_kernel", point)]
    if config.get("use_bias", True):
        inputs.append(arrays.put("bias", arrays.get("bias", 2)))
    return model.sliding("Conv", name, {}, inputs, 2)


def _conv_transpose(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    # Keras has (height, width, channels out, channels in), ONNX (channels in, channels out, height, width).
    raw = arrays.get("kernel", 0)
    axes = raw.ndim - 2
    kernel = arrays.put("kernel", np.moveaxis(raw, (-1, -2), (0, 1)))
    inputs = [given[0], kernel]
    if config.get("use_bias", True):
        inputs.append(arrays.put("bias", arrays.get("bias", 1)))
    strides = _sizes(config["strides"], axes)
    return model.sliding("ConvTranspose", name, config, inputs, axes, strides=strides)


def _dense(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    inputs = [given[0], arrays.put("kernel", arrays.get("kernel", 0))]
    if config.get("use_bias", True):
        inputs.append(arrays.put("bias", arrays.get("bias", 1)))
    return model._emit("Gemm", name, inputs, 2)


def _batch_norm(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    axis = config.get("axis", -1)
    rank = model.rank(given[0])
    axis = axis[0] if isinstance(axis, list) else axis
    if axis % rank != rank - 1:
        return model._emit("BatchNormalization of another axis", name, given, rank)
    place, found = 0, {}
    for key, is_there in (("gamma", config.get("scale", True)), ("beta", config.get("center", True))):
        if is_there:
            found[key] = arrays.get(key, place)
            place += 1
    mean, variance = arrays.get("moving_mean", place), arrays.get("moving_variance", place + 1)
    ones = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean)} | found
    inputs = [arrays.put(key, ones[key]) for key in ("gamma", "beta")]
    inputs += [arrays.put("moving_mean", mean), arrays.put("moving_variance", variance)]
    return model._emit(
        "BatchNormalization", name, [given[0], *inputs], rank, epsilon=float(config.get("epsilon", 1e-3))
    )


def _pool(kind: str, axes: int) -> Any:
    def rule(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
        size = _sizes(config["pool_size"], axes)
        strides = size if config.get("strides") is None else _sizes(config["strides"], axes)
        return model.sliding(kind, name, config, given, axes, kernel_shape=size, strides=strides)

    return rule


def _global_pool(kind: str, axes: int) -> Any:
    def rule(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
        made = model.sliding(kind, name, {}, given, axes)
        if config.get("keepdims"):
            return made
        return model._emit("Squeeze", f"{name}/column", [made], 2, axes=tuple(range(2, axes + 2)))

    return rule


def _flatten(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    x = model.channels_last(f"{name}/channels last", given[0])
    return model._emit("Flatten", name, [x], 2, axis=1)


def _reshape(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    target = [int(size) for size in config["target_shape"]]
    x = model.channels_last(f"{name}/channels last", given[0])
    shape = model._calls.array(f"{name}.shape", np.array([0, *target], np.int64))
    made = model._emit("Reshape", name, [x, shape], len(target) + 1)
    return model.channels_first(f"{name}/channels first", made)


def _zero_padding(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    told = config["padding"]
    (t, b), (left, r) = ((told, told), (told, told)) if isinstance(told, int) else map(_sizes, told)
    return model._emit("Pad", name, given, 4, pads=(0, 0, t, left, 0, 0, b, r), mode="constant", value=0.0)


def _up(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    mode = {"nearest": "nearest", "bilinear": "linear"}.get(config.get("interpolation", "nearest"), "cubic")
    return model._emit("Resize", name, given, 4, mode=mode, factors=_sizes(config["size"]))


def _joined(kind: str) -> Any:
    def rule(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
        rank = max(map(model.rank, given))
        if kind != "Concat":
            return model._emit(kind, name, given, rank)
        if config.get("axis", -1) % rank != rank - 1:
            return model._emit("Concatenate along another axis", name, given, rank)
        return model._emit(kind, name, given, rank, axis=1)

    return rule


def _relu(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    rank, most = model.rank(given[0]), config.get("max_value")
    slope, threshold = config.get("negative_slope") or 0.0, config.get("threshold") or 0.0
    if threshold or (slope and most is not None):
        return model._emit("ReLU with a threshold", name, given, rank)
    if slope:
        return model._emit("LeakyRelu", name, given, rank, alpha=float(slope))
    if most is not None:
        return model._emit("Clip", name, given, rank, min=0.0, max=float(most))
    return model._emit("Relu", name, given, rank)


def _leaky(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    slope = config.get("negative_slope", config.get("alpha", 0.3))
    return model._emit("LeakyRelu", name, given, model.rank(given[0]), alpha=float(slope))


def _elu(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    return model._emit("Elu", name, given, model.rank(given[0]), alpha=float(config.get("alpha", 1.0)))


def _activation(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    if config.get("activation") == "linear":
        return given[0]
    return model.activation(name, config["activation"], given[0])


def _softmax(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    rank, told = model.rank(given[0]), config.get("axis", -1)
    axis = told % rank if isinstance(told, int) else 0
    if axis == 0:
        return model._emit("Softmax over several axes", name, given, rank)
    return model._emit("Softmax", name, given, rank, axis=1 if axis == rank - 1 else axis + 1)


def _permute(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    x, rank = given[0], model.rank(given[0])
    dims = (0, *(int(dim) for dim in config["dims"]))
    x = model.channels_last(f"{name}/channels last", x)
    x = model._emit("Transpose", name, [x], rank, perm=dims)
    return model.channels_first(f"{name}/channels first", x)


def _scaled(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    rank = model.rank(given[0])
    scale, offset = np.float64(config["scale"]), np.float64(config.get("offset", 0.0))
    made = model._emit("Mul", name, [given[0], model._calls.array(f"{name}.scale", scale)], rank)
    return model._emit("Add", f"{name}/offset", [made, model._calls.array(f"{name}.offset", offset)], rank)


def _same(model: _Model, name: str, config: Config, arrays: _Arrays, given: list[Value]) -> Value:
    return given[0]


_ACTIVATED = (
    "Conv1D",
    "Conv2D",
    "Conv1DTranspose",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "Conv2DTranspose",
    "Dense",
)

_ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **{"relu": ("Relu", {}), "relu6": ("Clip", {"min": 0.0, "max": 6.0}), "sigmoid": ("Sigmoid", {})},
    **{"tanh": ("Tanh", {}), "softmax": ("Softmax", {}), "elu": ("Elu", {}), "gelu": ("Gelu", {})},
    **{"silu": ("Silu", {}), "swish": ("Silu", {}), "softplus": ("Softplus", {})},
    **{"hard_silu": ("HardSwish", {}), "hard_swish": ("HardSwish", {}), "linear": ("Identity", {})},
    **{"leaky_relu": ("LeakyRelu", {"alpha": 0.2}), "log_softmax": ("LogSoftmax", {"axis": 1})},
}

_RULES: Mapping[str, Any] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _conv_transpose,
    "Conv1D": _conv,
    "Conv1DTranspose": _conv_transpose,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    **{f"MaxPooling{axes}D": _pool("MaxPool", axes) for axes in (1, 2)},
    **{f"AveragePooling{axes}D": _pool("AveragePool", axes) for axes in (1, 2)},
    **{f"GlobalAveragePooling{axes}D": _global_pool("GlobalAveragePool", axes) for axes in (1, 2)},
    **{f"GlobalMaxPooling{axes}D": _global_pool("GlobalMaxPool", axes) for axes in (1, 2)},
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding2D": _zero_padding,
    "UpSampling2D": _up,
    "Add": _joined("Add"),
    "Multiply": _joined("Mul"),
    "Concatenate": _joined("Concat"),
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ELU": _elu,
    "Activation": _activation,
    "Softmax": _softmax,
    "Rescaling": _scaled,
    **dict.fromkeys(
        (
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "GaussianNoise",
            "GaussianDropout",
            "AlphaDropout",
            "ActivityRegularization",
        ),
        _same,
    ),
}
