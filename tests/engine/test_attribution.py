"""What a number is made of, and what it reaches: as PyTorch has it, and as adding up says."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.address import output_of
from cnnviz.engine.attribution import trace_back, trace_forward
from cnnviz.lesson.lesson import load_lesson
from tests.random_networks import random_network
from tests.traced import EXACT, FILE, NEARLY, RECORDED, cells_of, differences


@pytest.mark.parametrize("way", ["back", "forward"])
def test_gradients_through_random_graphs_and_which_are_none_are_those_of_pytorch(way):
    with np.load(FILE) as recorded:
        held = {name: recorded[name] for name in recorded.files if f" {way} " in name}
    compared = 0
    for seed in RECORDED:
        theirs = {name.split()[2]: values for name, values in held.items() if name.startswith(f"{seed} ")}
        drawn = random_network(seed)
        tape, (back, forward) = drawn.run(), cells_of(drawn, seed)
        if way == "back":
            ours = trace_back(drawn.network, tape, output_of(back[0]), back[1]).gradients
        else:
            ours = trace_forward(drawn.network, tape, output_of(forward[0]), forward[1])
        assert not differences(ours, theirs, EXACT if way == "back" else NEARLY), seed
        compared += len(theirs)
    assert compared > 2 * len(RECORDED)


@pytest.mark.parametrize("name", ["digits", "residual", "receptive-field", "batch", "geometry"])
def test_what_inputs_and_biases_contribute_is_the_number(name):
    """Of all numbers before the first curve: convolutions, ReLU, maxima, sums, one way and several."""
    lesson = load_lesson(name)
    network, tape, draw = lesson.network, lesson.tape, np.random.default_rng(3)
    for layer in network.layers:
        if layer.kind in ("softmax", "sigmoid"):
            break
        values = tape[output_of(layer.name)]
        for flat in draw.integers(values.size, size=4):
            place = np.unravel_index(flat, values.shape)
            found = trace_back(network, tape, output_of(layer.name), place)
            inputs = [one for one in map(output_of, network.input_shapes) if one in found.gradients]
            shares = sum(found.contributions(tape, one).sum() for one in inputs)
            whole = shares + sum(found.added.values())
            assert whole == pytest.approx(values[place], rel=1e-9, abs=1e-12), (layer.name, place)


def test_a_parameter_reaches_what_is_computed_with_it():
    lesson = load_lesson("digits")
    found = trace_forward(lesson.network, lesson.tape, "conv2.w", (3, 1, 0, 2))
    reached = found["conv2.y"] != 0
    assert reached[3].any() and not np.delete(reached, 3, 0).any() and "conv1.y" not in found
    # Its own cells change by what stands under the weight.
    x = np.pad(lesson.tape["conv2.x"], ((0, 0), (1, 1), (1, 1)))
    assert np.allclose(found["conv2.y"][3], x[1, 0:4, 2:6], atol=1e-9)
