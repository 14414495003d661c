"""The stage: the operation in hand, what glides between two steps, and where a number comes from."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace
from PySide6.QtCore import (
    QAbstractAnimation,
    QEasingCurve,
    QElapsedTimer,
    QPointF,
    Qt,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from cnnviz.scene.arrays import role
from cnnviz.scene.display import OPTIONS
from cnnviz.scene.frame import stage
from cnnviz.scene.glide import glide
from cnnviz.scene.marks import Box, Cells, Frame, Hotspot, Mark, Number, Rect, flat
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count, full
from cnnviz.scene.panels.chain_strip import enlarged
from cnnviz.scene.provenance import (
    Origin,
    explain,
    nearest,
    origin,
    origin_of_colour,
    origin_of_terms,
    origin_of_variable,
)
from cnnviz.scene.spoken import aloud, spoken
from cnnviz.scene.target import Target, cell_target, terms_target, variable_target
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.scene.traced import Traced
from cnnviz.text import tr
from cnnviz.trace.alone import cell_in
from cnnviz.trace.cursor import stop_holding
from cnnviz.trace.operation import Operation
from cnnviz.trace.stops import Level, next_stop
from cnnviz.ui.cursor_pane import CursorPane
from cnnviz.ui.pane import fitting
from cnnviz.ui.player import Player
from cnnviz.ui.reader import tell
from cnnviz.ui.timer import Timer

STAGE = 1140, 878
"""The size that it is made for, at unit 1."""

_GLIDE = 150
"""Milliseconds between two steps."""

_BREATH = 150
"""Milliseconds: so long we stay at a step until it is told."""

_AIMS = 50
"""In so many places of a descent's axes can its start be put by keyboard."""

_LOOKING = frozenset((*CursorPane.own_keys, Qt.Key.Key_Escape))

_REST = 220
"""Milliseconds: of steps that follow one another faster, more would be on its way than at rest."""


class Hand(Protocol):
    """What changes numbers by mouse."""

    def press(self, x: float, y: float, shift: bool) -> bool:
        """Begin to drag, if there is a number to be changed; return whether there is."""

    def move(self, x: float, y: float) -> bool:
        """Go on with what was begun; return whether something was."""

    def release(self) -> bool:
        """End what was begun; return whether more than a click was."""

    def edit_at(self, x: float, y: float) -> None:
        """Ask for another number in the place of the one at a point."""


class StagePane(CursorPane):
    """The operation in hand; hovering a number says where it comes from, a click goes there.

    Attributes
    ----------
    started : Signal(str, int, float)
        Of this descent, this start is to be at this value: its axes were clicked there.
    dragged : Signal()
        The frame is taken hold of where nothing is that could be clicked, and drawn away.
    hand : Hand or None
        What changes numbers by mouse.
    """

    started = Signal(str, int, float)
    dragged = Signal()
    hand: Hand | None = None

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Stage: the operation in hand"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.smallest_unit = 0.0
        self.glides = True
        self._composed: Operation | None = None
        self._held: QPointF | None = None  # where the frame is held by the mouse
        self.pinned: tuple[float, float] | None = None  # the point of the number whose card stays
        self._last: tuple[Operation | None, Frame] | None = None
        self._glide = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=_GLIDE)
        self._since = QElapsedTimer()
        self._glide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._glide.valueChanged.connect(lambda _: self.renew())
        player.moved.connect(self._set_out)
        self._told: Moment | None = None
        self._traced: Traced | None = None
        self._voice = Timer(self, self._tell)
        self._voice.setSingleShot(True)
        self._edits = player.edits.index()
        player.moved.connect(self._wait)
        player.changed.connect(self._wait)
        player.edits.indexChanged.connect(self._tell_edit)
        self._wait()

    def unit(self, width: float, height: float) -> float:
        """Fit both ways, but never go under what the lecture view asks for."""
        display = self.player.display
        return max(fitting(width, height, STAGE), self.smallest_unit) * display.scale_of_text

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
        if self.player.moment.operation is not self._composed:
            self.pinned = None
        hurried = self._since.isValid() and self._since.elapsed() < _REST
        self._since.restart()
        self._glide.stop()
        if self.glides and self.isVisible() and not hurried:
            self._glide.start()

    def cell_at(self, x: float, y: float) -> Number | None:
        """Return which cell the number at a point is, in a grid or in the arithmetic."""
        if found := self.frame.at(x, y):
            return found[0].array, found[1]
        spot = self.frame.spot_at(x, y)
        return (spot.name, spot.index) if spot and spot.kind == "cell" else None

    def origin_at(self, x: float, y: float) -> Origin | None:
        """Return where the number at a point comes from, or what lies at a colour of a scale."""
        moment, cell, spot = self.player.moment, self.cell_at(x, y), self.frame.spot_at(x, y)
        if cell:
            return origin(moment, *cell)
        if spot and spot.kind == "value":
            return origin_of_variable(moment, spot.name)
        if spot and spot.kind == "terms":
            return origin_of_terms(moment, spot.line, spot.count)
        if spot and spot.kind == "scale":
            return origin_of_colour(moment, spot.name, spot.value_at(x))
        return None

    def target_at(self, x: float, y: float) -> Target | None:
        """Return the number at a point, or what is computed where a factor is."""
        moment, cell, spot = self.player.moment, self.cell_at(x, y), self.frame.spot_at(x, y)
        if spot and spot.kind == "scale" and (near := nearest(moment, spot.name, spot.value_at(x))):
            cell = spot.name, near[0]
        if cell:
            return cell_target(moment, cell[0], cell_in(moment.operation, *cell, moment.sample))
        if spot and spot.kind == "value":
            return variable_target(moment, spot.name)
        if spot and spot.kind == "terms":
            return terms_target(moment, spot.line, spot.count)
        if spot and spot.kind in ("operation", "step"):
            said = self.said_at(x, y)
            return Target(said, said, step=self._step_of(spot))
        return None

    def over(self, frame: Frame) -> list[Mark]:
        """Say where the number under the pointer comes from, and the one that is pinned."""
        marks: list[Mark] = []
        for point in dict.fromkeys((self.pinned, self.pointer)):
            shown = self.origin_at(*point) if point else None
            if shown is not None and point is not None:
                operation = self.player.moment.operation
                colours = {name: f"{role(operation, name)}_line" for name in (*shown.sources, *shown.targets)}
                marks += explain(frame, shown, colours, *point, self.unit(frame.width, frame.height))
        spot = self.frame.spot_at(*self.pointer) if self.pointer else None
        if spot is not None and spot.kind == "operation":
            marks += enlarged(frame, spot, self.unit(frame.width, frame.height))
        return [*marks, *super().over(frame)]

    def pin(self) -> None:
        """Have the card at the number that is looked at stay, also from step to step; or take it away."""
        if self.pinned is None and (self.pointer is None or self.origin_at(*self.pointer) is None):
            self.player.noted.emit(tr("Point at a number first, or look at one by {key}.", key="F2"))
            return
        self.pinned = self.pointer if self.pinned is None else None
        self.renew()

    def clickable(self, x: float, y: float) -> bool:
        """Return whether a number was written by a step, a factor is there, or a start can be put there."""
        spot = self.frame.spot_at(x, y)
        if spot and spot.kind in ("operation", "start", "step", "path", "channel"):
            return True
        shown = self.origin_at(x, y)
        return shown is not None and shown.step is not None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Look at what is under the pointer."""
        at = event.position().x(), event.position().y()
        if self.hand is not None and self.hand.move(*at):
            return
        if self._held and event.buttons() & Qt.MouseButton.LeftButton:
            if (event.position() - self._held).manhattanLength() >= QApplication.startDragDistance():
                self._held = None
                self.dragged.emit()
            return
        super().mouseMoveEvent(event)
        before = self.pointer
        self.pointer = at if self.frame.at(*at) or self.frame.spot_at(*at) else None
        self.chosen = None
        if before or self.pointer:
            self.renew()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the step that writes the number clicked; take hold of one that can be changed."""
        at = event.position().x(), event.position().y()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()  # the window has something for other buttons
        elif self.hand is None or not self.hand.press(*at, shift):
            nothing = self.frame.at(*at) is None and self.frame.spot_at(*at) is None
            self._held = event.position() if nothing else None
            self.press_at(*at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of a number; where it was not dragged, it was clicked."""
        self._held = None
        if self.hand is not None:
            self.hand.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for another number in the place of the one that was clicked."""
        if event.button() == Qt.MouseButton.LeftButton and self.hand is not None:
            self.hand.release()
            self.hand.edit_at(event.position().x(), event.position().y())

    def press_at(self, x: float, y: float) -> None:
        """Go to the step that writes the number at a point, or to where a factor has been multiplied.

        In a descent's axes, put its start there; a channel behind another comes to the front.
        """
        shown, spot = self.origin_at(x, y), self.frame.spot_at(x, y)
        if spot and spot.kind == "start":
            self.started.emit(spot.name, spot.line, spot.value_at(x))
        elif spot and spot.kind == "path":
            self.player.follow_path(spot.line)
        elif spot and spot.kind == "channel":
            self.player.bring_to_front(spot.name, spot.line)
        elif spot and spot.kind in ("operation", "step"):
            self.player.jump_to(self._step_of(spot))
        elif shown and shown.step is not None:
            self.player.jump_to(shown.step)

    def _step_of(self, spot: Hotspot) -> int:
        """Return the step that a spot leads to: of an operation, where it is complete."""
        if spot.kind == "step":
            return spot.line
        program = self.player.cursor.program
        return program.start(spot.name) + (next_stop(program.operation(spot.name), -1, Level.LAYER) or 0)

    def enter_at(self, x: float, y: float) -> None:
        """Open the menu of the number at a point; else do what a click does."""
        if self.origin_at(x, y) is None or not self.ask_for_menu(x, y):
            self.press_at(x, y)

    # ------------------------------------------------------------------------------------------ the keyboard

    @property
    def own_keys(self) -> frozenset[Qt.Key]:  # type: ignore[override]
        """While it looks at a number that the keyboard has chosen, arrows, Enter and Esc; else none."""
        return _LOOKING if self.chosen else frozenset()

    def look(self) -> None:
        """Look at a number by keyboard, first at one that the step writes."""
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.choose(self.first(self.frame))

    def show_channel(self, by: int = 1) -> None:
        """Bring another channel of a stack to the front, the one so many behind the one that is there."""
        spots = [mark for mark in flat(self.frame.marks) if isinstance(mark, Hotspot)]
        names = [spot.name for spot in spots if spot.kind == "channel"]
        if names:
            front = self.player.view.front[0]
            self.player.bring_to_front(front if front in names else names[0], by)
        else:
            self.player.noted.emit(tr("Here all channels are seen, or there is one only."))

    def first(self, frame: Frame) -> Box | None:
        """Return the cell that the step has written; where none is seen, the first of all places."""
        for array, index in self.player.moment.pictured.state.writes:
            for mark in flat(frame.marks):
                place = mark.cell_of(index) if isinstance(mark, Cells) and mark.array == array else None
                if place and isinstance(mark, Cells):
                    return mark.box_of(*place)
        return super().first(frame)

    def _beside(self, place: Box, dx: int, dy: int) -> Box | None:
        """Return the place beside; in the axes of a descent, which are one place, a fiftieth further on."""
        spot = self.frame.spot_at(*place.center)
        if spot is None or spot.kind != "start" or not dx:
            return super()._beside(place, dx, dy)
        step = spot.box.w / _AIMS
        left = min(max(place.center[0] + dx * step, spot.box.x), spot.box.right - 1) - step / 2
        return Box(left, spot.box.y, step, spot.box.h)

    def said_at(self, x: float, y: float) -> str:
        """Return what is known of the number at a point, or where a click leads."""
        shown, spot = self.origin_at(x, y), self.frame.spot_at(x, y)
        if shown is not None:
            value = tr("{name} is {value}", name=aloud(shown.name), value=aloud(shown.value))
            return ". ".join((value, *map(aloud, (shown.said, *shown.terms, *shown.readers)))) + "."
        if spot is None:
            return ""
        if spot.kind == "start":
            value = full(spot.value_at(x))
            return tr("Start of {name}: {value}. Enter puts it there.", name=spot.name, value=aloud(value))
        if spot.kind == "operation":
            return tr("Go to {name}.", name=spot.name)
        if spot.kind == "step":
            return tr("Go to step {step}.", step=count(spot.line))
        if spot.kind == "channel":
            return tr("Bring the channel behind to the front, by {count}.", count=spot.line)
        return tr("Next path from the loss.") if spot.line > 0 else tr("Previous path from the loss.")

    # --------------------------------------------------------------------------------- what a reader is told

    def described(self) -> str:
        """Return all that is to be said of the step, or of the trace that has its place."""
        shown = self.player.view.traced
        return aloud(shown.said) if shown else spoken(self.player.moment)

    def _wait(self) -> None:
        """Tell where we are in a moment: of steps that follow one another fast, the last."""
        cursor, trace = self.player.cursor, self.player.view.traced
        if trace is not self._traced:
            self._traced = trace
            self.forget_pointer()
            self.setAccessibleDescription(self.described())
            tell(self, self.described())
        if self._told and self._told.program is not cursor.program:
            self._told = None  # or it would keep a whole lesson in memory
        if self._told is None or (self._told.step.index, self._told.stop) != (cursor.index, cursor.stop):
            self._voice.start(_BREATH)

    def _tell(self) -> None:
        """Tell what has been done; while it plays, what the lesson says alone."""
        moment = self.player.moment
        if self.player.playing and moment.stop is None:
            return
        before, self._told = self._told, moment
        self.setAccessibleDescription(self.described())
        tell(self, f"{spoken(moment, before)} {self._heeded(before)}".rstrip())

    def _heeded(self, before: Moment | None) -> str:
        """Say what the lesson's stop has taken of what was chosen, and what it has given back."""
        player = self.player
        here = stop_holding(player.cursor.told, player.cursor.step)
        left = stop_holding(before.view.stops, before.step) if before else None
        if here == left:
            return ""
        stops = [stop for stop in (left, here) if stop]
        options = (OPTIONS[name] for name in sorted({name for stop in stops for name, _ in stop.display}))
        said = [f"{tr(one.title)} {tr(one.word(getattr(player.display, one.name)))}." for one in options]
        if any(stop.level for stop in stops) and player.cursor.level is not Level.STOP:
            said.append(tr("Step by {level}.", level=tr(player.cursor.level.value)))
        return " ".join(said)

    def _tell_edit(self, index: int) -> None:
        """Tell what was set, changed or undone."""
        if not isValid(self.player.edits):  # on its way out, a stack says that it is empty
            return
        edits, before, self._edits = self.player.edits, self._edits, index
        if index > before:
            tell(self, aloud(edits.text(index - 1)))
        elif index < before and index < edits.count():
            tell(self, tr("Undone: {edit}", edit=aloud(edits.text(index))))
