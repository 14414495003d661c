"""A widget that shows a Frame composed for its own size; drawing is the painter's alone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QAccessible, QContextMenuEvent, QFocusEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnviz.render.painter import paint
from cnnviz.render.tools import painting, rectangle
from cnnviz.scene.frame import LEAST_UNIT
from cnnviz.scene.marks import Box, Cells, Frame, Group, Mark, Rect
from cnnviz.scene.target import Target
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.ui.player import Player
from cnnviz.ui.reader import give_role

_BY_KEYBOARD = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


def fitting(width: float, height: float, made_for: tuple[int, int]) -> float:
    """Return the unit at which a pane's picture fits its size."""
    return max(LEAST_UNIT, min(width / made_for[0], height / made_for[1]))


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
        """Compose anew at the next painting; several moves before it give one."""
        self._frame = None
        self.update()

    # -------------------------------------------------------------------------------------------- Qt's own

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the frame, what is over it, and a ring if the keyboard's focus came here."""
        frame = self.frame
        marks = self.over(frame)
        if self._ring:
            marks.append(Rect(Box(1, 1, frame.width - 2, frame.height - 2), stroke="accent", width=2))
        with painting(self) as painter:
            paint(painter, _within(self.on_the_way(frame), event.region().boundingRect()), self.theme)
            if marks:
                paint(painter, Frame(frame.width, frame.height, tuple(marks)), self.theme)
        self.painted.emit()

    def resizeEvent(self, event: QEvent) -> None:
        """Compose for the new size."""
        self._frame = None

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring if Tab led here: whoever uses the mouse sees where he has clicked."""
        self._ring = event.reason() in _BY_KEYBOARD
        self.setAccessibleDescription(self.described())
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away."""
        self._ring = False
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say by the pointer's form what can be clicked."""
        at = event.position()
        hand = self.clickable(at.x(), at.y())
        self.setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)

    def clickable(self, x: float, y: float) -> bool:
        """Return whether a click at a point leads somewhere."""
        return self.frame.spot_at(x, y) is not None


give_role(FramePane, QAccessible.Role.Graphic)


def _within(frame: Frame, seen: QRect) -> Frame:
    """Return a frame without the groups and grids that are outside what is painted."""
    if seen.width() >= frame.width and seen.height() >= frame.height:
        return frame
    marks = (
        mark
        for mark in frame.marks
        if not isinstance(mark, Group | Cells) or seen.intersects(rectangle(mark.box).toAlignedRect())
    )
    return Frame(frame.width, frame.height, tuple(marks))
