"""Checks a gradient in front of a class: two losses, their difference, and what going back has computed."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnviz.lesson.gradient_check import EPSILON, Check, Slot, all_of, check
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.numbers import as_formula, count
from cnnviz.text import tr
from cnnviz.ui.reader import tell
from cnnviz.ui.timer import Timer

EPSILONS = (1e-1, 1e-2, 1e-3, 1e-4, EPSILON, 1e-6, 1e-7, 1e-9)

_SLICE = 0.012
"""Seconds for which it keeps the window from anything else."""

_WORST = 5


class GradientDialog(QDialog):
    """Says of one number of a gradient, with each number in sight, whether it is right; then of all.

    Parameters
    ----------
    parent : QWidget
        The window that it belongs to.
    lesson : Lesson
        What is checked.
    slot : Slot
        What the gradient is of.
    """

    def __init__(self, parent: QWidget, lesson: Lesson, slot: Slot) -> None:
        super().__init__(parent)
        self._lesson, self._slot = lesson, slot
        self._slots, self._done = all_of(lesson, slot), 0
        self._work: Iterator[Check] = iter(())
        self._found: list[Check] = []
        self._timer = Timer(self, self._slice)
        self._timer.setInterval(1)
        self.setWindowTitle(tr("Check the gradient of {name}", name=slot))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        said = _quiet(
            tr(
                "Make the number a little larger and a little smaller, go forward both times, and see by how "
                "much the loss E changes. That is what the gradient says it does."
            )
        )
        column.addWidget(said)
        self.rows = QFormLayout()
        self.rows.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self.epsilon = QComboBox()
        for epsilon in EPSILONS:
            self.epsilon.addItem(_number(epsilon), epsilon)
        self.epsilon.setCurrentIndex(EPSILONS.index(EPSILON))
        self.epsilon.setAccessibleName(tr("ε: how far above and below it is tried"))
        self.epsilon.currentIndexChanged.connect(lambda _: self.show_one())
        self.values = {key: _value() for key in ("w", "above", "below", "quotient", "gradient", "error")}
        names = {
            "w": f"w = {slot}",
            "above": "E(w + ε)",
            "below": "E(w − ε)",
            "quotient": "(E(w + ε) − E(w − ε)) / 2ε",
            "gradient": tr("∂E/∂w, by going back"),
            "error": tr("relative error"),
        }
        for key, label in self.values.items():
            label.setAccessibleName(names[key])
            self.rows.addRow(names[key], label)
            if key == "w":
                self.rows.addRow("ε", self.epsilon)
        column.addLayout(self.rows)
        self.verdict = _quiet("")
        column.addWidget(self.verdict)
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("How many are checked"))
        self.progress.hide()
        self.all_said = _quiet("")
        self.all_said.hide()
        column.addWidget(self.progress)
        column.addWidget(self.all_said)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.all = QPushButton()
        self.all.setAutoDefault(False)
        self.all.clicked.connect(self._toggle)
        buttons.addButton(self.all, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.setMinimumWidth(560)
        self._name_button()
        self.show_one()

    def show_one(self) -> None:
        """Try the one number out with the ε that is chosen."""
        self._stop()
        self.all_said.hide()
        found = check(self._lesson, self._slot, self.epsilon.currentData())
        told = {
            "w": found.value,
            "above": found.above,
            "below": found.below,
            "quotient": found.quotient,
            "gradient": found.gradient,
            "error": found.error,
        }
        for key, value in told.items():
            self.values[key].setText(_number(value, 3 if key == "error" else 12))
        self.verdict.setText(found.verdict)
        tell(self, found.verdict)

    # ------------------------------------------------------------------------------------------- all of them

    def _name_button(self) -> None:
        owner = self._slot.address.partition(".")[0]
        text = tr("Check all {count} of {layer}", count=count(len(self._slots)), layer=owner)
        self.all.setText(tr("Cancel") if self._timer.isActive() else text)

    def _toggle(self) -> None:
        if self._timer.isActive():
            self._stop()
            self._tell_all()
            return
        self._found, self._done = [], 0
        epsilon = self.epsilon.currentData()
        self._work = (check(self._lesson, slot, epsilon) for slot in self._slots)
        self.progress.setRange(0, len(self._slots))
        self.progress.setValue(0)
        self.progress.show()
        self.all_said.hide()
        self._timer.start()
        self._name_button()

    def _slice(self) -> None:
        end = perf_counter() + _SLICE
        for found in self._work:
            self._note(found)
            if perf_counter() >= end:
                self.progress.setValue(self._done)
                return
        self._stop()
        self._tell_all()

    def _note(self, found: Check) -> None:
        """Keep what differs most."""
        self._done += 1
        self._found = sorted([*self._found, found], key=lambda one: (one.holds, -one.error))[:_WORST]

    def _stop(self) -> None:
        self._timer.stop()
        self._work = iter(())
        self.progress.hide()
        self._name_button()

    def _tell_all(self) -> None:
        """Say how many agree, and which differ."""
        wrong = [found for found in self._found if not found.holds]
        done = {"done": count(self._done), "count": count(len(self._slots))}
        if not wrong:
            lines = [tr("{done} of {count} were checked; all agree.", **done)]
            if self._found:
                worst = max(self._found, key=lambda one: one.error)
                said = tr("The largest relative error is {error}, at {slot}.")
                lines.append(said.format(error=_number(worst.error, 3), slot=worst.slot))
        else:
            lines = [tr("{done} of {count} were checked; these differ most:", **done)]
            lines += [_told(found) for found in wrong]
        self.all_said.setText("\n".join(lines))
        self.all_said.show()
        tell(self, " ".join(lines))

    def hideEvent(self, event: QHideEvent) -> None:
        """Work no longer."""
        self._timer.stop()
        super().hideEvent(event)


def _told(found: Check) -> str:
    said = tr(
        "{slot}: {quotient} by trying, {gradient} by going back",
        slot=found.slot,
        quotient=_number(found.quotient, 6),
        gradient=_number(found.gradient, 6),
    )
    return tr("{said}; kink in {layers}", said=said, layers=", ".join(found.kinks)) if found.kinks else said


def _number(value: float, digits: int = 12) -> str:
    """Write a number with so many digits, so that two that differ are seen to."""
    return as_formula(f"{value:.{digits}g}")


def _value() -> QLabel:
    made = QLabel()
    made.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return made


def _quiet(text: str) -> QLabel:
    made = QLabel(text)
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made
