"""Bookmarks: set by a key, seen on the timeline, gone to by a click and from the palette, remembered."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip

from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Dot, Hotspot, Path
from cnnviz.scene.view import View
from cnnviz.trace.cursor import Bookmark
from cnnviz.ui.settings import lesson_key
from tests.scene.looking import all_marks

K = Qt.Key
LEFT = Qt.MouseButton.LeftButton
NONE, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier

# The offscreen platform has nothing to raise and no keyboard to grab for a popup.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def bookmark_at(window, *steps):
    for step in steps:
        window.player.go_to(step)
        QTest.keyClick(window.stage, K.Key_B, CONTROL)


def ribbons(window):
    """The steps of the bookmarks that the timeline shows, with the places of their ribbons."""
    marks = window.timeline.frame.marks
    return {mark.line: mark.box for mark in marks if isinstance(mark, Hotspot) and mark.kind == "step"}


def middle(box):
    return QPoint(*(round(part) for part in box.center))


def marked(window):
    program = window.player.cursor.program
    return [bookmark.index_in(program) for bookmark in window.player.bookmarks]


# ---------------------------------------------------------------------------------- setting and seeing


def test_the_key_sets_one_and_takes_it_away_and_leaves_the_screen_as_it_is(window):
    bookmark_at(window, 4242)
    assert marked(window) == list(ribbons(window)) == [4242]
    assert not window.blank.isVisible(), "B alone is the black screen"
    bookmark_at(window, 9000)
    assert set(ribbons(window)) == {4242, 9000}
    bookmark_at(window, 4242)
    assert marked(window) == list(ribbons(window)) == [9000]


def test_its_form_is_not_a_breakpoints_nor_a_stops(window):
    """And it is seen where the playhead stands, too."""

    def forms():
        marks = list(all_marks(window.timeline.frame.marks))
        return [mark for mark in marks if isinstance(mark, Dot | Path)]

    window.player.go_to(30_000)
    before = forms()
    QTest.keyClick(window.stage, K.Key_B, CONTROL)
    (ribbon,) = [mark for mark in forms() if not any(same(mark, other) for other in before)]
    assert isinstance(ribbon, Path)
    assert ribbon.filled
    at = window.timeline.x_of(30_000)
    xs, ys = zip(*ribbon.points, strict=True)
    assert min(xs) < at < max(xs)
    heads = [mark for mark in before if isinstance(mark, Dot) and abs(mark.center[0] - at) < 1]
    assert max(ys) > max(head.center[1] + head.radius for head in heads if head.role == "ink") + 4


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, Dot):
        return (one.center, one.radius) == (other.center, other.radius)
    return one.points == other.points


def test_a_zoomed_timeline_shows_those_in_sight(window):
    bookmark_at(window, 100, 60_000)
    window.timeline.span = (0.5, 1.0)
    window.timeline.refresh()
    assert list(ribbons(window)) == [60_000]


def test_a_picture_shows_what_the_window_shows(window):
    bookmark_at(window, 4242)
    lesson = window.desk.lesson
    view = View(1920, 1080, lesson.title, lesson.subject.classes, stops=lesson.stops)
    assert window.pictures.image() != to_image(compose(lesson.program, 4242, view), "light")


# --------------------------------------------------------------------------------------- coming back


def test_a_click_goes_to_its_very_step_though_the_hand_is_not_still(window):
    bookmark_at(window, 41_237)
    window.player.go_to(0)
    at = middle(ribbons(window)[41_237])
    assert window.timeline.clickable(at.x(), at.y())
    assert window.timeline.step_at(at.x()) != 41_237, "or the bar alone would do"
    QTest.mousePress(window.timeline, LEFT, NONE, at)
    QTest.mouseMove(window.timeline, at + QPoint(2, 0))
    QTest.mouseRelease(window.timeline, LEFT, NONE, at + QPoint(2, 0))
    assert window.player.cursor.index == 41_237


def test_whoever_drags_on_from_a_bookmark_goes_on(window, qtbot):
    bookmark_at(window, 41_237)
    at = middle(ribbons(window)[41_237])
    QTest.mousePress(window.timeline, LEFT, NONE, at)
    QTest.mouseMove(window.timeline, at + QPoint(60, 0))
    assert window.player.cursor.index == window.timeline.step_at(at.x() + 60)
    QTest.mouseMove(window.timeline, at)
    assert window.player.cursor.index == window.timeline.step_at(at.x())
    QTest.mouseRelease(window.timeline, LEFT, NONE, at)


def test_resting_on_it_says_where_it_is(window, monkeypatch):
    said = []
    monkeypatch.setattr(QToolTip, "showText", lambda _, text: said.append(text))
    bookmark_at(window, window.player.cursor.program.find("conv1", line=10, o=1, i=2, j=3))
    box = next(iter(ribbons(window).values()))
    window.player.go_to(0)
    for at in (middle(box), middle(box) + QPoint(60, 0)):
        QCoreApplication.sendEvent(window.timeline, QHelpEvent(QEvent.Type.ToolTip, at, at))
    (step,) = ribbons(window)
    assert said == [
        f"<p>Bookmark at step {step:,}: forward · conv1 · output map 1 · row 2 · column 3</p>",
        "",
    ]


def palette_rows(window):
    QTest.keyClick(window.stage, K.Key_P, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    window.dialogs.palette.field.setText("Bookmark:")
    items = window.dialogs.palette.list
    rows = [items.topLevelItem(k) for k in range(items.topLevelItemCount())]
    return [row.text(0) for row in rows if row.text(0).startswith("Bookmark:")]


def test_the_palette_lists_them_in_the_order_of_the_steps(window):
    bookmark_at(window, 60_000, 100)
    window.player.go_to(0)
    assert palette_rows(window) == [f"Bookmark: {window.player.where(step)}" for step in (100, 60_000)]
    QTest.keyClick(window.dialogs.palette.field, K.Key_Return)
    assert window.player.cursor.index == 100


def test_one_in_the_other_form_is_not_shown_here_and_leads_there(window):
    start = window.player.cursor.program.start("conv2.dx")
    bookmark_at(window, start + 7)
    QTest.keyClick(window.stage, K.Key_V)
    assert ribbons(window) == {}
    assert palette_rows(window) == ["Bookmark: conv2.dx, gathered"]
    QTest.keyClick(window.dialogs.palette.field, K.Key_Return)
    assert (window.player.cursor.program.form, window.player.cursor.index) == ("gathered", start + 7)


# ------------------------------------------------------------------------------------ being remembered


def test_they_are_there_at_the_next_start(window, make_window):
    bookmark_at(window, 4242, 60_000)
    window.close()
    assert marked(make_window()) == [4242, 60_000]


def test_what_was_remembered_before_forms_were_called_so_is_there(window, make_window):
    start = window.player.cursor.program.start("conv2.dx")
    remembered = '[{"operation":"conv2.dx","offset":7,"view":"gathered"}]'
    window.settings.put(window.desk._marks_key("bookmarks"), remembered)
    window.settings.save()
    assert marked(make_window()) == [start + 7]


def test_each_lesson_has_its_own_and_another_image_has_the_same(window):
    bookmark_at(window, 4242)
    window.desk.choose(7)
    assert marked(window) == [4242]
    window.desk.open("relu")
    assert marked(window) == []
    bookmark_at(window, 11)
    window.desk.open("digits")
    assert marked(window) == [4242]
    window.desk.open("relu")
    assert marked(window) == [11]


def test_each_expression_of_a_lesson_has_its_own(window):
    window.desk.open("chain-rule")
    bookmark_at(window, 3)
    window.desk.choose(1)
    assert marked(window) == []
    window.desk.choose(0)
    assert marked(window) == [3]


@pytest.mark.parametrize(
    "damage",
    ["", "[", "7", '"conv1"', '[{"operation":"conv1"}]', '[{"operation":7,"offset":1}]', "\ufffd" * 40],
)
def test_what_is_damaged_is_as_good_as_none(window, make_window, damage):
    bookmark_at(window, 4242)
    window.settings.put(window.desk._marks_key("bookmarks"), damage)
    window.close()
    assert marked(make_window()) == []


@pytest.mark.parametrize(("name", "offset"), [("conv9", 1), ("conv1", -1), ("conv1", 10**30)])
def test_one_at_a_step_that_is_not_there_is_not_shown(window, name, offset):
    window.player.put_bookmarks((Bookmark(name, offset), Bookmark("conv1", 5)))
    assert list(ribbons(window)) == [5]
    assert len(palette_rows(window)) == 1


def test_they_are_undone_and_so_remembered(window, make_window):
    bookmark_at(window, 4242, 60_000)
    QTest.keyClick(window.stage, K.Key_Z, CONTROL)
    assert marked(window) == [4242]
    assert window.actions_by_name["redo"].text() == "Redo: bookmark set at conv1.dw"
    window.close()
    assert marked(make_window()) == [4242]


def test_there_are_only_so_many_and_that_is_said(window):
    for k in range(200):
        window.player.go_to(k)
        window.desk.toggle_bookmark()
    assert len(window.player.bookmarks) == 200 and not window.message.isVisible()
    window.player.go_to(200)
    window.desk.toggle_bookmark()
    assert marked(window) == [*range(200)]
    assert window.message.sentence.text().startswith("There are 200 bookmarks, the most there can be;")
    window.player.go_to(7)
    window.desk.toggle_bookmark()
    window.player.go_to(200)
    window.desk.toggle_bookmark()
    assert marked(window) == [k for k in range(201) if k != 7]


def test_a_file_that_holds_more_than_can_be_set_gives_the_first_of_them(window, make_window):
    window.close()
    settings = make_window().settings
    settings.put_record(
        f"{lesson_key('digits')}/bookmarks", tuple(Bookmark("conv1", k) for k in range(50_000))
    )
    settings.save()
    assert marked(make_window()) == [*range(200)]


@pytest.mark.parametrize("offset, index", [(-1, None), (0, 0), (1, 1), (7752, 7752), (7753, None)])
def test_where_one_is_in_a_program(window, offset, index):
    """Its operation's first step and last one are steps; conv1 of digits has 7,753 steps."""
    program = window.player.cursor.program
    assert Bookmark("conv1", offset).index_in(program) == index
