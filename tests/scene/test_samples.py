"""Samples that go through together: the stage shows the one in hand, and what is said of it is right."""

from pathlib import Path

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Cells, flat
from cnnviz.scene.provenance import origin
from cnnviz.scene.view import View
from cnnviz.trace.alone import in_sample, is_shared, sample_at
from cnnviz.trace.writes import offsets_writing
from tests.trace.test_state import check_states

LESSON = Path(__file__).parent.parent / "lesson/files/three-together.toml"


@pytest.fixture(scope="module")
def program():
    return load_lesson(str(LESSON)).program


def test_every_listing_is_what_python_does(program):
    for operation in program.operations:
        check_states(operation.call)


@pytest.mark.parametrize("letters", [False, True])
def test_every_step_of_every_kind_is_composed(program, letters):
    for operation in program.operations:
        start = program.start(operation.name)
        for offset in {0, 1, 2, len(operation) // 2, len(operation) - 2, len(operation) - 1}:
            frame = compose(program, start + offset, View(1280, 720, display=Display(letters=letters)))
            assert any(isinstance(mark, Cells) for mark in flat(frame.marks)), operation.name


def test_the_stage_shows_the_numbers_of_the_sample_in_hand(program):
    operation = program.operation("relu1")
    for number in range(3):
        offset = in_sample(operation, len(operation) // 2, number)
        frame = compose(program, program.start("relu1") + offset, View(1280, 720))
        grids = [mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.array == "x"]
        shown = {mark.values.shape: mark.values for mark in grids}
        whole = operation.call.given["x"][number]
        assert any(np.array_equal(values, part) for values in shown.values() for part in whole), (
            f"sample {number}"
        )


def test_what_is_said_of_a_cell_is_what_its_step_did(program):
    """Held against the executed listing: the step named has written the number that is shown."""
    asked = 0
    for operation in program.operations:
        start = program.start(operation.name)
        for offset in range(3, len(operation), max(1, len(operation) // 7)):
            at = moment(program, start + offset)
            shown, number = at.pictured, at.sample
            for name in shown.operation.tree.arrays & shown.operation.call.writes.keys():
                values = shown.state.arrays[name]
                index = tuple(int(k) for k in np.argwhere(np.ones(values.shape, bool))[-1])
                found = origin(at, name, index)
                if found.step is None or operation.phase == "update":
                    continue
                step = program[found.step]
                written = program.state(found.step).writes
                place = (number, *index) if is_shared(operation) and operation.call.batch else index
                of_samples = operation.call.batch and name in operation.call.batch.arrays
                own = place[: np.ndim(operation.call.writes[name])] if of_samples else index
                assert (name, own) in written
                assert step.operation is operation
                if of_samples and is_shared(operation):
                    assert sample_at(operation, step.offset) == number
                asked += 1
    assert asked > 60


def test_a_cell_that_another_layer_made_leads_to_the_same_sample_there(program):
    at = moment(program, program.start("relu1") + in_sample(program.operation("relu1"), 200, 2))
    found = origin(at, "x", (1, 2, 3))
    written = program.state(found.step).writes
    assert written == (("y", (2, 1, 2, 3)),)
    assert program[found.step].operation.name == "conv1"


def test_readers_are_counted_over_all_samples(program):
    at = moment(program, program.start("conv1") + 100)
    found = origin(at, "w", (0, 0, 1, 1))
    operation = program.operation("conv1")
    times = sum(
        ("w", (0, 0, 1, 1)) in program.state(program.start("conv1") + k).reads for k in range(len(operation))
    )
    assert any(f"read {times} times by conv1" in told for told in found.readers)


def test_the_same_step_of_another_sample_has_the_same_line_and_variables(program):
    for operation in program.operations:
        for offset in range(0, len(operation), 11):
            for number in range(3):
                there = in_sample(operation, offset, number)
                if there is None:
                    continue
                assert operation.line_at(there) == operation.line_at(offset)
                here, moved = operation.variables_at(offset), operation.variables_at(there)
                inside = {loop.variable for loop in operation.loops_at(offset)}
                assert {k: v for k, v in here.items() if k != "n" and k in inside} == {
                    k: v for k, v in moved.items() if k != "n" and k in inside
                }
                assert sample_at(operation, there) == number
    assert in_sample(program.operation("fc.w"), 3, 0) is None
    assert len(offsets_writing(program.operation("conv1"), "y", (2, 1, 4, 4))) == 1
