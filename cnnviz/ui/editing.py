"""What if: numbers and arguments are changed where they are shown, by typing, dragging and painting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import floor, log10

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Cell, Change, text_of
from cnnviz.lesson.editing import (
    KERNELS,
    arguments_shown,
    cell_shown,
    kernel_changes,
    variable_shown,
    with_value,
)
from cnnviz.scene.marks import FROM_ZERO, Box, Cells, flat
from cnnviz.scene.target import Target
from cnnviz.text import tr
from cnnviz.trace.alone import cell_in, cells_of
from cnnviz.ui.context import menu_of
from cnnviz.ui.debugger_pane import DebuggerPane
from cnnviz.ui.desk import Desk
from cnnviz.ui.edits import new_gesture
from cnnviz.ui.pane import FramePane
from cnnviz.ui.stage_pane import StagePane

_STILL = 4
"""Pixels: so far may the mouse move before a click is a drag."""

_FIELD = (96, 26)
"""Pixels: what a field takes at least."""

_A_SCALE = 100
"""Pixels: dragging so far changes a number by as much as the largest in its grid is, in powers of ten."""


class NumberField(QLineEdit):
    """A number over the one that is changed; Enter takes it, Esc leaves it as it was.

    Parameters
    ----------
    over : QWidget
        What it lies on, until it is asked for a number on something else.

    Attributes
    ----------
    left : Signal(QWidget)
        It has gone from what it lay on.
    """

    left = Signal(object)

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._take: Callable[[str], bool] = lambda _: True
        self.setAccessibleName(tr("New value"))
        self.returnPressed.connect(self._accept)
        self.hide()

    def ask(self, over: QWidget, name: str, text: str, at: Box, take: Callable[[str], bool]) -> None:
        """Ask for another number.

        Parameters
        ----------
        over : QWidget
            What shows the number.
        name : str
            What is changed.
        text : str
            What it is now.
        at : Box
            Where it is.
        take : Callable[[str], bool]
            Takes a text, and returns whether it did; if not, the field stays.
        """
        self._take = take
        self.setText(text)
        self.setAccessibleName(tr("New value of {name}", name=name))
        self.setToolTip(tr("{name}: Enter takes it, Esc leaves it as it was", name=name))
        if over is not self._over:
            self._over = over
            self.setParent(over)
        wide = max(_FIELD[0], round(at.w), self.fontMetrics().horizontalAdvance(text) + 24)
        high = max(_FIELD[1], round(at.h), self.sizeHint().height())
        left = max(0, min(round(at.center[0] - wide / 2), over.width() - wide))
        top = max(0, min(round(at.center[1] - high / 2), over.height() - high))
        self.setGeometry(QRect(left, top, wide, high))
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)
        self.selectAll()

    def _accept(self) -> None:
        if self._take(self.text()):
            self._leave()
        else:
            self.selectAll()

    def _leave(self) -> None:
        self.left.emit(self._over)
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave by Esc; no key is for what it lies on."""
        if event.key() == Qt.Key.Key_Escape:
            self._leave()
        else:
            super().keyPressEvent(event)
        event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Go where something else is clicked; what was typed is not taken then."""
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self.hide()


class Editing(QObject):
    """Changes what the stage shows, where it is shown.

    A double click, or F2 on a number that is looked at, asks for another in its place, on the stage and among
    the variables. Dragging a number up
    makes it larger, and down smaller. Dragging over pixels paints them: bright, or dark where the first
    was bright; with Shift, dragging over any numbers gives them the value of the first.

    Parameters
    ----------
    desk : Desk
        Whose lesson is changed.
    stage : StagePane
        What shows it.
    debugger : DebuggerPane
        What shows its variables.
    ask : Callable[[str], None]
        Asks for changes as text, with some to begin with.
    """

    def __init__(
        self, desk: Desk, stage: StagePane, debugger: DebuggerPane, ask: Callable[[str], None]
    ) -> None:
        super().__init__(stage)
        self._desk, self._stage, self._debugger, self._ask = desk, stage, debugger, ask
        self.field = NumberField(stage)
        self.field.left.connect(lambda over: over.setFocus(Qt.FocusReason.OtherFocusReason))
        debugger.edit_wanted.connect(self.edit_variable_at)
        self._drag: _Drag | None = None
        self._refused: tuple[float, float, str] | None = None  # where what cannot be changed is held, and why
        stage.hand = self
        desk.player.moved.connect(self._give_up)

    def _give_up(self) -> None:
        """Where another number has come to the place, it is not asked for any more."""
        if self.field.isVisible() and not self.field.hasFocus():
            self.field.hide()

    # ------------------------------------------------------------------------------------------- finding

    def change_at(self, x: float, y: float) -> Change:
        """Return what a change calls the number at a point.

        Raises
        ------
        CnnvizError
            If there is none, or it cannot be changed.
        """
        moment, lesson = self._desk.player.moment, self._desk.lesson
        if cell := self._stage.cell_at(x, y):
            operation = moment.operation
            index = cell_in(operation, *cell, moment.sample)
            return cell_shown(lesson, moment, operation, cell[0], index)
        spot = self._stage.frame.spot_at(x, y)
        if spot and spot.kind == "value":
            return variable_shown(lesson, moment.operation, spot.name)
        raise CnnvizError(tr("Look at a number first, by F2, or point at one."))

    def _box_at(self, x: float, y: float) -> Box:
        found = self._stage.frame.at(x, y)
        if found and (place := found[0].cell_of(found[1])):
            return found[0].box_of(*place)
        spot = self._stage.frame.spot_at(x, y)
        return spot.box if spot else Box(x, y, 0, 0)

    # -------------------------------------------------------------------------------------------- typing

    def ask(self, entry: str, target: Target) -> None:
        """Ask for what an entry of a menu changes, if it is one of these."""
        if entry == "arguments":
            self.ask_for_arguments_of(self._operation_of(target))
        elif entry in ("edit", "kernel"):
            try:
                change = self._change_of(target)
            except CnnvizError as error:
                self._desk.noted.emit(str(error))
                return
            if entry == "edit":
                self._edit(change, *self._place_of(target))
            elif isinstance(change, Cell):
                self._choose_kernel(change, self._box_of(target))

    def _operation_of(self, target: Target) -> str:
        if target.cell is not None:
            return target.cell.operation.name
        found = target.variable or target.line
        return found[0].name if found else target.layer

    def _change_of(self, target: Target) -> Change:
        """Return what a change calls what a menu is about."""
        lesson, moment = self._desk.lesson, self._desk.player.moment
        if target.cell is not None:
            cell = target.cell
            return cell_shown(lesson, moment, cell.operation, cell.array, cell.index)
        assert target.variable is not None
        return variable_shown(lesson, target.variable[0], target.variable[1])

    def _place_of(self, target: Target) -> tuple[FramePane, Box]:
        """Return where something is shown: the row of the variables that is looked at, or the stage."""
        point = self._debugger.point_looked_at()
        row = self._debugger.row_at(*point) if point else None
        there = self._debugger.target_at(*point) if point and row else None
        if row is not None and there is not None and there.said == target.said:
            return self._debugger, row
        return self._stage, self._box_of(target)

    def _box_of(self, target: Target) -> Box:
        """Return where something is on the stage, or the middle of it."""
        moment, stage = self._desk.player.moment, self._stage
        if target.cell is not None and target.cell.operation is moment.operation:
            cell = target.cell
            own = cells_of(cell.operation, cell.array, np.array([cell.index], np.intp), moment.sample)
            for mark in flat(stage.frame.marks):
                if len(own) and isinstance(mark, Cells) and mark.array == cell.array:
                    place = mark.cell_of(tuple(int(k) for k in own[0]))
                    if place:
                        return mark.box_of(*place)
        return Box(stage.width() / 2, stage.height() / 2, 0, 0)

    def edit_at(self, x: float, y: float) -> None:
        """Ask for another number in the place of the one at a point; if there can be none, say why."""
        try:
            change = self.change_at(x, y)
        except CnnvizError as error:
            self._desk.noted.emit(str(error))
            return
        self._edit(change, self._stage, self._box_at(x, y))

    def edit_variable_at(self, x: float, y: float) -> None:
        """Ask for another number for the variable at a point; if there can be none, say why."""
        target, row = self._debugger.target_at(x, y), self._debugger.row_at(x, y)
        if target is None or row is None:
            self._desk.noted.emit(tr("There is no number yet: it comes with a later step."))
            return
        try:
            change = self._change_of(target)
        except CnnvizError as error:
            self._desk.noted.emit(str(error))
            return
        self._edit(change, self._debugger, row)

    def _edit(self, change: Change, pane: FramePane, box: Box) -> None:
        self._desk.player.pause()
        name, _, value = str(change).partition("=")  # all digits, so that Enter alone changes nothing
        self.field.ask(pane, name, value, box, partial(self._take, change))

    def look(self) -> None:
        """Look at a number by keyboard; where one is looked at already, change it, or say why not."""
        if self._debugger.hasFocus() and self._debugger.chosen is not None:
            self.edit_variable_at(*self._debugger.chosen.center)
        elif self._stage.chosen is None:
            self._stage.look()
        else:
            self.edit_at(*self._stage.chosen.center)

    def _take(self, change: Change, text: str) -> bool:
        value = _number(text)
        if value is None:
            self._desk.failed.emit(tr("{text} is no number; write one as in −0.5 or 2e-3.", text=text))
            return False
        before = self._desk.lesson
        self._change(with_value(self._desk.lesson, change, value))
        return value == change.value or self._desk.lesson is not before

    def _change(self, *changes: Change, said: str = "", gesture: int = -1) -> None:
        """Change numbers; the one that the keyboard looks at is looked at further."""
        chosen = [(pane, pane.chosen) for pane in (self._stage, self._debugger) if pane.chosen is not None]
        before = self._desk.lesson
        self._desk.change(*changes, said=said or text_of(changes), gesture=gesture)
        if self._desk.lesson is not before:
            for pane, place in chosen:
                pane.choose(place)

    # ------------------------------------------------------------------------------- dragging and painting

    def press(self, x: float, y: float, shift: bool) -> bool:
        """Begin to drag, if there is a number to be changed; return whether there is."""
        spot, shown = self._stage.frame.spot_at(x, y), self._stage.origin_at(x, y)
        leads = (spot and spot.kind not in ("cell", "value")) or (
            shown and shown.step is not None and not shift
        )
        try:
            cell = self.change_at(x, y)
        except CnnvizError as error:
            self._refused = x, y, str(error)
            return False
        if leads or not isinstance(cell, Cell):
            return False  # a click goes there
        found = self._stage.frame.at(x, y)
        limit = found[0].limit if found else abs(cell.value) or 1.0
        paints = shift or (found is not None and found[0].palette in FROM_ZERO)
        ink = cell.value
        if paints and not shift:
            ink = 0.0 if cell.value > limit / 2 else limit
        self._drag = _Drag(cell, found[0].array if found else "", x, y, _tenth(limit), paints, ink)
        return True

    def move(self, x: float, y: float) -> bool:
        """Go on with what was begun; return whether something was."""
        drag = self._drag
        if drag is None:
            self._say_refused(x, y)
            return False
        if drag.gesture < 0 and max(abs(x - drag.x), abs(y - drag.y)) < _STILL:
            return True
        if drag.gesture < 0:
            drag.gesture = new_gesture()
            self._desk.player.pause()
        if drag.paints:
            self._paint(drag, x, y)
        else:
            steps = round(drag.y - y)
            value = float(f"{drag.cell.value + steps * drag.tick:.12g}")
            cell = replace(drag.cell, value=value)
            self._change(cell, gesture=drag.gesture)
        return True

    def _say_refused(self, x: float, y: float) -> None:
        """Say why what is dragged stays as it is, once it is clear that this is no click."""
        if self._refused is not None:
            x0, y0, why = self._refused
            if max(abs(x - x0), abs(y - y0)) >= 3 * _STILL:
                self._refused = None
                self._desk.noted.emit(why)

    def release(self) -> bool:
        """End what was begun; return whether more than a click was."""
        drag, self._drag, self._refused = self._drag, None, None
        return drag is not None and drag.gesture >= 0

    def _paint(self, drag: _Drag, x: float, y: float) -> None:
        """Paint all cells between where the mouse was and where it is."""
        frame = self._stage.frame
        (x0, y0), drag.last = drag.last, (x, y)
        found = frame.at(x, y) or frame.at(x0, y0)
        if found is None or found[0].array != drag.array:
            return
        finest = max(1.0, min(found[0].cell) / 2)
        count = max(1, round(max(abs(x - x0), abs(y - y0)) / finest))
        cells: dict[tuple[str, tuple[int, ...]], Cell] = {}
        for k in range(count + 1):
            at = x0 + (x - x0) * k / count, y0 + (y - y0) * k / count
            there = frame.at(*at)
            if there is None or there[0].array != drag.array:
                continue
            try:
                cell = self.change_at(*at)
            except CnnvizError:
                continue  # padding around what is painted
            if isinstance(cell, Cell) and cell.array == drag.cell.array and cell.value != drag.ink:
                cells[cell.array, cell.index] = replace(cell, value=drag.ink)
        if cells:
            said = tr("{array} painted", array=drag.cell.array)
            self._change(*cells.values(), said=said, gesture=drag.gesture)

    # ----------------------------------------------------------------------------------- kernels, arguments

    def _choose_kernel(self, cell: Cell, box: Box) -> None:
        """Let the kernel that a cell belongs to be one of those that are known."""
        menu = menu_of(self._desk, self._stage, tr("Kernels for {name}", name=_kernel_name(cell)))
        for name in KERNELS:
            menu.addAction(tr(name), partial(self.take_kernel, cell, name))
        menu.popup(self._stage.mapToGlobal(QPoint(round(box.x), round(box.bottom))))
        menu.setActiveAction(menu.actions()[0])

    def take_kernel(self, cell: Cell, name: str) -> None:
        """Have a kernel that is known in the place of the one that a cell belongs to."""
        said = tr("kernel {kernel} for {name}", kernel=tr(name), name=_kernel_name(cell))
        self._change(*kernel_changes(self._desk.lesson, cell, name), said=said)

    def ask_for_arguments_of(self, operation: str) -> None:
        """Ask for changes, beginning with all that an operation is made with."""
        self._desk.player.pause()
        self._ask(text_of(arguments_shown(self._desk.lesson, operation)))


class _Drag:
    """A number that is dragged, or painted with."""

    def __init__(
        self, cell: Cell, array: str, x: float, y: float, tick: float, paints: bool, ink: float
    ) -> None:
        self.cell, self.array, self.x, self.y = cell, array, x, y
        self.tick, self.paints, self.ink = tick, paints, ink
        self.gesture = -1
        self.last = x, y


def _tenth(limit: float) -> float:
    """Return by how much a number changes with a pixel."""
    return 10.0 ** floor(log10(limit)) / _A_SCALE if limit > 0 else 1 / _A_SCALE


def _kernel_name(cell: Cell) -> str:
    return f"{cell.array}[{','.join(map(str, cell.index[:-2]))}]"


def _number(text: str) -> float | None:
    """Return what was typed; a minus may be one of those that are shown."""
    try:
        return float(text.strip().replace("−", "-").replace(",", "."))
    except ValueError:
        return None
