"""The frames that are held: a telling step of every kind of picture."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace
from PySide6.QtGui import QImage

from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Frame
from cnnviz.trace.breakpoint import Breakpoint
from tests.scene.programs import program, view

SCALE = 0.5  # of frames of 1920 × 1080
FOLDER = Path(__file__).parent


class Held(NamedTuple):
    """A step: program, operation, line of the listing, loop variables; in numbers or letters."""

    program: str
    operation: str
    line: int
    variables: dict[str, int]
    theme: str = "light"
    letters: bool = False


FRAMES = {
    "conv2d-pixels": Held("digits", "conv1", 9, {"o": 1, "i": 2, "j": 4, "u": 1, "v": 1}),
    "conv2d-channels": Held("digits", "conv2", 9, {"o": 3, "i": 1, "j": 1, "c": 2, "u": 1, "v": 2}),
    "conv2d-large": Held("large", "conv1", 9, {"o": 1, "i": 17, "j": 23, "u": 2, "v": 1}),
    "conv2d-channels-large": Held(
        "tiny_vgg", "conv1_2", 9, {"o": 3, "i": 20, "j": 30, "c": 2, "u": 1, "v": 2}
    ),
    "max-pool-dx-large-dark": Held(
        "tiny_vgg", "pool1.dx", 7, {"c": 3, "i": 15, "j": 10, "u": 1, "v": 1}, "dark"
    ),
    "linear-thousands": Held("tiny_vgg", "fc", 5, {"n": 5, "m": 1013}),
    "conv2d-dw": Held("digits", "conv2.dw", 9, {"o": 2, "c": 1, "u": 1, "v": 2, "i": 2, "j": 1}),
    "conv2d-dx": Held("digits", "conv2.dx", 9, {"c": 1, "p": 2, "q": 2, "o": 1, "u": 2, "v": 1}),
    "conv2d-dx-strided": Held("every", "conv.dx", 9, {"c": 1, "p": 4, "q": 2, "o": 2, "u": 1}),
    "conv2d-dx-scattered": Held("scattered", "conv.dx_scatter", 8, {"o": 1, "i": 1, "j": 1, "u": 1, "v": 1}),
    "conv2d-db": Held("digits", "conv2.db", 6, {"o": 4, "i": 2, "j": 1}),
    "max-pool": Held("digits", "pool1", 10, {"c": 1, "i": 1, "j": 2, "u": 1}),
    "max-pool-dx": Held("digits", "pool2.dx", 7, {"c": 3, "i": 1, "j": 0, "u": 1, "v": 1}),
    "avg-pool": Held("every", "pool", 8, {"c": 1, "i": 1, "j": 1, "u": 1, "v": 2}),
    "relu": Held("digits", "relu1", 5, {"c": 1, "i": 4, "j": 3}),
    "relu-dx": Held("digits", "relu2.dx", 5, {"c": 3, "i": 2, "j": 1}),
    "leaky-relu-column": Held("columns", "leaky", 3, {"n": 30}),
    "sigmoid": Held("every", "sigmoid", 5, {"c": 1, "i": 1, "j": 1}),
    "tanh-large": Held("large", "tanh", 5, {"c": 1, "i": 20, "j": 11}),
    "flatten": Held("digits", "flatten", 5, {"c": 3, "i": 1, "j": 0}),
    "linear-whole": Held("every", "fc2", 5, {"n": 1, "m": 2}),
    "linear-pages": Held("digits", "fc", 5, {"n": 5, "m": 13}),
    "linear-dw": Held("digits", "fc.dw", 4, {"m": 6, "n": 4}),
    "linear-dx": Held("digits", "fc.dx", 5, {"m": 19, "n": 3}),
    "linear-db": Held("digits", "fc.db", 3, {"n": 4}),
    "softmax": Held("digits", "softmax", 10, {"n": 4}),
    "softmax-dx": Held("every", "softmax.dx", 4, {"n": 1}),
    "cross-entropy": Held("digits", "loss", 4, {"n": 3}),
    "half-squared-error-dy": Held("every", "loss.dy", 3, {"n": 1}),
    "sgd": Held("digits", "conv2.w", 3, {"n": 104}),
    "adam": Held("every", "fc1.w", 7, {"n": 31}),
    "graph": Held("chain", "f", 2, {}),
    "graph-back": Held("chain", "f.backward", 4, {}),
    "pixels": Held("pictures", "rgb", 5, {"c": 1, "i": 2, "j": 3}),
    "pixels-grey": Held("pictures", "grey", 5, {"i": 1, "j": 2}),
    "letters": Held("digits", "conv2", 9, {"o": 3, "i": 1, "j": 1, "c": 2, "u": 1, "v": 2}, letters=True),
    "letters-dark": Held("every", "fc2", 5, {"n": 1, "m": 2}, "dark", letters=True),
    "descent": Held("descents", "valleys", 7, {"s": 1, "t": 4}),
    "descent-away": Held("descents", "away", 7, {"s": 0, "t": 1}),
    "descent-dark": Held("descents", "valleys", 7, {"s": 1, "t": 4}, "dark"),
    "cross-entropy-dx": Held("digits", "softmax.dx", 3, {"n": 6}),
    "flatten-dx": Held("every", "flatten.dx", 5, {"c": 1, "i": 2, "j": 1}),
    "leaky-relu": Held("every", "leaky", 5, {"c": 1, "i": 3, "j": 1}),
    "leaky-relu-dx": Held("every", "leaky.dx", 5, {"c": 1, "i": 3, "j": 1}),
    "tanh-column": Held("every", "tanh", 3, {"n": 2}),
    "tanh-column-dx": Held("every", "tanh.dx", 3, {"n": 2}),
    "tanh-dx-large": Held("large", "tanh.dx", 5, {"c": 1, "i": 8, "j": 0}),
    "sigmoid-dx": Held("every", "sigmoid.dx", 5, {"c": 1, "i": 2, "j": 1}),
    "sigmoid-column": Held("columns", "sigmoid", 3, {"n": 36}),
    "sigmoid-column-dx": Held("columns", "sigmoid.dx", 3, {"n": 36}),
    "relu-column": Held("columns", "relu", 3, {"n": 2}),
    "relu-column-dx": Held("columns", "relu.dx", 3, {"n": 2}),
    "leaky-relu-column-dx": Held("columns", "leaky.dx", 3, {"n": 36}),
    "avg-pool-dx": Held("every", "pool.dx", 7, {"c": 1, "i": 2, "j": 0, "u": 1, "v": 2}),
    "half-squared-error": Held("every", "loss", 4, {"n": 1}),
    "binary-cross-entropy": Held("one", "loss", 4, {"n": 1}),
    "binary-cross-entropy-dx": Held("one", "sigmoid.dx", 3, {"n": 1}),
    "sgd-momentum": Held("large", "conv1.w", 3, {"n": 30}),
    "generic": Held("unknown", "turn", 5, {"c": 1, "i": 1, "j": 2}),
    "no-numbers": Held("overflowing", "fc", 5, {"n": 1, "m": 3}),
    "powers-of-ten": Held("tiny", "fc1", 5, {"n": 2, "m": 3}),
    "conv2d-channels-dark": Held(
        "digits", "conv2", 9, {"o": 3, "i": 1, "j": 1, "c": 2, "u": 1, "v": 2}, "dark"
    ),
    "max-pool-dx-dark": Held("digits", "pool2.dx", 7, {"c": 3, "i": 1, "j": 0, "u": 1, "v": 1}, "dark"),
    "relu-dark": Held("digits", "relu1", 5, {"c": 1, "i": 4, "j": 3}, "dark"),
    "linear-pages-dark": Held("digits", "fc", 5, {"n": 5, "m": 13}, "dark"),
}

# And one of each lesson, as the window shows it: the number of a stop at which there is much to be seen.
STOPS = {
    "image": 4,
    "conv-1d": 8,
    "convolution": 3,
    "depth": 4,
    "edges": 7,
    "stride-padding": 4,
    "geometry": 2,
    "relu": 1,
    "pooling": 1,
    "fully-connected": 4,
    "sigmoid-softmax": 5,
    "forward": 6,
    "gradient-descent": 8,
    "chain-rule": 4,
    "backward-fc": 6,
    "backward-conv": 6,
    "transposed": 8,
    "residual": 8,
    "receptive-field": 9,
    "digits": 7,
    "lenet": 6,
    "batch": 7,
    "batch-norm": 7,
    "dropout": 7,
    "vanishing": 5,
    "optimisers": 3,
    "training": 4,
}
NAMES = (*FRAMES, *(f"lesson-{name}" for name in STOPS))


def theme(name: str) -> str:
    """Return the colours of a held frame."""
    return FRAMES[name].theme if name in FRAMES else "light"


def frame(name: str) -> Frame:
    """Compose a held frame."""
    if name not in FRAMES:
        return _lesson(name.removeprefix("lesson-"))
    held = FRAMES[name]
    made = program(held.program)
    step = made.find(held.operation, line=held.line, **held.variables)
    stop = Breakpoint(held.operation, held.line)
    shown = Display(letters=held.letters)
    return compose(made, step, replace(view(made), breakpoints=(stop,), display=shown))


def _lesson(name: str) -> Frame:
    lesson = load_lesson(name)
    return compose(lesson.program, lesson.stops[STOPS[name]].index, lesson.view)


def picture(name: str) -> QImage:
    """Paint a held frame as it is stored."""
    return to_image(frame(name), theme(name), SCALE)


def stored(name: str) -> Path:
    """Where the picture is kept."""
    return FOLDER / f"{name}.png"
