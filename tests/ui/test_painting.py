"""What fails in the middle of painting leaves no painter open, and is painted again when it does not fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QSize, qInstallMessageHandler
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from cnnviz.render import cache, painter
from cnnviz.scene.marks import Label
from cnnviz.ui import curves, style
from cnnviz.ui.lessons import LessonChooser

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
