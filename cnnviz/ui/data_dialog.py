"""Says what was recognised of samples from a file, and lets what is meant be set."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Argument
from cnnviz.text import tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.reader import Notice

AXES = (
    ("", "as recognised"),
    ("channels_first", "channels, rows, columns"),
    ("channels_last", "rows, columns, channels"),
)
"""How the axes of a sample may lie."""

ANSWERS = (
    ("", "as recognised"),
    ("int", "classes: a whole number each"),
    ("categorical", "classes: a one and zeros each"),
    ("real", "targets: numbers"),
)
"""What should come out, as a file may have it."""


class DataDialog(QDialog):
    """The sentence that says what was recognised, with a field for each thing that can be set.

    Parameters
    ----------
    parent : QWidget
        The window that it belongs to.
    desk : Desk
        Whose lesson has samples from a file.
    """

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        super().__init__(parent)
        self._desk = desk
        self.setWindowTitle(tr("How the data are read"))
        self.said = Notice()
        self.said.setWordWrap(True)
        self.array, self.labels = QLineEdit(), QLineEdit()
        self.data_format, self.label_mode = _choice(AXES), _choice(ANSWERS)
        self.scale = QLineEdit()
        form = QFormLayout()
        for field, name, tip in (
            (self.array, tr("Samples"), tr("The array of an .npz file that has the samples")),
            (
                self.labels,
                tr("What should come out"),
                tr("The array, the column of a table, or the file beside one of IDX"),
            ),
            (self.data_format, tr("Axes of a sample"), ""),
            (self.label_mode, tr("It is written as"), ""),
            (self.scale, tr("Divided by"), tr("What the samples are divided by: 255 makes bytes 0 to 1")),
        ):
            field.setAccessibleName(name)
            field.setToolTip(tip)
            form.addRow(name, field)
        for line in (self.array, self.labels):
            line.setPlaceholderText(tr("as recognised"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.take = buttons.addButton(tr("Read so"), QDialogButtonBox.ButtonRole.ApplyRole)
        self.take.clicked.connect(self.read_so)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.said)
        column.addLayout(form)
        column.addWidget(buttons)
        self.take.setDefault(True)  # only now is there a dialog whose default it can be
        self.setMinimumWidth(480)
        for signal in (desk.changed, desk.edited):
            signal.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """Say what was recognised, and show what is set."""
        subject = self._desk.lesson.subject
        if self._desk.lesson.network is None or not subject.value(Argument("input", "images", "")):
            self.reject()  # another lesson was opened, which has no data
            return
        told = {name: subject.value(Argument("input", name, "")) for name in self._texts()}
        self.array.setText(str(told["array"] or ""))
        self.labels.setText(str(told["labels"] or ""))
        for box, name in ((self.data_format, "data_format"), (self.label_mode, "label_mode")):
            box.setCurrentIndex(max(0, box.findData(told[name] or "")))
        self.scale.setText(f"{told['scale']:g}")
        notes = self._desk.lesson.notes
        self.said.setText("\n".join(notes) or tr("They are as the program's own files have them."))

    def read_so(self) -> None:
        """Have the data read as the fields say: one change, which is undone as any other."""
        lesson = self._desk.lesson
        kept = tuple(
            change
            for change in lesson.changes
            if not (isinstance(change, Argument) and change.owner == "input" and change.name in self._texts())
        )
        own = lesson.description.subject
        try:
            scale = float(self.scale.text())
        except ValueError:
            self.said.say(tr("What they are divided by must be a number."), urgent=True)
            return
        wanted: dict[str, str | float] = {**self._texts(), "scale": scale}
        made = tuple(
            Argument("input", name, value)
            for name, value in wanted.items()
            if value not in ("", own.value(Argument("input", name, "")))
        )
        try:
            self._desk.set_changes((*kept, *made), tr("how the data are read"))
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)

    def _texts(self) -> dict[str, str]:
        return {
            "array": self.array.text().strip(),
            "labels": self.labels.text().strip(),
            "data_format": self.data_format.currentData(),
            "label_mode": self.label_mode.currentData(),
            "scale": self.scale.text(),
        }


def _choice(entries: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    for value, words in entries:
        box.addItem(tr(words), value)
    return box
