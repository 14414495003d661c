"""Gradient descent down a curve: its numbers, and what is wrong with one."""

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.descent import LONGEST_LINE, Descent, curve
from cnnviz.engine.expression import read_expression
from tests.cases import DESCENTS, OPTIMISERS

LINE = "w*w+1.5+1.5+1.5+1.5+1.5+1.5+"

each_descent = pytest.mark.parametrize("descent", DESCENTS.values(), ids=DESCENTS)


@each_descent
def test_every_step_goes_against_the_gradient_of_the_graph(descent):
    graph, arrays = read_expression(descent.loss), descent.arrays
    assert arrays["w"].shape == (len(descent.starts), descent.steps + 1)
    assert arrays["w"][:, 0].tolist() == list(descent.starts)
    for s, t in np.ndindex(*arrays["E"].shape):
        tape = graph.run({"w": arrays["w"][s, t]})
        assert arrays["E"][s, t] == pytest.approx(float(tape["f.f"]), rel=1e-13, abs=1e-15)
        assert arrays["dw"][s, t] == pytest.approx(float(tape["f.dw"]), rel=1e-12, abs=1e-15)
        if descent.optimiser is None:
            assert arrays["w"][s, t + 1] == arrays["w"][s, t] - descent.lr * arrays["dw"][s, t]


@pytest.mark.parametrize("label", OPTIMISERS)
def test_a_walk_takes_the_steps_of_its_optimiser(label):
    """Those of `step`, which are PyTorch's, are not made of the listing."""
    rule = OPTIMISERS[label]()
    arrays = Descent("walk", "(w - 3) ** 2", rule.lr, (5.0, -1.0), 20, (-2, 8), rule).arrays
    w = np.array([5.0, -1.0])
    state = rule.start(w)
    for t in range(20):
        w, state = rule.step(w, 2 * (w - 3), state, t + 1)
        np.testing.assert_allclose(arrays["w"][:, t + 1], w, rtol=1e-12)
        for name, values in state.items():
            np.testing.assert_allclose(arrays[name][:, t + 1], values, rtol=1e-12)


def test_by_hand():
    arrays = Descent("walk", "(w - 3) ** 2", 0.1, (5.0, -1.0), 2, (-2, 8)).arrays
    assert arrays["w"] == pytest.approx(np.array([[5, 4.6, 4.28], [-1, -0.2, 0.44]]))
    assert arrays["E"] == pytest.approx(np.array([[4, 2.56], [16, 10.24]]))
    assert arrays["dw"] == pytest.approx(np.array([[4, 3.2], [-8, -6.4]]))


def test_numbers_that_grow_without_bound_become_infinite_and_then_none(recwarn):
    w = Descent("walk", "(w - 3) ** 4", 2.5, (5.0,), 12, (-2, 8)).arrays["w"][0]
    assert np.isfinite(w[:4]).all()
    assert np.isinf(w).any()
    assert np.isnan(w[-1])
    assert not recwarn.list


def test_the_curve_is_the_loss():
    w = np.linspace(-2, 2, 9)
    assert curve("(w - 3) ** 2", w) == pytest.approx((w - 3) ** 2)
    assert curve("relu(w) - w", w) == pytest.approx(np.maximum(w, 0) - w)
    assert curve("1 / w", np.array([0.0]))[0] == np.inf
    assert curve("w - w", w).tolist() == [0] * 9


@pytest.mark.parametrize(
    ("changed", "attribute", "said"),
    [
        ({"loss": "(w - x) ** 2"}, "loss", "must have w as its only name, has w, x"),
        ({"loss": "x ** 2"}, "loss", "must have w as its only name, has x"),
        ({"loss": " * ".join(["(w - 1.25)"] * 8)}, "loss", "makes too long a line of its derivative"),
        ({"window": (3.0, 3.0)}, "window", "must go from a smaller number to a larger one"),
        ({"window": (0.0, 1e7)}, "window", "must be between −1,000,000 and 1,000,000, and at least 0.000001"),
        ({"window": (1.0, 1.0 + 1e-9)}, "window", "must be between −1,000,000 and 1,000,000"),
        ({"starts": (1.0,) * 9}, "starts", "must be at most 8, are 9"),
    ],
)
def test_what_is_wrong_is_told(changed, attribute, said):
    (fault,) = replace(DESCENTS["parabola"], **changed).faults()
    assert fault[0] == attribute
    assert fault[1].startswith(said)


@each_descent
def test_a_right_one_has_no_fault(descent):
    assert list(descent.faults()) == []
    assert max(map(len, descent.lines)) <= LONGEST_LINE


@pytest.mark.parametrize(
    "loss, said",
    [
        ("w" + 169 * " " + "*w", ""),
        ("w" + 170 * " " + "*w", "must have at most 172 characters"),
        (LINE + "10000000.5+w+w", ""),
        (LINE + "100000000.5+w+w", "makes too long a line of its derivative; write a shorter expression"),
    ],
    ids=["172 characters", "173", "a line of 86", "of 87"],
)
def test_how_long_a_loss_may_be_is_said_and_holds(loss, said):
    descent = Descent("walk", loss, 0.1, (1.0,), 3, (-2.0, 2.0))
    assert list(descent.faults()) == ([("loss", said)] if said else [])
