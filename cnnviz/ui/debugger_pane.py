"""The debugger: a pane with the listing, the variables and the formula of what the stage shows."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip

from cnnviz.scene import panels
from cnnviz.scene.marks import Box, Formula, Frame, Hotspot, Label, Mark, flat
from cnnviz.scene.numbers import full
from cnnviz.scene.spoken import aloud
from cnnviz.scene.target import Target, cell_target, line_target, variable_target
from cnnviz.text import tr
from cnnviz.ui.cursor_pane import CursorPane
from cnnviz.ui.pane import fitting
from cnnviz.ui.player import Player

DEBUGGER = 450, 680
"""The size that it is made for, at unit 1."""


class DebuggerPane(CursorPane):
    """Listing, variables, formula; a line's number is for breakpoints, its text to run to it.

    Attributes
    ----------
    arguments_wanted : Signal(str)
        An operation is to be made with something else: its formula or its heading was double-clicked.
    edit_wanted : Signal(float, float)
        The variable at a point is to be another number.
    """

    arguments_wanted = Signal(str)
    edit_wanted = Signal(float, float)

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Listing, variables and formula"))
        self.setMinimumWidth(200)

    def unit(self, width: float, height: float) -> float:
        """Fit both ways, with fewer lines where text is larger; zooming is making it wider."""
        return fitting(width, height * self.player.display.text / 100, DEBUGGER)

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Draw the listing and what is under it."""
        return panels.debugger(self.player.moment, box, unit)

    def described(self) -> str:
        """Return the line that runs, and the variables that Python holds."""
        moment = self.player.moment
        variables = ", ".join(
            tr("{name} is {value}", name=aloud(name), value=aloud(full(float(value))))
            for name, value in moment.state.variables.items()
        )
        line = moment.operation.tree.source[moment.state.line - 1].strip()
        said = tr("Line {number}: {line}", number=moment.state.line, line=line)
        watched = ", ".join(aloud(panels.watch_said(moment, text)) for text in moment.view.watches)
        variables = ". ".join(part for part in (variables, watched) if part)
        return f"{said}. {variables}." if variables else said

    def event(self, event: QEvent) -> bool:
        """Say what a part of the formula stands for, or all digits of a variable, where the pointer rests."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._meant_at(event.pos().x(), event.pos().y()))
            return True
        return super().event(event)

    def _meant_at(self, x: float, y: float) -> str:
        moment, part = self.player.moment, self.frame.part_at(x, y)
        if part:
            return panels.part_said(moment, part)
        width, height = self.width(), self.height()
        box = Box(0, 0, width, height)
        return panels.variable_said(moment, box, self.unit(width, height), x, y)

    def said_at(self, x: float, y: float) -> str:
        """Return what is at a point: a line and what Enter does there, a variable, a part of the formula."""
        spot = self.frame.spot_at(x, y)
        if spot is None:
            return aloud(self._meant_at(x, y))
        operation = self.player.moment.operation
        if spot.kind == "line":
            line = operation.tree.source[spot.line - 1].strip()
            return tr("Line {number}: {line}. Enter runs to it.", number=spot.line, line=line)
        here = {(point.operation, point.line) for point in self.player.breakpoints}
        if (operation.name, spot.line) in here:
            return tr("Breakpoint at line {number}. Enter clears it.", number=spot.line)
        return tr("Line {number}, no breakpoint. Enter sets one.", number=spot.line)

    def target_at(self, x: float, y: float) -> Target | None:
        """Return the line or the variable at a point, or the cell that the line has read or written."""
        moment, spot = self.player.moment, self.frame.spot_at(x, y)
        if spot is not None:
            return line_target(moment, spot.line)
        width, height = self.width(), self.height()
        found = panels.variable_at(moment, Box(0, 0, width, height), self.unit(width, height), x, y)
        if isinstance(found, str):
            return variable_target(moment, found)
        if found is not None and found.array in moment.state.arrays:
            return cell_target(moment, found.array, found.place)
        return variable_target(moment, found.array) if found else None

    def row_at(self, x: float, y: float) -> Box | None:
        """Return where the number of the variable, or the cell, at a point is written."""
        width, height = self.width(), self.height()
        return panels.variable_row(
            self.player.moment, Box(0, 0, width, height), self.unit(width, height), x, y
        )

    def places(self, frame: Frame) -> list[Box]:
        """Return lines and their numbers, variables, and the parts of the formula."""
        found = [mark.box for mark in flat(frame.marks) if isinstance(mark, Hotspot)]
        for mark in flat(frame.marks):
            if isinstance(mark, Formula):
                found += mark.parts()
            elif isinstance(mark, Label) and self._meant_at(*mark.box.center):
                found.append(mark.box)
        return list(dict.fromkeys(found))  # a watch has two labels in one row

    def first(self, frame: Frame) -> Box | None:
        """Return the line that runs."""
        line = self.player.moment.state.line
        spots = (mark for mark in flat(frame.marks) if isinstance(mark, Hotspot))
        here = next((spot.box for spot in spots if (spot.kind, spot.line) == ("line", line)), None)
        return here or super().first(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Look at the variable under the pointer: the keys of the menu are about it."""
        super().mouseMoveEvent(event)
        at = event.position().x(), event.position().y()
        self.chosen, self.pointer = None, at if self.row_at(*at) is not None else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Toggle a breakpoint at a line's number, run to its text."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.press_at(event.position().x(), event.position().y())
        else:
            event.ignore()  # the window has something for other buttons

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Have a variable changed, or the arguments of the operation; on a line, it is another click."""
        at = event.position().x(), event.position().y()
        if self.frame.spot_at(*at):
            self.mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton and self.row_at(*at) is not None:
            self.edit_wanted.emit(*at)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.arguments_wanted.emit(self.player.cursor.step.operation.name)

    def press_at(self, x: float, y: float) -> None:
        """Toggle a breakpoint at a line's number, run to its text."""
        spot = self.frame.spot_at(x, y)
        if spot and spot.kind == "gutter":
            self.player.toggle_line(spot.line)
        elif spot:
            self.player.run_to_line(spot.line)
