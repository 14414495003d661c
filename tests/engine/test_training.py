"""Training: any iteration is what training did, to the last bit; accuracy is measured; divergence is told."""

import numpy as np
import pytest

from cnnviz.engine import training
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.dropout import Dropout
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD, Adam
from cnnviz.engine.training import Run, running_mean
from cnnviz.errors import CnnvizError

COUNT = 12
X = np.random.default_rng(5).normal(size=(COUNT, 1, 4, 4))
LABELS = np.argsort(X.mean(axis=(1, 2, 3))) % 3  # anything that depends on the image


def network_with(optimiser):
    layers = [
        ("conv1", Conv2d(1, 2, 3)),
        ("relu1", ReLU()),
        ("flatten", Flatten()),
        ("fc", Linear(8, 3)),
        ("softmax", Softmax()),
    ]
    made = Network(layers, (1, 4, 4), CrossEntropy(), optimiser)
    made.initialise(3)
    return made


def sample(index):
    return X[index], np.eye(3)[LABELS[index]]


def run_of(optimiser, iterations=40, measure=10, held_out=4):
    order = np.random.default_rng(1).permutation(COUNT)
    learn = COUNT - held_out
    return Run(network_with(optimiser), sample, order[:learn], order[learn:], iterations, measure)


def finish(run, until=None):
    for _ in run.work(until):
        pass
    return run


def parameters(network):
    return network.parameters


OPTIMISERS = [SGD(0.05), SGD(0.05, momentum=0.9), Adam(0.01)]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("most_bytes", [training.MOST_BYTES, 30_000])
def test_what_an_iteration_writes_is_what_the_next_begins_with(optimiser, most_bytes, monkeypatch):
    monkeypatch.setattr(training, "MOST_BYTES", most_bytes)
    run = finish(run_of(optimiser))
    assert (run.every > 1) == (most_bytes == 30_000)

    for t in range(run.iterations):
        network, following = run.network_at(t), run.network_at(t + 1)
        tape = network.run(*sample(run.image_of(t)))
        assert tape["loss.value"] == run.losses[t]
        for key, values in parameters(following).items():
            assert np.array_equal(tape[f"{key}_new"], values)
        for key, memory in following.optimiser_state.items():
            assert all(np.array_equal(tape[f"{key}_{part}_new"], values) for part, values in memory.items())


def test_as_many_parameters_are_kept_as_there_may_be_and_of_a_short_part_all(monkeypatch):
    run = run_of(SGD(0.05))
    monkeypatch.setattr(training, "MOST_BYTES", 12 * run._kept[0].nbytes)
    finish(run, 11)
    assert run.every == 1 and len(run._kept) == 12
    finish(run)
    assert run.every == 4 and list(run._kept) == list(range(0, 41, 4))
    run.reset()
    assert run.every == 1 and list(run._kept) == [0]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_it_is_what_train_step_does(optimiser):
    run, network = finish(run_of(optimiser)), network_with(optimiser)
    for t in range(run.iterations):
        x, target = sample(run.image_of(t))
        assert network.train_step(x[None], target[None]) == run.losses[t]
    for key, values in parameters(run.network_at(run.iterations)).items():
        assert np.array_equal(parameters(network)[key], values)


def test_twice_the_same_to_the_last_bit():
    one, other = finish(run_of(SGD(0.05))), finish(run_of(SGD(0.05)))
    assert np.array_equal(one.losses, other.losses)
    assert one.accuracies == other.accuracies
    for key, values in parameters(one.network_at(40)).items():
        assert np.array_equal(values, parameters(other.network_at(40))[key])


def test_broken_off_and_gone_on_with_is_the_same():
    whole, parts = finish(run_of(Adam(0.01))), run_of(Adam(0.01))
    begun = parts.work()
    for _ in range(13):
        next(begun)
    finish(parts, 20)  # somebody else goes on meanwhile
    assert parts.done == 20
    for _ in begun:
        pass
    assert np.array_equal(whole.losses, parts.losses)
    assert whole.accuracies == parts.accuracies


def test_gone_on_with_in_the_middle_of_a_measurement_it_takes_no_iteration_twice_or_too_many():
    run = run_of(SGD(0.05), iterations=1, measure=1)
    begun = run.work()
    next(begun)  # it has measured, and is about to take the only iteration
    finish(run)
    for _ in begun:
        pass
    assert run.done == 1
    assert sorted(run.accuracies) == [0, 1]


def test_of_a_large_network_few_images_are_measured_at_once(monkeypatch):
    run, seen = run_of(SGD(0.05)), []
    forward = Network.forward
    monkeypatch.setattr(Network, "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    finish(run, 1)
    at_once = seen.copy()
    monkeypatch.setattr("cnnviz.engine.training._NUMBERS_AT_ONCE", 60)  # all maps of one image have 44
    run.reset()
    finish(run, 1)
    assert at_once == [4]
    assert seen[1:] == [1, 1, 1, 1]
    assert run.accuracies[0] in (0, 0.25, 0.5, 0.75, 1)


def test_the_images_come_in_order_again_and_again_and_none_is_held_out():
    run = run_of(SGD(0.05), held_out=4)
    seen = [run.image_of(t) for t in range(16)]
    assert seen[:8] == seen[8:]
    assert not set(seen) & set(run.held_out.tolist())
    assert len({*seen, *run.held_out.tolist()}) == COUNT


def test_accuracy_is_measured_before_iterations_and_at_the_end():
    run = finish(run_of(SGD(0.05), iterations=25))
    assert sorted(run.accuracies) == [0, 10, 20, 25]
    for t, accuracy in run.accuracies.items():
        y = run.network_at(t).forward(X[run.held_out])
        assert accuracy == (y.argmax(axis=1) == LABELS[run.held_out]).mean()


def test_accuracy_of_one_output_is_of_a_yes_or_no():
    layers = [("flatten", Flatten()), ("fc", Linear(16, 1)), ("sigmoid", Sigmoid())]
    network = Network(layers, (1, 4, 4), BinaryCrossEntropy(), SGD(0.5))
    network.initialise(0)
    yes = (X.mean(axis=(1, 2, 3)) > 0).astype(float)
    every = np.arange(COUNT)
    run = finish(Run(network, lambda k: (X[k], yes[k : k + 1]), every, every, 200))
    assert run.accuracies[200] == 1


def test_before_training_the_first_iteration_is_there_and_no_other():
    run, network = run_of(SGD(0.05)), network_with(SGD(0.05))
    assert (run.done, run.last) == (0, 0)
    for key, values in parameters(run.network_at(0)).items():
        assert np.array_equal(values, parameters(network)[key])
    with pytest.raises(CnnvizError, match="Iteration 1 has not been reached; there are 0 to 0"):
        run.network_at(1)


def test_the_network_given_and_those_returned_are_not_changed():
    network = network_with(SGD(0.05))
    before = {key: values.copy() for key, values in parameters(network).items()}
    order = np.arange(COUNT)
    run = Run(network, sample, order, order, 30)
    first = run.network_at(0)
    run.network_at(0).train_step(*(values[None] for values in sample(0)))
    finish(run)
    for at in (network, first, run.network_at(0)):
        assert all(np.array_equal(values, before[key]) for key, values in parameters(at).items())


@pytest.mark.parametrize("optimiser", [SGD(1e200), SGD(1e308), Adam(1e308)])
def test_divergence_ends_it_with_one_sentence_and_keeps_what_is_done(optimiser):
    run = finish(run_of(optimiser))
    assert run.done < run.iterations
    t = run.done - 1
    assert f"Training has diverged at iteration {t}: " in run.fault
    assert f"smaller than {optimiser.lr:g}" in run.fault
    assert run.last == t
    for k in range(t + 1):
        with np.errstate(all="ignore"):
            tape = run.network_at(k).run(*sample(run.image_of(k)))
        assert np.array_equal(tape["loss.value"], run.losses[k], equal_nan=True)
    finish(run)  # nothing more happens
    assert run.done == t + 1
    with pytest.raises(CnnvizError, match="has not been reached"):
        run.network_at(t + 1)


def test_without_a_loss_there_is_nothing_to_learn_by():
    network = Network([("flatten", Flatten())], (1, 4, 4))
    with pytest.raises(CnnvizError, match="no loss or no optimiser"):
        Run(network, sample, np.arange(2), np.arange(2), 5)


def test_running_mean():
    assert running_mean(np.array([4.0, 2.0, 0.0, 6.0]), 2).tolist() == [4, 3, 1, 3]
    assert running_mean(np.zeros(0), 2).size == 0


def test_begun_again_it_does_the_same():
    run = finish(run_of(SGD(1e308)))
    fault = run.fault
    run.reset()
    assert (run.done, run.fault, run.accuracies, run.last) == (0, "", {}, 0)
    assert np.isnan(run.losses).all()
    assert finish(run).fault == fault


def test_a_training_that_begins_alike_is_the_same_however_far_it_is():
    run = finish(run_of(SGD(0.05, momentum=0.9)))
    assert run.is_same_as(run_of(SGD(0.05, momentum=0.9)))
    assert run_of(SGD(0.05, momentum=0.9)).is_same_as(run)


@pytest.mark.parametrize(
    "changed",
    [
        lambda: run_of(SGD(0.05)),
        lambda: run_of(SGD(0.06, momentum=0.9)),
        lambda: run_of(Adam(0.05)),
        lambda: run_of(SGD(0.05, momentum=0.9), iterations=41),
        lambda: run_of(SGD(0.05, momentum=0.9), measure=20),
        lambda: run_of(SGD(0.05, momentum=0.9), held_out=3),
    ],
)
def test_one_that_differs_in_anything_is_another(changed):
    assert not finish(run_of(SGD(0.05, momentum=0.9)), 10).is_same_as(changed())


@pytest.mark.parametrize("index", [0, COUNT - 1])
def test_one_that_sees_other_images_is_another(index):
    def other(k):
        x, t = sample(k)
        return (x + 1, t) if k == index else (x, t)

    order, network = np.arange(COUNT), network_with(SGD(0.05))
    one, two = (Run(network, seen, order[:8], order[8:], 40) for seen in (sample, other))
    assert not one.is_same_as(two)


def test_a_loss_of_certain_and_wrong_scores_is_no_divergence():
    made = Network([("fc", Linear(2, 2)), ("softmax", Softmax())], (2,), CrossEntropy(), SGD(1e-3))
    made.parameters["fc.w"] = np.diag([1000.0, 1000.0])
    run = Run(made, lambda _: (np.array([0.0, 1.0]), np.array([1.0, 0.0])), np.array([0]), np.array([0]), 5)
    finish(run)
    assert run.fault == ""
    # Each step moves the scores by 0.001 · 2 towards each other, twice: once by weights, once by biases.
    np.testing.assert_allclose(run.losses, 1000 - 0.004 * np.arange(5), rtol=1e-12)


def test_a_training_whose_masks_are_drawn_from_another_seed_is_another():
    def run(seed):
        network = Network(
            [("fc", Linear(2, 2)), ("drop", Dropout(0.5, seed))], (2,), HalfSquaredError(), SGD(0.1)
        )
        network.initialise(1)
        samples = np.eye(2)
        return Run(network, lambda k: (samples[k], samples[1 - k]), np.arange(2), np.arange(0), 5)

    assert run(3).is_same_as(run(3))
    assert not any(run(3).is_same_as(run(seed)) for seed in range(4, 12))
