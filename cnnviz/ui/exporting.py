"""Exports frames in the background: a process of its own writes them, and a strip shows how far it is."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QProgressBar

from cnnviz.errors import CnnvizError, out_of_memory
from cnnviz.export.formats import FORMATS
from cnnviz.export.order import Order
from cnnviz.export.sheets import SheetOrder
from cnnviz.export.writing import begin, kill_all_but, no_process
from cnnviz.scene.numbers import count
from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.ui.strips import Strip
from cnnviz.ui.timer import Timer
from cnnviz.working import Pace

_LOOKS_EVERY = 25  # milliseconds
_PATIENCE = 100
"""Milliseconds in which a cancelled export ends by itself; then it is killed, and files are whole as well."""


# ---------------------------------------------------------------------------------- the other process


class CancelledError(BaseException):
    """Whoever ordered the frames wants no more of them."""


def write_frames(order: Order, link: Connection) -> None:
    """Write the frames of an order, and send how many are there of how many; at last a sentence.

    Anything that arrives by the link, or its end, breaks the export off without a word; what is written is
    whole.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window answers, and its end is the link's
    with closing(link), suppress(BrokenPipeError, EOFError, CancelledError):  # nobody listens any more
        try:
            told = _written(order, link)
        except CnnvizError as error:
            told = str(error), True
        except MemoryError:
            told = out_of_memory(), True
        link.send(told)


def _written(order: Order, link: Connection) -> tuple[str, bool]:
    with _cancelled_by(link):
        total, frames = begin(order, order.lesson())
        with closing(frames):
            for done in frames:
                link.send((done, total))
    if order.one_file:
        if isinstance(order, SheetOrder):
            said = tr("{file} has 1 question.") if order.form == "moodle" else tr("{file} has {count} pages.")
            said = tr("{file} has {count} questions.") if order.form == "moodle" and total > 1 else said
            return said.format(file=order.folder, count=count(total)), False
        return tr("Exported to {file}: {count} steps.", file=order.folder, count=count(total)), False
    if total == 1:
        return tr("{folder} holds 1 frame.", folder=order.folder), False
    return tr("{folder} holds {count} frames.", folder=order.folder, count=count(total)), False


@contextmanager
def _cancelled_by(link: Connection) -> Iterator[None]:
    """Raise `CancelledError` here, whatever is at work, as soon as anything arrives by a link or it ends."""
    others, main, lock, over = active_children(), threading.main_thread(), threading.Lock(), False

    def wait() -> None:
        with suppress(OSError, ValueError):  # it has ended
            link.poll(None)
        with lock:
            if over:
                return
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(main.ident or 0, signal.SIGTERM)
            else:
                _thread.interrupt_main(signal.SIGTERM)
                kill_all_but(others)  # for which it may wait, deaf to signals

    def cancel(*_: object) -> None:
        raise CancelledError

    before = signal.signal(signal.SIGTERM, cancel)
    threading.Thread(target=wait, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over = True
        signal.signal(signal.SIGTERM, before)


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
        self._work: _Work | None = None
        self._timer = Timer(self, self._look)
        self._timer.setInterval(_LOOKS_EVERY)
        self._timer.failed.connect(self._fail)
        self._patience = Timer(self, self._kill)
        self._patience.setSingleShot(True)

    @property
    def running(self) -> bool:
        """Whether frames are being written."""
        return self._process is not None

    def start(self, order: Order) -> None:
        """Begin; one export at a time."""
        if self.running:
            return
        context = get_context("spawn")  # a fork would take the window along
        self._work = _Work(order, _names_in(order.folder))
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
        """Have it end at once; `ended` says when it has."""
        if self._link is not None and self._work is not None:
            self._work.cancelled = True
            with suppress(OSError):  # it has ended, which `_look` will find
                self._link.send("stop")
            # A document that is not whole is nothing; of frames, what those in work have left is cleared.
            self._patience.start(0 if self._work.order.one_file else _PATIENCE)

    def close(self) -> None:
        """End it without a word, and wait until it has."""
        process = self._process
        self.cancel()
        self._forget()
        if process is not None:
            process.join()

    def _fail(self) -> None:
        self.close()
        self.ended.emit(tr("The export was stopped; the same export goes on from there."), True)

    def _kill(self) -> None:
        """End what is too busy to hear: files that have their names are whole at any moment."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._look()

    def _look(self) -> None:
        """Hear what has been sent."""
        link, work, heard = self._link, self._work, None
        try:
            while link is not None and link.poll():
                heard = link.recv()
                if isinstance(heard[0], str):
                    break
                if work is not None:
                    work.hear(*heard)
        except (EOFError, OSError):
            heard = (tr("The export was ended from outside; the same export goes on from there."), True)
            if work is not None and work.cancelled:
                heard = (work.cancelled_said(), False)
        if heard is None:
            return
        if isinstance(heard[0], str):
            self._forget()
            self.ended.emit(*heard)
        else:
            self.progressed.emit(*heard)

    def _forget(self) -> None:
        self._timer.stop()
        self._patience.stop()
        if self._link is not None:
            self._link.close()
        self._link = self._process = self._work = None


class _Work(Struct):
    """What is being written, and what is known of it."""

    order: Order
    there: set[str]  # what the folder held before
    cancelled: bool = False
    kept: int = 0  # frames that were there already
    total: int = 0

    def hear(self, done: int, total: int) -> None:
        if not self.total:
            self.kept = done
        self.total = total

    def cancelled_said(self) -> str:
        """Say what there is of it."""
        order = self.order
        if order.one_file:
            return tr("Export cancelled; {file} is as it was before.", file=order.folder)
        suffix = FORMATS[order.form]().suffix
        new = sum(name.endswith(suffix) for name in _names_in(order.folder) - self.there)
        if not self.total:
            return tr("Export cancelled; {folder} has no new frames.", folder=order.folder)
        return tr(
            "Export cancelled; {folder} keeps {done} of {count} frames, and the same export goes on from "
            "there.",
            folder=order.folder,
            done=count(self.kept + new),
            count=count(self.total),
        )


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (OSError, ValueError):  # there is none yet, or it is a file
        return set()


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
        self._pace = Pace()
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
        self._pace = Pace()
        self.close_button.setEnabled(True)
        self.show()

    def show_progress(self, done: int, total: int) -> None:
        """Show so many frames of so many."""
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)
        left = self._pace.left(done, total)
        if self.close_button.isEnabled():
            said = tr("Exporting: {done} of {count} frames", done=count(done), count=count(total))
            self.sentence.setText(said + left)

    def shut(self) -> None:
        """Cancel; the strip goes when the export has ended."""
        if self._exporter.running and self.close_button.isEnabled():
            self.close_button.setEnabled(False)
            self.sentence.setText(tr("Cancelling …"))
            self._exporter.cancel()
            self.closed.emit()

    def set_look(self, theme: Theme) -> None:
        """Take colours; the button has a word."""

    def _finished(self) -> None:
        self.hide()
