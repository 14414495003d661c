"""How a learning rate goes on from iteration to iteration; names and forms are PyTorch's.

A schedule is a few lines that stand before an update's loop and give the rate that holds, `rate`, from the
optimiser's own, `lr`, and from how many updates there were before, `k`. Nothing is remembered, so that any
iteration can be computed again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from cnnviz.engine.layer import Value


class Schedule(ABC):
    """A rule that gives the learning rate of each iteration.

    Attributes
    ----------
    kind : str
        What a lesson file calls it.
    lines : tuple[str, ...]
        What a listing says of it.
    names : tuple[str, ...]
        The parameters that those lines take besides ``lr``; they are its attributes, and ``k``.
    """

    kind: ClassVar[str]
    lines: ClassVar[tuple[str, ...]]
    names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def rate(self, lr: float, k: int) -> float:
        """Return the rate after so many updates."""

    def constants(self, k: int) -> dict[str, Value]:
        """Return what its lines take after so many updates, besides ``lr``."""
        return {name: k if name == "k" else getattr(self, name) for name in self.names}


class StepLR(Schedule):
    """The rate is multiplied by γ after every so many updates.

    Parameters
    ----------
    step_size : int
        How many updates have the same rate.
    gamma : float
        γ, by what it is multiplied then.
    """

    kind = "step_lr"
    lines = ("rate = lr * gamma ** (k // step_size)",)
    names = ("gamma", "k", "step_size")

    def __init__(self, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma

    def rate(self, lr: float, k: int) -> float:
        """Return lr · γ to the power of ⌊k / step_size⌋."""
        return float(lr * self.gamma ** (k // self.step_size))


class CosineAnnealingLR(Schedule):
    """The rate goes down along half a wave of the cosine, slowly at both ends.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).

    Parameters
    ----------
    T_max : int
        After how many updates it is lowest.
    eta_min : float
        What it is then.
    """

    kind = "cosine_annealing_lr"
    lines = ("turn = cos(pi * k / T_max)", "rate = eta_min + (lr - eta_min) * (1 + turn) / 2")
    names = ("eta_min", "k", "T_max")

    def __init__(self, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min

    def rate(self, lr: float, k: int) -> float:
        """Return the rate on the wave."""
        turn = float(np.cos(np.pi * k / self.T_max))
        return self.eta_min + (lr - self.eta_min) * (1 + turn) / 2


class LinearLR(Schedule):
    """Warm-up: the rate begins as a part of itself and grows by as much at every update, until it is whole.

    Parameters
    ----------
    start_factor, end_factor : float
        What part of it that is at first, and at last.
    total_iters : int
        After how many updates.
    """

    kind = "linear_lr"
    lines = (
        "part = min(k, total_iters) / total_iters",
        "rate = lr * (start_factor + (end_factor - start_factor) * part)",
    )
    names = ("start_factor", "end_factor", "k", "total_iters")

    def __init__(self, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters

    def rate(self, lr: float, k: int) -> float:
        """Return the rate as far as it has grown."""
        part = min(k, self.total_iters) / self.total_iters
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * part)
