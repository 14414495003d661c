"""What lists of breakpoints and of watches have in common: a list, and a field in which another is typed."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
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
from cnnviz.render.tools import painting
from cnnviz.text import tr
from cnnviz.ui.reader import Notice

_MARGIN = 24


class HintedList(QListWidget):
    """A list that says what it is for while there is nothing in it.

    Parameters
    ----------
    hint : str
        What it says.
    """

    def __init__(self, hint: str) -> None:
        super().__init__()
        self.hint = hint
        self.setAccessibleDescription(hint)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the items, or the hint."""
        super().paintEvent(event)
        if self.count():
            return
        room = self.viewport().rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        with painting(self.viewport()) as painter:
            painter.setPen(self.palette().color(self.foregroundRole()))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(room, flags, self.hint)


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
    hint : str
        What the list says while nothing is set.

    Attributes
    ----------
    said : Notice
        What is to be known of the field, or why something was not taken.
    """

    def __init__(self, parent: QWidget, title: str, size: QSize, add: str, hint: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.list, self.field, self.said = HintedList(hint), QLineEdit(), Notice()
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
