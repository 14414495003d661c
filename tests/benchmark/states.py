"""How long it takes to find what Python holds at any of 10⁷ steps, for every listing there is."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import process_time

import numpy as np

from cnnviz.engine.layer import Call, Layer, Shape
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
from cnnviz.engine.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, Loss
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD, Adam, Optimiser
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from tests.benchmark.table import Row
from tests.cases import arrays_of
from tests.trace.listings import LARGE_CALLS

MOST = 1.0  # milliseconds, in the median over random steps
STEPS = 60

MAPS, COLUMN = (16, 320, 320), (1_600_000,)
LAYERS: list[tuple[Layer, Shape]] = [
    (Conv2d(16, 16, 3, padding=1), (16, 46, 46)),
    (Conv2d(512, 512, 1), (512, 5, 5)),
    (MaxPool2d(2), (64, 160, 160)),
    (AvgPool2d(2), (64, 160, 160)),
    (ReLU(), MAPS),
    (ReLU(), COLUMN),
    (LeakyReLU(0.1), MAPS),
    (Sigmoid(), MAPS),
    (Tanh(), MAPS),
    (Flatten(), MAPS),
    (Linear(4096, 1000), (4096,)),
    (Softmax(), COLUMN),
    (Softmax(), MAPS),
    (LogSoftmax(), MAPS),
    (Conv1d(16, 16, 9), (16, 4000)),
    (ConvTranspose1d(16, 16, 8, 2), (16, 2000)),
    (ConvTranspose2d(16, 16, 4, 2, 1), (16, 24, 24)),
    (MaxPool1d(2), (64, 25_600)),
    (AvgPool1d(2), (64, 25_600)),
    (GlobalAvgPool2d(), MAPS),
    (AdaptiveAvgPool2d(7), (16, 320, 320)),
    (BatchNorm(16), MAPS),
    (LayerNorm((16, 160, 160)), (16, 160, 160)),
    (GroupNorm(4, 16), (16, 160, 160)),
    (LocalResponseNorm(5), (16, 100, 100)),
    (Upsample(2), (16, 160, 160)),
    (Upsample(size=300), (16, 160, 160)),
    (Upsample(2, "bilinear"), (16, 24, 24)),
    (Reshape((16, -1)), MAPS),
    (Permute((0, 3, 1, 2)), MAPS),
    (Dropout(0.5), MAPS),
    *((make(), MAPS) for make in (ReLU6, ELU, SiLU, GELU, Softplus, HardSwish, HardSigmoid)),
]
HEADS: list[tuple[Layer, Loss, Optimiser]] = [
    (Softmax(), CrossEntropy(), SGD(0.1)),
    (Sigmoid(), BinaryCrossEntropy(), SGD(0.1, 0.9)),
    (Tanh(), HalfSquaredError(), Adam()),
]


def calls() -> Iterator[Call]:
    """Yield a call of every listing, of about 10⁷ steps where it can have as many."""
    rng = np.random.default_rng(0)
    for layer, shape in LAYERS:
        yield from _calls_of(layer, shape, rng)
    for layer, loss, optimiser in HEADS:
        network = Network([("fc", Linear(1, 1_000_000)), ("last", layer)], (1,), loss, optimiser)
        network.initialise(0)
        target = np.zeros(1_000_000)
        target[7] = 1
        made = network.calls(network.run(rng.random(1), target))
        yield from (call for call in made if call.phase in ("loss", "update") or call.layer == "last")
    yield from LARGE_CALLS()


def _calls_of(layer: Layer, shape: Shape, rng: np.random.Generator) -> Iterator[Call]:
    x, dy = rng.normal(size=shape), rng.normal(size=layer.output_shape(shape))
    arrays = arrays_of(layer, layer.initial_parameters(rng), x, dy)
    yield layer.forward_call(arrays)
    yield from layer.backward_calls(arrays)
    yield from (call for call in layer.scattered_calls(arrays) if call.form == "scattered")


def rows() -> Iterator[Row]:
    """Yield the time of the listing whose states take longest."""
    slowest, name = 0.0, ""
    rng = np.random.default_rng(1)
    for call in calls():
        operation, times = Operation(call), []
        for offset in rng.integers(len(operation), size=STEPS).tolist():
            start = process_time()
            state(operation, offset)
            times.append(process_time() - start)
        slowest, name = max((slowest, name), (median(times), call.listing.__name__))
    yield Row(f"any state among 10⁷ steps, of every listing ({name})", slowest * 1000, MOST)
