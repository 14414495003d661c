"""The dialog that asks for hand sheets: of which step, on which paper, in which numbers."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.export.sheets import MOST_VARIANTS, SHEETS, SheetOrder, sheets_order_of
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.numbers import count
from cnnviz.text import tr
from cnnviz.ui.reader import Notice

FORMS = (("pdf", "sheets to print (PDF)"), ("moodle", "questions for Moodle (XML)"))
PAPERS = (("a4", "A4"), ("letter", "Letter"))
_HERE, _TOUR = 0, -1  # what an exercise is about, beside the numbers of stops
_LETTERS, _LONGEST = 20, 60
_LARGEST_SEED = 10**9 - 1


class SheetDialog(QDialog):
    """Asks what is to be worked out by hand.

    Parameters
    ----------
    lesson : Lesson
        As it is shown.
    index : int
        The step that it is at.
    parent : QWidget
        The window that it belongs to.

    Attributes
    ----------
    ordered : Signal(SheetOrder)
        What was asked for.
    """

    ordered = Signal(object)

    def __init__(self, lesson: Lesson, index: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Hand sheets"))
        self._lesson, self._index = lesson, index
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self._usual = Path(documents or Path.home(), f"cnnviz-{lesson.file_name}-sheets")
        self.form, self.about, self.paper = _choice(), _choice(), _choice()
        for form, words in FORMS:
            self.form.addItem(tr(words), form)
        for paper, words in PAPERS:
            self.paper.addItem(words, paper)
        here = lesson.program[index].operation.name
        self.about.addItem(tr("this step, in {operation}", operation=here), _HERE)
        if lesson.sequence:
            self.about.addItem(tr("every operation of which the lesson speaks"), _TOUR)
        for stop in lesson.sequence:
            self.about.addItem(f"{stop.number}: {stop.caption}"[:_LONGEST], stop.number)
        self.file = QLineEdit(f"{self._usual}{SHEETS['pdf']}")
        self.file.setMinimumWidth(260)
        self.variants, self.seed = QSpinBox(), QSpinBox()
        self.variants.setRange(0, MOST_VARIANTS)
        self.variants.setSpecialValueText(tr("none: the lesson's own numbers"))
        self.seed.setRange(0, _LARGEST_SEED)
        self.seed.setToolTip(tr("The same seed gives the same numbers again"))
        self.solutions = QCheckBox(tr("with solutions, behind all sheets"))
        self.solutions.setChecked(True)
        self.said = Notice()
        self.said.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, parent=self)
        self.start_button = self.buttons.addButton(tr("Write"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out()
        self.form.currentIndexChanged.connect(self._take_form)
        for box in (self.about, self.paper):
            box.currentIndexChanged.connect(self._say)
        for number in (self.variants, self.seed):
            number.valueChanged.connect(self._say)
        self.solutions.toggled.connect(self._say)
        self.file.textChanged.connect(self._say)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        self._say()

    def _lay_out(self) -> None:
        rows, column = QFormLayout(), QVBoxLayout(self)
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose_file)
        where = QHBoxLayout()
        where.addWidget(self.file)
        where.addWidget(choose)
        for name, field in (
            (tr("As"), self.form),
            (tr("About"), self.about),
            (tr("Variants"), self.variants),
            (tr("Seed"), self.seed),
            (tr("Paper"), self.paper),
        ):
            field.setAccessibleName(name)
            rows.addRow(name, field)
        rows.addRow("", self.solutions)
        self.file.setAccessibleName(tr("File"))
        rows.addRow(tr("File"), where)
        column.addLayout(rows)
        column.addWidget(self.said)
        column.addWidget(self.buttons)

    def order(self) -> SheetOrder:
        """Return what is asked for.

        Raises
        ------
        CnnvizError
            If something in the fields is wrong; the sentence says what.
        """
        if not self.file.text().strip():
            raise CnnvizError(tr("Name the file to write to."))
        about = self.about.currentData()
        return sheets_order_of(
            self._lesson,
            Path(os.path.expanduser(self.file.text().strip())).absolute(),
            str(self._index) if about == _HERE else None,
            (about,) if about > 0 else (),
            tour=about == _TOUR,
            variants=self.variants.value(),
            seed=self.seed.value(),
            paper=self.paper.currentData(),
            solutions=self.solutions.isChecked(),
            form=self.form.currentData(),
        )

    def _choose_file(self) -> None:
        suffix = SHEETS[self.form.currentData()]
        path, _ = QFileDialog.getSaveFileName(self, tr("Write to file"), self.file.text(), f"*{suffix}")
        if path:
            self.file.setText(path)

    def _take_form(self) -> None:
        """Offer a file of that kind; a question has neither paper nor pages."""
        form = self.form.currentData()
        for field in (self.paper, self.solutions):
            field.setEnabled(form == "pdf")
        if self.file.text() in {f"{self._usual}{suffix}" for suffix in SHEETS.values()}:
            self.file.setText(f"{self._usual}{SHEETS[form]}")
        self._say()

    def _say(self) -> None:
        """Say how many pages or questions there would be, or what is wrong."""
        try:
            order = self.order()
            # Where other iterations of a training are meant, to look would take seconds.
            pages = 0 if order.tour or order.told else order.pages(self._lesson)
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)
            self.start_button.setEnabled(False)
            return
        self.start_button.setEnabled(True)
        if not pages:
            self.said.say(tr("One for each operation that fits on a page.") if order.tour else "")
            return
        one, many = (
            (tr("1 question."), tr("{count} questions."))
            if order.form == "moodle"
            else (tr("1 page."), tr("{count} pages."))
        )
        self.said.say(one if pages == 1 else many.format(count=count(pages)))

    def _accept(self) -> None:
        try:
            order = self.order()
        except CnnvizError as error:
            self.said.say(str(error), urgent=True)
            return
        self.accept()
        self.ordered.emit(order)


def _choice() -> QComboBox:
    box = QComboBox()
    # A caption must not make the dialog wider than a small window; the opened list has more of it.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)
    return box
