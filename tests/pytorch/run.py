"""Runs a network in PyTorch, in double precision. Needs PyTorch, which the project itself does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnnviz.engine.layer import Array, Layer
from cnnviz.engine.layers.adaptive_avg_pool2d import AdaptiveAvgPool2d
from cnnviz.engine.layers.avg_pool1d import AvgPool1d
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.batch_norm import BatchNorm
from cnnviz.engine.layers.conv1d import Conv1d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.conv_transpose1d import ConvTranspose1d
from cnnviz.engine.layers.conv_transpose2d import ConvTranspose2d
from cnnviz.engine.layers.elu import ELU
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.gelu import GELU
from cnnviz.engine.layers.global_avg_pool2d import GlobalAvgPool2d
from cnnviz.engine.layers.group_norm import GroupNorm
from cnnviz.engine.layers.hard_sigmoid import HardSigmoid
from cnnviz.engine.layers.hard_swish import HardSwish
from cnnviz.engine.layers.joining import Add, Concat, Multiply
from cnnviz.engine.layers.layer_norm import LayerNorm
from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.local_response_norm import LocalResponseNorm
from cnnviz.engine.layers.log_softmax import LogSoftmax
from cnnviz.engine.layers.max_pool1d import MaxPool1d
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.permute import Permute
from cnnviz.engine.layers.pooling import Pool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.relu6 import ReLU6
from cnnviz.engine.layers.reshape import Reshape
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.silu import SiLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.softplus import Softplus
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.layers.upsample import Upsample
from cnnviz.engine.logits import BCEWithLogits, CrossEntropyWithLogits
from cnnviz.engine.losses import (
    NLL,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSquaredError,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from tests.pytorch.recorded import ZERO
from tests.random_networks import Drawn


def torch_outputs(drawn: Drawn) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return all outputs by layer, the inputs among them, and the parameters by address."""
    network = drawn.network
    parameters = {
        key: _leaf(values).requires_grad_(not key.endswith((".mean", ".var")))
        for key, values in network.parameters.items()
    }
    outputs = {name: _leaf(values if drawn.samples else values[None]) for name, values in drawn.x.items()}
    for layer in network.layers:
        xs = [outputs[name] for name in network.inputs[layer.name]]
        own = {name: parameters[f"{layer.name}.{name}"] for name in layer.parameter_shapes}
        outputs[layer.name] = _computed(layer, xs, own)
    return outputs, parameters


def torch_arrays(drawn: Drawn) -> dict[str, Array]:
    """All outputs, the loss, and the gradients of outputs and parameters, by the names on a tape."""
    network = drawn.network
    outputs, parameters = torch_outputs(drawn)
    for made in outputs.values():
        made.retain_grad()
    losses = {}
    for one in network.losses:
        targets = torch.from_numpy(drawn.t[one.of] if drawn.samples else drawn.t[one.of][None])
        losses[one.name] = _lost(one.loss, outputs[one.of], outputs[network.inputs[one.of][0]], targets)
    loss = sum(one.weight * losses[one.name] for one in network.losses)
    loss.backward()
    # Of several samples the tape has each one's losses, and the mean of all.
    found = {} if drawn.samples else {f"{name}.value": each.detach().numpy() for name, each in losses.items()}
    found["loss.mean" if drawn.samples else "loss.value"] = loss.detach().numpy()
    own = slice(None) if drawn.samples else 0
    for name, values in outputs.items():
        found[f"{name}.y"] = values[own].detach().numpy()
        if values.grad is not None:
            arrived = network.gradients[name]
            found[arrived[0] if len(arrived) == 1 else f"{name}.dy"] = values.grad[own].numpy()
    for layer in network.layers:
        for name in set(layer.parameter_shapes) - set(layer.buffer_names):
            found[f"{layer.name}.d{name}"] = parameters[f"{layer.name}.{name}"].grad.numpy()
    return found


def _leaf(values: Array) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def _computed(layer: Layer, xs: list[Tensor], own: Mapping[str, Tensor]) -> Tensor:
    match layer:
        case Conv2d():
            above, below, left, right = layer.padding
            padded = functional.pad(*xs, (left, right, above, below))
            return functional.conv2d(
                padded, own["w"], own.get("b"), layer.stride, 0, layer.dilation, layer.groups
            )
        case Conv1d():
            maps = layer.over_maps
            more = maps.stride[0], 0, maps.dilation[0], maps.groups
            return functional.conv1d(functional.pad(*xs, maps.padding[:2]), own["w"], own.get("b"), *more)
        case MaxPool1d():
            maps = layer.over_maps
            sizes = maps.kernel[0], maps.stride[0], maps.padding[0], maps.dilation[0]
            return functional.max_pool1d(*xs, *sizes, maps.ceil_mode)
        case AvgPool1d():
            maps = layer.over_maps
            sizes = maps.kernel[0], maps.stride[0], maps.padding[0]
            return functional.avg_pool1d(*xs, *sizes, maps.ceil_mode, maps.count_include_pad)
        case ConvTranspose1d():
            maps = layer.over_maps
            sizes = maps.stride, maps.padding[::2], maps.output_padding
            steps = (*(size[0] for size in sizes), maps.groups, maps.dilation[0])
            return functional.conv_transpose1d(*xs, own["w"], own.get("b"), *steps)
        case ConvTranspose2d():
            more = layer.stride, layer.padding[::2], layer.output_padding, layer.groups, layer.dilation
            return functional.conv_transpose2d(*xs, own["w"], own.get("b"), *more)
        case GlobalAvgPool2d():
            return functional.adaptive_avg_pool2d(*xs, 1)
        case AdaptiveAvgPool2d():
            return functional.adaptive_avg_pool2d(*xs, layer.output_size)
        case LocalResponseNorm():
            return functional.local_response_norm(*xs, layer.size, layer.alpha, layer.beta, layer.k)
        case Linear():
            return torch.addmm(own["b"], xs[0], own["w"])
        case MaxPool2d():
            return _pooled(functional.max_pool2d, layer, *xs, fill=-np.inf, dilation=layer.dilation)
        case AvgPool2d():
            counted = layer.count_include_pad
            return _pooled(functional.avg_pool2d, layer, *xs, count_include_pad=counted)
        case LeakyReLU():
            return functional.leaky_relu(*xs, layer.alpha)
        case ELU():
            return functional.elu(*xs, layer.alpha)
        case BatchNorm():
            fixed = (None, None) if layer.training else (own["mean"], own["var"])
            more = own["gamma"], own["beta"], layer.training
            return functional.batch_norm(*xs, *fixed, *more, eps=layer.eps)
        case LayerNorm():
            return functional.layer_norm(*xs, layer.normalized_shape, own["gamma"], own["beta"], layer.eps)
        case GroupNorm():
            return functional.group_norm(*xs, layer.num_groups, own["gamma"], own["beta"], layer.eps)
        case ReLU6():
            return functional.relu6(*xs)
        case GELU():
            return functional.gelu(*xs, approximate=layer.approximate)
        case Softplus():
            return functional.softplus(*xs, layer.beta, layer.threshold)
        case LogSoftmax():
            return torch.log_softmax(*xs, layer.dim)
        case Softmax():
            return torch.softmax(*xs, layer.dim)
        case Flatten():
            return torch.flatten(*xs, 1)
        case Reshape():
            return xs[0].reshape(len(xs[0]), *layer.shape)
        case Permute():
            return xs[0].permute(layer.dims)
        case Upsample():
            corners = layer.align_corners if layer.mode == "bilinear" else None
            if layer.size is not None:
                return functional.interpolate(*xs, layer.size, mode=layer.mode, align_corners=corners)
            factors = tuple(map(float, layer.scale_factor))
            return functional.interpolate(*xs, scale_factor=factors, mode=layer.mode, align_corners=corners)
        case Multiply():
            axes = max(x.ndim for x in xs)
            one, other = (x.reshape(*x.shape, *(1,) * (axes - x.ndim)) for x in xs)
            return one * other
        case Add():
            return sum(xs[1:], xs[0])
        case Concat():
            return torch.cat(xs, 1)
    return _BY_KIND[type(layer)](*xs)


_BY_KIND = {
    **{ReLU: torch.relu, Sigmoid: torch.sigmoid, Tanh: torch.tanh, SiLU: functional.silu},
    HardSwish: functional.hardswish,
    # PyTorch's own hardsigmoid has the slope 1/6 in single precision, whatever the numbers'.
    HardSigmoid: lambda x: functional.relu6(x + 3) / 6,
}


def _pooled(function: Any, layer: Pool2d, x: Tensor, fill: float = 0.0, **more: Any) -> Tensor:
    """Pool with PyTorch's own padding where it is the same on both sides; else it is put around before."""
    above, below, left, right = layer.padding
    alike = above == below <= layer.kernel[0] // 2 and left == right <= layer.kernel[1] // 2
    if not alike:
        x, above, left = functional.pad(x, (left, right, above, below), value=fill), 0, 0
    return function(x, layer.kernel, layer.stride, (above, left), ceil_mode=layer.ceil_mode, **more)


def _lost(loss: Loss, y: Tensor, scores: Tensor, t: Tensor) -> Tensor:
    """Return the mean loss of a batch; of maps and sequences, of each place over its channels."""
    places = t[0, 0].numel() * len(t)
    match loss:
        case HalfSquaredError():
            return ((t - y) ** 2).sum() / 2 / len(t)
        case MeanAbsoluteError():
            return functional.l1_loss(y, t)
        case NLL():
            return -(t * y).sum() / places
        case MeanSquaredError():
            return functional.mse_loss(y, t)
        case CrossEntropy():
            return functional.cross_entropy(scores, t)
        case BinaryCrossEntropy():
            return functional.binary_cross_entropy_with_logits(scores, t, reduction="sum") / places
        case CrossEntropyWithLogits():
            weights = None if loss.weights is None else torch.tensor(loss.weights, dtype=torch.float64)
            return functional.cross_entropy(y, t.argmax(1) if loss.weighted_mean else t, weights)
        case BCEWithLogits():
            weights = None if loss.weights is None else torch.tensor(loss.weights, dtype=torch.float64)
            return functional.binary_cross_entropy_with_logits(y, t, pos_weight=weights)
    columns, wanted = y.movedim(1, -1).reshape(places, -1), t.movedim(1, -1).reshape(places, -1).argmax(1)
    return functional.multi_margin_loss(columns, wanted, margin=loss.margin) * y.shape[1]


def worst(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> tuple[float, str]:
    """Return by how much arrays differ at most, relative to the largest number of each, and in which.

    An array that is 0 in theory, as the gradient of a bias before a norm, holds nothing but rounding errors:
    differences of these count as none.
    """
    return max((_difference(np.asarray(ours[name]), values), name) for name, values in theirs.items())


def _difference(ours: Array, theirs: Array) -> float:
    difference, largest = float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())
    if difference < (1e-13 if largest < ZERO else 1e-15):
        return 0.0
    return difference / max(largest, np.finfo(float).tiny)
