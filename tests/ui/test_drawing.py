"""The field to draw in: with mouse and keys, thick and thin, erased, undone, read, and let in."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cnnviz.lesson.changes import read_changes, text_of
from cnnviz.lesson.lesson import lesson_of


@pytest.fixture
def opened(window):
    window.desk.open("lenet")
    window.actions_by_name["draw"].trigger()
    return window.dialogs.drawing


def stroke(field, *points, button=Qt.MouseButton.LeftButton):
    places = [QPoint(round(x * field.width()), round(y * field.height())) for x, y in points]
    QTest.mousePress(field, button, Qt.KeyboardModifier.NoModifier, places[0])
    for place in places[1:]:
        QTest.mouseMove(field, place)
    QTest.mouseRelease(field, button, Qt.KeyboardModifier.NoModifier, places[-1])


SEVEN = [(0.3, 0.2), (0.45, 0.2), (0.65, 0.2), (0.6, 0.4), (0.55, 0.6), (0.5, 0.8)]


def test_a_seven_is_drawn_read_let_in_and_undone(opened, window):
    assert opened.answer is None
    assert not opened.take.isEnabled()
    stroke(opened.field, *SEVEN)
    assert int(opened.answer.values.argmax()) == 7
    assert opened.said.text().startswith("7: ")
    assert opened.bars.accessibleDescription().count(":") == 10
    QTest.keyClick(opened.field, Qt.Key.Key_Return)
    assert not opened.isVisible()
    lesson = window.desk.lesson
    assert [change.name for change in lesson.changes] == ["file", "sample"]
    read = lesson.program.operations[0].call
    with Image.open(lesson.changes[0].value) as file:
        pixels = np.asarray(file)
    assert pixels.shape == (28, 28)
    assert np.array_equal(read.given["image"][:, :, 0], pixels)
    assert np.array_equal(read.writes["x"][0], pixels / 255)
    assert lesson.tape["softmax.y"] == pytest.approx(opened.answer.values)
    assert window.player.cursor.index == 0
    assert window.focusWidget() is window.stage
    assert window.player.edits.undoText() == "what was drawn"
    with_it = lesson_of(
        lesson.description, read_changes(text_of(lesson.changes).split())
    )  # as it is remembered
    assert np.array_equal(with_it.at(lesson.choice).tape["softmax.y"], lesson.tape["softmax.y"])
    window.actions_by_name["undo"].trigger()
    assert window.desk.lesson.changes == ()


@pytest.mark.parametrize("size", [(800, 600), (1280, 720), (1920, 1080)])
def test_what_the_network_is_shown_is_as_large_as_the_field_and_all_has_room(make_window, size):
    window = make_window(*size)
    for lesson in ("lenet", "digits"):
        window.desk.open(lesson)
        window.actions_by_name["draw"].trigger()
        dialog = window.dialogs.drawing
        assert dialog.shown.width() > 0.9 * dialog.field.width()
        assert dialog.field.width() > 0.3 * size[0]
        assert dialog.width() <= size[0] and dialog.height() <= size[1] - 60
        dialog.close()


def test_what_the_field_shows_goes_in_also_where_the_edges_of_pictures_are_cut_off(window):
    window.desk.open("lenet")
    for preset in ("torchvision", "keras_torch"):
        window.desk.take_changes(f"picture.preset={preset} picture.invert=true picture.crop_pct=0.87")
        window.actions_by_name["draw"].trigger()
        opened = window.dialogs.drawing
        opened.field.clear()
        stroke(opened.field, *SEVEN)
        seen = opened.shown._pixels.copy()
        QTest.keyClick(opened.field, Qt.Key.Key_Return)
        image = window.desk.lesson.program.operation("input").call.given["image"]
        assert np.array_equal(255 - image[:, :, 0], seen), preset


def test_strokes_are_undone_erased_and_cleared(opened):
    field = opened.field
    stroke(field, *SEVEN)
    seven = field.pixels.copy()
    opened.thick.click()
    stroke(field, (0.2, 0.5), (0.4, 0.5), (0.8, 0.5))
    both = field.pixels.copy()
    assert both.sum() > seven.sum()
    opened.undo.click()
    assert np.array_equal(field.pixels, seven)
    opened.redo.click()
    assert np.array_equal(field.pixels, both)
    stroke(field, (0.2, 0.5), (0.4, 0.5), (0.8, 0.5), button=Qt.MouseButton.RightButton)
    assert field.pixels.sum() < seven.sum()  # a hole is left where the two crossed
    opened.clear.click()
    assert not field.pixels.any()
    assert opened.answer is None
    QTest.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert field.pixels.any()
    opened.eraser.click()
    stroke(field, *SEVEN)
    assert not field.pixels[70:200].any()


def test_thick_is_wider_than_thin(opened):
    sums = []
    for button in (opened.thin, opened.usual, opened.thick):
        button.click()
        opened.field.clear()
        stroke(opened.field, (0.2, 0.5), (0.8, 0.5))
        sums.append(opened.field.pixels.sum())
    assert sums == sorted(set(sums))


def test_keys_draw_too_and_all_has_a_name(opened):
    for key in [Qt.Key.Key_Space, *[Qt.Key.Key_Down] * 8, Qt.Key.Key_Space, *[Qt.Key.Key_Right] * 3]:
        QTest.keyClick(opened.field, key)
    (line,) = opened.field.strokes
    assert line.points[0] == (140, 140)
    assert line.points[-1] == (140, 220)
    assert opened.field.accessibleName() == "Field to draw in"
    assert "Space" in opened.field.accessibleDescription()
    assert opened.shown.accessibleName() == "What the network is shown, 28 × 28"


def test_only_networks_of_one_channel_can_be_drawn_for(window):
    can = {}
    for name in ("digits", "lenet", "depth", "gradient-descent", "image"):
        window.desk.open(name)
        can[name] = window.actions_by_name["draw"].isEnabled()
    assert can == {"digits": True, "lenet": True, "depth": False, "gradient-descent": False, "image": False}
