"""A lesson leads: its stops are one sequence, gone through by keys, by the counter and on the timeline."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from cnnviz.export.order import order_of
from cnnviz.lesson.changes import read_changes
from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Dot
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from tests.scene.looking import said as texts_of

K, NONE, SHIFT = Qt.Key, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton

# The offscreen platform raises no popup and has no keyboard to grab.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def press(window, qtbot):
    def press(key, modifier=NONE):
        qtbot.keyClick(window.stage, key, modifier)
        return place(window)

    return press


def place(window):
    """Return where we are: lesson, choice, iteration, step."""
    lesson = window.desk.lesson
    return lesson.name, lesson.image, lesson.iteration, window.player.cursor.index


def caption(window):
    stop = window.player.moment.stop
    return stop and stop.caption


def message(window):
    return window.message.sentence.text() if window.message.isVisible() else ""


def all_captions(name):
    """Return what a lesson's file says, read anew: an oracle that knows nothing of sequences."""
    import tomllib

    from cnnviz.resources import resource

    content = tomllib.loads(resource("lessons", f"{name}.toml").read_text("utf-8"))
    own = [stop["caption"] for stop in content.get("stops", [])]
    return own + [s["caption"] for part in content.get("expressions", []) for s in part.get("stops", [])]


@pytest.mark.parametrize("name", ["chain-rule", "backward-conv", "gradient-descent"])
def test_n_comes_by_all_that_a_lesson_says_and_shift_n_comes_back_by_it(window, press, name):
    window.desk.open(name)
    count = len(all_captions(name))
    said = {caption(window)}
    for _ in range(count):
        press(K.Key_N)
        said.add(caption(window))
    assert said - {None} == set(all_captions(name))
    assert window.bar.stops.number.text() == f"{count} / {count}"
    back = [window.tour.number]
    while back[-1] > 1:
        press(K.Key_N, SHIFT)
        back.append(window.tour.number)
    assert back == list(range(count, 0, -1))


def test_at_the_last_stop_n_says_so_and_pressed_again_goes_on(window, press):
    window.desk.open("chain-rule")
    for _ in all_captions("chain-rule")[1:]:
        press(K.Key_N)
    last = place(window)
    assert last[:2] == ("chain-rule", 2), "the third expression"
    assert press(K.Key_N) == last
    following = lesson_names()[lesson_names().index("chain-rule") + 1]
    assert message(window).startswith("That was the last stop. N: next lesson, ")
    assert load_lesson(following).title in message(window)
    assert press(K.Key_N) == (following, 0, 0, 0)
    press(K.Key_N, SHIFT)
    assert message(window).startswith("That was the first stop. Shift+N: previous lesson, Chain rule.")
    assert press(K.Key_N, SHIFT) == last


def test_what_was_offered_is_forgotten_by_a_step(window, press):
    window.desk.open("relu")
    window.tour.go_to_stop(len(all_captions("relu")))
    press(K.Key_N)
    press(K.Key_PageUp)
    here = press(K.Key_PageDown)
    press(K.Key_N)
    assert place(window)[0] == "relu" and here[0] == "relu"


def test_home_begins_the_lesson_again(window, press):
    window.desk.open("chain-rule")
    window.tour.go_to_stop(11)
    press(K.Key_N)
    assert "Home begins again." in message(window)
    assert press(K.Key_Home) == ("chain-rule", 0, 0, 0)


def test_home_is_the_start_of_what_is_shown_first_and_of_the_lesson_then(window, press):
    window.desk.open("chain-rule")
    window.tour.go_to_stop(9)
    assert press(K.Key_Home) == ("chain-rule", 1, 0, 0)
    assert press(K.Key_Home) == ("chain-rule", 0, 0, 0)


def test_a_lesson_that_is_opened_at_its_last_stop_goes_on(window, press):
    window.desk.open("relu")
    window.tour.go_to_stop(len(all_captions("relu")))
    last = place(window)
    window.desk.open("digits")
    window.desk.open("relu")
    assert place(window) == last
    press(K.Key_N)
    assert "That was the last stop." in message(window)
    assert press(K.Key_N)[0] != "relu"


def test_the_last_lesson_and_one_of_ones_own_lead_nowhere(window, press, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        'title = "Own"\nsentence = "S."\n[[expressions]]\ntext = "x * x"\nvalues = { x = 3 }\n'
        '[[expressions.stops]]\nat = "f"\ncaption = "Here."\n'
    )
    window.desk.open(str(own))
    press(K.Key_N)
    for _ in range(3):
        press(K.Key_N)
        assert message(window) == "That was the last stop. Home begins again."
        assert place(window)[0] == "own"
    window.desk.open(lesson_names()[0])
    window.player.go_to(0)
    for _ in range(2):
        press(K.Key_N, SHIFT)
        assert message(window) == "That was the first stop."


def test_an_expression_that_was_typed_has_no_stops_and_says_so(window, press):
    window.desk.take_expression("x * y  x=2 y=3")
    press(K.Key_N)
    assert message(window) == "This lesson has no stops."
    assert window.bar.stops.isHidden()


def test_of_a_lesson_with_changed_numbers_it_is_said_why_it_has_no_stops(window, press):
    window.desk.open("digits")
    window.desk.change(*read_changes(["conv1.w[0,0,1,1]=0.5"]), said="")
    assert window.desk.lesson.sequence == ()
    press(K.Key_N)
    assert message(window).startswith(
        "The stops of this lesson speak of other numbers than these. N: next lesson"
    )
    window.desk.take_back_changes()
    press(K.Key_N)
    assert caption(window) in all_captions("digits"), "and they are there again"


def test_n_trains_where_that_comes_first_when_told(window, press, qtbot):
    window.desk.open("training")
    count = len(all_captions("training"))
    visited = [window.tour.number]
    while window.tour.number < 9:
        press(K.Key_N)
        visited.append(window.tour.number)
    assert visited == list(range(1, 10)), "iteration 1 is the next one: it needs no asking"
    assert window.desk.lesson.iteration == 1
    here = press(K.Key_N)
    assert here[2] == 1
    assert message(window) == (
        "Stop 10 is in iteration 1,500, and the training is at 1. N: train up to there."
    )
    press(K.Key_N)
    assert window.training.trainer.running
    assert window.actions_by_name["curves"].isChecked(), "one looks on"
    qtbot.waitUntil(lambda: window.tour.number == 10, timeout=120_000)
    lesson = window.desk.lesson
    assert (lesson.iteration, lesson.run.done) == (1500, 1500)
    assert window.middle.currentWidget() is window.stage
    assert caption(window).startswith("Every one of the 1,500 images has been seen once")
    assert f"10 / {count}" in texts_of(window.stage.frame.marks)
    for number in (11, 12, 13):
        press(K.Key_N)
        assert window.tour.number == number
    press(K.Key_N)
    assert "Stop 14 is in iteration 2,681" in message(window)
    press(K.Key_N, SHIFT)
    assert (window.tour.number, window.desk.lesson.iteration) == (12, 1500)


def test_training_for_a_stop_that_is_paused_leads_nowhere_by_itself(window, press, qtbot):
    window.desk.open("training")
    window.tour.go_to_stop(9)
    press(K.Key_N)
    press(K.Key_N)
    qtbot.waitUntil(lambda: window.desk.lesson.run.done > 20, timeout=60_000)
    press(K.Key_Escape)
    press(K.Key_Escape)
    assert not window.training.trainer.running
    assert window.training.train.text() == "Go on"
    press(K.Key_N)
    assert "Stop 10 is in iteration 1,500" in message(window)


# ------------------------------------------------------------------------------------ the control


def test_the_counter_says_where_we_are_and_its_buttons_lead(window, qtbot):
    window.desk.open("backward-conv")
    control = window.bar.stops
    assert control.isVisible() and control.number.text() == "1 / 12"
    assert "(N)" in control.next.toolTip() and "(Shift+N)" in control.back.toolTip()
    assert "N" in control.number.toolTip() and "Shift+N" in control.number.toolTip()
    qtbot.mouseClick(control.next, LEFT)
    assert control.number.text() == "2 / 12"
    assert window.stage.hasFocus()
    window.player.go_to(window.player.cursor.index + 3)
    assert control.number.text() == "2 / 12", "the last that we have come by"
    qtbot.mouseClick(control.back, LEFT)
    assert control.number.text() == "2 / 12" and caption(window)
    qtbot.mouseClick(control.back, LEFT)
    assert control.number.text() == "1 / 12"


def test_there_is_a_button_for_the_lessons(window, qtbot):
    assert window.bar.lessons.isVisible() and window.bar.lessons.text() == "Lessons"
    qtbot.mouseClick(window.bar.lessons, LEFT)
    assert window.dialogs.lessons.isVisible()
    window.dialogs.lessons.hide()


# -------------------------------------------------------------------------------- a level of stepping


def test_by_stops_page_down_follows_the_lesson_over_its_expressions_and_back(window, press):
    window.desk.open("chain-rule")
    press(K.Key_0)
    assert window.player.cursor.level is Level.STOP
    assert window.bar.levels[Level.STOP].isChecked()
    for number in range(2, 12):
        press(K.Key_PageDown)
        assert window.tour.number == number and caption(window)
    last = place(window)
    assert last[1] == 2
    assert press(K.Key_PageDown) == last
    assert "That was the last stop." in message(window)
    press(K.Key_PageUp)
    assert window.tour.number == 10


def test_out_of_a_pass_leads_to_stops_and_into_them_back(window, press):
    window.player.set_level(Level.PASS)
    press(K.Key_F11, SHIFT)
    assert (window.player.cursor.level, window.tour.number) == (Level.STOP, 2)
    press(K.Key_F11)
    assert window.player.cursor.level is Level.PASS


def test_playing_by_stops_pauses_at_the_last(window, press, qtbot):
    window.desk.open("relu")
    window.player.go_to(0)
    press(K.Key_0)
    window.player.set_speed(60)
    press(K.Key_K)
    qtbot.waitUntil(lambda: not window.player.playing, timeout=20_000)
    count = len(all_captions("relu"))
    assert (window.desk.lesson.name, window.tour.number) == ("relu", count)


@pytest.mark.parametrize("key", [K.Key_N, K.Key_PageDown])
def test_a_key_that_is_held_does_not_run_through_the_course(window, press, key):
    window.desk.open("relu")
    press(K.Key_0)
    for _ in range(60):
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(window.stage, QKeyEvent(kind, key, NONE, "n", True, 1))
    assert place(window)[0] == "relu"


# ------------------------------------------------------------------------------- what a stop asks for


def shown(window):
    """Return what the stage's cells show, and by what Next steps."""
    return window.player.display.letters, window.player.cursor.level.value


def test_a_stop_gives_back_what_it_asked_for_unless_it_was_changed_there(window, press):
    window.desk.open("convolution")
    window.player.set_level(Level.MAP)
    seen = [shown(window)]
    for _ in range(8):
        press(K.Key_N)
        seen.append(shown(window))
        if window.tour.number == 2:  # its level leads from term to term
            assert press(K.Key_PageDown)[3] == 9 and shown(window) == (False, "term")
    plain = (False, "map")
    # the first four stops are in numbers, of which two are about terms; the fifth speaks of b, c, f and g
    assert seen == [plain, (False, "term"), (False, "term"), plain, (True, "map"), *[plain] * 4]
    seen = []
    for _ in range(8):
        press(K.Key_N, SHIFT)
        seen.append(shown(window))
    assert seen == [plain, plain, plain, (True, "map"), plain, (False, "term"), (False, "term"), plain]

    window.tour.go_to_stop(5)
    press(K.Key_3)  # one chooses the level, which this stop does not ask for
    window.actions_by_name["letters"].trigger()
    window.actions_by_name["letters"].trigger()
    press(K.Key_N)
    assert shown(window) == (True, "cell")  # and the letters, which it does: they stay
    window.actions_by_name["letters"].trigger()
    window.tour.go_to_stop(5)
    window.desk.remember()
    again = window.settings.record("display", type(window.player.display), None)
    assert window.player.display.letters and not again.letters  # chosen are numbers

    window.tour.go_to_stop(1)
    press(K.Key_0)
    press(K.Key_PageDown)
    assert shown(window) == (False, "stop")  # the remote goes on from stop to stop
    press(K.Key_PageDown)
    assert window.tour.number == 3


def test_an_export_shows_what_stops_ask_for(window, press, tmp_path):
    for name, others in (("convolution", {(True, "array")}), ("dropout", {(False, "layer")})):
        window.desk.open(name)
        lesson, seen = window.desk.lesson, set()
        tour = order_of(lesson, tmp_path, Level.STOP, 0, 0, View(), tour=True).shown()
        steps = order_of(lesson, tmp_path, Level.LINE, 0, 0, View()).shown()
        for stop in lesson.sequence[:8]:
            window.tour.go_to_stop(stop.number)
            display = window.player.display
            assert display == tour.scene(stop.number)[2].display
            assert display == steps.scene(window.player.cursor.index)[2].display
            seen.add((display.letters, display.scale))
        assert seen == {(False, "array")} | others


# --------------------------------------------------------------------------------------- the timeline


def dots(window):
    """Return the middles of the stops' dots, from left to right."""
    found = [m.center for m in window.timeline.frame.marks if isinstance(m, Dot) and m.role == "accent"]
    return sorted(found)


def test_a_dot_is_reached_by_a_click_to_the_very_step(window, qtbot):
    stops = window.desk.lesson.stops
    assert len(dots(window)) == len(stops) == 10
    for (x, y), stop in zip(dots(window), stops, strict=True):
        window.player.go_to(1)
        qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(round(x) + 2, round(y)))
        here = window.tour.number
        assert window.player.cursor.index in {other.index for other in stops}
        assert caption(window)
        if min((abs(x - other) for other, _ in dots(window) if other != x), default=99) > 8:
            assert here == stop.number


def test_above_the_dots_every_step_is_reached(window, qtbot):
    x, _ = dots(window)[4]
    bar = window.timeline.bar()
    qtbot.mouseClick(window.timeline, LEFT, pos=QPoint(round(x) + 3, round(bar.y + 4)))
    assert window.player.cursor.index == window.timeline.step_at(round(x) + 3)
    assert caption(window) is None


def test_a_drag_rests_at_a_dot(window, qtbot):
    (x, y), timeline = dots(window)[4], window.timeline
    start = QPoint(round(x) - 60, round(y))
    QTest.mousePress(timeline, LEFT, pos=start)
    for shift in (-40, -20, -1):
        at = QPointF(x + shift, y)
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, timeline.mapToGlobal(at), Qt.MouseButton.NoButton, LEFT, NONE
        )
        QApplication.sendEvent(timeline, event)
    QTest.mouseRelease(timeline, LEFT, pos=QPoint(round(x) - 1, round(y)))
    assert window.player.cursor.index == window.desk.lesson.stops[4].index


def test_a_dot_says_its_caption_where_the_pointer_rests(window):
    window.desk.open("chain-rule")
    (x, y), timeline = dots(window)[2], window.timeline
    at = QPoint(round(x), round(y))
    QApplication.sendEvent(timeline, QHelpEvent(QEvent.Type.ToolTip, at, timeline.mapToGlobal(at)))
    wanted = window.desk.lesson.stops[2].caption
    assert wanted in QToolTip.text() and "3 / 11" in QToolTip.text()
    assert timeline.said_at(x + 60, y) == ""
