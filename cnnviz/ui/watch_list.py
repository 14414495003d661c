"""What is watched: a list, and of the one that is chosen a table and a curve of all that it comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPaintEvent, QPolygonF
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidgetItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.render.tools import painting, pen
from cnnviz.scene.numbers import brief, count
from cnnviz.scene.panels.watches import answer_said
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.text import tr
from cnnviz.trace.program import Program
from cnnviz.trace.watch import read_watch, value_at
from cnnviz.trace.watched import MOST_ROWS, History, over_steps
from cnnviz.ui.desk import Desk
from cnnviz.ui.list_dialog import ListDialog
from cnnviz.ui.waiting import patiently
from cnnviz.working import StoppedError, each

_SIZE = QSize(940, 560)
_STEPS, _ITERATIONS = 0, 1
_WHERE = 1  # the column that says where a row is

AnyIndex = QModelIndex | QPersistentModelIndex


class WatchList(ListDialog):
    """Lists the watches; a row of the table of the chosen one, or a click on its curve, goes there.

    It stays open while one goes from row to row.

    Parameters
    ----------
    parent : QWidget
        The window over which it is.
    desk : Desk
        Whose lesson is watched.
    """

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        hint = tr("Nothing is watched yet. Type a variable, a cell or more below, as y[o].max().")
        super().__init__(parent, tr("Watches"), _SIZE, tr("Watch"), hint)
        self.desk, self.player = desk, desk.player
        self._program = self.player.cursor.program
        self.list.setAccessibleName(tr("Watches; Enter edits one, Delete removes it"))
        self.list.setEditTriggers(self.list.EditTrigger.NoEditTriggers)
        self.list.itemActivated.connect(self.list.editItem)
        self.list.itemChanged.connect(self._edit)
        self.field.setAccessibleName(tr("What to watch"))
        self.field.setPlaceholderText("y[o].max()")
        self.over = QComboBox()
        self.over.setAccessibleName(tr("Over what"))
        self.over.addItem(
            tr("over all steps of {operation}", operation=self.player.cursor.step.operation.name)
        )
        if desk.lesson.run is not None:
            self.over.addItem(tr("over all iterations of the training, at this step"))
        self.rows = Rows(self)
        self.table = QTableView()
        self.table.setModel(self.rows)
        self.table.setAccessibleName(tr("What it comes to; Enter goes there"))
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.table.verticalHeader().hide()
        heading = self.table.horizontalHeader()
        heading.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        heading.setSectionResizeMode(_WHERE, QHeaderView.ResizeMode.Stretch)
        self.curve = Curve(theme_of(self.player.display))
        self._lay_out()
        self.list.currentTextChanged.connect(lambda: self._look())
        self.over.currentIndexChanged.connect(lambda: self._look())
        self.table.clicked.connect(lambda index: self._go(index.row()))
        self.table.activated.connect(lambda index: self._go(index.row()))
        self.curve.chosen.connect(self._go)
        desk.changed.connect(self.close)  # another lesson has other steps
        desk.edited.connect(self._look_again)  # and another number may have other numbers
        self._fill()
        (self.table if self.player.watches else self.field).setFocus()

    def _lay_out(self) -> None:
        whole, sides = QVBoxLayout(self), QHBoxLayout()
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(QLabel(tr("Watches, shown at each step below the variables")))
        left.addWidget(self.list, 1)
        left.addWidget(self.remove_button)
        left.addLayout(self.entry)
        right.addWidget(self.over)
        right.addWidget(self.curve, 2)
        right.addWidget(self.table, 3)
        sides.addLayout(left, 2)
        sides.addLayout(right, 3)
        whole.addLayout(sides, 1)
        whole.addWidget(self.said)
        whole.addWidget(self.buttons)

    def _fill(self, chosen: str = "") -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for text in self.player.watches:
            item = QListWidgetItem(text, self.list)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        here = self.player.watches.index(chosen) if chosen in self.player.watches else 0
        self.list.setCurrentRow(here if self.player.watches else -1)
        self.list.blockSignals(False)
        self._look()

    def add(self) -> None:
        """Watch what was typed."""
        text = self.field.text().strip()
        self.player.add_watch(text)
        self.field.clear()
        self._fill(text)

    def _edit(self, item: QListWidgetItem) -> None:
        old, text = self.player.watches[self.list.row(item)], item.text().strip()
        try:
            self.player.replace_watch(old, text)
        except CnnvizError as error:
            self._fill(old)
            self.said.say(str(error), urgent=True)
            return
        self._fill(text)

    def remove(self) -> None:
        """Watch the chosen one no more."""
        item = self.list.currentItem()
        if item is not None:
            self.player.remove_watch(item.text())
            self._fill()

    def _look(self) -> None:
        """Show what the chosen watch comes to."""
        item, chosen = self.list.currentItem(), self.over.currentIndex()
        self.remove_button.setEnabled(item is not None)
        found, said = History(np.zeros(0, np.intp), np.zeros(0)), ""
        if item is not None:
            look = self._over_iterations if chosen == _ITERATIONS else self._over_steps
            try:
                title = tr("Looking at {text} …", text=item.text())
                found = patiently(look(item.text()), title, self)
            except CnnvizError as error:
                said = str(error)
            except StoppedError:
                said = tr("It was not looked at: cancelled.")
            else:
                most = count(MOST_ROWS)
                said = "" if found.whole else tr("These are the first {most} changes.", most=most)
                if not len(found.places):
                    said = tr("It has no value here: what it names belongs to other steps.")
        self.said.say(said)
        where = (lambda row: "") if chosen == _ITERATIONS else self.player.where
        self.rows.show(found, tr("iteration") if chosen == _ITERATIONS else tr("step"), where)
        self.curve.show_history(found)

    def _look_again(self) -> None:
        if self.over.currentIndex() == _STEPS:
            self._look()

    def _over_steps(self, text: str) -> Callable[[], History]:
        # In a thread of its own, while the panes ask the program for what they paint.
        program = self._program = self.player.cursor.program
        name = self.player.cursor.step.operation.name
        self.over.setItemText(_STEPS, tr("over all steps of {operation}", operation=name))

        def look() -> History:
            apart = Program([operation.call for operation in program.operations])
            return over_steps(apart, read_watch(text), apart.operation(name))

        return look

    def _over_iterations(self, text: str) -> Callable[[], History]:
        lesson, index = self.desk.lesson, self.player.cursor.index
        run, watch = lesson.run, read_watch(text)
        assert run is not None

        def look() -> History:
            places, values = list[int](), list[Any]()
            for iteration in each(tr("iterations"), range(run.last + 1)):
                program = lesson.at_iteration(iteration).program
                answer = value_at(program, watch, min(index, len(program) - 1))
                if isinstance(answer, np.ndarray) and answer.size == 1:
                    answer = answer.item()
                if isinstance(answer, np.ndarray):
                    raise CnnvizError(
                        tr("{text} is many numbers; add .max() or .mean(), or name a cell.", text=text)
                    )
                if answer is not None:
                    places.append(iteration)
                    values.append(answer)
            return History(np.array(places, np.intp), np.array(values))

        return look

    def _go(self, row: int) -> None:
        """Go to where a row is."""
        places = self.rows.history.places
        if not 0 <= row < len(places):
            return
        self.table.selectRow(row)
        self.curve.mark(row)
        if self.over.currentIndex() == _ITERATIONS:
            self.desk.changed.disconnect(self.close)  # it is the same training
            self.desk.go_to_iteration(int(places[row]))
            self.desk.changed.connect(self.close)
        elif self._program is not self.player.cursor.program:  # it is in the other form now
            self._look()
        else:
            self.desk.go_to(int(places[row]))


class Rows(QAbstractTableModel):
    """The rows of a table: a step or an iteration, where that is, the number; written when they are seen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.history = History(np.zeros(0, np.intp), np.zeros(0))
        self._heading = ""
        self._where: Callable[[int], str] = lambda place: ""

    def show(self, history: History, heading: str, where: Callable[[int], str]) -> None:
        """Have other rows."""
        self.beginResetModel()
        self.history, self._heading, self._where = history, heading, where
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        """Return how many there are."""
        return 0 if parent.isValid() else len(self.history.places)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        """Return that there are three."""
        return 0 if parent.isValid() else 3

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return what stands there."""
        if role == Qt.ItemDataRole.DisplayRole:
            place = int(self.history.places[index.row()])
            value = self.history.values[index.row()].item()
            return (count(place), self._where(place), answer_said(value))[index.column()]
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return what a column is."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return (self._heading, tr("where"), tr("value"))[section]
        return None


class Curve(QWidget):
    """What a watch comes to, as a line: each number lasts until the next; a click chooses a row.

    Attributes
    ----------
    chosen : Signal(int)
        The row that was clicked.
    """

    chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme, self._row = theme, -1
        self._places: NDArray[Any] = np.zeros(0)
        self._values: NDArray[Any] = np.zeros(0)
        self.setMinimumHeight(90)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(tr("Curve of what it comes to"))

    def show_history(self, history: History) -> None:
        """Draw another line."""
        values = history.values.astype(float)
        self._places, self._values, self._row = history.places, values, -1
        finite = values[np.isfinite(values)]
        if len(finite):
            ends = tr("from {least} to {greatest}", least=brief(finite.min()), greatest=brief(finite.max()))
            self.setAccessibleDescription(ends)
        self.update()

    def mark(self, row: int) -> None:
        """Mark where a row is."""
        self._row = row
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the last row before the click."""
        if event.button() == Qt.MouseButton.LeftButton and len(self._places):
            low, high = self._ends()
            at = low + (event.position().x() - _EDGE) / max(self.width() - 2 * _EDGE, 1) * (high - low)
            self.chosen.emit(max(0, int(np.searchsorted(self._places, at, "right")) - 1))

    def _ends(self) -> tuple[float, float]:
        low, high = float(self._places[0]), float(self._places[-1])
        return low, high if high > low else low + 1

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the line, its least and greatest number, and the row that is marked."""
        theme, size = self._theme, self.fontMetrics().height()
        with painting(self) as painter:
            painter.fillRect(self.rect(), theme.color("ground"))
            finite = np.isfinite(self._values)
            if not finite.any():
                return
            least, greatest = self._values[finite].min(), self._values[finite].max()
            span = greatest - least or 1.0
            low, high = self._ends()
            wide, top, room = self.width() - 2 * _EDGE, size + 4, self.height() - 2 * size - 8
            x = _EDGE + (self._places - low) / (high - low) * wide
            y = top + (greatest - np.where(finite, self._values, least)) / span * room
            shown = _telling(x, y)
            corners = [
                QPointF(float(x[k]), float(y[j])) for j, k in zip([shown[0], *shown], shown, strict=False)
            ]
            steps = [point for k, corner in zip(shown, corners, strict=False)
                     for point in (corner, QPointF(float(x[k]), float(y[k])))]  # fmt: skip
            painter.setPen(pen(theme, "accent", 2))
            painter.drawPolyline(QPolygonF(steps))
            painter.setPen(theme.color("ink"))
            painter.drawText(_EDGE, size - 2, brief(float(greatest)))
            painter.drawText(_EDGE, self.height() - 4, brief(float(least)))
            if 0 <= self._row < len(x):
                painter.setPen(pen(theme, "stop", 2))
                painter.drawLine(QPointF(float(x[self._row]), 0), QPointF(float(x[self._row]), self.height()))


_EDGE = 10


def _telling(x: NDArray[Any], y: NDArray[Any]) -> list[int]:
    """Return the points that are seen: of many in one column of pixels, the first, the ends and the last."""
    if len(x) < 4000:
        return list(range(len(x)))
    columns = np.flatnonzero(np.diff(x.astype(int), prepend=-1))
    found: set[int] = set()
    for first, end in zip(columns, [*columns[1:], len(x)], strict=True):
        part = y[first:end]
        found |= {int(first), int(first + part.argmin()), int(first + part.argmax()), int(end - 1)}
    return sorted(found)
