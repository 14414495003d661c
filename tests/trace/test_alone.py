"""A step of several samples is a step of one of them, held against the same sample run alone."""

from pathlib import Path

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.alone import cell_in, cells_of, program_of, sample_at, state_of, step_of
from cnnviz.trace.forms import counterpart
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level, next_stop, previous_stop
from tests.engine.test_batch import N, batch_of, sample_of

FILE = Path(__file__).parents[1] / "lesson/files/three-together.toml"


@pytest.mark.parametrize("seed", range(6))
def test_steps_of_a_sample_are_those_that_it_has_alone(seed):
    network, x, t = batch_of(seed, layers=4, largest=6, side=3)
    form = ("gathered", "scattered")[seed % 2]
    program = Program(network.calls(network.run(x, t, samples=N), form))
    assert program.samples == N
    alone = [Program(network.calls(network.run(sample_of(x, k), sample_of(t, k)), form)) for k in range(N)]
    seen = [set() for _ in range(N)]
    for step in program:
        operation = step.operation
        if operation.name == "loss.mean":
            continue
        number = sample_at(operation, step.offset)
        own = step_of(step, program_of(program, number))
        wanted = alone[number].operation(operation.name)
        assert len(own.operation) == len(wanted)
        assert own.operation.tree.source == wanted.tree.source
        assert 0 <= own.offset < len(wanted)
        batch = operation.call.batch
        if batch and batch.lines[step.line]:
            assert own.line == batch.lines[step.line]
            there = {batch.called.get(name, name): value for name, value in own.variables.items()}
            inside = {loop.variable for loop in operation.loops_at(step.offset)}
            assert {name: there[name] for name in inside if name in there} == {
                name: value for name, value in step.variables.items() if name in inside and name in there
            }
            seen[number].add((operation.name, own.offset))
    for number in range(N):
        each = [
            (operation.name, offset)
            for operation in alone[number].operations
            if operation.phase != "update"
            for offset in range(len(operation))
        ]
        # A sum that goes on over all samples is begun and written once.
        missed = [place for place in each if place not in seen[number]]
        assert all(".d" in name for name, _ in missed)


@pytest.mark.parametrize("seed", range(6))
def test_a_samples_state_holds_its_part_of_what_python_holds(seed):
    network, x, t = batch_of(seed, layers=4, largest=6, side=3)
    program = Program(network.calls(network.run(x, t, samples=N)))
    for index in range(0, len(program), 7):
        step, state = program[index], program.state(index)
        batch = step.operation.call.batch
        if batch is None or not batch.calls:
            continue
        number = sample_at(step.operation, step.offset)
        own = state_of(state, step_of(step, program_of(program, number)), number)
        for name, values in own.arrays.items():
            whole = state.arrays[name]
            part = whole[number] if name in batch.arrays else whole
            np.testing.assert_array_equal(values.reshape(-1), np.ravel(part))
        for (name, index_), (_, whole_index) in zip(own.reads, state.reads, strict=True):
            assert cell_in(step.operation, name, index_, number) == whole_index
            assert own.arrays[name][index_] == state.arrays[name][whole_index]


def test_cells_of_another_sample_are_none_of_its():
    network, x, t = batch_of(1)
    operation = Program(network.calls(network.run(x, t, samples=N))).operations[0]
    cells = np.array([[0, *[0] * (np.ndim(operation.call.value("y")) - 1)]], np.intp)
    assert len(cells_of(operation, "y", cells, 0)) == 1
    assert len(cells_of(operation, "y", cells, 1)) == 0


@pytest.mark.parametrize("form", ["gathered", "scattered"])
def test_each_sample_has_maps_and_stepping_back_meets_the_same(form):
    network, x, t = batch_of(3)
    program = Program(network.calls(network.run(x, t, samples=N), form))
    alone = Program(network.calls(network.run(sample_of(x, 0), sample_of(t, 0)), form))
    for operation in program.operations:
        forwards, offset = [], -1
        while (offset := next_stop(operation, offset, Level.MAP)) is not None:
            forwards.append(offset)
        backwards, offset = [], len(operation)
        while (offset := previous_stop(operation, offset, Level.MAP)) is not None:
            backwards.append(offset)
        assert forwards == backwards[::-1]
        batch = operation.call.batch
        if batch and batch.calls and operation.call.writes.keys() <= batch.arrays:
            own, offset, one = 0, -1, alone.operation(operation.name)
            while (offset := next_stop(one, offset, Level.MAP)) is not None:
                own += 1
            assert len(forwards) == N * own, operation.name


def test_the_other_form_of_a_gradient_is_about_the_same_sample():
    lesson = load_lesson(str(FILE))
    here, there = lesson.in_form("gathered").program, lesson.in_form("scattered").program
    operation = here.operation("conv1.dx")
    for offset in range(3, len(operation) - 3, 97):
        index = here.start("conv1.dx") + offset
        step = there[counterpart(here, index, there)]
        assert sample_at(step.operation, step.offset) == sample_at(operation, offset)
        back = here[counterpart(there, step.index, here)]
        assert sample_at(back.operation, back.offset) == sample_at(operation, offset)
