"""How long networks of other programs take to open, and to be stepped: Tiny VGG, ResNet-18 and VGG-16.

The large ones are written here, with random weights, and each is opened by a process of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import process_time

import numpy as np

from tests.benchmark.painting import jumps, window_on
from tests.benchmark.table import Row
from tests.benchmark.timing import in_a_process, nearly_most
from tests.formats.reference import DATA, files
from tests.formats.test_functions import field, node, tensor

JUMPS = 200


class Onnx:
    """A network that is written node by node, as an exporter does."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []
        self.rng = np.random.default_rng(0)

    def add(
        self, kind: str, *inputs: str, arrays: tuple[tuple[int, ...], ...] = (), **ints: list[int]
    ) -> str:
        """Add a node with weights of some shapes, and return the name of what it puts out."""
        name, names = f"y{len(self.nodes)}", list(inputs)
        for shape in arrays:
            names.append(f"{name}_{len(names)}")
            numbers = self.rng.standard_normal(shape, np.float32)
            self.tensors.append(tensor(names[-1], numbers * np.float32(np.prod(shape[1:])) ** -0.5))
        attributes = [
            field(1, key) + b"".join(field(8, value) for value in values) + field(20, 7)
            for key, values in ints.items()
        ]
        self.nodes.append(node(kind, names, [name], *attributes))
        return name

    def conv(self, x: str, channels: int, out: int, kernel: int, stride: int = 1, padding: int = 0) -> str:
        weights = (out, channels, kernel, kernel), (out,)
        return self.add("Conv", x, arrays=weights, strides=[stride] * 2, pads=[padding] * 4)

    def linear(self, x: str, inputs: int, neurons: int) -> str:
        return self.add("Gemm", x, arrays=((inputs, neurons), (neurons,)))

    def pool(self, x: str, kernel: int, padding: int = 0) -> str:
        return self.add("MaxPool", x, kernel_shape=[kernel] * 2, strides=[2, 2], pads=[padding] * 4)

    def write(self, path: Path, classes: int = 1000) -> None:
        def info(name: str, *shape: int) -> bytes:
            sizes = b"".join(field(1, field(1, size)) for size in shape)
            return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))

        graph = b"".join(field(1, one) for one in self.nodes) + b"".join(
            field(5, one) for one in self.tensors
        )
        graph += field(11, info("x", 1, 3, 224, 224)) + field(12, info(f"y{len(self.nodes) - 1}", 1, classes))
        path.write_bytes(field(7, graph) + field(8, field(2, 17)))


def resnet18(path: Path) -> None:
    """Write the network of He et al., 2015, as exporters do: its batch norms are folded into convolutions."""
    net, channels = Onnx(), 64
    x = net.pool(net.add("Relu", net.conv("x", 3, 64, 7, 2, 3)), 3, 1)
    for out, strides in ((64, (1, 1)), (128, (2, 1)), (256, (2, 1)), (512, (2, 1))):
        for stride in strides:
            y = net.add("Relu", net.conv(x, channels, out, 3, stride, 1))
            y = net.conv(y, out, out, 3, 1, 1)
            skip = x if channels == out else net.conv(x, channels, out, 1, stride)
            x, channels = net.add("Relu", net.add("Add", y, skip)), out
    net.linear(net.add("Flatten", net.add("GlobalAveragePool", x)), 512, 1000)
    net.write(path)


def vgg16(path: Path) -> None:
    """Write the convolutions of Simonyan and Zisserman, 2014, and a mean for each of ten classes."""
    net, x, channels = Onnx(), "x", 3
    for out, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x, channels = net.add("Relu", net.conv(x, channels, out, 3, 1, 1)), out
        x = net.pool(x, 2)
    net.linear(net.add("Flatten", net.add("GlobalAveragePool", x)), 512, 10)
    net.write(path, 10)


def measure(source: str, count: int = 0) -> dict[str, float]:
    """Return how long it takes to open and to paint, any step, and how much memory all takes."""
    window_on().close()
    begun = process_time()
    window = window_on(source)
    taken = process_time() - begun
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    step = nearly_most(jumps(window, count)) if count else 0.0
    return {"opened": taken, "step": step, "MB": peak}


def rows() -> Iterator[Row]:
    """Yield the rows of networks of other programs."""
    slowest, name = 0.0, ""
    for file in files("tiny.dynamo.onnx", "tiny.module.pt", "tiny.pt2", "tiny.traced.pt", "tiny.keras"):
        given = "" if file.endswith("keras") else f"&input={DATA / 'tiny.npz'}"
        told = in_a_process("opening", "measure", f"{DATA / file}?label=3{given}")
        slowest, name = max((slowest, name), (told["opened"], file))
    yield Row(f"opening Tiny VGG from any file, to the first frame ({name})", slowest, 1.5, "s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.onnx"
        resnet18(path)
        told = in_a_process("opening", "measure", f"{path}?label=3", JUMPS)
        yield Row("opening ResNet-18 at 224, to the first frame", told["opened"], 3, "s")
        yield Row("ResNet-18, any step, painted: 99 in 100", told["step"] * 1000, 100)
        path = Path(folder) / "vgg16.onnx"
        vgg16(path)
        told = in_a_process("opening", "measure", f"{path}?label=3")
        yield Row("opening VGG-16's convolutions at 224, to the first frame", told["opened"], 2.5, "s")
        yield Row("memory of that, at most", told["MB"], 800, "MB")
