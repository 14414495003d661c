import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD, Adam
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.trace.operation import Operation
from tests.cases import (
    LOSSES,
    OPTIMISERS,
    assert_same,
    each_loss,
    each_optimiser,
    network_for,
    sample,
    small_network,
)

# ------------------------------------------------------------------------------------------- putting together


def test_shapes_go_through_all_layers():
    shapes = [(1, 3, 3), (2, 4, 4), (2, 4, 4), (2, 3, 3), (18,), (3,), (3,)]
    names = ["input", "conv1", "relu1", "pool1", "flatten", "fc", "softmax"]
    assert small_network().shapes == dict(zip(names, shapes, strict=True))


def test_layer_that_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"^pool9: a window of 4 × 4 does not fit an input of 2 × 2"):
        Network([("conv1", Conv2d(1, 3, 2)), ("pool9", MaxPool2d(4))], (1, 3, 3))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 4)])
def test_empty_input_is_refused(shape):
    with pytest.raises(ShapeError, match=r"^input: its input is empty"):
        Network([("relu", ReLU())], shape)


@pytest.mark.parametrize("name", ["relu1", "loss", "input"])
def test_name_that_is_taken_is_refused(name):
    with pytest.raises(CnnvizError, match=rf"^{name}: this name is taken"):
        Network([("relu1", ReLU()), (name, ReLU())], (3,))


@pytest.mark.parametrize("name", ["", "conv 1", "a.b", "1st"])
def test_name_that_is_none_is_refused(name):
    with pytest.raises(CnnvizError, match=rf"^{name}: not a name for a layer"):
        Network([(name, ReLU())], (3,))


def test_network_of_nothing_is_refused():
    with pytest.raises(CnnvizError, match=r"no layers"):
        Network([], (3,))


@pytest.mark.parametrize(("loss", "needed"), [(CrossEntropy(), "softmax"), (BinaryCrossEntropy(), "sigmoid")])
def test_loss_without_its_layer_is_refused(loss, needed):
    with pytest.raises(
        CnnvizError, match=rf"^loss: {loss.kind} needs {needed} as the last layer, but fc is linear"
    ):
        Network([("fc", Linear(3, 4))], (3,), loss)


def test_a_parameter_that_is_fixed_stays_and_has_a_gradient():
    network = Network([("fc", Linear(2, 2))], (2,), HalfSquaredError(), SGD(0.5, momentum=0.5), ["fc.b"])
    network.initialise(1)
    tape = network.run(np.array([1.0, 2.0]), np.zeros(2))
    names = [call.name for call in network.calls(tape)]
    assert "fc.db" in names and "fc.w" in names and "fc.b" not in names
    assert "fc.b_new" not in tape
    before = network.parameters["fc.b"].copy()
    network.train_step(np.array([[1.0, 2.0]]), np.zeros((1, 2)))
    assert np.array_equal(network.parameters["fc.b"], before)
    with pytest.raises(CnnvizError, match=r"^optimiser\.fixed: fc\.c is not a parameter .* is fc\.w, fc\.b"):
        Network([("fc", Linear(2, 2))], (2,), fixed=["fc.c"])


def test_a_gradient_may_be_given_in_place_of_a_loss():
    network = Network([("fc", Linear(2, 2))], (2,), optimiser=SGD(0.5))
    network.load({"fc.w": np.array([[1.0, 2.0], [3.0, 4.0]]), "fc.b": np.zeros(2)}, "test")
    tape = network.run(np.array([1.0, 2.0]), dy=np.array([10.0, -1.0]))
    assert tape["fc.dw"].tolist() == [[10, -1], [20, -2]]
    assert tape["fc.db"].tolist() == [10, -1]
    assert tape["fc.dx"].tolist() == [8, 26]
    assert tape["fc.w_new"].tolist() == [[-4, 2.5], [-7, 5]]
    assert [call.name for call in network.calls(tape)] == ["fc", "fc.db", "fc.dw", "fc.dx", "fc.w", "fc.b"]
    with pytest.raises(ShapeError, match=r"^output: dy has shape 3"):
        network.run(np.array([1.0, 2.0]), dy=np.zeros(3))


# ------------------------------------------------------------------------------------------ weights and seeds


def weights(network):
    return dict(network.parameters)


def test_one_seed_draws_the_same_numbers_and_another_others():
    a, b, c = small_network(), small_network(), small_network()
    c.initialise(99)
    for key, values in weights(a).items():
        np.testing.assert_array_equal(values, weights(b)[key])
    assert not np.array_equal(weights(a)["conv1.w"], weights(c)["conv1.w"])


def test_initialise_forgets_the_training():
    network = small_network(Adam())
    x, t = sample(network)
    losses = [network.train_step(x[None], t[None]) for _ in range(3)]
    network.initialise(6)
    assert [network.train_step(x[None], t[None]) for _ in range(3)] == losses


def test_initialise_keeps_the_precision():
    network = small_network()
    network.astype(np.float32)
    network.initialise(6)
    assert {values.dtype for values in weights(network).values()} == {np.dtype(np.float32)}


def test_load_takes_all_parameters_in_their_precision():
    network, other = small_network(), small_network()
    other.initialise(8)
    other.astype(np.float32)
    network.load(weights(other), "net.npz")
    for key, values in weights(network).items():
        np.testing.assert_array_equal(values, weights(other)[key])
        assert values.dtype == np.float32


def test_load_keeps_no_tie_to_the_arrays():
    network = small_network()
    arrays = {key: values.copy() for key, values in weights(network).items()}
    network.load(arrays, "net.npz")
    arrays["conv1.w"][:] = 0
    assert weights(network)["conv1.w"].any()


def test_load_makes_real_numbers_of_whole_ones():
    network = small_network()
    network.load({key: np.ones(values.shape, int) for key, values in weights(network).items()}, "net.npz")
    assert weights(network)["fc.w"].dtype == np.float64


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda arrays: arrays.pop("fc.b"), r"^net.npz: fc.b is missing"),
        (
            lambda arrays: arrays.update({"fc.w": np.zeros((18, 4))}),
            r"^fc: w has shape 18 × 4, but the layer needs 18 × 3",
        ),
        (lambda arrays: arrays["fc.w"].__setitem__((2, 1), np.nan), r"^fc: w\[2, 1\] is nan"),
        (lambda arrays: arrays.update({"fc.b": np.array(["a"] * 3)}), r"^net.npz: fc.b does not hold real"),
        (lambda arrays: arrays.update({"fc.b": np.zeros(3, complex)}), r"^net.npz: fc.b does not hold real"),
    ],
)
def test_load_changes_nothing_when_it_refuses(spoil, sentence):
    network = small_network()
    before = weights(network)
    arrays = {key: values + 1 for key, values in before.items()}
    spoil(arrays)
    with pytest.raises(CnnvizError, match=sentence):
        network.load(arrays, "net.npz")
    assert all(values is before[key] for key, values in weights(network).items())


# --------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_training_makes_the_loss_smaller(loss, optimiser):
    kind, target = loss
    network, rng = network_for(kind(), optimiser()), np.random.default_rng(0)
    x, t = rng.normal(size=(2, 3)), np.array([target(rng, 4) for _ in range(2)])
    losses = [network.train_step(x, t) for _ in range(10)]
    assert losses[-1] < losses[0]


def test_gradients_of_a_batch_are_the_slopes_of_its_mean_loss():
    network = small_network()
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3, 1, 3, 3)), np.eye(3)[[0, 2, 1]]

    def energy():
        return network.loss.value(network.forward(x), t).mean()

    losses, gradients = network.loss_and_gradients(x, t)
    assert losses.mean() == pytest.approx(energy(), rel=1e-14)
    assert gradients.keys() == network.parameters.keys()
    for key, values in network.parameters.items():
        grad, flat = gradients[key].reshape(-1), values.reshape(-1)
        for k in range(flat.size):
            old = flat[k]
            flat[k] = old + 1e-6
            above = energy()
            flat[k] = old - 1e-6
            slope = (above - energy()) / 2e-6
            flat[k] = old
            assert grad[k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_training_step_is_the_formula_for_the_mean_gradient():
    network = Network([("fc", Linear(2, 1))], (2,), HalfSquaredError(), SGD(0.1, momentum=0.5))
    x, t = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0], [2.0]])
    w, b, vw, vb = np.zeros((2, 1)), np.zeros(1), 0, 0
    for _ in range(3):
        error = x @ w + b - t
        expected_loss = (error**2).sum() / 2 / 2
        vw, vb = 0.5 * vw + x.T @ error / 2, 0.5 * vb + error.sum(0) / 2
        w, b = w - 0.1 * vw, b - 0.1 * vb
        assert network.train_step(x, t) == pytest.approx(expected_loss, rel=1e-14)
        assert weights(network)["fc.w"] == pytest.approx(w, rel=1e-13)
        assert weights(network)["fc.b"] == pytest.approx(b, rel=1e-13)
    assert network.iteration == 4


@each_optimiser
def test_float32_stays_float32_in_training(label):
    network = small_network(OPTIMISERS[label]())
    x, t = sample(network)
    network.train_step(x[None], t[None])  # what is remembered of this one is float64
    network.astype(np.float32)
    x = x.astype(np.float32)
    assert network.forward(x[None]).dtype == np.float32
    network.train_step(x[None], t[None])
    network.train_step(x[None], np.array([[0, 1, 0]]))
    _, gradients = network.loss_and_gradients(x[None], t[None])
    assert {values.dtype for values in network.parameters.values()} == {np.dtype(np.float32)}
    assert {values.dtype for values in gradients.values()} == {np.dtype(np.float32)}


def test_other_optimiser_starts_afresh():
    network, fresh = small_network(Adam()), small_network(SGD(0.1, momentum=0.9))
    x, t = sample(network)
    network.train_step(x[None], t[None])
    network.initialise(6)
    network.optimiser_state = {"conv1.w": {"m": np.ones((2, 1, 2, 2)), "v": np.ones((2, 1, 2, 2))}}
    network.optimiser = fresh.optimiser
    network.train_step(x[None], t[None])
    fresh.train_step(x[None], t[None])
    np.testing.assert_array_equal(weights(network)["conv1.w"], weights(fresh)["conv1.w"])


def test_training_without_a_loss_is_refused():
    with pytest.raises(CnnvizError, match=r"no loss or no optimiser"):
        Network([("fc", Linear(2, 1))], (2,)).train_step(np.zeros((1, 2)), np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("x", "t", "sentence"),
    [
        (np.zeros((2, 1, 3, 4)), np.zeros((2, 3)), r"^input: its shape is 1 × 3 × 4, but .* takes 1 × 3 × 3"),
        (np.zeros((1, 3, 3)), np.zeros((1, 3)), r"^input: its shape is 3 × 3, but"),
        (np.zeros((2, 1, 3, 3)), np.zeros((2, 4)), r"^loss: t has shape 2 × 4, but the layer needs 2 × 3"),
        (np.zeros((3, 1, 3, 3)), np.zeros(3), r"^loss: t has shape 3, but the layer needs 3 × 3"),
        (np.zeros((0, 1, 3, 3)), np.zeros((0, 3)), r"^input: its input is empty"),
    ],
)
def test_batch_that_does_not_fit_is_refused_with_both_shapes(x, t, sentence):
    with pytest.raises(ShapeError, match=sentence):
        small_network().train_step(x, t)


# ---------------------------------------------------------------------------------------------- one iteration


@each_optimiser
def test_iteration_shown_is_the_iteration_trained(label):
    network, trained = small_network(OPTIMISERS[label]()), small_network(OPTIMISERS[label]())
    x, t = sample(network)
    for _ in range(3):
        tape = network.run(x, t)
        assert float(tape["loss.value"]) == pytest.approx(trained.train_step(x[None], t[None]), rel=1e-14)
        for key, values in weights(trained).items():
            np.testing.assert_allclose(tape[f"{key}_new"], values, rtol=1e-13, atol=1e-15)
        network.train_step(x[None], t[None])


@each_optimiser
def test_running_moves_nothing(label):
    network = small_network(OPTIMISERS[label]())
    x, t = sample(network)
    network.train_step(x[None], t[None])
    before = {key: values.copy() for key, values in weights(network).items()}
    network.run(x + 1, t)
    for key, values in weights(network).items():
        np.testing.assert_array_equal(values, before[key])
    assert network.iteration == 2


def test_tape_outlives_what_it_was_made_of():
    network = small_network()
    x, t = sample(network)
    tape = network.run(x, t)
    before = {name: values.copy() for name, values in tape.items()}
    x[:], t[:] = 0, 0
    network.train_step(x[None], t[None])
    network.initialise(9)
    network.run(x, t)
    for name, values in tape.items():
        np.testing.assert_array_equal(values, before[name])


def test_calls_explain_the_iteration_of_the_tape_even_later():
    network = small_network(Adam())
    x, t = sample(network)
    tape = network.run(x, t)
    network.train_step(x[None], t[None])
    update = next(call for call in network.calls(tape) if call.name == "fc.w")
    arguments = Operation(update).arguments()
    update.listing(**arguments)
    assert_same(arguments["w"], update.writes["w"])


def test_network_in_float32_is_shown_in_float64():
    network = small_network(Adam())
    network.astype(np.float32)
    x, t = sample(network)
    network.train_step(x[None], t[None])
    tape = network.run(x, t)
    for name, values in tape.items():
        assert values.dtype.kind == "i" or values.dtype == np.float64, name
    for call in network.calls(tape):
        arguments = Operation(call).arguments()
        call.listing(**arguments)
        for name, result in call.writes.items():
            assert_same(arguments[name], result)


def test_calls_come_in_the_order_of_the_iteration():
    network = small_network()
    calls = network.calls(network.run(*sample(network)))
    assert [call.name for call in calls] == [
        *["conv1", "relu1", "pool1", "flatten", "fc", "softmax", "loss"],
        *["softmax.dx", "fc.db", "fc.dw", "fc.dx", "flatten.dx", "pool1.dx", "relu1.dx"],
        *["conv1.db", "conv1.dw", "conv1.dx"],
        *["conv1.w", "conv1.b", "fc.w", "fc.b"],
    ]
    phases = [call.phase for call in calls]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)


@each_loss
def test_what_one_layer_writes_the_next_one_reads(label):
    kind, target = LOSSES[label]
    last = kind.follows or Sigmoid
    network = Network(
        [("conv", Conv2d(1, 2, 2)), ("flat", Flatten()), ("fc", Linear(8, 3)), ("last", last())],
        (1, 3, 3),
        kind(),
        SGD(0.1),
    )
    network.initialise(0)
    rng = np.random.default_rng(0)
    tape = network.run(rng.normal(size=(1, 3, 3)), target(rng, 3))
    for before, after in [("conv", "flat"), ("flat", "fc"), ("fc", "last")]:
        np.testing.assert_array_equal(tape[f"{before}.y"], tape[f"{after}.x"])
        np.testing.assert_array_equal(tape[f"{before}.dy"], tape[f"{after}.dx"])
    np.testing.assert_array_equal(tape["last.y"], tape["loss.y"])


@pytest.mark.parametrize(
    ("with_loss", "with_target"),
    [(False, True), (True, False)],
)
def test_without_loss_or_target_there_is_only_the_way_forward(with_loss, with_target):
    layers = [("fc", Linear(2, 3)), ("softmax", Softmax())]
    network = Network(layers, (2,), CrossEntropy() if with_loss else None, SGD(0.1))
    tape = network.run(np.ones(2), np.array([1.0, 0, 0]) if with_target else None)
    assert [call.name for call in network.calls(tape)] == ["fc", "softmax"]


def test_without_an_optimiser_there_is_no_update():
    network = Network([("fc", Linear(2, 3))], (2,), HalfSquaredError())
    calls = network.calls(network.run(np.ones(2), np.ones(3)))
    assert [call.name for call in calls] == ["fc", "loss", "loss.dy", "fc.db", "fc.dw", "fc.dx"]


@pytest.mark.parametrize(
    ("x", "t", "sentence"),
    [
        (
            np.zeros((1, 3, 4)),
            np.zeros(3),
            r"^input: its shape is 1 × 3 × 4, but the network takes 1 × 3 × 3",
        ),
        (np.full((1, 3, 3), np.nan), np.zeros(3), r"^input: x\[0, 0, 0\] is nan"),
        (np.zeros((1, 3, 3)), np.zeros(4), r"^loss: t has shape 4, but the layer needs 3"),
        (np.zeros((1, 3, 3)), np.array([0, np.inf, 0]), r"^loss: t\[1\] is inf"),
    ],
)
def test_sample_that_does_not_fit_is_refused(x, t, sentence):
    with pytest.raises(CnnvizError, match=sentence):
        small_network().run(x, t)


def test_weights_that_are_no_numbers_are_named():
    network = small_network()
    weights(network)["fc.b"][1] = np.nan
    with pytest.raises(CnnvizError, match=r"^fc: b\[1\] is nan"):
        network.run(*sample(network))


def test_refusal_leaves_the_network_as_it_was():
    network = small_network()
    before = weights(network)
    with pytest.raises(CnnvizError):
        network.run(np.zeros((1, 3, 3)), np.zeros(4))
    assert all(values is before[key] for key, values in weights(network).items())
