"""Keys are changed, switched off and restored by hand, and all that names them follows at once."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from cnnviz.ui.keymap import Keymap, is_single
from cnnviz.ui.keys import KEYS
from cnnviz.ui.keys_page import KeysPage
from cnnviz.ui.palette import commands

K, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL, ALT = (
    getattr(Qt.KeyboardModifier, f"{name}Modifier") for name in ("Shift", "Control", "Alt")
)


@pytest.fixture
def page(window, qtbot) -> KeysPage:
    qtbot.keyClick(window.stage, K.Key_F1)
    (page,) = window.findChildren(KeysPage)
    qtbot.waitExposed(page)
    return page


@pytest.fixture
def press(window, qtbot):
    def press(key, modifier=NONE, widget=None):
        qtbot.keyClick(widget or window.stage, key, modifier)
        return window.player.cursor

    return press


def close(page: KeysPage, window, qtbot) -> None:
    """Close the page, and wait until the window has the keyboard again."""
    page.reject()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def choose(page: KeysPage, qtbot, words: str) -> None:
    """Find an action by its words and come to the field that takes its key, by keys alone."""
    page.search.setFocus()
    page.search.clear()
    qtbot.keyClicks(page.search, words)
    qtbot.keyClick(page.search, K.Key_Return)
    assert page.list.hasFocus()
    qtbot.keyClick(page.list, K.Key_Return)
    assert page.field.hasFocus()


def test_a_key_is_given_by_keys_alone_and_all_that_names_it_follows(window, page, press, qtbot):
    choose(page, qtbot, "next stop")
    qtbot.keyClick(page.field, K.Key_M, CONTROL)
    assert page.replace_button.hasFocus() and page.said.text() == ""
    qtbot.keyClick(page.replace_button, K.Key_Space)
    assert page.list.hasFocus()
    close(page, window, qtbot)
    button = window.bar.stops.next
    assert button.toolTip() == "Next stop of the lesson (Ctrl+M)"
    assert "next (Ctrl+M)" in window.bar.stops.number.toolTip()
    details = {command.text: command.detail for command in commands(window.actions_by_name, window.tour)}
    assert details["Step: Next stop of the lesson"] == "Ctrl+M"
    second = window.desk.lesson.sequence[1]
    assert press(K.Key_N).index == 0
    assert press(K.Key_M, CONTROL).index == second.index > 0
    presenter = window._make_presenter()
    qtbot.waitUntil(lambda: "(Ctrl+M)" in presenter.heading.text())
    presenter.close()


def test_sentences_name_the_keys_that_there_are(window):
    window.take_keymap(Keymap().with_keys("next_stop", ("Ctrl+M",)).with_keys("back_stop", ()))
    window.player.go_to(10**9)
    window.tour.go_to_next_stop()
    assert "Ctrl+M: next lesson" in window.message.sentence.text()
    window.player.go_to(0)
    window.tour.go_to_next_stop(backwards=True)
    assert "“Previous stop of the lesson”: previous lesson" in window.message.sentence.text()


def test_a_conflict_is_named_before_it_is_made_and_the_other_action_loses_the_key(window, page, press, qtbot):
    choose(page, qtbot, "curves kernels")
    qtbot.keyClick(page.field, K.Key_N)
    assert page.said.text() == "N is a key of “Next stop of the lesson”, which would lose it."
    page.add_button.click()
    assert window.keymap.keys("curves") == ("C", "N")
    assert window.keymap.keys("next_stop") == ()
    assert window.actions_by_name["next_stop"].shortcuts() == []
    held = [key for name in KEYS for key in window.keymap.keys(name)]
    assert len(held) == len(set(held))


@pytest.mark.parametrize(
    ("key", "modifier", "said"),
    [
        (K.Key_PageDown, NONE, "Page down is what a presenter's remote sends, and stays."),
        (K.Key_F5, NONE, "F5 is what a presenter's remote sends, and stays."),
        (K.Key_F, ALT, "Alt+F opens a menu."),
    ],
)
def test_keys_that_stay_are_refused_with_the_reason(page, qtbot, key, modifier, said):
    choose(page, qtbot, "curves kernels")
    qtbot.keyClick(page.field, key, modifier)
    assert page.said.text() == said
    assert not page.add_button.isEnabled() and not page.replace_button.isEnabled()


def test_the_field_is_left_by_tab_and_by_esc_and_the_page_by_esc(page, qtbot):
    choose(page, qtbot, "curves kernels")
    qtbot.keyClick(page.field, K.Key_Escape)
    assert page.isVisible() and page.list.hasFocus()
    qtbot.keyClick(page.list, K.Key_Return)
    qtbot.keyClick(page.focusWidget(), K.Key_Tab)
    assert not page.field.isAncestorOf(page.focusWidget()) and page.focusWidget() is not page.field
    qtbot.keyClick(page.list, K.Key_Escape)
    assert not page.isVisible()


def test_single_keys_are_switched_off_at_once_and_a_remote_goes_on(window, page, press, qtbot):
    page.single.setFocus()
    qtbot.keyClick(page.single, K.Key_Space)
    close(page, window, qtbot)
    here, dark = window.player.cursor, window.theme.dark
    for key, modifier in (
        (K.Key_N, NONE),
        (K.Key_5, NONE),
        (K.Key_T, NONE),
        (K.Key_N, SHIFT),
        (K.Key_Plus, NONE),
    ):
        assert press(key, modifier) == here
    assert window.theme.dark is dark and window.bar.transport["play"].toolTip() == "Play, pause (F5, Space)"
    assert press(K.Key_PageDown) == here.next()
    assert press(K.Key_PageUp) == here
    press(K.Key_F5)
    assert window.player.playing
    press(K.Key_Escape)
    assert not window.player.playing
    press(K.Key_Period)
    assert window.blank.isVisible()


def test_even_the_dark_key_of_a_remote_can_be_taken_away(window, press):
    """WCAG 2.1.4: every key that is a sign can be switched off."""
    signs = {(name, key) for name, entry in KEYS.items() for key in entry.keys if is_single(key)}
    assert ("black", ".") in signs and ("bigger", "Ctrl++") not in signs
    off = Keymap(single=False).with_keys("black", ())
    assert [key for name in KEYS for key in off.working(name) if is_single(key)] == []


def test_a_remotes_keys_stay_whatever_is_asked_for():
    bare = Keymap()
    for name in KEYS:
        bare = bare.with_keys(name, ())
    working = {key for name in KEYS for key in bare.working(name)}
    assert working == {"PgDown", "PgUp", "F5", "Esc"}
    assert Keymap().with_keys("curves", ("PgDown", "Esc", "C")) == Keymap()


def test_restore_gives_the_keys_back_also_those_that_another_has(window, page, qtbot):
    choose(page, qtbot, "curves kernels")
    qtbot.keyClick(page.field, K.Key_N)
    page.replace_button.click()
    choose(page, qtbot, "next stop")
    assert page.restore_button.isEnabled()
    assert page.said.text() == "Restore takes N from “Curves and kernels”."  # before it does
    page.restore_button.click()
    assert page.said.text() == ""
    assert (window.keymap.keys("next_stop"), window.keymap.keys("curves")) == (("N",), ())
    page.restore_all.click()
    assert window.keymap == Keymap()
    assert {name: action.shortcuts()[:1] for name, action in window.actions_by_name.items()} == {
        name: list(entry.keys)[:1] for name, entry in KEYS.items()
    }


def test_keys_are_remembered(window, make_window):
    changed = Keymap({"curves": ("Ctrl+K",)}, single=False)
    window.take_keymap(changed)
    window.close()
    again = make_window()
    assert again.keymap == changed
    assert again.actions_by_name["curves"].shortcuts() == ["Ctrl+K"]


@pytest.mark.parametrize(
    "text",
    [
        '{"changed": {"curves": ["Ctrl+K"], "gone": ["N"], "next": []}, "single": true}',
        '{"changed": {"curves": ["Ctrl+K", "no key", "", "Ctrl+A, Ctrl+B", "PgDown"]}}',
    ],
)
def test_of_remembered_keys_what_cannot_be_is_left_out(settings_file, make_window, text):
    from cnnviz.ui.settings import Settings

    settings = Settings(settings_file)
    settings.put("window/keys", text)
    settings.save()
    window = make_window()
    assert window.keymap.keys("curves") == ("Ctrl+K",)
    assert window.keymap.keys("next")[0] == "PgDown"


def test_every_control_of_the_page_has_a_name(page):
    for widget in (page.search, page.list, page.field):
        assert widget.accessibleName()
    assert page.items["curves"].data(0, Qt.ItemDataRole.AccessibleTextRole) == "Curves and kernels: C"


def test_each_tooltip_of_a_button_follows(window):
    window.take_keymap(Keymap(single=False))
    single = {f"({key})" for entry in KEYS.values() for key in entry.keys if is_single(key)}
    tips = [widget.toolTip() for widget in window.findChildren(QWidget)]
    assert [tip for tip in tips if any(key in tip for key in single)] == []


def test_what_is_out_of_sight_is_not_changed_and_kept_keys_are_not_taken(page, qtbot):
    page.search.clear()
    qtbot.keyClicks(page.search, "zzzz")
    assert page.chosen == "" and not page.replace_button.isEnabled()
    page.search.clear()
    choose(page, qtbot, "leave the lecture view")
    assert page.chosen == "escape" and not page.replace_button.isEnabled()


def test_no_more_keys_are_given_than_are_kept(page, qtbot):
    choose(page, qtbot, "lessons")
    for key in (K.Key_1, K.Key_2, K.Key_3, K.Key_4):
        page.field.setFocus()
        qtbot.keyClick(page.field, key, CONTROL | ALT)
        if page.add_button.isEnabled():
            page.add_button.click()
    assert len(page.keymap.keys(page.chosen)) == 4
    page.field.setFocus()
    qtbot.keyClick(page.field, K.Key_5, CONTROL | ALT)
    assert not page.add_button.isEnabled() and "replace them" in page.said.text()
