"""A widget that shows a Frame composed for its own size; drawing is the painter's alone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, cast

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QContextMenuEvent,
    QFocusEvent,
    QMouseEvent,
    QPaintEvent,
    QRegion,
    QShowEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnviz.render.painter import paint
from cnnviz.render.repaint import changed, paint_areas
from cnnviz.render.tools import painting
from cnnviz.scene.frame import LEAST_UNIT
from cnnviz.scene.marks import Box, Frame, Mark, Rect
from cnnviz.scene.target import Target
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.ui.player import Player
from cnnviz.ui.reader import give_role

# What else is waiting comes first, as before Qt's own paintings.
_LATER = Qt.EventPriority.LowEventPriority.value
# More areas than this are painted at once.
_MOST_AREAS = 40
_BY_KEYBOARD = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


def fitting(width: float, height: float, made_for: tuple[int, int]) -> float:
    """Return the unit at which a pane's picture fits its size."""
    return max(LEAST_UNIT, min(width / made_for[0], height / made_for[1]))


class _Picture(NamedTuple):
    """All that a pane paints, and in which colours."""

    frame: Frame
    theme: Theme


class FramePane(QWidget):
    """Shows marks that a subclass composes; composed when it is painted, so hidden panes cost nothing.

    Parameters
    ----------
    player : Player
        Whose moment is shown.
    name : str
        What screen readers call it.

    Attributes
    ----------
    painted : Signal()
        The last move is on the screen.
    menu_asked : Signal(Target, QPoint)
        A menu about this is to be opened, at this point of the screen.
    own_keys : frozenset[Qt.Key]
        The keys that it uses itself while it has the focus, where they are pressed alone.
    """

    painted = Signal()
    menu_asked = Signal(object, QPoint)
    own_keys: frozenset[Qt.Key] = frozenset()

    def __init__(self, player: Player, name: str) -> None:
        super().__init__()
        self.player = player
        self._frame: Frame | None = None
        self._renewal = False  # whether it may have another picture at the window's next painting
        self._next: _Picture | None = None  # that picture
        self._areas: list[QRect] = []  # where it differs from what the screen shows
        self._screen: _Picture | None = None  # what the screen shows; None where that is not known
        self._ring = False
        self.setAccessibleName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        player.moved.connect(self.refresh)
        player.changed.connect(self.refresh)

    # ------------------------------------------------------------------------------------- to be written

    def unit(self, width: float, height: float) -> float:
        """Return how large one pixel of a picture of 1920 × 1080 is drawn."""
        raise NotImplementedError

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Return the marks of the moment for a box."""
        raise NotImplementedError

    def described(self) -> str:
        """Return what screen readers say of it besides its name."""
        return ""

    def over(self, frame: Frame) -> list[Mark]:
        """Return marks on top of the frame, for what the pointer is at."""
        return []

    def on_the_way(self, frame: Frame) -> Frame:
        """Return what is painted while something in the frame is still on its way; it rests as the frame."""
        return frame

    def target_at(self, x: float, y: float) -> Target | None:
        """Return what a menu at a point is about; None where there is nothing."""
        return None

    def point_looked_at(self) -> tuple[float, float] | None:
        """Return the point that is looked at, by keyboard or by mouse; None where it is none."""
        return None

    # -------------------------------------------------------------------------------------------- the menu

    def ask_for_menu(self, x: float, y: float) -> bool:
        """Have a menu opened about what is at a point; return whether there is something."""
        target = self.target_at(x, y)
        if target is not None:
            self.menu_asked.emit(target, self.mapToGlobal(QPoint(round(x), round(y))))
        return target is not None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu of what was clicked; that of the keyboard is an action of the window."""
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            self.ask_for_menu(event.pos().x(), event.pos().y())
        event.accept()

    # ------------------------------------------------------------------------------------------- the frame

    @property
    def theme(self) -> Theme:
        """Its colours."""
        return theme_of(self.player.display)

    @property
    def frame(self) -> Frame:
        """What is shown, or will be at the next painting."""
        if self._frame is None:
            width, height = self.width(), self.height()
            box = Box(0, 0, width, height)
            self._frame = Frame(width, height, tuple(self.compose(box, self.unit(width, height))))
        return self._frame

    def refresh(self) -> None:
        """Compose anew, and have painted what is another picture then; several moves at once give one."""
        self._frame = None
        self.renew()

    # --------------------------------------------------------------------------------- what is painted again

    def renew(self) -> None:
        """Have painted what is another picture than the screen shows, when the window paints next."""
        self._next = None
        if not self.isVisible():
            self._screen = None
        elif not self._renewal:
            self._renewal = True
            QCoreApplication.postEvent(self.window(), QEvent(QEvent.Type.UpdateRequest), _LATER)

    def showEvent(self, event: QShowEvent) -> None:
        """Hear of when the window begins to paint."""
        self.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Say what is to be painted again just before the window paints."""
        if event.type() == QEvent.Type.UpdateRequest and self._renewal:
            self._renewal = False
            self._find_changes()
        return False

    def _find_changes(self) -> None:
        areas = None
        with suppress(Exception):  # what cannot be composed is told when it is painted
            self._next = picture = self._picture()
            if self._screen is not None and self._screen.theme is picture.theme:
                areas = changed(self._screen.frame, picture.frame)
        self._areas = [self.rect()] if areas is None else areas
        for area in self._areas:
            self.update(area)
        if not self._areas:
            self._screen, self._next = self._next, None
            self.painted.emit()

    def _picture(self) -> _Picture:
        """Return the frame, what is over it, and a ring if the keyboard's focus came here."""
        frame = self.frame
        marks = [*self.on_the_way(frame).marks, *self.over(frame)]
        if self._ring:
            marks.append(Rect(Box(1, 1, frame.width - 2, frame.height - 2), stroke="accent", width=2))
        return _Picture(Frame(frame.width, frame.height, tuple(marks)), self.theme)

    # -------------------------------------------------------------------------------------------- Qt's own

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what has changed or come into sight."""
        region = event.region()
        whole = region == QRegion(self.rect())
        # What has come into sight is what was there; unless that is no longer known.
        picture = self._next or (None if whole or self._renewal else self._screen)
        known = not self._renewal and (whole or picture is not None)
        self._screen = None
        picture = picture or self._picture()
        # Those that were found are fewer than the rectangles that Qt has made of them.
        areas = self._areas if self._next and not region - _together(self._areas) else _parts(region)
        with painting(self) as painter:
            if whole or len(areas) > _MOST_AREAS:
                paint(painter, picture.frame, picture.theme)
            else:
                paint_areas(painter, picture.frame, picture.theme, areas)
        self._next = None
        if known:
            self._screen = picture
        self.painted.emit()

    def resizeEvent(self, event: QEvent) -> None:
        """Compose for the new size."""
        self._frame = self._next = self._screen = None

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring if Tab led here: whoever uses the mouse sees where he has clicked."""
        self._ring = event.reason() in _BY_KEYBOARD
        self.setAccessibleDescription(self.described())
        self.renew()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away."""
        self._ring = False
        self.renew()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say by the pointer's form what can be clicked."""
        at = event.position()
        hand = self.clickable(at.x(), at.y())
        self.setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)

    def clickable(self, x: float, y: float) -> bool:
        """Return whether a click at a point leads somewhere."""
        return self.frame.spot_at(x, y) is not None


def _parts(region: QRegion) -> list[QRect]:
    return list(cast("Iterable[QRect]", region))  # which PySide does not say of it


def _together(areas: Iterable[QRect]) -> QRegion:
    region = QRegion()
    for area in areas:
        region += area
    return region


give_role(FramePane, QAccessible.Role.Graphic)
