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
    assert [array for _, array in shown if array] == [now.program.operation(operation).call.result]
    before, after, difference = (values for values, _ in shown[:3])
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
    assert [array for _, array in grids(other, "conv1")] == [
        array for _, array in grids(other, "conv1", View())
    ], "its maps have another size"
    shown = compose(other.program, 10, replace(seen(other, VIEW), width=1920, height=1080))
    told = " ".join(span.text for mark in flat(shown.marks) if isinstance(mark, Label) for span in mark.runs)
    assert "Nothing is compared here: the size of y is 4 × 10 × 10, and was 4 × 8 × 8." in told
    for size in ((640, 360), (600, 1200), (120, 90)):
        grids(now, "conv2", size=size)
