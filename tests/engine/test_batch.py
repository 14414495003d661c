"""What several samples compute that go through together, held against the same samples one by one."""

import numpy as np
import pytest

from cnnviz.engine.batch import batch_listing
from cnnviz.engine.generated import source_of
from cnnviz.engine.layers import conv2d, linear, softmax
from cnnviz.engine.layers.batch_norm import BatchNorm
from cnnviz.engine.losses import CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.trace.operation import Operation
from tests.cases import assert_same, small_network
from tests.random_networks import random_network
from tests.trace.python import events
from tests.trace.test_state import check_states

N = 3


def batch_of(seed, **sizes):
    """Return a random network with N samples: one is as drawn, one has zeros and ties, one is all zeros."""
    drawn = random_network(seed, alone=True, **sizes)
    rng = np.random.default_rng(seed)

    def several(values):
        tied = np.where(rng.random(values.shape) < 0.5, 0.0, np.round(values))
        return np.stack([values, tied, np.zeros_like(values)])

    return (
        drawn.network,
        {name: several(x) for name, x in drawn.x.items()},
        {name: np.stack([t] * N) for name, t in drawn.t.items()},
    )


def sample_of(arrays, k):
    return {name: values[k] for name, values in arrays.items()}


@pytest.mark.parametrize("seed", range(20))
def test_gradients_are_the_means_of_those_of_the_samples(seed):
    network, x, t = batch_of(seed)
    tape = network.run(x, t, samples=N)
    alone = [network.run(sample_of(x, k), sample_of(t, k)) for k in range(N)]
    for key in network.moving:
        layer, _, name = key.partition(".")
        wanted = np.mean([one[f"{layer}.d{name}"] for one in alone], axis=0)
        assert_same(tape[f"{layer}.d{name}"], wanted, 1e-11)
    assert_same(tape["loss.mean"], np.mean([one["loss.value"] for one in alone]))
    for layer in network.layers:
        for k, one in enumerate(alone):
            assert_same(tape[f"{layer.name}.y"][k], one[f"{layer.name}.y"])
            if f"{layer.name}.dx" in one:
                assert_same(tape[f"{layer.name}.dx"][k], one[f"{layer.name}.dx"] / N, 1e-11)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_stepped_is_what_training_does(seed):
    network, x, t = batch_of(seed)
    tape = network.run(x, t, samples=N)
    loss = network.train_step(x, t)
    assert loss == float(tape["loss.mean"])
    for key in network.moving:
        np.testing.assert_array_equal(network.parameters[key], tape[f"{key}_new"])


@pytest.mark.parametrize("form", ["gathered", "scattered"])
@pytest.mark.parametrize("seed", range(20))
def test_listings_compute_what_the_maths_does(seed, form):
    network, x, t = batch_of(seed)
    for call in network.calls(network.run(x, t, samples=N), form):
        operation = Operation(call)
        arguments = operation.arguments()
        with np.errstate(all="ignore"):
            operation.function(**arguments)
        for name, values in call.writes.items():
            assert_same(arguments[name], values, 1e-11)


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_every_state_is_what_python_holds(first):
    compared = 0
    for seed in range(first, first + 5):
        network, x, t = batch_of(seed, layers=4, largest=6, side=3)
        form = ("gathered", "scattered")[seed % 2]
        for call in network.calls(network.run(x, t, samples=N), form):
            compared += check_states(call)
    assert compared > 1_000


def test_each_sample_is_computed_in_the_steps_in_which_it_would_be_alone():
    network = small_network()
    x = np.random.default_rng(0).normal(size=(2, *network.input_shape))
    t = np.eye(network.output_shape[0])[[0, 1]]
    for call in network.calls(network.run(x, t, samples=2)):
        if call.batch is None or call.name == "loss.mean":
            continue
        lines, numbers = call.batch.lines, []
        for event in events(call, with_arrays=False):
            if event.variables.get("n", 0) == 1 and lines[event.line]:
                numbers.append(lines[event.line])
        alone = [event.line for event in events(call.batch.calls[1], with_arrays=False)]
        if call.writes.keys() <= call.batch.arrays:
            assert numbers == alone, call.name


def source(listing, arrays, sums=(), mean=False):
    return source_of(batch_listing(listing, frozenset(arrays), frozenset(sums), mean).listing)


def test_the_loop_over_samples_goes_around_what_each_has_for_itself():
    assert source(conv2d.conv2d, ["x", "y"])[:3] == [
        "def conv2d(x, w, b, y, C_out, H_out, W_out, C_in, K_h, K_w, S, N):",
        "    for n in range(N):",
        "        for o in range(C_out):",
    ]


def test_of_a_parameters_gradient_it_is_inside_around_the_sum():
    assert source(linear.linear_dw, ["x", "dy"], ["dw"]) == [
        "def linear_dw(x, dy, dw, N_in, N_out, N):",
        "    for m in range(N_in):",
        "        for k in range(N_out):",
        "            acc = 0.0",
        "            for n in range(N):",
        "                acc += x[n, m] * dy[n, k]",
        "            dw[m, k] = acc",
    ]
    assert source(conv2d.conv2d_db, ["dy"], ["db"])[3:7] == [
        "        for n in range(N):",
        "            for i in range(H_out):",
        "                for j in range(W_out):",
        "                    acc += dy[n, o, i, j]",
    ]


def test_names_that_the_samples_take_are_given_up():
    assert source(softmax.softmax, ["x", "e", "y"])[:5] == [
        "def softmax(x, e, y, K, N):",
        "    for n in range(N):",
        "        m = x[n, 0]",
        "        for k in range(K):",
        "            m = max(m, x[n, k])",
    ]


def test_all_losses_come_from_the_scores_where_one_must():
    network = Network([("softmax", softmax.Softmax())], (2,), CrossEntropy())
    x, t = np.array([[0.0, 1000.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    tape = network.run(x, t, samples=2)
    np.testing.assert_allclose(tape["loss.value"], [1000, np.log(1 + np.exp(-1))], rtol=1e-12)
    loss = next(call for call in network.calls(tape) if call.name == "loss")
    assert loss.listing.__name__ == "cross_entropy_of_scores"
    check_states(loss)


def normalised(values):
    """Return a network of one batch norm with the course's numbers, and its tape."""
    x = np.array(values, float)
    shape = x.shape[1:]
    network = Network([("bn", BatchNorm(shape[0], eps=0.0, training=True))], shape)
    network.initialise()
    dy = np.zeros_like(x)
    dy[0] = 1
    return network, network.run(x, dy=dy, samples=len(x))


def test_batch_norm_takes_mean_and_variance_over_all_samples():
    """COURSE: 1 2 3 6, γ = 1, β = 0, ε → 0; then backward from 1 0 0 0."""
    network, tape = normalised([[1], [2], [3], [6]])
    assert (tape["bn.mean"].tolist(), tape["bn.var"].tolist()) == ([3], [3.5])
    np.testing.assert_allclose(tape["bn.y"][:, 0], [-1.0690, -0.5345, 0, 1.6036], atol=5e-5)
    np.testing.assert_allclose(tape["bn.dx"][:, 0], [0.2482, -0.2100, -0.1336, 0.0954], atol=6e-5)
    np.testing.assert_allclose(tape["bn.dgamma"], [-1.0690], atol=5e-5)
    assert tape["bn.dbeta"].tolist() == [1]
    names = [call.name for call in network.calls(tape)]
    assert names == ["bn.mean", "bn.var", "bn", "bn.dbeta", "bn.dgamma", "bn.dx"]
    for call in network.calls(tape):
        check_states(call)


def test_the_mean_of_a_batch_is_one_sum_over_its_samples():
    network, tape = normalised(np.arange(24.0).reshape(2, 3, 2, 2))
    mean, var, *_ = network.calls(tape)
    assert source_of(mean.listing) == [
        "def batch_norm_mean(x, mean, M, C, H, W, N):",
        "    for c in range(C):",
        "        total = 0.0",
        "        for n in range(N):",
        "            for i in range(H):",
        "                for j in range(W):",
        "                    total += x[n, c, i, j]",
        "        mean[c] = total / M",
    ]
    assert mean.given["M"] == 8
    np.testing.assert_allclose(var.writes["var"], np.arange(24.0).reshape(2, 3, 4).var(axis=(0, 2)))
    for call in network.calls(tape):
        check_states(call)


@pytest.mark.parametrize("samples", [2, 5])
@pytest.mark.parametrize("shape", [(2,), (2, 3, 2), (1, 1, 1)])
def test_gradients_through_batch_norm_are_the_slopes(shape, samples):
    """Held against differences of the loss: a sample moves the outputs of all others, too."""
    rng = np.random.default_rng(3)
    network = Network([("bn", BatchNorm(shape[0], training=True))], shape)
    network.initialise()
    network.load({"bn.gamma": rng.normal(size=shape[0]), "bn.beta": rng.normal(size=shape[0])}, "drawn")
    x, dy = rng.normal(size=(samples, *shape)), rng.normal(size=(samples, *shape))
    tape = network.run(x, dy=dy, samples=samples)

    def energy(x):
        return float((network.forward(x) * dy).sum())

    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope = (energy(x + step) - energy(x - step)) / 2e-6
        assert tape["bn.dx"][place] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_fixed_statistics_are_neither_computed_nor_moved():
    """COURSE: 1 2 / 3 4, mean 2, variance 4, γ 2, β 0.5."""
    network = Network([("bn", BatchNorm(1, eps=0.0))], (1, 2, 2), HalfSquaredError(), SGD(0.1))
    given = {"gamma": 2.0, "beta": 0.5, "mean": 2.0, "var": 4.0}
    network.load({f"bn.{name}": np.array([value]) for name, value in given.items()}, "course")
    tape = network.run(np.array([[[1.0, 2], [3, 4]]]), np.zeros((1, 2, 2)))
    assert tape["bn.y"].tolist() == [[[-0.5, 0.5], [1.5, 2.5]]]
    assert network.moving == ("bn.gamma", "bn.beta")
    assert "bn.dmean" not in tape and "bn.var_new" not in tape
    assert [call.name for call in network.calls(tape)] == [
        *("bn", "loss", "loss.dy", "bn.dbeta", "bn.dgamma", "bn.dx", "bn.gamma", "bn.beta")
    ]
