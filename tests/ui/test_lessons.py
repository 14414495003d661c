"""The panel of built-in lessons."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QSize, Qt
from PySide6.QtTest import QTest

from cnnviz.lesson.files import chapters, lesson_names, lesson_path, lesson_words
from cnnviz.ui import lessons
from cnnviz.ui.lessons import thumbnail

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture(autouse=True)
def no_pictures_kept():
    thumbnail.cache_clear()


def open_panel(window):
    window.actions_by_name["lessons"].trigger()
    return window.dialogs.lessons


def entries(panel):
    items = [panel.list.item(k) for k in range(panel.list.count())]
    return [item for item in items if item.data(lessons._NAME)]


def test_chapters_stand_in_rows_of_their_own_and_cannot_be_chosen(window):
    panel = open_panel(window)
    items = [panel.list.item(k) for k in range(panel.list.count())]
    headings = [item for item in items if not item.data(lessons._NAME)]
    assert [item.text() for item in headings] == [chapter for chapter, _ in chapters()]
    places = [panel.list.visualItemRect(item) for item in items]
    for heading in headings:
        row = panel.list.visualItemRect(heading)
        assert [place for place in places if place.intersects(row)] == [row]
        QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=row.center())
        assert panel.isVisible()
    seen = set()
    panel.list.setCurrentItem(entries(panel)[0])
    for _ in items:
        seen.add(panel.list.currentItem().text())
        QTest.keyClick(panel.list, Qt.Key.Key_Down)
    assert panel.list.currentItem().data(lessons._NAME) in chapters()[-1][1], "arrows pass headings"
    assert not seen & {item.text() for item in headings}


def test_lessons_stand_in_the_order_of_the_course_with_title_and_sentence(window):
    panel = open_panel(window)
    assert panel.isVisible()
    said = [(item.text(), item.data(Qt.ItemDataRole.AccessibleDescriptionRole)) for item in entries(panel)]
    told = [
        (f"{k}  {title}", sentence)
        for k, (title, sentence) in enumerate(map(lesson_words, lesson_names()), 1)
    ]
    told[0] = (f"{told[0][0]} · start here", told[0][1])
    assert said == told
    assert panel.list.currentItem().text().endswith(window.desk.lesson.title), "the lesson at hand is marked"


def test_arrows_and_enter_open_a_lesson(window):
    panel = open_panel(window)
    panel.list.setCurrentItem(entries(panel)[0])
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert not panel.isVisible()
    assert window.desk.lesson.name == lesson_names()[2], "two in a row"
    assert not window.message.isVisible()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("backward conv", "backward-conv"),
        ("conv back", "backward-conv"),
        ("skip", "residual"),
        ("chain-r", "chain-rule"),
    ],
)
def test_words_typed_are_found_anywhere_in_a_title(window, typed, name):
    """Two titles begin with “Backward through the”: typed on, the first one stayed."""
    panel = open_panel(window)
    QTest.keyClicks(panel.list, typed)
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert window.desk.source == name


def test_pictures_in_sight_come_first(window, qtbot):
    window.desk.open("training")
    window.resize(900, 480)
    panel = open_panel(window)
    panel._turn.stop()
    panel._paint_one()
    (painted,) = [item for item in entries(panel) if item.data(Qt.ItemDataRole.DecorationRole) is not None]
    assert panel.list.visualItemRect(painted).intersects(panel.list.viewport().rect())


def test_a_click_opens_a_lesson(window):
    panel = open_panel(window)
    item = entries(panel)[lesson_names().index("relu")]
    panel.list.scrollToItem(item)
    QTest.mouseClick(
        panel.list.viewport(), Qt.MouseButton.LeftButton, pos=panel.list.visualItemRect(item).center()
    )
    assert not panel.isVisible()
    assert window.desk.lesson.name == "relu"


def test_esc_leaves_everything_as_it_was(window):
    panel, before = open_panel(window), window.desk.lesson
    QTest.keyClick(panel.list, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    assert window.desk.lesson is before


def test_pictures_come_one_by_one_while_the_panel_is_open(window, qtbot, monkeypatch):
    painted = []
    monkeypatch.setattr(
        lessons, "thumbnail", lambda name, *rest: painted.append(name) or thumbnail("relu", *rest)
    )
    panel = open_panel(window)
    assert painted == [], "the panel is there before its pictures"
    qtbot.waitUntil(lambda: len(painted) >= 2)
    panel.hide()
    count = len(painted)
    qtbot.wait(30)
    assert len(painted) == count, "and none are painted for nobody"
    open_panel(window)
    qtbot.waitUntil(lambda: sorted(painted[count:]) == sorted(lesson_names()))
    assert all(not item.data(Qt.ItemDataRole.DecorationRole).isNull() for item in entries(panel))


@pytest.mark.parametrize("name", lesson_names())
def test_every_lesson_has_a_picture_of_its_own_in_both_themes(application, name):
    light, dark = (thumbnail(name, theme, QSize(176, 92), 1.0).toImage() for theme in ("light", "dark"))
    assert light.width() <= 176 and light.height() <= 92
    assert max(light.width() / 176, light.height() / 92) > 0.95, "as large as there is room"
    assert light != dark
    colours = {light.pixel(x, y) for x in range(0, light.width(), 2) for y in range(0, light.height(), 2)}
    assert len(colours) > 20, "something is seen"


def test_a_lesson_that_cannot_be_loaded_has_no_picture(application):
    assert thumbnail("no such lesson", "light", QSize(176, 92), 1.0).isNull()


@pytest.mark.parametrize("zoom", [100, 150])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 480)])
def test_every_entry_shows_its_whole_sentence(make_window, size, zoom):
    from PySide6.QtCore import QRect
    from PySide6.QtGui import QFontMetrics

    window = make_window(*size)
    window.player.show(replace(window.player.display, zoom=zoom))
    panel = open_panel(window)
    metrics, flags = QFontMetrics(panel.list.font()), Qt.TextFlag.TextWordWrap
    entry, picture = panel._delegate.entry, panel._delegate.picture()
    assert entry.width() <= panel.list.viewport().width()
    room = QRect(0, 0, entry.width() - picture.width() - 40, 1000)
    for item in entries(panel):
        title = metrics.boundingRect(room, flags, item.text() + "mm").height()  # it is bold
        said = metrics.boundingRect(room, flags, item.data(Qt.ItemDataRole.AccessibleDescriptionRole))
        assert title + 2 + said.height() <= entry.height() - 14, item.text()


def test_a_panel_shows_the_windows_theme(make_window):
    window = make_window()
    panel = open_panel(window)
    light = panel.grab().toImage()
    panel.hide()
    window.actions_by_name["theme"].trigger()
    assert open_panel(window).grab().toImage() != light


def test_it_is_as_large_the_first_time_as_ever_after(make_window):
    window = make_window(1600, 900)
    first = open_panel(window).size()
    assert first.width() < window.width() - 40, "or the window, not the text, gives its width"
    QTest.keyClick(window.dialogs.lessons.list, Qt.Key.Key_Escape)
    assert open_panel(window).size() == first


def test_it_says_what_is_done_where_one_stopped_and_what_was_open_last(window, make_window, tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text(
        lesson_path("relu").read_text(encoding="utf-8").replace('title = "', 'title = "My '), "utf-8"
    )

    def said(panel) -> dict[str, str]:
        return {item.data(lessons._NAME): item.text() for item in entries(panel)}

    window.desk.open("image")
    count = len(window.desk.lesson.sequence)
    assert said(open_panel(window))["image"] == "1  What a picture is · start here"
    window.tour.go_to_stop(2)
    assert said(open_panel(window))["image"] == f"1  What a picture is · stop 2 of {count}"
    window.tour.go_to_stop(count)
    window.tour.go_to_start()
    window.desk.open(str(own))
    window.close()
    panel = open_panel(make_window())
    assert said(panel)["image"] == "1  What a picture is · done"
    last = entries(panel)[-1]
    assert last.text().startswith("My ") and last.data(lessons._NAME) == str(own)
