"""The command palette, by real keys: what it lists, what typing finds, and what Enter does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDialog,
    QHeaderView,
    QLineEdit,
    QMenu,
    QTableView,
)

from cnnviz.lesson.files import lesson_names, lesson_words
from cnnviz.ui.context import ENTRIES
from cnnviz.ui.keys import LISTED
from cnnviz.ui.palette import Command, commands, found

K = Qt.Key
CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier

# The offscreen platform has nothing to raise and no keyboard to grab for a popup.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def open_palette(window, typed=""):
    QTest.keyClick(window.stage, K.Key_P, CONTROL_SHIFT)
    palette = window.dialogs.palette
    assert palette.isVisible()
    assert palette.field.hasFocus()
    QTest.keyClicks(palette.field, typed)
    return palette


def rows(palette):
    items = [palette.list.topLevelItem(k) for k in range(palette.list.topLevelItemCount())]
    return [(item.text(0), item.text(1)) for item in items]


def test_it_lists_actions_with_keys_lessons_operations_and_stops_in_order(window):
    said = rows(open_palette(window))
    for row in (("View: Light or dark", "T"), ("Step: Step", "Page down, →"), ("File: Lessons…", "O")):
        assert row in said
    lessons = [f"Lesson: {lesson_words(name)[0]}" for name in lesson_names()]
    assert [text for text, _ in said if text.startswith("Lesson: ")] == lessons
    program, stops = window.player.cursor.program, window.desk.lesson.sequence
    to = [text.removeprefix("Go to ").split(" · ")[0] for text, _ in said if text.startswith("Go to ")]
    assert to == [operation.name for operation in program.operations]
    captions = [text.removeprefix("Stop: ") for text, _ in said if text.startswith("Stop: ")]
    assert captions == [stop.caption for stop in stops] != []


def test_what_cannot_be_done_now_is_left_out(window):
    assert "Step: Larger learning rate" not in [text for text, _ in rows(open_palette(window))]
    window.dialogs.palette.hide()
    window.desk.open("gradient-descent")
    assert ("Step: Larger learning rate", "]") in rows(open_palette(window))


def test_all_words_typed_must_occur_and_the_best_stand_first():
    texts = ("A flatter line", "Unflat", "Go to flatten", "Flat, and a line", "Line")
    commands = [Command(text, lambda: None) for text in texts]
    assert [command.text for command in found(commands, "FLAT")] == [
        "Flat, and a line",
        "A flatter line",
        "Go to flatten",
        "Unflat",
    ]
    assert [command.text for command in found(commands, "line  flat")] == [
        "Flat, and a line",
        "A flatter line",
    ]
    assert [command.text for command in found(commands, " ")] == list(texts)


def test_enter_goes_to_an_operation_and_the_keyboard_comes_back(window):
    palette = open_palette(window, "conv1.dw")
    assert rows(palette)[0][0].startswith("Go to conv1.dw")
    QTest.keyClick(palette.field, K.Key_Return)
    assert not palette.isVisible()
    assert window.player.cursor.index == window.player.cursor.program.start("conv1.dw")
    assert window.stage.hasFocus()


def test_arrows_choose(window):
    palette = open_palette(window, "step by")
    names = [text for text, _ in rows(palette)]
    assert names[:3] == ["Step: Step by line", "Step: Step by term", "Step: Step by cell"]
    for key in (K.Key_Down, K.Key_Down, K.Key_Up):
        QTest.keyClick(palette.field, key)
    QTest.keyClick(palette.field, K.Key_Return)
    assert window.player.cursor.level.value == "term"


def test_a_click_does_it_too(window):
    palette = open_palette(window, "light or dark")
    at = palette.list.visualItemRect(palette.list.topLevelItem(0)).center()
    QTest.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert not palette.isVisible()
    assert window.theme.name == "dark"


def test_a_lesson_is_opened(window):
    title = lesson_words("relu")[0]
    QTest.keyClick(open_palette(window, f"lesson {title}").field, K.Key_Return)
    assert window.desk.lesson.name == "relu"
    assert rows(open_palette(window, "go to relu"))[0][0].startswith("Go to relu"), "it lists the new one"


def test_a_stop_is_shown_in_the_view_that_it_speaks_of(window):
    window.desk.open("backward-conv")
    stops, program = window.player.stops, window.player.cursor.program
    number, stop = next((k, stop) for k, stop in enumerate(stops) if not stop.shown_in(program))
    palette = open_palette(window)
    palette.field.setText(stop.caption)
    QTest.keyClick(palette.field, K.Key_Return)
    assert window.player.cursor.program.form == stop.form
    assert window.player.cursor.index == window.player.stops[number].index
    assert stop.caption in {told.caption for told in window.player.view.stops}


def test_what_asks_for_text_keeps_the_keyboard(window):
    QTest.keyClick(open_palette(window, "go to a step or cell").field, K.Key_Return)
    assert window.go_strip.isVisible()
    assert window.go_strip.field.hasFocus()


def test_esc_leaves_everything_as_it_was(window):
    before = window.player.cursor
    palette = open_palette(window, "end")
    QTest.keyClick(palette.field, K.Key_Escape)
    assert not palette.isVisible()
    assert window.player.cursor == before
    assert window.stage.hasFocus()
    assert open_palette(window).field.text() == "", "nothing is left of what was typed"


def test_the_keyboard_comes_back_to_the_stage_from_wherever_it_was_opened(window):
    slider = window.bar.speed
    slider.setFocus()
    QTest.keyClick(slider, K.Key_P, CONTROL_SHIFT)
    assert window.dialogs.palette.field.hasFocus()
    QTest.keyClick(window.dialogs.palette.field, K.Key_Escape)
    assert window.stage.hasFocus()


def test_letters_and_digits_are_typed_and_do_nothing_else(window):
    before = window.player.cursor, window.theme, window.blank.isVisible()
    palette = open_palette(window, "tkb. 1w5l")
    assert palette.field.text() == "tkb. 1w5l"
    assert (window.player.cursor, window.theme, window.blank.isVisible()) == before


def test_where_nothing_is_found_it_is_said_and_enter_does_nothing(window):
    palette = open_palette(window, "no such thing")
    assert rows(palette) == []
    assert palette.nothing.isVisible()
    QTest.keyClick(palette.field, K.Key_Return)
    assert palette.isVisible()


def test_it_opens_in_the_lecture_view_and_leaves_it_on(window):
    window.lecture.show(True)
    QTest.keyClick(open_palette(window, "go to fc").field, K.Key_Return)
    assert window.player.cursor.step.operation.name == "fc"
    assert not window.bar.isVisible()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("zoom", [100, 150])
def test_all_that_is_said_is_seen_whole(make_window, size, zoom):
    window = make_window(*size)
    window.player.show(replace(window.player.display, zoom=zoom))
    QApplication.processEvents()
    palette = open_palette(window)
    assert window.rect().contains(palette.geometry().translated(-window.pos()))
    metrics, wrap = palette.list.fontMetrics(), Qt.TextFlag.TextWordWrap
    for k, (text, detail) in enumerate(rows(palette)):
        index = palette.list.model().index(k, 0)
        room = palette.list.visualRect(index).adjusted(4, 0, -4, 0)
        assert room.width() > 300
        assert metrics.boundingRect(room, wrap, text).height() <= room.height(), text
        assert metrics.horizontalAdvance(detail) + 8 <= palette.list.columnWidth(1), detail
    assert palette.list.columnWidth(0) + palette.list.columnWidth(1) <= palette.list.viewport().width()


def test_it_is_as_large_the_first_time_as_ever_after(make_window):
    window = make_window(1920, 1080)
    palette = open_palette(window)
    first = palette.size()
    assert first.width() < window.width() - 100, "or the window, not the text, gives its width"
    palette.hide()
    assert open_palette(window).size() == first


def test_it_follows_the_theme_and_every_control_has_a_name(window):
    palette = open_palette(window)
    light = palette.grab().toImage()
    palette.hide()
    window.actions_by_name["theme"].trigger()
    palette = open_palette(window)
    assert palette.grab().toImage() != light
    assert all(part.accessibleName() for part in (palette, palette.field, palette.list))


def test_while_it_is_closed_it_holds_no_lesson(window):
    """A lesson that was left must go from memory."""
    palette = open_palette(window)
    palette.hide()
    assert rows(palette) == []
    assert palette._commands == ()


def test_what_a_debugger_offers_is_found_by_the_words_that_people_bring(window):
    """Each by its own words and by others; with a key or in a menu; and it has words for screen readers."""
    table = {
        "where_from": ("where it was computed", "precedents"),
        "where_to": ("used next", "references"),
        "trace_back": ("trace back", "receptive field", "contributions"),
        "trace_forward": ("trace forward", "dependents"),
        "back_place": ("place before", "history"),
        "next_place": ("place after", "history"),
        "run_there": ("run to here", "to cursor"),
        "breakpoint": ("breakpoint here",),
        "breakpoints": ("conditions", "conditional breakpoint", "relu clips", "nan"),
        "run": ("next breakpoint", "continue"),
        "run_back": ("previous breakpoint", "continue"),
        "break_written": ("breakpoint written",),
        "break_read": ("breakpoint read",),
        "break_negative": ("negative", "break condition"),
        "watches": ("watches", "watch plot", "expression"),
        "watch_there": ("watch it",),
        "edit": ("change number", "edit weight", "edit bias", "learning rate", "target", "pixel"),
        "kernel": ("sobel", "filter"),
        "arguments": ("stride", "padding", "dilation", "learning rate", "edit stride"),
        "changes": ("differs", "edits"),
        "take_back": ("take back",),
        "compare": ("compare", "what if", "diff"),
        "check": ("check gradient", "finite difference", "numerical"),
        "undo": ("undo",),
        "redo": ("redo",),
    }
    window.desk.take_changes("conv1.w[0,0,1,1]=0.5")
    window.player.jump_to(300)
    for name in ("undo", "redo", "back_place", "next_place"):  # now and then there is nothing for them
        window.actions_by_name[name].setEnabled(True)
    all_of_them = commands(window.actions_by_name, window.tour)
    keyed = {key.name: key for _, keys in LISTED for key in keys}
    in_menus = {action for menu in window.menuBar().findChildren(QMenu) for action in menu.actions()}
    for name, typed in table.items():
        action = window.actions_by_name[name]
        assert action.text() and action.text() == action.text().strip(), name
        assert action in in_menus, name
        assert keyed[name].keys or name in {entry.name for entry in ENTRIES} or name == "take_back", name
        for words in typed:
            best = [command.text for command in found(all_of_them, words)][:6]
            assert any(text.endswith(f": {action.text()}") for text in best), (name, words, best)


def test_each_control_of_what_a_debugger_opens_has_a_name_and_is_reached_by_tab(window):
    window.desk.take_changes("conv1.w[0,0,1,1]=0.5")
    for name in ("breakpoints", "watches", "changes", "check", "arguments"):
        start = window.player.cursor.program.start("conv1.dw") + 3000
        window.player.go_to(start)
        window.actions_by_name[name].trigger()
        opened = [
            one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()
        ]
        shown = opened or [window.change_strip]
        controls = [
            one
            for where in shown
            for kind in (QLineEdit, QComboBox, QAbstractItemView, QAbstractButton)
            for one in where.findChildren(kind)
            if one.isVisibleTo(where)
            and not isinstance(one, QHeaderView)
            and type(one.parent()) is not QTableView
        ]
        assert len(controls) > 1, name
        for one in controls:
            said = one.accessibleName() or (one.text() if isinstance(one, QAbstractButton) else "")
            assert said or one.toolTip(), (name, one)
            assert one.focusPolicy() & Qt.FocusPolicy.TabFocus or not one.isEnabled(), (name, one)
        for dialog in opened:
            dialog.close()
            dialog.deleteLater()
