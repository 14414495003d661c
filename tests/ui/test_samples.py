"""Samples that go through together, in the window: a key leads to the next, a click to what was made."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Cells, flat
from cnnviz.scene.panels import row_said
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


def test_looking_by_keyboard_begins_at_the_number_that_the_step_has_written(window):
    player = window.player
    operation = player.cursor.program.operation("relu1")
    player.go_to(player.cursor.program.start("relu1") + operation.step_writing("y", (2, 1, 3, 1)))
    assert player.moment.state.writes == (("y", (2, 1, 3, 1)),)
    grids = [mark for mark in flat(window.stage.frame.marks) if isinstance(mark, Cells) and mark.array == "y"]
    boxes = [grid.box_of(*place) for grid in grids if (place := grid.cell_of((1, 3, 1)))]
    assert window.stage.first(window.stage.frame) in boxes


def test_a_row_of_the_network_names_the_steps_of_all_samples(window):
    player = window.player
    program = player.cursor.program
    item = next(one for one in window.network.rows.rows.items if one.name == "relu1")
    first = program.start("relu1")
    last = first + len(program.operation("relu1")) - 1
    assert any(f"steps {first:,} to {last:,}" in line for line in row_said(player.moment.alone, item))
