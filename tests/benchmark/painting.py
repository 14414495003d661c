"""How long the window takes: a jump to any step, the same picture by matplotlib, the start.

Run by ``python -m tests.benchmark``, or by itself: ``python -m tests.benchmark.painting``.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.scene.test_network_pane import residual

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SIZE = (1920, 1080)
JUMPS = 2000
STARTS = 7
TINY_VGG = Path(__file__).parents[1] / "lesson" / "files" / "tiny-vgg.toml"


def main() -> None:
    """Print the table."""
    print(f"Painting at {SIZE[0]} × {SIZE[1]}, offscreen")
    window = _window()
    times = jumps(window, JUMPS)
    _row(f"any step, to painted frame ({JUMPS:,} jumps)", _told(times))
    _row("the same without painting", _told(_compose_only(window)))
    _row("the next step, to painted frame", _told(_steps_on(window)))
    _row("a weight changed, computed, to painted frame", _told(edits(window, "conv1.w", (4, 1, 3, 3))))
    _row("the same frames by matplotlib (Agg)", against_matplotlib(window, statistics.median(times)))
    window.close()
    window = _window(str(TINY_VGG))
    _row("any step of Tiny VGG, maps of 64 × 64", _told(jumps(window, JUMPS)))
    _row("the next step of it", _told(_steps_on(window)))
    _row("a pixel of it painted, computed, to painted frame", _told(edits(window, "input", (3, 64, 64))))
    window.close()
    for layers in (300, 1000):
        window = _window()
        begun = time.perf_counter()
        window.player.load(residual(layers // 4, False)[1])
        _timed(window, lambda window=window: window.player.go_to(1))
        _row(
            f"first look at {layers:,} layers with shortcuts",
            f"{(time.perf_counter() - begun) * 1000:7.1f} ms",
        )
        _row(f"any step of {layers:,} layers", _told(jumps(window, JUMPS // 4)))
        _row("the next step of them", _told(_steps_on(window)))
        _row("scrolling their pane by three rows", _told(_scrolls(window)))
        window.close()
    _row(f"process start to first painting ({STARTS} starts)", _told(starts(STARTS)))


def _row(text: str, told: str) -> None:
    print(f"  {text:<48} {told}", flush=True)


def jumps(window, count: int) -> list[float]:  # type: ignore[no-untyped-def]
    """Return the seconds from `go` until all four panes have been painted, for random steps."""
    rng = random.Random(1)
    last = len(window.player.cursor.program) - 1
    targets = [rng.randint(0, last) for _ in range(count + 50)]
    return [_timed(window, lambda k=k: window.player.go_to(k)) for k in targets][50:]


def _timed(window, move: Callable[[], None]) -> float:  # type: ignore[no-untyped-def]
    from PySide6.QtWidgets import QApplication

    begun = time.perf_counter()
    move()
    QApplication.processEvents()
    taken = time.perf_counter() - begun
    assert window.player.shown
    return taken


def _compose_only(window) -> list[float]:  # type: ignore[no-untyped-def]
    rng = random.Random(2)
    last = len(window.player.cursor.program) - 1
    times = []
    for _ in range(500):
        window.player.go_to(rng.randint(0, last))
        begun = time.perf_counter()
        for pane in window.panes:
            assert pane.frame.marks
        times.append(time.perf_counter() - begun)
    return times


def _steps_on(window) -> list[float]:  # type: ignore[no-untyped-def]
    window.player.go_to(0)
    return [_timed(window, lambda: window.player.go(window.player.cursor.next())) for _ in range(500)]


def edits(window, array: str, shape: tuple[int, ...]) -> list[float]:  # type: ignore[no-untyped-def]
    """Return the seconds from the change of a number until all is computed anew and painted."""
    from cnnviz.lesson.changes import Cell

    rng = random.Random(3)
    window.player.go_to(window.player.cursor.program.starts[1] - 2)

    def change() -> None:
        cell = Cell(array, tuple(rng.randrange(size) for size in shape), rng.random())
        window.desk.change(cell, said="painted", gesture=1)

    return [_timed(window, change) for _ in range(320)][20:]


def _scrolls(window) -> list[float]:  # type: ignore[no-untyped-def]
    """Return the seconds from a turn of the wheel until the network pane has been painted."""
    from PySide6.QtWidgets import QApplication

    times = []
    for k in range(100):
        begun = time.perf_counter()
        window.network.scroll_by(3 if k < 50 else -3)
        QApplication.processEvents()
        times.append(time.perf_counter() - begun)
    return times


def starts(count: int) -> list[float]:
    """Return the seconds from a process's start to its first painting; the first start only warms up."""
    code = (
        "import time\n"
        "from cnnviz.app import open_window\n"
        "def painted():\n"
        "    print(time.time())\n"
        "    from PySide6.QtWidgets import QApplication\n"
        "    QApplication.quit()\n"
        "open_window('digits', painted)\n"
    )
    times = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["CNNVIZ_SETTINGS"] = str(Path(folder) / "settings.ini")
        environment["PYTHONPYCACHEPREFIX"] = folder  # so that the first start compiles what the others read
        for _ in range(count + 1):
            begun = time.time()
            run = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            )
            times.append(float(run.stdout) - begun)
    return times[1:]


# ----------------------------------------------------------------------------------------- matplotlib


def against_matplotlib(window, jump: float) -> str:  # type: ignore[no-untyped-def]
    """Return how long matplotlib takes for the same marks, against a jump, and against its painting alone."""
    if find_spec("matplotlib") is None:
        return "skipped: matplotlib is not installed"
    from PySide6.QtGui import QImage

    from cnnviz.scene.frame import compose
    from cnnviz.scene.view import View

    rng = random.Random(3)
    program, view = window.player.cursor.program, View(*SIZE, "digits")
    frames = [compose(program, rng.randint(0, len(program) - 1), view) for _ in range(8)]
    image, figure = QImage(*SIZE, QImage.Format.Format_RGB32), _figure()
    for frame in frames:  # as in the window, what comes again is kept
        _paint(image, frame)
    ours = [_seconds(lambda frame=frame: _paint(image, frame)) for frame in frames]
    theirs = [_seconds(lambda frame=frame: _draw(figure, frame)) for frame in frames]
    drawn, painted = statistics.median(theirs[1:]), statistics.median(ours[1:])
    times = f"{drawn / jump:.0f} times a jump, {drawn / painted:.0f} times our painting of them"
    return f"median {drawn * 1000:7.1f} ms, {times}"


def _seconds(do: Callable[[], None]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def _paint(image, frame) -> None:  # type: ignore[no-untyped-def]
    from PySide6.QtGui import QPainter

    from cnnviz.render.painter import paint
    from cnnviz.scene.theme import LIGHT

    painter = QPainter(image)
    paint(painter, frame, LIGHT)
    painter.end()


def _figure():  # type: ignore[no-untyped-def]
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    return Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100)


def _draw(figure, frame) -> None:  # type: ignore[no-untyped-def]
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


def _flat(marks):  # type: ignore[no-untyped-def]
    from cnnviz.scene.marks import Group

    for mark in marks:
        if isinstance(mark, Group):
            yield from _flat(mark.marks)
        else:
            yield mark


def _draw_mark(axes, mark) -> None:  # type: ignore[no-untyped-def]
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


# ---------------------------------------------------------------------------------------------- tools


def _window(lesson: str = "digits"):  # type: ignore[no-untyped-def]
    from PySide6.QtWidgets import QApplication

    from cnnviz.lesson.lesson import load_lesson
    from cnnviz.ui.launch import application_of_cnnviz, settle
    from cnnviz.ui.settings import Settings
    from cnnviz.ui.window import Window

    application_of_cnnviz()
    folder = tempfile.mkdtemp()
    window = Window(load_lesson(lesson), Settings(Path(folder) / "settings.ini"))
    window.resize(*SIZE)
    window.show()
    QApplication.processEvents()
    settle()
    return window


def _told(times: list[float]) -> str:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"median {statistics.median(ordered) * 1000:7.1f} ms, 99 in 100 within {p99 * 1000:7.1f} ms"


if __name__ == "__main__":
    main()
