"""What can be undone: an edit knows the way back and the way there again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

MOST_EDITS = 100
"""How many can be undone; older ones are forgotten."""


class Edit(QUndoCommand):
    """Something that was done, for Qt's stack of such things.

    Parameters
    ----------
    text : str
        What was done, as the menu says it behind "Undo".
    undo, redo : Callable[[], object]
        The way back, and the way there again.
    gesture : int
        Edits that follow each other in one movement of the hand have the same number and are undone
        together; −1 stands alone.
    """

    def __init__(
        self, text: str, undo: Callable[[], object], redo: Callable[[], object], gesture: int = -1
    ) -> None:
        super().__init__(text)
        self._undo, self._redo, self._gesture = undo, redo, gesture
        self._done = True  # before it came on the stack, which wants to do it at once

    def undo(self) -> None:
        """Go back."""
        self._undo()

    def redo(self) -> None:
        """Go there again."""
        if not self._done:
            self._redo()
        self._done = False

    def id(self) -> int:
        """Return what edits have in common that are undone together."""
        return self._gesture

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Become this edit and the next one of the same gesture."""
        assert isinstance(other, Edit)
        self._redo = other._redo
        self.setText(other.text())
        return True
