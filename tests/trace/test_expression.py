"""Listings that write no arrays at all: those of expressions."""

import math

import numpy as np
import pytest

from cnnviz.engine.expression import read_expression
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.looptree import Line, read_listing, walk
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from tests.trace.python import events
from tests.trace.test_looptree import listing

TEXTS = [
    "(x + y) * z",
    "x*x + x",
    "sigmoid(w*x + b)",
    "relu(x) / relu(x) + log(x - 3)",
    "(x + y) * (x + y) - 2 * y ** 3",
    "exp(x) / (exp(x) + exp(y))",
    "tanh(-x) ** -2",
]
VALUES = {"x": -2.0, "y": 5.0, "z": -4.0, "w": 0.5, "b": 1.0}


def calls(text):
    graph = read_expression(text)
    return graph.calls(graph.run({name: VALUES[name] for name in graph.inputs}))


@pytest.mark.parametrize("text", TEXTS)
def test_steps_are_what_python_runs_and_holds(text):
    for call in calls(text):
        program = Program([call])
        with np.errstate(all="ignore"):
            seen = events(call)
        assert [step.line for step in program] == [event.line for event in seen]
        for step, event in zip(program, seen, strict=True):
            held = program.state(step.index).variables
            assert list(held) == list(event.variables)
            assert list(held.values()) == pytest.approx(list(event.variables.values()), nan_ok=True)


@pytest.mark.parametrize("text", TEXTS)
def test_the_end_holds_the_results(text):
    for call in calls(text):
        program = Program([call])
        state = program.state(len(program) - 1)
        for name, value in call.writes.items():
            assert float(state.value(name)) == pytest.approx(float(value), nan_ok=True)
            assert state.written(name).all()


@pytest.mark.parametrize("text", TEXTS)
def test_a_result_is_there_from_its_first_step_on(text):
    program = Program(calls(text))
    for step in program:
        state = program.state(step.index)
        for name in step.operation.call.writes:
            assert bool(state.written(name)) == (name in state.variables)
            assert math.isnan(float(state.value(name))) or name in state.variables


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [Level.LINE, Level.TERM, Level.CELL, Level.MAP])
def test_every_line_is_a_stop_both_ways(text, level):
    program = Program(calls(text))
    last = len(program) - 1
    cursor = Cursor(program, 0, level)
    for index in range(1, last + 1):
        cursor = cursor.next()
        assert cursor.index == index
    for index in range(last - 1, -1, -1):
        cursor = cursor.previous()
        assert cursor.index == index


@pytest.mark.parametrize("level", [Level.LAYER, Level.PASS])
def test_the_end_of_each_pass_is_a_stop(level):
    program = Program(calls("(x + y) * z"))
    start = Cursor(program, 0, level)
    assert [start.next().index, start.next().next().index] == [1, 6]
    assert start.to(6).previous().index == 1


def test_the_step_of_a_result_is_its_last_line():
    forward, backward = Program(calls("x*x + x")).operations
    assert forward.step_writing("q", ()) == 0
    assert backward.step_writing("dx", ()) == 4
    assert backward.step_writing("x", ()) is None


@pytest.mark.parametrize(
    ("source", "stops"),
    [
        ("def one(x):\n    a = x\n    b = a * a\n", [2, 3]),
        ("def two(x, N):\n    a = x\n    for n in range(N):\n        a += x\n        b = a\n", [2, 4, 5]),
        ("def three(x, y):\n    a = x\n    y[0] = a\n", [3]),
    ],
)
def test_in_a_listing_without_arrays_every_assignment_is_a_term_and_a_cell(source, stops):
    lines = [node for node in walk(read_listing(listing(source)).body) if isinstance(node, Line)]
    assert [line.number for line in lines if line.is_cell] == stops
    assert [line.number for line in lines if line.is_term] == stops
