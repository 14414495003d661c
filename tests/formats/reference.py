"""What PyTorch and Keras say comes out of the networks in data/, and comes back."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
LABEL = 3
NETWORKS = (".onnx", ".pt", ".pth", ".pt2", ".keras", ".h5")


def reference(path):
    """Return the arrays that a framework computed, for a network or weights in a file of the same name."""
    with np.load(DATA / f"{path.name.partition('.')[0]}.npz") as arrays:
        return dict(arrays)


def files(*endings):
    return sorted(path.name for path in DATA.iterdir() if path.name.endswith(endings))


def close(found, wanted, tolerance):
    """Return whether numbers agree, relative to the largest of them."""
    return found.shape == wanted.shape and np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()
