"""Lessons of expressions: what a file may say, what is wrong with it, and what is typed instead of a name."""

import math

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.subjects.expressions import Expressions
from tests.lesson.test_faults import set_in, told

LESSON = {
    "title": "Two graphs",
    "sentence": "They are small.",
    "expressions": [
        {
            "text": "(x + y) * z",
            "values": {"x": -2, "y": 5, "z": -4},
            "stops": [{"at": "f.backward", "line": 3, "caption": "Here."}],
        },
        {"text": "x * x + x", "values": {"x": 3}},
    ],
}


@pytest.fixture
def content():
    return {
        **LESSON,
        "expressions": [dict(part, values=dict(part["values"])) for part in LESSON["expressions"]],
    }


def test_a_lesson_of_expressions(content, write):
    lesson = load_lesson(write(content))
    assert isinstance(lesson.subject, Expressions)
    assert lesson.network is None
    assert (lesson.image, len(lesson.subject)) == (0, 2)
    assert lesson.tape["f.f"] == -12
    assert [(stop.index, stop.caption) for stop in lesson.stops] == [(3, "Here.")]


def test_expressions_are_chosen_like_images(content, write):
    path = write(content)
    other = load_lesson(path).choose(1)
    assert other.subject.label(1) == "x * x + x"
    assert other.tape["f.dx"] == 7
    assert other.stops == ()
    assert other.choose(0).tape["f.dx"] == -4
    assert load_lesson(path, 1).tape["f.dx"] == 7
    assert other.choose(1) is other


def test_an_expression_that_is_not_there_is_told(content, write):
    path = write(content)
    for choose in (lambda: load_lesson(path, 2), lambda: load_lesson(path).choose(-1)):
        with pytest.raises(CnnvizError, match=r"^lesson has no expression -?\d; they are numbered 0 to 1\.$"):
            choose()


@pytest.mark.parametrize(
    "place, value, fault",
    [
        (
            ("expressions", 0, "text"),
            "x +",
            "expressions[0].text: Character 4: something is missing at the end",
        ),
        (("expressions", 0, "text"), 3, "expressions[0].text: must be a text, is 3"),
        (("expressions", 1, "text"), "x.y", "expressions[1].text: Character 2: “.” is not allowed"),
        (("expressions", 0, "values"), {"x": 1, "y": 2}, "expressions[0].values.z: must be given"),
        (
            ("expressions",),
            [{"text": "x * y"}],
            "expressions[0].values.x: must be given; expressions[0].values.y",
        ),
        (("expressions", 0, "values"), 3, "expressions[0].values: must be a table, is 3"),
        (("expressions", 0, "values", "x"), "1", "expressions[0].values.x: must be a number, is '1'"),
        (("expressions", 0, "values", "x"), math.nan, "expressions[0].values.x: must be a finite number"),
        (("expressions", 0, "values", "w"), 1, "expressions[0].values.w: is not in the expression; there is"),
        (("expressions", 1, "value"), 1, "expressions[1].value: is not known; did you mean values?"),
        (
            ("expressions", 0, "stops"),
            [{"at": "f", "caption": "Here.", "iteration": 3}],
            "expressions[0].stops[0].iteration: there is no [training]; leave it out",
        ),
        (("expressions",), [], "expressions: must not be empty"),
        (("expressions",), {}, "expressions: must be a list, is a table"),
        (("expressions",), [3], "expressions[0]: must be a table, is 3"),
        (("expressions",), [LESSON["expressions"][1]] * 51, "expressions: must be at most 50, are 51"),
        (("layers",), [], "layers: is not known; there is title, sentence, expressions"),
        (("title",), "", "title: must not be empty"),
    ],
)
def test_a_fault_is_told_with_its_place(content, write, place, value, fault):
    set_in(content, place, value)
    assert fault in told(write(content))


def test_all_faults_are_told_at_once(content, write):
    content["expressions"][0]["text"] = "x y"
    content["expressions"][1]["values"] = {"y": 1}
    sentence = told(write(content))
    for place in ("expressions[0].text: ", "expressions[1].values.x: ", "expressions[1].values.y: "):
        assert place in sentence


def test_stops_that_lead_nowhere_are_all_told(content, write):
    content["expressions"][0]["stops"] = [{"at": "g", "caption": "Where?"}]
    content["expressions"][1]["stops"] = [{"at": "f", "line": 9, "caption": "Where?"}]
    sentence = told(write(content))
    assert "expressions[0].stops[0].at: There is no operation g; there are f, f.backward" in sentence
    assert "expressions[1].stops[0].at: f: line 9 does nothing" in sentence


def test_a_network_lesson_knows_that_there_are_expressions(write):
    assert "expression: is not known; did you mean expressions?" in told(
        write({"title": "A", "sentence": "B.", "expression": {"text": "x + y"}})
    )


# ------------------------------------------------------------------------------------------------- typed


def test_an_expression_is_loaded_in_place_of_a_name():
    lesson = load_lesson("f = (x + y) * z   x=-2 y=5 z=-4")
    assert (lesson.name, lesson.title) == ("expression", "f = (x + y) · z")
    assert lesson.tape["f.f"] == -12
    assert lesson.subject.examples[0].typed == "(x + y) * z   x=-2 y=5 z=-4"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("f = x +", "Character 8: something is missing at the end"),
        ("f = x * y  x=1", "y has no value; write y=1, for instance."),
        ("f = x * x  x=inf", "Character 14: inf is not a finite number"),
        ("f =", "Character 4: something is missing at the end"),
        ("L = x * y  x=1 y=2 y=3", "y has two values; write one of them only."),
    ],
)
def test_what_is_wrong_with_it_is_told(typed, sentence):
    with pytest.raises(CnnvizError) as error:
        load_lesson(typed)
    assert str(error.value).startswith(sentence)


def test_statements_are_loaded_with_the_names_they_give():
    lesson = load_lesson("q = x + y; L = q * z   x=-2 y=5 z=-4")
    assert (lesson.title, lesson.tape["L.L"]) == ("q = x + y; L = q · z", -12)
    assert [operation.name for operation in lesson.program.operations] == ["L", "L.backward"]
    again = load_lesson(lesson.subject.examples[0].source)
    assert again.identity == lesson.identity


def test_lines_of_a_lesson_file_are_statements(content, write):
    content["expressions"][0] = {
        "text": "x = 3\nq = x + y\nq += 1\n\nf = max(q,\n  0)",
        "values": {"y": -1.5},
    }
    lesson = load_lesson(write(content))
    assert (lesson.tape["f.q1"], lesson.tape["f.f"], lesson.tape["f.dx"]) == (1.5, 2.5, 1)
    content["expressions"][0]["values"] = {"y": 1, "x": 3}
    assert "expressions[0].values.x: has a value in the text already" in told(write(content))


@pytest.mark.parametrize("value", [0.1, 1 / 3, -2.0, 1e-300, 123456789.0, 1e22])
def test_values_come_back_as_they_were(value):
    lesson = load_lesson(f"f = x * x   x={value!r}")
    again = load_lesson(f"f = {lesson.subject.examples[0].typed}")
    assert again.subject.examples[0].values == {"x": value}


def test_frames_of_two_expressions_are_told_apart():
    one, other = (load_lesson(f"f = x * y   x=1 y={y}").identity for y in (2, 3))
    assert one != other
    assert load_lesson("relu").identity == "relu"
