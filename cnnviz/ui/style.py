"""Turns a theme of the scene into Qt's palette, style sheet and icons; and images into thumbnails."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPalette, QPixmap

from cnnviz.engine.layer import Array
from cnnviz.render.tools import painting
from cnnviz.resources import resource
from cnnviz.scene.theme import Theme

_ROLES = {
    QPalette.ColorRole.Window: "panel",
    QPalette.ColorRole.WindowText: "ink",
    QPalette.ColorRole.Base: "ground",
    QPalette.ColorRole.AlternateBase: "panel",
    QPalette.ColorRole.Text: "ink",
    QPalette.ColorRole.PlaceholderText: "muted",
    QPalette.ColorRole.Button: "panel",
    QPalette.ColorRole.ButtonText: "ink",
    QPalette.ColorRole.BrightText: "alert",
    QPalette.ColorRole.ToolTipBase: "ground",
    QPalette.ColorRole.ToolTipText: "ink",
    QPalette.ColorRole.Light: "ground",
    QPalette.ColorRole.Midlight: "panel_line",
    QPalette.ColorRole.Mid: "line",
    QPalette.ColorRole.Dark: "line",
    QPalette.ColorRole.Shadow: "line",
    QPalette.ColorRole.Highlight: "accent",
    QPalette.ColorRole.HighlightedText: "ground",
    QPalette.ColorRole.Link: "accent",
    QPalette.ColorRole.LinkVisited: "accent",
    QPalette.ColorRole.Accent: "accent",
}


def palette(theme: Theme) -> QPalette:
    """Return Qt's colours for a theme."""
    made = QPalette()
    for role, name in _ROLES.items():
        made.setColor(role, QColor(theme.color(name)))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.color("line")))
    return made


def style_sheet(theme: Theme, text: int) -> str:
    """Return what Fusion does not know: sizes of text, the shapes of the bars and of their buttons.

    Parameters
    ----------
    text : int
        The size of text in pixels; all else follows from it.
    """
    em = text / 14
    sizes = {
        "radius": round(6 * em),
        "pad": round(4 * em),
        "wide": round(6 * em),
        "inner": round(4 * em) - 1,
    }
    # A slider's handle is a circle of this radius with a rim, on a groove of twice `thinner`.
    thinner, radius = max(1, round(1.5 * em)), round(7 * em)
    slider = {"thin": 2 * thinner, "thinner": thinner, "round": radius, "handle": 2 * radius - 2}
    slider["out"] = radius - thinner
    return _SHEET % {**theme.roles, **sizes, **slider, "text": text, "title": text + round(4 * em)}


_SHEET = """
QWidget { font-size: %(text)dpx; }
QLabel#title { font-size: %(title)dpx; font-weight: 600; }
QWidget#bar, QWidget#strip { background: %(panel)s; border: 0; border-bottom: 1px solid %(panel_line)s; }
QWidget#strip[place="over"] { border: 1px solid %(line)s; border-bottom: 0; }
QWidget#strip[kind="error"] { background: %(source_fill)s; }
QMenuBar { background: %(panel)s; }
QSplitter::handle { background: %(panel_line)s; }
QSplitter::handle:hover { background: %(accent)s; }
QToolTip { color: %(ink)s; background: %(ground)s; border: 1px solid %(line)s; padding: 3px; }
QDialogButtonBox, QDialog { dialogbuttonbox-buttons-have-icons: 0; }
QLabel#quiet { color: %(muted)s; }
QAbstractButton#tool {
  color: %(ink)s; background: %(ground)s; border: 1px solid %(panel_line)s; border-radius: %(radius)dpx;
  padding: %(pad)dpx;
}
QToolButton#tool::menu-indicator { image: none; }
QAbstractButton#tool[text=""] { padding: %(pad)dpx; }
QAbstractButton#tool:hover { border-color: %(accent)s; }
QAbstractButton#tool:pressed { background: %(accent_fill)s; }
QAbstractButton#tool:checked { color: %(accent)s; background: %(accent_fill)s; border-color: %(accent)s; }
QAbstractButton#tool:focus { border: 2px solid %(accent)s; padding: %(inner)dpx; }
QAbstractButton#tool:disabled { color: %(line)s; }
QAbstractButton#tool[kind="play"] { color: %(ground)s; background: %(accent)s; border-color: %(accent)s; }
QAbstractButton#tool[kind="play"]:focus { border: 2px solid %(ink)s; }
QAbstractButton#tool[kind="segment"] { 
  border-radius: 0; padding: %(pad)dpx %(wide)dpx; border-right-width: 0;
}
QAbstractButton#tool[kind="segment"]:checked { border: 1px solid %(accent)s; }
QAbstractButton#tool[kind="segment"]:focus { border: 2px solid %(accent)s; }
QAbstractButton#tool[place="first"] {
  border-top-left-radius: %(radius)dpx; border-bottom-left-radius: %(radius)dpx;
}
QAbstractButton#tool[place="last"] {
  border-top-right-radius: %(radius)dpx; border-bottom-right-radius: %(radius)dpx; border-right-width: 1px;
}
QSlider::groove:horizontal { height: %(thin)dpx; border-radius: %(thinner)dpx; background: %(line)s; }
QSlider::sub-page:horizontal { border-radius: %(thinner)dpx; background: %(accent)s; }
QSlider::handle:horizontal {
  width: %(handle)dpx; margin: -%(out)dpx 0; border-radius: %(round)dpx;
  background: %(accent)s; border: 1px solid %(ground)s;
}
QSlider::handle:horizontal:focus { border: 2px solid %(ink)s; }
QLineEdit {
  border: 1px solid %(line)s; border-radius: %(radius)dpx; padding: 3px 6px; background: %(ground)s;
}
QLineEdit:focus { border: 2px solid %(accent)s; padding: 2px 5px; }
QCheckBox::indicator { width: %(round)dpx; height: %(round)dpx; padding: 2px; border: 1px solid %(line)s; }
QCheckBox::indicator:checked { background: %(accent)s; background-clip: content; }
QCheckBox::indicator:focus { border: 2px solid %(accent)s; padding: 1px; }
"""


@lru_cache(maxsize=64)
def icon(name: str, colour: str, sizes: tuple[int, ...] = (24, 48, 72)) -> QIcon:
    """Return one of the program's icons in a colour, ``#rrggbb``; the program's own has its colours."""
    from PySide6.QtSvg import QSvgRenderer

    text = resource("icons", f"{name}.svg").read_text("utf-8").replace("currentColor", colour)
    renderer = QSvgRenderer(QByteArray(text.encode()))
    made = QIcon()
    for size in sizes:
        pixmap = QPixmap(QSize(size, size))
        pixmap.fill(Qt.GlobalColor.transparent)
        with painting(pixmap) as painter:
            renderer.render(painter)
        made.addPixmap(pixmap)
    return made


def thumbnail(image: Array, side: int) -> QPixmap:
    """Return an image of a lesson in grey, black its least number and white its greatest."""
    values = np.atleast_2d(image.mean(0) if image.ndim == 3 else image)
    low, high = float(values.min()), float(values.max())
    grey = np.ascontiguousarray((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    rows, columns = grey.shape
    made = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
    keep = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(made.scaled(side, side, keep, Qt.TransformationMode.FastTransformation))
