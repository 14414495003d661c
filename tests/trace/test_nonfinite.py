"""Where the first NaN or infinity arises: as found by looking at every step there is."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.layer import FORMS
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.trace.program import Program


def looked_for(program: Program) -> tuple[int, set[tuple[str, tuple[int, ...]]]]:
    """The first step at which something written is no number, and all such cells then."""
    with np.errstate(all="ignore"):
        for step in range(len(program)):
            state = program.state(step)
            cells = {
                (array, tuple(index.tolist()))
                for array in program[step].operation.call.writes
                for index in np.argwhere(~np.isfinite(state.value(array)) & state.written(array))
            }
            if cells:
                return step, cells
    raise AssertionError("all are numbers")


def network(conv: float, fc: float, x: float, form: str) -> Program:
    """Numbers so large that sooner or later something overflows."""
    layers = [("conv", Conv2d(1, 2, 2)), ("flatten", Flatten()), ("fc", Linear(8, 3))]
    made = Network(layers, (1, 3, 3), HalfSquaredError())
    made.initialise(3)
    factors = {"conv": conv, "fc": fc}
    made.parameters = {key: values * factors[key.split(".")[0]] for key, values in made.parameters.items()}
    image = x * np.random.default_rng(1).normal(size=(1, 3, 3))
    with np.errstate(all="ignore"):
        return Program(made.calls(made.run(image, np.zeros(3)), form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("sizes", "operation"),
    [((1e160, 1e160, 1.0), "fc"), ((1e80, 1e80, 1.0), "loss"), ((1e200, 1e-5, 1e-60), "conv.dx")],
)
def test_it_is_the_first_step_that_writes_one(sizes, operation, form):
    program = network(*sizes, form)
    found = first_nonfinite(program)
    step, cells = looked_for(program)
    assert found.step == step
    assert (found.array, found.index) in cells
    assert found.operation == program[step].operation.name == operation
    assert not np.isfinite(found.value)


def test_where_all_are_numbers_there_is_none():
    assert first_nonfinite(load_lesson("digits").program) is None
