"""What differs from the lesson, as a list: each item can be taken back, and all of them."""

from __future__ import annotations

from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnviz.lesson.changes import Change, change_said
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.numbers import full
from cnnviz.text import tr
from cnnviz.ui.desk import Desk


class ChangesList(QDialog):
    """Lists the changes of the lesson on the desk, with what is in the file; it stays while they go.

    Parameters
    ----------
    parent : QWidget
        The window that it belongs to.
    desk : Desk
        Whose lesson it is about.
    """

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        super().__init__(parent)
        self._desk = desk
        self.setWindowTitle(tr("What differs from the lesson"))
        self.said = QLabel()
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Changes of the lesson"))
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.installEventFilter(self)
        self.list.itemDoubleClicked.connect(lambda _: self.take_back())
        self.list.itemSelectionChanged.connect(self._offer)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.one = QPushButton(tr("Take back"))
        self.one.setToolTip(tr("The chosen ones are as in the lesson again (Delete)"))
        self.all = QPushButton(tr("Take back all"))
        for button, done in ((self.one, self.take_back), (self.all, desk.take_back_changes)):
            button.setAutoDefault(False)
            button.clicked.connect(done)
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for widget in (self.said, self.list, buttons):
            column.addWidget(widget)
        self.resize(560, 360)
        for signal in (desk.changed, desk.edited):
            signal.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """List what is changed now; the row that was chosen stays chosen, or the one that follows it."""
        lesson, row = self._desk.lesson, max(0, self.list.currentRow())
        self.said.setText(many(len(lesson.changes)))
        self.list.clear()
        for change in lesson.changes:
            item = QListWidgetItem(told(lesson, change))
            item.setData(Qt.ItemDataRole.UserRole, change)
            self.list.addItem(item)
        self.list.setCurrentRow(min(row, self.list.count() - 1))
        self._offer()

    def _offer(self) -> None:
        self.one.setEnabled(bool(self.list.selectedItems()))
        self.all.setEnabled(self.list.count() > 0)

    def take_back(self) -> None:
        """Take back what is chosen."""
        chosen = [item.data(Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()]
        if chosen:
            self._desk.take_back(*chosen)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take back by Delete."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            wanted = event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
            if wanted:
                self.take_back()
            return wanted
        return False


def many(count: int) -> str:
    """Say how many changes there are."""
    if count == 1:
        return tr("1 change")
    return tr("{count} changes", count=count) if count else tr("All is as the lesson has it.")


def told(lesson: Lesson, change: Change) -> str:
    """Return a change, and what is in the file; nothing of that, where it has no such place."""
    try:
        value = lesson.description.subject.value(change)
    except (LookupError, AttributeError):  # a cell of what a changed argument has made larger
        return change_said(change)
    if isinstance(value, float):
        before = full(value)
    else:
        before = change_said(replace(change, value=value)).partition("=")[2]
    return tr("{change}   in the lesson {value}", change=change_said(change), value=before or tr("none"))
