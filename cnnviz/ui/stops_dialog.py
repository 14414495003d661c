"""The dialog in which a lesson gets its words: title, sentence, and stops, made, reworded, moved, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.lesson.bounds import MOST_STOPS
from cnnviz.lesson.own_stops import OwnStop, OwnStops, Words, checked, checked_words, number_of
from cnnviz.lesson.tables import StopPart
from cnnviz.scene.display import OPTIONS
from cnnviz.text import short, tr
from cnnviz.trace.stops import Level
from cnnviz.ui.desk import Desk
from cnnviz.ui.keys import spelt
from cnnviz.ui.reader import Notice

_LONGEST_SHOWN = 60
_NEW = "…"
"""The caption of a stop that says nothing yet."""


_ASKED = ("letters", "scale", "level")
"""How a stop may ask for things to be shown."""

_KEPT = ("caption", "notes", *_ASKED)
"""What a stop still says where it is moved."""


class _Row:
    """A stop in the list, and when its turn is; None where the lesson as it is changed leaves it out."""

    def __init__(self, stop: OwnStop, turn: tuple[int, int, int] | None) -> None:
        self.stop, self.turn = stop, turn

    def may_change_places(self, other: _Row) -> bool:
        """Return whether both are at one step, so that their order is not that of the steps."""
        forms = self.stop.part.input_gradient == other.stop.part.input_gradient
        return self.turn is not None and self.turn == other.turn and forms


class StopsDialog(QDialog):
    """Lists the stops of a lesson in their order, which is that of the steps; all is done together by OK.

    They are numbered as the lesson goes through them. Of several at one step, the order is chosen.

    Parameters
    ----------
    desk : Desk
        Where the lesson lies; new stops are at the step at hand.
    parent : QWidget
        The window.

    Attributes
    ----------
    done_with : Signal(Words, str)
        What the lesson is to say, and what was done.
    """

    done_with = Signal(object, str)

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._room = parent.size()
        self.setWindowTitle(tr("Title and stops of the lesson"))
        self._desk = desk
        self._before = desk.lesson.description.words
        self.title, self.sentence = QLineEdit(self._before.title), QLineEdit(self._before.sentence)
        self._rows = _rows(desk, self._before.stops)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Stops"))
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.caption, self.notes = QPlainTextEdit(), QPlainTextEdit()
        self.place, self.said = QLabel(), Notice()
        self.said.setWordWrap(True)
        self.asks = QCheckBox()
        self.asks.setToolTip(tr("Up to the end of its operation, or to the next stop"))
        self.new = QPushButton(tr("Make a stop here"))
        self.move_here = QPushButton(tr("Move it here"))
        self.delete = QPushButton(tr("Delete it"))
        self.up, self.down = QPushButton(tr("Up")), QPushButton(tr("Down"))
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel, parent=self)
        self._lay_out()
        self.list.currentRowChanged.connect(self._show)
        self.caption.textChanged.connect(self._take_words)
        self.notes.textChanged.connect(self._take_words)
        self.asks.clicked.connect(self._take_asked)
        self.new.clicked.connect(self.make_here)
        self.move_here.clicked.connect(self._move_here)
        self.delete.clicked.connect(self._delete)
        for button, by, key in ((self.up, -1, "Alt+Up"), (self.down, 1, "Alt+Down")):
            button.clicked.connect(partial(self._shift, by))
            button.setShortcut(QKeySequence(key))
            said = tr("Of stops at one step: which comes first ({key})", key=spelt(key))
            button.setToolTip(said)
        self._ok.setToolTip(spelt("Ctrl+Return"))
        for field in (self.title, self.sentence):
            field.textChanged.connect(self._check)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        here = None if desk.stop_at_hand is None else self._before.stops[desk.stop_at_hand]
        self._fill(next((k for k, row in enumerate(self._rows) if row.stop is here), 0))

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        stops = (self.new, self.move_here, self.delete, self.up, self.down)
        for widget in stops:
            widget.setAutoDefault(False)
        head = QFormLayout()
        for words, line in ((tr("Title"), self.title), (tr("What it shows"), self.sentence)):
            line.setAccessibleName(words)
            line.setCursorPosition(0)
            head.addRow(words, line)
        grid.addLayout(head, 0, 0, 1, 2)
        for words, field, lines in ((tr("Caption"), self.caption, 4), (tr("Notes"), self.notes, 6)):
            field.setAccessibleName(words)
            field.setTabChangesFocus(True)
            field.setMinimumHeight(lines * self.fontMetrics().lineSpacing() + 12)
        self.notes.setPlaceholderText(tr("What only the presenter window shows"))
        grid.addWidget(self.list, 1, 0, 6, 1)
        grid.addWidget(self.place, 1, 1)
        grid.addWidget(QLabel(tr("Caption")), 2, 1)
        grid.addWidget(self.caption, 3, 1)
        grid.addWidget(QLabel(tr("Notes")), 4, 1)
        grid.addWidget(self.notes, 5, 1)
        grid.addWidget(self.asks, 6, 1)
        row = QHBoxLayout()
        for button in stops:
            row.addWidget(button)
        row.addStretch(1)
        grid.addLayout(row, 7, 0, 1, 2)
        grid.addWidget(self.said, 8, 0, 1, 2)
        grid.addWidget(self.buttons, 9, 0, 1, 2)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        size = self.fontMetrics().lineSpacing()
        self.resize(QSize(50 * size, 26 * size).boundedTo(self._room - QSize(40, 60)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Be done by Ctrl and Enter, which alone begins another line of a caption."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._ok.click()
        else:
            super().keyPressEvent(event)

    @property
    def _ok(self) -> QPushButton:
        return self.buttons.button(QDialogButtonBox.StandardButton.Ok)

    @property
    def words(self) -> Words:
        """What the lesson is to say, as it stands in the dialog.

        Raises
        ------
        CnnvizError
            If it may not say so.
        """
        stops = tuple(row.stop for row in self._rows)
        title, sentence = self.title.text().strip(), self.sentence.text().strip()
        if (title, sentence) == (self._before.title, self._before.sentence):  # as other programs have it
            return replace(self._before, stops=stops)
        return checked_words(title, sentence, stops)

    def _number(self, row: _Row) -> str:
        """Return the number by which the lesson counts a stop; − where it leaves it out."""
        told = [other for other in self._rows if other.turn is not None]
        return str(told.index(row) + 1) if row in told else "−"

    # ------------------------------------------------------------------------------------------ showing

    def _fill(self, chosen: int) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for row in self._rows:
                self.list.addItem(_words(self._number(row), row.stop.part.caption))
            self.list.setCurrentRow(min(chosen, len(self._rows) - 1))
        self._show(self.list.currentRow())

    def _show(self, chosen: int) -> None:
        """Show the words of the stop that is chosen."""
        row = self._rows[chosen] if 0 <= chosen < len(self._rows) else None
        part = row.stop.part if row else None
        for field, words in (
            (self.caption, part.caption if part else ""),
            (self.notes, part.notes if part else ""),
        ):
            with QSignalBlocker(field):
                field.setPlainText("" if words == _NEW else words)
            field.setEnabled(part is not None)
        self.move_here.setEnabled(part is not None)
        self.delete.setEnabled(part is not None)
        self.up.setEnabled(self._may_shift(chosen, -1))
        self.down.setEnabled(self._may_shift(chosen, 1))
        asked = _asked(part) if part else {}
        self.asks.setEnabled(part is not None)
        self.asks.setChecked(bool(asked))
        self.asks.setText(tr("From there on: {how}", how=_how(asked or self._shown_now())))
        self.place.setText(_place(row) if row else tr("The lesson has no stops yet."))
        self._check()

    def _shown_now(self) -> dict[str, object]:
        """Return how things are shown in the window."""
        display, level = self._desk.player.display, self._desk.player.cursor.level
        asked: dict[str, object] = {"letters": display.letters, "scale": display.scale}
        return asked if level is Level.STOP else asked | {"level": level.value}

    def _take_asked(self, wanted: bool) -> None:
        chosen = self.list.currentRow()
        row, nothing = self._rows[chosen], dict.fromkeys(_ASKED)
        part = replace(row.stop.part, **(nothing | self._shown_now() if wanted else nothing))
        row.stop = replace(row.stop, part=part)
        self._show(chosen)

    def _take_words(self) -> None:
        chosen = self.list.currentRow()
        if not 0 <= chosen < len(self._rows):
            return
        row = self._rows[chosen]
        caption = " ".join(self.caption.toPlainText().split())
        part = replace(row.stop.part, caption=caption, notes=self.notes.toPlainText().strip())
        row.stop = replace(row.stop, part=part)
        self.list.item(chosen).setText(_words(self._number(row), caption))
        self._check()

    def _check(self) -> None:
        """Say what is wrong with what was typed, if anything is."""
        fault = ""
        for row in self._rows:
            try:
                checked(row.stop.part)
            except CnnvizError as error:
                fault = tr("Stop {number}: {fault}", number=self._number(row), fault=str(error))
                break
            if row.stop.part.caption == _NEW:
                fault = tr("Stop {number} has no caption yet.", number=self._number(row))
                break
        try:
            _ = self.words
        except CnnvizError as error:
            fault = fault or str(error)
        self.said.say(fault, urgent=bool(fault))
        self._ok.setEnabled(not fault)
        self.new.setEnabled(len(self._rows) < MOST_STOPS)

    # ------------------------------------------------------------------------------------------ changing

    def make_here(self) -> None:
        """Add a stop at the step at hand, and let its words be typed."""
        self._put(_Row(self._desk.new_stop(_NEW, ""), self._turn_here()))
        self.caption.setFocus()

    def _move_here(self) -> None:
        row = self._rows.pop(self.list.currentRow())
        here = self._desk.new_stop(_NEW, "")
        kept = {name: getattr(row.stop.part, name) for name in _KEPT}
        self._put(_Row(replace(here, part=replace(here.part, **kept)), self._turn_here()))

    def _delete(self) -> None:
        chosen = self.list.currentRow()
        del self._rows[chosen]
        self._fill(chosen)

    def _may_shift(self, chosen: int, by: int) -> bool:
        """Return whether the stop that is chosen may change places with the one above, or below."""
        there = chosen + by
        if not (0 <= chosen < len(self._rows) and 0 <= there < len(self._rows)):
            return False
        return self._rows[chosen].may_change_places(self._rows[there])

    def _shift(self, by: int) -> None:
        chosen = self.list.currentRow()
        if self._may_shift(chosen, by):
            self._rows.insert(chosen + by, self._rows.pop(chosen))
            self._fill(chosen + by)

    def _put(self, row: _Row) -> None:
        """Put a stop where its turn is."""
        assert row.turn is not None
        later = (k for k, other in enumerate(self._rows) if other.turn is not None and other.turn > row.turn)
        at = next(later, len(self._rows))
        self._rows.insert(at, row)
        self._fill(at)

    def _turn_here(self) -> tuple[int, int, int]:
        lesson = self._desk.lesson
        image = lesson.image if self._desk.has_stops_of_images else 0
        return image, lesson.iteration, self._desk.player.cursor.index

    def _accept(self) -> None:
        before, after = self._before, self.words
        self.accept()
        if after == before:
            return
        said = {1: tr("stop made"), -1: tr("stop deleted")}.get(len(after.stops) - len(before.stops))
        if after.stops == before.stops:
            said = tr("title of the lesson")
        self.done_with.emit(after, said or tr("stops of the lesson"))


def _rows(desk: Desk, own: OwnStops) -> list[_Row]:
    """Return the stops of the lesson in the order in which it goes through them."""
    turns = {
        number_of(own, stop): (stop.image or 0, stop.iteration or 0, stop.index)
        for stop in desk.lesson.sequence
    }
    rows: list[_Row] = []
    for k, stop in enumerate(own):
        turn = turns.get(k)
        later = (n for n, row in enumerate(rows) if turn and row.turn and row.turn > turn)
        rows.insert(next(later, len(rows)), _Row(stop, turn))
    return rows


def _asked(part: StopPart) -> dict[str, object]:
    """Return how a stop asks for things to be shown."""
    told = {name: getattr(part, name) for name in _ASKED}
    return {name: value for name, value in told.items() if value is not None}


def _how(asked: Mapping[str, object]) -> str:
    said = []
    if "letters" in asked:
        said.append(tr("letters") if asked["letters"] else tr("numbers"))
    if "scale" in asked:
        said.append(tr("the colour scale of {what}", what=tr(OPTIONS["scale"].values[str(asked["scale"])])))
    if "level" in asked:
        said.append(tr("steps by {level}", level=tr(str(asked["level"]))))
    return ", ".join(said)


def _words(number: str, caption: str) -> str:
    return tr("{number}  {caption}", number=number, caption=short(caption, _LONGEST_SHOWN))


def _place(row: _Row) -> str:
    part = row.stop.part
    at: str = part.at
    if part.line is not None:
        at = tr("{at}, line {line}", at=at, line=part.line)
    if part.where:
        at = f"{at}, {', '.join(f'{name} = {value}' for name, value in part.where.items())}"
    if part.iteration is not None:
        at = tr("{at}, iteration {iteration}", at=at, iteration=part.iteration)
    if row.turn is None:
        return tr("At {at}; not said now, since what it speaks of is changed", at=at)
    return tr("At {at}", at=at)
