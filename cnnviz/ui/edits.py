"""What can be undone: an edit is what there was before, and what there is after it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

from msgspec import Struct
from PySide6.QtGui import QUndoCommand

from cnnviz.lesson.changes import Changes
from cnnviz.lesson.description import Description
from cnnviz.lesson.subject import Choice

State = TypeVar("State")

new_gesture = count(1).__next__
"""Return the number of another movement of the hand."""


class Draft(Struct, frozen=True, eq=False):
    """All that a lesson is made of, which is what an edit of it was before, or is after it.

    Attributes
    ----------
    description : Description
        What its file says, or the expression that was typed.
    changes : Changes
        What is not as the description has it.
    choice : Choice
        Where one is in it.
    """

    description: Description
    changes: Changes
    choice: Choice


class Edit(QUndoCommand, Generic[State]):
    """Something that was done, for Qt's stack of such things.

    Parameters
    ----------
    text : str
        What was done, as the menu says it behind "Undo".
    before, after : State
        What there was, and what there is.
    put : Callable[[State], object]
        Has either again.
    gesture : int
        Edits that follow each other in one movement of the hand have the same number and are undone
        together; −1 stands alone.
    """

    def __init__(
        self, text: str, before: State, after: State, put: Callable[[State], object], gesture: int = -1
    ) -> None:
        super().__init__(text)
        self._before, self._after, self._put, self._gesture = before, after, put, gesture
        self._done = True  # before it came on the stack, which wants to do it at once

    def undo(self) -> None:
        """Have what there was before."""
        self._put(self._before)

    def redo(self) -> None:
        """Have what there was after."""
        if not self._done:
            self._put(self._after)
        self._done = False

    def adapt(self, adapted: Callable[[object], object]) -> None:
        """Have other states in place of both: what they are part of has become another."""
        self._before, self._after = adapted(self._before), adapted(self._after)  # type: ignore[assignment]

    def id(self) -> int:
        """Return what edits have in common that are undone together."""
        return self._gesture

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Become this edit and the next one of the same gesture."""
        assert isinstance(other, Edit)
        self._after = other._after
        self.setText(other.text())
        vars(other).clear()  # PySide never frees a command that was merged, nor all that it holds
        return True
