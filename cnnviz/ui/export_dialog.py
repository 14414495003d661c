"""The dialog that asks what to export: as what, where to, which steps, how large."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path

from msgspec import convert
from PySide6.QtCore import QSignalBlocker, QStandardPaths, Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.export.foretold import Foretold, foretell, frames_said
from cnnviz.export.formats import DOCUMENTS
from cnnviz.export.frames import about_frames, size_of
from cnnviz.export.order import Order, order_of
from cnnviz.export.walk import MOST_PLACES
from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.place import step_at
from cnnviz.scene.display import OPTIONS, Display
from cnnviz.scene.numbers import count
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.reader import Notice
from cnnviz.ui.timer import Timer

_WHOLE, _OPERATION, _OWN, _TOUR = "whole", "operation", "own", "tour"

FORMS = (
    ("png", "pictures in a folder (PNG)"),
    ("svg", "vectors in a folder (SVG)"),
    ("tex", "formulas and arithmetic in a folder (LaTeX)"),
    ("tikz", "pictures, formulas and arithmetic in a folder (TikZ)"),
    ("html", "a page for browsers (HTML)"),
    ("pdf", "a document, a page a frame (PDF)"),
    ("gif", "a moving picture, in few colours (GIF)"),
    ("apng", "a moving picture (APNG)"),
    ("pptx", "slides, with words as titles and notes (PPTX)"),
    ("mp4", "a film (MP4)"),
)
"""What can be exported, in the order in which it is offered."""
_SIZES = ((1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))


class ExportDialog(QDialog):
    """Asks what to export: as what, where to, which steps, how large.

    Attributes
    ----------
    ordered : Signal(Order)
        What was asked for.
    """

    ordered = Signal(object)

    def __init__(
        self,
        lesson: Lesson,
        index: int,
        view: View,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export"))
        self._lesson, self._view = lesson, view
        program = lesson.program
        here = program[index].operation
        start = program.start(here.name)
        self._spans = {_WHOLE: (0, len(program) - 1), _OPERATION: (start, start + len(here) - 1)}
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        self._usual = Path(pictures or Path.home(), f"cnnviz-{lesson.file_name}")
        self.form_choice = _choice([tr(words) for _, words in FORMS], 0)
        self.folder = QLineEdit(str(self._usual))
        self._where = QLabel(tr("Folder"))
        self.every = _choice([tr(level.value) for level in Level], list(Level).index(Level.MAP))
        spans = {
            _TOUR: tr("all stops of the lesson"),
            _WHOLE: tr("the whole program"),
            _OPERATION: tr("{operation} only", operation=here.name),
            _OWN: tr("from … to …"),
        }
        self._kinds = [kind for kind in spans if kind != _TOUR or lesson.sequence]
        self.span = _choice([spans[kind] for kind in self._kinds], 0)
        self.first, self.last = (QLineEdit(str(step)) for step in self._spans[_WHOLE])
        self.size_choice = _choice([f"{width} × {height}" for width, height in _SIZES], 1)
        self.size_choice.setEditable(True)
        self.size_choice.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.size_choice.setToolTip(tr("Any size in pixels, as in 1920 × 1080"))
        self.choices = {
            name: _choice(
                [tr(words) for words in option.values.values()],
                list(option.values).index(getattr(view.display, name)),
            )
            for name, option in OPTIONS.items()
        }
        self._reckoning: Generator[None, None, Foretold] | None = None
        self._reckoner = Timer(self, self._reckon)
        self._reckoner.failed.connect(lambda: self._reckoner.stop())
        self.said = Notice()
        self.said.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, parent=self)
        self.start_button = self.buttons.addButton(tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out(parent.height())
        self._take_span(0)
        self.form_choice.currentIndexChanged.connect(self._take_form)
        self.span.currentIndexChanged.connect(self._take_span)
        self.every.currentIndexChanged.connect(self._take_every)
        for field in (self.first, self.last):
            field.textEdited.connect(lambda: self._choose(_OWN))
            field.textChanged.connect(self._count)
        self.folder.textChanged.connect(self._count)
        self.size_choice.currentTextChanged.connect(self._count)
        self.choices["transparent"].currentIndexChanged.connect(self._count)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self, most: int) -> None:
        """Put fields under one another, at most so high; what is more is scrolled."""
        asked = QWidget()
        form = QFormLayout(asked)
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose_where)
        self.folder.setMinimumWidth(260)
        self.folder.setAccessibleName(tr("Folder"))
        form.addRow(tr("As"), self.form_choice)
        form.addRow(self._where, _side_by_side(self.folder, choose))
        form.addRow(tr("A picture of every"), self.every)
        form.addRow(tr("Steps"), self.span)
        place = tr("A step's number, or a place such as conv1[2,3,4]")
        for field, name in ((self.first, tr("From")), (self.last, tr("To"))):
            field.setToolTip(place)
            field.setAccessibleName(name)
        typed = self.size_choice.lineEdit()
        assert typed is not None
        typed.setAccessibleName(tr("Size"))
        form.addRow(tr("From"), _side_by_side(self.first, QLabel(tr("to")), self.last))
        form.addRow(tr("Size"), self.size_choice)
        for name, box in self.choices.items():
            form.addRow(tr(OPTIONS[name].title), box)
        area = QScrollArea()  # where the window is small and its text large
        area.setWidget(asked)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(asked.sizeHint().width() + area.verticalScrollBar().sizeHint().width())
        whole = QVBoxLayout(self)
        for part in (area, self.said, self.buttons):
            whole.addWidget(part)
        whole.setStretch(0, 1)
        rest = self.sizeHint().height() - area.sizeHint().height() + 2 * whole.spacing()
        high = asked.sizeHint().height() + rest
        self.resize(self.sizeHint().width(), min(high, self.screen().availableSize().height(), most))

    def order(self) -> Order:
        """Return what is asked for.

        Raises
        ------
        CnnvizError
            If something in the fields is wrong; the sentence says what.
        """
        program = self._lesson.program
        first, last = 0, len(program) - 1
        if not self.tour:
            fields = self.first, self.last
            first, last = (step_at(program, field.text().replace(" ", "")) for field in fields)
        if last < first:
            raise CnnvizError(
                tr("The last step ({last}) is before the first ({first}); swap them.", last=last, first=first)
            )
        if not self.folder.text().strip():
            raise CnnvizError(tr("Name the file or the folder to write to."))
        width, height = size_of(self.size_choice.currentText())
        return order_of(
            self._lesson,
            Path(os.path.expanduser(self.folder.text().strip())).absolute(),
            list(Level)[self.every.currentIndex()],
            first,
            last,
            View(width, height, display=self.display, paths=self._view.paths, folds=self._view.folds),
            self.tour,
            self.form,
        )

    @property
    def form(self) -> str:
        """The format that is wanted."""
        return FORMS[self.form_choice.currentIndex()][0]

    @property
    def _walks(self) -> bool:
        return self.form in DOCUMENTS and DOCUMENTS[self.form].walks

    @property
    def tour(self) -> bool:
        """Whether all stops of the lesson are wanted, those of other images and iterations, too."""
        return self._kinds[self.span.currentIndex()] == _TOUR

    @property
    def display(self) -> Display:
        """How things are to be shown."""
        chosen = {name: list(OPTIONS[name].values)[box.currentIndex()] for name, box in self.choices.items()}
        return convert(chosen, Display)

    def _choose_where(self) -> None:
        if self.form in DOCUMENTS:
            suffix = DOCUMENTS[self.form].suffix
            path, _ = QFileDialog.getSaveFileName(
                self, tr("Export to file"), self.folder.text(), f"*{suffix}"
            )
        else:
            path = QFileDialog.getExistingDirectory(self, tr("Export to folder"), self.folder.text())
        if path:
            self.folder.setText(path)

    def _take_form(self) -> None:
        """Ask for a file where one holds all, and offer by what it is usually stepped."""
        one = self.form in DOCUMENTS
        self._where.setText(tr("File") if one else tr("Folder"))
        self.folder.setAccessibleName(self._where.text())
        usual = f"{self._usual}{DOCUMENTS[self.form].suffix}" if one else str(self._usual)
        if self.folder.text().startswith(str(self._usual)):
            self.folder.setText(usual)
        if self._walks:
            program = self._lesson.program
            few = about_frames(program, Level.CELL, 0, len(program) - 1)[0] <= MOST_PLACES
            self.every.setCurrentIndex(list(Level).index(Level.CELL if few else Level.MAP))
        self._take_span(self.span.currentIndex())

    def _choose(self, kind: str) -> None:
        self.span.setCurrentIndex(self._kinds.index(kind))

    def _take_span(self, choice: int) -> None:
        kind, levels = self._kinds[choice], list(Level)
        for field, step in zip((self.first, self.last), self._spans.get(kind, ()), strict=False):
            with QSignalBlocker(field):
                field.setText(str(step))
        for field in (self.first, self.last):
            field.setEnabled(not self.tour)
        stopping = self.every.currentIndex() == levels.index(Level.STOP)
        if not self._walks and stopping != self.tour:
            with QSignalBlocker(self.every):
                self.every.setCurrentIndex(levels.index(Level.STOP if self.tour else Level.MAP))
        self._count()

    def _take_every(self, choice: int) -> None:
        if self.tour and not self._walks and list(Level)[choice] is not Level.STOP:
            with QSignalBlocker(self.span):
                self._choose(_WHOLE)
            for field, step in zip((self.first, self.last), self._spans[_WHOLE], strict=True):
                with QSignalBlocker(field):
                    field.setText(str(step))
                field.setEnabled(True)
        self._count()

    def _count(self) -> None:
        """Say how many frames there would be, exactly or about, or what is wrong; then, how large."""
        self._reckoner.stop()
        try:
            order = self.order()
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)
            self.start_button.setEnabled(False)
            return
        self.start_button.setEnabled(True)
        if self._walks and order.tour:
            every = tr((order.every or Level.CELL).value)
            self.said.say(tr("All steps by {every}, wherever the lesson has a stop.", every=every))
        else:
            self.said.say(self._frames(order))
        # Iterations of a training would all have to be computed first, or many gradients.
        is_long = order.tour and self._lesson.run is not None
        if not is_long and self._lesson.tape.unmade <= _MOST_MADE:
            self._reckoning = foretell(order, self._lesson)
            self._reckoner.start(_RESTS)

    def _frames(self, order: Order) -> str:
        """Say how many frames there would be."""
        lesson, every = self._lesson, order.every or Level.MAP
        if order.tour:
            return f"{frames_said(len(lesson.sequence))}."
        frames, exact = about_frames(lesson.program, every, order.first, order.last, lesson.stops)
        if exact:
            return f"{frames_said(frames)}."
        return tr("About {count} frames.", count=count(frames))

    def _reckon(self) -> None:
        """Write one frame more for nothing; at last say how large all will be, and how long they take."""
        self._reckoner.setInterval(0)
        try:
            if self._reckoning is not None:
                next(self._reckoning)
        except StopIteration as done:
            self._reckoner.stop()
            self.said.say(done.value.said)
        except CnnvizError as error:  # a format's package is missing, or there is too much of it
            self._reckoner.stop()
            self.said.say(str(error), urgent=True)
            self.start_button.setEnabled(False)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave off reckoning."""
        self._reckoner.stop()
        super().hideEvent(event)

    def _accept(self) -> None:
        try:
            order = self.order()
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)
            return
        self.accept()
        self.ordered.emit(order)


_RESTS = 300
"""Milliseconds for which nothing is changed before it is reckoned what comes of it."""
_MOST_MADE = 2_000_000
"""Numbers of gradients that are computed, in a tenth of a second, to say how large an export would be."""

_LETTERS = 20
"""So many letters of a choice are seen at least."""


def _choice(texts: Sequence[str], chosen: int) -> QComboBox:
    box = QComboBox()
    box.addItems(list(texts))
    box.setCurrentIndex(chosen)
    # Long words must not make the dialog wider than a small window; the opened list has them whole.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)
    return box


def _side_by_side(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
