"""The command palette: a field over a list of all that can be done and gone to; what is typed filters it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHeaderView,
    QLabel,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cnnviz.lesson.files import lesson_names, lesson_words
from cnnviz.scene.numbers import count
from cnnviz.scene.registry import kind_of
from cnnviz.text import tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.keys import LISTED, said
from cnnviz.ui.tour import Tour

# For text whose lines are 16 pixels high; all grows with the text.
_LINE = 16
_SIZE = QSize(760, 470)
_MARGIN, _FROM_TOP = 20, 70
_GAP = 8
_NOTHING = "No command has all of these words."
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class Command(Struct, frozen=True):
    """One entry of the palette.

    Attributes
    ----------
    text : str
        What it says.
    do : Callable[[], object]
        What it does.
    detail : str
        What stands at its right: the keys of an action, the step that a place is at.
    also : str
        Other words that it is found by.
    """

    text: str
    do: Callable[[], object]
    detail: str = ""
    also: str = ""


def commands(actions: Mapping[str, QAction], tour: Tour) -> list[Command]:
    """Return all that can be done now: actions that are enabled, lessons, and the places of this one."""
    desk = tour.desk
    places = (*_of_operations(desk), *_of_stops(tour), *_of_bookmarks(desk))
    return [*_of_actions(actions), *_of_lessons(desk), *places]


def _of_actions(actions: Mapping[str, QAction]) -> list[Command]:
    return [
        Command(
            f"{tr(title)}: {action.text()}", action.trigger, said(action), tr(key.also) if key.also else ""
        )
        for title, keys in LISTED
        for key, action in ((key, actions[key.name]) for key in keys if key.name)
        if key.name != "palette" and action.isEnabled()
    ]


def _of_lessons(desk: Desk) -> list[Command]:
    course = [(name, lesson_words(name)[0], name) for name in lesson_names()]
    files = [(file.source, file.title, Path(file.path).name) for file in desk.recent if file.is_there]
    return [
        Command(tr("Lesson: {title}", title=title), partial(desk.open, source), name)
        for source, title, name in (*course, *files)
    ]


def _of_operations(desk: Desk) -> list[Command]:
    program = desk.player.cursor.program
    made = []
    for operation, start in zip(program.operations, program.starts, strict=False):
        text, title = tr("Go to {name}", name=operation.name), kind_of(operation.call).title
        text = f"{text} · {tr(title)}" if title else text
        made.append(Command(text, partial(desk.go_to, start), _step(start)))
    return made


def _of_stops(tour: Tour) -> list[Command]:
    return [
        Command(
            tr("Stop: {caption}", caption=stop.caption),
            partial(tour.go_to_stop, stop.number),
            f"{stop.number} / {stop.count}",
        )
        for stop in tour.desk.lesson.sequence
    ]


def _of_bookmarks(desk: Desk) -> list[Command]:
    program = desk.player.cursor.program
    made = []
    for bookmark in desk.player.bookmarks:
        index, go = bookmark.index_in(program), partial(desk.go_to_bookmark, bookmark)
        if index is not None:
            text = tr("Bookmark: {place}", place=desk.player.where(index))
            made.append((index, Command(text, go, _step(index))))
        elif bookmark.form not in ("", program.form):
            text = tr("Bookmark: {name}, {form}", name=bookmark.operation, form=tr(bookmark.form))
            made.append((len(program), Command(text, go)))
    return [command for _, command in sorted(made, key=lambda pair: pair[0])]


def _step(index: int) -> str:
    return tr("step {index}", index=count(index))


# ----------------------------------------------------------------------------------------------- search


def found(commands: Sequence[Command], typed: str) -> list[Command]:
    """Return the commands that have every word typed, the best first; all of them if nothing is typed.

    A word that a command begins with counts more than one that a word of it begins with, and that more
    than one in the middle of a word, or among the other words that it is found by; among equals the order
    stays.
    """
    wanted = typed.casefold().split()
    ranked = [
        (_rank(command.text.casefold(), command.also.casefold(), wanted), command) for command in commands
    ]
    there = [(rank, command) for rank, command in ranked if rank is not None]
    return [command for _, command in sorted(there, key=lambda pair: pair[0])]


def _rank(text: str, also: str, wanted: Sequence[str]) -> int | None:
    """Return how far a text is from what is wanted, 0 the nearest; None if a word does not occur."""
    rank = 0
    for word in wanted:
        if word not in text and word not in also:
            return None
        if not text.startswith(word):
            rank += 1 if re.search(rf"(?<!\w){re.escape(word)}", text) else 10
    return rank


# ----------------------------------------------------------------------------------------------- panel


class CommandPalette(QFrame):
    """A field over a list; typing filters, arrows choose, Enter does it, Esc leaves.

    Attributes
    ----------
    closed : Signal()
        It has gone, before anything that was chosen is done: whoever owns it takes the focus back.
    """

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName(tr("Command palette"))
        self._commands: Sequence[Command] = ()
        self._found: Sequence[Command] = ()
        self.field = QLineEdit()
        self.field.setAccessibleName(tr("Words of a command, a lesson or a place"))
        self.field.setPlaceholderText(tr("Words of a command, a lesson or a place"))
        self.field.setToolTip(tr("↑ and ↓ choose, Enter does it, Esc leaves"))
        self.field.textChanged.connect(self._filter)
        self.field.installEventFilter(self)
        self.list = QTreeWidget()
        self.list.setAccessibleName(tr("Commands"))
        self.list.setColumnCount(2)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setWordWrap(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QTreeWidget.ScrollMode.ScrollPerPixel)
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.list.setItemDelegate(_Row(self.list))
        self.list.clicked.connect(self._take)
        self.nothing = QLabel(tr(_NOTHING))
        self.nothing.setObjectName("quiet")
        self.nothing.setContentsMargins(8, 8, 8, 8)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.field)
        column.addWidget(self.nothing)
        column.addWidget(self.list, 1)

    def open_in(self, window: QRect, commands: Sequence[Command]) -> None:
        """Show the palette in a window, with nothing typed yet, and give it the keyboard."""
        self._commands = commands
        self.ensurePolished()  # or its text would have another size until it is shown
        size = _SIZE * (self.fontMetrics().height() / _LINE)
        width = min(size.width(), window.width() - 2 * _MARGIN)
        self.resize(width, min(size.height(), window.height() - _FROM_TOP - _MARGIN))
        self.move(window.x() + (window.width() - width) // 2, window.y() + _FROM_TOP)
        self.show()
        self._share_width()
        self._filter("")
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _share_width(self) -> None:
        """Give the keys what they need, and the rest to what is said, which is then broken into lines."""
        widths = map(
            self.list.fontMetrics().horizontalAdvance, (command.detail for command in self._commands)
        )
        keys = max(widths, default=0) + 2 * _GAP
        bar = self.list.verticalScrollBar().sizeHint().width()
        self.list.setColumnWidth(1, keys)
        self.list.setColumnWidth(0, self.list.width() - bar - keys)

    def _filter(self, typed: str) -> None:
        self._found = found(self._commands, typed)
        self.list.clear()
        self.list.addTopLevelItems([_item(command) for command in self._found])
        self.nothing.setHidden(bool(self._found))
        self.list.setCurrentIndex(self.list.model().index(0, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the field's arrows move in the list, and Enter do what is chosen there."""
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if event.key() in _MOVES:
            QApplication.sendEvent(self.list, event)
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._found:
                self._take(self.list.currentIndex())
            return True
        return False

    def _take(self, index: QModelIndex) -> None:
        chosen = self._found[index.row()]
        self.hide()  # first: what is done may take the keyboard
        chosen.do()

    def hideEvent(self, event: QHideEvent) -> None:
        """Forget what could be done, which holds a whole lesson, and give the keyboard back."""
        self._commands = ()
        self.field.clear()
        self._filter("")
        self.closed.emit()


class _Row(QStyledItemDelegate):
    """Makes a row as high as the lines of its text; a tree's own rows have one line."""

    def __init__(self, tree: QTreeWidget) -> None:
        super().__init__(tree)
        self._tree = tree

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of one part of a row."""
        width, metrics = self._tree.columnWidth(index.column()), self._tree.fontMetrics()
        room = QRect(0, 0, width - _GAP, 10_000)
        lines = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, index.data()).height()
        return QSize(width, lines + metrics.height() // 2)


def _item(command: Command) -> QTreeWidgetItem:
    item = QTreeWidgetItem([command.text, command.detail])
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    both = tr("{command}, {keys}", command=command.text, keys=command.detail) if command.detail else ""
    item.setData(0, Qt.ItemDataRole.AccessibleTextRole, both or command.text)
    return item
