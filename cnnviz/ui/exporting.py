"""Exports frames in the background: a process of its own writes them, and a strip shows how far it is."""

from __future__ import annotations

import os
import signal
from contextlib import closing, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QProgressBar

from cnnviz.errors import CnnvizError, out_of_memory
from cnnviz.export.formats import FORMATS
from cnnviz.export.order import Order
from cnnviz.export.sheets import SheetOrder
from cnnviz.export.writing import begin, no_process
from cnnviz.scene.numbers import count
from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.ui.strips import Strip
from cnnviz.ui.timer import Timer

_LOOKS_EVERY = 100  # milliseconds


# ---------------------------------------------------------------------------------- the other process


def write_frames(order: Order, link: Connection) -> None:
    """Write the frames of an order, and send how many are there of how many; at last a sentence.

    Anything that arrives by the link, or its end, breaks the export off; what is written is whole.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window answers, and its end is the link's
    with suppress(BrokenPipeError, EOFError):  # nobody listens any more
        try:
            told = _written(order, link)
        except CnnvizError as error:
            told = str(error), True
        except MemoryError:
            told = out_of_memory(), True
        link.send(told)


def _written(order: Order, link: Connection) -> tuple[str, bool]:
    lesson = order.lesson()
    total, frames = begin(order, lesson)
    one = order.one_file
    for done in frames:
        link.send((done, total))
        if link.poll():
            frames.close()  # and the frames in work are written
            if one:
                return tr("Export cancelled; {file} is as it was before.", file=order.folder), False
            shown, steps = order.shown(), order.steps(lesson)
            names = {shown.name(index, FORMATS[order.form]().suffix) for index in steps}
            done = len(names.intersection(os.listdir(order.folder)))
            return tr(
                "Export cancelled; {folder} keeps {done} of {count} frames, and the same export goes on from "
                "there.",
                folder=order.folder,
                done=count(done),
                count=count(len(steps)),
            ), False
    if one:
        if isinstance(order, SheetOrder):
            said = tr("{file} has 1 question.") if order.form == "moodle" else tr("{file} has {count} pages.")
            said = tr("{file} has {count} questions.") if order.form == "moodle" and total > 1 else said
            return said.format(file=order.folder, count=count(total)), False
        return tr("Exported to {file}: {count} steps.", file=order.folder, count=count(total)), False
    if total == 1:
        return tr("{folder} holds 1 frame.", folder=order.folder), False
    return tr("{folder} holds {count} frames.", folder=order.folder, count=count(total)), False


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
        self._timer = Timer(self, self._look)
        self._timer.setInterval(_LOOKS_EVERY)
        self._timer.failed.connect(self._fail)

    @property
    def running(self) -> bool:
        """Whether frames are being written."""
        return self._process is not None

    def start(self, order: Order) -> None:
        """Begin; one export at a time."""
        if self.running:
            return
        context = get_context("spawn")  # a fork would take the window along
        try:
            self._link, theirs = context.Pipe()
            with closing(theirs):
                process = context.Process(target=write_frames, args=(order, theirs))
                process.start()
        except Exception as error:  # whatever keeps the system from giving us another process
            self._forget()
            self.ended.emit(str(no_process(error)), True)
            return
        self._process = process
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

    def _fail(self) -> None:
        self.close()
        self.ended.emit(tr("The export was stopped; the same export goes on from there."), True)

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
