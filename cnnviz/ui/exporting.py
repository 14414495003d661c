"""Exports frames in the background: asks what, lets a process of its own write them, shows how far it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QObject, QSignalBlocker, QStandardPaths, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

import cnnviz
from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.lesson.place import step_at
from cnnviz.render.export import Look, Subject, export, frame_name, stops
from cnnviz.scene.numbers import count
from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.trace.looptree import Block, Line, Loop
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from cnnviz.ui.strips import Strip

_SIZES = ((1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
_LOOKS_EVERY = 100  # milliseconds


class Order(Struct, frozen=True):
    """What is to be exported: as on the command line."""

    source: str
    image: int
    folder: Path
    every: Level
    first: int
    last: int
    look: Look
    input_gradient: str = ""
    iteration: int | None = None


# ---------------------------------------------------------------------------------- the other process


def write_frames(order: Order, link: Connection) -> None:
    """Write the frames of an order, and send how many are there of how many; at last a sentence.

    Anything that arrives by the link, or its end, breaks the export off; what is written is whole.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window answers, and its end is the link's
    try:
        link.send(_written(order, link))
    except CnnvizError as error:
        link.send((str(error), True))
    except (BrokenPipeError, EOFError):
        pass


def _written(order: Order, link: Connection) -> tuple[str, bool]:
    make = partial(_subject, order)
    lesson = _lesson(order)
    steps = stops(lesson.program, order.every, order.first, order.last)
    settings = {
        "cnnviz": cnnviz.__version__,
        "lesson": lesson.identity,
        "image": str(lesson.image),
        "every": order.every.value,
        "from": str(order.first),
        "to": str(order.last),
    }
    if lesson.program.view:
        settings["input gradient"] = lesson.program.view
    if order.iteration is not None:
        settings["iteration"] = str(order.iteration)
    frames = export(make, order.folder, steps, order.look, settings)
    for done in frames:
        link.send((done, len(steps)))
        if link.poll():
            frames.close()  # and the frames in work are written
            names = {frame_name(lesson.program, index) for index in steps}
            done = len(names.intersection(os.listdir(order.folder)))
            return tr(
                "Export cancelled; {folder} keeps {done} of {count} frames, and the same export goes on from "
                "there.",
                folder=order.folder,
                done=count(done),
                count=count(len(steps)),
            ), False
    return tr("{folder} holds {count} frames.", folder=order.folder, count=count(len(steps))), False


def _subject(order: Order) -> Subject:
    lesson = _lesson(order)
    return Subject(lesson.program, lesson.heading, lesson.samples.classes, lesson.stops)


def _lesson(order: Order) -> Lesson:
    lesson = load_lesson(order.source, order.image, order.iteration)
    return lesson.in_view(order.input_gradient) if order.input_gradient else lesson


# ---------------------------------------------------------------------------------------- this process


class Exporter(QObject):
    """Starts the process that writes frames, and hears from it.

    Attributes
    ----------
    progressed : Signal(int, int)
        So many frames are there, of so many.
    ended : Signal(str, bool)
        It is over; the sentence says how, and whether that is a fault.
    """

    progressed = Signal(int, int)
    ended = Signal(str, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: BaseProcess | None = None
        self._link: Connection | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOKS_EVERY)
        self._timer.timeout.connect(self._look)

    @property
    def running(self) -> bool:
        """Whether frames are being written."""
        return self._process is not None

    def start(self, order: Order) -> None:
        """Begin; one export at a time."""
        if self.running:
            return
        context = get_context("spawn")  # a fork would take the window along
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=write_frames, args=(order, theirs))
        self._process.start()
        theirs.close()
        self._timer.start()

    def cancel(self) -> None:
        """Have it end after the frames in work; `ended` says when it has."""
        if self._link is not None:
            with suppress(OSError):  # it has ended, which `_look` will find
                self._link.send("stop")

    def close(self) -> None:
        """End it without a word, and wait until the frames in work are whole."""
        process = self._process
        self.cancel()
        self._forget()
        if process is not None:
            process.join()

    def _look(self) -> None:
        """Hear what has been sent."""
        link, heard = self._link, None
        try:
            while link is not None and link.poll():
                heard = link.recv()
                if isinstance(heard[0], str):
                    break
        except (EOFError, OSError):
            heard = (tr("The export was ended from outside; the same export goes on from there."), True)
        if heard is None:
            return
        if isinstance(heard[0], str):
            self._forget()
            self.ended.emit(*heard)
        else:
            self.progressed.emit(*heard)

    def _forget(self) -> None:
        self._timer.stop()
        if self._link is not None:
            self._link.close()
        self._link = self._process = None


class ExportStrip(Strip):
    """Shows how far an export is, and cancels it."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__(tr("Export"))
        self._exporter = exporter
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Progress of the export"))
        self.progress.setFixedWidth(260)
        self.progress.setTextVisible(False)
        self.row.addWidget(self.progress)
        self._finish()
        self.close_button.setText(tr("Cancel"))
        self.close_button.setAccessibleName(tr("Cancel"))
        self.close_button.setToolTip(tr("Cancel; frames that are written stay"))
        exporter.progressed.connect(self.show_progress)
        exporter.ended.connect(self._finished)

    def begin(self) -> None:
        """Show that an export has begun."""
        self.progress.setRange(0, 0)
        self.sentence.setText(tr("Starting the export …"))
        self.close_button.setEnabled(True)
        self.show()

    def show_progress(self, done: int, total: int) -> None:
        """Show so many frames of so many."""
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)
        if self.close_button.isEnabled():
            said = tr("Exporting: {done} of {count} frames", done=count(done), count=count(total))
            self.sentence.setText(said)

    def shut(self) -> None:
        """Cancel; the strip goes when the export has ended."""
        if self._exporter.running and self.close_button.isEnabled():
            self.close_button.setEnabled(False)
            self.sentence.setText(tr("Finishing the frames in work …"))
            self._exporter.cancel()
            self.closed.emit()

    def set_look(self, theme: Theme) -> None:
        """Take colours; the button has a word."""

    def _finished(self) -> None:
        self.hide()


# ------------------------------------------------------------------------------------------ the dialog


def about_frames(program: Program, every: Level, first: int, last: int) -> int:
    """Return about how many frames there would be: where an operation is cut, in parts of its steps."""
    if every is Level.PASS:
        ends = {operation.phase: k for k, operation in enumerate(program.operations)}
        return sum(program.number_at(first) <= k <= program.number_at(last) for k in ends.values()) or 1
    total = 0.0
    for start, operation in zip(program.starts, program.operations, strict=False):
        inside = min(last + 1, start + len(operation)) - max(first, start)
        if inside > 0:
            total += _frames(operation.body, every) * inside / len(operation)
    return max(1, round(total))


def _frames(body: Block, every: Level) -> int:
    """Return at how many steps of a listing a level stops."""
    if every is Level.LINE:
        return body.steps
    if every is Level.LAYER:
        return 1
    if every is Level.MAP:
        return sum(
            part.count if isinstance(part, Loop) else 1
            for part in body.statements
            if _marked(part, Level.CELL)
        )
    return sum(_marked(part, every) for part in body.statements)


def _marked(part: Line | Loop, every: Level) -> int:
    """Return how many cells, or terms, a part of a listing comes by."""
    if isinstance(part, Line):
        return int(part.is_term if every is Level.TERM else part.is_cell)
    return part.count * sum(_marked(inner, every) for inner in part.body.statements)


class ExportDialog(QDialog):
    """Asks what to export: where to, which steps, how large.

    Attributes
    ----------
    ordered : Signal(Order)
        What was asked for.
    """

    ordered = Signal(object)

    def __init__(
        self, lesson: Lesson, source: str, index: int, theme: str, parent: QWidget, letters: bool = False
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export frames"))
        self._lesson, self._source = lesson, source
        program = lesson.program
        here = program[index].operation
        start = program.start(here.name)
        self._spans = ((0, len(program) - 1), (start, start + len(here) - 1))
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        self.folder = QLineEdit(str(Path(pictures or Path.home(), f"cnnviz-{lesson.name}")))
        self.every = _choice([tr(level.value) for level in Level], list(Level).index(Level.MAP))
        self.span = _choice(
            [tr("the whole program"), tr("{operation} only", operation=here.name), tr("from … to …")], 0
        )
        self.first, self.last = QLineEdit(), QLineEdit()
        self.size_choice = _choice([f"{width} × {height}" for width, height in _SIZES], 1)
        self.theme = _choice([tr("light"), tr("dark")], int(theme == "dark"))
        self.cells = _choice([tr("numbers"), tr("letters")], int(letters))
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start_button = self.buttons.addButton(tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out()
        self._take_span(0)
        self.span.currentIndexChanged.connect(self._take_span)
        self.every.currentIndexChanged.connect(self._count)
        for field in (self.first, self.last):
            field.textEdited.connect(lambda: self.span.setCurrentIndex(2))
            field.textChanged.connect(self._count)
        self.folder.textChanged.connect(self._count)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose_folder)
        self.folder.setMinimumWidth(340)
        form.addRow(tr("Folder"), _side_by_side(self.folder, choose))
        form.addRow(tr("A picture of every"), self.every)
        form.addRow(tr("Steps"), self.span)
        place = tr("A step's number, or a place such as conv1[2,3,4]")
        for field, name in ((self.first, tr("From")), (self.last, tr("To"))):
            field.setToolTip(place)
            field.setAccessibleName(name)
        form.addRow(tr("From"), _side_by_side(self.first, QLabel(tr("to")), self.last))
        form.addRow(tr("Size"), self.size_choice)
        form.addRow(tr("Colours"), self.theme)
        form.addRow(tr("Cells show"), self.cells)
        form.addRow(self.said)
        form.addRow(self.buttons)

    def order(self) -> Order:
        """Return what is asked for.

        Raises
        ------
        CnnvizError
            If something in the fields is wrong; the sentence says what.
        """
        program = self._lesson.program
        first, last = (step_at(program, field.text().replace(" ", "")) for field in (self.first, self.last))
        if last < first:
            raise CnnvizError(
                tr("The last step ({last}) is before the first ({first}); swap them.", last=last, first=first)
            )
        if not self.folder.text().strip():
            raise CnnvizError(tr("Name the folder to write to."))
        width, height = _SIZES[self.size_choice.currentIndex()]
        return Order(
            self._source,
            self._lesson.image,
            Path(self.folder.text().strip()).expanduser().absolute(),
            list(Level)[self.every.currentIndex()],
            first,
            last,
            Look(
                width,
                height,
                ("light", "dark")[self.theme.currentIndex()],
                letters=self.cells.currentIndex() == 1,
            ),
            program.view,
            self._lesson.iteration if self._lesson.run else None,
        )

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, tr("Export to folder"), self.folder.text())
        if path:
            self.folder.setText(path)

    def _take_span(self, choice: int) -> None:
        if choice < len(self._spans):
            for field, step in zip((self.first, self.last), self._spans[choice], strict=True):
                with QSignalBlocker(field):
                    field.setText(str(step))
        self._count()

    def _count(self) -> None:
        """Say about how many frames there would be, or what is wrong."""
        try:
            order = self.order()
        except CnnvizError as error:
            self.said.setText(str(error))
            self.start_button.setEnabled(False)
            return
        about = about_frames(self._lesson.program, order.every, order.first, order.last)
        self.said.setText(tr("About {count} frames.", count=count(about)))
        self.start_button.setEnabled(True)

    def _accept(self) -> None:
        try:
            order = self.order()
        except CnnvizError as error:
            self.said.setText(str(error))
            return
        self.accept()
        self.ordered.emit(order)


def _choice(texts: Sequence[str], chosen: int) -> QComboBox:
    box = QComboBox()
    box.addItems(list(texts))
    box.setCurrentIndex(chosen)
    return box


def _side_by_side(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
