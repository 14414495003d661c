"""The stage: the operation in hand, what glides between two steps, and where a number comes from."""

from __future__ import annotations

from msgspec.structs import replace
from PySide6.QtCore import (
    QAbstractAnimation,
    QEasingCurve,
    QElapsedTimer,
    QEvent,
    Qt,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import QAccessible, QMouseEvent

from cnnviz.scene import panels
from cnnviz.scene.arrays import role
from cnnviz.scene.frame import stage
from cnnviz.scene.glide import glide
from cnnviz.scene.marks import Box, Frame, Mark, Rect
from cnnviz.scene.provenance import Origin, explain, origin, origin_of_variable
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.stops import Level, next_stop
from cnnviz.ui.pane import FramePane, fitting
from cnnviz.ui.player import Player

STAGE = 1140, 878
"""The size that it is made for, at unit 1."""

_GLIDE = 150
"""Milliseconds between two steps."""

_REST = 220
"""Milliseconds: of steps that follow one another faster, more would be on its way than at rest."""


class StagePane(FramePane):
    """The operation in hand; hovering a number says where it comes from, a click goes there.

    Attributes
    ----------
    started : Signal(str, int, float)
        Of this descent, this start is to be at this value: its axes were clicked there.
    """

    started = Signal(str, int, float)

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Stage: the operation in hand"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.smallest_unit = 0.0
        self.glides = True
        self._pointer: tuple[float, float] | None = None
        self._composed: Operation | None = None
        self._last: tuple[Operation | None, Frame] | None = None
        self._glide = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=_GLIDE)
        self._since = QElapsedTimer()
        self._glide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._glide.valueChanged.connect(lambda _: self.update())
        player.moved.connect(self._set_out)
        player.moved.connect(self._forget_pointer)
        player.moved.connect(self._tell)

    def unit(self, width: float, height: float) -> float:
        """Fit both ways, but never go under what the lecture view asks for."""
        return max(fitting(width, height, STAGE), self.smallest_unit) * self.player.display.zoom / 100

    @property
    def theme(self) -> Theme:
        """The colours that are chosen; for the last row of the lecture view, with high contrast."""
        display = self.player.display
        return theme_of(replace(display, high_contrast=display.high_contrast or self.smallest_unit > 0))

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Draw the stage on its ground, in the lecture view with the formula."""
        self._composed = self.player.moment.operation
        lecture = self.smallest_unit > 0
        return [Rect(box, fill="ground"), *stage(self.player.moment, box, unit, lecture)]

    def refresh(self) -> None:
        """Compose anew at the next painting, and note what is shown until then."""
        if self._frame is not None:
            self._last = self._composed, self._frame
        super().refresh()

    def on_the_way(self, frame: Frame) -> Frame:
        """Return the frame with what glides between its place before the last move and that after it."""
        if self._glide.state() != QAbstractAnimation.State.Running or self._last is None:
            return frame
        operation, before = self._last
        gliding = glide(before, frame, self._glide.currentValue()) if operation is self._composed else frame
        if gliding is frame:
            self._glide.stop()
        return gliding

    def _set_out(self) -> None:
        """Begin to glide, unless steps follow one another so fast that nothing would ever rest."""
        hurried = self._since.isValid() and self._since.elapsed() < _REST
        self._since.restart()
        self._glide.stop()
        if self.glides and self.isVisible() and not hurried:
            self._glide.start()

    def origin_at(self, x: float, y: float) -> Origin | None:
        """Return where the number at a point comes from."""
        found, spot = self.frame.at(x, y), self.frame.spot_at(x, y)
        if found:
            return origin(self.player.moment, found[0].array, found[1])
        if spot and spot.kind == "value":
            return origin_of_variable(self.player.moment, spot.name)
        return None

    def over(self, frame: Frame) -> list[Mark]:
        """Say where the number under the pointer comes from."""
        shown = self.origin_at(*self._pointer) if self._pointer else None
        if shown is None or self._pointer is None:
            return []
        operation = self.player.moment.operation
        colours = {name: f"{role(operation, name)}_line" for name in (*shown.sources, *shown.targets)}
        return explain(frame, shown, colours, *self._pointer, self.unit(frame.width, frame.height))

    def clickable(self, x: float, y: float) -> bool:
        """Return whether a number was written by a step, a factor is there, or a start can be put there."""
        spot = self.frame.spot_at(x, y)
        if spot and spot.kind in ("operation", "start", "step", "path"):
            return True
        shown = self.origin_at(x, y)
        return shown is not None and shown.step is not None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Look at what is under the pointer."""
        super().mouseMoveEvent(event)
        before = self._pointer
        at = event.position().x(), event.position().y()
        self._pointer = at if self.frame.at(*at) or self.frame.spot_at(*at) else None
        if before or self._pointer:
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Look at nothing."""
        self._forget_pointer()
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the step that writes the number clicked, or to where a factor has been multiplied.

        In a descent's axes, put its start there.
        """
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x, y = event.position().x(), event.position().y()
        shown, spot = self.origin_at(x, y), self.frame.spot_at(x, y)
        if spot and spot.kind == "start":
            self.started.emit(spot.name, spot.line, spot.value_at(x))
        elif spot and spot.kind == "path":
            self.player.follow_path(spot.line)
        elif spot and spot.kind == "step":
            self.player.pause()
            self.player.go_to(spot.line)
        elif spot and spot.kind == "operation":
            program = self.player.cursor.program
            last = next_stop(program.operation(spot.name), -1, Level.LAYER)
            self.player.pause()
            self.player.go_to(program.start(spot.name) + (last or 0))
        elif shown and shown.step is not None:
            self.player.pause()
            self.player.go_to(shown.step)

    def _forget_pointer(self) -> None:
        self._pointer = None

    def _tell(self) -> None:
        """Let a screen reader say where we are."""
        if QAccessible.isActive():
            self.setAccessibleDescription(panels.where(self.player.moment))
