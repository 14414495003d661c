"""A frame painted in a widget and into an image: not one pixel differs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from cnnviz.render.image import to_image

PARTS = (0.0, 0.381, 0.73, 1.0)


def steps(program):
    for start, operation in zip(program.starts, program.operations, strict=False):
        for part in PARTS:
            yield operation.name, start + round(part * (len(operation) - 1))


def same(pane, theme: str) -> bool:
    painted = pane.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return painted == to_image(pane.frame, theme)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panes_show_what_the_painter_paints(make_window, theme):
    window = make_window()
    if theme == "dark":
        window.actions_by_name["theme"].trigger()
    for name, index in steps(window.player.cursor.program):
        window.player.go_to(index)
        for pane in window.panes:
            assert same(pane, theme), (type(pane).__name__, name, index)


def test_what_is_on_the_screen_is_no_older_than_the_step(window):
    """The panes come to the screen by their own painting, not by `grab`: that must be the new frame."""
    for index in (0, 5000, 33_668, 60_000):
        window.player.go_to(index)
        QCoreApplication.processEvents()
        shown = (
            window.screen().grabWindow(window.winId()).toImage().convertToFormat(QImage.Format.Format_RGB32)
        )
        place = window.stage.mapTo(window, window.stage.rect().topLeft())
        part = shown.copy(place.x(), place.y(), window.stage.width(), window.stage.height())
        assert part == to_image(window.stage.frame, "light")


def test_a_screen_with_finer_pixels_gets_them(window):
    window.player.go_to(33_668)
    for pane in window.panes:
        image = QImage(pane.size() * 2, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(2)
        pane.render(image)
        image.setDevicePixelRatio(1)
        assert image == to_image(pane.frame, "light", 2.0), type(pane).__name__
