"""Training in the window: train, pause, end; curves; any iteration stepped, and the place kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QToolButton

from cnnviz.engine.training import Run
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Cells
from cnnviz.scene.numbers import brief
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui import desk
from cnnviz.ui.keys import KEYS
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
from tests.lesson.conftest import LESSON, toml

K, LEFT = Qt.Key, Qt.MouseButton.LeftButton
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
ROOT = Path(__file__).resolve().parents[2]
SOON = 30_000  # milliseconds
COUNT = 60


@pytest.fixture
def source(tmp_path):
    """Write a lesson that trains in no time."""

    def write(lr=0.1, iterations=COUNT, loss="cross_entropy", squashed=True):
        images = np.random.default_rng(0).integers(0, 32, (10, 1, 4, 4)).astype(np.uint8)
        np.savez(tmp_path / "images.npz", images=images, labels=np.arange(10) % 3)
        training = {"iterations": iterations, "held_out": 3, "measure": 20}
        optimiser = {"kind": "sgd", "lr": lr}
        path = tmp_path / "small.toml"
        layers = LESSON["layers"] if squashed else LESSON["layers"][:-1]
        said = {**LESSON, "layers": layers, "loss": {"kind": loss}, "optimiser": optimiser}
        said["training"] = training
        path.write_text(toml(said), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def open_on(make_window):
    def open_on(path):
        window = make_window()
        window.desk.open(path)
        return window

    return open_on


@pytest.fixture
def window(open_on, source):
    return open_on(source())


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier, widget=None):
    qtbot.keyClick(widget or window.stage, key, modifier)


def train(qtbot, window):
    window.training.toggle()
    qtbot.waitUntil(lambda: not window.training.trainer.running, timeout=SOON)


def shown(window):
    """Return the iteration that is stepped: of the desk, the program, the box and the slider alike."""
    pane = window.training
    found = {
        window.desk.lesson.iteration,
        window.player.cursor.program.iteration,
        pane.number.value(),
        pane.slider.value(),
    }
    assert len(found) == 1
    return found.pop()


def test_it_opens_untrained_at_the_first_step_and_says_what_to_press(window):
    pane = window.training
    assert pane.isVisible() and not pane.trainer.running
    assert (shown(window), window.player.cursor.index) == (0, 0)
    assert (pane.train.text(), pane.train.toolTip()) == ("Train", "Train, pause (G)")
    assert pane.progress.text() == "0 / 60"
    assert not pane.cancel.isEnabled()
    assert window.middle.currentWidget() is window.stage


def test_without_memory_it_ends_with_one_sentence(window, qtbot, monkeypatch):
    def run_out(self):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Run, "_iterate", run_out)
        train(qtbot, window)
    assert window.message.sentence.text().startswith("There is not enough memory")
    assert not window.training.trainer.begun
    train(qtbot, window)
    assert shown(window) == COUNT - 1


def test_other_lessons_have_no_training(make_window, qtbot):
    window = make_window()
    assert not window.training.isVisible()
    for name in ("train", "curves", "next_iteration", "back_iteration", "cancel_training"):
        assert not window.actions_by_name[name].isEnabled()
    press(qtbot, window, K.Key_G)
    assert window.middle.currentWidget() is window.stage


def test_training_to_the_end_is_what_python_gives(window, source, qtbot):
    train(qtbot, window)
    run, alone = window.training.trainer.run, load_lesson(source()).at_iteration(COUNT - 1).run
    for _ in alone.work():
        pass
    assert np.array_equal(run.losses, alone.losses)
    assert run.accuracies == alone.accuracies
    assert shown(window) == COUNT - 1
    assert window.message.sentence.text().startswith("Trained: ")
    said = f"{100 * run.accuracies[COUNT]:.1f} % of the 3 held-out images are classified correctly"
    assert said in window.message.sentence.text()
    assert window.training.train.text() == "Train again"


def test_pause_go_on_and_cancel(open_on, source, qtbot):
    window = open_on(source(iterations=100_000))
    pane = window.training
    press(qtbot, window, K.Key_G)
    assert pane.trainer.running and pane.train.text() == "Pause"
    qtbot.waitUntil(lambda: pane.trainer.run.done > 10, timeout=SOON)
    press(qtbot, window, K.Key_G, widget=window)
    done = pane.trainer.run.done
    assert not pane.trainer.running and pane.train.text() == "Go on"
    assert shown(window) == done
    qtbot.wait(30)
    assert pane.trainer.run.done == done

    press(qtbot, window, K.Key_G, widget=window)
    qtbot.waitUntil(lambda: pane.trainer.run.done > done, timeout=SOON)
    qtbot.mouseClick(pane.cancel, LEFT)
    done = pane.trainer.run.done
    assert not pane.trainer.running and not pane.cancel.isEnabled()
    assert window.message.sentence.text().startswith(f"Training ended after {done:,} of 100,000 iterations")
    assert shown(window) == done  # what is done is kept
    pane.choose(5)
    assert shown(window) == 5


def test_escape_pauses(open_on, source, qtbot):
    window = open_on(source(iterations=100_000))
    window.training.toggle()
    press(qtbot, window, K.Key_Escape, widget=window)
    assert not window.training.trainer.running


def test_the_window_answers_while_it_trains(open_on, source, qtbot):
    window = open_on(source(iterations=100_000))
    window.training.toggle()
    qtbot.waitUntil(lambda: window.training.trainer.run.done > 10, timeout=SOON)
    before = window.player.cursor
    press(qtbot, window, K.Key_PageDown, widget=window)
    assert window.player.cursor == before.next()
    assert window.training.trainer.running
    assert window.middle.currentWidget() is window.stage


def test_an_iteration_chosen_meanwhile_is_stayed_at(open_on, source, qtbot):
    window = open_on(source(iterations=100_000))
    window.training.toggle()
    qtbot.waitUntil(lambda: window.training.trainer.run.done > 10, timeout=SOON)
    window.training.choose(3)
    window.training.toggle()
    assert shown(window) == 3


def test_trained_again_it_begins_at_the_first_iteration(window, qtbot):
    train(qtbot, window)
    before = window.training.trainer.run.losses.copy()
    window.training.toggle()
    assert (window.training.trainer.run.done, shown(window)) == (0, 0)
    qtbot.waitUntil(lambda: not window.training.trainer.running, timeout=SOON)
    assert np.array_equal(window.training.trainer.run.losses, before)


def test_another_iteration_keeps_the_place(window, qtbot):
    train(qtbot, window)
    player = window.player
    player.go_to(player.cursor.program.find("conv1", o=1, i=0, j=1))
    before, step = player.cursor, player.cursor.step
    for key, iteration in ((K.Key_Up, COUNT - 2), (K.Key_Up, COUNT - 3), (K.Key_Down, COUNT - 2)):
        press(qtbot, window, key, ALT)
        assert shown(window) == iteration
    assert player.cursor.program is not before.program
    there = player.cursor.step
    assert (there.operation.name, there.line, there.variables) == (
        step.operation.name,
        step.line,
        step.variables,
    )
    assert player.cursor.index == before.index


def test_untrained_one_goes_on_iteration_by_iteration(window, qtbot):
    for iteration in (1, 2, 3):
        press(qtbot, window, K.Key_Down, ALT)
        assert (shown(window), window.training.trainer.run.done) == (iteration, iteration)
    for iteration in (2, 1, 0, 0):
        press(qtbot, window, K.Key_Up, ALT)
        assert shown(window) == iteration


def test_the_box_and_the_slider_choose_what_is_done(window, qtbot):
    train(qtbot, window)
    pane = window.training
    pane.number.setFocus()
    pane.number.selectAll()
    qtbot.keyClicks(pane.number, "17")
    assert shown_before_enter(window) == COUNT - 1
    qtbot.keyClick(pane.number, K.Key_Return)
    assert shown(window) == 17
    qtbot.keyClick(pane.number, K.Key_Up)
    assert shown(window) == 18
    pane.slider.setFocus()
    qtbot.keyClick(pane.slider, K.Key_Right)
    assert shown(window) == 19
    assert pane.slider.hasFocus()
    press(qtbot, window, K.Key_PageDown, widget=pane.number)  # a presenter's remote steps all the same
    assert window.player.cursor.index > 0


def test_what_is_being_typed_is_left_alone_while_it_trains(open_on, source, qtbot):
    window = open_on(source(iterations=100_000))
    pane = window.training
    pane.toggle()
    qtbot.waitUntil(lambda: pane.trainer.run.done > 30, timeout=SOON)
    pane.number.setFocus()
    pane.number.selectAll()
    qtbot.keyClicks(pane.number, "2")
    done = pane.trainer.run.done
    qtbot.waitUntil(lambda: pane.trainer.run.done > done + 100, timeout=SOON)
    qtbot.keyClicks(pane.number, "7")
    qtbot.keyClick(pane.number, K.Key_Return)
    assert shown(window) == 27


def test_letters_follow_the_height_of_the_lecture_view(window, qtbot):
    press(qtbot, window, K.Key_C)
    window.lecture.show(True)
    for height in (1000, 700):
        window.resize(1280, height)
        font = window.training.curves.loss.getAxis("left").style["tickFont"]
        assert font.pixelSize() == pytest.approx(window.height() / 45, abs=1)


def test_a_lesson_opened_again_shows_its_stage(window, source, qtbot):
    press(qtbot, window, K.Key_C)
    for lesson in ("relu", source()):
        window.desk.open(lesson)
        assert window.middle.currentWidget() is window.stage


def shown_before_enter(window):
    return window.desk.lesson.iteration


def test_the_slider_stops_where_training_is(window):
    pane = window.training
    for iteration in (1, 2):
        pane.choose(iteration)
    pane.slider.setValue(50)
    assert shown(window) == pane.trainer.run.last == 2
    pane.number.setValue(40)
    assert shown(window) == 2


def test_the_accuracy_beside_an_iteration_is_said_with_where_it_was_measured(window, qtbot):
    train(qtbot, window)
    pane, run = window.training, window.training.trainer.run
    pane.choose(40)
    assert pane.figures.text().endswith(f"held-out accuracy {100 * run.accuracies[40]:.1f} %")
    pane.choose(47)
    assert pane.figures.text().endswith(f"held-out accuracy {100 * run.accuracies[40]:.1f} % at 40")


@pytest.mark.parametrize("loss, said", [("cross_entropy", "loss (nats)"), ("half_squared_error", "loss")])
def test_only_a_loss_that_is_a_surprise_is_in_nats(open_on, source, qtbot, loss, said):
    window = open_on(source(loss=loss))
    train(qtbot, window)
    assert window.training.curves.loss.getAxis("left").labelText == said


def test_curves_stand_in_the_stages_place_until_a_step_is_taken(window, qtbot):
    train(qtbot, window)
    curves = window.training.curves
    assert window.middle.currentWidget() is curves
    x, y = curves.each._points.at(7).x(), curves.each._points.at(7).y()
    assert (x, y) == (7, window.training.trainer.run.losses[7])
    right = curves.right.getData()
    assert right[0].tolist() == [0, 20, 40, 60]
    assert right[1].tolist() == [100 * window.training.trainer.run.accuracies[t] for t in (0, 20, 40, 60)]

    press(qtbot, window, K.Key_Up, ALT, widget=window)
    assert window.middle.currentWidget() is curves
    assert curves.marks[0].value() == COUNT - 2
    press(qtbot, window, K.Key_PageDown, widget=window)
    assert window.middle.currentWidget() is window.stage
    press(qtbot, window, K.Key_C, widget=window)
    assert window.middle.currentWidget() is curves
    press(qtbot, window, K.Key_V, widget=window)  # the other form of the input gradient
    assert window.middle.currentWidget() is window.stage
    press(qtbot, window, K.Key_C, widget=window)
    window.player.play()
    assert window.middle.currentWidget() is window.stage
    window.player.pause()
    window.desk.go_to_iteration(0)
    window.player.go_to(len(window.player.cursor.program) - 1)
    window.player.set_breakpoint(Breakpoint("", 0, kind=Kind.GRADIENT, what="1e-9"))
    press(qtbot, window, K.Key_C, widget=window)
    press(qtbot, window, K.Key_L, widget=window)  # a breakpoint stops in another iteration
    assert window.desk.lesson.iteration == 1
    assert window.middle.currentWidget() is window.stage


def test_a_message_lies_over_the_curves_too(window, qtbot):
    train(qtbot, window)
    window.message.say("A fault.")
    for shown in (window.stage, window.training.curves):
        press(qtbot, window, K.Key_C, widget=window)
        assert window.middle.currentWidget() is shown
        on_top = window.childAt(window.message.geometry().center())
        assert window.message.isAncestorOf(on_top)


def test_a_click_on_a_curve_goes_there(window, qtbot):
    train(qtbot, window)
    plot = window.training.curves.loss
    at = plot.mapFromScene(plot.getViewBox().mapViewToScene(QPointF(23.0, 0.5)))
    qtbot.mouseMove(plot.viewport(), at)
    qtbot.mouseClick(plot.viewport(), LEFT, pos=at)
    assert shown(window) == 23


def test_the_kernels_are_those_of_the_iteration_and_of_the_first(window, qtbot):
    train(qtbot, window)
    window.training.choose(40)
    grids = [mark.values for mark in window.training.curves.kernels.frame.marks if isinstance(mark, Cells)]
    run = window.training.trainer.run
    for t, shown_grids in ((0, grids[:2]), (40, grids[2:])):
        w = run.network_at(t).parameters["conv1.w"]
        assert np.array_equal(np.array(shown_grids), w[:, 0])


def test_divergence_is_said_once_and_what_is_done_stays(open_on, source, qtbot):
    window = open_on(source(lr=1e300))
    train(qtbot, window)
    run = window.training.trainer.run
    assert window.message.sentence.text() == run.fault
    assert run.fault.startswith("Training has diverged at iteration ")
    assert window.message.property("kind") == "error"
    assert shown(window) == run.last
    press(qtbot, window, K.Key_Down, ALT, widget=window)
    assert shown(window) == run.last


def test_a_loss_that_runs_away_leaves_its_axis_and_it_is_said(open_on, source, qtbot):
    window = open_on(source(lr=1.0, loss="half_squared_error", squashed=False))
    train(qtbot, window)
    run, curves = window.training.trainer.run, window.training.curves
    assert run.losses[run.done - 2] > 1e27 and run.losses[0] < 2
    low, high = curves.loss.getViewBox().viewRange()[1]
    assert low == 0 and run.losses[0] < high < 20, "what it began with can be read"
    assert curves.beyond.isVisible()
    assert curves.beyond.text().startswith("At iteration 1 the loss has left its axis; at iteration ")
    window.desk.open(source())
    train(qtbot, window)
    assert window.training.curves.beyond.isHidden()


def test_the_lecture_view_has_the_curves_and_the_keys(window, qtbot):
    press(qtbot, window, K.Key_L, CONTROL)
    assert not window.training.isVisible()
    press(qtbot, window, K.Key_G, widget=window)
    qtbot.waitUntil(lambda: not window.training.trainer.running, timeout=SOON)
    curves = window.training.curves
    assert curves.isVisible()
    font = curves.loss.getAxis("bottom").style["tickFont"]
    assert font.pixelSize() >= window.height() / 50
    press(qtbot, window, K.Key_PageDown, widget=window)
    assert window.stage.isVisible()


def test_every_control_has_a_name_and_a_tooltip_and_is_reached_by_tab(window):
    pane = window.training
    for widget in (*pane.findChildren(QToolButton), pane.number, pane.slider):
        assert widget.accessibleName() and widget.toolTip()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert pane.progress.accessibleName()
    for button, name in ((pane.train, "train"), (pane.next, "next_iteration"), (pane.show_curves, "curves")):
        key = KEYS[name].keys[0]
        assert key.replace("Right", "→") in button.toolTip()


def test_another_lesson_ends_it_and_training_is_not_remembered_over_a_restart(
    open_on, source, qtbot, settings_file
):
    path = source(iterations=100_000)
    window = open_on(path)
    window.training.toggle()
    qtbot.waitUntil(lambda: window.training.trainer.run.done > 10, timeout=SOON)
    run = window.training.trainer.run
    window.desk.open("relu")
    assert not window.training.isVisible() and window.training.trainer.run is None
    assert window.middle.currentWidget() is window.stage
    done = run.done
    qtbot.wait(30)
    assert run.done == done
    window.desk.open(path)
    assert window.training.progress.text() == f"{done} / 100,000"
    assert not window.training.trainer.running and window.training.train.text() == "Go on"
    window.training.choose(7)
    window.player.go_to(42)
    window.close()
    again = Window(load_lesson(path), Settings(settings_file))
    assert again.desk.lesson.image == again.desk.lesson.run.image_of(0)
    assert (shown(again), again.training.progress.text()) == (0, "0 / 100,000")
    assert again.player.cursor.index == 0, "step 42 was one of another iteration"
    again.close()
    again.deleteLater()


def test_what_was_trained_is_there_when_its_lesson_is_opened_again(window, qtbot, source):
    """With its curves, at the iteration where it was left; and it need not be trained again."""
    train(qtbot, window)
    window.training.choose(17)
    window.player.go_to(42)
    tape, run = window.desk.lesson.tape, window.training.trainer.run
    for elsewhere in ("relu", "digits"):
        window.desk.open(elsewhere)
    window.desk.open(source())
    assert window.training.trainer.run is run
    assert (shown(window), window.player.cursor.index) == (17, 42)
    assert all(np.array_equal(tape[key], array) for key, array in window.desk.lesson.tape.items())
    assert (window.training.progress.text(), window.training.train.text()) == ("60 / 60", "Train again")
    press(qtbot, window, K.Key_C)
    assert window.training.curves.isVisible()


def test_a_lesson_that_was_changed_meanwhile_begins_anew(window, source):
    window.training.choose(1)
    window.desk.open("relu")
    window.desk.open(source(lr=0.2))
    assert (shown(window), window.training.progress.text()) == (0, "0 / 60")


@pytest.mark.parametrize("room, kept", [(0, 1), (-1, 0)])
def test_a_training_that_takes_much_memory_is_let_go(window, source, monkeypatch, room, kept):
    window.training.choose(1)
    monkeypatch.setattr(desk, "_MOST_KEPT", window.training.trainer.run.nbytes + room)
    window.desk.open("relu")
    window.desk.open(source())
    assert shown(window) == kept


def test_a_training_that_has_grown_is_let_go_too(window, source, monkeypatch):
    window.training.choose(1)
    window.desk.open("relu")
    window.desk.open(source())
    assert shown(window) == 1
    monkeypatch.setattr(desk, "_MOST_KEPT", window.training.trainer.run.nbytes - 1)
    window.desk.open("relu")
    window.desk.open(source())
    assert shown(window) == 0


def test_one_that_has_begun_again_is_not_trained_while_its_lesson_is_opened(window, qtbot, source):
    train(qtbot, window)
    window.desk.open("relu")
    window.desk.open(source())
    assert shown(window) == COUNT - 1
    for _ in range(2):  # begin again, and pause at once
        window.training.toggle()
    window.desk.open("relu")
    window.desk.open(source())
    assert (shown(window), window.training.progress.text()) == (0, "0 / 60")


def test_what_is_exported_is_the_iteration_at_hand(window, qtbot):
    from cnnviz.ui.export_dialog import ExportDialog

    window.training.choose(1)
    window.actions_by_name["export"].trigger()
    dialog = window.findChildren(ExportDialog)[-1]
    assert dialog.order().choice.iteration == 1
    dialog.reject()


def test_pyqtgraph_is_loaded_with_the_first_curve_and_not_before(tmp_path):
    program = f"""
import sys
from pathlib import Path
from cnnviz.lesson.lesson import load_lesson
from cnnviz.ui.launch import application_of_cnnviz
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
application = application_of_cnnviz()
window = Window(load_lesson("training"), Settings(Path({str(tmp_path / "s.ini")!r})))
window.show()
application.processEvents()
print("pyqtgraph" in sys.modules)
window.actions_by_name["curves"].trigger()
print("pyqtgraph" in sys.modules)
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "True"], done.stderr


# ------------------------------------------------------------------------------- without held-out samples

XOR = {
    "title": "Exclusive or",
    "sentence": "Four points.",
    "seed": 0,
    "input": {"shape": [2], "values": [[0, 0], [0, 1], [1, 0], [1, 1]], "target": [[0], [1], [1], [0]]},
    "layers": [
        {"name": "hidden", "kind": "linear", "neurons": 2},
        {"name": "tanh", "kind": "tanh"},
        {"name": "output", "kind": "linear", "neurons": 1},
    ],
    "loss": {"kind": "mean_squared_error"},
    "optimiser": {"kind": "sgd", "lr": 0.1, "fixed": ["output.b"]},
    "training": {"iterations": 50},
}


def test_a_training_on_few_samples_shows_its_loss_alone(open_on, tmp_path, qtbot):
    path = tmp_path / "xor.toml"
    path.write_text(toml(XOR), encoding="utf-8")
    window = open_on(str(path))
    window.actions_by_name["train"].trigger()
    qtbot.waitUntil(lambda: not window.training.trainer.begun, timeout=SOON)
    curves, run = window.training.curves, window.desk.lesson.run
    assert run.done == 50 and np.isfinite(run.losses).all()
    assert curves.loss.isVisible() and not curves.accuracy.isVisible()
    assert curves.loss.width() > 0.9 * curves.width()
    assert window.message.sentence.text() == (
        f"Trained: 50 iterations; the last loss is {brief(float(f'{run.losses[49]:.3g}'))}. "
        "Any iteration can be stepped."
    )
    assert "held-out" not in window.training.figures.text()
    assert window.training.figures.text().startswith("loss 0.")
    assert [operation.name for operation in window.player.cursor.program.operations][-3:] == [
        "hidden.w", "hidden.b", "output.w",
    ]  # fmt: skip


def test_samples_of_a_few_numbers_are_chosen_from_a_list(open_on, tmp_path, application, monkeypatch):
    path = tmp_path / "xor.toml"
    path.write_text(toml(XOR), encoding="utf-8")
    window = open_on(str(path))
    monkeypatch.setattr(window.dialogs.images, "open_at", lambda *_: None)  # without a screen, none
    window.actions_by_name["image"].trigger()
    grid = window.dialogs.images.grid
    assert [grid.item(k).text() for k in range(grid.count())] == ["(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"]
    grid.itemClicked.emit(grid.item(1))
    application.processEvents()
    assert window.desk.lesson.tape["loss.t"].tolist() == [1]
    assert window.desk.lesson.tape["hidden.x"].tolist() == [0, 1]


@pytest.mark.parametrize("key, iteration", [(K.Key_Return, 3), (K.Key_Enter, 3), (K.Key_Escape, 0)])
def test_after_an_iteration_was_typed_letters_are_the_windows_again(window, qtbot, key, iteration):
    pane = window.training
    pane.trainer.run.reset()
    for _ in pane.trainer.run.work(5):
        pass
    pane.refresh()
    pane.number.setFocus()
    pane.number.selectAll()
    qtbot.keyClicks(pane.number, "3")
    qtbot.keyClick(pane.number, key)
    assert window.stage.hasFocus()
    assert (window.desk.lesson.iteration, pane.number.value()) == (iteration, iteration)
    assert pane.number.text() == str(iteration)
