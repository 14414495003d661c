"""The pane that shows the network: scrolled, its blocks folded, by mouse and by keyboard."""

from __future__ import annotations

from html import escape

import numpy as np
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip

from cnnviz.scene import panels
from cnnviz.scene.marks import Box, Cells, Frame, Hotspot, Mark, Rect, flat
from cnnviz.scene.panels.network_rows import Item, Rows
from cnnviz.scene.panels.network_strip import Window
from cnnviz.scene.spoken import aloud
from cnnviz.scene.target import Target, network_target
from cnnviz.text import tr
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level, next_stop
from cnnviz.ui.cursor_pane import ARROWS, ENTER, beside
from cnnviz.ui.pane import FramePane, fitting
from cnnviz.ui.player import Player
from cnnviz.ui.reader import tell

NETWORK = (330, 600)
"""The size that the pane is made for, at unit 1."""

_NOTCH = 120  # what a wheel says when it is turned by one notch
_ROWS_A_NOTCH = 3


class NetworkPane(FramePane):
    """The layers with their maps and gradients; a click goes to where one is computed.

    The wheel scrolls; ↑ and ↓ go from row to row, ← and → fold and unfold a block, Enter goes to where the
    values are computed, Shift+Enter to where the gradient is. In a row that is no block, → leads to its
    numbers, arrows from one to the next, Enter opens the menu of one.

    Attributes
    ----------
    arguments_wanted : Signal(str)
        What an operation is made with is to be changed: its layer was double-clicked.
    """

    arguments_wanted = Signal(str)

    own_keys = frozenset(
        (
            Qt.Key.Key_Up,
            Qt.Key.Key_Down,
            Qt.Key.Key_Left,
            Qt.Key.Key_Right,
            Qt.Key.Key_Home,
            Qt.Key.Key_End,
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Space,
        )
    )

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Network: click a layer to go to where it is computed"))
        self.setMinimumWidth(150)
        self._top: int | None = None
        self._turned = 0.0
        self._chosen = ""  # the row that the keyboard is at
        self._number: Box | None = None  # where in it the number is that the keyboard is at
        self._names = panels.network_outline(player.cursor.program).names
        self._rows: Rows | None = None
        self._at_work = -1
        player.moved.connect(self._leave_number)
        player.changed.connect(self._leave_number)

    def unit(self, width: float, height: float) -> float:
        """Fit both ways, with less in it where text is larger; zooming is making it wider."""
        return fitting(width, height, NETWORK) * self.player.display.text / 100

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Draw the network, with the row at work in sight."""
        self._follow(box, unit)
        return panels.network(self.player.moment.alone, box, unit, self._top)

    # ----------------------------------------------------------------------------------------------- in sight

    @property
    def rows(self) -> Window:
        """The rows, and which of them are in sight."""
        width, height = self.width(), self.height()
        box, unit = Box(0, 0, width, height), self.unit(width, height)
        return panels.network_window(self.player.moment.alone, box, unit, self._top)

    def scroll_by(self, rows: int) -> None:
        """Move the rows by so many up; as far as there are any."""
        before = self.rows
        self._top = max(0, min(before.top + rows, len(before.rows.items) - before.seen))
        self._keep_shown()

    def _follow(self, box: Box, unit: float) -> None:
        """Bring the row at work into sight when it is another one; what need not move stays where it is."""
        moment = self.player.moment
        names = panels.network_outline(moment.program).names
        if names != self._names:
            self._names, self._top, self._chosen = names, None, ""
        window = panels.network_window(moment.alone, box, unit, self._top)
        if self._top is None or self._rows is None:
            self._top = window.top
        elif window.rows is not self._rows:
            self._top = self._same_place(window)
        elif window.at_work != self._at_work:
            self._top = _nearest(window, window.at_work)
        self._rows, self._at_work = window.rows, window.at_work

    def _same_place(self, window: Window) -> int:
        """Return the first row in sight after blocks were folded or unfolded: the one at work stays."""
        before = self._rows
        assert before is not None and self._top is not None
        if window.at_work < 0:
            return window.top
        first = window.rows.items[window.at_work].first
        place = before.item_of[first] - self._top
        place = max(0, min(place, window.seen - 1))
        return _nearest(window._replace(top=window.at_work - place), window.at_work)

    # ---------------------------------------------------------------------------------------------- the mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the last cell of what was clicked; fold or unfold a block, scroll, or follow another path."""
        spot = self.frame.spot_at(event.position().x(), event.position().y())
        if spot is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()  # the window has something for other buttons
            return
        if spot.kind == "fold":
            self.fold(spot.name)
        elif spot.kind == "scroll":
            self.scroll_by(spot.line)
        elif spot.kind == "lane":
            self.player.follow_through(spot.name)
        else:
            self._go(spot.name, spot.kind == "gradient")

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Have the arguments of a layer changed; the first click has gone to it."""
        spot = self.frame.spot_at(event.position().x(), event.position().y())
        if spot and spot.kind == "layer" and event.button() == Qt.MouseButton.LeftButton:
            self.arguments_wanted.emit(self.player.cursor.step.operation.name)
        else:
            self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll by three rows a notch; a part of a notch is kept."""
        self._turned -= event.angleDelta().y() / _NOTCH * _ROWS_A_NOTCH
        rows = int(self._turned)
        self._turned -= rows
        if rows:
            self.scroll_by(rows)
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Say what a row is when the pointer rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            lines = self.said_at(event.pos().x(), event.pos().y())
            QToolTip.showText(event.globalPos(), "<br>".join(map(escape, lines)))
            return True
        return super().event(event)

    def said_at(self, x: float, y: float) -> tuple[str, ...]:
        """Return what is said of the row at a point; nothing where none is."""
        spot = self.frame.spot_at(x, y)
        if spot and spot.kind == "lane":
            return (tr("A click follows the path through {at}.", at=spot.name),)
        item = self._item(spot.name) if spot and spot.kind != "scroll" else None
        return panels.row_said(self.player.moment.alone, item) if item else ()

    def target_at(self, x: float, y: float) -> Target | None:
        """Return the number at a point, or the row there, or its gradient."""
        width, height = self.width(), self.height()
        box, unit = Box(0, 0, width, height), self.unit(width, height)
        cell = panels.network_cell(self.player.moment.alone, box, unit, self._top, x, y)
        if cell is not None and cell[2]:  # a variable has no index
            return network_target(self.player.moment, *cell)
        spot = self.frame.spot_at(x, y)
        item = self._item(spot.name) if spot and spot.kind not in ("scroll", "lane") else None
        if spot is None or item is None:
            return None
        program, moment = self.player.cursor.program, self.player.moment.alone
        layer = panels.network_outline(program).names[item.last]
        step = computed_at(program, layer, spot.kind == "gradient")
        said = panels.row_said(moment, item)
        return Target(said[0], "; ".join(said), layer=layer, step=step)

    def point_looked_at(self) -> tuple[float, float] | None:
        """Return where the row or the number is that the keyboard is at."""
        box = (self._number or self._box_chosen(self.frame)) if self.hasFocus() else None
        return box.center if box else None

    # ------------------------------------------------------------------------------------------- the keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose a row, fold or unfold a block, or go to where the row is computed; in a row, its numbers."""
        key = event.key()
        if self._among_numbers(Qt.Key(key)):
            return
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Home: -(10**9), Qt.Key.Key_End: 10**9}
        item = self.chosen
        if key in by:
            self._choose(self._number_chosen() + by[Qt.Key(key)])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._fold_chosen(item, key == Qt.Key.Key_Left)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if item.kind == "open" or (item.kind == "folded" and key == Qt.Key.Key_Space):
                self.fold(item.name)
            else:
                shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                self._go(panels.network_outline(self.player.cursor.program).names[item.last], shifted)
        else:
            super().keyPressEvent(event)

    def _among_numbers(self, key: Qt.Key) -> bool:
        """Go from number to number of a row, or open the menu of one; return whether the key did that.

        The right arrow leads into a row that is no block, the left one, over its first number, out of it.
        """
        at = self._number
        if at is None:
            if key != Qt.Key.Key_Right or self.chosen.kind in ("open", "folded"):
                return False
            self._choose_number(next(iter(self._numbers()), None))
        elif key in ARROWS:
            self._choose_number(beside(self._numbers(), at, *ARROWS[key]))
        elif key in ENTER:
            self.ask_for_menu(*at.center)
        else:
            return False
        return True

    def _numbers(self) -> list[Box]:
        """Return where the numbers of the row are that the keyboard is at, as far as they can be told."""
        row = self._box_chosen(self.frame)
        grids = (mark for mark in flat(self.frame.marks) if isinstance(mark, Cells))
        own = [grid for grid in grids if row is not None and row.contains(*grid.box.center)]
        return [
            grid.box_of(int(r), int(c))
            for grid in sorted(own, key=lambda grid: grid.box.x)
            for r, c in np.argwhere(np.isfinite(grid.values))
        ]

    def _choose_number(self, place: Box | None) -> None:
        """Be at a number, or at its row again, and have it told."""
        target = self.target_at(*place.center) if place else None
        self._number = place if target is not None else None
        self.renew()
        if target is None:
            self._tell()
        else:
            tell(self, aloud(target.said))

    def _leave_number(self) -> None:
        """Be at the row: its numbers may be others now, or elsewhere."""
        self._number = None

    def resizeEvent(self, event: QEvent) -> None:
        """Compose for the new size."""
        super().resizeEvent(event)
        self._leave_number()

    @property
    def chosen(self) -> Item:
        """The row that the keyboard is at."""
        return self.rows.rows.items[self._number_chosen()]

    def over(self, frame: Frame) -> list[Mark]:
        """Outline the row that the keyboard is at, and the number."""
        box = self._box_chosen(frame) if self._ring else None
        if self._number is not None and self.hasFocus():
            place = self._number.inset(-1)
            return [Rect(place, stroke="ground", width=5), Rect(place, stroke="accent", width=3)]
        return [Rect(box.inset(0.5), stroke="accent", width=2)] if box else []

    def _box_chosen(self, frame: Frame) -> Box | None:
        """Return where the row is that the keyboard is at; None while it is out of sight."""
        name = self.chosen.name
        boxes = [mark.box for mark in frame.marks if isinstance(mark, Hotspot) and _is_of(mark, name)]
        return max(boxes, key=lambda box: box.w, default=None)

    def _number_chosen(self) -> int:
        """Return the number of the row that the keyboard is at: at first, the one at work."""
        window = self.rows
        numbers = [k for k, item in enumerate(window.rows.items) if item.name == self._chosen]
        return numbers[0] if numbers else max(0, window.at_work)

    def _choose(self, number: int) -> None:
        window = self.rows
        number = max(0, min(number, len(window.rows.items) - 1))
        self._chosen = window.rows.items[number].name
        self._ring = True
        self._top = _nearest(window, number)
        self._keep_shown()
        self._tell()

    def _fold_chosen(self, item: Item, fold: bool) -> None:
        """Fold the block that the keyboard is at or in, or unfold it."""
        if item.kind == ("open" if fold else "folded"):
            self.fold(item.name)
        elif fold and item.depth:
            whole = panels.network_outline(self.player.cursor.program)
            around = [
                whole.blocks[k].name
                for k in whole.around(whole.block_of[item.first])
                if whole.blocks[k].depth < item.depth
            ]
            self._chosen = around[0]
            self.fold(around[0])

    # ------------------------------------------------------------------------------------------- what is done

    def fold(self, name: str) -> None:
        """Fold a block, or unfold it."""
        item = self._item(name)
        if item is None:
            return
        self.player.fold(name, item.kind == "open")
        self._tell()

    def _go(self, name: str, gradient: bool) -> None:
        self.player.jump_to(computed_at(self.player.cursor.program, name, gradient))

    def _item(self, name: str) -> Item | None:
        """Return the row of a layer or of a block; of what is folded, the block's."""
        rows, whole = self.rows.rows, panels.network_outline(self.player.cursor.program)
        if name in whole.number:
            return rows.items[rows.item_of[whole.number[name]]]
        return next((item for item in rows.items if item.name == name), None)

    def _keep_shown(self) -> None:
        """Show what was scrolled or folded, where nothing else has moved."""
        self._frame = self._number = None
        self.renew()

    def described(self) -> str:
        """Return what is known of the row that the keyboard is at."""
        return aloud("; ".join(panels.row_said(self.player.moment.alone, self.chosen)))

    def _tell(self) -> None:
        """Let a screen reader say what the keyboard is at."""
        said = self.described()
        self.setAccessibleDescription(said)
        tell(self, said)


def _nearest(window: Window, row: int) -> int:
    """Return which row is the first in sight where another one comes into sight, moving as little as it can.

    Of what is above and below it, one more row is in sight.
    """
    if row < 0:
        return window.top
    rim = 1 if window.seen > 2 else 0
    top = min(max(window.top, row + rim + 1 - window.seen), row - rim)
    return max(0, min(top, len(window.rows.items) - window.seen))


def _is_of(spot: Hotspot, name: str) -> bool:
    return spot.name == name and spot.kind in ("layer", "fold")


def computed_at(program: Program, layer: str, gradient: bool) -> int:
    """Return the step that completes a layer's output, or the gradient of it."""
    shown = panels.arrays_of(program, layer)
    source = shown.gradient if gradient else shown.values
    if source is None:
        return 0
    operation = source.operation
    if operation is None:
        return 0
    last = next_stop(operation, -1, Level.LAYER) if source.shape else operation.step_writing(source.name, ())
    return program.start(operation.name) + (last or 0)
