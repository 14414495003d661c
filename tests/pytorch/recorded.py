"""What PyTorch made of 500 networks: a few numbers of each array, so that tests need no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnviz.engine.layer import Array

FILE = Path(__file__).parent / "recorded.npz"
# In the largest of a window of network 21, two numbers are the same in theory, and rounding decides.
SEEDS = [seed for seed in range(501) if seed != 21]
CLOSEST = 1e-10
ZERO = 1e-10  # an array whose numbers are smaller may be 0 in theory


def digest(values: Array) -> Array:
    """Return two projections on random directions, and one cell: nothing can change without changing them."""
    flat = np.asarray(values, float).reshape(-1)
    directions = np.random.RandomState(flat.size).standard_normal((2, flat.size))
    return np.array([*(directions @ flat), flat[flat.size * 7 // 11]])


def write(arrays: Mapping[int, Mapping[str, Array]]) -> None:
    """Record arrays by seed and name."""
    names = [f"{seed} {name}" for seed, found in arrays.items() for name in found]
    digests = np.array([digest(values) for found in arrays.values() for values in found.values()])
    np.savez_compressed(FILE, names=np.array("\n".join(names)), digests=digests)


def read() -> dict[int, dict[str, Array]]:
    """Return the digests by seed and name."""
    found: dict[int, dict[str, Array]] = {}
    with np.load(FILE) as held:
        for name, numbers in zip(str(held["names"]).split("\n"), held["digests"], strict=True):
            seed, _, own = name.partition(" ")
            found.setdefault(int(seed), {})[own] = numbers
    return found
