"""Every step of small random networks is Python's own: line, variables, arrays, cells read and written."""

import pytest

from tests.random_networks import random_network
from tests.trace.test_state import check_states


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_every_state_of_small_random_networks_is_what_python_holds(first):
    compared = 0
    for seed in range(first, first + 10):
        drawn = random_network(seed, layers=5, largest=8, side=3)
        network, form = drawn.network, ("gathered", "scattered")[seed % 2]
        for call in network.calls(drawn.run(), form):
            compared += check_states(call)
    assert compared > 1_000
