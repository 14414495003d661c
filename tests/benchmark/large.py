"""How long the window takes for large arrays, and for networks of many layers."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import numpy as np

from cnnviz.engine.layer import Layer, Shape
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.network import Network
from cnnviz.trace.program import Program
from tests.benchmark.painting import jumps, painted, window_on
from tests.benchmark.table import Row
from tests.scene.test_network_pane import residual

JUMPS = 100


def rows() -> Iterator[Row]:
    """Yield the rows of what is large."""
    window = window_on()
    for what, layer, shape in (
        ("4096 × 1000", Linear(4096, 1000), (4096,)),
        ("maps of 224 × 224 × 64", ReLU(), (64, 224, 224)),
    ):
        program = _alone(layer, shape)
        taken = painted(window, lambda program=program: window.player.load(program))
        yield Row(f"first look at {what}", taken * 1000, 60)
    for layers, wanted in ((300, 10), (1000, 20)):
        window.player.load(residual(layers // 4, False)[1])
        yield Row(f"a jump in a network of {layers:,} layers", median(jumps(window, JUMPS)) * 1000, wanted)
    window.close()


def _alone(layer: Layer, shape: Shape) -> Program:
    network = Network([("layer", layer)], shape)
    network.initialise(0)
    return Program(network.calls(network.run(np.random.default_rng(0).normal(size=shape))))
