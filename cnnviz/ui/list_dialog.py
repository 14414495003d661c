"""What lists of breakpoints and of watches have in common: a list, and a field in which another is typed."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QWidget,
)

from cnnviz.engine.expression import LONGEST
from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.ui.reader import Notice


class ListDialog(QDialog):
    """Lists what was set, beside a field for another one: Enter sets it, Delete takes the chosen one away.

    What is done holds at once, and is undone as all else is.

    Parameters
    ----------
    parent : QWidget
        The window over which it is.
    title : str
        What is listed.
    size : QSize
        How large it is, where the window is.
    add : str
        What the button says that sets another one.

    Attributes
    ----------
    said : Notice
        What is to be known of the field, or why something was not taken.
    """

    def __init__(self, parent: QWidget, title: str, size: QSize, add: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.list, self.field, self.said = QListWidget(), QLineEdit(), Notice()
        self.field.setMaxLength(LONGEST)
        self.said.setWordWrap(True)
        self.add_button, self.remove_button = QPushButton(add), QPushButton(tr("Remove"))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, parent=self)
        self.buttons.rejected.connect(self.reject)
        self.entry = QHBoxLayout()
        self.entry.addWidget(self.field, 1)
        self.entry.addWidget(self.add_button)
        for button in (self.add_button, self.remove_button):
            button.setAutoDefault(False)
        self.add_button.clicked.connect(self._try_to_add)
        self.field.returnPressed.connect(self._try_to_add)
        self.remove_button.clicked.connect(self.remove)
        self.resize(size.boundedTo(parent.size()))

    def add(self) -> None:
        """Set what was typed.

        Raises
        ------
        CnnvizError
            If it is refused; the sentence is shown.
        """
        raise NotImplementedError

    def remove(self) -> None:
        """Take away what is chosen in the list."""
        raise NotImplementedError

    def _try_to_add(self) -> None:
        try:
            self.add()
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave Enter to the field and the list: it never closes the dialog. Delete takes one away."""
        if event.key() == Qt.Key.Key_Delete and self.focusWidget() is self.list:
            self.remove()
        elif event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
