"""Lesson files with several inputs and several outputs, each with a loss."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import read_changes
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import View, compose
from tests.lesson.test_faults import set_in, told

FILE = Path(__file__).parent / "files" / "two-in-two-out.toml"


@pytest.fixture
def content():
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def test_samples_targets_and_weights_are_those_of_the_file():
    tape = load_lesson(str(FILE)).tape
    assert tape["seen.y"].tolist() == [[[1, 0, 2], [0, 3, 1], [2, 1, 0]]]
    assert tape["heard.y"].tolist() == [0.5, -1]
    size, surprise = (tape["size.y"][0] - 2) ** 2 / 2, -np.log(tape["softmax.y"][1])
    assert float(tape["loss.value"]) == pytest.approx(size + surprise / 2, rel=1e-14)


@pytest.mark.parametrize("letters", [False, True])
def test_every_step_is_composed(letters):
    lesson = load_lesson(str(FILE))
    for index in range(len(lesson.program)):
        compose(lesson.program, index, View(width=1280, height=720, display=Display(letters=letters)))


def test_a_loss_is_changed_by_its_name(write, content):
    content["losses"][0] = {"of": "scores", "kind": "hinge", "target": [1, 0, 0]}
    content["layers"] = [layer for layer in content["layers"] if layer["name"] != "size"]
    content["losses"][1:], content["layers"][-1:] = [], []
    content["losses"].append({"of": "both", "kind": "half_squared_error", "target": [0, 0, 0, 0]})
    lesson = load_lesson(write(content))
    wider = lesson.changed(*read_changes(["loss_scores.margin=50"]))
    assert float(wider.tape["loss.value"]) > float(lesson.tape["loss.value"])


def test_the_weight_of_a_loss_is_changed_as_an_argument_is():
    lesson = load_lesson(str(FILE))
    names = [loss.name for loss in lesson.network.losses]
    heavier = lesson.changed(*read_changes([f"{names[0]}.weight=3"]))
    first, second = (float(lesson.tape[f"{name}.value"]) for name in names)
    weight = lesson.network.losses[1].weight
    assert weight == 0.5
    assert float(heavier.tape["loss.value"]) == pytest.approx(3 * first + weight * second, rel=1e-14)
    np.testing.assert_allclose(heavier.tape["size.dw"], 3 * lesson.tape["size.dw"], rtol=1e-13)
    alike = heavier.changed(*read_changes([f"{names[0]}.weight=1", f"{names[1]}.weight=1"]))
    assert float(alike.tape["loss.value"]) == pytest.approx(first + second, rel=1e-14)
    assert [str(change) for change in alike.changes] == [f"{names[1]}.weight=1.0"], "the other is the file's"


def test_any_input_and_target_is_changed_by_its_name():
    changes = ["seen[0,0,0]=3", "heard[1]=1", "loss_size.target[0]=5"]
    tape = load_lesson(str(FILE), changes=changes).tape
    assert tape["seen.y"].tolist() == [[[3, 0, 2], [0, 3, 1], [2, 1, 0]]]
    assert tape["heard.y"].tolist() == [0.5, 1]
    assert float(tape["loss_size.value"]) == pytest.approx((tape["size.y"][0] - 5) ** 2 / 2, rel=1e-14)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("input[0,0,0]=1", "scores.b, seen, heard, loss_size.target, loss_softmax.target."),
        ("loss_size.weight=0", "loss_size.weight: must be more than 0, is 0"),
        ("loss_size.of=fc", "loss_size.of: is not known; there is weight."),
        ("heard[2]=1", "heard has shape 2, so its last cell is heard[1]"),
        ("loss_softmax.target[0]=1", "loss_softmax.target: must hold probabilities that add up to 1"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(change, fault):
    with pytest.raises(CnnvizError, match=re.escape(fault)):
        load_lesson(str(FILE), changes=[change])


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("loss",), {"kind": "hinge"}, "loss: with several inputs, write [[losses]]"),
        (("inputs", "target"), {"shape": [1], "values": [1]}, "inputs.target: has a meaning of its own"),
        (("inputs", "felt"), {"shape": [1], "values": [1]}, "felt: no layer reads this input"),
        (("input",), {"shape": [2], "values": [1, 2]}, "inputs: cannot be given together with input"),
        (("loss",), {"kind": "hinge"}, "losses: cannot be given together with loss"),
        (
            ("training",),
            {"iterations": 5, "held_out": 1},
            "training.held_out: accuracy is measured on",
        ),
        (
            ("input",),
            {"batch_size": 2},
            "input.batch_size: must be at most 1, the number of",
        ),
        (("input",), {"batch_size": "all"}, "input.batch_size: must be a whole number"),
        (
            ("inputs", "heard", "values"),
            [[1, 2], [3, 4]],
            "inputs.heard.values: must be as many samples as of seen, 1, are 2",
        ),
        (
            ("inputs",),
            {"shape": [2], "values": [1, 2]},
            "inputs: is for several, each in a table with",
        ),
        (("inputs", "seen", "shape"), [1, 0, 3], "inputs.seen.shape[1]: must be at least 1, is 0"),
        (("inputs", "heard", "values"), [1, 2, 3], "inputs.heard.values: has shape 3, but must have 2"),
        (("inputs", "seen", "values"), [1, 2], "inputs.seen.values: has shape"),
        (("layers", 0, "inputs"), [], "layers[0].inputs: must not be empty"),
        (("layers", 0, "inputs"), ["sen"], "conv: sen is not a layer; did you mean seen?"),
        (("losses", 0, "of"), "sizes", "losses[0].of: sizes is not a layer; did you mean size?"),
        (("losses", 0, "weight"), 0, "losses[0].weight: must be more than 0, is 0.0"),
        (("losses", 0, "target"), [1, 2], "losses[0].target: has shape 2, but must have 1"),
        (("losses", 1, "target"), [1, 1, 0], "losses[1].target: must hold probabilities that add up to 1"),
        (("losses", 1, "kind"), "crossentropy", "losses[1].kind: 'crossentropy' is not known; did you mean"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(write, content, place, value, fault):
    set_in(content, place, value)
    assert fault in told(write(content))


def test_without_saying_which_input_is_read_it_is_refused(write, content):
    del content["layers"][0]["inputs"]
    assert "conv: there are the inputs seen, heard; say which it reads" in told(write(content))


def test_info_names_every_input():
    lesson = load_lesson(str(FILE))
    assert lesson.subject.info(lesson.choice, lesson.tape) == "Inputs: seen 1 × 3 × 3, heard 2"
