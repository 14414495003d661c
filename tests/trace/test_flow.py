"""What a cell is made of, and who reads it, against the reads and writes of listings that are really run."""

from __future__ import annotations

import ast
from collections import defaultdict

import numpy as np
import pytest

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import Adam
from cnnviz.trace.flow import offsets_reading, sources, targets
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.cases import each_call
from tests.trace.python import Event, Place, events


def followed(call: Call) -> tuple[list[Event], list[set[Place]]]:
    """All steps as Python runs them, and what each one's result was made of, scalars looked through."""
    happened, made = events(call), []
    source = Operation(call).tree.source
    scalars: dict[str, set[Place]] = {}
    for event in happened:
        text = source[event.line - 1].strip()
        if text.startswith("for "):
            made.append(set())
            continue
        statement = ast.parse(text).body[0]
        read = set(event.touched.reads)
        if isinstance(statement, ast.AugAssign):
            read -= set(event.touched.writes)  # what it adds to
        named = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if not event.touched.writes and isinstance(statement, ast.Assign):
            named -= {node.id for node in statement.targets if isinstance(node, ast.Name)} - {
                node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)
            }
        for name in named:
            read |= scalars.get(name, set())
        if not event.touched.writes:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            scalars[target.id] = read
        made.append(read)
    return happened, made


def as_places(cells: dict[str, np.ndarray]) -> set[Place]:
    return {(name, tuple(cell)) for name, found in cells.items() for cell in found.tolist()}


def all_places(call: Call) -> list[Place]:
    arrays = {name: np.shape(values) for name, values in (call.given | call.writes).items()}
    return [(name, index) for name, shape in arrays.items() if shape for index in np.ndindex(*shape)]


@each_call
def test_the_sources_of_a_cell_are_what_was_read_for_it(call):
    operation = Operation(call)
    happened, made = followed(call)
    for offset, (event, read) in enumerate(zip(happened, made, strict=True)):
        if event.touched.writes:
            assert as_places(sources(operation, offset)) == read, (event.touched.writes, offset)


@each_call
def test_the_readers_of_a_cell_are_the_steps_that_read_it(call):
    operation = Operation(call)
    read_at = defaultdict(list)
    for offset, event in enumerate(events(call)):
        adds = "+=" in operation.tree.source[event.line - 1]
        for place in set(event.touched.reads) - (set(event.touched.writes) if adds else set()):
            read_at[place].append(offset)
    for name, index in all_places(call):
        assert offsets_reading(operation, name, index).tolist() == read_at[name, index], (name, index)


@each_call
def test_the_targets_of_a_cell_are_those_that_are_made_of_it(call):
    operation = Operation(call)
    made_of_it = defaultdict(set)
    for event, read in zip(*followed(call), strict=True):
        for place in read:
            made_of_it[place] |= set(event.touched.writes)
    for name, index in all_places(call):
        assert as_places(targets(operation, name, index)) == made_of_it[name, index], (name, index)


@pytest.mark.parametrize("form", ["gathered", "scattered"])
@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding"),
    [
        *[((1, 1, 2), 1, 1, 1), ((1, 1, 1), 1, 2, 1), ((2, 3, 4), (2, 3), 2, 3), ((1, 5, 4), 3, 1, 1)],
        *[((1, 2, 3), 2, (1, 2), (0, 2, 3, 1)), ((1, 3, 4), (2, 4), 1, "same")],
    ],
)
def test_whatever_the_padding_a_gradient_is_found_where_it_was_made(form, shape, kernel, stride, padding):
    """Padding as large as the kernel cuts gradients off; what is left is found where it lies."""
    layers = [
        ("conv1", Conv2d(shape[0], 2, 1)),
        ("conv2", Conv2d(2, 2, kernel, stride, padding)),
        ("flatten", Flatten()),
    ]
    network = Network(layers, shape, HalfSquaredError(), Adam(0.1))
    network.initialise(2)
    rng = np.random.default_rng(3)
    tape = network.run(rng.normal(size=shape), rng.normal(size=network.output_shape))
    program = Program(network.calls(tape, form))
    makers = {
        ("conv2.dx", "dy"): "flatten.dx",
        ("conv2", "x"): "conv1",
        ("conv1.dx", "dy"): "conv2.dx",
        ("conv1.dw", "dy"): "conv2.dx",
    }
    for name, array in makers:
        operation, found = program.operation(name), 0
        values = np.asarray(operation.call.given[array])
        for index in np.ndindex(*values.shape):
            made = program.where_from(operation, array, index)
            if made is None:
                assert values[index] == 0
                continue
            assert made.operation.name == makers[name, array]
            written = made.operation.call.writes[made.array][made.index]
            assert written == pytest.approx(values[index], abs=1e-12)
            found += 1
        shown = np.count_nonzero(values)  # all numbers are drawn at random: zeros are those that were put in
        assert found >= shown
