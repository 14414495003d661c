"""The learning rate in the window: its keys, its slider, a start chosen on the curve, and the way back."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cnnviz.export.order import order_of
from cnnviz.lesson.changes import text_of
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.subjects.descents import RATES
from cnnviz.scene.marks import Hotspot
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from cnnviz.ui.desk import Desk
from cnnviz.ui.settings import Settings, lesson_key

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def descents(make_window):
    window = make_window(1600, 900)
    window.desk.open("gradient-descent")
    return window


def axes(window) -> Hotspot:
    return next(
        mark for mark in window.stage.frame.marks if isinstance(mark, Hotspot) and mark.kind == "start"
    )


def click_at(window, w):
    spot = axes(window)
    x = spot.box.x + (w - spot.low) / (spot.high - spot.low) * spot.box.w
    at = QPoint(round(x), round(spot.box.y + spot.box.h / 3))
    QTest.mouseClick(window.stage, LEFT, Qt.KeyboardModifier.NoModifier, at)


def test_it_is_there_in_lessons_of_descents_alone(window):
    assert window.bar.rate.isHidden()
    assert not window.actions_by_name["rate_up"].isEnabled()
    window.desk.open("gradient-descent")
    assert window.bar.rate.isVisible()
    assert window.actions_by_name["rate_up"].isEnabled()
    assert window.bar.expression.isHidden() and window.bar.image.isHidden()
    assert window.bar.minimumSizeHint().width() <= window.bar.width()
    assert window.bar.rate.geometry().right() <= window.bar.width()
    window.desk.open("digits")
    assert window.bar.rate.isHidden()


def test_the_title_keeps_its_room_beside_the_rate(make_window):
    window = make_window(1280, 720)
    window.desk.open("gradient-descent")
    title = window.bar.title
    assert title.isVisible() and title.text() == "Gradient descent"
    assert (
        window.bar.rate.slider.isVisible()
        and window.bar.rate.value.isVisible()
        and window.bar.rate.reset.isVisible()
    )
    assert not title.geometry().intersects(window.bar.transport["start"].geometry())


def test_keys_change_the_rate_and_keep_the_place(descents):
    player, desk = descents.player, descents.desk
    player.go_to(player.cursor.program.find("walk", line=6, s=1, t=2))
    place = player.cursor.index
    QTest.keyClick(descents.stage, Qt.Key.Key_BracketRight)
    assert (desk.descent.name, desk.descent.lr, player.cursor.index) == ("walk", 0.2, place)
    assert player.moment.state.variables["s"] == 1
    assert float(player.moment.state.arrays["w"][1, 1]) == -1 - 0.2 * -8
    for _ in range(2):
        QTest.keyClick(descents.stage, Qt.Key.Key_BracketLeft)
    assert desk.descent.lr == 0.05
    assert descents.bar.rate.value.text() == "0.05"
    assert descents.stage.hasFocus()


def test_the_slider_follows_the_descent_in_hand(descents):
    player, rate = descents.player, descents.bar.rate
    for name, lr in (("slow", 0.01), ("too_large", 1.05), ("walk", 0.1)):
        player.go_to(player.cursor.program.start(name))
        assert (RATES[rate.slider.value()], rate.value.text()) == (lr, str(lr))
        assert name in rate.slider.accessibleName()
    rate.slider.setValue(RATES.index(0.9))
    assert descents.desk.descent.lr == 0.9
    assert [part.lr for part in descents.desk.lesson.subject.parts][1:] == [0.01, 0.9, 1.05, 0.5]


def test_captions_go_with_the_numbers_they_speak_of_and_come_back(descents):
    player, rate = descents.player, descents.bar.rate
    told = player.stops
    assert not rate.reset.isEnabled()
    descents.actions_by_name["rate_up"].trigger()
    assert len(player.stops) < len(told)
    assert rate.reset.isEnabled()
    QTest.mouseClick(rate.reset, LEFT)
    assert player.stops == told
    assert not rate.reset.isEnabled()


def test_a_click_on_the_curve_moves_the_start_of_the_walk_in_hand(descents):
    player = descents.player
    player.go_to(player.cursor.program.find("walk", line=6, s=1, t=2))
    click_at(descents, 6.5)
    first, second = descents.desk.descent.starts
    assert first == 5 and second == pytest.approx(6.5, abs=0.05)
    assert player.moment.state.writes == (("w", (1, 0)),)
    assert float(player.moment.state.arrays["w"][1, 0]) == second
    assert descents.stage.clickable(*axes(descents).box.center)


def test_a_click_on_a_number_still_leads_to_its_step(descents):
    player = descents.player
    player.go_to(player.cursor.program.find("walk", line=7, s=0, t=3))
    grid = next(mark for mark in descents.stage.frame.marks if getattr(mark, "array", "") == "dw")
    at = QPoint(*(round(part) for part in grid.box_of(1, 0).center))
    QTest.mouseClick(descents.stage, LEFT, Qt.KeyboardModifier.NoModifier, at)
    assert player.moment.state.writes == (("dw", (0, 1)),)
    assert descents.desk.descent.starts == (5, -1)


def test_breakpoints_stay_where_they_are(descents):
    player = descents.player
    player.toggle_line(7)
    kept = player.breakpoints
    descents.actions_by_name["rate_down"].trigger()
    assert player.breakpoints == kept != ()


def test_what_is_exported_is_what_is_seen(descents, tmp_path):
    descents.actions_by_name["rate_up"].trigger()
    lesson = descents.desk.lesson
    assert text_of(lesson.changes) == "walk.lr=0.2"
    again = order_of(lesson, tmp_path, Level.MAP, 0, 9, View()).lesson()
    assert again.tape["walk.w"].tolist() == descents.desk.lesson.tape["walk.w"].tolist()


def test_a_changed_lesson_opens_at_its_place(application, settings_file):
    settings = Settings(settings_file)
    desk = Desk(load_lesson("gradient-descent", changes=["slow.lr=0.02"]), settings)
    desk.player.go_to(17)
    desk.remember()
    left = settings.text("window/lesson")
    again = Desk(load_lesson(left), settings)
    assert (again.player.cursor.index, text_of(again.lesson.changes)) == (17, "slow.lr=0.02")
    again.reset_descent()
    assert again.lesson.subject.descent("slow").lr == 0.02, "another descent is in hand"


def test_rates_and_starts_come_back_at_the_next_start(application, settings_file):
    desk = Desk(load_lesson("gradient-descent"), Settings(settings_file))
    desk.set_rate(0.3)
    desk.set_start("walk", 1, 6.5)
    desk.remember()
    desk.settings.save()
    again = Desk(load_lesson("gradient-descent"), Settings(settings_file))
    assert (again.descent.lr, again.descent.starts) == (0.3, (5, 6.5))
    assert again.player.cursor.program.find("walk", line=3, s=1) == again.player.cursor.index
    assert float(again.player.moment.state.arrays["w"][1, 0]) == 6.5
    other = Desk(load_lesson("gradient-descent", changes=["walk.lr=0.5"]), Settings(settings_file))
    assert text_of(other.lesson.changes) == "walk.lr=0.5", "what is asked for comes before what is remembered"
    again.reset_descent()
    again.remember()
    assert Desk(load_lesson("gradient-descent"), again.settings).lesson.changes == ()


def test_changes_are_kept_from_one_lesson_to_the_next(descents):
    descents.desk.set_rate(0.3)
    descents.desk.open("digits")
    descents.desk.open("gradient-descent")
    assert descents.desk.descent.lr == 0.3
    assert descents.bar.rate.value.text() == "0.3" and descents.bar.rate.reset.isEnabled()


@pytest.mark.parametrize(
    "damaged",
    [
        "walk.lr=0",
        "walk.lr=nan",
        "walk.starts=1",
        "nothere.lr=1",
        "walk.lr=0.5 walk.starts=a,b",
        "=",
        "\x00 =",
    ],
)
def test_damaged_changes_are_as_good_as_none(application, settings_file, damaged):
    settings = Settings(settings_file)
    settings.put(f"{lesson_key('gradient-descent')}/changes", damaged)
    settings.put(f"{lesson_key('gradient-descent')}/step", 17)
    desk = Desk(load_lesson("gradient-descent"), settings)
    assert (desk.player.cursor.index, desk.lesson.changes) == (17, ())
