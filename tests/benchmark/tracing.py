"""How long it takes to trace a number of Tiny VGG back to the pixels, and on to the loss, and to draw it."""

from __future__ import annotations

from collections.abc import Iterator

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Box
from cnnviz.scene.panels import trace
from cnnviz.scene.traced import Traced, traced
from cnnviz.trace.program import Made
from tests.benchmark.painting import TINY_VGG
from tests.benchmark.table import Row
from tests.benchmark.timing import interleaved

MOST = 50  # milliseconds

CELLS = [("conv1_1", (5, 31, 31)), ("conv2_1", (1, 14, 14)), ("fc", (3,))]


def rows() -> Iterator[Row]:
    """Yield the time of the cell that takes longest."""
    lesson = load_lesson(TINY_VGG)
    slowest, cell_of = 0.0, ""
    for name, index in CELLS:
        cell = Made(lesson.program.operation(name), "y", index)
        for forward in (False, True):

            def draw(cell: Made = cell, forward: bool = forward) -> None:
                shown = traced(lesson.program, lesson.network, lesson.tape, cell, forward)
                assert isinstance(shown, Traced)
                trace(shown, Box(0, 0, 1140, 878), 17.0)

            (taken,) = interleaved([draw], 5)
            slowest, cell_of = max((slowest, cell_of), (taken, f"{name} {list(index)}"))
    yield Row(f"Tiny VGG, any trace, computed and drawn ({cell_of})", slowest * 1000, MOST)
