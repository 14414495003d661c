"""How long it takes to trace a number of Tiny VGG back to the pixels, and on to the loss, and to draw it."""

from __future__ import annotations

from functools import partial

import numpy as np

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Box
from cnnviz.scene.panels import trace
from cnnviz.scene.traced import Traced, traced
from cnnviz.trace.program import Made
from tests.benchmark.painting import TINY_VGG
from tests.benchmark.timing import duration, interleaved

MOST = 50e-3  # seconds

CELLS = [("conv1_1", (5, 31, 31)), ("conv2_1", (1, 14, 14)), ("fc", (3,))]


def main() -> None:
    """Print the table."""
    lesson = load_lesson(TINY_VGG)
    print(f"\n{'traced in Tiny VGG':32}{'computed':>12}{'and drawn':>12}")
    slowest = 0.0
    for name, index in CELLS:
        cell = Made(lesson.program.operation(name), "y", index)
        for forward in (False, True):
            compute = partial(traced, lesson.program, lesson.network, lesson.tape, cell, forward)

            def draw(compute: partial[Traced | str] = compute) -> None:
                shown = compute()
                assert isinstance(shown, Traced)
                trace(shown, Box(0, 0, 1140, 878), 17.0)

            times = interleaved([compute, draw], 5)
            slowest = max(slowest, *times)
            way = "forward" if forward else "back"
            what = f"{name} {list(index)}, {way}"
            print(f"{what:32}{duration(times[0]):>12}{duration(times[1]):>12}", flush=True)
    verdict = "as meant" if slowest <= MOST else "TOO SLOW"
    print(f"The slowest takes {duration(slowest)}; at most {duration(MOST)} is meant: {verdict}.")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
