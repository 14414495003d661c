"""The functions of numbers that expressions and listings may call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

# NumPy's own numbers divide by zero, and overflow, to what can be shown; Python's stop the program.
Number = np.float64


def relu(x: Number) -> Number:
    """Return x, or 0 where it is negative."""
    return np.float64(np.maximum(x, 0.0))


def sigmoid(x: Number) -> Number:
    """Return 1 / (1 + e⁻ˣ)."""
    return np.float64(1 / (1 + np.exp(-x)))


erf = np.frompyfunc(math.erf, 1, 1)
"""The integral of a bell curve, of each number of an array; listings of layers may call it."""

FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "sigmoid": sigmoid,
    "relu": relu,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "max": np.maximum,
    "min": np.minimum,
}
"""What may be called, by the name that it has in expressions and in listings."""
