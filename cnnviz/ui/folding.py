"""Controls of a row that have no room fold away into a menu at its end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.ui.style import icon


class Part(Struct, frozen=True, eq=False):
    """Something that a narrow row does without.

    Attributes
    ----------
    widget : QWidget
        What stands in the row.
    actions : Sequence[QAction]
        What the menu offers in its place.
    title : str
        The name of a submenu for them; they stand in the menu itself where it is empty.
    beside : QWidget or None
        What it says something of: without that, it is not shown either.
    """

    widget: QWidget
    actions: Sequence[QAction] = ()
    title: str = ""
    beside: QWidget | None = None


class FoldingBar(QWidget):
    """A row in which every control is whole, or folded into a menu.

    Attributes
    ----------
    row : QHBoxLayout
        What stands in it; the menu's button is put at its end by `finish`.
    parts : list[Part]
        What a narrow row does without, first to go first.
    more : QToolButton
        Opens the menu; it is there only while something is in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.row = QHBoxLayout(self)
        self.row.setSpacing(5)
        self.parts: list[Part] = []
        self._unwanted: set[QWidget] = set()
        self.more = QToolButton()
        self.more.setObjectName("tool")
        self.more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.more.setAccessibleName(tr("More"))
        self.more.setToolTip(tr("What has no room in this row"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.more)
        self.menu.aboutToShow.connect(self._fill)
        self.more.setMenu(self.menu)
        self.more.hide()

    def finish(self) -> None:
        """Put the menu's button at the end."""
        self.row.addWidget(self.more)

    def want(self, widget: QWidget, wanted: bool) -> bool:
        """Say whether a part has anything to show at all, and return whether that is news.

        What has nothing to show is in no menu, either.
        """
        before = widget not in self._unwanted
        self._unwanted = self._unwanted - {widget} if wanted else self._unwanted | {widget}
        return wanted != before

    def minimumSizeHint(self) -> QSize:
        """Ask for what cannot be spared and for the menu; the rest comes and goes with the width."""
        spared = [self.more, *(part.widget for part in self.parts)]
        items = [item for k in range(self.row.count()) if (item := self.row.itemAt(k))]
        kept = [item.minimumSize() for item in items if item.widget() not in spared]
        margins, gaps = self.row.contentsMargins(), self.row.spacing() * len(kept)
        width = sum(size.width() for size in (*kept, self.more.minimumSizeHint())) + gaps
        return QSize(width + margins.left() + margins.right(), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold what has no room."""
        super().resizeEvent(event)
        self.fit()

    def set_look(self, theme: Theme, side: int) -> None:
        """Take colours, and the size of icons."""
        self.more.setIcon(icon("more", theme.color("ink")))
        self.more.setIconSize(QSize(side, side))

    def fit(self) -> None:
        """Fold what has no room: what is spared first, unless it still fits beside what is kept."""
        parts = [part for part in self.parts if part.widget not in self._unwanted]
        for part in self.parts:
            part.widget.setVisible(part in parts)
        self.more.hide()
        folded: list[Part] = []
        for part in parts:
            if self._has_room():
                break
            folded.append(part)
            part.widget.hide()
            self._offer_more(folded)
        for part in reversed(folded.copy()):
            if part.beside is not None and part.beside.isHidden():
                continue
            folded.remove(part)
            part.widget.show()
            self._offer_more(folded)
            if not self._has_room():
                part.widget.hide()
                folded.append(part)
                self._offer_more(folded)

    def _offer_more(self, folded: Sequence[Part]) -> None:
        self.more.setVisible(any(part.actions for part in folded))

    def _has_room(self) -> bool:
        self.row.invalidate()  # or what has gone within a widget of it would still be counted
        self.row.activate()
        return self.row.minimumSize().width() <= self.width()

    def _fill(self) -> None:
        """Offer what is folded, in the order of the row."""
        self.menu.clear()
        for old in self.menu.findChildren(QMenu):  # clearing leaves submenus where they are, out of sight
            old.deleteLater()
        parts = [part for part in self.parts if part.widget.isHidden() and part.widget not in self._unwanted]
        for part in sorted(parts, key=lambda part: part.widget.geometry().x()):
            menu = self.menu.addMenu(part.title) if part.title else self.menu
            for action in part.actions:
                menu.addAction(action)
