"""Keys do what LOOK says, by real key events, and never take what a control needs."""

from __future__ import annotations

import re
import sys

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from cnnviz.export.frames import Shown
from cnnviz.export.png import picture
from cnnviz.scene.display import Display
from cnnviz.scene.marks import Label
from cnnviz.trace.stops import Level
from cnnviz.ui.keymap import Keymap
from cnnviz.ui.keys import KEYS, MENUS, said, tip
from cnnviz.ui.keys_page import KeysPage
from cnnviz.ui.palette import commands
from tests.scene.looking import described
from tests.scene.looking import said as texts_of

K, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def press(window, qtbot):
    def press(key, modifier=NONE, widget=None):
        qtbot.keyClick(widget or window.stage, key, modifier)
        return window.player.cursor

    return press


FORWARD = [(K.Key_PageDown, NONE), (K.Key_Right, NONE), (K.Key_F10, NONE)]
BACK = [(K.Key_PageUp, NONE), (K.Key_Left, NONE)]


@pytest.mark.parametrize(("key", "modifier"), FORWARD)
def test_forward(window, press, key, modifier):
    expected = window.player.cursor.next()
    assert press(key, modifier) == expected


@pytest.mark.parametrize(("key", "modifier"), BACK)
def test_back(window, press, key, modifier):
    window.player.go_to(5000)
    expected = window.player.cursor.previous()
    assert press(key, modifier) == expected


@pytest.mark.parametrize(
    ("key", "modifier", "expected"),
    [
        (K.Key_F11, NONE, lambda cursor: cursor.into()),
        (K.Key_F11, SHIFT, lambda cursor: cursor.at(cursor.coarser).next()),
        (K.Key_D, NONE, lambda cursor: cursor.into()),
        (K.Key_U, NONE, lambda cursor: cursor.at(cursor.coarser).next()),
        (K.Key_Right, SHIFT, lambda cursor: cursor.next(Level.LAYER)),
        (K.Key_Left, SHIFT, lambda cursor: cursor.previous(Level.LAYER)),
        (K.Key_Right, CONTROL, lambda cursor: cursor.next(Level.PASS)),
        (K.Key_Left, CONTROL, lambda cursor: cursor.previous(Level.PASS)),
        (K.Key_Home, NONE, lambda cursor: cursor.to(0)),
        (K.Key_End, NONE, lambda cursor: cursor.to(10**9)),
    ],
)
def test_other_moves(window, press, key, modifier, expected):
    window.player.go_to(30_000)
    wanted = expected(window.player.cursor)
    assert press(key, modifier) == wanted


@pytest.mark.parametrize(("key", "level"), list(zip("1234560", Level, strict=True)))
def test_levels(window, press, key, level):
    press(getattr(K, f"Key_{key}"))
    assert window.player.cursor.level is level
    assert window.bar.levels[level].isChecked()
    assert window.actions_by_name[level.value].isChecked()


@pytest.mark.parametrize("key", [K.Key_F5, K.Key_K, K.Key_Space])
def test_play_and_pause(window, press, key):
    press(key)
    assert window.player.playing
    press(key)
    assert not window.player.playing


def test_escape_pauses(window, press):
    window.player.play()
    press(K.Key_Escape)
    assert not window.player.playing


def test_breakpoints_and_running(window, press):
    window.player.go_to(100)
    press(K.Key_F9)
    window.player.go_to(9000)
    press(K.Key_F9)
    press(K.Key_Home)
    assert [press(K.Key_L).index, press(K.Key_L).index, press(K.Key_J).index] == [100, 9000, 100]


def test_speed(window, press):
    window.player.set_speed(4)
    press(K.Key_Plus)
    assert window.player.speed == 6
    press(K.Key_Minus)
    press(K.Key_Minus)
    assert window.player.speed == 3


def test_theme_zoom_lecture_and_full_screen(window, press):
    press(K.Key_T)
    assert window.theme.name == "dark"
    press(K.Key_Plus, CONTROL)
    assert window.zoom == 110
    press(K.Key_0, CONTROL)
    assert window.zoom == 100
    press(K.Key_L, CONTROL)
    assert not window.network.isVisible() and not window.bar.isVisible()
    assert window.isFullScreen()
    for full in (False, True):
        press(K.Key_F)
        assert window.isFullScreen() is full
        assert not window.bar.isVisible()


def test_escape_twice_leaves_the_lecture_view(window, press):
    press(K.Key_L, CONTROL)
    before = window.player.cursor
    assert press(K.Key_PageDown) == before.next()
    press(K.Key_Escape)
    assert not window.bar.isVisible()
    press(K.Key_Escape)
    assert window.bar.isVisible()


def test_the_lecture_view_says_once_how_it_is_left(window, press):
    press(K.Key_L, CONTROL)
    assert window.message.sentence.text() == "Esc twice leaves the lecture view."
    press(K.Key_Escape)
    assert not window.message.isVisible()
    press(K.Key_Escape)
    assert window.bar.isVisible()
    press(K.Key_L, CONTROL)
    assert not window.message.isVisible()


def test_slow_presses_of_escape_do_not_leave_the_lecture_view(window, press, monkeypatch):
    press(K.Key_L, CONTROL)
    now = [100.0]
    monkeypatch.setattr("cnnviz.ui.lecture.time.monotonic", lambda: now[0])
    press(K.Key_Escape)
    now[0] += 2.5
    press(K.Key_Escape)
    assert not window.bar.isVisible()


@pytest.mark.parametrize(
    ("key", "colour"), [(K.Key_B, "#000000"), (K.Key_Period, "#000000"), (K.Key_W, "#ffffff")]
)
def test_blank_screen(window, press, key, colour):
    press(key)
    assert window.blank.isVisible()
    assert window.blank.geometry() == window.rect()
    assert window.grab().toImage().pixelColor(640, 360).name() == colour
    press(key)
    assert not window.blank.isVisible()


def test_go_to_a_cell(window, press, qtbot):
    press(K.Key_G, CONTROL)
    field = window.go_strip.field
    assert field.hasFocus()
    qtbot.keyClicks(field, "conv1[2,3,4]")
    qtbot.keyClick(field, K.Key_Return)
    assert ("y", (2, 3, 4)) in window.player.moment.state.writes
    assert not window.go_strip.isVisible()
    assert window.stage.hasFocus()


def test_go_to_nowhere_is_said_in_place(window, press, qtbot):
    press(K.Key_G, CONTROL)
    qtbot.keyClicks(window.go_strip.field, "conv9")
    qtbot.keyClick(window.go_strip.field, K.Key_Return)
    assert "There is no operation conv9" in window.go_strip.sentence.text()
    assert window.player.cursor.index == 0
    qtbot.keyClick(window.go_strip.field, K.Key_Escape)
    assert not window.go_strip.isVisible()
    assert window.stage.hasFocus()


# ----------------------------------------------------------------------------------- whose a key is


def test_letters_digits_and_arrows_are_the_text_fields(window, press, qtbot):
    press(K.Key_G, CONTROL)
    field = window.go_strip.field
    before = window.player.cursor, window.theme, window.blank.isVisible()
    qtbot.keyClicks(field, "tkb. 1w5l")
    for key in (K.Key_Left, K.Key_Home, K.Key_End, K.Key_Right):
        qtbot.keyClick(field, key)
    assert field.text() == "tkb. 1w5l"
    assert (window.player.cursor, window.theme, window.blank.isVisible()) == before


def test_page_down_steps_even_from_a_text_field(window, press, qtbot):
    press(K.Key_G, CONTROL)
    expected = window.player.cursor.next()
    qtbot.keyClick(window.go_strip.field, K.Key_PageDown)
    assert window.player.cursor == expected


def test_arrows_home_and_end_are_the_sliders(window, qtbot):
    slider = window.bar.speed
    slider.setFocus()
    for key, speed in ((K.Key_Right, 6), (K.Key_Left, 4), (K.Key_End, 60), (K.Key_Home, 1)):
        qtbot.keyClick(slider, key)
        assert window.player.speed == speed
    assert window.player.cursor.index == 0


def test_space_is_the_focused_buttons(window, qtbot):
    button = window.bar.transport["next"]
    button.setFocus()
    expected = window.player.cursor.next()
    qtbot.keyClick(button, K.Key_Space)
    assert window.player.cursor == expected
    assert not window.player.playing


def test_page_down_steps_from_slider_and_button(window, qtbot):
    for widget in (window.bar.speed, window.bar.theme_button):
        widget.setFocus()
        expected = window.player.cursor.next()
        qtbot.keyClick(widget, K.Key_PageDown)
        assert window.player.cursor == expected


# ------------------------------------------------------------------------------------- a held key


def held(window, key, modifiers=NONE) -> bool:
    """Send what a held key repeats; return whether the window's shortcuts were kept from seeing it."""
    event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifiers, "", True)
    event.ignore()
    QCoreApplication.sendEvent(window.stage, event)
    return event.isAccepted()


# macOS says of every arrow, and all systems of the numeric pad, where the key lies.
PAD = Qt.KeyboardModifier.KeypadModifier


@pytest.mark.parametrize("modifiers", [NONE, PAD])
@pytest.mark.parametrize("key", [K.Key_PageDown, K.Key_Right, K.Key_Left, K.Key_F11])
def test_a_held_key_is_dropped_until_its_step_is_painted(window, press, key, modifiers):
    window.player.go_to(3000)
    assert held(window, key, modifiers)
    QCoreApplication.processEvents()
    assert window.player.shown
    assert not held(window, key, modifiers)


def test_a_held_arrow_with_a_modifier_is_dropped_too_on_macos(window):
    window.player.go_to(3000)
    assert held(window, K.Key_Right, SHIFT | PAD)
    assert not held(window, K.Key_Tab, PAD), "it is no key of ours"


@pytest.mark.parametrize("key", [K.Key_Escape, K.Key_B, K.Key_F5, K.Key_N, K.Key_F])
def test_a_held_key_does_once_what_is_not_meant_to_repeat(window, key):
    assert held(window, key)


@pytest.mark.parametrize(("apart", "dropped"), [(0, True), (60, False)])
def test_a_repetition_that_comes_as_a_key_pressed_anew_is_told_by_its_time(window, press, apart, dropped):
    """A busy X server lets Qt see a key go and come at the same time."""
    press(K.Key_0)
    let_go = QKeyEvent(QEvent.Type.KeyRelease, K.Key_PageDown, NONE)
    pressed = QKeyEvent(QEvent.Type.ShortcutOverride, K.Key_PageDown, NONE)
    let_go.setTimestamp(5000)
    pressed.setTimestamp(5000 + apart)
    pressed.ignore()
    for event in (let_go, pressed):
        QCoreApplication.sendEvent(window.stage, event)
    assert pressed.isAccepted() is dropped


def test_keys_pressed_one_by_one_all_count(window, press):
    expected = window.player.cursor
    for _ in range(5):  # nothing is painted in between
        expected = expected.next()
        press(K.Key_PageDown)
    assert window.player.cursor == expected


def test_several_moves_give_one_painting(window, press):
    painted: list[int] = []
    window.stage.painted.connect(lambda: painted.append(window.player.cursor.index))
    for _ in range(5):
        press(K.Key_PageDown)
    QCoreApplication.processEvents()
    assert painted == [window.player.cursor.index]


# ---------------------------------------------------------------------------------- the one table


class OfMacOS(QKeySequence):
    """Keys as macOS writes them."""

    def toString(self, format=QKeySequence.SequenceFormat.PortableText):
        portable = super().toString()
        if format is not QKeySequence.SequenceFormat.NativeText:
            return portable
        *modifiers, last = re.fullmatch(r"((?:\w+\+)*)(.+)", portable).groups()
        for word, sign in (("Alt+", "⌥"), ("Shift+", "⇧"), ("Ctrl+", "⌘")):
            modifiers = [text.replace(word, sign) for text in modifiers]
        return "".join(modifiers) + {"Right": "→", "Left": "←", "PgDown": "⇟", "Esc": "⎋"}.get(last, last)


def test_keys_are_said_as_the_system_at_hand_writes_them(monkeypatch, make_window):
    monkeypatch.setattr("cnnviz.ui.keys.QKeySequence", OfMacOS)
    window = make_window()
    page = KeysPage(window, window.keymap, print)
    sheet = [item.text(1) for item in page.items.values()]
    tips = [widget.toolTip() for widget in window.findChildren(QWidget)]
    details = [command.detail for command in commands(window.actions_by_name, window.tour)]
    assert "⌘⇧Z, ⌘Y" in sheet or "⇧⌘Z, ⌘Y" in sheet
    assert "⌘++, ⌘=" not in sheet and "⌘+, ⌘=" in sheet
    assert "Previous layer (⇧←)" in tips
    assert "⌘G" in details
    assert "Close (⎋)" in tips
    assert [
        text for text in (*sheet, *tips, *details) if "Ctrl" in text or "Alt" in text or "Shift" in text
    ] == []


def test_no_two_actions_share_a_key():
    keys = [key for entry in KEYS.values() for key in entry.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.skipif(sys.platform == "darwin", reason="menus have no letters there")
@pytest.mark.parametrize("title", [title for title, _ in MENUS])
@pytest.mark.parametrize("field", [False, True])
def test_alt_and_its_letter_open_a_menu(window, press, title, field):
    """Also while something is typed."""
    widget = QLineEdit(window.bar) if field else window.stage
    widget.show()
    widget.setFocus()
    press(getattr(K, f"Key_{title[0]}"), ALT, widget)
    (menu,) = (bar.menu() for bar in window.menuBar().actions() if bar.text() == f"&{title}")
    assert QApplication.activePopupWidget() is menu
    menu.close()


def test_each_menu_has_a_letter_of_its_own_and_no_key_takes_it():
    letters = [title[0] for title, _ in MENUS]
    assert len(set(letters)) == len(letters)
    keys = {key for entry in KEYS.values() for key in entry.keys}
    assert keys.isdisjoint(f"Alt+{letter}" for letter in letters)


def test_ctrl_shift_e_asks_what_to_export(window, press):
    asked = []
    window.actions_by_name["export"].triggered.disconnect()
    window.actions_by_name["export"].triggered.connect(lambda: asked.append("export"))
    press(K.Key_E, CONTROL | SHIFT)
    assert asked == ["export"]


def test_menus_are_made_from_the_table(window):
    titles = [action.text() for action in window.menuBar().actions()]
    assert titles == [f"&{title}" for title, _ in MENUS]
    for name, entry in KEYS.items():
        action = window.actions_by_name[name]
        assert [shortcut.toString() for shortcut in action.shortcuts()] == list(entry.keys)


def test_keys_are_written_as_people_read_them(window):
    assert said(window.actions_by_name["next"]) == "Page down, →"
    assert said(window.actions_by_name["bigger"]) == "Ctrl++, Ctrl+="
    assert said(window.actions_by_name["back_layer"]) == "Shift+←"
    assert tip(window.actions_by_name["theme"]) == "Light or dark (T)"


def test_the_page_of_keys_opens_and_closes(window, press):
    press(K.Key_F1)
    (page,) = window.findChildren(KeysPage)
    assert page.isVisible()
    page.reject()
    assert not page.isVisible()


def test_the_page_of_keys_is_no_higher_than_the_window(make_window):
    assert KeysPage(make_window(1280, 720), Keymap(), print).height() <= 720


def test_v_switches_the_view_of_the_input_gradient_and_keeps_the_cell(window, press):
    window.player.go_to(window.player.cursor.program.find("conv2.dx", line=10, c=1, p=2, q=3))
    there = press(K.Key_V)
    assert there.program.form == window.desk.lesson.program.form == "scattered"
    assert there.program.state(there.index).writes == (("dx", (1, 3, 4)),)
    assert any("scattered" in text for text in texts(window.stage.frame))
    back = press(K.Key_V)
    assert back.program.form == "gathered"
    assert back.program.state(back.index).writes == (("dx", (1, 2, 3)),)


def test_far_from_an_input_gradient_the_switch_is_said(window, press):
    before = press(K.Key_PageDown)
    assert press(K.Key_V).index == before.index
    assert window.message.sentence.text() == "The input gradients of convolutions are scattered now."


def test_without_an_input_gradient_there_is_no_switch(window, press):
    window.desk.open("relu")
    assert not window.actions_by_name["input_gradient"].isEnabled()
    window.desk.open("backward-conv")
    assert window.actions_by_name["input_gradient"].isEnabled()


def test_stops_lead_through_both_views_and_back(window, press):
    window.desk.open("backward-conv")
    forwards = [press(K.Key_N) for _ in window.desk.lesson.stops[1:]]
    views = [cursor.program.form for cursor in forwards if cursor.step.operation.call.form]
    assert views == ["gathered", "gathered", "scattered", "scattered"]
    assert forwards[-1].step.operation.name == "conv.w"
    backwards = [press(K.Key_N, SHIFT) for _ in forwards]
    assert [(c.program.form, c.index) for c in backwards if c.step.operation.call.form] == [
        (c.program.form, c.index) for c in reversed(forwards) if c.step.operation.call.form
    ]


def test_the_view_is_remembered_with_the_place(window, make_window, press):
    window.player.go_to(window.player.cursor.program.start("conv1.dx") + 40)
    here = press(K.Key_V)
    window.close()
    again = make_window()
    assert again.player.cursor.program.form == "scattered"
    assert again.player.cursor.index == here.index


def texts(frame):
    return ["".join(run.text for run in mark.runs) for mark in frame.marks if isinstance(mark, Label)]


def test_a_key_puts_letters_in_place_of_numbers_and_back(window, press):
    """In all panes, at the same place, and nothing of it stays behind."""
    window.player.go_to(5000)
    before = [described(pane.frame) for pane in window.panes]
    press(K.Key_A)
    assert window.actions_by_name["letters"].isChecked()
    letters = [described(pane.frame) for pane in window.panes]
    assert [one != other for one, other in zip(before, letters, strict=True)] == [False, True, True, False]
    assert window.player.cursor.index == 5000
    press(K.Key_A)
    assert [described(pane.frame) for pane in window.panes] == before


def test_what_is_copied_is_in_letters_too(window, press):
    window.player.go_to(5000)
    before = window.pictures.image()
    press(K.Key_A)
    assert window.pictures.image() != before


@pytest.mark.parametrize("key, scale", [(K.Key_8, "layer"), (K.Key_9, "network")])
def test_a_key_lets_arrays_share_a_scale_of_colours_and_7_has_each_its_own_again(window, press, key, scale):
    window.player.go_to(30_000)  # where there are colours in both panes
    before = [described(pane.frame) for pane in window.panes]
    press(key)
    assert window.actions_by_name[f"scale_{scale}"].isChecked()
    assert not window.actions_by_name["scale_array"].isChecked()
    shared = [described(pane.frame) for pane in window.panes]
    assert [one != other for one, other in zip(before, shared, strict=True)] == [True, True, False, False]
    assert any(text.endswith(f", {scale}") for text in texts_of(window.stage.frame.marks))
    press(K.Key_7)
    assert [described(pane.frame) for pane in window.panes] == before


@pytest.mark.parametrize("key, scale", [(K.Key_7, "array"), (K.Key_8, "layer"), (K.Key_9, "network")])
def test_what_is_copied_has_the_colours_that_an_export_has(window, press, key, scale):
    window.player.go_to(20000)
    press(key)
    lesson = window.desk.lesson
    shown = Shown(lesson.program, replace(lesson.view, display=Display(scale=scale)))
    assert window.pictures.image() == picture(shown, 20000)


@pytest.mark.parametrize("key", [K.Key_Return, K.Key_Enter, K.Key_Escape])
@pytest.mark.parametrize("name", ["speed", "rate"])
def test_enter_and_esc_leave_a_slider_for_the_stage(window, qtbot, key, name):
    slider = window.bar.speed if name == "speed" else window.bar.rate.slider
    window.bar.rate.show()
    slider.setFocus()
    qtbot.keyClick(slider, key)
    assert window.stage.hasFocus()


def test_a_chooser_gives_the_keyboard_back_also_where_nothing_was_chosen(window, qtbot):
    for name, made in (("image", "images"), ("lessons", "lessons")):
        window.bar.speed.setFocus()
        window.actions_by_name[name].trigger()
        qtbot.keyClick(getattr(window.dialogs, made), K.Key_Escape)
        assert window.stage.hasFocus()
