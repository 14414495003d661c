"""Parameters in files of other programs go where a lesson's layers are, and never the wrong way round."""

import shutil

import numpy as np
import pytest

from cnnviz import CnnvizError, load_lesson
from cnnviz.lesson.changes import read_changes, text_of
from tests.formats.reference import DATA, close, reference

LENET = """\
title = "LeNet"
sentence = "Its weights were learnt elsewhere."
weights = "{file}"
{layout}
[input]
shape = [1, 12, 12]
values = {values}
[[layers]]
name = "{prefix}conv1"
kind = "conv2d"
out_channels = 3
kernel = 5
padding = 2
[[layers]]
name = "relu1"
kind = "relu"
[[layers]]
name = "pool1"
kind = "max_pool2d"
kernel = 2
[[layers]]
name = "{prefix}conv2"
kind = "conv2d"
out_channels = 4
kernel = 3
[[layers]]
name = "tanh1"
kind = "tanh"
[[layers]]
name = "pool2"
kind = "avg_pool2d"
kernel = 2
[[layers]]
name = "flatten"
kind = "flatten"
[[layers]]
name = "{prefix}fc1"
kind = "linear"
neurons = 12
[[layers]]
name = "relu2"
kind = "relu"
[[layers]]
name = "{prefix}fc2"
kind = "linear"
neurons = 5
"""
FILES = ("lenet.state.pt", "lenet.older.pth", "lenet.checkpoint.pth", "lenet.class.pt", "lenet.safetensors")
FILES += ("lenet.legacy.onnx", "lenet.dynamo.onnx", "lenet.traced.pt", "lenet.pt2")
SQUARE = """\
title = "Square"
sentence = "As many inputs as neurons."
weights = "{file}"
{layout}
[input]
shape = [2]
values = [1.0, 0.0]
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
"""


def lenet(tmp_path, file, prefix="", layout=""):
    if not (tmp_path / file).exists():
        shutil.copy(DATA / file, tmp_path)
    x = reference(DATA / "lenet.pt2")["x"][0]
    path = tmp_path / "lesson.toml"
    path.write_text(LENET.format(file=file, values=x.tolist(), prefix=prefix, layout=layout), "utf-8")
    return load_lesson(path)


@pytest.mark.parametrize("file", FILES)
def test_parameters_of_pytorch_by_name(tmp_path, file):
    lesson = lenet(tmp_path, file)
    assert close(lesson.tape["fc2.y"], reference(DATA / file)["y"][0], 1e-12)


def test_where_no_name_is_known_their_order_counts(tmp_path):
    lesson = lenet(tmp_path, "lenet.state.pt", prefix="my_")
    assert close(lesson.tape["my_fc2.y"], reference(DATA / "lenet.pt2")["y"][0], 1e-12)


def test_what_is_missing_is_told_with_what_would_fit(tmp_path):
    with pytest.raises(CnnvizError) as told:
        lenet(tmp_path, "types.safetensors")
    assert "types.safetensors: conv1.w (" in str(told.value)
    with pytest.raises(CnnvizError) as told:
        lenet(tmp_path, "vgg.pt2")
    assert "vgg.pt2: its input has the shape 3 × 16 × 16, but 1 × 12 × 12 is given" in str(told.value)
    np.savez(tmp_path / "some.npz", **{"conv1.weight": np.zeros((3, 1, 5, 5)), "offsets": np.zeros(3)})
    with pytest.raises(
        CnnvizError, match=r"some\.npz: conv1\.b \(3\) is missing; what fits is offsets \(3\)"
    ):
        lenet(tmp_path, "some.npz")
    np.savez(tmp_path / "some.npz", **{"bn.num_batches_tracked": np.array(3), "fc.weight": np.zeros((2, 4))})
    with pytest.raises(CnnvizError, match=r"and nothing has its size; there is fc\.weight \(2 × 4\)\.?$"):
        lenet(tmp_path, "some.npz")


def square(tmp_path, arrays, layout=""):
    np.savez(tmp_path / "w.npz", **arrays)
    path = tmp_path / "square.toml"
    path.write_text(SQUARE.format(file="w.npz", layout=layout), "utf-8")
    return load_lesson(path).tape["fc.y"].tolist()


def test_a_square_matrix_is_not_taken_the_wrong_way_round(tmp_path):
    """Column n of cnnviz's W belongs to neuron n; row n of PyTorch's weight does."""
    w, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2)
    assert square(tmp_path, {"fc.w": w, "fc.b": b}) == [1, 2]
    named = {"fc.weight": w, "fc.bias": b}
    with pytest.raises(
        CnnvizError, match=r"fc\.weight is square, and nothing says which of its axes the neurons are"
    ):
        square(tmp_path, named)
    assert square(tmp_path, named, 'layout = "pytorch"') == [1, 3]
    assert square(tmp_path, named, 'layout = "keras"') == [1, 2]
    assert square(tmp_path, {"fc.kernel": w, "fc.bias": b}) == [1, 2]
    assert square(tmp_path, {"fc.w": w, "fc.b": b}, 'layout = "pytorch"') == [1, 3]


def test_weights_of_keras_behind_a_flatten_are_put_in_order(tmp_path):
    """Keras counts height, width, channels; here it is channels, height, width."""
    rng = np.random.default_rng(1)
    kernel, x = rng.normal(size=(12, 3)), rng.normal(size=(2, 2, 3))
    np.savez(tmp_path / "w.npz", **{"fc.kernel": kernel, "fc.bias": np.zeros(3)})
    (tmp_path / "lesson.toml").write_text(
        'title = "K"\nsentence = "K."\nweights = "w.npz"\n'
        f"input = {{ shape = [3, 2, 2], values = {x.transpose(2, 0, 1).tolist()} }}\n"
        'layers = [{ name = "f", kind = "flatten" }, { name = "fc", kind = "linear", neurons = 3 }]\n',
        "utf-8",
    )
    assert close(load_lesson(tmp_path / "lesson.toml").tape["fc.y"], x.ravel() @ kernel, 1e-12)


def test_weights_of_a_keras_network_go_with_its_layers():
    """Its maps and sequences have channels last, its grey pixels none."""
    for name in ("sequential", "functional", "flat", "sequence"):
        network = DATA / f"keras-{name}.h5"
        lesson = load_lesson(network, changes=[f"weights.file={DATA / f'keras-{name}.keras'}"])
        assert any(note.startswith(f"Weights of keras-{name}.keras: ") for note in lesson.notes)
        for key, values in load_lesson(network).network.parameters.items():
            assert close(lesson.network.parameters[key], values, 1e-12), key


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(CnnvizError, match=r"layout: 'torch' is not known; did you mean pytorch\?"):
        square(tmp_path, {"fc.w": np.eye(2), "fc.b": np.zeros(2)}, 'layout = "torch"')


def test_a_file_without_arrays_is_said_to_hold_nothing(tmp_path):
    np.savez(tmp_path / "empty.npz")
    lesson = tmp_path / "lesson.toml"
    lesson.write_text(
        'title = "a"\nsentence = "b"\nweights = "empty.npz"\n[input]\nshape = [1]\nvalues = [1]\n'
        '[[layers]]\nname = "fc"\nkind = "linear"\nneurons = 1\n',
        encoding="utf-8",
    )
    with pytest.raises(
        CnnvizError, match=r"fc\.w \(1 × 1\) is missing, and nothing has its size; there is nothing"
    ):
        load_lesson(lesson)


def test_weights_are_given_to_a_lesson_as_a_change(tmp_path):
    """As text, with blanks in the name, and below what is changed of single cells."""
    path, file = tmp_path / "lesson.toml", tmp_path / "my 100% net.pt"
    shutil.copy(DATA / "lenet.state.pt", file)
    x = reference(DATA / "lenet.pt2")["x"][0]
    text = LENET.replace('weights = "{file}"', "seed = 1").format(values=x.tolist(), prefix="", layout="")
    path.write_text(text, "utf-8")
    lesson = load_lesson(path, changes=[f"weights.file={file}"])
    assert close(lesson.tape["fc2.y"], reference(DATA / "lenet.pt2")["y"][0], 1e-12)
    assert lesson.notes[0].startswith(
        "Weights of my 100% net.pt: conv1.weight is conv1.w, conv1.bias is conv1.b, "
    )
    told = text_of(lesson.changes)
    assert " " not in told and read_changes([told]) == lesson.changes
    changed = load_lesson(path, changes=["fc2.b[0]=7", told])
    assert changed.network.parameters["fc2.b"][0] == 7
    for word, said in (
        ("weights.file=net.jpg", "weights are in files that end in .npz, .onnx"),
        (
            f"weights.file={DATA / 'types.safetensors'}",
            r"types.safetensors: conv1.w \(.*\) is missing",
        ),
        ("weights.layout=torch", r"there is no layout torch; did you mean pytorch\?"),
        ("weights.layout=pytorch", "weights.layout=pytorch: it goes with a file; say weights.file, too"),
        ("weights.fil=net", "weights.fil: is not known; did you mean file"),
        ("weights=net.pt", "is not understood; write what is changed"),
        ("weights.file=none.pt", "none.pt: there is no such file"),
    ):
        with pytest.raises(CnnvizError, match=said):
            load_lesson(path, changes=[word])
    with pytest.raises(CnnvizError, match="There is no weights whose arguments could be changed"):
        load_lesson("chain-rule", changes=[told])


@pytest.mark.parametrize(
    "names",
    [
        ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"),
        ("bn.gamma", "bn.beta", "bn.moving_mean", "bn.moving_variance", "other"),
        ("1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"),
    ],
)
def test_batch_norms_of_other_programs(tmp_path, names):
    values = [np.array([float(k)]) for k in (2, 3, 1, 4)]
    np.savez(tmp_path / "w.npz", **dict(zip(names, [*values, np.array(9)], strict=True)))
    path = tmp_path / "bn.toml"
    path.write_text(
        'title = "B"\nsentence = "B."\nweights = "w.npz"\n[input]\nshape = [1, 1, 1]\nvalues = [[[5.0]]]\n'
        '[[layers]]\nname = "bn"\nkind = "batch_norm"\neps = 1e-12\n',
        "utf-8",
    )
    assert close(load_lesson(path).tape["bn.y"], np.array([[[7.0]]]), 1e-9)  # 2 · (5 − 1) / √4 + 3
