"""The learning rate of the descent in hand: a slider over a row of rates, where a lesson has descents."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from cnnviz.lesson.subjects.descents import RATES
from cnnviz.scene.numbers import full
from cnnviz.text import tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.edits import new_gesture
from cnnviz.ui.keys import named

_SLIDER = 90
"""How wide the slider is: just enough to aim at a rate with; the title of the lesson needs room, too."""


class RateControl(QWidget):
    """Shows and changes the learning rate of the descent that the player is in.

    Parameters
    ----------
    desk : Desk
        Whose lesson it changes.
    actions : Mapping[str, QAction]
        The window's actions by name.
    """

    def __init__(self, desk: Desk, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._desk = desk
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(RATES) - 1)
        self.slider.setPageStep(1)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setFixedWidth(_SLIDER)
        self.slider.setAccessibleName(tr("Learning rate"))
        self._drag = 0
        self.slider.sliderPressed.connect(self._begin_drag)
        self.slider.valueChanged.connect(self._set)
        self.value = QLabel()
        self.reset = QToolButton()
        self.reset.setObjectName("tool")
        self.reset.setText(tr("Reset"))
        self.reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reset.setToolTip(
            tr("Learning rate and starts as the lesson has them; a click on the curve moves a start")
        )
        self.reset.setAccessibleName(tr("Learning rate and starts as the lesson has them"))
        self.reset.clicked.connect(desk.reset_descent)
        self._name = name = QLabel("lr")  # as the stage, the formula and the listing call it
        self._actions = {"smaller": actions["rate_down"], "larger": actions["rate_up"]}
        for action in self._actions.values():
            action.changed.connect(self._say)
        self._say()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for part in (name, self.slider, self.value, self.reset):
            row.addWidget(part)
        desk.player.moved.connect(self.refresh)
        desk.changed.connect(self.refresh)
        self.refresh()

    def _say(self) -> None:
        """Name the keys that change it."""
        keys = {name: named(action) for name, action in self._actions.items()}
        for part in (self.slider, self._name):
            part.setToolTip(tr("Learning rate ({smaller} and {larger})", **keys))

    @property
    def wanted(self) -> bool:
        """Whether the lesson has descents."""
        return self._desk.descent is not None

    def _begin_drag(self) -> None:
        self._drag = new_gesture()

    def _set(self, gear: int) -> None:
        """Take the rate; all that one drag passes over is undone together."""
        self._desk.set_rate(RATES[gear], self._drag if self.slider.isSliderDown() else -1)

    def refresh(self) -> None:
        """Show the rate of the descent in hand."""
        descent = self._desk.descent
        if descent is None:
            return
        nearest = min(range(len(RATES)), key=lambda k: abs(RATES[k] / descent.lr - 1))
        with QSignalBlocker(self.slider):
            self.slider.setValue(nearest)
        text = full(descent.lr)
        self.value.setText(text)
        self.value.setFixedWidth(self.value.fontMetrics().horizontalAdvance("0.0000"))
        self.slider.setAccessibleName(tr("Learning rate of {name}, now {lr}", name=descent.name, lr=text))
        self.reset.setEnabled(self._desk.descent_is_changed)
