"""The one list of what there is: layers, losses, optimisers and schedules, with the names shown in menus.

A lesson file names them by their kind, and takes their arguments by the names and types that the
constructors declare; the ranges of those arguments stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Generic, TypeVar

from msgspec import Struct, field

from cnnviz.engine.layer import Layer
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
)
from cnnviz.engine.optim import SGD, Adagrad, Adam, AdamW, Optimiser, RMSprop
from cnnviz.engine.schedules import CosineAnnealingLR, LinearLR, Schedule, StepLR

Made = TypeVar("Made", Layer, Loss, Optimiser, Schedule)


class Range(Struct, frozen=True):
    """The values that an argument may have.

    Attributes
    ----------
    least, most : float
        The smallest and the largest.
    open_least, open_most : bool
        Whether the value must be above `least`, or below `most`, rather than equal to it.
    """

    least: float = -inf
    most: float = inf
    open_least: bool = False
    open_most: bool = False


SIZE = Range(1, 65_536)
"""What a whole number may be where nothing else is said."""


class Entry(Struct, Generic[Made], frozen=True):
    """One thing a network is made of.

    Attributes
    ----------
    make : type
        Its class; the constructor's parameters are what a lesson file may say of it.
    name : str
        What menus call it, in English.
    inferred : str
        The parameter that may be left out, because the shape before says it: the number of channels of
        maps, or the length of a column.
    infers_whole : bool
        Whether that is the whole shape before.
    ranges : Mapping[str, Range]
        The values that parameters may have, where `SIZE` for whole numbers and any for others is not right.
    """

    make: type[Made]
    name: str
    inferred: str = ""
    infers_whole: bool = False
    ranges: Mapping[str, Range] = field(default_factory=dict)


def _by_kind(entries: Iterable[Entry[Made]]) -> Mapping[str, Entry[Made]]:
    return {entry.make.kind: entry for entry in entries}


_POSITIVE = Range(0, open_least=True)
_PART = Range(0, 1, open_most=True)
_DECAY = Range(0)
_ADAM = {"lr": _POSITIVE, "beta1": _PART, "beta2": _PART, "eps": _POSITIVE, "weight_decay": _DECAY}

LAYERS: Mapping[str, Entry[Layer]] = _by_kind(
    [
        Entry(Conv2d, "Convolution", inferred="in_channels", ranges={"padding": Range(0, SIZE.most)}),
        Entry(
            Conv1d,
            "Convolution of sequences",
            inferred="in_channels",
            ranges={"padding": Range(0, SIZE.most)},
        ),
        Entry(
            ConvTranspose2d,
            "Transposed convolution",
            inferred="in_channels",
            ranges={"padding": Range(0, SIZE.most), "output_padding": Range(0, SIZE.most)},
        ),
        Entry(
            ConvTranspose1d,
            "Transposed convolution of sequences",
            inferred="in_channels",
            ranges={"padding": Range(0, SIZE.most), "output_padding": Range(0, SIZE.most)},
        ),
        Entry(MaxPool1d, "Max-pooling of sequences", ranges={"padding": Range(0, SIZE.most)}),
        Entry(AvgPool1d, "Average-pooling of sequences", ranges={"padding": Range(0, SIZE.most)}),
        Entry(MaxPool2d, "Max-pooling", ranges={"padding": Range(0, SIZE.most)}),
        Entry(AvgPool2d, "Average-pooling", ranges={"padding": Range(0, SIZE.most)}),
        Entry(GlobalAvgPool2d, "Global average-pooling"),
        Entry(AdaptiveAvgPool2d, "Adaptive average-pooling"),
        Entry(Upsample, "Upsample"),
        Entry(Flatten, "Flatten"),
        Entry(Reshape, "Reshape", ranges={"shape": Range(-1, SIZE.most)}),
        Entry(Permute, "Permute", ranges={"dims": Range(0, 3)}),
        Entry(Linear, "Fully connected", inferred="in_features"),
        Entry(Dropout, "Dropout", ranges={"p": _PART, "seed": Range(0, SIZE.most)}),
        Entry(BatchNorm, "Batch norm", inferred="num_features", ranges={"eps": _POSITIVE}),
        Entry(
            LayerNorm,
            "Layer norm",
            inferred="normalized_shape",
            infers_whole=True,
            ranges={"eps": _POSITIVE},
        ),
        Entry(GroupNorm, "Group norm", inferred="num_channels", ranges={"eps": _POSITIVE}),
        Entry(
            LocalResponseNorm,
            "Local response norm",
            ranges={"alpha": Range(0), "beta": Range(0), "k": Range(0)},
        ),
        Entry(ReLU, "ReLU"),
        Entry(LeakyReLU, "Leaky ReLU", ranges={"alpha": Range(0, 1)}),
        Entry(ReLU6, "ReLU6"),
        Entry(ELU, "ELU", ranges={"alpha": _POSITIVE}),
        Entry(SiLU, "SiLU"),
        Entry(GELU, "GELU"),
        Entry(Softplus, "Softplus", ranges={"beta": _POSITIVE}),
        Entry(HardSwish, "Hard swish"),
        Entry(HardSigmoid, "Hard sigmoid"),
        Entry(Sigmoid, "Sigmoid"),
        Entry(Tanh, "Tanh"),
        Entry(Softmax, "Softmax", ranges={"dim": Range(1, 3)}),
        Entry(LogSoftmax, "Log-softmax", ranges={"dim": Range(1, 3)}),
        Entry(Add, "Add"),
        Entry(Multiply, "Multiply"),
        Entry(Concat, "Concatenate"),
    ]
)

LOSSES: Mapping[str, Entry[Loss]] = _by_kind(
    [
        Entry(CrossEntropy, "Cross-entropy"),
        Entry(BinaryCrossEntropy, "Binary cross-entropy"),
        Entry(CrossEntropyWithLogits, "Cross-entropy of scores", ranges={"class_weight": Range(0)}),
        Entry(BCEWithLogits, "Binary cross-entropy of scores", ranges={"pos_weight": Range(0)}),
        Entry(HalfSquaredError, "Half squared error"),
        Entry(MeanSquaredError, "Mean squared error"),
        Entry(MeanAbsoluteError, "Mean absolute error"),
        Entry(NLL, "Negative log-likelihood"),
        Entry(Hinge, "Hinge", ranges={"margin": _POSITIVE}),
    ]
)

OPTIMISERS: Mapping[str, Entry[Optimiser]] = _by_kind(
    [
        Entry(SGD, "Gradient descent", ranges={"lr": _POSITIVE, "momentum": _PART, "weight_decay": _DECAY}),
        Entry(Adagrad, "AdaGrad", ranges={"lr": _POSITIVE, "eps": _POSITIVE, "weight_decay": _DECAY}),
        Entry(
            RMSprop,
            "RMSprop",
            ranges={"lr": _POSITIVE, "alpha": _PART, "eps": _POSITIVE, "weight_decay": _DECAY},
        ),
        Entry(Adam, "Adam", ranges=_ADAM),
        Entry(AdamW, "AdamW", ranges=_ADAM),
    ]
)

SCHEDULES: Mapping[str, Entry[Schedule]] = _by_kind(
    [
        Entry(StepLR, "Step", ranges={"gamma": _POSITIVE}),
        Entry(CosineAnnealingLR, "Cosine", ranges={"eta_min": Range(0)}),
        Entry(
            LinearLR,
            "Warm-up",
            ranges={"start_factor": Range(0, 1, open_least=True), "end_factor": Range(0, 1)},
        ),
    ]
)
