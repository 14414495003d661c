"""NumPy against PyTorch: the same networks, one thread each, in the same precision."""

from __future__ import annotations

from collections.abc import Callable
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
from tests.benchmark.timing import duration, interleaved

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

MOST = 2.0  # times PyTorch's time, in every row


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
            sizes = layer.in_channels, layer.out_channels, layer.kernel, layer.stride, layer.padding
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


def speed() -> None:
    print(
        f"\n{'network':10}{'batch':>6}{'precision':>11}{'pass':>20}{'NumPy':>11}{'PyTorch':>11}{'ratio':>7}"
    )
    ratios = []
    for (name, make), batch, precision in product(NETWORKS.items(), BATCHES, PRECISIONS):
        both = pair(make(), batch, precision)
        others = both.torch_functions() if torch else [None, None]
        for what, ours, theirs in zip(
            ("forward", "forward + backward"), (both.forward, both.both_ways), others, strict=True
        ):
            times = interleaved([ours, theirs] if theirs else [ours])
            row = f"{name:10}{batch:6}{precision.__name__:>11}{what:>20}{duration(times[0]):>11}"
            if theirs:
                ratios.append(times[0] / times[1])
                row += f"{duration(times[1]):>11}{ratios[-1]:7.2f}"
            print(row, flush=True)
    if ratios:
        verdict = "as meant" if max(ratios) <= MOST else "TOO SLOW"
        print(f"The largest ratio is {max(ratios):.2f}; at most {MOST} is meant: {verdict}.")
    else:
        print("PyTorch is not installed here, so there is nothing to compare with (pip install torch).")


def main() -> None:
    """Print the table."""
    if torch:
        torch.set_num_threads(1)
    speed()
