"""Frames as images, for files."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage

from cnnviz.render.painter import paint
from cnnviz.render.tools import color, painting
from cnnviz.scene.marks import Frame
from cnnviz.scene.theme import THEMES


def to_image(frame: Frame, theme: str = "light", scale: float = 1.0, on: QImage | None = None) -> QImage:
    """Paint a frame into an image.

    Parameters
    ----------
    theme : str
        ``light`` or ``dark``.
    scale : float
        Pixels of the image per pixel of the frame.
    on : QImage, optional
        An image that is wanted no more, to be painted over: new memory for one takes as long as half of the
        painting.
    """
    size = QSize(round(frame.width * scale), round(frame.height * scale))
    opaque, clear = QImage.Format.Format_RGB32, QImage.Format.Format_ARGB32_Premultiplied
    wanted = clear if frame.transparent else opaque
    image = on if on is not None and on.size() == size and on.format() == wanted else QImage(size, wanted)
    # Between panes whose edges are no whole pixels something of this is seen.
    image.fill(QColor(0, 0, 0, 0) if frame.transparent else color(THEMES[theme], "panel"))
    with painting(image) as painter:
        painter.scale(scale, scale)
        paint(painter, frame, THEMES[theme])
    return image
