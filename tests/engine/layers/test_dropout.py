"""Dropout: a mask for each iteration, the same going back, and none outside training."""

import numpy as np
import pytest

from cnnviz.engine.layers.dropout import Dropout
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD


@pytest.fixture
def network():
    layers = [("one", Dropout(0.25)), ("two", Dropout(0.25)), ("fc", Linear(400, 2))]
    made = Network(layers, (400,), HalfSquaredError(), SGD(1e-3))
    made.initialise(1)
    return made


X, T = np.ones(400), np.zeros(2)


def test_what_is_kept_is_larger_and_its_gradient_too(network):
    tape = network.run(X, T)
    mask = tape["one.mask"]
    assert set(np.unique(mask)) == {0, 1} and 0.65 < mask.mean() < 0.85
    np.testing.assert_allclose(tape["one.y"], np.where(mask == 1, 4 / 3, 0), rtol=1e-15)
    np.testing.assert_allclose(tape["one.dx"], np.where(mask == 1, tape["one.dy"] * 4 / 3, 0), rtol=1e-15)


def test_each_layer_and_each_iteration_has_a_mask_of_its_own(network):
    first, again = network.run(X, T), network.run(X, T)
    np.testing.assert_array_equal(first["one.mask"], again["one.mask"])
    assert (first["one.mask"] != first["two.mask"]).any()
    network.train_step(X[None], T[None])
    assert (network.run(X, T)["one.mask"] != first["one.mask"]).any()
    layer = network.layer("one")
    other = Dropout(0.25, seed=1)
    other.name = "one"
    assert (other.drawn((1, 400), 1)["mask"] != layer.drawn((1, 400), 1)["mask"]).any()


def test_samples_that_go_through_together_have_masks_of_their_own(network):
    mask = network.layer("one").drawn((3, 400), 1)["mask"]
    assert (mask[0] != mask[1]).any() and (mask[1] != mask[2]).any()
    np.testing.assert_array_equal(mask[:1], network.layer("one").drawn((1, 400), 1)["mask"])


def test_a_step_of_training_is_what_is_stepped_through(network):
    tape = network.run(X, T)
    network.train_step(X[None], T[None])
    np.testing.assert_array_equal(network.parameters["fc.w"], tape["fc.w_new"])


def test_outside_training_it_changes_nothing(network):
    plain = X @ network.parameters["fc.w"] + network.parameters["fc.b"]
    np.testing.assert_allclose(network.forward(X[None])[0], plain, rtol=1e-12)
    tape = network.run(X)
    assert "one.mask" not in tape
    np.testing.assert_array_equal(tape["two.y"], X)
    assert [call.kind for call in network.calls(tape)][:2] == ["dropout.off", "dropout.off"]


def test_whole_channels_can_be_dropped():
    layer = Dropout(0.25, channels=True)
    mask = layer.drawn((2, 200, 3, 4), 1)["mask"]
    assert mask.shape == (2, 200, 3, 4) and (mask == mask[:, :, :1, :1]).all()
    assert 0.65 < mask.mean() < 0.85 and (mask[0] != mask[1]).any()
    y = layer.forward(np.ones((2, 200, 3, 4)), mask=mask)
    np.testing.assert_allclose(y, np.where(mask == 1, 4 / 3, 0), rtol=1e-15)
