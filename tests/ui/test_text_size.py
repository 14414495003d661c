"""Text twice as large, whatever is zoomed: every pane, control and dialog, and no word is lost for it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from PySide6.QtWidgets import QAbstractButton, QLabel, QMenuBar

from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Label
from cnnviz.scene.view import View
from tests.scene.looking import all_marks


def words(marks) -> dict[str, float]:
    """How large each text of some marks is written."""
    return {
        "".join(run.text for run in mark.runs): mark.size
        for mark in all_marks(marks)
        if isinstance(mark, Label)
    }


def show(window, text: int) -> None:
    window.player.show(replace(window.player.display, text=text))


@pytest.mark.parametrize("text", [125, 150, 200])
def test_words_of_every_pane_are_so_many_times_as_large(make_window, text):
    window = make_window(3840, 2160)  # where all has room
    window.player.go_to(400)
    before = [words(pane.frame.marks) for pane in window.panes]
    show(window, text)
    after = [words(pane.frame.marks) for pane in window.panes]
    for pane, small, large in zip(window.panes, before, after, strict=True):
        both = small.keys() & large.keys()
        if (
            pane is window.stage
        ):  # narrower beside a wider listing; its numbers are as large as fits in any case
            both = {word for word in both if word.startswith(("conv1 ", "for ", "acc ", "after "))}
        assert len(both) >= 3
        grown = sorted(large[word] / small[word] for word in both)
        least = 1 + (text / 100 - 1) / 4 if pane is window.stage else 0.85 * text / 100
        assert least <= grown[len(grown) // 2] <= 1.06 * text / 100, pane


def test_controls_and_menus_too(window):
    def sizes() -> dict[str, int]:
        found = [*window.bar.findChildren(QAbstractButton), *window.findChildren(QLabel), window.menuBar()]
        return {repr(widget): widget.fontInfo().pixelSize() for widget in found if widget.isVisible()}

    before = sizes()
    show(window, 200)
    after = sizes()
    kept = before.keys() & after.keys()
    assert any("QMenuBar" in name for name in kept) and isinstance(window.menuBar(), QMenuBar)
    assert all(after[name] >= 1.9 * before[name] for name in kept)


def test_what_has_no_room_any_more_is_still_reached(window):
    """At 1280 × 720 the listing makes room, and comes in the network's place when it is asked for."""
    show(window, 200)
    assert not window.debugger.isVisible() and window.actions_by_name["debugger"].isChecked()
    window.actions_by_name["debugger"].trigger()
    assert window.debugger.isVisible()
    window.bar.menu.aboutToShow.emit()
    more = {action.text() for action in window.bar.menu.actions()}
    assert "Step by" in more and "Light or dark" in more


def test_it_is_apart_from_zoom_and_remembered(window, make_window):
    window.actions_by_name["larger_text"].trigger()
    assert (window.player.display.text, window.zoom) == (125, 100)
    window.actions_by_name["bigger"].trigger()
    window.actions_by_name["usual"].trigger()
    assert (window.player.display.text, window.zoom) == (125, 100)
    window.close()
    again = make_window()
    assert again.player.display.text == 125
    for _ in range(2):
        again.actions_by_name["smaller_text"].trigger()
    assert again.player.display.text == 100


def test_an_export_has_it(window):
    program = window.player.cursor.program
    plain, large = (
        words(compose(program, 400, View(3840, 2160, display=Display(text=text))).marks)
        for text in (100, 200)
    )
    for word in ("acc = −0.31", "conv1   output map 0, row 1, column 5"):
        assert large[word] >= 1.4 * plain[word], word
