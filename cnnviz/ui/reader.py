"""What a screen reader is told; all of it is in the log ``cnnviz.reader``, too."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QLabel, QWidget

_log = logging.getLogger(__name__.replace(".ui", ""))


def tell(widget: QWidget, text: str, urgent: bool = False) -> None:
    """Have a screen reader say something, if there is one.

    Parameters
    ----------
    widget : QWidget
        Whose news it is.
    urgent : bool
        Whether it is said at once, as what went wrong is.
    """
    if not text or not QAccessible.isActive():
        return
    _log.info("%s", text)
    event = QAccessibleAnnouncementEvent(widget, text)
    politeness = QAccessible.AnnouncementPoliteness
    event.setPoliteness(politeness.Assertive if urgent else politeness.Polite)
    QAccessible.updateAccessibility(event)


def give_role(kind: type[QWidget], role: QAccessible.Role) -> None:
    """Let widgets of a kind, which Qt knows nothing of, have a role."""

    def made(_: str, widget: QObject) -> QAccessibleInterface | None:
        return QAccessibleWidget(widget, role) if isinstance(widget, kind) else None

    QAccessible.installFactory(made)


class Notice(QLabel):
    """A sentence that is told when it is new: what has happened, what is wrong with what was typed."""

    def say(self, sentence: str, urgent: bool = False) -> None:
        """Show a sentence, and have it told."""
        if sentence != self.text():
            self.setText(sentence)
            tell(self, sentence, urgent)
