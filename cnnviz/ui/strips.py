"""What went wrong, said over the stage; strips under the top bar that ask. None takes the window away."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QEnterEvent, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from cnnviz.engine.expression import FUNCTIONS, LONGEST
from cnnviz.errors import CnnvizError
from cnnviz.scene.theme import Theme
from cnnviz.text import plain, tr
from cnnviz.ui.keys import spelt
from cnnviz.ui.reader import Notice, tell
from cnnviz.ui.style import icon
from cnnviz.ui.timer import Timer

_NOTE_STAYS = 5_000
_FAULT_STAYS = 12_000
"""Milliseconds: of a note, and of a fault in the lecture view; under the pointer, either stays."""

_FIELD = (120, 380)
"""Pixels: the least and the most that a field has of a strip's width."""

LINES_IN_LECTURE = 49
"""The height of the lecture view is at most so many times that of its text."""


class Strip(QWidget):
    """A line across the window that can be closed; hidden until it has something to say."""

    closed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(18, 5, 10, 5)
        self.row.setSpacing(10)
        self.sentence = Notice()
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.close_button = QToolButton()
        self.close_button.setObjectName("tool")
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.setAccessibleName(tr("Close"))
        self.close_button.setToolTip(tr("Close ({key})", key=spelt("Esc")))
        self.close_button.clicked.connect(self.shut)
        self.hide()

    def _finish(self) -> None:
        self.row.addWidget(self.sentence, 1)
        self.row.addWidget(self.close_button)

    def shut(self) -> None:
        """Close it; whoever owns it takes the focus back.

        That comes first: where what has the focus is hidden, Qt gives it away as Tab does, with a ring.
        """
        if not self.isHidden():
            self.closed.emit()
            self.hide()

    def set_look(self, theme: Theme) -> None:
        """Take colours."""
        self.close_button.setIcon(icon("close", theme.color("ink")))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close by Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.shut()
        else:
            super().keyPressEvent(event)


class MessageStrip(Strip):
    """Says what happened and what to do, over the lower edge of the window, so that nothing moves.

    There lies what can be spared for a while: where one is, in words. It lies at the right, no wider than
    what it says.

    Parameters
    ----------
    over : QWidget
        The window.

    Attributes
    ----------
    told : Signal(str)
        This is said; nothing any more, where it is empty.
    """

    told = Signal(str)

    def __init__(self, over: QWidget) -> None:
        super().__init__(tr("Message"))
        self.setParent(over)
        self.setProperty("place", "over")
        over.installEventFilter(self)
        self._over, self._lecture = over, False
        self._end = Timer(self, self._fade)
        self._end.setSingleShot(True)
        self.sign = QLabel()
        self.row.addWidget(self.sign)
        self.offer = QPushButton()
        self.offer.hide()
        self._accept: Callable[[], None] = self.shut
        self.offer.clicked.connect(self._take_offer)
        self._finish()
        self.row.insertWidget(self.row.indexOf(self.close_button), self.offer)

    def say(
        self, sentence: str, error: bool = True, offer: tuple[str, Callable[[], None]] | None = None
    ) -> None:
        """Show a sentence until it is closed or another one comes; a note goes by itself.

        Parameters
        ----------
        offer : tuple[str, Callable], optional
            What a button beside it says, and does.
        """
        self._say(plain(sentence), error, offer)

    def _say(self, sentence: str, error: bool, offer: tuple[str, Callable[[], None]] | None = None) -> None:
        self.offer.setVisible(offer is not None)
        if offer is not None:
            self.offer.setText(offer[0])
            self._accept = offer[1]
        kind = "error" if error else "note"
        if not self.isHidden() and (self.property("kind"), self.sentence.text()) == (kind, sentence):
            self._time()
            return
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self.sign.setVisible(error)
        self.sentence.setText(sentence)
        self.sentence.setAccessibleName(sentence)
        self._place()
        self.show()
        self.raise_()
        self._time()
        self.told.emit(sentence)
        tell(self, sentence, urgent=error)

    def _take_offer(self) -> None:
        self.shut()
        self._accept()

    def add(self, sentence: str, error: bool = True) -> None:
        """Show a sentence, below the one that is shown if there is one."""
        above, sentence = [] if self.isHidden() else self.sentence.text().splitlines(), plain(sentence)
        self._say("\n".join([*above, sentence] if sentence not in above else above), error)

    @property
    def is_fault(self) -> bool:
        """Whether what is shown is more than a note."""
        return not self.isHidden() and self.property("kind") == "error"

    def set_lecture(self, on: bool) -> None:
        """Write large, and let faults go by themselves, too, while the lecture view is on."""
        self._lecture = on
        if not self.isHidden():
            self._place()
            self._time()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Keep to the lower right corner of what it lies on; headings and captions are above."""
        if watched is self._over and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def enterEvent(self, event: QEnterEvent) -> None:
        """Stay while it is being read."""
        self._end.stop()

    def leaveEvent(self, event: QEvent) -> None:
        """Go some time after it was read."""
        self._time()

    def showEvent(self, event: QShowEvent) -> None:
        """Take the size that its text has now that it has a style."""
        self._place()

    def hideEvent(self, event: QHideEvent) -> None:
        """Say no more."""
        self.told.emit("")

    def _place(self) -> None:
        size = ceil(self.window().height() / LINES_IN_LECTURE) if self._lecture else 0
        self.sentence.setStyleSheet(f"font-size: {size}px" if size else "")
        self.sentence.ensurePolished()
        metrics, margins = self.sentence.fontMetrics(), self.row.contentsMargins()
        lines = self.sentence.text().splitlines() or [""]
        own = (self.sign, self.close_button, *([] if self.offer.isHidden() else [self.offer]))
        beside = sum(part.sizeHint().width() for part in own)
        wide = max(metrics.horizontalAdvance(line) for line in lines) + beside + 3 * self.row.spacing()
        wide = min(self._over.width(), wide + margins.left() + margins.right())
        high = self.row.totalHeightForWidth(wide)
        self.setGeometry(self._over.width() - wide, self._over.height() - high, wide, high)

    def _time(self) -> None:
        """Begin to count how long the sentence stays."""
        if self.property("kind") == "note":
            self._end.start(_NOTE_STAYS)
        elif self._lecture:
            self._end.start(_FAULT_STAYS)
        else:
            self._end.stop()

    def _fade(self) -> None:
        """Go without taking the focus from where it is, unless it is here."""
        if self.close_button.hasFocus():
            self.shut()
        else:
            self.hide()

    def set_look(self, theme: Theme) -> None:
        """Take colours."""
        super().set_look(theme)
        self.sign.setPixmap(icon("alert", theme.color("alert")).pixmap(20, 20))


class FieldStrip(Strip):
    """A field to type into; what is wrong with the text is said beside it.

    Parameters
    ----------
    name : str
        What stands before the field.
    hint : str
        What stands behind it while nothing is wrong.
    take : Callable[[str], None]
        Does what a text says, or raises CnnvizError.
    """

    def __init__(self, name: str, hint: str, take: Callable[[str], None]) -> None:
        super().__init__(name)
        self._take, self._hint_text = take, hint
        self.field = QLineEdit()
        self.field.returnPressed.connect(self._accept)
        self.field.textEdited.connect(lambda: self._hint())
        self.field.installEventFilter(self)
        self.row.addWidget(QLabel(name))
        self.row.addWidget(self.field, 1)  # what is said beside it has as much, and all that it leaves
        self.field.setMinimumWidth(_FIELD[0])
        self.field.setMaximumWidth(_FIELD[1])
        self._finish()

    def ask(self, text: str | None = None) -> None:
        """Show the field, with a text if one is given, and give it the keyboard."""
        if text is not None:
            self.field.setText(text)
        self._hint()
        self.show()
        self.activateWindow()  # it may be asked for from the presenter window
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Let Esc close the strip before the window's own Esc sees it."""
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        if event.key() == Qt.Key.Key_Escape:
            event.accept()
        return event.key() == Qt.Key.Key_Escape

    def _hint(self) -> None:
        self.sentence.say(self._hint_text)

    def _accept(self) -> None:
        try:
            self._take(self.field.text())
        except CnnvizError as error:
            self.sentence.say(str(error), urgent=True)
            self._after_a_slip()
        else:
            self.shut()

    def _after_a_slip(self) -> None:
        """Let what is typed next take the place of what was wrong."""
        self.field.selectAll()


class GoStrip(FieldStrip):
    """A field for a step's number or a cell.

    Parameters
    ----------
    go : Callable[[str], None]
        Goes to what a text names, or raises CnnvizError.
    """

    def __init__(self, go: Callable[[str], None]) -> None:
        hint = tr("a step's number, or a cell as in conv1[2,3,4] or conv1.dw[0,0,1,2]")
        super().__init__(tr("Go to"), hint, go)
        self.field.setAccessibleName(tr("Step or cell to go to"))
        self.field.setPlaceholderText("1034, conv1[2,3,4]")
        self.field.setToolTip(
            tr("A step's number, or the cell whose step to go to ({key})", key=spelt("Enter"))
        )


class ExpressionStrip(FieldStrip):
    """A field for an expression with its values.

    Parameters
    ----------
    take : Callable[[str], None]
        Steps through it, or raises CnnvizError.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        hint = tr(
            "+ − * / **, {functions}, with ; between statements; then a value for each name",
            functions=", ".join(FUNCTIONS),
        )
        super().__init__(tr("Expression"), hint, take)
        self.setAccessibleName(tr("Type an expression"))
        self.field.setMaxLength(2 * LONGEST)
        self.field.setAccessibleName(tr("Expression, and the values of its names"))
        self.field.setPlaceholderText(EXAMPLE)
        tip = tr("An expression, or several as in q = x + y; L = q * z, then values ({key})")
        self.field.setToolTip(tip.format(key=spelt("Enter")))

    def _after_a_slip(self) -> None:
        """Let the text stay as it is: mostly something is missing at its end."""
        self.field.end(False)


class ChangeStrip(FieldStrip):
    """A field for changes of the lesson, as ``--set`` takes them.

    Parameters
    ----------
    take : Callable[[str], None]
        Makes them, or raises CnnvizError.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        hint = tr("also numbers, as in conv1.b[0]=0.5 input[0,2,3]=1 label=4")
        super().__init__(tr("Change"), hint, take)
        self.field.setMaximumWidth(3 * _FIELD[1])
        self.field.setAccessibleName(tr("Changes of the lesson"))
        self.field.setPlaceholderText("conv1.stride=2")
        self.field.setToolTip(tr("What is changed, and its value ({key})", key=spelt("Enter")))

    def _after_a_slip(self) -> None:
        """Let the text stay as it is: mostly one value of several does not fit."""
        self.field.end(False)


EXAMPLE = "(x + y) * z   x=-2 y=5 z=-4"
