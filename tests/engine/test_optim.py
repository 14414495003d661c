import numpy as np
import pytest

from cnnviz.engine.optim import SGD, Adam
from tests.cases import OPTIMISERS, each_optimiser

GRADIENTS = np.random.default_rng(0).normal(size=(4, 2, 3))


def walk(optimiser, w):
    memory = optimiser.start(w)
    for t, dw in enumerate(GRADIENTS, start=1):
        w, memory = optimiser.step(w, dw, memory, t)
    return w


def test_sgd_walks_against_the_gradient():
    assert walk(SGD(0.1), np.ones((2, 3))) == pytest.approx(1 - 0.1 * GRADIENTS.sum(0), rel=1e-14)


def test_momentum_keeps_a_part_of_the_speed():
    # The k-th gradient still counts 0.9ᵐ in each of the m steps after its own.
    parts = [sum(0.9**m for m in range(4 - k)) for k in range(4)]
    expected = 1 - 0.1 * np.tensordot(parts, GRADIENTS, 1)
    assert walk(SGD(0.1, momentum=0.9), np.ones((2, 3))) == pytest.approx(expected, rel=1e-13)


def test_adam_is_algorithm_1_of_kingma_and_ba():
    lr, b1, b2, eps = 0.01, 0.8, 0.95, 1e-8
    theta = np.ones((2, 3))
    for t in range(1, 5):
        g = GRADIENTS[:t]
        m_hat = sum((1 - b1) * b1 ** (t - k) * g[k - 1] for k in range(1, t + 1)) / (1 - b1**t)
        v_hat = sum((1 - b2) * b2 ** (t - k) * g[k - 1] ** 2 for k in range(1, t + 1)) / (1 - b2**t)
        theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    assert walk(Adam(lr, b1, b2, eps), np.ones((2, 3))) == pytest.approx(theta, rel=1e-13)


def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    adam = Adam(0.01)
    w = np.zeros(2)
    w, _ = adam.step(w, np.array([1e-3, -1e3]), adam.start(w), 1)
    assert w == pytest.approx([-0.01, 0.01], rel=1e-4)


@each_optimiser
def test_nothing_given_is_changed(label):
    optimiser = OPTIMISERS[label]()
    w, dw = np.ones(3), np.array([1.0, 2, 3])
    _, memory = optimiser.step(w, dw, optimiser.start(w), 1)
    before = {name: values.copy() for name, values in memory.items()}
    optimiser.step(w, dw, memory, 2)
    assert w.tolist() == [1, 1, 1]
    assert dw.tolist() == [1, 2, 3]
    for name, values in memory.items():
        np.testing.assert_array_equal(values, before[name])


@each_optimiser
def test_float32_stays_float32(label):
    optimiser = OPTIMISERS[label]()
    w = np.ones(3, np.float32)
    w, memory = optimiser.step(w, w, optimiser.start(w), 1)
    assert {w.dtype, *(values.dtype for values in memory.values())} == {np.dtype(np.float32)}
