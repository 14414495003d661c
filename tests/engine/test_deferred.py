"""Going back and the update are computed when one of their numbers is first asked for, and never before."""

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.network import Network
from cnnviz.lesson.lesson import load_lesson
from tests.random_networks import random_network

SMALL = {"layers": 5, "largest": 8, "side": 3}


@pytest.fixture
def turns(monkeypatch):
    """How often going back has been computed."""
    found, go_back = [], Network._backward
    monkeypatch.setattr(Network, "_backward", lambda *asked: found.append(1) or go_back(*asked))
    return found


def test_all_that_is_known_before_is_what_is_computed_then(turns):
    """Names, sizes, shapes: of 60 networks, all of whose calls are there before their numbers."""
    for seed in range(60):
        drawn = random_network(seed, **SMALL, alone=True)
        turns.clear()
        tape = drawn.run()
        calls = drawn.network.calls(tape, ("gathered", "scattered")[seed % 2])
        names = set(tape)
        known = {(call.name, name): call.like(name) for call in calls for name in (*call.given, *call.writes)}
        assert not turns, "nobody has asked for a number"
        for call in calls:
            for name in (*call.given, *call.writes):
                value, like = call.value(name), np.asarray(known[call.name, name])
                assert (np.shape(value), np.asarray(value).dtype) == (like.shape, like.dtype)
                if name in call.writes and call.phase == "backward":
                    own = call.unpadded(name, value)
                    assert np.allclose(own, tape[call.port(name).address].reshape(own.shape))
                if not np.ndim(value):
                    assert value == like
        assert len(turns) == 1
        assert set(tape) == names


def test_numbers_that_are_asked_for_later_are_those_of_then(turns):
    """A network that has learnt more meanwhile, or was given other numbers, does not change them."""
    drawn = random_network(7, **SMALL)
    at_once, later = drawn.run(), drawn.run()
    kept = {name: values.tobytes() for name, values in at_once.items()}
    drawn.network.initialise(5)
    assert {name: values.tobytes() for name, values in later.items()} == kept
    assert len(turns) == 2
    name = next(name for name in later if name.endswith(".dw"))
    with pytest.raises(ValueError, match="read-only"):
        later[name][...] = 0


def test_what_is_known_of_a_call_is_not_taken_for_one_that_it_was_made_into():
    """All samples of a batch together have another listing, and one size more."""
    drawn = random_network(1, **SMALL, alone=True)
    (call, *_) = drawn.network.calls(drawn.run())
    assert call.known is not None
    for other in ({"listing": abs}, {"given": dict(call.given)}, {"writes": dict(call.writes)}):
        assert replace(call, **other).known is None


def test_stops_that_speak_of_gradients_are_found_by_shapes(turns):
    for name in ("digits", "lenet", "residual", "backward-conv"):
        lesson = load_lesson(name)
        phases = {lesson.program[stop.index].operation.phase for stop in lesson.sequence}
        assert phases & {"backward", "update"}, name
    assert not turns
