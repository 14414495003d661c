"""The bar on top: lessons, title, transport, stops, what to step by, speed, image, theme, export."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QIcon, QResizeEvent
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

from cnnviz.lesson.changes import change_said
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.theme import Theme
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.changes_list import many
from cnnviz.ui.folding import FoldingBar, Part
from cnnviz.ui.keys import ActionButton, named
from cnnviz.ui.player import SPEEDS
from cnnviz.ui.rate import RateControl
from cnnviz.ui.stops import StopControl
from cnnviz.ui.style import icon, thumbnail
from cnnviz.ui.tour import Tour

_TRANSPORT = ("start", "back_layer", "back", "play", "next", "next_layer", "end")


class TopBar(FoldingBar):
    """Everything that a mouse needs to step, play and choose.

    Parameters
    ----------
    tour : Tour
        What leads through the lesson that it shows, with the player that it moves.
    actions : Mapping[str, QAction]
        The window's actions by name; buttons trigger them.
    """

    def __init__(self, tour: Tour, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        desk = tour.desk
        self._desk, self._player, self._actions = desk, desk.player, actions
        self.stops, self.rate = StopControl(tour, actions), RateControl(desk, actions)
        self._theme: Theme | None = None
        self._sign = ("", "")
        self._seen = b""  # what the button of the image shows
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
        self.lessons = self._button("lessons")
        self.lessons.setText(tr("Lessons"))
        self.changed = self._button("changes")
        self._make_export_menu()
        for button in (self.lessons, self.changed):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        for button in (self.image, self.save):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._set_speed_up()
        self._lay_out()
        desk.player.moved.connect(self.refresh)
        desk.player.changed.connect(self.refresh)
        desk.changed.connect(self._take_lesson)
        desk.edited.connect(self._take_lesson)
        desk.player.moved.connect(self._take_lesson)

    def _make_export_menu(self) -> None:
        """Let the button that saves offer both: this frame as a picture, or many frames."""
        self.save.clicked.disconnect()
        self.save.setText(tr("Export…"))
        self.save.setAccessibleName(tr("Export"))
        self.save.setToolTip(tr("Export this frame or many; it can be dragged out of the stage, too"))
        menu = QMenu(self.save)
        for name in ("save", "export", "sheets"):
            menu.addAction(self._actions[name])
        self.save.setMenu(menu)
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _button(self, name: str) -> QToolButton:
        """Return a button for an action."""
        button = ActionButton(self._actions[name])
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
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
            place = {Level.LINE: "first", Level.STOP: "last"}.get(level, "")
            button.setProperty("place", place)
            group.addButton(button)
            made[level] = button
        return made

    def _set_speed_up(self) -> None:
        self.speed.setRange(0, len(SPEEDS) - 1)
        self.speed.setPageStep(1)
        self.speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.speed.setAccessibleName(tr("Speed, steps a second"))
        for name in ("faster", "slower"):
            self._actions[name].changed.connect(self._say_speed)
        self._say_speed()
        self.speed.valueChanged.connect(lambda gear: self._player.set_speed(SPEEDS[gear]))

    def _say_speed(self) -> None:
        keys = {name: named(self._actions[name]) for name in ("faster", "slower")}
        self.speed.setToolTip(
            tr("Steps a second while playing: faster ({faster}), slower ({slower})", **keys)
        )

    def _lay_out(self) -> None:
        self.row.setContentsMargins(10, 7, 10, 7)
        self.segments = segments = _together(*self.levels.values())
        step_by, speed = _quiet(tr("Step by")), _quiet(tr("Speed"))
        self.row.addWidget(self.lessons)
        self.row.addWidget(self.title)
        self.row.addWidget(self.changed)
        self.row.addStretch(1)
        for widget in (*self.transport.values(), self.stops, step_by, segments, speed, self.speed):
            self.row.addWidget(widget)
        self.row.addWidget(self.speed_text)
        self.row.addStretch(1)
        for widget in (self.rate, self.image, self.expression, self.theme_button, self.save):
            self.row.addWidget(widget)
        self.finish()
        self.parts = [
            Part(step_by, beside=segments),
            Part(speed, beside=self.speed),
            self._part(self.theme_button, "theme"),
            Part(self.speed_text, beside=self.speed),
            self._part(self.speed, "faster", "slower"),
            Part(self.rate.reset),
            self._part(self.save, "save", "export", "sheets"),
            Part(self.title),
            self._part(segments, *self.levels, title=tr("Step by")),
            self._part(self.rate, "rate_down", "rate_up"),
            self._part(self.image, "image"),
            self._part(self.expression, "expression"),
            *(
                self._part(self.transport[name], name)
                for name in ("end", "start", "next_layer", "back_layer")
            ),
            self._part(self.lessons, "lessons"),
            self._part(self.changed, "changes", "take_back"),
            self._part(self.stops, "back_stop", "next_stop"),
        ]

    def _part(self, widget: QWidget, *names: str, title: str = "") -> Part:
        """Return what a narrow bar does without, and the actions that do the same."""
        return Part(widget, [self._actions[name] for name in names], title)

    def set_look(self, theme: Theme, text: int) -> None:
        """Take colours, and sizes that go with a size of text in pixels."""
        self._theme = theme
        side = round(1.35 * text)
        for name, button in self.transport.items():
            if name != "play":
                button.setIcon(icon(name.replace("_", "-"), theme.color("ink")))
            button.setIconSize(QSize(side, side))
        super().set_look(theme, side)
        self.stops.set_look(theme, side)
        self.theme_button.setIcon(icon("light" if theme.dark else "dark", theme.color("ink")))
        self.save.setIcon(icon("save", theme.color("ink")))
        for button in (self.theme_button, self.save, self.image):
            button.setIconSize(QSize(side, side))
        self.speed.setFixedWidth(round(5 * text))
        self.speed_text.ensurePolished()
        widest = self.speed_text.fontMetrics().horizontalAdvance(_speed_text(SPEEDS[-1]))
        self.speed_text.setFixedWidth(widest + 6)
        self.refresh()
        self._take_lesson()
        self.fit()

    def show_lesson(self, lesson: Lesson) -> None:
        """Show its title, and which of its images goes through the network, or which expression it is."""
        self.title.set_whole(
            lesson.title, "\n".join([lesson.sentence, *map(change_said, lesson.changes[:9])])
        )
        subject, many = lesson.subject, len(lesson.subject) > 1
        seen = subject.picture(lesson.image) if many else None
        text, what = subject.label(lesson.image), subject.choose_words.removesuffix("…")
        self.want(self.image, many)
        key = b"" if seen is None else seen.tobytes()
        if key != self._seen:  # or the button is painted at every edit
            self._seen = key
            self.image.setIcon(QIcon() if seen is None else thumbnail(seen, 64))
        self.image.setText(_short(text))
        self.image.setAccessibleName(tr("{what}; now {text}", what=what, text=text))
        self.want(self.expression, bool(lesson.typed))
        self.fit()

    def _take_lesson(self) -> None:
        """Have the controls that the lesson asks for: of its stops, of a learning rate, of its changes."""
        changed = [self.want(control, control.wanted) for control in (self.stops, self.rate)]
        changes = len(self._desk.lesson.changes)
        changed.append(self.want(self.changed, changes > 0))
        if changes and self.changed.text() != many(changes):
            self.changed.setText(many(changes))
            self.changed.setAccessibleName(tr("{many}; opens a list of them", many=many(changes)))
            changed.append(True)
        if any(changed):
            self.fit()

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
        self.setToolTip(f"{text}\n{tooltip}" if tooltip else text)
        if text != self._whole:
            self._whole = text
            self.setAccessibleName(text)
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


def _together(*widgets: QWidget) -> QWidget:
    """Return widgets that come and go together, side by side."""
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    for widget in widgets:
        row.addWidget(widget)
    return made


def _quiet(text: str) -> QLabel:
    made = QLabel(text)
    made.setObjectName("quiet")
    return made


def _speed_text(speed: int) -> str:
    return tr("{speed} / s", speed=speed)
