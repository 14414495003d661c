"""The picture of a trace: of numbers that overflow, too, and of one of several samples."""

from __future__ import annotations

import warnings

import numpy as np

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Box, Cells
from cnnviz.scene.panels import trace
from cnnviz.scene.traced import Traced, traced
from cnnviz.trace.program import Made, Program
from tests.wild import wild_network


def test_numbers_that_overflow_are_traced_without_a_warning():
    drawn = 0
    for seed in range(12):
        network, x, t = wild_network(np.random.default_rng(seed))
        tape = network.run(x, t)
        program = Program(network.calls(tape))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for operation in program.operations:
                if operation.phase != "forward" or "y" not in operation.call.writes:
                    continue
                cell = Made(operation, "y", (0,) * np.ndim(operation.call.writes["y"]))
                for forward in (False, True):
                    shown = traced(program, network, tape, cell, forward)
                    assert isinstance(shown, Traced) and shown.said
                    drawn += len(trace(shown, Box(0, 0, 900, 600), 16.0))
    assert drawn > 1000


def test_of_several_samples_the_one_of_the_number_is_shown_and_all_are_counted():
    lesson = load_lesson("batch-norm")
    cell = Made(lesson.program.operation("bn"), "y", (1, 0))
    shown = traced(lesson.program, lesson.network, lesson.tape, cell, False)
    assert isinstance(shown, Traced)
    (pixels,) = shown.ends
    assert pixels.shown.shape == (1,) and "in all samples" in pixels.said
    assert "(the rest)" in shown.sum
    cells = [mark for mark in trace(shown, Box(0, 0, 900, 600), 16.0) if isinstance(mark, Cells)]
    assert {mark.values.size for mark in cells if mark.values.shape != (1, 32)} == {1}, "but for the scales"


def test_the_loss_is_traced_by_the_gradient_that_goes_back_from_it():
    """Each cell's contribution is its value times its gradient, which the backward pass has computed."""
    lesson = load_lesson("digits")
    cell = Made(lesson.program.operation("loss"), "E", (0,))
    shown = traced(lesson.program, lesson.network, lesson.tape, cell, False)
    assert isinstance(shown, Traced) and shown.title.startswith("Trace back from the loss = ")
    expected = lesson.tape["input.y"] * lesson.tape["conv1.dx"]
    assert np.allclose(shown.ends[0].values, expected, rtol=1e-9, atol=1e-15)
    parts, whole = shown.sum.removesuffix(", the number.").split(" = ")
    numbers = [float(part.split(" (")[0].replace("−", "-")) for part in parts.split(" + ")]
    number = float(lesson.tape["loss.value"])
    assert abs(sum(numbers) - number) < 0.01 and abs(float(whole.replace("−", "-")) - number) < 0.01


def test_what_is_not_traced_says_why_and_what_to_do():
    digits, norm, batch = load_lesson("digits"), load_lesson("batch-norm"), load_lesson("batch")
    cases = (
        (digits, "loss", "E", (0,), True, "Nothing comes after the loss"),
        (digits, "conv1.dw", "dw", (0, 0, 0, 0), False, "A gradient goes back by the chain rule"),
        (digits, "conv1.w", "w", (0,), False, "A gradient goes back by the chain rule"),
        (
            digits,
            "conv1",
            "w",
            (0, 0, 0, 0),
            False,
            "w is a parameter: nothing is behind it; trace it forward.",
        ),
        (digits, "conv1", "x", (0, 0, 0), False, "This is padding"),
        (norm, "bn", "mean", (0,), False, "is made within bn, on the way to its output"),
        (batch, "loss", "E", (0,), False, "trace one of the outputs"),
    )
    for lesson, operation, array, index, forward, words in cases:
        cell = Made(lesson.program.operation(operation), array, index)
        said = traced(lesson.program, lesson.network, lesson.tape, cell, forward)
        assert isinstance(said, str) and words in said, (operation, array, said)


def test_contributions_have_a_scale_and_numbers_where_there_is_room():
    lesson = load_lesson("digits")
    cell = Made(lesson.program.operation("conv2"), "y", (3, 1, 2))
    shown = traced(lesson.program, lesson.network, lesson.tape, cell, False)
    for width, height, em in ((1700, 860, 20.0), (700, 500, 12.0)):
        marks = trace(shown, Box(0, 0, width, height), em)
        scales = [mark for mark in marks if isinstance(mark, Cells) and mark.values.shape == (1, 32)]
        assert len(scales) == 1 + len(shown.way)
        assert all(abs(mark.values).max() == mark.limit for mark in scales)
        grids = [mark for mark in marks if isinstance(mark, Cells) and mark not in scales]
        assert all(mark.box.bottom <= height - 1.5 * em for mark in grids)
    large = [m for m in trace(shown, Box(0, 0, 1700, 860), 20.0) if isinstance(m, Cells) and m.texts]
    assert large, "numbers where there is room"
