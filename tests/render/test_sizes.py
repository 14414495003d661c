"""No size and no aspect ratio may fail, and no failure may leave a painter open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

import cnnviz
from cnnviz import lesson_names, load_lesson
from cnnviz.engine.layer import Layer
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.errors import CnnvizError
from cnnviz.render.image import to_image
from cnnviz.render.tools import painting
from cnnviz.scene import marks as drawn_as
from cnnviz.scene import panels
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment, stage
from cnnviz.scene.lecture import lecture_unit
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Hotspot, Label, Rect
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from cnnviz.ui.stage_pane import STAGE
from cnnviz.ui.timeline_pane import STRIP
from tests.scene.looking import all_marks, inside, reach, said

SIZES = [
    (320, 240),
    (480, 800),
    (640, 480),
    (800, 600),
    (1024, 600),
    (1280, 720),
    (720, 1280),
    (1366, 768),
    (1080, 1920),
    (1920, 1080),
    (2560, 1080),
    (3840, 2160),
]


def lecture_frame(program: Program, step: int, width: int, height: int, letters: bool) -> Frame:
    """The stage of the lecture view, whose text follows from the window's height alone."""
    least = lecture_unit(width, height)
    high = height - round(least * STRIP)
    unit = max(min(width / STAGE[0], high / STAGE[1]), least)
    box = Box(0, 0, width, high)
    at = moment(program, step, View(display=Display(letters=letters)))
    return Frame(width, high, (Rect(box, fill="ground"), *stage(at, box, unit, True)))


@pytest.mark.parametrize("lecture", [False, True], ids=["window", "lecture"])
@pytest.mark.parametrize("name", lesson_names())
def test_every_lesson_is_painted_in_every_size(name, lecture):
    """Every operation at each size, at a step that differs from size to size."""
    program = load_lesson(name).program
    apart = max(1, len(program.operations) // 3)
    for k, operation in enumerate(program.operations):
        for n, (width, height) in enumerate(SIZES):
            if (k + n) % apart:
                continue  # of long lessons some three at each size, from all over it
            step = program.start(operation.name) + (len(operation) - 1) * n // (len(SIZES) - 1)
            letters = bool((k + n) % 2)
            if lecture:
                frame = lecture_frame(program, step, width, height, letters)
            else:
                frame = compose(program, step, View(width, height, display=Display(letters=letters)))
            scale = min(1.0, 1000 / max(width, height))
            assert not to_image(frame, "dark" if n % 2 else "light", scale).isNull()


@pytest.mark.parametrize("name", lesson_names())
def test_small_pictures_show_what_fits(name):
    """Parts go in the order of their importance: there is always something of the step to read."""
    lesson = load_lesson(name)
    for k, (width, height) in enumerate(((480, 270), (320, 180), (270, 480), (640, 360))):
        for stop in lesson.stops[k::3]:
            frame = compose(lesson.program, stop.index, View(width, height))
            marks = list(all_marks(frame.marks))
            read = [mark for mark in marks if isinstance(mark, Label) and said([mark])[0].strip()]
            assert len(read) >= 2, (width, height)
            drawn = [mark for mark in marks if isinstance(mark, Cells | drawn_as.Path | Dot)]
            assert drawn or width < 400, (width, height)
            for mark in marks:
                if not isinstance(mark, drawn_as.Path | Hotspot):
                    assert inside(reach(mark), Box(0, 0, width, height), 6.0), (width, height, mark)


LOW = [(640, 120), (360, 60), (48, 48), (3000, 50), (50, 700), (200, 20), (1, 400)]


@pytest.mark.parametrize("name", lesson_names())
def test_a_stage_that_other_things_leave_hardly_any_room_is_painted(name):
    """A long sentence above it, or a window made as low as one can, may leave next to nothing."""
    lesson = load_lesson(name)
    program = lesson.program
    for k, operation in enumerate(program.operations[:: len(program.operations) // 12 + 1]):
        for n, (width, height) in enumerate(LOW):
            step = program.start(operation.name) + (len(operation) - 1) * (n % 3) // 2
            shown = View(display=Display(letters=bool((k + n) % 2)))
            at, box = moment(program, step, shown), Box(0, 0, width, height)
            for unit in (0.28, 0.6):  # as small as it gets, and that at the largest zoom
                marks = stage(at, box, unit, bool(n % 2))
                marks += panels.network(at, box, unit)
                if (k + n) % 4 == 0:
                    to_image(Frame(width, height, tuple(marks)), "light", min(1.0, 600 / width))


def test_in_a_low_stage_words_and_arithmetic_leave_the_picture_some_room():
    program = load_lesson("relu").program
    for height in (120, 200, 300):
        marks = stage(moment(program, len(program) // 2), Box(0, 0, 640, height), 0.6)
        grids = [mark.box for mark in all_marks(tuple(marks)) if isinstance(mark, Cells)]
        assert sum(box.h > height / 10 for box in grids) >= 2, "what goes in, and what comes out"
        assert all(0 <= box.y < box.bottom <= height for box in grids)


def test_a_painter_is_ended_whatever_happens():
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    with pytest.raises(ZeroDivisionError), painting(image) as painter:
        raise ZeroDivisionError
    assert not painter.isActive() and not image.paintingActive()


def test_no_painter_is_made_without_being_ended():
    """Whoever paints asks `painting` for a painter."""
    folder = Path(cnnviz.__file__).parent
    made = [path.name for path in folder.rglob("*.py") if "QPainter(" in path.read_text("utf-8")]
    assert made == ["tools.py"]


# ------------------------------------------------------------------------------------- small odd networks


def odd_network(seed: int) -> tuple[Network, np.ndarray, np.ndarray] | None:
    """Kernels, strides and padding of any size on maps of any size: windows in nothing but padding, too."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 3)), *(int(n) for n in rng.integers(1, 5, 2)))
    makers = {
        "conv": lambda c: Conv2d(c, int(rng.integers(1, 3)), pair(rng, 3), *whole(rng, (1, 0), (4, 4))),
        "max": lambda _: MaxPool2d(pair(rng, 2), int(rng.integers(1, 3))),
        "avg": lambda _: AvgPool2d(pair(rng, 2), int(rng.integers(1, 3))),
        "relu": lambda _: ReLU(),
    }
    layers: list[tuple[str, Layer]] = []
    out = shape
    try:
        for k in range(rng.integers(1, 4)):
            layer = makers[rng.choice(list(makers), p=[0.55, 0.15, 0.15, 0.15])](out[0])
            out = layer.output_shape(out)
            layers.append((f"l{k}", layer))
        layers.append(("flatten", Flatten()))
        network = Network(layers, shape, HalfSquaredError(), SGD(0.1))
    except CnnvizError:
        return None
    network.initialise(seed)
    x = [rng.normal(size=shape), np.zeros(shape), rng.integers(-1, 2, shape).astype(float)][seed % 3]
    return network, x, rng.normal(size=int(np.prod(out)))


def pair(rng: np.random.Generator, most: int) -> tuple[int, int]:
    first, second = rng.integers(1, most + 1, 2)
    return int(first), int(second)


def whole(rng: np.random.Generator, low: tuple[int, ...], high: tuple[int, ...]) -> list[int]:
    return [int(n) for n in rng.integers(low, high)]


def odd_networks(count: int) -> list[tuple[Network, np.ndarray, np.ndarray]]:
    found = [made for seed in range(4 * count) if (made := odd_network(seed)) is not None]
    alone = Network(
        [("conv", Conv2d(1, 1, 1, 2, 1)), ("flatten", Flatten())], (1, 1, 1), HalfSquaredError(), SGD(0.1)
    )
    alone.initialise(1)
    return [(alone, np.ones((1, 1, 1)), np.zeros(4)), *found[:count]]


@pytest.mark.parametrize("form", ["gathered", "scattered"])
def test_every_step_of_small_odd_networks_is_composed_and_painted(form):
    """The first has all its windows in the padding: nothing of ∂E/∂y comes back to the input."""
    composed = 0
    for number, (network, x, t) in enumerate(odd_networks(5)):
        program = Program(network.calls(network.run(x, t), form))
        for step in range(number % 3, len(program), 1 if len(program) < 150 else 7):
            operation = program[step].operation
            if form == "scattered" and operation.call.form != "scattered":
                continue
            size = SIZES[(step + number) % 8]
            frame = compose(program, step, View(*size, display=Display(letters=bool(step // 2 % 2))))
            composed += 1
            if step % 5 == 0:
                to_image(frame, "dark" if step % 2 else "light", 0.5)
    assert composed > 150


def test_a_gradient_of_nothing_but_zeros_says_so():
    network, x, t = odd_networks(0)[0]
    program = Program(network.calls(network.run(x, t)))
    state = program.state(program.start("conv.dx"))
    assert not state.arrays["dy"].any() and state.arrays["dy"].shape == (1, 1, 1)
    frame = compose(program, program.start("conv.dx"), View())
    assert any("nothing but zeros" in text for text in said(all_marks(frame.marks)))
