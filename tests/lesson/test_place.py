"""A number or a place such as conv1[2,3,4] names one step."""

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.place import step_at


@pytest.fixture(scope="module")
def program():
    return load_lesson("digits").program


@pytest.mark.parametrize(
    "words, operation, write",
    [
        ("conv1[2,3,4]", "conv1", ("y", (2, 3, 4))),
        (" conv1 [ 2, 3,4 ] ", "conv1", ("y", (2, 3, 4))),
        ("pool1[0,0,0]", "pool1", ("y", (0, 0, 0))),
        ("conv2.dw[7,3,2,2]", "conv2.dw", ("dw", (7, 3, 2, 2))),
        ("pool1.dx[0,1,1]", "pool1.dx", ("dx", (0, 1, 1))),
        ("softmax[9]", "softmax", ("y", (9,))),
        ("loss[0]", "loss", ("E", (0,))),
        ("conv1.w[1,0,2,1]", "conv1.w", ("w", (1 * 9 + 2 * 3 + 1,))),
        ("conv1.b[3]", "conv1.b", ("w", (3,))),
    ],
)
def test_a_place_is_the_step_that_writes_it(program, words, operation, write):
    index = step_at(program, words)

    assert program[index].operation.name == operation
    assert write in program.state(index).writes


def test_numbers_and_names(program):
    last = len(program) - 1
    assert step_at(program, "0") == 0
    assert step_at(program, f" {last} ") == last
    assert step_at(program, "conv2.dw") == program.start("conv2.dw")


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("-1", "There is no step -1; steps are numbered 0 to 70796."),
        ("70797", "There is no step 70797; steps are numbered 0 to 70796."),
        ("9" * 9999, "There is no step 99999999999999999999…; steps are numbered 0 to 70796."),
        ("", "'' names no step; write its number, or a place such as conv1[0,0,0]."),
        ("conv1[2", "'conv1[2' names no step"),
        ("conv1[a]", "'conv1[a]' names no step"),
        ("conv9[0]", "There is no operation conv9; did you mean conv"),
        ("conv1[4,0,0]", "conv1[4,0,0] is not a cell: conv1 has shape 4 × 8 × 8, so its last one is "),
        ("conv1[0,0]", "conv1[0,0] is not a cell"),
        ("conv1[]", "conv1[] is not a cell"),
        ("conv1[1 1]", "'conv1[1 1]' names no step"),
        ("conv1[1,,1]", "'conv1[1,,1]' names no step"),
        ("conv1[,]", "'conv1[,]' names no step"),
        ("conv1[0,0," + "9" * 30 + "]", "conv1[0,0,"),
    ],
)  # fmt: skip
def test_what_names_no_step(program, words, sentence):
    with pytest.raises(CnnvizError) as error:
        step_at(program, words)
    assert str(error.value).startswith(sentence)


LESSON = """
title = "t"
sentence = "s"
[input]
shape = [1, 3, 4]
values = [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]]
[[layers]]
name = "conv"
kind = "conv2d"
out_channels = 1
kernel = 2
[parameters.conv]
w = [[[[1, 2], [3, 4]]]]
b = [0]
"""


def with_stops(tmp_path, *stops):
    path = tmp_path / "t.toml"
    path.write_text(
        LESSON + "".join(f"\n[[stops]]\ncaption = 'c{k}'\n{stop}\n" for k, stop in enumerate(stops))
    )
    return load_lesson(path)


def test_stops_are_places_in_the_order_of_the_steps(tmp_path):
    lesson = with_stops(
        tmp_path,
        'at = "conv[0,1,2]"',
        'at = "conv"',
        'at = "conv"\nwhere = { i = 1, j = 0, u = 1, v = 1 }\nline = 9',
    )
    program = lesson.program

    assert [stop.caption for stop in lesson.stops] == ["c1", "c2", "c0"]
    assert lesson.stops[0].index == 0
    assert program[lesson.stops[1].index].line == 9
    assert program.state(lesson.stops[1].index).reads == (("w", (0, 0, 1, 1)), ("x", (0, 2, 1)))
    assert program.state(lesson.stops[2].index).writes == (("y", (0, 1, 2)),)


def test_stops_that_are_nowhere_are_all_told_with_their_paths(tmp_path):
    with pytest.raises(CnnvizError) as raised:
        with_stops(
            tmp_path,
            'at = "conv9"',
            'at = "conv"',
            'at = "conv"\nwhere = { i = 7 }',
            *(f'at = "conv"\nwhere = {{ {name} = 0 }}' for name in ("name", "line", "self")),
        )

    assert "stops[0].at: There is no operation conv9" in str(raised.value)
    assert "stops[2].at: conv: i = 7 is out of range" in str(raised.value)
    for k, name in enumerate(("name", "line", "self"), 3):
        assert f"stops[{k}].at: conv: its listing has no loop over {name}; its loops run over o, i" in str(
            raised.value
        )
