"""Where numbers have grown out of bounds, the finished cells are still those that the listing gives.

They come from the vectorised maths, the cell in work from Python: what is NaN for the one must be NaN for the
other, and the same ∞. The cases are drawn from fixed seeds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from tests.cases import each_layer
from tests.trace.python import events
from tests.wild import assert_as_python, wild_calls, wild_network

FILES = Path(__file__).parent / "overflow"


def run(call):
    """What the listing leaves in the arrays that it writes."""
    arguments = Operation(call).arguments()
    with np.errstate(all="ignore"):
        call.listing(**arguments)
    return {name: arguments[name] for name in call.writes}


def check_results(calls):
    for call in calls:
        for name, wanted in run(call).items():
            assert_as_python(call.writes[name], wanted, (call.name, call.listing.__name__, name))


def check_states(call, rng, steps):
    """Hold some states against what Python holds."""
    operation = Operation(call)
    with np.errstate(all="ignore"):
        happened = events(call)
    scale = {name: np.abs(array[np.isfinite(array)]).max(initial=0) for name, array in call.writes.items()}
    for offset in rng.integers(len(operation), size=steps).tolist():
        found, event = state(operation, offset), happened[offset]
        where = call.listing.__name__, offset
        assert found.line == event.line, where
        for name, value in event.variables.items():
            assert_as_python(found.variables[name], value, (*where, name), max(scale.values()))
        for name, array in event.arrays.items():
            assert_as_python(found.arrays[name], array, (*where, name), scale.get(name, 0))


@each_layer
def test_layers_compute_what_their_listings_do_whatever_the_numbers(case):
    for seed in range(12):
        check_results(wild_calls(case, np.random.default_rng(seed)))


@each_layer
def test_states_of_layers_are_pythons_whatever_the_numbers(case):
    rng = np.random.default_rng(1)
    for call in wild_calls(case, rng):
        check_states(call, rng, 12)


@pytest.mark.parametrize("seed", range(60))
def test_networks_compute_what_their_listings_do_whatever_the_numbers(seed):
    rng = np.random.default_rng(seed)
    network, x, t = wild_network(rng)
    for _ in range(2):  # in the second iteration, the optimiser remembers something
        tape = network.run(x, t)
        for form in ("gathered", "scattered"):
            calls = network.calls(tape, form)
            check_results(calls)
            check_states(calls[int(rng.integers(len(calls)))], rng, 8)
        with np.errstate(all="ignore"):
            network.train_step(x[None], t[None])
        if not all(np.isfinite(values).all() for values in network.parameters.values()):
            return


@pytest.mark.parametrize("file", sorted(FILES.glob("*.toml")), ids=lambda file: file.stem)
def test_lessons_that_overflow(file):
    calls = [operation.call for operation in load_lesson(str(file)).program.operations]
    assert not all(np.isfinite(values).all() for call in calls for values in call.writes.values())
    check_results(calls)


def test_training_with_a_learning_rate_that_is_far_too_large():
    lesson = load_lesson("training")
    lesson.network.optimiser.lr = 1e150
    network = lesson.network
    x, t = lesson.subject.samples.image(0), np.eye(10)[3]
    with np.errstate(all="ignore"):
        network.train_step(x[None], t[None])
    calls = network.calls(network.run(x, t))
    pool = next(call for call in calls if call.name == "pool2.dx")
    assert not np.isfinite(pool.writes["dx"]).all()
    check_results([pool])
