"""The presenter window: what the class sees, what comes next, notes, and the time.

It paints what the stage has composed, with the same painter; it comes after the stage has painted a step, and
never before. Closed, it does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace
from PySide6.QtCore import QLocale, QRect, QSize, Qt, QTime, Signal
from PySide6.QtGui import QAction, QCloseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson
from cnnviz.render.painter import paint
from cnnviz.render.tools import color, painting
from cnnviz.scene.frame import moment, stage
from cnnviz.scene.marks import Box, Frame, Rect
from cnnviz.scene.numbers import count
from cnnviz.scene.registry import kind_of
from cnnviz.scene.theme import theme_of
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.stops import Level
from cnnviz.ui.elapsed import Elapsed
from cnnviz.ui.keys import ActionButton, named
from cnnviz.ui.player import Player
from cnnviz.ui.screens import Mover
from cnnviz.ui.stage_pane import StagePane
from cnnviz.ui.strips import MessageStrip
from cnnviz.ui.timer import Timer
from cnnviz.ui.tour import Tour

_AFTER = 180
"""Milliseconds after the stage has painted a step: it rests by then, and steps that follow come together."""

_REST = 400
"""Milliseconds without a step, after which the next stop's picture is composed."""

_USUAL = QSize(1000, 640)
"""The size of a window beside others."""

_NOTES = (15, 30)
"""Pixels: the least and the largest size of notes."""


class Picture(QWidget):
    """A frame, or a picture of a widget, scaled to this one, in its upper edge's middle.

    Parameters
    ----------
    player : Player
        Which theme it is shown in.
    name : str
        What screen readers call it.
    frame : Callable[[], Frame or QPixmap or None]
        Returns what is to be painted.
    """

    def __init__(self, player: Player, name: str, frame: Callable[[], Frame | QPixmap | None]) -> None:
        super().__init__()
        self._player, self._frame = player, frame
        self._ratio = 9 / 16
        self.setAccessibleName(name)
        self.setMinimumSize(120, 60)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_ratio(self, ratio: float) -> None:
        """Ask for so many times the width as height."""
        if ratio != self._ratio:
            self._ratio = ratio
            self.updateGeometry()

    def heightForWidth(self, width: int) -> int:
        """Return what a frame of this width needs."""
        return round(width * self._ratio)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the frame as large as fits."""
        frame, theme = self._frame(), theme_of(self._player.display)
        with painting(self) as painter:
            if frame is None:
                return
            width, height = _size(frame)
            scale = min(self.width() / width, self.height() / height)
            place = Box(0, 0, width * scale, height * scale)
            x = round((self.width() - place.w) / 2)
            painter.translate(x, 0)
            painter.scale(scale, scale)
            if isinstance(frame, Frame):
                paint(painter, frame, theme)
            else:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawPixmap(0, 0, frame)
            painter.resetTransform()
            painter.setPen(color(theme, "line"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(x, 0, round(place.w) - 1, round(place.h) - 1)


def _size(frame: Frame | QPixmap) -> tuple[float, float]:
    if isinstance(frame, Frame):
        return frame.width, frame.height
    whole = frame.deviceIndependentSize()
    return whole.width(), whole.height()


class Presenter(QWidget):
    """What the lecturer sees.

    Parameters
    ----------
    window : QWidget
        To which it belongs.
    stage : StagePane
        What the class sees.
    tour : Tour
        Which stops the lesson has.
    elapsed : Elapsed
        The time of the lecture.
    covered : Callable[[], str]
        Says what covers the stage, if anything.
    message : MessageStrip
        What is said on the stage is said here, too.
    actions : Mapping[str, QAction]
        The window's: all their keys work here, too.

    Attributes
    ----------
    closed : Signal()
        It is no more.
    """

    closed = Signal()

    def __init__(
        self,
        window: QWidget,
        stage: StagePane,
        tour: Tour,
        elapsed: Elapsed,
        covered: Callable[[], str],
        message: MessageStrip,
        actions: Mapping[str, QAction],
    ) -> None:
        super().__init__(window, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Presenter — cnnviz"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # keys are heard by what has the focus
        self.setMinimumSize(480, 320)
        self.addActions(list(actions.values()))
        self.mover = Mover(self)
        self._stage, self._tour, self._elapsed, self._covered = stage, tour, elapsed, covered
        self._player = tour.desk.player
        self._next_stop, self._next_layer = actions["next_stop"], actions["next_layer"]
        self._following: Stop | None = None
        self._following_frame: Frame | None = None
        self._composed: object = None  # for what the next stop's picture was composed
        self._instead: QPixmap | None = None
        self._text_size = 0
        self._make_parts(actions)
        self._lay_out()
        self._turn, self._rest = Timer(self, self._show), Timer(self, self._compose_next)
        for timer in (self._turn, self._rest):
            timer.setSingleShot(True)
        message.told.connect(self._tell)
        self._tell("" if message.isHidden() else message.sentence.text())
        self._second = Timer(self, self.tell_time)
        self._second.start(1_000)
        stage.painted.connect(self._follow)
        self._player.changed.connect(self._follow)
        for action in (self._next_stop, self._next_layer):
            action.changed.connect(self._follow)
        for name in ("black", "white", "escape"):
            actions[name].triggered.connect(self.tell_time)
        self.resize(self.usual_geometry().size())
        self._show()

    def usual_geometry(self) -> QRect:
        """Return where it is as a window beside others: at the right, below."""
        room = self._stage.screen().availableGeometry().adjusted(12, 36, -12, -12)
        size = _USUAL.boundedTo(room.size())
        return QRect(room.right() - size.width(), room.bottom() - size.height(), size.width(), size.height())

    # ---------------------------------------------------------------------------------------------- parts

    def _make_parts(self, actions: Mapping[str, QAction]) -> None:
        self.now = Picture(self._player, tr("What the class sees"), self._seen)
        self.next = Picture(self._player, tr("The next stop"), lambda: self._following_frame)
        self.time, self.clock, self.stops, self.sign = (QLabel() for _ in range(4))
        self.heading, self.caption, self.message = QLabel(), QLabel(), QLabel()
        for label in (self.caption, self.message):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.sign.setObjectName("sign")
        for label, name in ((self.time, "time"), (self.clock, "clock"), (self.stops, "stops")):
            label.setObjectName(name)
        self.heading.setObjectName("heading")
        self.message.setObjectName("message")
        self.caption.setObjectName("caption")
        self.notes = QTextEdit()
        self.notes.setObjectName("notes")
        self.notes.setReadOnly(True)
        self.notes.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # or the keys that scroll would be its own
        self.notes.setAccessibleName(tr("Notes"))
        self.buttons = {name: ActionButton(actions[name]) for name in ("restart_time", "swap", "black")}
        self.buttons["restart_time"].setText(tr("Restart"))
        self.buttons["swap"].setText(tr("Swap screens"))
        self.buttons["black"].setText(tr("Black"))

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(self.time)
        head.addWidget(self.buttons["restart_time"])
        head.addStretch(1)
        head.addWidget(self.stops)
        head.addStretch(1)
        for widget in (self.sign, self.buttons["black"], self.buttons["swap"], self.clock):
            head.addWidget(widget)
        beside = QVBoxLayout()
        beside.setSpacing(8)
        beside.addWidget(self.heading)
        beside.addWidget(self.next)
        beside.addWidget(self.caption)
        beside.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 12, 16, 14)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(10)
        grid.addLayout(head, 0, 0, 1, 2)
        grid.addWidget(self.now, 1, 0)
        grid.addLayout(beside, 1, 1)
        grid.addWidget(self.message, 2, 0, 1, 2)
        grid.addWidget(self.notes, 3, 0, 1, 2)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        grid.setRowStretch(3, 1)  # the pictures take what they need, notes the rest

    def _seen(self) -> Frame | QPixmap | None:
        """Return what the class sees: the stage, or what has its place, as the curves of a training."""
        return self._stage.frame if self._stage.isVisible() else self._instead

    def _look(self) -> None:
        """Have a picture of what has the stage's place."""
        around = self._stage.parentWidget()
        seen = around.currentWidget() if isinstance(around, QStackedWidget) else None
        if seen is not None:
            self._instead = seen.grab()
            self.now.set_ratio(seen.height() / max(1, seen.width()))
        self.now.update()

    # ------------------------------------------------------------------------------------------ following

    def _follow(self) -> None:
        """Show what has changed, later: a step that comes at once is painted on the stage first."""
        if not self._turn.isActive():
            self._turn.start(_AFTER)
        self._rest.start(_REST)

    def _show(self) -> None:
        if not self._player.shown:
            self._turn.start(_AFTER)
            return
        for picture in (self.now, self.next):
            picture.set_ratio(self._stage.height() / max(1, self._stage.width()))
        self.now.update()
        self._tell_stops()
        self._tell_notes()
        self.tell_time()
        if self._following_frame is None or self._wanted() != self._composed:
            self._rest.start(_REST)

    def _tell_stops(self) -> None:
        desk, number = self._tour.desk, self._tour.number
        many = len(desk.lesson.sequence)
        left = tr("{left} to come", left=count(many - number)) if many > number else tr("the last one")
        self.stops.setText(f"{number} / {many} · {left}" if many else tr("no stops"))
        self._following = desk.lesson.stop_after(self._player.cursor)
        stop = self._following
        if stop is None:
            self._tell_layer()
            return
        key = named(self._next_stop)
        self.heading.setText(tr("Next: stop {number} ({key})", number=stop.number, key=key))
        missing = desk.lesson.missing_iterations(stop)
        wanted = tr("The training must come to iteration {t} first.", t=count(missing)) if missing else ""
        self.caption.setText(f"{stop.caption} {wanted}".strip())

    def _layer_after(self) -> int | None:
        """Return the step to which the key for the next layer leads; None where it leads nowhere."""
        cursor = self._player.cursor
        step = cursor.next(Level.LAYER).index
        return step if step > cursor.index else None

    def _tell_layer(self) -> None:
        """Where there is no further stop, say which layer comes next."""
        step = self._layer_after()
        if step is None:
            self.heading.setText(tr("Nothing further"))
            self.caption.setText("")
            return
        operation, key = self._player.cursor.program[step].operation, named(self._next_layer)
        self.heading.setText(tr("Next: {operation} ({key})", operation=operation.name, key=key))
        self.caption.setText(tr(kind_of(operation.call).sentence))

    def _tell_notes(self) -> None:
        lesson, number = self._tour.desk.lesson, self._tour.number
        stop = lesson.sequence[number - 1] if number else None
        text = (stop.notes or stop.caption) if stop else lesson.sentence
        if text != self.notes.toPlainText():
            self.notes.setPlainText(text)
            self._fit_notes()

    def _tell(self, sentence: str) -> None:
        self.message.setText(sentence)
        self.message.setVisible(bool(sentence))

    def tell_time(self) -> None:
        """Say what time it is, how long the lecture has been going on, and whether the screen is covered."""
        seconds = int(self._elapsed.seconds)
        self.time.setText(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}")
        self.time.setAccessibleName(tr("Time since the first step: {time}", time=self.time.text()))
        self.clock.setText(QLocale().toString(QTime.currentTime(), QLocale.FormatType.ShortFormat))
        self.sign.setText(self._covered())
        if not self._stage.isVisible():  # what has its place does not tell when it has been painted
            self._look()

    # --------------------------------------------------------------------------------------- the next stop

    def _wanted(self) -> object:
        """Return for what the next stop's picture is to be composed."""
        stop, stage = self._following, self._stage
        number = stop.number if stop else self._layer_after()
        return (
            self._tour.desk.lesson,
            stop is None,
            number,
            self._player.own.display,
            stage.size(),
            stage.smallest_unit,
        )

    def _compose_next(self) -> None:
        """Compose the next stop's picture, unless somebody is stepping, or it is there."""
        if self._player.playing or not self._player.shown:
            self._rest.start(_REST)
            return
        if self._composed == self._wanted():
            return
        self._composed = self._wanted()
        self._following_frame = self._frame_of(self._following)
        self.next.update()

    def _frame_of(self, stop: Stop | None) -> Frame | None:
        """Return what the class will see at a stop, or in the next layer; None where that is not known."""
        lesson = self._tour.desk.lesson
        if stop is None:
            step = self._layer_after()
            return None if step is None else self._frame_at(lesson, step)
        if lesson.missing_iterations(stop):
            return None
        try:
            there = lesson.at_stop(stop)
        except CnnvizError:  # the training diverges before it; that is said when it is gone to
            return None
        return self._frame_at(there, there.sequence[stop.number - 1].index)

    def _frame_at(self, lesson: Lesson, step: int) -> Frame:
        pane = self._stage
        box = Box(0, 0, pane.width(), pane.height())
        unit = pane.unit(box.w, box.h)
        view = replace(lesson.view, display=self._player.own.display)
        at = moment(lesson.program, step, view.at(lesson.program[step]))
        marks = stage(at, box, unit, pane.smallest_unit > 0)
        return Frame(box.w, box.h, (Rect(box, fill="ground"), *marks))

    # ---------------------------------------------------------------------------------------------- sizes

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take text that can be read at this size."""
        size = max(13, min(28, round(min(self.height() / 40, self.width() / 60))))
        if size != self._text_size:
            self._text_size = size
            sheet = f"""QWidget {{ font-size: {size}px; }} QLabel#time {{ font-size: {2 * size}px; }}
            QLabel#clock {{ font-size: {round(1.5 * size)}px; }} QLabel#time, QLabel#stops, QLabel#heading
            {{ font-weight: 600; }} QLabel#sign, QLabel#message {{ font-weight: 600; }}"""
            self.setStyleSheet(sheet)
        self._fit_notes()

    def _fit_notes(self) -> None:
        """Write notes as large as they fit; what does not fit at the least size is scrolled."""
        least = max(_NOTES[0], self._text_size)
        for size in range(max(least, round(1.6 * self._text_size)), least - 1, -1):
            self.notes.setStyleSheet(f"QTextEdit {{ font-size: {size}px; }}")
            self.notes.ensurePolished()
            if self.notes.document().size().height() <= self.notes.viewport().height():
                break

    def showEvent(self, event: QShowEvent) -> None:
        """Take the keyboard: what is pressed here is heard."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._fit_notes()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Be no more."""
        for timer in (self._turn, self._rest, self._second):
            timer.stop()
        super().closeEvent(event)
        self.closed.emit()
