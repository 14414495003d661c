"""One table of layers, losses and optimisers, which the tests of engine and trace all go through.

A new one needs one entry here; `tests/engine/test_cases.py` says so when it is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from math import prod

import numpy as np
import pytest

from cnnviz.engine.descent import Descent
from cnnviz.engine.layer import Array, Call, Layer, Shape
from cnnviz.engine.layers.adaptive_avg_pool2d import AdaptiveAvgPool2d
from cnnviz.engine.layers.avg_pool1d import AvgPool1d
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.batch_norm import BatchNorm
from cnnviz.engine.layers.conv1d import Conv1d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.conv_transpose1d import ConvTranspose1d
from cnnviz.engine.layers.conv_transpose2d import ConvTranspose2d
from cnnviz.engine.layers.dropout import Dropout
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
    Hinge,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    NegativeLogLikelihood,
)
from cnnviz.engine.network import Network
from cnnviz.engine.objective import OutputLoss
from cnnviz.engine.optim import SGD, Adagrad, Adam, AdamW, Optimiser, RMSprop
from cnnviz.engine.pixels import Album, Fitting, Picture, resized
from cnnviz.engine.schedules import CosineAnnealingLR, LinearLR, Schedule, Schedules, StepLR
from cnnviz.engine.sizes import sizes_call

Rng = np.random.Generator
Made = tuple[Layer, Shape]

DRAWS = 6  # random layers of each kind
PLAIN = (-1.0, -0.5, -0.0, 0.0, 0.0, 0.5, 1.0, 1.0)  # exact zeros, and many that are equal


# ------------------------------------------------------------------------------------------------ the table


def conv2d(rng: Rng) -> Made:
    """All that can be said of one: each argument the usual one half of the time."""
    groups = int(rng.choice((1, 1, 2)))
    channels, kernels = whole(groups * rng.integers(1, 3, 2) // rng.integers(1, 3, 2).clip(1, groups))
    channels, kernels = (max(groups, size // groups * groups) for size in (channels, kernels))
    kernel, stride, dilation = rng.integers(1, 4, (3, 2))
    stride, dilation = (steps if rng.random() < 0.5 else steps[:1].repeat(2) for steps in (stride, dilation))
    dilation = dilation if rng.random() < 0.5 else np.ones(2, int)
    padding = rng.integers(0, 3, 4) if rng.random() < 0.5 else rng.integers(0, 3, 1).repeat(4)
    span = (kernel - 1) * dilation + 1
    shape = channels, *(np.maximum(span - padding[::2] - padding[1::2], 1) + rng.integers(0, 4, 2))
    arguments = whole(kernel), whole(stride), whole(padding), whole(dilation)
    return Conv2d(channels, kernels, *arguments, groups, bool(rng.random() < 0.7)), whole(shape)


def conv1d(rng: Rng) -> Made:
    groups = int(rng.choice((1, 1, 2)))
    kernel, stride, dilation = whole(rng.integers(1, 4, 3))
    padding = whole(rng.integers(0, 3, 2))
    length = max(1, (kernel - 1) * dilation + 1 - sum(padding)) + int(rng.integers(0, 4))
    channels, kernels = whole(groups * rng.integers(1, 3, 2))
    more = stride, padding, dilation, groups, bool(rng.random() < 0.7)
    return Conv1d(channels, kernels, kernel, *more), (channels, length)


def conv_transpose2d(rng: Rng) -> Made:
    channels, kernels = whole(rng.integers(1, 3, 2))
    kernel, stride = rng.integers(1, 4, (2, 2))
    groups, dilation = int(rng.choice((1, 1, 2))), rng.integers(1, 4, 2) if rng.random() < 0.5 else (1, 1)
    padding, added = rng.integers(0, kernel), rng.integers(0, stride)
    shape = groups * channels, *(1 + 2 * padding // stride + rng.integers(0, 3, 2))
    arguments = whole(kernel), whole(stride), whole(padding), whole(added)
    more = bool(rng.random() < 0.7), whole(dilation), groups
    return ConvTranspose2d(groups * channels, groups * kernels, *arguments, *more), whole(shape)


def conv_transpose1d(rng: Rng) -> Made:
    channels, kernels, kernel, stride = whole(rng.integers(1, 4, 4))
    groups, dilation = int(rng.choice((1, 1, 2))), int(rng.integers(1, 4)) if rng.random() < 0.5 else 1
    padding, added = int(rng.integers(0, kernel)), int(rng.integers(0, stride))
    length = 1 + 2 * padding // stride + int(rng.integers(0, 3))
    more = padding, added, bool(rng.random() < 0.7), dilation, groups
    return ConvTranspose1d(groups * channels, groups * kernels, kernel, stride, *more), (
        groups * channels,
        length,
    )


def pooling(kind: type[MaxPool2d] | type[AvgPool2d]) -> Callable[[Rng], Made]:
    def make(rng: Rng) -> Made:
        kernel, stride = rng.integers(1, 4, (2, 2))
        shape = rng.integers(1, 4), *(kernel + rng.integers(0, 5, 2))
        padding = rng.integers(0, kernel.repeat(2)) if rng.random() < 0.5 else np.zeros(4, int)
        more = [bool(rng.random() < 0.5)] if kind is AvgPool2d else []
        if kind is MaxPool2d and rng.random() < 0.5:
            more, padding = [whole(rng.integers(1, 4, 2))], np.zeros(4, int)
            shape = shape[0], *((kernel - 1) * more[0] + 1 + rng.integers(0, 4, 2))
        arguments = whole(kernel), whole(stride), whole(padding), bool(rng.random() < 0.5)
        return kind(*arguments, *more), whole(shape)

    return make


def pooling_1d(kind: type[MaxPool1d] | type[AvgPool1d]) -> Callable[[Rng], Made]:
    def make(rng: Rng) -> Made:
        kernel, stride, ceil, more = whole(rng.integers((1, 1, 0, 0), (4, 4, 2, 2)))
        padding = whole(rng.integers(0, kernel, 2))
        arguments = kernel, stride, padding, bool(ceil)
        last = bool(more) if kind is AvgPool1d else 1
        return kind(*arguments, last), whole((rng.integers(1, 4), kernel + rng.integers(0, 6)))

    return make


def elementwise(make: Callable[[], Layer]) -> Callable[[Rng], Made]:
    return lambda rng: (make(), any_shape(rng))


def any_shape(rng: Rng) -> Shape:
    return whole(rng.integers(1, 5, int(rng.choice((3, 3, 2, 1)))))


def batch_norm(rng: Rng) -> Made:
    shape = any_shape(rng)
    return BatchNorm(shape[0]), shape


def group_norm(rng: Rng) -> Made:
    groups, size = whole(rng.integers(1, 4, 2))
    sizes = whole(rng.integers(1, 4, int(rng.choice((2, 2, 1)))))
    return GroupNorm(groups, groups * size), (groups * size, *sizes)


def upsample(rng: Rng) -> Made:
    mode = ("nearest", "bilinear")[rng.integers(2)]
    corners = mode == "bilinear" and bool(rng.random() < 0.5)
    return Upsample(whole(rng.integers(1, 4, 2)), mode, corners), whole(rng.integers(1, 4, 3))


def linear(rng: Rng) -> Made:
    inputs, neurons = whole(rng.integers(1, 6, 2))
    return Linear(inputs, neurons), (inputs,)


# How to draw a layer of each kind, with a shape that fits it.
LAYERS: dict[str, Callable[[Rng], Made]] = {
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv_transpose1d": conv_transpose1d,
    "conv_transpose2d": conv_transpose2d,
    "max_pool1d": pooling_1d(MaxPool1d),
    "avg_pool1d": pooling_1d(AvgPool1d),
    "max_pool2d": pooling(MaxPool2d),
    "avg_pool2d": pooling(AvgPool2d),
    "dropout": elementwise(lambda: Dropout(0.4)),
    "batch_norm": batch_norm,
    "layer_norm": lambda rng: (LayerNorm(shape := any_shape(rng)), shape),
    "group_norm": group_norm,
    "global_avg_pool2d": lambda rng: (GlobalAvgPool2d(), whole(rng.integers(1, 5, 3))),
    "relu": elementwise(ReLU),
    "leaky_relu": elementwise(lambda: LeakyReLU(0.1)),
    "relu6": elementwise(ReLU6),
    "elu": elementwise(lambda: ELU(1.5)),
    "silu": elementwise(SiLU),
    "gelu": elementwise(GELU),
    "softplus": elementwise(lambda: Softplus(2.0, 1.0)),
    "hard_swish": elementwise(HardSwish),
    "hard_sigmoid": elementwise(HardSigmoid),
    "sigmoid": elementwise(Sigmoid),
    "tanh": elementwise(Tanh),
    "flatten": lambda rng: (Flatten(), whole(rng.integers(1, 4, int(rng.choice((3, 2)))))),
    "upsample": upsample,
    "reshape": lambda rng: (Reshape(whole(rng.permuted((-1, 1, 2)))), (2, *whole(rng.integers(1, 4, 2)))),
    "permute": lambda rng: (Permute(whole((0, *rng.permuted((1, 2, 3))))), whole(rng.integers(1, 4, 3))),
    "linear": linear,
    "softmax": elementwise(Softmax),
    "log_softmax": elementwise(LogSoftmax),
    "local_response_norm": lambda rng: (
        LocalResponseNorm(int(rng.integers(1, 5)), 0.7, 0.6, 0.5),
        whole(rng.integers(1, 5, int(rng.choice((2, 3))))),
    ),
    "adaptive_avg_pool2d": lambda rng: (
        AdaptiveAvgPool2d(whole(rng.integers(1, 5, 2))),
        whole(rng.integers(1, 6, 3)),
    ),
}

# Layers that must be among them, whatever is drawn.
CORNERS: dict[str, Callable[[], Made]] = {
    "conv2d-strided-padded-oblong": lambda: (Conv2d(2, 3, (3, 2), stride=2, padding=1), (2, 5, 4)),
    "conv2d-remainder": lambda: (Conv2d(1, 2, 2, stride=3), (1, 7, 6)),
    "conv2d-only-padding-left-over": lambda: (Conv2d(1, 1, 1, padding=2), (1, 2, 2)),
    "conv2d-strides-that-differ": lambda: (Conv2d(1, 2, 2, stride=(1, 2)), (1, 3, 5)),
    "conv2d-four-sides": lambda: (Conv2d(1, 1, 2, padding=(0, 1, 2, 0)), (1, 2, 2)),
    "conv2d-same": lambda: (Conv2d(1, 1, (2, 4), padding="same"), (1, 3, 4)),
    "conv2d-spread-as-large-as-it-was": lambda: (Conv2d(1, 1, 1, 2, (0, 2, 0, 2)), (1, 2, 2)),
    "conv2d-dilated": lambda: (Conv2d(2, 1, 2, padding=1, dilation=2), (2, 4, 3)),
    "conv2d-dilated-strided": lambda: (Conv2d(1, 2, (2, 3), (2, 3), 2, (3, 1)), (1, 4, 6)),
    "conv2d-without-bias": lambda: (Conv2d(2, 2, 2, bias=False), (2, 3, 3)),
    "conv2d-groups": lambda: (Conv2d(4, 6, 2, groups=2), (4, 3, 2)),
    "conv2d-depthwise": lambda: (Conv2d(3, 3, 2, padding=1, groups=3, bias=False), (3, 2, 3)),
    "conv2d-depthwise-twice": lambda: (Conv2d(2, 4, 2, 2, 1, 2, 2, False), (2, 3, 4)),
    "conv1d-plain": lambda: (Conv1d(1, 1, 3), (1, 6)),
    "conv1d-one-number": lambda: (Conv1d(1, 1, 1), (1, 1)),
    "conv1d-same": lambda: (Conv1d(2, 1, 4, padding="same"), (2, 5)),
    "conv1d-strided-dilated-groups": lambda: (Conv1d(4, 2, 3, 2, (1, 0), 2, 2, False), (4, 9)),
    "conv_transpose1d-plain": lambda: (ConvTranspose1d(1, 1, 3), (1, 2)),
    "conv_transpose1d-groups": lambda: (ConvTranspose1d(4, 2, 3, 2, 1, 1, False, 2, 2), (4, 3)),
    "conv_transpose2d-dilated": lambda: (ConvTranspose2d(2, 3, (2, 3), 2, 1, 0, True, 2), (2, 3, 2)),
    "conv_transpose2d-groups": lambda: (
        ConvTranspose2d(4, 6, (3, 2), 1, 1, 0, False, (1, 3), 2),
        (4, 3, 2),
    ),
    "conv_transpose2d-plain": lambda: (ConvTranspose2d(1, 1, 2), (1, 2, 2)),
    "conv_transpose2d-strided-padded-oblong": lambda: (ConvTranspose2d(2, 3, (3, 2), 2, 1), (2, 3, 2)),
    "conv_transpose2d-output-padding": lambda: (ConvTranspose2d(1, 2, 3, (2, 3), 1, (1, 2)), (1, 2, 3)),
    "conv_transpose2d-without-bias": lambda: (ConvTranspose2d(2, 1, 2, 2, bias=False), (2, 2, 1)),
    "local_response_norm-maps": lambda: (LocalResponseNorm(3, 1.5, 0.75, 2.0), (4, 1, 2)),
    "local_response_norm-even": lambda: (LocalResponseNorm(4, 0.5), (3, 2)),
    "adaptive_avg_pool2d-divides": lambda: (AdaptiveAvgPool2d((2, 1)), (2, 4, 3)),
    "adaptive_avg_pool2d-more": lambda: (AdaptiveAvgPool2d((3, 2)), (1, 2, 5)),
    "max_pool1d-dilated": lambda: (MaxPool1d(3, 2, (1, 2), dilation=2), (2, 7)),
    "max_pool1d-one-number": lambda: (MaxPool1d(1), (1, 1)),
    "avg_pool1d-overlapping": lambda: (AvgPool1d(2, 1), (2, 5)),
    "max_pool1d-overlapping": lambda: (MaxPool1d(3, 1), (2, 7)),
    "avg_pool1d-padding-not-counted": lambda: (AvgPool1d(3, 2, (1, 0), True, False), (2, 6)),
    "max_pool2d-dilated": lambda: (MaxPool2d((3, 2), (2, 1), 1, dilation=(2, 1)), (2, 5, 4)),
    "max_pool2d-apart": lambda: (MaxPool2d(2), (2, 4, 5)),
    "max_pool2d-overlapping": lambda: (MaxPool2d((3, 2), 1), (2, 4, 4)),
    "max_pool2d-gaps": lambda: (MaxPool2d(1, 2), (1, 4, 3)),
    "max_pool2d-oblong-side-by-side": lambda: (MaxPool2d((2, 3)), (2, 5, 7)),
    "max_pool2d-strides-that-differ": lambda: (MaxPool2d((2, 3), (3, 1)), (1, 6, 5)),
    "avg_pool2d-apart": lambda: (AvgPool2d(2), (2, 4, 5)),
    "avg_pool2d-overlapping": lambda: (AvgPool2d((2, 3), 1), (2, 4, 4)),
    "avg_pool2d-strides-that-differ": lambda: (AvgPool2d((2, 2), (1, 3)), (1, 4, 8)),
    "batch_norm-training-maps": lambda: (BatchNorm(2, training=True), (2, 3, 2)),
    "dropout-maps": lambda: (Dropout(0.5, seed=2), (2, 2, 3)),
    "dropout-channels": lambda: (Dropout(0.5, seed=2, channels=True), (4, 2, 3)),
    "dropout-column": lambda: (Dropout(0.5, seed=3), (5,)),
    "batch_norm-maps": lambda: (BatchNorm(2), (2, 2, 3)),
    "batch_norm-column": lambda: (BatchNorm(5), (5,)),
    "layer_norm-maps": lambda: (LayerNorm((2, 2, 3)), (2, 2, 3)),
    "layer_norm-column": lambda: (LayerNorm((5,)), (5,)),
    "layer_norm-one-number": lambda: (LayerNorm((1,)), (1,)),
    "group_norm-two": lambda: (GroupNorm(2, 4), (4, 2, 3)),
    "group_norm-each-channel": lambda: (GroupNorm(3, 3), (3, 2, 2)),
    "group_norm-one-number": lambda: (GroupNorm(2, 2), (2, 1, 1)),
    "max_pool2d-padded": lambda: (MaxPool2d(3, 2, 1), (2, 4, 3)),
    "max_pool2d-four-sides": lambda: (MaxPool2d((2, 3), 1, (1, 0, 0, 2)), (1, 2, 2)),
    "max_pool2d-ceil": lambda: (MaxPool2d(2, ceil_mode=True), (1, 3, 5)),
    "max_pool2d-ceil-padded": lambda: (MaxPool2d(3, 2, 1, ceil_mode=True), (1, 4, 4)),
    "avg_pool2d-padded": lambda: (AvgPool2d(3, 2, 1), (1, 4, 4)),
    "avg_pool2d-padding-not-counted": lambda: (AvgPool2d(3, 2, 1, count_include_pad=False), (2, 4, 4)),
    "avg_pool2d-padding-at-one-side": lambda: (AvgPool2d(2, 1, (0, 1, 0, 1), False, False), (1, 2, 3)),
    "avg_pool2d-ceil": lambda: (AvgPool2d((2, 3), 2, ceil_mode=True), (1, 3, 4)),
    "avg_pool2d-ceil-padded": lambda: (AvgPool2d(3, 2, 1, ceil_mode=True), (1, 4, 4)),
    "relu-maps": lambda: (ReLU(), (2, 2, 3)),
    "relu-column": lambda: (ReLU(), (5,)),
    "leaky_relu-maps": lambda: (LeakyReLU(), (2, 2, 3)),
    "leaky_relu-column": lambda: (LeakyReLU(), (5,)),
    "relu6-maps": lambda: (ReLU6(), (2, 2, 3)),
    "relu6-sequence": lambda: (ReLU6(), (3, 5)),
    "elu-column-of-another-slope": lambda: (ELU(1.234567), (5,)),
    "relu6-column": lambda: (ReLU6(), (5,)),
    "elu-maps": lambda: (ELU(), (2, 2, 3)),
    "elu-column": lambda: (ELU(), (5,)),
    "gelu-tanh-maps": lambda: (GELU("tanh"), (2, 2, 3)),
    "gelu-tanh-column": lambda: (GELU("tanh"), (5,)),
    "silu-maps": lambda: (SiLU(), (2, 2, 3)),
    "silu-column": lambda: (SiLU(), (5,)),
    "gelu-maps": lambda: (GELU(), (2, 2, 3)),
    "gelu-column": lambda: (GELU(), (5,)),
    "softplus-maps": lambda: (Softplus(2.0, 1.0), (2, 2, 3)),
    "softplus-column": lambda: (Softplus(2.0, 1.0), (5,)),
    "hard_swish-maps": lambda: (HardSwish(), (2, 2, 3)),
    "hard_swish-column": lambda: (HardSwish(), (5,)),
    "hard_sigmoid-maps": lambda: (HardSigmoid(), (2, 2, 3)),
    "hard_sigmoid-column": lambda: (HardSigmoid(), (5,)),
    "sigmoid-maps": lambda: (Sigmoid(), (2, 2, 3)),
    "sigmoid-column": lambda: (Sigmoid(), (5,)),
    "tanh-maps": lambda: (Tanh(), (2, 2, 3)),
    "upsample-nearest": lambda: (Upsample((2, 3)), (2, 1, 2)),
    "upsample-bilinear": lambda: (Upsample(2, "bilinear"), (2, 2, 3)),
    "upsample-bilinear-of-one": lambda: (Upsample((1, 3), "bilinear", True), (1, 1, 1)),
    "upsample-nearest-to-a-size": lambda: (Upsample(size=(5, 2)), (2, 3, 3)),
    "upsample-bilinear-to-a-size": lambda: (Upsample(mode="bilinear", size=(5, 2)), (1, 3, 3)),
    "upsample-align-corners-to-a-size": lambda: (Upsample(2, "bilinear", True, (4, 1)), (1, 3, 2)),
    "upsample-align-corners": lambda: (Upsample((2, 3), "bilinear", True), (1, 2, 3)),
    "reshape-maps": lambda: (Reshape((3, -1, 2)), (2, 2, 3)),
    "reshape-to-a-column": lambda: (Reshape((-1,)), (2, 1, 3)),
    "reshape-of-a-column": lambda: (Reshape((2, 3, 1)), (6,)),
    "reshape-one-number": lambda: (Reshape((1, 1, 1)), (1,)),
    "permute-channels-last": lambda: (Permute((0, 2, 3, 1)), (2, 3, 2)),
    "tanh-column": lambda: (Tanh(), (5,)),
    "conv2d-one-number": lambda: (Conv2d(1, 1, 1), (1, 1, 1)),
    "conv2d-one-row": lambda: (Conv2d(2, 1, (1, 2), padding=1), (2, 1, 3)),
    "max_pool2d-one-number": lambda: (MaxPool2d(1), (1, 1, 1)),
    "avg_pool2d-one-column": lambda: (AvgPool2d((2, 1), 1), (1, 3, 1)),
    "relu-one-number": lambda: (ReLU(), (1, 1, 1)),
    "linear-one-number": lambda: (Linear(1, 1), (1,)),
    "softmax-column": lambda: (Softmax(), (4,)),
    "softmax-maps": lambda: (Softmax(), (3, 2, 2)),
    "log_softmax-column": lambda: (LogSoftmax(), (4,)),
    "log_softmax-maps": lambda: (LogSoftmax(), (3, 2, 2)),
    "softmax-sequence": lambda: (Softmax(), (3, 2)),
    "log_softmax-sequence": lambda: (LogSoftmax(), (3, 2)),
    "group_norm-sequence": lambda: (GroupNorm(2, 4), (4, 3)),
    "softmax-along-a-sequence": lambda: (Softmax(2), (2, 3)),
    "softmax-rows": lambda: (Softmax(2), (2, 3, 2)),
    "softmax-columns": lambda: (Softmax(3), (2, 1, 3)),
    "log_softmax-rows": lambda: (LogSoftmax(2), (2, 3, 2)),
    "log_softmax-columns": lambda: (LogSoftmax(3), (2, 2, 3)),
    "softmax-one-number": lambda: (Softmax(), (1,)),
    "softmax-one-channel": lambda: (Softmax(), (1, 2, 1)),
}


def one_hot(rng: Rng, n: int) -> Array:
    return np.eye(n)[rng.integers(n)]


class WeighedCrossEntropy(CrossEntropyWithLogits):
    """With as many weights as it needs; one of them is 0."""

    def __init__(self) -> None:
        super().__init__((0.5, 0.0, 2.0, 3.0))

    def misfit(self, shape: Shape) -> str:
        self.weights = self.weights[: shape[0]]
        return super().misfit(shape)


class WeighedMean(WeighedCrossEntropy):
    """The same where the mean is by weight, of which none is 0."""

    def __init__(self) -> None:
        CrossEntropyWithLogits.__init__(self, (0.5, 1.5, 2.0, 3.0), weighted_mean=True)


class WeighedBCE(BCEWithLogits):
    def __init__(self) -> None:
        super().__init__(3.0)


# How to draw a target for each loss, of n numbers.
LOSSES: dict[str, tuple[type[Loss], Callable[[Rng, int], Array]]] = {
    "half_squared_error": (HalfSquaredError, lambda rng, n: rng.normal(size=n)),
    "mean_squared_error": (MeanSquaredError, lambda rng, n: rng.normal(size=n)),
    "mean_absolute_error": (MeanAbsoluteError, lambda rng, n: rng.normal(size=n)),
    "nll": (NLL, one_hot),
    "nll-soft": (NLL, lambda rng, n: rng.dirichlet(np.ones(n))),
    "hinge": (Hinge, one_hot),
    "cross_entropy": (CrossEntropy, one_hot),
    "cross_entropy-soft": (CrossEntropy, lambda rng, n: rng.dirichlet(np.ones(n))),
    "binary_cross_entropy": (BinaryCrossEntropy, lambda rng, n: rng.integers(0, 2, n).astype(float)),
    "binary_cross_entropy-soft": (BinaryCrossEntropy, lambda rng, n: rng.random(n)),
    "cross_entropy_with_logits": (CrossEntropyWithLogits, lambda rng, n: rng.dirichlet(np.ones(n))),
    "cross_entropy_with_logits-weighted": (WeighedCrossEntropy, lambda rng, n: rng.dirichlet(np.ones(n))),
    "cross_entropy_with_logits-weighted-mean": (WeighedMean, lambda rng, n: rng.dirichlet(np.ones(n))),
    "binary_cross_entropy_with_logits": (BCEWithLogits, lambda rng, n: rng.random(n)),
    "binary_cross_entropy_with_logits-weighted": (
        WeighedBCE,
        lambda rng, n: rng.integers(0, 2, n).astype(float),
    ),
}

OPTIMISERS: dict[str, Callable[[], Optimiser]] = {
    "sgd": lambda: SGD(0.1),
    "sgd-momentum": lambda: SGD(0.1, momentum=0.9),
    "sgd-decay": lambda: SGD(0.1, weight_decay=0.3),
    "sgd-momentum-decay": lambda: SGD(0.1, momentum=0.9, weight_decay=0.3),
    "sgd-nesterov": lambda: SGD(0.1, momentum=0.9, nesterov=True),
    "sgd-nesterov-decay": lambda: SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
    "adagrad": lambda: Adagrad(0.1, eps=0.01),
    "adagrad-decay": lambda: Adagrad(0.1, eps=0.01, weight_decay=0.3),
    "rmsprop": lambda: RMSprop(0.05, alpha=0.9, eps=0.01),
    "rmsprop-decay": lambda: RMSprop(0.05, alpha=0.9, weight_decay=0.3),
    "adam": lambda: Adam(0.01, beta1=0.8, beta2=0.95),
    "adam-decay": lambda: Adam(0.01, beta1=0.8, beta2=0.95, weight_decay=0.3),
    "adamw": lambda: AdamW(0.01, beta1=0.8, beta2=0.95, weight_decay=0.3),
    "sgd-step": lambda: scheduled(SGD(0.1), StepLR(2, 0.5)),
    "sgd-nesterov-decay-cosine": lambda: scheduled(
        SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.3), CosineAnnealingLR(20, 0.01)
    ),
    "adam-warm-up": lambda: scheduled(Adam(0.01), LinearLR(0.1, total_iters=8)),
    "sgd-warm-up-then-cosine": lambda: scheduled(
        SGD(0.1), Schedules([(LinearLR(0.1, total_iters=2), None), (CosineAnnealingLR(30, 0.01), 2)])
    ),
    "sgd-decay-warm-up-times-step": lambda: scheduled(
        SGD(0.1, weight_decay=0.3), Schedules([(LinearLR(0.5, total_iters=9), None), (StepLR(1, 0.9), None)])
    ),
}


def scheduled(optimiser: Optimiser, schedule: Schedule) -> Optimiser:
    optimiser.schedule = schedule
    return optimiser


# Walks down curves: one that arrives, one with two starts, one whose numbers grow, one of many functions.
DESCENTS: dict[str, Descent] = {
    "parabola": Descent("walk", "(w - 3) ** 2", 0.1, (5.0,), 4, (-2, 8)),
    "valleys": Descent("walk", "w ** 4 / 4 - w ** 2 / 2 + w / 10", 0.5, (0.3, -0.1), 3, (-2, 2)),
    "diverges": Descent("walk", "(w - 3) ** 2", 1.05, (5.0, -1.0, 3.0), 2, (-2, 8)),
    "kinks": Descent("walk", "max(w, 0.5) + abs(w)", 0.25, (1.0, -0.5, 0.5, 0.0), 3, (-2, 2)),
    "waves": Descent("walk", "sqrt(w + 3) * cos(w)", 0.3, (1.0, -2.0), 2, (-2, 2)),
    "functions": Descent("walk", "relu(w) / 2 + log(w ** 2 + 1)", 0.3, (1.0, -1.0), 2, (-2, 2)),
    **{
        f"walk-{label}": Descent("walk", "(w - 3) ** 2", 0.2, (5.0, -1.0), 3, (-2, 8), OPTIMISERS[label]())
        for label in ("sgd-momentum", "rmsprop-decay", "sgd-nesterov-decay-cosine", "adam-warm-up")
    },
}


# ------------------------------------------------------------------------------------- what tests make of it


def whole(sizes: object) -> tuple[int, ...]:
    return tuple(int(size) for size in sizes)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class LayerCase:
    """A layer with random parameters, made anew for each test that asks."""

    label: str
    make: Callable[[], Made]
    plain: bool = False  # whether its listings are tried on plain numbers, among them zeros and ties

    def layer(self) -> Layer:
        return self.make()[0]

    def parameters(self) -> dict[str, Array]:
        rng = np.random.default_rng(1)
        drawn = {name: rng.normal(size=shape) for name, shape in self.layer().parameter_shapes.items()}
        return not_negative(drawn)

    def trained(self) -> list[str]:
        """The parameters that have gradients."""
        layer = self.layer()
        return [name for name in layer.parameter_shapes if name not in layer.buffer_names]

    def batch(self, size: int, dtype: type[np.floating] = np.float64) -> tuple[Array, Array]:
        """Inputs and gradients of the outputs."""
        layer, shape = self.make()
        rng = np.random.default_rng(2)
        x, dy = rng.normal(size=(size, *shape)), rng.normal(size=(size, *layer.output_shape(shape)))
        return x.astype(dtype), dy.astype(dtype)

    def arrays(self) -> dict[str, Array]:
        """All arrays of one sample, as a tape would hold them."""
        x, dy = self.batch(1)
        if self.plain:
            rng = np.random.default_rng(3)
            x, dy = rng.choice(PLAIN, x.shape), rng.choice(PLAIN, dy.shape)
        return arrays_of(self.layer(), self.parameters(), x[0], dy[0])

    def calls(self) -> list[Call]:
        layer, arrays = self.layer(), self.arrays()
        calls = [*layer.forward_calls(arrays), *layer.backward_calls(arrays)]
        if layer.drawn_names:  # outside training
            kept = {name: values for name, values in arrays.items() if name not in layer.drawn_names}
            calls += layer.forward_calls({**kept, "y": arrays["x"]})
        scattered = layer.scattered_calls(arrays)[-1]
        return [*calls, scattered] if scattered.form else calls


def not_negative(parameters: dict[str, Array]) -> dict[str, Array]:
    """The same with variances that can be variances."""
    return {name: np.abs(values) if name.endswith("var") else values for name, values in parameters.items()}


def backward(
    layer: Layer, dy: Array, x: Array, needs_dx: bool = True, **parameters: Array
) -> dict[str, Array]:
    """All gradients of a batch, from its inputs on."""
    y = layer.forward(x, **parameters)
    auxiliary = layer.auxiliary(x, y=y, **parameters)
    return layer.backward(dy, x, y=y, needs_dx=needs_dx, **parameters, **auxiliary)


@np.errstate(all="ignore")  # as in a network's passes
def arrays_of(layer: Layer, parameters: dict[str, Array], x: Array, dy: Array) -> dict[str, Array]:
    """All arrays of one sample, as a tape would hold them."""
    drawn = layer.drawn((1, *x.shape), 3)
    y = layer.forward(x[None], **parameters, **drawn)
    auxiliary = drawn | layer.auxiliary(x[None], y=y, **parameters)
    gradients = layer.backward(dy[None], x[None], y=y, **parameters, **auxiliary)
    dx = gradients.pop("dx")
    arrays = {**parameters, **gradients, "x": x, "y": y[0], "dy": dy, "dx": dx[0]}
    shared = {name: values for name, values in auxiliary.items() if name in layer.shared_names}
    return arrays | {name: values[0] for name, values in auxiliary.items() if name not in shared} | shared


def drawn(kind: str, seed: int) -> LayerCase:
    return LayerCase(f"{kind}-{seed}", lambda: LAYERS[kind](np.random.default_rng(seed)), plain=seed % 2 == 0)


LAYER_CASES = [LayerCase(label, make) for label, make in CORNERS.items()]
LAYER_CASES += [drawn(kind, seed) for kind in LAYERS for seed in range(DRAWS)]


def each_of(
    name: str, cases: Sequence[tuple[str, object]], together: int = 8
) -> Callable[[Callable], Callable]:
    """Run a test with each of some cases, several of them in one item: most take less time than an item does.

    All tests of a file on the same cases come one after the other: what Python does with a call, say, is
    watched once. Of a case that fails, the label stands below the error.

    Parameters
    ----------
    name : str
        The argument that gets the case.
    cases : Sequence[tuple[str, object]]
        The cases, each with its label.
    """
    groups = [cases[k : k + together] for k in range(0, len(cases), together)]

    def of_each(test: Callable) -> Callable:
        @wraps(test)
        def of_group(**fixtures: object) -> None:
            for label, case in fixtures.pop(name):
                try:
                    test(**{name: case}, **fixtures)
                except BaseException as error:
                    error.add_note(f"The {name}: {label}")
                    raise

        ids = [" ".join(label for label, _ in group) for group in groups]
        return pytest.mark.parametrize(name, groups, ids=ids, scope="module")(of_group)

    return of_each


each_layer = each_of("case", [(case.label, case) for case in LAYER_CASES])
each_loss = pytest.mark.parametrize("label", LOSSES)
each_optimiser = pytest.mark.parametrize("label", OPTIMISERS)


def network_for(loss: Loss, optimiser: Optimiser | None = None) -> Network:
    """The smallest network that ends as a loss needs it."""
    layers: list[tuple[str, Layer]] = [("fc", Linear(3, 4))]
    if loss.follows:
        layers.append(("last", loss.follows()))
    network = Network(layers, (3,), loss, optimiser)
    network.initialise(3)
    return network


def loss_calls(label: str, size: float = 1.0) -> list[Call]:
    """The loss's listing and that of its gradient, for scores of about a size."""
    kind, target = LOSSES[label]
    network, rng = network_for(kind()), np.random.default_rng(4)
    tape = network.run(size * rng.normal(size=3), target(rng, 4))
    calls = network.calls(tape)
    return of_loss(calls)


def of_loss(calls: list[Call]) -> list[Call]:
    """Those of a loss: its own, and that of the gradient that the way back starts with."""
    phases = [call.phase for call in calls]
    return calls[phases.index("loss") : phases.index("backward") + 1]


def map_target(label: str, rng: Rng, shape: Shape) -> Array:
    """A target for maps, or sequences: at each place what would do for a column of the channels."""
    _, target = LOSSES[label]
    places = [target(rng, shape[0]) for _ in range(prod(shape[1:]))]
    return np.stack(places, axis=1).reshape(shape)


def map_loss_calls(label: str, size: float = 1.0, shape: Shape = (2, 1, 3)) -> list[Call]:
    """The same of a loss behind maps, which have an axis of 1, and cells that are what they should be."""
    kind, _ = LOSSES[label]
    loss, rng = kind(), np.random.default_rng(4)
    network = Network([("last", loss.follows() if loss.follows else LeakyReLU())], shape, loss)
    x, t = size * rng.normal(size=shape), map_target(label, rng, shape)
    if not isinstance(loss, Hinge | NLL | NegativeLogLikelihood):
        t[0, ..., 1] = x[0, ..., 1] = 0
    return of_loss(network.calls(network.run(x, t)))


def optimiser_calls(label: str) -> list[Call]:
    """The updates of the third iteration, when all that is remembered has become something."""
    network, rng = network_for(HalfSquaredError(), OPTIMISERS[label]()), np.random.default_rng(5)
    for _ in range(2):
        network.train_step(rng.normal(size=(2, 3)), rng.normal(size=(2, 4)))
    tape = network.run(rng.normal(size=3), rng.normal(size=4))
    return [call for call in network.calls(tape) if call.phase == "update"]


def sample(network: Network) -> tuple[Array, Array]:
    """A sample and a target."""
    rng = np.random.default_rng(7)
    return rng.normal(size=network.input_shape), np.eye(network.output_shape[0])[1]


def joined_network(shape: Shape = (2, 1, 3)) -> Network:
    """Layers that are read by several, sums of two and of three, and a concatenation of three.

    Of maps, or of a column; the network's input is read by two layers, and one output by nobody.
    """
    maps = len(shape) == 3
    branch = (lambda: Conv2d(2, 2, (1, 2))) if maps else (lambda: Linear(shape[0], 4))
    layers: list[tuple[str, Layer, tuple[str, ...]]] = [
        ("left", branch(), ("input",)),
        ("right", branch(), ("input",)),
        ("relu", ReLU(), ("left",)),
        ("sum2", Add(), ("relu", "right")),
        ("sum3", Add(), ("sum2", "left", "relu")),
        ("aside", Tanh(), ("sum2",)),
        ("cat3", Concat(), ("sum3", "right", "sum2")),
        *([("flatten", Flatten(), ("cat3",))] if maps else []),
        ("fc", Linear(12, 2), ("flatten" if maps else "cat3",)),
        ("softmax", Softmax(), ("fc",)),
    ]
    network = Network(layers, shape, CrossEntropy(), SGD(0.1), outputs=("aside",))
    network.initialise(9)
    return network


def joined_calls() -> list[Call]:
    """What layers with several inputs compute, and the sums of what comes back from several readers."""
    found: list[Call] = []
    for shape in ((2, 1, 3), (3,)):
        network = joined_network(shape)
        calls = network.calls(network.run(*sample(network)))
        kinds = ("add", "concat", "sum_of_gradients")
        found += [call for call in calls if call.listing.__name__.startswith(kinds)]
    return found


# Two inputs of one shape, and a weight for each channel on either side; axes of 1.
PRODUCTS: dict[str, tuple[Shape, Shape]] = {
    "maps": ((2, 2, 3), (2, 2, 3)),
    "column": ((4,), (4,)),
    "weights": ((3, 2, 2), (3, 1, 1)),
    "weights-first": ((2, 1, 1), (2, 2, 3)),
    "weights-in-a-column": ((2, 3, 1), (2,)),
    "weights-of-one-cell": ((2,), (2, 1, 1)),
}


def product_network(shapes: tuple[Shape, Shape]) -> Network:
    """A product of two inputs, and something behind it."""
    layers = [("product", Multiply(), ("left", "right")), ("tanh", Tanh(), ("product",))]
    return Network(layers, dict(zip(("left", "right"), shapes, strict=True)), HalfSquaredError(), SGD(0.1))


def product_calls(label: str) -> list[Call]:
    """What a product computes, forward and back, with zeros and ties among its numbers."""
    network, rng = product_network(PRODUCTS[label]), np.random.default_rng(12)
    x = {name: rng.choice(PLAIN, shape) for name, shape in network.input_shapes.items()}
    calls = network.calls(network.run(x, rng.normal(size=network.output_shape)))
    return [call for call in calls if call.layer == "product"]


def several_losses_calls() -> list[Call]:
    """The sum of two losses, and the gradients of those that do not count whole; of maps and of columns."""
    layers = [
        ("conv", Conv2d(1, 2, (1, 2)), ("input",)),
        ("maps", Tanh(), ("conv",)),
        ("flatten", Flatten(), ("conv",)),
        ("fc", Linear(4, 3), ("flatten",)),
        ("softmax", Softmax(), ("fc",)),
    ]
    losses = [OutputLoss("maps", HalfSquaredError(), 0.5), OutputLoss("softmax", CrossEntropy(), 2.0)]
    network, rng = Network(layers, (1, 1, 3), losses), np.random.default_rng(11)
    network.initialise(2)
    t = {"maps": rng.normal(size=(2, 1, 2)), "softmax": np.eye(3)[1]}
    calls = network.calls(network.run(rng.normal(size=(1, 1, 3)), t))
    return [call for call in calls if call.kind in ("total_loss", "weighted_gradient")]


def pixels_calls() -> list[Call]:
    """The reading of a picture in colour and of a grey one, and what networks have made of pixels."""
    rng = np.random.default_rng(8)
    shapes = {"rgb": (3, 4, 3), "grey": (2, 3, 1)}
    album = Album(
        tuple(Picture(name, rng.integers(0, 256, shape).astype(np.float64)) for name, shape in shapes.items())
    )
    fitting = Fitting(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), invert=True)
    to_grey = Fitting(mean=(0.1307,))
    fitted = [
        way.call(name, picture.pixels, way.of(picture.pixels, channels))
        for name, way, channels, picture in zip(
            ("colours", "to_grey"), (fitting, to_grey), (3, 1), (album.pictures[0],) * 2, strict=True
        )
    ]
    columns = resized(
        album.pictures[0].pixels.astype(np.uint8), "columns", 3, 0, 4
    )  # one more than there are, in black
    rows = resized(columns.y, "rows", 2, -1, 4)
    sized = [columns.call("sized", last=False), rows.call("sized", last=True)]
    return [*album.calls(album.run()), *fitted, *sized]


def batch_calls() -> list[Call]:
    """What three samples compute together: statistics of columns, and the mean of their losses."""
    layers = [("bn", BatchNorm(2, training=True))]
    network = Network(layers, (2,), HalfSquaredError())
    network.initialise()
    x, t = np.random.default_rng(11).normal(size=(2, 3, 2))
    calls = network.calls(network.run(x, t, samples=3))
    return [call for call in calls if call.name in ("bn.mean", "bn.var", "bn.dx", "loss.mean")]


def all_calls() -> list[tuple[str, Call]]:
    """Every listing there is, at work on some arrays."""
    groups = [(case.label, case.calls()) for case in LAYER_CASES]
    groups += [(label, loss_calls(label)) for label in LOSSES]
    groups += [
        (f"{label}-large", loss_calls(label, 1e4)) for label, (kind, _) in LOSSES.items() if kind.follows
    ]
    groups += [(label, optimiser_calls(label)) for label in OPTIMISERS]
    groups += [(f"{label}-maps", map_loss_calls(label)) for label in LOSSES]
    groups += [(f"{label}-sequence", map_loss_calls(label, shape=(2, 3))) for label in LOSSES]
    groups += [
        (f"{label}-maps-large", map_loss_calls(label, 1e4))
        for label, (kind, _) in LOSSES.items()
        if kind.follows
    ]
    groups.append(("pixels", pixels_calls()))
    groups.append(("joined", joined_calls()))
    groups += [(f"product-{label}", product_calls(label)) for label in PRODUCTS]
    groups.append(("losses", several_losses_calls()))
    groups.append(("batch", batch_calls()))
    groups.append(("sizes", [sizes_call("sizes", [np.array([3.0, -4, 0]), np.zeros(3), np.ones(3)])]))
    groups += [(label, [descent.call()]) for label, descent in DESCENTS.items()]
    return [(f"{label}-{call.listing.__name__}", call) for label, calls in groups for call in calls]


ALL_CALLS = all_calls()


each_call = each_of("call", ALL_CALLS)


def small_network(optimiser: Optimiser | None = None) -> Network:
    """A network of every phase, small enough to walk through step by step."""
    network = Network(
        [
            ("conv1", Conv2d(1, 2, 2, padding=1)),
            ("relu1", ReLU()),
            ("pool1", MaxPool2d(2, 1)),
            ("flatten", Flatten()),
            ("fc", Linear(18, 3)),
            ("softmax", Softmax()),
        ],
        (1, 3, 3),
        CrossEntropy(),
        optimiser or SGD(0.1, momentum=0.5),
    )
    network.initialise(6)
    return network


def assert_same(found: Array, wanted: Array, relative: float = 1e-12) -> None:
    """Equal up to a part of the largest number."""
    assert found.shape == wanted.shape
    scale = np.abs(wanted).max(initial=0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=relative * scale)
