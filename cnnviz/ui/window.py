"""The window: it only assembles the bar, the panes and the player, and says which action does what."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.place import step_at
from cnnviz.render.cache import clear as forget_pictures
from cnnviz.scene.lecture import lecture_unit
from cnnviz.scene.theme import Theme, theme_of
from cnnviz.text import tr
from cnnviz.ui import keymap
from cnnviz.ui.bar import TopBar
from cnnviz.ui.blank import Blank
from cnnviz.ui.context import Context
from cnnviz.ui.debugger_pane import DebuggerPane
from cnnviz.ui.desk import Desk
from cnnviz.ui.dialogs import Dialogs
from cnnviz.ui.editing import Editing
from cnnviz.ui.history import History
from cnnviz.ui.keymap import Keymap
from cnnviz.ui.keys import Gate
from cnnviz.ui.lecture import Lecture
from cnnviz.ui.menus import check_choices, choices, connect, fill_menu_bar, make_actions, moves
from cnnviz.ui.motion import asks_for_less_motion
from cnnviz.ui.network_pane import NetworkPane
from cnnviz.ui.opening import Opening
from cnnviz.ui.pictures import Pictures
from cnnviz.ui.player import forget_programs
from cnnviz.ui.recent import RecentMenu
from cnnviz.ui.saving import Saving
from cnnviz.ui.settings import Settings
from cnnviz.ui.splitter import PANES, PaneSplitter
from cnnviz.ui.stage_pane import StagePane
from cnnviz.ui.strips import (
    LINES_IN_LECTURE,
    ChangeStrip,
    ExpressionStrip,
    FieldStrip,
    GoStrip,
    MessageStrip,
)
from cnnviz.ui.style import palette, style_sheet
from cnnviz.ui.timeline_pane import STRIP, TIMELINE, TimelinePane
from cnnviz.ui.timer import Timer
from cnnviz.ui.tour import Tour
from cnnviz.ui.training import TrainingPane

if TYPE_CHECKING:
    from cnnviz.ui.exporting import ExportStrip
    from cnnviz.ui.presenter import Presenter

_PICTURE = (1920, 1080)
_LOOKS_EVERY, _LONGEST_IN_MOTION = 500, 20
"""Milliseconds: after so long without a move or an edit it is written where we are; and after so many looks
at the latest, so that a crash can cost no more."""

_FRAME = (16, 48)
"""Pixels: what a system's title bar and borders take at most; before a window is shown, Qt does not know."""


class Window(QMainWindow):
    """Network, stage, listing and timeline of one lesson.

    Parameters
    ----------
    lesson : Lesson
        What is opened.
    settings : Settings
        Where places and sizes are remembered.
    """

    def __init__(self, lesson: Lesson, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.desk = Desk(lesson, settings, self)
        self.player = self.desk.player
        self._shown = self.player.display  # as the window's own widgets are
        self._text_size = 0
        self.actions_by_name = make_actions(self)
        self.keymap = keymap.read(settings)
        keymap.take(self.actions_by_name, self.keymap)
        self.tour = Tour(self.desk, self.actions_by_name)
        self.history = History(self.desk)
        self.lecture = Lecture(
            self, self.player, settings, self.actions_by_name, self._show_lecture, self._make_presenter
        )
        self._assemble()
        self.dialogs = Dialogs(self, self.desk, self.tour, self.actions_by_name)
        self.recent = RecentMenu(self, self.desk)
        self.actions_by_name["recent"].setMenu(self.recent)
        connect(self, self.actions_by_name, self._handlers())
        fill_menu_bar(self, self.actions_by_name)
        self._gate = Gate(self.player, self, self.actions_by_name)
        self._gate.left.connect(self.focus_stage)
        self._connect()
        self._restore()
        self._show_lesson()
        self._save_settings()  # what is damaged is set aside, and it is said
        self._at_last_look, self._looks_in_motion = (0, 0), 0
        self._clock = Timer(self, self._remember_at_rest)
        self._clock.start(_LOOKS_EVERY)

    @property
    def theme(self) -> Theme:
        """Its colours."""
        return theme_of(self.player.display)

    @property
    def zoom(self) -> int:
        """How large all is drawn, in percent."""
        return self.player.display.zoom

    # ------------------------------------------------------------------------------------------ assembling

    def _assemble(self) -> None:
        self.bar = TopBar(self.tour, self.actions_by_name)
        self.go_strip = GoStrip(self._go_to)
        self.expression_strip = ExpressionStrip(self.desk.take_expression)
        self.network, self.stage = NetworkPane(self.player), StagePane(self.player)
        self.debugger, self.timeline = DebuggerPane(self.player), TimelinePane(self.player)
        self.change_strip = ChangeStrip(self.desk.take_changes)
        asked = partial(self._ask, self.change_strip)
        self.editing = Editing(self.desk, self.stage, self.debugger, asked)
        self.panes = (self.network, self.stage, self.debugger, self.timeline)
        stage_first = (self.stage, self.debugger, self.network, self.timeline)
        self.context = Context(self, self.desk, stage_first, self.actions_by_name)
        self.middle = QStackedWidget()
        self.middle.addWidget(self.stage)
        self.message = MessageStrip(self)
        self.pictures = Pictures(self, self.desk, self.message)
        self.opening = Opening(self.desk, self.message, self)
        self.saving = Saving(self.desk, self.message, self)
        self.training = TrainingPane(self.middle, self.tour, self.actions_by_name)
        panes = {"network": self.network, "debugger": self.debugger, "timeline": self.timeline}
        self.splitter = PaneSplitter(panes, self.middle, self.actions_by_name)
        middle = QWidget()
        self._column = column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.bar, *self.strips):
            column.addWidget(widget)
        column.addWidget(self.splitter, 1)
        column.addWidget(self.training)
        column.addWidget(self.timeline)
        self.setCentralWidget(middle)
        self.setAcceptDrops(True)
        self.blank = Blank(self)

    def _connect(self) -> None:
        self.desk.changed.connect(self._show_lesson)
        self.desk.changed.connect(self.message.hide)
        self.desk.failed.connect(self.message.say)
        self.desk.noted.connect(self._note)
        self.player.moved.connect(self.message.update)  # Qt may paint a pane over it that has become larger
        self.desk.edited.connect(self._name_lesson)
        self.lecture.noted.connect(lambda said: self.message.say(said, error=False))
        self.dialogs.closed.connect(self.focus_stage)
        self.dialogs.drawn.connect(self.opening.take_drawing)
        self.training.trainer.ended.connect(self.message.say)
        self.stage.painted.connect(self.player.set_shown)
        self.stage.started.connect(self.desk.set_start)
        for pane in (self.network, self.debugger):
            pane.arguments_wanted.connect(self.editing.ask_for_arguments_of)
        self.desk.asked.connect(self.editing.ask)
        self.desk.asked.connect(self.dialogs.ask)
        for strip in (self.message, *self.strips):
            strip.closed.connect(self.focus_stage)
        self.stage.dragged.connect(lambda: self.pictures.drag_out(self.stage))
        self.pictures.begun.connect(self._show_export)
        self.pictures.ended.connect(partial(self._offer_export, True))
        self._offer_undo()
        self.history.changed.connect(self._offer_places)
        self._offer_places()
        self.player.changed.connect(self._follow_display)
        self.player.moved.connect(
            lambda: self.actions_by_name[self.player.cursor.level.value].setChecked(True)
        )

    def _show_export(self, strip: ExportStrip) -> None:
        """Give the strip of an export its place, one export at a time."""
        self._offer_export(False)
        if self._column.indexOf(strip) < 0:
            strip.closed.connect(self.focus_stage)
            self._column.insertWidget(self._column.indexOf(self.bar) + 1, strip)

    def _offer_export(self, on: bool) -> None:
        for name in ("export", "sheets"):
            self.actions_by_name[name].setEnabled(on)

    def _offer_undo(self) -> None:
        """Let the menu say what would be undone, and offer nothing where there is nothing."""
        edits, undo, redo = self.player.edits, self.actions_by_name["undo"], self.actions_by_name["redo"]
        edits.canUndoChanged.connect(undo.setEnabled)
        edits.canRedoChanged.connect(redo.setEnabled)
        edits.undoTextChanged.connect(
            lambda text: undo.setText(tr("Undo: {edit}", edit=text) if text else tr("Undo"))
        )
        edits.redoTextChanged.connect(
            lambda text: redo.setText(tr("Redo: {edit}", edit=text) if text else tr("Redo"))
        )
        undo.setEnabled(False)
        redo.setEnabled(False)

    def _offer_places(self) -> None:
        self.actions_by_name["back_place"].setEnabled(self.history.can_go(backwards=True))
        self.actions_by_name["next_place"].setEnabled(self.history.can_go())

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            **moves(self.player),
            **choices(self.player),
            **self.training.handlers(),
            **self.context.handlers(),
            "arguments": lambda: self.editing.ask_for_arguments_of(self.player.cursor.step.operation.name),
            "input_gradient": self._switch_input_gradient,
            "next_stop": self.tour.go_to_next_stop,
            "back_stop": partial(self.tour.go_to_next_stop, backwards=True),
            "open": self.opening.ask_for_lesson,
            "input": self.opening.ask_for_input,
            "draw": self._draw,
            "preset": self.opening.ask_for_preset,
            "data": self.dialogs.show_data,
            "label": self.opening.ask_for_label,
            "lessons": self.dialogs.show_lessons,
            "recent": self.recent.open,
            "save_lesson": self.saving.save,
            "save_lesson_as": self.saving.save_as,
            "image": self._show_images,
            "expression": lambda: self._ask(self.expression_strip, self.desk.lesson.typed or None),
            "save": self.pictures.ask_where_to_save,
            "export": self.pictures.ask_what_to_export,
            "sheets": self.pictures.ask_for_sheets,
            "copy": self.pictures.copy,
            "paste": self.opening.paste,
            "quit": self._quit,
            "bookmark": self.desk.toggle_bookmark,
            "undo": self.player.edits.undo,
            "redo": self.player.edits.redo,
            "changes": self.dialogs.show_changes,
            "take_back": self.desk.take_back_changes,
            "stop_here": partial(self.dialogs.show_stops, new=True),
            "edit_stops": self.dialogs.show_stops,
            "rate_down": lambda: self.desk.shift_rate(-1),
            "rate_up": lambda: self.desk.shift_rate(1),
            **{name: partial(self._toggle_pane, name) for name in PANES},
            "glide": lambda: setattr(self.stage, "glides", self.actions_by_name["glide"].isChecked()),
            "full": self.lecture.mover.toggle_full,
            "lecture": self.lecture.toggle,
            "presenter": self.lecture.toggle_presenter,
            "restart_time": self.lecture.restart_time,
            "swap": self.lecture.swap,
            "black": lambda: self.blank.toggle("#000000"),
            "white": lambda: self.blank.toggle("#ffffff"),
            "escape": self._escape,
            "start": self.tour.go_to_start,
            "go": lambda: self._ask(self.go_strip),
            "back_place": partial(self.history.go, backwards=True),
            "next_place": self.history.go,
            "look": self.editing.look,
            "pin": self.stage.pin,
            "next_channel": self.stage.show_channel,
            "back_channel": partial(self.stage.show_channel, -1),
            "palette": self.dialogs.show_palette,
            "keys": lambda: self.dialogs.show_keys(self.keymap, self.take_keymap),
            "tour": self.show_around,
            "run": self.desk.run,
            "run_back": partial(self.desk.run, backwards=True),
            "breakpoints": self.dialogs.show_breakpoints,
            "watches": self.dialogs.show_watches,
            "about": self.dialogs.show_about,
        }

    # --------------------------------------------------------------------------------------------- lesson

    def _show_lesson(self) -> None:
        self._name_lesson()
        self.training.take_lesson()
        self._fit()  # the training's row takes room, or gives it
        self.stage.setFocus(Qt.FocusReason.OtherFocusReason)

    def _name_lesson(self) -> None:
        lesson = self.desk.lesson
        # As Qt joins the two for dialogs; it puts its sign of what is not saved in place of [*].
        self.setWindowTitle(f"{self._heading().replace('[*]', '[*][*]')}[*] — cnnviz")
        self.setWindowModified(self.desk.is_modified)
        self.bar.show_lesson(lesson)
        subject, many = lesson.subject, len(lesson.subject) > 1
        self.actions_by_name["image"].setEnabled(many)
        self.actions_by_name["input_gradient"].setEnabled(bool(lesson.program.form))
        self.actions_by_name["input"].setEnabled(self.opening.is_network or self.opening.takes_pictures)
        self.actions_by_name["draw"].setEnabled(self.opening.takes_drawings)
        self.actions_by_name["preset"].setEnabled(self.opening.reads_a_picture)
        self.actions_by_name["data"].setEnabled(self.opening.reads_data)
        self.actions_by_name["label"].setEnabled(self.opening.takes_labels)
        for name in ("changes", "take_back"):
            self.actions_by_name[name].setEnabled(bool(lesson.changes))
        self.actions_by_name["image"].setText(subject.choose_words)
        for name in ("rate_down", "rate_up"):
            self.actions_by_name[name].setEnabled(self.desk.descent is not None)

    def _heading(self) -> str:
        """Return the lesson's heading, with a word for one that is not as its file has it."""
        lesson = self.desk.lesson
        return tr("{heading}, changed", heading=lesson.heading) if lesson.changes else lesson.heading

    def _note(self, said: str) -> None:
        """Say something by the way, or put away what was said so."""
        if said:
            self.message.say(said, error=False)
        elif not self.message.is_fault:
            self.message.shut()

    def _switch_input_gradient(self) -> None:
        self.desk.switch_input_gradient()
        if not self.player.cursor.step.operation.call.form:  # or the stage says it
            form = tr(self.desk.lesson.program.form)
            said = tr("The input gradients of convolutions are {form} now.", form=form)
            self.message.say(said, error=False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go back or forward by the buttons that a mouse has for it."""
        if event.button() in (Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton):
            self.history.go(backwards=event.button() == Qt.MouseButton.BackButton)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and pictures, as copies: who is told that they were moved may delete them."""
        data = event.mimeData()
        if event.source() is not None:  # it is our own frame
            return
        if (data.hasUrls() or data.hasImage()) and event.possibleActions() & Qt.DropAction.CopyAction:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the lesson dropped, or let the picture in."""
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.opening.take(event.mimeData())

    # ---------------------------------------------------------------------------------------------- places

    @property
    def strips(self) -> tuple[FieldStrip, ...]:
        """What asks under the bar, one at a time."""
        return self.go_strip, self.expression_strip, self.change_strip

    def _ask(self, strip: FieldStrip, text: str | None = None) -> None:
        self.player.pause()
        for other in self.strips:
            if other is not strip:
                other.hide()
        strip.ask(text)

    def _go_to(self, text: str) -> None:
        number = re.sub(r"[\s,]", "", text)  # as numbers are shown, 70,796, and copied
        self.player.jump_to(step_at(self.player.cursor.program, number if number.isdigit() else text))

    def _escape(self) -> None:
        """Put away what lies over the stage; where nothing does, the second press leaves the lecture view."""
        if self.dialogs.welcome is not None:
            self.dialogs.end_tour()
        elif self.blank.isVisible():
            self.blank.hide()
        elif self.player.view.traced is not None:
            self.player.show_trace(None)
        elif self.message.is_fault:
            self.message.shut()
            self.lecture.forget_escape()
        else:
            self.lecture.escape()
        if self.message.isVisible():  # a note, which is never in the way
            self.message.shut()
        self.rest()

    def show_around(self) -> None:
        """Begin the tour of the window; it is not offered again by itself."""
        self.settings.put("window/shown_around", 1)
        if self.lecture.on:
            return
        bar, menus = self.bar, self.menuBar()
        places: list[list[QWidget]] = [
            [self.stage],
            [self.debugger, menus],
            [bar.segments, bar.more, menus],
            [self.timeline, menus],
            [bar.stops, bar.more, menus],
            [bar.lessons, bar.more, menus],
        ]
        self.dialogs.show_around(self.stage, places)

    def _show_images(self) -> None:
        button = self.bar.image
        corner = button.mapToGlobal(QPoint(button.width(), button.height() + 4))
        if not button.isVisible():
            corner = self.mapToGlobal(QPoint(self.width() // 2 + 280, 60))
        self.dialogs.show_images(corner)

    def _draw(self) -> None:
        self.rest()
        self.dialogs.show_drawing(ceil(self.height() / LINES_IN_LECTURE) if self.lecture.on else 0)

    def take_keymap(self, changed: Keymap) -> None:
        """Have the keys do this, and remember it."""
        self.keymap = changed
        keymap.take(self.actions_by_name, changed)
        keymap.write(self.settings, changed)

    def focus_stage(self) -> None:
        """Give the keyboard back to the stage, or to what has its place."""
        shown = self.middle.currentWidget() or self.stage
        shown.setFocus(Qt.FocusReason.OtherFocusReason)

    def rest(self) -> None:
        """Let nothing go on by itself."""
        self.player.pause()
        self.training.trainer.pause()

    # ---------------------------------------------------------------------------------------------- looks

    def _follow_display(self) -> None:
        """Show the window's own widgets as the panes are."""
        before, self._shown = self._shown, self.player.display
        if before == self._shown:
            return
        check_choices(self.actions_by_name, self._shown)
        self.splitter.scale(self._shown.zoom / before.zoom, self._shown.text / before.text)
        if theme_of(before) is not self.theme or before.scale_of_text != self._shown.scale_of_text:
            self._take_look()

    def _show_lecture(self, on: bool) -> None:
        """Show the stage alone, large, with a strip that says how far we are; or everything again."""
        if on:
            self.dialogs.end_tour()
        self.message.set_lecture(on)
        self.timeline.lecture = on
        self.training.set_lecture(on)
        self._show_panes()
        self.stage.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make_presenter(self) -> Presenter:
        from cnnviz.ui.presenter import Presenter

        actions, elapsed = self.actions_by_name, self.lecture.elapsed
        covered, message = self.blank.said, self.message
        return Presenter(self, self.stage, self.tour, elapsed, covered, message, actions)

    def _toggle_pane(self, name: str) -> None:
        """Show a pane, or hide it; one that is wanted, but has had no room, is shown."""
        wanted = self.splitter.ask_for(name, self.lecture.on)
        self._show_panes()
        if wanted and not self.lecture.on and self.splitter.panes[name].isHidden():
            said = tr("There is no room for this pane; make the window larger, or its text smaller.")
            self.message.say(said, error=False)

    def _show_panes(self) -> None:
        lecture = self.lecture.on
        self.menuBar().setVisible(not lecture)
        self.bar.setVisible(not lecture)
        self.pictures.show_progress(not lecture)
        self._fit()
        for pane in self.panes:
            pane.refresh()

    def _take_look(self) -> None:
        QApplication.setPalette(palette(self.theme))
        self._text_size = 0
        self._fit()
        for strip in (self.message, *self.strips):
            strip.set_look(self.theme)

    def _fit(self) -> None:
        """Give sizes that follow from the window's: the bar's text, the timeline, the lecture's text."""
        display = self.player.display
        unit = max(0.62, min(self.width() / _PICTURE[0], self.height() / _PICTURE[1])) * display.scale_of_text
        lecture = lecture_unit(self.width(), self.height())
        self.stage.smallest_unit = lecture if self.lecture.on else 0.0
        height = round(lecture * STRIP if self.lecture.on else unit * TIMELINE[1])
        self.timeline.setFixedHeight(height)
        size = round((13 if self.height() < 900 or self.width() < 1600 else 15) * display.scale_of_text)
        if size != self._text_size:
            self._text_size = size
            self.setStyleSheet(style_sheet(self.theme, size))
            self.bar.set_look(self.theme, size)
            self.training.set_look(self.theme, size)
        rows = (self.menuBar(), self.bar, self.training)
        high = self.height() - sum(row.sizeHint().height() for row in rows if not row.isHidden())
        self.splitter.give_room(QSize(self.width(), high), height, display, self.lecture.on)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the window's size."""
        super().resizeEvent(event)
        self._fit()
        self.training.follow_window()
        if self.blank.isVisible():
            self.blank.setGeometry(self.rect())

    # ------------------------------------------------------------------------------------------ remembering

    def _restore(self) -> None:
        settings = self.settings
        self.splitter.restore(settings)
        self._less_motion = asks_for_less_motion()
        self.stage.glides = settings.flag("window/glide", not self._less_motion)
        self.actions_by_name["glide"].setChecked(self.stage.glides)
        if not self.restoreGeometry(settings.data("window/geometry")):
            self.resize(_first_size())
        self._take_look()
        self._show_panes()
        self.actions_by_name[self.player.cursor.level.value].setChecked(True)
        check_choices(self.actions_by_name, self.player.display)

    def _quit(self) -> None:
        """Close the window, unless something is to be saved first."""
        if self.saving.may_leave():
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the place, sizes and looks; who clicks it away is asked first, and no signal is."""
        if event.spontaneous() and not self.saving.may_leave():
            event.ignore()
            return
        self.rest()
        self.pictures.close()
        self._clock.stop()
        self._remember()
        self.lecture.end()
        super().closeEvent(event)
        forget_programs()  # who asked for the window may go on without it
        forget_pictures()

    def _remember_at_rest(self) -> None:
        """Write what has changed once nothing moves any more: the disk would hold up what is painted."""
        here = id(self.player.cursor), id(self.desk.lesson)  # themselves, they would outlive their turn
        self._looks_in_motion = self._looks_in_motion + 1 if here != self._at_last_look else 0
        self._at_last_look = here
        if self._looks_in_motion % _LONGEST_IN_MOTION == 0:
            self._remember()

    def _remember(self) -> None:
        """Note the place, sizes and looks; what has changed is written."""
        self.desk.remember()
        settings = self.settings
        self.splitter.remember(settings)
        settings.put("window/geometry", self.lecture.geometry())
        follows = self.stage.glides is not self._less_motion  # then it goes on following the system
        settings.put("window/glide", "" if follows else int(self.stage.glides))
        self._save_settings()

    def _save_settings(self) -> None:
        self.settings.save()
        for complaint in self.settings.complaints():
            self.message.add(complaint)


def _first_size() -> QSize:
    """Return the size of a window opened for the first time: its title bar must fit on the screen, too."""
    room = QGuiApplication.primaryScreen().availableSize()
    return QSize(min(1600, room.width() - _FRAME[0]), min(900, room.height() - _FRAME[1]))
