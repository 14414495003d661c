"""Keeps pictures of marks that come again unchanged, within a fixed number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil, floor

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor, QImage, QPainter

from cnnviz.render.tools import painting
from cnnviz.scene.marks import Box, Cells, Group
from cnnviz.scene.theme import Theme

# A step needs the pictures of its operation alone. With 256 MB all places that a lecture comes by are kept:
# a jump back to one is a fifth faster, but the window takes 150 MB more.
_MOST_BYTES = 48 << 20

# Whose picture, in which theme, at which scale, and how far right and down of whole pixels.
Key = tuple[int, str, float, float, float]

# The mark is kept beside its picture, so that its id cannot come to mean another one.
_pictures: OrderedDict[Key, tuple[Group | Cells, QImage, QPointF]] = OrderedDict()
_bytes = 0


def draw(
    mark: Group | Cells,
    box: Box,
    painter: QPainter,
    theme: Theme,
    paint: Callable[[QPainter], None],
    ground: QColor | None = None,
) -> None:
    """Draw a mark from its kept picture, or paint it and keep that.

    Parameters
    ----------
    box : Box
        What the mark fills; it paints nothing outside.
    paint : Callable
        Paints the mark anew.
    ground : QColor, optional
        What the mark fills its box with, if it does, so that nothing under it shows.
    """
    # With the pixels that a screen has for one of ours; at odd ratios a pane may begin within a pixel.
    at = painter.deviceTransform()
    scale, dx, dy = at.m11(), round(at.dx() % 1, 3) % 1, round(at.dy() % 1, 3) % 1
    key = (id(mark), theme.name, scale, dx, dy)
    found = _pictures.get(key)
    if found is None:
        found = (mark, *_picture(box, scale, (dx, dy), paint, ground))
        _keep(key, found)
    else:
        _pictures.move_to_end(key)
    painter.drawImage(found[2], found[1])


def clear() -> None:
    """Forget all pictures."""
    global _bytes
    _pictures.clear()
    _bytes = 0


def forget_numbers() -> None:
    """Forget all pictures but those of marks that are the same whatever the numbers of a program are."""
    global _bytes
    for key in [key for key, (mark, *_) in _pictures.items() if not (type(mark) is Group and mark.lasting)]:
        _bytes -= _pictures.pop(key)[1].sizeInBytes()


def size() -> int:
    """Return how many bytes the kept pictures take."""
    return _bytes


def _picture(
    box: Box,
    scale: float,
    offset: tuple[float, float],
    paint: Callable[[QPainter], None],
    ground: QColor | None,
) -> tuple[QImage, QPointF]:
    # One pixel more on each side: the outer rule of a grid straddles its edge.
    rim = 0 if ground else 1
    dx, dy = offset
    left, top = floor(box.x * scale + dx) - rim, floor(box.y * scale + dy) - rim
    width = ceil(box.right * scale + dx) + rim - left
    height = ceil(box.bottom * scale + dy) + rim - top
    image_format = QImage.Format.Format_RGB32 if ground else QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(max(1, width), max(1, height), image_format)
    image.setDevicePixelRatio(scale)
    # Where the edges of the box are no whole pixels, the ground reaches out to them.
    image.fill(ground if ground else QColor(0, 0, 0, 0))
    corner = QPointF((left - dx) / scale, (top - dy) / scale)
    with painting(image) as painter:
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.translate(-corner)
        # As within a frame, where Qt paints thin lines in another way than without a clip.
        painter.setClipRect(QRectF(corner, QSizeF(image.size()) / scale))
        paint(painter)
    return image, corner


def _keep(key: Key, entry: tuple[Group | Cells, QImage, QPointF]) -> None:
    global _bytes
    _pictures[key] = entry
    _bytes += entry[1].sizeInBytes()
    while _bytes > _MOST_BYTES and len(_pictures) > 1:
        _, (_, image, _) = _pictures.popitem(last=False)
        _bytes -= image.sizeInBytes()
