"""The tour of the window: six bubbles, each at the control that it speaks of; all goes on working."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QPainter, QPainterPath, QPaintEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from cnnviz.render.tools import color, painting, pen
from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.keys import named
from cnnviz.ui.timer import Timer

_ON = ("Return", "Enter")

_WIDEST = 380
"""Pixels that a bubble's text is wide, at most."""

_TIP, _ROUND, _RIM = 12, 8, 14
"""Pixels: how far a bubble's tip reaches, the radius of its corners, and what is free around its text."""


class Station(Struct, frozen=True, eq=False):
    """One thing that the tour speaks of.

    Attributes
    ----------
    text : str
        What is said.
    at : Sequence[QWidget]
        Where it is; the first of them that is shown, since small windows do without some.
    """

    text: str
    at: Sequence[QWidget]

    @property
    def widget(self) -> QWidget:
        """What the bubble points at."""
        return next((widget for widget in self.at if widget.isVisible()), self.at[-1])

    @property
    def folded(self) -> bool:
        """Whether its own control has no room in the window."""
        return not self.at[0].isVisible()


class Welcome(QWidget):
    """A bubble over the window, and a frame around what it points at.

    The stage keeps the keyboard: Enter goes on, Esc ends the tour, and all other keys do what they always do.

    Parameters
    ----------
    window : QWidget
        What is shown.
    stage : QWidget
        What has the keyboard: while it does, Enter goes on.
    stations : Sequence[Station]
        In their order.
    theme : Callable[[], Theme]
        Returns the colours at hand.

    Attributes
    ----------
    closed : Signal()
        It is over.
    """

    closed = Signal()

    def __init__(
        self, window: QWidget, stage: QWidget, stations: Sequence[Station], theme: Callable[[], Theme]
    ) -> None:
        super().__init__(window)
        self._stations, self._theme = stations, theme
        self.number = 0
        self._frame = _Frame(window, theme)
        self.setAccessibleName(tr("Tour of the window"))
        self.text, self.count = QLabel(), QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.count.setObjectName("quiet")
        self.back, self.next, self.skip = QToolButton(), QToolButton(), QToolButton()
        for button, press in ((self.back, self.go_back), (self.next, self.go_on), (self.skip, self.end)):
            button.setObjectName("tool")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(press)
        self.next.setProperty("kind", "play")
        self.back.setText(tr("Back"))
        self.skip.setText(tr("Skip (Esc)"))
        row = QHBoxLayout()
        for part in (self.count, self.skip):
            row.addWidget(part)
        row.addStretch(1)
        for part in (self.back, self.next):
            row.addWidget(part)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.text)
        self._column.addLayout(row)
        # Where words are typed, Enter has a meaning of its own.
        self._keys = [QShortcut(QKeySequence(key), stage) for key in _ON]
        for key in self._keys:
            key.setContext(Qt.ShortcutContext.WidgetShortcut)
            key.activated.connect(self.go_on)
        self._later = Timer(self, self.place)
        self._later.setSingleShot(True)
        self._tip = QPoint()
        self._above = False
        window.installEventFilter(self)
        self._tell()
        self._frame.show()
        self.show()

    # --------------------------------------------------------------------------------------------- going on

    def go_on(self) -> None:
        """Go to the next station; after the last one, end."""
        if self.number + 1 == len(self._stations):
            self.end()
        else:
            self.number += 1
            self._tell()

    def go_back(self) -> None:
        """Go to the station before."""
        self.number = max(0, self.number - 1)
        self._tell()

    def end(self) -> None:
        """Be gone."""
        self.window().removeEventFilter(self)
        for widget in (self, self._frame):
            widget.hide()
        for made in (self, self._frame, *self._keys):
            made.deleteLater()
        self.closed.emit()

    def _tell(self) -> None:
        station, last = self._stations[self.number], self.number + 1 == len(self._stations)
        folded = tr("(It has no room at this size; the menus have all of it.)") if station.folded else ""
        text = f"{station.text} {folded}".strip()
        self.text.setText(text)
        self.setAccessibleDescription(text)
        self.count.setText(f"{self.number + 1} / {len(self._stations)}")
        self.next.setText(tr("Done (Enter)") if last else tr("Next (Enter)"))
        self.back.setVisible(self.number > 0)
        self.place()

    # ---------------------------------------------------------------------------------------------- placing

    def place(self) -> None:
        """Stand at what is spoken of, within the window, and cover as little of it as can be."""
        window, widget = self.window(), self._stations[self.number].widget
        target = QRect(widget.mapTo(window, QPoint()), widget.size()).intersected(window.rect())
        self._frame.show_around(target)
        rim = _RIM + _TIP
        self._column.setContentsMargins(_RIM, rim, _RIM, rim)
        for part in (self.text, self.count, self.back, self.next, self.skip):
            part.ensurePolished()
        wide = min(_WIDEST + 2 * _RIM, window.width() - 12)
        high = self._column.heightForWidth(wide)
        below, above = window.height() - target.bottom(), target.top()
        if max(below, above) >= high:
            self._above = below < high
            y = target.top() - high if self._above else target.bottom() + 1
            self._tip.setY(high - 1 if self._above else 0)
        else:  # it is as high as the window: the bubble stands in it, where least is covered
            self._above, y = False, target.bottom() - high
            self._tip.setY(_TIP)
        x = target.center().x() - wide // 2
        x = max(6, min(x, window.width() - wide - 6))
        y = max(0, min(y, window.height() - high))
        self._tip.setX(max(2 * _TIP, min(target.center().x() - x, wide - 2 * _TIP)))
        self.setGeometry(x, y, wide, high)
        self.raise_()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the window's size, after it has given its parts theirs."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._later.start(0)
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the bubble with its tip."""
        theme, path = self._theme(), QPainterPath()
        area = QRectF(self.rect()).adjusted(1, _TIP, -1, -_TIP)
        path.addRoundedRect(area, _ROUND, _ROUND)
        tip, edge = self._tip, area.bottom() if self._above else area.top()
        arrow = QPainterPath()
        inside = -1 if self._above else 1
        arrow.moveTo(tip.x() - _TIP, edge + inside)
        arrow.lineTo(tip.x(), tip.y())
        arrow.lineTo(tip.x() + _TIP, edge + inside)
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(pen(theme, "accent", 2))
            painter.setBrush(color(theme, "ground"))
            painter.drawPath(path.united(arrow))


class _Frame(QWidget):
    """A frame around what is spoken of; the mouse does not see it."""

    def __init__(self, window: QWidget, theme: Callable[[], Theme]) -> None:
        super().__init__(window)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def show_around(self, target: QRect) -> None:
        """Be around a place in the window."""
        self.setGeometry(target.adjusted(-2, -2, 2, 2))
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint it."""
        with painting(self) as painter:
            painter.setPen(pen(self._theme(), "accent", 3))
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))


def words(actions: Mapping[str, QAction]) -> tuple[str, ...]:
    """Return what the six stations say: of stage, listing, levels, timeline, stops, and lessons."""
    said = {name: named(action) for name, action in actions.items()}
    levels = ", ".join(said[level.value] for level in Level)
    return (
        tr(
            "One step of a network that reads a handwritten digit. {next} takes the next step, {back} the "
            "one before: try it. Rest on a number, and it says where it comes from; a click goes there.",
            next=said["next"],
            back=said["back"],
        ),
        tr("This listing is what runs. The line that has just run is marked; below are its variables."),
        tr(
            "How far a step goes: to the next line, term of a sum, cell, map, layer, pass, or stop of the "
            "lesson. The keys, in this order: {levels}.",
            levels=levels,
        ),
        tr(
            "The whole program: forward, loss, backward, update. A click or a drag goes to any step; dots "
            "are stops."
        ),
        tr(
            "At its stops, a lesson says what is to be seen. {key}: the next one.",
            key=said["next_stop"],
        ),
        tr(
            "All lessons, from the first convolution on: {lessons}. In front of a class: {lecture}. All "
            "keys: {keys}. This tour stands in the menu Help.",
            lessons=said["lessons"],
            lecture=said["lecture"],
            keys=said["keys"],
        ),
    )
