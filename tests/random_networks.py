"""Networks drawn at random: all layers and losses, branches, several inputs and outputs.

Everything is drawn with NumPy's RandomState, which gives the same numbers for ever: what is recorded of a
network's numbers can be compared with those of any later version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from cnnviz.engine.layer import Array, Layer, Shape
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
from cnnviz.engine.network import Network
from cnnviz.engine.objective import OutputLoss
from cnnviz.engine.optim import SGD, Adam
from cnnviz.engine.tape import Tape

ACTIVATIONS = (
    *(ReLU, lambda: LeakyReLU(0.1), Sigmoid, Tanh, ReLU6, lambda: ELU(0.7)),
    *(SiLU, GELU, lambda: GELU("tanh"), lambda: Softplus(1.5, 2.0), HardSwish, HardSigmoid),
)
LOSSES = (
    *(HalfSquaredError, MeanSquaredError, Hinge, CrossEntropy, BinaryCrossEntropy, MeanAbsoluteError, NLL),
    *(CrossEntropyWithLogits, BCEWithLogits, lambda: BCEWithLogits(1.5), "weighted", "weighted mean"),
)
"""How losses are made; those with a weight for each class, when it is known how many there are."""


@dataclass(frozen=True)
class Drawn:
    """A network with a sample of each input and a target for each loss, by names of inputs and of layers.

    Attributes
    ----------
    samples : int or None
        How many there are of each; None where it is one, without an axis of its own.
    """

    network: Network
    x: dict[str, Array]
    t: dict[str, Array]
    samples: int | None = None

    def run(self) -> Tape:
        """Run one iteration."""
        return self.network.run(self.x, self.t, samples=self.samples)


@dataclass
class Drawing:
    """Layers drawn so far."""

    draw: np.random.RandomState
    layers: list[tuple[str, Layer, tuple[str, ...]]] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    network_inputs: tuple[str, ...] = ()
    several: bool = False  # whether samples go through together, so that norms have statistics of them

    def below(self, count: int) -> int:
        return int(self.draw.randint(count))

    def one_of(self, choices: Sequence) -> object:
        return choices[self.below(len(choices))]

    @property
    def unread(self) -> list[str]:
        read = {name for _, _, inputs in self.layers for name in inputs}
        return [name for name in self.shapes if name not in {*read, *self.heads}]

    def add(self, layer: Layer, *inputs: str) -> str:
        name = f"{layer.kind}{len(self.layers) + 1}"
        self.layers.append((name, layer, inputs))
        layer.take(len(inputs))
        self.shapes[name] = layer.output_shape(*(self.shapes[one] for one in inputs))
        return name

    def grow(self, largest: int) -> None:
        """Add one more layer: mostly behind one that nothing reads yet."""
        source = self.one_of(self.unread if self.draw.random_sample() < 0.7 else list(self.shapes))
        if self.draw.random_sample() < 0.3 and self._join(source, largest):
            return
        make = {1: self._column_layer, 2: self._sequence_layer, 3: self._map_layer}
        layer = make[len(self.shapes[source])](source)
        if prod(layer.output_shape(self.shapes[source])) <= largest:
            self.add(layer, source)

    def _join(self, source: str, largest: int) -> bool:
        shape = self.shapes[source]
        alike = [name for name, other in self.shapes.items() if other == shape and name != source]
        fitting = [name for name, other in self.shapes.items() if other[1:] == shape[1:] and name != source]
        kind, others = (Add, alike) if self.draw.random_sample() < 0.6 else (Concat, fitting)
        if not others:
            return False
        inputs = [source, self.one_of(others)]
        if kind is Add and self.below(2):
            weights = [
                name
                for name, other in self.shapes.items()
                if name != source and other in (shape[:1], (*shape[:1], *(1,) * (len(shape) - 1)))
            ]
            factor = self.one_of(alike + weights)
            self.add(Multiply(), *((source, factor) if self.below(2) else (factor, source)))
            return True
        if self.draw.random_sample() < 0.3:
            inputs.append(self.one_of(others))
        if kind is Concat and sum(prod(self.shapes[name]) for name in inputs) > largest:
            return False
        self.add(kind(), *inputs)
        return True

    def _column_layer(self, source: str) -> Layer:
        size = self.shapes[source][0]
        k = self.below(7)
        if k < 3:
            return Linear(size, 1 + self.below(5))
        if k == 6 and size > 1:  # one number less its mean is 0
            return LayerNorm((size,)) if self.below(2) else BatchNorm(size, training=self.several)
        if k == 4:
            return LogSoftmax()
        return Softmax() if k == 3 else self.one_of(ACTIVATIONS)()

    def _sequence_layer(self, source: str) -> Layer:
        channels, length = self.shapes[source]
        k = self.below(9)
        if k == 8:
            return self._transposed_sequence(channels)
        if k == 7:
            return (
                BatchNorm(channels, training=self.several)
                if self.below(2)
                else LocalResponseNorm(3, 0.5, 0.6, 2.0)
            )
        if k >= 5:
            return Flatten() if k == 5 else self.one_of(ACTIVATIONS)()
        padding, window = self.below(2), 1 + self.below(min(3, length))
        stride, rate = 1 + self.below(2), 1
        if k < 3:
            padding = self.below(3), self.below(3)
            rate = 1 + self.below(3) if (window - 1) * 3 < length else 1
            groups = int(self.one_of([n for n in range(1, channels + 1) if channels % n == 0]))
            made = groups * (1 + self.below(max(1, 3 // groups)))
            return Conv1d(channels, made, window, stride, padding, rate, groups, bool(self.below(2)))
        padding, ceil = min(padding, window // 2), bool(self.below(2))
        if k == 3:
            rate = 1 + self.below(3) if (window - 1) * 3 < length and not padding else 1
            return MaxPool1d(window, stride, padding, ceil and rate == 1, rate)
        return AvgPool1d(window, stride, padding, ceil, bool(self.below(2)))

    def _map_layer(self, source: str) -> Layer:
        channels, height, width = self.shapes[source]
        k = self.below(10)
        if k == 9 and height * width > 1:
            which = self.below(4)
            groups = self.one_of([n for n in range(1, channels + 1) if channels % n == 0])
            norms = (
                BatchNorm(channels, training=self.several),
                LayerNorm((channels, height, width)),
                GroupNorm(groups, channels),
            )
            return (*norms, LocalResponseNorm(1 + self.below(5), 0.8, 0.75, 1.5))[which]
        if k < 4:
            if self.below(5) == 0 and height * width < 20:
                return self._transposed(channels)
            return self._convolution(channels, height, width)
        if k == 8 and self.below(2):
            return self._moving(channels, height, width)
        if k < 6:
            return self._pooling(height, width, MaxPool2d if k == 4 else AvgPool2d)
        return Flatten() if k == 6 else self.one_of(ACTIVATIONS)()

    def _moving(self, channels: int, height: int, width: int) -> Layer:
        """What gives maps another size or shape, or goes along one of their axes."""
        dims = (0, *(1 + self.draw.permutation(3)))
        factors, mode = (1 + self.below(3), 1 + self.below(3)), self.one_of(("nearest", "bilinear"))
        corners = mode == "bilinear" and bool(self.below(2))
        size = (1 + self.below(6), 1 + self.below(6)) if self.below(2) else None
        if size and mode == "nearest" and not all(map(_is_exact, (height, width), size)):
            size = None
        upsample = Upsample(factors, mode, corners, size)
        kinds = (
            *(Permute(tuple(map(int, dims))), Reshape((-1, channels, width)), Reshape((width, height, -1))),
            *(Softmax(1 + self.below(3)), LogSoftmax(1 + self.below(3)), upsample, upsample),
        )
        return self.one_of(kinds)

    def _convolution(self, channels: int, height: int, width: int) -> Layer:
        padding = [self.below(3)] * 4 if self.below(2) else [self.below(3) for _ in range(4)]
        sizes = height + sum(padding[:2]), width + sum(padding[2:])
        kernel = tuple(1 + self.below(min(3, size)) for size in sizes)
        stride = (1 + self.below(2),) * 2 if self.below(2) else (1 + self.below(3), 1 + self.below(3))
        rates = [(size - 1) // max(k - 1, 1) for size, k in zip(sizes, kernel, strict=True)]
        dilation = tuple(1 + self.below(min(3, rate)) if rate and self.below(2) else 1 for rate in rates)
        groups = int(self.one_of([k for k in range(1, channels + 1) if channels % k == 0]))
        made = groups * (1 + self.below(max(1, 3 // groups)))
        bias = self.draw.random_sample() < 0.7
        return Conv2d(channels, made, kernel, stride, tuple(padding), dilation, groups, bias)

    def _transposed(self, channels: int) -> Layer:
        kernel, stride = ((1 + self.below(3), 1 + self.below(3)) for _ in range(2))
        padding = tuple(self.below((size + 1) // 2) for size in kernel)
        added = tuple(self.below(step) for step in stride)
        groups = int(self.one_of([n for n in (1, 2) if channels % n == 0]))
        arguments = groups * (1 + self.below(2)), kernel, stride, padding, added, bool(self.below(2))
        return ConvTranspose2d(channels, *arguments, (1 + self.below(2), 1 + self.below(2)), groups)

    def _transposed_sequence(self, channels: int) -> Layer:
        kernel, stride = 1 + self.below(3), 1 + self.below(3)
        groups = int(self.one_of([n for n in (1, 2) if channels % n == 0]))
        arguments = groups * (1 + self.below(2)), kernel, stride, self.below((kernel + 1) // 2)
        more = self.below(stride), bool(self.below(2)), 1 + self.below(2), groups
        return ConvTranspose1d(channels, *arguments, *more)

    def _pooling(self, height: int, width: int, kind: type[MaxPool2d] | type[AvgPool2d]) -> Layer:
        which = self.below(5) if kind is AvgPool2d else 5
        if which == 0:
            return GlobalAvgPool2d()
        if which == 1:
            return AdaptiveAvgPool2d((1 + self.below(4), 1 + self.below(4)))
        window = 1 + self.below(min(3, height)), 1 + self.below(min(3, width))
        stride, ceil = (1 + self.below(2), 1 + self.below(2)), bool(self.below(2))
        alike = [self.below(size // 2 + 1) for size in window]
        padding = (alike[0], alike[0], alike[1], alike[1]) if self.below(2) else (0, 0, 0, 0)
        if kind is MaxPool2d:
            if self.below(4) == 0:
                padding, ceil = tuple(self.below(size) for size in window for _ in range(2)), False
            rate = 1, 1
            if not any(padding) and max(window) * 2 < min(height, width):
                rate, ceil = (1 + self.below(2), 1 + self.below(2)), False
            return MaxPool2d(window, stride, padding, ceil, rate)
        return AvgPool2d(window, stride, padding, ceil, bool(self.below(2)))

    def join_all(self) -> str:
        """Bring all that is unread together in one column."""
        unread = self.unread
        if len(unread) > 1 or len(self.shapes[unread[0]]) != 1:
            columns = [self.add(Flatten(), name) if len(self.shapes[name]) > 1 else name for name in unread]
            if len(columns) > 1:
                self.add(Concat(), *columns)
        (last,) = self.unread
        return last

    def head(self, source: str, make: object) -> tuple[str, Loss]:
        """Add an output as a loss needs it; behind maps and sequences, of their channels."""
        last, is_column = source, len(self.shapes[source]) == 1
        if is_column:
            last = self.add(Linear(self.shapes[source][0], 2 + self.below(3)), source)
        loss = self._loss(make, self.shapes[last][0])
        if loss.follows is not None:
            last = self.add(loss.follows(), last)
        elif source in self.network_inputs or self.draw.random_sample() < 0.5:
            last = self.add(self.one_of(ACTIVATIONS)(), last)
        self.heads.append(last)
        return last, loss

    def _loss(self, make: object, classes: int) -> Loss:
        if isinstance(make, str):
            weights = tuple(0.5 + self.draw.random_sample(classes))
            return CrossEntropyWithLogits(weights, weighted_mean=make == "weighted mean")
        return make()


def _is_exact(size: int, out: int) -> bool:
    """Return whether PyTorch, which reckons places in single precision, finds the nearest numbers."""
    k = np.arange(out)
    return bool((k.astype(np.float32) * np.float32(size / out) // 1 == k * size // out).all())


def random_network(
    seed: int, layers: int = 10, largest: int = 200, side: int = 7, alone: bool = False
) -> Drawn:
    """Draw a network.

    Parameters
    ----------
    layers : int
        About how many layers it has before its head.
    largest : int
        How many numbers a layer puts out at most.
    side : int
        The largest height and width of its input.
    alone : bool
        Whether a sample's numbers do not depend on others: one goes through, and no mean is by weight.
    """
    draw = np.random.RandomState(seed)
    samples = 2 + int(draw.randint(3)) if draw.random_sample() < 0.25 and not alone else None
    drawing = Drawing(draw, several=samples is not None)
    kinds = LOSSES[:-1] if alone else LOSSES
    names = ("left", "right") if draw.random_sample() < 0.3 else ("input",)
    for name in names:
        kind = draw.random_sample()
        sizes = (3, side, side) if kind < 0.65 else (3, 2 * side) if kind < 0.85 else (side,)
        drawing.shapes[name] = tuple(1 + drawing.below(n) for n in sizes)
    inputs = dict(drawing.shapes)
    drawing.network_inputs = tuple(inputs)
    for _ in range(1 + drawing.below(layers)):
        drawing.grow(largest)
    # One loss in four is of maps, or of a sequence.
    aside = [name for name in drawing.unread if len(drawing.shapes[name]) > 1 and draw.random_sample() < 0.25]
    heads = [drawing.head(name, kinds[(seed + 5) % len(kinds)]) for name in aside[:1]]
    if drawing.unread or not heads:
        source = drawing.join_all()
        for k in range(1 + (draw.random_sample() < 0.3) + (draw.random_sample() < 0.1)):
            heads.append(drawing.head(source, kinds[(seed + k) % len(kinds)]))
    losses = [OutputLoss(name, loss, (1.0, 1.0, 0.25)[drawing.below(3)]) for name, loss in heads]
    optimiser = (SGD(0.1), SGD(0.1, 0.9), Adam())[drawing.below(3)]
    network = Network(drawing.layers, inputs, losses, optimiser)
    for key, size in network.parameter_shapes.items():
        fan_in = prod(size[1:]) if key.endswith(".w") and len(size) > 2 else size[0]
        network.parameters[key] = values = draw.standard_normal(size) / np.sqrt(
            fan_in if len(size) > 1 else 4
        )
        if key.endswith(".var"):
            network.parameters[key] = 0.5 + values**2
    more = (samples,) if samples else ()
    targets = {
        one.of: [_target(one.loss, network.shapes[one.of], draw) for _ in range(samples or 1)]
        for one in losses
    }
    return Drawn(
        network,
        {name: draw.standard_normal((*more, *size)) for name, size in inputs.items()},
        {name: np.stack(each) if samples else each[0] for name, each in targets.items()},
        samples,
    )


def _target(loss: Loss, shape: Shape, draw: np.random.RandomState) -> Array:
    if isinstance(loss, HalfSquaredError | MeanSquaredError | MeanAbsoluteError):
        return draw.standard_normal(shape)
    if isinstance(loss, BinaryCrossEntropy | BCEWithLogits):
        return draw.random_sample(shape)
    weighs_labels = isinstance(loss, CrossEntropyWithLogits) and loss.weighted_mean
    is_soft = isinstance(loss, CrossEntropy | CrossEntropyWithLogits) and not weighs_labels
    if is_soft and draw.random_sample() < 0.3:
        t = draw.random_sample(shape)
        return t / t.sum(axis=0)
    return np.moveaxis(np.eye(shape[0])[draw.randint(shape[0], size=shape[1:])], -1, 0)
