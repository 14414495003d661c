"""How times are taken and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

ROUNDS = 15
SECONDS = 0.02  # that one round of one function takes at least


def interleaved(functions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Return the median time of each function, in seconds; they take turns and so meet the same noise."""
    times: list[list[float]] = [[] for _ in functions]
    loops = [_loops(function) for function in functions]
    for _ in range(rounds):
        for function, count, taken in zip(functions, loops, times, strict=True):
            start = perf_counter()
            for _ in range(count):
                function()
            taken.append((perf_counter() - start) / count)
    return [median(taken) for taken in times]


def _loops(function: Callable[[], object]) -> int:
    function()  # makes its buffers
    start = perf_counter()
    function()
    return max(1, round(SECONDS / (perf_counter() - start)))


def duration(seconds: float) -> str:
    """Write a time with its unit: ``12.3 µs``, ``4.56 ms``."""
    unit, factor = ("µs", 1e6) if seconds < 1e-3 else ("ms", 1e3) if seconds < 1 else ("s", 1)
    return f"{seconds * factor:.3g} {unit}"
