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
    assert {mark.values.size for mark in cells} == {1}
