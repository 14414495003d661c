"""Before, after and difference: the numbers are those of the two lessons, in the window and in pictures."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.export.walk import seen
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Cells, Label, flat
from cnnviz.scene.view import View
from cnnviz.trace.alone import sample_at

VIEW = View(display=Display(compare=True))


def grids(lesson, name, view=VIEW, size=(1920, 1080)):
    """The numbers of the stage, when an operation is through, with what array each grid stands for."""
    index = lesson.program.start(name) + len(lesson.program.operation(name)) - 1
    view = replace(seen(lesson, view), width=size[0], height=size[1])
    frame = compose(lesson.program, index, view)
    return [(mark.values, mark.array) for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.texts]


@pytest.mark.parametrize(
    ("operation", "key"),
    [("conv1", "conv1.y"), ("fc", "fc.y"), ("conv2.dw", "conv2.dw"), ("softmax", "softmax.y")],
)
def test_it_shows_both_lessons_and_what_lies_between(operation, key):
    was, now = (
        load_lesson("digits"),
        load_lesson("digits", changes=["conv1.w[3,0,1,1]=0.5", "input[0,2,3]=0"]),
    )
    shown = grids(now, operation)
    parameter = ["w"] if operation == "conv1" else []  # that was changed, over what came of it
    assert [array for _, array in shown if array] == [
        *parameter,
        now.program.operation(operation).call.result,
    ]
    if parameter:
        held = [lesson.tape["conv1.w"][3, 0] for lesson in (was, now)]
        for (values, _), expected in zip(shown, (*held, held[1] - held[0]), strict=False):
            assert np.array_equal(values, expected)
    before, after, difference = (values for values, _ in shown[-3:])
    assert np.array_equal(after - before, difference, equal_nan=True)
    for lesson, values in ((was, before), (now, after)):
        held = lesson.tape[key]
        slices = held.reshape(-1, *held.shape[-2:]) if held.ndim > 2 else [held.reshape(values.shape)]
        rows, columns = values.shape
        assert any(np.array_equal(values, one[-rows:, -columns:]) for one in slices)


def test_where_there_is_nothing_to_compare_with_the_stage_is_as_ever():
    now = load_lesson("digits", changes=["conv1.w[3,0,1,1]=0.5"])
    assert len(grids(now, "conv1", View())) == len(grids(load_lesson("digits"), "conv1"))
    other = load_lesson("digits", changes=["conv1.padding=2"])
    before, after = (values for values, _ in grids(other, "conv1"))
    wanted = [one.program.operation("conv1").call.writes["y"][-1] for one in (load_lesson("digits"), other)]
    assert np.array_equal(before, wanted[0]) and np.array_equal(after, wanted[1]), "each in its own size"
    shown = compose(other.program, 10, replace(seen(other, VIEW), width=1920, height=1080))
    told = " ".join(span.text for mark in flat(shown.marks) if isinstance(mark, Label) for span in mark.runs)
    assert "so that there is no difference: y is 4 × 10 × 10, and was 4 × 8 × 8." in told
    for size in ((640, 360), (600, 1200), (120, 90)):
        grids(now, "conv2", size=size)


@pytest.mark.parametrize(("name", "change"), [("batch", "fc.w[1,0]=0.5"), ("batch-norm", "bn.gamma[0]=2")])
def test_of_several_samples_the_one_in_hand_is_compared_and_sums_over_all_whole(name, change):
    was, now = load_lesson(name), load_lesson(name, changes=[change])
    assert now.program.samples > 1
    compared = 0
    for operation in now.program.operations:
        call, start = operation.call, now.program.start(operation.name)
        result = call.result
        batch = call.batch
        own = batch is not None and bool(batch.calls) and result in batch.arrays
        for number in range(now.program.samples if own else 1):
            steps = [k for k in range(len(operation)) if sample_at(operation, k) == number]
            view = replace(seen(now, VIEW), width=1920, height=1080)
            frame = compose(now.program, start + steps[len(steps) // 2], view)
            shown = [m.values for m in flat(frame.marks) if isinstance(m, Cells) and m.texts][-3:]
            if operation.name not in {one.name for one in was.program.operations} or len(shown) < 3:
                continue
            values = [one.program.operation(operation.name).call.writes[result] for one in (was, now)]
            if own:
                values = [value[number] for value in values]
            flats = [value.reshape(-1) for value in values]
            before, after, difference = shown
            assert np.array_equal(after - before, difference, equal_nan=True), operation.name
            for grid, held in zip((before, after), flats, strict=True):
                assert np.isin(grid, held).all(), (operation.name, number)
            compared += 1
    assert compared > 2 * now.program.samples


def test_another_number_of_samples_is_not_compared():
    other = load_lesson("batch", changes=["input.batch_size=2"])
    frame = compose(other.program, 5, replace(seen(other, VIEW), width=1920, height=1080))
    told = " ".join(span.text for mark in flat(frame.marks) if isinstance(mark, Label) for span in mark.runs)
    assert "another number of samples goes through together" in told
