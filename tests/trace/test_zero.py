"""What divides by zero or overflows is infinite or NaN at its step, as in NumPy; nothing stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.view import View
from cnnviz.trace.nonfinite import first_nonfinite
from tests.scene.looking import said

INF, NAN = math.inf, math.nan

# What an expression and its gradient in x are, by the limits and by IEEE 754's rules.
EXPRESSIONS = [
    ("f = x / 0   x=1", INF, INF),
    ("f = x / 0   x=-1", -INF, INF),
    ("f = x / 0   x=0", NAN, INF),
    ("f = x / (2 - 2)   x=1", INF, INF),
    ("f = -x / 0   x=1", -INF, -INF),
    ("f = relu(x) / 0   x=-1", NAN, 0.0),
    ("f = relu(x / 0)   x=1", INF, INF),
    ("f = max(x, 0) / 0   x=1", INF, INF),
    ("f = x ** 0 / 0   x=1", INF, NAN),
    ("f = x ** -1   x=0", INF, -INF),
    ("f = x ** 0.5   x=0", 0.0, INF),
    ("f = x ** 0.5   x=-8", NAN, NAN),
    ("f = exp(x)   x=1000", INF, INF),
    ("f = x ** 20   x=1e300", INF, INF),
    ("f = 2 ** x   x=2000", INF, INF),
    ("f = log(x)   x=0", -INF, INF),
]


@pytest.mark.parametrize("typed, value, slope", EXPRESSIONS)
def test_an_expression_has_the_value_that_numpy_gives(typed, value, slope):
    lesson = load_lesson(typed)
    program = lesson.program
    last = [program.state(end - 1) for end in (program.start("f.backward"), len(program))]
    assert last[0].value("f") == pytest.approx(value, nan_ok=True)
    assert last[1].value("dx") == pytest.approx(slope, nan_ok=True)
    assert lesson.tape["f.f"] == pytest.approx(value, nan_ok=True)
    assert lesson.tape["f.dx"] == pytest.approx(slope, nan_ok=True)
    assert first_nonfinite(program) is not None
    for operation in program.operations:  # Python itself, without being stepped
        with np.errstate(all="ignore"):
            operation.call.listing(**operation.call.given)
    for step in range(len(program)):
        compose(program, step, View(1280, 720))


DESCENT = """
title = "A walk"
sentence = "It leaves at once."
[[descents]]
name = "walk"
loss = "{loss}"
lr = 0.5
starts = [1.0, 0.0]
steps = 2
window = [-2, 2]
"""

# Of w = 1 and w = 0: the loss, its slope, and where the first step leads.
DESCENTS = [
    ("w / 0", (INF, NAN), (INF, INF), (-INF, -INF)),
    ("relu(w) / 0", (INF, NAN), (INF, NAN), (-INF, NAN)),
    ("w ** -1", (1.0, INF), (-1.0, -INF), (1.5, INF)),
    ("exp(1000*w)", (INF, 1.0), (INF, 1000.0), (-INF, -500.0)),
    ("log(w)", (0.0, -INF), (1.0, INF), (0.5, -INF)),
    ("1e200 * w * 1e200", (INF, 0.0), (INF, INF), (-INF, -INF)),
]


@pytest.mark.parametrize("loss, values, slopes, places", DESCENTS)
def test_a_descent_has_the_values_that_numpy_gives(tmp_path, loss, values, slopes, places):
    path = tmp_path / "walk.toml"
    path.write_text(DESCENT.format(loss=loss))
    lesson = load_lesson(str(path))
    program = lesson.program
    end = program.state(len(program) - 1)
    for name, column, expected in (("E", 0, values), ("dw", 0, slopes), ("w", 1, places)):
        np.testing.assert_allclose(lesson.tape[f"walk.{name}"][:, column], expected, rtol=1e-12)
        np.testing.assert_array_equal(end.arrays[name], lesson.tape[f"walk.{name}"])
    for step in range(len(program)):
        compose(program, step, View(1280, 720))


def test_the_arithmetic_shown_ends_in_the_value():
    program = load_lesson("f = x / 0   x=1").program
    words = said(compose(program, len(program) - 1, View(1280, 720)).marks)
    assert "first ∞: f, f, step 0" in words
    assert [word for word in words if word.startswith("= ∞") or word == "∞"]


def test_a_plain_number_counts_as_before():
    """Only what is computed with is NumPy's: an index stays a whole number, and so does a loop's count."""
    program = load_lesson("f = (2 * x + 1) ** 2   x=0.5").program
    held = program.state(program.start("f.backward") - 1).variables
    assert held["f"] == 4.0
    assert all(isinstance(value, np.float64) for value in held.values())
