"""The bar on top: title, transport, what to step by, speed, image, theme, export."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QIcon, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.keys import KEYS, said, tip
from cnnviz.ui.look import icon
from cnnviz.ui.player import SPEEDS, Player

_TRANSPORT = ("start", "back_layer", "back", "play", "next", "next_layer", "end")


class TopBar(QWidget):
    """Everything that a mouse needs to step, play and choose.

    Parameters
    ----------
    player : Player
        What it shows and moves.
    actions : Mapping[str, QAction]
        The window's actions by name; buttons trigger them.
    """

    def __init__(self, player: Player, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._player, self._actions = player, actions
        self._theme: Theme | None = None
        self._sign = ("", "")
        self.title = Title()
        self.transport = {name: self._button(name) for name in _TRANSPORT}
        self.transport["play"].setProperty("kind", "play")
        self.levels = self._segments()
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed_text = QLabel()
        self.image, self.theme_button, self.save = (self._button(name) for name in ("image", "theme", "save"))
        self.expression = self._button("expression")
        self.expression.setText("f = …")
        self.expression.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.expression.hide()
        self._make_export_menu()
        for button in (self.image, self.save):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._set_speed_up()
        self._lay_out()
        player.moved.connect(self.refresh)
        player.changed.connect(self.refresh)

    def _make_export_menu(self) -> None:
        """Let the button that saves offer both: this frame as a picture, or many frames."""
        self.save.clicked.disconnect()
        self.save.setText(tr("Export…"))
        self.save.setAccessibleName(tr("Export"))
        self.save.setToolTip(tr("Export this frame or many"))
        menu = QMenu(self.save)
        for name in ("save", "export"):
            menu.addAction(self._actions[name])
        self.save.setMenu(menu)
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _button(self, name: str) -> QToolButton:
        """Return a button for an action; a click leaves the focus where it is, Tab reaches it."""
        button = QToolButton()
        button.setObjectName("tool")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(tr(KEYS[name].text))
        button.setToolTip(tip(name))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.clicked.connect(self._actions[name].trigger)
        return button

    def _segments(self) -> dict[Level, QToolButton]:
        made: dict[Level, QToolButton] = {}
        group = QButtonGroup(self)
        for level in Level:
            button = self._button(level.value)
            button.setText(tr(level.value))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setCheckable(True)
            button.setProperty("kind", "segment")
            place = {Level.LINE: "first", Level.PASS: "last"}.get(level, "")
            button.setProperty("place", place)
            group.addButton(button)
            made[level] = button
        return made

    def _set_speed_up(self) -> None:
        self.speed.setRange(0, len(SPEEDS) - 1)
        self.speed.setPageStep(1)
        self.speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.speed.setAccessibleName(tr("Speed, steps a second"))
        self.speed.setToolTip(tr("Steps a second while playing (+, −)"))
        self.speed.valueChanged.connect(lambda gear: self._player.set_speed(SPEEDS[gear]))

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 7, 14, 7)
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addStretch(1)
        transport = QHBoxLayout()
        transport.setSpacing(5)
        for button in self.transport.values():
            transport.addWidget(button)
        row.addLayout(transport)
        row.addSpacing(10)
        step_by, speed = _quiet(tr("Step by")), _quiet(tr("Speed"))
        row.addWidget(step_by)
        segments = QHBoxLayout()
        segments.setSpacing(0)
        for button in self.levels.values():
            segments.addWidget(button)
        row.addLayout(segments)
        row.addSpacing(10)
        row.addWidget(speed)
        row.addWidget(self.speed)
        row.addWidget(self.speed_text)
        row.addStretch(1)
        for button in (self.image, self.expression, self.theme_button, self.save):
            row.addWidget(button)
        # What a narrow window can do without, first to go first.
        self._spare: tuple[QWidget, ...] = (
            step_by,
            speed,
            self.theme_button,
            self.title,
            self.speed_text,
            self.speed,
            self.save,
        )

    def put(self, widget: QWidget, spare: tuple[QWidget, ...]) -> None:
        """Put a control of the lesson's own before the buttons at the right; the last to go is part of it."""
        row = self.layout()
        assert isinstance(row, QHBoxLayout)
        row.insertWidget(row.indexOf(self.image), widget)
        self._spare = (*self._spare, *spare)

    def minimumSizeHint(self) -> QSize:
        """Ask for what cannot be spared; the rest comes and goes with the width."""
        hint = super().minimumSizeHint()
        return QSize(400, hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out what has no room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Hide what has no room: what is spared first, unless it still fits beside what is kept."""
        for widget in self._spare:
            widget.show()
        hidden: list[QWidget] = []
        for widget in self._spare:
            if self._has_room():
                break
            widget.hide()
            hidden.append(widget)
        for widget in reversed(hidden):
            widget.show()
            if not self._has_room():
                widget.hide()

    def _has_room(self) -> bool:
        row = self.layout()
        assert row is not None
        row.activate()
        return row.minimumSize().width() <= self.width()

    def set_look(self, theme: Theme, text: int) -> None:
        """Take colours, and sizes that go with a size of text in pixels."""
        self._theme = theme
        side = round(1.35 * text)
        for name, button in self.transport.items():
            if name != "play":
                button.setIcon(icon(name.replace("_", "-"), theme.color("ink")))
            button.setIconSize(QSize(side, side))
        self.theme_button.setIcon(icon("light" if theme.name == "dark" else "dark", theme.color("ink")))
        self.save.setIcon(icon("save", theme.color("ink")))
        for button in (self.theme_button, self.save, self.image):
            button.setIconSize(QSize(side, side))
        self.speed.setFixedWidth(round(6.5 * text))
        self.speed_text.ensurePolished()
        widest = self.speed_text.fontMetrics().horizontalAdvance(_speed_text(SPEEDS[-1]))
        self.speed_text.setFixedWidth(widest + 6)
        self.refresh()
        self._fit()

    def set_image(
        self, thumbnail: QPixmap | None, text: str, many: bool = True, expressions: bool = False
    ) -> None:
        """Show which image goes through the network, or which expression it is; nothing without a choice."""
        self.image.setVisible(many)
        self.image.setIcon(QIcon() if thumbnail is None else thumbnail)
        self.image.setText(_short(text))
        what = tr("Choose expression") if expressions else tr("Choose image")
        self.image.setAccessibleName(tr("{what}; now {text}", what=what, text=text))
        self.image.setToolTip(f"{what} ({said('image')})")
        self.expression.setVisible(expressions)
        self._fit()

    def refresh(self) -> None:
        """Show the player's state."""
        player = self._player
        if self._theme is not None:
            sign = ("pause" if player.playing else "play", self._theme.color("ground"))
            if sign != self._sign:  # a new icon has the button painted, at every step of a run
                self._sign = sign
                self.transport["play"].setIcon(icon(*sign))
        self.levels[player.cursor.level].setChecked(True)
        with QSignalBlocker(self.speed):
            self.speed.setValue(player.gear)
        self.speed_text.setText(_speed_text(player.speed))


class Title(QLabel):
    """A bold line that gives way: elided where there is no room, whole in its tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = ""
        self.setObjectName("title")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def set_whole(self, text: str, tooltip: str) -> None:
        """Show a title; its sentence is the tooltip."""
        self._whole = text
        self.setAccessibleName(text)
        self.setToolTip(f"{text}\n{tooltip}" if tooltip else text)
        self.updateGeometry()
        self._elide()

    def sizeHint(self) -> QSize:
        """Ask for the whole title."""
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Do with as many letters as tell one title from another."""
        few = self.fontMetrics().horizontalAdvance("mmmmmmmmm…")
        return QSize(min(few, self.sizeHint().width()), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Elide for the new width."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        metrics = QFontMetrics(self.font())
        self.setText(metrics.elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width()))


def _short(text: str) -> str:
    """Cut a long expression."""
    return text if len(text) <= 22 else f"{text[:21]}…"


def _quiet(text: str) -> QLabel:
    made = QLabel(text)
    made.setObjectName("quiet")
    return made


def _speed_text(speed: int) -> str:
    return tr("{speed} / s", speed=speed)
