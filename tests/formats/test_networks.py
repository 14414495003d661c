"""Networks in every format compute what the framework that wrote them computes, forwards and backwards."""

from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from cnnviz import CnnvizError, load_lesson
from cnnviz.lesson.source import Source, UnsteppableError
from tests.formats.reference import DATA, LABEL, close, files, reference
from tests.formats.test_functions import field, node, tensor

WITHOUT_NODES = ("lenet.class.pt", "lenet.state.pt", "lenet.older.pth", "lenet.checkpoint.pth", "types.pt")
WITHOUT_NODES += ("types.onnx", "types.older.pt", "keras-sequential.weights.h5")
# They have layers that the catalogue does not have yet, or not with these arguments.
UNSTEPPABLE: tuple[str, ...] = ()
NETWORKS = [
    name
    for name in files(".onnx", ".pt", ".pth", ".pt2", ".keras", ".h5")
    if name not in WITHOUT_NODES and not name.startswith(("hdf5", "training", "tiny"))
]

# Whoever folds a batch norm in float32 rounds; Keras computes all of it in float32.
ROUNDED = (
    "norms.legacy.onnx",
    "norms.dynamo.onnx",
    "residual.legacy.onnx",
    "residual.dynamo.onnx",
    "depthwise.legacy.onnx",
    "depthwise.dynamo.onnx",
)


def opened(name, tmp_path, told=reference):
    """Return a network's lesson with the reference's input, label or target, and the reference."""
    arrays = told(DATA / name)
    wanted = f"label={LABEL}"
    if arrays["y"].ndim == 4:
        np.save(tmp_path / "target.npy", np.full(arrays["y"].shape, 0.5))
        wanted = f"target={tmp_path / 'target.npy'}"
    try:
        return load_lesson(f"{DATA / name}?{wanted}", input=arrays["x"]), arrays
    except UnsteppableError as error:
        assert name.startswith(UNSTEPPABLE), error
        pytest.skip(str(error))


def origin(lesson, layer):
    return lesson.description.file.origins.get(layer, "")


def output_of(lesson):
    """Return the output of the last layer that the file has."""
    names = [layer.name for layer in lesson.network.layers if layer.name in lesson.description.file.origins]
    return lesson.tape[f"{names[-1]}.y"]


def gradient_of_input(lesson):
    """Return what comes back to the input, with its axes as the file has them."""
    network = lesson.network
    parts = [lesson.tape[address] for address in network.gradients["input"]]
    return sum(parts[1:], start=parts[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_the_framework(name, tmp_path):
    lesson, wanted = opened(name, tmp_path)
    is_rounded = name in ROUNDED or name.startswith("keras")
    tolerance = 1e-5 if is_rounded else 1e-10
    assert close(output_of(lesson), wanted["y"][0], tolerance)
    dx = gradient_of_input(lesson)
    if name.startswith("keras"):
        scale = 0.5 if "sequential" in name else 1.0  # of its layer Rescaling
        dx = dx[0] if "flat" in name else np.moveaxis(dx * scale, 0, -1)
    assert close(dx, wanted["dx"][0], tolerance)
    compared = 0
    for layer in lesson.network.layers:
        for own, theirs in (("w", "weight"), ("b", "bias"), ("gamma", "weight"), ("beta", "bias")):
            key = f"d:{origin(lesson, layer.name)}.{theirs}"
            if own not in layer.parameter_shapes or key not in wanted or name in ROUNDED:
                continue
            gradient = wanted[key].T if layer.kind == "linear" and own == "w" else wanted[key]
            assert close(lesson.tape[f"{layer.name}.d{own}"], gradient, tolerance), f"{layer.name}.{own}"
            compared += 1
    if name.startswith(("lenet", "inception", "unet", "groups", "gates")) or (
        name.startswith(("residual", "norms")) and name not in ROUNDED
    ):
        assert compared == sum(key.startswith("d:") for key in wanted)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_step_of_it_can_be_shown(name, tmp_path):
    lesson, _ = opened(name, tmp_path)
    for step in (0, len(lesson.program) // 2, len(lesson.program) - 1):
        lesson.program.state(step)


def test_tiny_vgg_is_the_same_from_every_format():
    names = [name for name in files(".onnx", ".pt", ".pt2", ".keras", ".h5") if name.startswith("tiny")]
    assert len(names) == 7
    for name in names:
        arrays = reference(DATA / name)
        x = np.moveaxis(arrays["x"], 1, -1) if name.endswith((".keras", ".h5")) else arrays["x"]
        lesson = load_lesson(f"{DATA / name}?label={LABEL}", input=x)
        assert close(output_of(lesson), arrays["y"][0], 1e-10), name
        assert len(lesson.program) == 46_842_800, name
        lesson.program.state(len(lesson.program) // 2)


def test_names_are_those_of_the_file_and_the_same_from_every_exporter():
    names = {
        name: [layer.name for layer in load_lesson(DATA / name, input=np.zeros((1, 12, 12))).network.layers]
        for name in files("lenet.legacy.onnx", "lenet.dynamo.onnx", "lenet.traced.pt", "lenet.scripted.pt")
        + files("lenet.pt2", "lenet.double.onnx")
    }
    assert len(names) == 6
    for found in names.values():
        assert " ".join(found) == "conv1 relu1 pool1 conv2 tanh1 pool2 flatten1 fc1 relu2 fc2"
    lesson = load_lesson(DATA / "residual.legacy.onnx")
    assert origin(lesson, "down_0") == "/down/down.0/Conv"


def test_without_an_input_it_is_zeros_and_says_so():
    lesson = load_lesson(DATA / "lenet.legacy.onnx")
    assert not lesson.tape["input.y"].any()
    assert "Its input is all zeros, because none was given (--input)." in lesson.description.notes
    assert lesson.network.loss is None


def test_a_file_that_names_no_size_asks_for_an_input():
    with pytest.raises(
        CnnvizError, match=r"vgg.module.pt: it does not say how large its input is \(3 × \? × \?\)"
    ):
        load_lesson(DATA / "vgg.module.pt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("label=5", "the label must be a whole number from 0 to 4, is 5"),
        ("label=x", "the label must be a whole number from 0 to 4, is x"),
        ("label=%C2%B2", "the label must be a whole number from 0 to 4, is ²"),
        ("lable=1", "lable=1 is not understood; did you mean label?"),
        ("up_to=fc9", "there is no layer fc9 up to where it can be opened; there is conv1, relu1"),
        ("input=nothing.npy", "nothing.npy cannot be read"),
    ],
)
def test_what_does_not_fit_is_said(words, said):
    with pytest.raises(CnnvizError) as told:
        load_lesson(f"{DATA / 'lenet.legacy.onnx'}?{words}")
    assert said in str(told.value)


def test_an_input_of_another_shape_is_refused():
    with pytest.raises(CnnvizError, match="its input has the shape 1 × 12 × 12, but 1 × 9 × 12 is given"):
        load_lesson(DATA / "lenet.legacy.onnx", input=np.zeros((1, 9, 12)))


def test_several_inputs_can_be_chosen_from():
    lesson = load_lesson(DATA / "lenet.legacy.onnx", image=2, input=np.arange(432.0).reshape(3, 1, 12, 12))
    assert len(lesson.subject) == 3
    assert lesson.tape["input.y"][0, 0, 0] == 288


def test_it_opens_up_to_a_layer():
    lesson = load_lesson(f"{DATA / 'residual.pt2'}?up_to=relu2")
    assert [layer.name for layer in lesson.network.layers] == [
        "conv1",
        "bn1",
        "relu1",
        "conv2",
        "bn2",
        "add1",
        "relu2",
    ]


def test_a_label_says_which_loss():
    lesson = load_lesson(f"{DATA / 'vgg.legacy.onnx'}?label=2")
    assert (lesson.network.loss.kind, lesson.network.layers[-1].name) == ("cross_entropy", "softmax1")
    lesson = load_lesson(f"{DATA / 'lenet.legacy.onnx'}?label=2")
    assert (lesson.network.loss.kind, lesson.network.layers[-1].name) == ("cross_entropy_with_logits", "fc2")
    scores = lesson.tape["fc2.y"]
    assert lesson.tape["loss.value"] == pytest.approx(np.log(np.exp(scores).sum()) - scores[2], rel=1e-12)
    assert lesson.changed(*load_changes("label=4")).tape["loss.t"].tolist() == [0, 0, 0, 0, 1]


def test_logarithms_of_probabilities_get_no_second_softmax(tmp_path):
    """The loss is minus the logarithm of the right class, and its gradient −1 there alone."""
    path, classes = tmp_path / "net.keras", DATA / "keras-sequential.keras"
    with ZipFile(classes) as whole, ZipFile(path, "w") as made:
        for name in whole.namelist():
            made.writestr(name, whole.read(name).replace(b'"softmax"', b'"log_softmax"'))
    lesson, x = load_lesson(f"{path}?label=1", input=reference(classes)["x"]), reference(classes)
    last = lesson.network.layers[-1].name
    assert lesson.network.loss.kind == "nll"
    np.testing.assert_allclose(np.exp(lesson.tape[f"{last}.y"]), np.ravel(x["y"]), rtol=1e-4, atol=1e-7)
    assert lesson.tape["loss.value"] == -lesson.tape[f"{last}.y"][1]
    assert lesson.tape[f"{last}.dy"].tolist() == [-1.0 if k == 1 else 0.0 for k in range(x["y"].size)]


def load_changes(*words):
    from cnnviz.lesson.changes import read_changes

    return read_changes(words)


def test_in_training_mode_a_mini_batch_goes_through_together():
    """With a label for each sample: mean and variance of the mini-batch, and the gradient through both."""
    path = DATA / "training.pt2"
    wanted = reference(path)
    labels = ",".join(map(str, wanted["labels"]))
    lesson = load_lesson(f"{path}?label={labels}", input=wanted["x"])
    assert len(lesson.subject) == 1
    assert close(output_of(lesson), wanted["y"], 1e-10)
    assert close(gradient_of_input(lesson), wanted["dx"], 1e-9)
    for layer, own, theirs in (("conv2d", "dw", "0.weight"), ("batch_norm", "dgamma", "1.weight")):
        name = next(part.name for part in lesson.network.layers if part.kind == layer)
        assert close(lesson.tape[f"{name}.{own}"], wanted[f"d:{theirs}"], 1e-9)
    with pytest.raises(CnnvizError, match="as many labels as inputs, with commas between: 3, not 1"):
        load_lesson(f"{path}?label=1", input=wanted["x"])
    alone = load_lesson(f"{DATA / 'lenet.pt2'}?label=1,4", image=1, input=np.ones((2, 1, 12, 12)))
    assert alone.tape["loss.t"].tolist() == [0, 0, 0, 0, 1]


def with_two_inputs(tmp_path, left=3, right=2):
    """Write a network of two inputs, and return its path, its weights and what draws numbers."""
    rng = np.random.default_rng(0)
    w = {
        "wl": rng.normal(size=(left, 4)).astype(np.float32),
        "wr": rng.normal(size=(right, 4)).astype(np.float32),
    }

    def info(name, size):
        return field(1, name) + field(2, field(1, field(2, field(1, field(1, 1)) + field(1, field(1, size)))))

    nodes = (
        node("MatMul", ("left", "wl"), ("l",)),
        node("MatMul", ("right in", "wr"), ("r",)),
        node("Add", ("l", "r"), ("y",)),
    )
    graph = b"".join(field(1, one) for one in nodes) + b"".join(field(5, tensor(*one)) for one in w.items())
    graph += field(11, info("left", left)) + field(11, info("right in", right)) + field(12, info("y", 4))
    path = tmp_path / "two.onnx"
    path.write_bytes(field(7, graph) + field(8, field(2, 17)))
    return path, w, rng


def test_pictures_that_go_into_several_inputs_are_stepped(tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    sizes = b"".join(field(1, field(1, size)) for size in (1, 1, 6, 6))

    def info(name):
        return field(1, name) + field(2, field(1, field(2, sizes)))

    nodes = node("Add", ("left", "right"), ("s",)), node("Relu", ("s",), ("y",))
    graph = b"".join(field(1, one) for one in nodes)
    graph += field(11, info("left")) + field(11, info("right")) + field(12, info("y"))
    path = tmp_path / "pair.onnx"
    path.write_bytes(field(7, graph) + field(8, field(2, 17)))
    np.save(tmp_path / "b.npy", np.full((1, 6, 6), -0.25))
    lesson = load_lesson(f"{path}?input=left={tmp_path / 'a.png'};right={tmp_path / 'b.npy'}")
    names = [operation.name for operation in lesson.program.operations]
    assert names[:3] == ["left.columns", "left.rows", "left"] and "right" not in names
    small = np.asarray(Image.fromarray(image).resize((6, 6), Image.Resampling.BILINEAR)) / 255
    assert np.allclose(lesson.tape["left.y"][0], small, rtol=0, atol=1e-15)
    assert np.allclose(output_of(lesson), np.maximum(small - 0.25, 0)[None], atol=1e-12)


def test_each_of_several_inputs_is_given_by_its_name(tmp_path):
    path, w, rng = with_two_inputs(tmp_path)
    left, right = rng.normal(size=3), rng.normal(size=2)
    wanted = left @ w["wl"] + right @ w["wr"]
    lesson = load_lesson(path, input={"left": left, "right in": right})
    assert np.allclose(output_of(lesson), wanted, rtol=1e-12)
    np.save(tmp_path / "a.npy", left)
    np.save(tmp_path / "b.npy", right)
    files = f"left={tmp_path / 'a.npy'};right in={tmp_path / 'b.npy'}"
    lesson = load_lesson(str(Source(str(path), input=files, label="2")))
    probabilities = np.exp(wanted) / np.exp(wanted).sum()
    assert np.allclose(lesson.tape["right_in.y"], right)
    assert np.allclose(lesson.tape["r.db"], probabilities - [0, 0, 1, 0], rtol=1e-12)
    one = tmp_path / "one.cnnviz"
    one.write_bytes(load_lesson(path).packed())
    kept = load_lesson(str(Source(str(one), input=files, label="2")))
    assert np.array_equal(kept.tape["r.db"], lesson.tape["r.db"]) and kept.notes == lesson.notes
    again = load_lesson(lesson.description.source)
    assert (again.tape["r.db"] == lesson.tape["r.db"]).all()
    assert load_lesson(path).notes == (
        "All zeros go into left, right in, because nothing was given (--input).",
    )
    for given, said in (
        (left, r"it takes several inputs \(left, right in\); give each by its name, --input left=FILE"),
        ({"lfet": left}, r"it has no input lfet; did you mean left\?"),
        ({"left": right}, "left: its input has the shape 3, but 2 is given"),
    ):
        with pytest.raises(CnnvizError, match=f"two.onnx: {said}"):
            load_lesson(path, input=given)
