"""What cannot be stepped is said in words: what the layer does, and what those here do instead."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from cnnviz.formats.graph import Graph, Node
from cnnviz.formats.layers import Names
from cnnviz.formats.rewrite import rewrite
from cnnviz.formats.rewriter import Rewriter
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.opened import Known
from cnnviz.lesson.source import UnsteppableError
from tests.formats.reference import DATA


@pytest.mark.parametrize(
    ("kind", "argument", "value", "said"),
    [
        (
            "conv2d",
            "padding",
            (0, 0, 1, 1),
            "it pads what it reads by 0 above, 1 below, 0 at the left and 1 at the right, and conv2d here "
            "pads all sides alike",
        ),
        (
            "max_pool2d",
            "padding",
            (1, 1, 1, 1),
            "it pads what it reads by 1 on all sides, and max_pool2d here",
        ),
        (
            "conv2d",
            "dilation",
            (2, 2),
            "it reads cells that lie 2 apart (dilation), and conv2d here reads neigh",
        ),
        (
            "conv2d",
            "stride",
            (2, 1),
            "it moves on by 2 × 1, and conv2d here moves equally far down and across",
        ),
        (
            "conv2d",
            "groups",
            4,
            "it takes the channels in 4 groups, and conv2d here reads all of them together",
        ),
        ("relu", "slope", 0.5, "its slope is 0.5, and relu here has no such thing"),
    ],
)
def test_a_refusal_is_no_riddle(kind, argument, value, said):
    """It was "conv2d here has no padding 0 × 0 × 1 × 1"."""
    none = SimpleNamespace(has=lambda kind: True, takes=lambda kind, argument, value: False)
    rewriter = Rewriter(none, Names(), 1, {})
    assert rewriter.argument(kind, argument, None, value) == {}
    assert rewriter.troubles[0].startswith(said)


def test_a_way_of_enlarging_maps_that_is_another_is_not_taken_for_this_one(tmp_path):
    """Between pixels and rounding down, the second number of a pair would be that of its neighbour."""
    path = tmp_path / "net.onnx"
    for placing, said in (
        (b"asymmetric", ""),
        (b"half_pixel", r"it places numbers as half_pixel, floor says"),
    ):
        path.write_bytes((DATA / "gates.legacy.onnx").read_bytes().replace(b"asymmetric", placing))
        with pytest.raises(UnsteppableError, match=said) if said else nullcontext():
            load_lesson(str(path))


@pytest.mark.parametrize(
    ("kind", "attributes", "shape", "said"),
    [
        ("Flatten", {"axis": -4}, (2, 1, 3), "it flattens the axis of samples, too"),
        ("Flatten", {"axis": -3}, (2, 1, 3), ""),
        ("Softmax", {"axis": 0}, (2, 1, 3), "it goes over another axis than that of a column, or of maps"),
        ("Softmax", {"axis": -2}, (2, 1, 3), ""),
        ("Transpose", {"perm": (1, 0, 2, 3)}, (2, 1, 3), "it moves the axis of samples"),
    ],
)
def test_axes_are_counted_with_that_of_the_samples(kind, attributes, shape, said):
    nodes = (Node(kind, "node", ("x",), ("y",), attributes), Node("Tanh", "tanh", ("y",), ("z",)))
    found = rewrite(Graph(nodes, inputs={"x": (None, *shape)}, outputs=("z",)), Known())
    assert [fault.reason for fault in found.faults] == ([said] if said else [])


@pytest.mark.parametrize(
    ("attributes", "arrays", "kinds"),
    [
        ({"ratio": 0.25, "train": 1}, {}, ["dropout", "relu"]),
        ({"ratio": 0.25}, {"ratio": np.array(0.25), "mode": np.array(True)}, ["dropout", "relu"]),
        ({"ratio": 0.25}, {"ratio": np.array(0.75), "mode": np.array(False)}, ["relu"]),
        ({"ratio": 0.25, "train": 1, "channels": 1}, {}, ["dropout", "relu"]),
    ],
)
def test_dropout_stays_in_training_mode_alone(attributes, arrays, kinds):
    nodes = Node("Dropout", "drop", ("x", *arrays), ("d",), attributes), Node("Relu", "relu", ("d",), ("y",))
    found = rewrite(Graph(nodes, arrays, {"x": (1, 5)}, ("y",)), Known())
    assert [layer.kind for layer in found.layers] == kinds
    if "dropout" in kinds:
        whole = {"channels": True} if "channels" in attributes else {}
        assert found.layers[0].arguments == {"p": 0.25, **whole}


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        ("LRN", 3, ""),
        ("LRN", 4, "its window of 4 channels reaches further behind than before its own"),
        ("TorchLRN", 4, ""),
    ],
)
def test_windows_of_channels_lie_as_each_program_has_them(kind, size, said):
    node = Node(kind, "node", ("x",), ("y",), {"size": size, "alpha": np.float32(0.1), "bias": 2.0})
    found = rewrite(Graph((node,), inputs={"x": (None, 5, 2, 2)}, outputs=("y",)), Known())
    assert [fault.reason for fault in found.faults] == ([said] if said else [])
    if not said:
        (layer,) = found.layers
        assert (layer.kind, layer.arguments) == (
            "local_response_norm",
            {"size": size, "alpha": 0.1, "k": 2.0},
        )


@pytest.mark.parametrize(
    ("size", "told", "said"),
    [
        ((4, 6), {"scale_factor": 2}, ""),
        ((5, 2), {"size": (5, 2)}, ""),
        ((2, 74), {}, "it rounds, so that some cells are not the number that lies where they lie"),
    ],
)
def test_maps_are_given_a_size_where_factors_are_not_whole(size, told, said):
    """Of six columns that become 74, PyTorch takes another one for some, since it reckons in float32."""
    shape = (1, 2, 6 if said else 3)
    attributes = {"sizes": size, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    node = Node("Resize", "node", ("x",), ("y",), attributes)
    found = rewrite(Graph((node,), inputs={"x": (None, *shape)}, outputs=("y",)), Known())
    assert [fault.reason for fault in found.faults] == ([said] if said else [])
    if not said:
        assert found.layers[0].arguments == told


@pytest.mark.parametrize(("pads", "kernel"), [((1, 1), (3, 1)), ((2, 0), (3, 1)), ((1, 1), (3, 2))])
def test_only_what_is_a_local_response_norm_is_taken_for_one(pads, kernel):
    before, after = pads
    nodes = [
        Node("Mul", "square", ("x", "x"), ("a",)),
        Node("Unsqueeze", "rows", ("a",), ("b",), {"axes": (1,)}),
        Node("Pad", "pad", ("b",), ("c",), {"pads": (0, 0, before, 0, 0, 0, after, 0)}),
        Node("AveragePool", "pool", ("c",), ("d",), {"kernel_shape": kernel}),
        Node("Squeeze", "back", ("d",), ("e",), {"axes": (1,)}),
        Node("Mul", "alpha", ("e", "half"), ("f",)),
        Node("Add", "k", ("f", "one"), ("g",)),
        Node("Pow", "power", ("g", "half"), ("h",)),
        Node("Div", "norm", ("x", "h"), ("y",)),
    ]
    arrays = {"half": np.array(0.5), "one": np.array(1.0)}
    found = rewrite(Graph(tuple(nodes), arrays, {"x": (None, 5, 7)}, ("y",)), Known())
    if (pads, kernel) == ((1, 1), (3, 1)):
        layer = found.layers[-1]
        assert (layer.kind, layer.arguments) == (
            "local_response_norm",
            {"size": 3, "alpha": 0.5, "beta": 0.5},
        )
    else:
        assert found.faults


def test_a_batch_norm_takes_over_what_multiplies_and_adds_behind_it():
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(0.5, 2, 3) for name in ("gamma", "beta", "mean", "var")}
    arrays |= {"scale": rng.normal(size=(3, 1, 1)), "shift": rng.normal(size=(3, 1, 1))}
    nodes = (
        Node("BatchNormalization", "bn", ("x", "gamma", "beta", "mean", "var"), ("n",)),
        Node("Mul", "mul", ("n", "scale"), ("m",)),
        Node("Add", "add", ("m", "shift"), ("y",)),
    )
    (layer,) = rewrite(Graph(nodes, arrays, {"x": (None, 3, 2, 2)}, ("y",)), Known()).layers
    scale, shift = arrays["scale"].ravel(), arrays["shift"].ravel()
    assert layer.kind == "batch_norm"
    assert np.allclose(layer.arrays["gamma"], arrays["gamma"] * scale)
    assert np.allclose(layer.arrays["beta"], arrays["beta"] * scale + shift)
    assert (layer.arrays["mean"] == arrays["mean"]).all()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ""),
        ({"antialias": 1}, "it smooths maps before they become smaller"),
        (
            {"coordinate_transformation_mode": "pytorch_half_pixel"},
            "of all rows, or columns, it takes the first",
        ),
    ],
)
def test_maps_that_become_smaller_in_other_ways_are_refused(more, said):
    attributes = {"sizes": (1, 2), "mode": "linear", "coordinate_transformation_mode": "half_pixel", **more}
    node = Node("Resize", "node", ("x",), ("y",), attributes)
    found = rewrite(Graph((node,), inputs={"x": (None, 1, 4, 4)}, outputs=("y",)), Known())
    assert [fault.reason for fault in found.faults] == ([said] if said else [])
