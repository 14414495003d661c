"""Small windows and wide, high ones and low: what has no room folds away, and comes back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QCoreApplication, QEvent, QRect
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QLineEdit,
    QMenu,
    QProxyStyle,
    QPushButton,
    QStyle,
    QWidget,
)

from cnnviz.ui.keymap import Keymap
from cnnviz.ui.keys_page import KeysPage
from cnnviz.ui.splitter import with_room
from tests.screen import HAS_SCREEN, MAIN, PYTHON, Program, screen, until
from tests.ui.test_window import in_window

SIZES = [(640, 480), (800, 600), (1024, 768), (1280, 720), (1920, 1080), (1080, 1920), (600, 1000)]
CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QLineEdit)


def settle() -> None:
    for _ in range(3):
        QCoreApplication.processEvents()


def is_apart(places: list[QRect]) -> bool:
    return all(not here.intersects(other) for k, here in enumerate(places) for other in places[k + 1 :])


# ---------------------------------------------------------------------------------------- the whole window


@pytest.mark.parametrize(
    ("size", "zoom", "text"),
    [
        *((size, zoom, 100) for size in SIZES for zoom in (100, 150)),
        *((size, 100, 200) for size in SIZES if min(size) >= 720),
    ],
)
def test_nothing_overlaps_and_nothing_is_clipped(make_window, size, zoom, text):
    window = make_window()
    window.player.show(replace(window.player.display, zoom=zoom, text=text))
    window.resize(*size)
    for name in ("digits", "training", "gradient-descent", "chain-rule"):
        window.desk.open(name)
        settle()
        assert (window.width(), window.height()) == size
        least = window.centralWidget().minimumSizeHint()
        assert least.width() <= size[0] and least.height() <= window.centralWidget().height()
        parts = [window.menuBar(), window.bar, window.middle, window.training, *window.panes]
        parts = [part for part in parts if part.isVisible() and part is not window.stage]
        places = [in_window(window, part) for part in parts]
        assert all(window.rect().contains(here) for here in places)
        assert is_apart(places)
        for row in (window.bar, window.training):
            inside = [widget for widget in row.findChildren(QWidget) if widget.isVisible()]
            assert all(row.rect().contains(in_window(row, widget)) for widget in inside)
            controls = [widget for widget in inside if isinstance(widget, CONTROLS)]
            # A field's own line lies within its box.
            controls = [widget for widget in controls if not isinstance(widget.parent(), QAbstractSpinBox)]
            assert is_apart([in_window(row, widget) for widget in controls])
            assert all(widget.width() >= widget.minimumSizeHint().width() for widget in controls)


@pytest.mark.parametrize("size", [(640, 480), (600, 1000)])
def test_in_the_smallest_window_one_can_still_step_and_see(make_window, size):
    window = make_window(*size)
    assert all(window.bar.transport[name].isVisible() for name in ("back", "play", "next"))
    assert window.bar.stops.isVisible(), "the lesson leads"
    assert window.stage.width() == size[0] and window.stage.height() >= 200
    assert window.timeline.isVisible()


def test_the_lecture_view_has_no_smallest_size(make_window):
    window = make_window()
    window.lecture.show(True)
    settle()
    window.resize(300, 220)
    settle()
    assert (window.width(), window.height()) == (300, 220)
    window.grab()


# --------------------------------------------------------------------------------------------------- panes


@pytest.mark.parametrize(
    ("room", "asked", "kept"),
    [
        (930, "", ["left", "right"]),
        (929, "", ["left"]),
        (690, "", ["left"]),
        (689, "", []),
        (929, "right", ["right"]),  # in the other's place
        (600, "right", ["right"]),  # 360 are left
        (599, "right", []),
        (530, "left", ["left"]),
        (529, "left", []),
        (930, "right", ["left", "right"]),
    ],
)
def test_panes_go_one_after_the_other_and_last_the_one_that_was_asked_for(room, asked, kept):
    assert with_room({"left": 170, "right": 240}, room, 520, asked, 360) == kept


def shown(window) -> list[str]:
    settle()
    names = ("network", "debugger", "timeline")
    return [name for name in names if getattr(window, name).isVisible()]


def test_panes_fold_away_and_come_back_as_wide_as_they_were(window):
    network, _, debugger = window.splitter.sizes()
    found = []
    for width in (1280, 900, 640, 900, 1280, 640, 1280):
        window.resize(width, 720)
        found.append(len(shown(window)))
    assert found == [3, 2, 1, 2, 3, 1, 3]
    assert window.splitter.sizes()[::2] == [network, debugger]


def test_widths_that_were_given_by_hand_come_back_too(window):
    window.splitter.moveSplitter(300, 1)
    settle()
    assert window.network.width() == pytest.approx(300, abs=4)
    wide = window.splitter.sizes()
    window.resize(640, 480)
    settle()
    window.lecture.show(True)
    window.lecture.show(False)
    window.resize(1280, 720)
    settle()
    assert window.splitter.sizes() == pytest.approx(wide, abs=2)


def test_in_a_low_window_the_timeline_goes(window):
    window.resize(1000, 340)
    assert shown(window) == ["network", "debugger"]
    window.resize(1000, 600)
    assert shown(window) == ["network", "debugger", "timeline"]


def test_the_row_of_a_training_takes_its_room_from_the_timeline(window):
    window.resize(1000, 370)
    assert "timeline" in shown(window)
    window.desk.open("training")
    assert "timeline" not in shown(window)
    window.desk.open("digits")
    assert "timeline" in shown(window)


def test_what_was_hidden_stays_hidden(window):
    window.actions_by_name["network"].trigger()
    for size in ((640, 480), (1920, 1080)):
        window.resize(*size)
        assert "network" not in shown(window)
    assert "debugger" in shown(window)


def test_what_had_no_room_is_there_when_it_is_asked_for(window):
    window.resize(640, 480)
    assert shown(window) == ["timeline"]
    window.actions_by_name["debugger"].trigger()
    assert shown(window) == ["debugger", "timeline"]
    assert window.stage.width() >= 360
    window.actions_by_name["network"].trigger()
    assert shown(window) == ["network", "timeline"]
    window.actions_by_name["network"].trigger()
    assert shown(window) == ["timeline"]
    window.resize(1280, 720)
    assert shown(window) == ["debugger", "timeline"]


def test_what_cannot_be_shown_is_said(window):
    window.player.show(replace(window.player.display, zoom=150))
    window.resize(500, 480)
    window.actions_by_name["debugger"].trigger()
    assert "debugger" not in shown(window)
    assert window.message.sentence.text().startswith("There is no room for this pane")
    window.message.shut()
    window.resize(1280, 720)
    assert "debugger" in shown(window)


def test_what_had_no_room_is_remembered_as_wanted(make_window):
    window = make_window(1280, 720)
    sizes = window.splitter.sizes()
    window.resize(640, 480)
    settle()
    window.close()
    again = make_window(1280, 720)
    assert shown(again) == ["network", "debugger", "timeline"]
    assert again.splitter.sizes() == pytest.approx(sizes, abs=2)


# --------------------------------------------------------------------------------------- the training's row


def offered(bar) -> list[str]:
    bar.menu.aboutToShow.emit()
    return [action.text() for action in bar.menu.actions()]


def test_no_word_of_the_bar_is_left_without_what_it_speaks_of(window):
    """A speed without its slider, or "Step by" without the levels: at no width of the window."""
    bar, seen = window.bar, set()
    words = {part.widget: part.beside for part in bar.parts if part.beside is not None}
    for width in range(640, 1700, 13):
        window.resize(width, 720)
        settle()
        for word, beside in words.items():
            assert word.isHidden() or not beside.isHidden(), (width, word.text())
        seen.add((bar.speed.isHidden(), bar.speed_text.isHidden()))
    assert seen >= {(True, True), (False, False)}


def test_opening_its_menu_again_and_again_leaves_nothing_behind(window):
    window.resize(640, 480)
    settle()
    counts = []
    for _ in range(5):
        window.bar.menu.aboutToShow.emit()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        counts.append(len(window.bar.menu.findChildren(QMenu)))
    assert counts == [1] * 5


def test_what_the_row_of_a_training_has_no_room_for_is_in_its_menu(window):
    pane = window.training
    window.desk.open("training")
    window.resize(1280, 720)
    settle()
    assert all(part.widget.isVisible() for part in pane.parts) and not pane.more.isVisible()
    for width in (640, 440):
        window.resize(width, 480)
        settle()
        assert pane.train.isVisible() and pane.number.isVisible() and pane.more.isVisible()
        assert not pane.figures.isVisible()
        assert pane.figures.text().startswith("loss ") and pane.figures.text() in offered(pane)
    assert not pane.cancel.isVisible() and "End the training here" in offered(pane)


# ------------------------------------------------------------------------------------- dialogs and strips


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
@pytest.mark.parametrize("zoom", [100, 150])
def test_dialogs_and_panels_fit_into_the_smallest_window(make_window, zoom):
    window = make_window(640, 480)
    window.player.show(replace(window.player.display, zoom=zoom))
    settle()
    for name in ("keys", "export", "about"):
        window.actions_by_name[name].trigger()
        settle()
        (dialog,) = [found for found in window.findChildren(QDialog) if found.isVisible()]
        assert dialog.width() <= 640 and dialog.height() <= 480
        for widget in dialog.findChildren(QWidget):
            if widget.isVisible() and not in_scrolled(widget):
                assert dialog.rect().contains(in_window(dialog, widget)), (name, widget)
        dialog.close()
        dialog.deleteLater()
    panels = (lambda: window.dialogs.lessons, lambda: window.dialogs.palette, lambda: window.dialogs.images)
    for name, panel in zip(("lessons", "palette", "image"), panels, strict=True):
        window.actions_by_name[name].trigger()
        settle()
        assert window.geometry().contains(panel().geometry()), name
        panel().hide()


def in_scrolled(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    return parent is not None and (isinstance(parent, QAbstractScrollArea) or in_scrolled(parent))


def test_keys_are_read_without_scrolling_sideways(make_window):
    for size in ((640, 480), (1280, 720)):
        page = KeysPage(make_window(*size), Keymap(), print)
        page.show()
        settle()
        assert page.list.horizontalScrollBar().maximum() == 0
        page.close()


@pytest.mark.parametrize("strip", ["expression", "go"])
def test_what_is_wrong_with_what_was_typed_is_read_in_the_smallest_window(make_window, strip):
    window = make_window(640, 480)
    window.actions_by_name[strip].trigger()
    asking = window.expression_strip if strip == "expression" else window.go_strip
    asking.field.setText("this is nowhere at all")
    asking._accept()
    settle()
    assert window.width() == 640 and asking.isVisible()
    sentence = asking.sentence
    assert sentence.height() >= sentence.heightForWidth(sentence.width())
    assert asking.rect().contains(in_window(asking, sentence)) and sentence.width() >= 150
    assert asking.field.width() >= 150


# -------------------------------------------------------------------------------------------- real screens


@pytest.mark.skipif(not HAS_SCREEN, reason="needs Xvfb and xdotool")
@pytest.mark.parametrize(
    ("size", "scale"), [("800x600", "1"), ("640x480", "1"), ("1920x1080", "1.75"), ("1920x1080", "2")]
)
def test_its_edges_are_on_the_screen(tmp_path, size, scale):
    """On a small screen or a magnified one, at the first start and where a larger window is remembered."""
    wide, high = map(int, size.split("x"))
    for remembered in (False, True):
        if remembered:
            with screen("2560x1440") as display:
                program = Program([PYTHON, MAIN, "relu"], display, tmp_path)
                try:
                    program.window()
                    program.keys("ctrl+q")
                    program.ends()
                finally:
                    program.kill()
        with screen(size) as display:
            program = Program([PYTHON, MAIN, "relu"], display, tmp_path, QT_SCALE_FACTOR=scale)
            try:
                number = program.window()
                found = until(lambda: program.tool("getwindowgeometry", "--shell", number), program)  # noqa: B023
                at = dict(line.split("=") for line in found.splitlines())
                assert int(at["X"]) >= 0 and int(at["X"]) + int(at["WIDTH"]) <= wide
                assert int(at["Y"]) >= 0 and int(at["Y"]) + int(at["HEIGHT"]) <= high
                assert int(at["WIDTH"]) >= 0.8 * wide
                program.keys("ctrl+q")
                assert program.ends() == 0
            finally:
                program.kill()


@pytest.mark.parametrize("dialog", ["keys", "about"])
def test_buttons_of_dialogs_have_no_icons_of_the_style(window, qtbot, dialog):
    """Beside the program's own, ✘ and ✔ of Qt's style look foreign."""

    class WithIcons(QProxyStyle):
        """As on a desktop; without a screen, Qt has no icons."""

        def styleHint(self, hint, *others):
            icons = hint == QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons
            return 1 if icons else super().styleHint(hint, *others)

    QApplication.setStyle(WithIcons("fusion"))
    try:
        window.actions_by_name[dialog].trigger()
        (opened,) = [widget for widget in window.findChildren(QDialog) if widget.isVisible()]
        buttons = opened.findChildren(QPushButton)
        assert buttons and all(button.icon().isNull() for button in buttons)
        opened.reject()
    finally:
        QApplication.setStyle("fusion")
