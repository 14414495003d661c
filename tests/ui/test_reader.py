"""What a screen reader is told is enough to follow a lesson; its texts are in a log, which is read here."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QWidget,
)

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.spoken import aloud, spoken
from cnnviz.trace.program import Program
from tests.cases import ALL_CALLS

K, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
Text = QAccessible.Text


@pytest.fixture
def told(caplog, monkeypatch):
    """What has been told since the last call."""
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    caplog.set_level(logging.INFO, "cnnviz.reader")

    def told() -> list[str]:
        texts = [record.getMessage() for record in caplog.records if record.name == "cnnviz.reader"]
        caplog.clear()
        return texts

    return told


SIGNS = {*"∂·−∗×ᵀ⊗=←→₀₁₂₃²³⁻√∞°[]"}
"""What voices pass over."""


@pytest.fixture
def press(window, qtbot, told):
    """Press a key where the focus is, and return what is told then."""

    def press(key, modifier=Qt.KeyboardModifier.NoModifier) -> str:
        told()
        qtbot.keyClick(window.focusWidget() or window.stage, key, modifier)
        qtbot.wait(230)
        return " ".join(told())

    return press


def test_backward_conv_is_followed_by_ear_alone(window, press, told):
    """Each stop's caption, where it is, the line, its numbers: by hand, f[1, 1] is 0.3 + 0.5 · 0.0254."""
    window.desk.open("backward-conv")
    stops = window.desk.lesson.sequence
    heard = [press(K.Key_N) for _ in stops[1:]]
    for number, text in enumerate(heard, 2):
        assert text.startswith(f"Stop {number} of {len(stops)}: {aloud(stops[number - 1].caption)}")
        assert "Line " in text
    assert "update, conv, update, parameter 3" in heard[-1]
    assert heard[-1].endswith("0.300 minus 0.5 times (minus 0.0254) is 0.313.")
    assert press(K.Key_N) == ("That was the last stop. N: next lesson, Maps grow. Home begins again.")


def test_no_sign_that_voices_pass_over_is_left_in_any_lesson():
    names = ("backward-conv", "chain-rule", "gradient-descent", "sigmoid-softmax", "residual", "pooling")
    for name in (*names, "transposed", "vanishing", "dropout", "lenet"):
        lesson = load_lesson(name)
        for stop in lesson.stops:
            said = spoken(moment(lesson.program, stop.index, lesson.view))
            assert not set(said) & SIGNS, (lesson.name, said)


def test_what_a_stop_asks_for_is_told_and_that_it_is_given_back(window, press):
    window.desk.open("convolution")
    heard = [press(K.Key_N) for _ in range(5)]
    assert heard[0].endswith("Step by term.")
    assert heard[2].endswith("Step by cell.") and "Cells show" not in heard[2]
    assert heard[3].endswith("Cells show letters.") and heard[4].endswith("Cells show numbers.")


def test_each_listing_is_told_in_words():
    """Those of the newest layers, too, which no lesson has."""
    for name, call in ALL_CALLS:
        made = Program([call])
        for step in {0, len(made) // 2, len(made) - 1}:
            said = spoken(moment(made, step))
            assert said and not set(said) & SIGNS, (name, said)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("∂E/∂A₁", "d E by d A 1"),
        ("∂E⁽²⁾/∂x", "d E 2 by d x"),
        ("−0.5·(−x₁)", "minus 0.5 times (minus x 1)"),
        ("w[0, 1] = 10⁻³", "w at 0, 1 equals 10 to the power of minus 3"),
        ("Wᵀ X + b, 3 × 4", "W transposed X plus b, 3 by 4"),
        ("η ≤ 2² / ∞", "eta at most 2 squared divided by infinity"),
        ("", ""),
    ],
)
def test_signs_are_words(written, words):
    assert aloud(written) == words


def test_of_a_step_only_what_is_new_is_told(window, press):
    window.desk.open("backward-conv")
    press(K.Key_1)
    for _ in range(7):
        said = press(K.Key_PageDown)
    assert said == (
        "Line 9: acc becomes itself plus w at 0, 0, 0, 0 times x at 0, 0, 0. Term 1 of 4: 0.40 times 0.20. "
        "acc is now 0.08."
    )


def test_while_it_plays_stops_alone_are_told(window, qtbot, told):
    window.player.set_speed(5)
    told()
    window.player.play()
    qtbot.wait(900)
    window.player.pause()
    assert window.player.cursor.index > 0
    assert [text for text in told() if not text.startswith("Stop ")] == []
    qtbot.wait(250)
    assert len(told()) == 1


def test_levels_edits_and_options_are_told(window, press, qtbot):
    qtbot.wait(230)
    assert press(K.Key_2) == "Step by term: on"
    assert press(K.Key_F9).startswith("breakpoint set at conv1")
    assert press(K.Key_Z, CONTROL).startswith("Undone: breakpoint set at conv1")
    assert press(K.Key_H) == "High contrast: on"


def test_a_number_is_told_as_it_is_looked_at(window, press):
    window.player.go_to(window.player.cursor.program.find("conv1", line=10, o=1, i=2, j=3))
    said = press(K.Key_F2)
    value = window.desk.lesson.tape["conv1.y"][1, 2, 3]
    name, _, rest = said.partition(" is ")
    assert name == "y at 1, 2, 3"
    assert float(rest.partition(". ")[0].replace("minus ", "-")) == pytest.approx(value, rel=1e-6)
    assert "written by conv1 at step" in said and "read by" in said


def test_mistakes_are_told_in_the_words_that_are_shown(window, press, qtbot, told):
    press(K.Key_G, CONTROL)
    qtbot.keyClicks(window.go_strip.field, "conv9")
    assert "There is no operation conv9" in press(K.Key_Return)
    told()
    window.desk.failed.emit("It is gone.")
    assert told() == ["It is gone."]


def test_panes_have_a_role_a_name_and_say_what_they_show(window, monkeypatch, qtbot):
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    window.player.go_to(5000)
    expected = {
        window.stage: "forward, conv1, output map 2",
        window.debugger: "o is 2",
        window.timeline: "step 5,000 of 70,796: forward, conv1",
        window.network: "conv1: 4 by 8 by 8",
    }
    qtbot.wait(230)
    for pane, part in expected.items():
        pane.setFocus(Qt.FocusReason.TabFocusReason)
        seen = QAccessible.queryAccessibleInterface(pane)
        assert seen.role() is QAccessible.Role.Graphic
        assert seen.text(Text.Name)
        assert part in seen.text(Text.Description)


CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView)


def unnamed(top: QWidget) -> list[QWidget]:
    """The controls that the keyboard reaches and a reader can neither name nor tell what they are."""
    found = []
    qts_own = ("qt_spinbox_lineedit",)  # part of a control that has a name
    for widget in top.findChildren(QWidget):
        if widget.objectName() in qts_own or widget.inherits("QComboBoxListView"):
            continue
        if isinstance(widget, CONTROLS) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            seen = QAccessible.queryAccessibleInterface(widget)
            if not seen.text(Text.Name) or seen.role() in (QAccessible.Role.NoRole, QAccessible.Role.Client):
                found.append(widget)
    return found


def test_each_control_has_a_name_and_a_role(window, qtbot):
    from cnnviz.ui.export_dialog import ExportDialog
    from cnnviz.ui.keys_page import KeysPage

    player = window.player
    window.message.offer.setText("Do it")  # which it says where there is an offer
    export = ExportDialog(window.desk.lesson, 0, player.view, window)
    page = KeysPage(window, window.keymap, print)
    over = (window.dialogs.images, window.dialogs.lessons, window.dialogs.palette)
    for top in (window, export, page, *over):
        assert [(repr(top), repr(widget)) for widget in unnamed(top)] == []
