"""The blank screen, which lies over the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QWidget

from cnnviz.render.tools import painting
from cnnviz.text import tr


class Blank(QWidget):
    """Covers the window in one colour, so that the class looks at the lecturer; a click takes it away."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.colour = "#000000"
        self.setAccessibleName(tr("Blank screen"))
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.hide()

    def toggle(self, colour: str) -> None:
        """Cover everything, or take the cover of this colour away."""
        if self.isVisible() and self.colour == colour:
            self.hide()
            return
        self.colour = colour
        self.setGeometry(self.window().rect())
        self.show()
        self.raise_()
        self.update()

    def said(self) -> str:
        """Say that it covers the window; nothing while it does not."""
        if not self.isVisible():
            return ""
        return tr("The screen is black") if self.colour == "#000000" else tr("The screen is white")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Fill with the colour."""
        with painting(self) as painter:
            painter.fillRect(self.rect(), QColor(self.colour))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show the window again."""
        self.hide()
