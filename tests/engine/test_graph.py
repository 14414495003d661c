"""Networks as graphs: who reads whom, what comes back, and what is said of those that do not fit."""

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.joining import Add, Concat, Multiply
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.errors import CnnvizError
from cnnviz.trace.program import Program
from tests.cases import PRODUCTS, assert_same, joined_network, product_network, sample
from tests.engine.test_layer import slopes

SHAPES = [(2, 1, 3), (3,)]


def residual(kernel=3, **more):
    """conv1, relu1 and conv2, whose output is added to that of relu1."""
    layers = [
        ("conv1", Conv2d(1, 2, 3, padding=1)),
        ("relu1", ReLU()),
        ("conv2", Conv2d(2, 2, kernel, padding=kernel // 2)),
        ("add", Add(), ["conv2", "relu1"]),
        ("tanh", Tanh()),
    ]
    network = Network(layers, (1, 3, 4), HalfSquaredError(), SGD(0.1), **more)
    network.initialise(5)
    return network


def by_hand(network, x):
    """The same in plain NumPy, from the parameters of the network alone."""

    def conv(x, layer):
        w, b = (network.parameters[f"{layer}.{name}"] for name in "wb")
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        return np.einsum("ochw,cijhw->oij", w, windows) + b[:, None, None]

    first = np.maximum(conv(x, "conv1"), 0)
    return np.tanh(conv(first, "conv2") + first)


def test_a_skip_adds_what_went_past():
    network = residual()
    x = np.random.default_rng(0).normal(size=(1, 3, 4))
    assert_same(network.forward(x[None])[0], by_hand(network, x))
    tape = network.run(x, np.zeros((2, 3, 4)))
    np.testing.assert_array_equal(tape["add.y"], tape["conv2.y"] + tape["relu1.y"])
    assert tape["add.x1"] is not None
    np.testing.assert_array_equal(tape["add.x2"], tape["relu1.y"])


def test_what_comes_back_from_two_readers_is_added():
    network = residual()
    x = np.random.default_rng(0).normal(size=(1, 3, 4))
    tape = network.run(x, np.zeros((2, 3, 4)))
    np.testing.assert_array_equal(tape["relu1.dy"], tape["add.dx2"] + tape["conv2.dx"])
    program = Program(network.calls(tape))
    assert [name for name in (operation.name for operation in program.operations) if "relu1" in name] == [
        "relu1",
        "relu1.dy",
        "relu1.dx",
    ]
    made = program.operation("relu1.dy")
    assert [made.call.port(name).address for name in made.tree.parameters[:3]] == [
        "add.dx2",
        "conv2.dx",
        "relu1.dy",
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=["maps", "column"])
def test_gradients_are_central_differences_of_the_loss(shape):
    network = joined_network(shape)
    x, t = sample(network)
    tape, step = network.run(x, t), 1e-6
    for key, values in network.parameters.items():
        found = np.zeros(values.shape)
        for place in np.ndindex(found.shape):
            kept, ends = values[place], []
            for sign in (1, -1):
                values[place] = kept + sign * step
                ends.append(float(network.run(x, t)["loss.value"]))
            values[place] = kept
            found[place] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(tape[key.replace(".", ".d")], found, atol=1e-8)
    of_input = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * step
            ends.append(float(network.run(moved, t)["loss.value"]))
        of_input[place] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(tape["input.dy"], of_input, atol=1e-8)


def test_training_moves_the_parameters_as_an_iteration_says():
    network = residual()
    x, t = np.random.default_rng(1).normal(size=(1, 3, 4)), np.zeros((2, 3, 4))
    tape = network.run(x, t)
    network.train_step(x[None], t[None])
    for key, values in network.parameters.items():
        np.testing.assert_array_equal(values, tape[f"{key}_new"])


def test_layers_may_stand_in_any_order():
    x = np.random.default_rng(2).normal(size=(4,))
    orders = [("a", "b", "sum", "out"), ("sum", "b", "a", "out"), ("b", "sum", "a", "out")]
    found = []
    for order in orders:
        layers = {
            "a": (Linear(4, 3), ["input"]),
            "b": (Linear(4, 3), ["input"]),
            "sum": (Add(), ["a", "b"]),
            "out": (Tanh(), ["sum"]),
        }
        network = Network([(name, *layers[name]) for name in order], (4,))
        rng = np.random.default_rng(3)
        for key in ("a.w", "a.b", "b.w", "b.b"):
            network.parameters[key] = rng.normal(size=network.parameter_shapes[key])
        found.append(network.forward(x[None]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_concatenation_keeps_the_order_of_its_inputs():
    network = Network(
        [("a", ReLU(), ["input"]), ("b", Tanh(), ["input"]), ("cat", Concat(), ["b", "a"])], (2, 1, 2)
    )
    x = np.array([[[1.0, -2.0]], [[0.0, 3.0]]])
    assert network.output_shape == (4, 1, 2)
    np.testing.assert_array_equal(network.forward(x[None])[0], np.concatenate([np.tanh(x), np.maximum(x, 0)]))


@pytest.mark.parametrize("label", PRODUCTS)
def test_gradients_of_a_product_are_its_slopes(label):
    """Of a weight for each channel: the slope of all of its map."""
    network, rng = product_network(PRODUCTS[label]), np.random.default_rng(7)
    layer = network.layer("product")
    x1, x2 = (rng.normal(size=(2, *shape)) for shape in PRODUCTS[label])
    dy = rng.normal(size=(2, *network.output_shape))
    made = layer.backward(dy, x1, x2)

    def energy():
        return float((layer.forward(x1, x2) * dy).sum())

    for name, numbers in (("dx1", x1), ("dx2", x2)):
        np.testing.assert_allclose(made[name], slopes(energy, numbers)[0], rtol=1e-6, atol=1e-8)
    single = layer.backward(*(values.astype(np.float32) for values in (dy, x1, x2)))
    assert {values.dtype for values in single.values()} == {np.dtype(np.float32)}


def test_another_output_may_be_read_by_nobody():
    network = Network(
        [("a", Linear(2, 2)), ("side", Tanh(), ["a"]), ("out", ReLU(), ["a"])],
        (2,),
        HalfSquaredError(),
        SGD(0.1),
        outputs=["side"],
    )
    tape = network.run(np.ones(2), np.ones(2))
    assert "side.y" in tape
    assert "side.dy" not in tape
    names = [call.name for call in network.calls(tape)]
    assert "side" in names
    assert "side.dx" not in names


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([("a", ReLU(), ["b"]), ("c", ReLU())], r"^a: b is not a layer; there is input, c\.$"),
        ([("conv1", ReLU()), ("c", ReLU(), ["conv_1"])], r"^c: conv_1 is not a layer; did you mean conv1\?$"),
        (
            [("a", Add(), ["input", "c"]), ("b", ReLU()), ("c", ReLU()), ("d", ReLU(), ["a"])],
            r"^\w: layers feed each other in a circle, .*→.*; let one of them read another\.$",
        ),
        ([("a", ReLU()), ("b", ReLU(), ["input"])], r"^a: no layer reads it; let one read it, take it out"),
        ([("a", ReLU(), ["b"]), ("b", ReLU(), ["input"])], r"^b: it is the last layer, .* but a reads it\.$"),
        ([("a", Add())], r"^a: joins two inputs or more, but has 1; name them, as in inputs = \["),
        ([("a", ReLU(), ["input", "input"])], r"^a: takes one input, but is given 2\.$"),
        (
            [("f", Flatten(), ["input"]), ("a", Add(), ["f", "input"])],
            r"^a: adds inputs of one shape, but they have 6 and 2 × 1 × 3; make the layers before it",
        ),
        (
            [("c", Conv2d(2, 2, (1, 2)), ["input"]), ("a", Multiply(), ["c", "input"])],
            r"^a: multiplies two inputs of one shape, or maps by .* 2 × 1 × 2 and 2 × 1 × 3; make the la",
        ),
        ([("a", Multiply(), ["input"] * 3)], r"^a: takes 2 inputs, but is given 3\.$"),
        (
            [("c", Conv2d(2, 1, 1, padding=1), ["input"]), ("a", Concat(), ["c", "input"])],
            r"^a: concatenates maps of one height and width, .* 1 × 3 × 5 and 2 × 1 × 3;",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(layers, sentence):
    with pytest.raises(CnnvizError, match=sentence):
        Network(layers, (2, 1, 3))
