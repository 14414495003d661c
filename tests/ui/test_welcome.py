"""The first run: a tour that is in nobody's way; and Help says what the program is made of."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from cnnviz.resources import resource
from cnnviz.ui import launch
from cnnviz.ui.about import LIBRARIES, About, shipped
from cnnviz.ui.settings import Settings, lesson_key
from tests.screen import HAS_SCREEN, MAIN, PYTHON, Program, screen, until

K, LEFT = Qt.Key, Qt.MouseButton.LeftButton

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def welcome(window):
    window.show_around()
    QCoreApplication.processEvents()
    return window.dialogs.welcome


def test_six_stations_are_gone_through_by_enter_and_end(window, welcome, qtbot):
    said = []
    for number in range(6):
        assert window.dialogs.welcome.number == number
        assert welcome.count.text() == f"{number + 1} / 6"
        said.append(welcome.text.text())
        qtbot.keyClick(window.stage, K.Key_Return)
    assert window.dialogs.welcome is None and window.stage.hasFocus()
    assert len(set(said)) == 6


def test_the_mouse_goes_through_it_too(window, welcome, qtbot):
    qtbot.mouseClick(welcome.next, LEFT)
    qtbot.mouseClick(welcome.next, LEFT)
    qtbot.mouseClick(welcome.back, LEFT)
    assert welcome.number == 1
    qtbot.mouseClick(welcome.skip, LEFT)
    assert window.dialogs.welcome is None


def test_escape_skips_it(window, welcome, qtbot):
    qtbot.keyClick(window.stage, K.Key_Escape)
    assert window.dialogs.welcome is None


def test_all_goes_on_working_meanwhile(window, welcome, qtbot):
    expected = window.player.cursor.next()
    qtbot.keyClick(window.stage, K.Key_Right)
    assert window.player.cursor == expected
    assert QGuiApplication.modalWindow() is None and QApplication.activePopupWidget() is None
    qtbot.keyClick(window.stage, K.Key_G, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(window.go_strip.field, "7")
    qtbot.keyClick(window.go_strip.field, K.Key_Return)
    assert window.player.cursor.index == 7 and window.dialogs.welcome.number == 0


@pytest.mark.parametrize("size", [(640, 480), (1000, 620), (1280, 720), (1920, 1080)])
def test_each_bubble_is_whole_and_stands_at_a_control_that_is_seen(make_window, size, qtbot):
    window = make_window(*size)
    window.show_around()
    for number in range(6):
        welcome = window.dialogs.welcome
        QCoreApplication.processEvents()
        pointed = welcome._stations[number].widget
        target = pointed.rect().translated(pointed.mapTo(window, QPoint()))
        assert pointed.isVisible() and window.rect().contains(welcome.geometry())
        assert welcome._frame.geometry().intersects(target)
        beside = not welcome.geometry().intersects(target) or target.height() > size[1] / 3
        assert beside, "it covers what it speaks of"
        for part in (welcome.text, welcome.next, welcome.skip, welcome.count):
            assert welcome.rect().contains(part.geometry())
        high = welcome.text.heightForWidth(welcome.text.width())
        assert welcome.text.height() >= high
        welcome.go_on()


def test_it_is_not_in_the_lecture_view(window, welcome, qtbot):
    qtbot.keyClick(window.stage, K.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert window.dialogs.welcome is None
    window.actions_by_name["tour"].trigger()
    assert window.dialogs.welcome is None


def test_it_is_found_again_under_help(window):
    menu = next(a.menu() for a in window.menuBar().actions() if a.text() == "&Help")
    named = [action.text() for action in menu.actions() if action.text()]
    assert named == ["Command palette…", "Lessons…", "Keys…", "Tour of the window", "About cnnviz"]
    window.actions_by_name["tour"].trigger()
    assert window.dialogs.welcome is not None


@pytest.mark.parametrize(("lesson", "shown"), [(None, True), ("relu", False)])
def test_it_comes_by_itself_once(application, monkeypatch, settings_file, lesson, shown, qtbot):
    monkeypatch.setenv("CNNVIZ_SETTINGS", str(settings_file))
    seen = []

    def looked(window):
        qtbot.waitUntil(lambda: window.player.shown)
        qtbot.wait(50)
        seen.append(window.dialogs.welcome is not None)
        window.close()
        return 0

    class Watched(launch.Window):
        def show(self):
            super().show()
            application.exec = lambda: looked(self)

    monkeypatch.setattr(launch, "Window", Watched)
    try:
        launch.open_window(lesson)
        launch.open_window(lesson)
    finally:
        del application.exec
    assert seen == [shown, False]


# --------------------------------------------------------------------------------------- what is shipped


def needed(name: str, found: set[str]) -> set[str]:
    """Return a distribution with all that it needs here."""
    if name in found:
        return found
    found.add(name)
    for line in metadata.requires(name) or []:
        other = re.match(r"[\w.-]+", line)[0]
        if "extra ==" in line:
            continue
        try:
            metadata.version(other)
        except metadata.PackageNotFoundError:  # for another Python, or another system
            continue
        needed(other, found)
    return found


def plain(names) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_all_libraries_are_named_with_version_and_licence():
    assert plain(LIBRARIES) == plain(needed("cnnviz", set())) - {"cnnviz"}
    for part in shipped():
        assert part.licence and "not in this copy" not in part.text, part.name
    texts = {part.name: part.text for part in shipped()}
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in texts["PySide6-Essentials"]
    assert "NumPy Developers" in texts["numpy"]


def test_all_fonts_are_named():
    fonts = {path.name.removeprefix("LICENSE-") for path in resource("fonts").glob("LICENSE-*")}
    texts = [part.text for part in shipped()]
    for path in resource("fonts").glob("LICENSE-*"):
        assert path.read_text("utf-8").strip() in texts
    assert len(fonts) == 4


def test_about_shows_the_text_of_what_is_chosen_and_goes_by_escape(window, qtbot):
    window.actions_by_name["about"].trigger()
    about = window.findChild(About)
    names = [part.name for part in about.parts]
    about.list.setCurrentRow(names.index("Inter"))
    assert "SIL OPEN FONT LICENSE" in about.text.toPlainText().upper()
    qtbot.keyClick(about, K.Key_Escape)
    QCoreApplication.sendPostedEvents(None, 52)
    qtbot.waitUntil(lambda: window.findChild(About) is None)


@pytest.mark.skipif(not HAS_SCREEN, reason="it takes Xvfb and xdotool")
def test_on_a_real_screen_it_is_gone_through_with_the_keyboard(tmp_path):
    """Were it still there, Esc would be its own; a step is taken meanwhile."""
    file = tmp_path / "settings.json"
    with screen() as display:
        program = Program([PYTHON, MAIN], display, tmp_path)
        try:
            program.window()
            until(lambda: file.exists() and "shown_around" in file.read_text(), program)
            program.keys(
                *["Return"] * 3, "Page_Down", *["Return"] * 3, "ctrl+l", "Escape", "Escape", "ctrl+q"
            )
            assert program.ends() == 0
            assert program.said() == ""
        finally:
            program.kill()
    remembered = Settings(file)
    assert remembered.flag("window/shown_around", False)
    assert remembered.number(f"{lesson_key('digits')}/step", 0, 0, 10**6) > 0
