"""Frames as images, for files."""

from __future__ import annotations

from PySide6.QtGui import QColor, QImage

from cnnviz.render.painter import paint
from cnnviz.render.tools import color, painting
from cnnviz.scene.marks import Frame
from cnnviz.scene.theme import THEMES


def to_image(frame: Frame, theme: str = "light", scale: float = 1.0) -> QImage:
    """Paint a frame into an image.

    Parameters
    ----------
    theme : str
        ``light`` or ``dark``.
    scale : float
        Pixels of the image per pixel of the frame.
    """
    formats = QImage.Format.Format_RGB32, QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(round(frame.width * scale), round(frame.height * scale), formats[frame.transparent])
    # Between panes whose edges are no whole pixels something of this is seen.
    image.fill(QColor(0, 0, 0, 0) if frame.transparent else color(THEMES[theme], "panel"))
    with painting(image) as painter:
        painter.scale(scale, scale)
        paint(painter, frame, THEMES[theme])
    return image
