"""A pane in which arrows do what the pointer does: from place to place, and Enter for a click."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QApplication

from cnnviz.scene.marks import Box, Cells, Frame, Mark, Rect, flat, spots
from cnnviz.ui.pane import FramePane
from cnnviz.ui.player import Player
from cnnviz.ui.reader import tell

ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class CursorPane(FramePane):
    """A pane whose places the keyboard reaches as the pointer does; what is there is told.

    Parameters
    ----------
    player : Player
        Whose moment is shown.
    name : str
        What screen readers call it.

    Attributes
    ----------
    pointer : (float, float) or None
        The point that is looked at, by mouse or keyboard.
    chosen : Box or None
        The place that the keyboard is at.
    """

    own_keys = frozenset((*ARROWS, *ENTER))

    def __init__(self, player: Player, name: str) -> None:
        super().__init__(player, name)
        self.pointer: tuple[float, float] | None = None
        self.chosen: Box | None = None
        player.moved.connect(self.forget_pointer)

    # ------------------------------------------------------------------------------------- to be written

    def said_at(self, x: float, y: float) -> str:
        """Return what is said of what is at a point; empty where nothing is."""
        raise NotImplementedError

    def press_at(self, x: float, y: float) -> None:
        """Do what a click at a point does."""
        raise NotImplementedError

    def enter_at(self, x: float, y: float) -> None:
        """Do what Enter does at a point: what a click does; where that is nothing, open the menu."""
        if self.frame.spot_at(x, y) is not None or not self.ask_for_menu(x, y):
            self.press_at(x, y)

    def places(self, frame: Frame) -> list[Box]:
        """Return the places that the keyboard can be at: cells, and what can be clicked."""
        found: list[Box] = []
        for mark in flat(frame.marks):
            if isinstance(mark, Cells) and mark.array:
                rows, columns = mark.values.shape
                found += [mark.box_of(row, column) for row in range(rows) for column in range(columns)]
            else:
                found += [spot.box for spot in spots((mark,))]
        return found

    def first(self, frame: Frame) -> Box | None:
        """Return the place at which the keyboard begins."""
        return next(iter(self.places(frame)), None)

    def point_looked_at(self) -> tuple[float, float] | None:
        """Return the point that the keyboard is at, or the pointer."""
        return self.pointer

    # ------------------------------------------------------------------------------------------ the keyboard

    def choose(self, place: Box | None) -> None:
        """Be at a place, and have it told; at none, look at nothing."""
        self.chosen = place
        self.pointer = place.center if place else None
        self.renew()
        if place:
            tell(self, self.said_at(*place.center))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from place to place, or do what a click does."""
        key = Qt.Key(event.key())
        if key not in self.own_keys:
            super().keyPressEvent(event)
        elif key in ARROWS:
            self.choose((self.chosen and self._beside(self.chosen, *ARROWS[key])) or self._start())
        elif key in ENTER and self.chosen is not None:
            self.enter_at(*self.chosen.center)
        else:
            self.choose(None if key == Qt.Key.Key_Escape else self._start())

    def _start(self) -> Box | None:
        return self.chosen or self.first(self.frame)

    def _beside(self, place: Box, dx: int, dy: int) -> Box | None:
        return beside(self.places(self.frame), place, dx, dy)

    def forget_pointer(self) -> None:
        """Look at nothing."""
        self.pointer = self.chosen = None

    def over(self, frame: Frame) -> list[Mark]:
        """Outline where the keyboard is."""
        if self.chosen is None:
            return []
        outer = Rect(self.chosen.inset(-1), stroke="ground", width=5)
        return [outer, Rect(self.chosen.inset(-1), stroke="accent", width=3)]

    def leaveEvent(self, event: QEvent) -> None:
        """Look at nothing that only the mouse has been at; what the palette does is still about it."""
        if self.chosen is None and self.pointer is not None and QApplication.activePopupWidget() is None:
            self.pointer = None
            self.renew()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Look at nothing: the keyboard is elsewhere."""
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self.forget_pointer()


def beside(places: Sequence[Box], place: Box, dx: int, dy: int) -> Box | None:
    """Return the nearest place to the left, right, above or below; None where there is none.

    What lies straight ahead is nearer than what lies aside. Of places around one another, a smaller one is
    gone to from a larger one as if it were beside it.
    """
    x, y = place.center

    def far(other: Box) -> tuple[float, float] | None:
        right, down = other.center[0] - x, other.center[1] - y
        ahead, aside = right * dx + down * dy, abs(right * dy) + abs(down * dx)
        reach = (other.h if dx else other.w) / 2
        return (ahead + 3 * max(0.0, aside - reach), aside) if ahead > 0.5 else None

    found = [(cost, other) for other in places if (cost := far(other)) is not None]
    return min(found, key=lambda pair: pair[0])[1] if found else None
