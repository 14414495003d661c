"""Samples that go through together, in the window: a key leads to the next, a click to what was made."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Cells, flat
from cnnviz.trace.alone import sample_at

FILE = Path(__file__).parent.parent / "lesson/files/three-together.toml"
X, SHIFT, LEFT = Qt.Key.Key_X, Qt.KeyboardModifier.ShiftModifier, Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def lesson():
    return load_lesson(str(FILE))


def in_hand(window) -> tuple[int, int]:
    step = window.player.cursor.step
    return sample_at(step.operation, step.offset), step.line


def test_a_key_goes_to_the_same_step_of_the_next_sample(window, qtbot):
    player = window.player
    player.go_to(player.cursor.program.start("relu1") + 60)
    _, line = in_hand(window)
    qtbot.keyClick(window.stage, X)
    qtbot.keyClick(window.stage, X)
    assert in_hand(window) == (2, line)
    qtbot.keyClick(window.stage, X, SHIFT)
    assert in_hand(window) == (1, line)


@pytest.mark.parametrize(
    ("place", "keys", "told"),
    [
        ("relu1", [SHIFT], "This is the first sample."),
        ("relu1", [Qt.KeyboardModifier.NoModifier] * 3, "This is the last sample."),
        ("fc.w", [SHIFT], "This step is not about one of the samples: go to one of a layer first."),
    ],
)
def test_where_there_is_none_it_is_said(window, qtbot, place, keys, told):
    player, failed = window.player, []
    player.noted.connect(failed.append)
    player.go_to(player.cursor.program.start(place) + 3)
    for modifier in keys:
        qtbot.keyClick(window.stage, X, modifier)
    assert failed == [told]


def test_with_one_sample_it_is_said_how_there_would_be_more(window, qtbot):
    failed: list[str] = []
    window.desk.open("relu")
    window.player.noted.connect(failed.append)
    qtbot.keyClick(window.stage, X)
    assert failed == ["One sample goes through here; in a lesson with a batch_size there are more."]


def test_a_click_on_a_number_goes_to_the_step_that_wrote_it_in_the_sample_in_hand(window, qtbot):
    player = window.player
    program = player.cursor.program
    operation = program.operation("relu1")
    player.go_to(program.start("relu1") + len(operation) - 2)
    grid = next(m for m in flat(window.stage.frame.marks) if isinstance(m, Cells) and m.array == "x")
    box = grid.box_of(1, 1)
    qtbot.mouseClick(window.stage, LEFT, pos=QPoint(round(box.x + box.w / 2), round(box.y + box.h / 2)))
    ((name, index),) = player.moment.state.writes
    assert player.cursor.step.operation.name == "conv1" and name == "y"
    assert index[0] == 2
    assert index[2:] == (1, 1)
