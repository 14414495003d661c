"""What lies over the window: the blank screen, and the keys sheet."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cnnviz.render.tools import painting
from cnnviz.text import tr
from cnnviz.ui.keys import LISTED, Key, said

_Menus = Sequence[tuple[str, tuple[Key, ...]]]

_BESIDE, _LARGEST = (60, 80), (1100, 820)
"""Pixels: what the sheet of keys has beside them, and the most that it takes."""

_TITLE = (16, 48)
"""Pixels: what a system's title bar and borders take at most, over a window that fills the screen."""


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


class KeysSheet(QDialog):
    """Lists every action with its keys, from the same table as the menus."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Keys"))
        long = [menu for menu in LISTED if menu[0] == "Step"]  # as long as all the others together
        inside = _side_by_side(long, [menu for menu in LISTED if menu not in long])
        room = self.screen().availableSize() - QSize(*_TITLE)
        most = parent.size().boundedTo(QSize(*_LARGEST)).boundedTo(room)
        if inside.sizeHint().width() + _BESIDE[0] > most.width():
            inside = _side_by_side(LISTED)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setAccessibleName(tr("Keys"))
        column = QVBoxLayout(self)
        column.addWidget(area)
        column.addWidget(_close_button(self))
        hint = inside.sizeHint() + QSize(*_BESIDE)
        self.resize(hint.boundedTo(most))  # what is more is scrolled


def _side_by_side(*columns: _Menus) -> QWidget:
    """Return menus with their keys, in columns."""
    made = QWidget()
    grid = QGridLayout(made)
    grid.setHorizontalSpacing(28)
    grid.setVerticalSpacing(5)
    for side, menus in enumerate(columns):
        _fill(grid, 2 * side, menus)
    grid.setRowStretch(grid.rowCount(), 1)
    return made


def _fill(grid: QGridLayout, column: int, menus: _Menus) -> None:
    row = 0
    for title, keys in menus:
        head = QLabel(f"<b>{tr(title)}</b>")
        grid.addWidget(head, row, column, 1, 2)
        row += 1
        for key in keys:
            if key.keys:
                grid.addWidget(QLabel(tr(key.text)), row, column)
                grid.addWidget(QLabel(said(key.name)), row, column + 1)
                row += 1


def _close_button(dialog: QDialog) -> QDialogButtonBox:
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    box.rejected.connect(dialog.reject)
    return box
