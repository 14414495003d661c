"""Derivatives as lines of a listing: right, and as short as one writes them by hand."""

import numpy as np
import pytest

from cnnviz.engine.derivative import as_line
from cnnviz.engine.expression import read_expression

BY_HAND = [
    ("(w - 3) ** 2", "2 * (w - 3)"),
    ("w ** 4 / 4 - w ** 2 / 2 + w / 10", "w ** 3 - w + 0.1"),
    ("w * w + w", "2 * w + 1"),
    ("w ** 2 + 3 * w - 5", "2 * w + 3"),
    ("3 - w - w", "-2"),
    ("w / 3", "1 / 3"),
    ("w * 2 * w * 3", "12 * w"),
    ("-w ** 2", "-2 * w"),
    ("w ** (-2)", "-2 * w ** (-3)"),
    ("1 / (1 + w ** 2)", "-2 * w / (1 + w ** 2) ** 2"),
    ("log(w ** 2 + 1)", "2 * w / (w ** 2 + 1)"),
    ("exp(w)", "exp(w)"),
    ("relu(w)", "1 if w > 0 else 0"),
    ("max(w, 1)", "1 / 2 if w == 1 else 0 if w < 1 else 1"),
    ("sqrt(w)", "1 / (2 * sqrt(w))"),
    ("abs(w)", "sign(w)"),
    ("cos(2 * w)", "-2 * sin(2 * w)"),
    ("w ** 0.5", "0.5 * w ** (-0.5)"),
    ("2 ** w", "2 ** w * log(2)"),
    ("q = w - 3; f = q ** 2", "2 * (w - 3)"),
    ("w ** 1 + w ** 0", "1"),
    ("5 - (w - 1) ** 2 * (-2)", "4 * (w - 1)"),
]


@pytest.mark.parametrize(("expression", "derivative"), BY_HAND)
def test_it_is_what_one_writes_by_hand(expression, derivative):
    assert as_line(expression, "w", "w")[1] == derivative


def test_the_name_is_replaced_by_its_place():
    assert as_line("(w - 3) ** 2", "w", "w[s, t]") == ("(w[s, t] - 3) ** 2", "2 * (w[s, t] - 3)")
    assert as_line("exp(-w)", "w", "w[s, t]")[0] == "exp(-w[s, t])"


MORE = [
    "max(w, 2) * min(w, 1.5)",
    "w ** w",
    "sqrt(w) / cos(w / 3)",
    "abs(sin(2 * w)) ** 1.5",
    "max(w, 2 - w) ** 2",
    "sigmoid(2 * w - 1)",
    "tanh(w) / w",
    "(2 * w) ** 3 - (w - (w - 1))",
    "exp(-w) * w",
    "(w ** 2 - 1) ** 2 + 0.3 * w",
    "sigmoid(tanh(w) * relu(w)) ** 3",
    "w / (w + 1) / (w + 2)",
    "2 / w - w / 2 * (3 / w)",
    "-(-w) * -(w - 2) / 7",
    "(w - 1) * (w - 2) * (w - 3)",
]


@pytest.mark.parametrize("expression", [*(text for text, _ in BY_HAND), *MORE])
@pytest.mark.parametrize("w", [0.7, 1.9, 3.3])
def test_value_and_slope_are_those_of_the_graph(expression, w):
    """The gradient that comes back through the graph is found in quite another way."""
    functions = {
        "sin": np.sin, "cos": np.cos, "sqrt": np.sqrt, "abs": abs, "sign": np.sign, "max": max, "min": min,
        "exp": np.exp, "log": np.log, "tanh": np.tanh,
        "relu": lambda x: max(x, 0.0), "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }  # fmt: skip
    value, slope = (eval(line, functions, {"w": w}) for line in as_line(expression, "w", "w"))
    tape = read_expression(expression).run({"w": w})
    assert value == pytest.approx(float(tape["f.f"]), rel=1e-13)
    assert slope == pytest.approx(float(tape["f.dw"]), rel=1e-12, abs=1e-14)
