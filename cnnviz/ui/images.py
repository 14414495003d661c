"""The popup grid of a lesson's images."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QIcon, QKeyEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cnnviz.engine.layer import Array
from cnnviz.text import tr
from cnnviz.ui.style import thumbnail

_MOST_SHOWN = 500


class ImageChooser(QFrame):
    """A grid of thumbnails with labels; arrows and Enter choose, Esc leaves."""

    chosen = Signal(int)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.grid = QListWidget()
        self._listed = False
        self.grid.setAccessibleName(tr("Images of the lesson"))
        self.grid.setViewMode(QListWidget.ViewMode.IconMode)
        self.grid.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.grid.setMovement(QListWidget.Movement.Static)
        self.grid.setUniformItemSizes(True)
        self.grid.setIconSize(QSize(48, 48))
        self.grid.setGridSize(QSize(64, 78))
        self.grid.setFrameShape(QFrame.Shape.NoFrame)
        self.grid.itemActivated.connect(self._take)
        self.grid.itemClicked.connect(self._take)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.grid)

    def fill(self, picture: Callable[[int], Array | None], labels: list[str], shown: int) -> None:
        """Show pictures, the first few hundred and the one at hand; where there are none, a list."""
        self.ensurePolished()  # or its text would have another size until it is shown
        self.grid.clear()
        self._listed = picture(shown) is None
        mode = QListWidget.ViewMode.ListMode if self._listed else QListWidget.ViewMode.IconMode
        self.grid.setViewMode(mode)
        self.grid.setMovement(QListWidget.Movement.Static)
        self.grid.setGridSize(QSize() if self._listed else QSize(64, 78))
        self.grid.setAccessibleName(
            tr("What the lesson can show") if self._listed else tr("Images of the lesson")
        )
        numbers = sorted({*range(min(len(labels), _MOST_SHOWN)), shown})
        for k in numbers:
            item = QListWidgetItem(labels[k])
            item.setData(Qt.ItemDataRole.UserRole, k)
            seen = picture(k)
            if seen is None:
                item.setSizeHint(QSize(0, round(1.9 * self.fontMetrics().height())))
            else:
                item.setIcon(QIcon(thumbnail(seen, 48)))
                item.setToolTip(tr("image {number}: {label}", number=k, label=labels[k]))
            self.grid.addItem(item)
        self.grid.setCurrentRow(numbers.index(shown))

    def open_at(self, corner: QPoint, window: QRect) -> None:
        """Show the grid with its upper right corner somewhere, within a window, and give it the keyboard."""
        room = window.size()
        size = QSize(min(560, room.width() - 40), min(440, room.height() - 80))
        if self._listed:
            rows = self.grid.count() * max(1, self.grid.sizeHintForRow(0))
            size = QSize(min(320, size.width()), min(rows + 20, size.height()))
        self.resize(size)
        self.move(max(corner.x() - size.width(), window.x() + 4), corner.y())
        self.show()
        self.grid.setFocus(Qt.FocusReason.PopupFocusReason)
        self.grid.scrollToItem(self.grid.currentItem(), QListWidget.ScrollHint.PositionAtCenter)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose by Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.grid.currentItem():
            self._take(self.grid.currentItem())
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Give the keyboard back."""
        self.closed.emit()

    def _take(self, item: QListWidgetItem) -> None:
        self.hide()
        self.chosen.emit(int(item.data(Qt.ItemDataRole.UserRole)))
