"""Worked examples that courses, books and forums publish: each comes out to the digits that are given.

What a lesson file can say is loaded from one; what is typed is typed.
"""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.descent import Descent
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.lesson.lesson import load_lesson
from tests.lesson.conftest import toml


@pytest.fixture
def lesson(tmp_path):
    """Load a lesson of layers, as ``(name, kind, arguments)``, on one sample or on several."""

    def load(values, *layers, parameters=None, iteration=None, **tables):
        values = np.asarray(values, float)
        samples = np.ndim(tables.get("target", ())) > 1 and values.ndim == 2
        shape = values.shape[1:] if samples else values.shape
        given = {"shape": list(shape), "values": values.tolist()}
        given |= {
            key: np.asarray(tables.pop(key)).tolist()
            for key in ("target", "output_gradient")
            if key in tables
        }
        said = {"title": "An exercise", "sentence": "It is published.", "input": given}
        said |= {"seed": tables.pop("seed")} if "seed" in tables else {}
        said["layers"] = [{"name": name, "kind": kind, **arguments} for name, kind, arguments in layers]
        said |= {key: {"kind": tables.pop(key)} for key in ("loss",) if key in tables}
        if parameters:
            said["parameters"] = {
                layer: {name: np.asarray(array, float).tolist() for name, array in arrays.items()}
                for layer, arrays in parameters.items()
            }
        path = tmp_path / "exercise.toml"
        path.write_text(toml({**said, **tables}), encoding="utf-8")
        return load_lesson(path, iteration=iteration)

    return load


def convolved(lesson, x, w, **arguments):
    """The output of one convolution without a bias to speak of."""
    w = np.asarray(w, float)
    kernel = {"out_channels": len(w), "kernel": list(w.shape[2:]), **arguments}
    made = lesson(x, ("conv", "conv2d", kernel), parameters={"conv": {"w": w, "b": np.zeros(len(w))}})
    return made.tape["conv.y"].tolist()


def typed(text, *names):
    """The result of what was typed, and the gradients by names."""
    made = load_lesson(text)
    result = made.subject.examples[0].graph.result
    return [float(made.tape[f"{result}.{name}"]) for name in (result, *(f"d{name}" for name in names))]


# --------------------------------------------------------------------------------------------- two layers

TWO_LAYERS = (
    ("hidden", "linear", {"neurons": 2}),
    ("squash", "sigmoid", {}),
    ("output", "linear", {"neurons": 2}),
    ("sigmoid", "sigmoid", {}),
)
BY_HAND = {
    "target": [0.01, 0.99],
    "loss": "half_squared_error",
    "parameters": {
        "hidden": {"w": [[0.15, 0.25], [0.20, 0.30]], "b": [0.35, 0.35]},
        "output": {"w": [[0.40, 0.50], [0.45, 0.55]], "b": [0.60, 0.60]},
    },
}


def test_two_sigmoid_layers_updated_once_by_hand(lesson):
    tape = lesson([0.05, 0.10], *TWO_LAYERS, optimiser={"kind": "sgd", "lr": 0.5}, **BY_HAND).tape
    assert float(tape["loss.value"]) == pytest.approx(0.298371109, abs=5e-10)
    by_neuron = [0.149780716, 0.199561432, 0.249751144, 0.299502287]
    assert tape["hidden.w_new"].T.ravel().tolist() == pytest.approx(by_neuron, abs=5e-10)
    by_neuron = [0.358916480, 0.408666186, 0.511301270, 0.561370121]
    assert tape["output.w_new"].T.ravel().tolist() == pytest.approx(by_neuron, abs=5e-10)


def test_the_same_sample_ten_thousand_times_with_fixed_biases(lesson):
    optimiser = {"kind": "sgd", "lr": 0.5, "fixed": ["hidden.b", "output.b"]}
    made = lesson(
        [0.05, 0.10],
        *TWO_LAYERS,
        optimiser=optimiser,
        training={"iterations": 10_001},
        iteration=10_000,
        **BY_HAND,
    )
    assert float(made.tape["loss.value"]) == pytest.approx(0.0000351, abs=5e-8)
    assert made.network.parameters["hidden.b"].tolist() == [0.35, 0.35]


def test_exclusive_or_is_learnt_from_its_four_points(lesson):
    made = lesson(
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        ("hidden", "linear", {"neurons": 2}),
        ("tanh", "tanh", {}),
        ("output", "linear", {"neurons": 1}),
        ("sigmoid", "sigmoid", {}),
        target=[[0], [1], [1], [0]],
        loss="binary_cross_entropy",
        optimiser={"kind": "sgd", "lr": 0.5},
        training={"iterations": 2000},
        seed=4,  # from others, it may end where one point is told wrong
        iteration=1999,
    )
    outputs = [float(made.choose(k).tape["sigmoid.y"][0]) for k in range(4)]
    assert [round(y) for y in outputs] == [0, 1, 1, 0]
    assert max(abs(y - t) for y, t in zip(outputs, (0, 1, 1, 0), strict=True)) < 0.05


# ---------------------------------------------------------------------------------------------- expressions


def test_a_sigmoid_neuron_as_a_graph():
    found = typed("f = sigmoid(w0*x0 + w1*x1 + b)  w0=2 w1=-3 b=-3 x0=-1 x1=-2", "w0", "w1", "b", "x0", "x1")
    assert found[0] == pytest.approx(0.7310586, abs=5e-8)
    assert found[1:] == pytest.approx([-0.1966, -0.3932, 0.1966, 0.3932, -0.5898], abs=5e-5)


def test_a_max_gate():
    assert typed("f = 2 * (x*y + max(z, w))  x=3 y=-4 z=2 w=-1", *"xyzw") == [-20, -8, 6, 2, 0]


def test_a_quotient_of_sums():
    found = typed("f = (x + sigmoid(y)) / (sigmoid(x) + (x + y)**2)  x=3 y=-4", "x", "y")
    assert found == pytest.approx([1.5456448841, 2.0595697956, 1.5922327515], abs=5e-11)


def test_a_tanh_neuron():
    found = typed(
        "o = tanh(x1*w1 + x2*w2 + b)  x1=2 x2=0 w1=-3 w2=1 b=6.8813735870195432", "x1", "w1", "x2", "w2"
    )
    assert found[0] == pytest.approx(0.7071, abs=5e-5)
    assert found[1:] == pytest.approx([-1.5, 1, 0.5, 0], abs=1e-12)


def test_a_graph_of_twenty_nodes_and_more():
    text = """
    a = -4; b = 2
    c = a + b
    d = a*b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d*2 + relu(b + a)
    d += 3*d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2
    g += 10 / f
    """
    found = typed(text, "a", "b")
    assert found == pytest.approx([24.704081633, 138.833819242, 645.577259475], abs=5e-10)


# ---------------------------------------------------------------------------------- convolution and pooling


def test_cross_correlation(lesson):
    x = np.arange(9.0).reshape(1, 3, 3)
    assert convolved(lesson, x, [[[[0, 1], [2, 3]]]]) == [[[19, 25], [37, 43]]]


def test_channels_in_and_channels_out(lesson):
    x = np.stack([np.arange(9.0), np.arange(1.0, 10.0)]).reshape(2, 3, 3)
    w = np.array([[[0, 1], [2, 3]], [[1, 2], [3, 4]]])
    assert convolved(lesson, x, np.stack([w, w + 1, w + 2])) == [
        [[56, 72], [104, 120]],
        [[76, 100], [148, 172]],
        [[96, 128], [192, 224]],
    ]


def test_vertical_edges(lesson):
    x = [
        [3, 0, 1, 2, 7, 4],
        [1, 5, 8, 9, 3, 1],
        [2, 7, 2, 5, 1, 3],
        [0, 1, 3, 1, 7, 8],
        [4, 2, 1, 6, 2, 8],
        [2, 4, 5, 2, 3, 9],
    ]
    assert convolved(lesson, [x], [[[[1, 0, -1]] * 3]]) == [
        [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    ]


def test_stride_and_padding_differ_by_direction(lesson):
    x, w = np.tile(np.arange(8), (1, 8, 1)), np.ones((1, 1, 3, 5))
    assert convolved(lesson, x, w, stride=[3, 4], padding=[0, 1]) == [[[18, 75], [18, 75]]]


def test_same_with_an_even_kernel_puts_zeros_right_and_below(lesson):
    x, w = np.tile(np.arange(1, 5), (1, 4, 1)), np.ones((1, 1, 2, 2))
    assert convolved(lesson, x, w, padding="same") == [[[6, 10, 14, 8]] * 3 + [[3, 5, 7, 4]]]


def test_dilation_leaves_cells_out(lesson):
    x, w = np.arange(1, 17).reshape(1, 4, 4), [[[[0, 1], [1, 0]]]]
    assert convolved(lesson, x, w, dilation=2) == [[[12, 14], [20, 22]]]
    x, w = np.arange(49).reshape(1, 7, 7), np.ones((1, 1, 3, 3))
    rows = [[144, 153, 162], [207, 216, 225], [270, 279, 288]]
    assert convolved(lesson, x, w, dilation=2) == [rows]


def test_a_depthwise_convolution_has_a_kernel_for_each_channel(lesson):
    x, w = np.arange(8).reshape(2, 2, 2), [[[[1, 0], [0, 1]]], [[[0, 1], [1, 0]]]]
    assert convolved(lesson, x, w, groups=2) == [[[3]], [[11]]]


@pytest.mark.parametrize(
    ("stride", "y"),
    [
        (1, [[0, 0, 1], [0, 4, 6], [4, 12, 9]]),
        (2, [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]),
    ],
)
def test_a_transposed_convolution_lays_the_kernel_onto_its_output(lesson, stride, y):
    x, w = [[[0, 1], [2, 3]]], [[[[0, 1], [2, 3]]]]
    up = ("up", "conv_transpose2d", {"out_channels": 1, "kernel": 2, "stride": stride, "bias": False})
    assert lesson(x, up, parameters={"up": {"w": w}}).tape["up.y"].tolist() == [y]


def pooled(lesson, x, kind, **arguments):
    """The output of one pooling layer."""
    return lesson(x, ("pool", kind, arguments)).tape["pool.y"].tolist()


def test_ceil_mode_lets_the_last_windows_through(lesson):
    found = pooled(lesson, np.arange(25).reshape(1, 5, 5), "max_pool2d", kernel=2, ceil_mode=True)
    assert found == [[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]


def test_padding_is_counted_in_a_mean_or_not(lesson):
    x, window = np.arange(16).reshape(1, 4, 4), {"kernel": 3, "stride": 2, "padding": 1}
    found = np.round(pooled(lesson, x, "avg_pool2d", **window), 2).tolist()
    assert found == [[[1.11, 2.67], [5.67, 10]]]
    assert pooled(lesson, x, "avg_pool2d", count_include_pad=False, **window) == [[[2.5, 4], [8.5, 10]]]


@pytest.mark.parametrize("value", [-3.0, -np.inf, np.nan, 0.0])
def test_padding_never_wins_and_gets_no_gradient(value):
    """Not even where nothing in the window is larger: PyTorch gives the first cell of the maps, too."""
    layer, x = MaxPool2d(2, 2, 1), np.full((1, 1, 2, 2), value)
    y = layer.forward(x)
    switch = layer.auxiliary(x, y=y)["switch"]
    assert switch[0, 0].tolist() == [[3, 2], [1, 0]], "the one cell that is no padding"
    dx = layer.backward(np.array([[[[1.0, 2], [3, 4]]]]), x, y=y, switch=switch)["dx"]
    assert dx[0, 0].tolist() == [[1, 2], [3, 4]]
    assert np.array_equal(y[0, 0], np.full((2, 2), -np.inf if np.isnan(value) else value))


def test_what_comes_back_from_windows_that_overlap_and_reach_into_the_padding(lesson):
    """PyTorch's numbers: padding takes its part of a mean with it, and never wins nor gets a gradient."""
    x = [[1, 3, 2, 3], [4, 9, 5, 9], [0, 6, 1, -2], [-1, -4, -3, -5]]
    over, apart = ({"kernel": k, "stride": 2, "padding": 1} for k in (3, 2))
    ninths = [[1, 3, 2, 2], [4, 10, 6, 6], [3, 7, 4, 4], [3, 7, 4, 4]]
    own = [[9, 21, 12, 12], [27, 55, 28, 28], [18, 34, 16, 16], [18, 34, 16, 16]]  # of 36: 4, 6 or 9 count
    lone = [[1, 2, 0, 3], [4, 5, 0, 6], [0, 0, 0, 0], [7, 0, 8, 9]]
    one = [[0] * 4, [0, 1 + 2 + 3 + 4, 0, 0], [0] * 4, [0] * 4]
    cases = (
        ("max_pool2d", apart, [[1, 3, 3], [4, 9, 9], [-1, -3, -5]], np.array(lone)),
        ("max_pool2d", over, [[9, 9], [9, 9]], np.array(one)),
        ("avg_pool2d", over, [[17 / 9, 31 / 9], [14 / 9, 16 / 9]], np.array(ninths) / 9),
        (
            "avg_pool2d",
            {**over, "count_include_pad": False},
            [[17 / 4, 31 / 6], [14 / 6, 16 / 9]],
            np.array(own) / 36,
        ),
        ("global_avg_pool2d", {}, [[28 / 16]], np.ones((4, 4)) / 16),
    )
    for kind, window, y, dx in cases:
        dy = np.arange(1.0, 1 + np.size(y)).reshape(np.shape(y))
        tape = lesson([x], ("pool", kind, window), output_gradient=dy[None]).tape
        assert tape["pool.y"][0] == pytest.approx(np.array(y), rel=1e-14), kind
        assert tape["pool.dx"][0] == pytest.approx(dx, rel=1e-14), kind


def test_a_convolution_without_bias_has_none_and_no_gradient_of_it(lesson):
    conv = ("conv", "conv2d", {"out_channels": 1, "kernel": 2, "bias": False})
    made = lesson(
        np.ones((1, 2, 2)), conv, parameters={"conv": {"w": np.ones((1, 1, 2, 2))}}, output_gradient=[[[1]]]
    )
    assert made.tape["conv.y"].tolist() == [[[4]]]
    names = [operation.name for operation in made.program.operations]
    assert "conv.dw" in names and not any(name in ("conv.db", "conv.b") for name in names)
    assert "conv.b" not in made.tape


def test_overlapping_maxima(lesson):
    x = [[1, 3, 2, 1, 3], [2, 9, 1, 1, 5], [1, 3, 2, 3, 2], [8, 3, 5, 1, 0], [5, 6, 1, 2, 9]]
    tape = lesson([x], ("pool", "max_pool2d", {"kernel": 3, "stride": 1})).tape
    assert tape["pool.y"].tolist() == [[[9, 9, 5], [9, 9, 5], [8, 6, 9]]]


def test_of_equal_numbers_the_first_wins_and_gets_the_gradient(lesson):
    tape = lesson([[[4, 4], [4, 4]]], ("pool", "max_pool2d", {"kernel": 2}), output_gradient=[[[1]]]).tape
    assert tape["pool.dx"].tolist() == [[[1, 0], [0, 0]]]


def test_gradients_of_overlapping_windows_add(lesson):
    tape = lesson(
        [[[1, 3, 2], [4, 9, 5], [0, 6, 1]]],
        ("pool", "max_pool2d", {"kernel": 2, "stride": 1}),
        output_gradient=[[[1, 2], [3, 4]]],
    ).tape
    assert tape["pool.dx"].tolist() == [[[0, 0, 0], [0, 10, 0], [0, 0, 0]]]


# ----------------------------------------------------------------------------------------------- losses


def loss_of(lesson, kind, scores, target, *layers):
    identity = {"fc": {"w": np.eye(len(scores)), "b": np.zeros(len(scores))}}
    fully = ("fc", "linear", {"neurons": len(scores)})
    return lesson(scores, fully, *layers, target=target, loss=kind, parameters=identity).tape


@pytest.mark.parametrize(
    ("kind", "arguments", "values"),
    [
        ("silu", {}, (-0.2384, -0.2689, 0, 0.7311, 1.7616, 6.9936)),
        ("gelu", {}, (-0.0455, -0.1587, 0, 0.8413, 1.9545, 7)),
        ("gelu", {"approximate": "tanh"}, (-0.0454, -0.1588, 0, 0.8412, 1.9546, 7)),
        ("elu", {}, (-0.8647, -0.6321, 0, 1, 2, 7)),
        ("softplus", {}, (0.1269, 0.3133, 0.6931, 1.3133, 2.1269, 7.0009)),
        ("hard_swish", {}, (-0.3333, -0.3333, 0, 0.6667, 1.6667, 7)),
        ("hard_sigmoid", {}, (0.1667, 0.3333, 0.5, 0.6667, 0.8333, 1)),
        ("relu6", {}, (0, 0, 0, 1, 2, 6)),
    ],
)
def test_activations(lesson, kind, arguments, values):
    made = lesson([-2, -1, 0, 1, 2, 7], ("f", kind, arguments))
    assert made.tape["f.y"] == pytest.approx(values, abs=5e-5)


def test_batch_norm_with_fixed_statistics(lesson):
    fixed = {"gamma": [2], "beta": [0.5], "mean": [2], "var": [4]}
    made = lesson([[[1, 2], [3, 4]]], ("bn", "batch_norm", {"eps": 1e-12}), parameters={"bn": fixed})
    assert made.tape["bn.y"].ravel() == pytest.approx([-0.5, 0.5, 1.5, 2.5], abs=1e-9)


def test_logarithms_of_probabilities(lesson):
    """Log-softmax and the negative log-likelihood are cross-entropy."""
    scores = ("scores", "log_softmax", {})
    made = lesson([-2.85, 0.86, 0.28], scores, loss="nll", target=[0, 0, 1])
    assert made.tape["loss.value"] == pytest.approx(1.0402, abs=5e-5)
    assert np.exp(made.tape["scores.y"]) == pytest.approx([0.0155, 0.6312, 0.3534], abs=1e-4)
    assert made.tape["scores.dx"] == pytest.approx([0.0155, 0.6312, 0.3534 - 1], abs=1e-4)


def test_the_hinge_loss(lesson):
    tape = loss_of(lesson, "hinge", [-2.85, 0.86, 0.28], [0, 0, 1])
    assert float(tape["loss.value"]) == pytest.approx(1.58, abs=1e-12)


def test_softmax_and_cross_entropy_of_the_same_scores(lesson):
    tape = loss_of(lesson, "cross_entropy", [-2.85, 0.86, 0.28], [0, 0, 1], ("softmax", "softmax", {}))
    assert tape["softmax.y"].tolist() == pytest.approx([0.0155, 0.6312, 0.3534], abs=1.2e-4)
    assert float(tape["loss.value"]) == pytest.approx(1.0402, abs=5e-5)


def test_large_scores(lesson):
    tape = loss_of(lesson, "binary_cross_entropy", [800], [0], ("sigmoid", "sigmoid", {}))
    assert float(tape["loss.value"]) == 800
    tape = loss_of(lesson, "cross_entropy", [0, 1000], [1, 0], ("softmax", "softmax", {}))
    assert float(tape["loss.value"]) == 1000


def test_the_mean_squared_error(lesson):
    tape = loss_of(lesson, "mean_squared_error", [0.7, 0.2], [1, 0])
    assert float(tape["loss.value"]) == pytest.approx(0.065, abs=1e-15)
    assert tape["loss.dy"].tolist() == pytest.approx([-0.3, 0.2], abs=1e-15)


# ------------------------------------------------------------------------------------------- whole networks


def test_an_exam_sheet(lesson):
    """Convolution, ReLU, maxima, fully connected, ½ squared error: the gradients worked out by hand."""
    made = lesson(
        [[[1, 0, 2, 1, 0, 1], [0, 1, 1, 0, 2, 0], [2, 1, 0, 1, 1, 0], [0, 2, 1, 0, 0, 1]]],
        ("conv", "conv2d", {"out_channels": 1, "kernel": 3}),
        ("relu", "relu", {}),
        ("pool", "max_pool2d", {"kernel": 2}),
        ("flatten", "flatten", {}),
        ("fc", "linear", {"neurons": 2}),
        target=[1, 0],
        loss="half_squared_error",
        parameters={
            "conv": {"w": [[[[1, 0, -1], [0, 1, 0], [-1, 0, 1]]]], "b": [0]},
            "fc": {"w": [[0.5, -1], [1, 0.5]], "b": [0, 0]},
        },
    )
    tape = made.tape
    #                                 by hand: windows of the kernel, then their largest
    assert tape["conv.y"].tolist() == [[[-2, 0, 3, 1], [1, -1, -1, 2]]]
    assert tape["pool.y"].tolist() == [[[1, 3]]]
    assert tape["fc.y"].tolist() == [3.5, 0.5]
    assert float(tape["loss.value"]) == 3.25
    assert tape["fc.db"].tolist() == [2.5, 0.5]
    assert tape["fc.dw"].tolist() == [[2.5, 0.5], [7.5, 1.5]]
    assert tape["fc.dx"].tolist() == [0.75, 2.75]
    assert tape["conv.dy"].tolist() == [[[0, 0, 2.75, 0], [0.75, 0, 0, 0]]]
    window, other = np.array([[2, 1, 0], [1, 0, 2], [0, 1, 1]]), np.array([[0, 1, 1], [2, 1, 0], [0, 2, 1]])
    assert tape["conv.dw"].tolist() == [[(2.75 * window + 0.75 * other).tolist()]]
    assert tape["conv.db"].tolist() == [3.5]
    kernel = np.array([[1, 0, -1], [0, 1, 0], [-1, 0, 1]])
    dx = np.zeros((4, 6))
    dx[0:3, 2:5] += 2.75 * kernel
    dx[1:4, 0:3] += 0.75 * kernel
    assert tape["conv.dx"].tolist() == [dx.tolist()]


def test_a_gradient_that_is_given(lesson):
    """Any layer's output gradient is typed in, and there is no loss."""
    made = lesson(
        np.arange(9.0).reshape(1, 3, 3),
        ("conv", "conv2d", {"out_channels": 1, "kernel": 2}),
        output_gradient=[[[1, -1], [0, 2]]],
        parameters={"conv": {"w": [[[[0, 1], [2, 3]]]], "b": [0]}},
        optimiser={"kind": "sgd", "lr": 0.1},
    )
    tape = made.tape
    assert tape["conv.dw"].tolist() == [[[[7, 9], [13, 15]]]]
    assert tape["conv.db"].tolist() == [2]
    assert tape["conv.dx"].tolist() == [[[0, 1, -1], [2, 1, -1], [0, 4, 6]]]
    assert tape["conv.b_new"].tolist() == [-0.2]
    assert "loss.value" not in tape
    assert [operation.phase for operation in made.program.operations] == [
        "forward",
        *["backward"] * 3,
        *["update"] * 2,
    ]


# ----------------------------------------------------------------------------------------------- descent


@pytest.mark.parametrize(("lr", "last"), [(0.2, 0.060466), (1.1, 61.917364)])
def test_ten_steps_down_a_parabola(lr, last):
    walk = Descent("walk", "w ** 2", lr, (10.0,), 10, (-10, 10)).arrays["w"]
    assert float(walk[0, 10]) == pytest.approx(last, abs=5e-7)


def test_a_walk_down_a_cosine():
    """The other half of that row: a minimum of cos is at π."""
    walk = Descent("walk", "cos(w)", 0.5, (2.0,), 60, (0, 6)).arrays["w"]
    assert float(walk[0, 60]) == pytest.approx(np.pi, abs=1e-9)
