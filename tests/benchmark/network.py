"""NumPy against PyTorch: the same networks, one thread each, in the same precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from cnnviz.engine.layer import Array, Layer
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.losses import CrossEntropy
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.engine.training import Run
from cnnviz.lesson.lesson import load_lesson
from tests.benchmark.table import Row
from tests.benchmark.timing import interleaved

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

MOST, MOST_OF_MANY = 1.0, 2.0  # times PyTorch's time, of one sample and of a batch


def digits() -> Network:
    """The network of the lesson that opens first."""
    layers: list[tuple[str, Layer]] = [
        ("conv1", Conv2d(1, 4, 3, padding=1)),
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(4, 8, 3, padding=1)),
        ("relu2", ReLU()),
        ("pool2", MaxPool2d(2)),
        ("flatten", Flatten()),
        ("fc", Linear(32, 10)),
        ("softmax", Softmax()),
    ]
    return Network(layers, (1, 8, 8), CrossEntropy())


def tiny_vgg() -> Network:
    """The network of CNN Explainer (Wang et al., 2020)."""
    layers: list[tuple[str, Layer]] = []
    channels = 3
    for block in "12":
        for part in "12":
            layers += [(f"conv{block}_{part}", Conv2d(channels, 10, 3)), (f"relu{block}_{part}", ReLU())]
            channels = 10
        layers.append((f"pool{block}", MaxPool2d(2)))
    layers += [("flatten", Flatten()), ("fc", Linear(10 * 13 * 13, 10)), ("softmax", Softmax())]
    return Network(layers, (3, 64, 64), CrossEntropy())


NETWORKS = {"digits": digits, "Tiny VGG": tiny_vgg}
BATCHES = (1, 64)
TRAINED = 50  # iterations
PRECISIONS = (np.float32, np.float64)


@dataclass(frozen=True)
class Pair:
    """The same batch through the same network in NumPy and, where it is installed, in PyTorch."""

    network: Network
    x: Array
    t: Array
    model: Any = None

    def forward(self) -> Array:
        y = self.network.forward(self.x)
        return self.network.loss.value(y, self.t)  # type: ignore[union-attr]

    def both_ways(self) -> None:
        self.network.loss_and_gradients(self.x, self.t)

    def torch_functions(self) -> list[Callable[[], object]]:
        model, x, labels = self.model, torch.from_numpy(self.x), torch.from_numpy(self.t.argmax(1))
        parameters = list(model.parameters())

        def forward() -> None:
            with torch.inference_mode():
                nn.functional.cross_entropy(model(x), labels, reduction="sum")

        def both_ways() -> None:
            for parameter in parameters:
                parameter.grad = None
            nn.functional.cross_entropy(model(x), labels, reduction="mean").backward()

        return [forward, both_ways]


def pair(network: Network, batch: int, precision: type[np.floating]) -> Pair:
    network.initialise(0)
    network.astype(precision)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(batch, *network.input_shape)).astype(precision)
    t = np.eye(10, dtype=precision)[rng.integers(10, size=batch)]
    return Pair(network, x, t, torch and in_torch(network, network.layers[:-1]))


def in_torch(network: Network, layers: list[Layer]) -> Any:
    """Return PyTorch's module of the same layers and weights."""
    modules = []
    for layer in layers:
        module = module_of(layer)
        for name in layer.parameter_shapes:
            value = network.parameters[f"{layer.name}.{name}"]
            value = value.T.copy() if isinstance(layer, Linear) and name == "w" else value
            setattr(module, {"w": "weight", "b": "bias"}[name], nn.Parameter(torch.from_numpy(value)))
        modules.append(module)
    return nn.Sequential(*modules)


def module_of(layer: Layer) -> Any:
    match layer:
        case Conv2d():
            above, _, left, _ = layer.padding  # the same below and at the right
            sizes = layer.in_channels, layer.out_channels, layer.kernel, layer.stride, (above, left)
            return nn.Conv2d(*sizes)
        case MaxPool2d():
            return nn.MaxPool2d(layer.kernel, layer.stride)
        case AvgPool2d():
            return nn.AvgPool2d(layer.kernel, layer.stride)
        case Linear():
            return nn.Linear(layer.in_features, layer.neurons)
        case LeakyReLU():
            return nn.LeakyReLU(layer.alpha)
    kinds = {ReLU: nn.ReLU, Sigmoid: nn.Sigmoid, Tanh: nn.Tanh, Flatten: nn.Flatten}
    return nn.Softmax(1) if isinstance(layer, Softmax) else kinds[type(layer)]()


# ----------------------------------------------------------------------------------------------------- speed


def rows() -> Iterator[Row]:
    """Yield how many times PyTorch's time each pass takes."""
    if torch:
        torch.set_num_threads(1)
    for batch, (name, make), precision in product(BATCHES, NETWORKS.items(), PRECISIONS):
        both = pair(make(), batch, precision)
        others = both.torch_functions() if torch else [None, None]
        for what, ours, theirs in zip(
            ("forward", "both ways"), (both.forward, both.both_ways), others, strict=True
        ):
            wanted = MOST if batch == 1 else MOST_OF_MANY
            yield _against_torch(f"{name}, batch {batch}, {precision.__name__}, {what}", ours, theirs, wanted)
    yield training()


def _against_torch(
    what: str, ours: Callable[[], object], theirs: Callable[[], object] | None, wanted: float
) -> Row:
    ratio = None
    if theirs:
        times = interleaved([ours, theirs])
        ratio = times[0] / times[1]
    return Row(
        f"{what}, by PyTorch's time", ratio, wanted, "×", note="PyTorch is not installed: pip install torch"
    )


def training() -> Row:
    """Return how many times PyTorch's time an iteration takes that can be stepped later, bit for bit."""
    lesson = load_lesson("training")
    assert lesson.run is not None and isinstance(lesson.network.optimiser, SGD)
    none_held_out = lesson.run.held_out[:0]  # accuracy is not measured
    run = Run(lesson.run.network_at(0), lesson.run._sample, lesson.run.order, none_held_out, TRAINED)
    step = None
    if torch:
        model = in_torch(lesson.network, lesson.network.layers[:-1])
        optimiser = torch.optim.SGD(model.parameters(), lesson.network.optimiser.lr)
        images = [run._sample(k) for k in run.order[:TRAINED]]
        pairs = [(torch.from_numpy(x[None]), torch.from_numpy(t[None].argmax(1))) for x, t in images]

        def step() -> None:
            for x, label in pairs:
                optimiser.zero_grad()
                nn.functional.cross_entropy(model(x), label).backward()
                optimiser.step()

    def iterate() -> None:
        run.reset()
        for _ in run.work():
            pass

    return _against_torch("training, an iteration stepped later", iterate, step, MOST)
