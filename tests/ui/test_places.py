"""What can be typed into the field "Go to"."""

from __future__ import annotations

import re

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.ui.places import find_place


@pytest.mark.parametrize("text", ["1034", " 1,034 ", "1 034"])
def test_numbers(lesson, text):
    assert find_place(lesson.program, text) == 1034


@pytest.mark.parametrize(
    ("text", "name", "array", "index"),
    [
        ("conv1[2,3,4]", "conv1", "y", (2, 3, 4)),
        ("conv1 [ 2, 3, 4 ]", "conv1", "y", (2, 3, 4)),
        ("conv2.dw[0,0,1,2]", "conv2.dw", "dw", (0, 0, 1, 2)),
        ("fc[9]", "fc", "y", (9,)),
    ],
)
def test_cells(lesson, text, name, array, index):
    step = lesson.program[find_place(lesson.program, text)]
    assert step.operation.name == name
    assert (array, index) in lesson.program.state(step.index).writes


def test_an_operation_is_its_start(lesson):
    assert find_place(lesson.program, "pool1") == lesson.program.start("pool1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Type a step's number"),
        ("conv1[", "Type a step's number"),
        ("99999999", "the last one is"),
        ("9" * 400, "the last one is"),
        ("nothere", "There is no operation nothere"),
        ("conv1[0,0]", "its last one is"),
        ("conv1[0,0,99]", "its last one is [3, 7, 7]"),
        ("conv1[0,0,0,0,0,0,0,0]", "its last one is"),
    ],
)
def test_what_is_wrong_is_said(lesson, text, said):
    with pytest.raises(CnnvizError, match=re.escape(said)):
        find_place(lesson.program, text)
