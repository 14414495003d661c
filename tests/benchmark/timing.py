"""How times are taken: of the processor, since others may use it, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import process_time
from typing import Any

ROUNDS = 15
SECONDS = 0.02  # that one round of one function takes at least


def interleaved(functions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Return the median time of each function, in seconds; they take turns and so meet the same noise."""
    times: list[list[float]] = [[] for _ in functions]
    loops = [_loops(function) for function in functions]
    for _ in range(rounds):
        for function, count, taken in zip(functions, loops, times, strict=True):
            taken.append(seconds(function, count))
    return [median(taken) for taken in times]


def _loops(function: Callable[[], object]) -> int:
    function()  # makes its buffers
    return max(1, round(SECONDS / seconds(function)))


def seconds(function: Callable[[], object], count: int = 1) -> float:
    """Return how long a function takes, called so many times, each time."""
    start = process_time()
    for _ in range(count):
        function()
    return (process_time() - start) / count


def nearly_most(times: Sequence[float]) -> float:
    """Return the time within which 99 in 100 are."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def in_a_process(module: str, function: str, *arguments: object) -> dict[str, Any]:
    """Return what a function of a module here returns in a process of its own."""
    call = f"{function}({', '.join(map(repr, arguments))})"
    code = f"import json; from {__package__}.{module} import {function}; print(json.dumps({call}))"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))
