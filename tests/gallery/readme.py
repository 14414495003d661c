"""The four frames that README shows: ``python -m tests.gallery.readme`` paints them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

FOLDER = Path(__file__).parent / "readme"
SIZE = (1280, 720)


class Shot(NamedTuple):
    """A step: lesson, place, theme; in numbers or letters."""

    lesson: str
    operation: str
    line: int
    variables: dict[str, int]
    theme: str = "light"
    letters: bool = False


SHOTS = {
    "convolution": Shot("digits", "conv2", 9, {"o": 3, "i": 1, "j": 1, "c": 2, "u": 1, "v": 2}),
    "letters": Shot("convolution", "conv", 9, {"i": 1, "j": 1, "u": 1, "v": 0}, letters=True),
    "backward": Shot("backward-conv", "conv.dw", 9, {"u": 1, "v": 0, "i": 1, "j": 0}, "dark"),
    "descent": Shot("gradient-descent", "valleys", 7, {"s": 1, "t": 5}),
}


def main() -> None:
    """Paint them."""
    from msgspec.structs import replace
    from PySide6.QtGui import QGuiApplication

    from cnnviz.lesson.lesson import load_lesson
    from cnnviz.render.image import to_image
    from cnnviz.scene.display import Display
    from cnnviz.scene.frame import compose
    from cnnviz.scene.theme import theme_of

    application = QGuiApplication([])
    FOLDER.mkdir(exist_ok=True)
    for name, shot in SHOTS.items():
        lesson = load_lesson(shot.lesson)
        step = lesson.program.find(shot.operation, line=shot.line, **shot.variables)
        display = Display(letters=shot.letters, theme=shot.theme)
        view = replace(lesson.view, width=SIZE[0], height=SIZE[1], display=display)
        image = to_image(compose(lesson.program, step, view), theme_of(display).name)
        image.save(str(FOLDER / f"{name}.png"))
    application.quit()


if __name__ == "__main__":
    main()
