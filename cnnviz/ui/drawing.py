"""The field to draw in: what is drawn, what the network is shown of it, and what it says, at every move."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPointingDevice,
    QShortcut,
    QTabletEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Fitting
from cnnviz.lesson.drawing import (
    SIDE,
    THICK,
    THIN,
    USUAL,
    Answer,
    Pixels,
    Point,
    Stroke,
    answer_to,
    as_shown,
    centred,
    draw_line,
    drawn,
    widened,
)
from cnnviz.lesson.lesson import Lesson
from cnnviz.render.tools import painting
from cnnviz.scene.numbers import brief
from cnnviz.text import tr
from cnnviz.ui.reader import give_role, tell
from cnnviz.ui.timer import Timer

_MOST_SHOWN = 10
"""Classes; of more, those with the largest values."""

_KEY_STEP = SIDE / 28
"""How far an arrow moves the pen."""

_SOONEST, _SHARE = 15, 4
"""Milliseconds from a move to its answer; and of the time, the network has one part in so many."""

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class Field(QWidget):
    """A square to draw on with mouse, pen or keys: arrows move the pen, Space puts it down and lifts it.

    Attributes
    ----------
    strokes : tuple[Stroke, ...]
        What is drawn.
    pixels : NDArray
        The same as pixels, with the stroke that is being drawn.
    width_of_pen : float
        How wide the next stroke is.
    erases : bool
        Whether it takes away.
    changed : Signal()
        The pixels are others.
    lifted : Signal()
        A stroke has ended, or one was taken back.
    """

    changed = Signal()
    lifted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.strokes: tuple[Stroke, ...] = ()
        self.undone: tuple[tuple[Stroke, ...], ...] = ()
        self._before: tuple[tuple[Stroke, ...], ...] = ()
        self.pixels: Pixels = drawn(())
        self.width_of_pen, self.erases = USUAL, False
        self._points: list[Point] = []
        self._erasing = False
        self._pen: Point = (SIDE / 2, SIDE / 2)
        self._by_keys = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(tr("Field to draw in"))
        self.setAccessibleDescription(
            tr("Draw with the mouse or a pen. Arrows move the pen, too; Space puts it down, and lifts it.")
        )

    # ------------------------------------------------------------------------------------------- strokes

    def begin(self, point: Point, erases: bool | None = None) -> None:
        """Put the pen down."""
        self._points, self._erasing = [], self.erases if erases is None else erases
        self.move_to(point)

    def move_to(self, point: Point) -> None:
        """Draw on to a point."""
        start = self._points[-1] if self._points else point
        self._points.append(point)
        draw_line(self.pixels, start, point, self.width_of_pen, self._erasing)
        self.update()
        self.changed.emit()

    def lift(self) -> None:
        """Lift the pen."""
        if self._points:
            stroke = Stroke(tuple(self._points), self.width_of_pen, self._erasing)
            self._points = []
            self._put((*self.strokes, stroke), drawn_already=True)

    def undo(self) -> None:
        """Take the last stroke back, or what was cleared."""
        self.lift()
        if self._before:
            self.undone = (*self.undone, self.strokes)
            self.strokes, self._before = self._before[-1], self._before[:-1]
            self._show()

    def redo(self) -> None:
        """Have again what was taken back."""
        if self.undone:
            self._before = (*self._before, self.strokes)
            self.strokes, self.undone = self.undone[-1], self.undone[:-1]
            self._show()

    def clear(self) -> None:
        """Take all strokes away."""
        self.lift()
        if self.strokes:
            self._put(())

    @property
    def can_undo(self) -> bool:
        """Whether there is something to be taken back."""
        return bool(self._before)

    def _put(self, strokes: tuple[Stroke, ...], drawn_already: bool = False) -> None:
        self._before, self.undone, self.strokes = (*self._before, self.strokes), (), strokes
        if drawn_already:
            self.lifted.emit()
        else:
            self._show()

    def _show(self) -> None:
        self.pixels = drawn(self.strokes)
        self.update()
        self.changed.emit()
        self.lifted.emit()

    # -------------------------------------------------------------------------------------------- events

    def _point_at(self, place: QPointF) -> Point:
        scale = SIDE / self.width()
        return place.x() * scale, place.y() * scale

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Put the pen down; the right button erases."""
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton) and not self._points:
            self._by_keys = False
            right = event.button() == Qt.MouseButton.RightButton
            self.begin(self._point_at(event.position()), True if right else None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw on."""
        if self._points and event.buttons():
            self.move_to(self._point_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Lift the pen."""
        self.lift()

    def tabletEvent(self, event: QTabletEvent) -> None:
        """Draw with a pen; its other end erases."""
        kind, place = event.type(), self._point_at(event.position())
        if kind == QEvent.Type.TabletPress:
            self._by_keys = False
            is_eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
            self.begin(place, True if is_eraser else None)
        elif kind == QEvent.Type.TabletMove and self._points:
            self.move_to(place)
        elif kind == QEvent.Type.TabletRelease:
            self.lift()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the pen, put it down, lift it."""
        way = _ARROWS.get(Qt.Key(event.key()))
        if way is not None:
            self._by_keys = True
            x, y = (
                min(max(at + _KEY_STEP * by, 0.0), float(SIDE)) for at, by in zip(self._pen, way, strict=True)
            )
            self._pen = x, y
            if self._points:
                self.move_to(self._pen)
            self.update()
        elif event.key() == Qt.Key.Key_Space:
            self._by_keys = True
            if self._points:
                self.lift()
            else:
                self.begin(self._pen)
            self.update()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what is drawn, light on dark as the network sees it."""
        image = QImage(self.pixels.data, SIDE, SIDE, SIDE, QImage.Format.Format_Grayscale8)
        with painting(self) as painter:
            painter.setRenderHints(
                QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing
            )
            painter.drawImage(self.rect(), image)
            if not self.strokes and not self._points:
                painter.setPen(QColor("#c8c8c8"))
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Draw here"))
            if self.hasFocus() and self._by_keys:
                scale, radius = self.width() / SIDE, self.width_of_pen / 2
                for colour, wide in (("#000000", 4.0), ("#ffffff" if self._points else "#ffb000", 2.0)):
                    painter.setPen(QPen(QColor(colour), wide))
                    painter.drawEllipse(QPointF(*self._pen) * scale, radius * scale, radius * scale)
            role = self.palette().highlight() if self.hasFocus() else self.palette().mid()
            painter.setPen(QPen(role.color(), 4.0 if self.hasFocus() else 2.0))
            painter.drawRect(self.rect())


class Shown(QWidget):
    """What the network is shown, pixel by pixel."""

    def __init__(self) -> None:
        super().__init__()
        self._pixels: Pixels = np.zeros((1, 1), np.uint8)

    def show_pixels(self, pixels: Pixels) -> None:
        """Show other pixels."""
        self._pixels = np.ascontiguousarray(pixels)
        height, width = pixels.shape
        self.setAccessibleName(
            tr("What the network is shown, {height} × {width}", height=height, width=width)
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint each pixel as a square."""
        height, width = self._pixels.shape
        image = QImage(self._pixels.data, width, height, width, QImage.Format.Format_Grayscale8)
        scale = min(self.width() / width, self.height() / height)
        place = QRectF(0, 0, width * scale, height * scale)
        with painting(self) as painter:
            painter.drawImage(place, image)
            painter.setPen(QPen(self.palette().mid().color(), 1.0))
            painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5))


class Bars(QWidget):
    """What the network puts out, a bar for each class."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, float, str, bool]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_answer(self, answer: Answer, names: list[str]) -> None:
        """Show other values, beside the names of their classes."""
        values = np.where(np.isfinite(answer.values), answer.values, 0)
        most = 1.0 if answer.are_probabilities else float(np.abs(values).max(initial=0.0)) or 1.0
        self._rows = [
            (names[k], max(0.0, float(values[k])) / most, written(answer, k), k == int(values.argmax()))
            for k in answer.best(_MOST_SHOWN)
        ]
        self.setAccessibleName(tr("What the network says"))
        self.setAccessibleDescription(", ".join(f"{name}: {value}" for name, _, value, _ in self._rows))
        self.update()

    def sizeHint(self) -> QSize:
        """Return what the rows need."""
        metrics = self.fontMetrics()
        return QSize(18 * metrics.averageCharWidth(), round(_MOST_SHOWN * 1.5 * metrics.height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint a row for each class."""
        if not self._rows:
            return
        metrics, palette = self.fontMetrics(), self.palette()
        high = min(self.height() / len(self._rows), 2.2 * metrics.height())
        gap = metrics.averageCharWidth()
        side = max(metrics.horizontalAdvance(value) for _, _, value, _ in self._rows) + 2 * gap
        left = max(metrics.horizontalAdvance(name) for name, _, _, _ in self._rows) + gap
        left = min(left, round(0.4 * self.width()))
        room = max(self.width() - left - side, 1)
        with painting(self) as painter:
            font = painter.font()
            for k, (name, part, value, is_best) in enumerate(self._rows):
                font.setBold(is_best)
                painter.setFont(font)
                row = QRectF(0, k * high, self.width(), high)
                bar = QRectF(left, row.y() + 0.2 * high, room, 0.6 * high)
                painter.fillRect(bar, palette.alternateBase())
                role = palette.highlight() if is_best else palette.mid()
                painter.fillRect(QRectF(bar.x(), bar.y(), part * room, bar.height()), role)
                painter.setPen(palette.text().color())
                middle = Qt.AlignmentFlag.AlignVCenter
                text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left - gap)
                painter.drawText(row, middle | Qt.AlignmentFlag.AlignLeft, text)
                painter.drawText(row, middle | Qt.AlignmentFlag.AlignRight, value)


def _nothing() -> str:
    return tr("Nothing is drawn yet.")


def written(answer: Answer, k: int) -> str:
    """Return what the network says of a class, as text."""
    value = float(answer.values[k])
    return f"{value:.1%}" if answer.are_probabilities else brief(value)


class DrawingDialog(QDialog):
    """The field, what the network is shown of it, and its answer while one draws.

    Attributes
    ----------
    field : Field
        Where one draws; what was drawn last is still there when it is opened again.
    answer : Answer or None
        What the network makes of it; None where nothing is drawn.
    taken : Signal(QImage)
        What is drawn is to go into the network: what that is shown, as a picture.
    closed : Signal()
        It has gone.
    """

    taken = Signal(QImage)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Draw what goes in"))
        self._window = parent
        self.answer: Answer | None = None
        self._network: Network | None = None
        self._fitting = Fitting()
        self._size, self._names, self._last = (28, 28), [""], ""
        self._seen: Pixels = np.zeros(self._size, np.uint8)
        self._asks = Timer(self, self._ask)
        self._asks.setSingleShot(True)
        self._took = 0.0
        self._make_parts()
        self._lay_out()
        self.field.changed.connect(self._follow)
        self.field.lifted.connect(self._lifted)
        self.finished.connect(self.closed)
        for keys, does in (
            (QKeySequence.StandardKey.Undo, self.field.undo),
            (QKeySequence.StandardKey.Redo, self.field.redo),
            (QKeySequence.StandardKey.Delete, self.field.clear),
        ):
            QShortcut(keys, self, does)

    def _make_parts(self) -> None:
        self.field, self.shown, self.bars = Field(), Shown(), Bars()
        self.said = QLabel()
        self.said.setObjectName("title")
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        self.shown_words = QLabel()
        self.pen, self.eraser = self._tool(tr("Pen")), self._tool(tr("Eraser"))
        self.thin, self.usual, self.thick = map(self._tool, (tr("Thin"), tr("Medium"), tr("Thick")))
        for group in ((self.pen, self.eraser), (self.thin, self.usual, self.thick)):
            one = QButtonGroup(self)
            for k, button in enumerate(group):
                button.setCheckable(True)
                button.setProperty("kind", "segment")
                place = "first" if k == 0 else "last" if k == len(group) - 1 else ""
                button.setProperty("place", place)
                one.addButton(button)
        self.pen.setChecked(True)
        self.usual.setChecked(True)
        self.eraser.toggled.connect(lambda on: setattr(self.field, "erases", on))
        for button, width in ((self.thin, THIN), (self.usual, USUAL), (self.thick, THICK)):
            button.clicked.connect(lambda _=False, width=width: setattr(self.field, "width_of_pen", width))
        self.eraser.setToolTip(tr("The right button of the mouse, or a pen's other end, erases, too"))
        self.undo, self.redo, self.clear = map(self._tool, (tr("Undo"), tr("Redo"), tr("Clear")))
        for button, does in (
            (self.undo, self.field.undo),
            (self.redo, self.field.redo),
            (self.clear, self.field.clear),
        ):
            button.clicked.connect(does)
        close = QDialogButtonBox.StandardButton.Close
        self.buttons = QDialogButtonBox(close, parent=self)
        self.buttons.button(close).setAutoDefault(False)
        self.take = self.buttons.addButton(tr("Step through it"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.take.setDefault(True)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)

    def _tool(self, text: str) -> QPushButton:
        made = QPushButton(text)
        made.setObjectName("tool")
        made.setAutoDefault(False)
        return made

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        for group in ((self.pen, self.eraser), (self.thin, self.usual, self.thick)):
            row = QHBoxLayout()
            row.setSpacing(0)
            for button in group:
                row.addWidget(button)
            tools.addLayout(row)
            tools.addSpacing(6)
        for button in (self.undo, self.redo, self.clear):
            tools.addWidget(button)
        tools.addStretch(1)
        middle = QVBoxLayout()
        middle.addWidget(self.shown_words)
        middle.addWidget(self.shown)
        middle.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.said)
        right.addWidget(self.bars, 1)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self.field)
        row.addLayout(middle)
        row.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.addLayout(tools)
        column.addLayout(row)
        column.addWidget(self.buttons)

    # ------------------------------------------------------------------------------------------- opening

    def open_for(self, lesson: Lesson, text: int) -> None:
        """Let something be drawn for the network of a lesson.

        Parameters
        ----------
        text : int
            How large text is, in pixels; as in the window where it is 0.
        """
        given, network = lesson.subject.drawn, lesson.network
        assert given is not None
        assert network is not None
        (self._fitting, self._whole), self._network = given, network
        _, height, width = network.input_shape
        self._size = height, width
        outputs = network.output_shape
        classes = lesson.subject.classes
        self._names = list(classes) if len(classes) == outputs[0] else [str(k) for k in range(outputs[0])]
        large = f"QWidget {{ font-size: {text}px; }} QLabel#title {{ font-size: {2 * text}px; }}"
        self.setStyleSheet(large if text else "")
        self.ensurePolished()
        room = self._window.size()
        self.said.ensurePolished()
        answer = self.said.fontMetrics().horizontalAdvance(_nothing())
        answer = round(min(max(answer, 0.19 * room.width()), 0.3 * room.width()))
        # What is drawn and what is shown of it are as large; the answer has what it needs.
        side = max(160, min(room.height() - 190, (room.width() - answer - 100) // 2, 3 * SIDE))
        self.field.setFixedSize(side, side)
        scale = max(1, side // max(height, width))
        self.shown.setFixedSize(width * scale, height * scale)
        self.shown_words.setText(tr("The network is shown {height} × {width}:", height=height, width=width))
        self.bars.setMinimumWidth(answer)
        self._show()
        self._ask()
        self.adjustSize()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.open()

    # ------------------------------------------------------------------------------------------- drawing

    def _follow(self) -> None:
        """Show what the network is shown; ask it soon, and never for more than its share of the time."""
        self._show()
        if not self._asks.isActive():
            self._asks.start(max(_SOONEST, round((_SHARE - 1) * 1000 * self._took)))

    def _show(self) -> None:
        self._seen = centred(self.field.pixels, self._size)
        self.shown.show_pixels(self._seen)
        has_some = bool(self._seen.any())
        self.take.setEnabled(has_some)
        self.clear.setEnabled(bool(self.field.strokes))
        self.undo.setEnabled(self.field.can_undo)
        self.redo.setEnabled(bool(self.field.undone))

    def _ask(self) -> None:
        """Have the network read what is drawn."""
        assert self._network is not None
        before = perf_counter()
        self.answer = answer_to(self._seen, self._network, self._fitting)
        self._took = perf_counter() - before
        if not self._seen.any():
            self.answer = None
        self.bars.show_answer(self.answer or Answer(np.zeros(0)), self._names)
        self.said.setText(self._told())

    def _told(self) -> str:
        if self.answer is None:
            return _nothing()
        if not len(self.answer.values):
            return tr("The network puts out maps.")
        best = int(np.nan_to_num(self.answer.values, nan=-np.inf).argmax())
        return tr("{name}: {value}", name=self._names[best], value=written(self.answer, best))

    def _lifted(self) -> None:
        """Have the answer at once, and tell who hears it."""
        self._show()
        self._asks.stop()
        self._ask()
        tell(self, self.said.text())

    def _take(self) -> None:
        self.field.lift()
        pixels = np.ascontiguousarray(as_shown(widened(self._seen, self._whole), self._fitting))
        height, width = pixels.shape
        image = QImage(pixels.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
        self.accept()
        self.taken.emit(image)


give_role(Field, QAccessible.Role.Canvas)
give_role(Bars, QAccessible.Role.Chart)
give_role(Shown, QAccessible.Role.Graphic)
