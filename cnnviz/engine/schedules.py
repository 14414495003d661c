"""How a learning rate goes on from iteration to iteration; names and forms are PyTorch's.

A schedule is a few lines that stand before an update's loop and give the rate that holds, `rate`, from the
optimiser's own, `lr`, and from how many updates there were before, `k`. Nothing is remembered, so that any
iteration can be computed again.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from cnnviz.engine.layer import Value
from cnnviz.errors import CnnvizError
from cnnviz.text import tr


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
    lines: tuple[str, ...]
    names: tuple[str, ...]

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


class Schedules(Schedule):
    """Several schedules: one takes over from another, as PyTorch's ``SequentialLR``, or changes its rate.

    Parameters
    ----------
    parts : Sequence[tuple[Schedule, int or None]]
        The schedules, each with the number of updates after which it takes over and counts from 0; the first
        has none. One further on that has none begins with the one before it and follows its rate in place of
        the optimiser's, so that their factors are multiplied, as in PyTorch's ``ChainedScheduler``.

    Raises
    ------
    CnnvizError
        If they do not come one after the other, or a rate that has a least value is to be multiplied.
    """

    kind = "schedules"

    def __init__(self, parts: Sequence[tuple[Schedule, int | None]]) -> None:
        self.parts = tuple(parts)
        begun = [0, *(begins for _, begins in self.parts[1:] if begins is not None)]
        if self.parts[0][1] is not None or begun != sorted(set(begun)):
            raise CnnvizError(
                tr(
                    "schedules: each begins later than the one before it, and the first at once; leave "
                    "out its begins, and give the others larger and larger ones."
                )
            )
        for k, (schedule, begins) in enumerate(self.parts):
            if k and begins is None and getattr(schedule, "eta_min", 0):
                raise CnnvizError(
                    tr(
                        "schedules[{k}].eta_min: a rate that is multiplied has no least value; leave it out, "
                        "or say after how many updates the schedule begins.",
                        k=k,
                    )
                )

    @property
    def lines(self) -> tuple[str, ...]:  # type: ignore[override]
        """The lines of each, with the names of its own, then which of them holds."""
        lines = [line for k in range(len(self.parts)) for line in self._lines_of(k)]
        ends = self._ends
        held = "".join(f"rate{m} if k < begins{n} else " for m, n in ends[:-1])
        return (*lines, f"rate = {held}rate{ends[-1][0]}")

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the lines of all take, each with its number."""
        return tuple(dict.fromkeys(name for name, _ in self._constants(0)))

    @property
    def _ends(self) -> list[tuple[int, int]]:
        """The numbers, from 1, of the last schedule of each run, and of the one that takes over then."""
        begun = [k + 1 for k, (_, begins) in enumerate(self.parts) if k and begins is not None]
        return [(n - 1, n) for n in begun] + [(len(self.parts), 0)]

    def _lines_of(self, k: int) -> Iterator[str]:
        schedule, begins = self.parts[k]
        since = self._since(k)
        own = {line.partition(" = ")[0] for line in schedule.lines} | {*schedule.names} - {"k"}
        called = {name: f"{name}{k + 1}" for name in own}
        if k and begins is None:
            called["lr"] = f"rate{k}"
        if since:
            called["k"] = f"max(k - begins{since}, 0)"
        for line in schedule.lines:
            yield re.sub(r"\w+", lambda found: called.get(found[0], found[0]), line)

    def _since(self, k: int) -> int:
        """Return the number of the schedule that began the run of one; 0, if that is the first."""
        return next((n + 1 for n in range(k, 0, -1) if self.parts[n][1] is not None), 0)

    def rate(self, lr: float, k: int) -> float:
        """Return the rate of the schedule that holds."""
        rate, count = lr, k
        for schedule, begins in self.parts:
            if begins is not None:
                if k < begins:
                    break
                rate, count = lr, k - begins
            rate = schedule.rate(rate, count)
        return rate

    def constants(self, k: int) -> dict[str, Value]:
        """Return what its lines take after so many updates, besides ``lr``."""
        return dict(self._constants(k))

    def _constants(self, k: int) -> Iterator[tuple[str, Value]]:
        yield "k", k
        for n, (schedule, begins) in enumerate(self.parts, 1):
            if begins is not None:
                yield f"begins{n}", begins
            for name, value in schedule.constants(k).items():
                if name != "k":
                    yield f"{name}{n}", value
