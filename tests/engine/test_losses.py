import numpy as np
import pytest

from cnnviz.engine.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError
from tests.cases import LOSSES, each_loss, network_for


def value(loss, y, t):
    return float(loss.value(np.array([y], float), np.array([t], float))[0])


def test_half_squared_error_is_half_the_squared_differences():
    assert value(HalfSquaredError(), [1, 5], [3, 2]) == 6.5


def test_cross_entropy_is_the_surprise_at_the_target():
    assert value(CrossEntropy(), [0.2, 0.8], [0, 1]) == pytest.approx(-np.log(0.8), rel=1e-15)


def test_binary_cross_entropy_asks_each_output_by_itself():
    expected = -np.log(0.2) - np.log(1 - 0.9)
    assert value(BinaryCrossEntropy(), [0.2, 0.9], [1, 0]) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_certain_and_right_costs_nothing_and_warns_of_nothing(loss):
    assert value(loss, [0, 1], [0, 1]) == 0


def test_certain_and_wrong_costs_without_bound():
    assert value(CrossEntropy(), [0, 1], [1, 0]) == np.inf


@each_loss
def test_gradient_is_the_slope(label):
    kind, target = LOSSES[label]
    loss, rng = kind(), np.random.default_rng(0)
    last = network_for(loss).layers[-1]
    x, t = rng.normal(size=(1, 4)), target(rng, 4)[None]
    through = last.forward if loss.follows else lambda x: x

    def energy(x):
        return loss.value(through(x), t)[0]

    gradient = loss.gradient(through(x), t)[0]
    for k, step in enumerate(1e-6 * np.eye(4)):
        slope = (energy(x + step) - energy(x - step)) / 2e-6
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


@each_loss
def test_each_sample_has_its_own_loss(label):
    kind, target = LOSSES[label]
    loss, rng = kind(), np.random.default_rng(1)
    y, t = rng.random((3, 4)), np.array([target(rng, 4) for _ in range(3)])
    apart = [float(loss.value(y[k : k + 1], t[k : k + 1])[0]) for k in range(3)]
    np.testing.assert_allclose(loss.value(y, t), apart, rtol=1e-14)
