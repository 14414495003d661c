"""What fails in the middle of painting leaves no painter open, and is painted again when it does not fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, QSize, Qt, QVariantAnimation, qInstallMessageHandler
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from cnnviz.render import cache, painter
from cnnviz.render.tools import painting
from cnnviz.scene.marks import Label
from cnnviz.ui import curves, style
from cnnviz.ui.lessons import LessonChooser
from cnnviz.ui.pane import FramePane

_NO_FAULT = "This plugin does not support"


class PaintingError(Exception):
    """What is raised in the middle of painting."""


def fail(*_: object) -> None:
    raise PaintingError


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What Qt says meanwhile: of a painter that is left open, it complains when the next one begins."""
    said: list[str] = []
    before = qInstallMessageHandler(
        lambda _, __, message: message.startswith(_NO_FAULT) or said.append(message)
    )
    yield said
    qInstallMessageHandler(before)


def painted(widget: QWidget) -> list[QWidget]:
    """Paint a widget soon, as Qt does it, and return all on which a painter is still at work then."""
    widget.update()
    QCoreApplication.processEvents()
    return [widget for widget in QApplication.allWidgets() if widget.paintingActive()]


PANES = ("network", "stage", "debugger", "timeline")


@pytest.mark.parametrize("name", PANES)
@pytest.mark.parametrize("where", ["a mark", "its ground", "what lies over it", "its composition"])
def test_a_pane(window, qtbot, monkeypatch, told, name, where):
    pane = getattr(window, name)
    with qtbot.captureExceptions() as raised, monkeypatch.context() as patch:
        if where == "a mark":
            patch.setitem(painter._PAINT, Label, fail)
        elif where == "its ground":
            patch.setattr(painter, "_is_large_ground", lambda _: True)
            patch.setattr(painter, "brush", fail)
        else:
            patch.setattr(pane, "on_the_way" if where == "what lies over it" else "compose", fail)
        cache.clear()
        pane.refresh()
        assert painted(pane) == []
    assert {kind for kind, _, _ in raised} == {PaintingError}
    assert painted(pane) == []
    assert told == []


def on_screen(pane: FramePane) -> QImage:
    """What is seen of a pane."""
    corner = pane.mapTo(pane.window(), QPoint(0, 0))
    place = corner.x(), corner.y(), pane.width(), pane.height()
    shown = pane.screen().grabWindow(pane.window().winId(), *place).toImage()
    if shown.isNull():
        pytest.skip("this platform cannot grab what is on the screen")
    return shown


def as_painted_whole(pane: FramePane) -> QImage:
    image = QImage(pane.size(), QImage.Format.Format_RGB32)
    with painting(image) as on:
        picture = pane._picture()
        painter.paint(on, picture.frame, picture.theme)
    return image


@pytest.mark.parametrize("glides", [False, True])
def test_what_is_painted_in_part_looks_as_if_it_were_painted_whole(make_window, qtbot, glides):
    """After steps and jumps, also several at once; with what is pointed at, chosen, covered and moved."""
    window = make_window(glides=glides)
    player, stage, program = window.player, window.stage, window.player.cursor.program

    def point(x: float, y: float) -> None:
        qtbot.mouseMove(stage, QPoint(int(x * stage.width()), int(y * stage.height())))

    moves = {
        "in a convolution": lambda: player.go_to(program.find("conv1", i=2, j=3)),
        "the next": lambda: player.go(player.cursor.next()),
        "the next but one": lambda: [player.go(player.cursor.next()) for _ in range(3)],
        "a row further": lambda: player.go_to(program.find("conv1", i=4, j=1)),
        "and back": lambda: player.go(player.cursor.previous()),
        "at a number": lambda: point(0.3, 0.4),
        "at another": lambda: point(0.33, 0.45),
        "a step under it": lambda: player.go(player.cursor.next()),
        "nowhere": lambda: point(0.01, 0.01),
        "chosen": stage.look,
        "beside": lambda: qtbot.keyClick(stage, Qt.Key.Key_Down),
        "another pane": lambda: window.network.setFocus(Qt.FocusReason.TabFocusReason),
        "a row": lambda: qtbot.keyClick(window.network, Qt.Key.Key_Down),
        "scrolled": lambda: window.network.scroll_by(1),
        "elsewhere": lambda: player.go_to(program.find("pool2.dx") + 40),
        "covered": window.actions_by_name["black"].trigger,
        "a step that is not seen": lambda: player.go(player.cursor.next()),
        "uncovered": window.actions_by_name["black"].trigger,
        "a pane less": lambda: window._toggle_pane("debugger"),
        "a step without it": lambda: player.go(player.cursor.next()),
        "there again": lambda: window._toggle_pane("debugger"),
        "copied before it is painted": lambda: [player.go(player.cursor.next()), stage.grab()],
        "and painted": lambda: player.go(player.cursor.next()),
        "dark": window.actions_by_name["theme"].trigger,
        "a step in the dark": lambda: player.go(player.cursor.next()),
        "smaller": lambda: window.resize(1200, 700),
        "the end": lambda: player.go_to(len(program) - 1),
    }
    for said, move in moves.items():
        move()
        QCoreApplication.processEvents()
        qtbot.waitUntil(lambda: stage._glide.state() != QVariantAnimation.State.Running)
        QCoreApplication.processEvents()
        if said == "covered" or said == "a step that is not seen":
            continue
        assert player.shown, said
        for pane in window.panes:
            if pane.isVisible():
                assert on_screen(pane) == as_painted_whole(pane), (said, pane)


def test_kernels_under_the_curves(window, qtbot, monkeypatch, told):
    window.desk.open("training")
    window.actions_by_name["train"].trigger()
    window.training.trainer.pause()
    shown = window.training.curves
    with qtbot.captureExceptions() as raised, monkeypatch.context() as patch:
        patch.setattr(curves, "paint", fail)
        shown.kernels.show()
        assert painted(shown.kernels) == []
    assert [kind for kind, _, _ in raised][:1] == [PaintingError]
    assert painted(shown.kernels) == [] and told == []


def test_dots_of_the_curves(window, qtbot, monkeypatch, told):
    window.desk.open("training")
    window.actions_by_name["train"].trigger()
    window.training.trainer.pause()
    shown = window.training.curves
    with qtbot.captureExceptions() as raised, monkeypatch.context() as patch:
        patch.setattr(shown.each, "_points", None)
        assert painted(shown.loss.viewport()) == []
    assert {kind for kind, _, _ in raised} == {TypeError}, "and the program is still there"
    assert painted(shown.loss.viewport()) == [] and told == []


def test_entries_of_the_lessons(window, qtbot, monkeypatch, told):
    window.actions_by_name["lessons"].trigger()
    chooser = window.findChild(LessonChooser)
    with qtbot.captureExceptions() as raised, monkeypatch.context() as patch:
        patch.setattr("cnnviz.ui.lessons._Entry._write", fail)
        assert painted(chooser.list.viewport()) == []
    assert [kind for kind, _, _ in raised][:1] == [PaintingError]
    assert painted(chooser.list.viewport()) == [] and told == []
    chooser.close()


def test_the_cover(window, qtbot, monkeypatch, told):
    with qtbot.captureExceptions() as raised, monkeypatch.context() as patch:
        patch.setattr("cnnviz.ui.blank.QColor", fail)
        window.actions_by_name["black"].trigger()
        assert painted(window.blank) == []
    assert [kind for kind, _, _ in raised][:1] == [PaintingError]
    assert painted(window.blank) == [] and told == []


def test_an_icon(application, monkeypatch, told):
    made: list[QPixmap] = []

    class Pixmap(QPixmap):
        def __init__(self, size: QSize) -> None:
            super().__init__(size)
            made.append(self)

    monkeypatch.setattr(style, "QPixmap", Pixmap)
    monkeypatch.setattr("PySide6.QtSvg.QSvgRenderer.render", fail)
    with pytest.raises(PaintingError):
        style.icon.__wrapped__("cnnviz", "")
    assert [pixmap.paintingActive() for pixmap in made] == [False]
    assert told == []
