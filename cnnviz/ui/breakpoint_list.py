"""The list of breakpoints: each can be switched off, taken away and gone to; others are set."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui.breakpoints import WORDS, breakpoint_said
from cnnviz.ui.list_dialog import ListDialog
from cnnviz.ui.player import Player

_SIZE = QSize(680, 460)

_HINTS = {
    Kind.CONDITION: "acc < 0 and i == j",
    Kind.WRITTEN: "conv1.y[0,0,0]",
    Kind.READ: "conv1.w[0,0,1,1]",
    Kind.GRADIENT: "0.1",
}
"""What is to be typed, by an example; of the others, nothing is."""

_PLACED = (Kind.CONDITION, Kind.CLIPS, Kind.WINNER, Kind.GRADIENT)
"""What may be waited for in one operation only."""


class BreakpointList(ListDialog):
    """Lists the breakpoints with a check box each, over a row in which another one is put together.

    Parameters
    ----------
    parent : QWidget
        The window over which it is.
    player : Player
        Whose breakpoints they are.
    run, back : str
        The keys that run to the next one, and back to the one before.
    """

    def __init__(self, parent: QWidget, player: Player, run: str, back: str) -> None:
        hint = tr("Nothing stops a run yet. Choose below where it is to stop, and set that.")
        super().__init__(parent, tr("Breakpoints"), _SIZE, tr("Set"), hint)
        self.player = player
        self._runs = tr("It is set: {run} runs to where it stops next, {back} back.", run=run, back=back)
        step = player.cursor.step
        self.list.setAccessibleName(tr("Breakpoints; Space switches one on or off, Delete removes it"))
        self.kind, self.where = QComboBox(), QComboBox()
        for kind, words in WORDS.items():
            self.kind.addItem(tr(words), kind)
        self.kind.setAccessibleName(tr("Stop where"))
        self.where.setAccessibleName(tr("In which operation"))
        self.field.setAccessibleName(tr("What is to hold, or the cell, or the size"))
        name = step.operation.name
        self.where.addItem(tr("anywhere"), ("", 0))
        self.where.addItem(tr("in {operation}", operation=name), (name, 0))
        for line in range(2, len(step.operation.tree.source) + 1):
            self.where.addItem(tr("in {operation}, line {line}", operation=name, line=line), (name, line))
        self.go_button = QPushButton(tr("Go there"))
        self._lay_out()
        self.list.itemChanged.connect(self._switch)
        self.list.itemActivated.connect(self._go)
        self.list.currentRowChanged.connect(self._offer)
        self.kind.currentIndexChanged.connect(self._ask)
        self.go_button.clicked.connect(self._go)
        player.changed.connect(self._fill)
        self._fill()
        self._ask()
        (self.list if player.breakpoints else self.kind).setFocus()

    def _lay_out(self) -> None:
        whole, row = QVBoxLayout(self), QHBoxLayout()
        self.go_button.setAutoDefault(False)
        whole.addWidget(self.list, 1)
        whole.addWidget(QLabel(tr("Stop where")))
        for part in (self.kind, self.where):
            row.addWidget(part, 1)
        whole.addLayout(row)
        whole.addLayout(self.entry)
        whole.addWidget(self.said)
        self.buttons.addButton(self.go_button, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.addButton(self.remove_button, QDialogButtonBox.ButtonRole.ActionRole)
        whole.addWidget(self.buttons)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Have Enter set what is put together, from the choices, too."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and self.focusWidget() in (self.kind, self.where):
            self.add_button.click()
        else:
            super().keyPressEvent(event)

    @property
    def chosen(self) -> Breakpoint | None:
        """The breakpoint that is chosen in the list."""
        row = self.list.currentRow()
        points = self.player.breakpoints
        return points[row] if 0 <= row < len(points) else None

    def _fill(self) -> None:
        row = self.list.currentRow()
        with QSignalBlocker(self.list):
            self.list.clear()
            for point in self.player.breakpoints:
                said = breakpoint_said(point)
                item = QListWidgetItem(said if point.on else tr("{point} — off", point=said), self.list)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if point.on else Qt.CheckState.Unchecked)
            self.list.setCurrentRow(max(0, min(row, self.list.count() - 1)))
        self._offer()

    def _offer(self) -> None:
        for button in (self.go_button, self.remove_button):
            button.setEnabled(self.chosen is not None)

    def _ask(self) -> None:
        """Ask for what the kind of breakpoint needs, and for nothing else."""
        kind = self.kind.currentData()
        self.field.setEnabled(kind in _HINTS)
        self.field.setPlaceholderText(_HINTS.get(kind, ""))
        self.where.setEnabled(kind in _PLACED or kind is Kind.OPERATION)
        if kind is Kind.OPERATION and self.where.currentIndex() == 0:
            self.where.setCurrentIndex(1)
        told = tr("A condition without a line stops where it becomes true.")
        self.said.say(told if kind is Kind.CONDITION else "")

    def add(self) -> None:
        """Set what is put together."""
        kind = Kind(self.kind.currentData())
        operation, line = self.where.currentData() if self.where.isEnabled() else ("", 0)
        what = self.field.text().strip() if kind in _HINTS else ""
        line = line if kind is Kind.CONDITION else 0
        self.player.set_breakpoint(Breakpoint(operation, line, kind=kind, what=what))
        self.list.setCurrentRow(self.list.count() - 1)
        self._ask()
        self.said.say(self._runs)

    def _switch(self, item: QListWidgetItem) -> None:
        point = self.player.breakpoints[self.list.row(item)]
        self.player.switch_breakpoint(point, item.checkState() is Qt.CheckState.Checked)

    def _go(self) -> None:
        point = self.chosen
        if point is not None:
            self.accept()
            self.player.go_to_breakpoint(point)

    def remove(self) -> None:
        """Take the chosen breakpoint away."""
        point = self.chosen
        if point is not None:
            self.player.remove_breakpoint(point)
