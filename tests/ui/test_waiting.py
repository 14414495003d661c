"""What takes long says how far it is, and can be cancelled."""

import threading

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QPushButton

from cnnviz import working
from cnnviz.engine.network import Network
from cnnviz.errors import out_of_memory
from cnnviz.lesson.changes import Cell
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui import waiting
from cnnviz.working import StoppedError, tell
from tests.formats.reference import DATA
from tests.ui.test_editing import TINY_VGG


@pytest.fixture
def stuck(monkeypatch):
    """Opening an .onnx file goes no further than a part of it until it is allowed to."""
    on, ended = threading.Event(), threading.Event()

    def halted(what, done, count):
        try:
            tell(what, done, count)
            if done == 2:
                on.wait(20)
        except StoppedError:
            ended.set()
            raise

    monkeypatch.setattr(working, "tell", halted)
    monkeypatch.setattr(waiting, "SHOWN_AFTER", 0.05)
    yield on, ended
    on.set()


def as_soon_as_it_is_stuck(window, work):
    """Have something done with the dialog that says so."""

    def look():
        dialog = QApplication.activeModalWidget()
        if dialog is not None and dialog.isActiveWindow() and dialog.value() == 2:
            ticks.stop()
            work(dialog)

    ticks = QTimer(window)
    ticks.timeout.connect(look)
    ticks.start(60)


@pytest.mark.parametrize("by_mouse", [True, False])
def test_opening_shows_how_far_it_is_and_can_be_cancelled(window, stuck, qtbot, by_mouse):
    on, ended = stuck
    before, said = window.desk.lesson, []

    def cancel(dialog):
        said.append((dialog.labelText(), dialog.value(), dialog.maximum()))
        assert dialog.windowTitle() == "Opening lenet.legacy.onnx …", "a reader says it first"
        if by_mouse:
            qtbot.mouseClick(dialog.findChild(QPushButton), Qt.MouseButton.LeftButton)
        else:
            qtbot.keyClick(dialog, Qt.Key.Key_Escape)

    as_soon_as_it_is_stuck(window, cancel)
    window.opening.open(str(DATA / "lenet.legacy.onnx"))
    assert said == [("Opening lenet.legacy.onnx …\nreading its numbers", 2, 8)]
    assert window.desk.lesson is before
    assert window.message.sentence.text() == "lenet.legacy.onnx was not opened: cancelled."
    assert QApplication.activeModalWidget() is None
    on.set()
    assert ended.wait(10), "what was cancelled goes on"


def test_what_takes_its_time_is_opened(window, stuck):
    QTimer.singleShot(300, stuck[0].set)
    window.opening.open(str(DATA / "lenet.legacy.onnx"))
    assert window.desk.lesson.name == "lenet.legacy"
    window.desk.open(str(DATA / "none.onnx"))
    assert "none.onnx: there is no such file" in window.message.sentence.text()


def test_gradients_of_a_large_network_can_be_cancelled_and_may_not_fit_in_memory(
    window, stuck, qtbot, monkeypatch
):
    on, ended = stuck
    desk, player, said = window.desk, window.player, []

    def cancel(dialog):
        said.append(dialog.labelText())
        qtbot.mouseClick(dialog.findChild(QPushButton), Qt.MouseButton.LeftButton)

    def is_cancelled(work):
        on.clear()
        ended.clear()
        window.message.say("")
        as_soon_as_it_is_stuck(window, cancel)
        work()
        assert said.pop() == "Computing the gradients …\ngoing back"
        assert window.message.sentence.text() == "The gradients were not computed: cancelled."
        assert desk.lesson.tape.unmade
        on.set()
        assert ended.wait(10), "what was cancelled goes on"

    desk.open(str(TINY_VGG))
    back, before = player.cursor.program.start("conv1_1.dw") + 5, player.cursor
    is_cancelled(lambda: player.go_to(back))
    assert player.cursor == before
    is_cancelled(player.run)  # to the end, where it would say that it has come
    assert player.cursor == before
    player.go_to(back)
    assert player.cursor.index == back
    # What is edited there is edited, and seen where that needs no gradient.
    is_cancelled(lambda: desk.change(Cell("input", (0, 3, 4), 0.25), said="painted"))
    assert player.cursor.program is desk.lesson.program
    assert player.cursor.step.operation.call.phase == "loss"
    assert window.stage.grab().height() > 0
    player.set_breakpoint(Breakpoint("", 0, kind=Kind.NONFINITE))
    is_cancelled(player.run)  # which looks through the gradients, too
    with monkeypatch.context() as patched:
        patched.setattr(Network, "_backward", lambda *asked: (_ for _ in ()).throw(MemoryError))
        for work in (lambda: player.go_to(back), player.run):
            window.message.say("")
            work()
            assert window.message.sentence.text() == out_of_memory()
    assert player.cursor.step.operation.call.phase == "loss"
