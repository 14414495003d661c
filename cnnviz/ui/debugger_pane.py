"""The debugger: a pane with the listing, the variables and the formula of what the stage shows."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip

from cnnviz.scene import panels
from cnnviz.scene.marks import Box, Mark
from cnnviz.text import tr
from cnnviz.ui.pane import FramePane, fitting
from cnnviz.ui.player import Player

DEBUGGER = 450, 680
"""The size that it is made for, at unit 1."""


class DebuggerPane(FramePane):
    """Listing, variables, formula; a line's number is for breakpoints, its text to run to it."""

    def __init__(self, player: Player) -> None:
        super().__init__(player, tr("Listing, variables and formula"))
        self.setMinimumWidth(200)

    def unit(self, width: float, height: float) -> float:
        """Fit both ways; zooming is making it wider."""
        return fitting(width, height, DEBUGGER)

    def compose(self, box: Box, unit: float) -> list[Mark]:
        """Draw the listing and what is under it."""
        return panels.debugger(self.player.moment, box, unit)

    def event(self, event: QEvent) -> bool:
        """Say what a part of the formula stands for, or all digits of a variable, where the pointer rests."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._said_at(event.pos().x(), event.pos().y()))
            return True
        return super().event(event)

    def _said_at(self, x: float, y: float) -> str:
        moment, part = self.player.moment, self.frame.part_at(x, y)
        if part:
            return panels.part_said(moment, part)
        width, height = self.width(), self.height()
        box = Box(0, 0, width, height)
        return panels.variable_said(moment, box, self.unit(width, height), x, y)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Toggle a breakpoint at a line's number, run to its text."""
        spot = self.frame.spot_at(event.position().x(), event.position().y())
        if spot is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if spot.kind == "gutter":
            self.player.toggle_line(spot.line)
        else:
            self.player.run_to_line(spot.line)
