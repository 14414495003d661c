"""Outputs, losses and all gradients of 500 random networks are PyTorch's, which were recorded."""

import numpy as np
import pytest

from tests.pytorch import optimisers
from tests.pytorch.recorded import CLOSEST, SEEDS, ZERO, digest, read
from tests.random_networks import random_network

RECORDED = read()


def test_as_many_networks_are_recorded_as_are_compared():
    assert list(RECORDED) == SEEDS


@pytest.mark.parametrize("first", range(0, len(SEEDS), 50))
def test_outputs_losses_and_gradients_are_those_of_pytorch(first):
    for seed in SEEDS[first : first + 50]:
        drawn = random_network(seed)
        tape = drawn.run()
        compared = RECORDED[seed]
        assert {f"{layer.name}.y" for layer in drawn.network.layers} < compared.keys()
        assert {key.replace(".", ".d") for key in drawn.network.moving} < compared.keys()
        for name, wanted in compared.items():
            error = np.abs(digest(tape[name]) - wanted).max()
            norm = np.linalg.norm(tape[name])
            # A gradient that all but cancels behind a norm is the rounding of numbers of about 1.
            assert error <= max(CLOSEST * norm, 1e-13 if norm < ZERO else 1e-14), (seed, name)


def test_a_number_that_is_off_is_seen():
    drawn = random_network(3)
    tape = drawn.run()
    for name, wanted in RECORDED[3].items():
        values = np.array(tape[name], float)
        values.reshape(-1)[-1] += 1e-6 * np.abs(values).max() or 1e-6
        assert np.abs(digest(values) - wanted).max() > CLOSEST * np.linalg.norm(values), name


@pytest.mark.parametrize("label", optimisers.WALKS)
def test_fifty_steps_of_an_optimiser_are_those_of_pytorch(label):
    with np.load(optimisers.FILE) as recorded:
        wanted = recorded[label]
    assert np.abs(optimisers.walk(label) - wanted).max() <= CLOSEST * np.abs(wanted).max()
