"""Which cells of random networks are traced, and how what comes of it is compared with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnviz.engine.layer import Array
from tests.random_networks import Drawn

Cell = tuple[str, tuple[int, ...]]

FILE = Path(__file__).parent / "pytorch" / "traced.npz"
RECORDED = range(0, 1000, 40)

EXACT, NEARLY = 1e-10, 1e-5
"""How far numbers may differ, in parts of the largest: by the chain rule, by moving what goes in."""

_FELT = 1e-9
"""What is smaller than this part of the largest may be 0 in theory."""


def differences(ours: Mapping[str, Array], theirs: Mapping[str, Array], most: float) -> list[str]:
    """Say where numbers, or which of them are not 0, are others than PyTorch's."""
    found = []
    for address, values in theirs.items():
        mine, size = ours.get(address, np.zeros(values.shape)), np.abs(values).max()
        apart = np.abs(mine - values).max()
        odd = int(((np.abs(mine) > _FELT * size) != (np.abs(values) > _FELT * size)).sum())
        if apart > most * size + 1e-14 or odd:
            found.append(f"{address} is off by {apart:.0e} of {size:.0e}, {odd} of {values.size} felt or not")
    return found


def cells_of(drawn: Drawn, seed: int) -> tuple[Cell, Cell]:
    """Return a cell of a layer to go back from, and one of an input or a layer to go forward from."""
    draw = np.random.RandomState(seed + 10_000)
    network = drawn.network
    layers = [layer.name for layer in network.layers]
    starts = [*network.input_shapes, *layers[: len(layers) // 2]]
    back, forward = layers[draw.randint(len(layers) // 2, len(layers))], starts[draw.randint(len(starts))]

    def place(name: str) -> tuple[int, ...]:
        shape = network.shapes[name]
        whole = (drawn.samples, *shape) if drawn.samples else shape
        return tuple(int(draw.randint(size)) for size in whole)

    return (back, place(back)), (forward, place(forward))
