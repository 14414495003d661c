"""Whatever is wrong in a lesson file is said in one sentence, all of it at once, each with its place."""

import math
import os
import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson import arrays, datasets
from cnnviz.lesson.lesson import load_lesson


def told(path):
    with pytest.raises(CnnvizError) as error:
        load_lesson(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert re.search(r"[^.][.?]$", sentence)
    return sentence


def set_in(content, place, value):
    *way, last = place
    for key in way:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    "place, value, fault",
    [
        (("title",), 3, "title: must be a text, is 3"),
        (("title",), " ", "title: must not be empty"),
        (("title",), "a\nb", r"title: must be one line without control characters, is 'a\nb'"),
        (("sentence",), "x" * 501, "sentence: must have at most 500 characters, has 501"),
        (("seed",), -1, "seed: must be at least 0, is -1"),
        (("seed",), 2**63, f"seed: must be at most {2**63}, is {2**63}"),
        (("seed",), True, "seed: must be a whole number, is true"),
        (("input",), 3, "input: must be a table, is 3"),
        (("stops",), [{"letters": "yes"}], "stops[0].letters: must be true or false, is 'yes'"),
        (("stops",), [{"scale": "map"}], "stops[0].scale: 'map' is not known; there is array, layer"),
        (("stops",), [{"level": "stop"}], "stops[0].level: 'stop' is not known; there is line, term,"),
        (("symbols",), [1], "symbols: must be a table, is a list"),
        (("input", "shape"), [1, 0, 4], "input.shape[1]: must be at least 1, is 0"),
        (("input", "shape"), [1, 10**9, 4], "input.shape[1]: must be at most 65536, is 1000000000"),
        (("input", "shape"), [1, 4.0, 4], "input.shape[1]: must be a whole number, is 4.0"),
        (("input", "shape"), [], "input.shape: must not be empty"),
        (("input", "shape"), 4, "input.shape: must be a list, is 4"),
        (("input", "scale"), 0, "input.scale: must be more than 0, is 0.0"),
        (("input", "scale"), 10**400, "input.scale: must be a finite number, is a number of over 30 digits"),
        (("input", "scale"), math.nan, "input.scale: must be a finite number, is nan"),
        (("input", "scale"), "1", "input.scale: must be a number, is '1'"),
        (("input", "sacle"), 1, "input.sacle: is not known; did you mean scale?"),
        (("input", "images"), "../images.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "/tmp/images.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "..\\images.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "\x00.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "i" * 300 + ".npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "CON.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "com¹ .b.npz", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "images.toml", "input.images: must be the name of a data file (.npz, "),
        (("input", "images"), "nix.npz", "nix.npz: there is no such file beside the lesson"),
        (("input", "show"), 2, "input.show: must be at most 1, the last of the images, is 2"),
        (("input", "classes"), ["a", "b"], "input.classes: has 2 names, but the network has 3 classes"),
        (("input", "classes"), ["a", "b", 3], "input.classes[2]: must be a text, is 3"),
        (("input", "target"), [1, 0, 0], "input.target: the labels of the images say it already"),
        (("input", "values"), [[[1]]], "input.values: cannot be given together with input.images"),
        (("layers",), [], "layers: must not be empty"),
        (("layers",), {}, "layers: must be a list, is a table"),
        (("layers", 1), "relu", "layers[1]: must be a table, is 'relu'"),
        (("layers", 0, "name"), "conv 1", "layers[0].name: must be a name of at most 40 letters"),
        (("layers", 0, "name"), "c" * 41, "layers[0].name: must be a name of at most 40 letters"),
        (("layers", 0, "name"), "loss", "layers[0].name: must not be 'loss', which has a meaning of its own"),
        (("layers", 0, "name"), "weights", "layers[0].name: must not be 'weights', which has a meaning"),
        (("layers", 0, "name"), "schedule_1", "layers[0].name: must not be 'schedule_1', which has"),
        (("layers", 1, "name"), "conv1", "layers[1].name: 'conv1' is the name of layers[0] already"),
        (("layers", 0, "kind"), "conf2d", "layers[0].kind: 'conf2d' is not known; did you mean conv2d?"),
        (("layers", 0, "kind"), "", "layers[0].kind: '' is not known; there is conv2d, conv1d, "),
        (("layers", 0, "kind"), 7, "layers[0].kind: must be a text, is 7"),
        (("layers", 0, "kernel"), 0, "layers[0].kernel: must be at least 1, is 0"),
        (("layers", 0, "kernel"), [3, 0], "layers[0].kernel[1]: must be at least 1, is 0"),
        (("layers", 0, "kernel"), [3, 3, 3], "layers[0].kernel: must be a list of 2, has 3"),
        (("layers", 0, "padding"), -1, "layers[0].padding: must be at least 0, is -1"),
        (("layers", 0, "padding"), [0, 0, 1], "layers[0].padding: must be a list of 2, has 3"),
        (("layers", 0, "padding"), [0, 0, 1, -1], "layers[0].padding[3]: must be at least 0, is -1"),
        (("layers", 0, "padding"), "sama", "layers[0].padding: 'sama' is not known; did you mean same?"),
        (("layers", 0, "bias"), 0, "layers[0].bias: must be true or false, is 0"),
        (("layers", 0, "groups"), 2, "conv1: 1 channels and 2 kernels cannot be cut into 2 groups"),
        (("layers", 0, "kernal"), 3, "layers[0].kernal: is not known; did you mean kernel?"),
        (("layers", 2, "neurons"), "3", "layers[2].neurons: must be a whole number, is '3'"),
        (("layers", 0, "kernel"), 5, "conv1: a kernel of 5 × 5 does not fit an input of 4 × 4"),
        (("layers", 0, "in_channels"), 2, "conv1: its kernels are 2 deep, but its input has 1 channels"),
        (("input", "shape"), [1, 65_536, 65_536], "conv1: with it, an iteration takes 893,339 MB; 800"),
        (("layers", 2, "in_features"), 9, "fc: its weights have shape 9 × 3 and take 9 inputs, but 8 "),
        (("layers", 1), {"name": "r", "kind": "relu"}, "fc: needs one column of numbers"),
        (("layers", 3), {"name": "r", "kind": "relu"}, "loss: cross_entropy needs softmax as the last layer"),
        (("loss",), {}, "loss.kind: must be given"),
        (("loss", "kind"), "crossentropy", "loss.kind: 'crossentropy' is not known; did you mean cross_"),
        (("optimiser", "lr"), 0, "optimiser.lr: must be more than 0, is 0.0"),
        (("optimiser", "momentum"), 1.0, "optimiser.momentum: must be less than 1, is 1.0"),
        (("weights",), "w.npz", "seed: cannot be given together with weights"),
        (("parameters",), {"conv1": {"w": [1]}}, "seed: cannot be given together with parameters"),
        (("parameters",), {"conv2": {}}, "parameters.conv2: there is no such layer; did you mean conv1?"),
        (("parameters",), {"conv1": {"b": [0, "a"]}}, "parameters.conv1.b[1]: must be a number, is 'a'"),
        (("parameters",), {"conv1": {"b": [[0], [0, 1]]}}, "conv1.b[1]: must have the shape 1, as"),
        (("parameters",), {"conv1": {"b": [[[[[0]]]]]}}, "conv1.b[0][0][0][0]: must be a number, is a list"),
        (("parameters",), {"conv1": {"b": []}}, "parameters.conv1.b: must not be empty"),
        (("parameters",), {"conv1": {"b": [math.inf]}}, "conv1.b[0]: must be a finite number, is inf"),
        (("tilte",), "x", "tilte: is not known; did you mean title?"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_place(write, content, place, value, fault):
    set_in(content, place, value)
    assert fault in told(write(content))


@pytest.mark.parametrize(
    "place", [("title",), ("sentence",), ("input", "shape"), ("layers", 0, "name"), ("optimiser", "lr")]
)
def test_what_is_missing_is_named(write, content, place):
    *way, last = place
    table = content
    for key in way:
        table = table[key]
    del table[last]
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)[1:]

    assert f"{path}: must be given" in told(write(content))


def test_all_faults_are_told_at_once(write, content):
    del content["title"]
    content["layers"][0]["kernel"] = 0
    content["layers"][2]["kind"] = "liner"
    content["layers"][3]["name"] = "conv1"
    content["optimiser"]["lr"] = "fast"
    content["input"]["target"] = [1]

    assert told(write(content)) == (
        "lesson.toml: title: must be given; layers[0].kernel: must be at least 1, is 0; "
        "layers[2].kind: 'liner' is not known; did you mean linear?; optimiser.lr: "
        "must be a number, is 'fast'; "
        "layers[3].name: 'conv1' is the name of layers[0] already; every layer needs its own; "
        "input.target: the labels of the images say it already; leave it out."
    )


def test_what_does_not_fit_is_told_beside_what_is_wrong_in_itself(write, content):
    """But not behind a layer that is wrong itself, whose output nobody knows."""
    misfit = "conv1: a kernel of 9 × 9 does not fit an input of 4 × 4"
    content["layers"][0]["kernel"] = 9
    del content["title"]
    content["layers"][1]["kind"] = "reli"
    sentence = told(write(content))
    assert "title: must be given" in sentence
    assert "layers[1].kind: 'reli' is not known" in sentence
    assert misfit in sentence
    content["layers"].insert(0, {"name": "first", "kind": "con"})
    assert misfit not in told(write(content))
    del content["layers"][0], content["input"]["shape"]
    assert misfit not in told(write(content))


def test_a_flood_of_faults_is_cut_short(write, content):
    content["layers"] = [{"name": "a", "kind": "x"}] * 60
    sentence = told(write(content))
    assert sentence.endswith("; and 99 more.")
    one = told(write(content | {"layers": content["layers"][:1]}))
    assert len(sentence) < 25 * len(one)


@pytest.mark.parametrize("table", ["parameters", "parameters.fc", "loss", "optimiser"])
def test_a_seed_below_a_table_is_one_fault_that_names_the_remedy(write, content, table):
    del content["seed"]
    content["optimiser"] = {"kind": "sgd", "lr": 0.5}
    within = content
    for key in table.split("."):
        within = within.setdefault(key, {})
    within["seed"] = 1
    assert told(write(content)) == (
        f"lesson.toml: {table}.seed: seed stands at the top of the file, before the first table."
    )


def test_faults_of_shapes_and_of_data_are_told_together(write, content):
    content["layers"][0]["kernel"] = 9
    sentence = told(write(content, labels=(0, 1, 2)))
    assert "conv1: a kernel of 9 × 9 does not fit" in sentence
    assert "images.npz: labels: has shape 3, but must have 2" in sentence


def test_each_place_of_maps_has_a_target_of_its_own(write, content):
    content["layers"] = [content["layers"][0], {"name": "softmax", "kind": "softmax"}]
    targets = np.zeros((2, 2, 2, 2))
    targets[:, 0] = 0.25
    targets[:, 1] = 0.75
    lesson = load_lesson(write(content, labels=None, targets=targets))
    assert lesson.tape["softmax.y"].sum(axis=0) == pytest.approx(np.ones((2, 2)))
    targets[1, 0, 1, 0] = 0.5
    assert "targets: must hold probabilities that add up to 1, not to 1.25" in told(
        write(content, labels=None, targets=targets)
    )


def test_symbols_parameters_training_and_samples_are_told_together(write, content):
    """Each by itself, so that a file need not be mended fault by fault."""
    del content["seed"]
    content["parameters"] = {"fc": {"w": [[1.0]]}}
    content["symbols"] = {"pool": "P"}
    content["training"] = {"iterations": 5, "held_out": 2}
    sentence = told(write(content, labels=(0, 3)))
    for fault in (
        "symbols.pool: is not known",
        "parameters: conv1.w is missing",
        "training.held_out: must be less than 2",
        "images.npz: a label is 3",
    ):
        assert fault in sentence


def test_labels_of_an_output_of_maps_are_refused_with_what_would_do(write, content):
    """A label says one class; of maps there is a target at each place."""
    content["layers"] = content["layers"][:1]
    content["loss"] = {"kind": "half_squared_error"}
    assert told(write(content)) == (
        "lesson.toml: images.npz: has labels, but the network puts out maps of shape 2 × 2 × 2; give it "
        "targets of that shape instead, or end with a column, one number a class."
    )
    targets = {"labels": None, "targets": np.zeros((2, 2, 2, 2))}
    assert load_lesson(write(content, **targets)).tape["loss.t"].shape == (2, 2, 2)
    del content["loss"], content["optimiser"]
    assert load_lesson(write(content)).subject.label(1) == "2"


@pytest.mark.parametrize(
    "key, fault",
    [
        (
            "seed",
            "weights or parameters or seed: one of them must be given, for conv1.w, conv1.b, fc.w, fc.b",
        ),
        ("loss", "optimiser: needs a [loss]"),
    ],
)
def test_what_else_is_needed_is_said(write, content, key, fault):
    del content[key]
    assert fault in told(write(content))


def test_a_schedule_goes_with_an_optimiser_and_knows_its_arguments(write, content):
    content["schedule"] = {"kind": "step_lr", "step": 3}
    assert "schedule.step_size: must be given; schedule.step: is not known; did you mean step_size?" in told(
        write(content)
    )
    content["schedule"] = {"kind": "step_lr", "step_size": 3}
    del content["optimiser"]
    assert "schedule: needs an [optimiser], whose learning rate it changes" in told(write(content))


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ({"deep": ["conv2"]}, "sizes.deep[0]: conv2 is not a layer; did you mean conv1?"),
        (
            {"deep": ["conv1", "fc"]},
            "sizes.deep: all its layers must put out as many numbers; they put out 8, 3",
        ),
        ({"fc": ["fc"]}, "sizes.fc: needs a name of its own"),
        ({"deep": []}, "sizes.deep: must not be empty"),
    ],
)
def test_sizes_are_of_gradients_that_there_are(write, content, sizes, fault):
    assert fault in told(write({**content, "sizes": sizes}))


def test_a_network_too_large_takes_no_memory(write, content):
    content["input"] = {"shape": [65_536], "values": [0], "target": [0]}
    content["layers"] = [{"name": f"fc{k}", "kind": "linear", "neurons": 65_536} for k in range(9)]
    tracemalloc.start()
    sentence = told(write(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 8 numbers for each weight of a neuron and its bias, and 3 more, 524,299; and for each input 4, 262,144.
    assert (
        "fc0: with it, an iteration takes 274,885 MB; 800 MB are the most; with neurons = 190 it" in sentence
    )
    assert peak < 10 * 2**20


CONV = {"name": "conv", "kind": "conv2d", "out_channels": 1}
POOL = {"name": "pool", "kind": "avg_pool2d"}
FC = {"name": "fc", "kind": "linear"}


@pytest.mark.parametrize(
    "shape, layer, fault",
    [
        # 8000 → 40000, 2.5 GB for the weights alone: 64,011 numbers for each neuron, and 32,000.
        (
            [8000],
            FC | {"neurons": 40_000},
            "takes 20,483 MB; 800 MB are the most; with neurons = 1561 it fits",
        ),
        # 1501² windows of 500² numbers each, laid out for the other form: 4.5 TB.
        ([1, 2000, 2000], CONV | {"kernel": 500}, "MB; 800 MB are the most; take a smaller input"),
        # One window of 500²; but at each of 2000² places the gradient is gathered from as many.
        ([1, 2000, 2000], CONV | {"kernel": 500, "stride": 1501}, "MB; 800 MB are the most; take a smaller"),
        ([1, 300, 300], CONV | {"kernel": [9, 1], "out_channels": 2_000}, "the most; with out_channels = "),
        (
            [1, 1200, 1200],
            POOL | {"kernel": 1000},
            "million multiply-adds; 1,000 are the most; take a smaller",
        ),
    ],
)
def test_what_takes_too_long_or_too_much_is_refused_by_its_shapes(write, content, shape, layer, fault):
    content["input"] = {"shape": shape, "images": "images.npz"}
    content["layers"][:] = [layer]
    del content["loss"], content["optimiser"]
    tracemalloc.start()
    sentence = told(write(content, np.zeros((2, 1, 1, 1))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fault in sentence
    assert peak < 10 * 2**20


# The most memory that a process has had, after it has opened a lesson and composed its first frame.
OPENED = """
import resource, sys
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.view import View
lesson = load_lesson(sys.argv[1])
compose(lesson.program, 0, View(1280, 720))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it is counted in other units")
@pytest.mark.parametrize(
    "shape, layers",
    [
        ([2300], [FC | {"neurons": 3_000}]),
        ([1, 400, 400], [{"name": f"t{k}", "kind": "tanh"} for k in range(90)]),
        ([64, 64, 64], [CONV | {"kernel": 3, "padding": 1, "out_channels": 32}]),
    ],
)
def test_what_is_accepted_takes_at_most_2_gb(write, content, shape, layers):
    content["input"] = {"shape": shape, "images": "images.npz"}
    last = [{"name": "flatten", "kind": "flatten"}] if len(shape) > 1 else []
    content["layers"][:] = [*layers, *last, {"name": "last", "kind": "linear", "neurons": 2}]
    content |= {"loss": {"kind": "half_squared_error"}, "optimiser": {"kind": "adam"}}
    path = write(content, np.ones((1, *shape)), [1])
    done = subprocess.run([sys.executable, "-c", OPENED, path], capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) < 2 * 2**20, "in kB"


def test_a_target_of_many_classes_is_one_row(write, content):
    """It was taken out of a matrix of classes × classes: 7 GB for 30,000."""
    content["input"] = {"shape": [1, 4, 4], "images": "images.npz"}
    content["layers"] = [content["layers"][1], FC | {"neurons": 5_000}, content["layers"][3]]
    path = write(content)
    tracemalloc.start()
    target = load_lesson(path).tape["loss.t"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert target.sum() == target[0] == 1
    assert peak < 100 * 2**20


@pytest.mark.parametrize("given, most", [(100, 100), (101, 100)])
def test_layers_are_counted_before_they_are_read(write, content, given, most):
    content["layers"] = [{"name": f"r{k}", "kind": "relu"} for k in range(given)]
    del content["loss"], content["optimiser"], content["seed"]
    if given <= most:
        assert len(load_lesson(write(content)).network.layers) == most
    else:
        content["layers"][0] = 7
        assert told(write(content)) == "lesson.toml: layers: must be at most 100, are 101."


def test_images_are_counted_before_they_are_read(write, content, monkeypatch):
    monkeypatch.setattr(datasets, "MOST_IMAGES", 3)
    monkeypatch.setattr(arrays, "_read", lambda *_: pytest.fail("it was read"))
    path = write(content, np.zeros((4, 1, 4, 4)), (0, 1, 2, 0))
    assert told(path) == "lesson.toml: images.npz: must have at most 3 images, has 4."


INLINE = {"shape": [2], "values": [1, 2], "target": [1, 0]}


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"values": [1, 2, 3]}, "input.values: has shape 3, but must have 2"),
        ({"values": 1}, "input.values: must be a list of numbers, is 1"),
        ({"target": None}, "input.target: must be given, because there is a [loss]"),
        ({"target": [1]}, "input.target: has shape 1, but must have 2"),
        ({"target": [1, 1]}, "input.target: must hold probabilities that add up to 1, not to 2"),
        ({"target": [2, -1]}, "input.target: must hold probabilities, which are from 0 to 1"),
        ({"show": 1}, "input.show: must be at most 0, the last of the images, is 1"),
        ({"values": None}, "input.images or input.values: one of them must be given"),
    ],
)
def test_inline_values(write, content, change, fault):
    content["input"] = {key: value for key, value in (INLINE | change).items() if value is not None}
    content["layers"] = [content["layers"][3]]
    del content["seed"]
    assert fault in told(write(content))


def test_a_target_without_a_loss(write, content):
    content["input"] = INLINE
    content["layers"] = [content["layers"][3]]
    del content["seed"], content["loss"], content["optimiser"]
    assert "input.target: there is no [loss] to compare it with" in told(write(content))


@pytest.mark.parametrize(
    "parameters, fault",
    [
        ({"fc": {"w": [[1, 0], [0, 1]]}}, "parameters: fc.b is missing; the network needs it"),
        ({"fc": {"w": [[1, 0]], "b": [0, 0]}}, "fc: w has shape 1 × 2, but the layer needs 2 × 2"),
        ({"fc": {"w": [[1, 0], [0, 1]], "b": [0, 0], "c": [1]}}, "parameters.fc.c: is not known"),
    ],
)
def test_inline_parameters(write, content, parameters, fault):
    content["input"] = INLINE
    content["layers"] = [{"name": "fc", "kind": "linear", "neurons": 2}, content["layers"][3]]
    content["parameters"] = parameters
    del content["seed"]
    assert fault in told(write(content))


@pytest.mark.parametrize(
    "letters, fault",
    [
        ({"conv": {"x": "a"}}, "letters.conv: there is no such layer; did you mean conv1?"),
        ({"conv1": {"q": "a"}}, "letters.conv1.q: is not known; there is x, w, b, y"),
        (
            {"conv1": {"b": "p q r"}},
            "letters.conv1.b: must be 2 names with blanks between, one for each cell",
        ),
        ({"conv1": {"b": "p p"}}, "letters.conv1.b: p is the name of another cell already, in b"),
        ({"fc": {"b": "p q r", "y": "s t q"}}, "letters.fc.y: q is the name of another cell already, in b"),
        (
            {"conv1": {"b": "p " + 9 * "q"}},
            "letters.conv1.b: a name has at most 4 letters, unlike 'qqqqqqqqq'",
        ),
        ({"conv1": {"b": 3}}, "letters.conv1.b: must be a text, is 3"),
        ({"conv1": "p q"}, "letters.conv1: must be a table, is 'p q'"),
    ],
)
def test_letters(write, content, letters, fault):
    assert fault in told(write({**content, "letters": letters}))


DEEP = "lesson.toml: its tables and lists are nested too deeply; 16 levels are the most"


@pytest.mark.parametrize(
    "text, fault",
    [
        ("title = ", "lesson.toml is not valid TOML: Invalid value (at "),
        ("a = " + "[" * 100_000, DEEP),
        ("parameters" + ".a" * 1_499 + " = 1", DEEP),
        ("b = '#'  # '\n[" + " a . 'b' ." * 9_000 + "a]", DEEP),
        ("parameters = " + "{a.a.a.a = " * 90 + "1" + "}" * 90, DEEP),
        (".".join("a" * 17) + " = 1", DEEP),
        (".".join("a" * 16) + " = 1", "title: must be given"),
        ("title = '" + "a." * 40 + "\"'", "sentence: must be given"),
        ('sentence = """' + "a.\n" * 40 + '"""  #' + "a." * 40, "title: must be given"),
        ("a = " + "9" * 5000, "lesson.toml is not valid TOML: Exceeds the limit"),
        ("", "title: must be given"),
        ("#" * (2**20 + 1), "lesson.toml is larger than 1 MB"),
    ],
    ids=range(12),
)
def test_broken_text(write, text, fault):
    assert fault in told(write(text))


def test_keys_take_no_time_before_they_are_refused(write, monkeypatch):
    """A key of 20,000 parts took 14 s and 1.6 GB; so it must not come as far as to be parsed."""
    monkeypatch.setattr("cnnviz.lesson.files.tomllib.loads", lambda text: pytest.fail("it was parsed"))
    for text in ("a." * 20_000 + "a = 1", "'a'." * 20_000 + "a = 1", "[" + '"a". ' * 20_000 + "a]"):
        assert "nested too deeply" in told(write(text))


def test_a_reason_is_not_told_at_length(write):
    key = "k" * 20_000
    for text in (
        f"a = {{ {key} = 1, {key} = 2 }}",
        f"{key} = 1\n{key} = 2",
        f"[{key}]\n[{key}]",
        f"a = 1{key}",
    ):
        assert len(told(write(text))) < 300


def test_binary(tmp_path):
    (tmp_path / "lesson.toml").write_bytes(b"\x80\x00\xff")
    assert told(tmp_path / "lesson.toml") == "lesson.toml is not a lesson file: it is not text in UTF-8."
    (tmp_path / "cat.PNG").write_bytes(b"\x89PNG")
    assert told(tmp_path / "cat.PNG").endswith(
        "it goes into a network: File, Input of the network…, or cnnviz digits --set picture.file=cat.PNG."
    )


def test_a_mark_at_the_beginning_is_no_fault(write, content, tmp_path):
    path = write(content)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_text().replace("\n", "\r\n").encode())
    assert load_lesson(path).title == "A small net"


def test_what_is_no_file(tmp_path):
    assert told(tmp_path / "nix.toml").endswith("nix.toml: there is no such file.")
    assert told(tmp_path).endswith("cannot be read (it is not a file).")
    assert "cannot be read (embedded null byte)" in told("a\0b.toml")
    assert "cannot be read (File name too long)" in told("a" * 5000 + ".toml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "lesson.toml")
    assert told(tmp_path / "lesson.toml").endswith("cannot be read (it is not a file).")


def test_no_permission(write, content, monkeypatch):
    path = write(content)
    really_open = os.open

    def refuse(opened, *rest, **options):
        if opened == path:
            raise PermissionError(13, "Permission denied")
        return really_open(opened, *rest, **options)

    monkeypatch.setattr("cnnviz.files.os.open", refuse)
    assert told(path).endswith("lesson.toml cannot be read (Permission denied).")
