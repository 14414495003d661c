"""The frame is dragged out of the stage into another program."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QImage, QMouseEvent
from PySide6.QtWidgets import QApplication

from cnnviz.errors import CnnvizError
from tests.ui.test_context import cell

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def drawn(stage, begin: QPoint, far: int) -> None:
    for kind, at in (
        (QEvent.Type.MouseButtonPress, begin),
        (QEvent.Type.MouseMove, begin + QPoint(far, far)),
        (QEvent.Type.MouseButtonRelease, begin + QPoint(far, far)),
    ):
        QApplication.sendEvent(stage, QMouseEvent(kind, QPointF(at), QPointF(at), LEFT, LEFT, NONE))


def test_the_frame_is_dragged_out_as_a_picture_and_as_a_file_when_asked(window, monkeypatch):
    taken: list[QMimeData] = []
    monkeypatch.setattr("cnnviz.ui.pictures.QDrag.exec", lambda drag, *_: taken.append(drag.mimeData()))
    box, _ = cell(window, "x")
    drawn(window.stage, QPoint(round(box.center[0]), round(box.center[1])), 60)
    drawn(window.stage, QPoint(3, 3), 2)
    assert not taken, "neither from a number, nor by a click"
    drawn(window.stage, QPoint(3, 3), 60)
    (data,) = taken
    assert data.hasImage() and data.hasUrls()
    image = QImage(data.imageData())
    assert (image.width(), image.height()) == (1920, 1080) and image == window.pictures.image()
    folder = Path(window.pictures._folder.name)
    assert not list(folder.iterdir()), "no file before one is asked for"
    (url,) = data.urls()
    file = Path(url.toLocalFile())
    assert file.name == f"digits-{window.player.cursor.index}.png" and file.parent == folder
    assert bytes(data.data("text/uri-list")).decode().strip() == url.toString()
    assert QImage(str(file)).convertToFormat(image.format()) == image

    def refuse(*_):
        raise CnnvizError("The disk is full.")

    monkeypatch.setattr("cnnviz.ui.pictures.write_whole", refuse)
    drawn(window.stage, QPoint(3, 3), 60)
    assert taken[1].urls() == [] and window.message.sentence.text() == "The disk is full."


def test_what_is_dragged_out_is_not_taken_in_again(window, monkeypatch):
    data = QMimeData()
    data.setImageData(window.pictures.image())
    sources = [None, window.stage]
    monkeypatch.setattr(QDragEnterEvent, "source", lambda _: sources[0], raising=False)
    accepted = []
    for _ in range(2):
        event = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, LEFT, NONE)
        event.ignore()
        window.dragEnterEvent(event)
        accepted.append(event.isAccepted())
        sources.reverse()
    assert accepted == [True, False]
