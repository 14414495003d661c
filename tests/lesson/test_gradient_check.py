"""A gradient that is tried out: right ones agree, kinks are said, a wrong one is found."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.lesson.gradient_check import Check, Slot, all_of, check, slot_of
from cnnviz.lesson.lesson import load_lesson


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "batch",
        "lenet",
        "training",
        "vanishing",
        "backward-fc",
        "dropout",
        "residual",
        "batch-norm",
        "transposed",
    ],
)
def test_losses_are_those_of_the_lesson_with_the_number_changed_and_gradients_agree(name):
    lesson = load_lesson(name)
    rng = np.random.default_rng(0)
    keys = [key for key in lesson.network.parameter_shapes if lesson.program.gradient(key)]
    inner = [f"{layer.name}.y" for layer in lesson.network.layers[:-1]]
    for key in [*keys, *(k for k in inner if k in lesson.tape and lesson.program.gradient(k))]:
        shape = lesson.tape[key].shape
        slot = Slot(key, tuple(int(rng.integers(size)) for size in shape))
        found = check(lesson, slot)
        assert found.holds or found.kinks, (name, found)
        if key in keys and lesson.run is None and lesson.network.losses:
            for sign, loss in ((1, found.above), (-1, found.below)):
                written = f"{key}[{','.join(map(str, slot.cell))}]={found.value + sign * found.epsilon!r}"
                assert load_lesson(name, changes=[written]).tape.loss == pytest.approx(loss, rel=1e-12)


def test_a_kink_is_said_and_named():
    lesson = load_lesson("digits")
    relu = lesson.tape["conv1.y"]
    index = tuple(int(k) for k in np.argwhere(relu > 0)[0])
    found = check(lesson, Slot("conv1.y", index), epsilon=float(relu[index]) * 3)
    assert "relu1" in found.kinks
    assert "relu1" in found.verdict


def test_a_wrong_gradient_is_found_and_zero_is_zero():
    right = check(load_lesson("digits"), Slot("fc.b", (3,)))
    assert right.verdict == "They agree: the gradient is right."
    wrong = replace(right, gradient=right.gradient * 1.01)
    assert wrong.error == pytest.approx(0.01, rel=0.02)
    assert not wrong.holds and "not confirmed" in wrong.verdict
    nothing = Check(Slot("w", ()), 0.0, 1e-5, 2.0, 2.0, 0.0)
    assert (nothing.quotient, nothing.error, nothing.holds) == (0, 0, True)


def test_of_what_a_number_is_the_gradient_and_all_of_its_layer():
    lesson = load_lesson("digits")
    made = lesson.program.operation("conv1.dw")
    slot = slot_of(lesson, made, "dw", (1, 0, 2, 0))
    assert str(slot) == "conv1.w[1, 0, 2, 0]"
    assert len(all_of(lesson, slot)) == 4 * 9 + 4
    with pytest.raises(CnnvizError, match="no gradient"):
        slot_of(lesson, made, "x", (0, 0, 0))
    update = lesson.program.operation("conv1.w")
    assert slot_of(lesson, update, "dw", (10,)) == Slot("conv1.w", (1, 0, 0, 1))
    plain = load_lesson("convolution")
    with pytest.raises(CnnvizError):
        slot_of(plain, plain.program.operations[0], "y", (0, 0, 0))
