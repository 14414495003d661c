"""The whole program as a bar, which is dragged and zoomed, with what is marked on it."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip

from cnnviz.scene import lecture, panels
from cnnviz.scene.marks import Box, Frame, Hotspot, Mark, flat
from cnnviz.scene.numbers import count
from cnnviz.scene.spoken import aloud
from cnnviz.scene.target import Target
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program
from cnnviz.ui.cursor_pane import CursorPane
from cnnviz.ui.player import Player

TIMELINE = (1920, 146)
"""The size that the pane is made for, at unit 1."""

STRIP = 52
"""The height of what stands for it in the lecture view, at unit 1."""


class TimelinePane(CursorPane):
    """The whole program as a bar: drag to any step, zoom with the wheel, breakpoints by Shift and a click.

    A click on a bookmark, or on the dot of a stop of the lesson, goes to its very step; a drag that comes by
    a dot rests there.

    Attributes
    ----------
    span : (float, float)
        Which part of the bar is shown, of 0 to 1.
    lecture : bool
        Whether it is only a strip that says how far we are.
    """

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Timeline: drag to any step"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.span = (0.0, 1.0)
        self.lecture = False
        self._before_press = 0
        self._held_at: float | None = None
        self._program = player.cursor.program
        player.moved.connect(self._follow)

    def unit(self, width: float, height: float) -> float:
        """Fit the height, which the window gives."""
        return height / (STRIP if self.lecture else TIMELINE[1])

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Draw the bar."""
        if self.lecture:
            return lecture.progress(self.player.moment, box, unit)
        return panels.timeline(self.player.moment, box, unit, self.span)

    def bar(self) -> Box:
        """Return where the bar is."""
        box, unit = Box(0, 0, self.width(), self.height()), self.unit(self.width(), self.height())
        return lecture.progress_bar(box, unit) if self.lecture else panels.timeline_bar(box, unit)

    def step_at(self, x: float) -> int:
        """Return the step at a place in the pane."""
        return panels.timeline_step(self.player.cursor.program, self._part_at(x))

    def x_of(self, index: int) -> float:
        """Return where in the pane a step is."""
        low, high = self.span
        bar = self.bar()
        return bar.x + (panels.timeline_at(self.player.cursor.program, index) - low) / (high - low) * bar.w

    def clickable(self, x: float, y: float) -> bool:
        """Return whether a point is on the bar."""
        bar = self.bar()
        return Box(bar.x, bar.y - bar.h / 2, bar.w, bar.h * 2).contains(x, y)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the step clicked; with Shift, toggle a breakpoint."""
        at = event.position()
        if not self.clickable(at.x(), at.y()) or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()  # the window has something for other buttons
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._toggle_breakpoint(at.x())
        else:
            self._before_press = self.player.cursor.index
            self._held_at = at.x() if self._marked_at(at.x(), at.y()) is not None else None
            self.press_at(at.x(), at.y())

    def press_at(self, x: float, y: float) -> None:
        """Go to the step at a point, or to the very step that is marked there."""
        marked = self._marked_at(x, y)
        self.player.jump_to(self.step_at(x) if marked is None else marked)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on to the step at the pointer while the button is held."""
        super().mouseMoveEvent(event)
        if not event.buttons() & Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        if self._held_at is not None and abs(x - self._held_at) < QApplication.startDragDistance():
            return  # a hand that clicks a bookmark is not quite still
        self._held_at = None
        stop = self._stop_at(x, event.position().y())
        self.player.go_to(stop.index if stop else self.step_at(x))

    def event(self, event: QEvent) -> bool:
        """Say where a bookmark is, or what the lesson says at a stop, when the pointer rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            said = escape(self.said_at(event.pos().x(), event.pos().y()))
            QToolTip.showText(event.globalPos(), f"<p>{said}</p>" if said else "")  # in lines, not in one
            return True
        return super().event(event)

    def said_at(self, x: float, y: float) -> str:
        """Return what is said of what is marked at a point, or where the keyboard is."""
        stop, spot = self._stop_at(x, y), self.frame.spot_at(x, y)
        if stop:
            what = tr("Stop {number} / {count}", number=stop.number, count=stop.count)
            return f"{what}: {stop.caption}"
        if spot is None and self.chosen is None:
            return ""
        if spot is None:
            index = self.step_at(x)
            return tr("Step {index}: {place}", index=count(index), place=self._place(index))
        place = self.player.where(spot.line)
        return tr("Bookmark at step {index}: {place}", index=count(spot.line), place=place)

    def target_at(self, x: float, y: float) -> Target | None:
        """Return the step at a point, or the one that is marked there."""
        if not self.clickable(x, y) and self.chosen is None:
            return None
        marked = self._marked_at(x, y)
        index = self.step_at(x) if marked is None else marked
        said = tr("Step {index}: {place}", index=count(index), place=self.player.where(index))
        return Target(said, said, step=index)

    def _marked_at(self, x: float, y: float) -> int | None:
        """Return the step of the stop or the bookmark at a point."""
        stop, spot = self._stop_at(x, y), self.frame.spot_at(x, y)
        return stop.index if stop else spot.line if spot else None

    def _stop_at(self, x: float, y: float) -> Stop | None:
        """Return the lesson's stop whose dot is nearest to a point, of those that it is at."""
        numbers = {
            mark.line
            for mark in self.frame.marks
            if isinstance(mark, Hotspot) and mark.kind == "stop" and mark.box.contains(x, y)
        }
        near = [stop for stop in self.player.stops if stop.number in numbers]
        return min(near, key=lambda stop: abs(self.x_of(stop.index) - x), default=None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole program again, and stay where the first click was made."""
        self.span = (0.0, 1.0)
        self.player.go_to(self._before_press)
        self.refresh()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer; a wheel turned sideways moves what is shown."""
        self._zoom(event.angleDelta().y(), event.position().x(), event.angleDelta().x())
        event.accept()

    def _zoom(self, turned: int, x: float, aside: int = 0) -> None:
        """Show a smaller or a larger part around a place."""
        low, high = self.span
        size = high - low
        if turned:
            wider = min(1.0, max(1e-6, size * 0.8 ** (turned / 120)))
            at = self._part_at(x)
            low = at - (at - low) / size * wider
            size = wider
        low = min(max(0.0, low - aside / 1200 * size), 1.0 - size)
        self.span = (low, low + size)
        self.refresh()

    # ------------------------------------------------------------------------------------------ the keyboard

    def places(self, frame: Frame) -> list[Box]:
        """Return what is marked, and where operations begin."""
        program, bar = self.player.cursor.program, self.bar()
        starts = (self.x_of(start) for start in program.starts[: len(program.operations)])
        found = [Box(x, bar.y, 2, bar.h) for x in starts if bar.x <= x <= bar.right]
        marked = [mark.box for mark in flat(frame.marks) if isinstance(mark, Hotspot)]
        return [*(Box(box.center[0] - 4, bar.y, 8, bar.h) for box in marked), *found]

    def first(self, frame: Frame) -> Box | None:
        """Return where we are."""
        bar = self.bar()
        return Box(self.x_of(self.player.cursor.index) - 4, bar.y, 8, bar.h)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show a smaller or a larger part by ↑ and ↓; else go from mark to mark."""
        turned = {Qt.Key.Key_Up: 120, Qt.Key.Key_Down: -120}.get(Qt.Key(event.key()))
        if turned is None:
            super().keyPressEvent(event)
        else:
            self._zoom(turned, (self.chosen or self.first(self.frame) or self.bar()).center[0])
            self.choose(None)

    def described(self) -> str:
        """Return which step of how many it is, and where that is."""
        index, last = self.player.cursor.index, len(self.player.cursor.program) - 1
        step = tr("step {index} of {count}", index=count(index), count=count(last))
        return f"{step}: {self._place(index)}"

    def _place(self, index: int) -> str:
        """Return where a step is, for a voice that rests at commas."""
        return aloud(self.player.where(index).replace(" · ", ", "))

    def _part_at(self, x: float) -> float:
        low, high = self.span
        bar = self.bar()
        return low + min(1.0, max(0.0, (x - bar.x) / bar.w)) * (high - low)

    def _toggle_breakpoint(self, x: float) -> None:
        player = self.player
        program = player.cursor.program
        placed = (point for point in player.breakpoints if point.operation)
        near = [point for point in placed if abs(self.x_of(_place(program, point)) - x) < 7]
        if near:
            player.remove_breakpoint(near[0])
        else:
            player.toggle_at(self.step_at(x))

    def _follow(self) -> None:
        """Keep the playhead in sight when only a part of the program is shown; show another lesson whole."""
        program = self.player.cursor.program
        if program is not self._program:
            if _names(program) != _names(self._program):
                self.span = (0.0, 1.0)
            self._program = program
        low, high = self.span
        at = panels.timeline_at(program, self.player.cursor.index)
        if not low <= at <= high:
            low = min(max(0.0, at - (high - low) / 2), 1.0 - (high - low))
            self.span = (low, low + self.span[1] - self.span[0])


def _names(program: Program) -> list[str]:
    return [operation.name for operation in program.operations]


def _place(program: Program, point: Breakpoint) -> int:
    return program.start(point.operation) + (point.offset or 0)
