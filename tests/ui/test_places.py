"""What can be typed into the field "Go to": what --at takes, and numbers as they are shown."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from cnnviz.lesson.place import step_at


@pytest.fixture
def go(window, qtbot):
    """Type a text and Enter; return the step gone to, or what is said beside the field."""

    def go(text: str) -> int | str:
        window.actions_by_name["go"].trigger()
        strip = window.go_strip
        strip.field.setText(text)
        qtbot.keyClick(strip.field, Qt.Key.Key_Return)
        return strip.sentence.text() if strip.isVisible() else window.player.cursor.index

    return go


@pytest.mark.parametrize("text", ["1034", " 1,034 ", "1 034"])
def test_numbers(go, text):
    assert go(text) == 1034


@pytest.mark.parametrize(
    "text", ["conv1[2,3,4]", "conv2.dw[0,0,1,2]", "fc[9]", "pool1", "fc.w[1,1]", "fc.b[3]"]
)
def test_places_are_those_of_the_command_line(go, lesson, text):
    assert go(text) == step_at(lesson.program, text) > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no step"),
        ("conv1[", "names no step"),
        ("99999999", "There is no step 99999999"),
        ("9" * 400, "There is no step"),
        ("nothere", "There is no operation nothere"),
        ("conv1[0,0,99]", "conv1[3,7,7]"),
    ],
)
def test_what_is_wrong_is_said(go, window, text, said):
    assert said in str(go(text))
    assert window.player.cursor.index == 0
