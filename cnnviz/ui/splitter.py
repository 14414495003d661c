"""Which panes have room in the window, and how wide each is."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QSplitter, QSplitterHandle, QWidget

from cnnviz.render.tools import painting
from cnnviz.scene.display import Display
from cnnviz.text import tr
from cnnviz.ui.debugger_pane import DEBUGGER
from cnnviz.ui.network_pane import NETWORK
from cnnviz.ui.settings import Settings

SIDES = {"network": 170, "debugger": 240}
"""The least width of each pane beside the stage, at zoom 100; the last goes first where there is no room."""

PANES = (*SIDES, "timeline")
"""All panes that can be hidden."""

_STAGE = (520, 200)
"""The stage that panes leave: at least so wide beside them; above the timeline, so high at zoom 100."""

_SMALL_STAGE = (360, 120)
"""The stage that is left, at least, by a pane that was just asked for."""

_WINDOW = 1920
"""The width of the window for which the panes' own sizes are made."""

_WIDEST = 0.4
"""The largest part of the window's width that a pane takes because all is drawn larger."""

_STEP = 16
"""Pixels: so far does an arrow move the edge of a pane."""

_SHARES = 10_000
"""A width is remembered as so many parts of this of the window's."""


def with_room(sizes: Mapping[str, float], room: float, rest: float, asked: str, least: float) -> list[str]:
    """Return which of several panes have room beside something else.

    Parameters
    ----------
    sizes : Mapping[str, float]
        What each pane takes at least; the last goes first.
    room : float
        For all of them and for what stands beside them.
    rest : float
        What they leave to that.
    asked : str
        The pane that was asked for last: it stays longest, while `least` is left.
    """
    kept = dict(sizes)
    for name in sorted(list(sizes)[::-1], key=lambda name: name == asked):
        if room - sum(kept.values()) < (least if name == asked else rest):
            del kept[name]
    return list(kept)


class Handle(QSplitterHandle):
    """What moves the edge of a pane: the mouse, or ← and → where Tab has led here."""

    def __init__(self, splitter: QSplitter) -> None:
        super().__init__(Qt.Orientation.Horizontal, splitter)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def event(self, event: QEvent) -> bool:
        """Let no shortcut have the arrows."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _step_of(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the edge by a step."""
        if step := _step_of(event):
            before = self.splitter().widget(self.splitter().indexOf(self) - 1)
            assert before is not None
            self.moveSplitter(before.x() + before.width() + step)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Be seen while it has the focus."""
        super().paintEvent(event)
        if self.hasFocus():
            with painting(self) as painter:
                painter.fillRect(QRect(0, 0, self.width(), self.height()), self.palette().highlight())


def _step_of(event: QKeyEvent) -> int:
    """Return by how many pixels a key moves an edge; 0 if it moves none."""
    plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return {Qt.Key.Key_Left: -_STEP, Qt.Key.Key_Right: _STEP}.get(Qt.Key(event.key()), 0) if plain else 0


class PaneSplitter(QSplitter):
    """The stage between two panes; these and the timeline below are hidden where they have no room.

    Parameters
    ----------
    panes : Mapping[str, QWidget]
        By their names in `PANES`.
    stage : QWidget
        What stands between those at the sides.
    actions : Mapping[str, QAction]
        By a pane's name: is checked while it is wanted.
    """

    def __init__(self, panes: Mapping[str, QWidget], stage: QWidget, actions: Mapping[str, QAction]) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.panes, self._stage, self._actions = panes, stage, actions
        # Which part of the window's width each pane beside the stage has, whether it is shown or not.
        self._shares = {"network": NETWORK[0] / _WINDOW, "debugger": DEBUGGER[0] / _WINDOW}
        self._asked = ""  # the pane that was asked for last
        for pane in (panes["network"], stage, panes["debugger"]):
            self.addWidget(pane)
        for k, name in ((1, tr("Edge of the network pane")), (2, tr("Edge of the listing's pane"))):
            self.handle(k).setAccessibleName(name)
            self.handle(k).setToolTip(tr("{keys} move it", keys="←, →"))
        self.setHandleWidth(3)
        self.setChildrenCollapsible(False)
        self.setMinimumSize(200, 120)  # and not what panes ask for, which make room
        self.splitterMoved.connect(self._note_shares)

    def createHandle(self) -> QSplitterHandle:
        """Return what moves an edge."""
        return Handle(self)

    def ask_for(self, name: str, lecture: bool) -> bool:
        """Take up that a pane's action was triggered, and return whether the pane is wanted.

        Outside the lecture view, one that is wanted, but has had no room, stays wanted.
        """
        action = self._actions[name]
        if self.panes[name].isHidden() and not lecture:
            action.setChecked(True)
        self._asked = name if action.isChecked() else ""
        return action.isChecked()

    def give_room(self, room: QSize, timeline: int, display: Display, lecture: bool) -> None:
        """Show the panes that are wanted and have room: some beside the stage, the timeline below it.

        Parameters
        ----------
        room : QSize
            What the panes share: the window without its rows.
        timeline : int
            The height of the timeline.
        display : Display
            How large all is drawn; the stage is wider where text is larger, or its numbers would be small.
        lecture : bool
            Whether the stage stands alone, with the timeline as its strip.
        """
        wanted = [] if lecture else [name for name in PANES if self._actions[name].isChecked()]
        least = {name: width * display.scale_of_text for name, width in SIDES.items() if name in wanted}
        high = {"timeline": timeline} if "timeline" in wanted else {}
        wide = _STAGE[0] * display.text / 100
        sides = with_room(least, room.width(), wide, self._asked, _SMALL_STAGE[0])
        below = with_room(
            high, room.height(), _STAGE[1] * display.scale_of_text, self._asked, _SMALL_STAGE[1]
        )
        for name, pane in self.panes.items():
            pane.setVisible(name in (*sides, *(["timeline"] if lecture else below)))
        # A stage alone may be of any width; beside others, it is not to be pushed away by hand.
        self._stage.setMinimumWidth(_SMALL_STAGE[0] - 20 if sides else 0)
        widths = {name: round(share * room.width()) for name, share in self._shares.items()}
        stage = room.width() - sum(widths[name] for name in sides)
        self.setSizes([widths["network"], stage, widths["debugger"]])

    def scale(self, zoom: float, text: float) -> None:
        """Make the panes beside the stage so many times as wide, as all is drawn larger.

        Where text is, the listing, whose lines are long, would be cut.
        """
        factors = {"network": zoom, "debugger": zoom * text}
        self._shares = {name: min(share * factors[name], _WIDEST) for name, share in self._shares.items()}

    def _note_shares(self) -> None:
        """Note how wide the panes beside the stage have been made."""
        for name in SIDES:
            if (pane := self.panes[name]).isVisible():
                self._shares[name] = pane.width() / self.window().width()

    def restore(self, settings: Settings) -> None:
        """Have the panes as they were."""
        for name in PANES:
            self._actions[name].setChecked(settings.flag(f"window/{name}", True))
        for name, share in self._shares.items():
            parts = settings.number(f"window/{name}_share", round(share * _SHARES), 0, _SHARES)
            self._shares[name] = parts / _SHARES

    def remember(self, settings: Settings) -> None:
        """Note which panes are wanted, and how wide they are."""
        for name in PANES:
            settings.put(f"window/{name}", int(self._actions[name].isChecked()))
        for name, share in self._shares.items():
            settings.put(f"window/{name}_share", round(share * _SHARES))
