"""What the machine itself needs for a frame, by which runs on others can be compared."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from tests.benchmark.timing import interleaved, seconds

WIDTH, HEIGHT = 1920, 1080
FRAMES = 8


@cache
def memcpy_ms() -> float:
    """Return the milliseconds that it takes to copy the pixels of a frame."""
    here, there = np.zeros((HEIGHT, WIDTH), np.uint32), np.ones((HEIGHT, WIDTH), np.uint32)
    (taken,) = interleaved([lambda: np.copyto(there, here)])
    return taken * 1000


@cache
def matplotlib_ms() -> float | None:
    """Return the milliseconds in which matplotlib draws the marks of a frame; None where it is not here."""
    if find_spec("matplotlib") is None:
        return None
    import matplotlib as mpl

    from cnnviz.lesson.lesson import load_lesson
    from cnnviz.scene.frame import compose
    from cnnviz.scene.view import View

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    program, view = load_lesson("digits").program, View(WIDTH, HEIGHT, "digits")
    steps = np.random.default_rng(3).integers(len(program), size=FRAMES).tolist()
    frames = [compose(program, index, view) for index in steps]
    times = [seconds(lambda frame=frame: _draw(figure, frame)) for frame in frames]
    return median(times[1:]) * 1000


def _draw(figure: Any, frame: Any) -> None:
    """Draw a frame's grids, numbers, rectangles, lines and texts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.clear()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, frame.width)
    axes.set_ylim(frame.height, 0)
    axes.set_axis_off()
    for mark in _flat(frame.marks):
        _draw_mark(axes, mark)
    FigureCanvasAgg(figure).draw()


def _flat(marks: Any) -> Any:
    from cnnviz.scene.marks import Group

    for mark in marks:
        if isinstance(mark, Group):
            yield from _flat(mark.marks)
        else:
            yield mark


def _draw_mark(axes: Any, mark: Any) -> None:
    from matplotlib.patches import Circle, Rectangle

    from cnnviz.scene.marks import Cells, Dot, Label, Path, Rect, Strokes
    from cnnviz.scene.theme import LIGHT

    if isinstance(mark, Cells):
        box, (wide, high) = mark.box, mark.cell
        axes.imshow(
            mark.values,
            extent=(box.x, box.right, box.bottom, box.y),
            cmap="coolwarm",
            vmin=-mark.limit,
            vmax=mark.limit,
            aspect="auto",
        )
        for r, row in enumerate(mark.texts):
            for c, text in enumerate(row):
                place = (box.x + (c + 0.5) * wide, box.y + (r + 0.5) * high)
                axes.text(*place, text, size=mark.size * 0.72, ha="center", va="center")
    elif isinstance(mark, Label):
        text = "".join(run.text for run in mark.runs).replace("$", "")
        axes.text(mark.box.x, mark.box.center[1], text, size=mark.size * 0.72, va="center")
    elif isinstance(mark, Rect):
        fill = LIGHT.color(mark.fill) if mark.fill else "none"
        edge = LIGHT.color(mark.stroke) if mark.stroke else "none"
        corner, box = (mark.box.x, mark.box.y), mark.box
        axes.add_patch(Rectangle(corner, box.w, box.h, facecolor=fill, edgecolor=edge, linewidth=mark.width))
    elif isinstance(mark, Path):
        axes.plot(*zip(*mark.points, strict=True), color=LIGHT.color(mark.role), linewidth=mark.width)
    elif isinstance(mark, Strokes):
        for x, y, to_x, to_y in mark.lines:
            axes.plot((x, to_x), (y, to_y), color=LIGHT.color(mark.role), linewidth=mark.width)
    elif isinstance(mark, Dot):
        axes.add_patch(Circle(mark.center, mark.radius, color=LIGHT.color(mark.role)))
