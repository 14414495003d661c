"""Several outputs with a loss each, and several inputs: sums, weights, targets, and what does not fit."""

import numpy as np
import pytest

from cnnviz.engine.layers.joining import Add
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.objective import OutputLoss
from cnnviz.engine.optim import SGD
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.trace.operation import Operation

SHAPES = {"left": (2,), "right": (3,)}
LAYERS = [
    ("a", Linear(2, 2), ["left"]),
    ("b", Linear(3, 2), ["right"]),
    ("sum", Add(), ["a", "b"]),
    ("size", Linear(2, 1), ["sum"]),
    ("scores", Linear(2, 3), ["sum"]),
    ("softmax", Softmax(), ["scores"]),
]
X = {"left": np.array([1.0, -2.0]), "right": np.array([0.5, 3.0, -1.0])}
T = {"size": np.array([2.0]), "softmax": np.array([0.0, 1.0, 0.0])}


def two_outputs(weights=(1.0, 0.5), optimiser=None):
    losses = [
        OutputLoss("size", HalfSquaredError(), weights[0]),
        OutputLoss("softmax", CrossEntropy(), weights[1]),
    ]
    network = Network(LAYERS, SHAPES, losses, optimiser)
    network.initialise(4)
    return network


def test_the_losses_are_added_with_their_weights():
    network = two_outputs((2.0, 0.5))
    tape = network.run(X, T)
    size = (tape["size.y"][0] - 2.0) ** 2 / 2
    surprise = -np.log(tape["softmax.y"][1])
    assert float(tape["loss_size.value"]) == pytest.approx(size, rel=1e-14)
    assert float(tape["loss_softmax.value"]) == pytest.approx(surprise, rel=1e-14)
    assert float(tape["loss.value"]) == pytest.approx(2 * size + surprise / 2, rel=1e-14)
    assert tape["loss_size.dy"] == pytest.approx(2 * (tape["size.y"] - 2.0), rel=1e-14)
    assert tape["softmax.dx"] == pytest.approx((tape["softmax.y"] - T["softmax"]) / 2, rel=1e-14)


def test_every_loss_has_listings_of_its_own_and_so_has_the_sum():
    network = two_outputs()
    calls = network.calls(network.run(X, T))
    assert [call.name for call in calls if call.phase != "update"] == [
        *("a", "b", "sum", "size", "scores", "softmax"),
        *("loss_size", "loss_softmax", "loss"),
        *("loss_size.dy", "loss_softmax.gradient", "softmax.dx"),
        *("scores.db", "scores.dw", "scores.dx", "size.db", "size.dw", "size.dx"),
        *("sum.dy", "sum.dx", "b.db", "b.dw", "b.dx", "a.db", "a.dw", "a.dx"),
    ]
    for call in calls:
        arguments = Operation(call).arguments()
        call.listing(**arguments)
        for name, result in call.writes.items():
            np.testing.assert_allclose(arguments[name], result, rtol=1e-13, atol=1e-15)
    total = next(call for call in calls if call.name == "loss")
    assert [total.port(name).address for name in ("E1", "E2", "E")] == [
        "loss_size.value",
        "loss_softmax.value",
        "loss.value",
    ]


def test_one_loss_of_an_output_that_is_not_the_last_is_called_loss():
    network = Network(LAYERS, SHAPES, [OutputLoss("size", HalfSquaredError())], outputs=["softmax"])
    network.initialise(1)
    calls = network.calls(network.run(X, T))
    assert [call.name for call in calls][6:9] == ["loss", "loss.dy", "size.db"]


def test_gradients_are_the_slopes_of_the_sum():
    network, step = two_outputs(), 1e-6
    tape = network.run(X, T)
    for name, values in X.items():
        for k in range(len(values)):
            ends = [
                float(
                    network.run({**X, name: values + sign * step * np.eye(len(values))[k]}, T)["loss.value"]
                )
                for sign in (1, -1)
            ]
            found = tape[{"left": "a.dx", "right": "b.dx"}[name]][k]
            assert found == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-9)


def test_training_moves_the_parameters_as_an_iteration_says():
    network = two_outputs(optimiser=SGD(0.1, 0.9))
    tape = network.run(X, T)
    loss = network.train_step(*({name: values[None] for name, values in each.items()} for each in (X, T)))
    assert loss == float(tape["loss.value"])
    for key, values in network.parameters.items():
        np.testing.assert_array_equal(values, tape[f"{key}_new"])


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        (
            [OutputLoss("size", CrossEntropy())],
            r"^loss: cross_entropy needs softmax as the last layer, but size",
        ),
        (
            [OutputLoss("sizes", HalfSquaredError())],
            r"losses\[0\].of: sizes is not a layer; did you mean",
        ),
        ([OutputLoss("size", HalfSquaredError())] * 2, r"^loss: size has a loss already; an output has one"),
        ([OutputLoss("softmax", HalfSquaredError())], r"^size: no layer reads it; let one read it"),
    ],
)
def test_losses_that_do_not_fit_are_one_sentence(losses, sentence):
    with pytest.raises(CnnvizError, match=sentence):
        Network(LAYERS, SHAPES, losses)


def test_a_loss_that_skips_its_layer_needs_that_nobody_else_reads_it():
    layers = [*LAYERS, ("relu", ReLU(), ["softmax"])]
    losses = [OutputLoss("size", HalfSquaredError()), OutputLoss("softmax", CrossEntropy())]
    with pytest.raises(
        CnnvizError, match=r"^loss_softmax: cross_entropy needs an output that no layer reads"
    ):
        Network(layers, SHAPES, losses)


def test_the_first_layer_says_which_of_several_inputs_it_reads():
    with pytest.raises(CnnvizError, match=r'^a: there are the inputs left, right; say which .* \["left"\]'):
        Network([("a", ReLU())], SHAPES)
    with pytest.raises(CnnvizError, match=r"^left: this name is taken"):
        Network([("left", ReLU(), ["right"])], SHAPES)


@pytest.mark.parametrize(
    ("x", "t", "sentence"),
    [
        ({"left": X["left"]}, T, r"^input: right is missing; give an array for each"),
        (X, {"size": T["size"]}, r"^loss: softmax is missing; give an array for each"),
        ({**X, "right": np.zeros(4)}, T, r"^right: its shape is 4, but the network takes 3"),
        ({**X, "left": np.array([np.nan, 0])}, T, r"^left: x\[0\] is nan"),
        (X, {**T, "softmax": np.zeros(2)}, r"^loss_softmax: t has shape 2, but the layer needs 3"),
    ],
)
def test_samples_and_targets_that_do_not_fit_are_refused_by_name(x, t, sentence):
    with pytest.raises((CnnvizError, ShapeError), match=sentence):
        two_outputs().run(x, t)


def test_a_softmax_over_rows_is_not_what_cross_entropy_needs():
    with pytest.raises(CnnvizError, match="taken over the channels, but last over axis 2; set its dim to 1"):
        Network([("last", Softmax(2))], (2, 3, 3), CrossEntropy())
