"""Every step of small random networks is Python's own: line, variables, arrays, cells read and written."""

import pytest

from tests.random_networks import random_network
from tests.trace.test_state import check_states

SMALL, SMALLER = {"layers": 5, "largest": 8, "side": 3}, {"layers": 3, "largest": 5, "side": 2}


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_every_state_of_300_small_random_networks_is_what_python_holds(first):
    compared = 0
    for seed in range(first, first + 30):
        drawn = random_network(seed, **(SMALL if seed % 5 == 0 else SMALLER))
        for call in drawn.network.calls(drawn.run(), ("gathered", "scattered")[seed % 2]):
            compared += check_states(call)
    assert compared > 10_000
