"""Back and forward through places, as in a browser."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from cnnviz.trace.stops import Level

K, ALT = Qt.Key, Qt.KeyboardModifier.AltModifier


def back(window):
    QTest.keyClick(window, K.Key_Left, ALT)


def forward(window):
    QTest.keyClick(window, K.Key_Right, ALT)


def test_jumps_are_gone_back_from_and_forward_again(window):
    player = window.player
    for index in (5_000, 70_000, 300):
        player.jump_to(index)
    seen = []
    for key in (back, back, back, back, forward, forward, forward, forward):
        key(window)
        seen.append(player.cursor.index)
    assert seen == [70_000, 5_000, 0, 0, 5_000, 70_000, 300, 300]


@pytest.mark.parametrize("level", list(Level)[:-1])
def test_steps_are_no_jumps(window, level):
    player = window.player
    player.jump_to(40_000)
    player.set_level(level)
    for backwards in (False, False, True):
        player.step(backwards)
    player.go(player.cursor.into())
    player.step_out()
    back(window)
    assert player.cursor.index == 0
    assert not window.actions_by_name["back_place"].isEnabled()


def test_one_goes_back_to_where_one_was_when_one_jumped_and_a_new_jump_forgets_what_came_after(window):
    player = window.player
    player.jump_to(100)
    player.set_level(Level.LINE)
    player.step()
    player.jump_to(50_000)
    back(window)
    assert player.cursor.index == 101
    assert window.actions_by_name["next_place"].isEnabled()
    player.jump_to(7)
    assert not window.actions_by_name["next_place"].isEnabled()
    back(window)
    assert player.cursor.index == 101


def test_other_images_and_other_lessons_are_places(window):
    player, desk = window.player, window.desk
    first = desk.lesson.image
    player.jump_to(1_234)
    desk.choose(3)
    player.jump_to(60_000)
    desk.open("edges")
    back(window)
    assert (desk.source, desk.lesson.image, player.cursor.index) == ("digits", 3, 60_000)
    back(window)
    assert (desk.source, desk.lesson.image, player.cursor.index) == ("digits", 3, 0)
    back(window)
    assert (desk.source, desk.lesson.image, player.cursor.index) == ("digits", first, 1_234)
    for _ in range(3):
        forward(window)
    assert desk.source == "edges"


def test_a_place_that_is_gone_is_said_and_passed_over(window, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "T"\nsentence = "S."\ninput = { shape = [2], values = [1, 2] }\n'
        'layers = [{ name = "act", kind = "relu" }]\n'
    )
    window.player.jump_to(500)
    window.desk.open(str(file))
    window.desk.open("edges")
    file.unlink()
    back(window)
    assert window.desk.source == "edges"
    assert "mine.toml" in window.message.sentence.text()
    back(window)
    assert (window.desk.source, window.player.cursor.index) == ("digits", 500)


def test_a_change_or_another_iteration_is_no_jump(make_window):
    window = make_window()
    window.desk.open("training")
    window.player.jump_to(1_000)
    window.desk.go_to_iteration(1)
    assert window.player.cursor.index == 1_000
    back(window)
    assert window.desk.source == "training"
    assert window.player.cursor.index == 0


def test_a_dragged_playhead_is_one_jump_and_a_jump_to_where_one_is_is_none(window, qtbot):
    timeline = window.timeline
    bar = timeline.bar()
    places = [QPoint(round(bar.x + part * bar.w), round(bar.center[1])) for part in (0.2, 0.4, 0.6, 0.8)]
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        at = QPointF(place)
        move = QMouseEvent(
            *(QEvent.Type.MouseMove, at, timeline.mapToGlobal(at)),
            *(Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier),
        )
        QApplication.sendEvent(timeline, move)
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=places[-1])
    assert window.player.cursor.index > 0.7 * len(window.player.cursor.program)
    window.player.jump_to(window.player.cursor.index)
    back(window)
    assert window.player.cursor.index == 0
    assert not window.actions_by_name["back_place"].isEnabled()


@pytest.mark.parametrize("pane", ["stage", "network", "debugger", "timeline"])
def test_the_buttons_of_a_mouse_do_it_over_every_pane(window, pane):
    window.player.jump_to(5_000)
    over = getattr(window, pane)
    at = QPointF(over.rect().center())
    for button, index in ((Qt.MouseButton.BackButton, 0), (Qt.MouseButton.ForwardButton, 5_000)):
        press = QMouseEvent(
            QEvent.Type.MouseButtonPress,
            at,
            over.mapToGlobal(at),
            button,
            button,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(over, press)
        assert window.player.cursor.index == index
