"""The programs whose frames are looked at: every kind of layer, loss and optimiser, in awkward sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from cnnviz import load_lesson
from cnnviz.engine.descent import Descent
from cnnviz.engine.layer import Array, Call, Layer, Shape
from cnnviz.engine.layers.avg_pool1d import AvgPool1d
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.conv1d import Conv1d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool1d import MaxPool1d
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSquaredError,
    Hinge,
    Loss,
    MeanSquaredError,
)
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD, Adam, Optimiser
from cnnviz.engine.port import Port
from cnnviz.scene.frame import moment
from cnnviz.scene.moment import Moment
from cnnviz.scene.view import View
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.stops import next_run, previous_run
from tests.cases import joined_network, sample

CLASSES = tuple("0123456789")


Layers = list[tuple[str, Layer]]


def trained(layers: Layers, shape: Shape, loss: Loss, optimiser: Optimiser, size: float = 1.0) -> Program:
    """The third iteration of a network, when all that an optimiser remembers has become something."""
    network = Network(layers, shape, loss, optimiser)
    network.initialise(3)
    rng = np.random.default_rng(4)
    count = network.output_shape[0]
    t: Array = np.eye(count)[[count - 1]]
    for _ in range(2):
        network.train_step(rng.normal(size=(1, *shape)), t)
    network.parameters = {key: values * size for key, values in network.parameters.items()}
    return Program(network.calls(network.run(rng.normal(size=shape) / size, t[0])))


def digits() -> Program:
    return load_lesson("digits").program


def every() -> Program:
    """Odd sizes: strides, padding, oblong kernels and windows, small columns."""
    layers: Layers = [
        ("conv", Conv2d(2, 3, (3, 2), stride=2, padding=1)),
        ("leaky", LeakyReLU(0.1)),
        ("pool", AvgPool2d((2, 3), 1)),
        ("sigmoid", Sigmoid()),
        ("flatten", Flatten()),
        ("fc1", Linear(18, 4)),
        ("tanh", Tanh()),
        ("fc2", Linear(4, 2)),
        ("softmax", Softmax()),
    ]
    return trained(layers, (2, 7, 6), HalfSquaredError(), Adam(0.01))


def large() -> Program:
    """Maps too large for their numbers."""
    layers: Layers = [
        ("conv1", Conv2d(1, 2, 5, padding=2)),
        ("tanh", Tanh()),
        ("pool", MaxPool2d(3, 2)),
        ("relu", ReLU()),
        ("conv2", Conv2d(2, 1, 3, stride=3)),
        ("flatten", Flatten()),
        ("fc", Linear(36, 3)),
        ("softmax", Softmax()),
    ]
    return trained(layers, (1, 40, 40), CrossEntropy(), SGD(0.01, momentum=0.9))


def tiny_vgg() -> Program:
    """Ten maps of 62 × 62, and a column of 1690 features."""
    return load_lesson(Path(__file__).parents[1] / "lesson" / "files" / "tiny-vgg.toml").program


def one() -> Program:
    """Maps of a single cell."""
    layers: Layers = [
        ("conv", Conv2d(1, 4, 1)),
        ("relu", ReLU()),
        ("pool", MaxPool2d(1)),
        ("flatten", Flatten()),
        ("fc", Linear(4, 2)),
        ("sigmoid", Sigmoid()),
    ]
    return trained(layers, (1, 1, 1), BinaryCrossEntropy(), SGD(0.1))


def columns() -> Program:
    """Nothing but columns: long into short, short into long."""
    layers: Layers = [
        ("fc1", Linear(50, 3)),
        ("relu", ReLU()),
        ("fc2", Linear(3, 60)),
        ("leaky", LeakyReLU()),
        ("sigmoid", Sigmoid()),
        ("fc3", Linear(60, 11)),
    ]
    return trained(layers, (50,), HalfSquaredError(), SGD(0.1))


def deep() -> Program:
    """Many channels, maps wider than high, windows that overlap."""
    layers: Layers = [
        ("conv", Conv2d(12, 10, 3, padding=1)),
        ("relu", ReLU()),
        ("pool1", MaxPool2d((3, 2), 1)),
        ("pool2", AvgPool2d(2)),
        ("flatten", Flatten()),
        ("fc", Linear(40, 3)),
        ("softmax", Softmax()),
    ]
    return trained(layers, (12, 5, 9), CrossEntropy(), SGD(0.01))


def sequences() -> Program:
    """Rows of numbers, of several channels: stride, padding, dilation and groups; both input gradients."""
    layers: Layers = [
        ("conv1", Conv1d(2, 4, 3, stride=2, padding=1)),
        ("relu", ReLU()),
        ("pool1", MaxPool1d(2, 1, 1, dilation=2)),
        ("conv2", Conv1d(4, 2, 2, padding=(0, 1), dilation=2, groups=2)),
        ("pool2", AvgPool1d(2, 1, 1, count_include_pad=False)),
        ("flatten", Flatten()),
        ("fc", Linear(12, 2)),
    ]
    network = Network(layers, (2, 11), HalfSquaredError(), SGD(0.1))
    network.initialise(3)
    tape = network.run(np.random.default_rng(5).normal(size=(2, 11)), np.zeros(2))
    calls = network.calls(tape)
    at = next(k for k, call in enumerate(calls) if call.name == "conv2.dx") + 1
    other = network.layers[3].scattered_calls(tape.of("conv2"))[-1]
    return Program([*calls[:at], replace(other, name="conv2.dx_scatter"), *calls[at:]])


def tiny() -> Program:
    """Weights that are written in a power of ten, on numbers that are, too."""
    layers: Layers = [
        ("conv", Conv2d(1, 2, 3)),
        ("relu", ReLU()),
        ("pool", MaxPool2d(2)),
        ("flatten", Flatten()),
        ("fc1", Linear(8, 5)),
        ("fc2", Linear(5, 4)),
    ]
    return trained(layers, (1, 6, 6), HalfSquaredError(), SGD(0.1), size=1e-7)


def scattered() -> Program:
    """The input gradient in both views, one after the other."""
    conv = Conv2d(1, 2, 3, stride=2, padding=1)
    network = Network([("conv", conv), ("flatten", Flatten())], (1, 5, 5), HalfSquaredError(), SGD(0.1))
    network.initialise(3)
    tape = network.run(np.random.default_rng(5).normal(size=(1, 5, 5)), np.zeros(18))
    other = replace(conv.scatter_call(tape.of("conv")), name="conv.dx_scatter")
    calls = network.calls(tape)
    at = next(k for k, call in enumerate(calls) if call.name == "conv.dx") + 1
    return Program([*calls[:at], other, *calls[at:]])


# A listing that the program knows nothing of, set as it is shown.
# fmt: off

def turned(x, y, C, H, W):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                y[c, j, i] = 2*x[c, i, j]


def two_lines(x, y, E, N):
    total = 0.0
    for n in range(N):
        total -= x[n]
        total += x[n] * y[n]
    E[0] = total


# fmt: on


def unknown() -> Program:
    x = np.random.default_rng(6).normal(size=(2, 3, 4))
    given = {"x": x, "C": 2, "H": 3, "W": 4}
    ports = {"x": Port("input.y", "source", "x"), "y": Port("turn.y", "result", "y")}
    writes = {"y": 2 * x.transpose(0, 2, 1)}
    return Program([Call("turn", "turn", "forward", turned, given, writes, ports=ports)])


def shared_sum() -> Program:
    """Two lines that add to one sum, the first of them with a minus."""
    x, y = np.array([1.5, -2.0, 0.0, 0.5, 3.0, -1.0, 2.5]), np.array([2.0, 0.5, 1.0, -1.0, 0.0, 4.0, -3.0])
    given = {"x": x, "y": y, "N": 7}
    return Program([Call("sum", "sum", "forward", two_lines, given, {"E": np.array([(x * y - x).sum()])})])


def chain() -> Program:
    """An expression: its graph, forwards and backwards; listings without arrays."""
    return load_lesson("chain-rule").program


def statements() -> Program:
    """A graph that is too large to be read at once, with kinks, ties and any exponent."""
    typed = (
        "f = max(x, y) ** z; f += abs(f - y) * sqrt(x); q = min(f, 2 * f) - sin(f) * cos(x); "
        "q *= max(q, z) / 2 ** x; q += relu(x - y) * tanh(z); "
        "L = (q - 1) ** 2 / 2 + exp(-q) + log(x) * z ** 1.5"
        "   x=2 y=2 z=1"
    )
    return load_lesson(typed).program


def hinged() -> Program:
    """A hinge loss, with a class that keeps the margin just so."""
    network = Network([("fc", Linear(3, 4))], (3,), Hinge(0.5), SGD(0.5), ["fc.b"])
    w = np.array([[1.0, 0.5, -1.0, 2.0], [0.0, 1.0, 1.0, -0.5], [2.0, -1.0, 0.0, 1.0]])
    network.load({"fc.w": w, "fc.b": np.zeros(4)}, "test")
    return Program(network.calls(network.run(np.array([1.0, 1.0, 0.5]), np.array([0.0, 0.0, 0.0, 1.0]))))


def mapped() -> Program:
    """A loss behind maps."""
    network = Network([("conv", Conv2d(1, 2, 2)), ("relu", ReLU())], (1, 3, 4), MeanSquaredError(), SGD(0.5))
    network.initialise(2)
    x, t = np.random.default_rng(8).normal(size=(1, 3, 4)), np.random.default_rng(9).normal(size=(2, 2, 3))
    return Program(network.calls(network.run(x, t)))


def joined() -> Program:
    """Layers that are read by several, sums and a concatenation; an output that nobody reads."""
    network = joined_network()
    return Program(network.calls(network.run(*sample(network))))


def given() -> Program:
    """A gradient of the output in place of a loss."""
    network = Network([("conv", Conv2d(1, 2, 2, padding=1))], (1, 2, 3), optimiser=SGD(0.5))
    network.initialise(2)
    x, dy = np.random.default_rng(8).normal(size=(1, 2, 3)), np.random.default_rng(9).normal(size=(2, 3, 4))
    return Program(network.calls(network.run(x, dy=dy)))


def of_file(name: str) -> Program:
    """A network of a lesson file."""
    return load_lesson(str(Path(__file__).parent.parent / "lesson" / "files" / f"{name}.toml")).program


def pictures() -> Program:
    """Pictures that are read pixel by pixel, in colour and in grey."""
    return load_lesson("image").program


def descents() -> Program:
    """Walks down curves: two that arrive, one that runs away until it is no number, some beside a pole."""
    steep = Descent("steep", "exp(w) - 1 / w", 0.1, (0.5, 2.0, -3.0, 0.0, 1.0), 4, (-1.0, 3.0))
    return Program(
        [
            Descent("valleys", "w ** 4 / 4 - w ** 2 / 2 + w / 10", 0.5, (0.3, -0.1), 14, (-1.7, 1.7)).call(),
            Descent("away", "(w - 3) ** 4", 2.5, (5.0, 3.0), 9, (-2.0, 8.0)).call(),
            steep.call(),
        ]
    )


def overflowing() -> Program:
    """Numbers that grow until they are infinite, and then are none."""
    layers: Layers = [("conv", Conv2d(1, 2, 2)), ("flatten", Flatten()), ("fc", Linear(8, 3))]
    network = Network(layers, (1, 3, 3), HalfSquaredError(), SGD(0.1))
    network.initialise(3)
    network.parameters = {key: values * 1e160 for key, values in network.parameters.items()}
    x = np.array([[[1e150, -1e150, 1.0], [0.0, 1e150, 2.0], [-1.0, 0.0, 3.0]]])
    with np.errstate(all="ignore"):
        return Program(network.calls(network.run(x, np.zeros(3))))


_MAKERS: dict[str, Callable[[], Program]] = {
    made.__name__: made
    for made in (
        digits,
        every,
        large,
        tiny_vgg,
        one,
        columns,
        deep,
        sequences,
        tiny,
        scattered,
        unknown,
        shared_sum,
        chain,
        statements,
        hinged,
        mapped,
        joined,
        given,
        pictures,
        descents,
        overflowing,
    )
}
# Networks that are no chain, as lesson files.
GRAPHS = ("residual-block", "inception-block", "two-inputs", "two-outputs")
_MAKERS |= {name: partial(of_file, name) for name in GRAPHS}
NAMES = tuple(_MAKERS)


@cache
def program(name: str) -> Program:
    return fresh(name)


def fresh(name: str) -> Program:
    """The same once more, of which nothing is kept anywhere."""
    return _MAKERS[name]()


def telling_offsets(operation: Operation, runs: int = 3) -> list[int]:
    """The first step, the last, and of each line and loop's header the first run, a middle one, the last."""
    last = len(operation) - 1
    found = {0, last}
    for line in range(2, len(operation.tree.source) + 1):
        middle = next_run(operation, last // 2, line)
        found.add(next_run(operation, -1, line) if runs > 1 or middle is None else middle)
        if runs > 1 and middle is not None:
            found.add(middle)
        if runs > 2:
            found.add(previous_run(operation, last + 1, line))
    return sorted(found)


def moments(name: str, runs: int = 3) -> Iterator[Moment]:
    """Telling steps of every operation of a program."""
    made = program(name)
    for operation in made.operations:
        for offset in telling_offsets(operation, runs):
            yield moment(made, made.start(operation.name) + offset, view(made))


def classes(made: Program) -> tuple[str, ...]:
    return CLASSES if made is program("digits") else ()


def view(made: Program, width: float = 1920, height: float = 1080) -> View:
    return View(width, height, title="A lesson", classes=classes(made))
