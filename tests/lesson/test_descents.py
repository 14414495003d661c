"""Lessons of descents: what a file may say, what is wrong with it, and changes behind a lesson's name."""

import copy
import math

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import read_changes, text_of
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.subjects.descents import RATES, Descents, rate_beside
from tests.lesson.test_faults import set_in, told

LESSON = {
    "title": "Two walks",
    "sentence": "They are short.",
    "descents": [
        {"name": "one", "loss": "(w - 3) ** 2", "lr": 0.1, "starts": [5, -1], "steps": 3, "window": [-2, 8]},
        {"name": "two", "loss": "w ** 4 - w", "lr": 0.05, "starts": [1.5], "steps": 2, "window": [-2, 2]},
    ],
    "stops": [
        {"at": "one", "line": 7, "where": {"s": 1, "t": 0}, "caption": "Here."},
        {"at": "two[0,1]", "caption": "There."},
    ],
}


@pytest.fixture
def content():
    return copy.deepcopy(LESSON)


def test_a_lesson_of_descents_is_one_program(content, write):
    lesson = load_lesson(write(content))
    assert isinstance(lesson.subject, Descents)
    assert (len(lesson.subject), lesson.subject.classes, lesson.network) == (1, (), None)
    assert [operation.name for operation in lesson.program.operations] == ["one", "two"]
    assert lesson.tape["one.w"].shape == (2, 4)
    assert lesson.tape["two.w"][0, :2] == pytest.approx([1.5, 1.5 - 0.05 * (4 * 1.5**3 - 1)])
    assert [stop.caption for stop in lesson.stops] == ["Here.", "There."]
    steps = [lesson.program.state(stop.index).writes for stop in lesson.stops]
    assert steps == [(("w", (1, 1)),), (("w", (0, 1)),)]
    info = lesson.subject.info(lesson.choice, lesson.tape)
    assert "one: E = (w − 3)², lr = 0.1, 3 steps from w = 5, −1" in info
    assert lesson.choose(0) is lesson
    with pytest.raises(CnnvizError, match="has no image 1"):
        lesson.choose(1)


@pytest.mark.parametrize(
    "place, value, fault",
    [
        (("loss",), "(w - 3) *", "loss: Character 10: something is missing at the end"),
        (("loss",), "w.x", "loss: Character 2: “.” is not allowed"),
        (("loss",), "(w - v) ** 2", "loss: must have w as its only name, has w, v"),
        (("loss",), " * ".join(["(w - 1.25)"] * 8), "loss: makes too long a line of its derivative"),
        (("lr",), math.nan, "lr: must be a finite number"),
        (("lr",), math.inf, "lr: must be a finite number"),
        (("lr",), 0, "lr: must be more than 0, is 0"),
        (("lr",), "0.1", "lr: must be a number, is '0.1'"),
        (("starts",), [], "starts: must not be empty"),
        (("starts",), 5, "starts: must be a list, is 5"),
        (("starts",), [math.inf], "starts[0]: must be a finite number"),
        (("starts",), [1] * 9, "starts: must be at most 8, are 9"),
        (("steps",), 0, "steps: must be at least 1, is 0"),
        (("steps",), 10**9, "steps: must be at most 100, is 1000000000"),
        (("window",), [2, 2], "window: must go from a smaller number to a larger one"),
        (("window",), [1], "window: must be a list of 2, has 1"),
        (("name",), "two", "[1].name: 'two' is the name of descents[0] already; every descent needs its own"),
        (("rate",), 1, "rate: is not known"),
    ],
)
def test_a_fault_is_told_with_its_place(content, write, place, value, fault):
    set_in(content["descents"][0], place, value)
    assert f"descents[0].{fault}".replace("[0].[1]", "[1]") in told(write(content))


def test_a_missing_part_is_told(content, write):
    del content["descents"][0]["starts"]
    del content["descents"][1]["window"]
    sentence = told(write(content))
    assert "descents[0].starts: must be given" in sentence
    assert "descents[1].window: must be given" in sentence


def test_stops_that_lead_nowhere_are_all_told(content, write):
    content["stops"] += [{"at": "three", "caption": "Where?"}, {"at": "one[2,0]", "caption": "Where?"}]
    sentence = told(write(content))
    assert "stops[2].at: There is no operation three; there are one, two" in sentence
    assert "stops[3].at: one[2,0] is not a cell: one has shape 2 × 4" in sentence


# ------------------------------------------------------------------------------------------------ changes


def test_a_learning_rate_of_ones_own(content, write):
    path = write(content)
    lesson = load_lesson(path, changes=["one.lr=0.5"])
    assert lesson.tape["one.w"][:, 1].tolist() == [3, 3]
    assert lesson.tape["two.w"].tolist() == load_lesson(path).tape["two.w"].tolist()
    assert len(lesson.program) == len(load_lesson(path).program)
    assert [stop.caption for stop in lesson.stops] == ["There."], "what was said of the other rate is untrue"
    assert (lesson.identity, load_lesson(path).identity) == ("lesson one.lr=0.5", "lesson")


def test_changes_lead_to_the_lesson_again(content, write):
    path = write(content)
    changed = load_lesson(path).changed(*read_changes(["two.lr=0.2", "one.starts=5,-0.25"]))
    again = load_lesson(path, changes=text_of(changed.changes).split())
    assert (again.subject.parts, again.changes) == (changed.subject.parts, changed.changes)
    assert again.tape["one.w"][1, 0] == -0.25
    back = again.changed(*read_changes(["two.lr=0.05", "one.starts=5,-1"]))
    assert (back.changes, len(back.stops)) == ((), 2)
    assert (np.asarray(back.tape["one.w"]) == load_lesson(path).tape["one.w"]).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ("one.lr=0.1 two.lr=0.2 one.lr=0.1", "one.lr has two values; write one of them only."),
        ("one.lr=fast", "one.lr: must be a number, is 'fast'."),
        ("one.lr=0", "one.lr: must be more than 0, is 0.0."),
        ("one.lr=inf", "one.lr: must be a finite number, is inf."),
        ("one.lr=1,2", "one.lr: must be a number, is a list."),
        ("one.starts=1", "one.starts: must be 2 numbers, as many as the descent has starts, are 1."),
        ("one.steps=1", "one.steps: is not known; there is lr, starts."),
        ("three.lr=1", "three.lr=1: there is no descent three; there are one, two."),
        (
            "one.w[0,0]=1",
            "one.w[0,0]=1: one.w is computed, or not there; what can be changed is the lr and ",
        ),
    ],
)
def test_a_change_that_is_none_is_told(content, write, changes, sentence):
    with pytest.raises(CnnvizError) as told_:
        load_lesson(write(content), changes=changes.split())
    assert str(told_.value).startswith(sentence)


def test_rates_go_up_and_down_the_row():
    assert [rate_beside(0.1, gears) for gears in (-1, 1)] == [0.05, 0.2]
    assert rate_beside(0.15, 1) == 0.2 and rate_beside(0.15, -1) == 0.1
    assert rate_beside(RATES[-1], 1) == RATES[-1] and rate_beside(RATES[0], -1) == RATES[0]
    assert list(RATES) == sorted(set(RATES))
