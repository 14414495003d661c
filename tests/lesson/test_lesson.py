"""Lessons load, show what they should, and choose among images; the built-in ones keep their promises."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS
from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import lesson_names, load_lesson
from tests.lesson.conftest import IMAGES


@pytest.fixture(scope="module")
def digits():
    return load_lesson("digits")


def test_every_built_in_lesson_loads_and_its_last_step_has_a_state():
    for name in lesson_names():
        lesson = load_lesson(name)
        assert lesson.name == name
        last = lesson.program.state(len(lesson.program) - 1)
        assert all(last.written(result).all() for result in last.operation.call.writes)


def test_digits_tells_97_of_100_held_out_digits(digits):
    y = digits.network.forward(digits.subject.samples.images)
    right = (y.argmax(axis=1) == digits.subject.samples.labels).mean()

    assert len(digits.subject) == 360
    assert right >= 0.97


def test_digits_is_the_network_of_the_course(digits):
    names = [layer.name for layer in digits.network.layers]
    assert names == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc", "softmax"]
    phases = list(dict.fromkeys(operation.phase for operation in digits.program.operations))
    assert phases == ["forward", "loss", "backward", "update"]


def test_the_first_digit_is_a_3_classified_correctly_but_not_with_certainty(digits):
    assert digits.subject.samples.classes[digits.subject.samples.labels[digits.image]] == "3"
    assert digits.tape["softmax.y"].argmax() == 3
    assert 0.05 < digits.tape["loss.value"] < 0.5
    assert digits.tape["conv1.x"].min() == 0
    assert digits.tape["conv1.x"].max() <= 1


def test_choosing_another_image_shares_the_network(digits):
    other = digits.choose(7)

    assert (other.image, digits.image) == (7, 182)
    assert other.network is digits.network
    assert other.subject.samples is digits.subject.samples
    assert (other.tape["conv1.x"] == digits.subject.samples.image(7)).all()
    assert other.tape["loss.t"].argmax() == digits.subject.samples.labels[7]
    assert digits.choose(182) is digits


def test_an_earlier_choice_is_not_changed_by_a_later_one():
    lesson = load_lesson("digits")
    before = {name: values.copy() for name, values in lesson.tape.items()}
    states = [lesson.program.state(k).arrays for k in (0, 10_000, 60_000)]
    lesson.choose(3)

    assert all((lesson.tape[name] == before[name]).all() for name in before)
    again = [lesson.program.state(k).arrays for k in (0, 10_000, 60_000)]
    for one, other in zip(states, again, strict=True):
        assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("index", [-1, 360, 10**9])
def test_an_image_that_is_not_there(digits, index):
    sentence = f"digits has no image {index}; its images are numbered 0 to 359."
    with pytest.raises(CnnvizError) as error:
        digits.choose(index)
    assert str(error.value) == sentence
    with pytest.raises(CnnvizError) as error:
        load_lesson("digits", image=index)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("digit", "There is no lesson digit; did you mean digits?"),
        ("Digits", "There is no lesson Digits; did you mean digits?"),
        ("xyz", "There is no lesson xyz; there are "),
    ],
)
def test_an_unknown_name(name, sentence):
    with pytest.raises(CnnvizError) as error:
        load_lesson(name)
    assert str(error.value).startswith(sentence)


def test_a_file_is_found_by_its_path(write, content, monkeypatch):
    path = write(content)
    monkeypatch.chdir(path.parent)
    (path.parent / "digits").write_bytes(path.read_bytes())

    for name in (path, str(path), "lesson.toml", "./digits"):
        assert load_lesson(name).title == "A small net"
    assert load_lesson("digits").title == "Handwritten digits"


def test_images_are_divided_by_the_scale(write, content):
    lesson = load_lesson(write(content), image=1)

    assert (lesson.tape["conv1.x"] == IMAGES[1] / 32).all()
    assert (lesson.subject.samples.images == IMAGES / 32).all()
    assert lesson.subject.classes == ("0", "1", "2")
    assert not lesson.subject.samples.pixels.flags.writeable


def test_a_seed_draws_the_same_each_time(write, content):
    one, other = load_lesson(write(content)), load_lesson(write(content))
    assert all((one.tape[name] == other.tape[name]).all() for name in one.tape)


def test_one_output_is_a_yes_or_no(write, content):
    content["layers"][2]["neurons"] = 1
    content["layers"][3] = {"name": "sigmoid", "kind": "sigmoid"}
    content["loss"] = {"kind": "binary_cross_entropy"}
    content["input"]["classes"] = ["no", "yes"]
    lesson = load_lesson(write(content, labels=(0, 1)))

    assert (lesson.tape["loss.t"], lesson.choose(1).tape["loss.t"]) == (0, 1)


def test_inline_values_and_parameters(write, content):
    said = """
        title = "One neuron"
        sentence = "Two numbers, weighed."
        input = { shape = [2], values = [1, 2], target = [0.5] }
        layers = [{ name = "fc", kind = "linear", neurons = 1 }]
        loss = { kind = "half_squared_error" }
        optimiser = { kind = "adam" }
        [parameters.fc]
        w = [[3], [4]]
        b = [0.25]
    """
    lesson = load_lesson(write(said))

    assert lesson.tape["fc.y"] == 11.25
    assert lesson.tape["loss.value"] == 10.75**2 / 2
    assert (lesson.image, len(lesson.subject)) == (0, 1)


def test_without_a_loss_it_only_goes_forward(write, content):
    del content["loss"], content["optimiser"]
    lesson = load_lesson(write(content))
    assert {operation.phase for operation in lesson.program.operations} == {"forward"}


@pytest.mark.filterwarnings("error")
def test_without_a_loss_labels_may_be_of_classes_that_the_network_has_not(write, content):
    del content["loss"], content["optimiser"]
    samples = load_lesson(write(content, labels=(9, -1))).subject.samples
    assert [samples.label(k) for k in range(2)] == ["9", "-1"]


def test_numbers_may_grow_beyond_all_bounds(write, content):
    content["parameters"] = {"fc": {"w": [[1e300]], "b": [0]}}
    content["input"] = {"shape": [1], "values": [1e300], "target": [0]}
    content["layers"] = [{"name": "fc", "kind": "linear", "neurons": 1}]
    content["loss"] = {"kind": "half_squared_error"}
    del content["seed"]

    assert np.isinf(load_lesson(write(content)).tape["fc.y"]).all()


def test_everything_in_the_catalogue_can_be_said_in_a_file(write, content):
    """Each kind with nothing but what it must be told; a new one that a file cannot say is noticed here."""
    needed = {"out_channels": 2, "kernel": 2, "neurons": 3, "num_groups": 1, "lr": 0.1, "shape": [1, 2, -1]}
    needed |= {"dims": [0, 1, 3, 2], "output_size": 3, "size": 3}
    last = "flatten", "linear", "softmax"
    maps = [{"name": kind, "kind": kind} for kind in LAYERS if kind not in last and not kind.endswith("1d")]
    column = [{"name": kind, "kind": kind} for kind in ("flatten", "linear", "softmax")]
    for before, layer in pairwise(maps):
        if layer["kind"] in ("add", "multiply", "concat"):
            layer["inputs"] = [before["name"], before["name"]]
    content["input"] = {"shape": [1, 9, 9], "values": [[[0.5] * 9] * 9], "target": [1, 0, 0]}
    for optimiser in OPTIMISERS:
        content["optimiser"] = {"kind": optimiser}
        if optimiser == "sgd":
            content["optimiser"]["lr"] = needed["lr"]
        content["layers"] = [
            layer | {key: needed[key] for key in _required(LAYERS[layer["kind"]])} for layer in maps + column
        ]
        lesson = load_lesson(write(content))
        assert [layer.kind for layer in lesson.network.layers] == [layer["kind"] for layer in maps + column]
    for kind in LOSSES:
        content["loss"] = {"kind": kind}
        last = LOSSES[kind].make.follows
        content["layers"][-1] = {"name": "last", "kind": last.kind if last else "relu"}
        assert load_lesson(write(content)).network.loss.kind == kind
    sequences = [{"name": kind, "kind": kind} for kind in LAYERS if kind.endswith("1d")]
    content["input"] = {"shape": [1, 9], "values": [[0.5] * 9], "target": [1, 0, 0]}
    content["layers"] = [
        layer | {key: needed[key] for key in _required(LAYERS[layer["kind"]])} for layer in sequences + column
    ]
    content["loss"] = {"kind": "cross_entropy"}
    assert load_lesson(write(content)).network.layers[0].kind == sequences[0]["kind"]


def _required(entry):
    import inspect

    parameters = inspect.signature(entry.make).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.name != entry.inferred]


def test_the_lessons_in_readme_are_complete(write):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    network, expressions = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)

    assert load_lesson(write(network)).tape["fc.y"] == pytest.approx(0.5 * 1 - 0.25 * 2 + 0.1)
    assert load_lesson(write(expressions)).tape["f.f"] == -12


# ---------------------------------------------------------------------------- views of the input gradient


def test_a_lesson_begins_with_the_view_that_its_file_says(write, content):
    content["layers"].insert(0, {"name": "conv0", "kind": "conv2d", "out_channels": 1, "kernel": 1})
    assert load_lesson(write(content)).program.form == "gathered"
    content["input_gradient"] = "scattered"
    content["stops"] = [
        {"at": "conv1.dx", "caption": "As the lesson begins."},
        {"at": "conv1.dx", "caption": "The other way.", "input_gradient": "gathered"},
        {"at": "fc.dw", "caption": "The same in both.", "input_gradient": "gathered"},
    ]
    made = load_lesson(write(content))
    assert made.program.form == "scattered"
    assert made.choose(1).program.form == "scattered"
    assert [(stop.caption, stop.form) for stop in made.stops] == [
        ("The same in both.", ""),
        ("As the lesson begins.", "scattered"),
        ("The other way.", "gathered"),
    ]
    gathered = made.in_form("gathered")
    assert [stop.caption for stop in gathered.stops if stop.shown_in(gathered.program)] == [
        "The same in both.",
        "The other way.",
    ]
    assert gathered.program[gathered.stops[2].index].operation.name == "conv1.dx"
    assert gathered.in_form("scattered").stops == made.stops


def test_stops_in_a_view_that_the_network_has_not_are_faults(write, content):
    del content["loss"], content["optimiser"]
    content["stops"] = [{"at": "fc", "caption": "Here.", "input_gradient": "scattered"}]
    with pytest.raises(CnnvizError, match=r"stops\[0\].input_gradient: the network has no convolution"):
        load_lesson(write(content))
    content["stops"][0]["input_gradient"] = "sideways"
    with pytest.raises(CnnvizError, match=r"stops\[0\].input_gradient: 'sideways' is not known"):
        load_lesson(write(content))


# ----------------------------------------------------------------------------------------------- symbols


def test_what_a_lesson_calls_its_arrays_goes_with_its_programs(write, content):
    content["symbols"] = {"input": "X", "conv1": "Z", "conv1.w": "f", "fc.b": "β"}
    content["layers"].insert(0, {"name": "conv0", "kind": "conv2d", "out_channels": 1, "kernel": 1})
    made = load_lesson(write(content))
    for lesson in (made, made.choose(1), made.in_form("scattered")):
        assert lesson.program.symbols == content["symbols"]


@pytest.mark.parametrize("key", ["conv2", "conv1.q", "relu.w"])
def test_a_symbol_for_nothing_is_a_fault(write, content, key):
    content["symbols"] = {key: "Z"}
    with pytest.raises(CnnvizError, match=rf"symbols.{key}: is not known"):
        load_lesson(write(content))


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    "given, shape",
    [({}, (2, 1)), ({"stride": 1}, (3, 2)), ({"stride": [1, 2]}, (3, 1)), ({"stride": [2, 1]}, (2, 2))],
)
def test_a_pool_takes_its_kernels_size_for_a_stride_or_one_for_each_direction(
    write, content, kind, given, shape
):
    pool = {"name": "pool", "kind": kind, "kernel": [2, 3], **given}
    content["layers"] = [pool, {"name": "flatten", "kind": "flatten"}, *content["layers"][2:]]
    assert load_lesson(write(content)).tape["pool.y"].shape == (1, *shape)


# ------------------------------------------------------------------------------------------ layers as a graph


RESIDUAL = """
title = "Residual"
sentence = "What a layer computes is added to what went past it."
[input]
shape = [2]
values = [1.0, -2.0]
target = [0.5, 0.0]
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
[[layers]]
name = "add"
kind = "add"
inputs = ["fc", "input"]
[[layers]]
name = "side"
kind = "tanh"
[[layers]]
name = "out"
kind = "relu"
inputs = ["add"]
[loss]
kind = "half_squared_error"
[parameters.fc]
w = [[0.5, 0.1], [0.25, -1.0]]
b = [0.1, 0.0]
"""


def test_a_layer_reads_the_layers_and_the_input_that_it_names(tmp_path):
    file = tmp_path / "residual.toml"
    file.write_text('outputs = ["side"]' + RESIDUAL, encoding="utf-8")
    tape = load_lesson(file).tape
    # By hand: 0.5·1 − 0.25·2 + 0.1 = 0.1 and 0.1 + 2 = 2.1, and the input on top.
    assert tape["add.y"] == pytest.approx([1.1, 0.1])
    assert tape["out.y"] == pytest.approx([1.1, 0.1])
    assert tape["add.dx2"] == pytest.approx([0.6, 0.1])
    assert tape["input.dy"] == pytest.approx([0.6 + 0.5 * 0.6 + 0.1 * 0.1, 0.1 + 0.25 * 0.6 - 0.1])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "side: no layer reads it"),
        ('outputs = ["sid"]', "outputs: sid is not a layer; did you mean side?"),
        ('outputs = ["side", "fc"]', "outputs: fc is read by add, so it is not an output"),
    ],
)
def test_outputs_are_layers_that_nobody_reads(tmp_path, line, sentence):
    file = tmp_path / "residual.toml"
    file.write_text(line + RESIDUAL, encoding="utf-8")
    with pytest.raises(CnnvizError, match=re.escape(sentence)):
        load_lesson(file)
