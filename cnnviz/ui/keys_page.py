"""The page of all keys: it shows what each action's keys are, and changes them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from PySide6.QtCore import QKeyCombination, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cnnviz.text import tr
from cnnviz.ui.keymap import MOST_KEYS, Keymap, combination, refusal
from cnnviz.ui.keys import KEYS, LISTED, spelt
from cnnviz.ui.reader import Notice

_SIZE = QSize(720, 900)
"""The most that the page takes."""

_TITLE = QSize(16, 48)
"""Pixels: what a system's title bar and borders take at most, over a window that fills the screen."""

_NAME = Qt.ItemDataRole.UserRole


class KeysPage(QDialog):
    """Lists every action with its keys, from the same table as the menus; what is changed holds at once.

    Parameters
    ----------
    parent : QWidget
        The window over which it is.
    keymap : Keymap
        The keys as they are.
    taken : Callable[[Keymap], object]
        Takes them as they are wanted.
    """

    def __init__(self, parent: QWidget, keymap: Keymap, taken: Callable[[Keymap], object]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Keys"))
        self.keymap, self._taken = keymap, taken
        self._make_parts()
        self._lay_out()
        room = self.screen().availableSize() - _TITLE
        self.resize(_SIZE.boundedTo(parent.size()).boundedTo(room))
        self._fill()
        self.list.setCurrentItem(self.items["open"])
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._go_to_found)
        self.list.currentItemChanged.connect(self._choose)
        self.list.itemActivated.connect(lambda: self.field.setFocus(Qt.FocusReason.ShortcutFocusReason))
        self.field.keySequenceChanged.connect(self._look_at)
        self.field.left.connect(self.list.setFocus)
        self.replace_button.clicked.connect(lambda: self._take(()))
        self.add_button.clicked.connect(lambda: self._take(self.keymap.keys(self.chosen)))
        self.restore_button.clicked.connect(lambda: self._put(self.keymap.restored(self.chosen)))
        self.restore_all.clicked.connect(lambda: self._put(Keymap(single=self.keymap.single)))
        self.single.toggled.connect(lambda on: self._put(replace(self.keymap, single=on)))
        self._choose()

    def _make_parts(self) -> None:
        words = tr("Words of an action, or a key")
        self.search = QLineEdit()
        self.search.setAccessibleName(words)
        self.search.setPlaceholderText(words)
        self.list = QTreeWidget()
        self.list.setAccessibleName(tr("Actions and their keys"))
        self.list.setHeaderLabels([tr("Action"), tr("Keys")])
        self.list.setUniformRowHeights(True)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.field_name = QLabel()
        self.field = KeyField()
        self.field.setClearButtonEnabled(True)
        self.field_name.setBuddy(self.field)
        self.replace_button, self.add_button = QPushButton(tr("Replace")), QPushButton(tr("Add"))
        self.restore_button = QPushButton(tr("Restore"))
        self.said = Notice()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.single = QCheckBox(tr("Single keys: letters, digits and signs without Ctrl or Alt"))
        self.single.setChecked(self.keymap.single)
        self.single.setToolTip(tr("What a presenter's remote sends works in any case"))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, parent=self)
        self.restore_all = self.buttons.addButton(tr("Restore all"), QDialogButtonBox.ButtonRole.ResetRole)
        self.buttons.rejected.connect(self.reject)
        buttons = (self.add_button, self.replace_button, self.restore_button, *self.buttons.buttons())
        for button in buttons:
            button.setAutoDefault(False)  # type: ignore[attr-defined]

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.field, 1)
        for button in (self.add_button, self.replace_button, self.restore_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addWidget(self.field_name)
        column.addLayout(row)
        column.addWidget(self.said)
        column.addWidget(self.single)
        column.addWidget(self.buttons)

    # ----------------------------------------------------------------------------------------- the list

    def _fill(self) -> None:
        self.items: dict[str, QTreeWidgetItem] = {}
        self.heads: list[QTreeWidgetItem] = []
        for title, keys in LISTED:
            head = QTreeWidgetItem(self.list, [tr(title)])
            self.heads.append(head)
            head.setFlags(Qt.ItemFlag.ItemIsEnabled)
            for key in keys:
                if key.name:
                    item = QTreeWidgetItem(head, [tr(key.text)])
                    item.setData(0, _NAME, key.name)
                    self.items[key.name] = item
        self.list.expandAll()
        self._say_keys()

    def _say_keys(self) -> None:
        """Write each action's keys, with a word at those that are switched off."""
        for name, item in self.items.items():
            working = self.keymap.working(name)
            keys = [
                spelt(key) if key in working else tr("{key} (off)", key=spelt(key))
                for key in self.keymap.keys(name)
            ]
            item.setText(1, ", ".join(keys))
            said = tr("{action}: {keys}", action=item.text(0), keys=item.text(1) or tr("no key"))
            item.setData(0, Qt.ItemDataRole.AccessibleTextRole, said)
            font = item.font(1)
            font.setBold(name in self.keymap.changed)
            item.setFont(1, font)

    def _filter(self, typed: str) -> None:
        """Show the actions that have all that is typed in their words or keys."""
        words = typed.casefold().split()
        for item in self.items.values():
            whole = f"{item.text(0)} {item.text(1)}".casefold()
            item.setHidden(not all(word in whole for word in words))
        for head in self.heads:
            head.setHidden(not any(item.parent() is head for item in self._seen()))
        seen, current = self._seen(), self.list.currentItem()
        if current in seen:
            self.list.scrollToItem(current)
        else:  # what is out of sight must not be changed
            self.list.setCurrentItem(seen[0] if seen else self.heads[0])

    def _seen(self) -> list[QTreeWidgetItem]:
        return [item for item in self.items.values() if not item.isHidden()]

    def _go_to_found(self) -> None:
        self.list.setFocus(Qt.FocusReason.TabFocusReason)

    # ------------------------------------------------------------------------------------------- one key

    @property
    def chosen(self) -> str:
        """The action that is chosen in the list; empty where a heading is."""
        item = self.list.currentItem()
        return str(item.data(0, _NAME) or "") if item else ""

    def _choose(self) -> None:
        name = self.chosen
        self.field_name.setText(tr("Key for “{action}”", action=tr(KEYS[name].text)) if name else "")
        for part in (self.field, *self.field.findChildren(QLineEdit)):
            part.setAccessibleName(self.field_name.text())
        self.field.clear()
        self.field.setEnabled(bool(name))
        self._look_at()

    def _look_at(self) -> None:
        """Say whose the key is that was pressed, and what can be done with it."""
        key, name = self.field.key, self.chosen
        no, holder = (refusal(key), self.keymap.holder(key)) if key else ("", "")
        if no:
            self.said.say(no)
        elif key and name and len(self.keymap.keys(name)) >= MOST_KEYS:
            self.said.say(tr("It has {most} keys, and more are not kept: replace them.", most=MOST_KEYS))
        elif holder == name and key:
            self.said.say(tr("{key} is its key already.", key=spelt(key)))
        elif holder:
            other = tr(KEYS[holder].text)
            self.said.say(
                tr("{key} is a key of “{other}”, which would lose it.", key=spelt(key), other=other)
            )
        else:
            self.said.say(self._lost_by_restoring(name) if name in self.keymap.changed and not key else "")
        own = self.keymap.keys(name) if name else ()
        can_lose = name and self.keymap.with_keys(name, ()).keys(name) != own
        self.add_button.setEnabled(bool(key and name and not no and holder != name and len(own) < MOST_KEYS))
        self.replace_button.setEnabled(bool(name and not no and (key or can_lose)))
        self.replace_button.setText(tr("Replace") if key else tr("Have no key"))
        self.restore_button.setEnabled(name in self.keymap.changed)
        if key and not no and self.field.hasFocus():
            self.replace_button.setFocus(Qt.FocusReason.TabFocusReason)

    def _lost_by_restoring(self, name: str) -> str:
        """Say which actions would lose a key if another had its own again; empty where none would."""
        holders = {key: self.keymap.holder(key) for key in KEYS[name].keys}
        return " ".join(
            tr("Restore takes {key} from “{other}”.", key=spelt(key), other=tr(KEYS[holder].text))
            for key, holder in holders.items()
            if holder not in ("", name)
        )

    def _take(self, before: tuple[str, ...]) -> None:
        added = (self.field.key,) if self.field.key else ()
        self._put(self.keymap.with_keys(self.chosen, (*before, *added)))
        self.list.setFocus(Qt.FocusReason.TabFocusReason)

    def _put(self, keymap: Keymap) -> None:
        self.keymap = keymap
        self._taken(keymap)
        self._say_keys()
        self._choose()


class KeyField(QKeySequenceEdit):
    """Takes the key that is pressed in it; Esc leaves it, Tab goes on.

    Attributes
    ----------
    left : Signal()
        Esc was pressed.
    """

    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setMaximumSequenceLength(1)

    @property
    def key(self) -> str:
        """The key as the table writes it; empty where none was pressed."""
        sequence = self.keySequence()
        if not sequence.count():
            return ""
        pressed = combination(sequence)
        modifiers = pressed.keyboardModifiers() & ~Qt.KeyboardModifier.KeypadModifier
        plain = QKeySequence(QKeyCombination(modifiers, pressed.key()))
        return plain.toString(QKeySequence.SequenceFormat.PortableText)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take the key."""
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            self.clear()
            self.left.emit()
        else:
            super().keyPressEvent(event)
