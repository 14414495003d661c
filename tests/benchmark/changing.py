"""How long it takes until a lesson in which one number is changed has been computed anew."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from cnnviz.lesson.changes import Cell
from cnnviz.lesson.lesson import Lesson, load_lesson
from tests.benchmark.painting import TINY_VGG
from tests.benchmark.timing import duration

ROUNDS = 200


def each(lesson: Lesson, array: str, index: tuple[int, ...]) -> tuple[float, float]:
    """Return the median and the longest but two in two hundred, in seconds."""
    times = []
    for k in range(ROUNDS):
        start = perf_counter()
        lesson = lesson.changed(Cell(array, index, k / ROUNDS))
        times.append(perf_counter() - start)
    return median(times), sorted(times)[-3]


def main() -> None:
    """Print the table."""
    digits, large = load_lesson("digits"), load_lesson(TINY_VGG)
    painted = digits.changed(*(Cell("input", (0, i, j), 0.5) for i in range(8) for j in range(8)))
    rows = [
        ("digits, a weight", digits, "conv1.w", (0, 0, 1, 1)),
        ("digits, a pixel", digits, "input", (0, 2, 3)),
        ("digits, a pixel, after 64 others", painted, "input", (0, 2, 3)),
        ("Tiny VGG, a pixel", large, "input", (0, 2, 3)),
    ]
    everywhere = large.changed(*(Cell("input", (0, i, j), 0.5) for i in range(32) for j in range(32)))
    rows.append(("Tiny VGG, a pixel, after 1,024 others", everywhere, "input", (0, 40, 3)))
    print(f"\n{'changed':38}{'steps':>14}{'median':>12}{'99 in 100':>12}")
    for what, lesson, array, index in rows:
        middle, most = each(lesson, array, index)
        print(f"{what:38}{len(lesson.program):14,}{duration(middle):>12}{duration(most):>12}")
