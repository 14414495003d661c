"""Train the network of the lesson ``digits``, and write its weights and its held-out images.

All digits are written, too, for the lesson ``training``, which trains while one looks on.

    pip install "cnnviz[train]"
    python resources/train_digits.py

One digit in five is put aside first, and looked at once, at the end. Of the rest, 300 choose the seed that
the network is drawn from; then it is trained anew on all of the rest. Everything is seeded; another
version of NumPy or of the engine moves no more than the weights' last digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from cnnviz.engine.network import Network
from cnnviz.engine.optim import Adam
from cnnviz.lesson.files import read_file
from cnnviz.lesson.network import build_network

FOLDER = Path(__file__).resolve().parent / "lessons"
HELD_OUT, VALIDATION = 360, 300
SEEDS = range(12)
EPOCHS, BATCH = 240, 32
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 1e-2
# How far a picture is shifted, in parts of its side.
SHIFT = 0.05
# A network that may never be quite sure leaves a gradient that can be seen.
DOUBT = 0.1

Floats = NDArray[np.float32]
Numbers = NDArray[np.integer]


def main() -> None:
    """Train, choose, test, write."""
    digits = load_digits()
    pixels, labels = digits.images.astype(np.uint8)[:, None], digits.target
    rest, held_out = split(np.arange(len(labels)), labels, HELD_OUT)
    train, validation = split(rest, labels, VALIDATION)
    x = (pixels / 16).astype(np.float32)
    write_images("training-images.npz", pixels, labels)
    write_images("digits-images.npz", pixels[held_out], labels[held_out])

    def score(seed: int) -> tuple[float, float]:
        network = trained("digits", x[train], labels[train], seed, EPOCHS, LEARNING_RATE)
        right, mean = judged(network, x[validation], labels[validation])
        print(f"seed {seed:2}: {right:.1%} of the validation digits right, mean loss {mean:.3f}", flush=True)
        return right, -mean

    network = trained("digits", x[rest], labels[rest], max(SEEDS, key=score), EPOCHS, LEARNING_RATE)
    right, mean = judged(network, x[held_out], labels[held_out])
    print(f"held out: {right:.2%} of {HELD_OUT} digits right, mean loss {mean:.3f}")
    np.savez_compressed(
        FOLDER / "digits-weights.npz",
        **{key: values.astype(np.float64) for key, values in network.parameters.items()},
    )


def write_images(name: str, pixels: NDArray[np.uint8], labels: Numbers) -> None:
    """Write digits as lessons read them."""
    np.savez_compressed(FOLDER / name, images=pixels, labels=labels.astype(np.uint8))


def split(indices: Numbers, labels: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """Put `size` of the indices aside, with every class in proportion."""
    rest, aside = train_test_split(indices, test_size=size, stratify=labels[indices], random_state=0)
    return np.sort(rest), np.sort(aside)


def trained(lesson: str, x: Floats, labels: Numbers, seed: int, epochs: int, rate: float) -> Network:
    """Train a lesson's network, each time on slightly different pictures, ever more slowly."""
    network = build_network(read_file(FOLDER / f"{lesson}.toml"))
    network.initialise(seed)
    network.astype(np.float32)
    network.optimiser = optimiser = Adam()
    targets = ((1 - DOUBT) * np.eye(10) + DOUBT / 10).astype(np.float32)[labels]
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        optimiser.lr = rate * (1 + np.cos(np.pi * epoch / epochs)) / 2
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            network.train_step(moved(x[batch], rng), targets[batch])
            for key, values in network.parameters.items():
                if key.endswith(".w"):
                    values *= np.float32(1 - optimiser.lr * WEIGHT_DECAY)
    return network


def moved(x: Floats, rng: np.random.Generator) -> Floats:
    """Turn, slant, stretch and shift each picture a little, as another hand would have written it."""
    count, _, height, width = x.shape
    turn, slant = np.deg2rad(rng.uniform(-7, 7, (2, count, 1, 1)))
    stretch = rng.uniform(0.94, 1.06, (2, count, 1, 1))
    shift = SHIFT * height * rng.uniform(-1, 1, (2, count, 1, 1))
    rows = np.arange(height)[:, None] - (height - 1) / 2
    columns = np.arange(width) - (width - 1) / 2
    i = stretch[0] * (np.cos(turn) * rows - np.sin(turn) * columns) + (height - 1) / 2 + shift[0]
    j = stretch[1] * (np.sin(turn) * rows + np.cos(turn) * columns) + np.tan(slant) * rows
    j += (width - 1) / 2 + shift[1]
    return interpolated(x[:, 0], i, j)[:, None].astype(np.float32)


def interpolated(x: Floats, i: NDArray[np.floating], j: NDArray[np.floating]) -> NDArray[np.floating]:
    """Read pictures (N, H, W) at places between their pixels; outside them is 0."""
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2)))
    i, j = np.clip(i + 1, 0, x.shape[1] + 1), np.clip(j + 1, 0, x.shape[2] + 1)
    top, left = np.floor(i).astype(int), np.floor(j).astype(int)
    u, v = i - top, j - left
    n = np.arange(len(x))[:, None, None]
    return (1 - u) * ((1 - v) * padded[n, top, left] + v * padded[n, top, left + 1]) + u * (
        (1 - v) * padded[n, top + 1, left] + v * padded[n, top + 1, left + 1]
    )


def judged(network: Network, x: Floats, labels: Numbers) -> tuple[float, float]:
    """Return which part of the pictures is classified correctly, and the mean loss."""
    assert network.loss is not None
    y = network.forward(x)
    return float((y.argmax(axis=1) == labels).mean()), float(network.loss.value(y, np.eye(10)[labels]).mean())


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
