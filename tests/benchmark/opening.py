"""How long networks of other programs take to open, and to be stepped: Tiny VGG, ResNet-18 and VGG-16.

The large ones are written here, with random weights, and each is opened by a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.formats.reference import DATA, files
from tests.formats.test_functions import field, node, tensor

JUMPS = 300
MOST_TINY, MOST_LARGE, MOST_STEP, MOST_MB = 1.5, 3.0, 0.1, 1_500
"""In seconds, of Tiny VGG and of ResNet-18, of a step, and what ResNet-18 may take of memory."""


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

    def write(self, path: Path) -> None:
        def info(name: str, *shape: int) -> bytes:
            sizes = b"".join(field(1, field(1, size)) for size in shape)
            return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))

        graph = b"".join(field(1, one) for one in self.nodes) + b"".join(
            field(5, one) for one in self.tensors
        )
        graph += field(11, info("x", 1, 3, 224, 224)) + field(12, info(f"y{len(self.nodes) - 1}", 1, 1000))
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
    """Write the network of Simonyan and Zisserman, 2014."""
    net, x, channels = Onnx(), "x", 3
    for out, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x, channels = net.add("Relu", net.conv(x, channels, out, 3, 1, 1)), out
        x = net.pool(x, 2)
    x, inputs = net.add("Flatten", x), 512 * 49
    for neurons in (4096, 4096):
        x, inputs = net.add("Relu", net.linear(x, inputs, neurons)), neurons
    net.linear(x, inputs, 1000)
    net.write(path)


def opened(source: str, jumps: int = 0) -> dict[str, float]:
    """Return what a process of its own measures, after it has opened a first window."""
    code = f"from tests.benchmark.opening import measure; measure({source!r}, {jumps})"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))


def measure(source: str, jumps: int) -> None:
    """Print how long it takes to open and to paint, any step, and how much memory all takes."""
    from resource import RUSAGE_SELF, getrusage
    from time import perf_counter

    from tests.benchmark import painting

    painting._window().close()
    begun = perf_counter()
    window = painting._window(source)
    seconds = perf_counter() - begun
    steps = sorted(painting.jumps(window, jumps)) if jumps else [0.0]
    last = steps[int(len(steps) * 0.99)]
    memory = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"opened": seconds, "step": last, "MB": memory}))


def main() -> None:
    """Print the table."""
    print(f"\n{'opened, with a label':34}{'to first frame':>16}{'99 in 100 steps within':>26}{'memory':>12}")
    fine = True

    def row(name: str, source: str, most: float, jumps: int = 0) -> None:
        nonlocal fine
        told = opened(source, jumps)
        steps = f"{told['step'] * 1000:.0f} ms" if jumps else ""
        print(f"{name:34}{told['opened']:14.2f} s{steps:>26}{told['MB']:9.0f} MB", flush=True)
        fine &= told["opened"] <= most and told["step"] <= MOST_STEP

    for name in files("tiny.dynamo.onnx", "tiny.module.pt", "tiny.pt2", "tiny.traced.pt", "tiny.keras"):
        given = "" if name.endswith("keras") else f"&input={DATA / 'tiny.npz'}"
        row(f"Tiny VGG, {name.partition('.')[2]}", f"{DATA / name}?label=3{given}", MOST_TINY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.onnx"
        resnet18(path)
        row("ResNet-18, forward", str(path), MOST_LARGE, JUMPS)
        row("ResNet-18, both ways", f"{path}?label=3", MOST_LARGE, JUMPS)
        path = Path(folder) / "vgg16.onnx"
        vgg16(path)
        row("VGG-16, forward to its loss", f"{path}?label=3", 2 * MOST_LARGE)
    print("All as meant." if fine else "TOO SLOW")
