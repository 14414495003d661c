"""The lecture view and the presenter window: what a lecturer presses, what the class and he see."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QImage

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Rect
from cnnviz.trace.stops import Level
from cnnviz.ui import elapsed
from cnnviz.ui.keys import KEYS
from cnnviz.ui.presenter import Presenter
from tests.scene.looking import said as texts

K, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)

NOTED = """
title = "Noted"
sentence = "What is noted."
seed = 1

[input]
shape = [1, 2, 2]
values = [[[1, 2], [3, 4]]]
target = [1, 0, 0, 0]

[[layers]]
name = "flat"
kind = "flatten"

[[layers]]
name = "fc"
kind = "linear"
neurons = 4

[loss]
kind = "mean_squared_error"

[[stops]]
at = "fc"
caption = "The first is said."
notes = \"\"\"
Ask: how many weights?
Wait for sixteen.\"\"\"

[[stops]]
at = "loss"
caption = "The second is said."
"""


@pytest.fixture
def press(window, qtbot):
    def press(key, modifier=NONE, widget=None):
        qtbot.keyClick(widget or window.stage, key, modifier)

    return press


@pytest.fixture
def presenter(window, press) -> Presenter:
    window.desk.open("depth")
    press(K.Key_L, CONTROL | SHIFT)
    presenter = window.lecture.presenter
    assert presenter.isVisible()
    return presenter


def settle(window, qtbot):
    """Wait until the presenter window shows what is to be shown."""
    presenter = window.lecture.presenter

    def done():
        return not (presenter._turn.isActive() or presenter._rest.isActive())

    qtbot.waitUntil(lambda: window.player.shown and done(), timeout=10_000)


# ------------------------------------------------------------------------------------------- lecture view


@pytest.mark.parametrize("state", [Qt.WindowState.WindowNoState, Qt.WindowState.WindowMaximized])
def test_it_fills_the_screen_by_itself_and_comes_back_as_it_was(window, press, state):
    window.setWindowState(state)
    QCoreApplication.processEvents()
    before = window.geometry()
    press(K.Key_L, CONTROL)
    assert window.isFullScreen() and not window.bar.isVisible()
    press(K.Key_Escape)
    press(K.Key_Escape)
    QCoreApplication.processEvents()
    assert window.bar.isVisible()
    assert (window.windowState() & ~Qt.WindowState.WindowActive, window.geometry()) == (state, before)


def test_closed_during_a_lecture_it_opens_as_it_was_before(make_window, press, window):
    before = window.geometry()
    press(K.Key_L, CONTROL)
    window.close()
    again = make_window()
    again.restoreGeometry(again.settings.data("window/geometry"))
    assert not again.isFullScreen()
    assert again.height() == before.height() != again.screen().size().height()


def test_how_to_leave_is_said_once_and_takes_no_press(window, press):
    press(K.Key_L, CONTROL)
    assert "Esc" in window.message.sentence.text() and window.message.isVisible()
    press(K.Key_Escape)
    press(K.Key_Escape)
    assert window.bar.isVisible() and not window.message.isVisible()
    press(K.Key_L, CONTROL)
    assert not window.message.isVisible()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1024, 768)])
def test_what_is_said_lies_under_the_stage(make_window, press, qtbot, size):
    """What stood at the last stop lay on the lower corner of its arithmetic."""
    window = make_window(*size)
    window.lecture.show(True)  # not on the screen at hand: in this size
    window.desk.open("convolution")
    window.player.go_to(len(window.player.cursor.program) - 1)
    window.actions_by_name["next_stop"].trigger()
    message, stage = window.message, window.stage
    assert "last stop" in message.sentence.text() and message.isVisible()
    corner = message.mapTo(window, message.rect().topLeft())
    assert corner.y() >= stage.mapTo(window, stage.rect().bottomLeft()).y()
    assert window.rect().contains(message.geometry())
    window.lecture.show(False)
    assert message.isVisible()


def test_only_what_is_meant_to_repeat_does_so_while_its_key_is_held(window):
    repeats = {name for name, action in window.actions_by_name.items() if action.autoRepeat()}
    assert {"next", "back", "undo", "bigger"} <= repeats
    once = {"escape", "black", "white", "play", "lecture", "swap", "next_stop", "full", "theme", "letters"}
    assert repeats.isdisjoint(once)


# ------------------------------------------------------------------------------------------------ the time


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(elapsed.time, "monotonic", lambda: now[0])
    return now


def test_the_time_begins_with_the_first_step_of_the_lecture(window, press, clock):
    time_of_lecture = window.lecture.elapsed
    press(K.Key_PageDown)
    press(K.Key_L, CONTROL)
    press(K.Key_5)  # to choose a level is no step
    clock[0] += 60
    assert time_of_lecture.seconds == 0
    press(K.Key_PageDown)
    clock[0] += 90
    assert time_of_lecture.seconds == 90
    press(K.Key_R)
    clock[0] += 5
    assert time_of_lecture.seconds == 5


@pytest.mark.parametrize(("away", "goes_on"), [(200, True), (400, False)])
def test_the_time_goes_on_when_the_lecture_is_left_for_a_moment(window, press, clock, away, goes_on):
    press(K.Key_L, CONTROL)
    press(K.Key_PageDown)
    press(K.Key_L, CONTROL)
    clock[0] += away
    press(K.Key_L, CONTROL)
    assert window.lecture.elapsed.runs is goes_on


# ------------------------------------------------------------------------------------- the presenter window


def test_with_one_screen_it_does_not_come_by_itself(window, press):
    press(K.Key_L, CONTROL)
    assert window.lecture.presenter is None


def test_every_key_of_the_lecture_works_while_it_has_the_focus(window, press, presenter):
    player = window.player
    assert presenter.hasFocus()
    press(K.Key_L, CONTROL, presenter)
    for key, expected in (
        (K.Key_PageDown, player.cursor.next()),
        (K.Key_Right, player.cursor.next().next()),
        (K.Key_PageUp, player.cursor.next()),
        (K.Key_End, player.cursor.to(10**9)),
        (K.Key_Home, player.cursor.to(0)),
    ):
        press(key, NONE, presenter)
        assert player.cursor == expected
    press(K.Key_0, NONE, presenter)
    assert player.cursor.level is Level.STOP
    number = window.tour.number
    press(K.Key_PageDown, NONE, presenter)
    assert window.tour.number == number + 1
    for key, colour in ((K.Key_B, "#000000"), (K.Key_W, "#ffffff")):
        press(key, NONE, presenter)
        assert window.blank.isVisible() and window.blank.colour == colour
        assert presenter.sign.text()
        press(key, NONE, presenter)
        assert not window.blank.isVisible() and not presenter.sign.text()
    press(K.Key_T, NONE, presenter)
    assert window.theme.name == "dark"
    press(K.Key_K, NONE, presenter)
    assert player.playing
    press(K.Key_Escape, NONE, presenter)
    assert not player.playing
    press(K.Key_Escape, NONE, presenter)
    assert window.bar.isVisible() and presenter.isVisible(), "it was there before the lecture"


def test_opened_during_the_lecture_it_goes_with_it(window, press):
    press(K.Key_L, CONTROL)
    press(K.Key_L, CONTROL | SHIFT)
    assert window.lecture.presenter.isVisible()
    for _ in range(2):
        press(K.Key_Escape, NONE, window.lecture.presenter or window.stage)
    assert window.bar.isVisible() and window.lecture.presenter is None


@pytest.mark.parametrize("key", [K.Key_Return, K.Key_Escape])
def test_no_ring_is_left_around_the_stage_by_a_field_that_closes(window, press, qtbot, key):
    """Qt gives the focus of what is hidden away as Tab does, and in the lecture view the stage is next."""
    press(K.Key_L, CONTROL)
    press(K.Key_G, CONTROL)
    field = window.go_strip.field
    qtbot.waitUntil(field.hasFocus)
    qtbot.keyClicks(field, "5")
    qtbot.keyClick(field, key)
    assert window.stage.hasFocus() and window.go_strip.isHidden()
    assert not [mark for mark in window.stage.over(window.stage.frame) if isinstance(mark, Rect)]
    picture = window.stage.grab().toImage()
    assert picture.pixelColor(1, picture.height() // 2) == picture.pixelColor(6, picture.height() // 2)


def test_what_asks_for_words_takes_the_keyboard_from_it(window, press, presenter, qtbot):
    press(K.Key_G, CONTROL, presenter)
    qtbot.waitUntil(lambda: window.isActiveWindow() and window.go_strip.field.hasFocus())


def test_all_actions_have_their_keys_there_too(window, presenter):
    assert set(presenter.actions()) == {window.actions_by_name[name] for name in KEYS}


def test_it_says_where_the_lesson_is_and_what_comes_next(window, press, presenter, qtbot):
    sequence = window.desk.lesson.sequence
    press(K.Key_N, NONE, presenter)
    assert window.tour.number == 2
    settle(window, qtbot)
    assert presenter.stops.text() == f"2 / {len(sequence)} · {len(sequence) - 2} to come"
    assert presenter.caption.text() == sequence[2].caption
    assert presenter.notes.toPlainText() == (sequence[1].notes or sequence[1].caption)
    window.tour.go_to_stop(len(sequence))
    window.player.go_to(len(window.player.cursor.program) - 1)
    settle(window, qtbot)
    assert presenter.heading.text() == "Nothing further" and not presenter.caption.text()


def test_without_a_further_stop_it_shows_the_next_layer(window, presenter, qtbot):
    window.desk.take_expression("(x + y) * z  x=-2 y=5 z=-4")
    settle(window, qtbot)
    assert presenter.stops.text() == "no stops"
    assert presenter.heading.text() == "Next: f (Shift+→)"
    window.player.go_to(1)
    settle(window, qtbot)
    assert presenter.heading.text() == "Next: f.backward (Shift+→)"
    assert presenter.caption.text().startswith("The chain rule")
    ahead = presenter._following_frame
    window.actions_by_name["next_layer"].trigger()
    assert window.player.cursor.step.operation.name == "f.backward"
    settle(window, qtbot)
    assert texts(ahead.marks) == texts(window.stage.frame.marks)
    assert presenter.heading.text() == "Nothing further" and presenter._following_frame is None


def test_the_next_stop_is_seen_as_it_asks_for(window, presenter, qtbot):
    window.desk.open("convolution")
    for number, letters in ((4, True), (5, False)):
        window.tour.go_to_stop(number)
        settle(window, qtbot)
        ahead = presenter._following_frame
        window.actions_by_name["next_stop"].trigger()
        settle(window, qtbot)
        assert texts(ahead.marks) == texts(window.stage.frame.marks)
        assert ("bw" in texts(ahead.marks)) == letters


def test_notes_are_the_lecturers_alone(window, press, presenter, qtbot, tmp_path):
    path = tmp_path / "noted.toml"
    path.write_text(NOTED)
    window.desk.open(str(path))
    press(K.Key_N, NONE, presenter)
    settle(window, qtbot)
    assert presenter.notes.toPlainText() == "Ask: how many weights?\nWait for sixteen."
    assert presenter.caption.text() == "The second is said."
    press(K.Key_N, NONE, presenter)
    settle(window, qtbot)
    assert presenter.notes.toPlainText() == "The second is said."


def grey(image: QImage, width: int = 60, height: int = 40) -> np.ndarray:
    """Return a picture's mean brightness in so many parts."""
    image = image.convertToFormat(QImage.Format.Format_Grayscale8)
    small = image.scaled(width, height, mode=Qt.TransformationMode.SmoothTransformation)
    rows = np.frombuffer(small.constBits(), np.uint8).reshape(height, small.bytesPerLine())
    return rows[2:-2, 2 : width - 2].astype(float)  # without its rim


def picture_in(picture) -> QImage:
    """Return what a picture of the presenter window shows, without the room at its sides."""
    ratio = picture._ratio
    width = min(picture.width(), round(picture.height() / ratio))
    grabbed = picture.grab().toImage()
    return grabbed.copy((picture.width() - width) // 2, 0, width, round(width * ratio))


def test_it_shows_what_the_class_sees_and_what_it_will_see(window, press, presenter, qtbot):
    window.tour.go_to_stop(4)
    settle(window, qtbot)
    now, following = grey(picture_in(presenter.now)), grey(picture_in(presenter.next))
    class_sees = grey(window.stage.grab().toImage())
    assert np.abs(now - class_sees).mean() < 3
    press(K.Key_N, NONE, presenter)
    settle(window, qtbot)
    then = grey(window.stage.grab().toImage())
    assert np.abs(following - then).mean() < 3
    assert np.abs(then - class_sees).mean() > 5, "or nothing would be compared"


def test_the_next_stop_is_shown_in_another_expression_and_not_where_training_comes_first(
    window, presenter, qtbot
):
    window.desk.open("chain-rule")
    lesson = window.desk.lesson
    first_of_second = next(stop for stop in lesson.sequence if stop.image == 1)
    window.tour.go_to_stop(first_of_second.number - 1)
    settle(window, qtbot)
    assert presenter.caption.text() == first_of_second.caption
    assert presenter._following_frame is not None
    assert window.desk.lesson.image == 0
    window.desk.open("training")
    lesson = window.desk.lesson
    far = next(stop for stop in lesson.sequence if (stop.iteration or 0) > 1)
    window.tour.go_to_stop(far.number - 1)
    settle(window, qtbot)
    assert presenter.caption.text().startswith(far.caption)
    assert str(far.iteration) in presenter.caption.text().replace(",", "")
    assert presenter._following_frame is None


def test_what_is_said_on_the_stage_is_said_there_too(window, press, presenter, qtbot):
    window.tour.go_to_stop(len(window.desk.lesson.sequence))
    press(K.Key_N, NONE, presenter)
    assert "next lesson" in presenter.message.text() and presenter.message.isVisible()
    press(K.Key_Escape, NONE, presenter)
    assert not presenter.message.isVisible()


def test_the_curves_of_a_training_are_shown_there_too(window, press, presenter, qtbot):
    window.desk.open("training")
    press(K.Key_C, NONE, presenter)
    assert not window.stage.isVisible()
    qtbot.waitUntil(lambda: presenter._instead is not None)
    qtbot.wait(50)
    seen = grey(window.middle.currentWidget().grab().toImage())
    assert np.abs(grey(picture_in(presenter.now)) - seen).mean() < 4


class Order(QObject):
    """Notes which widgets are painted, in which order."""

    def __init__(self, **widgets) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.names = {widget: name for name, widget in widgets.items()}
        for widget in widgets.values():
            widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            self.seen.append(self.names[watched])
        return False


def test_it_never_comes_before_the_stage_and_seldom_while_playing(window, press, presenter, qtbot):
    settle(window, qtbot)
    order = Order(stage=window.stage, mirror=presenter.now)
    press(K.Key_PageDown, NONE, presenter)
    settle(window, qtbot)
    assert order.seen.index("stage") < order.seen.index("mirror")
    order.seen.clear()
    window.player.set_speed(60)
    press(K.Key_K, NONE, presenter)
    qtbot.wait(900)
    press(K.Key_K, NONE, presenter)
    assert order.seen.count("stage") > 2 * order.seen.count("mirror") > 0
    assert order.seen.count("mirror") <= 6


def count(window) -> tuple[int, int]:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return len(window.findChildren(QObject)), len(window.findChildren(QTimer))


def test_closed_it_leaves_nothing(window, press, qtbot):
    def once():
        press(K.Key_L, CONTROL | SHIFT)
        window.lecture.presenter.resize(900, 600)
        settle(window, qtbot)
        window.lecture.presenter.close()
        assert window.lecture.presenter is None
        assert not window.actions_by_name["presenter"].isChecked()
        qtbot.waitUntil(window.isActiveWindow)

    once()
    before = count(window)
    for _ in range(3):
        once()
    assert count(window) == before
    press(K.Key_PageDown)
    QCoreApplication.processEvents()
    assert window.player.shown


@pytest.mark.parametrize("size", [(480, 320), (640, 480), (1280, 800), (800, 1200)])
def test_it_is_whole_at_every_size(window, presenter, qtbot, size):
    presenter.resize(*size)
    settle(window, qtbot)
    QCoreApplication.processEvents()
    parts = [presenter.now, presenter.next, presenter.notes, presenter.time, presenter.clock, presenter.stops]
    for part in (*parts, presenter.caption, *presenter.buttons.values()):
        assert presenter.rect().contains(part.geometry()), part.objectName()
    boxes = [part.geometry() for part in (presenter.now, presenter.next, presenter.notes, presenter.caption)]
    assert not any(one.intersects(other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert presenter.notes.fontInfo().pixelSize() >= 13


def test_notes_in_a_lesson_file_may_have_lines_and_no_control_characters(tmp_path):
    path = tmp_path / "noted.toml"
    path.write_text(NOTED)
    assert load_lesson(path).sequence[0].notes == "Ask: how many weights?\nWait for sixteen."
    assert load_lesson(path).sequence[1].notes == ""
    for wrong, said in (('"a\\u0007"', "control characters"), (f'"{"a" * 5001}"', "5000"), ("3", "a text")):
        path.write_text(NOTED.replace('caption = "The second is said."', f'caption = "S."\nnotes = {wrong}'))
        with pytest.raises(Exception, match=said):
            load_lesson(path)
